/* Timers on a virtual clock: exact times, and the order in which they fire. */
#include "support.h"

/* A timer that traces its name and the milliseconds of the time. */
typedef struct named_timer {
    vr_timer timer;
    const char *name;
} named_timer;

static void traces_name_and_time(vr_callback *callback)
{
    trace("%s@%ld", ((named_timer *)(void *)callback)->name, (long)(vr_now() / VR_MILLISECONDS(1)));
}

static named_timer named(const char *name)
{
    return (named_timer){.timer.callback.run = traces_name_and_time, .name = name};
}

static void start(named_timer *named_one, vr_time after)
{
    assert_int_equal(vr_timer_start(&named_one->timer, after), 0);
}

static void run_all(void)
{
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
}

static void timers_fire_once_at_their_time(void **state)
{
    named_timer a = named("a"), b = named("b"), c = named("c");

    start(&a, VR_MILLISECONDS(30));
    start(&b, VR_MILLISECONDS(10));
    start(&c, VR_MILLISECONDS(20));
    run_all();
    assert_trace("b@10 c@20 a@30");
    assert_int_equal(vr_now(), VR_MILLISECONDS(30));
}

static vr_time fired_at;

static void notes_the_time(vr_callback *callback)
{
    fired_at = vr_now();
}

static void times_are_exact_to_the_nanosecond(void **state)
{
    vr_timer timer = {.callback.run = notes_the_time};

    vr_timer_start(&timer, 123456789);
    run_all();
    assert_int_equal(fired_at, 123456789);
    vr_timer_start(&timer, 1);
    run_all();
    assert_int_equal(fired_at, 123456790);
}

static void equal_deadlines_fire_in_the_order_they_were_started(void **state)
{
    named_timer a = named("a"), b = named("b"), c = named("c");

    start(&c, VR_MILLISECONDS(10));
    start(&a, VR_MILLISECONDS(10));
    start(&b, VR_MILLISECONDS(10));
    run_all();
    assert_trace("c@10 a@10 b@10");
}

static void equal_deadlines_of_different_durations_keep_that_order(void **state)
{
    named_timer a = named("a"), b = named("b"), c = named("c"), d = named("d");

    start(&a, VR_MILLISECONDS(10));
    vr_sleep(VR_MILLISECONDS(4));
    start(&b, VR_MILLISECONDS(6));
    vr_sleep(VR_MILLISECONDS(3));
    start(&c, VR_MILLISECONDS(3));
    vr_sleep(VR_MILLISECONDS(1));
    start(&d, VR_MILLISECONDS(2));
    run_all();
    assert_trace("a@10 b@10 c@10 d@10");
}

static void timer_of_0_fires_in_the_next_trip_through_the_hub(void **state)
{
    named_timer a = named("a"), b = named("b");

    start(&a, VR_MILLISECONDS(1));
    start(&b, 0);
    assert_trace("");
    run_all();
    assert_trace("b@0 a@1");
}

static void stopped_timer_does_not_fire(void **state)
{
    named_timer a = named("a"), b = named("b"), c = named("c"), never = named("never");

    start(&a, VR_MILLISECONDS(10));
    start(&b, VR_MILLISECONDS(10));
    start(&c, VR_MILLISECONDS(10));
    vr_timer_stop(&b.timer);
    vr_timer_stop(&b.timer);
    vr_timer_stop(&never.timer);
    run_all();
    assert_trace("a@10 c@10");
}

static void stopped_first_timer_does_not_hold_up_the_next(void **state)
{
    named_timer a = named("a"), b = named("b"), c = named("c");

    start(&a, VR_MILLISECONDS(10));
    vr_sleep(VR_MILLISECONDS(1));
    start(&b, VR_MILLISECONDS(10));
    start(&c, VR_MILLISECONDS(20));
    vr_timer_stop(&a.timer);
    run_all();
    assert_trace("b@11 c@21");
}

static void stopped_timers_keep_nothing_waiting(void **state)
{
    named_timer a = named("a");

    start(&a, VR_SECONDS(10));
    vr_timer_stop(&a.timer);
    run_all();
    assert_int_equal(vr_now(), 0);
}

static void running_timer_cannot_be_started_again(void **state)
{
    named_timer a = named("a");

    start(&a, VR_MILLISECONDS(10));
    assert_int_equal(vr_timer_start(&a.timer, VR_MILLISECONDS(5)), -EALREADY);
    run_all();
    assert_trace("a@10");
}

static void timer_can_be_started_again_after_stop_and_after_it_fired(void **state)
{
    named_timer a = named("a");

    start(&a, VR_MILLISECONDS(10));
    vr_timer_stop(&a.timer);
    start(&a, VR_MILLISECONDS(20));
    run_all();
    start(&a, VR_MILLISECONDS(10));
    run_all();
    assert_trace("a@20 a@30");
}

