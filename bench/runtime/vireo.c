/*
 * Vireo's figures, through its public headers; but for the raw switch, which is in a private one. One thread, so one
 * hub; the main greenlet sets up and measures.
 */
#include <vireo/generator.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/spawn.h>

#include "bench.h"
#include "context.h"
#include "pair.h"

enum { MANY = 1000, TIMERS = 100000, PARKED = 1000000 };

static vr_greenlet *spawn(vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn(function, argument);

    bench_require(greenlet, "no memory or mappings for a greenlet");
    return greenlet;
}

static void join_all(vr_greenlet **greenlets, size_t count)
{
    bench_require(vr_joinall(greenlets, count, VR_FOREVER) == (int)count, "vr_joinall failed");
    for (size_t i = 0; i < count; i++) {
        bench_require(vr_successful(greenlets[i]), "a greenlet failed");
        vr_unref(greenlets[i]);
    }
}

static vr_result nothing(void *argument)
{
    return vr_ok(argument);
}

/* --- Switching --- */

static vr_context here, there;

static void returns_raw(void *argument)
{
    (void)argument;
    for (;;)
        vr_context_switch(&there, &here);
}

static size_t repeat_switch(size_t times)
{
    static char stack[64 * 1024];

    vr_context_init(&there, stack, sizeof stack, returns_raw, NULL);
    for (size_t n = 0; n < times; n += 2)
        vr_context_switch(&here, &there);
    return (times + 1) / 2 * 2;
}

/* Goes back to its parent until the exit is thrown in. */
static vr_result returns_control(void *argument)
{
    vr_greenlet *parent = vr_parent(vr_current());

    (void)argument;
    for (;;) {
        vr_result result = vr_switch(parent, NULL);
        if (result.error)
            return result;
    }
}

static size_t repeat_switch_name(size_t times)
{
    vr_greenlet *other = vr_greenlet_new(returns_control);

    bench_require(other, "no memory for a greenlet");
    for (size_t n = 0; n < times; n += 2)
        vr_switch(other, NULL);
    vr_unref(other);
    return (times + 1) / 2 * 2;
}

static vr_result yields(void *times)
{
    for (size_t n = (size_t)times; n; n--)
        vr_sleep(0);
    return vr_ok(NULL);
}

