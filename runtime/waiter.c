#include <vireo/waiter.h>

#include "hub.h"

#include <errno.h>

vr_result vr_waiter_get(vr_waiter *waiter, vr_time timeout)
{
    if (!waiter->ready) {
        int error;
        vr_hub *hub = vr_hub_to_block(&error);
        if (!hub)
            return vr_fail(error);
        if (waiter->getter)
            return vr_fail(-EBUSY);
        waiter->getter = hub->current;
        error = vr_hub_park(hub, timeout, VR_WAIT_WAITER, waiter);
        waiter->getter = NULL;
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
