/* join, joinall and wait: who is waited for, how long, and in which order results come. */
#include "support.h"

/* The jobs of one test, spawned by it and freed with free_jobs. */
enum { MAX_JOBS = 8 };
static vr_greenlet *jobs[MAX_JOBS];

/* Spawns one sleeper for each of `count` durations. */
static void spawn_sleepers(const intptr_t *ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        jobs[i] = vr_spawn(sleeps_ms, number(ms[i]));
}

static void free_jobs(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!vr_ready(jobs[i]))
            vr_kill(jobs[i], -ECANCELED);
        assert_int_equal(vr_join(jobs[i], VR_FOREVER), 0);
        vr_unref(jobs[i]);
    }
}

/* --- join --- */

static void join_waits_until_the_greenlet_is_dead(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(5));

    assert_int_equal(vr_join(greenlet, VR_SECONDS(1)), 0);
    assert_true(vr_dead(greenlet));
    assert_int_equal(vr_now(), VR_MILLISECONDS(5));
    vr_unref(greenlet);
}

static void join_of_a_dead_one_returns_at_once(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);

    vr_join(greenlet, VR_FOREVER);
    vr_greenlet *queued = vr_spawn(echoes, NULL);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_join(greenlet, 0), 0);
    assert_false(vr_ready(queued));
    vr_sleep(0);
    vr_unref(queued);
    vr_unref(greenlet);
}

static void join_gives_up_after_its_timeout(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(5));

    assert_int_equal(vr_join(greenlet, VR_MILLISECONDS(3)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(3));
    assert_false(vr_dead(greenlet));
    assert_int_equal(vr_join(greenlet, 0), -ETIMEDOUT);
    assert_int_equal(vr_join(greenlet, VR_MILLISECONDS(3)), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(5));
    vr_unref(greenlet);
}

static vr_result joins_itself(void *argument)
{
    return vr_fail(vr_join(vr_current(), VR_FOREVER));
}

static void join_of_oneself_is_refused(void **state)
{
    vr_greenlet *greenlet = vr_spawn(joins_itself, NULL);

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), -EINVAL);
    assert_int_equal(vr_join(vr_current(), VR_FOREVER), -EINVAL);
    vr_unref(greenlet);
}

static vr_result joins_first_job(void *name)
{
    int error = vr_join(jobs[0], VR_FOREVER);

    trace("%s", (const char *)name);
    return error ? vr_fail(error) : vr_ok(vr_value(jobs[0]));
}

static void all_who_join_one_greenlet_wake_in_order(void **state)
{
    static char names[][2] = {"a", "b", "c"};

    jobs[0] = vr_spawn(sleeps_ms, number(5));
    for (int i = 0; i < 3; i++)
        jobs[i + 1] = vr_spawn(joins_first_job, names[i]);
    assert_int_equal(vr_joinall(jobs, 4, VR_FOREVER), 4);
    assert_trace("a b c");
    for (int i = 1; i <= 3; i++)
        assert_ptr_equal(vr_value(jobs[i]), number(5));
    free_jobs(4);
}

/* --- joinall --- */

static void nothing_runs_before_joinall(void **state)
{
    for (int i = 0; i < 3; i++)
        jobs[i] = vr_spawn(echoes, number(i));
    for (int i = 0; i < 3; i++)
        assert_false(vr_ready(jobs[i]));
    assert_int_equal(vr_joinall(jobs, 3, VR_FOREVER), 3);
    for (int i = 0; i < 3; i++) {
        assert_true(vr_ready(jobs[i]));
        assert_ptr_equal(vr_value(jobs[i]), number(i));
    }
    free_jobs(3);
}

static void joinall_takes_as_long_as_the_longest(void **state)
{
    spawn_sleepers((intptr_t[]){20, 50, 30}, 3);
    assert_int_equal(vr_joinall(jobs, 3, VR_SECONDS(1)), 3);
    assert_int_equal(vr_now(), VR_MILLISECONDS(50));
    free_jobs(3);
}

