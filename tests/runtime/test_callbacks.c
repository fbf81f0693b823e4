/* The hub's queue: callbacks first in first out, each of which can be cancelled until it runs. */
#include "support.h"

#include <vireo/io.h>
#include <vireo/waiter.h>

#include <fcntl.h>

/* A callback that traces its name. */
typedef struct named_callback {
    vr_callback callback;
    const char *name;
} named_callback;

static void traces_name(vr_callback *callback)
{
    trace("%s", ((named_callback *)(void *)callback)->name);
}

static named_callback named(const char *name)
{
    return (named_callback){.callback.run = traces_name, .name = name};
}

static void callbacks_run_first_in_first_out(void **state)
{
    named_callback a = named("a"), b = named("b"), c = named("c");

    vr_callback_queue(&b.callback);
    vr_callback_queue(&c.callback);
    vr_callback_queue(&a.callback);
    assert_trace("");
    vr_sleep(0);
    assert_trace("b c a");
}

static void callback_that_is_queued_keeps_its_place(void **state)
{
    named_callback a = named("a"), b = named("b");

    vr_callback_queue(&a.callback);
    vr_callback_queue(&b.callback);
    vr_callback_queue(&a.callback);
    vr_sleep(0);
    assert_trace("a b");
}

static void cancelled_callback_does_not_run(void **state)
{
    named_callback a = named("a"), b = named("b"), c = named("c"), never = named("never");

    vr_callback_queue(&a.callback);
    vr_callback_queue(&b.callback);
    vr_callback_queue(&c.callback);
    vr_callback_cancel(&b.callback);
    vr_callback_cancel(&b.callback);
    vr_callback_cancel(&never.callback);
    vr_sleep(0);
    assert_trace("a c");
}

static void last_one_can_be_cancelled_and_another_queued(void **state)
{
    named_callback a = named("a"), b = named("b");

    vr_callback_queue(&a.callback);
    vr_callback_cancel(&a.callback);
    vr_callback_queue(&b.callback);
    vr_callback_queue(&a.callback);
    vr_sleep(0);
    assert_trace("b a");
}

static void queued_tells_whether_it_is_to_run(void **state)
{
    named_callback a = named("a");

    assert_false(vr_callback_queued(&a.callback));
    vr_callback_queue(&a.callback);
    assert_true(vr_callback_queued(&a.callback));
    vr_callback_cancel(&a.callback);
    assert_false(vr_callback_queued(&a.callback));
    vr_callback_queue(&a.callback);
    vr_sleep(0);
    assert_false(vr_callback_queued(&a.callback));
    assert_trace("a");
}

/* A callback that does something to another one. */
typedef struct acting_callback {
    vr_callback callback;
    vr_callback *other;
    bool was_queued;
} acting_callback;

static void cancels_other(vr_callback *callback)
{
    acting_callback *acting = (acting_callback *)(void *)callback;

    acting->was_queued = vr_callback_queued(callback);
    vr_callback_cancel(acting->other);
    trace("cancelled");
}

static void callback_may_cancel_those_behind_it_and_itself(void **state)
{
    named_callback victim = named("victim"), last = named("last");
    acting_callback first = {.callback.run = cancels_other, .other = &victim.callback};
    acting_callback second = {.callback.run = cancels_other, .other = &second.callback};

    vr_callback_queue(&first.callback);
    vr_callback_queue(&victim.callback);
    vr_callback_queue(&second.callback);
    vr_callback_queue(&last.callback);
    vr_sleep(0);
    vr_sleep(0);
    assert_trace("cancelled cancelled last");
    assert_false(first.was_queued || second.was_queued);
}

static void queues_other(vr_callback *callback)
{
    trace("queues");
    vr_callback_queue(((acting_callback *)(void *)callback)->other);
}

static void callback_queued_by_a_callback_runs_behind_the_others(void **state)
{
    named_callback last = named("last"), added = named("added");
    acting_callback first = {.callback.run = queues_other, .other = &added.callback};

    vr_callback_queue(&first.callback);
    vr_callback_queue(&last.callback);
    vr_hub_join(VR_FOREVER);
    assert_trace("queues last added");
}

static int turns;

static void queues_itself(vr_callback *callback)
{
    if (--turns)
        vr_callback_queue(callback);
}

static void callback_may_queue_itself_again(void **state)
{
    vr_callback callback = {.run = queues_itself};

    turns = 1000;
    vr_callback_queue(&callback);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(turns, 0);
}

static void frees_itself(vr_callback *callback)
{
    trace("freed");
    test_free(callback);
}

static void callback_may_be_freed_from_the_moment_it_runs(void **state)
{
    named_callback last = named("last");

    for (int i = 0; i < 2; i++) {
        vr_callback *callback = test_malloc(sizeof *callback);
        *callback = (vr_callback){.run = frees_itself};
        vr_callback_queue(callback);
    }
    vr_callback_queue(&last.callback);
    vr_sleep(0);
    assert_trace("freed freed last");
}

