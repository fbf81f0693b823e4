/* Pools: who gets a place, when, and that none is ever lost. */
#include "faults.h"
#include "support.h"

#include <vireo/event.h>
#include <vireo/pool.h>
#include <vireo/timeout.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

static vr_result traces_number(void *n)
{
    trace("%ld", (long)number_of(n));
    return vr_ok(n);
}

/* A pool of one, whose place is taken for so many seconds. */
static void fill(vr_pool *pool, int seconds)
{
    assert_int_equal(vr_pool_spawn(pool, 0, sleeps_ms, number(1000L * seconds), NULL), 0);
    assert_true(vr_pool_full(pool));
}

/* Nobody is in the pool, all places are free. */
static void assert_idle(const vr_pool *pool)
{
    assert_int_equal(vr_pool_count(pool), 0);
    assert_int_equal(vr_pool_free_count(pool), pool->size);
}

/* --- Places --- */

static void places_are_counted(void **state)
{
    vr_pool pool = VR_POOL(2);

    assert_int_equal(vr_pool_free_count(&pool), 2);
    assert_false(vr_pool_full(&pool));
    assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_ms, number(1000), NULL), 0);
    assert_int_equal(vr_pool_free_count(&pool), 1);
    assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_ms, number(2000), NULL), 0);
    assert_true(vr_pool_full(&pool));
    assert_int_equal(vr_pool_count(&pool), 2);
    vr_sleep(VR_MILLISECONDS(1500));
    assert_int_equal(vr_pool_free_count(&pool), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
}

static void static_pool_needs_no_call_to_begin(void **state)
{
    static vr_pool pool = VR_POOL_INIT(1);

    assert_int_equal(vr_pool_spawn(&pool, 0, echoes, NULL, NULL), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
}

static void spawn_waits_while_the_pool_is_full(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *greenlet;

    fill(&pool, 1);
    assert_int_equal(vr_pool_spawn(&pool, VR_FOREVER, sleeps_ms, number(1000), &greenlet), 0);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_pool_count(&pool), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 2);
    assert_ptr_equal(vr_value(greenlet), number(1000));
    vr_unref(greenlet);
}

static void spawn_without_time_says_that_the_pool_is_full(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *greenlet = vr_current(), *other = vr_spawn(traces_number, number(1));

    fill(&pool, 1);
    assert_int_equal(vr_pool_spawn(&pool, 0, echoes, NULL, &greenlet), -EAGAIN);
    assert_null(greenlet);
    assert_int_equal(vr_pool_spawn(&pool, 0, echoes, NULL, NULL), -EAGAIN);
    assert_int_equal(vr_pool_wait_available(&pool, 0), -EAGAIN);
    assert_trace(""); /* it did not switch */
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
    trace_clear();
    vr_unref(other);
}

static void spawn_waits_no_longer_than_its_timeout(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *greenlet;

    fill(&pool, 2);
    assert_int_equal(vr_pool_spawn(&pool, VR_SECONDS(1), echoes, NULL, &greenlet), -ETIMEDOUT);
    assert_null(greenlet);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
}

static vr_result spawns_numbered(void *pool)
{
    static int n;

    n++;
    trace("want-%d", n);
    return vr_fail(vr_pool_spawn(pool, VR_FOREVER, traces_number, number(n), NULL));
}

static void places_go_to_those_who_wait_in_their_order(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *waiting[3];

    fill(&pool, 1);
    for (int i = 0; i < 3; i++)
        waiting[i] = vr_spawn(spawns_numbered, &pool);
    vr_joinall(waiting, 3, VR_FOREVER);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("want-1 want-2 want-3 1 2 3");
    assert_idle(&pool);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vr_error(waiting[i]), 0);
        vr_unref(waiting[i]);
    }
}

static void newcomer_cannot_overtake_one_who_was_given_the_place(void **state)
{
    vr_pool pool = VR_POOL(1);

    fill(&pool, 1);
    vr_greenlet *waiting = vr_spawn(spawns_numbered, &pool);
    vr_sleep(0);
    vr_greenlet *first = pool.group.first ? vr_spawn(sleeps_ms, number(1000)) : NULL;
    vr_join(first, VR_FOREVER); /* in this turn the place is given, and not taken yet */
    assert_int_equal(vr_pool_spawn(&pool, 0, echoes, NULL, NULL), -EAGAIN);
    vr_join(waiting, VR_FOREVER);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    trace_clear();
    vr_unref(waiting);
    vr_unref(first);
}

