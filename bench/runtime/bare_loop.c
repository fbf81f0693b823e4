/*
 * What the same work costs without greenlets: the least that an epoll loop can do for a ping-pong, both ends in one
 * set, level triggered; and timers as libev has them.
 */
#include <ev.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"
#include "pair.h"

enum { TIMERS = 100000, EVENTS = 64 };

/* --- Ping-pong --- */

/* Reads what has come, and sends it back. */
static void echo(int fd)
{
    char buffer[PAIR_BUFFER];

    bench_require(read(fd, buffer, sizeof buffer) == PAIR_MESSAGE, "read failed");
    bench_require(write(fd, buffer, PAIR_MESSAGE) == PAIR_MESSAGE, "write failed");
}

static size_t pingpong(size_t pairs, size_t times)
{
    int fds[2 * PAIRS];
    char message[PAIR_MESSAGE] = "";
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < 2 * pairs; i += 2)
        pair_open(&fds[i]);
    for (size_t i = 0; i < 2 * pairs; i++)
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){.events = EPOLLIN, .data.fd = fds[i]});
    for (size_t i = 0; i < 2 * pairs; i += 2)
        bench_require(write(fds[i], message, sizeof message) == sizeof message, "write failed");

    size_t messages = 0;
    while (messages < 2 * times) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        bench_require(ready > 0, "epoll_wait failed");
        for (int i = 0; i < ready; i++)
            echo(events[i].data.fd);
        messages += (size_t)ready;
    }

    for (size_t i = 0; i < 2 * pairs; i++)
        close(fds[i]);
    close(epoll);
    return messages / 2;
}

static size_t repeat_pingpong(size_t times)
{
    return pingpong(1, times);
}

static size_t repeat_pingpong_100(size_t times)
{
    return pingpong(PAIRS, times);
}

/* --- Timers --- */

static void fire(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    bench_require(false, "a timer fired that was to be stopped before");
}

static size_t start_and_stop(size_t durations, size_t times)
{
    static ev_timer timers[TIMERS];
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    size_t done = 0;

    bench_require(loop, "no loop");
    for (; done < times; done += TIMERS) {
        for (size_t i = 0; i < TIMERS; i++) {
            ev_timer_init(&timers[i], fire, 100 + (double)(i % durations) / 1000, 0);
            ev_timer_start(loop, &timers[i]);
        }
        for (size_t i = 0; i < TIMERS; i++)
            ev_timer_stop(loop, &timers[i]);
    }
    ev_loop_destroy(loop);
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

int main(int argc, char **argv)
{
    static const bench_group groups[] = {
        {"timers_one", repeat_timers_one, NULL},
        {"timers_1000", repeat_timers_1000, NULL},
        {"pingpong", repeat_pingpong, NULL},
        {"pingpong_100", repeat_pingpong_100, NULL},
    };

    return bench_main(argc, argv, groups, sizeof groups / sizeof groups[0], 0);
}
