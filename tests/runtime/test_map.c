/* Calls in a pool: apply, apply_async and map. */
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

static vr_result squares(void *n)
{
    return vr_ok(number(number_of(n) * number_of(n)));
}

static vr_result traces_number(void *n)
{
    trace("%ld", (long)number_of(n));
    return vr_ok(n);
}

static void assert_idle(const vr_pool *pool)
{
    assert_int_equal(vr_pool_count(pool), 0);
    assert_int_equal(vr_pool_free_count(pool), pool->size);
}

/* --- Apply --- */

static void apply_returns_what_the_function_returns(void **state)
{
    vr_pool pool = VR_POOL(2);

    assert_result_value(vr_pool_apply(&pool, VR_FOREVER, squares, number(5)), number(25));
    assert_result_error(vr_pool_apply(&pool, VR_FOREVER, fails, number(-EIO)), -EIO);
    assert_result_error(vr_pool_apply(&pool, VR_FOREVER, fails, number(-ECANCELED)), -ECANCELED);
    assert_result_value(vr_pool_apply(&pool, VR_SECONDS(2), sleeps_ms, number(1000)), number(1000));
    vr_sleep(0);
    assert_idle(&pool);
}

static vr_result cleans_up(void *argument)
{
    trace("%s", vr_sleep(VR_FOREVER) == -ECANCELED ? "exit" : "other");
    return vr_ok(NULL);
}

static void apply_that_takes_too_long_tells_the_function_to_end(void **state)
{
    vr_pool pool = VR_POOL(1);

    assert_result_error(vr_pool_apply(&pool, VR_SECONDS(1), cleans_up, NULL), -ETIMEDOUT);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("exit");
    assert_idle(&pool);
}

static void timeout_of_an_apply_counts_the_wait_for_a_place(void **state)
{
    vr_pool pool = VR_POOL(1);

    vr_pool_spawn(&pool, 0, sleeps_ms, number(2000), NULL);
    assert_result_error(vr_pool_apply(&pool, VR_SECONDS(1), traces_number, number(1)), -ETIMEDOUT);
    assert_int_equal(seconds_now(), 1);
    assert_result_error(vr_pool_apply(&pool, VR_SECONDS(3), sleeps_ms, number(9000)), -ETIMEDOUT);
    assert_int_equal(seconds_now(), 4);
    assert_result_error(vr_pool_apply(&pool, 0, traces_number, number(1)), -EAGAIN);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("");
    assert_idle(&pool);
}

static vr_result applies_within(void *pool)
{
    return vr_pool_apply(pool, VR_FOREVER, squares, number(6));
}

static void apply_by_a_member_needs_no_second_place(void **state)
{
    vr_pool pool = VR_POOL(1);

    assert_result_value(vr_pool_apply(&pool, VR_FOREVER, applies_within, &pool), number(36));
}

static vr_result applies_forever(void *pool)
{
    return vr_pool_apply(pool, VR_FOREVER, cleans_up, NULL);
}

static void kill_in_an_apply_tells_the_function_to_end(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *caller = vr_spawn(applies_forever, &pool);

    vr_sleep(VR_SECONDS(1));
    vr_kill(caller, -EIO);
    assert_int_equal(vr_join(caller, VR_FOREVER), 0);
    assert_int_equal(vr_error(caller), -EIO);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("exit");
    assert_idle(&pool);
    vr_unref(caller);
}

static void apply_without_memory_leaves_the_place_free(void **state)
{
    vr_pool pool = VR_POOL(1);

    FAIL(malloc, ENOMEM);
    assert_result_error(vr_pool_apply(&pool, VR_FOREVER, traces_number, number(1)), -ENOMEM);
    PASS(malloc);
    assert_idle(&pool);
    assert_trace("");
}

/* --- Apply_async --- */

static vr_greenlet *hub_greenlet;

static void traces_result(void *context, vr_result result)
{
    trace("%s=%ld%s", (const char *)context, result.error ? result.error : (long)number_of(result.value),
          vr_current() == hub_greenlet ? "" : " outside of the hub");
}

static vr_result ends(void *argument)
{
    return vr_ok(argument);
}

/* The parent of all that are started is the hub. */
static void find_hub(void)
{
    vr_greenlet *any = vr_spawn(ends, NULL);

    hub_greenlet = vr_parent(any);
    vr_join(any, VR_FOREVER);
    vr_unref(any);
}

static char name_a[] = "a", name_b[] = "b", name_c[] = "c", name_d[] = "d";

