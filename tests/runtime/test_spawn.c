/* Spawned greenlets: when they run, and what can be read of them. */
#include "support.h"

static vr_result traces_argument(void *argument)
{
    trace("%ld", (long)number_of(argument));
    return vr_ok(argument);
}

static vr_result traces_time(void *argument)
{
    trace("%ld@%ld", (long)number_of(argument), (long)(vr_now() / VR_MILLISECONDS(1)));
    return vr_ok(argument);
}

static void join_and_free(vr_greenlet *greenlet)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    vr_unref(greenlet);
}

static void spawn_only_queues(void **state)
{
    vr_greenlet *greenlet = vr_spawn(traces_argument, number(1));

    assert_trace("");
    assert_false(vr_running(greenlet) || vr_dead(greenlet) || vr_ready(greenlet));
    vr_sleep(0);
    assert_trace("1");
    assert_true(vr_ready(greenlet));
    vr_unref(greenlet);
}

static void spawned_greenlets_run_in_the_order_they_were_spawned(void **state)
{
    vr_greenlet *greenlets[3];

    for (int i = 0; i < 3; i++)
        greenlets[i] = vr_spawn(traces_argument, number(i));
    for (int i = 0; i < 3; i++)
        join_and_free(greenlets[i]);
    assert_trace("0 1 2");
}

static vr_result spawns_another(void *argument)
{
    trace("spawns");
    vr_unref(vr_spawn(traces_argument, argument));
    trace("goes on");
    return vr_ok(NULL);
}

static void greenlet_spawned_by_a_greenlet_runs_behind_those_queued(void **state)
{
    vr_unref(vr_spawn(spawns_another, number(3)));
    vr_unref(vr_spawn(traces_argument, number(2)));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("spawns goes on 2 3");
}

static void reference_may_be_given_back_at_once(void **state)
{
    vr_unref(vr_spawn(traces_argument, number(1)));
    vr_sleep(0);
    assert_trace("1");
}

static void start_queues_a_greenlet_of_greenlet_new(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(traces_argument);

    vr_start(greenlet, number(4));
    assert_trace("");
    join_and_free(greenlet);
    assert_trace("4");
}

static void hub_is_the_parent_of_all_that_are_started(void **state)
{
    vr_greenlet *made = vr_greenlet_new(echoes);
    vr_greenlet *spawned = vr_spawn(echoes, NULL);

    assert_ptr_equal(vr_parent(made), vr_current());
    vr_start(made, NULL);
    assert_non_null(vr_parent(made));
    assert_ptr_not_equal(vr_parent(made), vr_current());
    assert_ptr_equal(vr_parent(made), vr_parent(spawned));
    join_and_free(made);
    join_and_free(spawned);
}

static void second_start_does_nothing(void **state)
{
    vr_greenlet *greenlet = vr_spawn(traces_argument, number(1));

    vr_start(greenlet, number(2));
    vr_start_later(greenlet, VR_SECONDS(1), number(3));
    join_and_free(greenlet);
    vr_hub_join(VR_FOREVER);
    assert_trace("1");
    assert_int_equal(vr_now(), 0);
}

static void start_does_not_hasten_a_later_one(void **state)
{
    vr_greenlet *greenlet = vr_spawn_later(VR_SECONDS(5), traces_time, number(1));

    vr_start(greenlet, number(2));
    join_and_free(greenlet);
    assert_trace("1@5000");
}

static void start_of_a_running_or_dead_one_does_nothing(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(1));

    vr_sleep(0);
    vr_start(greenlet, number(1000));
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    vr_start(greenlet, number(1000));
    vr_start_later(greenlet, VR_SECONDS(1), number(1000));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(1));
    assert_ptr_equal(vr_value(greenlet), number(1));
    vr_unref(greenlet);
}

static void later_ones_start_at_their_time(void **state)
{
    vr_unref(vr_spawn_later(VR_MILLISECONDS(30), traces_time, number(3)));
    vr_unref(vr_spawn_later(VR_MILLISECONDS(10), traces_time, number(1)));
    vr_unref(vr_spawn_later(VR_MILLISECONDS(20), traces_time, number(2)));
    vr_unref(vr_spawn_later(0, traces_time, number(0)));
    vr_greenlet *made = vr_greenlet_new(traces_time);
    vr_start_later(made, VR_MILLISECONDS(40), number(4));
    vr_unref(made);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("0@0 1@10 2@20 3@30 4@40");
}

/* Suspends itself in a switch to main, and traces each time it goes on. */
static vr_result waits_for_a_switch(void *main_greenlet)
{
    trace("started");
    vr_result back = vr_switch(main_greenlet, NULL);
    trace("%ld", back.error ? -1L : (long)number_of(back.value));
    return back;
}

static void later_start_is_off_when_a_switch_has_started_the_greenlet(void **state)
{
    vr_greenlet *greenlet = vr_spawn_later(VR_SECONDS(1), waits_for_a_switch, NULL);

    vr_switch(greenlet, vr_current());
    assert_int_equal(vr_sleep(VR_SECONDS(2)), 0);
    assert_trace("started");
    end_greenlet(greenlet);
    assert_trace("-1");
}

static void queued_start_is_off_when_a_switch_has_started_the_greenlet(void **state)
{
    vr_greenlet *greenlet = vr_spawn(waits_for_a_switch, NULL);

    vr_switch(greenlet, vr_current());
    assert_int_equal(vr_sleep(VR_SECONDS(2)), 0);
    assert_trace("started");
    end_greenlet(greenlet);
    assert_trace("-1");
}

