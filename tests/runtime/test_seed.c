/* The seeded choice among the ready: reproducible, fair, and confined to whose turn it is. */
#include "support.h"

#include <vireo/pool.h>
#include <vireo/scope.h>
#include <vireo/timeout.h>
#include <vireo/waiter.h>

#include <stdlib.h>
#include <time.h>

static vr_result traces_letter(void *letter)
{
    trace("%c", (char)number_of(letter));
    return vr_ok(NULL);
}

/* The order in which three greenlets run that are ready at once; in trace_text. */
static void run_three(uint64_t seed)
{
    vr_greenlet *greenlets[3];

    trace_clear();
    assert_int_equal(vr_hub_seed(seed), 0);
    for (int i = 0; i < 3; i++)
        greenlets[i] = vr_spawn(traces_letter, number('a' + i));
    vr_joinall(greenlets, 3, VR_FOREVER);
    for (int i = 0; i < 3; i++)
        vr_unref(greenlets[i]);
}

/* --- Orders --- */

static void same_seed_gives_the_same_order(void **state)
{
    for (uint64_t seed = 1; seed < 100; seed++) {
        char first[16];
        run_three(seed);
        snprintf(first, sizeof first, "%.15s", trace_text);
        run_three(seed);
        assert_string_equal(trace_text, first);
    }
    trace_clear();
}

static void seeds_give_every_order_there_is_about_as_often(void **state)
{
    static const char *const orders[] = {"a b c", "a c b", "b a c", "b c a", "c a b", "c b a"};
    int seen[6] = {0};

    for (uint64_t seed = 1; seed <= 6000; seed++) {
        run_three(seed);
        int order = 0;
        while (order < 6 && strcmp(orders[order], trace_text) != 0)
            order++;
        assert_true(order < 6);
        seen[order]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 850, 1150);
    trace_clear();
}

static void without_a_seed_turns_are_first_in_first_out(void **state)
{
    run_three(4711);
    for (int i = 0; i < 20; i++) {
        run_three(0);
        assert_trace("a b c");
    }
}

static void seed_without_a_hub_makes_one(void **state)
{
    assert_int_equal(vr_hub_free(), 0);
    assert_int_equal(vr_hub_seed(1), 0);
    assert_int_equal(vr_sleep(0), 0);
}

/* --- What stays in order --- */

struct named_callback {
    vr_callback callback;
    char name;
};

static void traces_name(vr_callback *callback)
{
    trace("%c", ((struct named_callback *)(void *)callback)->name);
}

static void callbacks_stay_first_in_first_out(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct named_callback callbacks[4];
        vr_hub_seed(seed);
        for (int i = 0; i < 4; i++) {
            callbacks[i] = (struct named_callback){.callback.run = traces_name, .name = (char)('a' + i)};
            vr_callback_queue(&callbacks[i].callback);
        }
        vr_sleep(0);
        assert_trace("a b c d");
    }
}

static void greenlet_does_not_overtake_a_callback(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct named_callback callback = {.callback.run = traces_name, .name = '|'};
        vr_hub_seed(seed);
        vr_greenlet *before[] = {vr_spawn(traces_letter, number('a')), vr_spawn(traces_letter, number('a'))};
        vr_callback_queue(&callback.callback);
        vr_greenlet *after[] = {vr_spawn(traces_letter, number('b')), vr_spawn(traces_letter, number('b'))};
        vr_joinall(before, 2, VR_FOREVER);
        vr_joinall(after, 2, VR_FOREVER);
        assert_trace("a a | b b");
        for (int i = 0; i < 2; i++) {
            vr_unref(before[i]);
            vr_unref(after[i]);
        }
    }
}

static void traces_link(void *greenlet, void *context)
{
    trace("%c", (char)number_of(context));
}

static void links_stay_in_the_order_in_which_they_were_added(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        vr_link links[3];
        vr_hub_seed(seed);
        vr_greenlet *greenlet = vr_spawn(echoes, NULL);
        for (int i = 0; i < 3; i++) {
            links[i] = (vr_link){.notify = traces_link, .context = number('a' + i)};
            vr_rawlink(greenlet, &links[i]);
        }
        vr_join(greenlet, VR_FOREVER);
        vr_sleep(0);
        assert_trace("a b c");
        vr_unref(greenlet);
    }
}

struct spawner {
    vr_pool *pool;
    char name;
};

