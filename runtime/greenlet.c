#include "greenlet.h"

#include "container.h"
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void vr_misuse(const char *what, const vr_greenlet *greenlet)
{
    char name[64];

    if (greenlet)
        fprintf(stderr, "vireo: %s (greenlet %s)\n", what, vr_name_of(greenlet, name, sizeof name));
    else
        fprintf(stderr, "vireo: %s\n", what);
    abort();
}

/* --- Making and freeing --- */

/*
 * Sets what is read before it is written. To clear the whole record first would take as long as all else that a spawn
 * does.
 */
void vr_greenlet_init(vr_greenlet *greenlet, vr_hub *hub, vr_function *function, vr_greenlet *parent)
{
    greenlet->hub = hub;
    greenlet->wake.run = vr_greenlet_wake;
    greenlet->wake.previous = NULL;
    greenlet->refs = 1;
    greenlet->state = VR_STATE_NEW;
    greenlet->wait_kind = VR_WAIT_SWITCH;
    greenlet->started = greenlet->exited = greenlet->woken = false;
    greenlet->locks_held = 0;
    greenlet->wait_since = hub->turn;
    greenlet->wait_until = VR_FOREVER;
    greenlet->function = function;
    greenlet->parent = parent;
    if (parent)
        parent->refs++;
    greenlet->result = vr_ok(NULL);
    greenlet->death = 0;
    greenlet->serial = hub->serial++;
    greenlet->waitable.kind = VR_WAITABLE_GREENLET;
    greenlet->waitable.first = greenlet->waitable.last = NULL;
    greenlet->waitable.notify.previous = NULL;
    greenlet->kill.previous = NULL;
    greenlet->later = NULL;
    greenlet->generator = NULL;
    greenlet->shield = NULL;
    greenlet->locals = NULL;
    greenlet->name = NULL;
    greenlet->site = NULL;
    greenlet->stack.bottom = NULL;
}

static void begin(void *argument);

vr_greenlet *vr_greenlet_create(vr_hub *hub, vr_function *function, vr_greenlet *parent, size_t stack_size)
{
    vr_stack stack;
    vr_greenlet *greenlet = vr_stack_take(&hub->stacks, sizeof *greenlet, stack_size, &stack);

    if (!greenlet)
        return NULL;
    size_t size = (size_t)((char *)greenlet - stack.bottom);
    vr_greenlet_init(greenlet, hub, function, parent);
    greenlet->stack = stack;
    vr_context_init(&greenlet->context, stack.bottom, size, begin, greenlet);
    vr_fiber_init(&greenlet->fiber, stack.bottom, size);
    return greenlet;
}

vr_greenlet *vr_greenlet_new_at(const char *site, vr_function *function)
{
    vr_hub *hub = vr_hub_get();
    vr_greenlet *greenlet = hub ? vr_greenlet_create(hub, function, hub->current, 0) : NULL;

    if (greenlet)
        greenlet->site = site;
    return greenlet;
}

vr_greenlet *vr_ref(vr_greenlet *greenlet)
{
    greenlet->refs++;
    return greenlet;
}

/* Returns the parent, with the reference that the greenlet had on it. */
static vr_greenlet *destroy(vr_greenlet *greenlet)
{
    vr_hub *hub = greenlet->hub;
    vr_greenlet *parent = greenlet->parent;

    vr_fiber_done(&greenlet->fiber);
    vr_stack_give(&hub->stacks, greenlet, greenlet->stack);
    return parent;
}

/*
 * Makes a suspended greenlet that nobody can switch to any more end, on the current greenlet's time. Returns the parent
 * that it had, with its reference; NULL when it has kept it.
 */
static vr_greenlet *reap(vr_greenlet *greenlet)
{
    vr_hub *hub = greenlet->hub;
    vr_greenlet *parent = greenlet->parent;

    greenlet->refs = 1;
    if (greenlet == hub->current) {
        /* It let go of itself: like a started one, it is freed when it ends. */
        greenlet->started = true;
        return NULL;
    }
    greenlet->parent = vr_ref(hub->current);
    vr_greenlet_resume(greenlet, vr_fail(-ECANCELED));
    if (greenlet->state != VR_STATE_DEAD)
        vr_misuse("a greenlet went on when its last reference was gone and it was told to end", greenlet);
    vr_unref(greenlet);
    return parent;
}

