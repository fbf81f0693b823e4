/* The thread pool: where jobs run, who waits in line, and many at once. */
#include "pool_support.h"

/* --- Running --- */

static void apply_returns_what_the_function_returns(void **state)
{
    assert_result_value(vr_threadpool_apply(pool, squares, number(7), releases, VR_FOREVER), number(49));
    assert_int_equal(released, 0);
}

static void apply_returns_the_functions_error_and_releases_the_argument(void **state)
{
    assert_result_error(vr_threadpool_apply(pool, fails, number(-EDOM), releases, VR_FOREVER), -EDOM);
    assert_released_once(-EDOM);
    assert_int_equal(released_result.error, -EDOM);
}

static vr_result notes_thread(void *thread)
{
    *(pthread_t *)thread = pthread_self();
    return vr_ok(NULL);
}

static void function_runs_in_another_thread(void **state)
{
    pthread_t thread = pthread_self();

    assert_result_value(vr_threadpool_apply(pool, notes_thread, &thread, NULL, VR_FOREVER), NULL);
    assert_false(pthread_equal(thread, pthread_self()));
}

static vr_result opens_gate(void *argument)
{
    trace("open");
    open_gate(1);
    return vr_ok(NULL);
}

static void other_greenlets_run_while_a_job_does(void **state)
{
    vr_greenlet *opener = vr_spawn(opens_gate, NULL);

    assert_result_value(vr_threadpool_apply(pool, waits_at_gate, number(3), NULL, VR_FOREVER), number(3));
    assert_trace("open");
    vr_unref(opener);
}

static void as_many_jobs_run_at_once_as_there_are_threads(void **state)
{
    vr_job *jobs[4];

    assert_int_equal(vr_threadpool_threads(pool), 0);
    for (int i = 0; i < 4; i++)
        jobs[i] = spawned(waits_at_gate, number(1));
    await_begun(3);
    assert_int_equal(vr_threadpool_threads(pool), 3);
    assert_int_equal(vr_threadpool_jobs(pool), 4);
    assert_int_equal(sem_trywait(&began), -1);
    open_gate(4);
    for (int i = 0; i < 4; i++) {
        assert_result_value(vr_job_get(jobs[i], VR_FOREVER), number(1));
        vr_job_free(jobs[i]);
    }
    assert_int_equal(vr_threadpool_jobs(pool), 0);
}

static void idle_thread_is_used_before_another_is_started(void **state)
{
    for (int i = 0; i < 20; i++)
        vr_threadpool_apply(pool, squares, number(i), NULL, VR_FOREVER);
    assert_int_equal(vr_threadpool_threads(pool), 1);
    vr_job *job = at_gate();
    vr_threadpool_apply(pool, squares, number(1), NULL, VR_FOREVER);
    assert_int_equal(vr_threadpool_threads(pool), 2);
    let_end(job);
}

static vr_result lists_blocked_signals(void *argument)
{
    intptr_t wrong = 0;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    static const int asynchronous[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGPIPE, SIGUSR1, SIGIO, SIGPROF};
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof asynchronous / sizeof *asynchronous; i++)
        wrong += !sigismember(&blocked, asynchronous[i]);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        wrong += sigismember(&blocked, faults[i]);
    return vr_ok(number(wrong));
}

static void signals_are_blocked_in_the_pools_threads_only(void **state)
{
    sigset_t before, after;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_result_value(vr_threadpool_apply(pool, lists_blocked_signals, NULL, NULL, VR_FOREVER), number(0));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < SIGRTMAX; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

static vr_result runs_greenlets(void *argument)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(1));

    vr_join(greenlet, VR_FOREVER);
    vr_result result = vr_ok(vr_value(greenlet));
    vr_unref(greenlet);
    return result;
}