static vr_result spawns_letter(void *argument)
{
    struct spawner *spawner = argument;

    return vr_fail(vr_pool_spawn(spawner->pool, VR_FOREVER, traces_letter, number(spawner->name), NULL));
}

static void objects_serve_those_who_wait_in_their_order(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        vr_pool pool = VR_POOL(1);
        struct spawner spawners[4];
        vr_greenlet *waiting[4];
        vr_hub_seed(seed);
        vr_pool_spawn(&pool, 0, sleeps_ms, number(1000), NULL);
        for (int i = 0; i < 4; i++) {
            spawners[i] = (struct spawner){&pool, (char)('a' + i)};
            waiting[i] = vr_spawn(spawns_letter, &spawners[i]);
            vr_sleep(VR_MILLISECONDS(1)); /* one after the other */
        }
        vr_joinall(waiting, 4, VR_FOREVER);
        assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
        assert_trace("a b c d");
        for (int i = 0; i < 4; i++)
            vr_unref(waiting[i]);
    }
}

static void timers_of_different_times_stay_in_order(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        vr_greenlet *later[3];
        vr_hub_seed(seed);
        for (int i = 0; i < 3; i++)
            later[i] = vr_spawn_later(VR_MILLISECONDS(3 - i), traces_letter, number('a' + i));
        vr_joinall(later, 3, VR_FOREVER);
        assert_trace("c b a");
        for (int i = 0; i < 3; i++)
            vr_unref(later[i]);
    }
}

/* --- Fairness --- */

static size_t turns;
static bool stop;

static vr_result spins(void *argument)
{
    while (!stop) {
        turns++;
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

static vr_result counts_turns(void *argument)
{
    for (int i = 0; i < 10; i++)
        vr_sleep(0);
    return vr_ok(number((intptr_t)turns));
}

static void nobody_starves_among_those_who_always_have_something_to_do(void **state)
{
    size_t seeds = scaled(1000), sum = 0;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        vr_greenlet *spinners[4];
        vr_hub_seed(seed);
        stop = false;
        turns = 0;
        for (int i = 0; i < 4; i++)
            spinners[i] = vr_spawn(spins, NULL);
        vr_greenlet *meek = vr_spawn(counts_turns, NULL);
        assert_int_equal(vr_join(meek, VR_FOREVER), 0);
        /* One in five turns is its own, by chance: 40 of the others' to its ten. 1000 would be one in 10^60. */
        assert_true(number_of(vr_value(meek)) < 1000);
        sum += (size_t)number_of(vr_value(meek));
        stop = true;
        vr_joinall(spinners, 4, VR_FOREVER);
        for (int i = 0; i < 4; i++)
            vr_unref(spinners[i]);
        vr_unref(meek);
    }
    assert_in_range(sum / seeds, 25, 60);
}

static void timers_fire_among_those_who_always_have_something_to_do(void **state)
{
    for (uint64_t seed = 1; seed <= scaled(100); seed++) {
        vr_hub_seed(seed);
        stop = false;
        vr_greenlet *spinner = vr_spawn(spins, NULL);
        vr_timeout timeout = VR_TIMEOUT;
        vr_timeout_start(&timeout, 0);
        assert_int_equal(vr_timeout_end(&timeout, vr_sleep(VR_FOREVER)), -ETIMEDOUT);
        stop = true;
        vr_join(spinner, VR_FOREVER);
        vr_unref(spinner);
    }
}

/* --- Whole runs --- */

/* What happened in a run, in one number. */
static uint64_t history;

static void note(long what)
{
    history = (history ^ (uint64_t)what) * 0x100000001b3u; /* FNV-1a */
}

/* Real time that a turn takes, in which a virtual clock stands still. */
static long delay_us;

static void take_time(void)
{
    struct timespec start, now;

    if (!delay_us)
        return;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < delay_us);
}

/* A task that gives way, sleeps, times itself out, and fails at times, all as its number says. */
static vr_result works(void *argument)
{
    intptr_t n = number_of(argument);
    vr_timeout timeout = VR_TIMEOUT;

    note(n);
    take_time();
    vr_timeout_start(&timeout, n % 4 ? VR_MILLISECONDS(n % 3) : VR_FOREVER);
    long error = 0;
    for (int i = 0; !error && i < 3; i++)
        error = vr_sleep(0);
    if (!error)
        error = vr_sleep(VR_MILLISECONDS(n % 5));
    error = vr_timeout_end(&timeout, error);
    note(error ? -n : n + 1000);
    return error ? vr_fail(error) : vr_ok(argument);
}

