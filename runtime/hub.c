#include "hub.h"

#include "async.h"
#include "container.h"
#include "overflow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <vireo/dump.h>
#include <vireo/monitor.h>
#include <vireo/threadpool.h>

/*
 * Between two polls at most so many callbacks run, and, looked at after each SLICE of them, for at most so long:
 * greenlets that yield to each other without end may not keep timers and I/O waiting.
 */
enum { SLICE = 64, SLICES_PER_POLL = 16 };
static const vr_time time_per_poll = VR_MICROSECONDS(200);

_Thread_local vr_hub *vr_thread_hub;

/* --- The clock --- */

static vr_time monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (vr_time)now.tv_sec * VR_SECONDS(1) + now.tv_nsec;
}

vr_time vr_hub_now(const vr_hub *hub)
{
    return hub->virtual_clock ? hub->now : monotonic_now();
}

vr_time vr_now(void)
{
    return vr_thread_hub ? vr_hub_now(vr_thread_hub) : monotonic_now();
}

vr_time vr_deadline(vr_time timeout)
{
    vr_time now = vr_now();

    if (timeout < 0)
        return now;
    return timeout > VR_FOREVER - now ? VR_FOREVER : now + timeout;
}

vr_time vr_remaining(vr_time deadline)
{
    if (deadline == VR_FOREVER)
        return VR_FOREVER;
    vr_time left = deadline - vr_now();
    return left > 0 ? left : 0;
}

int vr_hub_virtual_clock(vr_time start)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        return -ENOMEM;
    if (start < 0)
        return -EINVAL;
    if (hub->timers.count)
        return -EBUSY;
    hub->virtual_clock = true;
    hub->now = hub->turn = start;
    return 0;
}

/* --- The queue --- */

void vr_callback_queue(vr_callback *callback)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        abort(); /* without memory for a hub there is nothing that could run it, now or later */
    if (!callback->previous)
        vr_hub_append(hub, callback);
}

void vr_callback_cancel(vr_callback *callback)
{
    if (callback->previous)
        vr_hub_take_off(vr_thread_hub, callback);
}

/* --- Whose turn it is --- */

static bool is_greenlet(const vr_callback *callback)
{
    return callback && callback->run == vr_greenlet_wake;
}

/* xorshift64*: Marsaglia, "Xorshift RNGs", 2003; the multiplier from Vigna, 2014. */
static uint64_t next_random(vr_hub *hub)
{
    hub->seed ^= hub->seed >> 12;
    hub->seed ^= hub->seed << 25;
    hub->seed ^= hub->seed >> 27;
    return hub->seed * 0x2545f4914f6cdd1du;
}

/*
 * Brings one of the greenlets that are ready to the head of the queue: any of those before the first callback of
 * another kind, which keeps its place, as what is first in first out by contract.
 */
void vr_hub_choose(vr_hub *hub)
{
    size_t ready = 0;

    for (vr_callback *callback = hub->first; is_greenlet(callback); callback = callback->next)
        ready++;
    if (ready < 2)
        return;
    vr_callback *chosen = hub->first;
    for (size_t n = next_random(hub) % ready; n > 0; n--)
        chosen = chosen->next;
    vr_hub_take_off(hub, chosen);
    chosen->next = hub->first;
    if (hub->first)
        hub->first->previous = &chosen->next;
    else
        hub->last = &chosen->next;
    chosen->previous = &hub->first;
    hub->first = chosen;
}

/*
 * A callback has the hub to itself: whoever it switches to comes back to it, not to who is next, so that nobody else
 * runs before its end.
 */
static void run_callback(vr_hub *hub, vr_callback *callback)
{
    unsigned credit = hub->credit;

    hub->credit = 0;
    callback->run(callback);
    hub->credit = credit;
}

/* Until the queue is empty or the credit used up, also by those who give way to each other without a stop here. */
static void run_slice(vr_hub *hub)
{
    for (hub->credit = SLICE; hub->credit && hub->first;) {
        if (hub->seed && is_greenlet(hub->first))
            vr_hub_choose(hub);
        hub->credit--;
        vr_callback *callback = hub->first;
        vr_hub_take_off(hub, callback);
        if (is_greenlet(callback))
            callback->run(callback);
        else
            run_callback(hub, callback);
    }
}

static void run_queue(vr_hub *hub)
{
    for (int slice = 0; hub->first && slice < SLICES_PER_POLL; slice++) {
        run_slice(hub);
        /* On a virtual clock, what runs when must not depend on how fast the machine is. */
        if (hub->first && !hub->virtual_clock && monotonic_now() - hub->turn > time_per_poll)
            break;
    }
    hub->credit = 0;
}

/* --- Timers --- */

