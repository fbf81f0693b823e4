#include "interruption.h"

#include "container.h"
#include "hub.h"

uint64_t vr_interruption_serial(void)
{
    static _Thread_local uint64_t serial __attribute__((tls_model("initial-exec")));

    return ++serial;
}

/*
 * What is ready in this turn wins: a round through the queue for what that leads to in its turn (a member that ended
 * has its link called, which wakes those who joined its group), and another where the greenlet's own turn has come up.
 * No more, as among busy greenlets there would always be something.
 */
enum { ROUNDS = 1, ROUNDS_FOR_A_TURN = 2 };

/* The last that was thrown: to be looked at by the greenlet that it was thrown into, and as it gets there. */
static _Thread_local vr_interruption *thrown __attribute__((tls_model("initial-exec")));

static void deliver(vr_callback *callback)
{
    vr_interruption *interruption = VR_CONTAINER(callback, vr_interruption, callback);
    vr_greenlet *greenlet = interruption->greenlet;

    if (vr_shield_keep(interruption))
        return;
    if (interruption->rounds < (vr_callback_queued(&greenlet->wake) ? ROUNDS_FOR_A_TURN : ROUNDS)) {
        interruption->rounds++;
        vr_callback_queue(callback);
        return;
    }
    thrown = interruption;
    vr_greenlet_resume(greenlet, vr_fail(interruption->error));
}

/* To the head of the queue: at its end it could come too late for every wait, one after the other. */
static void queue_first(vr_hub *hub, vr_callback *callback)
{
    callback->next = hub->first;
    callback->previous = &hub->first;
    if (hub->first)
        hub->first->previous = &callback->next;
    else
        hub->last = &callback->next;
    hub->first = callback;
}

bool vr_interruption_put_off(long error)
{
    vr_interruption *interruption = thrown;

    if (!interruption || interruption->error != error || vr_interruption_ordered(interruption))
        return false;
    thrown = NULL;
    interruption->rounds = ROUNDS_FOR_A_TURN;
    queue_first(interruption->greenlet->hub, &interruption->callback);
    return true;
}

void vr_interruption_init(vr_interruption *interruption, vr_greenlet *greenlet, long errors)
{
    uint64_t serial = vr_interruption_serial();

    *interruption = (vr_interruption){
        .callback.run = deliver,
        .greenlet = greenlet,
        .error = errors - (long)(serial & (uint64_t)(-errors - 1)),
        .serial = serial,
    };
}

void vr_interrupt(vr_interruption *interruption)
{
    if (vr_interruption_ordered(interruption))
        return;
    interruption->rounds = 0;
    vr_callback_queue(&interruption->callback);
}

void vr_interruption_withdraw(vr_interruption *interruption)
{
    if (interruption->shield)
        vr_shield_forget(interruption);
    vr_callback_cancel(&interruption->callback);
    if (thrown == interruption)
        thrown = NULL;
}

const vr_greenlet *vr_interruption_target(const vr_callback *callback)
{
    return callback->run == deliver ? VR_CONTAINER((uintptr_t)callback, vr_interruption, callback)->greenlet : NULL;
}
