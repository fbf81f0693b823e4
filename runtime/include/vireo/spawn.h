/*
 * Spawned greenlets: run by the hub, joined by whoever wants their results.
 *
 * Starting only queues: the function first runs when the current greenlet next gives way (blocks, yields, or ends).
 * Calls that wait may switch; called from a hub callback they return -EPERM. A kill, or any error thrown into a waiting
 * greenlet, ends its wait early and is what the call returns.
 *
 * Greenlets belong to their thread. A call that would wake, start, kill or enter another thread's aborts the program
 * with a line that says so; <vireo/async.h> is the way from thread to thread.
 *
 * A NULL greenlet is what vr_spawn returns when memory ran out. Every call here takes it for one that has failed with
 * -ENOMEM, so that a program that spawns a batch need not check each.
 */
#ifndef VIREO_SPAWN_H
#define VIREO_SPAWN_H

#include <vireo/greenlet.h>
#include <vireo/time.h>
#include <vireo/waitable.h>
#include <vireo/waiter.h>

/*
 * Makes a greenlet and queues it. The caller holds a reference, and gives it back with vr_unref whenever it likes.
 * Returns NULL, with errno set, when memory or mappings ran out.
 *
 *     vr_greenlet *vr_spawn(vr_function *function, void *argument);
 *
 * A macro, as are all that spawn: it notes where it stands, for vr_dump (<vireo/dump.h>).
 */
#define vr_spawn(...) vr_spawn_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_spawn_at(const char *site, vr_function *function, void *argument);

/*
 * The same, to start after `delay`.
 *
 *     vr_greenlet *vr_spawn_later(vr_time delay, vr_function *function, void *argument);
 */
#define vr_spawn_later(...) vr_spawn_later_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_spawn_later_at(const char *site, vr_time delay, vr_function *function, void *argument);

typedef struct vr_spawn_options {
    const char *name;  /* as for vr_set_name; may be NULL */
    size_t stack_size; /* octets that its calls may take, rounded up to what there is; 0: the usual, some 58 KiB */
    vr_time delay;     /* before it starts */
} vr_spawn_options;

/*
 * The same, with options. NULL with EINVAL for a stack_size above VR_STACK_MAX.
 *
 *     vr_greenlet *vr_spawn_with(const vr_spawn_options *options, vr_function *function, void *argument);
 */
#define vr_spawn_with(...) vr_spawn_with_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_spawn_with_at(const char *site, const vr_spawn_options *options, vr_function *function, void *argument);

/* Octets: the largest stack. */
#define VR_STACK_MAX ((size_t)60 << 20)

/*
 * Queues a greenlet of vr_greenlet_new, whose parent becomes the hub. Returns 0; -EALREADY, with nothing done, for one
 * that was started before or is dead; -ENOMEM for NULL, and where there is no memory for a delay: then it has died of
 * that.
 */
int vr_start(vr_greenlet *greenlet, void *argument);
int vr_start_later(vr_greenlet *greenlet, vr_time delay, void *argument);

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
    vr_greenlet *getter;
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

/*
 * The same over objects of all kinds (<vireo/waitable.h>): each is given once it is ready, and is not changed by that:
 * who is given a semaphore may find that others were faster.
 */
int vr_iwait_init_objects(vr_iwait *iwait, vr_waitable *const objects[], size_t count, const vr_wait_options *options);
vr_waitable *vr_iwait_next_object(vr_iwait *iwait);

/* Ends it, early or not: unlinks all that is still linked. */
void vr_iwait_done(vr_iwait *iwait);

/*
 * Waits until one of several objects is ready, and returns its position; of those that are ready already, the first. Or
 * -ETIMEDOUT, also for none at all; -ENOMEM; or what was thrown into the wait.
 */
int vr_wait_object(vr_waitable *const objects[], size_t count, vr_time timeout);

/* A call from the hub when the greenlet is dead: see vr_link in <vireo/waitable.h>. */
void vr_rawlink(vr_greenlet *greenlet, vr_link *link);

/* A greenlet as what can be waited for. Not a new reference. */
vr_waitable *vr_greenlet_waitable(vr_greenlet *greenlet);

#endif
