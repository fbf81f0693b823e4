/* How the runtime's objects keep those that wait for them. */
#ifndef VIREO_RUNTIME_WAITABLE_H
#define VIREO_RUNTIME_WAITABLE_H

#include "hub.h"

#include <vireo/spawn.h>
#include <vireo/waitable.h>

/*
 * A greenlet that waits, on its own stack: a link whose `notify` is NULL. It is woken where others are called, but at
 * once, as waking only queues.
 */
typedef struct vr_waiting {
    vr_link link;
    vr_greenlet *greenlet;
} vr_waiting;

/* A waiting for the current greenlet. */
#define VR_WAITING(hub) ((vr_waiting){.greenlet = (hub)->current})

/*
 * Links `waiting` last and parks. 0 when it was taken off and woken; otherwise the error, -ETIMEDOUT or what was thrown
 * in, and it is linked no more. It may have been woken in the very turn of an error that was thrown: what it was woken
 * with is the caller's to give back.
 */
int vr_waitable_park(vr_hub *hub, vr_waitable *waitable, vr_waiting *waiting, vr_time timeout, vr_wait_kind kind);

/* Takes the first one off: calls it, or wakes it. In the hub, unless it is a waiting. False when there is none. */
bool vr_waitable_fire_first(vr_waitable *waitable);

/* Is the first one a greenlet that waits? */
static inline bool vr_waitable_wakes(const vr_waitable *waitable)
{
    return waitable->first && !waitable->first->notify;
}

/* iwait.c: the nth of those that are waited for; NULL for one that was taken in already. */
const vr_waitable *vr_iwait_awaited(const vr_iwait *iwait, size_t n);

#endif
