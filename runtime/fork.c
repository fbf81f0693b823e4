#include <vireo/fork.h>

#include "async.h"
#include "hub.h"
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* All that a child needs; made before the fork, so that nothing can fail after it. */
struct provisions {
    vr_poller poller;
    int inbox_fd;      /* -1 when there is no inbox */
    vr_greenlet *last; /* what the caller's end goes to; NULL for main, which has nothing to go to */
};

/* A greenlet that was given the turn only to be there: goes on when the child's one greenlet has ended. */
static vr_result exits(void *caller)
{
    vr_result result;

    do
        result = vr_greenlet_resume(caller, vr_ok(NULL));
    while (!vr_dead(caller));
    _exit(result.error ? 1 : 0);
}

static void drop_provisions(struct provisions *provisions)
{
    vr_poller_done(&provisions->poller);
    if (provisions->inbox_fd >= 0)
        close(provisions->inbox_fd);
    vr_unref(provisions->last);
}

static int make_provisions(vr_hub *hub, struct provisions *provisions)
{
    int error = vr_poller_init(&provisions->poller);

    if (error)
        return error;
    provisions->inbox_fd = -1;
    provisions->last = NULL;
    if (hub->poller.inbox) {
        provisions->inbox_fd = vr_inbox_open(hub->poller.inbox, &provisions->poller);
        if (provisions->inbox_fd < 0)
            error = provisions->inbox_fd;
    }
    if (!error && hub->current != &hub->main) {
        provisions->last = vr_greenlet_create(hub, exits, NULL, 0);
        if (!provisions->last)
            error = -errno;
    }
    if (error)
        drop_provisions(provisions);
    return error;
}

/* --- In the child --- */

/* Where a callback seems to be queued that is to run no more: whoever queues what is queued does nothing. */
static vr_callback nowhere_next, *nowhere;

static void seem_queued(vr_callback *callback)
{
    vr_callback_cancel(callback);
    callback->next = &nowhere_next;
    callback->previous = &nowhere;
}

/*
 * Has a greenlet never run again, whatever may still have it in a list and wake it. Its stack stays, as those lists lie
 * there: hence the reference, which nobody gives back.
 */
static void freeze(vr_greenlet *greenlet)
{
    vr_ref(greenlet);
    seem_queued(&greenlet->wake);
    vr_callback_cancel(&greenlet->kill);
    vr_callback_cancel(&greenlet->waitable.notify);
    greenlet->state = VR_STATE_DEAD;
    greenlet->exited = true;
    greenlet->result = vr_ok(NULL);
}

static bool freeze_other(void *record, void *provisions)
{
    vr_greenlet *greenlet = record;
    vr_hub *hub = greenlet->hub;

    if (greenlet->state != VR_STATE_DEAD && greenlet != hub->current && greenlet != hub->loop_greenlet &&
        greenlet != ((struct provisions *)provisions)->last) {
        freeze(greenlet);
        hub->stacks.in_use--; /* of no account for vr_hub_free */
    }
    return true;
}

/* The caller takes main's place: what main would be told, it is told as the heir of the dead, and its end is the
 * process's. */
static void succeed_main(vr_hub *hub, vr_greenlet *last)
{
    vr_greenlet *self = hub->current;

    freeze(&hub->main);
    hub->main.parent = vr_ref(self);
    self->parent = last; /* the reference to the old one is left, lest it reap that one */
    vr_greenlet_resume(last, vr_ok(self));
}

/* `kept` is the first callback that was queued since the fork, by handlers of pthread_atfork. */
static void drop_all(vr_hub *hub, const vr_callback *kept)
{
    while (hub->first != kept)
        vr_callback_cancel(hub->first);
    while (vr_timers_pop(&hub->timers, VR_FOREVER)) {
    }
    vr_signals_forget();
    hub->joining = false;
    hub->joining_timers = 0;
}

static void become_child(vr_hub *hub, struct provisions *provisions, const vr_callback *kept)
{
    vr_inbox *inbox = hub->poller.inbox;

    drop_all(hub, kept);
    vr_poller_replace(&hub->poller, &provisions->poller);
    if (inbox) {
        vr_inbox_begin_anew(inbox, provisions->inbox_fd);
        hub->poller.waits = inbox->refs;
    }
    vr_stack_each(&hub->stacks, freeze_other, provisions);
    if (provisions->last)
        succeed_main(hub, provisions->last);
}

/* --- In both --- */

pid_t vr_fork(void)
{
    int error = 0;
    vr_hub *hub = vr_hub_to_block(&error);
    struct provisions provisions;
    sigset_t all, before;

    if (hub)
        error = make_provisions(hub, &provisions);
    if (error)
        return error;
    vr_callback **end = hub->last;
    /* A signal that comes to the child while the parent's watchers are still in place would be lost. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child == 0)
        become_child(hub, &provisions, *end);
    else if (child < 0)
        child = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child != 0)
        drop_provisions(&provisions);
    return child;
}
