/* Timeouts that are up in the same turn as something else: what wins, and that nothing of either is lost. */
#include "support.h"

#include <vireo/channel.h>
#include <vireo/io.h>
#include <vireo/pool.h>
#include <vireo/timeout.h>
#include <vireo/waiter.h>

/* --- Fired, but ended before it was thrown --- */

/* Both are up at once: the first is thrown, the second is on its way then. */
static void one_that_is_on_its_way_when_it_ends_is_never_thrown(void **state)
{
    vr_timeout thrown = VR_TIMEOUT, ordered = VR_TIMEOUT;

    vr_timeout_start(&thrown, VR_SECONDS(1));
    vr_timeout_start(&ordered, VR_SECONDS(1));
    int error = vr_sleep(VR_FOREVER);
    assert_true(vr_timeout_pending(&ordered));
    assert_int_equal(vr_timeout_end(&ordered, error), error);
    assert_false(vr_timeout_pending(&ordered));
    assert_int_equal(vr_timeout_end(&thrown, error), -ETIMEDOUT);
    assert_int_equal(vr_sleep(0), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void one_whose_timer_is_due_when_it_ends_is_never_thrown(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;

    /* The sleep's timer comes first, and has its turn in the same poll. */
    for (int before = 0; before < 2; before++) {
        if (before)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        vr_greenlet *sleeper = vr_spawn(sleeps_ms, number(1000));
        assert_int_equal(vr_sleep(0), 0);
        if (!before)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_int_equal(vr_join(sleeper, VR_FOREVER), 0);
        assert_true(vr_timeout_pending(&timeout));
        assert_int_equal(vr_timeout_end(&timeout, 0), 0);
        assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
        vr_unref(sleeper);
    }
}

/* --- Kills --- */

struct victim {
    bool kill_first;
    vr_greenlet *greenlet;
    vr_timer killer;
};

static void kills_victim(vr_callback *callback)
{
    vr_kill(((struct victim *)(void *)((char *)callback - offsetof(struct victim, killer.callback)))->greenlet,
            -ECANCELED);
}

static const char *word_for(const vr_timeout *timeout, long error)
{
    return !error ? "nothing" : error == -ECANCELED ? "kill" : vr_timeout_is(timeout, error) ? "timeout" : "other";
}

static vr_result is_killed_and_timed_out_at_once(void *argument)
{
    struct victim *self = argument;
    vr_timeout timeout = VR_TIMEOUT;

    self->killer.callback.run = kills_victim;
    if (self->kill_first)
        vr_timer_start(&self->killer, VR_SECONDS(1));
    vr_timeout_start(&timeout, VR_SECONDS(1));
    if (!self->kill_first)
        vr_timer_start(&self->killer, VR_SECONDS(1));
    long first = vr_sleep(VR_FOREVER);
    trace("%s", word_for(&timeout, first));
    long second = vr_sleep(VR_SECONDS(1));
    trace("%s", word_for(&timeout, second));
    vr_timeout_end(&timeout, 0);
    return vr_ok(NULL);
}

static void kill_and_timeout_at_once_are_both_thrown(void **state)
{
    for (int kill_first = 0; kill_first < 2; kill_first++) {
        struct victim victim = {.kill_first = kill_first};
        victim.greenlet = vr_spawn(is_killed_and_timed_out_at_once, &victim);
        assert_int_equal(vr_join(victim.greenlet, VR_FOREVER), 0);
        /* A timeout lets all that is ready go first. */
        assert_trace("kill timeout");
        vr_unref(victim.greenlet);
    }
}

static vr_result ends_its_timeout_with_a_kill_on_its_way(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_sleep(VR_FOREVER);
    vr_kill(vr_current(), -ECANCELED);
    trace("%s", vr_timeout_end(&timeout, error) == -ETIMEDOUT ? "timeout" : "other");
    return vr_fail(vr_sleep(VR_SECONDS(1)));
}

static void kill_that_is_on_its_way_survives_the_end_of_a_timeout(void **state)
{
    vr_greenlet *victim = vr_spawn(ends_its_timeout_with_a_kill_on_its_way, NULL);

    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_trace("timeout");
    assert_true(vr_exited(victim));
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_unref(victim);
}

static vr_result is_killed_while_its_timeout_is_on_its_way(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, 0);
    vr_kill(vr_current(), -ECANCELED);
    return vr_fail(vr_timeout_end_silently(&timeout, vr_sleep(VR_FOREVER)));
}

static void timeout_does_not_take_the_place_of_a_kill(void **state)
{
    vr_greenlet *victim = vr_spawn(is_killed_while_its_timeout_is_on_its_way, NULL);

    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_true(vr_exited(victim));
    vr_unref(victim);
}

static vr_result is_killed_within_a_timeout(void *argument)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(5));
    return vr_fail(vr_timeout_end_silently(&timeout, vr_sleep(VR_FOREVER)));
}

