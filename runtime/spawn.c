#include <vireo/spawn.h>

#include "container.h"
#include "hub.h"
#include "waitable.h"

#include <errno.h>
#include <stdlib.h>

/* --- Starting --- */

/* Takes it into the hub's care, with what it is to begin with. */
static int adopt(vr_greenlet *greenlet, void *argument)
{
    if (!greenlet)
        return -ENOMEM;
    vr_greenlet_check(greenlet, "start of a greenlet of another thread");
    if (greenlet->started || greenlet->state != VR_STATE_NEW)
        return -EALREADY;
    greenlet->started = true;
    greenlet->transfer = vr_ok(argument);
    vr_ref(greenlet);
    vr_set_parent(greenlet, greenlet->hub->loop_greenlet);
    return 0;
}

int vr_start(vr_greenlet *greenlet, void *argument)
{
    int error = adopt(greenlet, argument);

    if (!error)
        vr_callback_queue(&greenlet->wake);
    return error;
}

/* A start that is to come. */
struct vr_later {
    vr_timer timer;
    vr_greenlet *greenlet;
};

static void start_due(vr_callback *callback)
{
    vr_greenlet *greenlet = VR_CONTAINER(callback, struct vr_later, timer.callback)->greenlet;

    vr_greenlet_forget_later(greenlet);
    vr_callback_queue(&greenlet->wake);
}

void vr_greenlet_forget_later(vr_greenlet *greenlet)
{
    vr_timer_stop(&greenlet->later->timer);
    free(greenlet->later);
    greenlet->later = NULL;
}

int vr_start_later(vr_greenlet *greenlet, vr_time delay, void *argument)
{
    int error = adopt(greenlet, argument);

    if (error)
        return error;
    greenlet->later = malloc(sizeof *greenlet->later);
    if (!greenlet->later) {
        vr_greenlet_bury(greenlet, -ENOMEM);
        return -ENOMEM;
    }
    *greenlet->later = (struct vr_later){.timer.callback.run = start_due, .greenlet = greenlet};
    greenlet->wait_until = vr_deadline(delay);
    error = vr_timer_start(&greenlet->later->timer, delay);
    if (error)
        vr_greenlet_bury(greenlet, error);
    return error;
}

static vr_greenlet *make(const char *site, vr_function *function, size_t stack_size)
{
    vr_hub *hub = vr_hub_get();
    vr_greenlet *greenlet = hub ? vr_greenlet_create(hub, function, hub->loop_greenlet, stack_size) : NULL;

    if (greenlet)
        greenlet->site = site;
    return greenlet;
}

vr_greenlet *vr_spawn_at(const char *site, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = make(site, function, 0);

    if (greenlet) {
        /* As vr_start, for one that is known to be new, and the hub's child. */
        greenlet->started = true;
        greenlet->refs++;
        greenlet->transfer = vr_ok(argument);
        vr_hub_append(greenlet->hub, &greenlet->wake);
    }
    return greenlet;
}

vr_greenlet *vr_spawn_later_at(const char *site, vr_time delay, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = make(site, function, 0);

    vr_start_later(greenlet, delay, argument);
    return greenlet;
}

vr_greenlet *vr_spawn_with_at(const char *site, const vr_spawn_options *options, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = make(site, function, options->stack_size);

    if (!greenlet)
        return NULL;
    greenlet->name = options->name;
    if (options->delay > 0)
        vr_start_later(greenlet, options->delay, argument);
    else
        vr_start(greenlet, argument);
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
    vr_greenlet_check(greenlet, "kill of a greenlet of another thread");
    if (greenlet == greenlet->hub->loop_greenlet)
        vr_misuse("kill of the hub", greenlet);
    if (greenlet->state == VR_STATE_NEW) {
        vr_greenlet_bury(greenlet, error);
        return;
    }
    vr_greenlet_interrupt(greenlet, error, NULL);
}

/* --- Links --- */

vr_waitable *vr_greenlet_waitable(vr_greenlet *greenlet)
{
    vr_hub *hub = greenlet ? greenlet->hub : vr_hub_get();

    if (!hub)
        vr_misuse("a link to no greenlet, in a thread without memory for a hub", NULL);
    return &(greenlet ? greenlet : &hub->none)->waitable;
}

void vr_rawlink(vr_greenlet *greenlet, vr_link *link)
{
    vr_waitable_link(vr_greenlet_waitable(greenlet), link);
}

/* Calls the links; what is left of the error is the program's handler's. */
static void notify(vr_callback *callback)
{
    vr_greenlet *greenlet = VR_CONTAINER(callback, vr_greenlet, waitable.notify);

    if (!greenlet->waitable.first && greenlet->result.error && greenlet->refs == 1)
        vr_hub_report(greenlet->hub, greenlet);
    /* As many as there are now: what links itself again has another turn. */
    size_t count = 0;
    for (const vr_link *link = greenlet->waitable.first; link; link = link->next)
        count++;
    while (count-- > 0 && vr_waitable_fire_first(&greenlet->waitable)) {
    }
    if (greenlet->waitable.first)
        vr_greenlet_notify_later(greenlet);
    vr_unref(greenlet);
}

void vr_greenlet_notify_later(vr_greenlet *greenlet)
{
    vr_callback *callback = &greenlet->waitable.notify;

    if (vr_callback_queued(callback))
        return;
    callback->run = notify;
    vr_ref(greenlet);
    vr_callback_queue(callback);
}

void vr_greenlet_ended(vr_greenlet *greenlet)
{
    bool seen = greenlet->waitable.first || !greenlet->result.error;

    while (vr_waitable_wakes(&greenlet->waitable))
        vr_waitable_fire_first(&greenlet->waitable);
    /* The hub's own reference alone: nobody will ever look at the error. */
    if (greenlet->waitable.first || (!seen && greenlet->refs == 1))
        vr_greenlet_notify_later(greenlet);
}
