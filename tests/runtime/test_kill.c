/* Kills: who dies of them, when, and what the victim sees. */
#include "support.h"

static vr_result never_runs(void *argument)
{
    trace("ran");
    return vr_ok(argument);
}

static void traces_link(void *greenlet, void *context)
{
    trace("link");
}

/* Sleeps for ever, and tells what ended that. */
static vr_result sleeps_until_killed(void *argument)
{
    int error = vr_sleep(VR_FOREVER);

    trace("%s", error == -ECANCELED ? "exit" : error == -EIO ? "EIO" : error == -EPROTO ? "EPROTO" : "other");
    return vr_fail(error);
}

/* A victim that is in its sleep. */
static vr_greenlet *parked(vr_function *function)
{
    vr_greenlet *greenlet = vr_spawn(function, NULL);

    assert_int_equal(vr_sleep(0), 0);
    return greenlet;
}

static void unstarted_victim_dies_at_once_never_runs_and_its_links_fire(void **state)
{
    vr_greenlet *victim = vr_spawn(never_runs, NULL);
    vr_link link = {.notify = traces_link};

    vr_rawlink(victim, &link);
    vr_kill(victim, -ECANCELED);
    assert_true(vr_ready(victim));
    assert_true(vr_exited(victim));
    assert_trace("");
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    vr_hub_join(VR_FOREVER);
    assert_trace("link");
    vr_unref(victim);
}

static void unstarted_victim_of_an_error_has_failed_with_it(void **state)
{
    vr_greenlet *victim = vr_spawn(never_runs, NULL);

    vr_kill(victim, -EIO);
    vr_join(victim, VR_FOREVER);
    assert_false(vr_successful(victim));
    assert_int_equal(vr_error(victim), -EIO);
    assert_trace("");
    vr_unref(victim);
}

static void kill_cancels_a_later_start(void **state)
{
    vr_greenlet *victim = vr_spawn_later(VR_SECONDS(10), never_runs, NULL);

    vr_kill(victim, -ECANCELED);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_now(), 0);
    assert_trace("");
    vr_unref(victim);
}

static void victim_that_was_never_started_cannot_be_started_any_more(void **state)
{
    vr_greenlet *victim = vr_greenlet_new(never_runs);

    vr_kill(victim, -ECANCELED);
    vr_start(victim, NULL);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    vr_hub_join(VR_FOREVER);
    assert_trace("");
    assert_true(vr_exited(victim));
    vr_unref(victim);
}

static void killed_by_the_exit_is_successful_without_value_or_error(void **state)
{
    vr_greenlet *victim = parked(sleeps_until_killed);

    vr_kill(victim, -ECANCELED);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_trace("exit");
    assert_true(vr_successful(victim));
    assert_true(vr_exited(victim));
    assert_null(vr_value(victim));
    assert_int_equal(vr_error(victim), 0);
    vr_unref(victim);
}

static void killed_by_another_error_has_failed(void **state)
{
    vr_greenlet *victim = parked(sleeps_until_killed);

    vr_kill(victim, -EIO);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_trace("EIO");
    assert_false(vr_successful(victim));
    assert_false(vr_exited(victim));
    assert_null(vr_value(victim));
    assert_int_equal(vr_error(victim), -EIO);
    vr_unref(victim);
}

static void traces_callback(vr_callback *callback)
{
    trace("callback");
}

static void kill_is_thrown_from_the_hub_after_what_is_queued(void **state)
{
    vr_greenlet *victim = parked(sleeps_until_killed);
    vr_callback before = {.run = traces_callback};

    vr_callback_queue(&before);
    vr_kill(victim, -ECANCELED);
    assert_false(vr_ready(victim));
    assert_trace("");
    vr_join(victim, VR_FOREVER);
    assert_trace("callback exit");
    vr_unref(victim);
}

static void kill_of_a_dead_one_does_nothing(void **state)
{
    vr_greenlet *victim = vr_spawn(echoes, number(2));

    vr_join(victim, VR_FOREVER);
    vr_kill(victim, -EIO);
    vr_hub_join(VR_FOREVER);
    vr_kill(victim, -ECANCELED);
    assert_true(vr_successful(victim));
    assert_false(vr_exited(victim));
    assert_ptr_equal(vr_value(victim), number(2));
    vr_unref(victim);
}

