/* The thread pool at its end, in a forked child, where it is misused, and where memory or threads run out. */
#include "pool_support.h"

#include <stdlib.h>
#include <vireo/fork.h>

THREAD_WRAP(void *, malloc, (size_t size), NULL, (size))
THREAD_WRAP(void *, calloc, (size_t count, size_t size), NULL, (count, size))
THREAD_WRAP(int, pthread_create,
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument), errno,
            (thread, attributes, run, argument))

/* --- The end of a pool --- */

static void free_waits_for_running_jobs_and_drops_the_others(void **state)
{
    vr_job *running = at_gate(), *queued;

    vr_threadpool_spawn(pool, squares, number(2), releases, VR_FOREVER, &queued);
    open_gate(1);
    vr_threadpool_free(pool);
    pool = NULL;
    assert_result_value(vr_job_get(running, VR_FOREVER), number(1));
    vr_job_free(running);
    /* It has begun only if its thread was faster than vr_threadpool_free. */
    if (vr_job_get(queued, VR_FOREVER).error == 0) {
        vr_job_free(queued);
        return;
    }
    assert_result_error(vr_job_get(queued, VR_FOREVER), -ECANCELED);
    vr_job_free(queued);
    assert_released_once(2);
}

/* Frees the pool while the one job that runs waits at the gate, which a thread opens when the pool is closed. */
static vr_threadpool *freed;

static vr_result frees_pool(void *argument)
{
    vr_threadpool_free(freed);
    return vr_ok(NULL);
}

static void opens_gate_when_dropped(void *argument, vr_result result)
{
    open_gate(1);
}

static void free_ends_every_wait_in_the_pool(void **state)
{
    vr_job *running = at_gate(), *queued = spawned(squares, NULL);
    vr_greenlet *waiters[] = {vr_spawn(gets, running), vr_spawn(gets, queued), vr_spawn(joins, NULL),
                              vr_spawn(spawns, NULL)};

    vr_sleep(0);
    assert_int_equal(vr_threadpool_jobs(pool), 2);
    open_gate(1);
    vr_threadpool_free(pool);
    pool = NULL;
    assert_int_equal(vr_joinall(waiters, 4, VR_FOREVER), 4);
    assert_ptr_equal(vr_value(waiters[0]), number(1));
    assert_true(vr_exited(waiters[2]) && vr_exited(waiters[3]));
    for (int i = 0; i < 4; i++)
        vr_unref(waiters[i]);
    vr_job_free(running);
    vr_job_free(queued);
}

static void posts_once(void *argument, vr_result result)
{
    vr_threadpool_spawn(pool, squares, argument, releases, 0, NULL);
}

static void join_waits_also_for_what_a_release_has_added(void **state)
{
    vr_threadpool_spawn(pool, squares, number(6), posts_once, VR_FOREVER, NULL);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
    assert_released_once(6);
}

static void free_drops_queued_jobs_before_it_waits_for_running_ones(void **state)
{
    /* The running job ends only because the queued one is dropped: a free in the other order would hang. */
    vr_job *running = at_gate();

    vr_threadpool_spawn(pool, squares, NULL, opens_gate_when_dropped, VR_FOREVER, NULL);
    vr_threadpool_free(pool);
    pool = NULL;
    assert_result_value(vr_job_get(running, VR_FOREVER), number(1));
    vr_job_free(running);
}

static void pool_may_be_freed_by_what_is_released(void **state)
{
    static const int ends = 2;

    freed = pool;
    pool = NULL;
    for (int i = 0; i < ends; i++)
        vr_threadpool_spawn(freed, squares, NULL, i ? releases : opens_gate_when_dropped, VR_FOREVER, NULL);
    vr_greenlet *greenlet = vr_spawn(frees_pool, NULL);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    vr_unref(greenlet);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    released = 0;
}

static void frees_it(void *argument, vr_result result)
{
    vr_threadpool_free(argument);
}

static void free_from_within_a_release_ends_the_rest_as_well(void **state)
{
    vr_job *after;

    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, pool, frees_it, VR_FOREVER, NULL), 0);
    assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, number(2), releases, VR_FOREVER, &after), 0);
    pool = NULL;
    open_gate(2);
    vr_job_get(after, VR_FOREVER);
    assert_true(vr_job_ready(after));
    vr_job_free(after);
    released = 0;
}

static void pools_of_null_and_jobs_of_null_are_allowed(void **state)
{
    vr_job *job;
    void *arguments[] = {NULL};
    vr_result results[1];

    vr_threadpool_free(NULL);
    vr_job_free(NULL);
    assert_result_error(vr_threadpool_apply(NULL, squares, number(1), releases, VR_FOREVER), -ENOMEM);
    assert_released_once(1);
    assert_int_equal(vr_threadpool_spawn(NULL, squares, number(1), releases, VR_FOREVER, &job), -ENOMEM);
    assert_null(job);
    assert_released_once(1);
    assert_int_equal(vr_threadpool_map(NULL, squares, arguments, 1, results, VR_FOREVER), -ENOMEM);
    assert_result_error(results[0], -ENOMEM);
    assert_int_equal(vr_threadpool_join(NULL, VR_FOREVER), -ENOMEM);
}