static vr_result checks_itself(void *expected)
{
    return vr_ok(number(vr_current() == *(vr_greenlet **)expected && vr_running(vr_current())));
}

static void current_is_the_greenlet_itself(void **state)
{
    vr_greenlet *greenlet;

    greenlet = vr_spawn(checks_itself, &greenlet);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(greenlet), number(true));
    vr_unref(greenlet);
}

static void result_cannot_be_read_before_the_end(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(1));

    for (int i = 0; i < 2; i++) {
        assert_false(vr_ready(greenlet));
        assert_false(vr_successful(greenlet));
        assert_false(vr_exited(greenlet));
        assert_null(vr_value(greenlet));
        assert_int_equal(vr_error(greenlet), 0);
        vr_sleep(0);
    }
    join_and_free(greenlet);
}

static void success_has_a_value_and_no_error(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, number(9));

    vr_join(greenlet, VR_FOREVER);
    assert_true(vr_ready(greenlet));
    assert_true(vr_successful(greenlet));
    assert_false(vr_exited(greenlet));
    assert_ptr_equal(vr_value(greenlet), number(9));
    assert_int_equal(vr_error(greenlet), 0);
    vr_unref(greenlet);
}

static void failure_has_an_error_and_no_value(void **state)
{
    vr_greenlet *greenlet = vr_spawn(fails, number(-EPROTO));

    vr_join(greenlet, VR_FOREVER);
    assert_true(vr_ready(greenlet));
    assert_false(vr_successful(greenlet));
    assert_false(vr_exited(greenlet));
    assert_null(vr_value(greenlet));
    assert_int_equal(vr_error(greenlet), -EPROTO);
    vr_unref(greenlet);
}

static vr_result returns_error_and_value(void *argument)
{
    return (vr_result){.value = argument, .error = number_of(argument)};
}

static void value_beside_an_error_is_not_kept(void **state)
{
    vr_greenlet *failed = vr_spawn(returns_error_and_value, number(-EIO));
    vr_greenlet *exited = vr_spawn(returns_error_and_value, number(-ECANCELED));

    vr_join(failed, VR_FOREVER);
    vr_join(exited, VR_FOREVER);
    assert_null(vr_value(failed));
    assert_null(vr_value(exited));
    vr_unref(failed);
    vr_unref(exited);
}

static void exit_counts_as_success(void **state)
{
    vr_greenlet *greenlet = vr_spawn(fails, number(-ECANCELED));

    vr_join(greenlet, VR_FOREVER);
    assert_true(vr_ready(greenlet));
    assert_true(vr_successful(greenlet));
    assert_true(vr_exited(greenlet));
    assert_null(vr_value(greenlet));
    assert_int_equal(vr_error(greenlet), 0);
    vr_unref(greenlet);
}

static void traces_null(void *greenlet, void *context)
{
    trace("%s %d", greenlet ? "greenlet" : "null", context == number(5));
}

static void null_stands_for_a_greenlet_that_had_no_memory(void **state)
{
    vr_link link = {.notify = traces_null, .context = number(5)};
    vr_link unlinked = link;

    assert_true(vr_ready(NULL));
    assert_false(vr_successful(NULL));
    assert_false(vr_exited(NULL));
    assert_null(vr_value(NULL));
    assert_int_equal(vr_error(NULL), -ENOMEM);
    assert_int_equal(vr_join(NULL, VR_FOREVER), 0);
    vr_start(NULL, NULL);
    vr_start_later(NULL, 0, NULL);
    vr_kill(NULL, -ECANCELED);
    vr_rawlink(NULL, &link);
    vr_rawlink(NULL, &unlinked);
    vr_unlink(&unlinked);
    assert_trace("");
    vr_sleep(0);
    assert_trace("null 1");
}

static void many_run_and_all_are_joined(void **state)
{
    size_t count = scaled(10000);
    vr_greenlet **greenlets = test_malloc(count * sizeof *greenlets);

    for (size_t i = 0; i < count; i++)
        greenlets[i] = vr_spawn(echoes, number((intptr_t)i));
    assert_int_equal(vr_joinall(greenlets, count, VR_FOREVER), count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(vr_value(greenlets[i]), number((intptr_t)i));
        vr_unref(greenlets[i]);
    }
    test_free(greenlets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(spawn_only_queues),
        virtual_test(spawned_greenlets_run_in_the_order_they_were_spawned),
        virtual_test(greenlet_spawned_by_a_greenlet_runs_behind_those_queued),
        virtual_test(reference_may_be_given_back_at_once),
        virtual_test(start_queues_a_greenlet_of_greenlet_new),
        virtual_test(hub_is_the_parent_of_all_that_are_started),
        virtual_test(second_start_does_nothing),
        virtual_test(start_does_not_hasten_a_later_one),
        virtual_test(start_of_a_running_or_dead_one_does_nothing),
        virtual_test(later_ones_start_at_their_time),
        virtual_test(later_start_is_off_when_a_switch_has_started_the_greenlet),
        virtual_test(queued_start_is_off_when_a_switch_has_started_the_greenlet),
        virtual_test(current_is_the_greenlet_itself),
        virtual_test(result_cannot_be_read_before_the_end),
        virtual_test(success_has_a_value_and_no_error),
        virtual_test(failure_has_an_error_and_no_value),
        virtual_test(value_beside_an_error_is_not_kept),
        virtual_test(exit_counts_as_success),
        virtual_test(null_stands_for_a_greenlet_that_had_no_memory),
        virtual_test(many_run_and_all_are_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