int vr_timer_start(vr_timer *timer, vr_time after)
{
    vr_hub *hub = vr_hub_get();

    return hub ? vr_timers_start(&hub->timers, timer, vr_hub_now(hub), after) : -ENOMEM;
}

void vr_timer_stop(vr_timer *timer)
{
    if (timer->list)
        vr_timers_remove(&vr_thread_hub->timers, timer);
    else
        vr_callback_cancel(&timer->callback);
}

/* --- Parking --- */

/* The limit of a park, on the stack of the greenlet that parks. */
struct patience {
    vr_timer timer;
    vr_greenlet *greenlet;
    bool over;
};

/* Only has the greenlet look: what comes for it before its turn wins. */
static void park_expired(vr_callback *callback)
{
    struct patience *patience = VR_CONTAINER(callback, struct patience, timer.callback);

    patience->over = true;
    vr_callback_queue(&patience->greenlet->wake);
}

static int park_for(vr_hub *hub, vr_greenlet *self, vr_time timeout)
{
    struct patience patience = {.timer.callback.run = park_expired, .greenlet = self};
    long error = vr_timer_start(&patience.timer, timeout);

    if (error)
        return (int)error;
    self->wait_until = patience.timer.list ? patience.timer.deadline : VR_FOREVER;
    do
        error = vr_greenlet_give_way(hub).error;
    while (!error && !self->woken && !patience.over);
    vr_timer_stop(&patience.timer);
    if (error)
        return (int)error;
    return self->woken ? 0 : -ETIMEDOUT;
}

int vr_hub_park(vr_hub *hub, vr_time timeout, vr_wait_kind kind, const void *on)
{
    vr_greenlet *self = hub->current;
    long error;

    self->woken = false;
    self->wait_kind = (unsigned char)kind;
    self->wait_on = on;
    self->wait_since = hub->turn;
    if (timeout != VR_FOREVER) {
        error = park_for(hub, self, timeout);
    } else {
        self->wait_until = VR_FOREVER;
        if (kind == VR_WAIT_GREENLET || kind == VR_WAIT_GREENLETS || kind == VR_WAIT_LOCK)
            vr_deadlock_check(hub, self);
        /* A stray vr_switch is no reason to go on. */
        do
            error = vr_greenlet_give_way(hub).error;
        while (!error && !self->woken);
    }
    self->wait_kind = VR_WAIT_SWITCH;
    return (int)error;
}

/* --- The loop --- */

/* Does a virtual clock stand still, as something goes on in another thread, which takes the time it takes? */
static bool is_awaited_outside(const vr_hub *hub)
{
    return hub->poller.inbox && hub->poller.inbox->refs;
}

/* When the next poll has to end; now, where something can go on at once. */
static vr_time poll_limit(const vr_hub *hub, vr_time now, vr_time deadline)
{
    if (hub->first)
        return now;
    if (!hub->virtual_clock)
        return deadline;
    return deadline == VR_FOREVER || is_awaited_outside(hub) ? VR_FOREVER : now;
}

/* One poll, as long as nothing is queued and no timer is due; then the due timers are queued behind what became ready.
 */
static void poll(vr_hub *hub)
{
    vr_time deadline = vr_timers_next(&hub->timers);
    vr_time now = deadline == VR_FOREVER ? 0 : vr_hub_now(hub);
    vr_time limit = poll_limit(hub, now, deadline);

    if (limit > now || hub->poller.waits) {
        __atomic_store_n(&hub->polling, true, __ATOMIC_RELAXED);
        vr_poller_run(&hub->poller, now, limit);
        __atomic_store_n(&hub->polling, false, __ATOMIC_RELAXED);
    }
    if (vr_inbox_filled(hub->poller.inbox))
        vr_inbox_collect(hub->poller.inbox);
    /* Nothing can happen now: the virtual time jumps to where something does. */
    if (hub->virtual_clock && !hub->first && deadline != VR_FOREVER && deadline > hub->now && !is_awaited_outside(hub))
        hub->now = deadline;

    hub->turn = vr_hub_now(hub);
    __atomic_store_n(&hub->switches, hub->switches + 1, __ATOMIC_RELAXED); /* the hub goes on, for the monitor */
    for (vr_timer *timer; (timer = vr_timers_pop(&hub->timers, hub->turn));) {
        if (timer->callback.run == park_expired)
            park_expired(&timer->callback);
        else
            vr_callback_queue(&timer->callback);
    }
}

/* Nothing is queued, nothing is waited for: whatever main waits for will not come. */
static bool is_over(const vr_hub *hub)
{
    return !hub->first && !hub->poller.waits && !vr_inbox_filled(hub->poller.inbox) &&
           hub->timers.count <= hub->joining_timers;
}

