#include "hub.h"

#include "container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * Between two polls at most so many callbacks run, and, looked at every CLOCK_STRIDE callbacks, for at most so long:
 * greenlets that yield to each other without end may not keep timers and I/O waiting.
 */
enum { CALLBACKS_PER_POLL = 256, CLOCK_STRIDE = 32 };
static const vr_time time_per_poll = VR_MICROSECONDS(200);

/* A hub is its thread's alone. */
static _Thread_local vr_hub *thread_hub __attribute__((tls_model("initial-exec")));

vr_hub *vr_hub_peek(void)
{
    return thread_hub;
}

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
    return thread_hub ? vr_hub_now(thread_hub) : monotonic_now();
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
    if (hub->timers.count)
        return -EBUSY;
    hub->virtual_clock = true;
    hub->now = start;
    return 0;
}

/* --- The queue --- */

void vr_callback_queue(vr_callback *callback)
{
    vr_hub *hub = thread_hub;

    if (callback->previous)
        return;
    if (!hub && !(hub = vr_hub_get()))
        abort(); /* without memory for a hub there is nothing that could run it, now or later */
    callback->next = NULL;
    callback->previous = hub->last;
    *hub->last = callback;
    hub->last = &callback->next;
}

void vr_callback_cancel(vr_callback *callback)
{
    if (!callback->previous)
        return;
    *callback->previous = callback->next;
    if (callback->next)
        callback->next->previous = callback->previous;
    else
        thread_hub->last = callback->previous;
    callback->previous = NULL;
}

static void run_queue(vr_hub *hub)
{
    vr_time end = 0;

    for (int n = 0; hub->first && n < CALLBACKS_PER_POLL; n++) {
        if (n % CLOCK_STRIDE == CLOCK_STRIDE - 1) {
            vr_time now = monotonic_now();
            if (!end)
                end = now + time_per_poll;
            else if (now > end)
                break;
        }
        vr_callback *callback = hub->first;
        vr_callback_cancel(callback);
        callback->run(callback);
    }
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
        vr_timers_remove(&thread_hub->timers, timer);
    else
        vr_callback_cancel(&timer->callback);
}

/* --- The loop --- */

/* One poll, as long as nothing is queued and no timer is due; then the due timers are queued behind what became ready.
 */
static void poll(vr_hub *hub)
{
    vr_time now = vr_hub_now(hub), deadline = vr_timers_next(&hub->timers);
    bool wait = !hub->first && !(hub->virtual_clock && hub->timers.count);

    if (wait || hub->poller.waits)
        vr_poller_run(&hub->poller, now, wait ? deadline : now);
    /* Nothing can happen now: the virtual time jumps to where something does. */
    if (hub->virtual_clock && !hub->first && deadline != VR_FOREVER && deadline > hub->now)
        hub->now = deadline;

    now = vr_hub_now(hub);
    for (vr_timer *timer; (timer = vr_timers_pop(&hub->timers, now));)
        vr_callback_queue(&timer->callback);
}

/* Nothing is queued, nothing is waited for: whatever main waits for will not come. */
static bool is_over(const vr_hub *hub)
{
    return !hub->first && !hub->poller.waits && hub->timers.count <= hub->joining_timers;
}

static vr_result run_loop(void *argument)
{
    vr_hub *hub = thread_hub;

    (void)argument;
    for (;;) {
        run_queue(hub);
        if (!is_over(hub))
            poll(hub);
        else if (hub->joining)
            vr_waiter_switch(hub->joining, NULL);
        else
            vr_greenlet_resume(&hub->main, vr_fail(-EDEADLK));
    }
    return vr_ok(NULL);
}

vr_result vr_hub_park(vr_hub *hub)
{
    if (hub->current == hub->loop_greenlet)
        return vr_fail(-EPERM);
    return vr_greenlet_resume(hub->loop_greenlet, vr_ok(NULL));
}

/* --- The hub's life --- */

static vr_hub *make_hub(void)
{
    vr_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return NULL;
    if (vr_poller_init(&hub->poller) < 0) {
        free(hub);
        errno = ENOMEM;
        return NULL;
    }
    hub->last = &hub->first;
    vr_greenlet_init(&hub->main, hub, NULL, NULL);
    vr_fiber_init(&hub->main.fiber, NULL, 0);
    hub->main.state = VR_STATE_RUNNING;
    hub->main.name = "main";
    hub->current = &hub->main;
    vr_greenlet_init(&hub->none, hub, NULL, NULL);
    hub->none.state = VR_STATE_DEAD;
    hub->loop_greenlet = vr_greenlet_create(hub, run_loop, &hub->main);
    if (!hub->loop_greenlet) {
        int error = errno;
        vr_stack_arena_done(&hub->stacks);
        vr_poller_done(&hub->poller);
        free(hub);
        errno = error;
        return NULL;
    }
    hub->loop_greenlet->name = "hub";
    return thread_hub = hub;
}

vr_hub *vr_hub_get(void)
{
    return thread_hub ? thread_hub : make_hub();
}

int vr_hub_free(void)
{
    vr_hub *hub = thread_hub;

    if (!hub)
        return 0;
    if (hub->current != &hub->main)
        return -EBUSY;
    /* Greenlets that are dead already may have links to be told, or errors to be reported. */
    vr_sleep(0);
    if (hub->stacks.in_use > 1)
        return -EBUSY;
    while (hub->first)
        vr_callback_cancel(hub->first);
    vr_fiber_done(&hub->loop_greenlet->fiber);
    vr_stack_arena_done(&hub->stacks);
    vr_timers_done(&hub->timers);
    vr_poller_done(&hub->poller);
    free(hub);
    thread_hub = NULL;
    return 0;
}

/* --- What programs ask --- */

/* A sleeper, and the timer that ends its sleep. */
struct sleep {
    vr_timer timer;
    vr_waiter waiter;
};

static void sleep_over(vr_callback *callback)
{
    vr_waiter_switch(&VR_CONTAINER(callback, struct sleep, timer.callback)->waiter, NULL);
}

int vr_sleep(vr_time duration)
{
    vr_hub *hub = vr_hub_get();

    if (!hub)
        return -ENOMEM;
    if (hub->current == hub->loop_greenlet)
        return -EPERM;
    if (duration <= 0) {
        vr_hub_wake(hub->current);
        return (int)vr_hub_park(hub).error;
    }
    struct sleep sleep = {.timer.callback.run = sleep_over};
    int error = vr_timer_start(&sleep.timer, duration);
    if (error)
        return error;
    error = (int)vr_waiter_get(&sleep.waiter, VR_FOREVER).error;
    vr_timer_stop(&sleep.timer);
    return error;
}

int vr_hub_join(vr_time timeout)
{
    vr_hub *hub = vr_hub_get();
    vr_waiter waiter = VR_WAITER;

    if (!hub)
        return -ENOMEM;
    if (hub->current != &hub->main)
        return -EPERM;
    hub->joining = &waiter;
    hub->joining_timers = vr_deadline(timeout) == VR_FOREVER ? 0 : 1;
    int error = (int)vr_waiter_get(&waiter, timeout).error;
    hub->joining = NULL;
    hub->joining_timers = 0;
    return error;
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
