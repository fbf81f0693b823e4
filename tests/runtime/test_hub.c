/* The hub: giving way, deadlocks, join, errors that nobody sees, its end, and hubs of several threads. */
#include "support.h"

#include <vireo/io.h>
#include <vireo/waiter.h>

#include <pthread.h>
#include <sys/mman.h>

/* --- sleep --- */

static vr_result traces_a_and_b(void *name)
{
    trace("%ldA", (long)number_of(name));
    int error = vr_sleep(0);
    trace("%ldB", (long)number_of(name));
    return vr_fail(error);
}

static void sleep_0_alternates_two_greenlets(void **state)
{
    vr_greenlet *both[] = {vr_spawn(traces_a_and_b, number(1)), vr_spawn(traces_a_and_b, number(2))};

    assert_int_equal(vr_joinall(both, 2, VR_FOREVER), 2);
    assert_trace("1A 2A 1B 2B");
    vr_unref(both[0]);
    vr_unref(both[1]);
}

static void sleep_0_of_main_lets_all_that_is_queued_run_first(void **state)
{
    vr_greenlet *both[] = {vr_spawn(traces_a_and_b, number(1)), vr_spawn(traces_a_and_b, number(2))};

    assert_int_equal(vr_sleep(0), 0);
    assert_trace("1A 2A");
    assert_int_equal(vr_sleep(0), 0);
    assert_trace("1B 2B");
    vr_unref(both[0]);
    vr_unref(both[1]);
}

static vr_result traces_time_after(void *ms)
{
    vr_result result = sleeps_ms(ms);

    trace("%ld@%ld", (long)number_of(ms), (long)(vr_now() / VR_MILLISECONDS(1)));
    return result;
}

static void sleepers_wake_at_their_times(void **state)
{
    vr_unref(vr_spawn(traces_time_after, number(30)));
    vr_unref(vr_spawn(traces_time_after, number(10)));
    vr_unref(vr_spawn(traces_time_after, number(20)));
    assert_int_equal(vr_sleep(VR_MILLISECONDS(25)), 0);
    assert_trace("10@10 20@20");
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("30@30");
}

static void equal_sleepers_wake_in_the_order_they_went_to_sleep(void **state)
{
    static const intptr_t names[] = {3, 1, 2};
    for (int i = 0; i < 3; i++)
        vr_unref(vr_spawn_later(VR_MILLISECONDS(10), traces_a_and_b, number(names[i])));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("3A 1A 2A 3B 1B 2B");
}

static vr_result sleeps_an_hour(void *argument)
{
    return vr_fail(vr_sleep(VR_SECONDS(3600)));
}

static void sleep_returns_what_is_thrown_into_it(void **state)
{
    vr_greenlet *sleeper = vr_spawn(sleeps_an_hour, NULL);

    vr_sleep(VR_SECONDS(1));
    vr_kill(sleeper, -EINTR);
    assert_int_equal(vr_join(sleeper, VR_FOREVER), 0);
    assert_int_equal(vr_error(sleeper), -EINTR);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1)); /* its timer is gone */
    vr_unref(sleeper);
}

static void greenlet_that_main_switches_to_may_sleep(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(sleeps_ms);

    assert_result_value(vr_switch(greenlet, number(10)), number(10));
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    vr_unref(greenlet);
}

static bool stop_spinning;

static vr_result spins(void *argument)
{
    while (!stop_spinning)
        if (vr_sleep(0))
            return vr_fail(-EIO);
    return vr_ok(NULL);
}

static void stops_spinning(vr_callback *callback)
{
    stop_spinning = true;
}

static void sleep_0_does_not_starve_timers(void **state)
{
    vr_greenlet *spinners[] = {vr_spawn(spins, NULL), vr_spawn(spins, NULL)};
    vr_timer timer = {.callback.run = stops_spinning};

    stop_spinning = false;
    assert_int_equal(vr_timer_start(&timer, VR_MICROSECONDS(1)), 0);
    spins(NULL);
    assert_int_equal(vr_joinall(spinners, 2, VR_FOREVER), 2);
    vr_unref(spinners[0]);
    vr_unref(spinners[1]);
}

static vr_result reads_and_stops(void *fd)
{
    char octet;
    ssize_t got = vr_read((int)number_of(fd), &octet, 1, VR_FOREVER);

    stop_spinning = true;
    return vr_ok(number(got));
}

static vr_result writes_after_three_turns(void *fd)
{
    for (int i = 0; i < 3; i++)
        vr_sleep(0);
    return vr_ok(number(write((int)number_of(fd), "x", 1)));
}

