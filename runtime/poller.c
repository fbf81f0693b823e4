#include "poller.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct vr_fd {
    ev_io io; /* data: the poller */
    vr_poll_wait *waits[2];
};

static const int event_of[2] = {[VR_DIRECTION_READ] = EV_READ, [VR_DIRECTION_WRITE] = EV_WRITE};

static void limit_reached(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    ((vr_poller *)timer->data)->armed = VR_FOREVER;
}

int vr_poller_init(vr_poller *poller)
{
    *poller = (vr_poller){.armed = VR_FOREVER};
    poller->limit = malloc(sizeof *poller->limit);
    if (!poller->limit)
        return -ENOMEM;
    /* NOENV: LIBEV_FLAGS in the environment could choose a backend with other rules. */
    poller->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!poller->loop) {
        free(poller->limit);
        return -ENOMEM;
    }
    ev_timer_init(poller->limit, limit_reached, 0, 0);
    poller->limit->data = poller;
    return 0;
}

void vr_poller_done(vr_poller *poller)
{
    for (size_t fd = 0; fd < poller->fds_size; fd++) {
        if (poller->fds[fd])
            ev_io_stop(poller->loop, &poller->fds[fd]->io);
        free(poller->fds[fd]);
    }
    free(poller->fds);
    ev_timer_stop(poller->loop, poller->limit);
    free(poller->limit);
    ev_loop_destroy(poller->loop);
    *poller = (vr_poller){0};
}

/*
 * Makes the next poll end by `deadline`. A limit that is set too early stays: it costs one empty poll, where setting it
 * anew would cost something in every turn of a program whose deadlines keep moving on.
 */
static void set_limit(vr_poller *poller, vr_time now, vr_time deadline)
{
    if (deadline >= poller->armed)
        return;
    ev_timer_stop(poller->loop, poller->limit);
    /* libev counts from its own idea of the time, which is from its last poll. */
    ev_now_update(poller->loop);
    ev_timer_set(poller->limit, (double)(deadline - now) / 1e9, 0);
    ev_timer_start(poller->loop, poller->limit);
    poller->armed = deadline;
}

void vr_poller_run(vr_poller *poller, vr_time now, vr_time deadline)
{
    if (deadline <= now) {
        ev_run(poller->loop, EVRUN_NOWAIT);
        return;
    }
    set_limit(poller, now, deadline);
    ev_run(poller->loop, EVRUN_ONCE);
}

/* Watches for exactly `events`; libev compares with what the kernel has only before the next poll. */
static void watch(vr_poller *poller, struct vr_fd *fd, int events)
{
    ev_io_stop(poller->loop, &fd->io);
    ev_io_modify(&fd->io, events);
    if (events)
        ev_io_start(poller->loop, &fd->io);
}

static void descriptor_ready(struct ev_loop *loop, ev_io *io, int events)
{
    vr_poller *poller = io->data;
    struct vr_fd *fd = (struct vr_fd *)(void *)io;
    int unwanted = 0;

    (void)loop;
    /* libev stops the watcher itself when the descriptor turned out to be closed behind its back. */
    int error = events & EV_ERROR ? -EBADF : 0;
    for (int direction = 0; direction < 2; direction++) {
        vr_poll_wait *wait = fd->waits[direction];
        if (!error && !(events & event_of[direction]))
            continue;
        if (!wait) {
            unwanted |= event_of[direction];
        } else if (!wait->called) {
            wait->called = true;
            wait->ready(wait, error);
        }
    }
    if (unwanted && !error)
        watch(poller, fd, io->events & (EV_READ | EV_WRITE) & ~unwanted);
}

/* The record of a descriptor, made when there is none; *error says why there can be none. */
static struct vr_fd *record_of(vr_poller *poller, int fd, int *error)
{
    if ((size_t)fd >= poller->fds_size) {
        size_t size = poller->fds_size ? poller->fds_size : 64;
        while (size <= (size_t)fd)
            size *= 2;
        struct vr_fd **fds = realloc(poller->fds, size * sizeof(struct vr_fd *));
        if (!fds) {
            *error = -ENOMEM;
            return NULL;
        }
        memset(fds + poller->fds_size, 0, (size - poller->fds_size) * sizeof(struct vr_fd *));
        poller->fds = fds;
        poller->fds_size = size;
    }
    if (!poller->fds[fd]) {
        struct vr_fd *made = calloc(1, sizeof *made);
        if (!made) {
            *error = -ENOMEM;
            return NULL;
        }
        ev_io_init(&made->io, descriptor_ready, fd, 0);
        made->io.data = poller;
        poller->fds[fd] = made;
    }
    return poller->fds[fd];
}

int vr_poller_add(vr_poller *poller, int fd, vr_direction direction, vr_poll_wait *wait)
{
    int error = 0;

    /* Before the table grows: a number out of range would make it huge. */
    if (fd < 0 || ((size_t)fd >= poller->fds_size && fcntl(fd, F_GETFD) < 0))
        return -EBADF;
    struct vr_fd *record = record_of(poller, fd, &error);
    if (!record)
        return error;
    if (record->waits[direction])
        return -EBUSY;
    int armed = ev_is_active(&record->io) ? record->io.events & (EV_READ | EV_WRITE) : 0;
    if (!(armed & event_of[direction])) {
        /* libev would take a closed descriptor for a bug, and abort. */
        if (fcntl(fd, F_GETFD) < 0)
            return -EBADF;
        watch(poller, record, armed | event_of[direction]);
    }
    record->waits[direction] = wait;
    poller->waits++;
    return 0;
}

void vr_poller_remove(vr_poller *poller, int fd, vr_direction direction, const vr_poll_wait *wait)
{
    struct vr_fd *record = (size_t)fd < poller->fds_size ? poller->fds[fd] : NULL;

    if (!record || record->waits[direction] != wait)
        return;
    record->waits[direction] = NULL;
    poller->waits--;
}

void vr_poller_forget(vr_poller *poller, int fd)
{
    struct vr_fd *record = fd >= 0 && (size_t)fd < poller->fds_size ? poller->fds[fd] : NULL;

    if (!record)
        return;
    ev_io_stop(poller->loop, &record->io);
    poller->fds[fd] = NULL;
    for (int direction = 0; direction < 2; direction++) {
        vr_poll_wait *wait = record->waits[direction];
        if (wait) {
            poller->waits--;
            wait->ready(wait, -EBADF);
        }
    }
    free(record);
}
