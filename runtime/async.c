#include <vireo/async.h>

#include "async.h"
#include "container.h"
#include "hub.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Sending is lock-free, so that a signal handler may do it whatever it has interrupted: an async whose `sent` was false
 * is pushed on the inbox's stack, and whoever pushes on an empty stack writes to the eventfd. The hub reads the eventfd
 * before it takes the stack: what is pushed after that finds the stack empty, and writes again.
 *
 * An eventfd and not an ev_async: libev ends the program when it finds no descriptor for one.
 */

static void async_run(vr_callback *callback)
{
    vr_async *async = VR_CONTAINER(callback, vr_async, callback);

    /* What is sent from here on is for another run. No plain store: only what reads the flag as well sees the writes of
     * those who found it set. */
    atomic_exchange(&async->sent, false);
    async->run(async);
}

void vr_inbox_collect(vr_inbox *inbox)
{
    vr_async *async = atomic_exchange(&inbox->sent, NULL), *first = NULL;

    while (async) {
        vr_async *next = async->next_sent;
        async->next_sent = first;
        first = async;
        async = next;
    }
    for (; first; first = first->next_sent)
        vr_callback_queue(&first->callback);
}

static void inbox_ready(vr_poll_wait *wait, int error)
{
    vr_inbox *inbox = VR_CONTAINER(wait, vr_inbox, wait);
    vr_poller *poller = &inbox->hub->poller;
    eventfd_t count;

    if (error)
        return; /* whoever closes it knows */
    /* Nothing to read is no matter: then there is nothing to take, or it was taken early. */
    (void)eventfd_read(inbox->fd, &count);
    vr_inbox_collect(inbox);
    /* The descriptor is watched already, so that this changes the registration only, and cannot fail. */
    vr_poller_remove(poller, inbox->fd, VR_DIRECTION_READ, wait);
    (void)vr_poller_add(poller, inbox->fd, VR_DIRECTION_READ, wait);
}

int vr_inbox_open(vr_inbox *inbox, vr_poller *poller)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -errno;
    int error = vr_poller_add(poller, fd, VR_DIRECTION_READ, &inbox->wait);
    if (error) {
        vr_poller_forget(poller, fd);
        close(fd);
        return error;
    }
    return fd;
}

/* The hub's inbox, made when there is none. NULL, and *error says why. */
static vr_inbox *inbox_of(vr_hub *hub, int *error)
{
    vr_inbox *inbox = hub->poller.inbox;

    if (inbox)
        return inbox;
    inbox = malloc(sizeof *inbox);
    if (!inbox) {
        *error = -ENOMEM;
        return NULL;
    }
    *inbox = (vr_inbox){.hub = hub, .wait = {.ready = inbox_ready, .background = true}};
    inbox->fd = vr_inbox_open(inbox, &hub->poller);
    if (inbox->fd < 0) {
        *error = inbox->fd;
        free(inbox);
        return NULL;
    }
    return hub->poller.inbox = inbox;
}

static void close_inbox(vr_inbox *inbox)
{
    vr_poller_forget(&inbox->hub->poller, inbox->fd);
    close(inbox->fd);
}

void vr_inbox_free(vr_inbox *inbox)
{
    if (!inbox)
        return;
    if (inbox->asyncs)
        vr_misuse("the hub is freed before vr_async_done", inbox->hub->current);
    /* Between its push and its write; a moment, unless its thread has to wait for a processor. */
    while (atomic_load(&inbox->senders))
        sched_yield();
    inbox->hub->poller.inbox = NULL;
    close_inbox(inbox);
    free(inbox);
}

/* --- Fork: the child has no other threads, in the middle of whatever they were --- */

void vr_inbox_renew(vr_inbox *inbox)
{
    if (!inbox)
        return;
    close_inbox(inbox);
    inbox->fd = vr_inbox_open(inbox, &inbox->hub->poller);
    if (inbox->fd < 0)
        vr_misuse("no eventfd for a child process", inbox->hub->current);
    atomic_store(&inbox->senders, 0);
    /* A send that was under way is taken for done. */
    vr_inbox_collect(inbox);
    for (vr_async *async = inbox->asyncs; async; async = async->next)
        if (atomic_load(&async->sent))
            vr_callback_queue(&async->callback);
}

void vr_inbox_begin_anew(vr_inbox *inbox, int fd)
{
    close(inbox->fd);
    inbox->fd = fd;
    atomic_store(&inbox->senders, 0);
    atomic_store(&inbox->sent, NULL);
    for (vr_async *async = inbox->asyncs; async; async = async->next) {
        vr_callback_cancel(&async->callback);
        atomic_store(&async->sent, false);
    }
}

/* --- For programs --- */

int vr_async_init(vr_async *async, void (*run)(vr_async *async))
{
    vr_hub *hub = vr_hub_get();
    int error = -ENOMEM;

    /* Now, not at the next poll: in the child of a fork, what is sent before that would go to the parent's eventfd. */
    if (hub)
        vr_poller_catch_up(&hub->poller);
    vr_inbox *inbox = hub ? inbox_of(hub, &error) : NULL;
    *async = (vr_async){.run = run, .callback.run = async_run, .inbox = inbox};
    if (!inbox)
        return error;
    async->next = inbox->asyncs;
    async->previous = &inbox->asyncs;
    if (async->next)
        async->next->previous = &async->next;
    inbox->asyncs = async;
    return 0;
}

void vr_async_send(vr_async *async)
{
    vr_inbox *inbox = async->inbox;
    int saved_errno = errno;

    if (atomic_exchange(&async->sent, true))
        return;
    /* Before the push, after which the hub may run, and free, first the async, then all that is its own. */
    atomic_fetch_add(&inbox->senders, 1);
    vr_async *top = atomic_load(&inbox->sent);
    do
        async->next_sent = top;
    while (!atomic_compare_exchange_weak(&inbox->sent, &top, async));
    /* Never fails: the counter would take 2^64 of these. */
    if (!top)
        (void)eventfd_write(inbox->fd, 1);
    atomic_fetch_sub(&inbox->senders, 1);
    errno = saved_errno;
}

void vr_async_check_thread(const vr_async *async)
{
    vr_hub *hub = vr_hub_peek();

    if (!hub || async->inbox != hub->poller.inbox)
        vr_misuse("an async of another thread's hub", vr_current());
}

void vr_async_ref(vr_async *async)
{
    vr_async_check_thread(async);
    vr_poller_catch_up(&async->inbox->hub->poller); /* see vr_async_init */
    async->refs++;
    async->inbox->refs++;
    async->inbox->hub->poller.waits++;
}

static void give_back(vr_async *async, unsigned count)
{
    async->refs -= count;
    async->inbox->refs -= count;
    async->inbox->hub->poller.waits -= count;
}

void vr_async_unref(vr_async *async)
{
    vr_async_check_thread(async);
    if (!async->refs)
        vr_misuse("vr_async_unref without vr_async_ref", vr_current());
    give_back(async, 1);
}

void vr_async_done(vr_async *async)
{
    if (!async || !async->inbox)
        return;
    vr_async_check_thread(async);
    /* It may be on the stack, from which nothing can be taken but all. */
    vr_inbox_collect(async->inbox);
    vr_callback_cancel(&async->callback);
    give_back(async, async->refs);
    *async->previous = async->next;
    if (async->next)
        async->next->previous = async->previous;
    async->inbox = NULL;
}
