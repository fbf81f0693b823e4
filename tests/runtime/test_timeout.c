/* Timeouts: whose waits they end, with which error, and what wins over them. */
#include "faults.h"
#include "support.h"

#include <vireo/io.h>
#include <vireo/scope.h>
#include <vireo/timeout.h>
#include <vireo/waiter.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

/* --- What it does --- */

static void wait_fails_with_an_error_of_the_timeouts_own_when_time_is_up(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(2)), 0);
    int error = vr_sleep(VR_SECONDS(5));
    assert_int_equal(vr_now(), VR_SECONDS(2));
    assert_true(error <= VR_TIMEOUT_ERRORS);
    assert_true(vr_timeout_is(&timeout, error));
    assert_true(vr_is_timeout(error));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_false(vr_timeout_is(&timeout, error));
}

static void its_error_has_words(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    int error = vr_sleep(VR_FOREVER);
    assert_string_equal(vr_strerror(error), "Timed out");
    assert_string_equal(vr_strerror(-INT_MAX), "Timed out");
    assert_string_equal(vr_strerror(VR_TIMEOUT_ERRORS), "Timed out");
    vr_timeout_end(&timeout, error);
}

static void which_numbers_are_timeouts(void **state)
{
    assert_true(vr_is_timeout(-ETIMEDOUT));
    assert_true(vr_is_timeout(VR_TIMEOUT_ERRORS));
    assert_true(vr_is_timeout(-INT_MAX));
    assert_false(vr_is_timeout(0));
    assert_false(vr_is_timeout(-ECANCELED));
    assert_false(vr_is_timeout(VR_TIMEOUT_ERRORS + 1));
    assert_false(vr_is_timeout(-VR_TIMEOUT_ERRORS));
}

static void what_ends_in_time_is_left_alone(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(2));
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
    assert_int_equal(vr_timeout_end(&timeout, 0), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(5)), 0);
}

static void time_runs_over_all_calls_together(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    int error, calls = 0;

    vr_timeout_start(&timeout, VR_MILLISECONDS(35));
    while (!(error = vr_sleep(VR_MILLISECONDS(10))))
        calls++;
    assert_int_equal(calls, 3);
    assert_int_equal(vr_now(), VR_MILLISECONDS(35));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
}

static void it_is_thrown_once(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    assert_true(vr_timeout_pending(&timeout));
    int error = vr_sleep(VR_SECONDS(2));
    assert_true(vr_timeout_is(&timeout, error));
    assert_false(vr_timeout_pending(&timeout));
    assert_int_equal(vr_sleep(VR_SECONDS(2)), 0);
    assert_int_equal(vr_now(), VR_SECONDS(3));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
}

static void time_that_is_up_without_a_wait_fails_the_next_one(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    vr_now(); /* no wait */
    assert_true(vr_timeout_is(&timeout, vr_sleep(VR_SECONDS(1))));
    assert_int_equal(vr_now(), 0);
    vr_timeout_end(&timeout, 0);
}

static char name_a[] = "a", name_other[] = "other", name_called[] = "called";

static vr_result times_itself_out(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_sleep(VR_SECONDS(9));
    trace("%s@%ld", (char *)argument, (long)(vr_now() / VR_SECONDS(1)));
    return vr_fail(vr_timeout_end(&timeout, error));
}

static void only_its_own_greenlet_is_concerned(void **state)
{
    vr_greenlet *one = vr_spawn(times_itself_out, name_a);

    assert_int_equal(vr_sleep(VR_SECONDS(3)), 0);
    assert_trace("a@1");
    assert_int_equal(vr_error(one), -ETIMEDOUT);
    vr_unref(one);
}

/* --- Every kind of wait --- */

static int sleeps(void *unused)
{
    return vr_sleep(VR_FOREVER);
}

static int gives_way(void *unused)
{
    int error;

    /* Never stops on its own, and waits for nothing. */
    while (!(error = vr_sleep(0))) {
    }
    return error;
}

static int gets(void *unused)
{
    vr_waiter waiter = VR_WAITER;

    return (int)vr_waiter_get(&waiter, VR_FOREVER).error;
}

static int gets_in_time(void *unused)
{
    vr_waiter waiter = VR_WAITER;

    return (int)vr_waiter_get(&waiter, VR_SECONDS(99)).error;
}

static int joins(void *greenlet)
{
    return vr_join(greenlet, VR_FOREVER);
}

static int joinalls(void *greenlet)
{
    vr_greenlet *two[] = {greenlet, greenlet};

    return vr_joinall(two, 2, VR_FOREVER);
}

static int waits(void *greenlet)
{
    vr_greenlet *one[] = {greenlet};

    return vr_wait(one, 1, &(vr_wait_options){.timeout = VR_FOREVER});
}