static void joinall_that_times_out_tells_how_many_are_dead(void **state)
{
    spawn_sleepers((intptr_t[]){10, 3000, 20, 4000}, 4);
    assert_int_equal(vr_joinall(jobs, 4, VR_SECONDS(2)), 2);
    assert_int_equal(vr_now(), VR_SECONDS(2));
    assert_true(vr_ready(jobs[0]) && vr_ready(jobs[2]));
    assert_false(vr_ready(jobs[1]) || vr_ready(jobs[3]));
    assert_int_equal(vr_joinall(jobs, 4, VR_MILLISECONDS(1500)), 3);
    assert_int_equal(vr_now(), VR_MILLISECONDS(3500));
    assert_int_equal(vr_joinall(jobs, 4, VR_FOREVER), 4);
    assert_int_equal(vr_now(), VR_SECONDS(4));
    free_jobs(4);
}

static void joinall_of_none_returns_at_once(void **state)
{
    assert_int_equal(vr_joinall(NULL, 0, VR_FOREVER), 0);
}

static void joinall_counts_failures_exits_and_null_as_dead(void **state)
{
    jobs[0] = vr_spawn(fails, number(-EIO));
    jobs[1] = NULL;
    jobs[2] = vr_spawn(fails, number(-ECANCELED));
    jobs[3] = vr_spawn(echoes, number(1));
    assert_int_equal(vr_joinall(jobs, 4, VR_FOREVER), 4);
    assert_int_equal(vr_error(jobs[1]), -ENOMEM);
    free_jobs(4);
}

static void greenlet_that_is_listed_twice_counts_twice(void **state)
{
    spawn_sleepers((intptr_t[]){10}, 1);
    vr_greenlet *twice[] = {jobs[0], jobs[0]};
    assert_int_equal(vr_joinall(twice, 2, VR_FOREVER), 2);
    assert_int_equal(vr_joinall(twice, 2, VR_FOREVER), 2);
    free_jobs(1);
}

static vr_result joins_all_jobs(void *argument)
{
    return vr_ok(number(vr_joinall(jobs, 3, VR_FOREVER)));
}

static void two_may_joinall_the_same_greenlets(void **state)
{
    spawn_sleepers((intptr_t[]){10, 5, 20}, 3);
    jobs[3] = vr_spawn(joins_all_jobs, NULL);
    jobs[4] = vr_spawn(joins_all_jobs, NULL);
    assert_int_equal(vr_joinall(jobs + 3, 2, VR_FOREVER), 2);
    assert_ptr_equal(vr_value(jobs[3]), number(3));
    assert_ptr_equal(vr_value(jobs[4]), number(3));
    free_jobs(5);
}

/* --- wait --- */

static void wait_gives_the_dead_in_the_order_they_ended(void **state)
{
    vr_greenlet *done[4];

    spawn_sleepers((intptr_t[]){40, 10, 30, 20}, 4);
    assert_int_equal(vr_wait(jobs, 4, &(vr_wait_options){.timeout = VR_FOREVER, .done = done}), 4);
    vr_greenlet *const expected[] = {jobs[1], jobs[3], jobs[2], jobs[0]};
    assert_memory_equal(done, expected, sizeof expected);
    free_jobs(4);
}

static void wait_orders_those_too_that_were_dead_before(void **state)
{
    vr_greenlet *done[3];

    spawn_sleepers((intptr_t[]){20, 10, 30}, 3);
    vr_sleep(VR_MILLISECONDS(25));
    assert_int_equal(vr_wait(jobs, 3, &(vr_wait_options){.timeout = VR_FOREVER, .done = done}), 3);
    vr_greenlet *const expected[] = {jobs[1], jobs[0], jobs[2]};
    assert_memory_equal(done, expected, sizeof expected);
    free_jobs(3);
}

static void wait_with_timeout_0_polls(void **state)
{
    vr_greenlet *done[3];

    spawn_sleepers((intptr_t[]){10, 20}, 2);
    vr_sleep(VR_MILLISECONDS(15));
    jobs[2] = vr_spawn(echoes, NULL);
    assert_int_equal(vr_wait(jobs, 3, &(vr_wait_options){.done = done}), 1);
    assert_ptr_equal(done[0], jobs[0]);
    assert_false(vr_ready(jobs[2]));
    assert_int_equal(vr_now(), VR_MILLISECONDS(15));
    free_jobs(3);
}

