/*
 * Semaphores and locks.
 *
 * A wait fails with -ETIMEDOUT after `timeout`, -EPERM in a hub callback, -ENOMEM where there is no memory for a timer,
 * and with what is thrown into the caller; a unit that was given to it in that very turn goes to the next. Nothing is
 * to be freed; an object must outlive those who wait on it, and belongs to their thread.
 */
#ifndef VIREO_SEMAPHORE_H
#define VIREO_SEMAPHORE_H

#include <limits.h>
#include <vireo/greenlet.h>
#include <vireo/time.h>
#include <vireo/waitable.h>

/* --- Semaphore: units that are taken and given back --- */

typedef struct vr_semaphore {
    vr_waitable waitable;
    unsigned value; /* private, as is all below */
    unsigned bound;
    unsigned waiting; /* greenlets, in the list */
} vr_semaphore;

/*
 * One with `units` at the start: `vr_semaphore s = VR_SEMAPHORE(3);` Anybody may release, any number of times. A static
 * one: `static vr_semaphore s = VR_SEMAPHORE_INIT(3);`
 */
#define VR_SEMAPHORE(units) ((vr_semaphore)VR_SEMAPHORE_INIT(units))
#define VR_SEMAPHORE_INIT(units) VR_SEMAPHORE_INIT_(units, UINT_MAX)

/* One that never has more units than at the start: what is released must have been acquired. */
#define VR_BOUNDED_SEMAPHORE(units) ((vr_semaphore)VR_BOUNDED_SEMAPHORE_INIT(units))
#define VR_BOUNDED_SEMAPHORE_INIT(units) VR_SEMAPHORE_INIT_(units, units)

/* Private. */
#define VR_SEMAPHORE_INIT_(units, most)                                                                   \
    {                                                                                                     \
        .waitable = {.kind = VR_WAITABLE_SEMAPHORE, .notify.run = vr_semaphore_notify}, .value = (units), \
        .bound = (most)                                                                                   \
    }
void vr_semaphore_notify(vr_callback *callback);

/*
 * Takes a unit; waits for one if there is none, or if others wait already: units go to those who wait in the order in
 * which they came. `timeout` 0 never switches, and may be used in hub callbacks: -ETIMEDOUT at once where it would have
 * to wait. Returns 0, or an error.
 */
int vr_semaphore_acquire(vr_semaphore *semaphore, vr_time timeout);

/*
 * Gives a unit, to who has waited longest, if anybody does. Never switches; also for hub callbacks. Returns 0, or
 * -EOVERFLOW for one unit more than its bound (UINT_MAX when it has none): then it stays as it is.
 *
 * A link (<vireo/waitable.h>) has its place among those who wait. When its turn comes, and as long as there is a unit,
 * it is called, and takes nothing: the unit is for who comes next. Where none is left by then, it stays linked.
 */
int vr_semaphore_release(vr_semaphore *semaphore);

/* Units that nobody has. Who waits already has the first claim to them. */
static inline unsigned vr_semaphore_value(const vr_semaphore *semaphore)
{
    return semaphore->value;
}

/* --- RLock: a lock that its owner may take again --- */

typedef struct vr_rlock {
    vr_semaphore semaphore; /* private, as is all below */
    vr_greenlet *owner;
    uint64_t owner_serial; /* tells the owner from one that got its memory */
    unsigned depth;
} vr_rlock;

/* A free lock: `vr_rlock lock = VR_RLOCK;` A static one: `static vr_rlock lock = VR_RLOCK_INIT;` */
#define VR_RLOCK ((vr_rlock)VR_RLOCK_INIT)
#define VR_RLOCK_INIT                             \
    {                                             \
        .semaphore = VR_BOUNDED_SEMAPHORE_INIT(1) \
    }

/*
 * Takes the lock, or, for its owner, takes it once more. Otherwise as vr_semaphore_acquire, but -EPERM in a hub
 * callback even with `timeout` 0, as the hub can own nothing; -EOVERFLOW after UINT_MAX times.
 *
 * A lock belongs to the greenlet, which has to release it before it ends: nobody else can, and those who wait for it
 * then wait in vain (what vr_hub_handle_deadlock reports).
 */
int vr_rlock_acquire(vr_rlock *lock, vr_time timeout);

/* Gives it back, as often as it was taken. 0, or -EPERM for everybody but its owner. Never switches. */
int vr_rlock_release(vr_rlock *lock);

/*
 * Who has it, from the moment in which it is given; NULL when nobody has. Not a new reference: a greenlet that has
 * ended without releasing it may have been freed.
 */
static inline vr_greenlet *vr_rlock_owner(const vr_rlock *lock)
{
    return lock->owner;
}

#endif
