#include <vireo/timeout.h>

#include "container.h"
#include "hub.h"
#include "interruption.h"

static void time_is_up(vr_callback *callback)
{
    vr_interrupt(&VR_CONTAINER(callback, vr_timeout, timer.callback)->interruption);
}

int vr_timeout_start(vr_timeout *timeout, vr_time duration)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    if (vr_timeout_pending(timeout))
        return -EALREADY;
    *timeout = (vr_timeout){.timer.callback.run = time_is_up};
    error = vr_timer_start(&timeout->timer, duration);
    if (!error)
        vr_interruption_init(&timeout->interruption, hub->current, VR_TIMEOUT_ERRORS);
    return error;
}

bool vr_timeout_pending(const vr_timeout *timeout)
{
    return timeout->timer.list || vr_callback_queued(&timeout->timer.callback) ||
           vr_interruption_ordered(&timeout->interruption);
}

static long end(vr_timeout *timeout, long error, long own)
{
    bool its_own = vr_timeout_is(timeout, error);

    vr_timer_stop(&timeout->timer);
    vr_interruption_withdraw(&timeout->interruption);
    timeout->interruption.error = 0;
    return its_own ? own : error;
}

long vr_timeout_end(vr_timeout *timeout, long error)
{
    return end(timeout, error, -ETIMEDOUT);
}

long vr_timeout_end_silently(vr_timeout *timeout, long error)
{
    return end(timeout, error, 0);
}

vr_result vr_with_timeout(vr_time duration, vr_function *function, void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;
    int error = vr_timeout_start(&timeout, duration);

    if (error)
        return vr_fail(error);
    vr_result result = function(argument);
    result.error = vr_timeout_end(&timeout, result.error);
    return result;
}

const vr_greenlet *vr_timeout_target(const vr_callback *callback)
{
    if (callback->run != time_is_up)
        return NULL;
    return VR_CONTAINER((uintptr_t)callback, vr_timeout, timer.callback)->interruption.greenlet;
}
