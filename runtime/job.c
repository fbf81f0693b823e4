#include "line.h"
#include "threadpool.h"

#include <errno.h>
#include <stdlib.h>

/* --- A job's end --- */

static void drop_argument(void *argument, vr_job_release *release, vr_result result)
{
    if (release)
        release(argument, result);
}

/* Frees a job that is over and that nobody holds. */
static void drop_job(vr_job *job)
{
    if (job->pool || job->holds)
        return;
    vr_callback_cancel(&job->over.waitable.notify);
    if (!job->taken)
        drop_argument(job->argument, job->release, job->result);
    free(job);
}

void vr_job_end(vr_job *job)
{
    while (vr_threadpool_call_first(&job->getters)) {
    }
    if (job->result.error)
        vr_async_result_fail(&job->over, job->result.error);
    else
        vr_async_result_set(&job->over, job->result.value);
    drop_job(job);
}

/* --- Spawning --- */

/* A job that room was taken for. NULL, and *error says why. */
static vr_job *new_job(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release, int *error)
{
    vr_job *job = malloc(sizeof *job);

    *error = job ? vr_threadpool_provide_thread(pool) : -ENOMEM;
    if (*error) {
        free(job);
        vr_threadpool_give_room(pool);
        return NULL;
    }
    *job = (vr_job){
        .function = function,
        .argument = argument,
        .release = release,
        .over = VR_ASYNC_RESULT,
        .pool = pool,
        .hub = pool->hub,
    };
    return job;
}

static int refuse(int error, void *argument, vr_job_release *release, vr_job **out)
{
    if (out)
        *out = NULL;
    drop_argument(argument, release, vr_fail(error));
    return error;
}

/* Room was taken. */
static int spawn(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release, vr_job **out)
{
    int error = 0;
    vr_job *job = new_job(pool, function, argument, release, &error);

    if (!job)
        return refuse(error, argument, release, out);
    job->holds = out != NULL;
    if (out)
        *out = job;
    vr_threadpool_add(pool, job);
    return 0;
}

int vr_threadpool_spawn(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                        vr_time timeout, vr_job **job)
{
    int error = vr_threadpool_check(pool);

    if (!error)
        error = vr_threadpool_take_room(pool, timeout);
    return error ? refuse(error, argument, release, job) : spawn(pool, function, argument, release, job);
}

int vr_threadpool_post(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                       vr_job **job)
{
    int error = vr_threadpool_check(pool);

    if (error)
        return refuse(error, argument, release, job);
    pool->jobs++;
    return spawn(pool, function, argument, release, job);
}

/* --- Results --- */

/* Waits until it is over. */
static int await_job(vr_job *job, vr_time timeout)
{
    int error = 0;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    vr_place self = {.greenlet = hub->current};
    vr_line_append(&job->getters, &self);
    return vr_line_park(hub, &job->getters, &self, timeout, VR_WAIT_THREAD, job);
}

/* vr_job_get of a job that the caller holds. */
static vr_result take_result(vr_job *job, vr_time timeout)
{
    int error = job->pool ? await_job(job, timeout) : 0;

    if (error)
        return vr_fail(error);
    if (!job->result.error)
        job->taken = true;
    return job->result;
}

/* Takes one back that has not begun; false when it has. */
static bool cancel(vr_job *job)
{
    vr_threadpool *pool = job->pool;

    if (!vr_threadpool_take_back(pool, job))
        return false;
    job->result = vr_fail(-ECANCELED);
    vr_threadpool_conclude(pool, job);
    return true;
}

/* Lets go of a job: one that has not begun never does. */
static void forsake(vr_job *job)
{
    job->holds--;
    if (!job->pool || !cancel(job))
        drop_job(job);
}

vr_result vr_threadpool_apply(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                              vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    vr_job *job;
    int error = vr_threadpool_check(pool);

    /* Here, not when it comes to wait: the job would run. */
    if (error || !vr_hub_to_block(&error)) {
        drop_argument(argument, release, vr_fail(error));
        return vr_fail(error);
    }
    error = vr_threadpool_spawn(pool, function, argument, release, timeout, &job);
    if (error)
        return vr_fail(error);
    vr_result result = take_result(job, vr_remaining(deadline));
    forsake(job);
    return result;
}

vr_result vr_job_get(vr_job *job, vr_time timeout)
{
    if (job->hub != vr_hub_peek())
        return vr_fail(-EINVAL);
    job->holds++;
    vr_result result = take_result(job, timeout);
    job->holds--;
    drop_job(job);
    return result;
}

bool vr_job_ready(const vr_job *job)
{
    return !job->pool;
}

vr_waitable *vr_job_waitable(vr_job *job)
{
    return &job->over.waitable;
}

int vr_job_cancel(vr_job *job)
{
    if (job->hub != vr_hub_peek())
        return -EINVAL;
    if (!job->pool)
        return -EALREADY;
    return cancel(job) ? 0 : -EBUSY;
}

void vr_job_free(vr_job *job)
{
    if (!job)
        return;
    if (job->pool && job->hub != vr_hub_peek())
        vr_misuse("a job of another thread is freed", vr_current());
    if (job->over.waitable.first)
        vr_misuse("a job is freed while something is linked to it", vr_current());
    job->holds--;
    drop_job(job);
}

/* --- Many at once --- */

static int take_results(vr_job *const jobs[], size_t count, vr_result results[], vr_time deadline)
{
    for (size_t i = 0; i < count; i++) {
        results[i] = take_result(jobs[i], vr_remaining(deadline));
        if (!vr_job_ready(jobs[i]))
            return (int)results[i].error;
    }
    return 0;
}

int vr_threadpool_map(vr_threadpool *pool, vr_function *function, void *const arguments[], size_t count,
                      vr_result results[], vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    vr_job **jobs = calloc(count ? count : 1, sizeof(vr_job *));
    int error = jobs ? vr_threadpool_check(pool) : -ENOMEM;

    if (!error)
        vr_hub_to_block(&error);
    for (size_t i = 0; i < count && !error; i++)
        error = vr_threadpool_spawn(pool, function, arguments[i], NULL, vr_remaining(deadline), &jobs[i]);
    if (!error)
        error = take_results(jobs, count, results, deadline);
    for (size_t i = 0; i < count; i++) {
        vr_job *job = jobs ? jobs[i] : NULL;
        if (error)
            results[i] = job && vr_job_ready(job) ? job->result : vr_fail(error);
        if (job)
            forsake(job);
    }
    free(jobs);
    return error;
}
