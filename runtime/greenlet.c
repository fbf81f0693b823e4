#include "greenlet.h"

#include "container.h"
#include "hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void vr_misuse(const char *what, const vr_greenlet *greenlet)
{
    char name[64];

    fprintf(stderr, "vireo: %s (greenlet %s)\n", what, vr_name_of(greenlet, name, sizeof name));
    abort();
}

/* --- Making and freeing --- */

static void resume_queued(vr_callback *callback)
{
    vr_greenlet *greenlet = VR_CONTAINER(callback, vr_greenlet, wake);

    /* The first time, `transfer` holds the argument. */
    vr_greenlet_resume(greenlet, greenlet->state == VR_STATE_NEW ? greenlet->transfer : vr_ok(NULL));
}

static void throw_queued(vr_callback *callback)
{
    vr_greenlet *greenlet = VR_CONTAINER(callback, vr_greenlet, kill);

    vr_greenlet_resume(greenlet, vr_fail(greenlet->kill_error));
}

void vr_greenlet_init(vr_greenlet *greenlet, vr_hub *hub, vr_function *function, vr_greenlet *parent)
{
    *greenlet = (vr_greenlet){
        .hub = hub,
        .function = function,
        .parent = parent ? vr_ref(parent) : NULL,
        .refs = 1,
        .wake.run = resume_queued,
        .kill.run = throw_queued,
        .start_timer.callback.run = vr_greenlet_start_due,
        .notify.run = vr_greenlet_notify,
        .links_end = &greenlet->links,
        .serial = hub->serial++,
    };
}

static void begin(void *argument);

vr_greenlet *vr_greenlet_create(vr_hub *hub, vr_function *function, vr_greenlet *parent)
{
    void *stack;
    size_t size;
    vr_greenlet *greenlet = vr_stack_take(&hub->stacks, sizeof *greenlet, &stack, &size);

    if (!greenlet)
        return NULL;
    vr_greenlet_init(greenlet, hub, function, parent);
    vr_context_init(&greenlet->context, stack, size, begin, greenlet);
    vr_fiber_init(&greenlet->fiber, stack, size);
    return greenlet;
}

vr_greenlet *vr_greenlet_new(vr_function *function)
{
    vr_hub *hub = vr_hub_get();

    return hub ? vr_greenlet_create(hub, function, hub->current) : NULL;
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
    vr_stack_give(&hub->stacks, greenlet);
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
        } else if (greenlet->links && greenlet->state == VR_STATE_NEW) {
            /* The links are a promise; the call that keeps it holds a reference. */
            vr_greenlet_bury(greenlet, -ECANCELED);
            return;
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
    vr_timer_stop(&greenlet->start_timer);

    /* The hub's own reference alone: nobody will ever look at the error. */
    bool unseen = result.error && greenlet->started && greenlet->refs == 1;
    if ((greenlet->links || unseen) && !vr_callback_queued(&greenlet->notify)) {
        vr_ref(greenlet);
        vr_callback_queue(&greenlet->notify);
    }
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

    while (target->state == VR_STATE_DEAD || (target->state == VR_STATE_NEW && transfer->error)) {
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

static void release_held(vr_hub *hub)
{
    vr_greenlet *held = hub->held;

    if (held) {
        hub->held = NULL;
        vr_unref(held);
    }
}

/* On the new stack: finishes what the greenlet that switched here could not do on its own stack. */
static void arrive(vr_greenlet *self)
{
    vr_greenlet *left = self->hub->leaving;

    vr_fiber_enter(&self->fiber, &left->fiber);
    if (left->state == VR_STATE_DEAD && left->started)
        vr_unref(left);
    release_held(self->hub);
}

static void depart(vr_greenlet *self, vr_greenlet *target, vr_result transfer)
{
    vr_hub *hub = self->hub;

    /* What was to wake it is overtaken by this. */
    vr_callback_cancel(&target->wake);
    target->transfer = transfer;
    hub->leaving = self;
    hub->current = target;
    vr_fiber_leave(&self->fiber, &target->fiber, self->state == VR_STATE_DEAD);
    vr_context_switch(&self->context, &target->context);
}

vr_result vr_greenlet_resume(vr_greenlet *target, vr_result transfer)
{
    vr_greenlet *self = target->hub->current;

    target = heir(target, &transfer);
    if (target == self) {
        release_held(self->hub);
        return transfer;
    }
    depart(self, target, transfer);
    arrive(self);
    return self->transfer;
}

/* The bottom frame of every greenlet's stack. */
static void begin(void *argument)
{
    vr_greenlet *self = argument;

    self->state = VR_STATE_RUNNING; /* before arrive, which may let go of the last reference to it */
    arrive(self);
    vr_timer_stop(&self->start_timer); /* a switch came before it */
    conclude(self, self->function(self->transfer.value));

    /* The loop has no use for results; an error that nobody sees is reported by notify. */
    vr_result transfer = self->parent == self->hub->loop_greenlet ? vr_ok(NULL) : self->result;
    vr_greenlet *target = heir(self->parent, &transfer);
    depart(self, target, transfer);
    abort(); /* nobody switches to the dead */
}

static void check_thread(const vr_greenlet *greenlet)
{
    if (greenlet->hub != vr_hub_peek())
        vr_misuse("switch to a greenlet of another thread", greenlet);
}

vr_result vr_switch(vr_greenlet *target, void *value)
{
    check_thread(target);
    return vr_greenlet_resume(target, vr_ok(value));
}

vr_result vr_throw(vr_greenlet *target, long error)
{
    check_thread(target);
    return vr_greenlet_resume(target, vr_fail(error));
}
