/* What vr_greenlet_each tells of greenlets. */
#include "faults.h"
#include "report_support.h"

#include <vireo/channel.h>
#include <vireo/dump.h>
#include <vireo/event.h>
#include <vireo/generator.h>
#include <vireo/io.h>
#include <vireo/pool.h>
#include <vireo/queue.h>
#include <vireo/scope.h>
#include <vireo/semaphore.h>
#include <vireo/signal.h>
#include <vireo/subprocess.h>
#include <vireo/threadpool.h>
#include <vireo/waiter.h>

#include <semaphore.h>
#include <stdlib.h>

/* --- Memory that runs out --- */

WRAP(void *, malloc, (size_t size), NULL, (size))

/* --- Looking at one greenlet --- */

/* What was seen of it; strings are copied, as they go with the call. */
typedef struct seen {
    const vr_greenlet *greenlet; /* that is looked for */
    vr_greenlet_info info;
    char name[64], wait[64], wait_text[256], other_name[64];
} seen;

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "(none)");
}

static bool take(const vr_greenlet_info *info, void *context)
{
    seen *out = context;

    if (info->greenlet != out->greenlet)
        return true;
    out->info = *info;
    copy(out->name, sizeof out->name, info->name);
    copy(out->wait, sizeof out->wait, info->wait);
    copy(out->wait_text, sizeof out->wait_text, info->wait_text);
    copy(out->other_name, sizeof out->other_name, info->other_name);
    return false;
}

static seen look_at(const vr_greenlet *greenlet)
{
    seen found = {.greenlet = greenlet};

    vr_greenlet_each(take, &found);
    assert_ptr_equal(found.info.greenlet, greenlet);
    return found;
}

/* Compares what it waits for, as a word and as a text that is given in the manner of printf. */
#define assert_waits(greenlet, word, ...)                        \
    do {                                                         \
        char expected_[256];                                     \
        seen seen_ = look_at(greenlet);                          \
        snprintf(expected_, sizeof expected_, __VA_ARGS__);      \
        assert_int_equal(seen_.info.state, VR_GREENLET_WAITING); \
        assert_string_equal(seen_.info.state_text, "waiting");   \
        assert_string_equal(seen_.wait, word);                   \
        assert_string_equal(seen_.wait_text, expected_);         \
    } while (0)

/* --- What it waits for --- */

static void sleep_is_told_with_when_it_ends(void **state)
{
    vr_greenlet *sleeper = start(sleeps_ms, number(2500));

    assert_waits(sleeper, "timer", "the end of its sleep, in 2.5 s");
    assert_int_equal(look_at(sleeper).info.at_most, VR_MILLISECONDS(2500));
    vr_sleep(VR_SECONDS(1));
    assert_waits(sleeper, "timer", "the end of its sleep, in 1.5 s");
    assert_int_equal(look_at(sleeper).info.at_most, VR_MILLISECONDS(1500));
    end_greenlet(sleeper);
    sleeper = start(sleeps_forever, NULL);
    assert_waits(sleeper, "timer", "the end of its sleep");
    assert_int_equal(look_at(sleeper).info.at_most, VR_FOREVER);
    end_greenlet(sleeper);
}

static int ends[2];

static vr_result waits_readable(void *ms)
{
    return vr_fail(vr_wait_readable(ends[0], ms ? VR_MILLISECONDS(number_of(ms)) : VR_FOREVER));
}

static vr_result waits_writable(void *argument)
{
    return vr_fail(vr_wait_writable(ends[1], VR_FOREVER));
}

static void fill(int fd)
{
    static char octets[65536];

    while (write(fd, octets, sizeof octets) > 0) {
    }
}

