/* iwait: greenlets one at a time, in the order in which they end. */
#include "support.h"

enum { MAX_JOBS = 8 };
static vr_greenlet *jobs[MAX_JOBS];

static void spawn_sleepers(const intptr_t *ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        jobs[i] = vr_spawn(sleeps_ms, number(ms[i]));
}

static void free_jobs(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vr_kill(jobs[i], -ECANCELED);
        assert_int_equal(vr_join(jobs[i], VR_FOREVER), 0);
        vr_unref(jobs[i]);
    }
}

static void begin(vr_iwait *iwait, size_t count, vr_wait_options options)
{
    assert_int_equal(vr_iwait_init(iwait, jobs, count, &options), 0);
}

static void iwait_gives_greenlets_as_they_end(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){30, 10, 20}, 3);
    begin(&iwait, 3, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[2]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(30));
    for (int i = 0; i < 2; i++) {
        assert_null(vr_iwait_next(&iwait));
        assert_int_equal(vr_iwait_error(&iwait), 0);
    }
    vr_iwait_done(&iwait);
    free_jobs(3);
}

static void begin_waits_for_nothing(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){10}, 1);
    begin(&iwait, 1, (vr_wait_options){.timeout = VR_FOREVER});
    assert_false(vr_running(jobs[0]));
    vr_iwait_done(&iwait);
    free_jobs(1);
}

static void iwait_of_none_ends_at_once(void **state)
{
    vr_iwait iwait;

    begin(&iwait, 0, (vr_wait_options){.timeout = VR_FOREVER});
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), 0);
    vr_iwait_done(&iwait);
}

static void nothing_is_lost_when_the_caller_switches_between_two_calls(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){40, 10, 30, 20, 100}, 5);
    begin(&iwait, 5, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    vr_sleep(VR_MILLISECONDS(50)); /* three end meanwhile */
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[3]);
    vr_sleep(0);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[2]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(60));
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[4]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(100));
    assert_null(vr_iwait_next(&iwait));
    vr_iwait_done(&iwait);
    free_jobs(5);
}

static void those_that_end_in_one_pass_all_come(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){10, 10, 10, 0}, 4);
    begin(&iwait, 4, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[3]);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(vr_iwait_next(&iwait), jobs[i]);
    assert_null(vr_iwait_next(&iwait));
    vr_iwait_done(&iwait);
    free_jobs(4);
}

static void iwait_ends_when_all_that_are_wanted_were_given(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){30, 10, 20}, 3);
    begin(&iwait, 3, (vr_wait_options){.timeout = VR_FOREVER, .wanted = 2});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[2]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    vr_iwait_done(&iwait);
    free_jobs(3);
}

static void more_wanted_than_there_are_means_all(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){10}, 1);
    begin(&iwait, 1, (vr_wait_options){.timeout = VR_FOREVER, .wanted = 7});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), 0);
    vr_iwait_done(&iwait);
    free_jobs(1);
}

static void timeout_counts_from_the_beginning_and_ends_the_iteration(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){30, 10, 200}, 3);
    begin(&iwait, 3, (vr_wait_options){.timeout = VR_MILLISECONDS(50)});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    for (int i = 0; i < 2; i++) {
        assert_null(vr_iwait_next(&iwait));
        assert_int_equal(vr_iwait_error(&iwait), -ETIMEDOUT);
        assert_int_equal(vr_now(), VR_MILLISECONDS(50));
    }
    vr_iwait_done(&iwait);
    free_jobs(3);
}

static void iteration_that_ran_out_of_time_stays_ended(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){30}, 1);
    begin(&iwait, 1, (vr_wait_options){.timeout = VR_MILLISECONDS(10)});
    assert_null(vr_iwait_next(&iwait));
    vr_sleep(VR_MILLISECONDS(50));
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), -ETIMEDOUT);
    vr_iwait_done(&iwait);
    free_jobs(1);
}

static void null_among_the_greenlets_is_refused(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){10}, 1);
    vr_greenlet *list[] = {jobs[0], NULL};
    assert_int_equal(vr_iwait_init(&iwait, list, 2, &(vr_wait_options){.timeout = VR_FOREVER}), -EINVAL);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_true(vr_ready(jobs[0]));
    free_jobs(1);
}

