#include "waitable.h"

#include "container.h"

#include <vireo/event.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

/* What it is part of, as a link is told. */
static void *object_of(const vr_waitable *waitable)
{
    if (waitable->kind != VR_WAITABLE_GREENLET)
        return (void *)(uintptr_t)waitable;
    vr_greenlet *greenlet = VR_CONTAINER((uintptr_t)waitable, vr_greenlet, waitable);
    return greenlet == &greenlet->hub->none ? NULL : greenlet;
}

/* --- The list --- */

static void append(vr_waitable *waitable, vr_link *link)
{
    link->waitable = waitable;
    link->next = NULL;
    link->previous = waitable->last;
    if (waitable->last)
        waitable->last->next = link;
    else
        waitable->first = link;
    waitable->last = link;
}

void vr_unlink(vr_link *link)
{
    vr_waitable *waitable = link->waitable;

    if (!waitable)
        return;
    if (link->previous)
        link->previous->next = link->next;
    else
        waitable->first = link->next;
    if (link->next)
        link->next->previous = link->previous;
    else
        waitable->last = link->previous;
    link->waitable = NULL;
    /* Nobody is left to be called; the object may go. A greenlet is kept by what is queued, until it runs. */
    if (!waitable->first && waitable->kind != VR_WAITABLE_GREENLET)
        vr_callback_cancel(&waitable->notify);
}

/* --- Firing --- */

bool vr_waitable_fire_first(vr_waitable *waitable)
{
    vr_link *link = waitable->first;

    if (!link)
        return false;
    /* Off before its call, which may take off others, or free it. */
    vr_unlink(link);
    if (link->notify)
        link->notify(object_of(waitable), link->context);
    else
        vr_hub_wake(VR_CONTAINER(link, vr_waiting, link)->greenlet);
    return true;
}

static void notify_all(vr_callback *notify)
{
    vr_waitable *waitable = VR_CONTAINER(notify, vr_waitable, notify);

    /* The last one's call may be the end of the object. If it links anew, that queues this again. */
    while (waitable->first) {
        bool last = waitable->first == waitable->last;
        vr_waitable_fire_first(waitable);
        if (last)
            return;
    }
}

static void queue_notify(vr_waitable *waitable)
{
    if (!waitable->notify.run)
        waitable->notify.run = notify_all;
    vr_callback_queue(&waitable->notify);
}

void vr_waitable_link(vr_waitable *waitable, vr_link *link)
{
    append(waitable, link);
    if (!vr_waitable_ready(waitable))
        return;
    if (waitable->kind == VR_WAITABLE_GREENLET)
        vr_greenlet_notify_later(VR_CONTAINER(waitable, vr_greenlet, waitable));
    else
        queue_notify(waitable);
}

bool vr_waitable_ready(const vr_waitable *waitable)
{
    switch (waitable->kind) {
    case VR_WAITABLE_GREENLET:
        return vr_ready(object_of(waitable));
    case VR_WAITABLE_EVENT:
        return ((const vr_event *)object_of(waitable))->set;
    case VR_WAITABLE_RESULT:
        return ((const vr_async_result *)object_of(waitable))->ready;
    case VR_WAITABLE_SEMAPHORE:
        return ((const vr_semaphore *)object_of(waitable))->value > 0;
    }
    vr_misuse("a wait for what was never initialised", vr_current());
}

/* --- Waiting --- */

int vr_waitable_park(vr_hub *hub, vr_waitable *waitable, vr_waiting *waiting, vr_time timeout, vr_wait_kind kind)
{
    append(waitable, &waiting->link);
    int error = vr_hub_park(hub, timeout, kind, waitable);
    if (error)
        vr_unlink(&waiting->link);
    return error;
}