static void descriptors_are_told_by_number_and_direction(void **state)
{
    assert_int_equal(vr_pipe(ends), 0);
    vr_greenlet *reader = start(waits_readable, NULL), *writer;
    assert_waits(reader, "readable", "fd %d to be readable", ends[0]);
    assert_int_equal(look_at(reader).info.number, ends[0]);
    end_greenlet(reader);
    reader = start(waits_readable, number(250));
    assert_waits(reader, "readable", "fd %d to be readable, at most 250 ms more", ends[0]);
    end_greenlet(reader);

    fill(ends[1]);
    writer = start(waits_writable, NULL);
    assert_waits(writer, "writable", "fd %d to be writable", ends[1]);
    assert_int_equal(look_at(writer).info.number, ends[1]);
    end_greenlet(writer);
    vr_close(ends[0]);
    vr_close(ends[1]);
}

static vr_result joins(void *greenlet)
{
    return vr_fail(vr_join(greenlet, VR_FOREVER));
}

static vr_result joins_any(void *greenlets)
{
    return vr_ok(number(vr_wait(greenlets, 2, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = 1})));
}

static void greenlets_that_are_joined_are_told_by_name(void **state)
{
    vr_greenlet *both[] = {start(sleeps_forever, NULL), start(sleeps_forever, NULL)};
    vr_greenlet *one = start(joins, both[0]), *any = start(joins_any, both);

    vr_set_name(both[0], "alice");
    assert_waits(one, "greenlet", "alice to end");
    assert_ptr_equal(look_at(one).info.other, both[0]);
    assert_string_equal(look_at(one).other_name, "alice");
    assert_waits(any, "greenlets", "one of 2");
    end_greenlet(both[0]);
    vr_join(any, VR_FOREVER);
    vr_unref(one);
    vr_unref(any);
    end_greenlet(both[1]);
}

static vr_result asks(void *generator)
{
    bool done;

    return vr_generator_next(generator, &done);
}

static void generators_are_told_and_what_they_wait_for_in_turn(void **state)
{
    vr_generator *generator = vr_generator_new(sleeps_forever, NULL);
    vr_greenlet *asker = start(asks, generator);
    const vr_greenlet *runs = look_at(asker).info.other;

    assert_waits(asker, "generator", "generator %s", look_at(asker).other_name);
    assert_waits(runs, "timer", "the end of its sleep");
    end_greenlet(asker);
    vr_generator_free(generator);
}

static vr_rlock lock = VR_RLOCK_INIT;

static vr_result takes_and_sleeps(void *argument)
{
    int error = vr_rlock_acquire(&lock, VR_FOREVER);

    if (!error) {
        error = vr_sleep(VR_FOREVER);
        vr_rlock_release(&lock);
    }
    return vr_fail(error);
}

static void locks_are_told_with_their_owner(void **state)
{
    vr_greenlet *owner = start(takes_and_sleeps, NULL), *waiter = start(takes_and_sleeps, NULL);

    vr_set_name(owner, "alice");
    assert_waits(waiter, "lock", "lock of alice");
    assert_ptr_equal(look_at(waiter).info.object, &lock);
    assert_ptr_equal(look_at(waiter).info.other, owner);
    end_greenlet(waiter);
    end_greenlet(owner);
}

static void forgets_report(const char *report)
{
    trace("reported");
}

static vr_result takes_and_ends(void *argument)
{
    return vr_fail(vr_rlock_acquire(argument, VR_FOREVER));
}

static void lock_of_one_that_is_gone_is_told_so(void **state)
{
    vr_rlock orphan = VR_RLOCK;

    vr_hub_handle_deadlock(forgets_report);
    vr_unref(start(takes_and_ends, &orphan));
    vr_greenlet *waiter = start(takes_and_ends, &orphan);
    assert_waits(waiter, "lock", "lock whose owner has ended");
    assert_null(look_at(waiter).info.other);
    end_greenlet(waiter);
}

static vr_event event = VR_EVENT_INIT;
static vr_async_result result = VR_ASYNC_RESULT_INIT;
static vr_semaphore semaphore = VR_SEMAPHORE_INIT(0);
static vr_queue queue = VR_QUEUE_INIT(1);
static vr_channel channel;
static vr_waiter waiter_object;
static vr_pool pool = VR_POOL_INIT(1);
static vr_group group;

static vr_result waits_for_event(void *argument)
{
    return vr_fail(vr_event_wait(&event, VR_FOREVER));
}