static void async_calls_tell_their_results_in_the_hub(void **state)
{
    vr_pool pool = VR_POOL(3);

    find_hub();
    assert_int_equal(vr_pool_apply_async(&pool, squares, number(3), traces_result, name_a), 0);
    assert_int_equal(vr_pool_apply_async(&pool, fails, number(-EIO), traces_result, name_b), 0);
    assert_int_equal(vr_pool_apply_async(&pool, fails, number(-ECANCELED), traces_result, name_c), 0);
    assert_trace("");
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("a=9 b=-5 c=-125");
    assert_idle(&pool);
}

static void async_call_never_waits_and_runs_when_there_is_a_place(void **state)
{
    vr_pool pool = VR_POOL(1);
    char *const names[] = {name_a, name_b, name_c};

    find_hub();
    for (int i = 0; i < 3; i++)
        assert_int_equal(vr_pool_apply_async(&pool, sleeps_ms, number(1000 * (i + 1)), traces_result, names[i]), 0);
    assert_int_equal(seconds_now(), 0);
    assert_int_equal(vr_pool_count(&pool), 1);
    /* The join waits for those that are queued, too. */
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 6);
    assert_trace("a=1000 b=2000 c=3000");
    assert_idle(&pool);
}

static vr_result spawns_next(void *pool)
{
    return vr_fail(vr_pool_spawn(pool, VR_FOREVER, traces_number, number(7), NULL));
}

static void async_calls_and_greenlets_that_wait_have_their_places_in_order(void **state)
{
    vr_pool pool = VR_POOL(1);

    find_hub();
    vr_pool_spawn(&pool, 0, sleeps_ms, number(1000), NULL);
    vr_pool_apply_async(&pool, traces_number, number(1), traces_result, name_a);
    vr_greenlet *waiting = vr_spawn(spawns_next, &pool);
    vr_sleep(0);
    vr_pool_apply_async(&pool, traces_number, number(2), traces_result, name_b);
    assert_int_equal(vr_join(waiting, VR_FOREVER), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("1 a=1 7 2 b=2");
    assert_idle(&pool);
    vr_unref(waiting);
}

static bool traces_report(vr_greenlet *greenlet, long error)
{
    trace("reported%ld", error);
    return false;
}

static void async_call_without_a_callback_has_its_error_reported(void **state)
{
    vr_pool pool = VR_POOL(1);

    vr_hub_handle_error(traces_report);
    assert_int_equal(vr_pool_apply_async(&pool, traces_number, number(1), NULL, NULL), 0);
    assert_int_equal(vr_pool_apply_async(&pool, fails, number(-EIO), NULL, NULL), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("1 reported-5");
}

static void queued_calls_never_run_when_the_pool_is_killed(void **state)
{
    vr_pool pool = VR_POOL(1);

    find_hub();
    assert_int_equal(vr_pool_apply_async(&pool, cleans_up, NULL, traces_result, name_a), 0);
    vr_sleep(0);
    assert_int_equal(vr_pool_apply_async(&pool, traces_number, number(1), traces_result, name_b), 0);
    assert_int_equal(vr_pool_apply_async(&pool, traces_number, number(2), NULL, NULL), 0);
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
    vr_sleep(0);
    assert_int_equal(strstr(trace_text, "b=-125") != NULL, 1);
    assert_int_equal(strstr(trace_text, "exit a=0") != NULL, 1);
    trace_clear();
    assert_idle(&pool);
}

static void queued_call_that_finds_no_memory_is_told_so(void **state)
{
    vr_pool pool = VR_POOL(1);

    find_hub();
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_pool_apply_async(&pool, traces_number, number(1), traces_result, name_a), -ENOMEM);
    PASS(malloc);
    assert_idle(&pool);
    vr_sleep(0);
    assert_trace("");
}

static void sets_result(void *context, vr_result result)
{
    vr_async_result_set(context, result.value);
}

static void async_call_may_fill_a_result_to_wait_for(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_async_result result = VR_ASYNC_RESULT;

    assert_int_equal(vr_pool_apply_async(&pool, squares, number(7), sets_result, &result), 0);
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(49));
}

static void starts_calls(vr_callback *callback)
{
    static vr_pool pool = VR_POOL_INIT(1);

    assert_int_equal(vr_pool_apply_async(&pool, squares, number(3), traces_result, name_a), 0);
    assert_int_equal(vr_pool_apply_async(&pool, squares, number(4), traces_result, name_d), 0);
}

static void hub_callbacks_may_start_calls(void **state)
{
    vr_callback callback = {.run = starts_calls};

    find_hub();
    vr_callback_queue(&callback);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("a=9 d=16");
}

/* --- Map --- */

enum { MANY = 100 };

static void *items[MANY];
static vr_result results[MANY];

static void number_items(void)
{
    for (intptr_t i = 0; i < MANY; i++)
        items[i] = number(i);
}