static void pool_without_places_is_always_full(void **state)
{
    vr_pool pool = VR_POOL(0);

    assert_int_equal(vr_pool_free_count(&pool), 0);
    assert_true(vr_pool_full(&pool));
    assert_int_equal(vr_pool_wait_available(&pool, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_pool_spawn(&pool, VR_MILLISECONDS(10), echoes, NULL, NULL), -ETIMEDOUT);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
}

static void unlimited_pool_is_a_group(void **state)
{
    vr_pool pool = VR_POOL(VR_UNLIMITED);
    size_t count = scaled(5000);

    for (size_t i = 0; i < count; i++)
        assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_ms, number(1000), NULL), 0);
    assert_int_equal(vr_pool_count(&pool), count);
    assert_false(vr_pool_full(&pool));
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 1);
    assert_idle(&pool);
}

static void wait_available_waits_for_a_place_and_keeps_none(void **state)
{
    vr_pool pool = VR_POOL(1);

    assert_int_equal(vr_pool_wait_available(&pool, 0), 0);
    assert_int_equal(vr_pool_free_count(&pool), 1);
    fill(&pool, 2);
    assert_int_equal(vr_pool_wait_available(&pool, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_pool_wait_available(&pool, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 2);
    assert_idle(&pool);
}

/* --- Adding and discarding --- */

static void add_takes_a_place_as_spawn_does(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *first = vr_spawn(sleeps_ms, number(2000)), *second = vr_spawn(sleeps_ms, number(9000));

    assert_int_equal(vr_pool_add(&pool, 0, first), 0);
    assert_int_equal(vr_pool_add(&pool, 0, first), 0); /* a member already */
    assert_true(vr_pool_full(&pool));
    assert_int_equal(vr_pool_add(&pool, 0, second), -EAGAIN);
    assert_int_equal(vr_pool_add(&pool, VR_SECONDS(1), second), -ETIMEDOUT);
    assert_int_equal(vr_pool_count(&pool), 1);
    assert_int_equal(vr_pool_add(&pool, VR_FOREVER, second), 0);
    assert_int_equal(seconds_now(), 2);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 9);
    assert_int_equal(vr_pool_add(&pool, 0, NULL), -ENOMEM);
    assert_idle(&pool);
    vr_unref(first);
    vr_unref(second);
}

static void greenlet_may_be_started_when_it_has_a_place(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *greenlet = vr_greenlet_new(traces_number);

    fill(&pool, 1);
    assert_int_equal(vr_pool_add(&pool, VR_FOREVER, greenlet), 0);
    vr_start(greenlet, number(4));
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("4");
    assert_idle(&pool);
    vr_unref(greenlet);
}

struct addition {
    vr_pool *pool;
    vr_greenlet *greenlet;
};

static vr_result adds(void *argument)
{
    struct addition *addition = argument;

    return vr_fail(vr_pool_add(addition->pool, VR_FOREVER, addition->greenlet));
}

static void greenlet_that_two_are_adding_takes_one_place(void **state)
{
    vr_pool pool = VR_POOL(2);
    struct addition addition = {&pool, vr_spawn(sleeps_ms, number(5000))};
    vr_greenlet *adders[2];

    vr_pool_spawn(&pool, 0, sleeps_ms, number(1000), NULL);
    vr_pool_spawn(&pool, 0, sleeps_ms, number(2000), NULL);
    for (int i = 0; i < 2; i++)
        adders[i] = vr_spawn(adds, &addition);
    vr_joinall(adders, 2, VR_FOREVER);
    assert_int_equal(vr_pool_count(&pool), 1);
    assert_int_equal(vr_pool_free_count(&pool), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
    vr_unref(adders[0]);
    vr_unref(adders[1]);
    vr_unref(addition.greenlet);
}

static void discarded_member_leaves_its_place_to_the_next(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *first;

    assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_ms, number(5000), &first), 0);
    vr_greenlet *waiting = vr_spawn(spawns_numbered, &pool);
    vr_sleep(0);
    vr_pool_discard(&pool, first);
    vr_pool_discard(&pool, first);
    assert_int_equal(vr_join(waiting, VR_FOREVER), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 0);
    assert_idle(&pool);
    assert_int_equal(vr_join(first, VR_FOREVER), 0);
    assert_idle(&pool);
    trace_clear();
    vr_unref(waiting);
    vr_unref(first);
}

