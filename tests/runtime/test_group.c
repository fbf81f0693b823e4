/* Groups: who is a member, when a join ends, and who is killed. */
#include "faults.h"
#include "support.h"

#include <vireo/pool.h>
#include <vireo/timeout.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

/* --- Members --- */

static void members_are_counted_while_they_run(void **state)
{
    vr_group group = VR_GROUP;

    assert_int_equal(vr_group_count(&group), 0);
    vr_greenlet *one = vr_group_spawn(&group, echoes, number(1));
    vr_greenlet *two = vr_group_spawn(&group, sleeps_ms, number(1000));
    assert_int_equal(vr_group_count(&group), 2);
    assert_true(vr_group_has(&group, one) && vr_group_has(&group, two));
    assert_int_equal(vr_join(one, VR_FOREVER), 0);
    vr_sleep(0);
    assert_int_equal(vr_group_count(&group), 1);
    assert_false(vr_group_has(&group, one));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_int_equal(vr_group_count(&group), 0);
    assert_int_equal(seconds_now(), 1);
    assert_ptr_equal(vr_value(one), number(1));
    assert_ptr_equal(vr_value(two), number(1000));
    vr_unref(one);
    vr_unref(two);
}

static void greenlets_of_every_state_can_be_added(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *dead = vr_spawn(echoes, NULL), *asleep = vr_spawn(sleeps_ms, number(1000));
    vr_greenlet *later = vr_spawn_later(VR_SECONDS(2), echoes, NULL), *unstarted = vr_greenlet_new(echoes);
    vr_greenlet *all[] = {dead, asleep, later, unstarted};

    vr_join(dead, VR_FOREVER);
    for (int i = 0; i < 4; i++)
        assert_int_equal(vr_group_add(&group, all[i]), 0);
    assert_int_equal(vr_group_count(&group), 4);
    assert_int_equal(vr_group_join(&group, VR_SECONDS(5), 0), -ETIMEDOUT);
    assert_int_equal(vr_group_count(&group), 1);
    vr_start(unstarted, NULL);
    assert_int_equal(vr_group_join(&group, VR_SECONDS(5), 0), 0);
    for (int i = 0; i < 4; i++)
        vr_unref(all[i]);
}

static void member_that_is_added_again_is_one_still(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *member = vr_group_spawn(&group, echoes, NULL);

    assert_int_equal(vr_group_add(&group, member), 0);
    assert_int_equal(vr_group_count(&group), 1);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    vr_unref(member);
}

static void greenlet_may_be_in_several_groups(void **state)
{
    vr_group one = VR_GROUP, two = VR_GROUP;
    vr_greenlet *member = vr_group_spawn(&one, sleeps_ms, number(1000));

    assert_int_equal(vr_group_add(&two, member), 0);
    vr_group_discard(&one, member);
    assert_int_equal(vr_group_count(&one), 0);
    assert_true(vr_group_has(&two, member));
    assert_int_equal(vr_group_join(&two, VR_FOREVER, 0), 0);
    vr_unref(member);
}

static void discarded_member_runs_on_unseen(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *member = vr_group_spawn(&group, sleeps_ms, number(1000));
    vr_greenlet *stranger = vr_spawn(echoes, NULL);

    vr_group_discard(&group, stranger);
    vr_group_discard(&group, NULL);
    assert_int_equal(vr_group_count(&group), 1);
    vr_group_discard(&group, member);
    vr_group_discard(&group, member);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 0);
    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_FOREVER), 0);
    assert_int_equal(vr_join(member, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(member), number(1000));
    vr_unref(member);
    vr_unref(stranger);
}

static void group_keeps_no_greenlet_alive(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *unstarted = vr_greenlet_new(echoes);

    assert_int_equal(vr_group_add(&group, unstarted), 0);
    vr_unref(unstarted);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    /* free_hub fails where a greenlet is left. */
}

static void member_without_memory_is_an_error(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);

    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_group_add(&group, greenlet), -ENOMEM);
    FAIL(malloc, ENOMEM);
    errno = 0;
    assert_null(vr_group_spawn(&group, echoes, NULL));
    assert_int_equal(errno, ENOMEM);
    PASS(malloc);
    assert_int_equal(vr_group_add(&group, NULL), -ENOMEM);
    assert_false(vr_group_has(&group, NULL));
    assert_int_equal(vr_group_count(&group), 0);
    vr_join(greenlet, VR_FOREVER);
    vr_unref(greenlet);
}

