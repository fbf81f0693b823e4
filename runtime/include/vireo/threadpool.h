/*
 * A thread pool: for functions that block the thread they run in, such as the C library's lookups or a database's
 * client. The function runs in a thread of the pool, and its result comes back to the greenlet that waits for it.
 *
 * A pool, with its jobs, belongs to the hub's thread that made it; from other threads, those of the pool included,
 * calls return -EINVAL (a job simply calls what it needs). A function may use greenlets: its thread then gets a hub of
 * its own, in which it must leave no greenlet behind. All signals are blocked in the pool's threads, but for those that
 * a thread raises by a fault of its own (SIGSEGV and the like).
 *
 * Threads are started when a job finds none idle, until there are `size`; they stay until the pool is freed. As many
 * jobs again may wait for a thread; who wants to add one more waits in line. While a job is not over, the hub takes
 * waiting for something that can still happen: no deadlock is told, vr_hub_join waits, a virtual clock stands still.
 *
 * Whose the argument is. From the call on that names it, it is the job's, whatever that call returns. Who is given the
 * function's result with no error (vr_threadpool_apply, vr_job_get) owns the argument again. In every other case (the
 * job could not be added, the function failed, nobody took its result) `release` is called, once, when the function
 * runs no more: from the hub's thread, mostly in the hub, so that it must not block. A caller that is killed or whose
 * time is up may so leave at once, and the job runs on with memory that is its own. A function whose argument must be
 * seen after a failure says so in what it returns as its value.
 *
 * A pool of NULL is one that memory ran out for: adding a job to it fails with -ENOMEM.
 *
 * After fork(2) the child has none of the threads. A pool goes on there with new ones, and all jobs that were not over
 * end with -ECANCELED: they run in the parent.
 */
#ifndef VIREO_THREADPOOL_H
#define VIREO_THREADPOOL_H

#include <vireo/greenlet.h>
#include <vireo/time.h>
#include <vireo/waitable.h>

typedef struct vr_threadpool vr_threadpool;
typedef struct vr_job vr_job;

/* Called for an argument that nobody owns any more; `result` is what the function returned, or why it did not run. */
typedef void vr_job_release(void *argument, vr_result result);

/*
 * Makes a pool of at most `size` threads; none is started yet. For vr_threadpool_free, before vr_hub_free. Returns
 * NULL, with errno set, when memory ran out, for size 0 (EINVAL), and when the hub has no descriptor for it (EMFILE,
 * ENFILE).
 */
vr_threadpool *vr_threadpool_new(size_t size);

/*
 * Ends a pool: its jobs that have not begun are over, with -ECANCELED, as is every wait in line; then the thread itself
 * waits for those that run, and no greenlet runs meanwhile. vr_threadpool_join before this lets them. NULL is allowed.
 */
void vr_threadpool_free(vr_threadpool *pool);

enum { VR_THREADPOOL_DEFAULT_SIZE = 10 };

/*
 * The thread's default pool, made on first use; vr_hub_free ends it. It must not be freed. NULL, with errno set, as for
 * vr_threadpool_new.
 */
vr_threadpool *vr_threadpool_default(void);

/*
 * Runs `function` in a thread and returns its result. Switches. -ETIMEDOUT when there is none after `timeout`,
 * -ECANCELED when the pool is freed, or what is thrown into the caller: a job that has not begun then never does, and
 * one that has runs on. -ENOMEM; -EAGAIN when the pool has no thread and none can be started; -EPERM in the hub;
 * -EINVAL in another thread. `release` may be NULL; an argument that is on the caller's stack must then wait for the
 * end of the job (VR_FOREVER, and nothing thrown).
 */
vr_result vr_threadpool_apply(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                              vr_time timeout);

/*
 * Adds a job and does not wait for its end; switches only to wait in line where the pool is full. *job is for
 * vr_job_free; `job` may be NULL, and the job is then on its own. Returns 0 or an error of vr_threadpool_apply; *job is
 * NULL then.
 */
int vr_threadpool_spawn(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                        vr_time timeout, vr_job **job);

/*
 * The result, waited for; any number of greenlets may. -ETIMEDOUT after `timeout` or what is thrown in leaves the job
 * as it is, to be asked again; -EPERM in the hub for one that is not over. -ECANCELED after vr_job_cancel, or when the
 * pool was freed before it began.
 */
vr_result vr_job_get(vr_job *job, vr_time timeout);

/* Is it over, and the result there? */
bool vr_job_ready(const vr_job *job);

/* The job as what can be waited for along with others (vr_wait_object), or linked to; ready when it is over. */
vr_waitable *vr_job_waitable(vr_job *job);

/* Takes a job back that has not begun: 0, and it is over with -ECANCELED. -EBUSY once it runs, -EALREADY when it is
 * over. Never switches. */
int vr_job_cancel(vr_job *job);

/* Lets go of a job, over or not: it runs all the same, and those who wait in vr_job_get get its result. Nothing may be
 * linked to it. Never switches. NULL is allowed. */
void vr_job_free(vr_job *job);

/*
 * Runs `function` once for each of `count` arguments, as many at once as there is room for, and waits for all:
 * results[i] is that of arguments[i]. Returns 0 when all are over; or the error that ended the wait early (as for
 * vr_threadpool_apply), which is then also the result of those that were not over: they do not begin any more, or run
 * on by themselves. The arguments remain the caller's, who must keep them for so long (vr_threadpool_join tells).
 */
int vr_threadpool_map(vr_threadpool *pool, vr_function *function, void *const arguments[], size_t count,
                      vr_result results[], vr_time timeout);

/* Waits until no job is left, at least for a moment. 0, -ETIMEDOUT, -ECANCELED when the pool is freed, -EPERM in the
 * hub, -EINVAL in another thread, or what was thrown. */
int vr_threadpool_join(vr_threadpool *pool, vr_time timeout);

/* How many jobs are not over, and how many threads there are. */
size_t vr_threadpool_jobs(const vr_threadpool *pool);
size_t vr_threadpool_threads(const vr_threadpool *pool);

#endif