static int reads(void *unused)
{
    int ends[2];
    char octet;

    assert_int_equal(vr_pipe(ends), 0);
    int error = (int)vr_read(ends[0], &octet, 1, VR_FOREVER);
    vr_close(ends[0]);
    vr_close(ends[1]);
    return error;
}

static int joins_a_group(void *greenlet)
{
    vr_group group = VR_GROUP;

    assert_int_equal(vr_group_add(&group, greenlet), 0);
    int error = vr_group_join(&group, VR_FOREVER, 0);
    vr_group_discard(&group, greenlet);
    return error;
}

static int joins_a_scope(void *greenlet)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    assert_int_equal(vr_scope_add(&scope, greenlet), 0);
    int error = vr_scope_join(&scope, VR_FOREVER);
    vr_scope_abandon(&scope);
    return error;
}

static void every_wait_is_ended(void **state)
{
    int (*const calls[])(void *) = {sleeps, gives_way, gets,  gets_in_time,  joins,
                                    waits,  joinalls,  reads, joins_a_group, joins_a_scope};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        vr_timeout timeout = VR_TIMEOUT;
        vr_greenlet *sleeper = vr_spawn(sleeps_forever, NULL);
        assert_int_equal(vr_timeout_start(&timeout, calls[i] == gives_way ? 0 : VR_SECONDS(1)), 0);
        int error = calls[i](sleeper);
        assert_true(vr_timeout_is(&timeout, error));
        assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
        end_greenlet(sleeper);
    }
}

static void the_thread_need_not_have_a_hub_before(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    assert_int_equal(vr_hub_free(), 0);
    assert_int_equal(vr_timeout_start(&timeout, 0), 0);
    assert_int_equal(vr_timeout_end(&timeout, vr_sleep(VR_FOREVER)), -ETIMEDOUT);
}

/* --- Durations --- */

static void timeout_of_0_is_up_with_the_next_trip_through_the_hub(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_greenlet *other = vr_spawn(times_itself_out, name_other);

    vr_timeout_start(&timeout, 0);
    int error = vr_sleep(VR_SECONDS(5));
    assert_int_equal(vr_now(), 0);
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_int_equal(vr_join(other, VR_FOREVER), 0);
    assert_trace("other@1");
    vr_unref(other);
}

static void negative_duration_is_0(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, -VR_SECONDS(5));
    assert_int_equal(vr_timeout_end(&timeout, vr_sleep(VR_SECONDS(5))), -ETIMEDOUT);
    assert_int_equal(vr_now(), 0);
}

static void forever_is_never_up(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    assert_int_equal(vr_timeout_start(&timeout, VR_FOREVER), 0);
    assert_false(vr_timeout_pending(&timeout));
    assert_int_equal(vr_sleep(VR_SECONDS(1) * 1000000), 0);
    assert_int_equal(vr_timeout_end(&timeout, -ETIMEDOUT), -ETIMEDOUT);
    assert_int_equal(vr_timeout_end(&timeout, 0), 0);
}

/* --- Starting --- */

static void pending_one_cannot_be_started_and_goes_on(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(1)), 0);
    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(9)), -EALREADY);
    int error = vr_sleep(VR_SECONDS(5));
    assert_true(vr_timeout_is(&timeout, error));
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_timeout_end(&timeout, error);
}

static void one_that_was_thrown_or_has_ended_can_be_started_again(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    int first = vr_sleep(VR_SECONDS(5));
    assert_true(vr_timeout_is(&timeout, first));
    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(1)), 0);
    int second = vr_sleep(VR_SECONDS(5));
    assert_true(vr_timeout_is(&timeout, second));
    assert_int_not_equal(first, second);
    assert_int_equal(vr_timeout_end(&timeout, second), -ETIMEDOUT);
    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(1)), 0);
    assert_int_equal(vr_timeout_end(&timeout, vr_sleep(VR_SECONDS(5))), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(3));
}

static void start_without_memory_is_an_error_and_starts_nothing(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout other = VR_TIMEOUT;

    /* Each duration in use needs memory of its own. */
    assert_int_equal(vr_timeout_start(&other, VR_SECONDS(1)), 0);
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_timeout_start(&timeout, VR_SECONDS(2)), -ENOMEM);
    PASS(malloc);
    assert_false(vr_timeout_pending(&timeout));
    assert_int_equal(vr_timeout_end(&timeout, -EIO), -EIO);
    assert_int_equal(vr_timeout_end(&other, 0), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(5)), 0);
}

static int error_in_hub;