static void wait_that_times_out_gives_a_partial_list(void **state)
{
    vr_greenlet *done[3];

    spawn_sleepers((intptr_t[]){30, 100, 10}, 3);
    assert_int_equal(vr_wait(jobs, 3, &(vr_wait_options){.timeout = VR_MILLISECONDS(50), .done = done}), 2);
    assert_ptr_equal(done[0], jobs[2]);
    assert_ptr_equal(done[1], jobs[0]);
    assert_int_equal(vr_now(), VR_MILLISECONDS(50));
    free_jobs(3);
}

static void wait_ends_when_the_wanted_number_is_dead(void **state)
{
    vr_greenlet *done[3];

    spawn_sleepers((intptr_t[]){30, 100, 10}, 3);
    assert_int_equal(vr_wait(jobs, 3, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = 2, .done = done}), 2);
    assert_int_equal(vr_now(), VR_MILLISECONDS(30));
    assert_ptr_equal(done[0], jobs[2]);
    assert_ptr_equal(done[1], jobs[0]);
    free_jobs(3);
}

static void wait_for_one_notices_whichever_ends_first(void **state)
{
    for (int first = 0; first < 3; first++) {
        vr_greenlet *done[3];
        intptr_t ms[] = {50, 50, 50};

        ms[first] = 10;
        spawn_sleepers(ms, 3);
        assert_int_equal(vr_wait(jobs, 3, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = 1, .done = done}), 1);
        assert_ptr_equal(done[0], jobs[first]);
        free_jobs(3);
    }
}

static void wait_for_more_than_there_are_means_all(void **state)
{
    spawn_sleepers((intptr_t[]){30, 10}, 2);
    assert_int_equal(vr_wait(jobs, 2, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = 99}), 2);
    free_jobs(2);
}

static void wait_gives_a_duplicate_twice(void **state)
{
    vr_greenlet *done[3];

    spawn_sleepers((intptr_t[]){10, 20}, 2);
    vr_greenlet *list[] = {jobs[0], jobs[1], jobs[0]};
    assert_int_equal(vr_wait(list, 3, &(vr_wait_options){.timeout = VR_FOREVER, .done = done}), 3);
    vr_greenlet *const expected[] = {jobs[0], jobs[0], jobs[1]};
    assert_memory_equal(done, expected, sizeof expected);
    free_jobs(2);
}

static void raise_error_ends_the_wait_with_the_earliest_failure(void **state)
{
    jobs[0] = vr_spawn(sleeps_ms, number(10));
    jobs[1] = vr_spawn_later(VR_MILLISECONDS(30), fails, number(-EIO));
    jobs[2] = vr_spawn_later(VR_MILLISECONDS(20), fails, number(-EPROTO));
    jobs[3] = vr_spawn(sleeps_ms, number(100));
    vr_wait_options options = {.timeout = VR_FOREVER, .flags = VR_RAISE_ERROR};
    assert_int_equal(vr_wait(jobs, 4, &options), -EPROTO);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    free_jobs(4);
}

static void raise_error_sees_a_failure_before_the_wait(void **state)
{
    vr_wait_options options = {.timeout = VR_FOREVER, .flags = VR_RAISE_ERROR};

    jobs[0] = vr_spawn(fails, number(-EIO));
    vr_join(jobs[0], VR_FOREVER);
    jobs[1] = vr_spawn(sleeps_ms, number(100));
    assert_int_equal(vr_wait(jobs, 2, &options), -EIO);
    assert_int_equal(vr_now(), 0);
    free_jobs(2);
}

static void raise_error_takes_null_for_one_that_failed(void **state)
{
    vr_wait_options options = {.timeout = VR_FOREVER, .flags = VR_RAISE_ERROR};

    jobs[0] = vr_spawn(sleeps_ms, number(100));
    jobs[1] = NULL;
    assert_int_equal(vr_wait(jobs, 2, &options), -ENOMEM);
    free_jobs(2);
}