static void timeout_0_gives_those_that_are_dead_already(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){30, 0}, 2);
    vr_sleep(VR_MILLISECONDS(1));
    begin(&iwait, 2, (vr_wait_options){.timeout = 0});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(1));
    vr_iwait_done(&iwait);
    free_jobs(2);
}

static void dead_ones_come_first_in_the_order_they_ended(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){20, 30, 10}, 3);
    vr_sleep(VR_MILLISECONDS(25));
    begin(&iwait, 3, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[2]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_null(vr_iwait_next(&iwait));
    vr_iwait_done(&iwait);
    free_jobs(3);
}

static void duplicate_comes_twice(void **state)
{
    vr_iwait iwait;

    spawn_sleepers((intptr_t[]){20, 10}, 2);
    vr_greenlet *list[] = {jobs[0], jobs[1], jobs[0]};
    assert_int_equal(vr_iwait_init(&iwait, list, 3, &(vr_wait_options){.timeout = VR_FOREVER}), 0);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_null(vr_iwait_next(&iwait));
    vr_iwait_done(&iwait);
    free_jobs(2);
}

static void iwait_gives_failures_and_exits_too(void **state)
{
    vr_iwait iwait;

    jobs[0] = vr_spawn(fails, number(-EIO));
    jobs[1] = vr_spawn(fails, number(-ECANCELED));
    begin(&iwait, 2, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[1]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), 0);
    vr_iwait_done(&iwait);
    free_jobs(2);
}

static void early_end_unlinks_what_is_left(void **state)
{
    vr_iwait *iwait = test_malloc(sizeof *iwait);

    spawn_sleepers((intptr_t[]){10, 20, 30}, 3);
    begin(iwait, 3, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(iwait), jobs[0]);
    vr_iwait_done(iwait);
    test_free(iwait); /* a link that was left would write here */
    assert_int_equal(vr_joinall(jobs, 3, VR_FOREVER), 3);
    free_jobs(3);
}

static vr_result iterates(void *count)
{
    vr_iwait iwait;

    if (vr_iwait_init(&iwait, jobs, (size_t)number_of(count), &(vr_wait_options){.timeout = VR_FOREVER}))
        return vr_fail(-ENOMEM);
    while (vr_iwait_next(&iwait))
        trace("next");
    long error = vr_iwait_error(&iwait);
    trace("%s", vr_iwait_next(&iwait) ? "goes on" : "ended");
    vr_iwait_done(&iwait);
    return vr_fail(error);
}

static void what_is_thrown_into_the_wait_ends_it(void **state)
{
    spawn_sleepers((intptr_t[]){10, 100}, 2);
    vr_greenlet *waiter = vr_spawn(iterates, number(2));

    vr_sleep(VR_MILLISECONDS(20));
    vr_kill(waiter, -EIO);
    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    assert_trace("next ended");
    assert_int_equal(vr_error(waiter), -EIO);
    vr_unref(waiter);
    free_jobs(2);
}

static vr_result kills_after_10_ms(void *victim)
{
    vr_sleep(VR_MILLISECONDS(10));
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

/* A waiter for the first `count` jobs, of which the first ends, at 10 ms, in the turn in which the waiter is killed. */
static void kill_waiter_as_the_first_ends(size_t count)
{
    spawn_sleepers((intptr_t[]){10, 100}, count);
    vr_greenlet *waiter = vr_spawn(iterates, number((intptr_t)count));
    vr_greenlet *killer = vr_spawn(kills_after_10_ms, waiter);

    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_trace("next ended");
    assert_int_equal(vr_error(waiter), -EIO);
    vr_unref(waiter);
    vr_unref(killer);
    free_jobs(count);
}

static void what_ended_in_the_turn_of_a_throw_is_given_before_the_error(void **state)
{
    kill_waiter_as_the_first_ends(2);
}

static void throw_in_the_turn_of_the_last_end_is_told_of(void **state)
{
    kill_waiter_as_the_first_ends(1);
}

static void all_that_were_wanted_are_no_timeout_even_in_the_turn_in_which_time_runs_out(void **state)
{
    vr_iwait iwait;

    jobs[0] = vr_spawn(echoes, NULL);
    begin(&iwait, 1, (vr_wait_options){.timeout = 0});
    vr_sleep(0); /* it ends, but its links have not fired yet */
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), 0);
    vr_iwait_done(&iwait);
    free_jobs(1);
}

