/* Shields: what they hold back, for how long, and where it goes. */
#include "faults.h"
#include "support.h"

#include <vireo/scope.h>
#include <vireo/waiter.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

/* Throws errors into the greenlet that it was begun in, after so many seconds. */
struct killer {
    vr_timer timer;
    vr_greenlet *victim;
    long error;
};

static void kills(vr_callback *callback)
{
    struct killer *killer = (void *)((char *)callback - offsetof(struct killer, timer.callback));

    vr_kill(killer->victim, killer->error);
}

static void kill_me_after(struct killer *killer, int seconds, long error)
{
    *killer = (struct killer){.timer.callback.run = kills, .victim = vr_current(), .error = error};
    vr_timer_start(&killer->timer, VR_SECONDS(seconds));
}

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

#define trace_at(value)                          \
    do {                                         \
        long value_ = (value);                   \
        trace("%ld@%ld", value_, seconds_now()); \
    } while (0)

/* Runs in a greenlet of its own, which must end without an error of the test's own. */
static void run(vr_function *function)
{
    vr_greenlet *greenlet = vr_spawn(function, NULL);

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_true(vr_successful(greenlet));
    vr_unref(greenlet);
}

/* --- Kills --- */

static vr_result is_killed_in_its_shield(void *argument)
{
    vr_shield shield;
    struct killer killer;

    kill_me_after(&killer, 1, -EIO);
    trace("%d", vr_shield_begin(&shield, VR_FOREVER));
    trace_at(vr_sleep(VR_SECONDS(2)));
    trace("%d", vr_shield_end(&shield, 0) == -EIO);
    /* It is the caller's now, and nobody's else. */
    trace("%d", vr_sleep(VR_SECONDS(1)));
    return vr_ok(NULL);
}

static void kill_is_held_back_and_returned_at_the_end(void **state)
{
    run(is_killed_in_its_shield);
    assert_trace("0 0@2 1 0");
}

static vr_result is_killed_before_its_shield(void *argument)
{
    vr_shield shield;

    vr_kill(vr_current(), -EIO);
    vr_shield_begin(&shield, VR_FOREVER);
    trace("%d", vr_sleep(VR_SECONDS(2)));
    trace("%d", vr_shield_end(&shield, 0) == -EIO);
    return vr_ok(NULL);
}

static void kill_that_is_on_its_way_is_held_back(void **state)
{
    run(is_killed_before_its_shield);
    assert_trace("0 1");
}

static vr_result fails_in_its_shield_and_is_killed(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_FOREVER);
    vr_kill(vr_current(), -EIO);
    trace("%d", vr_shield_end(&shield, -EPROTO) == -EPROTO);
    trace_at(vr_sleep(VR_SECONDS(2)) == -EIO);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    return vr_ok(NULL);
}

static void kill_is_thrown_into_the_next_wait_where_there_is_another_error_to_return(void **state)
{
    run(fails_in_its_shield_and_is_killed);
    assert_trace("1 1@0 0");
}

static vr_result is_killed_often_in_its_shield(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_FOREVER);
    vr_kill(vr_current(), -ECANCELED);
    vr_sleep(0);
    vr_kill(vr_current(), -EIO);
    trace("%d", vr_shield_end(&shield, 0) == -EIO);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    return vr_ok(NULL);
}

static void last_of_several_kills_counts(void **state)
{
    run(is_killed_often_in_its_shield);
    assert_trace("1 0");
}

static vr_result is_killed_after_its_shield(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_SECONDS(5));
    trace("%ld", vr_shield_end(&shield, 0));
    vr_kill(vr_current(), -EIO);
    trace("%d", vr_sleep(VR_SECONDS(9)) == -EIO);
    trace("%d", vr_sleep(VR_SECONDS(9)));
    return vr_ok(NULL);
}

static void nothing_of_a_shield_is_left_when_it_has_ended(void **state)
{
    run(is_killed_after_its_shield);
    assert_trace("0 1 0");
}

