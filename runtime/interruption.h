/*
 * Interruptions: errors that are thrown into a greenlet from the hub, and can be taken back until they are. What
 * timeouts, scopes and shields throw; each has an error of its own, so that whoever threw it knows it again. A kill is
 * none (greenlet.c): it belongs to nobody, and is never taken back.
 */
#ifndef VIREO_RUNTIME_INTERRUPTION_H
#define VIREO_RUNTIME_INTERRUPTION_H

#include "greenlet.h"

#include <vireo/scope.h>

/* Counts up in its thread: what orders interruptions and shields by their beginning. */
uint64_t vr_interruption_serial(void);

/* One for `greenlet`, ordered by nobody yet, with an error from `errors` (a power of two, negative) on downwards. */
void vr_interruption_init(vr_interruption *interruption, vr_greenlet *greenlet, long errors);

/*
 * Orders it: it is thrown from the hub, behind what is queued, and a little longer: what is ready in this turn of the
 * loop comes first. One that is ordered already stays where it is.
 */
void vr_interrupt(vr_interruption *interruption);

/* Takes it back, if it was ordered and not thrown. */
void vr_interruption_withdraw(vr_interruption *interruption);

/* Is it ordered, and not thrown? */
static inline bool vr_interruption_ordered(const vr_interruption *interruption)
{
    return interruption->shield || vr_callback_queued(&interruption->callback);
}

/* Is this the error of any? Then it is on its way to the one that threw it. */
static inline bool vr_is_interruption(long error)
{
    return error <= VR_SCOPE_ERRORS && error >= -INT_MAX;
}

/*
 * Puts off to the next wait what has just been thrown into the current greenlet as `error`, where its wait has had a
 * result that it cannot give back; until then it can still be taken back. That wait fails before anything else happens.
 * False for what is no interruption. To be called right after the wait, when nothing can have freed it yet.
 */
bool vr_interruption_put_off(long error);

/* Whom the interruption is for that this callback will throw; NULL for any other callback. */
const vr_greenlet *vr_interruption_target(const vr_callback *callback);

/* timeout.c: whom the timeout is for whose timer this is the callback of; NULL for any other callback. */
const vr_greenlet *vr_timeout_target(const vr_callback *callback);

/* shield.c: keeps it until the shield ends or opens; false where no shield holds it back. */
bool vr_shield_keep(vr_interruption *interruption);

/* shield.c: no more. */
void vr_shield_forget(vr_interruption *interruption);

#endif
