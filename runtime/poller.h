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
    size_t waits; /* registered now */
} vr_poller;

typedef enum vr_direction { VR_DIRECTION_READ, VR_DIRECTION_WRITE } vr_direction;

/*
 * One wait, embedded in what waits. `ready` is called with 0 when the descriptor is; the wait stays registered until it
 * is removed, so that, when the descriptor is closed before its greenlet has had its turn, `ready` is called again,
 * with -EBADF.
 */
typedef struct vr_poll_wait {
    void (*ready)(struct vr_poll_wait *wait, int error);
    bool called; /* private */
} vr_poll_wait;

/* 0, or -ENOMEM where the system has no loop to give. */
int vr_poller_init(vr_poller *poller);
void vr_poller_done(vr_poller *poller);

/* Polls once, and calls `ready` of what is. Blocks until something is, or `deadline` has come; not at all for one that
 * has passed. */
void vr_poller_run(vr_poller *poller, vr_time now, vr_time deadline);

/* Registers a wait. 0; -EBUSY where another waits for the same; -EBADF for what is no open descriptor; -ENOMEM. */
int vr_poller_add(vr_poller *poller, int fd, vr_direction direction, vr_poll_wait *wait);

/* Takes a wait off; one that was ended by vr_poller_forget is left alone. */
void vr_poller_remove(vr_poller *poller, int fd, vr_direction direction, const vr_poll_wait *wait);

/* Ends both waits of a descriptor with -EBADF and drops its watcher; before every close. */
void vr_poller_forget(vr_poller *poller, int fd);

#endif