static vr_result waits_shielded_for(void *waiter)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_FOREVER);
    trace("%ld", (long)number_of(vr_waiter_get(waiter, VR_FOREVER).value));
    return vr_fail(vr_shield_end(&shield, 0));
}

static void shield_is_that_of_one_greenlet_alone(void **state)
{
    vr_waiter waiter = VR_WAITER;
    vr_greenlet *shielded = vr_spawn(waits_shielded_for, &waiter);
    vr_greenlet *other = vr_spawn(sleeps_forever, NULL);

    vr_sleep(0);
    vr_kill(shielded, -ECANCELED);
    vr_kill(other, -ECANCELED);
    assert_int_equal(vr_join(other, VR_SECONDS(1)), 0);
    assert_int_equal(vr_join(shielded, VR_SECONDS(1)), -ETIMEDOUT);
    vr_waiter_switch(&waiter, number(3));
    assert_int_equal(vr_join(shielded, VR_SECONDS(1)), 0);
    assert_true(vr_exited(shielded));
    assert_trace("3");
    vr_unref(shielded);
    vr_unref(other);
}

/* --- Its own time --- */

static vr_result takes_too_long_in_its_shield(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_SECONDS(2));
    /* A sleep that is cut short must not look like one that has ended. */
    long error = vr_sleep(VR_SECONDS(5));
    trace_at(vr_is_timeout(error) && error != -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%d", vr_shield_end(&shield, error) == -ETIMEDOUT);
    return vr_ok(NULL);
}

static void shield_whose_time_is_up_is_thrown_once(void **state)
{
    run(takes_too_long_in_its_shield);
    assert_trace("1@2 0 1");
}

static vr_result is_killed_in_a_shield_that_opens(void *argument)
{
    vr_shield shield;
    struct killer killer, later;

    kill_me_after(&killer, 1, -EIO);
    vr_shield_begin(&shield, VR_SECONDS(2));
    trace_at(vr_sleep(VR_SECONDS(5)) == -EIO);
    kill_me_after(&later, 1, -EPROTO);
    trace_at(vr_sleep(VR_SECONDS(5)) == -EPROTO);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%ld", vr_shield_end(&shield, 0));
    return vr_ok(NULL);
}

static void what_was_held_back_is_thrown_when_the_shield_opens_and_nothing_is_held_back_then(void **state)
{
    run(is_killed_in_a_shield_that_opens);
    assert_trace("1@2 1@3 0 0");
}

static vr_result ends_its_shield_in_time(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_SECONDS(2));
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%ld", vr_shield_end(&shield, 0));
    trace("%d", vr_sleep(VR_SECONDS(5)));
    return vr_ok(NULL);
}

static void shield_that_ends_in_time_is_over(void **state)
{
    run(ends_its_shield_in_time);
    assert_trace("0 0 0");
}

static vr_result ends_its_shield_when_its_time_is_up(void *argument)
{
    vr_shield shield;
    vr_timeout timeout = VR_TIMEOUT;

    /* Two at once: when the timeout's error arrives, the shield's is on its way. */
    vr_shield_begin(&shield, VR_SECONDS(1));
    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_sleep(VR_SECONDS(5));
    bool of_timeout = vr_timeout_is(&timeout, error);
    error = vr_shield_end(&shield, vr_timeout_end(&timeout, error));
    trace("%d %d", of_timeout || error == -ETIMEDOUT, error == -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(5)));
    return vr_ok(NULL);
}

static void what_the_shield_would_have_thrown_ends_with_it(void **state)
{
    run(ends_its_shield_when_its_time_is_up);
    assert_trace("1 1 0");
}

static vr_result shields_for_no_time(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, 0);
    long error = vr_sleep(VR_SECONDS(1));
    trace_at(vr_shield_end(&shield, error) == -ETIMEDOUT);
    return vr_ok(NULL);
}

static void shield_of_0_opens_with_the_next_trip_through_the_hub(void **state)
{
    run(shields_for_no_time);
    assert_trace("1@0");
}

/* --- Timeouts --- */