/* --- Joining --- */

static void join_of_an_empty_group_does_not_switch(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *other = vr_spawn(echoes, NULL);

    assert_int_equal(vr_group_join(&group, VR_FOREVER, VR_RAISE_ERROR), 0);
    assert_false(vr_ready(other));
    vr_join(other, VR_FOREVER);
    vr_unref(other);
}

static vr_result spawns_the_next(void *group)
{
    vr_sleep(VR_SECONDS(1));
    vr_unref(vr_group_spawn(group, sleeps_ms, number(1000)));
    return vr_ok(NULL);
}

static void join_waits_for_those_that_are_added_meanwhile(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, spawns_the_next, &group));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 2);
}

static void refills(void *greenlet, void *group)
{
    vr_unref(vr_group_spawn(group, sleeps_ms, number(1000)));
}

static void group_that_was_empty_for_a_moment_is_joined(void **state)
{
    vr_group group = VR_GROUP;
    vr_link link = {.notify = refills, .context = &group};
    vr_greenlet *member = vr_group_spawn(&group, sleeps_ms, number(1000));

    vr_rawlink(member, &link); /* behind the group's own */
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_group_count(&group), 1);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    vr_unref(member);
}

static vr_result joins(void *group)
{
    return vr_fail(vr_group_join(group, VR_FOREVER, 0));
}

static void any_number_may_join(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *joiners[3];

    for (int i = 0; i < 3; i++)
        joiners[i] = vr_spawn(joins, &group);
    vr_unref(vr_group_spawn(&group, sleeps_ms, number(1000)));
    assert_int_equal(vr_joinall(joiners, 3, VR_FOREVER), 3);
    assert_int_equal(seconds_now(), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vr_error(joiners[i]), 0);
        vr_unref(joiners[i]);
    }
}

static void join_fails_with_what_ends_its_wait(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *member = vr_group_spawn(&group, sleeps_forever, NULL), *joiner = vr_spawn(joins, &group);

    assert_int_equal(vr_group_join(&group, 0, 0), -ETIMEDOUT);
    assert_int_equal(vr_group_join(&group, VR_SECONDS(1), 0), -ETIMEDOUT);
    assert_int_equal(seconds_now(), 1);
    vr_kill(joiner, -EIO);
    assert_int_equal(vr_join(joiner, VR_FOREVER), 0);
    assert_int_equal(vr_error(joiner), -EIO);
    vr_unref(joiner);
    end_greenlet(member);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
}

static void member_that_ends_in_the_turn_of_the_timeout_was_in_time(void **state)
{
    vr_group group = VR_GROUP;

    for (int i = 0; i < 3; i++)
        vr_unref(vr_group_spawn(&group, sleeps_ms, number(1000)));
    vr_sleep(0);
    assert_int_equal(vr_group_join(&group, VR_SECONDS(1), 0), 0);
    assert_int_equal(vr_group_count(&group), 0);
}

static vr_result kills_after_a_second(void *victim)
{
    vr_sleep(VR_SECONDS(1));
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

static void join_that_is_over_in_the_turn_of_its_timeout_or_of_a_kill(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, sleeps_ms, number(1000)));
    vr_greenlet *joiner = vr_spawn(joins, &group), *killer = vr_spawn(kills_after_a_second, joiner);
    vr_sleep(0);
    /* The timeout loses where the end comes first; the kill is thrown in any case, or came too late. */
    int error = vr_group_join(&group, VR_SECONDS(1), 0);
    assert_true(error == 0 || error == -ETIMEDOUT);
    vr_join(joiner, VR_FOREVER);
    assert_true(vr_error(joiner) == 0 || vr_error(joiner) == -EIO);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    vr_join(killer, VR_FOREVER);
    vr_unref(joiner);
    vr_unref(killer);
}

static void join_with_raise_error_returns_the_first_failure_meanwhile(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, fails, number(-ECANCELED)));
    vr_unref(vr_group_spawn(&group, fails, number(-EIO)));
    vr_unref(vr_group_spawn(&group, fails, number(-EPROTO)));
    vr_unref(vr_group_spawn(&group, sleeps_ms, number(1000)));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, VR_RAISE_ERROR), -EIO);
    assert_int_equal(seconds_now(), 1); /* it waited for all */
    vr_unref(vr_group_spawn(&group, echoes, NULL));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, VR_RAISE_ERROR), 0);
}