/* A loop up the parents, not a recursion: there may be more of them than a stack is deep. */
void vr_unref(vr_greenlet *greenlet)
{
    while (greenlet && --greenlet->refs == 0) {
        if (greenlet->state == VR_STATE_RUNNING) {
            greenlet = reap(greenlet);
        } else if (greenlet->waitable.first && greenlet->state == VR_STATE_NEW) {
            /* The links are a promise; the call that keeps it holds a reference. */
            greenlet->refs = 1;
            vr_greenlet_bury(greenlet, -ECANCELED);
        } else {
            greenlet = destroy(greenlet);
        }
    }
}

/* --- Who is who --- */

vr_greenlet *vr_current(void)
{
    vr_hub *hub = vr_hub_get();

    return hub ? hub->current : NULL;
}

vr_greenlet *vr_parent(const vr_greenlet *greenlet)
{
    return greenlet->parent;
}

int vr_set_parent(vr_greenlet *greenlet, vr_greenlet *parent)
{
    if (!greenlet->parent || !parent || parent->hub != greenlet->hub)
        return -EINVAL;
    for (const vr_greenlet *ancestor = parent; ancestor; ancestor = ancestor->parent)
        if (ancestor == greenlet)
            return -EINVAL;

    vr_greenlet *old = greenlet->parent;
    greenlet->parent = vr_ref(parent);
    vr_unref(old);
    return 0;
}

bool vr_dead(const vr_greenlet *greenlet)
{
    return greenlet->state == VR_STATE_DEAD;
}

bool vr_running(const vr_greenlet *greenlet)
{
    return greenlet->state == VR_STATE_RUNNING;
}

void vr_set_name(vr_greenlet *greenlet, const char *name)
{
    greenlet->name = name;
}

const char *vr_name_of(const vr_greenlet *greenlet, char *out, size_t size)
{
    if (greenlet->name)
        snprintf(out, size, "%s", greenlet->name);
    else
        snprintf(out, size, "greenlet-%llu", (unsigned long long)greenlet->serial);
    return out;
}

/* --- Death --- */

/* Marks a greenlet dead with its result, and has those told who asked. */
static void conclude(vr_greenlet *greenlet, vr_result result)
{
    greenlet->state = VR_STATE_DEAD;
    greenlet->exited = result.error == -ECANCELED;
    if (greenlet->exited)
        result = vr_ok(NULL);
    else if (result.error)
        result.value = NULL;
    greenlet->result = result;
    greenlet->death = greenlet->hub->deaths++;
    vr_callback_cancel(&greenlet->wake);
    vr_callback_cancel(&greenlet->kill);
    if (greenlet->later)
        vr_greenlet_forget_later(greenlet);
    if (greenlet->locks_held)
        vr_deadlock_check(greenlet->hub, greenlet);
    if (greenlet->waitable.first || (result.error && greenlet->started))
        vr_greenlet_ended(greenlet);
}

void vr_greenlet_bury(vr_greenlet *greenlet, long error)
{
    conclude(greenlet, vr_fail(error));
    if (greenlet->started)
        vr_unref(greenlet);
}

/* --- Switching --- */

/*
 * Who goes on when `target` is switched to: the dead stand for their parents, and an error kills those that never ran.
 * A corpse may be freed as soon as it is buried, and may have had the only reference to its parent: the hub holds the
 * first parent, and with it those above, until the switch is over.
 */
static vr_greenlet *heir(vr_greenlet *target, vr_result *transfer)
{
    vr_hub *hub = target->hub;

    while (target->state == VR_STATE_DEAD ||
           (target->state == VR_STATE_NEW && transfer->error && target != hub->loop_greenlet)) {
        vr_greenlet *parent = target->parent;
        if (!hub->held)
            hub->held = vr_ref(parent);
        if (target->state == VR_STATE_NEW)
            vr_greenlet_bury(target, transfer->error);
        if (transfer->error == -ECANCELED)
            *transfer = vr_ok(NULL);
        target = parent;
    }
    return target;
}

/* On the new stack: lets go of what the switch still needed. */
static void arrive(vr_hub *hub)
{
    vr_greenlet *corpse = hub->corpse, *held = hub->held;

    hub->corpse = hub->held = NULL;
    vr_unref(corpse);
    vr_unref(held);
}

/* The one place where control passes from stack to stack: from `self`, which runs, to another. */
static inline void pass(vr_hub *hub, vr_greenlet *self, vr_greenlet *target, vr_result transfer)
{
    target->transfer = transfer;
    hub->current = target;
    __atomic_store_n(&hub->switches, hub->switches + 1, __ATOMIC_RELAXED);
    vr_fiber_leave(&self->fiber, &target->fiber, self->state == VR_STATE_DEAD);
    vr_context_switch(&self->context, &target->context);
}