/* Not where the other does it: the processor cannot expect that each return goes to where the last one did. */
static vr_result yields_elsewhere(void *times)
{
    for (size_t n = (size_t)times; n; n -= 2) {
        vr_sleep(0);
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

static size_t repeat_yield_sites(size_t times)
{
    size_t each = (times + 3) / 4 * 2;

    join_all((vr_greenlet *[]){spawn(yields, (void *)each), spawn(yields_elsewhere, (void *)each)}, 2);
    return each * 2;
}

static size_t yield_among(size_t count, size_t times)
{
    vr_greenlet *greenlets[MANY];
    size_t each = (times + count - 1) / count;

    for (size_t i = 0; i < count; i++)
        greenlets[i] = spawn(yields, (void *)each);
    join_all(greenlets, count);
    return each * count;
}

static size_t repeat_yield_2(size_t times)
{
    return yield_among(2, times);
}

static size_t repeat_yield_1000(size_t times)
{
    return yield_among(MANY, times);
}

/* --- Giving --- */

/* Two greenlets that give to each other by turns. */
static struct {
    vr_waiter waiters[2];
    size_t times;
    vr_time timeout;
} exchange;

static void await_gift(vr_waiter *waiter)
{
    bench_require(!vr_waiter_get(waiter, exchange.timeout).error, "vr_waiter_get failed");
    vr_waiter_clear(waiter);
}

static vr_result gives_first(void *argument)
{
    for (size_t n = exchange.times; n; n--) {
        vr_waiter_switch(&exchange.waiters[1], argument);
        await_gift(&exchange.waiters[0]);
    }
    return vr_ok(NULL);
}

static vr_result gives_back(void *argument)
{
    for (size_t n = exchange.times; n; n--) {
        await_gift(&exchange.waiters[1]);
        vr_waiter_switch(&exchange.waiters[0], argument);
    }
    return vr_ok(NULL);
}

static size_t give(size_t times, vr_time timeout)
{
    exchange.times = (times + 1) / 2;
    exchange.timeout = timeout;
    join_all((vr_greenlet *[]){spawn(gives_back, NULL), spawn(gives_first, NULL)}, 2);
    return exchange.times * 2;
}

static size_t repeat_give(size_t times)
{
    return give(times, VR_FOREVER);
}

static size_t repeat_give_timeout(size_t times)
{
    return give(times, VR_SECONDS(5));
}

/* --- Generators --- */

static vr_result counts(void *argument)
{
    (void)argument;
    for (size_t n = 1;; n++) {
        vr_result sent = vr_yield((void *)n);
        if (sent.error)
            return sent;
    }
}

static size_t repeat_generator(size_t times)
{
    vr_generator *generator = vr_generator_new(counts, NULL);
    bool done = false;

    bench_require(generator, "no memory for a generator");
    for (size_t n = 1; n <= times; n++)
        bench_require((size_t)vr_generator_next(generator, &done).value == n, "the generator miscounts");
    vr_generator_free(generator);
    return times;
}

/* --- Spawning and joining --- */

static size_t repeat_spawn_join(size_t times)
{
    for (size_t n = 0; n < times; n++) {
        vr_greenlet *greenlet = spawn(nothing, NULL);
        vr_join(greenlet, VR_FOREVER);
        vr_unref(greenlet);
    }
    return times;
}

static size_t repeat_spawn_join_1000(size_t times)
{
    vr_greenlet *greenlets[MANY];
    size_t done = 0;

    for (; done < times; done += MANY) {
        for (size_t i = 0; i < MANY; i++)
            greenlets[i] = spawn(nothing, NULL);
        join_all(greenlets, MANY);
    }
    return done;
}

static size_t repeat_join_dead(size_t times)
{
    vr_greenlet *greenlet = spawn(nothing, NULL);

    vr_join(greenlet, VR_FOREVER);
    for (size_t n = 0; n < times; n++)
        vr_join(greenlet, VR_FOREVER);
    vr_unref(greenlet);
    return times;
}

/* --- Timers --- */

static void fire(vr_callback *callback)
{
    (void)callback;
    bench_require(false, "a timer fired that was to be stopped before");
}

/* As timeouts are: all run together, and the first to be started is the first to be stopped. */
static size_t start_and_stop(size_t durations, size_t times)
{
    static vr_timer timers[TIMERS];
    size_t done = 0;

    for (size_t i = 0; i < TIMERS; i++)
        timers[i].callback.run = fire;
    for (; done < times; done += TIMERS) {
        for (size_t i = 0; i < TIMERS; i++)
            vr_timer_start(&timers[i], VR_SECONDS(100) + VR_MILLISECONDS((vr_time)(i % durations)));
        for (size_t i = 0; i < TIMERS; i++)
            vr_timer_stop(&timers[i]);
    }
    return done;
}

static size_t repeat_timers_one(size_t times)
{
    return start_and_stop(1, times);
}

static size_t repeat_timers_1000(size_t times)
{
    return start_and_stop(1000, times);
}

/* --- Input and output --- */

/* One end of a socket pair, and how many messages arrive there. */
struct end {
    int fd;
    bool asks;
    size_t messages;
};

static vr_result plays(void *argument)
{
    const struct end *end = (const struct end *)argument;
    char buffer[PAIR_BUFFER] = "";

    if (end->asks)
        vr_write(end->fd, buffer, PAIR_MESSAGE, VR_FOREVER);
    for (size_t n = end->messages; n; n--) {
        bench_require(vr_read(end->fd, buffer, sizeof buffer, VR_FOREVER) == PAIR_MESSAGE, "vr_read failed");
        if (n > 1 || !end->asks)
            vr_write(end->fd, buffer, PAIR_MESSAGE, VR_FOREVER);
    }
    return vr_ok(NULL);
}

static size_t pingpong(size_t pairs, size_t times)
{
    struct end ends[2 * PAIRS];
    vr_greenlet *greenlets[2 * PAIRS];
    size_t each = (times + pairs - 1) / pairs;

    for (size_t i = 0; i < 2 * pairs; i += 2) {
        int fds[2];
        pair_open(fds);
        for (size_t side = 0; side < 2; side++) {
            ends[i + side] = (struct end){.fd = fds[side], .asks = side == 0, .messages = each};
            greenlets[i + side] = spawn(plays, &ends[i + side]);
        }
    }
    join_all(greenlets, 2 * pairs);
    for (size_t i = 0; i < 2 * pairs; i++)
        vr_close(ends[i].fd);
    return each * pairs;
}

static size_t repeat_pingpong(size_t times)
{
    return pingpong(1, times);
}

static size_t repeat_pingpong_100(size_t times)
{
    return pingpong(PAIRS, times);
}

/* --- Parking --- */

static vr_result parks(void *parked)
{
    ++*(size_t *)parked;
    return vr_fail(vr_sleep(VR_FOREVER));
}

static void park(size_t count)
{
    size_t parked = 0;

    /* The hub, and what the first greenlet needs besides itself, do not count. */
    repeat_spawn_join(1);
    bench_memory before = bench_memory_now();
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < count; i++)
        vr_unref(spawn(parks, &parked));
    while (parked < count)
        vr_sleep(0);
    bench_print_parked(count, before, start);
    /* The end of the process is the end of the greenlets. */
}

int main(int argc, char **argv)
{
    static const bench_group groups[] = {
        {"switch", repeat_switch, NULL},
        {"switch_name", repeat_switch_name, NULL},
        {"yield_2", repeat_yield_2, NULL},
        {"yield_sites", repeat_yield_sites, NULL},
        {"yield_1000", repeat_yield_1000, NULL},
        {"give", repeat_give, NULL},
        {"give_timeout", repeat_give_timeout, NULL},
        {"generator", repeat_generator, NULL},
        {"spawn_join", repeat_spawn_join, NULL},
        {"spawn_join_1000", repeat_spawn_join_1000, NULL},
        {"join_dead", repeat_join_dead, NULL},
        {"timers_one", repeat_timers_one, NULL},
        {"timers_1000", repeat_timers_1000, NULL},
        {"pingpong", repeat_pingpong, NULL},
        {"pingpong_100", repeat_pingpong_100, NULL},
        {"parked", NULL, park}, /* last: it leaves the greenlets parked */
    };

    return bench_main(argc, argv, groups, sizeof groups / sizeof groups[0], PARKED);
}