static void map_has_the_results_in_the_order_of_the_items(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 10, VR_UNLIMITED};

    number_items();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        vr_pool pool = VR_POOL(sizes[s]);
        memset(results, 0xff, sizeof results);
        assert_int_equal(vr_pool_map(&pool, squares, items, MANY, results, 0), 0);
        for (intptr_t i = 0; i < MANY; i++)
            assert_result_value(results[i], number(i * i));
        assert_idle(&pool);
    }
}

static size_t running, most;

static vr_result sleeps_backwards(void *n)
{
    if (++running > most)
        most = running;
    vr_sleep(VR_MILLISECONDS(MANY - number_of(n)));
    running--;
    return vr_ok(n);
}

static void map_runs_as_many_at_once_as_there_are_places(void **state)
{
    vr_pool pool = VR_POOL(7);

    number_items();
    running = most = 0;
    assert_int_equal(vr_pool_map(&pool, sleeps_backwards, items, MANY, results, VR_RAISE_ERROR), 0);
    assert_int_equal(most, 7);
    for (intptr_t i = 0; i < MANY; i++)
        assert_result_value(results[i], number(i));
}

static void map_of_nothing_is_done(void **state)
{
    vr_pool pool = VR_POOL(1);

    assert_int_equal(vr_pool_map(&pool, squares, NULL, 0, NULL, 0), 0);
    assert_int_equal(vr_pool_map(&pool, squares, NULL, 0, results, VR_RAISE_ERROR), 0);
}

static void map_needs_no_results(void **state)
{
    vr_pool pool = VR_POOL(2);

    number_items();
    assert_int_equal(vr_pool_map(&pool, traces_number, items, 3, NULL, 0), 0);
    assert_trace("0 1 2");
}

static vr_result fails_for_odd(void *n)
{
    return number_of(n) % 2 ? vr_fail(number_of(n) == 3 ? -ECANCELED : -EIO) : vr_ok(n);
}

static void errors_of_items_are_theirs(void **state)
{
    vr_pool pool = VR_POOL(2);

    number_items();
    assert_int_equal(vr_pool_map(&pool, fails_for_odd, items, 5, results, 0), 0);
    assert_result_value(results[0], number(0));
    assert_result_error(results[1], -EIO);
    assert_result_value(results[2], number(2));
    assert_result_error(results[3], -ECANCELED);
    assert_result_value(results[4], number(4));
}

static vr_result fails_for_two(void *n)
{
    intptr_t i = number_of(n);

    trace("begin-%ld", (long)i);
    int error = vr_sleep(i == 2 ? VR_SECONDS(1) : VR_SECONDS(5));
    trace("%s-%ld", error ? "cut" : "end", (long)i);
    return error ? vr_fail(error) : i == 2 ? vr_fail(-EIO) : vr_ok(n);
}

static void map_that_raises_ends_at_the_first_error(void **state)
{
    vr_pool pool = VR_POOL(3);

    number_items();
    vr_hub_handle_error(traces_report);
    assert_int_equal(vr_pool_map(&pool, fails_for_two, items, 5, results, VR_RAISE_ERROR), -EIO);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(results[2].error, -EIO);
    for (int i = 0; i < 5; i++)
        assert_int_equal(results[i].error, i == 2 ? -EIO : -ECANCELED);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 1);
    assert_trace("begin-0 begin-1 begin-2 end-2 cut-0 cut-1");
    assert_idle(&pool);
}

static void map_that_raises_notices_an_error_after_the_last_item_was_begun(void **state)
{
    vr_pool pool = VR_POOL(3);

    number_items();
    assert_int_equal(vr_pool_map(&pool, fails_for_two, items, 3, NULL, VR_RAISE_ERROR), -EIO);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    trace_clear();
}

static vr_result maps(void *pool)
{
    return vr_fail(vr_pool_map(pool, fails_for_two, items, 4, results, 0));
}

static void kill_in_a_map_tells_all_to_end(void **state)
{
    /* In the wait for a place, and in that for the end. */
    for (int places = 3; places <= 4; places++) {
        vr_pool pool = VR_POOL((size_t)places);
        number_items();
        vr_greenlet *mapper = vr_spawn(maps, &pool);
        vr_sleep(VR_MILLISECONDS(500));
        vr_kill(mapper, -EPROTO);
        assert_int_equal(vr_join(mapper, VR_FOREVER), 0);
        assert_int_equal(vr_error(mapper), -EPROTO);
        assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
        assert_non_null(strstr(trace_text, "cut-0 cut-1 cut-2"));
        assert_null(strstr(trace_text, "end"));
        trace_clear();
        assert_idle(&pool);
        vr_unref(mapper);
    }
}

static void timeout_in_the_turn_of_the_last_result_loses(void **state)
{
    vr_pool pool = VR_POOL(4);
    void *one_second[] = {number(1000)};
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    assert_int_equal(vr_pool_map(&pool, sleeps_ms, one_second, 1, results, 0), 0);
    assert_int_equal(vr_timeout_end(&timeout, 0), 0);
    assert_result_value(results[0], number(1000));
}

