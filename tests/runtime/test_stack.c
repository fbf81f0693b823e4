/* Stacks: how many there can be, how deep they are, what guards them, and that they are used again. */
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>

#include "sanitize.h"
#include "stack.h"

enum { RECORD_SIZE = 500 };

/* What a slot of the usual size has to offer, by asking for one. */
static size_t stack_size(void)
{
    vr_stack_arena arena = {0};
    vr_stack stack;
    char *record = vr_stack_take(&arena, RECORD_SIZE, 0, &stack);

    assert_non_null(record);
    vr_stack_give(&arena, record, stack);
    vr_stack_arena_done(&arena);
    return (size_t)(record - stack.bottom);
}

/* --- The arena --- */

static void slots_do_not_overlap_and_are_aligned(void **state)
{
    enum { SLOTS = 600 };
    static char *records[SLOTS];
    static vr_stack stacks[SLOTS];
    vr_stack_arena arena = {0};

    for (int i = 0; i < SLOTS; i++) {
        records[i] = vr_stack_take(&arena, RECORD_SIZE, i % 3 * 50000, &stacks[i]);
        assert_non_null(records[i]);
        assert_int_equal((uintptr_t)records[i] % 64, 0);
        assert_true(records[i] - stacks[i].bottom >= i % 3 * 50000);
        memset(records[i], i % 251, RECORD_SIZE);
        stacks[i].bottom[0] = records[i][-1] = (char)(i % 127);
    }
    for (int i = 0; i < SLOTS; i++) {
        assert_int_equal((unsigned char)records[i][0], i % 251);
        assert_int_equal((unsigned char)records[i][RECORD_SIZE - 1], i % 251);
        assert_int_equal(stacks[i].bottom[0], i % 127);
        assert_int_equal(records[i][-1], i % 127);
    }
    assert_int_equal(arena.in_use, SLOTS);
    for (int i = 0; i < SLOTS; i++)
        vr_stack_give(&arena, records[i], stacks[i]);
    assert_int_equal(arena.in_use, 0);
    vr_stack_arena_done(&arena);
}

static void slot_given_back_last_is_taken_first(void **state)
{
    vr_stack_arena arena = {0};
    vr_stack a_stack, b_stack;
    void *a = vr_stack_take(&arena, 64, 0, &a_stack);
    void *b = vr_stack_take(&arena, 64, 0, &b_stack);

    vr_stack_give(&arena, a, a_stack);
    vr_stack_give(&arena, b, b_stack);
    assert_ptr_equal(vr_stack_take(&arena, 64, 0, &b_stack), b);
    assert_ptr_equal(vr_stack_take(&arena, 64, 0, &a_stack), a);
    vr_stack_give(&arena, a, a_stack);
    vr_stack_give(&arena, b, b_stack);
    vr_stack_arena_done(&arena);
}

static void stack_of_each_size_can_be_had_up_to_the_largest(void **state)
{
    vr_stack_arena arena = {0};
    vr_stack stack;

    for (size_t size = 1; size <= VR_STACK_MAX; size = size * 2 + 1) {
        char *record = vr_stack_take(&arena, RECORD_SIZE, size, &stack);
        assert_non_null(record);
        assert_true((size_t)(record - stack.bottom) >= size);
        stack.bottom[0] = record[-1] = 1;
        vr_stack_give(&arena, record, stack);
    }
    char *record = vr_stack_take(&arena, RECORD_SIZE, VR_STACK_MAX, &stack);
    assert_non_null(record);
    vr_stack_give(&arena, record, stack);
    errno = 0;
    assert_null(vr_stack_take(&arena, RECORD_SIZE, VR_STACK_MAX + 1, &stack));
    assert_int_equal(errno, EINVAL);
    assert_null(vr_stack_take(&arena, RECORD_SIZE, SIZE_MAX, &stack));
    vr_stack_arena_done(&arena);
}

static bool counts(void *record, void *context)
{
    trace("%d", *(char *)record);
    return --*(int *)context > 0;
}

static void records_in_use_are_visited(void **state)
{
    vr_stack_arena arena = {0};
    char *records[6];
    vr_stack stacks[6];
    int most = 100;

    for (int i = 0; i < 6; i++) {
        records[i] = vr_stack_take(&arena, RECORD_SIZE, i < 3 ? 0 : 200000, &stacks[i]);
        records[i][0] = (char)i;
    }
    vr_stack_give(&arena, records[1], stacks[1]);
    vr_stack_give(&arena, records[5], stacks[5]);
    vr_stack_each(&arena, counts, &most);
    assert_trace("0 2 3 4");
    most = 2;
    vr_stack_each(&arena, counts, &most);
    assert_trace("0 2");
    for (int i = 0; i < 5; i++)
        if (i != 1)
            vr_stack_give(&arena, records[i], stacks[i]);
    vr_stack_arena_done(&arena);
}