/* --- Waits that fail --- */

static vr_result spawns_for_ever(void *pool)
{
    return vr_fail(vr_pool_spawn(pool, VR_FOREVER, traces_number, number(1), NULL));
}

static vr_result awaits_a_place(void *pool)
{
    return vr_fail(vr_pool_wait_available(pool, VR_FOREVER));
}

static vr_result applies(void *pool)
{
    return vr_pool_apply(pool, VR_FOREVER, traces_number, number(1));
}

static void kill_in_the_wait_for_a_place(void **state)
{
    vr_function *const waits[] = {spawns_for_ever, awaits_a_place, applies};

    for (int i = 0; i < 3; i++) {
        vr_pool pool = VR_POOL(1);
        fill(&pool, 1);
        vr_greenlet *waiting = vr_spawn(waits[i], &pool);
        vr_sleep(0);
        vr_kill(waiting, -EIO);
        assert_int_equal(vr_join(waiting, VR_FOREVER), 0);
        assert_int_equal(vr_error(waiting), -EIO);
        assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
        assert_idle(&pool);
        assert_trace("");
        vr_unref(waiting);
    }
}

static vr_result kills_after_a_second(void *victim)
{
    vr_sleep(VR_SECONDS(1));
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

/* The place is given in the turn in which the one who waits is killed: before it, or after. */
static void place_that_was_given_to_one_who_is_killed_goes_to_the_next(void **state)
{
    for (int kill_first = 0; kill_first < 2; kill_first++) {
        vr_pool pool = VR_POOL(1);
        vr_greenlet *waiting = vr_greenlet_new(spawns_for_ever);
        vr_greenlet *killer = kill_first ? vr_spawn(kills_after_a_second, waiting) : NULL;
        vr_sleep(0);
        fill(&pool, 1);
        vr_sleep(0);
        if (!kill_first)
            killer = vr_spawn(kills_after_a_second, waiting);
        vr_start(waiting, &pool);
        vr_sleep(0);
        vr_greenlet *next = vr_spawn(spawns_numbered, &pool);
        assert_int_equal(vr_join(next, VR_SECONDS(5)), 0);
        assert_int_equal(vr_error(next), 0);
        assert_int_equal(vr_join(waiting, VR_SECONDS(5)), 0);
        assert_int_equal(vr_pool_join(&pool, VR_SECONDS(5), 0), 0);
        assert_idle(&pool);
        vr_join(killer, VR_FOREVER);
        trace_clear();
        vr_unref(waiting);
        vr_unref(killer);
        vr_unref(next);
    }
}

static void place_in_the_turn_of_the_timeout_is_taken_or_left(void **state)
{
    for (int own = 0; own < 2; own++) {
        vr_pool pool = VR_POOL(1);
        vr_timeout timeout = VR_TIMEOUT;
        fill(&pool, 1);
        vr_sleep(0);
        vr_timeout_start(&timeout, own ? VR_FOREVER : VR_SECONDS(1));
        long error = vr_pool_spawn(&pool, own ? VR_SECONDS(1) : VR_FOREVER, echoes, NULL, NULL);
        error = vr_timeout_end(&timeout, error);
        assert_true(error == 0 || error == -ETIMEDOUT);
        if (!own)
            assert_int_equal(error, 0);
        assert_int_equal(vr_pool_join(&pool, VR_SECONDS(1), 0), 0);
        assert_idle(&pool);
    }
}

static void memory_that_runs_out_leaves_the_place_free(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *greenlet;

    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_pool_spawn(&pool, 0, traces_number, NULL, &greenlet), -ENOMEM);
    assert_null(greenlet);
    PASS(malloc);
    assert_idle(&pool);
    greenlet = vr_spawn(echoes, NULL);
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_pool_add(&pool, 0, greenlet), -ENOMEM);
    PASS(malloc);
    assert_idle(&pool);
    vr_join(greenlet, VR_FOREVER);
    vr_unref(greenlet);
    assert_trace("");
}