static void sleep_0_does_not_starve_io(void **state)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stop_spinning = false;
    vr_greenlet *greenlets[] = {vr_spawn(reads_and_stops, number(ends[0])), vr_spawn(spins, NULL),
                                vr_spawn(writes_after_three_turns, number(ends[1]))};
    assert_int_equal(vr_joinall(greenlets, 3, VR_FOREVER), 3);
    assert_ptr_equal(vr_value(greenlets[0]), number(1));
    for (int i = 0; i < 3; i++)
        vr_unref(greenlets[i]);
    vr_close(ends[0]);
    vr_close(ends[1]);
}

/* --- Deadlock --- */

static vr_waiter waiter;

static vr_result gets(void *argument)
{
    return vr_waiter_get(&waiter, VR_FOREVER);
}

static void main_is_told_when_it_would_wait_for_ever(void **state)
{
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    waiter = VR_WAITER;
    assert_result_error(vr_waiter_get(&waiter, VR_FOREVER), -EDEADLK);
    vr_greenlet *unstarted = vr_greenlet_new(echoes);
    assert_int_equal(vr_join(unstarted, VR_FOREVER), -EDEADLK);
    assert_int_equal(vr_joinall(&unstarted, 1, VR_FOREVER), -EDEADLK);
    vr_unref(unstarted);
}

static void deadlock_is_seen_only_when_all_else_is_done(void **state)
{
    vr_greenlet *sleeper = vr_spawn(sleeps_ms, number(1000));

    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_true(vr_ready(sleeper));
    vr_unref(sleeper);
}

static void hub_is_usable_after_a_deadlock(void **state)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
        vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(10));
        assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
        assert_ptr_equal(vr_value(greenlet), number(10));
        vr_unref(greenlet);
        assert_int_equal(vr_sleep(VR_MILLISECONDS(1)), 0);
    }
}

static void only_main_is_told_of_a_deadlock(void **state)
{
    waiter = VR_WAITER;
    vr_greenlet *getter = vr_spawn(gets, NULL);

    assert_int_equal(vr_join(getter, VR_FOREVER), -EDEADLK);
    assert_false(vr_ready(getter));
    vr_waiter_switch(&waiter, number(1));
    assert_int_equal(vr_join(getter, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(getter), number(1));
    vr_unref(getter);
}

static void wait_with_a_timeout_is_no_deadlock(void **state)
{
    waiter = VR_WAITER;
    assert_result_error(vr_waiter_get(&waiter, VR_SECONDS(5)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(5));
}

/* --- join --- */

static void hub_join_waits_for_greenlets_timers_and_callbacks(void **state)
{
    vr_timer timer = {.callback.run = stops_spinning};

    stop_spinning = false;
    vr_unref(vr_spawn(sleeps_ms, number(10)));
    vr_timer_start(&timer, VR_MILLISECONDS(20));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    assert_true(stop_spinning);
    vr_callback_queue(&timer.callback);
    stop_spinning = false;
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_true(stop_spinning);
}

static void hub_join_with_nothing_to_wait_for_returns_at_once(void **state)
{
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_hub_join(0), 0);
    assert_int_equal(vr_hub_join(VR_SECONDS(1)), 0);
    assert_int_equal(vr_now(), 0);
}

static void hub_join_does_not_wait_for_greenlets_that_nothing_can_wake(void **state)
{
    waiter = VR_WAITER;
    vr_greenlet *getter = vr_spawn(gets, NULL);

    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_hub_join(VR_SECONDS(1)), 0);
    assert_int_equal(vr_now(), 0);
    assert_true(vr_running(getter));
    vr_waiter_switch(&waiter, NULL);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_true(vr_ready(getter));
    vr_unref(getter);
}

