#include "background.h"

#include <errno.h>

bool vr_background_enter(vr_resolver *resolver, vr_greenlet **place, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn(function, argument);

    if (!greenlet)
        return false;
    vr_set_name(greenlet, "resolver");
    *place = greenlet;
    resolver->background++;
    vr_unref(greenlet);
    return true;
}

void vr_background_leave(vr_resolver *resolver, vr_greenlet **place)
{
    *place = NULL;
    resolver->background--;
    vr_background_check(resolver);
}

void vr_background_stop(vr_greenlet *greenlet)
{
    if (greenlet && vr_running(greenlet) && greenlet != vr_current())
        vr_kill(greenlet, -ECANCELED);
}

void vr_background_check(vr_resolver *resolver)
{
    if (resolver->closing && !resolver->background && !resolver->lookups)
        vr_waiter_switch(resolver->closing, NULL);
}
