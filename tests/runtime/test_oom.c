/* Where memory runs out: in a child process whose address space is limited. */
#include "support.h"

#include <stdlib.h>

/* cmocka's assertions belong to the parent: a child says by its exit status which expectation failed. */
#define expect(condition)              \
    do {                               \
        if (!(condition))              \
            _exit(__LINE__ % 200 + 1); \
    } while (0)

enum { MANY = 20000 };

static vr_greenlet *greenlets[MANY + 1];

/* Makes greenlets until there is no room for one more. Returns how many there are. */
static size_t spawn_until_memory_ends(void)
{
    size_t count = 0;

    vr_unref(vr_greenlet_new(echoes)); /* the hub is there */
    /* Less than all these stacks take, and than the address space in use: no new mapping is to be had. */
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    errno = 0;
    while (count < MANY && (greenlets[count] = vr_spawn(echoes, number((intptr_t)count))))
        count++;
    expect(count < MANY);
    return count;
}

static void spawn_fails(void)
{
    spawn_until_memory_ends();
    expect(errno == ENOMEM);
    errno = 0;
    expect(!vr_greenlet_new(echoes));
    expect(errno == ENOMEM);
    errno = 0;
    expect(!vr_spawn_later(VR_SECONDS(1), echoes, NULL));
    expect(errno == ENOMEM);
}

static void joinall_takes_the_missing_ones_as_failed(void)
{
    size_t count = spawn_until_memory_ends();

    expect(vr_joinall(greenlets, count + 1, VR_FOREVER) == (int)count + 1);
    for (size_t i = 0; i < count; i++)
        expect(vr_value(greenlets[i]) == number((intptr_t)i));
    expect(vr_ready(greenlets[count]) && vr_error(greenlets[count]) == -ENOMEM);
}

static void greenlets_can_be_made_again(void)
{
    size_t count = spawn_until_memory_ends();

    expect(vr_joinall(greenlets, count, VR_FOREVER) == (int)count);
    for (size_t i = 0; i < count; i++)
        vr_unref(greenlets[i]);
    for (size_t i = 0; i < count; i++)
        expect((greenlets[i] = vr_spawn(echoes, NULL)));
    expect(vr_joinall(greenlets, count, VR_FOREVER) == (int)count);
}

static void no_hub_is_made(void)
{
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    errno = 0;
    expect(!vr_spawn(echoes, NULL));
    expect(errno == ENOMEM);
}

static void take_all_memory(void)
{
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    for (size_t size = 4096; size >= 16; size /= 2)
        while (malloc(size)) {
        }
}

static void timers_fail(void)
{
    vr_greenlet *later = vr_greenlet_new(echoes), *forever = vr_spawn(sleeps_forever, NULL);
    vr_waiter waiter = VR_WAITER;

    vr_sleep(0);
    take_all_memory();
    expect(vr_sleep(VR_SECONDS(1)) == -ENOMEM);
    expect(vr_waiter_get(&waiter, VR_SECONDS(2)).error == -ENOMEM);
    expect(vr_join(forever, VR_SECONDS(3)) == -ENOMEM);
    expect(vr_hub_join(VR_SECONDS(4)) == -ENOMEM);
    vr_start_later(later, VR_SECONDS(5), NULL);
    expect(vr_dead(later) && vr_error(later) == -ENOMEM);
    /* Waits without a timer go on as ever. */
    expect(vr_sleep(0) == 0);
    vr_kill(forever, -ECANCELED);
    expect(vr_join(forever, VR_FOREVER) == 0);
}

static void expect_in_child(void (*body)(void))
{
    /* The tools' own allocations would fail, too. */
    if (SANITIZED || RUNNING_ON_VALGRIND)
        skip();
    assert_int_equal(status_of_child(body), 0);
}

static void spawn_without_memory_is_null_with_errno(void **state)
{
    expect_in_child(spawn_fails);
}

static void joinall_takes_null_for_a_greenlet_that_failed_for_memory(void **state)
{
    expect_in_child(joinall_takes_the_missing_ones_as_failed);
}

static void memory_that_comes_back_makes_greenlets_again(void **state)
{
    expect_in_child(greenlets_can_be_made_again);
}

static void hub_that_finds_no_memory_leaves_nothing_behind(void **state)
{
    expect_in_child(no_hub_is_made);
}

static void timer_without_memory_is_an_error_of_the_call_that_needs_it(void **state)
{
    expect_in_child(timers_fail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawn_without_memory_is_null_with_errno),
        cmocka_unit_test(joinall_takes_null_for_a_greenlet_that_failed_for_memory),
        cmocka_unit_test(memory_that_comes_back_makes_greenlets_again),
        cmocka_unit_test(hub_that_finds_no_memory_leaves_nothing_behind),
        cmocka_unit_test(timer_without_memory_is_an_error_of_the_call_that_needs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