static void kill_passes_a_timeout(void **state)
{
    vr_greenlet *victim = vr_spawn(is_killed_within_a_timeout, NULL);

    vr_sleep(0);
    vr_kill(victim, -ECANCELED);
    assert_int_equal(vr_join(victim, VR_FOREVER), 0);
    assert_true(vr_exited(victim));
    assert_int_equal(vr_now(), 0);
    vr_unref(victim);
}

/* --- What is ready in the same turn --- */

struct gift {
    vr_waiter waiter;
    vr_timer timer;
};

static void gives(vr_callback *callback)
{
    vr_waiter_switch(&((struct gift *)(void *)((char *)callback - offsetof(struct gift, timer.callback)))->waiter,
                     number(7));
}

static void result_of_the_same_turn_wins_whichever_timer_was_first(void **state)
{
    for (int result_first = 0; result_first < 2; result_first++) {
        struct gift gift = {.timer.callback.run = gives};
        vr_timeout timeout = VR_TIMEOUT;
        if (result_first)
            vr_timer_start(&gift.timer, VR_SECONDS(1));
        vr_timeout_start(&timeout, VR_SECONDS(1));
        if (!result_first)
            vr_timer_start(&gift.timer, VR_SECONDS(1));
        assert_result_value(vr_waiter_get(&gift.waiter, VR_FOREVER), number(7));
        assert_int_equal(vr_timeout_end(&timeout, 0), 0);
    }
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static vr_result gives_after_a_second(void *waiter)
{
    vr_sleep(VR_SECONDS(1));
    vr_waiter_switch(waiter, number(7));
    return vr_ok(NULL);
}

static void result_of_a_greenlet_of_the_same_turn_wins(void **state)
{
    for (int giver_first = 0; giver_first < 2; giver_first++) {
        vr_waiter waiter = VR_WAITER;
        vr_timeout timeout = VR_TIMEOUT;
        if (!giver_first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        vr_greenlet *giver = vr_spawn(gives_after_a_second, &waiter);
        vr_sleep(0);
        if (giver_first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_result_value(vr_waiter_get(&waiter, VR_FOREVER), number(7));
        assert_int_equal(vr_timeout_end(&timeout, 0), 0);
        assert_int_equal(vr_join(giver, VR_FOREVER), 0);
        vr_unref(giver);
    }
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void end_of_a_group_in_the_same_turn_wins(void **state)
{
    for (int timeout_first = 0; timeout_first < 2; timeout_first++) {
        vr_timeout timeout = VR_TIMEOUT;
        vr_group group = VR_GROUP;
        if (timeout_first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        vr_unref(vr_group_spawn(&group, sleeps_ms, number(1000)));
        vr_sleep(0);
        if (!timeout_first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_int_equal(vr_group_join(&group, VR_FOREVER, 0), 0);
        assert_int_equal(vr_timeout_end(&timeout, 0), 0);
    }
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void result_wins_but_the_next_wait_fails(void **state)
{
    struct gift gift = {.timer.callback.run = gives};
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_timer_start(&gift.timer, VR_SECONDS(1));
    assert_result_value(vr_waiter_get(&gift.waiter, VR_FOREVER), number(7));
    assert_true(vr_timeout_pending(&timeout));
    int error = vr_sleep(VR_SECONDS(1));
    assert_true(vr_timeout_is(&timeout, error));
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_timeout_end(&timeout, error);
}

static void input_that_is_ready_in_the_same_poll_wins(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    int ends[2];

    assert_int_equal(vr_pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    vr_timeout_start(&timeout, 0);
    assert_int_equal(vr_wait_readable(ends[0], VR_FOREVER), 0);
    assert_int_equal(vr_timeout_end(&timeout, 0), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
    vr_close(ends[0]);
    vr_close(ends[1]);
}

static void callers_own_timeout_of_the_same_turn_may_be_either(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_waiter waiter = VR_WAITER;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_waiter_get(&waiter, VR_SECONDS(1)).error;
    assert_true(error == -ETIMEDOUT || vr_timeout_is(&timeout, error));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

/* --- Put off by what has a result already --- */

struct traffic {
    vr_channel channel;
    bool over;
};

/* Takes what there is in each turn, so that every wait of the other ends in the turn in which it began. */
static vr_result gets_all(void *argument)
{
    struct traffic *traffic = argument;

    while (!traffic->over) {
        vr_channel_get(&traffic->channel, 0);
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

/* A put that has passed its item on cannot fail: what was thrown is put off, and ends with its timeout all the same. */
static void timeout_that_was_put_off_is_thrown_or_ends_as_any(void **state)
{
    for (int ends = 0; ends < 2; ends++) {
        struct traffic traffic = {.channel = VR_CHANNEL};
        vr_timeout timeout = VR_TIMEOUT;
        vr_greenlet *getter = vr_spawn(gets_all, &traffic);
        long error = 0;
        vr_timeout_start(&timeout, 0);
        for (int i = 0; !error && i < 5000; i++) {
            error = vr_channel_put(&traffic.channel, NULL, VR_FOREVER);
            /* Once it is on its way, it may end in any turn. */
            if (!error && ends && !timeout.timer.list && i % 7 == 6) {
                assert_int_equal(vr_timeout_end(&timeout, 0), 0);
                assert_int_equal(vr_timeout_start(&timeout, 0), 0);
            }
        }
        if (!ends)
            assert_true(vr_timeout_is(&timeout, error));
        assert_int_equal(vr_timeout_end(&timeout, error), error ? -ETIMEDOUT : 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(vr_sleep(0), 0);
        traffic.over = true;
        assert_int_equal(vr_join(getter, VR_FOREVER), 0);
        vr_unref(getter);
    }
}

/* --- Among those that are busy --- */

struct ball {
    vr_waiter *there, *back;
    bool over;
};

/* Answers at once, and gives way, so that its partner has something in each turn. */
static vr_result plays(void *argument)
{
    struct ball *ball = argument;

    while (!ball->over) {
        if (ball->there)
            vr_waiter_switch(ball->there, NULL);
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

static void greenlet_that_always_has_something_is_interrupted_all_the_same(void **state)
{
    struct ball ball = {0};
    vr_timeout timeout = VR_TIMEOUT;
    vr_greenlet *partner = vr_spawn(plays, &ball);
    long error;

    vr_timeout_start(&timeout, 0);
    do {
        vr_waiter waiter = VR_WAITER;
        ball.there = &waiter;
        error = vr_waiter_get(&waiter, VR_FOREVER).error;
        ball.there = NULL;
    } while (!error);
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    ball.over = true;
    assert_int_equal(vr_join(partner, VR_FOREVER), 0);
    vr_unref(partner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(one_that_is_on_its_way_when_it_ends_is_never_thrown),
        virtual_test(one_whose_timer_is_due_when_it_ends_is_never_thrown),
        virtual_test(kill_and_timeout_at_once_are_both_thrown),
        virtual_test(timeout_does_not_take_the_place_of_a_kill),
        virtual_test(kill_that_is_on_its_way_survives_the_end_of_a_timeout),
        virtual_test(kill_passes_a_timeout),
        virtual_test(result_of_the_same_turn_wins_whichever_timer_was_first),
        virtual_test(result_of_a_greenlet_of_the_same_turn_wins),
        virtual_test(end_of_a_group_in_the_same_turn_wins),
        virtual_test(result_wins_but_the_next_wait_fails),
        virtual_test(input_that_is_ready_in_the_same_poll_wins),
        virtual_test(callers_own_timeout_of_the_same_turn_may_be_either),
        virtual_test(timeout_that_was_put_off_is_thrown_or_ends_as_any),
        virtual_test(greenlet_that_always_has_something_is_interrupted_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