static vr_result shields_within_a_timeout(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_shield shield;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_shield_begin(&shield, VR_FOREVER);
    trace_at(vr_sleep(VR_SECONDS(2)));
    trace("%d", vr_timeout_pending(&timeout));
    long error = vr_shield_end(&shield, 0);
    trace("%d %d", vr_timeout_is(&timeout, error), vr_timeout_pending(&timeout));
    trace("%d", vr_timeout_end(&timeout, error) == -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(2)));
    return vr_ok(NULL);
}

static void timeout_that_was_started_before_is_held_back(void **state)
{
    run(shields_within_a_timeout);
    assert_trace("0@2 1 1 0 1 0");
}

static vr_result times_out_within_its_shield(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_shield shield;

    vr_shield_begin(&shield, VR_FOREVER);
    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_sleep(VR_SECONDS(2));
    trace_at(vr_timeout_end(&timeout, error) == -ETIMEDOUT);
    trace("%ld", vr_shield_end(&shield, 0));
    return vr_ok(NULL);
}

static void timeout_that_is_started_within_is_thrown(void **state)
{
    run(times_out_within_its_shield);
    assert_trace("1@1 0");
}

static vr_result ends_a_timeout_that_is_held_back(void *argument)
{
    vr_timeout first = VR_TIMEOUT, second = VR_TIMEOUT, third = VR_TIMEOUT;
    vr_shield shield;

    vr_timeout_start(&first, VR_SECONDS(1));
    vr_timeout_start(&second, VR_SECONDS(1));
    vr_timeout_start(&third, VR_SECONDS(1));
    vr_shield_begin(&shield, VR_FOREVER);
    vr_sleep(VR_SECONDS(2));
    trace("%ld", vr_timeout_end(&second, 0));
    trace("%ld", vr_timeout_end(&third, 0));
    trace("%ld", vr_timeout_end(&first, 0));
    trace("%ld", vr_shield_end(&shield, 0));
    trace("%d", vr_sleep(VR_SECONDS(2)));
    return vr_ok(NULL);
}

static void timeout_that_ends_while_it_is_held_back_is_never_thrown(void **state)
{
    run(ends_a_timeout_that_is_held_back);
    assert_trace("0 0 0 0 0");
}

static vr_result is_killed_and_timed_out_in_its_shield(void *argument)
{
    vr_timeout first = VR_TIMEOUT, second = VR_TIMEOUT;
    vr_shield shield;

    vr_timeout_start(&first, VR_SECONDS(1));
    vr_timeout_start(&second, VR_SECONDS(2));
    vr_shield_begin(&shield, VR_FOREVER);
    vr_sleep(VR_SECONDS(3));
    vr_kill(vr_current(), -EIO);
    trace("%d", vr_shield_end(&shield, 0) == -EIO);
    trace("%d", vr_timeout_is(&first, vr_sleep(VR_SECONDS(1))));
    trace("%d", vr_timeout_is(&second, vr_sleep(VR_SECONDS(1))));
    trace("%d", vr_sleep(VR_SECONDS(1)));
    vr_timeout_end(&first, 0);
    vr_timeout_end(&second, 0);
    return vr_ok(NULL);
}

static void all_that_was_held_back_is_told_one_after_the_other_the_kill_first(void **state)
{
    run(is_killed_and_timed_out_in_its_shield);
    assert_trace("1 1 1 0");
}

static vr_result is_timed_out_in_a_shield_that_opens(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_shield shield;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_shield_begin(&shield, VR_SECONDS(2));
    long error = vr_sleep(VR_SECONDS(5));
    trace_at(vr_timeout_is(&timeout, error));
    error = vr_shield_end(&shield, error);
    trace("%d", vr_timeout_end(&timeout, error) == -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(5)));
    return vr_ok(NULL);
}

static void timeout_is_thrown_when_the_shield_opens(void **state)
{
    run(is_timed_out_in_a_shield_that_opens);
    assert_trace("1@2 1 0");
}

/* --- Nested --- */

