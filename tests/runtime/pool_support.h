/* What the tests of the thread pool and its jobs share: a pool, what its jobs do, and what was released. */
#ifndef VIREO_TESTS_RUNTIME_POOL_SUPPORT_H
#define VIREO_TESTS_RUNTIME_POOL_SUPPORT_H

#include "thread_support.h"

/* --- Set-up --- */

static vr_threadpool *pool;

/* A pool of so many threads for the test. */
static inline int use_pool(void **state, size_t size)
{
    pool = vr_threadpool_new(size);
    return !pool || make_gates() || use_real_clock(state);
}

static inline int use_one_thread(void **state)
{
    return use_pool(state, 1);
}

static inline int use_three_threads(void **state)
{
    return use_pool(state, 3);
}

static inline int end_pool(void **state)
{
    vr_threadpool_free(pool);
    return free_hub(state);
}

static inline vr_job *spawned(vr_function *function, void *argument)
{
    vr_job *job;

    assert_int_equal(vr_threadpool_spawn(pool, function, argument, NULL, VR_FOREVER, &job), 0);
    return job;
}

/* A job that has begun, and waits at the gate. */
static inline vr_job *at_gate(void)
{
    vr_job *job = spawned(waits_at_gate, number(1));

    await_begun(1);
    return job;
}

/* Has a job that is, or is about to be, at the gate end with the value 1. */
static inline void let_end(vr_job *job)
{
    open_gate(1);
    assert_result_value(vr_job_get(job, VR_FOREVER), number(1));
    vr_job_free(job);
}

/* Fills a pool of one thread: a job at the gate, and one behind it, both on their own. */
static inline void fill_pool(void)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(vr_threadpool_spawn(pool, waits_at_gate, NULL, NULL, VR_FOREVER, NULL), 0);
    await_begun(1);
}

static inline void empty_pool(void)
{
    open_gate(2);
    assert_int_equal(vr_threadpool_join(pool, VR_FOREVER), 0);
}

/* --- What was released --- */

static int released;
static void *released_argument;
static vr_result released_result;
static pthread_t released_in;

static inline void releases(void *argument, vr_result result)
{
    released++;
    released_argument = argument;
    released_result = result;
    released_in = pthread_self();
}

static inline void assert_released_once(intptr_t argument)
{
    assert_int_equal(released, 1);
    assert_int_equal(number_of(released_argument), argument);
    assert_true(pthread_equal(released_in, pthread_self()));
    released = 0;
}

/* --- What jobs and greenlets do --- */

static inline vr_result squares(void *argument)
{
    return vr_ok(number(number_of(argument) * number_of(argument)));
}

static inline vr_result gets(void *job)
{
    return vr_job_get(job, VR_FOREVER);
}

/* In the hub: a job that has not begun is cancelled, and who was given something by that gets an error in the very
 * turn. */
struct cancelling {
    vr_callback callback;
    vr_job *job;
    vr_greenlet *victim;
};

static inline void cancels_and_throws(vr_callback *callback)
{
    struct cancelling *cancelling = (struct cancelling *)(void *)callback;

    vr_job_cancel(cancelling->job);
    vr_throw(cancelling->victim, -EINTR);
}

static inline void cancel_and_throw(vr_job *job, vr_greenlet *victim)
{
    struct cancelling cancelling = {.callback.run = cancels_and_throws, .job = job, .victim = victim};

    vr_callback_queue(&cancelling.callback);
    vr_sleep(0);
    assert_int_equal(vr_error(victim), -EINTR);
    vr_unref(victim);
}

static inline vr_result joins(void *argument)
{
    return vr_fail(vr_threadpool_join(pool, VR_FOREVER));
}

static inline vr_result spawns(void *argument)
{
    return vr_fail(vr_threadpool_spawn(pool, squares, argument, NULL, VR_FOREVER, NULL));
}

/* Keeps the hub from going on, to timeouts in particular, before a job has begun. */
static inline vr_result awaits_begun(void *count)
{
    await_begun((int)number_of(count));
    return vr_ok(NULL);
}

static inline vr_result counts_run(void *count)
{
    atomic_fetch_add((atomic_int *)count, 1);
    return vr_ok(NULL);
}

#define one_thread(function) cmocka_unit_test_setup_teardown(function, use_one_thread, end_pool)
#define three_threads(function) cmocka_unit_test_setup_teardown(function, use_three_threads, end_pool)

#endif
