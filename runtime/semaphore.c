/*
 * A unit is given by whoever releases it: it never lies about while somebody waits, so that nobody can come in between.
 *
 * Only where a link stands before a greenlet, the unit stays in `value` until the hub has called the link; greenlets
 * that come meanwhile queue behind. So the list never begins with a greenlet while there are units, but for the moment
 * between a link that is taken off and the call that was queued for it, which then gives the unit.
 */
#include <vireo/semaphore.h>

#include "container.h"
#include "hub.h"
#include "waitable.h"

#include <assert.h>
#include <errno.h>

/* A greenlet that waits for a unit, or a lock's only one. */
typedef struct claim {
    vr_waiting waiting;
    vr_rlock *lock; /* NULL: a plain semaphore's */
    bool given;
} claim;

/* --- Owning --- */

static void own(vr_rlock *lock, vr_greenlet *greenlet)
{
    lock->owner = greenlet;
    lock->owner_serial = greenlet->serial;
    lock->depth = 1;
    if (greenlet->locks_held < UCHAR_MAX)
        greenlet->locks_held++;
}

static void disown(vr_rlock *lock)
{
    /* A count that was too high to be kept is never known again. */
    if (lock->owner->locks_held < UCHAR_MAX)
        lock->owner->locks_held--;
    lock->owner = NULL;
    lock->depth = 0;
}

static bool owns(const vr_rlock *lock, const vr_greenlet *greenlet)
{
    return lock->owner == greenlet && lock->owner_serial == greenlet->serial;
}

/* --- Giving --- */

static void give(vr_semaphore *semaphore, claim *first)
{
    vr_unlink(&first->waiting.link);
    semaphore->waiting--;
    semaphore->value--;
    first->given = true;
    if (first->lock)
        own(first->lock, first->waiting.greenlet);
    vr_hub_wake(first->waiting.greenlet);
}

/* Gives what there is to the greenlets that are first. */
static void serve(vr_semaphore *semaphore)
{
    while (semaphore->value && vr_waitable_wakes(&semaphore->waitable))
        give(semaphore, VR_CONTAINER(semaphore->waitable.first, claim, waiting.link));
}

/* The same, and has a link called that is first then. */
static void settle(vr_semaphore *semaphore)
{
    serve(semaphore);
    if (semaphore->value && semaphore->waitable.first)
        vr_callback_queue(&semaphore->waitable.notify);
}

/* One link in each call: what others have queued meanwhile comes between, also when a link links itself again. */
void vr_semaphore_notify(vr_callback *callback)
{
    vr_semaphore *semaphore = VR_CONTAINER(callback, vr_semaphore, waitable.notify);

    serve(semaphore);
    vr_link *link = semaphore->waitable.first;
    if (!link || !semaphore->value)
        return;
    vr_unlink(link);
    bool last = !semaphore->waitable.first;
    link->notify(semaphore, link->context);
    /* The last one may have freed it. */
    if (!last)
        settle(semaphore);
}

static void give_back(vr_semaphore *semaphore)
{
    semaphore->value++;
    settle(semaphore);
}

/* --- Taking --- */

static bool take(vr_semaphore *semaphore)
{
    if (!semaphore->value || semaphore->waiting)
        return false;
    semaphore->value--;
    return true;
}

/* Waits to be given a unit, and with it the lock, if there is one. */
static int await(vr_hub *hub, vr_semaphore *semaphore, vr_rlock *lock, vr_time timeout)
{
    claim self = {.waiting = VR_WAITING(hub), .lock = lock};

    semaphore->waiting++;
    int error =
        vr_waitable_park(hub, &semaphore->waitable, &self.waiting, timeout, lock ? VR_WAIT_LOCK : VR_WAIT_SEMAPHORE);
    if (!error)
        return 0;
    if (!self.given) {
        semaphore->waiting--;
        return error;
    }
    if (lock)
        disown(lock);
    give_back(semaphore);
    return error;
}

int vr_semaphore_acquire(vr_semaphore *semaphore, vr_time timeout)
{
    int error;

    if (take(semaphore))
        return 0;
    if (timeout <= 0)
        return -ETIMEDOUT;
    vr_hub *hub = vr_hub_to_block(&error);
    return hub ? await(hub, semaphore, NULL, timeout) : error;
}

int vr_semaphore_release(vr_semaphore *semaphore)
{
    if (semaphore->value == semaphore->bound)
        return -EOVERFLOW;
    give_back(semaphore);
    return 0;
}

/* --- RLock --- */

/* What reports take for the lock is what vr_waitable_park waits on. */
static_assert(offsetof(vr_rlock, semaphore) == 0 && offsetof(vr_semaphore, waitable) == 0, "one address");

int vr_rlock_acquire(vr_rlock *lock, vr_time timeout)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    if (owns(lock, hub->current)) {
        if (lock->depth == UINT_MAX)
            return -EOVERFLOW;
        lock->depth++;
        return 0;
    }
    if (take(&lock->semaphore)) {
        own(lock, hub->current);
        return 0;
    }
    return timeout > 0 ? await(hub, &lock->semaphore, lock, timeout) : -ETIMEDOUT;
}

int vr_rlock_release(vr_rlock *lock)
{
    const vr_hub *hub = vr_hub_peek();

    if (!hub || !owns(lock, hub->current))
        return -EPERM;
    if (--lock->depth == 0) {
        disown(lock);
        give_back(&lock->semaphore);
    }
    return 0;
}
