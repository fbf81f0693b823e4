/*
 * A waiter: the meeting point of one greenlet that waits and whoever has what it waits for.
 *
 * The giver may come first: what it gives is stored until vr_waiter_get takes it. Everything that blocks is built on
 * this.
 */
#ifndef VIREO_WAITER_H
#define VIREO_WAITER_H

#include <vireo/greenlet.h>
#include <vireo/time.h>

/* Embedded in what waits; the fields are private. */
typedef struct vr_waiter {
    vr_greenlet *getter;
    vr_result result;
    bool ready;
} vr_waiter;

/* A waiter with nothing stored: `vr_waiter w = VR_WAITER;` */
#define VR_WAITER ((vr_waiter){0})

/*
 * Waits until something is given, and returns it; at once if it was given before. Switches. Fails with -ETIMEDOUT after
 * `timeout`, -EBUSY while another greenlet waits here, -EPERM in a hub callback, and with what is thrown into the
 * caller. What was given stays: a later get returns it again until vr_waiter_clear.
 */
vr_result vr_waiter_get(vr_waiter *waiter, vr_time timeout);

/*
 * Gives a value or an error (negative), and queues the getter if there is one. Never switches; allowed everywhere on
 * the waiter's thread. Returns 0, or -EALREADY if something was given before.
 */
int vr_waiter_switch(vr_waiter *waiter, void *value);
int vr_waiter_throw(vr_waiter *waiter, long error);

/* Forgets what was given, for another use. Returns 0, or -EBUSY while a greenlet waits. */
int vr_waiter_clear(vr_waiter *waiter);

/* Has something been given? */
static inline bool vr_waiter_ready(const vr_waiter *waiter)
{
    return waiter->ready;
}

#endif
