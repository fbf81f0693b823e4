/* RLock: one greenlet owns it, and may take it again. */
#include "sync_support.h"

#include <vireo/semaphore.h>

static vr_rlock lock;

static int new_lock(void **state)
{
    lock = VR_RLOCK;
    return use_virtual_clock(state);
}

static vr_result acquires(void *name)
{
    int error = vr_rlock_acquire(&lock, VR_FOREVER);

    trace("%s", (const char *)name);
    return vr_fail(error);
}

/* Owns it for as long as it is asked. */
static vr_result owns_for_ms(void *ms)
{
    int error = vr_rlock_acquire(&lock, VR_FOREVER);

    if (error)
        return vr_fail(error);
    error = vr_sleep(VR_MILLISECONDS(number_of(ms)));
    vr_rlock_release(&lock);
    return vr_fail(error);
}

static vr_result acquires_within_10_ms(void *argument)
{
    return vr_fail(vr_rlock_acquire(&lock, VR_MILLISECONDS(10)));
}

static vr_result polls(void *argument)
{
    return vr_fail(vr_rlock_acquire(&lock, 0));
}

static vr_result releases(void *argument)
{
    return vr_fail(vr_rlock_release(&lock));
}

static void assert_free(void)
{
    assert_null(vr_rlock_owner(&lock));
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    assert_ptr_equal(vr_rlock_owner(&lock), vr_current());
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_int_equal(vr_current()->locks_held, 0);
}

/* --- Owning --- */

static void free_lock_is_taken_without_a_switch(void **state)
{
    static vr_rlock of_static_storage = VR_RLOCK_INIT;
    vr_greenlet *other = vr_spawn(echoes, NULL);

    assert_null(vr_rlock_owner(&lock));
    assert_int_equal(vr_rlock_acquire(&lock, VR_FOREVER), 0);
    assert_ptr_equal(vr_rlock_owner(&lock), vr_current());
    assert_int_equal(vr_rlock_acquire(&of_static_storage, 0), 0);
    assert_int_equal(vr_current()->locks_held, 2);
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_int_equal(vr_rlock_release(&of_static_storage), 0);
    assert_int_equal(vr_current()->locks_held, 0);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
    assert_free();
}

static void owner_takes_it_again_and_releases_as_often(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(vr_rlock_acquire(&lock, i ? 0 : VR_FOREVER), 0);
    assert_int_equal(vr_current()->locks_held, 1);
    for (int i = 0; i < 3; i++) {
        assert_fails(vr_spawn(polls, NULL), -ETIMEDOUT);
        assert_int_equal(vr_rlock_release(&lock), 0);
    }
    assert_int_equal(vr_rlock_release(&lock), -EPERM);
    assert_free();
}

static void only_the_owner_releases(void **state)
{
    assert_int_equal(vr_rlock_release(&lock), -EPERM);
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    assert_fails(vr_spawn(releases, NULL), -EPERM);
    assert_ptr_equal(vr_rlock_owner(&lock), vr_current());
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_free();
}

static void lock_is_not_taken_more_often_than_can_be_counted(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    lock.depth = UINT_MAX;
    assert_int_equal(vr_rlock_acquire(&lock, 0), -EOVERFLOW);
    lock.depth = 1;
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_free();
}

static void count_of_locks_that_was_too_high_is_not_counted_down(void **state)
{
    enum { MANY = 300 };
    static vr_rlock many[MANY];

    for (int i = 0; i < MANY; i++) {
        many[i] = VR_RLOCK;
        assert_int_equal(vr_rlock_acquire(&many[i], 0), 0);
    }
    assert_int_equal(vr_current()->locks_held, UCHAR_MAX);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(vr_rlock_release(&many[i]), 0);
    assert_int_equal(vr_current()->locks_held, UCHAR_MAX);
}

/* --- Those who wait --- */

