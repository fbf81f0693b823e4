"""gevent's figures, and greenlet's for the switch by name. Options and output are those of bench.h."""

import argparse
import functools
import socket
import time

import gevent
import gevent.event
import gevent.queue
import gevent.socket
import greenlet

MANY = 1000
TIMERS = 100_000
PARKED = 100_000
PAIRS = 100
MESSAGE = b"\0" * 32


def repeat_switch(times):
    here = greenlet.getcurrent()

    def returns_control():
        while True:
            here.switch()

    switch = greenlet.greenlet(returns_control).switch
    for _ in range(0, times, 2):
        switch()
    return (times + 1) // 2 * 2


def yield_among(count, times):
    each = -(-times // count)

    def yields():
        for _ in range(each):
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(yields) for _ in range(count)])
    return each * count


def give(times, **timeout):
    """Two greenlets that give to each other by turns."""
    there, back = gevent.queue.Queue(), gevent.queue.Queue()
    each = (times + 1) // 2

    def first():
        for _ in range(each):
            there.put(1)
            back.get(**timeout)

    def second():
        for _ in range(each):
            there.get(**timeout)
            back.put(1)

    gevent.joinall([gevent.spawn(second), gevent.spawn(first)], raise_error=True)
    return each * 2


def nothing():
    pass


def repeat_spawn_join(times):
    for _ in range(times):
        gevent.spawn(nothing).join()
    return times


def repeat_spawn_join_1000(times):
    done = 0
    while done < times:
        gevent.joinall([gevent.spawn(nothing) for _ in range(MANY)])
        done += MANY
    return done


def repeat_join_dead(times):
    dead = gevent.spawn(nothing)
    dead.join()
    for _ in range(times):
        dead.join()
    return times


@functools.lru_cache
def made_timers(durations):
    loop = gevent.get_hub().loop
    return [loop.timer(100 + i % durations / 1000) for i in range(TIMERS)]


def start_and_stop(durations, times):
    timers = made_timers(durations)
    done = 0
    while done < times:
        for timer in timers:
            timer.start(nothing)
        for timer in timers:
            timer.stop()
        done += TIMERS
    return done


def pingpong(pairs, times):
    each = -(-times // pairs)

    def plays(end, asks):
        if asks:
            end.sendall(MESSAGE)
        for left in range(each, 0, -1):
            assert len(end.recv(512)) == len(MESSAGE)
            if left > 1 or not asks:
                end.sendall(MESSAGE)

    ends = [gevent.socket.socketpair(socket.AF_UNIX) for _ in range(pairs)]
    players = [gevent.spawn(plays, end, asks) for pair in ends for end, asks in zip(pair, (True, False))]
    gevent.joinall(players, raise_error=True)
    for pair in ends:
        for end in pair:
            end.close()
    return each * pairs


def memory():
    """What is resident with its page tables, in KiB, and the number of mappings."""
    with open("/proc/self/status") as status:
        kib = sum(int(line.split()[1]) for line in status if line.startswith(("VmRSS:", "VmPTE:")))
    with open("/proc/self/maps") as maps:
        return kib, sum(1 for _ in maps)


def park(count):
    repeat_spawn_join(1)
    kib, mappings = memory()
    start = time.process_time_ns()
    never = gevent.event.Event()
    parked = [gevent.spawn(never.wait) for _ in range(count)]
    while not all(parked):
        gevent.sleep(0)
    gevent.sleep(0)
    spent = time.process_time_ns() - start
    now, mappings_now = memory()
    report("parked_memory", (now - kib) / count)
    report("parked_mappings", mappings_now - mappings)
    report("parked_spawn", spent / count)


GROUPS = {
    "switch_name": repeat_switch,
    "yield_2": lambda times: yield_among(2, times),
    "yield_1000": lambda times: yield_among(MANY, times),
    "give": give,
    "give_timeout": lambda times: give(times, timeout=5),
    "spawn_join": repeat_spawn_join,
    "spawn_join_1000": repeat_spawn_join_1000,
    "join_dead": repeat_join_dead,
    "timers_one": lambda times: start_and_stop(1, times),
    "timers_1000": lambda times: start_and_stop(1000, times),
    "pingpong": lambda times: pingpong(1, times),
    "pingpong_100": lambda times: pingpong(PAIRS, times),
}


def report(row, figure):
    print(f"{row}\t{figure:.4g}", flush=True)


def measure(row, repeat, enough):
    repeat(1000)  # what is set up once
    times = 1000
    while True:
        start = time.process_time_ns()
        done = repeat(times)
        spent = time.process_time_ns() - start
        if spent >= enough:
            report(row, spent / done)
            return
        times *= 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a short run")
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    options = parser.parse_args()
    for row, repeat in GROUPS.items():
        if not options.groups or row in options.groups:
            measure(row, repeat, 1e6 if options.quick else 150e6)
    if not options.groups or "parked" in options.groups:
        park(PARKED // 100 if options.quick else PARKED)


main()
