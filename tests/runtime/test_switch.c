/* Greenlets that switch to each other by name: values, parents, references. No hub runs here. */
#include "support.h"

#include <pthread.h>

static vr_greenlet *first, *second;

static vr_result prints_12_34(void *argument)
{
    trace("12");
    vr_switch(second, NULL);
    trace("34");
    return vr_ok(NULL);
}

static vr_result prints_56_78(void *argument)
{
    trace("56");
    vr_result back = vr_switch(first, NULL);
    if (back.error)
        return back;
    trace("78");
    return vr_ok(NULL);
}

static void two_greenlets_switch_to_each_other(void **state)
{
    first = vr_greenlet_new(prints_12_34);
    second = vr_greenlet_new(prints_56_78);
    vr_switch(first, NULL);
    assert_true(vr_dead(first));
    assert_true(vr_running(second));
    vr_unref(first);
    vr_unref(second);
    assert_trace("12 56 34");
}

static void first_switch_hands_the_function_its_argument(void **state)
{
    int x;
    vr_greenlet *greenlet = vr_greenlet_new(echoes);

    assert_result_value(vr_switch(greenlet, &x), &x);
    assert_true(vr_dead(greenlet));
    vr_unref(greenlet);
}

/* Hands each number on to its parent, ten times as large, until it is given 0. */
static vr_result multiplies(void *argument)
{
    intptr_t n = number_of(argument);

    while (n)
        n = number_of(vr_switch(vr_parent(vr_current()), number(10 * n)).value);
    return vr_ok(number(-1));
}

static void later_values_are_what_the_suspended_switch_returns(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(multiplies);

    for (intptr_t n = 1; n <= 3; n++)
        assert_result_value(vr_switch(greenlet, number(n)), number(10 * n));
    assert_result_value(vr_switch(greenlet, NULL), number(-1));
    assert_true(vr_dead(greenlet));
    vr_unref(greenlet);
}

static void value_of_the_function_is_kept(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);

    assert_false(vr_ready(greenlet));
    vr_switch(greenlet, number(7));
    assert_true(vr_ready(greenlet));
    assert_ptr_equal(vr_value(greenlet), number(7));
    vr_unref(greenlet);
}

static vr_result switches_to_second(void *argument)
{
    return vr_switch(second, argument);
}

static void end_of_the_function_goes_to_the_parent_not_to_who_switched(void **state)
{
    first = vr_greenlet_new(switches_to_second);
    second = vr_greenlet_new(echoes);
    assert_result_value(vr_switch(first, number(5)), number(5));
    assert_true(vr_dead(second));
    assert_false(vr_dead(first));
    assert_result_value(vr_switch(first, number(6)), number(6));
    assert_true(vr_dead(first));
    vr_unref(first);
    vr_unref(second);
}

static void error_of_the_function_goes_to_the_parent(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(fails);

    assert_result_error(vr_switch(greenlet, number(-EIO)), -EIO);
    assert_int_equal(vr_error(greenlet), -EIO);
    vr_unref(greenlet);
}

static void dead_target_stands_for_its_parent(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);

    vr_switch(greenlet, NULL);
    assert_result_value(vr_switch(greenlet, number(3)), number(3));
    vr_unref(greenlet);
}

/* Runs `second` with a parent of its own (`first`) to the end, then reports to main what reaches it. */
static vr_result parent_of_second(void *argument)
{
    vr_set_parent(second, vr_current());
    vr_switch(second, NULL);
    vr_result result = vr_switch(vr_parent(vr_current()), NULL);
    trace("%ld", (long)number_of(result.value));
    return result;
}

static void chain_of_dead_targets_is_followed_to_one_that_lives(void **state)
{
    vr_greenlet *third = vr_greenlet_new(echoes);
    first = vr_greenlet_new(parent_of_second);
    second = vr_greenlet_new(echoes);

    vr_switch(first, NULL);
    assert_int_equal(vr_set_parent(third, second), 0);
    assert_result_value(vr_switch(third, number(1)), number(1));
    assert_trace("1");
    assert_true(vr_dead(first));
    vr_unref(first);
    vr_unref(second);
    vr_unref(third);
}

static vr_result traces_argument(void *argument)
{
    trace("%ld", (long)number_of(argument));
    return vr_ok(argument);
}

static void dead_target_starts_its_unstarted_parent(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(traces_argument);
    vr_greenlet *child = vr_greenlet_new(echoes);

    vr_switch(child, number(1));
    assert_int_equal(vr_set_parent(child, parent), 0);
    assert_result_value(vr_switch(child, number(2)), number(2));
    assert_trace("2");
    assert_true(vr_dead(parent));
    vr_unref(parent);
    vr_unref(child);
}