static void tell_main(vr_hub *hub)
{
    if (hub->joining) {
        vr_hub_wake(&hub->main);
        return;
    }
    vr_deadlock_keep_dump(hub);
    vr_greenlet_resume(&hub->main, vr_fail(-EDEADLK));
}

static vr_result run_loop(void *argument)
{
    vr_hub *hub = vr_thread_hub;

    (void)argument;
    for (;;) {
        run_queue(hub);
        if (!is_over(hub))
            poll(hub);
        else
            tell_main(hub);
    }
    return vr_ok(NULL);
}

/* --- The hub's life --- */

vr_hub *vr_hub_make(void)
{
    vr_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    int failure = vr_poller_init(&hub->poller);
    if (failure) {
        free(hub);
        errno = -failure;
        return NULL;
    }
    hub->last = &hub->first;
    hub->turn = monotonic_now();
    vr_greenlet_init(&hub->main, hub, NULL, NULL);
    vr_fiber_init(&hub->main.fiber, NULL, 0);
    hub->main.state = VR_STATE_RUNNING;
    hub->main.name = "main";
    hub->current = &hub->main;
    vr_greenlet_init(&hub->none, hub, NULL, NULL);
    hub->none.state = VR_STATE_DEAD;
    hub->loop_greenlet = vr_greenlet_create(hub, run_loop, &hub->main, 0);
    if (!hub->loop_greenlet) {
        int error = errno;
        vr_stack_arena_done(&hub->stacks);
        vr_poller_done(&hub->poller);
        free(hub);
        errno = error;
        return NULL;
    }
    hub->loop_greenlet->name = "hub";
    vr_overflow_begin();
    return vr_thread_hub = hub;
}

int vr_hub_free(void)
{
    vr_hub *hub = vr_thread_hub;

    if (!hub)
        return 0;
    if (hub->current != &hub->main)
        return -EBUSY;
    /* Greenlets that are dead already may have links to be told, or errors to be reported. */
    vr_sleep(0);
    if (hub->stacks.in_use > 1)
        return -EBUSY;
    vr_local_end(&hub->main);
    /* What it has ended may have used greenlets. */
    vr_sleep(0);
    if (hub->stacks.in_use > 1)
        return -EBUSY;
    vr_threadpool_free(hub->threadpool);
    vr_monitor_stop();
    vr_dump_off_signal();
    vr_overflow_end();
    while (hub->first)
        vr_callback_cancel(hub->first);
    vr_fiber_done(&hub->loop_greenlet->fiber);
    vr_stack_arena_done(&hub->stacks);
    vr_timers_done(&hub->timers);
    vr_poller_done(&hub->poller);
    free(hub->deadlock);
    free(hub);
    vr_thread_hub = NULL;
    return 0;
}

/* --- What programs ask --- */

int vr_sleep(vr_time duration)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    if (duration > 0) {
        error = vr_hub_park(hub, duration, VR_WAIT_TIMER, NULL);
        return error == -ETIMEDOUT ? 0 : error;
    }
    vr_greenlet *self = hub->current;
    self->wait_kind = VR_WAIT_TURN;
    if (!vr_callback_queued(&self->wake))
        vr_hub_append(hub, &self->wake);
    error = (int)vr_greenlet_give_way(hub).error;
    self->wait_kind = VR_WAIT_SWITCH;
    return error;
}

int vr_hub_join(vr_time timeout)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        return -ENOMEM;
    if (hub->current != &hub->main)
        return -EPERM;
    hub->joining = true;
    hub->joining_timers = vr_deadline(timeout) == VR_FOREVER ? 0 : 1;
    int error = vr_hub_park(hub, timeout, VR_WAIT_IDLE, NULL);
    hub->joining = false;
    hub->joining_timers = 0;
    return error;
}

int vr_hub_seed(uint64_t seed)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        return -ENOMEM;
    /* 0 stands for no seed, and is the one state that the generator cannot leave. */
    hub->seed = seed ? seed * 0x9e3779b97f4a7c15u : 0;
    return 0;
}

static bool print_error(vr_greenlet *greenlet, long error)
{
    char name[64];

    fprintf(stderr, "vireo: greenlet %s failed: %s\n", vr_name_of(greenlet, name, sizeof name), vr_strerror(error));
    return false;
}

void vr_hub_handle_error(vr_error_handler *handler)
{
    vr_hub *hub = vr_hub_get();

    if (hub)
        hub->handle_error = handler;
}

void vr_hub_report(vr_hub *hub, vr_greenlet *greenlet)
{
    vr_error_handler *handler = hub->handle_error ? hub->handle_error : print_error;
    long error = greenlet->result.error;

    if (handler(greenlet, error))
        vr_greenlet_resume(&hub->main, vr_fail(error));
}