static void pool_of_no_threads_is_refused(void **state)
{
    errno = 0;
    assert_null(vr_threadpool_new(0));
    assert_int_equal(errno, EINVAL);
    assert_null(vr_threadpool_new(SIZE_MAX));
    assert_int_equal(errno, EINVAL);
}

/* --- Misuse --- */

static vr_result uses_anothers_pool(void *job)
{
    void *arguments[] = {NULL};
    vr_result results[1];
    bool refused = vr_threadpool_apply(pool, squares, NULL, NULL, VR_FOREVER).error == -EINVAL &&
                   vr_threadpool_spawn(pool, squares, NULL, NULL, VR_FOREVER, NULL) == -EINVAL &&
                   vr_threadpool_map(pool, squares, arguments, 1, results, VR_FOREVER) == -EINVAL &&
                   vr_threadpool_join(pool, VR_FOREVER) == -EINVAL && vr_job_get(job, VR_FOREVER).error == -EINVAL &&
                   vr_job_cancel(job) == -EINVAL;

    return vr_ok(number(refused));
}

static void pool_of_another_thread_is_refused(void **state)
{
    vr_job *job = spawned(squares, NULL);

    assert_result_value(vr_threadpool_apply(pool, uses_anothers_pool, job, NULL, VR_FOREVER), number(1));
    assert_result_value(vr_job_get(job, VR_FOREVER), number(0));
    vr_job_free(job);
}

struct hub_call {
    vr_callback callback;
    vr_job *job;
    bool full;
};

static void uses_pool_in_hub(vr_callback *callback)
{
    struct hub_call *call = (struct hub_call *)(void *)callback;
    void *arguments[] = {NULL};
    vr_result results[1];

    trace("%ld", vr_threadpool_apply(pool, squares, number(1), releases, VR_FOREVER).error);
    trace("%d", vr_threadpool_map(pool, squares, arguments, 1, results, VR_FOREVER));
    trace("%d", vr_threadpool_join(pool, VR_FOREVER));
    trace("%ld", vr_job_get(call->job, VR_FOREVER).error);
    trace("%d", vr_threadpool_spawn(pool, squares, number(2), NULL, VR_FOREVER, NULL));
}

static void waits_are_refused_in_the_hub(void **state)
{
    struct hub_call call = {.callback.run = uses_pool_in_hub, .job = at_gate()};

    vr_callback_queue(&call.callback);
    vr_sleep(0);
    assert_trace("-1 -1 -1 -1 0"); /* -EPERM */
    assert_released_once(1);
    /* Now it is full. */
    vr_callback_queue(&call.callback);
    vr_sleep(0);
    assert_trace("-1 -1 -1 -1 -1");
    assert_released_once(1);
    let_end(call.job);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
}

static void free_job_that_is_linked_to(void)
{
    vr_threadpool *own = vr_threadpool_new(1);
    vr_link link = {0};
    vr_job *job;

    vr_threadpool_spawn(own, waits_at_gate, NULL, NULL, VR_FOREVER, &job);
    vr_waitable_link(vr_job_waitable(job), &link);
    vr_job_free(job);
}

static void *frees_anothers_pool(void *anothers)
{
    vr_threadpool_free(anothers);
    return NULL;
}

static void free_pool_of_another_thread(void)
{
    pthread_t thread;

    __real_pthread_create(&thread, NULL, frees_anothers_pool, vr_threadpool_new(1));
    pthread_join(thread, NULL);
}