static void depth_is_what_was_ever_written_to(void **state)
{
    /* The tools see to it that pages are whole: they keep marks of their own in them. */
    if (SANITIZED || RUNNING_ON_VALGRIND)
        skip();

    vr_stack_arena arena = {0};
    vr_stack stack;
    char *record = vr_stack_take(&arena, RECORD_SIZE, 0, &stack);
    assert_true(vr_stack_depth(stack.bottom, record) < 4096);
    record[-5000] = 1;
    assert_in_range(vr_stack_depth(stack.bottom, record), 5000, 5007);
    record[-30000] = 1;
    assert_in_range(vr_stack_depth(stack.bottom, record), 30000, 30007);
    stack.bottom[0] = 1;
    assert_int_equal(vr_stack_depth(stack.bottom, record), record - stack.bottom);
    vr_stack_give(&arena, record, stack);
    vr_stack_arena_done(&arena);
}

static void deep_pages_are_given_back_with_the_slot_and_shallow_ones_kept(void **state)
{
    if (SANITIZED || RUNNING_ON_VALGRIND)
        skip();

    vr_stack_arena arena = {0};
    vr_stack stack;
    char *record = vr_stack_take(&arena, RECORD_SIZE, 0, &stack);
    memset(record - 9000, 1, 9000);
    vr_stack_give(&arena, record, stack);
    assert_ptr_equal(vr_stack_take(&arena, RECORD_SIZE, 0, &stack), record);
    assert_true(vr_stack_depth(stack.bottom, record) >= 9000);
    memset(record - 40000, 1, 40000);
    vr_stack_give(&arena, record, stack);
    assert_ptr_equal(vr_stack_take(&arena, RECORD_SIZE, 0, &stack), record);
    assert_true(vr_stack_depth(stack.bottom, record) <= 16384);
    /* Once is enough: what the next, shallow one leaves is not taken for deep. */
    record[-20000] = 1;
    vr_stack_give(&arena, record, stack);
    assert_ptr_equal(vr_stack_take(&arena, RECORD_SIZE, 0, &stack), record);
    assert_true(vr_stack_depth(stack.bottom, record) >= 20000);
    vr_stack_give(&arena, record, stack);
    vr_stack_arena_done(&arena);
}

static void guard_is_the_page_below_the_stack(void **state)
{
    vr_stack_arena arena = {0};
    vr_stack stack;
    char *record = vr_stack_take(&arena, RECORD_SIZE, 0, &stack);

    assert_true(vr_stack_guards(stack.bottom, stack.bottom - 1));
    assert_true(vr_stack_guards(stack.bottom, stack.bottom - sysconf(_SC_PAGESIZE)));
    assert_false(vr_stack_guards(stack.bottom, stack.bottom - sysconf(_SC_PAGESIZE) - 1));
    assert_false(vr_stack_guards(stack.bottom, stack.bottom));
    vr_stack_give(&arena, record, stack);
    vr_stack_arena_done(&arena);
}

/* Would AddressSanitizer or valgrind let a program touch this octet? */
static bool is_open(const char *octet)
{
#if VR_ASAN
    return !__asan_address_is_poisoned(octet);
#elif VR_VALGRIND
    unsigned char bits;
    return VALGRIND_GET_VBITS(octet, &bits, 1) != 3;
#else
    return octet;
#endif
}

static void slot_that_was_given_back_is_out_of_bounds_until_it_is_taken_again(void **state)
{
    if (!VR_ASAN && !(VR_VALGRIND && RUNNING_ON_VALGRIND))
        skip();

    vr_stack_arena arena = {0};
    vr_stack stack;
    char *record = vr_stack_take(&arena, 512, 0, &stack);
    for (int i = 0; i < 2; i++) {
        assert_true(is_open(stack.bottom) && is_open(record - 1) && is_open(record) && is_open(record + 511));
        vr_stack_give(&arena, record, stack);
        assert_false(is_open(stack.bottom) || is_open(record - 1) || is_open(record) || is_open(record + 480));
        assert_ptr_equal(vr_stack_take(&arena, 512, 0, &stack), record);
    }
    vr_stack_give(&arena, record, stack);
    vr_stack_arena_done(&arena);
}

/* --- Depth --- */

/* Uses `octets` of stack, call by call, and returns how deep it came. */
__attribute__((noinline)) static size_t descend(size_t octets, const char *top)
{
    volatile char frame[256];

    frame[0] = frame[255] = 1;
    size_t depth = (size_t)(top - (const char *)__builtin_frame_address(0));
    if (depth < octets)
        depth = descend(octets, top);
    return depth + frame[0] - frame[255];
}

static vr_result goes_deep(void *octets)
{
    return vr_ok(number((intptr_t)descend((size_t)number_of(octets), __builtin_frame_address(0))));
}

static void stack_can_be_used_almost_to_its_end(void **state)
{
    size_t deep = stack_size() - stack_size() / 8;
    vr_greenlet *greenlets[3];

    for (int i = 0; i < 3; i++)
        greenlets[i] = vr_spawn(goes_deep, number((intptr_t)deep));
    assert_int_equal(vr_joinall(greenlets, 3, VR_FOREVER), 3);
    for (int i = 0; i < 3; i++) {
        assert_true((size_t)number_of(vr_value(greenlets[i])) >= deep);
        vr_unref(greenlets[i]);
    }
}