static vr_result waits_for_result(void *argument)
{
    return vr_async_result_get(&result, VR_FOREVER);
}

static vr_result waits_for_unit(void *argument)
{
    return vr_fail(vr_semaphore_acquire(&semaphore, VR_FOREVER));
}

static vr_result waits_for_item(void *argument)
{
    return vr_queue_get(&queue, VR_FOREVER);
}

static vr_result puts_item(void *argument)
{
    return vr_fail(vr_queue_put(&queue, argument, VR_FOREVER));
}

static vr_result joins_queue(void *argument)
{
    return vr_fail(vr_queue_join(&queue, VR_FOREVER));
}

static vr_result gets_from_channel(void *argument)
{
    return vr_channel_get(&channel, VR_FOREVER);
}

static vr_result puts_into_channel(void *argument)
{
    return vr_fail(vr_channel_put(&channel, argument, VR_FOREVER));
}

static vr_result gets_from_waiter(void *argument)
{
    return vr_waiter_get(&waiter_object, VR_FOREVER);
}

static void assert_waits_for_object(vr_function *function, const char *word, const char *before, const void *object,
                                    const char *after)
{
    vr_greenlet *greenlet = start(function, NULL);

    assert_waits(greenlet, word, "%s %p%s", before, object, after);
    assert_ptr_equal(look_at(greenlet).info.object, object);
    end_greenlet(greenlet);
}

static void objects_are_told_by_their_address(void **state)
{
    assert_waits_for_object(waits_for_event, "event", "event", &event, "");
    assert_waits_for_object(waits_for_result, "result", "result", &result, "");
    assert_waits_for_object(waits_for_unit, "semaphore", "semaphore", &semaphore, "");
    assert_waits_for_object(waits_for_item, "queue-get", "queue", &queue, " to have an item");
    assert_waits_for_object(gets_from_channel, "channel-get", "channel", &channel, " to give");
    assert_waits_for_object(puts_into_channel, "channel-put", "channel", &channel, " to take");
    assert_waits_for_object(gets_from_waiter, "waiter", "waiter", &waiter_object, "");

    vr_queue_put(&queue, NULL, 0);
    assert_waits_for_object(puts_item, "queue-put", "queue", &queue, " to have room");
    assert_waits_for_object(joins_queue, "queue-join", "queue", &queue, " to be done");
    vr_queue_done(&queue);
}

static vr_result spawns_in_pool(void *argument)
{
    return vr_fail(vr_pool_spawn(&pool, VR_FOREVER, echoes, NULL, NULL));
}

static vr_result joins_group(void *argument)
{
    return vr_fail(vr_group_join(&group, VR_FOREVER, 0));
}

static vr_result has_scope(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, sleeps_forever, NULL));
    return vr_fail(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)));
}

static void groups_scopes_and_pools_are_told(void **state)
{
    vr_greenlet *member;

    assert_int_equal(vr_pool_spawn(&pool, 0, sleeps_forever, NULL, &member), 0);
    assert_waits_for_object(spawns_in_pool, "pool", "pool", &pool, " to have room");
    end_greenlet(member);

    member = vr_group_spawn(&group, sleeps_forever, NULL);
    assert_waits_for_object(joins_group, "group", "group", &group, " to end");
    end_greenlet(member);

    vr_greenlet *owner = start(has_scope, NULL);
    assert_waits(owner, "scope", "scope %p to end", look_at(owner).info.object);
    end_greenlet(owner);
}

static sem_t gate;

static vr_result waits_at_gate(void *argument)
{
    while (sem_wait(&gate) < 0) {
    }
    return vr_ok(argument);
}

static vr_result runs_in_thread(void *argument)
{
    return vr_threadpool_apply(argument, waits_at_gate, NULL, NULL, VR_FOREVER);
}

static void jobs_of_threads_are_told(void **state)
{
    sem_init(&gate, 0, 0);
    vr_threadpool *threads = vr_threadpool_new(1);
    vr_greenlet *caller = start(runs_in_thread, threads);

    assert_waits(caller, "thread", "a job of a thread pool");
    sem_post(&gate);
    vr_join(caller, VR_FOREVER);
    vr_unref(caller);
    vr_threadpool_free(threads);
}

