/*
 * Timeouts: a limit in time for all that a greenlet does between two points, in however many calls.
 *
 *     vr_timeout timeout = VR_TIMEOUT;
 *
 *     vr_timeout_start(&timeout, VR_SECONDS(2));
 *     long error = greet(connection);             // may block any number of times
 *     error = vr_timeout_end(&timeout, error);    // -ETIMEDOUT, if that is why it failed
 *
 * When the time is up, the call that the greenlet waits in fails, or the next one that waits, once, with an error that
 * no other timeout has. It is passed up like any other error, through other timeouts unchanged, until it comes to the
 * vr_timeout_end of the one that threw it. Timeouts nest, and may end in any order.
 *
 * What is ready in the turn in which the time is up wins: the call then succeeds, and the next one that waits fails.
 * vr_shield_begin (<vireo/scope.h>) holds timeouts back that were started before.
 */
#ifndef VIREO_TIMEOUT_H
#define VIREO_TIMEOUT_H

#include <errno.h>
#include <limits.h>
#include <vireo/greenlet.h>
#include <vireo/hub.h>
#include <vireo/time.h>

/* What is thrown into a greenlet later, and can be taken back until then. The fields are private. */
typedef struct vr_interruption {
    vr_callback callback;
    vr_greenlet *greenlet;
    long error;               /* its own; 0: never ordered */
    uint64_t serial;          /* shields with a higher one hold it back */
    struct vr_shield *shield; /* that holds it back now */
    struct vr_interruption *next;
    unsigned char rounds; /* that it has let others go first */
} vr_interruption;

/* The fields are private. It must have ended before its greenlet has, and stays where it is until then. */
typedef struct vr_timeout {
    vr_timer timer;
    vr_interruption interruption;
} vr_timeout;

/* One that was never started: `vr_timeout timeout = VR_TIMEOUT;` */
#define VR_TIMEOUT ((vr_timeout){0})

/*
 * Starts it, for the current greenlet. A `duration` of 0 is up with the next trip through the hub, VR_FOREVER never.
 * One that was thrown, or has ended, can be started again. Never switches. Returns 0; -EALREADY for one that is
 * pending; -ENOMEM where there is no memory for a timer; -EPERM in a hub callback.
 */
int vr_timeout_start(vr_timeout *timeout, vr_time duration);

/* Is its time running, or up with nothing thrown yet? */
bool vr_timeout_pending(const vr_timeout *timeout);

/*
 * Ends it: nothing is thrown any more, even if the time is up. Returns -ETIMEDOUT for its own error, every other as it
 * is, also another timeout's, and 0. One that was not started, or has ended, does nothing.
 */
long vr_timeout_end(vr_timeout *timeout, long error);

/* The same, silently: 0 for its own error. */
long vr_timeout_end_silently(vr_timeout *timeout, long error);

/* Is this its own error? To ask before it has ended. */
static inline bool vr_timeout_is(const vr_timeout *timeout, long error)
{
    return error && error == timeout->interruption.error;
}

/* The errors of timeouts are those from here down to -INT_MAX; one comes again after 2^30 others of its thread. */
#define VR_TIMEOUT_ERRORS (-(1L << 30))

/* Is this any timeout's error, or -ETIMEDOUT, the error of calls that have a timeout of their own? */
static inline bool vr_is_timeout(long error)
{
    return error == -ETIMEDOUT || (error <= VR_TIMEOUT_ERRORS && error >= -INT_MAX);
}

/*
 * Calls `function` here, in the current greenlet, with a limit in time. Returns what it returns; -ETIMEDOUT when the
 * time was up; or an error of vr_timeout_start, without having called it.
 */
vr_result vr_with_timeout(vr_time duration, vr_function *function, void *argument);

#endif
