/*
 * Boost.Fiber, the scheduler on top of Boost.Context. Its switch is that of boost::context::fiber, the object that owns
 * a context. Stacks come from its pool where fibers come and go, as the default allocator maps each anew; the memory of
 * a parked fiber is the default's, since the pool touches every stack at both ends.
 */
#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

#include <chrono>
#include <vector>

#include "bench.h"

enum { MANY = 1000, PARKED = 30000 };

namespace fibers = boost::fibers;

static fibers::pooled_fixedsize_stack &stacks()
{
    static fibers::pooled_fixedsize_stack pool;

    return pool;
}

static void nothing()
{
}

/* --- Switching --- */

static size_t repeat_switch(size_t times)
{
    boost::context::fiber other([](boost::context::fiber &&from) {
        for (;;)
            from = std::move(from).resume();
        return std::move(from);
    });

    for (size_t n = 0; n < times; n += 2)
        other = std::move(other).resume();
    return (times + 1) / 2 * 2;
}

static size_t yield_among(size_t count, size_t times)
{
    std::vector<fibers::fiber> running;
    size_t each = (times + count - 1) / count;

    for (size_t i = 0; i < count; i++)
        running.emplace_back(std::allocator_arg, stacks(), [each] {
            for (size_t n = each; n; n--)
                boost::this_fiber::yield();
        });
    for (fibers::fiber &fiber : running)
        fiber.join();
    return each * count;
}

static size_t repeat_yield_sites(size_t times)
{
    size_t each = (times + 3) / 4 * 2;

    fibers::fiber first(std::allocator_arg, stacks(), [each] {
        for (size_t n = each; n; n--)
            boost::this_fiber::yield();
    });
    fibers::fiber second(std::allocator_arg, stacks(), [each] {
        for (size_t n = each; n; n -= 2) {
            boost::this_fiber::yield();
            boost::this_fiber::yield();
        }
    });
    first.join();
    second.join();
    return each * 2;
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

using channel = fibers::buffered_channel<int>;

static void receive(channel &from, bool timeout)
{
    int value;
    fibers::channel_op_status status = timeout ? from.pop_wait_for(value, std::chrono::seconds(5)) : from.pop(value);

    bench_require(status == fibers::channel_op_status::success, "nothing to be had from a channel");
}

/* Two fibers that give to each other by turns; the smallest buffered channel holds one value. */
static size_t give(size_t times, bool timeout)
{
    channel there(2), back(2);
    size_t each = (times + 1) / 2;

    fibers::fiber second([&] {
        for (size_t n = each; n; n--) {
            receive(there, timeout);
            back.push(1);
        }
    });
    fibers::fiber first([&] {
        for (size_t n = each; n; n--) {
            there.push(1);
            receive(back, timeout);
        }
    });
    first.join();
    second.join();
    return each * 2;
}

static size_t repeat_give(size_t times)
{
    return give(times, false);
}

static size_t repeat_give_timeout(size_t times)
{
    return give(times, true);
}

/* --- Spawning and joining --- */

static size_t repeat_spawn_join(size_t times)
{
    for (size_t n = 0; n < times; n++)
        fibers::fiber(std::allocator_arg, stacks(), nothing).join();
    return times;
}

static size_t repeat_spawn_join_1000(size_t times)
{
    std::vector<fibers::fiber> batch;
    size_t done = 0;

    for (; done < times; done += MANY) {
        for (size_t i = 0; i < MANY; i++)
            batch.emplace_back(std::allocator_arg, stacks(), nothing);
        for (fibers::fiber &fiber : batch)
            fiber.join();
        batch.clear();
    }
    return done;
}

/* --- Parking --- */

static void park(size_t count)
{
    size_t parked = 0;
    fibers::mutex mutex;
    fibers::condition_variable never;

    repeat_spawn_join(1);
    bench_memory before = bench_memory_now();
    double start = bench_cpu_seconds();
    for (size_t i = 0; i < count; i++)
        fibers::fiber([&] {
            std::unique_lock<fibers::mutex> lock(mutex);
            parked++;
            never.wait(lock);
        }).detach();
    while (parked < count)
        boost::this_fiber::yield();
    bench_print_parked(count, before, start);
    /* What they wait on must not go before them, and they are never woken. */
    _Exit(0);
}

int main(int argc, char **argv)
{
    static const bench_group groups[] = {
        {"switch_name", repeat_switch, nullptr},
        {"yield_2", repeat_yield_2, nullptr},
        {"yield_sites", repeat_yield_sites, nullptr},
        {"yield_1000", repeat_yield_1000, nullptr},
        {"give", repeat_give, nullptr},
        {"give_timeout", repeat_give_timeout, nullptr},
        {"spawn_join", repeat_spawn_join, nullptr},
        {"spawn_join_1000", repeat_spawn_join_1000, nullptr},
        {"parked", nullptr, park},
    };

    return bench_main(argc, argv, groups, sizeof groups / sizeof groups[0], PARKED);
}
