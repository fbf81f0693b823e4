/* Waiters: what is given meets the one that waits for it, whoever comes first. */
#include "support.h"

#include <vireo/waiter.h>

static vr_waiter waiter;

static int new_waiter(void **state)
{
    waiter = VR_WAITER;
    return use_virtual_clock(state);
}

static vr_result gets(void *argument)
{
    vr_result result = vr_waiter_get(&waiter, VR_FOREVER);

    trace("got");
    return result;
}

static vr_result gets_within_a_second(void *argument)
{
    return vr_waiter_get(&waiter, VR_SECONDS(1));
}

/* A greenlet that waits in the waiter. */
static vr_greenlet *waiting_getter(vr_function *function)
{
    vr_greenlet *getter = vr_spawn(function, NULL);

    assert_int_equal(vr_sleep(0), 0);
    assert_true(vr_running(getter));
    return getter;
}

static void assert_gets(vr_greenlet *getter, void *value)
{
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_int_equal(vr_error(getter), 0);
    assert_ptr_equal(vr_value(getter), value);
    vr_unref(getter);
}

static void assert_gets_error(vr_greenlet *getter, long error)
{
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_int_equal(vr_error(getter), error);
    vr_unref(getter);
}

static void what_is_given_before_is_stored(void **state)
{
    vr_greenlet *queued = vr_spawn(echoes, NULL);

    assert_false(vr_waiter_ready(&waiter));
    assert_int_equal(vr_waiter_switch(&waiter, number(3)), 0);
    assert_true(vr_waiter_ready(&waiter));
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(3));
    assert_false(vr_ready(queued)); /* get did not switch */
    assert_gets(queued, NULL);
}

static void error_is_given_like_a_value(void **state)
{
    assert_int_equal(vr_waiter_throw(&waiter, -EIO), 0);
    assert_true(vr_waiter_ready(&waiter));
    assert_result_error(vr_waiter_get(&waiter, VR_FOREVER), -EIO);
}

static void getter_waits_for_the_giver(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    assert_int_equal(vr_waiter_switch(&waiter, number(4)), 0);
    assert_trace(""); /* giving did not switch */
    assert_gets(getter, number(4));
    assert_trace("got");
}

static void getter_gets_an_error_that_is_given(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    assert_int_equal(vr_waiter_throw(&waiter, -EIO), 0);
    assert_gets_error(getter, -EIO);
}

static void gives_from_hub(vr_callback *callback)
{
    vr_waiter_switch(&waiter, number(5));
}

static void hub_callback_may_give(void **state)
{
    vr_callback callback = {.run = gives_from_hub};

    vr_callback_queue(&callback);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(5));
}

static vr_result gives(void *value)
{
    return vr_fail(vr_waiter_switch(&waiter, value));
}

static void main_greenlet_gets_what_a_greenlet_gives(void **state)
{
    vr_greenlet *giver = vr_spawn_later(VR_MILLISECONDS(10), gives, number(6));

    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(6));
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_gets(giver, NULL);
}

static void giving_twice_is_refused(void **state)
{
    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_int_equal(vr_waiter_switch(&waiter, number(2)), -EALREADY);
    assert_int_equal(vr_waiter_throw(&waiter, -EIO), -EALREADY);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
}

static void giving_twice_is_refused_when_the_getter_has_not_run_yet(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_int_equal(vr_waiter_switch(&waiter, number(2)), -EALREADY);
    assert_gets(getter, number(1));
}

static void what_was_given_stays_until_clear(void **state)
{
    vr_waiter_switch(&waiter, number(1));
    for (int i = 0; i < 2; i++)
        assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
    assert_int_equal(vr_waiter_clear(&waiter), 0);
    assert_false(vr_waiter_ready(&waiter));
    assert_result_error(vr_waiter_get(&waiter, 0), -ETIMEDOUT);
    assert_int_equal(vr_waiter_switch(&waiter, number(2)), 0);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(2));
}

static void second_getter_is_refused(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    assert_result_error(vr_waiter_get(&waiter, VR_FOREVER), -EBUSY);
    vr_waiter_switch(&waiter, number(1));
    assert_gets(getter, number(1));
}

static void clear_is_refused_while_a_greenlet_waits(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    assert_int_equal(vr_waiter_clear(&waiter), -EBUSY);
    vr_waiter_switch(&waiter, number(1));
    assert_gets(getter, number(1));
    assert_int_equal(vr_waiter_clear(&waiter), 0);
}