static vr_result is_killed_in_the_inner_of_two(void *argument)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_FOREVER);
    vr_shield_begin(&inner, VR_FOREVER);
    vr_kill(vr_current(), -EIO);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%ld", vr_shield_end(&inner, 0));
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%d", vr_shield_end(&outer, 0) == -EIO);
    return vr_ok(NULL);
}

static void what_comes_in_an_inner_shield_is_held_back_to_the_end_of_the_outer(void **state)
{
    run(is_killed_in_the_inner_of_two);
    assert_trace("0 0 0 1");
}

static vr_result opens_an_inner_shield(void *argument)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_FOREVER);
    vr_shield_begin(&inner, VR_SECONDS(1));
    vr_kill(vr_current(), -EIO);
    long error = vr_sleep(VR_SECONDS(5));
    trace_at(vr_is_timeout(error));
    trace("%d", vr_shield_end(&inner, error) == -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%d", vr_shield_end(&outer, 0) == -EIO);
    return vr_ok(NULL);
}

static void inner_shield_whose_time_is_up_leaves_the_kill_with_the_outer(void **state)
{
    run(opens_an_inner_shield);
    assert_trace("1@1 1 0 1");
}

static vr_result opens_an_outer_shield(void *argument)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_SECONDS(1));
    vr_shield_begin(&inner, VR_SECONDS(5));
    vr_kill(vr_current(), -EIO);
    trace_at(vr_sleep(VR_SECONDS(2)));
    trace("%d", vr_shield_end(&inner, 0) == -EIO);
    trace("%d", vr_sleep(VR_SECONDS(1)));
    trace("%ld", vr_shield_end(&outer, 0));
    return vr_ok(NULL);
}

static void inner_shield_holds_on_when_the_outer_ones_time_is_up(void **state)
{
    run(opens_an_outer_shield);
    assert_trace("0@2 1 0 0");
}

static vr_result outer_time_is_up_in_the_inner(void *argument)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_SECONDS(1));
    vr_shield_begin(&inner, VR_SECONDS(5));
    trace_at(vr_sleep(VR_SECONDS(2)));
    long error = vr_shield_end(&inner, 0);
    trace("%d", vr_is_timeout(error) && error != -ETIMEDOUT);
    trace("%d", vr_shield_end(&outer, error) == -ETIMEDOUT);
    trace("%d", vr_sleep(VR_SECONDS(5)));
    return vr_ok(NULL);
}

static void outer_ones_own_error_is_held_back_by_the_inner(void **state)
{
    run(outer_time_is_up_in_the_inner);
    assert_trace("0@2 1 1 0");
}

static vr_result times_out_between_two_shields(void *argument)
{
    vr_shield outer, inner;
    vr_timeout timeout = VR_TIMEOUT;

    vr_shield_begin(&outer, VR_FOREVER);
    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_shield_begin(&inner, VR_FOREVER);
    trace("%d", vr_sleep(VR_SECONDS(2)));
    long error = vr_shield_end(&inner, 0);
    trace("%d", vr_timeout_end(&timeout, error) == -ETIMEDOUT);
    trace("%ld", vr_shield_end(&outer, 0));
    return vr_ok(NULL);
}

static void timeout_between_two_shields_is_held_back_by_the_inner_alone(void **state)
{
    run(times_out_between_two_shields);
    assert_trace("0 1 0");
}

/* --- Edges --- */

static vr_result ends_with_what_its_shield_returns(void *argument)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_FOREVER);
    vr_sleep(VR_SECONDS(1));
    return vr_fail(vr_shield_end(&shield, 0));
}

static void shielded_victim_ends_by_the_exit_after_its_cleanup(void **state)
{
    vr_greenlet *victim = vr_spawn(ends_with_what_its_shield_returns, NULL);

    vr_sleep(0);
    vr_kill(victim, -ECANCELED);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_true(vr_exited(victim));
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_unref(victim);
}

static void throw_by_hand_passes_a_shield(void **state)
{
    vr_waiter waiter = VR_WAITER;
    vr_greenlet *shielded = vr_spawn(waits_shielded_for, &waiter);

    vr_sleep(0);
    vr_throw(shielded, -EIO);
    assert_int_equal(vr_join(shielded, VR_FOREVER), 0);
    assert_trace("0");
    vr_unref(shielded);
}