static void function_may_use_greenlets_of_its_own(void **state)
{
    assert_result_value(vr_threadpool_apply(pool, runs_greenlets, NULL, NULL, VR_FOREVER), number(1));
    assert_result_value(vr_threadpool_apply(pool, runs_greenlets, NULL, NULL, VR_FOREVER), number(1));
}

/* --- The line --- */

static vr_result spawns_named(void *name)
{
    int error = vr_threadpool_spawn(pool, squares, NULL, NULL, VR_FOREVER, NULL);

    trace("%ld:%d", (long)number_of(name), error);
    return vr_ok(NULL);
}

static void full_pool_has_spawns_wait_in_the_order_they_came(void **state)
{
    vr_greenlet *spawners[3];

    fill_pool();
    for (int i = 0; i < 3; i++)
        spawners[i] = vr_spawn(spawns_named, number(i));
    vr_sleep(0);
    assert_trace("");
    assert_int_equal(vr_threadpool_jobs(pool), 2);
    open_gate(2);
    assert_int_equal(vr_joinall(spawners, 3, VR_FOREVER), 3);
    assert_trace("0:0 1:0 2:0");
    for (int i = 0; i < 3; i++)
        vr_unref(spawners[i]);
    empty_pool();
}

static void newcomer_does_not_overtake_the_line(void **state)
{
    vr_greenlet *first = NULL;

    fill_pool();
    first = vr_spawn(spawns_named, number(1));
    vr_sleep(0);
    open_gate(2);
    assert_int_equal(vr_threadpool_spawn(pool, squares, NULL, NULL, VR_FOREVER, NULL), 0);
    assert_trace("1:0");
    vr_unref(first);
    empty_pool();
}

static void wait_in_line_ends_with_the_timeout_and_releases(void **state)
{
    vr_job *job = (vr_job *)&job;

    fill_pool();
    assert_int_equal(vr_threadpool_spawn(pool, squares, number(3), releases, VR_MILLISECONDS(1), &job), -ETIMEDOUT);
    assert_null(job);
    assert_released_once(3);
    assert_int_equal(released_result.error, -ETIMEDOUT);
    assert_int_equal(vr_threadpool_jobs(pool), 2);
    empty_pool();
}

static void killed_spawn_leaves_the_line_and_the_next_moves_up(void **state)
{
    fill_pool();
    vr_greenlet *killed = vr_spawn(spawns, NULL), *next = vr_spawn(spawns, NULL);
    vr_sleep(0);
    vr_kill(killed, -EINTR);
    assert_int_equal(vr_join(killed, VR_FOREVER), 0);
    assert_int_equal(vr_error(killed), -EINTR);
    open_gate(2);
    assert_int_equal(vr_join(next, VR_FOREVER), 0);
    assert_true(vr_successful(next));
    vr_unref(killed);
    vr_unref(next);
    empty_pool();
}

static void room_that_was_given_in_the_turn_of_a_throw_goes_to_the_next(void **state)
{
    vr_job *first = at_gate(), *second = spawned(squares, NULL);
    vr_greenlet *called = vr_spawn(spawns, NULL), *next = vr_spawn(spawns, NULL);

    vr_sleep(0);
    cancel_and_throw(second, called);
    assert_int_equal(vr_join(next, VR_FOREVER), 0);
    assert_true(vr_successful(next));
    vr_unref(next);
    vr_job_free(second);
    let_end(first);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_int_equal(vr_threadpool_jobs(pool), 0);
}

/* --- join --- */

static void join_of_an_idle_pool_returns_at_once(void **state)
{
    assert_int_equal(vr_threadpool_join(pool, 0), 0);
}

