/*
 * The event loop's system side: waiting for descriptors, with a limit in time. The one file behind this, poller.c,
 * knows libev.
 *
 * A descriptor keeps its watcher from its first wait until vr_poller_forget. The watcher stays armed when a wait ends,
 * since the next one is likely to be for the same: waiting again costs no system call. An event that nobody waits for
 * disarms it.
 */
#ifndef VIREO_RUNTIME_POLLER_H
#define VIREO_RUNTIME_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <vireo/time.h>

typedef struct vr_poller {
    struct ev_loop *loop;
    struct ev_timer *limit; /* ends a poll in time */
    vr_time armed;          /* the deadline `limit` stands for; VR_FOREVER when it is stopped */
    struct vr_fd **fds;     /* by descriptor; NULL where none ever waited */
    size_t fds_size;
    size_t waits;           /* what can still happen: registered waits, and what vr_async_ref counts */
    struct vr_inbox *inbox; /* what other threads send (async.h); NULL before the first vr_async */
    unsigned forks;         /* of the process and its ancestors, when the loop was made */
} vr_poller;

typedef enum vr_direction { VR_DIRECTION_READ, VR_DIRECTION_WRITE } vr_direction;

/*
 * One wait, embedded in what waits. `ready` is called with 0 when the descriptor is, or with -ENOMEM when the system
 * cannot watch one more; the wait stays registered until it is removed, so that, when the descriptor is closed before
 * its greenlet has had its turn, `ready` is called again, with -EBADF.
 */
typedef struct vr_poll_wait {
    void (*ready)(struct vr_poll_wait *wait, int error);
    bool background; /* does not count in `waits` */
    bool called;     /* private */
} vr_poll_wait;

/* What reading from a descriptor is like, kept with its watcher for io.c. */
typedef struct vr_habit {
    bool drained;          /* the last read took all there was */
    unsigned char guesses; /* so many reads more are to be taken for such */
} vr_habit;

/* 0; -ENOMEM, -EMFILE, -ENFILE where the system has no loop to give. */
int vr_poller_init(vr_poller *poller);
void vr_poller_done(vr_poller *poller);

/* Puts `fresh`, which was made before a fork, in the place of a poller, whose waits are dropped without being told. The
 * inbox stays. */
void vr_poller_replace(vr_poller *poller, vr_poller *fresh);

/* Where this process is the child of a fork(2) since the last poll: gives it a loop and an inbox of its own. */
void vr_poller_catch_up(vr_poller *poller);

/* Polls once, and calls `ready` of what is. Blocks until something is, or `deadline` has come; not at all for one that
 * has passed. */
void vr_poller_run(vr_poller *poller, vr_time now, vr_time deadline);

/* Registers a wait. 0; -EBUSY where another waits for the same; -EBADF for what is no open descriptor; -ENOMEM. */
int vr_poller_add(vr_poller *poller, int fd, vr_direction direction, vr_poll_wait *wait);

/* Takes a wait off; one that was ended by vr_poller_forget is left alone. */
void vr_poller_remove(vr_poller *poller, int fd, vr_direction direction, const vr_poll_wait *wait);

/* The habit of a descriptor that was waited on; NULL for any other. */
vr_habit *vr_poller_habit(const vr_poller *poller, int fd);

/* Ends both waits of a descriptor with -EBADF and drops its watcher; before every close. */
void vr_poller_forget(vr_poller *poller, int fd);

#endif