static void hub_join_gives_up_after_its_timeout(void **state)
{
    vr_greenlet *sleeper = vr_spawn(sleeps_ms, number(30));

    assert_int_equal(vr_hub_join(VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_int_equal(vr_hub_join(VR_SECONDS(10)), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(30));
    vr_unref(sleeper);
}

static void hub_join_with_a_very_long_timeout_waits_all_the_same(void **state)
{
    vr_sleep(VR_SECONDS(1));
    vr_greenlet *sleeper = vr_spawn(sleeps_ms, number(1000));
    assert_int_equal(vr_hub_join(VR_FOREVER - 1), 0);
    assert_int_equal(vr_now(), VR_SECONDS(2));
    assert_true(vr_ready(sleeper));
    vr_unref(sleeper);
}

static void hub_join_waits_for_greenlets_in_io(void **state)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    vr_greenlet *reader = vr_spawn(reads_and_stops, number(ends[0]));
    assert_int_equal(vr_hub_join(VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_ptr_equal(vr_value(reader), number(1));
    vr_unref(reader);
    vr_close(ends[0]);
    vr_close(ends[1]);
}

static vr_result joins_the_hub(void *argument)
{
    return vr_fail(vr_hub_join(VR_FOREVER));
}

static void hub_join_is_for_main_only(void **state)
{
    vr_greenlet *greenlet = vr_spawn(joins_the_hub, NULL);

    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), -EPERM);
    vr_unref(greenlet);
}

/* --- Errors that nobody sees --- */

static int report_count;
static long reported_error;
static char reported_name[32];
static vr_greenlet *reported_in;
static int sleep_in_handler;
static bool pass_on;

static bool notes_report(vr_greenlet *greenlet, long error)
{
    report_count++;
    reported_error = error;
    reported_in = vr_current();
    vr_name_of(greenlet, reported_name, sizeof reported_name);
    sleep_in_handler = vr_sleep(0);
    return pass_on;
}

static int use_handler(void **state)
{
    report_count = 0;
    pass_on = false;
    int error = use_virtual_clock(state);
    vr_hub_handle_error(notes_report);
    return error;
}

static int drop_handler(void **state)
{
    vr_hub_handle_error(NULL);
    return free_hub(state);
}

static void error_that_nobody_sees_is_reported_once_with_the_name(void **state)
{
    vr_greenlet *greenlet = vr_spawn(fails, number(-EPROTO));
    vr_greenlet *hub = vr_parent(greenlet);

    vr_set_name(greenlet, "lonely");
    vr_unref(greenlet);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(report_count, 1);
    assert_string_equal(reported_name, "lonely");
    assert_int_equal(reported_error, -EPROTO);
    assert_ptr_equal(reported_in, hub);
    assert_int_equal(sleep_in_handler, -EPERM);
}

static void error_is_not_reported_while_a_reference_is_held(void **state)
{
    vr_greenlet *greenlet = vr_spawn(fails, number(-EPROTO));

    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    vr_unref(greenlet);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(report_count, 0);
}

static void ignores(void *greenlet, void *context)
{
}

static void error_is_not_reported_to_others_than_its_links(void **state)
{
    vr_greenlet *greenlet = vr_spawn(fails, number(-EPROTO));
    vr_link link = {.notify = ignores};

    vr_rawlink(greenlet, &link);
    vr_unref(greenlet);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(report_count, 0);
}

static void exits_and_values_are_not_reported(void **state)
{
    vr_greenlet *killed = vr_spawn(sleeps_forever, NULL);

    vr_sleep(0);
    vr_kill(killed, -ECANCELED);
    vr_unref(killed);
    vr_unref(vr_spawn(fails, number(-ECANCELED)));
    vr_unref(vr_spawn(echoes, NULL));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(report_count, 0);
}

static void each_lonely_error_is_reported(void **state)
{
    for (int i = 0; i < 3; i++)
        vr_unref(vr_spawn(fails, number(-EIO)));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(report_count, 3);
}

static void error_that_the_handler_passes_on_reaches_the_wait_of_main(void **state)
{
    pass_on = true;
    vr_unref(vr_spawn(fails, number(-EPROTO)));
    assert_int_equal(vr_sleep(VR_SECONDS(1)), -EPROTO);
    assert_int_equal(vr_now(), 0);
    vr_greenlet *sleeper = vr_spawn(sleeps_ms, number(10));
    vr_unref(vr_spawn(fails, number(-EIO)));
    assert_int_equal(vr_joinall(&sleeper, 1, VR_FOREVER), -EIO);
    assert_int_equal(vr_joinall(&sleeper, 1, VR_FOREVER), 1);
    assert_int_equal(report_count, 2);
    vr_unref(sleeper);
}

static void default_handler_writes_one_line_with_the_name_on_stderr(void **state)
{
    int file = memfd_create("stderr", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
    char text[256];

    vr_hub_handle_error(NULL);
    vr_sleep(0); /* a sanitizer may have something to say about the first switch */
    vr_greenlet *greenlet = vr_spawn(fails, number(-EPROTO));
    vr_set_name(greenlet, "lonely");
    vr_unref(greenlet);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    int error = vr_hub_join(VR_FOREVER);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    close(file);

    assert_int_equal(error, 0);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "lonely"));
    assert_non_null(strstr(text, vr_strerror(-EPROTO)));
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
}

/* --- The end of a hub --- */

static void hub_with_greenlets_left_alive_is_not_freed(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_forever, NULL);

    assert_int_equal(vr_hub_free(), -EBUSY);
    vr_sleep(0);
    assert_int_equal(vr_hub_free(), -EBUSY);
    end_greenlet(greenlet);
}