static void release_gives_it_to_who_has_waited_longest(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *first = parked(owns_for_ms, number(1)), *second = parked(owns_for_ms, number(1));

    assert_waits(first, VR_WAIT_LOCK, &lock);
    assert_int_equal(vr_rlock_release(&lock), 0);
    /* It is the first one's at once: nobody comes in between. */
    assert_ptr_equal(vr_rlock_owner(&lock), first);
    assert_int_equal(first->locks_held, 1);
    assert_int_equal(vr_current()->locks_held, 0);
    assert_int_equal(vr_rlock_acquire(&lock, 0), -ETIMEDOUT);
    assert_fails(first, 0);
    assert_ptr_equal(vr_rlock_owner(&lock), second);
    assert_fails(second, 0);
    assert_free();
}

static int counter;

static vr_result counts(void *argument)
{
    vr_rlock_acquire(&lock, VR_FOREVER);
    int before = counter;
    vr_sleep(VR_MILLISECONDS(1));
    counter = before + 1;
    vr_rlock_release(&lock);
    return vr_ok(NULL);
}

static void lock_is_exclusive_across_calls_that_block(void **state)
{
    vr_greenlet *greenlets[5];

    counter = 0;
    for (int i = 0; i < 5; i++)
        greenlets[i] = vr_spawn(counts, NULL);
    for (int i = 0; i < 5; i++)
        assert_returns(greenlets[i], NULL);
    assert_int_equal(counter, 5);
    assert_free();
}

static int from_hub[2];

static void takes_in_hub(void *argument)
{
    from_hub[0] = vr_rlock_acquire(&lock, 0);
    from_hub[1] = vr_rlock_release(&lock);
}

static void hub_can_own_no_lock(void **state)
{
    in_hub(takes_in_hub, NULL);
    assert_int_equal(from_hub[0], -EPERM);
    assert_int_equal(from_hub[1], -EPERM);
    assert_free();
}

/* --- Time and kills --- */

