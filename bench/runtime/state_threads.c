/*
 * State Threads (Debian's libst-dev). It has no call that only gives way: st_usleep(0) is what its users write, and it
 * goes through the timers. Debian builds it without epoll: it waits in select(2).
 */
#include <st.h>

#include "bench.h"
#include "pair.h"

enum { MANY = 1000, PARKED = 100000, DEFAULT_STACK = 0, JOINABLE = 1 };

static st_thread_t spawn(void *(*function)(void *), void *argument)
{
    st_thread_t thread = st_thread_create(function, argument, JOINABLE, DEFAULT_STACK);

    bench_require(thread, "no memory or mappings for a thread");
    return thread;
}

static void join_all(st_thread_t *threads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_require(st_thread_join(threads[i], NULL) == 0, "st_thread_join failed");
}

static void *nothing(void *argument)
{
    return argument;
}

/* --- Yielding --- */

static void *yields(void *times)
{
    for (size_t n = (size_t)times; n; n--)
        st_usleep(0);
    return NULL;
}

static void *yields_elsewhere(void *times)
{
    for (size_t n = (size_t)times; n; n -= 2) {
        st_usleep(0);
        st_usleep(0);
    }
    return NULL;
}

static size_t repeat_yield_sites(size_t times)
{
    size_t each = (times + 3) / 4 * 2;

    join_all((st_thread_t[]){spawn(yields, (void *)each), spawn(yields_elsewhere, (void *)each)}, 2);
    return each * 2;
}

static size_t yield_among(size_t count, size_t times)
{
    st_thread_t threads[MANY];
    size_t each = (times + count - 1) / count;

    for (size_t i = 0; i < count; i++)
        threads[i] = spawn(yields, (void *)each);
    join_all(threads, count);
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

/* Two threads that give to each other by turns: a flag and a condition variable each. */
static struct {
    st_cond_t wakes[2];
    bool given[2];
    size_t times;
    st_utime_t timeout;
} exchange;

static void give_to(size_t side)
{
    exchange.given[side] = true;
    st_cond_signal(exchange.wakes[side]);
}

static void await_gift(size_t side)
{
    while (!exchange.given[side])
        bench_require(st_cond_timedwait(exchange.wakes[side], exchange.timeout) == 0, "st_cond_timedwait failed");
    exchange.given[side] = false;
}

static void *gives_first(void *argument)
{
    for (size_t n = exchange.times; n; n--) {
        give_to(1);
        await_gift(0);
    }
    return argument;
}

static void *gives_back(void *argument)
{
    for (size_t n = exchange.times; n; n--) {
        await_gift(1);
        give_to(0);
    }
    return argument;
}

static size_t give(size_t times, st_utime_t timeout)
{
    exchange.times = (times + 1) / 2;
    exchange.timeout = timeout;
    for (size_t side = 0; side < 2; side++)
        exchange.wakes[side] = st_cond_new();
    join_all((st_thread_t[]){spawn(gives_back, NULL), spawn(gives_first, NULL)}, 2);
    for (size_t side = 0; side < 2; side++)
        st_cond_destroy(exchange.wakes[side]);
    return exchange.times * 2;
}

static size_t repeat_give(size_t times)
{
    return give(times, ST_UTIME_NO_TIMEOUT);
}

static size_t repeat_give_timeout(size_t times)
{
    return give(times, 5000000);
}

/* --- Spawning and joining --- */

static size_t repeat_spawn_join(size_t times)
{
    for (size_t n = 0; n < times; n++)
        st_thread_join(spawn(nothing, NULL), NULL);
    return times;
}

static size_t repeat_spawn_join_1000(size_t times)
{
    st_thread_t threads[MANY];
    size_t done = 0;

    for (; done < times; done += MANY) {
        for (size_t i = 0; i < MANY; i++)
            threads[i] = spawn(nothing, NULL);
        join_all(threads, MANY);
    }
    return done;
}

/* --- Input and output --- */

/* One end of a socket pair, and how many messages arrive there. */
struct end {
    st_netfd_t fd;
    bool asks;
    size_t messages;
};

static void *plays(void *argument)
{
    const struct end *end = (const struct end *)argument;
    char buffer[PAIR_BUFFER] = "";

    if (end->asks)
        st_write(end->fd, buffer, PAIR_MESSAGE, ST_UTIME_NO_TIMEOUT);
    for (size_t n = end->messages; n; n--) {
        ssize_t length = st_read(end->fd, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT);
        bench_require(length == PAIR_MESSAGE, "st_read failed");
        if (n > 1 || !end->asks)
            st_write(end->fd, buffer, PAIR_MESSAGE, ST_UTIME_NO_TIMEOUT);
    }
    return NULL;
}

static size_t pingpong(size_t pairs, size_t times)
{
    struct end ends[2 * PAIRS];
    st_thread_t threads[2 * PAIRS];
    size_t each = (times + pairs - 1) / pairs;

    for (size_t i = 0; i < 2 * pairs; i += 2) {
        int fds[2];
        pair_open(fds);
        for (size_t side = 0; side < 2; side++) {
            ends[i + side] = (struct end){st_netfd_open_socket(fds[side]), side == 0, each};
            threads[i + side] = spawn(plays, &ends[i + side]);
        }
    }
    join_all(threads, 2 * pairs);
    for (size_t i = 0; i < 2 * pairs; i++)
        st_netfd_close(ends[i].fd);
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

static size_t parked;

static void *parks(void *never)
{
    parked++;
    st_cond_wait((st_cond_t)never);
    return NULL;
}

static void park(size_t count)
{
    st_cond_t never = st_cond_new();

    repeat_spawn_join(1);
    bench_memory before = bench_memory_now();
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < count; i++)
        spawn(parks, never);
    while (parked < count)
        st_usleep(0);
    bench_print_parked(count, before, start);
}

int main(int argc, char **argv)
{
    static const bench_group groups[] = {
        {"yield_2", repeat_yield_2, NULL},
        {"yield_sites", repeat_yield_sites, NULL},
        {"yield_1000", repeat_yield_1000, NULL},
        {"give", repeat_give, NULL},
        {"give_timeout", repeat_give_timeout, NULL},
        {"spawn_join", repeat_spawn_join, NULL},
        {"spawn_join_1000", repeat_spawn_join_1000, NULL},
        {"pingpong", repeat_pingpong, NULL},
        {"pingpong_100", repeat_pingpong_100, NULL},
        {"parked", NULL, park},
    };

    bench_require(st_init() == 0, "State Threads does not start");
    return bench_main(argc, argv, groups, sizeof groups / sizeof groups[0], PARKED);
}