static vr_pool *pool_for_callback;

static void uses_pool_in_hub(vr_callback *callback)
{
    trace("%d", vr_pool_spawn(pool_for_callback, 0, echoes, NULL, NULL));
    trace("%d", vr_pool_spawn(pool_for_callback, 0, echoes, NULL, NULL) == -EAGAIN);
    trace("%d", vr_pool_spawn(pool_for_callback, VR_FOREVER, echoes, NULL, NULL) == -EPERM);
    trace("%d", vr_pool_killall(pool_for_callback, -ECANCELED, 0) == -EPERM);
}

static void hub_callbacks_may_spawn_but_not_wait(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_callback callback = {.run = uses_pool_in_hub};

    pool_for_callback = &pool;
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("0 1 1 1");
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
}

/* --- Killing --- */

static void killall_ends_all_and_frees_their_places(void **state)
{
    vr_pool pool = VR_POOL(3);

    for (int i = 0; i < 3; i++)
        assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_forever, NULL, NULL), 0);
    vr_sleep(0);
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
    assert_idle(&pool);
    assert_int_equal(vr_pool_spawn(&pool, 0, echoes, NULL, NULL), 0);
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0); /* never ran */
    assert_idle(&pool);
}

static void one_who_waits_for_a_place_gets_it_after_the_kill(void **state)
{
    vr_pool pool = VR_POOL(1);

    fill(&pool, 5);
    vr_greenlet *waiting = vr_spawn(spawns_for_ever, &pool);
    vr_sleep(0);
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
    assert_int_equal(vr_join(waiting, VR_FOREVER), 0);
    assert_int_equal(vr_error(waiting), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_idle(&pool);
    trace_clear();
    vr_unref(waiting);
}

/* --- Many --- */

static size_t running, most;

static vr_result runs_among_others(void *argument)
{
    if (++running > most)
        most = running;
    vr_sleep(number_of(argument) % 3 ? 0 : VR_MILLISECONDS(number_of(argument) % 7));
    running--;
    return vr_ok(NULL);
}

static void of_many_never_more_than_there_are_places_run(void **state)
{
    vr_pool pool = VR_POOL(100);
    size_t count = scaled(20000);

    running = most = 0;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(vr_pool_spawn(&pool, VR_FOREVER, runs_among_others, number((intptr_t)i), NULL), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(most, 100);
    assert_int_equal(running, 0);
    assert_idle(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(places_are_counted),
        virtual_test(static_pool_needs_no_call_to_begin),
        virtual_test(spawn_waits_while_the_pool_is_full),
        virtual_test(spawn_without_time_says_that_the_pool_is_full),
        virtual_test(spawn_waits_no_longer_than_its_timeout),
        virtual_test(places_go_to_those_who_wait_in_their_order),
        virtual_test(newcomer_cannot_overtake_one_who_was_given_the_place),
        virtual_test(pool_without_places_is_always_full),
        virtual_test(unlimited_pool_is_a_group),
        virtual_test(wait_available_waits_for_a_place_and_keeps_none),
        virtual_test(add_takes_a_place_as_spawn_does),
        virtual_test(greenlet_may_be_started_when_it_has_a_place),
        virtual_test(greenlet_that_two_are_adding_takes_one_place),
        virtual_test(discarded_member_leaves_its_place_to_the_next),
        virtual_test(kill_in_the_wait_for_a_place),
        virtual_test(place_that_was_given_to_one_who_is_killed_goes_to_the_next),
        virtual_test(place_in_the_turn_of_the_timeout_is_taken_or_left),
        virtual_test(memory_that_runs_out_leaves_the_place_free),
        virtual_test(hub_callbacks_may_spawn_but_not_wait),
        virtual_test(killall_ends_all_and_frees_their_places),
        virtual_test(one_who_waits_for_a_place_gets_it_after_the_kill),
        virtual_test(of_many_never_more_than_there_are_places_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