static vr_result kills_some(void *argument)
{
    vr_greenlet **victims = argument;

    for (int i = 0; i < 3; i++) {
        vr_sleep(VR_MILLISECONDS(1));
        vr_kill(victims[i], -ECANCELED);
        note(i);
    }
    return vr_ok(NULL);
}

enum { TASKS = 12 };

/* A run with a pool in a scope, kills, and timeouts; what must hold in each is asserted. Returns its history. */
static uint64_t run_many(uint64_t seed)
{
    vr_pool pool = VR_POOL(6);
    vr_scope scope;
    vr_greenlet *tasks[TASKS], *killer = NULL;
    int outcomes = 0;

    history = 0xcbf29ce484222325u;
    vr_hub_seed(seed);
    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(9)});
    for (intptr_t i = 0; i < TASKS; i++) {
        assert_int_equal(vr_pool_spawn(&pool, VR_FOREVER, works, number(i), &tasks[i]), 0);
        if (i == 2)
            killer = vr_scope_spawn(&scope, kills_some, tasks);
        assert_true(vr_pool_count(&pool) <= 6);
    }
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), 0);
    assert_int_equal(vr_pool_free_count(&pool), 6);
    for (int i = 0; i < TASKS; i++) {
        outcomes += vr_exited(tasks[i]) + (vr_error(tasks[i]) == -ETIMEDOUT) + (vr_value(tasks[i]) == number(i));
        vr_unref(tasks[i]);
    }
    assert_in_range(outcomes, TASKS, TASKS + 1); /* the value of the first is NULL as well */
    vr_unref(killer);
    return history;
}

static int compare(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void whole_runs_are_the_same_for_a_seed_and_differ_between_seeds(void **state)
{
    size_t seeds = scaled(5000), different = 1;
    uint64_t *histories = test_malloc(seeds * sizeof *histories);

    for (size_t i = 0; i < seeds; i++)
        histories[i] = run_many(i + 1);
    for (size_t i = 0; i < seeds; i++)
        assert_true(run_many(i + 1) == histories[i]);
    qsort(histories, seeds, sizeof *histories, compare);
    for (size_t i = 1; i < seeds; i++)
        different += histories[i] != histories[i - 1];
    assert_true(different > seeds / 2);
    test_free(histories);
}

static vr_result gives_way_often(void *argument)
{
    for (int i = 0; i < 100; i++) {
        note(number_of(argument) + i);
        take_time();
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

static vr_result sleeps_for_no_time(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    note(-1);
    long error = vr_timeout_end(&timeout, vr_sleep(VR_FOREVER));
    note(-2);
    return vr_fail(error);
}

/* Greenlets that are busy for more than a turn of the loop, while timers are due. */
static uint64_t run_busy(uint64_t seed)
{
    vr_greenlet *greenlets[8];

    history = 0xcbf29ce484222325u;
    vr_hub_seed(seed);
    for (intptr_t i = 0; i < 8; i++)
        greenlets[i] = vr_spawn(i % 4 == 1 ? sleeps_for_no_time : gives_way_often, number(i * 1000));
    vr_joinall(greenlets, 8, VR_FOREVER);
    for (int i = 0; i < 8; i++)
        vr_unref(greenlets[i]);
    return history;
}

static void run_does_not_depend_on_how_long_its_turns_take(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        delay_us = 0;
        uint64_t fast = run_busy(seed);
        delay_us = 20;
        uint64_t slow = run_busy(seed);
        delay_us = 0;
        assert_true(fast == slow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(same_seed_gives_the_same_order),
        virtual_test(seeds_give_every_order_there_is_about_as_often),
        virtual_test(without_a_seed_turns_are_first_in_first_out),
        virtual_test(seed_without_a_hub_makes_one),
        virtual_test(callbacks_stay_first_in_first_out),
        virtual_test(greenlet_does_not_overtake_a_callback),
        virtual_test(links_stay_in_the_order_in_which_they_were_added),
        virtual_test(objects_serve_those_who_wait_in_their_order),
        virtual_test(timers_of_different_times_stay_in_order),
        virtual_test(nobody_starves_among_those_who_always_have_something_to_do),
        virtual_test(timers_fire_among_those_who_always_have_something_to_do),
        virtual_test(whole_runs_are_the_same_for_a_seed_and_differ_between_seeds),
        virtual_test(run_does_not_depend_on_how_long_its_turns_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
