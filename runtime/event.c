#include <vireo/event.h>

#include "container.h"
#include "hub.h"
#include "waitable.h"

#include <errno.h>
#include <vireo/spawn.h>

/* --- Links --- */

/* Takes a link off its list, and puts it last in another. */
static void move(vr_link *link, vr_waitable *to)
{
    vr_unlink(link);
    link->waitable = to;
    link->next = NULL;
    link->previous = to->last;
    if (to->last)
        to->last->next = link;
    else
        to->first = link;
    to->last = link;
}

/*
 * Calls what is linked now, and nothing that is linked meanwhile, as a link may link itself again. The calls may take
 * off each other, and the last one may free the object.
 */
static void call_all(vr_waitable *list, void *object)
{
    vr_waitable now = {0};
    vr_link *link;

    while (list->first)
        move(list->first, &now);
    while ((link = now.first)) {
        vr_unlink(link);
        link->notify(object, link->context);
    }
}

/* --- Event --- */

/*
 * Who waits gets a ticket when it is told, and gives it back in its turn. They count up in their thread, so that the
 * last one of an event tells whether somebody is still to have a turn, and need not touch the event to say so, which
 * may be gone by then. Turns that are thrown in, or drawn, may come earlier: then some who come later need not queue.
 */
static _Thread_local uint64_t tickets_given __attribute__((tls_model("initial-exec")));
static _Thread_local uint64_t tickets_back __attribute__((tls_model("initial-exec")));

typedef struct event_waiting {
    vr_waiting waiting;
    uint64_t ticket; /* 0 until it is told */
} event_waiting;

static void call_told(vr_callback *callback)
{
    vr_event *event = VR_CONTAINER(callback, vr_event, told.notify);

    call_all(&event->told, event);
}

/* Those that were linked when it was set already. */
static void call_late(vr_callback *callback)
{
    vr_event *event = VR_CONTAINER(callback, vr_event, waitable.notify);

    call_all(&event->waitable, event);
}

/* The call of a link does not depend on what becomes of the flag. */
static void tell_link(vr_event *event, vr_link *link)
{
    move(link, &event->told);
    event->told.notify.run = call_told;
    vr_callback_queue(&event->told.notify);
}

void vr_event_set(vr_event *event)
{
    vr_link *link;

    if (event->set)
        return;
    event->set = true;
    event->waitable.notify.run = call_late;
    while ((link = event->waitable.first)) {
        if (link->notify) {
            tell_link(event, link);
            continue;
        }
        event_waiting *told = VR_CONTAINER(link, event_waiting, waiting.link);
        vr_unlink(link);
        told->ticket = event->ticket = ++tickets_given;
        vr_hub_wake(told->waiting.greenlet);
    }
}

void vr_event_clear(vr_event *event)
{
    if (!event->set)
        return;
    event->set = false;
    /* Nobody waits for what is set: these are links, that found it set and are still to be called. */
    while (event->waitable.first)
        tell_link(event, event->waitable.first);
}

/* A turn behind those who have been told; where none can be had, none is needed. */
static int queue_behind(void)
{
    int error;

    return vr_hub_to_block(&error) ? vr_sleep(0) : 0;
}

int vr_event_wait(vr_event *event, vr_time timeout)
{
    int error;

    if (event->set)
        return event->ticket > tickets_back && timeout > 0 ? queue_behind() : 0;
    if (timeout <= 0)
        return -ETIMEDOUT;
    vr_hub *hub = vr_hub_to_block(&error);
    if (!hub)
        return error;

    event_waiting self = {.waiting = VR_WAITING(hub)};
    error = vr_waitable_park(hub, &event->waitable, &self.waiting, timeout, VR_WAIT_EVENT);
    if (self.ticket > tickets_back)
        tickets_back = self.ticket;
    return error;
}

/* --- AsyncResult --- */

typedef struct result_waiting {
    vr_waiting waiting;
    vr_result result; /* given to it; the object may have another by its turn, or be gone */
} result_waiting;

static void call_linked(vr_callback *callback)
{
    vr_async_result *result = VR_CONTAINER(callback, vr_async_result, waitable.notify);

    call_all(&result->waitable, result);
}

static void give(vr_async_result *result, vr_result given)
{
    vr_link *next;

    result->result = given;
    if (result->ready)
        return;
    result->ready = true;
    result->waitable.notify.run = call_linked;
    for (vr_link *link = result->waitable.first; link; link = next) {
        next = link->next;
        if (link->notify) {
            vr_callback_queue(&result->waitable.notify);
            continue;
        }
        result_waiting *told = VR_CONTAINER(link, result_waiting, waiting.link);
        vr_unlink(link);
        told->result = given;
        vr_hub_wake(told->waiting.greenlet);
    }
}

void vr_async_result_set(vr_async_result *result, void *value)
{
    give(result, vr_ok(value));
}

void vr_async_result_fail(vr_async_result *result, long error)
{
    give(result, vr_fail(error));
}

static void source_ended(void *source, void *context)
{
    long error = vr_error(source);

    give(context, error ? vr_fail(error) : vr_ok(vr_value(source)));
}

void vr_async_result_link(vr_async_result *result, vr_greenlet *greenlet)
{
    if (result->source.waitable)
        vr_misuse("a result is linked to a second greenlet, while the first can still set it", greenlet);
    result->source = (vr_link){.notify = source_ended, .context = result};
    vr_rawlink(greenlet, &result->source);
}

void vr_async_result_unlink(vr_async_result *result)
{
    vr_unlink(&result->source);
}

static int await(vr_async_result *result, vr_time timeout, vr_result *given)
{
    int error;

    if (result->ready) {
        *given = result->result;
        return 0;
    }
    if (timeout <= 0)
        return -ETIMEDOUT;
    vr_hub *hub = vr_hub_to_block(&error);
    if (!hub)
        return error;
    result_waiting self = {.waiting = VR_WAITING(hub)};
    error = vr_waitable_park(hub, &result->waitable, &self.waiting, timeout, VR_WAIT_RESULT);
    *given = self.result;
    return error;
}

vr_result vr_async_result_get(vr_async_result *result, vr_time timeout)
{
    vr_result given;
    int error = await(result, timeout, &given);

    return error ? vr_fail(error) : given;
}

int vr_async_result_wait(vr_async_result *result, vr_time timeout)
{
    vr_result given;

    return await(result, timeout, &given);
}