static void raise_error_is_not_for_exits(void **state)
{
    vr_wait_options options = {.timeout = VR_FOREVER, .flags = VR_RAISE_ERROR};

    jobs[0] = vr_spawn(fails, number(-ECANCELED));
    jobs[1] = vr_spawn(sleeps_ms, number(10));
    assert_int_equal(vr_wait(jobs, 2, &options), 2);
    free_jobs(2);
}

static void failures_are_no_error_without_raise_error(void **state)
{
    jobs[0] = vr_spawn(fails, number(-EIO));
    jobs[1] = vr_spawn(echoes, NULL);
    assert_int_equal(vr_wait(jobs, 2, &(vr_wait_options){.timeout = VR_FOREVER}), 2);
    free_jobs(2);
}

static int reports;

static bool counts_reports(vr_greenlet *greenlet, long error)
{
    reports++;
    return false;
}

static void early_end_of_a_wait_unlinks_the_rest(void **state)
{
    reports = 0;
    vr_hub_handle_error(counts_reports);
    jobs[0] = vr_spawn(sleeps_ms, number(10));
    jobs[1] = vr_spawn_later(VR_MILLISECONDS(20), fails, number(-EIO));
    assert_int_equal(vr_wait(jobs, 2, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = 1}), 1);
    assert_int_equal(vr_joinall(jobs + 1, 1, VR_MILLISECONDS(5)), 0);
    /* Nobody holds the second one or a link to it any more, so its error is one that nobody sees. */
    vr_unref(jobs[1]);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(reports, 1);
    vr_hub_handle_error(NULL);
    free_jobs(1);
}

/* --- In a callback of the hub --- */

static int refused[4];

static void waits_in_the_hub(vr_callback *callback)
{
    refused[0] = vr_join(jobs[0], VR_FOREVER);
    refused[1] = vr_joinall(jobs, 1, VR_FOREVER);
    refused[2] = vr_wait(jobs, 1, &(vr_wait_options){.timeout = VR_FOREVER});
    refused[3] = vr_killall(jobs, 1, -ECANCELED, VR_FOREVER);
}

static void waits_in_the_hub_are_refused(void **state)
{
    vr_callback callback = {.run = waits_in_the_hub};

    spawn_sleepers((intptr_t[]){10}, 1);
    vr_callback_queue(&callback);
    vr_sleep(0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(refused[i], -EPERM);
    free_jobs(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(join_waits_until_the_greenlet_is_dead),
        virtual_test(join_of_a_dead_one_returns_at_once),
        virtual_test(join_gives_up_after_its_timeout),
        virtual_test(join_of_oneself_is_refused),
        virtual_test(all_who_join_one_greenlet_wake_in_order),
        virtual_test(nothing_runs_before_joinall),
        virtual_test(joinall_takes_as_long_as_the_longest),
        virtual_test(joinall_that_times_out_tells_how_many_are_dead),
        virtual_test(joinall_of_none_returns_at_once),
        virtual_test(joinall_counts_failures_exits_and_null_as_dead),
        virtual_test(greenlet_that_is_listed_twice_counts_twice),
        virtual_test(two_may_joinall_the_same_greenlets),
        virtual_test(wait_gives_the_dead_in_the_order_they_ended),
        virtual_test(wait_orders_those_too_that_were_dead_before),
        virtual_test(wait_with_timeout_0_polls),
        virtual_test(wait_that_times_out_gives_a_partial_list),
        virtual_test(wait_ends_when_the_wanted_number_is_dead),
        virtual_test(wait_for_one_notices_whichever_ends_first),
        virtual_test(wait_for_more_than_there_are_means_all),
        virtual_test(wait_gives_a_duplicate_twice),
        virtual_test(raise_error_ends_the_wait_with_the_earliest_failure),
        virtual_test(raise_error_sees_a_failure_before_the_wait),
        virtual_test(raise_error_takes_null_for_one_that_failed),
        virtual_test(raise_error_is_not_for_exits),
        virtual_test(failures_are_no_error_without_raise_error),
        virtual_test(early_end_of_a_wait_unlinks_the_rest),
        virtual_test(waits_in_the_hub_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