static vr_result waits_for_process(void *process)
{
    return vr_ok(number(vr_subprocess_wait(process, VR_FOREVER)));
}

static void processes_are_told_by_number(void **state)
{
    vr_subprocess *process;

    /* It does not know pidfd_open(2). */
    if (RUNNING_ON_VALGRIND)
        skip();
    assert_int_equal(vr_subprocess_spawn((const char *[]){"sleep", "1000", NULL}, NULL, &process), 0);
    vr_greenlet *waiter = start(waits_for_process, process);
    assert_waits(waiter, "process", "process %d to end", (int)vr_subprocess_pid(process));
    assert_int_equal(look_at(waiter).info.number, vr_subprocess_pid(process));
    vr_subprocess_kill(process, SIGKILL);
    vr_join(waiter, VR_FOREVER);
    vr_unref(waiter);
    vr_subprocess_free(process);
}

static vr_result waits_for_signal(void *signal)
{
    return vr_ok(number(vr_signal_wait(signal, VR_FOREVER)));
}

static void signals_are_told_by_number(void **state)
{
    vr_signal one = VR_SIGNAL, two = VR_SIGNAL;

    vr_signal_start(&one, (int[]){SIGUSR2}, 1);
    vr_signal_start(&two, (int[]){SIGUSR2, SIGHUP}, 2);
    vr_greenlet *waits_one = start(waits_for_signal, &one), *waits_two = start(waits_for_signal, &two);
    assert_waits(waits_one, "signal", "signal %d", SIGUSR2);
    assert_int_equal(look_at(waits_one).info.number, SIGUSR2);
    assert_waits(waits_two, "signal", "signal");
    end_greenlet(waits_one);
    end_greenlet(waits_two);
    vr_signal_stop(&one);
    vr_signal_stop(&two);
}

static vr_result looks_at_main(void *argument)
{
    seen *out = argument;

    *out = look_at(vr_parent(vr_parent(vr_current())));
    return vr_ok(NULL);
}

static void main_in_hub_join_waits_for_nothing_to_be_left(void **state)
{
    seen found;

    vr_unref(vr_spawn(looks_at_main, &found));
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_string_equal(found.wait, "idle");
    assert_string_equal(found.wait_text, "nothing to be left");
    assert_string_equal(found.name, "main");
    assert_true(found.info.is_main);
}

static vr_result switches_back(void *argument)
{
    return vr_switch(vr_parent(vr_current()), NULL);
}

static void one_that_only_a_switch_can_wake_is_told_without_a_time(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(switches_back);

    vr_switch(greenlet, NULL);
    vr_sleep(VR_SECONDS(1));
    assert_waits(greenlet, "switch", "a switch");
    assert_int_equal(look_at(greenlet).info.waited, -1);
    vr_switch(greenlet, NULL);
    vr_unref(greenlet);
}

/* --- State --- */

static void states_are_those_of_their_lives(void **state)
{
    vr_greenlet *raw = vr_greenlet_new(echoes), *queued = vr_spawn(sleeps_forever, NULL);
    vr_greenlet *later = vr_spawn_later(VR_SECONDS(3), echoes, NULL);
    seen found;

    assert_int_equal(look_at(vr_current()).info.state, VR_GREENLET_RUNNING);
    found = look_at(raw);
    assert_int_equal(found.info.state, VR_GREENLET_NOT_STARTED);
    assert_string_equal(found.info.state_text, "not started");
    assert_null(found.info.wait);
    assert_string_equal(found.wait_text, "");
    found = look_at(queued);
    assert_int_equal(found.info.state, VR_GREENLET_NOT_STARTED);
    assert_string_equal(found.wait, "start");
    assert_string_equal(found.wait_text, "its first turn");
    found = look_at(later);
    assert_int_equal(found.info.state, VR_GREENLET_NOT_STARTED);
    assert_string_equal(found.wait_text, "its first turn, in 3.0 s");
    assert_int_equal(found.info.at_most, VR_SECONDS(3));

    vr_sleep(VR_SECONDS(1));
    assert_string_equal(look_at(later).wait_text, "its first turn, in 2.0 s");
    assert_int_equal(look_at(queued).info.state, VR_GREENLET_WAITING);
    vr_kill(queued, -ECANCELED);
    found = look_at(queued);
    assert_int_equal(found.info.state, VR_GREENLET_READY);
    assert_string_equal(found.info.state_text, "ready");
    assert_null(found.info.wait);
    vr_join(queued, VR_FOREVER);
    found = look_at(queued);
    assert_int_equal(found.info.state, VR_GREENLET_DEAD);
    assert_string_equal(found.info.state_text, "dead");
    assert_null(found.info.wait);
    vr_unref(raw);
    vr_unref(queued);
    end_greenlet(later);
}

