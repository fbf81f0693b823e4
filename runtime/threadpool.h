/* A thread pool and its jobs, as threadpool.c and job.c share them, and what the runtime itself asks of pools. */
#ifndef VIREO_RUNTIME_THREADPOOL_H
#define VIREO_RUNTIME_THREADPOOL_H

#include "hub.h"

#include <pthread.h>
#include <vireo/async.h>
#include <vireo/event.h>
#include <vireo/threadpool.h>

struct vr_place;

/*
 * A job is in one list at a time, and moves on: queued by the hub's thread, running in a thread of the pool, finished
 * when the thread is done with it; the hub then takes it off, settles it, and frees it once whoever spawned it has let
 * go, too. The pool's lock guards the lists and nothing else: no function of the program is ever called under it.
 */
enum vr_job_state { JOB_QUEUED, JOB_RUNNING, JOB_FINISHED };

struct vr_job {
    vr_function *function;
    void *argument;
    vr_job_release *release;
    vr_result result; /* once finished */
    /* Under the pool's lock until it is over: */
    enum vr_job_state state;
    vr_job *next, **previous;
    /* The hub's thread's alone: */
    vr_threadpool *pool; /* NULL once it is over */
    vr_hub *hub;
    struct vr_place *getters; /* who wait for the result */
    vr_async_result over;     /* for those that are linked to it */
    unsigned holds;           /* by whoever spawned it, and by getters until they have had their turn */
    bool taken;               /* its result, and with it the argument */
};

typedef struct vr_job_list {
    vr_job *first, **last; /* *last is the NULL where the next goes; last is NULL before the first use */
    size_t count;
} vr_job_list;

struct vr_threadpool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* something is queued, or the pool is closed */
    vr_job_list queued, running, finished;
    bool closed; /* written by the hub's thread, which reads it without the lock */
    /* The hub's thread's alone: */
    vr_hub *hub;
    vr_async async;        /* sent when something is finished; counts the jobs */
    vr_callback forked;    /* in place of `async`, in a child process */
    size_t jobs;           /* that are not over, and room that was given to those in line who have not had their turn */
    struct vr_place *line; /* who wait for room for a job */
    struct vr_place *joiners; /* who wait for `jobs` to be 0 */
    size_t refs;              /* the owner's, and those of greenlets that wait in it */
    vr_threadpool *next;      /* in its thread */
    size_t size, thread_count;
    pthread_t threads[];
};

/*
 * vr_threadpool_spawn that never waits, as it asks for no room: for what must be done although nobody may wait, such as
 * the cleaning up of one that was killed.
 */
int vr_threadpool_post(vr_threadpool *pool, vr_function *function, void *argument, vr_job_release *release,
                       vr_job **job);

/* May this thread add jobs to it? 0 or the error. */
int vr_threadpool_check(const vr_threadpool *pool);

/* Room for one job, waited for in line; and given back, for the next in line. 0 or an error: the pool may be gone then.
 */
int vr_threadpool_take_room(vr_threadpool *pool, vr_time timeout);
void vr_threadpool_give_room(vr_threadpool *pool);

/* Sees to it that a thread will come to one job more: at once, unless there are as many as there may be. */
int vr_threadpool_provide_thread(vr_threadpool *pool);

/* Queues a job, which keeps the room that was taken for it until it is concluded. */
void vr_threadpool_add(vr_threadpool *pool, vr_job *job);

/* Takes a job off the queue; false when it is there no more. */
bool vr_threadpool_take_back(vr_threadpool *pool, vr_job *job);

/* Ends a job that is in no list any more, with its result. What is released may do anything, also free the pool. */
void vr_threadpool_conclude(vr_threadpool *pool, vr_job *job);

/* job.c: tells who waits for a job that it is over, and frees it if nobody holds it. */
void vr_job_end(vr_job *job);

/* Calls the first in a line; false when there is nobody. */
bool vr_threadpool_call_first(struct vr_place **line);

#endif