static void main_greenlet_may_shield_itself(void **state)
{
    vr_shield shield;
    vr_greenlet *self = vr_current();

    assert_int_equal(vr_shield_begin(&shield, VR_SECONDS(5)), 0);
    vr_kill(self, -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
    assert_int_equal(vr_shield_end(&shield, 0), -EIO);
    /* Nothing can end this wait: that is told, shielded or not. */
    vr_shield_begin(&shield, VR_FOREVER);
    assert_int_equal(vr_shield_end(&shield, vr_sleep(VR_FOREVER)), -EDEADLK);
}

static void shield_without_memory_for_its_timer_is_none(void **state)
{
    vr_shield shield;
    vr_timeout other = VR_TIMEOUT;

    vr_timeout_start(&other, VR_SECONDS(1));
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_shield_begin(&shield, VR_SECONDS(2)), -ENOMEM);
    PASS(malloc);
    vr_timeout_end(&other, 0);
    vr_kill(vr_current(), -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), -EIO);
    assert_int_equal(vr_shield_end(&shield, 0), 0);
    assert_int_equal(vr_shield_end(&shield, -EPROTO), -EPROTO);
}

static void begins_in_hub(vr_callback *callback)
{
    vr_shield shield;

    trace("%d", vr_shield_begin(&shield, VR_FOREVER) == -EPERM);
    trace("%ld", vr_shield_end(&shield, 0));
}

static void hub_callbacks_cannot_have_one(void **state)
{
    vr_callback callback = {.run = begins_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("1 0");
}

static void ends_the_outer_first(void)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_FOREVER);
    vr_shield_begin(&inner, VR_FOREVER);
    vr_shield_end(&outer, 0);
}

static void end_of_another_than_the_innermost_is_misuse(void **state)
{
    int status = status_of_child(ends_the_outer_first);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(kill_is_held_back_and_returned_at_the_end),
        virtual_test(kill_that_is_on_its_way_is_held_back),
        virtual_test(kill_is_thrown_into_the_next_wait_where_there_is_another_error_to_return),
        virtual_test(last_of_several_kills_counts),
        virtual_test(nothing_of_a_shield_is_left_when_it_has_ended),
        virtual_test(shield_is_that_of_one_greenlet_alone),
        virtual_test(shield_whose_time_is_up_is_thrown_once),
        virtual_test(what_was_held_back_is_thrown_when_the_shield_opens_and_nothing_is_held_back_then),
        virtual_test(shield_that_ends_in_time_is_over),
        virtual_test(what_the_shield_would_have_thrown_ends_with_it),
        virtual_test(shield_of_0_opens_with_the_next_trip_through_the_hub),
        virtual_test(timeout_that_was_started_before_is_held_back),
        virtual_test(timeout_that_is_started_within_is_thrown),
        virtual_test(timeout_that_ends_while_it_is_held_back_is_never_thrown),
        virtual_test(all_that_was_held_back_is_told_one_after_the_other_the_kill_first),
        virtual_test(timeout_is_thrown_when_the_shield_opens),
        virtual_test(what_comes_in_an_inner_shield_is_held_back_to_the_end_of_the_outer),
        virtual_test(inner_shield_whose_time_is_up_leaves_the_kill_with_the_outer),
        virtual_test(inner_shield_holds_on_when_the_outer_ones_time_is_up),
        virtual_test(outer_ones_own_error_is_held_back_by_the_inner),
        virtual_test(timeout_between_two_shields_is_held_back_by_the_inner_alone),
        virtual_test(shielded_victim_ends_by_the_exit_after_its_cleanup),
        virtual_test(throw_by_hand_passes_a_shield),
        virtual_test(main_greenlet_may_shield_itself),
        virtual_test(shield_without_memory_for_its_timer_is_none),
        virtual_test(hub_callbacks_cannot_have_one),
        virtual_test(end_of_another_than_the_innermost_is_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