static void killed_pool_ends_a_map(void **state)
{
    vr_pool pool = VR_POOL(2);

    number_items();
    vr_greenlet *mapper = vr_spawn(maps, &pool);
    vr_sleep(VR_MILLISECONDS(500));
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
    assert_int_equal(vr_join(mapper, VR_FOREVER), 0);
    assert_true(vr_exited(mapper)); /* -ECANCELED is what it returned */
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i].error, -ECANCELED);
    assert_trace("begin-0 begin-1 cut-0 cut-1");
    assert_idle(&pool);
    vr_unref(mapper);
}

static void task_that_was_discarded_from_the_pool_counts_still(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_greenlet *mapper = vr_spawn(maps, &pool);

    number_items();
    vr_sleep(VR_MILLISECONDS(500));
    assert_int_equal(vr_pool_count(&pool), 1);
    vr_pool_discard(&pool, pool.group.first ? vr_current() : NULL); /* no member */
    assert_int_equal(vr_pool_count(&pool), 1);
    assert_int_equal(vr_join(mapper, VR_FOREVER), 0);
    assert_int_equal(results[2].error, -EIO);
    assert_result_value(results[3], number(3));
    trace_clear();
    vr_unref(mapper);
}

static vr_pool *own_pool;

static vr_result leaves_its_pool(void *n)
{
    vr_pool_discard(own_pool, vr_current());
    vr_sleep(VR_SECONDS(1));
    return vr_ok(n);
}

static void task_that_leaves_its_pool_has_its_result_all_the_same(void **state)
{
    vr_pool pool = VR_POOL(1);

    own_pool = &pool;
    number_items();
    assert_int_equal(vr_pool_map(&pool, leaves_its_pool, items, 3, results, 0), 0);
    assert_int_equal(seconds_now(), 1); /* all at once, then */
    for (intptr_t i = 0; i < 3; i++)
        assert_result_value(results[i], number(i));
    assert_idle(&pool);
}

static void map_without_memory_ends_early(void **state)
{
    vr_pool pool = VR_POOL(4);

    number_items();
    fault_malloc = (fault){.skip = 2, .times = 1, .error = ENOMEM};
    assert_int_equal(vr_pool_map(&pool, cleans_up, items, 4, results, 0), -ENOMEM);
    PASS(malloc);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace(""); /* those that were begun never ran */
    assert_idle(&pool);
}

static void maps_in_hub(vr_callback *callback)
{
    vr_pool pool = VR_POOL(4);

    trace("%d", vr_pool_map(&pool, traces_number, items, 1, results, 0) == -EPERM);
}

static void hub_callbacks_cannot_map(void **state)
{
    vr_callback callback = {.run = maps_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(apply_returns_what_the_function_returns),
        virtual_test(apply_that_takes_too_long_tells_the_function_to_end),
        virtual_test(timeout_of_an_apply_counts_the_wait_for_a_place),
        virtual_test(apply_by_a_member_needs_no_second_place),
        virtual_test(kill_in_an_apply_tells_the_function_to_end),
        virtual_test(apply_without_memory_leaves_the_place_free),
        virtual_test(async_calls_tell_their_results_in_the_hub),
        virtual_test(async_call_never_waits_and_runs_when_there_is_a_place),
        virtual_test(async_calls_and_greenlets_that_wait_have_their_places_in_order),
        virtual_test(async_call_without_a_callback_has_its_error_reported),
        virtual_test(queued_calls_never_run_when_the_pool_is_killed),
        virtual_test(queued_call_that_finds_no_memory_is_told_so),
        virtual_test(async_call_may_fill_a_result_to_wait_for),
        virtual_test(hub_callbacks_may_start_calls),
        virtual_test(map_has_the_results_in_the_order_of_the_items),
        virtual_test(map_runs_as_many_at_once_as_there_are_places),
        virtual_test(map_of_nothing_is_done),
        virtual_test(map_needs_no_results),
        virtual_test(errors_of_items_are_theirs),
        virtual_test(map_that_raises_ends_at_the_first_error),
        virtual_test(map_that_raises_notices_an_error_after_the_last_item_was_begun),
        virtual_test(kill_in_a_map_tells_all_to_end),
        virtual_test(timeout_in_the_turn_of_the_last_result_loses),
        virtual_test(killed_pool_ends_a_map),
        virtual_test(task_that_was_discarded_from_the_pool_counts_still),
        virtual_test(task_that_leaves_its_pool_has_its_result_all_the_same),
        virtual_test(map_without_memory_ends_early),
        virtual_test(hub_callbacks_cannot_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