static inline vr_result switch_to(vr_hub *hub, vr_greenlet *self, vr_greenlet *target, vr_result transfer)
{
    pass(hub, self, target, transfer);
    vr_fiber_enter(&self->fiber);
    if (hub->corpse || hub->held)
        arrive(hub);
    return self->transfer;
}

/* For whom a switch is not all there is to do; apart, so that all others pay nothing for it. */
static __attribute__((noinline)) vr_result resume_other(vr_hub *hub, vr_greenlet *target, vr_result transfer)
{
    vr_greenlet *self = hub->current;

    target = heir(target, &transfer);
    if (target == self) {
        arrive(hub);
        return transfer;
    }
    /* What was to wake it is overtaken by this. */
    vr_callback_cancel(&target->wake);
    return switch_to(hub, self, target, transfer);
}

static inline vr_result resume(vr_hub *hub, vr_greenlet *target, vr_result transfer)
{
    vr_greenlet *self = hub->current;

    if (target->state != VR_STATE_RUNNING || target == self || vr_callback_queued(&target->wake))
        return resume_other(hub, target, transfer);
    return switch_to(hub, self, target, transfer);
}

vr_result vr_greenlet_resume(vr_greenlet *target, vr_result transfer)
{
    return resume(target->hub, target, transfer);
}

/* What a greenlet goes on with that is woken: the first time, `transfer` holds the argument. */
static vr_result waking(const vr_greenlet *greenlet)
{
    return greenlet->state == VR_STATE_NEW ? greenlet->transfer : vr_ok(NULL);
}

void vr_greenlet_wake(vr_callback *wake)
{
    vr_greenlet *greenlet = VR_CONTAINER(wake, vr_greenlet, wake);

    switch_to(greenlet->hub, greenlet->hub->current, greenlet, waking(greenlet));
}

/* Without a stop in the hub where a greenlet is next. */
vr_result vr_greenlet_give_way(vr_hub *hub)
{
    vr_greenlet *self = hub->current;
    vr_greenlet *next = vr_hub_take_next(hub);

    if (!next)
        return switch_to(hub, self, hub->loop_greenlet, vr_ok(NULL));
    if (next == self)
        return vr_ok(NULL);
    return switch_to(hub, self, next, waking(next));
}

/* The bottom frame of every greenlet's stack. */
static void begin(void *argument)
{
    vr_greenlet *self = argument;
    vr_hub *hub = self->hub;

    vr_fiber_enter(&self->fiber);
    self->state = VR_STATE_RUNNING; /* before arrive, which may let go of the last reference to it */
    arrive(hub);
    if (self->later)
        vr_greenlet_forget_later(self); /* a switch came before it */
    vr_result result = self->function(self->transfer.value);
    if (self->locals)
        vr_local_end(self);
    conclude(self, result);

    /* The hub's loop has no use for results, but a callback that has switched to here may have. */
    vr_greenlet *target;
    vr_result transfer;
    if (self->parent == hub->loop_greenlet) {
        target = vr_hub_take_next(hub);
        transfer = target ? waking(target) : self->result;
        if (!target)
            target = hub->loop_greenlet;
    } else {
        transfer = self->result;
        target = heir(self->parent, &transfer);
        vr_callback_cancel(&target->wake);
    }
    /* The stack that this runs on goes with the last reference: whoever is entered gives the hub's back. */
    if (self->started)
        hub->corpse = self;
    pass(hub, self, target, transfer);
    abort(); /* nobody switches to the dead */
}

/* --- Throwing from the hub --- */

static void throw_queued(vr_callback *callback)
{
    vr_greenlet *greenlet = VR_CONTAINER(callback, vr_greenlet, kill);

    vr_greenlet_resume(greenlet, vr_fail(greenlet->kill_error));
}

void vr_greenlet_interrupt(vr_greenlet *greenlet, long error, const vr_shield *shield)
{
    if (vr_shield_hold(greenlet, shield, error))
        return;
    greenlet->kill.run = throw_queued;
    greenlet->kill_error = error;
    vr_callback_queue(&greenlet->kill);
}

/* --- For programs --- */

void vr_greenlet_check(const vr_greenlet *greenlet, const char *what)
{
    if (greenlet->hub != vr_hub_peek())
        vr_misuse(what, greenlet);
}

static vr_result enter(vr_greenlet *target, vr_result transfer)
{
    vr_greenlet_check(target, "switch to a greenlet of another thread");
    return resume(target->hub, target, transfer);
}

vr_result vr_switch(vr_greenlet *target, void *value)
{
    return enter(target, vr_ok(value));
}

vr_result vr_throw(vr_greenlet *target, long error)
{
    return enter(target, vr_fail(error));
}
