/* Stacks: how many there can be, how deep they are, what guards them, and that they are used again. */
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>

#include "sanitize.h"
#include "stack.h"

/* What a slot of the arena has to offer, by asking for one. */
static size_t stack_size(void)
{
    vr_stack_arena arena = {0};
    void *stack;
    size_t size;
    void *record = vr_stack_take(&arena, 512, &stack, &size);

    assert_non_null(record);
    vr_stack_give(&arena, record);
    vr_stack_arena_done(&arena);
    return size;
}

/* --- The arena --- */

static void slots_do_not_overlap_and_are_aligned(void **state)
{
    enum { SLOTS = 600 };
    static char *records[SLOTS], *stacks[SLOTS];
    vr_stack_arena arena = {0};

    for (int i = 0; i < SLOTS; i++) {
        void *stack;
        size_t size;
        records[i] = vr_stack_take(&arena, 500, &stack, &size);
        stacks[i] = stack;
        assert_non_null(records[i]);
        assert_int_equal((uintptr_t)records[i] % 64, 0);
        assert_ptr_equal(stacks[i] + size, records[i]);
        memset(records[i], i % 251, 500);
        stacks[i][0] = stacks[i][size - 1] = (char)(i % 127);
    }
    for (int i = 0; i < SLOTS; i++) {
        assert_int_equal((unsigned char)records[i][0], i % 251);
        assert_int_equal((unsigned char)records[i][499], i % 251);
        assert_int_equal(stacks[i][0], i % 127);
    }
    assert_int_equal(arena.in_use, SLOTS);
    for (int i = 0; i < SLOTS; i++)
        vr_stack_give(&arena, records[i]);
    assert_int_equal(arena.in_use, 0);
    vr_stack_arena_done(&arena);
}

static void slot_given_back_last_is_taken_first(void **state)
{
    vr_stack_arena arena = {0};
    void *stack;
    size_t size;
    void *a = vr_stack_take(&arena, 64, &stack, &size);
    void *b = vr_stack_take(&arena, 64, &stack, &size);

    vr_stack_give(&arena, a);
    vr_stack_give(&arena, b);
    assert_ptr_equal(vr_stack_take(&arena, 64, &stack, &size), b);
    assert_ptr_equal(vr_stack_take(&arena, 64, &stack, &size), a);
    vr_stack_give(&arena, a);
    vr_stack_give(&arena, b);
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
    vr_stack_arena arena = {0};
    void *stack;
    size_t size;
    char *record = vr_stack_take(&arena, 512, &stack, &size);
    char *bottom = stack;

    if (!VR_ASAN && !(VR_VALGRIND && RUNNING_ON_VALGRIND))
        skip();
    for (int i = 0; i < 2; i++) {
        assert_true(is_open(bottom) && is_open(record - 1) && is_open(record) && is_open(record + 511));
        vr_stack_give(&arena, record);
        assert_false(is_open(bottom) || is_open(record - 1) || is_open(record) || is_open(record + 480));
        assert_ptr_equal(vr_stack_take(&arena, 512, &stack, &size), record);
    }
    vr_stack_give(&arena, record);
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
        cmocka_unit_test(slot_that_was_given_back_is_out_of_bounds_until_it_is_taken_again),
        virtual_test(stack_can_be_used_almost_to_its_end),
        real_test(guard_page_catches_an_overflow),
        virtual_test(stacks_are_aligned_for_vectors),
        virtual_test(hundred_thousand_greenlets_can_be_parked),
        virtual_test(stacks_are_used_again),
        virtual_test(freed_hub_gives_its_stacks_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