static void end_of_the_function_starts_an_unstarted_parent(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(traces_argument);
    vr_greenlet *child = vr_greenlet_new(echoes);

    assert_int_equal(vr_set_parent(child, parent), 0);
    assert_result_value(vr_switch(child, number(1)), number(1));
    assert_trace("1");
    assert_true(vr_dead(parent));
    vr_unref(parent);
    vr_unref(child);
}

static void error_ends_an_unstarted_parent_and_goes_on_to_the_next(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(traces_argument);
    vr_greenlet *child = vr_greenlet_new(fails);

    assert_int_equal(vr_set_parent(child, parent), 0);
    assert_result_error(vr_switch(child, number(-EIO)), -EIO);
    assert_trace("");
    assert_true(vr_dead(parent));
    assert_int_equal(vr_error(parent), -EIO);
    vr_unref(parent);
    vr_unref(child);
}

static void parent_cycles_are_refused(void **state)
{
    vr_greenlet *a = vr_greenlet_new(echoes);
    vr_greenlet *b = vr_greenlet_new(echoes);
    vr_greenlet *c = vr_greenlet_new(echoes);

    assert_int_equal(vr_set_parent(a, a), -EINVAL);
    assert_int_equal(vr_set_parent(b, a), 0);
    assert_int_equal(vr_set_parent(c, b), 0);
    assert_int_equal(vr_set_parent(a, b), -EINVAL);
    assert_int_equal(vr_set_parent(a, c), -EINVAL);
    assert_ptr_equal(vr_parent(a), vr_current());
    assert_ptr_equal(vr_parent(b), a);
    assert_ptr_equal(vr_parent(c), b);
    assert_int_equal(vr_set_parent(c, a), 0);
    assert_int_equal(vr_set_parent(b, c), 0);
    vr_unref(a);
    vr_unref(b);
    vr_unref(c);
}

static void main_greenlet_has_no_parent_and_gets_none(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);

    assert_null(vr_parent(vr_current()));
    assert_int_equal(vr_set_parent(vr_current(), greenlet), -EINVAL);
    assert_int_equal(vr_set_parent(vr_current(), vr_current()), -EINVAL);
    assert_null(vr_parent(vr_current()));
    vr_unref(greenlet);
}

static void parent_outlives_the_references_to_it(void **state)
{
    vr_greenlet *parent = vr_greenlet_new(traces_argument);
    vr_greenlet *child = vr_greenlet_new(echoes);

    assert_int_equal(vr_set_parent(child, parent), 0);
    vr_unref(parent);
    assert_result_value(vr_switch(child, number(1)), number(1));
    assert_trace("1");
    vr_unref(child);
}

static vr_result makes_a_child(void *argument)
{
    vr_greenlet *child = vr_greenlet_new(echoes);
    bool mine = vr_parent(child) == vr_current();

    vr_unref(child);
    return vr_ok(number(mine));
}

static void current_greenlet_is_the_parent_of_those_it_makes(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(makes_a_child);

    assert_ptr_equal(vr_parent(greenlet), vr_current());
    assert_result_value(vr_switch(greenlet, NULL), number(true));
    vr_unref(greenlet);
}

static vr_result switches_to_itself(void *argument)
{
    vr_result back = vr_switch(vr_current(), argument);

    trace("%ld %ld", (long)number_of(back.value), back.error);
    return back;
}

static void switch_to_the_current_greenlet_returns_its_value_at_once(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(switches_to_itself);

    assert_result_value(vr_switch(vr_current(), number(8)), number(8));
    vr_switch(greenlet, number(9));
    assert_trace("9 0");
    vr_unref(greenlet);
}

static vr_result reports_on_itself(void *main_greenlet)
{
    vr_greenlet *self = vr_current();

    trace("%d%d%d", self == first, vr_running(self), vr_dead(self));
    vr_switch(main_greenlet, NULL);
    return vr_ok(NULL);
}

static void running_and_dead_follow_the_life_of_a_greenlet(void **state)
{
    first = vr_greenlet_new(reports_on_itself);
    assert_false(vr_running(first) || vr_dead(first));
    vr_switch(first, vr_current());
    assert_trace("110");
    assert_true(vr_running(first) && !vr_dead(first));
    vr_switch(first, NULL);
    assert_true(!vr_running(first) && vr_dead(first));
    vr_unref(first);
    assert_true(vr_running(vr_current()) && !vr_dead(vr_current()));
}

