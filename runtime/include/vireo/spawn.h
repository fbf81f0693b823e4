/*
 * Spawned greenlets: run by the hub, joined by whoever wants their results.
 *
 * Starting only queues: the function first runs when the current greenlet next gives way (blocks, yields, or ends).
 * Calls that wait may switch; called from a hub callback they return -EPERM. A kill, or any error thrown into a waiting
 * greenlet, ends its wait early and is what the call returns.
 *
 * A NULL greenlet is what vr_spawn returns when memory ran out. Every call here takes it for one that has failed with
 * -ENOMEM, so that a program that spawns a batch need not check each.
 */
#ifndef VIREO_SPAWN_H
#define VIREO_SPAWN_H

#include <vireo/greenlet.h>
#include <vireo/time.h>
#include <vireo/waiter.h>

/*
 * Makes a greenlet and queues it. The caller holds a reference, and gives it back with vr_unref whenever it likes.
 * Returns NULL, with errno set, when memory or mappings ran out.
 */
vr_greenlet *vr_spawn(vr_function *function, void *argument);

/* The same, to start after `delay`. */
vr_greenlet *vr_spawn_later(vr_time delay, vr_function *function, void *argument);

/*
 * Queues a greenlet of vr_greenlet_new, whose parent becomes the hub. A second start, or one of a dead greenlet, does
 * nothing.
 */
void vr_start(vr_greenlet *greenlet, void *argument);
void vr_start_later(vr_greenlet *greenlet, vr_time delay, void *argument);

/* Is the greenlet dead, with its result to be read? */
bool vr_ready(const vr_greenlet *greenlet);

/* Has it ended without an error? The exit counts as that. */
bool vr_successful(const vr_greenlet *greenlet);

/* Did it end by the exit (a kill)? */
bool vr_exited(const vr_greenlet *greenlet);

/* The value that the function returned; NULL before it has, after an error, and after the exit. */
void *vr_value(const vr_greenlet *greenlet);

/* The error that it ended with; 0 before it has ended, and after success. */
long vr_error(const vr_greenlet *greenlet);

/* Waits until the greenlet is dead. Returns 0, -ETIMEDOUT, -EINVAL for the current greenlet itself, or what was thrown.
 */
int vr_join(vr_greenlet *greenlet, vr_time timeout);

/*
 * Throws `error` (negative; -ECANCELED is the exit) into a greenlet, from the hub, after what is queued now. One that
 * has not started dies at once, is never switched to, and its links still fire; for a dead one nothing happens. A
 * victim that goes on regardless survives. Never switches: vr_join waits for the end. Only the last of several kills
 * that wait to be delivered counts.
 */
void vr_kill(vr_greenlet *greenlet, long error);

/* Kills all, then waits for the end of all. Returns 0, -ETIMEDOUT, or what was thrown. */
int vr_killall(vr_greenlet *const greenlets[], size_t count, long error, vr_time timeout);

/*
 * Waits for all, at most for `timeout`; the current greenlet is not waited for. Returns how many are dead, or what was
 * thrown into the wait.
 */
int vr_joinall(vr_greenlet *const greenlets[], size_t count, vr_time timeout);

enum vr_wait_flags {
    VR_RAISE_ERROR = 1, /* end at the first greenlet that failed, and return its error */
};

typedef struct vr_wait_options {
    vr_time timeout;    /* 0 polls: what is dead already counts, nothing is waited for */
    size_t wanted;      /* end when that many are dead; 0, or more than there are: all */
    unsigned flags;     /* of vr_wait_flags */
    vr_greenlet **done; /* out, may be NULL: the dead ones in the order they ended; room for all */
} vr_wait_options;

/*
 * Waits for greenlets as the options say; one that is listed twice counts twice. Returns how many are dead (with
 * `done`, so many entries are set), the failed one's error with VR_RAISE_ERROR, -ENOMEM, or what was thrown into the
 * wait, even in the turn in which the last of them ended.
 */
int vr_wait(vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options);

/* The same, one at a time: the greenlets in the order in which they end. Stays where it is once begun. The fields are
 * private. */
typedef struct vr_iwait {
    struct vr_iwait_entry *entries, *first, **last;
    size_t count, left;
    vr_time deadline;
    vr_waiter waiter;
    long error;
} vr_iwait;

/*
 * Begins; every greenlet is linked now, none is waited for. Of the options `done` and `flags` do not apply. Returns 0,
 * -ENOMEM, or -EINVAL where one of the greenlets is NULL.
 */
int vr_iwait_init(vr_iwait *iwait, vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options);

/*
 * The next greenlet to have ended; nothing is lost when the caller switches elsewhere between two calls. Returns NULL
 * at the end: all wanted were given (vr_iwait_error is 0), time ran out (-ETIMEDOUT), or what was thrown into the wait.
 * Those that end in the turn of the throw are given before, and vr_iwait_error tells of it then, too, when they are all
 * that were wanted.
 */
vr_greenlet *vr_iwait_next(vr_iwait *iwait);
long vr_iwait_error(const vr_iwait *iwait);

/* Ends it, early or not: unlinks all that is still linked. */
void vr_iwait_done(vr_iwait *iwait);

/*
 * A call from the hub when a greenlet is dead. The caller owns the struct, which must stay until it has fired or is
 * unlinked. Links fire in the order they were added, also on a greenlet that is dead already, never from within
 * vr_rawlink.
 */
typedef struct vr_link {
    void (*notify)(vr_greenlet *greenlet, void *context);
    void *context;
    struct vr_link *next, **previous; /* private */
} vr_link;

void vr_rawlink(vr_greenlet *greenlet, vr_link *link);

/* Takes a link off that has not fired; one that is not linked is left alone. A link may so take off those after it. */
void vr_unlink(vr_greenlet *greenlet, vr_link *link);

#endif