static void starts_in_hub(vr_callback *callback)
{
    vr_timeout timeout = VR_TIMEOUT;

    error_in_hub = vr_timeout_start(&timeout, 0);
}

static void hub_callbacks_cannot_have_one(void **state)
{
    vr_callback callback = {.run = starts_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_int_equal(error_in_hub, -EPERM);
}

/* --- Ending --- */

static void end_leaves_every_other_error_as_it_is(void **state)
{
    static const long errors[] = {0, -EIO, -ECANCELED, -ETIMEDOUT, -EDEADLK, VR_TIMEOUT_ERRORS};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        vr_timeout timeout = VR_TIMEOUT;
        assert_int_equal(vr_timeout_end(&timeout, errors[i]), errors[i]);
        vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_int_equal(vr_timeout_end(&timeout, errors[i]), errors[i]);
        vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_int_equal(vr_timeout_end_silently(&timeout, errors[i]), errors[i]);
    }
}

static void silent_end_takes_its_own_error_for_success(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    assert_int_equal(vr_timeout_end_silently(&timeout, vr_sleep(VR_FOREVER)), 0);
}

static void second_end_does_nothing(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    int error = vr_sleep(VR_FOREVER);
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_int_equal(vr_timeout_end(&timeout, error), error);
    assert_int_equal(vr_timeout_end(&timeout, 0), 0);
}

/* --- Nested --- */

static void inner_one_ends_its_part_and_the_outer_goes_on(void **state)
{
    vr_timeout outer = VR_TIMEOUT, inner = VR_TIMEOUT;

    vr_timeout_start(&outer, VR_SECONDS(5));
    vr_timeout_start(&inner, VR_SECONDS(1));
    long error = vr_sleep(VR_FOREVER);
    assert_true(vr_timeout_is(&inner, error));
    assert_false(vr_timeout_is(&outer, error));
    assert_int_equal(vr_timeout_end(&inner, error), -ETIMEDOUT);
    error = vr_sleep(VR_FOREVER);
    assert_true(vr_timeout_is(&outer, error));
    assert_int_equal(vr_timeout_end(&outer, error), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(5));
}

