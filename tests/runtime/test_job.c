/* Jobs of a thread pool: who waits for them, who leaves them, and who owns what then. */
#include "pool_support.h"

/* --- spawn and get --- */

static void spawn_does_not_wait_for_the_end(void **state)
{
    vr_job *job = at_gate();

    assert_false(vr_job_ready(job));
    let_end(job);
}

static void result_stays_and_can_be_had_again(void **state)
{
    vr_job *job = spawned(squares, number(3)), *failed = spawned(fails, number(-EDOM));

    for (int i = 0; i < 2; i++) {
        assert_result_value(vr_job_get(job, VR_FOREVER), number(9));
        assert_result_error(vr_job_get(failed, VR_FOREVER), -EDOM);
    }
    assert_true(vr_job_ready(job));
    vr_job_free(job);
    vr_job_free(failed);
}

static void get_that_times_out_leaves_the_job_as_it_is(void **state)
{
    vr_job *job = at_gate();

    assert_result_error(vr_job_get(job, VR_MILLISECONDS(1)), -ETIMEDOUT);
    assert_result_error(vr_job_get(job, 0), -ETIMEDOUT);
    let_end(job);
}

static void get_that_is_killed_leaves_the_job_as_it_is(void **state)
{
    vr_job *job = at_gate();
    vr_greenlet *getter = vr_spawn(gets, job);

    vr_sleep(0);
    vr_kill(getter, -EINTR);
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_int_equal(vr_error(getter), -EINTR);
    vr_unref(getter);
    let_end(job);
}

static void result_that_comes_in_the_turn_of_a_throw_is_not_lost(void **state)
{
    vr_job *first = at_gate(), *second = spawned(squares, NULL);
    vr_greenlet *getter = vr_spawn(gets, second);

    vr_sleep(0);
    cancel_and_throw(second, getter);
    assert_result_error(vr_job_get(second, VR_FOREVER), -ECANCELED);
    vr_job_free(second);
    let_end(first);
}

static void several_greenlets_may_wait_for_a_job(void **state)
{
    vr_job *job = at_gate();
    vr_greenlet *getters[] = {vr_spawn(gets, job), vr_spawn(gets, job)};

    vr_sleep(0);
    open_gate(1);
    assert_int_equal(vr_joinall(getters, 2, VR_FOREVER), 2);
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(vr_value(getters[i]), number(1));
        vr_unref(getters[i]);
    }
    vr_job_free(job);
}

static void job_that_is_freed_meanwhile_gives_its_result_to_those_who_wait(void **state)
{
    vr_job *job;
    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, number(3), releases, VR_FOREVER, &job), 0);
    vr_greenlet *getter = vr_spawn(gets, job);
    vr_sleep(0);
    vr_job_free(job);
    open_gate(1);
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(getter), number(3));
    vr_unref(getter);
    assert_int_equal(released, 0);

    /* One that is killed has not taken it. */
    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, number(4), releases, VR_FOREVER, &job), 0);
    getter = vr_spawn(gets, job);
    vr_sleep(0);
    vr_job_free(job);
    end_greenlet(getter);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_released_once(4);
}

static void job_is_waited_for_along_with_others(void **state)
{
    vr_greenlet *sleeper = vr_spawn(sleeps_forever, NULL);
    vr_job *job = at_gate();
    vr_waitable *objects[] = {vr_greenlet_waitable(sleeper), vr_job_waitable(job)};

    assert_int_equal(vr_wait_object(objects, 2, VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(1);
    assert_int_equal(vr_wait_object(objects, 2, VR_FOREVER), 1);
    assert_true(vr_job_ready(job));
    assert_result_value(vr_job_get(job, 0), number(1));
    vr_job_free(job);
    end_greenlet(sleeper);
}

static void notes_end(void *source, void *context)
{
    trace("over");
}

static void link_to_a_job_fires_at_its_end(void **state)
{
    vr_job *job = at_gate();
    vr_link link = {.notify = notes_end};

    vr_waitable_link(vr_job_waitable(job), &link);
    vr_sleep(0);
    assert_trace("");
    open_gate(1);
    vr_threadpool_join(pool, VR_FOREVER);
    vr_sleep(0);
    assert_trace("over");
    vr_job_free(job);
}

static void job_on_its_own_runs_and_is_released(void **state)
{
    assert_int_equal(vr_threadpool_spawn(pool, squares, number(5), releases, VR_FOREVER, NULL), 0);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_released_once(5);
    assert_result_value(released_result, number(25));
}

static void job_that_is_freed_runs_on_and_is_released_at_its_end(void **state)
{
    vr_job *job;

    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, number(5), releases, VR_FOREVER, &job), 0);
    await_begun(1);
    vr_job_free(job);
    assert_int_equal(released, 0);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_released_once(5);
}