static void names_are_numbered_unless_they_are_set(void **state)
{
    vr_greenlet *a = vr_greenlet_new(echoes);
    vr_greenlet *b = vr_greenlet_new(echoes);
    unsigned long a_number, b_number;
    char name[64];

    assert_int_equal(sscanf(vr_name_of(a, name, sizeof name), "greenlet-%lu", &a_number), 1);
    assert_int_equal(sscanf(vr_name_of(b, name, sizeof name), "greenlet-%lu", &b_number), 1);
    assert_int_equal(b_number, a_number + 1);
    vr_set_name(a, "resolver");
    assert_ptr_equal(vr_name_of(a, name, sizeof name), name);
    assert_string_equal(name, "resolver");
    assert_true(strlen(vr_name_of(vr_current(), name, sizeof name)) > 0);
    vr_unref(a);
    vr_unref(b);
}

static void names_are_cut_to_the_room_there_is(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);
    char name[] = "0123456789";

    vr_set_name(greenlet, "resolver");
    assert_string_equal(vr_name_of(greenlet, name, 4), "res");
    assert_int_equal(name[4], '4');
    assert_string_equal(vr_name_of(greenlet, name, 1), "");
    vr_unref(greenlet);
}

static vr_result cleans_up(void *argument)
{
    vr_result back = vr_switch(vr_parent(vr_current()), NULL);

    trace("cleanup %ld", back.error);
    return back;
}

static void last_reference_of_a_suspended_greenlet_takes_the_exit_with_it(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(cleans_up);

    vr_switch(greenlet, NULL);
    vr_ref(greenlet);
    vr_unref(greenlet);
    assert_trace("");
    vr_unref(greenlet);
    char expected[32];
    snprintf(expected, sizeof expected, "cleanup %d", -ECANCELED);
    assert_trace(expected);
}

static vr_result unrefs(void *greenlet)
{
    vr_unref(greenlet);
    trace("unreferenced");
    return vr_ok(number(1));
}

static void greenlet_that_is_unreferenced_ends_in_the_one_that_did_it(void **state)
{
    vr_greenlet *suspended = vr_greenlet_new(cleans_up);
    vr_greenlet *other = vr_greenlet_new(unrefs);
    char expected[48];

    vr_switch(suspended, NULL);
    assert_result_value(vr_switch(other, suspended), number(1));
    snprintf(expected, sizeof expected, "cleanup %d unreferenced", -ECANCELED);
    assert_trace(expected);
    vr_unref(other);
}

static void greenlet_that_never_ran_is_freed_without_running(void **state)
{
    vr_unref(vr_greenlet_new(traces_argument));
    vr_unref(NULL);
    assert_trace("");
}

/* More than there are frames on a greenlet's stack. */
enum { GENERATIONS = 3000 };

/* The youngest of GENERATIONS greenlets, each the only one that holds its parent; with `suspended`, in a switch. */
static vr_greenlet *youngest(vr_function *function, bool suspended)
{
    vr_greenlet *child = vr_greenlet_new(function), *at = child;

    for (int i = 1; at && i < GENERATIONS; i++) {
        vr_greenlet *parent = vr_greenlet_new(function);
        if (suspended)
            vr_switch(parent, NULL);
        vr_set_parent(at, parent);
        vr_unref(parent);
        at = parent;
    }
    if (suspended)
        vr_switch(child, vr_current());
    return child;
}

static int generations_ended;

/* Waits in the greenlet that made it, which need not be its parent any more. */
static vr_result counts_its_end(void *maker)
{
    vr_switch(maker ? maker : vr_parent(vr_current()), NULL);
    generations_ended++;
    return vr_ok(NULL);
}

static vr_result frees_generations(void *argument)
{
    vr_unref(youngest(traces_argument, false));
    vr_unref(youngest(counts_its_end, true));
    return vr_ok(NULL);
}

static void any_number_of_parents_is_freed_with_the_last_of_their_children(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(frees_generations);

    generations_ended = 0;
    assert_result_value(vr_switch(greenlet, NULL), NULL);
    assert_trace("");
    assert_int_equal(generations_ended, GENERATIONS);
    vr_unref(greenlet);
}

static vr_result refuses_to_end(void *argument)
{
    while (vr_current())
        vr_switch(vr_parent(vr_current()), NULL);
    return vr_ok(NULL);
}

static void unrefs_one_that_refuses_to_end(void)
{
    vr_greenlet *greenlet = vr_greenlet_new(refuses_to_end);

    vr_switch(greenlet, NULL);
    vr_unref(greenlet);
}