static void woken_greenlet_is_ready(void **state)
{
    vr_greenlet *waiter = start(waits_for_event, NULL);

    vr_event_set(&event);
    assert_int_equal(look_at(waiter).info.state, VR_GREENLET_READY);
    assert_string_equal(look_at(waiter).info.state_text, "ready");
    vr_event_clear(&event);
    vr_join(waiter, VR_FOREVER);
    vr_unref(waiter);
}

static void time_counts_from_the_turn_in_which_the_wait_began(void **state)
{
    vr_sleep(VR_SECONDS(7));
    vr_greenlet *waiter = start(sleeps_forever, NULL);
    vr_generator *generator = vr_generator_new(sleeps_forever, NULL);
    vr_greenlet *asker = start(asks, generator);

    assert_int_equal(look_at(waiter).info.waited, 0);
    vr_sleep(VR_MILLISECONDS(1200));
    assert_int_equal(look_at(waiter).info.waited, VR_MILLISECONDS(1200));
    assert_int_equal(look_at(asker).info.waited, VR_MILLISECONDS(1200));
    assert_int_equal(look_at(vr_current()).info.waited, -1);
    end_greenlet(waiter);
    end_greenlet(asker);
    vr_generator_free(generator);
}

static void wait_before_the_first_turn_is_not_of_ages(void **state)
{
    vr_greenlet *waiter = start(sleeps_forever, NULL);

    assert_true(look_at(waiter).info.waited < VR_SECONDS(60));
    end_greenlet(waiter);
}

static void durations_are_in_the_unit_that_fits(void **state)
{
    static const struct {
        vr_time duration;
        const char *text;
    } cases[] = {
        {VR_MICROSECONDS(999), "in 0 ms"},     {VR_MILLISECONDS(999), "in 999 ms"}, {VR_SECONDS(1), "in 1.0 s"},
        {VR_MILLISECONDS(99990), "in 99.9 s"}, {VR_SECONDS(100), "in 1 min"},       {VR_SECONDS(5999), "in 99 min"},
        {VR_SECONDS(6000), "in 1 h"},          {VR_SECONDS(86400), "in 24 h"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vr_greenlet *later = vr_spawn_later(cases[i].duration, echoes, NULL);
        assert_non_null(strstr(look_at(later).wait_text, cases[i].text));
        end_greenlet(later);
    }
}

/* --- Who is listed --- */

static bool traces_name(const vr_greenlet_info *info, void *context)
{
    int *left = context;

    trace("%s", info->name);
    return !left || --*left > 0;
}

static void all_are_visited_by_serial_with_main_and_hub(void **state)
{
    vr_greenlet *greenlets[4];
    int left = 3;

    for (int i = 0; i < 4; i++)
        greenlets[i] = vr_spawn_with(&(vr_spawn_options){.stack_size = i % 2 ? 200000 : 0}, sleeps_forever, NULL);
    vr_set_name(greenlets[2], "carol");
    assert_int_equal(vr_greenlet_each(traces_name, NULL), 6);
    assert_trace("main hub greenlet-3 greenlet-4 carol greenlet-6");
    assert_true(look_at(greenlets[0]).info.serial < look_at(greenlets[1]).info.serial);
    assert_int_equal(vr_greenlet_each(traces_name, &left), 3);
    assert_trace("main hub greenlet-3");
    vr_killall(greenlets, 4, -ECANCELED, VR_FOREVER);
    for (int i = 0; i < 4; i++)
        vr_unref(greenlets[i]);
    assert_int_equal(vr_greenlet_each(traces_name, NULL), 2);
}

static void main_and_hub_are_marked_whatever_their_names(void **state)
{
    vr_set_name(vr_current(), "manager");
    seen found = look_at(vr_current());
    assert_true(found.info.is_main && !found.info.is_hub);
    assert_string_equal(found.name, "manager");
    assert_int_equal(found.info.serial, 0);
    assert_null(found.info.site);
    assert_int_equal(found.info.stack_size, 0);

    vr_greenlet *other = start(sleeps_forever, NULL);
    found = look_at(vr_parent(other));
    assert_true(found.info.is_hub && !found.info.is_main);
    assert_int_equal(found.info.state, VR_GREENLET_READY);
    found = look_at(other);
    assert_true(!found.info.is_hub && !found.info.is_main);
    end_greenlet(other);
}

static void thread_without_a_hub_has_none(void **state)
{
    assert_int_equal(vr_greenlet_each(traces_name, NULL), 0);
}

static void without_memory_none_is_visited(void **state)
{
    vr_current();
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_greenlet_each(traces_name, NULL), -ENOMEM);
    assert_trace("");
}