static void kill_after_kill_leaves_the_first_end(void **state)
{
    vr_greenlet *victim = vr_spawn(never_runs, NULL);

    vr_kill(victim, -ECANCELED);
    vr_kill(victim, -EIO);
    vr_join(victim, VR_FOREVER);
    assert_true(vr_exited(victim));
    assert_int_equal(vr_error(victim), 0);
    vr_unref(victim);
}

static void last_of_several_kills_counts_and_is_delivered_once(void **state)
{
    vr_greenlet *victim = parked(sleeps_until_killed);

    vr_kill(victim, -ECANCELED);
    vr_kill(victim, -EIO);
    vr_kill(victim, -EPROTO);
    vr_join(victim, VR_FOREVER);
    vr_hub_join(VR_FOREVER);
    assert_trace("EPROTO");
    assert_int_equal(vr_error(victim), -EPROTO);
    vr_unref(victim);
}

/* Takes the first error for no reason to end. */
static vr_result survives(void *argument)
{
    int error = vr_sleep(VR_FOREVER);

    trace("%s", error == -ECANCELED ? "survives" : "other");
    error = vr_sleep(VR_SECONDS(3));
    return error ? vr_fail(error) : vr_ok(number(1));
}

static void victim_that_goes_on_survives_with_its_next_wait_whole(void **state)
{
    vr_greenlet *victim = parked(survives);

    vr_kill(victim, -ECANCELED);
    assert_int_equal(vr_join(victim, VR_SECONDS(1)), -ETIMEDOUT);
    assert_trace("survives");
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(3));
    assert_ptr_equal(vr_value(victim), number(1));
    assert_false(vr_exited(victim));
    vr_unref(victim);
}

static void survivor_can_be_killed_again(void **state)
{
    vr_greenlet *victim = parked(survives);

    vr_kill(victim, -ECANCELED);
    vr_join(victim, VR_SECONDS(1));
    vr_kill(victim, -EIO);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_int_equal(vr_error(victim), -EIO);
    vr_unref(victim);
}

static vr_result gives_way_once(void *argument)
{
    int error = vr_sleep(0);

    trace("woke %d", error);
    return vr_ok(number(1));
}

