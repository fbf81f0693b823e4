/* Errors that are thrown from greenlet to greenlet, and where they end. No hub runs here. */
#include "support.h"

static vr_greenlet *victim;

/* Waits for whoever switches back, and tells what came. */
static vr_result waits_and_passes_on(void *argument)
{
    vr_result back = vr_switch(vr_parent(vr_current()), argument);

    trace("got %ld", back.error);
    return back;
}

static vr_result waits_and_recovers(void *argument)
{
    vr_result back = vr_switch(vr_parent(vr_current()), argument);

    return back.error ? vr_ok(number(42)) : vr_ok(NULL);
}

static vr_result never_runs(void *argument)
{
    trace("ran");
    return vr_ok(argument);
}

static void assert_traced(const char *word, long error)
{
    char expected[64];

    snprintf(expected, sizeof expected, "%s %ld", word, error);
    assert_trace(expected);
}

static void throw_is_what_the_suspended_switch_returns_and_uncaught_reaches_the_parent(void **state)
{
    victim = vr_greenlet_new(waits_and_passes_on);
    vr_switch(victim, NULL);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_traced("got", -EIO);
    assert_true(vr_dead(victim));
    assert_false(vr_successful(victim));
    assert_int_equal(vr_error(victim), -EIO);
    assert_null(vr_value(victim));
    vr_unref(victim);
}

static void caught_error_lets_the_victim_go_on(void **state)
{
    victim = vr_greenlet_new(waits_and_recovers);
    vr_switch(victim, NULL);
    assert_result_value(vr_throw(victim, -EIO), number(42));
    assert_true(vr_successful(victim));
    assert_ptr_equal(vr_value(victim), number(42));
    vr_unref(victim);
}

static void exit_comes_back_as_the_value_null(void **state)
{
    victim = vr_greenlet_new(waits_and_passes_on);
    vr_switch(victim, NULL);
    assert_result_value(vr_throw(victim, -ECANCELED), NULL);
    assert_traced("got", -ECANCELED);
    assert_true(vr_dead(victim));
    assert_true(vr_exited(victim));
    assert_true(vr_successful(victim));
    assert_null(vr_value(victim));
    assert_int_equal(vr_error(victim), 0);
    vr_unref(victim);
}

static void function_that_returns_the_exit_has_ended_well(void **state)
{
    victim = vr_greenlet_new(fails);
    assert_result_value(vr_switch(victim, number(-ECANCELED)), NULL);
    assert_true(vr_exited(victim));
    assert_true(vr_successful(victim));
    assert_int_equal(vr_error(victim), 0);
    vr_unref(victim);
}

static void caught_exit_is_no_exit(void **state)
{
    victim = vr_greenlet_new(waits_and_recovers);
    vr_switch(victim, NULL);
    assert_result_value(vr_throw(victim, -ECANCELED), number(42));
    assert_false(vr_exited(victim));
    vr_unref(victim);
}

static void throw_into_an_unstarted_one_kills_it_without_running_it(void **state)
{
    victim = vr_greenlet_new(never_runs);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_trace("");
    assert_true(vr_dead(victim));
    assert_int_equal(vr_error(victim), -EIO);
    vr_unref(victim);
}

static void exit_into_an_unstarted_one_comes_back_as_the_value_null(void **state)
{
    victim = vr_greenlet_new(never_runs);
    assert_result_value(vr_throw(victim, -ECANCELED), NULL);
    assert_trace("");
    assert_true(vr_dead(victim));
    assert_true(vr_exited(victim));
    vr_unref(victim);
}

static void error_of_an_unstarted_one_goes_up_through_unstarted_parents(void **state)
{
    vr_greenlet *grandparent = vr_greenlet_new(never_runs);
    vr_greenlet *parent = vr_greenlet_new(never_runs);

    victim = vr_greenlet_new(never_runs);
    assert_int_equal(vr_set_parent(parent, grandparent), 0);
    assert_int_equal(vr_set_parent(victim, parent), 0);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_trace("");
    assert_true(vr_dead(victim) && vr_dead(parent) && vr_dead(grandparent));
    assert_int_equal(vr_error(grandparent), -EIO);
    vr_unref(victim);
    vr_unref(parent);
    vr_unref(grandparent);
}

static void error_goes_up_to_a_parent_that_waits_in_a_switch(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(waits_and_recovers);

    victim = vr_greenlet_new(never_runs);
    vr_switch(parent, NULL);
    assert_int_equal(vr_set_parent(victim, parent), 0);
    assert_result_value(vr_throw(victim, -EIO), number(42));
    assert_true(vr_dead(victim) && vr_dead(parent));
    vr_unref(victim);
    vr_unref(parent);
}

static void throw_into_a_dead_one_goes_to_its_parent(void **state)
{
    victim = vr_greenlet_new(echoes);
    vr_switch(victim, NULL);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_result_value(vr_throw(victim, -ECANCELED), NULL);
    assert_int_equal(vr_error(victim), 0);
    vr_unref(victim);
}

static void throw_into_a_dead_one_goes_on_to_a_suspended_parent(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(waits_and_passes_on);

    victim = vr_greenlet_new(echoes);
    vr_switch(victim, NULL);
    vr_switch(parent, NULL);
    assert_int_equal(vr_set_parent(victim, parent), 0);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_traced("got", -EIO);
    assert_true(vr_dead(parent));
    vr_unref(victim);
    vr_unref(parent);
}