static void spawned_stack_has_the_size_that_was_asked_for(void **state)
{
    size_t deep = 1 << 20;
    vr_greenlet *greenlet =
        vr_spawn_with(&(vr_spawn_options){.stack_size = deep + 4096}, goes_deep, number((intptr_t)deep));

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_true((size_t)number_of(vr_value(greenlet)) >= deep);
    vr_unref(greenlet);
    errno = 0;
    assert_null(vr_spawn_with(&(vr_spawn_options){.stack_size = (size_t)1 << 30}, echoes, NULL));
    assert_int_equal(errno, EINVAL);
}

static void overflows(void)
{
    vr_greenlet *first = vr_spawn(sleeps_forever, NULL), *greenlet;

    vr_sleep(0);
    greenlet = vr_spawn(goes_deep, number((intptr_t)(3 * stack_size())));
    vr_join(greenlet, VR_FOREVER);
    vr_unref(first);
}

static void guard_page_catches_an_overflow(void **state)
{
    int status = status_of_child(overflows);

    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

/* Is a vector on the stack where its instructions demand it to be? */
static vr_result checks_alignment(void *argument)
{
    _Alignas(16) volatile char vector[16];

    vector[0] = 1;
    trace("%.3f", 0.5); /* saves vector registers on its way */
    return vr_ok(number((intptr_t)((uintptr_t)__builtin_frame_address(0) % 16 + (uintptr_t)vector % 16)));
}

static void stacks_are_aligned_for_vectors(void **state)
{
    vr_greenlet *greenlet = vr_spawn(checks_alignment, NULL);

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(greenlet), number(0));
    assert_trace("0.500");
    vr_unref(greenlet);
}

/* --- Number --- */

/* A figure of /proc/self/statm, in octets: 0 the address space, 1 what of it is in memory. */
static size_t memory_figure(int index)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof text - 1);

    close(fd);
    assert_true(len > 0);
    char *at = text;
    for (int i = 0; i < index; i++)
        strtoul(at, &at, 10);
    return strtoul(at, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void hundred_thousand_greenlets_can_be_parked(void **state)
{
    size_t count = scaled(100000);
    vr_greenlet **greenlets = test_malloc(count * sizeof *greenlets);
    size_t before = memory_figure(1);

    for (size_t i = 0; i < count; i++) {
        greenlets[i] = vr_spawn(sleeps_forever, NULL);
        assert_non_null(greenlets[i]);
    }
    vr_sleep(0);
    for (size_t i = 0; i < count; i++)
        assert_true(vr_running(greenlets[i]));
    size_t used = memory_figure(1) - before;
    assert_int_equal(vr_killall(greenlets, count, -ECANCELED, VR_FOREVER), 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(vr_exited(greenlets[i]));
        vr_unref(greenlets[i]);
    }
    test_free(greenlets);
    /* A page each, and a little for what they share; not two. */
    if (!SANITIZED && !RUNNING_ON_VALGRIND)
        assert_true(used / count < 6000);
}

static void stacks_are_used_again(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    vr_unref(greenlet);
    size_t before = memory_figure(0);
    for (size_t i = 0; i < scaled(100000); i++) {
        greenlet = vr_spawn(goes_deep, number(8192));
        assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
        vr_unref(greenlet);
    }
    if (!SANITIZED && !RUNNING_ON_VALGRIND)
        assert_true(memory_figure(0) <= before + (1 << 20));
}

static void freed_hub_gives_its_stacks_back(void **state)
{
    size_t before = memory_figure(0);

    for (int i = 0; i < 20; i++) {
        vr_greenlet *greenlets[300];
        for (int k = 0; k < 300; k++)
            greenlets[k] = vr_spawn(echoes, NULL);
        assert_int_equal(vr_joinall(greenlets, 300, VR_FOREVER), 300);
        for (int k = 0; k < 300; k++)
            vr_unref(greenlets[k]);
        assert_int_equal(vr_hub_free(), 0);
        if (i == 0)
            before = memory_figure(0);
    }
    if (!SANITIZED && !RUNNING_ON_VALGRIND)
        assert_true(memory_figure(0) <= before + (1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_do_not_overlap_and_are_aligned),
        cmocka_unit_test(slot_given_back_last_is_taken_first),
        cmocka_unit_test(stack_of_each_size_can_be_had_up_to_the_largest),
        cmocka_unit_test_setup_teardown(records_in_use_are_visited, use_real_clock, NULL),
        cmocka_unit_test(depth_is_what_was_ever_written_to),
        cmocka_unit_test(deep_pages_are_given_back_with_the_slot_and_shallow_ones_kept),
        cmocka_unit_test(guard_is_the_page_below_the_stack),
        cmocka_unit_test(slot_that_was_given_back_is_out_of_bounds_until_it_is_taken_again),
        virtual_test(stack_can_be_used_almost_to_its_end),
        virtual_test(spawned_stack_has_the_size_that_was_asked_for),
        real_test(guard_page_catches_an_overflow),
        virtual_test(stacks_are_aligned_for_vectors),
        virtual_test(hundred_thousand_greenlets_can_be_parked),
        virtual_test(stacks_are_used_again),
        virtual_test(freed_hub_gives_its_stacks_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