static vr_result kills(void *victim)
{
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

static void victim_that_ends_before_the_kill_arrives_has_its_own_result(void **state)
{
    vr_greenlet *victim = vr_spawn(gives_way_once, NULL);
    vr_greenlet *killer = vr_spawn(kills, victim); /* runs when the victim's wake-up is queued already */

    vr_join(victim, VR_FOREVER);
    vr_hub_join(VR_FOREVER);
    assert_trace("woke 0");
    assert_true(vr_successful(victim));
    assert_ptr_equal(vr_value(victim), number(1));
    vr_unref(victim);
    vr_unref(killer);
}

static vr_result gives_way_then_sleeps(void *argument)
{
    trace("woke %d", vr_sleep(0));
    return sleeps_until_killed(NULL);
}

static void kill_behind_a_wake_up_hits_the_next_wait(void **state)
{
    vr_greenlet *victim = vr_spawn(gives_way_then_sleeps, NULL);
    vr_greenlet *killer = vr_spawn(kills, victim);

    vr_join(victim, VR_FOREVER);
    assert_trace("woke 0 EIO");
    assert_int_equal(vr_error(victim), -EIO);
    vr_unref(victim);
    vr_unref(killer);
}

static vr_result kills_itself(void *argument)
{
    vr_kill(vr_current(), -EIO);
    trace("goes on");
    return sleeps_until_killed(NULL);
}

static void greenlet_that_kills_itself_dies_in_its_next_wait(void **state)
{
    vr_greenlet *victim = vr_spawn(kills_itself, NULL);

    vr_join(victim, VR_FOREVER);
    assert_trace("goes on EIO");
    assert_int_equal(vr_error(victim), -EIO);
    vr_unref(victim);
}

static vr_result joins(void *greenlet)
{
    return vr_fail(vr_join(greenlet, VR_FOREVER));
}

static void killed_joiner_leaves_the_joined_one_alone(void **state)
{
    vr_greenlet *joined = vr_spawn(sleeps_ms, number(10));
    vr_greenlet *joiner = vr_spawn(joins, joined);

    vr_sleep(0);
    vr_kill(joiner, -EIO);
    assert_int_equal(vr_join(joiner, VR_FOREVER), 0);
    assert_int_equal(vr_error(joiner), -EIO);
    assert_int_equal(vr_now(), 0);
    assert_int_equal(vr_join(joined, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(joined), number(10));
    vr_unref(joiner);
    vr_unref(joined);
}

static vr_result joinalls(void *greenlet)
{
    vr_greenlet *both[] = {greenlet, greenlet};

    return vr_fail(vr_joinall(both, 2, VR_FOREVER));
}

static vr_result waits(void *greenlet)
{
    vr_greenlet *one[] = {greenlet};

    return vr_fail(vr_wait(one, 1, &(vr_wait_options){.timeout = VR_SECONDS(9)}));
}

static vr_result killalls(void *greenlet)
{
    vr_greenlet *one[] = {greenlet};

    return vr_fail(vr_killall(one, 1, -EPROTO, VR_FOREVER));
}

static vr_result refuses_to_end(void *stop)
{
    while (!*(bool *)stop)
        vr_sleep(VR_SECONDS(10));
    return vr_ok(NULL);
}

static void every_wait_for_greenlets_returns_what_is_thrown(void **state)
{
    bool stop = false;
    vr_greenlet *stubborn = vr_spawn(refuses_to_end, &stop);
    vr_function *const waiters[] = {joins, joinalls, waits, killalls};

    for (size_t i = 0; i < sizeof waiters / sizeof *waiters; i++) {
        vr_greenlet *waiter = vr_spawn(waiters[i], stubborn);
        vr_sleep(0);
        vr_kill(waiter, -EIO);
        assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
        assert_int_equal(vr_error(waiter), -EIO);
        assert_int_equal(vr_now(), 0);
        vr_unref(waiter);
    }
    stop = true;
    vr_kill(stubborn, -ECANCELED);
    assert_int_equal(vr_join(stubborn, VR_FOREVER), 0);
    vr_unref(stubborn);
}

/* Ends in the turn of kills_after_10_ms, just before it. */
static vr_result fails_after_10_ms(void *error)
{
    vr_sleep(VR_MILLISECONDS(10));
    return vr_fail(number_of(error));
}

static vr_result kills_after_10_ms(void *victim)
{
    vr_sleep(VR_MILLISECONDS(10));
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

static vr_result waits_for_success(void *greenlet)
{
    vr_greenlet *one[] = {greenlet};

    return vr_fail(vr_wait(one, 1, &(vr_wait_options){.timeout = VR_FOREVER, .flags = VR_RAISE_ERROR}));
}

static void kill_in_the_turn_in_which_the_wait_is_over_is_not_lost(void **state)
{
    vr_function *const waiters[] = {joins, joinalls, waits, waits_for_success};

    for (size_t i = 0; i < sizeof waiters / sizeof *waiters; i++) {
        /* The kill is ordered first, then the wait is over, then the victim would have its turn. */
        vr_greenlet *failing = vr_greenlet_new(fails_after_10_ms);
        vr_greenlet *waiter = vr_spawn(waiters[i], failing);
        vr_greenlet *killer = vr_spawn(kills_after_10_ms, waiter);
        vr_start(failing, number(-ENOENT));
        assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
        assert_int_equal(vr_error(waiter), -EIO);
        vr_unref(failing);
        vr_unref(waiter);
        vr_unref(killer);
        assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    }
}

static void kill_after_the_victim_had_its_result_comes_too_late(void **state)
{
    vr_greenlet *failing = vr_spawn(fails_after_10_ms, number(-ENOENT));
    vr_greenlet *waiter = vr_spawn(joins, failing);
    vr_greenlet *killer = vr_spawn(kills_after_10_ms, waiter);

    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    assert_int_equal(vr_error(waiter), 0);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    vr_unref(failing);
    vr_unref(waiter);
    vr_unref(killer);
}

static void killall_ends_victims_of_every_state(void **state)
{
    vr_greenlet *sleeping = parked(sleeps_until_killed);
    vr_greenlet *dead = vr_spawn(echoes, number(1));
    vr_join(dead, VR_FOREVER);
    vr_greenlet *unstarted = vr_spawn(never_runs, NULL);
    vr_greenlet *later = vr_spawn_later(VR_SECONDS(5), never_runs, NULL);
    vr_greenlet *all[] = {sleeping, dead, NULL, unstarted, later, sleeping};

    assert_int_equal(vr_killall(all, 6, -ECANCELED, VR_FOREVER), 0);
    assert_trace("exit");
    assert_true(vr_exited(sleeping) && vr_exited(unstarted) && vr_exited(later));
    assert_ptr_equal(vr_value(dead), number(1));
    assert_int_equal(vr_now(), 0);
    vr_unref(sleeping);
    vr_unref(dead);
    vr_unref(unstarted);
    vr_unref(later);
}

static void killall_of_none_is_done(void **state)
{
    assert_int_equal(vr_killall(NULL, 0, -ECANCELED, VR_FOREVER), 0);
}

static void killall_waits_no_longer_than_its_timeout(void **state)
{
    vr_greenlet *victim[] = {parked(survives)};

    assert_int_equal(vr_killall(victim, 1, -ECANCELED, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_int_equal(vr_killall(victim, 1, -ECANCELED, VR_SECONDS(1)), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_unref(victim[0]);
}

static vr_greenlet *victim_of_callback;

static void kills_from_hub(vr_callback *callback)
{
    vr_kill(victim_of_callback, -EIO);
    trace("killed");
}

static void hub_callbacks_may_kill(void **state)
{
    vr_callback callback = {.run = kills_from_hub};

    victim_of_callback = parked(sleeps_until_killed);
    vr_callback_queue(&callback);
    assert_int_equal(vr_join(victim_of_callback, VR_FOREVER), 0);
    assert_trace("killed EIO");
    vr_unref(victim_of_callback);
}

static void kill_needs_no_reference_to_stay(void **state)
{
    vr_greenlet *victim = parked(sleeps_until_killed);

    vr_kill(victim, -ECANCELED);
    vr_unref(victim);
    vr_hub_join(VR_FOREVER);
    assert_trace("exit");
}

static void unstarted_victim_needs_no_reference_to_stay(void **state)
{
    vr_greenlet *victim = vr_spawn(never_runs, NULL);
    vr_link link = {.notify = traces_link};

    vr_rawlink(victim, &link);
    vr_kill(victim, -ECANCELED);
    vr_unref(victim);
    vr_hub_join(VR_FOREVER);
    assert_trace("link");
}

static vr_result waits_for_a_switch(void *main_greenlet)
{
    vr_result back = vr_switch(main_greenlet, NULL);

    trace("%s", back.error == -EIO ? "EIO" : "other");
    return vr_ok(NULL);
}

static void kill_reaches_a_greenlet_that_waits_in_a_switch(void **state)
{
    vr_greenlet *victim = vr_greenlet_new(waits_for_a_switch);
    vr_greenlet *hub = vr_parent(vr_current());

    assert_null(hub);
    vr_switch(victim, vr_current());
    vr_kill(victim, -EIO);
    assert_trace("");
    /* Its parent is the main greenlet: the end of the victim is what ends this sleep. */
    vr_sleep(VR_SECONDS(1));
    assert_trace("EIO");
    assert_true(vr_dead(victim));
    vr_unref(victim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(unstarted_victim_dies_at_once_never_runs_and_its_links_fire),
        virtual_test(unstarted_victim_of_an_error_has_failed_with_it),
        virtual_test(kill_cancels_a_later_start),
        virtual_test(victim_that_was_never_started_cannot_be_started_any_more),
        virtual_test(killed_by_the_exit_is_successful_without_value_or_error),
        virtual_test(killed_by_another_error_has_failed),
        virtual_test(kill_is_thrown_from_the_hub_after_what_is_queued),
        virtual_test(kill_of_a_dead_one_does_nothing),
        virtual_test(kill_after_kill_leaves_the_first_end),
        virtual_test(last_of_several_kills_counts_and_is_delivered_once),
        virtual_test(victim_that_goes_on_survives_with_its_next_wait_whole),
        virtual_test(survivor_can_be_killed_again),
        virtual_test(victim_that_ends_before_the_kill_arrives_has_its_own_result),
        virtual_test(kill_behind_a_wake_up_hits_the_next_wait),
        virtual_test(greenlet_that_kills_itself_dies_in_its_next_wait),
        virtual_test(killed_joiner_leaves_the_joined_one_alone),
        virtual_test(every_wait_for_greenlets_returns_what_is_thrown),
        virtual_test(kill_in_the_turn_in_which_the_wait_is_over_is_not_lost),
        virtual_test(kill_after_the_victim_had_its_result_comes_too_late),
        virtual_test(killall_ends_victims_of_every_state),
        virtual_test(killall_of_none_is_done),
        virtual_test(killall_waits_no_longer_than_its_timeout),
        virtual_test(hub_callbacks_may_kill),
        virtual_test(kill_needs_no_reference_to_stay),
        virtual_test(unstarted_victim_needs_no_reference_to_stay),
        virtual_test(kill_reaches_a_greenlet_that_waits_in_a_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
