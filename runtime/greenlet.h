/* The record of a greenlet, and what the runtime's other files ask of greenlet.c. */
#ifndef VIREO_RUNTIME_GREENLET_H
#define VIREO_RUNTIME_GREENLET_H

#include "context.h"
#include "sanitize.h"
#include "stack.h"

#include <vireo/greenlet.h>
#include <vireo/hub.h>
#include <vireo/scope.h>
#include <vireo/spawn.h>
#include <vireo/waitable.h>

struct vr_hub;

typedef enum vr_state {
    VR_STATE_NEW,     /* has not run; may be queued to */
    VR_STATE_RUNNING, /* its function was entered; it runs, or is suspended in a switch */
    VR_STATE_DEAD,
} vr_state;

/* What a parked greenlet waits for: `on` is of that kind. The order is that of the words in dump.c. */
typedef enum vr_wait_kind {
    VR_WAIT_SWITCH,     /* nothing: only somebody's vr_switch or a kill ends it */
    VR_WAIT_TURN,       /* nothing: it gave way */
    VR_WAIT_TIMER,      /* its sleep to end */
    VR_WAIT_WAITER,     /* vr_waiter */
    VR_WAIT_READABLE,   /* a descriptor, as a number */
    VR_WAIT_WRITABLE,   /* the same */
    VR_WAIT_GREENLET,   /* vr_waitable of the greenlet to end */
    VR_WAIT_GREENLETS,  /* vr_iwait: any of several */
    VR_WAIT_GENERATOR,  /* vr_greenlet of the generator that runs on its behalf */
    VR_WAIT_EVENT,      /* vr_event */
    VR_WAIT_RESULT,     /* vr_async_result */
    VR_WAIT_SEMAPHORE,  /* vr_semaphore */
    VR_WAIT_LOCK,       /* vr_rlock */
    VR_WAIT_QUEUE_GET,  /* vr_queue: an item */
    VR_WAIT_QUEUE_PUT,  /* vr_queue: room */
    VR_WAIT_QUEUE_JOIN, /* vr_queue: all tasks to be done */
    VR_WAIT_CHANNEL_GET,
    VR_WAIT_CHANNEL_PUT,
    VR_WAIT_POOL,    /* vr_pool: room */
    VR_WAIT_GROUP,   /* vr_group: all to end */
    VR_WAIT_SCOPE,   /* vr_scope: all to end */
    VR_WAIT_THREAD,  /* a job of a thread pool */
    VR_WAIT_PROCESS, /* a process, as a number */
    VR_WAIT_SIGNAL,  /* a signal, as a number; 0: any of a set */
    VR_WAIT_IDLE,    /* main, in vr_hub_join */
    VR_WAIT_KINDS,
} vr_wait_kind;

/* At the top of its stack's slot (a main greenlet's: in its hub). What a switch needs comes first. */
struct vr_greenlet {
    vr_context context;
    struct vr_hub *hub;
    vr_result transfer; /* what the next resumption hands over; before the first, the argument */
    vr_callback wake;   /* resumes it; dropped by every other resumption */
    unsigned refs;
    unsigned char state;      /* vr_state */
    unsigned char wait_kind;  /* vr_wait_kind, meaningful while it is suspended */
    bool started : 1;         /* by vr_start: the hub holds a reference until it is dead */
    bool exited : 1;          /* dead by the exit */
    bool woken : 1;           /* what it parks for has come */
    unsigned char locks_held; /* by it, of those that only it can release; saturates */
    const void *wait_on;      /* by wait_kind */
    vr_time wait_since;       /* of the turn in which it parked */
    vr_time wait_until;       /* when its wait, or its start, has come to its time; VR_FOREVER: never */
    /* What starting and ending need. */
    vr_function *function;
    vr_greenlet *parent; /* referenced; NULL for the main greenlet */
    vr_result result;    /* once dead: {NULL, 0} after the exit */
    uint64_t death;      /* once dead: counts up in its thread */
    uint64_t serial;     /* counts up in its thread; in its name when it has no other */
    vr_waitable waitable;
    /* What few have. */
    vr_callback kill; /* throws kill_error into it from the hub */
    long kill_error;
    struct vr_later *later;         /* its start, when that is to come */
    struct vr_generator *generator; /* whose function it runs */
    vr_shield *shield;              /* the innermost that it is in */
    struct vr_local_value *locals;
    const char *name;
    const char *site; /* FILE:LINE that made it; NULL: the runtime did */
    vr_stack stack;   /* its bottom is NULL for a main greenlet */
    vr_fiber fiber;
};

/* Fills in a record; `parent` may be NULL. The caller prepares stack and context. */
void vr_greenlet_init(vr_greenlet *greenlet, struct vr_hub *hub, vr_function *function, vr_greenlet *parent);

/* A greenlet with a stack of at least `stack_size` octets (0: the usual) and the given parent. NULL with errno set. */
vr_greenlet *vr_greenlet_create(struct vr_hub *hub, vr_function *function, vr_greenlet *parent, size_t stack_size);

/* Suspends the current greenlet and goes on in `target`, or in whom it stands for. Returns what comes back. */
vr_result vr_greenlet_resume(vr_greenlet *target, vr_result transfer);

/* Suspends the current greenlet, and goes on in the one that is next, or in the hub. Returns what comes back. */
vr_result vr_greenlet_give_way(struct vr_hub *hub);

/* The `run` of every greenlet's `wake`: what tells it from callbacks that have to run in the hub. */
void vr_greenlet_wake(vr_callback *wake);

/*
 * Has `error` thrown in from the hub, after what is queued now, or kept for the end of the shield that it is in.
 * `shield` is the one that the sender knows of: an error that was ordered within a shield passes through it.
 */
void vr_greenlet_interrupt(vr_greenlet *greenlet, long error, const vr_shield *shield);

/* Ends a greenlet that never ran. It gets no turn, and its parent is not switched to; links fire. */
void vr_greenlet_bury(vr_greenlet *greenlet, long error);

/* spawn.c: forgets a start that is to come. */
void vr_greenlet_forget_later(vr_greenlet *greenlet);

/* spawn.c: wakes those who wait for a greenlet that has just died, and has its links called. */
void vr_greenlet_ended(vr_greenlet *greenlet);

/* spawn.c: has the links of a dead greenlet called in the hub, or its error reported, if nobody else will see it. */
void vr_greenlet_notify_later(vr_greenlet *greenlet);

/*
 * shield.c: keeps an error for the innermost shield that holds, and of which the sender, who knows of `known`, does
 * not; false where there is none.
 */
bool vr_shield_hold(const vr_greenlet *greenlet, const vr_shield *known, long error);

/* local.c: ends the values that a greenlet has, on its own stack. */
void vr_local_end(vr_greenlet *greenlet);

/* Aborts, with a line that says what, when the greenlet is another thread's. */
void vr_greenlet_check(const vr_greenlet *greenlet, const char *what);

/* One line on stderr, then abort: for misuse that no return value can report. `greenlet` may be NULL. */
_Noreturn void vr_misuse(const char *what, const vr_greenlet *greenlet);

#endif
