/* The hub's record, and what the runtime's other files ask of the hub. */
#ifndef VIREO_RUNTIME_HUB_H
#define VIREO_RUNTIME_HUB_H

#include "greenlet.h"
#include "poller.h"
#include "stack.h"
#include "timer.h"

#include <vireo/waiter.h>

typedef struct vr_hub {
    vr_greenlet main;           /* the thread's own stack */
    vr_greenlet *loop_greenlet; /* runs the loop; parent of all that are started */
    vr_greenlet *current;       /* the one that runs */
    vr_greenlet *leaving;       /* the one that switched last, for the next to finish with */
    vr_greenlet *held;          /* by a reference until that switch is over; mostly NULL */
    vr_callback *first, **last; /* the queue; *last is the NULL where the next goes */
    vr_timers timers;
    vr_poller poller;
    vr_stack_arena stacks;
    vr_error_handler *handle_error;
    vr_greenlet none; /* stands for those that memory ran out for, where one must be linked to; dead */
    uint64_t serial;  /* of the next greenlet */
    uint64_t deaths;
    vr_time now; /* of the virtual clock */
    bool virtual_clock;
    vr_waiter *joining;    /* main waits in vr_hub_join, and is told when all is over */
    size_t joining_timers; /* running timers that nothing hangs on but that wait: 0 or 1 */
} vr_hub;

/* This thread's hub, made when there is none. NULL, with errno set, when that fails. */
vr_hub *vr_hub_get(void);

/* This thread's hub, or NULL. */
vr_hub *vr_hub_peek(void);

/*
 * Suspends the current greenlet until vr_hub_wake or a throw. Returns what they bring; -EPERM in the hub itself.
 * Whoever parks must be able to take any error at any time, and undo then what was to wake it.
 */
vr_result vr_hub_park(vr_hub *hub);

/* Queues a parked greenlet to go on with {NULL, 0}. One that is queued already stays where it is. */
static inline void vr_hub_wake(vr_greenlet *greenlet)
{
    vr_callback_queue(&greenlet->wake);
}

/* Hands an error that nobody will see to the program's handler. In the hub. */
void vr_hub_report(vr_hub *hub, vr_greenlet *greenlet);

vr_time vr_hub_now(const vr_hub *hub);

#endif