static vr_result joins_its_own(void *group)
{
    return vr_fail(vr_group_join(group, VR_FOREVER, 0));
}

static void member_cannot_join_its_group(void **state)
{
    vr_group group = VR_GROUP;
    vr_greenlet *member = vr_group_spawn(&group, joins_its_own, &group);

    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_int_equal(vr_error(member), -EINVAL);
    vr_unref(member);
}

static vr_group *group_for_callback;

static void uses_group_in_hub(vr_callback *callback)
{
    trace("%d", vr_group_join(group_for_callback, VR_FOREVER, 0));
    vr_unref(vr_group_spawn(group_for_callback, echoes, NULL));
    trace("%d", vr_group_join(group_for_callback, VR_FOREVER, 0) == -EPERM);
    trace("%d", vr_group_kill(group_for_callback, -ECANCELED, VR_FOREVER) == -EPERM);
}

static void hub_callbacks_may_spawn_and_kill_but_not_wait(void **state)
{
    vr_group group = VR_GROUP;
    vr_callback callback = {.run = uses_group_in_hub};

    group_for_callback = &group;
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("0 1 1");
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
}

/* --- Errors that nobody sees --- */

static bool traces_report(vr_greenlet *greenlet, long error)
{
    char name[32];

    trace("%s:%ld", vr_name_of(greenlet, name, sizeof name), -error);
    return false;
}

static vr_result fails_named(void *error)
{
    vr_set_name(vr_current(), "failing");
    return vr_fail(number_of(error));
}

static void error_of_a_member_that_nobody_holds_is_reported(void **state)
{
    vr_group group = VR_GROUP;

    vr_hub_handle_error(traces_report);
    vr_unref(vr_group_spawn(&group, fails_named, number(-5)));
    vr_unref(vr_group_spawn(&group, fails_named, number(-ECANCELED)));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_trace("failing:5");
}

static void error_that_somebody_sees_is_not_reported(void **state)
{
    vr_group group = VR_GROUP, other = VR_GROUP;

    vr_hub_handle_error(traces_report);
    vr_greenlet *held = vr_group_spawn(&group, fails_named, number(-5));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    vr_unref(held);
    vr_unref(vr_group_spawn(&group, fails_named, number(-5)));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, VR_RAISE_ERROR), -5);
    assert_trace("");
    /* In two groups: once. */
    held = vr_group_spawn(&group, fails_named, number(-5));
    vr_group_add(&other, held);
    vr_unref(held);
    assert_int_equal(vr_group_join(&other, VR_FOREVER, 0), 0);
    vr_sleep(0);
    assert_trace("failing:5");
}

/* --- Killing --- */

static vr_result never_runs(void *argument)
{
    trace("ran");
    return vr_ok(NULL);
}

static vr_result cleans_up(void *argument)
{
    trace("%d", vr_sleep(VR_FOREVER) == -EIO);
    vr_sleep(VR_SECONDS(1));
    return vr_ok(NULL);
}

static void kill_kills_all_and_waits_for_their_end(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, cleans_up, NULL));
    vr_unref(vr_group_spawn(&group, cleans_up, NULL));
    vr_sleep(0);
    vr_unref(vr_group_spawn(&group, never_runs, NULL));
    vr_hub_handle_error(traces_report);
    assert_int_equal(vr_group_kill(&group, -EIO, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_group_count(&group), 0);
    assert_non_null(strstr(trace_text, "1 1"));
    assert_null(strstr(trace_text, "ran"));
    trace_clear();
}

static void kill_of_an_empty_group_is_done(void **state)
{
    vr_group group = VR_GROUP;

    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_FOREVER), 0);
}

static vr_result survives_once(void *argument)
{
    vr_sleep(VR_FOREVER);
    return vr_fail(vr_sleep(VR_FOREVER));
}

