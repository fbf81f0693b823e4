#include "poller.h"

#include "async.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct vr_fd {
    ev_io io; /* data: the poller */
    vr_poll_wait *waits[2];
    vr_habit habit;
};

static const int event_of[2] = {[VR_DIRECTION_READ] = EV_READ, [VR_DIRECTION_WRITE] = EV_WRITE};

static void limit_reached(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    ((vr_poller *)timer->data)->armed = VR_FOREVER;
}

/*
 * A child of fork(2) shares the parent's epoll set: what it changed there, the parent would see. Every poller compares
 * this count with its own before it polls.
 */
static unsigned forks;
static int watching_forks; /* an errno */

static void forked(void)
{
    forks++;
}

static void watch_forks(void)
{
    watching_forks = pthread_atfork(NULL, NULL, forked);
}

int vr_poller_init(vr_poller *poller)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    *poller = (vr_poller){.armed = VR_FOREVER, .forks = forks};
    poller->limit = watching_forks ? NULL : malloc(sizeof *poller->limit);
    if (!poller->limit)
        return -ENOMEM;
    /* Not another backend instead where this one cannot be had, nor one that LIBEV_FLAGS in the environment asks for:
     * they have other rules. */
    errno = ENOMEM;
    poller->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!poller->loop) {
        int error = -errno;
        free(poller->limit);
        return error;
    }
    ev_timer_init(poller->limit, limit_reached, 0, 0);
    poller->limit->data = poller;
    return 0;
}

void vr_poller_done(vr_poller *poller)
{
    vr_inbox_free(poller->inbox);
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

void vr_poller_replace(vr_poller *poller, vr_poller *fresh)
{
    vr_poller old = *poller;

    *poller = *fresh;
    poller->inbox = old.inbox;
    poller->forks = forks;
    poller->limit->data = poller;
    for (size_t fd = 0; fd < poller->fds_size; fd++)
        if (poller->fds[fd])
            poller->fds[fd]->io.data = poller;
    old.inbox = NULL;
    vr_poller_done(&old);
}

/* After a fork that was not vr_fork's: all goes on, in a set of the child's own. */
static void renew(vr_poller *poller)
{
    poller->forks = forks;
    ev_loop_fork(poller->loop);
    vr_inbox_renew(poller->inbox);
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

void vr_poller_catch_up(vr_poller *poller)
{
    if (poller->forks != forks)
        renew(poller);
}

void vr_poller_run(vr_poller *poller, vr_time now, vr_time deadline)
{
    vr_poller_catch_up(poller);
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
    /* libev stops the watcher itself when the system refuses it: the descriptor was closed behind its back, or there is
     * no room for one more. */
    int error = events & EV_ERROR ? fcntl(io->fd, F_GETFD) < 0 ? -EBADF : -ENOMEM : 0;
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

/*
 * libev ends the program where it finds no memory. Its tables grow as ours do, at the same numbers: where there is no
 * room for so much as they take for each descriptor, ours must not grow either.
 */
enum { LIBEV_OCTETS_PER_FD = 64 };

static bool has_room_for_libev(size_t size)
{
    void *volatile room = malloc(size * LIBEV_OCTETS_PER_FD); /* compilers leave out what is only freed */

    free(room);
    return room != NULL;
}

static bool grow_table(vr_poller *poller, int fd)
{
    size_t size = poller->fds_size ? poller->fds_size : 64;

    while (size <= (size_t)fd)
        size *= 2;
    if (!has_room_for_libev(size))
        return false;
    struct vr_fd **fds = realloc(poller->fds, size * sizeof(struct vr_fd *));
    if (!fds)
        return false;
    memset(fds + poller->fds_size, 0, (size - poller->fds_size) * sizeof(struct vr_fd *));
    poller->fds = fds;
    poller->fds_size = size;
    return true;
}

/* The record of a descriptor, made when there is none. NULL when memory ran out. */
static struct vr_fd *record_of(vr_poller *poller, int fd)
{
    if ((size_t)fd >= poller->fds_size && !grow_table(poller, fd))
        return NULL;
    if (!poller->fds[fd]) {
        struct vr_fd *made = calloc(1, sizeof *made);
        if (!made)
            return NULL;
        ev_io_init(&made->io, descriptor_ready, fd, 0);
        made->io.data = poller;
        poller->fds[fd] = made;
    }
    return poller->fds[fd];
}

int vr_poller_add(vr_poller *poller, int fd, vr_direction direction, vr_poll_wait *wait)
{
    /* Before the table grows: a number out of range would make it huge. */
    if (fd < 0 || ((size_t)fd >= poller->fds_size && fcntl(fd, F_GETFD) < 0))
        return -EBADF;
    struct vr_fd *record = record_of(poller, fd);
    if (!record)
        return -ENOMEM;
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
    wait->called = false;
    poller->waits += !wait->background;
    return 0;
}

static struct vr_fd *known(const vr_poller *poller, int fd)
{
    return fd >= 0 && (size_t)fd < poller->fds_size ? poller->fds[fd] : NULL;
}

vr_habit *vr_poller_habit(const vr_poller *poller, int fd)
{
    struct vr_fd *record = known(poller, fd);

    return record ? &record->habit : NULL;
}

void vr_poller_remove(vr_poller *poller, int fd, vr_direction direction, const vr_poll_wait *wait)
{
    struct vr_fd *record = known(poller, fd);

    if (!record || record->waits[direction] != wait)
        return;
    record->waits[direction] = NULL;
    poller->waits -= !wait->background;
}

void vr_poller_forget(vr_poller *poller, int fd)
{
    struct vr_fd *record = known(poller, fd);

    if (!record)
        return;
    ev_io_stop(poller->loop, &record->io);
    poller->fds[fd] = NULL;
    for (int direction = 0; direction < 2; direction++) {
        vr_poll_wait *wait = record->waits[direction];
        if (wait) {
            poller->waits -= !wait->background;
            wait->ready(wait, -EBADF);
        }
    }
    free(record);
}