/* --- Site and stack --- */

static void site_is_where_it_was_made_from_the_project_root_on(void **state)
{
    vr_greenlet *spawned = vr_spawn(echoes, NULL);
    char site[64];

    snprintf(site, sizeof site, "tests/runtime/test_dump.c:%d", __LINE__ - 3);
    assert_string_equal(look_at(spawned).info.site, site);
    end_greenlet(spawned);
}

static vr_result goes_deep(void *size)
{
    size_t octets = (size_t)number_of(size);
    char *room = __builtin_alloca(octets);

    memset(room, 1, octets);
    return vr_fail(vr_sleep(number_of(size) + room[octets / 2] ? VR_FOREVER : 0));
}

static void stack_is_told_with_its_size_and_how_deep_it_went(void **state)
{
    vr_greenlet *deep = vr_spawn_with(&(vr_spawn_options){.stack_size = 500000}, goes_deep, number(300000));

    vr_sleep(0);
    seen found = look_at(deep);
    assert_true(found.info.stack_size >= 500000);
    assert_true(found.info.stack_used >= 300000 && found.info.stack_used <= found.info.stack_size);
    end_greenlet(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(sleep_is_told_with_when_it_ends),
        virtual_test(descriptors_are_told_by_number_and_direction),
        virtual_test(greenlets_that_are_joined_are_told_by_name),
        virtual_test(generators_are_told_and_what_they_wait_for_in_turn),
        virtual_test(locks_are_told_with_their_owner),
        virtual_test(lock_of_one_that_is_gone_is_told_so),
        virtual_test(objects_are_told_by_their_address),
        virtual_test(groups_scopes_and_pools_are_told),
        real_test(jobs_of_threads_are_told),
        real_test(processes_are_told_by_number),
        real_test(signals_are_told_by_number),
        virtual_test(main_in_hub_join_waits_for_nothing_to_be_left),
        virtual_test(one_that_only_a_switch_can_wake_is_told_without_a_time),
        virtual_test(states_are_those_of_their_lives),
        virtual_test(woken_greenlet_is_ready),
        virtual_test(time_counts_from_the_turn_in_which_the_wait_began),
        real_test(wait_before_the_first_turn_is_not_of_ages),
        virtual_test(durations_are_in_the_unit_that_fits),
        virtual_test(all_are_visited_by_serial_with_main_and_hub),
        virtual_test(main_and_hub_are_marked_whatever_their_names),
        cmocka_unit_test(thread_without_a_hub_has_none),
        virtual_test(without_memory_none_is_visited),
        virtual_test(site_is_where_it_was_made_from_the_project_root_on),
        virtual_test(stack_is_told_with_its_size_and_how_deep_it_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