static void kill_waits_no_longer_than_its_timeout(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, survives_once, NULL));
    vr_sleep(0);
    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_group_count(&group), 1);
    /* It is over, and kills no newcomers. */
    vr_greenlet *newcomer = vr_group_spawn(&group, sleeps_ms, number(10));
    assert_int_equal(vr_join(newcomer, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(newcomer), number(10));
    vr_unref(newcomer);
    /* Whether its trip through the hub is enough for the end is left open. */
    int error = vr_group_kill(&group, -ECANCELED, 0);
    assert_true(error == 0 || error == -ETIMEDOUT);
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
}

static vr_result spawns_when_killed(void *group)
{
    vr_sleep(VR_FOREVER);
    vr_greenlet *newcomer = vr_group_spawn(group, never_runs, NULL);
    trace("%d", vr_exited(newcomer));
    vr_unref(newcomer);
    return vr_ok(NULL);
}

static void kill_kills_newcomers(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, spawns_when_killed, &group));
    vr_sleep(0);
    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_FOREVER), 0);
    assert_trace("1");
    assert_int_equal(vr_group_count(&group), 0);
}

static vr_result kills_the_others(void *group)
{
    trace("%d", vr_group_kill(group, -ECANCELED, VR_FOREVER));
    trace("left-%zu", vr_group_count(group));
    return vr_ok(NULL);
}

static void member_that_kills_its_group_is_spared(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, sleeps_forever, NULL));
    vr_unref(vr_group_spawn(&group, kills_the_others, &group));
    vr_unref(vr_group_spawn(&group, sleeps_forever, NULL));
    assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
    assert_trace("0 left-1");
}

static vr_result kills_group(void *group)
{
    return vr_fail(vr_group_kill(group, -ECANCELED, VR_FOREVER));
}

static void kill_in_the_wait_of_a_kill(void **state)
{
    vr_group group = VR_GROUP;

    vr_unref(vr_group_spawn(&group, survives_once, NULL));
    vr_greenlet *killer = vr_spawn(kills_group, &group);
    vr_sleep(0);
    vr_kill(killer, -EIO);
    assert_int_equal(vr_join(killer, VR_FOREVER), 0);
    assert_int_equal(vr_error(killer), -EIO);
    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_FOREVER), 0);
    vr_unref(killer);
}

static void many_come_and_go(void **state)
{
    vr_group group = VR_GROUP;
    size_t count = scaled(10000);

    for (size_t i = 0; i < count; i++)
        vr_unref(vr_group_spawn(&group, i % 2 ? echoes : sleeps_forever, NULL));
    assert_int_equal(vr_group_count(&group), count);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_group_count(&group), count - count / 2);
    assert_int_equal(vr_group_kill(&group, -ECANCELED, VR_FOREVER), 0);
    assert_int_equal(vr_group_count(&group), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(members_are_counted_while_they_run),
        virtual_test(greenlets_of_every_state_can_be_added),
        virtual_test(member_that_is_added_again_is_one_still),
        virtual_test(greenlet_may_be_in_several_groups),
        virtual_test(discarded_member_runs_on_unseen),
        virtual_test(group_keeps_no_greenlet_alive),
        virtual_test(member_without_memory_is_an_error),
        virtual_test(join_of_an_empty_group_does_not_switch),
        virtual_test(join_waits_for_those_that_are_added_meanwhile),
        virtual_test(group_that_was_empty_for_a_moment_is_joined),
        virtual_test(any_number_may_join),
        virtual_test(join_fails_with_what_ends_its_wait),
        virtual_test(member_that_ends_in_the_turn_of_the_timeout_was_in_time),
        virtual_test(join_that_is_over_in_the_turn_of_its_timeout_or_of_a_kill),
        virtual_test(join_with_raise_error_returns_the_first_failure_meanwhile),
        virtual_test(member_cannot_join_its_group),
        virtual_test(hub_callbacks_may_spawn_and_kill_but_not_wait),
        virtual_test(error_of_a_member_that_nobody_holds_is_reported),
        virtual_test(error_that_somebody_sees_is_not_reported),
        virtual_test(kill_kills_all_and_waits_for_their_end),
        virtual_test(kill_of_an_empty_group_is_done),
        virtual_test(kill_waits_no_longer_than_its_timeout),
        virtual_test(kill_kills_newcomers),
        virtual_test(member_that_kills_its_group_is_spared),
        virtual_test(kill_in_the_wait_of_a_kill),
        virtual_test(many_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
