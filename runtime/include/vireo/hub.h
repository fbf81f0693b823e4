/*
 * The hub: one per thread, made when first needed. A greenlet that runs the loop: what is queued, greenlets and
 * callbacks, first in first out, for at most 1,024 entries or about 200 us; then I/O; then timers, so that an answer
 * that arrives together with its timeout wins. A greenlet that gives way switches to the next greenlet in the queue by
 * itself; callbacks run in the hub, and nobody else does until they return.
 *
 * When nothing is queued, no timer runs and no greenlet waits for I/O, nothing can happen any more: the main greenlet's
 * wait ends with -EDEADLK ("this operation would block forever"), and the hub can be used on. A wait for I/O counts
 * however unlikely its event is, and so does every timeout: a greenlet that reads from an idle connection keeps the
 * others' deadlock from being noticed until its time is up, or for ever when it has none.
 */
#ifndef VIREO_HUB_H
#define VIREO_HUB_H

#include <vireo/greenlet.h>
#include <vireo/time.h>

/* Gives way for `duration`; 0 lets all that is queued run first. Returns 0, -EPERM in the hub, or what was thrown. */
int vr_sleep(vr_time duration);

/* Waits until there is nothing left to wait for: 0; or -ETIMEDOUT. For the main greenlet only: -EPERM elsewhere. */
int vr_hub_join(vr_time timeout);

/*
 * A callback for the hub to run; owned by the caller, and free for reuse from the moment it begins to run. It runs in
 * the hub: it must not block (calls that would return -EPERM).
 */
typedef struct vr_callback {
    void (*run)(struct vr_callback *callback);
    struct vr_callback *next, **previous; /* private; previous is NULL while it is not queued */
} vr_callback;

/* Queues it last; one that is queued already keeps its place. Cancelling one that is not queued does nothing. */
void vr_callback_queue(vr_callback *callback);
void vr_callback_cancel(vr_callback *callback);
static inline bool vr_callback_queued(const vr_callback *callback)
{
    return callback->previous != NULL;
}

/*
 * A timer; owned by the caller. Starting and stopping are O(1) when many timers share a few durations, as timeouts do.
 * Equal deadlines fire in the order they were started. Due timers are queued as callbacks, behind what I/O has queued
 * before.
 */
typedef struct vr_timer {
    vr_callback callback; /* set callback.run; the hub queues this when the timer is due */
    vr_time deadline;     /* private, as is all below */
    uint64_t sequence;
    struct vr_timer_list *list;
    struct vr_timer *next, *before;
} vr_timer;

/* Starts a timer that fires once. Returns 0, -EALREADY if it runs already, -ENOMEM. VR_FOREVER never fires. */
int vr_timer_start(vr_timer *timer, vr_time after);

/* Stops it, also when it is due and its callback has not run. */
void vr_timer_stop(vr_timer *timer);

/*
 * What happens to an error that nobody can see: a greenlet ended with it, and nobody holds a reference or a link. The
 * handler runs in the hub. Returning true passes the error on to the main greenlet's wait, false ends the matter. The
 * default writes one line with the greenlet's name on stderr. NULL restores it.
 */
typedef bool vr_error_handler(vr_greenlet *greenlet, long error);
void vr_hub_handle_error(vr_error_handler *handler);

/*
 * A virtual clock for tests: time stands still while anything can run, and jumps to the next timer when nothing can. To
 * be called before the thread's first timer. Returns 0; -EBUSY when timers run; -EINVAL for a start before 0.
 */
int vr_hub_virtual_clock(vr_time start);

/*
 * Has the hub choose by chance which of the greenlets that are ready runs next, in the way that `seed` determines: with
 * a virtual clock, the same seed gives the same run, and other seeds other orders, all of which a program should
 * survive. Callbacks and links stay first in first out, and objects wake those who wait in their order; only the turns
 * of those who were woken are drawn. 0 gives turns first in first out again. Returns 0 or -ENOMEM.
 */
int vr_hub_seed(uint64_t seed);

/*
 * What happens when greenlets can only be woken by each other, while the rest of the program goes on: each waits,
 * without a limit in time, for one of the others to end (vr_join, vr_joinall, or vr_wait and all that it waits for), to
 * give back a lock (vr_rlock, <vireo/semaphore.h>), or to yield (<vireo/generator.h>). Those who wait for a lock whose
 * owner has ended are such a group, too.
 *
 * The handler is called in the hub, once for each group, when it has come about and all that was queued then has run.
 * It must not block, but may end the matter, say by a vr_kill of one of them. `report` lists them as vr_dump does
 * (<vireo/dump.h>), each before the one that it waits for where they wait in a circle; it is freed after the call. The
 * default writes it to stderr. NULL restores it. Who comes to wait for members of a group is not reported again; a
 * group of more than 64 is not at all, nor one for whose report there is no memory.
 *
 * What is reported is certain as far as waiting goes: only an error from outside, a kill or a vr_throw, can still end
 * it. Whoever waits with a timeout of its own, or within a vr_timeout, a scope or a shield with a limit, is in no
 * group, and neither are those who wait for it. The same goes for who waits for what anybody may give (an event, a
 * result, a queue, a semaphore, a descriptor, a signal), or for the members of a group or scope, which anybody may
 * cancel: that nobody will is known only when nothing else runs. Then main is told (-EDEADLK), and vr_hub_deadlock
 * (<vireo/dump.h>) lists who waits for what.
 */
typedef void vr_deadlock_handler(const char *report);
void vr_hub_handle_deadlock(vr_deadlock_handler *handler);

/*
 * Frees the thread's hub with its stacks; to be called from the main greenlet, when no greenlet of the thread is
 * left: all have ended, and every reference has been given back. What is queued is run before. A thread that has used
 * greenlets calls it before it ends. Returns 0, or -EBUSY with greenlets left, or outside of the main greenlet.
 */
int vr_hub_free(void);

#endif
