/*
 * Events and results: something that happens once for all who wait.
 *
 * All calls belong to the thread of those who wait. What sets one never switches, and may run in a hub callback. A wait
 * fails with -ETIMEDOUT after `timeout` (0 polls: it never switches, and may be called in a hub callback), -EPERM in a
 * hub callback, -ENOMEM where there is no memory for a timer, and with what is thrown into the caller. Nothing is to be
 * freed. An object must outlive those who wait on it until it has told them, and links until they are called.
 */
#ifndef VIREO_EVENT_H
#define VIREO_EVENT_H

#include <vireo/greenlet.h>
#include <vireo/time.h>
#include <vireo/waitable.h>

/* --- Event: a flag --- */

typedef struct vr_event {
    vr_waitable waitable;
    vr_waitable told; /* private, as is all below */
    uint64_t ticket;
    bool set;
} vr_event;

/* An event that is not set: `vr_event event = VR_EVENT;` A static one: `static vr_event event = VR_EVENT_INIT;` */
#define VR_EVENT ((vr_event)VR_EVENT_INIT)
#define VR_EVENT_INIT                      \
    {                                      \
        .waitable.kind = VR_WAITABLE_EVENT \
    }

/*
 * Sets the flag. All who wait go on, in the order in which they came, also when it is cleared before their turn; links
 * (<vireo/waitable.h>) are called in the same order. Setting what is set does nothing.
 */
void vr_event_set(vr_event *event);

/* Clears the flag: the next wait will wait. Those who were told already go on, and links that fired are called. */
void vr_event_clear(vr_event *event);

static inline bool vr_event_is_set(const vr_event *event)
{
    return event->set;
}

/*
 * Waits until it is set. When it is, the call does not switch, unless some who waited before have been told and had no
 * turn yet: then it queues behind them. 0, or an error.
 */
int vr_event_wait(vr_event *event, vr_time timeout);

/* --- AsyncResult: an event with a value or an error --- */

typedef struct vr_async_result {
    vr_waitable waitable;
    vr_result result; /* private, as is all below */
    bool ready;
    vr_link source;
} vr_async_result;

/* A result that is to come: `vr_async_result result = VR_ASYNC_RESULT;` A static one: VR_ASYNC_RESULT_INIT. */
#define VR_ASYNC_RESULT ((vr_async_result)VR_ASYNC_RESULT_INIT)
#define VR_ASYNC_RESULT_INIT                \
    {                                       \
        .waitable.kind = VR_WAITABLE_RESULT \
    }

/*
 * Gives the value, or the error (negative). A second one takes the place of the first, for those who come later; who
 * waited for the first has got that.
 */
void vr_async_result_set(vr_async_result *result, void *value);
void vr_async_result_fail(vr_async_result *result, long error);

/*
 * Has the result set by the end of `greenlet`, to its value or its error; for a NULL greenlet, -ENOMEM. The link counts
 * as somebody who sees the error. To be taken back by vr_async_result_unlink if the result is to end before the
 * greenlet, or to be linked to another: a second link before the first has fired aborts.
 */
void vr_async_result_link(vr_async_result *result, vr_greenlet *greenlet);
void vr_async_result_unlink(vr_async_result *result);

/* Waits for it and returns it; does not switch if it is there. An error is what was given, or that of the wait. */
vr_result vr_async_result_get(vr_async_result *result, vr_time timeout);

/* Waits for it, whatever it is: 0, or the error of the wait. */
int vr_async_result_wait(vr_async_result *result, vr_time timeout);

/* Has it been given? And was it a value? */
static inline bool vr_async_result_ready(const vr_async_result *result)
{
    return result->ready;
}

static inline bool vr_async_result_successful(const vr_async_result *result)
{
    return result->ready && !result->result.error;
}

#endif