static vr_result traces_argument(void *argument)
{
    trace("%s", (const char *)argument);
    return vr_ok(NULL);
}

static void callbacks_and_greenlets_share_one_queue(void **state)
{
    static char first[] = "greenlet 1", second[] = "greenlet 2";
    named_callback a = named("a"), b = named("b");

    vr_callback_queue(&a.callback);
    vr_unref(vr_spawn(traces_argument, first));
    vr_callback_queue(&b.callback);
    vr_unref(vr_spawn(traces_argument, second));
    vr_hub_join(VR_FOREVER);
    assert_trace("a greenlet 1 b greenlet 2");
}

static bool stop_spinning;

static void queues_itself_until_stopped(vr_callback *callback)
{
    if (!stop_spinning)
        vr_callback_queue(callback);
}

static void stops_spinning(vr_callback *callback)
{
    stop_spinning = true;
}

static void callback_that_queues_itself_does_not_starve_timers(void **state)
{
    vr_callback spinner = {.run = queues_itself_until_stopped};
    vr_timer timer = {.callback.run = stops_spinning};

    stop_spinning = false;
    vr_callback_queue(&spinner);
    assert_int_equal(vr_timer_start(&timer, VR_MICROSECONDS(1)), 0);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_true(stop_spinning);
}

static int pipe_ends[2];

static void queues_itself_and_writes_once(vr_callback *callback)
{
    if (turns++ == 3 && write(pipe_ends[1], "x", 1) != 1)
        stop_spinning = true;
    queues_itself_until_stopped(callback);
}

static vr_result reads_and_stops(void *argument)
{
    char octet;
    ssize_t got = vr_read(pipe_ends[0], &octet, 1, VR_FOREVER);

    stop_spinning = true;
    return vr_ok(number(got));
}

static void callback_that_queues_itself_does_not_starve_io(void **state)
{
    vr_callback spinner = {.run = queues_itself_and_writes_once};
    vr_greenlet *reader = vr_spawn(reads_and_stops, NULL);

    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
    stop_spinning = false;
    turns = 0;
    vr_callback_queue(&spinner);
    assert_int_equal(vr_join(reader, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(reader), number(1));
    vr_unref(reader);
    vr_close(pipe_ends[0]);
    vr_close(pipe_ends[1]);
}

static vr_greenlet *hub_seen;
static int errors_seen[4];

static void blocks_in_the_hub(vr_callback *callback)
{
    vr_waiter nothing = VR_WAITER;

    hub_seen = vr_current();
    errors_seen[0] = vr_sleep(0);
    errors_seen[1] = vr_sleep(VR_SECONDS(1));
    errors_seen[2] = vr_hub_join(VR_FOREVER);
    errors_seen[3] = (int)vr_waiter_get(&nothing, VR_FOREVER).error;
}

static void callback_runs_in_the_hub_and_must_not_block(void **state)
{
    vr_callback callback = {.run = blocks_in_the_hub};
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);

    vr_callback_queue(&callback);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_ptr_equal(hub_seen, vr_parent(greenlet));
    for (int i = 0; i < 4; i++)
        assert_int_equal(errors_seen[i], -EPERM);
    vr_unref(greenlet);
}

static vr_greenlet *spawned_in_hub;

static void spawns_in_the_hub(vr_callback *callback)
{
    static char name[] = "spawned";

    spawned_in_hub = vr_spawn(traces_argument, name);
}

static void callback_may_spawn(void **state)
{
    vr_callback callback = {.run = spawns_in_the_hub};

    vr_callback_queue(&callback);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("spawned");
    vr_unref(spawned_in_hub);
}

static size_t runs;

static void counts_runs(vr_callback *callback)
{
    runs++;
}

static void hundred_thousand_callbacks_all_run(void **state)
{
    size_t count = scaled(100000);
    vr_callback *callbacks = test_calloc(count, sizeof *callbacks);

    runs = 0;
    for (size_t i = 0; i < count; i++) {
        callbacks[i].run = counts_runs;
        vr_callback_queue(&callbacks[i]);
    }
    vr_sleep(0);
    assert_int_equal(runs, count);
    test_free(callbacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(callbacks_run_first_in_first_out),
        virtual_test(callback_that_is_queued_keeps_its_place),
        virtual_test(cancelled_callback_does_not_run),
        virtual_test(last_one_can_be_cancelled_and_another_queued),
        virtual_test(queued_tells_whether_it_is_to_run),
        virtual_test(callback_may_cancel_those_behind_it_and_itself),
        virtual_test(callback_queued_by_a_callback_runs_behind_the_others),
        virtual_test(callback_may_queue_itself_again),
        virtual_test(callback_may_be_freed_from_the_moment_it_runs),
        virtual_test(callbacks_and_greenlets_share_one_queue),
        real_test(callback_that_queues_itself_does_not_starve_timers),
        real_test(callback_that_queues_itself_does_not_starve_io),
        virtual_test(callback_runs_in_the_hub_and_must_not_block),
        virtual_test(callback_may_spawn),
        virtual_test(hundred_thousand_callbacks_all_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