static void hub_is_made_anew_after_its_end(void **state)
{
    for (int i = 0; i < 3; i++) {
        vr_greenlet *greenlet = vr_spawn(echoes, number(i));
        assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
        assert_ptr_equal(vr_value(greenlet), number(i));
        vr_unref(greenlet);
        assert_int_equal(vr_hub_free(), 0);
        assert_int_equal(vr_hub_free(), 0);
    }
}

static void new_hub_runs_on_the_real_clock(void **state)
{
    assert_int_equal(vr_hub_virtual_clock(0), 0);
    assert_int_equal(vr_hub_free(), 0);
    assert_true(vr_now() > 0);
}

/* --- Threads --- */

enum { THREAD_JOBS = 50 };

static vr_result sleeps_in_steps(void *step_ms)
{
    for (int i = 0; i < 10; i++)
        if (vr_sleep(VR_MILLISECONDS(number_of(step_ms))))
            return vr_fail(-EIO);
    return vr_ok(step_ms);
}

/* A life of a hub on a thread of its own. Returns how far it came: NULL is the whole way. */
static void *lives_on_a_thread(void *argument)
{
    vr_greenlet *jobs[THREAD_JOBS];
    intptr_t sum = 0;

    if (vr_hub_virtual_clock(0))
        return number(1);
    for (int i = 0; i < THREAD_JOBS; i++)
        jobs[i] = vr_spawn(sleeps_in_steps, number(i + 1));
    char name[32];
    if (vr_joinall(jobs, THREAD_JOBS, VR_FOREVER) != THREAD_JOBS || vr_now() != VR_MILLISECONDS(10 * THREAD_JOBS))
        return number(2);
    if (strcmp(vr_name_of(jobs[0], name, sizeof name), argument) != 0)
        return number(3);
    for (int i = 0; i < THREAD_JOBS; i++) {
        sum += number_of(vr_value(jobs[i]));
        vr_unref(jobs[i]);
    }
    if (sum != THREAD_JOBS * (THREAD_JOBS + 1) / 2)
        return number(4);
    return vr_hub_free() ? number(5) : NULL;
}

static void every_thread_has_a_hub_of_its_own(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    vr_greenlet *mine = vr_spawn(sleeps_ms, number(10));
    char name[32];

    vr_name_of(mine, name, sizeof name); /* the first one of every thread has the same number */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lives_on_a_thread, name), 0);
    assert_int_equal(vr_join(mine, VR_FOREVER), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    vr_unref(mine);
}

#define handler_test(function) cmocka_unit_test_setup_teardown(function, use_handler, drop_handler)

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(sleep_0_alternates_two_greenlets),
        virtual_test(sleep_0_of_main_lets_all_that_is_queued_run_first),
        virtual_test(sleepers_wake_at_their_times),
        virtual_test(equal_sleepers_wake_in_the_order_they_went_to_sleep),
        virtual_test(sleep_returns_what_is_thrown_into_it),
        virtual_test(greenlet_that_main_switches_to_may_sleep),
        real_test(sleep_0_does_not_starve_timers),
        real_test(sleep_0_does_not_starve_io),
        virtual_test(main_is_told_when_it_would_wait_for_ever),
        real_test(main_is_told_when_it_would_wait_for_ever),
        virtual_test(deadlock_is_seen_only_when_all_else_is_done),
        virtual_test(hub_is_usable_after_a_deadlock),
        virtual_test(only_main_is_told_of_a_deadlock),
        virtual_test(wait_with_a_timeout_is_no_deadlock),
        virtual_test(hub_join_waits_for_greenlets_timers_and_callbacks),
        virtual_test(hub_join_with_nothing_to_wait_for_returns_at_once),
        virtual_test(hub_join_does_not_wait_for_greenlets_that_nothing_can_wake),
        virtual_test(hub_join_gives_up_after_its_timeout),
        virtual_test(hub_join_with_a_very_long_timeout_waits_all_the_same),
        virtual_test(hub_join_waits_for_greenlets_in_io),
        virtual_test(hub_join_is_for_main_only),
        handler_test(error_that_nobody_sees_is_reported_once_with_the_name),
        handler_test(error_is_not_reported_while_a_reference_is_held),
        handler_test(error_is_not_reported_to_others_than_its_links),
        handler_test(exits_and_values_are_not_reported),
        handler_test(each_lonely_error_is_reported),
        handler_test(error_that_the_handler_passes_on_reaches_the_wait_of_main),
        handler_test(default_handler_writes_one_line_with_the_name_on_stderr),
        virtual_test(hub_with_greenlets_left_alive_is_not_freed),
        virtual_test(hub_is_made_anew_after_its_end),
        real_test(new_hub_runs_on_the_real_clock),
        virtual_test(every_thread_has_a_hub_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