/* A timer that stops another one. */
typedef struct stopping_timer {
    vr_timer timer;
    vr_timer *other;
} stopping_timer;

static void stops_other(vr_callback *callback)
{
    trace("stops");
    vr_timer_stop(((stopping_timer *)(void *)callback)->other);
}

static void callback_may_stop_a_timer_that_is_due_too(void **state)
{
    named_timer victim = named("victim"), last = named("last");
    stopping_timer first = {.timer.callback.run = stops_other, .other = &victim.timer};

    vr_timer_start(&first.timer, VR_MILLISECONDS(10));
    start(&victim, VR_MILLISECONDS(10));
    start(&last, VR_MILLISECONDS(10));
    run_all();
    assert_trace("stops last@10");
}

static void callback_may_stop_its_own_timer(void **state)
{
    stopping_timer itself = {.timer.callback.run = stops_other, .other = &itself.timer};

    vr_timer_start(&itself.timer, VR_MILLISECONDS(10));
    run_all();
    assert_trace("stops");
}

static void starts_a_due_one_again(vr_callback *callback)
{
    vr_timer *other = ((stopping_timer *)(void *)callback)->other;

    vr_timer_stop(other);
    vr_timer_start(other, VR_MILLISECONDS(5));
}

static void due_timer_that_is_stopped_and_started_fires_at_its_new_time(void **state)
{
    named_timer second = named("second");
    stopping_timer first = {.timer.callback.run = starts_a_due_one_again, .other = &second.timer};

    vr_timer_start(&first.timer, VR_MILLISECONDS(10));
    start(&second, VR_MILLISECONDS(10));
    run_all();
    assert_trace("second@15");
}

static int ticks;

static void starts_itself_again(vr_callback *callback)
{
    ticks++;
    if (vr_now() != VR_MILLISECONDS(10) * ticks)
        trace("tick %d at %ld", ticks, (long)vr_now());
    if (ticks < 100)
        vr_timer_start((vr_timer *)(void *)callback, VR_MILLISECONDS(10));
}

static void timer_that_starts_itself_again_does_not_drift(void **state)
{
    vr_timer timer = {.callback.run = starts_itself_again};

    ticks = 0;
    vr_timer_start(&timer, VR_MILLISECONDS(10));
    run_all();
    assert_int_equal(ticks, 100);
    assert_trace("");
}

static void frees_itself(vr_callback *callback)
{
    trace("freed");
    test_free(callback);
}

static void timer_may_be_freed_when_it_fires(void **state)
{
    for (int i = 0; i < 3; i++) {
        vr_timer *timer = test_calloc(1, sizeof *timer);
        timer->callback.run = frees_itself;
        vr_timer_start(timer, VR_MILLISECONDS(10));
    }
    run_all();
    assert_trace("freed freed freed");
}

static void timer_for_ever_never_fires_and_keeps_nothing_waiting(void **state)
{
    named_timer never = named("never"), a = named("a");

    start(&never, VR_FOREVER);
    start(&a, VR_SECONDS(1));
    run_all();
    assert_trace("a@1000");
    vr_timer_stop(&never.timer);
}

static void very_long_timer_does_not_overflow(void **state)
{
    named_timer long_one = named("long"), a = named("a");

    vr_sleep(VR_SECONDS(1));
    start(&long_one, VR_FOREVER - 1);
    start(&a, VR_SECONDS(1));
    vr_hub_join(VR_SECONDS(3600));
    assert_trace("a@2000");
    vr_timer_stop(&long_one.timer);
}

static vr_result gives_way_a_thousand_times(void *argument)
{
    for (int i = 0; i < 1000; i++)
        vr_sleep(0);
    trace("%ld", (long)vr_now());
    return vr_ok(NULL);
}

static void virtual_time_stands_still_while_anything_can_run(void **state)
{
    named_timer a = named("a");

    start(&a, VR_MILLISECONDS(1));
    vr_unref(vr_spawn(gives_way_a_thousand_times, NULL));
    run_all();
    assert_trace("0 a@1");
}

static void virtual_clock_begins_where_it_is_told_to(void **state)
{
    named_timer a = named("a");

    assert_int_equal(vr_hub_virtual_clock(VR_SECONDS(1000)), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1000));
    start(&a, VR_SECONDS(1));
    run_all();
    assert_trace("a@1001000");
}

static void virtual_clock_is_refused_while_timers_run(void **state)
{
    named_timer a = named("a");

    start(&a, VR_SECONDS(1));
    assert_int_equal(vr_hub_virtual_clock(0), -EBUSY);
    vr_timer_stop(&a.timer);
    assert_int_equal(vr_hub_virtual_clock(0), 0);
}

/* --- Many --- */

typedef struct counted_timer {
    vr_timer timer;
    vr_time due;
    size_t index;
    bool stopped;
} counted_timer;

static const counted_timer *previous_fired;
static size_t fired, out_of_order;

