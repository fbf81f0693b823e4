/* The hub's record, and what the runtime's other files ask of the hub. */
#ifndef VIREO_RUNTIME_HUB_H
#define VIREO_RUNTIME_HUB_H

#include "container.h"
#include "greenlet.h"
#include "poller.h"
#include "stack.h"
#include "timer.h"

#include <errno.h>
#include <vireo/waiter.h>

typedef struct vr_hub {
    /* What a switch needs. */
    vr_greenlet *current; /* the one that runs */
    /* References that a switch needs, for whoever is entered to give back; mostly NULL. */
    vr_greenlet *corpse;        /* the hub's, to the one that was left for good */
    vr_greenlet *held;          /* to a parent that the switch goes to, or through */
    vr_greenlet *loop_greenlet; /* runs the loop; parent of all that are started */
    vr_callback *first, **last; /* the queue; *last is the NULL where the next goes */
    unsigned credit;            /* callbacks that may still run before the loop looks at the clock */
    bool polling;               /* waits in the kernel; written for the monitor's thread */
    uint64_t switches;          /* counted for the monitor's thread */
    uint64_t seed;              /* state of the choice among the ready; 0: first in first out */
    vr_time turn;               /* when this turn of the loop began */
    uint64_t serial;            /* of the next greenlet */
    uint64_t deaths;
    vr_timers timers;
    vr_poller poller;
    vr_stack_arena stacks;
    vr_error_handler *handle_error;
    vr_deadlock_handler *handle_deadlock;
    vr_time now; /* of the virtual clock */
    bool virtual_clock;
    bool joining;          /* main waits in vr_hub_join, and is told when all is over */
    size_t joining_timers; /* running timers that nothing hangs on but that wait: 0 or 1 */
    char *deadlock;        /* the dump taken at the last one; malloc'ed */
    struct vr_threadpool *threadpool;
    vr_greenlet main; /* the thread's own stack */
    vr_greenlet none; /* stands for those that memory ran out for, where one must be linked to; dead */
} vr_hub;

/* A hub is its thread's alone. */
extern _Thread_local vr_hub *vr_thread_hub __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* This thread's hub, or NULL. */
static inline vr_hub *vr_hub_peek(void)
{
    return vr_thread_hub;
}

vr_hub *vr_hub_make(void);

/* This thread's hub, made when there is none. NULL, with errno set, when that fails. */
static inline vr_hub *vr_hub_get(void)
{
    return vr_thread_hub ? vr_thread_hub : vr_hub_make();
}

/* The hub, when the caller may block: *error is -ENOMEM where there is none, -EPERM in the hub itself. */
static inline vr_hub *vr_hub_to_block(int *error)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        *error = -ENOMEM;
    else if (hub->current == hub->loop_greenlet)
        *error = -EPERM;
    else
        return hub;
    return NULL;
}

/*
 * Suspends the current greenlet until vr_hub_wake (0), `timeout` (-ETIMEDOUT), or a throw (the error). -ENOMEM where
 * there is no memory for a timer. What comes in the very turn of the timeout wins; a throw wins over what has come,
 * which the caller then undoes. A stray vr_switch ends nothing. `kind` and `on` are for reports. Not in the hub.
 */
int vr_hub_park(vr_hub *hub, vr_time timeout, vr_wait_kind kind, const void *on);

/* vr_callback_queue and vr_callback_cancel, for who knows the hub, and that it is not, or is, queued. */
static inline void vr_hub_append(vr_hub *hub, vr_callback *callback)
{
    callback->next = NULL;
    callback->previous = hub->last;
    *hub->last = callback;
    hub->last = &callback->next;
}

static inline void vr_hub_take_off(vr_hub *hub, vr_callback *callback)
{
    *callback->previous = callback->next;
    if (callback->next)
        callback->next->previous = callback->previous;
    else
        hub->last = callback->previous;
    callback->previous = NULL;
}

/* Queues a parked greenlet to go on. One that is queued already stays where it is. */
static inline void vr_hub_wake(vr_greenlet *greenlet)
{
    if (greenlet->hub != vr_thread_hub)
        vr_misuse("wake-up of a greenlet of another thread", greenlet);
    greenlet->woken = true;
    if (!vr_callback_queued(&greenlet->wake))
        vr_hub_append(greenlet->hub, &greenlet->wake);
}

/* Brings one of the greenlets that are ready to the head of the queue, as hub->seed determines. */
void vr_hub_choose(vr_hub *hub);

/* Takes the first greenlet off the queue, if one is next and its turn is within this turn of the loop; or NULL. */
static inline vr_greenlet *vr_hub_take_next(vr_hub *hub)
{
    vr_callback *wake = hub->first;

    if (!wake || wake->run != vr_greenlet_wake || !hub->credit)
        return NULL;
    if (hub->seed) {
        vr_hub_choose(hub);
        wake = hub->first;
    }
    hub->credit--;
    vr_hub_take_off(hub, wake);
    return VR_CONTAINER(wake, vr_greenlet, wake);
}

/* Hands an error that nobody will see to the program's handler. In the hub. */
void vr_hub_report(vr_hub *hub, vr_greenlet *greenlet);

vr_time vr_hub_now(const vr_hub *hub);

/* deadlock.c: `greenlet` is about to wait, or to end; reports it if it, and others, now wait for each other only. */
void vr_deadlock_check(vr_hub *hub, const vr_greenlet *greenlet);

/* deadlock.c: keeps a dump of the moment, for vr_hub_deadlock. */
void vr_deadlock_keep_dump(vr_hub *hub);

#endif
