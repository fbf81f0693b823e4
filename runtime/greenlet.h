/* The record of a greenlet, and what the hub, spawn.c and generator.c share of it. */
#ifndef VIREO_RUNTIME_GREENLET_H
#define VIREO_RUNTIME_GREENLET_H

#include "context.h"
#include "sanitize.h"

#include <vireo/greenlet.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

struct vr_hub;

typedef enum vr_state {
    VR_STATE_NEW,     /* has not run; may be queued to */
    VR_STATE_RUNNING, /* its function was entered; it runs, or is suspended in a switch */
    VR_STATE_DEAD,
} vr_state;

/* At the top of its stack's slot (a main greenlet's: in its hub). */
struct vr_greenlet {
    vr_context context;
    struct vr_hub *hub;
    vr_function *function;
    vr_greenlet *parent; /* referenced; NULL for the main greenlet */
    vr_result transfer;  /* what the next resumption hands over; before the first, the argument */
    vr_result result;    /* once dead: {NULL, 0} after the exit */
    uint64_t death;      /* once dead: counts up in its thread */
    unsigned refs;
    vr_state state;
    bool started; /* by vr_start: the hub holds a reference until it is dead */
    bool exited;
    vr_callback wake; /* resumes it from the hub with `transfer`; dropped by every other resumption */
    vr_callback kill; /* throws kill_error into it from the hub */
    long kill_error;
    vr_timer start_timer;
    vr_callback notify; /* fires the links once dead; queued, it holds a reference */
    vr_link *links, **links_end;
    const char *name;
    uint64_t serial;                /* counts up in its thread; in its name when it has no other */
    struct vr_generator *generator; /* whose function it runs; mostly NULL */
    vr_fiber fiber;
};

/* Fills in a record; `parent` may be NULL. The caller prepares stack and context. */
void vr_greenlet_init(vr_greenlet *greenlet, struct vr_hub *hub, vr_function *function, vr_greenlet *parent);

/* vr_greenlet_new with another parent than the current greenlet. */
vr_greenlet *vr_greenlet_create(struct vr_hub *hub, vr_function *function, vr_greenlet *parent);

/* Suspends the current greenlet and goes on in `target`, or in whom it stands for. Returns what comes back. */
vr_result vr_greenlet_resume(vr_greenlet *target, vr_result transfer);

/* Ends a greenlet that never ran. It gets no turn, and its parent is not switched to; links fire. */
void vr_greenlet_bury(vr_greenlet *greenlet, long error);

/* spawn.c: what its start timer does, and the calls of its links once it is dead. */
void vr_greenlet_start_due(vr_callback *timer);
void vr_greenlet_notify(vr_callback *notify);

/* One line on stderr, then abort: for misuse that no return value can report. */
_Noreturn void vr_misuse(const char *what, const vr_greenlet *greenlet);

#endif