static void acquire_ends_after_its_timeout(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    assert_fails(parked(acquires_within_10_ms, NULL), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_free();
}

static void lock_in_the_turn_of_the_timeout_wins(void **state)
{
    vr_greenlet *owner = vr_spawn(owns_for_ms, number(10));

    vr_sleep(0);
    assert_int_equal(vr_rlock_acquire(&lock, VR_MILLISECONDS(10)), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_fails(owner, 0);
    assert_free();
}

static void lock_after_the_turn_of_the_timeout_stays_free(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *first = parked(acquires_within_10_ms, NULL);
    vr_sleep(VR_MILLISECONDS(10)); /* the timer of the other was first */
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_free();
}

static void acquire_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *other = vr_spawn(acquires_within_10_ms, NULL);
    FAIL(realloc, ENOMEM);
    assert_fails(other, -ENOMEM);
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_free();
}

static void kill_ends_the_wait(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *first = parked(acquires, word("1")), *second = parked(owns_for_ms, number(0));

    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_fails(second, 0);
    assert_free();
}

static void lock_of_one_killed_in_that_very_turn_goes_to_the_next(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *first = parked(acquires, word("1")), *second = parked(owns_for_ms, number(0));

    vr_kill(first, -EIO);
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_int_equal(vr_join(first, VR_FOREVER), 0);
    assert_int_equal(first->locks_held, 0);
    assert_ptr_equal(vr_rlock_owner(&lock), second);
    assert_int_equal(second->locks_held, 1);
    assert_fails(first, -EIO);
    assert_fails(second, 0);
    assert_free();
}

static void lock_of_the_last_one_killed_in_that_very_turn_is_free(void **state)
{
    assert_int_equal(vr_rlock_acquire(&lock, 0), 0);
    vr_greenlet *first = parked(acquires, word("1"));

    vr_kill(first, -EIO);
    assert_int_equal(vr_rlock_release(&lock), 0);
    assert_fails(first, -EIO);
    assert_free();
}

/* --- Owners that end --- */

static void lock_of_one_that_ends_without_releasing_it_stays_taken(void **state)
{
    vr_greenlet *owner = vr_spawn(acquires, word("owner"));

    assert_int_equal(vr_join(owner, VR_FOREVER), 0);
    assert_ptr_equal(vr_rlock_owner(&lock), owner);
    assert_int_equal(vr_rlock_acquire(&lock, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_fails(owner, 0);
    /* Not even one that gets the memory of the owner takes, or releases, it. */
    vr_greenlet *heir = vr_spawn(releases, NULL);
    assert_ptr_equal(heir, owner);
    assert_fails(heir, -EPERM);
    assert_fails(vr_spawn(polls, NULL), -ETIMEDOUT);
}

/* --- Many orders --- */

enum { OWNERS = 6, ROUNDS = 4 };
static int inside, intrusions;

static long use_lock(void)
{
    int error = vr_rlock_acquire(&lock, random_below(2) ? VR_FOREVER : VR_MILLISECONDS(random_below(3)));

    if (error)
        return error == -ETIMEDOUT ? 0 : error;
    intrusions += inside++ != 0;
    unsigned again = random_below(3);
    for (unsigned i = 0; i < again; i++)
        intrusions += vr_rlock_acquire(&lock, VR_FOREVER) != 0;
    error = vr_sleep(VR_MILLISECONDS(random_below(3)));
    for (unsigned i = 0; i < again; i++)
        intrusions += vr_rlock_release(&lock) != 0;
    inside--;
    intrusions += vr_rlock_owner(&lock) != vr_current();
    vr_rlock_release(&lock);
    return error;
}

static vr_result owns_at_random(void *argument)
{
    long error = 0;

    for (int i = 0; i < ROUNDS && !error; i++)
        error = use_lock();
    return vr_fail(error);
}

static void run_owners(void)
{
    vr_greenlet *owners[OWNERS];

    lock = VR_RLOCK;
    for (int i = 0; i < OWNERS; i++)
        owners[i] = vr_spawn(owns_at_random, NULL);
    for (int i = 0; i < OWNERS / 2; i++) {
        vr_sleep(VR_MILLISECONDS(random_below(4)));
        vr_kill(owners[i], -ECANCELED);
    }
    for (int i = 0; i < OWNERS; i++) {
        assert_int_equal(vr_join(owners[i], VR_FOREVER), 0);
        assert_int_equal(owners[i]->locks_held, 0);
        assert_fails_or_exits(owners[i], 0);
    }
    assert_int_equal(intrusions, 0);
    assert_free();
}

static void lock_is_exclusive_and_free_in_the_end_in_any_order(void **state)
{
    with_many_seeds(run_owners);
}

#define lock_test(function) cmocka_unit_test_setup_teardown(function, new_lock, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        lock_test(free_lock_is_taken_without_a_switch),
        lock_test(owner_takes_it_again_and_releases_as_often),
        lock_test(only_the_owner_releases),
        lock_test(lock_is_not_taken_more_often_than_can_be_counted),
        lock_test(count_of_locks_that_was_too_high_is_not_counted_down),
        lock_test(release_gives_it_to_who_has_waited_longest),
        lock_test(lock_is_exclusive_across_calls_that_block),
        lock_test(hub_can_own_no_lock),
        lock_test(acquire_ends_after_its_timeout),
        lock_test(lock_in_the_turn_of_the_timeout_wins),
        lock_test(lock_after_the_turn_of_the_timeout_stays_free),
        lock_test(acquire_fails_where_there_is_no_memory_for_a_timer),
        lock_test(kill_ends_the_wait),
        lock_test(lock_of_one_killed_in_that_very_turn_goes_to_the_next),
        lock_test(lock_of_the_last_one_killed_in_that_very_turn_is_free),
        lock_test(lock_of_one_that_ends_without_releasing_it_stays_taken),
        lock_test(lock_is_exclusive_and_free_in_the_end_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