static void join_waits_for_the_last_job(void **state)
{
    fill_pool();
    vr_greenlet *joiners[] = {vr_spawn(joins, NULL), vr_spawn(joins, NULL)};
    assert_int_equal(vr_threadpool_join(pool, VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(2);
    assert_int_equal(vr_joinall(joiners, 2, VR_FOREVER), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(vr_successful(joiners[i]));
        vr_unref(joiners[i]);
    }
    assert_int_equal(vr_threadpool_jobs(pool), 0);
}

static void killed_join_leaves(void **state)
{
    fill_pool();
    vr_greenlet *joiner = vr_spawn(joins, NULL);
    vr_sleep(0);
    vr_kill(joiner, -EINTR);
    assert_int_equal(vr_join(joiner, VR_FOREVER), 0);
    assert_int_equal(vr_error(joiner), -EINTR);
    vr_unref(joiner);
    empty_pool();
}

/* --- map --- */

enum { MAPPED = 100 };

static void map_gives_each_result_at_its_place(void **state)
{
    void *arguments[MAPPED];
    vr_result results[MAPPED];

    for (int i = 0; i < MAPPED; i++)
        arguments[i] = number(i);
    assert_int_equal(vr_threadpool_map(pool, squares, arguments, MAPPED, results, VR_FOREVER), 0);
    for (int i = 0; i < MAPPED; i++)
        assert_result_value(results[i], number((intptr_t)i * i));
    assert_int_equal(vr_threadpool_map(pool, squares, arguments, 0, results, VR_FOREVER), 0);
}

static void map_goes_on_after_a_function_that_fails(void **state)
{
    void *arguments[] = {number(-EDOM), number(-ERANGE)};
    vr_result results[2];

    assert_int_equal(vr_threadpool_map(pool, fails, arguments, 2, results, VR_FOREVER), 0);
    assert_result_error(results[0], -EDOM);
    assert_result_error(results[1], -ERANGE);
}

static vr_result waits_if_odd(void *argument)
{
    return number_of(argument) % 2 ? waits_at_gate(argument) : vr_ok(argument);
}

static void map_that_times_out_has_what_was_over_and_the_error_for_the_rest(void **state)
{
    void *arguments[] = {number(0), number(1), number(2)};
    vr_result results[3];

    vr_unref(vr_spawn(awaits_begun, number(1)));
    assert_int_equal(vr_threadpool_map(pool, waits_if_odd, arguments, 3, results, VR_MILLISECONDS(1)), -ETIMEDOUT);
    assert_result_value(results[0], number(0));
    assert_result_error(results[1], -ETIMEDOUT);
    assert_result_error(results[2], -ETIMEDOUT);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
}

static vr_result maps_at_gate(void *argument)
{
    void *arguments[] = {number(1), number(2), number(3)};
    vr_result results[3];

    return vr_fail(vr_threadpool_map(pool, waits_at_gate, arguments, 3, results, VR_FOREVER));
}

static void map_that_is_killed_takes_back_what_has_not_begun(void **state)
{
    vr_greenlet *mapper = vr_spawn(maps_at_gate, NULL);

    vr_sleep(0);
    await_begun(1);
    assert_int_equal(vr_threadpool_jobs(pool), 2);
    vr_kill(mapper, -EINTR);
    assert_int_equal(vr_join(mapper, VR_FOREVER), 0);
    assert_int_equal(vr_error(mapper), -EINTR);
    vr_unref(mapper);
    assert_int_equal(vr_threadpool_jobs(pool), 1);
    empty_pool();
}

/* --- The default pool --- */

static void default_pool_is_made_once_and_ended_with_the_hub(void **state)
{
    vr_threadpool *first = vr_threadpool_default();

    assert_non_null(first);
    assert_ptr_equal(vr_threadpool_default(), first);
    assert_result_value(vr_threadpool_apply(first, squares, number(5), NULL, VR_FOREVER), number(25));
    assert_int_equal(vr_threadpool_spawn(first, squares, number(5), releases, VR_FOREVER, NULL), 0);
    vr_threadpool_free(pool);
    pool = NULL;
    assert_int_equal(vr_hub_free(), 0);
    assert_released_once(5);
    assert_result_value(vr_threadpool_apply(vr_threadpool_default(), squares, number(6), NULL, VR_FOREVER), number(36));
}

static vr_result has_default_pool_of_its_own(void *other)
{
    vr_threadpool *own = vr_threadpool_default();

    return vr_ok(number(own && own != other &&
                        number_of(vr_threadpool_apply(own, squares, number(3), NULL, VR_FOREVER).value) == 9));
}

static void every_thread_has_a_default_pool_of_its_own(void **state)
{
    vr_threadpool *own = vr_threadpool_default();

    assert_result_value(vr_threadpool_apply(pool, has_default_pool_of_its_own, own, NULL, VR_FOREVER), number(1));
}

/* --- Deadlock --- */

static void wait_for_a_job_is_no_deadlock_and_after_it_there_is_one_again(void **state)
{
    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, NULL, NULL, VR_FOREVER, NULL), 0);
    await_begun(1);
    assert_int_equal(vr_hub_join(VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(1);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_threadpool_jobs(pool), 0);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
}

/* --- Many --- */

enum { GREENLETS = 50, JOBS_EACH = 40 };

static atomic_int runs;

static vr_result applies_many(void *argument)
{
    intptr_t sum = 0;

    for (int i = 0; i < JOBS_EACH; i++) {
        /* Some are left early, wherever they are then. */
        vr_time timeout = i % 8 == 7 ? VR_MICROSECONDS(i) : VR_FOREVER;
        sum += vr_threadpool_apply(pool, counts_run, &runs, NULL, timeout).error == 0;
    }
    return vr_ok(number(sum));
}

static void many_greenlets_share_a_pool(void **state)
{
    vr_greenlet *greenlets[GREENLETS];
    intptr_t sum = 0;

    atomic_store(&runs, 0);
    for (int i = 0; i < GREENLETS; i++)
        greenlets[i] = vr_spawn(applies_many, NULL);
    assert_int_equal(vr_joinall(greenlets, GREENLETS, VR_FOREVER), GREENLETS);
    for (int i = 0; i < GREENLETS; i++) {
        sum += number_of(vr_value(greenlets[i]));
        vr_unref(greenlets[i]);
    }
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_true(sum >= GREENLETS * JOBS_EACH * 7 / 8);
    assert_true(atomic_load(&runs) >= sum && atomic_load(&runs) <= GREENLETS * JOBS_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        one_thread(apply_returns_what_the_function_returns),
        one_thread(apply_returns_the_functions_error_and_releases_the_argument),
        one_thread(function_runs_in_another_thread),
        one_thread(other_greenlets_run_while_a_job_does),
        three_threads(as_many_jobs_run_at_once_as_there_are_threads),
        three_threads(idle_thread_is_used_before_another_is_started),
        one_thread(signals_are_blocked_in_the_pools_threads_only),
        one_thread(function_may_use_greenlets_of_its_own),
        one_thread(full_pool_has_spawns_wait_in_the_order_they_came),
        one_thread(newcomer_does_not_overtake_the_line),
        one_thread(wait_in_line_ends_with_the_timeout_and_releases),
        one_thread(killed_spawn_leaves_the_line_and_the_next_moves_up),
        one_thread(room_that_was_given_in_the_turn_of_a_throw_goes_to_the_next),
        one_thread(join_of_an_idle_pool_returns_at_once),
        one_thread(join_waits_for_the_last_job),
        one_thread(killed_join_leaves),
        three_threads(map_gives_each_result_at_its_place),
        one_thread(map_goes_on_after_a_function_that_fails),
        one_thread(map_that_times_out_has_what_was_over_and_the_error_for_the_rest),
        one_thread(map_that_is_killed_takes_back_what_has_not_begun),
        one_thread(default_pool_is_made_once_and_ended_with_the_hub),
        one_thread(every_thread_has_a_default_pool_of_its_own),
        one_thread(wait_for_a_job_is_no_deadlock_and_after_it_there_is_one_again),
        three_threads(many_greenlets_share_a_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