static void unreferenced_greenlet_that_switches_away_aborts(void **state)
{
    int status = status_of_child(unrefs_one_that_refuses_to_end);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void *switches_to_first(void *argument)
{
    vr_switch(first, NULL);
    return NULL;
}

static void switches_from_another_thread(void)
{
    pthread_t thread;

    first = vr_greenlet_new(echoes);
    pthread_create(&thread, NULL, switches_to_first, NULL);
    pthread_join(thread, NULL);
}

static void switch_from_another_thread_aborts(void **state)
{
    int status = status_of_child(switches_from_another_thread);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Starts one more below itself, down to 0, and adds up on the way back. */
static vr_result adds_up(void *argument)
{
    if (!argument)
        return vr_ok(NULL);
    vr_greenlet *child = vr_greenlet_new(adds_up);
    vr_result below = vr_switch(child, number(number_of(argument) - 1));
    vr_unref(child);
    return vr_ok(number(number_of(argument) + number_of(below.value)));
}

static void thousand_greenlets_are_each_others_parents(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(adds_up);

    assert_result_value(vr_switch(greenlet, number(1000)), number(500500));
    vr_unref(greenlet);
}

enum { LOCALS = 12 };

/* Keeps more values alive across a switch than there are registers for them. */
static vr_result keeps_locals(void *seed)
{
    intptr_t integers[LOCALS];
    double reals[LOCALS];

    for (int i = 0; i < LOCALS; i++) {
        integers[i] = number_of(seed) * (i + 1);
        reals[i] = (double)integers[i] / 4;
    }
    for (int turn = 0; turn < 100; turn++) {
        vr_switch(vr_parent(vr_current()), NULL);
        for (int i = 0; i < LOCALS; i++) {
            integers[i] += i;
            reals[i] += 0.5;
        }
    }
    for (int i = 0; i < LOCALS; i++)
        if (integers[i] != number_of(seed) * (i + 1) + 100 * i ||
            reals[i] != (double)number_of(seed) * (i + 1) / 4 + 50)
            return vr_fail(-EIO);
    return vr_ok(seed);
}

static void locals_survive_switches(void **state)
{
    vr_greenlet *greenlets[3];

    for (int i = 0; i < 3; i++)
        greenlets[i] = vr_greenlet_new(keeps_locals);
    for (int turn = 0; turn <= 100; turn++)
        for (int i = 0; i < 3; i++)
            vr_switch(greenlets[i], number(1000 + i));
    for (int i = 0; i < 3; i++) {
        assert_true(vr_dead(greenlets[i]));
        assert_ptr_equal(vr_value(greenlets[i]), number(1000 + i));
        vr_unref(greenlets[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(two_greenlets_switch_to_each_other),
        real_test(first_switch_hands_the_function_its_argument),
        real_test(later_values_are_what_the_suspended_switch_returns),
        real_test(value_of_the_function_is_kept),
        real_test(end_of_the_function_goes_to_the_parent_not_to_who_switched),
        real_test(error_of_the_function_goes_to_the_parent),
        real_test(dead_target_stands_for_its_parent),
        real_test(chain_of_dead_targets_is_followed_to_one_that_lives),
        real_test(dead_target_starts_its_unstarted_parent),
        real_test(end_of_the_function_starts_an_unstarted_parent),
        real_test(error_ends_an_unstarted_parent_and_goes_on_to_the_next),
        real_test(parent_cycles_are_refused),
        real_test(main_greenlet_has_no_parent_and_gets_none),
        real_test(parent_outlives_the_references_to_it),
        real_test(current_greenlet_is_the_parent_of_those_it_makes),
        real_test(switch_to_the_current_greenlet_returns_its_value_at_once),
        real_test(running_and_dead_follow_the_life_of_a_greenlet),
        real_test(names_are_numbered_unless_they_are_set),
        real_test(names_are_cut_to_the_room_there_is),
        real_test(last_reference_of_a_suspended_greenlet_takes_the_exit_with_it),
        real_test(greenlet_that_is_unreferenced_ends_in_the_one_that_did_it),
        real_test(greenlet_that_never_ran_is_freed_without_running),
        real_test(any_number_of_parents_is_freed_with_the_last_of_their_children),
        real_test(unreferenced_greenlet_that_switches_away_aborts),
        real_test(switch_from_another_thread_aborts),
        real_test(thousand_greenlets_are_each_others_parents),
        real_test(locals_survive_switches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
