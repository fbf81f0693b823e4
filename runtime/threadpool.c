#include "threadpool.h"

#include "container.h"
#include "line.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* All pools of this thread, for fork. */
static _Thread_local vr_threadpool *thread_pools;

/* --- Lists --- */

static void append_job(vr_job_list *list, vr_job *job)
{
    if (!list->first)
        list->last = &list->first;
    job->next = NULL;
    job->previous = list->last;
    *list->last = job;
    list->last = &job->next;
    list->count++;
}

static void unlink_job(vr_job_list *list, vr_job *job)
{
    *job->previous = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        list->last = job->previous;
    list->count--;
}

static vr_job *pop_job(vr_job_list *list)
{
    vr_job *job = list->first;

    if (job)
        unlink_job(list, job);
    return job;
}

static void unref_pool(vr_threadpool *pool)
{
    if (--pool->refs)
        return;
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* --- Lines, and room for jobs --- */

bool vr_threadpool_call_first(vr_place **line)
{
    if (!*line)
        return false;
    vr_line_wake_first(line)->granted = true;
    return true;
}

/* As many jobs as there may be threads wait in the queue, so that no thread waits for the hub to bring the next. */
static bool is_full(const vr_threadpool *pool)
{
    return pool->jobs / 2 >= pool->size;
}

/* By jobs that have not asked for room. */
static bool is_overfull(const vr_threadpool *pool)
{
    return (pool->jobs - 1) / 2 >= pool->size;
}

void vr_threadpool_give_room(vr_threadpool *pool)
{
    if (!pool->closed && !is_overfull(pool) && vr_threadpool_call_first(&pool->line))
        return;
    if (--pool->jobs == 0)
        while (vr_threadpool_call_first(&pool->joiners)) {
        }
}

/*
 * Waits to be called. 0, the timeout or the error that was thrown, or -ECANCELED when the pool was freed; after an
 * error the pool may be gone.
 */
static int stand_in_line(vr_threadpool *pool, vr_place **line, vr_time timeout)
{
    int error = 0;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    vr_place self = {.greenlet = hub->current};
    vr_line_append(line, &self);
    pool->refs++;
    error = vr_line_park(hub, line, &self, timeout, VR_WAIT_THREAD, pool);
    if (pool->closed) {
        unref_pool(pool);
        return error ? error : -ECANCELED;
    }
    pool->refs--; /* the owner's is left */
    if (error && self.granted && line == &pool->line)
        vr_threadpool_give_room(pool); /* it was called in the very turn of the error */
    return error;
}

int vr_threadpool_take_room(vr_threadpool *pool, vr_time timeout)
{
    if (pool->line || is_full(pool))
        return stand_in_line(pool, &pool->line, timeout);
    pool->jobs++;
    return 0;
}

/* --- Threads --- */

static void *work(void *argument)
{
    vr_threadpool *pool = argument;
    vr_job *job;

    pthread_mutex_lock(&pool->lock);
    while (!pool->closed) {
        if (!(job = pop_job(&pool->queued))) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        job->state = JOB_RUNNING;
        append_job(&pool->running, job);
        pthread_mutex_unlock(&pool->lock);
        vr_result result = job->function(job->argument);
        pthread_mutex_lock(&pool->lock);
        job->result = result;
        job->state = JOB_FINISHED;
        unlink_job(&pool->running, job);
        append_job(&pool->finished, job);
        /* The hub takes all that is finished, so that only the first has to tell. The pool stays while this runs: who
         * frees it waits for this thread. */
        if (pool->finished.count == 1)
            vr_async_send(&pool->async);
    }
    pthread_mutex_unlock(&pool->lock);
    vr_hub_free(); /* if a function has used greenlets */
    return NULL;
}

/* With all signals blocked, as they are the business of the program's own threads; those that tell of a fault would end
 * the process unheard if they were. */
static int start_thread(vr_threadpool *pool)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked, before;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = pthread_create(&pool->threads[pool->thread_count], NULL, work, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    pool->thread_count++;
    return 0;
}

int vr_threadpool_provide_thread(vr_threadpool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t busy = pool->running.count + pool->queued.count;
    pthread_mutex_unlock(&pool->lock);
    if (busy < pool->thread_count || pool->thread_count == pool->size)
        return 0;
    int error = start_thread(pool);
    return pool->thread_count ? 0 : error;
}

/* --- Jobs on their way --- */

void vr_threadpool_add(vr_threadpool *pool, vr_job *job)
{
    vr_async_ref(&pool->async);
    pthread_mutex_lock(&pool->lock);
    append_job(&pool->queued, job);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

bool vr_threadpool_take_back(vr_threadpool *pool, vr_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool queued = job->state == JOB_QUEUED;
    if (queued)
        unlink_job(&pool->queued, job);
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

/* While the pool is held, by its owner or by the caller. */
static void conclude(vr_threadpool *pool, vr_job *job)
{
    job->pool = NULL;
    if (!pool->closed)
        vr_async_unref(&pool->async); /* when it is closed, `async` may be untied already */
    vr_job_end(job);
    /* Last, since what is released may add a job, for which vr_threadpool_join then waits as well. */
    vr_threadpool_give_room(pool);
}

void vr_threadpool_conclude(vr_threadpool *pool, vr_job *job)
{
    pool->refs++;
    conclude(pool, job);
    unref_pool(pool);
}

static void conclude_all(vr_threadpool *pool, vr_job_list *jobs)
{
    vr_job *job;

    while ((job = pop_job(jobs)))
        conclude(pool, job);
}

static void settle(vr_threadpool *pool)
{
    vr_job_list finished = {0};
    vr_job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = pop_job(&pool->finished)))
        append_job(&finished, job);
    pthread_mutex_unlock(&pool->lock);
    conclude_all(pool, &finished);
}

/* In the hub. */
static void settle_held(vr_threadpool *pool)
{
    pool->refs++;
    settle(pool);
    unref_pool(pool);
}

static void settle_sent(vr_async *async)
{
    settle_held(VR_CONTAINER(async, vr_threadpool, async));
}

static void settle_forked(vr_callback *callback)
{
    settle_held(VR_CONTAINER(callback, vr_threadpool, forked));
}

/* --- Fork: the child has the forking thread only, and in it the pools of that thread --- */

static void before_fork(void)
{
    for (vr_threadpool *pool = thread_pools; pool; pool = pool->next)
        pthread_mutex_lock(&pool->lock);
}

static void after_fork_in_parent(void)
{
    for (vr_threadpool *pool = thread_pools; pool; pool = pool->next)
        pthread_mutex_unlock(&pool->lock);
}

static void cancel_all(vr_threadpool *pool, vr_job_list *jobs)
{
    vr_job *job;

    while ((job = pop_job(jobs))) {
        job->result = vr_fail(-ECANCELED);
        job->state = JOB_FINISHED;
        append_job(&pool->finished, job);
    }
}

static void after_fork_in_child(void)
{
    for (vr_threadpool *pool = thread_pools; pool; pool = pool->next) {
        cancel_all(pool, &pool->running);
        cancel_all(pool, &pool->queued);
        pool->thread_count = 0;
        pool->work = (pthread_cond_t)PTHREAD_COND_INITIALIZER; /* the parent's has waiters, which are not here */
        if (pool->finished.first)
            vr_callback_queue(&pool->forked);
        pthread_mutex_unlock(&pool->lock);
    }
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* --- A pool's life --- */

vr_threadpool *vr_threadpool_new(size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    vr_hub *hub = vr_hub_get();
    vr_threadpool *pool;

    if (!hub)
        return NULL;
    if (size == 0 || size > (SIZE_MAX - sizeof *pool) / sizeof *pool->threads) {
        errno = EINVAL;
        return NULL;
    }
    pthread_once(&once, watch_forks);
    if (!(pool = malloc(sizeof *pool + size * sizeof *pool->threads)))
        return NULL;
    *pool = (vr_threadpool){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
        .hub = hub,
        .forked.run = settle_forked,
        .refs = 1,
        .size = size,
    };
    int error = vr_async_init(&pool->async, settle_sent);
    if (error) {
        unref_pool(pool);
        errno = -error;
        return NULL;
    }
    pool->next = thread_pools;
    thread_pools = pool;
    return pool;
}

/* What has not begun is taken back, what runs is waited for. */
static void end_jobs(vr_threadpool *pool)
{
    vr_job_list dropped = {0};
    vr_job *job;

    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    while ((job = pop_job(&pool->queued))) {
        job->result = vr_fail(-ECANCELED);
        append_job(&dropped, job);
    }
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);

    conclude_all(pool, &dropped);
    while (pool->thread_count)
        pthread_join(pool->threads[--pool->thread_count], NULL);
    settle(pool);
}

void vr_threadpool_free(vr_threadpool *pool)
{
    vr_threadpool **link = &thread_pools;

    if (!pool)
        return;
    if (pool->hub != vr_hub_peek())
        vr_misuse("a thread pool of another thread is freed", vr_current());
    if (pool->closed)
        vr_misuse("a thread pool is freed twice", vr_current());
    while (*link != pool)
        link = &(*link)->next;
    *link = pool->next;
    end_jobs(pool);
    /* Not before: what is released may ask for the pool, and is refused, but must not be given a new one. */
    if (pool == pool->hub->threadpool)
        pool->hub->threadpool = NULL;
    while (vr_threadpool_call_first(&pool->line) || vr_threadpool_call_first(&pool->joiners)) {
    }
    vr_callback_cancel(&pool->forked);
    vr_async_done(&pool->async);
    unref_pool(pool);
}

vr_threadpool *vr_threadpool_default(void)
{
    vr_hub *hub = vr_hub_get();

    if (hub && !hub->threadpool)
        hub->threadpool = vr_threadpool_new(VR_THREADPOOL_DEFAULT_SIZE);
    return hub ? hub->threadpool : NULL;
}

size_t vr_threadpool_jobs(const vr_threadpool *pool)
{
    return pool->jobs;
}

size_t vr_threadpool_threads(const vr_threadpool *pool)
{
    return pool->thread_count;
}

int vr_threadpool_check(const vr_threadpool *pool)
{
    if (!pool)
        return -ENOMEM;
    if (pool->hub != vr_hub_peek())
        return -EINVAL;
    return pool->closed ? -ECANCELED : 0;
}

int vr_threadpool_join(vr_threadpool *pool, vr_time timeout)
{
    int error = vr_threadpool_check(pool);

    if (error || !vr_hub_to_block(&error) || pool->jobs == 0)
        return error;
    return stand_in_line(pool, &pool->joiners, timeout);
}
