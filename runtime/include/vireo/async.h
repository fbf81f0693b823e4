/*
 * The way into a hub from outside: from other threads, and from signal handlers.
 *
 * Everything else of a hub belongs to its thread. A vr_async is made on that thread; another thread sends it, and then
 * the hub, which wakes up if it sleeps, calls `run` on its own thread, in the order of its queue. A program embeds it
 * in what the other thread is to hand over:
 *
 *     struct job { vr_async async; ... result ...; };
 *
 *     hub's thread:     vr_async_init(&job->async, job_is_done); vr_async_ref(&job->async); ... start the thread ...
 *     other thread:     job->result = compute(job); vr_async_send(&job->async);     // and never look at job again
 *     hub, in `run`:    ... take the result, wake who waits for it ...; vr_async_done(&job->async);
 *
 * What a thread has written before it sends is seen by the `run` that follows.
 */
#ifndef VIREO_ASYNC_H
#define VIREO_ASYNC_H

#include <stdatomic.h>
#include <vireo/hub.h>

typedef struct vr_async {
    void (*run)(struct vr_async *async);
    vr_callback callback; /* private, as is all below */
    struct vr_inbox *inbox;
    struct vr_async *next_sent;
    struct vr_async *next, **previous;
    unsigned refs;
    atomic_bool sent;
} vr_async;

/*
 * Ties `async` to this thread's hub, which is made when there is none; for vr_async_done, before vr_hub_free. `run` is
 * called in the hub, as a callback (<vireo/hub.h>): it must not block. The caller owns the struct and must not move it.
 * Returns 0, -ENOMEM, or the errno of eventfd(2) (-EMFILE, -ENFILE) for the first one of a hub; after an error nothing
 * has to be undone.
 */
int vr_async_init(vr_async *async, void (*run)(vr_async *async));

/*
 * Has the hub call `run`. From any thread and from signal handlers, never blocks, never fails, leaves errno alone.
 * Several sends before `run` begins are one; one that comes while it runs makes it run again. Once `run` has begun, the
 * send that led to it does not look at `async` any more: `run` may free it, if no other thread sends it as well.
 */
void vr_async_send(vr_async *async);

/*
 * Counts one thing more, or less, that is going on elsewhere and will end in a send. While the count of any async is
 * not 0, the hub takes waiting for an answer that can still come: no deadlock is told (-EDEADLK), vr_hub_join waits,
 * and a virtual clock stands still. Without it an idle async keeps nothing alive. On the hub's thread.
 */
void vr_async_ref(vr_async *async);
void vr_async_unref(vr_async *async);

/*
 * Unties it: `run` will not be called any more, also if it was sent before; what was counted by vr_async_ref is given
 * back. No other thread may be about to send it. On the hub's thread, also from `run`; NULL, and one that is not tied,
 * are allowed.
 */
void vr_async_done(vr_async *async);

#endif