static void checks_its_turn(vr_callback *callback)
{
    const counted_timer *now = (counted_timer *)(void *)callback, *before = previous_fired;

    fired++;
    if (now->stopped || vr_now() != now->due ||
        (before && (before->due > now->due || (before->due == now->due && before->index > now->index))))
        out_of_order++;
    previous_fired = now;
}

/* A fixed sequence of numbers that looks like chance. */
static uint32_t next_random(void)
{
    static uint64_t seed = 1;

    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33);
}

/* Starts `count` timers of up to `durations` different durations, a little time passing in between, and stops a third.
 */
static void run_many(size_t count, uint32_t durations)
{
    counted_timer *timers = test_calloc(count, sizeof *timers);
    size_t stopped = 0;

    previous_fired = NULL;
    fired = out_of_order = 0;
    for (size_t i = 0; i < count; i++) {
        vr_time after = VR_SECONDS(1) + VR_MILLISECONDS(next_random() % durations);
        timers[i] = (counted_timer){.timer.callback.run = checks_its_turn, .due = vr_now() + after, .index = i};
        assert_int_equal(vr_timer_start(&timers[i].timer, after), 0);
        if (i % 100 == 0)
            vr_sleep(VR_MILLISECONDS(1));
    }
    for (size_t i = 0; i < count; i += 3) {
        if (timers[i].due <= vr_now())
            continue;
        vr_timer_stop(&timers[i].timer);
        timers[i].stopped = true;
        stopped++;
    }
    run_all();
    assert_int_equal(out_of_order, 0);
    assert_int_equal(fired, count - stopped);
    test_free(timers);
}

static void hundred_thousand_timers_fire_in_order(void **state)
{
    run_many(scaled(100000), 10);
}

static void thousands_of_durations_fire_in_order(void **state)
{
    run_many(scaled(20000), 5000);
}

static void start_and_stop_leave_nothing_behind(void **state)
{
    counted_timer timer = {.timer.callback.run = checks_its_turn};

    fired = 0;
    for (size_t i = 0; i < scaled(100000); i++) {
        assert_int_equal(vr_timer_start(&timer.timer, VR_MILLISECONDS(1 + i % 1000)), 0);
        vr_timer_stop(&timer.timer);
    }
    run_all();
    assert_int_equal(fired, 0);
    assert_int_equal(vr_now(), 0);
}

/* --- The real clock --- */

static void real_timers_fire_not_too_early(void **state)
{
    vr_timer timer = {.callback.run = notes_the_time};
    vr_time before = vr_now();

    vr_timer_start(&timer, VR_MICROSECONDS(10));
    run_all();
    assert_true(fired_at >= before + VR_MICROSECONDS(10));
}

static void real_timer_counts_from_its_start_not_from_the_last_poll(void **state)
{
    vr_timer timer = {.callback.run = notes_the_time};

    vr_sleep(0);
    for (vr_time polled = vr_now(); vr_now() < polled + VR_MICROSECONDS(500);)
        ;
    vr_time before = vr_now();
    vr_timer_start(&timer, VR_MICROSECONDS(200));
    run_all();
    assert_true(fired_at >= before + VR_MICROSECONDS(200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(timers_fire_once_at_their_time),
        virtual_test(times_are_exact_to_the_nanosecond),
        virtual_test(equal_deadlines_fire_in_the_order_they_were_started),
        virtual_test(equal_deadlines_of_different_durations_keep_that_order),
        virtual_test(timer_of_0_fires_in_the_next_trip_through_the_hub),
        virtual_test(stopped_timer_does_not_fire),
        virtual_test(stopped_first_timer_does_not_hold_up_the_next),
        virtual_test(stopped_timers_keep_nothing_waiting),
        virtual_test(running_timer_cannot_be_started_again),
        virtual_test(timer_can_be_started_again_after_stop_and_after_it_fired),
        virtual_test(callback_may_stop_a_timer_that_is_due_too),
        virtual_test(callback_may_stop_its_own_timer),
        virtual_test(due_timer_that_is_stopped_and_started_fires_at_its_new_time),
        virtual_test(timer_that_starts_itself_again_does_not_drift),
        virtual_test(timer_may_be_freed_when_it_fires),
        virtual_test(timer_for_ever_never_fires_and_keeps_nothing_waiting),
        virtual_test(very_long_timer_does_not_overflow),
        virtual_test(virtual_time_stands_still_while_anything_can_run),
        real_test(virtual_clock_begins_where_it_is_told_to),
        real_test(virtual_clock_is_refused_while_timers_run),
        virtual_test(hundred_thousand_timers_fire_in_order),
        virtual_test(thousands_of_durations_fire_in_order),
        virtual_test(start_and_stop_leave_nothing_behind),
        real_test(real_timers_fire_not_too_early),
        real_test(real_timer_counts_from_its_start_not_from_the_last_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
