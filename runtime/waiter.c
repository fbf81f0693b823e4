#include <vireo/waiter.h>

#include "container.h"
#include "hub.h"

#include <errno.h>

struct timeout {
    vr_timer timer;
    vr_waiter *waiter;
    bool expired;
};

static void expire(vr_callback *callback)
{
    struct timeout *timeout = VR_CONTAINER(callback, struct timeout, timer.callback);

    /* What was given in the same turn, even just before this, wins. */
    if (timeout->waiter->ready)
        return;
    timeout->expired = true;
    vr_greenlet_resume(timeout->waiter->getter, vr_ok(NULL));
}

/* Parks until something is given, time is over, or an error is thrown, which is returned. */
static long park(vr_hub *hub, vr_waiter *waiter, vr_time limit)
{
    struct timeout timeout = {.timer.callback.run = expire, .waiter = waiter};
    long error = limit == VR_FOREVER ? 0 : vr_timer_start(&timeout.timer, limit);

    if (error)
        return error;
    waiter->getter = hub->current;
    /* A stray vr_switch to this greenlet is no reason to go on. */
    do
        error = vr_hub_park(hub).error;
    while (!error && !waiter->ready && !timeout.expired);
    waiter->getter = NULL;
    vr_timer_stop(&timeout.timer);
    if (error)
        return error;
    return timeout.expired ? -ETIMEDOUT : 0;
}

vr_result vr_waiter_get(vr_waiter *waiter, vr_time timeout)
{
    if (!waiter->ready) {
        vr_hub *hub = vr_hub_get();
        if (!hub)
            return vr_fail(-ENOMEM);
        if (hub->current == hub->loop_greenlet)
            return vr_fail(-EPERM);
        if (waiter->getter)
            return vr_fail(-EBUSY);
        long error = park(hub, waiter, timeout);
        if (error)
            return vr_fail(error);
    }
    return waiter->result;
}

static int give(vr_waiter *waiter, vr_result result)
{
    if (waiter->ready)
        return -EALREADY;
    waiter->ready = true;
    waiter->result = result;
    if (waiter->getter)
        vr_hub_wake(waiter->getter);
    return 0;
}

int vr_waiter_switch(vr_waiter *waiter, void *value)
{
    return give(waiter, vr_ok(value));
}

int vr_waiter_throw(vr_waiter *waiter, long error)
{
    return give(waiter, vr_fail(error));
}

int vr_waiter_clear(vr_waiter *waiter)
{
    if (waiter->getter)
        return -EBUSY;
    *waiter = VR_WAITER;
    return 0;
}