static void misuse_that_cannot_be_returned_aborts(void **state)
{
    if (THREAD_SANITIZED)
        skip();
    void (*const bodies[])(void) = {free_job_that_is_linked_to, free_pool_of_another_thread};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        int status = status_of_child(bodies[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* --- fork --- */

static vr_job *forked_jobs[2];

static void use_pool_in_child(void)
{
    vr_result running = vr_job_get(forked_jobs[0], VR_FOREVER), queued = vr_job_get(forked_jobs[1], VR_FOREVER);

    if (running.error != -ECANCELED || queued.error != -ECANCELED || vr_threadpool_threads(pool) != 0)
        _exit(1);
    if (vr_threadpool_apply(pool, squares, number(4), NULL, VR_FOREVER).value != number(16))
        _exit(2);
    vr_threadpool_free(pool);
    vr_job_free(forked_jobs[0]);
    vr_job_free(forked_jobs[1]);
}

static void child_process_has_the_pool_with_new_threads_and_without_the_jobs(void **state)
{
    if (THREAD_SANITIZED)
        skip();
    forked_jobs[0] = at_gate();
    forked_jobs[1] = spawned(squares, number(3));
    assert_int_equal(status_of_child(use_pool_in_child), 0);
    pid_t child = vr_fork();
    if (child == 0) {
        use_pool_in_child();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    let_end(forked_jobs[0]);
    assert_result_value(vr_job_get(forked_jobs[1], VR_FOREVER), number(9));
    vr_job_free(forked_jobs[1]);
}

/* --- Without memory, and without threads --- */

static void job_without_memory_is_an_error_and_releases(void **state)
{
    vr_job *job;

    fail_nth(&fault_of_malloc, 1, ENOMEM);
    assert_int_equal(vr_threadpool_spawn(pool, squares, number(3), releases, VR_FOREVER, &job), -ENOMEM);
    assert_released_once(3);
    assert_int_equal(vr_threadpool_jobs(pool), 0);
    assert_result_value(vr_threadpool_apply(pool, squares, number(3), releases, VR_FOREVER), number(9));
}

static void pool_without_memory_is_null(void **state)
{
    errno = 0;
    fail_nth(&fault_of_malloc, 1, ENOMEM);
    assert_null(vr_threadpool_new(1));
    assert_int_equal(errno, ENOMEM);
}

static void pool_that_the_hub_has_no_descriptor_for_is_null(void **state)
{
    struct rlimit before;

    /* Without a pool the hub lets go of its own: a hub that is new has none. */
    vr_threadpool_free(pool);
    pool = NULL;
    vr_hub_free();
    vr_sleep(0);
    getrlimit(RLIMIT_NOFILE, &before);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, before.rlim_max});
    errno = 0;
    vr_threadpool *none = vr_threadpool_new(1);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &before);
    assert_null(none);
    assert_int_equal(error, EMFILE);
}

static void map_without_memory_is_an_error(void **state)
{
    void *arguments[] = {number(1), number(2)};
    vr_result results[2];

    fail_nth(&fault_of_calloc, 1, ENOMEM);
    assert_int_equal(vr_threadpool_map(pool, squares, arguments, 2, results, VR_FOREVER), -ENOMEM);
    assert_result_error(results[1], -ENOMEM);
    /* The second job finds none: the first runs, or is taken back. */
    fail_nth(&fault_of_malloc, 2, ENOMEM);
    assert_int_equal(vr_threadpool_map(pool, squares, arguments, 2, results, VR_FOREVER), -ENOMEM);
    assert_result_error(results[1], -ENOMEM);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
}

static void pool_that_can_start_no_thread_refuses_jobs_until_it_can(void **state)
{
    fail_nth(&fault_of_pthread_create, 1, EAGAIN);
    assert_result_error(vr_threadpool_apply(pool, squares, number(3), releases, VR_FOREVER), -EAGAIN);
    assert_released_once(3);
    assert_int_equal(vr_threadpool_jobs(pool), 0);
    assert_result_value(vr_threadpool_apply(pool, squares, number(3), releases, VR_FOREVER), number(9));
}

static void pool_with_one_thread_goes_on_where_no_other_can_be_started(void **state)
{
    vr_job *first = at_gate();

    fail_nth(&fault_of_pthread_create, 1, EAGAIN);
    vr_job *second = spawned(waits_at_gate, number(1));
    assert_int_equal(vr_threadpool_threads(pool), 1);
    let_end(first);
    let_end(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        one_thread(join_waits_also_for_what_a_release_has_added),
        one_thread(free_waits_for_running_jobs_and_drops_the_others),
        one_thread(free_ends_every_wait_in_the_pool),
        one_thread(free_drops_queued_jobs_before_it_waits_for_running_ones),
        one_thread(pool_may_be_freed_by_what_is_released),
        one_thread(free_from_within_a_release_ends_the_rest_as_well),
        one_thread(pools_of_null_and_jobs_of_null_are_allowed),
        one_thread(pool_of_no_threads_is_refused),
        three_threads(pool_of_another_thread_is_refused),
        one_thread(waits_are_refused_in_the_hub),
        one_thread(misuse_that_cannot_be_returned_aborts),
        one_thread(child_process_has_the_pool_with_new_threads_and_without_the_jobs),
        one_thread(job_without_memory_is_an_error_and_releases),
        one_thread(pool_without_memory_is_null),
        one_thread(pool_that_the_hub_has_no_descriptor_for_is_null),
        one_thread(map_without_memory_is_an_error),
        one_thread(pool_that_can_start_no_thread_refuses_jobs_until_it_can),
        three_threads(pool_with_one_thread_goes_on_where_no_other_can_be_started),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
