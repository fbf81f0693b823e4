/*
 * What the tests of events, locks and queues share: greenlets that wait, what they wait for, calls from the hub, and
 * memory that runs out. Their programs are linked with --wrap of the calls below.
 */
#ifndef VIREO_TESTS_RUNTIME_SYNC_SUPPORT_H
#define VIREO_TESTS_RUNTIME_SYNC_SUPPORT_H

#include "container.h"
#include "faults.h"
#include "greenlet.h"
#include "support.h"

#include <stdlib.h>

/* --- Memory that runs out --- */

WRAP(void *, malloc, (size_t size), NULL, (size))
WRAP(void *, calloc, (size_t count, size_t size), NULL, (count, size))
WRAP(void *, realloc, (void *memory, size_t size), NULL, (memory, size))
WRAP(void *, reallocarray, (void *memory, size_t count, size_t size), NULL, (memory, count, size))

/* A word as an argument: greenlets and links get theirs as void *. */
static inline void *word(const char *text)
{
    return (void *)(uintptr_t)text;
}

/* --- Greenlets that wait --- */

/* One that has run `function` up to its first wait. */
static inline vr_greenlet *parked(vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn(function, argument);

    assert_non_null(greenlet);
    assert_int_equal(vr_sleep(0), 0);
    assert_true(vr_running(greenlet));
    return greenlet;
}

static inline void assert_waits(const vr_greenlet *greenlet, vr_wait_kind kind, const void *on)
{
    assert_int_equal(greenlet->wait_kind, kind);
    assert_ptr_equal(greenlet->wait_on, on);
}

/* Waits for its end, and gives the reference to it back. */
static inline void assert_fails(vr_greenlet *greenlet, long error)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), error);
    assert_false(vr_exited(greenlet));
    vr_unref(greenlet);
}

/* The same, where it may have been killed. */
static inline void assert_fails_or_exits(vr_greenlet *greenlet, long error)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    if (!vr_exited(greenlet))
        assert_int_equal(vr_error(greenlet), error);
    vr_unref(greenlet);
}

static inline void assert_returns(vr_greenlet *greenlet, void *value)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), 0);
    assert_false(vr_exited(greenlet));
    assert_ptr_equal(vr_value(greenlet), value);
    vr_unref(greenlet);
}

/* Until nothing is queued any more, in the virtual time's next millisecond. */
static inline void let_all_run(void)
{
    assert_int_equal(vr_sleep(VR_MILLISECONDS(1)), 0);
}

/* --- From the hub --- */

typedef struct hub_call {
    vr_timer timer;
    void (*call)(void *argument);
    void *argument;
} hub_call;

static inline void hub_call_run(vr_callback *callback)
{
    hub_call *self = VR_CONTAINER(callback, hub_call, timer.callback);

    self->call(self->argument);
}

/* Runs `call` in the hub, and returns when it has. */
static inline void in_hub(void (*call)(void *argument), void *argument)
{
    hub_call self = {.timer.callback.run = hub_call_run, .call = call, .argument = argument};

    vr_callback_queue(&self.timer.callback);
    assert_int_equal(vr_sleep(0), 0);
}

/* Runs `call` in the hub at a time; `self` stays until then. */
static inline void in_hub_after(hub_call *self, int ms, void (*call)(void *argument), void *argument)
{
    *self = (hub_call){.timer.callback.run = hub_call_run, .call = call, .argument = argument};
    assert_int_equal(vr_timer_start(&self->timer, VR_MILLISECONDS(ms)), 0);
}

/* --- Runs in many orders --- */

enum { MANY_SEEDS = 3000 };

/* Numbers that a seed determines: xorshift32. */
static uint32_t random_state;

static inline unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

/* Does `run` with some thousand seeds, each of which determines the choices of the hub and those of random_below. */
static inline void with_many_seeds(void (*run)(void))
{
    for (uint32_t seed = 1; seed <= scaled(MANY_SEEDS); seed++) {
        random_state = seed * 2654435761u;
        assert_int_equal(vr_hub_seed(seed), 0);
        run();
    }
    vr_hub_seed(0);
}

#endif