static void main_is_told_when_nothing_can_end_any_more(void **state)
{
    vr_iwait iwait;

    jobs[0] = vr_spawn(echoes, NULL);
    jobs[1] = vr_spawn(sleeps_forever, NULL);
    begin(&iwait, 2, (vr_wait_options){.timeout = VR_FOREVER});
    assert_ptr_equal(vr_iwait_next(&iwait), jobs[0]);
    assert_null(vr_iwait_next(&iwait));
    assert_int_equal(vr_iwait_error(&iwait), -EDEADLK);
    vr_iwait_done(&iwait);
    free_jobs(2);
}

static vr_iwait iwait_in_hub;
static vr_greenlet *next_in_hub;

static void asks_in_the_hub(vr_callback *callback)
{
    next_in_hub = vr_iwait_next(&iwait_in_hub);
}

static void waiting_in_the_hub_is_refused(void **state)
{
    vr_callback callback = {.run = asks_in_the_hub};

    spawn_sleepers((intptr_t[]){10}, 1);
    begin(&iwait_in_hub, 1, (vr_wait_options){.timeout = VR_FOREVER});
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_null(next_in_hub);
    assert_int_equal(vr_iwait_error(&iwait_in_hub), -EPERM);
    vr_iwait_done(&iwait_in_hub);
    free_jobs(1);
}

static void ten_thousand_come_in_order(void **state)
{
    size_t count = scaled(10000);
    vr_greenlet **all = test_malloc(count * sizeof *all);
    vr_iwait iwait;

    /* 7919 is coprime to the counts: every duration once, in a mixed order. */
    for (size_t i = 0; i < count; i++)
        all[i] = vr_spawn(sleeps_ms, number((intptr_t)(i * 7919 % count)));
    assert_int_equal(vr_iwait_init(&iwait, all, count, &(vr_wait_options){.timeout = VR_FOREVER}), 0);
    for (size_t n = 0; n < count; n++)
        assert_int_equal(number_of(vr_value(vr_iwait_next(&iwait))), n);
    assert_null(vr_iwait_next(&iwait));
    vr_iwait_done(&iwait);
    for (size_t i = 0; i < count; i++)
        vr_unref(all[i]);
    test_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(iwait_gives_greenlets_as_they_end),
        virtual_test(begin_waits_for_nothing),
        virtual_test(iwait_of_none_ends_at_once),
        virtual_test(nothing_is_lost_when_the_caller_switches_between_two_calls),
        virtual_test(those_that_end_in_one_pass_all_come),
        virtual_test(iwait_ends_when_all_that_are_wanted_were_given),
        virtual_test(more_wanted_than_there_are_means_all),
        virtual_test(timeout_counts_from_the_beginning_and_ends_the_iteration),
        virtual_test(iteration_that_ran_out_of_time_stays_ended),
        virtual_test(null_among_the_greenlets_is_refused),
        virtual_test(timeout_0_gives_those_that_are_dead_already),
        virtual_test(dead_ones_come_first_in_the_order_they_ended),
        virtual_test(duplicate_comes_twice),
        virtual_test(iwait_gives_failures_and_exits_too),
        virtual_test(early_end_unlinks_what_is_left),
        virtual_test(what_is_thrown_into_the_wait_ends_it),
        virtual_test(what_ended_in_the_turn_of_a_throw_is_given_before_the_error),
        virtual_test(throw_in_the_turn_of_the_last_end_is_told_of),
        virtual_test(all_that_were_wanted_are_no_timeout_even_in_the_turn_in_which_time_runs_out),
        virtual_test(main_is_told_when_nothing_can_end_any_more),
        virtual_test(waiting_in_the_hub_is_refused),
        virtual_test(ten_thousand_come_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
