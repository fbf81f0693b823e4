#include <vireo/scope.h>

#include "container.h"
#include "hub.h"
#include "interruption.h"

#include <errno.h>

/* The outermost of those that hold and were begun after `serial`: what is inside of it is not to see what comes. */
static vr_shield *find(const vr_greenlet *greenlet, uint64_t serial)
{
    vr_shield *found = NULL;

    for (vr_shield *shield = greenlet->shield; shield; shield = shield->outer)
        if (!shield->open && shield->over.serial > serial)
            found = shield;
    return found;
}

bool vr_shield_hold(const vr_greenlet *greenlet, const vr_shield *known, long error)
{
    vr_shield *shield = find(greenlet, known ? known->over.serial : 0);

    if (shield)
        shield->kill = error;
    return shield;
}

bool vr_shield_keep(vr_interruption *interruption)
{
    vr_shield *shield = find(interruption->greenlet, interruption->serial);

    if (!shield)
        return false;
    vr_interruption **last = &shield->first;
    while (*last)
        last = &(*last)->next;
    *last = interruption;
    interruption->next = NULL;
    interruption->shield = shield;
    return true;
}

void vr_shield_forget(vr_interruption *interruption)
{
    vr_interruption **link = &interruption->shield->first;

    while (*link != interruption)
        link = &(*link)->next;
    *link = interruption->next;
    interruption->shield = NULL;
}

static vr_interruption *take_first(vr_shield *shield)
{
    vr_interruption *first = shield->first;

    if (first)
        vr_shield_forget(first);
    return first;
}

/* What was held back is ordered once more: to be thrown, or kept by another shield. */
static void let_go(vr_shield *shield)
{
    vr_interruption *held;

    if (shield->kill)
        vr_greenlet_interrupt(shield->greenlet, shield->kill, NULL);
    shield->kill = 0;
    while ((held = take_first(shield)))
        vr_interrupt(held);
}

/* The time is up: from now on it holds nothing back. It stays the innermost, so that ends pair with begins. */
static void open_up(vr_callback *callback)
{
    vr_shield *shield = VR_CONTAINER(callback, vr_shield, timer.callback);

    shield->open = true;
    if (shield->kill || shield->first)
        let_go(shield);
    else
        vr_interrupt(&shield->over);
}

int vr_shield_begin(vr_shield *shield, vr_time timeout)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    *shield = (vr_shield){.timer.callback.run = open_up};
    if (hub)
        error = vr_timer_start(&shield->timer, timeout);
    if (error)
        return error;

    vr_greenlet *self = hub->current;
    shield->greenlet = self;
    shield->outer = self->shield;
    vr_interruption_init(&shield->over, self, VR_TIMEOUT_ERRORS);
    self->shield = shield;
    /* A kill that is on its way comes too late, too. */
    if (vr_callback_queued(&self->kill)) {
        vr_callback_cancel(&self->kill);
        vr_greenlet_interrupt(self, self->kill_error, NULL);
    }
    return 0;
}

long vr_shield_end(vr_shield *shield, long error)
{
    vr_greenlet *greenlet = shield->greenlet;

    if (!greenlet)
        return error;
    if (greenlet->shield != shield)
        vr_misuse("a shield ends that is not the innermost of its greenlet", greenlet);
    vr_timer_stop(&shield->timer);
    vr_interruption_withdraw(&shield->over);
    greenlet->shield = shield->outer;

    if (error == shield->over.error)
        error = -ETIMEDOUT;
    if (!error && shield->kill) {
        error = shield->kill;
        shield->kill = 0;
    } else if (!error && shield->first) {
        error = take_first(shield)->error;
    }
    let_go(shield);
    return error;
}