static void job_that_is_over_is_released_by_free_unless_it_was_taken(void **state)
{
    vr_job *job;

    vr_threadpool_spawn(pool, squares, number(1), releases, VR_FOREVER, &job);
    vr_threadpool_join(pool, VR_FOREVER);
    assert_int_equal(released, 0);
    vr_job_free(job);
    assert_released_once(1);

    vr_threadpool_spawn(pool, squares, number(2), releases, VR_FOREVER, &job);
    vr_job_get(job, VR_FOREVER);
    vr_job_free(job);
    assert_int_equal(released, 0);

    vr_threadpool_spawn(pool, fails, number(-EDOM), releases, VR_FOREVER, &job);
    vr_job_get(job, VR_FOREVER);
    vr_job_free(job);
    assert_released_once(-EDOM);
}

static void cancel_takes_back_what_has_not_begun(void **state)
{
    vr_job *first = at_gate(), *second;

    vr_threadpool_spawn(pool, squares, number(2), releases, VR_FOREVER, &second);
    assert_int_equal(vr_job_cancel(first), -EBUSY);
    assert_int_equal(vr_job_cancel(second), 0);
    assert_int_equal(vr_job_cancel(second), -EALREADY);
    assert_result_error(vr_job_get(second, VR_FOREVER), -ECANCELED);
    assert_int_equal(vr_threadpool_jobs(pool), 1);
    vr_job_free(second);
    assert_released_once(2);
    let_end(first);
}

static void cancel_wakes_the_getter(void **state)
{
    vr_job *first = at_gate(), *second = spawned(squares, number(2));
    vr_greenlet *getter = vr_spawn(gets, second);

    vr_sleep(0);
    assert_int_equal(vr_job_cancel(second), 0);
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_true(vr_exited(getter));
    vr_unref(getter);
    vr_job_free(second);
    let_end(first);
}

/* --- apply that is left --- */

static void apply_that_times_out_leaves_a_running_job_which_releases_at_its_end(void **state)
{
    vr_unref(vr_spawn(awaits_begun, number(1)));
    assert_result_error(vr_threadpool_apply(pool, waits_at_gate, number(4), releases, VR_MILLISECONDS(1)), -ETIMEDOUT);
    assert_int_equal(released, 0);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_released_once(4);
    assert_result_value(released_result, number(4));
}

static vr_result applies_at_gate(void *argument)
{
    return vr_threadpool_apply(pool, waits_at_gate, argument, releases, VR_FOREVER);
}

static void apply_that_is_killed_leaves_at_once(void **state)
{
    vr_greenlet *greenlet = vr_spawn(applies_at_gate, number(4));

    vr_sleep(0);
    await_begun(1);
    vr_kill(greenlet, -ECANCELED);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_true(vr_exited(greenlet));
    vr_unref(greenlet);
    assert_int_equal(vr_threadpool_jobs(pool), 1);
    empty_pool();
    assert_released_once(4);
}

static int use_virtual_time(void **state)
{
    return use_one_thread(state) || use_virtual_clock(state);
}

static void virtual_clock_stands_still_while_a_job_runs(void **state)
{
    for (int i = 0; i < 50; i++)
        assert_result_value(vr_threadpool_apply(pool, squares, number(i), NULL, VR_MICROSECONDS(1)), number(i * i));
    assert_int_equal(vr_now(), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1));
}

static void apply_that_times_out_before_the_job_has_begun_takes_it_back(void **state)
{
    static atomic_int runs;
    vr_job *job = at_gate();

    assert_result_error(vr_threadpool_apply(pool, counts_run, &runs, releases, VR_MILLISECONDS(1)), -ETIMEDOUT);
    assert_int_equal(released, 1);
    assert_int_equal(released_result.error, -ECANCELED);
    released = 0;
    let_end(job);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_int_equal(atomic_load(&runs), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        one_thread(spawn_does_not_wait_for_the_end),
        one_thread(result_stays_and_can_be_had_again),
        one_thread(get_that_times_out_leaves_the_job_as_it_is),
        one_thread(get_that_is_killed_leaves_the_job_as_it_is),
        one_thread(result_that_comes_in_the_turn_of_a_throw_is_not_lost),
        one_thread(several_greenlets_may_wait_for_a_job),
        one_thread(job_that_is_freed_meanwhile_gives_its_result_to_those_who_wait),
        one_thread(job_is_waited_for_along_with_others),
        one_thread(link_to_a_job_fires_at_its_end),
        one_thread(job_on_its_own_runs_and_is_released),
        one_thread(job_that_is_freed_runs_on_and_is_released_at_its_end),
        one_thread(job_that_is_over_is_released_by_free_unless_it_was_taken),
        one_thread(cancel_takes_back_what_has_not_begun),
        one_thread(cancel_wakes_the_getter),
        one_thread(apply_that_times_out_leaves_a_running_job_which_releases_at_its_end),
        one_thread(apply_that_is_killed_leaves_at_once),
        cmocka_unit_test_setup_teardown(virtual_clock_stands_still_while_a_job_runs, use_virtual_time, end_pool),
        one_thread(apply_that_times_out_before_the_job_has_begun_takes_it_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