static void exit_into_a_dead_one_reaches_a_suspended_parent_as_a_value(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(waits_and_passes_on);

    victim = vr_greenlet_new(echoes);
    vr_switch(victim, NULL);
    vr_switch(parent, NULL);
    assert_int_equal(vr_set_parent(victim, parent), 0);
    assert_result_value(vr_throw(victim, -ECANCELED), NULL);
    assert_trace("got 0");
    assert_true(vr_dead(parent));
    assert_false(vr_exited(parent));
    vr_unref(victim);
    vr_unref(parent);
}

static void throw_into_the_current_greenlet_returns_the_error(void **state)
{
    assert_result_error(vr_throw(vr_current(), -EIO), -EIO);
    assert_result_error(vr_throw(vr_current(), -ECANCELED), -ECANCELED);
}

static vr_result throws_into_its_parent(void *argument)
{
    vr_result back = vr_throw(vr_parent(vr_current()), -EPROTO);

    trace("back %ld", (long)number_of(back.value));
    return vr_ok(NULL);
}

static void throw_into_the_parent_leaves_the_thrower_suspended(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(throws_into_its_parent);

    assert_result_error(vr_switch(greenlet, NULL), -EPROTO);
    assert_true(vr_running(greenlet));
    vr_switch(greenlet, number(5));
    assert_trace("back 5");
    assert_true(vr_dead(greenlet));
    vr_unref(greenlet);
}

/* Makes a greenlet, which would take the place of the current one if that had been freed. */
static vr_result makes_another(void *argument)
{
    vr_greenlet *other = vr_greenlet_new(never_runs);

    trace("%s", other == vr_current() ? "in its own place" : "runs");
    vr_unref(other);
    return vr_ok(number(7));
}

/* A started greenlet that nobody but the hub holds, and a parent that nobody but it holds. */
static vr_greenlet *started_with_a_parent_of_its_own(vr_function *function, vr_function *parent_function)
{
    vr_greenlet *greenlet = vr_spawn(function, NULL), *parent = vr_greenlet_new(parent_function);

    assert_int_equal(vr_set_parent(greenlet, parent), 0);
    vr_unref(parent);
    vr_unref(greenlet);
    return greenlet;
}

static void parent_that_only_the_victim_held_goes_on(void **state)
{
    victim = started_with_a_parent_of_its_own(never_runs, makes_another);
    assert_result_value(vr_throw(victim, -ECANCELED), number(7));
    assert_trace("runs");
}

static void parent_that_only_the_ended_one_held_goes_on(void **state)
{
    victim = started_with_a_parent_of_its_own(echoes, makes_another);
    assert_result_value(vr_switch(victim, NULL), number(7));
    assert_trace("runs");
}

static void suspended_parent_that_only_the_victim_held_goes_on_and_is_freed_when_it_ends(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(waits_and_passes_on);

    vr_switch(parent, NULL);
    victim = vr_spawn(never_runs, NULL);
    assert_int_equal(vr_set_parent(victim, parent), 0);
    vr_unref(parent);
    vr_unref(victim);
    assert_result_value(vr_throw(victim, -ECANCELED), NULL);
    assert_traced("got", 0);
}

static bool is_handled(vr_greenlet *greenlet, long error)
{
    trace("handled %d", error == -EIO);
    return false;
}

static void error_of_an_unreferenced_victim_is_told_to_the_handler_too(void **state)
{
    victim = vr_spawn(never_runs, NULL);
    vr_unref(victim);
    vr_hub_handle_error(is_handled);
    assert_int_equal(vr_set_parent(victim, vr_current()), 0);
    assert_result_error(vr_throw(victim, -EIO), -EIO);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("handled 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(throw_is_what_the_suspended_switch_returns_and_uncaught_reaches_the_parent),
        real_test(caught_error_lets_the_victim_go_on),
        real_test(exit_comes_back_as_the_value_null),
        real_test(function_that_returns_the_exit_has_ended_well),
        real_test(caught_exit_is_no_exit),
        real_test(throw_into_an_unstarted_one_kills_it_without_running_it),
        real_test(exit_into_an_unstarted_one_comes_back_as_the_value_null),
        real_test(error_of_an_unstarted_one_goes_up_through_unstarted_parents),
        real_test(error_goes_up_to_a_parent_that_waits_in_a_switch),
        real_test(throw_into_a_dead_one_goes_to_its_parent),
        real_test(throw_into_a_dead_one_goes_on_to_a_suspended_parent),
        real_test(exit_into_a_dead_one_reaches_a_suspended_parent_as_a_value),
        real_test(throw_into_the_current_greenlet_returns_the_error),
        real_test(throw_into_the_parent_leaves_the_thrower_suspended),
        real_test(parent_that_only_the_victim_held_goes_on),
        real_test(parent_that_only_the_ended_one_held_goes_on),
        real_test(suspended_parent_that_only_the_victim_held_goes_on_and_is_freed_when_it_ends),
        real_test(error_of_an_unreferenced_victim_is_told_to_the_handler_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
