/*
 * Structured concurrency: a scope that owns its children, and a shield for cleanup.
 */
#ifndef VIREO_SCOPE_H
#define VIREO_SCOPE_H

#include <vireo/pool.h>
#include <vireo/spawn.h>
#include <vireo/timeout.h>

/* --- Scope ---
 *
 * No child outlives its scope, and none fails unseen: when one fails, or the scope's owner does, all others are told to
 * end, and the first error is what the scope ends with.
 *
 *     vr_scope scope;
 *
 *     vr_scope_init(&scope, NULL);
 *     vr_unref(vr_scope_spawn(&scope, serve, listener));
 *     vr_unref(vr_scope_spawn(&scope, report, NULL));
 *     return vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER));
 *
 * What the owner does between vr_scope_init and vr_scope_done is the scope's body. A child fails when it ends with an
 * error; a child that ends by the exit (-ECANCELED) does not. A child's failure cancels the scope: all children get the
 * exit thrown in, those that are spawned from then on never run, and the call in which the body waits, or waits next,
 * fails, once, with an error that no other scope has. The body passes it up, as any error, to vr_scope_done, which puts
 * the child's in its place.
 *
 * Scopes nest, in one greenlet and in children. One greenlet owns a scope and may join and end it; any may spawn into
 * it, or cancel it, on its thread.
 */

/* The time that children have for their cleanup, where the options say nothing. */
#define VR_SCOPE_CLEANUP VR_SECONDS(5)

typedef struct vr_scope_options {
    vr_time limit;   /* for the body: a vr_timeout, which vr_scope_done ends; 0: none */
    vr_time cleanup; /* how long vr_scope_done waits for children to end; 0: VR_SCOPE_CLEANUP */
} vr_scope_options;

/* The fields are private. It stays where it is from vr_scope_init to the end of vr_scope_done. */
typedef struct vr_scope {
    vr_group group;
    vr_greenlet *owner;
    vr_timeout limit;
    vr_interruption interruption;
    vr_time cleanup;
    long error;
    bool cancelled, broken, closing;
} vr_scope;

/*
 * Begins one, owned by the current greenlet; `options` may be NULL. Never fails: where memory for the limit is missing,
 * the scope begins cancelled by that error (-ENOMEM). Not in a hub callback (misuse).
 */
void vr_scope_init(vr_scope *scope, const vr_scope_options *options);

/*
 * Spawns a child. Never switches. The caller holds a reference, as for vr_spawn. Returns NULL, with errno set, when
 * memory ran out: the same as a child that failed with -ENOMEM, so that nobody need check. In a scope that is cancelled
 * the child is dead at once, by the exit.
 *
 *     vr_greenlet *vr_scope_spawn(vr_scope *scope, vr_function *function, void *argument);
 */
#define vr_scope_spawn(...) vr_scope_spawn_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_scope_spawn_at(const char *site, vr_scope *scope, vr_function *function, void *argument);

/*
 * Makes a greenlet a child that was spawned otherwise (vr_spawn_with, vr_spawn_later); the owner must not be (misuse).
 * One that is a child already is left alone. NULL is a child that failed with -ENOMEM. Returns 0, or -ENOMEM, with the
 * scope cancelled, and the greenlet told to end but no child. Into a scope that has ended nothing can be put (misuse).
 */
int vr_scope_add(vr_scope *scope, vr_greenlet *greenlet);

/* Children that have not ended, as far as the hub has noticed. */
static inline size_t vr_scope_count(const vr_scope *scope)
{
    return scope->group.count;
}

/*
 * Part of the body: waits until all children have ended. Returns 0, -ETIMEDOUT, -EINVAL for others than the owner, or
 * an error for vr_scope_done: the scope's own, at once, when it was cancelled by others than the owner, or is; or what
 * was thrown in.
 */
int vr_scope_join(vr_scope *scope, vr_time timeout);

/*
 * Tells all children to end, and has the body's wait fail, if it is not the owner that calls. Without a failure this is
 * a success: vr_scope_done returns 0. Never switches. A second time nothing happens.
 */
void vr_scope_cancel(vr_scope *scope);

/*
 * Ends the scope; `error` is how the body ended. Cancels it, and waits for all children to end, shielded, and no longer
 * than the cleanup time. Returns the first error of all, the body's or a child's; but what the body was interrupted
 * with from outside (the exit, by a kill; the error of a timeout or of another scope, which is on its way to that; and
 * -ETIMEDOUT for the scope's own limit) before any of its children's. A kill that came meanwhile is returned when there
 * is no other error, or else thrown into the next wait. The owner's only (misuse).
 *
 * -EBUSY with children left (vr_scope_count is not 0) when these have not ended in time: the scope is still there, and
 * to be ended by another vr_scope_done, which throws the exit again, or by vr_scope_abandon. -EDEADLK with children
 * left when none of them can ever end. Without memory for a timer the cleanup time has no end.
 *
 * Once it has ended, or if it is all zero, the scope is none, and `error` is returned as it is.
 */
long vr_scope_done(vr_scope *scope, long error);

/* Lets go of the children that are left, which run on on their own, and ends the scope. Never switches. */
void vr_scope_abandon(vr_scope *scope);

/* The errors of scopes that are thrown into their bodies: from here down to above VR_TIMEOUT_ERRORS. */
#define VR_SCOPE_ERRORS (-(1L << 29))

/* --- Shield --- */

/* The fields are private. It stays where it is until it has ended. */
typedef struct vr_shield {
    vr_greenlet *greenlet;
    struct vr_shield *outer;
    vr_timer timer;
    vr_interruption over;   /* thrown when its time is up, and nothing is held back */
    vr_interruption *first; /* those that are held back */
    long kill;              /* the same; 0: none */
    bool open;
} vr_shield;

/*
 * From here to vr_shield_end no wait of the current greenlet is interrupted: kills, and timeouts and scopes that were
 * begun before, are held back (not a vr_throw by hand, nor -EDEADLK). Shields nest: what comes is held back by the
 * outermost. The shield has a time of its own: after `timeout` it is open, and what was held back is thrown into the
 * wait that goes on, or the next, or, if that is nothing, an error that vr_shield_end takes for -ETIMEDOUT. Never
 * switches. Returns 0; -ENOMEM where there is no memory for a timer, or -EPERM in a hub callback, with no shield set up
 * (vr_shield_end may be called).
 */
int vr_shield_begin(vr_shield *shield, vr_time timeout);

/*
 * Ends it; it must be the greenlet's innermost (misuse). Returns `error`, or -ETIMEDOUT for the shield's own; when that
 * is 0, what was held back first, a kill before all others. The rest that was held back is thrown into the waits that
 * follow.
 */
long vr_shield_end(vr_shield *shield, long error);

#endif
