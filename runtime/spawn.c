#include <vireo/spawn.h>

#include "container.h"
#include "hub.h"

#include <errno.h>

/* --- Starting --- */

/* Takes it into the hub's care; false when it is started or dead already. */
static bool adopt(vr_greenlet *greenlet)
{
    if (greenlet->started || greenlet->state != VR_STATE_NEW)
        return false;
    greenlet->started = true;
    vr_ref(greenlet);
    vr_set_parent(greenlet, greenlet->hub->loop_greenlet);
    return true;
}

void vr_start(vr_greenlet *greenlet, void *argument)
{
    if (!greenlet || !adopt(greenlet))
        return;
    greenlet->transfer = vr_ok(argument);
    vr_callback_queue(&greenlet->wake);
}

void vr_greenlet_start_due(vr_callback *timer)
{
    vr_callback_queue(&VR_CONTAINER(timer, vr_greenlet, start_timer.callback)->wake);
}

void vr_start_later(vr_greenlet *greenlet, vr_time delay, void *argument)
{
    if (!greenlet || !adopt(greenlet))
        return;
    greenlet->transfer = vr_ok(argument);
    if (vr_timer_start(&greenlet->start_timer, delay) < 0)
        vr_greenlet_bury(greenlet, -ENOMEM);
}

static vr_greenlet *spawnable(vr_function *function)
{
    vr_hub *hub = vr_hub_get();

    return hub ? vr_greenlet_create(hub, function, hub->loop_greenlet) : NULL;
}

vr_greenlet *vr_spawn(vr_function *function, void *argument)
{
    vr_greenlet *greenlet = spawnable(function);

    vr_start(greenlet, argument);
    return greenlet;
}

vr_greenlet *vr_spawn_later(vr_time delay, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = spawnable(function);

    vr_start_later(greenlet, delay, argument);
    return greenlet;
}

/* --- Results; no greenlet is one that memory ran out for --- */

bool vr_ready(const vr_greenlet *greenlet)
{
    return !greenlet || greenlet->state == VR_STATE_DEAD;
}

bool vr_successful(const vr_greenlet *greenlet)
{
    return greenlet && greenlet->state == VR_STATE_DEAD && !greenlet->result.error;
}

bool vr_exited(const vr_greenlet *greenlet)
{
    return greenlet && greenlet->exited;
}

void *vr_value(const vr_greenlet *greenlet)
{
    return greenlet ? greenlet->result.value : NULL;
}

long vr_error(const vr_greenlet *greenlet)
{
    return greenlet ? greenlet->result.error : -ENOMEM;
}

/* --- Killing --- */

void vr_kill(vr_greenlet *greenlet, long error)
{
    if (!greenlet || greenlet->state == VR_STATE_DEAD)
        return;
    if (greenlet == greenlet->hub->loop_greenlet)
        vr_misuse("kill of the hub", greenlet);
    if (greenlet->state == VR_STATE_NEW) {
        vr_greenlet_bury(greenlet, error);
        return;
    }
    greenlet->kill_error = error;
    vr_callback_queue(&greenlet->kill);
}

/* --- Links --- */

void vr_rawlink(vr_greenlet *greenlet, vr_link *link)
{
    if (!greenlet)
        greenlet = &vr_hub_get()->none;
    link->next = NULL;
    link->previous = greenlet->links_end;
    *greenlet->links_end = link;
    greenlet->links_end = &link->next;
    if (greenlet->state == VR_STATE_DEAD && !vr_callback_queued(&greenlet->notify)) {
        vr_ref(greenlet);
        vr_callback_queue(&greenlet->notify);
    }
}

void vr_unlink(vr_greenlet *greenlet, vr_link *link)
{
    if (!link->previous)
        return;
    *link->previous = link->next;
    if (link->next)
        link->next->previous = link->previous;
    else
        (greenlet ? greenlet : &vr_hub_peek()->none)->links_end = link->previous;
    link->previous = NULL;
}

void vr_greenlet_notify(vr_callback *notify)
{
    vr_greenlet *greenlet = VR_CONTAINER(notify, vr_greenlet, notify);
    vr_link *link = greenlet->links;

    if (!link && greenlet->result.error && greenlet->refs == 1)
        vr_hub_report(greenlet->hub, greenlet);
    /* Each is taken off before its call, which may take off others, or add some. */
    while ((link = greenlet->links)) {
        vr_unlink(greenlet, link);
        link->notify(greenlet == &greenlet->hub->none ? NULL : greenlet, link->context);
    }
    vr_unref(greenlet);
}