static void get_gives_up_after_its_timeout_and_leaves_the_waiter_usable(void **state)
{
    assert_result_error(vr_waiter_get(&waiter, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_false(vr_waiter_ready(&waiter));
    vr_greenlet *getter = waiting_getter(gets);
    vr_waiter_switch(&waiter, number(1));
    assert_gets(getter, number(1));
}

static void what_is_given_late_is_kept_for_the_next(void **state)
{
    vr_greenlet *getter = waiting_getter(gets_within_a_second);

    assert_gets_error(getter, -ETIMEDOUT);
    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
}

static vr_timer giving_timer;

static void gives_at_its_time(vr_callback *callback)
{
    vr_waiter_switch(&waiter, number(7));
}

static void what_is_given_in_the_instant_of_the_timeout_wins(void **state)
{
    giving_timer = (vr_timer){.callback.run = gives_at_its_time};
    vr_timer_start(&giving_timer, VR_SECONDS(1));
    assert_result_value(gets_within_a_second(NULL), number(7));
}

static void killed_getter_leaves_the_waiter_to_another(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    vr_kill(getter, -EIO);
    assert_gets_error(getter, -EIO);
    getter = waiting_getter(gets);
    vr_waiter_switch(&waiter, number(1));
    assert_gets(getter, number(1));
}

static void kill_that_comes_first_takes_nothing_from_the_waiter(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    vr_kill(getter, -EIO);
    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_gets_error(getter, -EIO);
    assert_true(vr_waiter_ready(&waiter));
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
}

static void getter_that_is_given_something_first_is_not_hurt_by_a_kill(void **state)
{
    vr_greenlet *getter = waiting_getter(gets);

    vr_waiter_switch(&waiter, number(1));
    vr_kill(getter, -EIO);
    assert_gets(getter, number(1));
}

static vr_waiter waiters[3];

static vr_result gets_from(void *index)
{
    vr_result result = vr_waiter_get(&waiters[number_of(index)], VR_FOREVER);

    trace("%ld", (long)number_of(index));
    return result;
}

static void getters_wake_in_the_order_in_which_they_were_given(void **state)
{
    vr_greenlet *getters[3];

    for (int i = 0; i < 3; i++) {
        waiters[i] = VR_WAITER;
        getters[i] = vr_spawn(gets_from, number(i));
    }
    vr_sleep(0);
    vr_waiter_switch(&waiters[2], NULL);
    vr_waiter_switch(&waiters[0], NULL);
    vr_waiter_switch(&waiters[1], NULL);
    assert_int_equal(vr_joinall(getters, 3, VR_FOREVER), 3);
    assert_trace("2 0 1");
    for (int i = 0; i < 3; i++)
        vr_unref(getters[i]);
}

static long error_in_hub;

static void gets_in_hub(vr_callback *callback)
{
    error_in_hub = vr_waiter_get(&waiter, VR_FOREVER).error;
}

static void get_in_the_hub_is_refused(void **state)
{
    vr_callback callback = {.run = gets_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_int_equal(error_in_hub, -EPERM);
    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
}

static void giving_needs_no_hub_when_nobody_waits(void **state)
{
    vr_hub_free();
    assert_int_equal(vr_waiter_switch(&waiter, number(1)), 0);
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
}

static vr_result switches_to(void *greenlet)
{
    vr_result back = vr_switch(greenlet, number(99));

    trace("back %d", back.error == -ECANCELED);
    return back;
}

static void stray_switch_does_not_end_a_wait(void **state)
{
    vr_greenlet *stray = vr_spawn(switches_to, vr_current());
    vr_greenlet *giver = vr_spawn_later(VR_MILLISECONDS(10), gives, number(1));

    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_gets(giver, NULL);
    assert_trace("");
    end_greenlet(stray);
    assert_trace("back 1");
}

static void get_that_nobody_can_answer_is_a_deadlock_and_can_be_repeated(void **state)
{
    assert_result_error(vr_waiter_get(&waiter, VR_FOREVER), -EDEADLK);
    assert_result_error(vr_waiter_get(&waiter, VR_FOREVER), -EDEADLK);
    vr_greenlet *giver = vr_spawn(gives, number(1));
    assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(1));
    assert_gets(giver, NULL);
}

#define waiter_test(function) cmocka_unit_test_setup_teardown(function, new_waiter, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        waiter_test(what_is_given_before_is_stored),
        waiter_test(error_is_given_like_a_value),
        waiter_test(getter_waits_for_the_giver),
        waiter_test(getter_gets_an_error_that_is_given),
        waiter_test(hub_callback_may_give),
        waiter_test(main_greenlet_gets_what_a_greenlet_gives),
        waiter_test(giving_twice_is_refused),
        waiter_test(giving_twice_is_refused_when_the_getter_has_not_run_yet),
        waiter_test(what_was_given_stays_until_clear),
        waiter_test(second_getter_is_refused),
        waiter_test(clear_is_refused_while_a_greenlet_waits),
        waiter_test(get_gives_up_after_its_timeout_and_leaves_the_waiter_usable),
        waiter_test(what_is_given_late_is_kept_for_the_next),
        waiter_test(what_is_given_in_the_instant_of_the_timeout_wins),
        waiter_test(killed_getter_leaves_the_waiter_to_another),
        waiter_test(kill_that_comes_first_takes_nothing_from_the_waiter),
        waiter_test(getter_that_is_given_something_first_is_not_hurt_by_a_kill),
        waiter_test(getters_wake_in_the_order_in_which_they_were_given),
        waiter_test(get_in_the_hub_is_refused),
        waiter_test(giving_needs_no_hub_when_nobody_waits),
        waiter_test(stray_switch_does_not_end_a_wait),
        waiter_test(get_that_nobody_can_answer_is_a_deadlock_and_can_be_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