static void outer_ones_error_passes_the_inner_one(void **state)
{
    vr_timeout outer = VR_TIMEOUT, inner = VR_TIMEOUT;

    vr_timeout_start(&outer, VR_SECONDS(1));
    vr_timeout_start(&inner, VR_SECONDS(5));
    long error = vr_sleep(VR_FOREVER);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_int_equal(vr_timeout_end_silently(&inner, error), error);
    assert_int_equal(vr_timeout_end(&outer, error), -ETIMEDOUT);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void timeout_of_a_call_is_no_timeout_of_those_around(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_waiter waiter = VR_WAITER;

    vr_timeout_start(&timeout, VR_SECONDS(5));
    long error = vr_waiter_get(&waiter, VR_SECONDS(1)).error;
    assert_int_equal(error, -ETIMEDOUT);
    assert_int_equal(vr_timeout_end_silently(&timeout, error), -ETIMEDOUT);
}

static void two_at_once_are_thrown_one_after_the_other_in_the_order_of_their_start(void **state)
{
    for (int outer_first = 0; outer_first < 2; outer_first++) {
        vr_timeout one = VR_TIMEOUT, two = VR_TIMEOUT;
        vr_timeout_start(&one, VR_SECONDS(1));
        vr_timeout_start(&two, VR_SECONDS(1));
        int first = vr_sleep(VR_FOREVER);
        assert_true(vr_timeout_is(&one, first));
        assert_true(vr_timeout_pending(&two));
        int second = vr_sleep(VR_FOREVER);
        assert_true(vr_timeout_is(&two, second));
        vr_timeout_end(outer_first ? &one : &two, 0);
        vr_timeout_end(outer_first ? &two : &one, 0);
    }
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void they_may_end_in_any_order(void **state)
{
    vr_timeout outer = VR_TIMEOUT, inner = VR_TIMEOUT;

    vr_timeout_start(&outer, VR_SECONDS(1));
    vr_timeout_start(&inner, VR_SECONDS(2));
    assert_int_equal(vr_timeout_end(&outer, 0), 0);
    int error = vr_sleep(VR_FOREVER);
    assert_int_equal(vr_now(), VR_SECONDS(2));
    assert_int_equal(vr_timeout_end(&inner, error), -ETIMEDOUT);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static vr_result nested_to_a_depth(void *depth)
{
    vr_timeout timeout = VR_TIMEOUT;
    intptr_t n = number_of(depth);

    vr_timeout_start(&timeout, VR_SECONDS(n == 3 ? 1 : 10 + n));
    long error = n ? nested_to_a_depth(number(n - 1)).error : vr_sleep(VR_FOREVER);
    long ended = vr_timeout_end(&timeout, error);
    trace("%ld%s", (long)n, ended == -ETIMEDOUT ? "!" : ended ? "-" : "+");
    return vr_fail(ended == -ETIMEDOUT ? 0 : ended);
}

static void the_one_in_the_middle_of_many_is_found(void **state)
{
    assert_result_error(nested_to_a_depth(number(6)), 0);
    assert_trace("0- 1- 2- 3! 4+ 5+ 6+");
}

/* --- With a function --- */

static void function_within_its_time_has_its_result(void **state)
{
    assert_result_value(vr_with_timeout(VR_SECONDS(2), sleeps_ms, number(1000)), number(1000));
    assert_result_error(vr_with_timeout(VR_SECONDS(2), fails, number(-EIO)), -EIO);
    assert_result_value(vr_with_timeout(VR_FOREVER, sleeps_ms, number(1000)), number(1000));
}

static void function_that_takes_too_long_has_timed_out(void **state)
{
    assert_result_error(vr_with_timeout(VR_SECONDS(1), sleeps_ms, number(2000)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_result_error(vr_with_timeout(0, sleeps_forever, NULL), -ETIMEDOUT);
}

static void function_is_not_called_without_memory_for_its_limit(void **state)
{
    vr_timeout other = VR_TIMEOUT;

    vr_timeout_start(&other, VR_SECONDS(1));
    FAIL(malloc, ENOMEM);
    assert_result_error(vr_with_timeout(VR_SECONDS(2), times_itself_out, name_called), -ENOMEM);
    PASS(malloc);
    assert_trace("");
    vr_timeout_end(&other, 0);
}

/* --- Many --- */

static vr_result takes_so_long(void *ms)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_MILLISECONDS(500));
    return vr_fail(vr_timeout_end(&timeout, vr_sleep(VR_MILLISECONDS(number_of(ms)))));
}

static void of_many_just_those_end_that_take_too_long(void **state)
{
    size_t count = scaled(5000);
    vr_greenlet **greenlets = test_malloc(count * sizeof *greenlets);

    for (size_t i = 0; i < count; i++)
        greenlets[i] = vr_spawn(takes_so_long, number((intptr_t)(i * 37 % 1000)));
    assert_int_equal(vr_joinall(greenlets, count, VR_FOREVER), count);
    for (size_t i = 0; i < count; i++) {
        /* At 500 the sleep's own timer and the timeout are up together: what is ready wins. */
        assert_int_equal(vr_error(greenlets[i]), i * 37 % 1000 <= 500 ? 0 : -ETIMEDOUT);
        vr_unref(greenlets[i]);
    }
    assert_int_equal(vr_now(), VR_MILLISECONDS(500));
    test_free(greenlets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(wait_fails_with_an_error_of_the_timeouts_own_when_time_is_up),
        virtual_test(its_error_has_words),
        virtual_test(which_numbers_are_timeouts),
        virtual_test(what_ends_in_time_is_left_alone),
        virtual_test(time_runs_over_all_calls_together),
        virtual_test(it_is_thrown_once),
        virtual_test(time_that_is_up_without_a_wait_fails_the_next_one),
        virtual_test(only_its_own_greenlet_is_concerned),
        virtual_test(every_wait_is_ended),
        virtual_test(the_thread_need_not_have_a_hub_before),
        virtual_test(timeout_of_0_is_up_with_the_next_trip_through_the_hub),
        virtual_test(negative_duration_is_0),
        virtual_test(forever_is_never_up),
        virtual_test(pending_one_cannot_be_started_and_goes_on),
        virtual_test(one_that_was_thrown_or_has_ended_can_be_started_again),
        virtual_test(start_without_memory_is_an_error_and_starts_nothing),
        virtual_test(hub_callbacks_cannot_have_one),
        virtual_test(end_leaves_every_other_error_as_it_is),
        virtual_test(silent_end_takes_its_own_error_for_success),
        virtual_test(second_end_does_nothing),
        virtual_test(inner_one_ends_its_part_and_the_outer_goes_on),
        virtual_test(outer_ones_error_passes_the_inner_one),
        virtual_test(timeout_of_a_call_is_no_timeout_of_those_around),
        virtual_test(two_at_once_are_thrown_one_after_the_other_in_the_order_of_their_start),
        virtual_test(they_may_end_in_any_order),
        virtual_test(the_one_in_the_middle_of_many_is_found),
        virtual_test(function_within_its_time_has_its_result),
        virtual_test(function_that_takes_too_long_has_timed_out),
        virtual_test(function_is_not_called_without_memory_for_its_limit),
        virtual_test(of_many_just_those_end_that_take_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
