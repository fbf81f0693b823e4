/* Channels: an item passes from who puts it to who gets it, and both wait for each other. */
#include "sync_support.h"

#include "hub.h"

#include <vireo/channel.h>
#include <vireo/event.h>
#include <vireo/timeout.h>

static vr_channel channel;
static vr_event go;

static int new_channel(void **state)
{
    channel = VR_CHANNEL;
    return use_virtual_clock(state);
}

/* Nothing is left behind. */
static int end_channel(void **state)
{
    if (channel.putters || channel.getters || channel.putting || channel.promised)
        return -1;
    return free_hub(state);
}

static vr_result gets(void *name)
{
    vr_result result = vr_channel_get(&channel, VR_FOREVER);

    trace("%s", (const char *)name);
    return result;
}

static vr_result gets_within_10_ms(void *argument)
{
    return vr_channel_get(&channel, VR_MILLISECONDS(10));
}

static vr_result puts_item(void *item)
{
    int error = vr_channel_put(&channel, item, VR_FOREVER);

    trace("%d", (int)number_of(item));
    return vr_fail(error);
}

static vr_result puts_within_10_ms(void *item)
{
    return vr_fail(vr_channel_put(&channel, item, VR_MILLISECONDS(10)));
}

static void put_in_hub(void *item)
{
    assert_int_equal(vr_channel_put(&channel, item, 0), 0);
}

static void get_in_hub(void *item)
{
    assert_result_value(vr_channel_get(&channel, 0), item);
}

/* --- Passing on --- */

static vr_result gets_two(void *argument)
{
    for (int i = 0; i < 2; i++)
        trace("got %d", (int)number_of(vr_channel_get(&channel, VR_FOREVER).value));
    return vr_ok(NULL);
}

static vr_result puts_two(void *argument)
{
    for (int i = 1; i <= 2; i++) {
        trace("putting %d", i);
        vr_channel_put(&channel, number(i), VR_FOREVER);
    }
    trace("put");
    return vr_ok(NULL);
}

static void put_returns_when_the_item_was_taken(void **state)
{
    vr_greenlet *getter = vr_spawn(gets_two, NULL);

    for (int i = 1; i <= 2; i++) {
        trace("putting %d", i);
        assert_int_equal(vr_channel_put(&channel, number(i), VR_FOREVER), 0);
        trace("put %d", i);
    }
    assert_trace("putting 1 got 1 put 1 putting 2 got 2 put 2");
    assert_returns(getter, NULL);
}

static void get_returns_when_an_item_was_put(void **state)
{
    vr_greenlet *putter = vr_spawn(puts_two, NULL);

    trace("getting");
    for (int i = 1; i <= 2; i++)
        trace("got %d", (int)number_of(vr_channel_get(&channel, VR_FOREVER).value));
    assert_trace("getting putting 1 got 1 putting 2 got 2");
    assert_returns(putter, NULL);
    assert_trace("put");
}

static void get_does_not_switch_when_somebody_waits_with_an_item(void **state)
{
    vr_greenlet *putter = parked(puts_item, NULL); /* NULL is an item like others */

    assert_waits(putter, VR_WAIT_CHANNEL_PUT, &channel);
    assert_result_value(vr_channel_get(&channel, VR_FOREVER), NULL);
    assert_trace("");
    assert_fails(putter, 0);
}

static void putters_are_served_in_the_order_they_came(void **state)
{
    vr_greenlet *putters[] = {parked(puts_item, number(1)), parked(puts_item, number(2)), parked(puts_item, number(3))};

    for (int i = 1; i <= 3; i++)
        assert_result_value(vr_channel_get(&channel, VR_FOREVER), number(i));
    let_all_run();
    assert_trace("1 2 3");
    for (int i = 0; i < 3; i++)
        assert_fails(putters[i], 0);
}

static void getters_are_served_in_the_order_they_came(void **state)
{
    vr_greenlet *getters[] = {parked(gets, word("a")), parked(gets, word("b")), parked(gets, word("c"))};

    assert_waits(getters[0], VR_WAIT_CHANNEL_GET, &channel);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(vr_channel_put(&channel, number(i), VR_FOREVER), 0);
    assert_trace("a b c");
    for (int i = 0; i < 3; i++)
        assert_returns(getters[i], number(i + 1));
}

static void nobody_takes_an_item_that_is_a_getters_already(void **state)
{
    vr_greenlet *getter = parked(gets, word("a")), *putter = vr_spawn(puts_item, number(1)),
                *late = vr_spawn(gets, word("late"));

    vr_sleep(0);
    assert_result_error(vr_channel_get(&channel, 0), -ETIMEDOUT);
    assert_returns(getter, number(1));
    assert_fails(putter, 0);
    assert_int_equal(vr_channel_put(&channel, number(2), VR_FOREVER), 0);
    assert_returns(late, number(2));
}

/* --- Without waiting --- */

static void timeout_0_passes_an_item_only_to_who_waits(void **state)
{
    assert_int_equal(vr_channel_put(&channel, number(1), 0), -ETIMEDOUT);
    assert_result_error(vr_channel_get(&channel, 0), -ETIMEDOUT);

    vr_greenlet *getters[] = {parked(gets, word("a")), parked(gets, word("b"))};
    assert_int_equal(vr_channel_put(&channel, number(1), 0), 0);
    assert_int_equal(vr_channel_put(&channel, NULL, 0), 0);
    assert_int_equal(vr_channel_put(&channel, number(3), 0), -ETIMEDOUT);
    assert_trace(""); /* it did not switch */
    assert_returns(getters[0], number(1));
    assert_returns(getters[1], NULL);

    vr_greenlet *putter = parked(puts_item, number(4));
    assert_result_value(vr_channel_get(&channel, 0), number(4));
    assert_result_error(vr_channel_get(&channel, 0), -ETIMEDOUT);
    assert_fails(putter, 0);
}

static struct {
    vr_result get, poll;
    int put, poll_put;
} in_hub_got;

static void waits_in_hub(void *argument)
{
    in_hub_got.get = vr_channel_get(&channel, VR_SECONDS(1));
    in_hub_got.poll = vr_channel_get(&channel, 0);
    in_hub_got.put = vr_channel_put(&channel, number(2), VR_SECONDS(1));
    in_hub_got.poll_put = vr_channel_put(&channel, number(2), 0);
}

static void hub_callback_may_pass_items_to_who_waits_but_not_wait(void **state)
{
    in_hub(waits_in_hub, NULL);
    assert_result_error(in_hub_got.get, -EPERM);
    assert_result_error(in_hub_got.poll, -ETIMEDOUT);
    assert_int_equal(in_hub_got.put, -EPERM);
    assert_int_equal(in_hub_got.poll_put, -ETIMEDOUT);

    vr_greenlet *putter = parked(puts_item, number(1));
    in_hub(get_in_hub, number(1));
    assert_fails(putter, 0);
    vr_greenlet *getter = parked(gets, word("a"));
    in_hub(put_in_hub, number(2));
    assert_returns(getter, number(2));
}

/* --- Time --- */

static void put_and_get_end_after_their_timeout_and_pass_nothing(void **state)
{
    assert_int_equal(vr_channel_put(&channel, number(1), VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_result_error(vr_channel_get(&channel, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    assert_int_equal(vr_channel_put(&channel, number(1), 0), -ETIMEDOUT);
    assert_result_error(vr_channel_get(&channel, 0), -ETIMEDOUT);
}

static void what_comes_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    in_hub_after(&call, 10, put_in_hub, number(1));
    assert_result_value(vr_channel_get(&channel, VR_MILLISECONDS(10)), number(1));
    in_hub_after(&call, 10, get_in_hub, number(2));
    assert_int_equal(vr_channel_put(&channel, number(2), VR_MILLISECONDS(10)), 0);
}

static void what_comes_after_the_turn_of_the_timeout_is_for_the_next(void **state)
{
    vr_greenlet *first = parked(gets_within_10_ms, NULL), *second = parked(gets, word("b"));
    hub_call call;

    in_hub_after(&call, 10, put_in_hub, number(1));
    assert_fails(first, -ETIMEDOUT);
    assert_returns(second, number(1));

    first = parked(puts_within_10_ms, number(2)), second = parked(puts_item, number(3));
    in_hub_after(&call, 10, get_in_hub, number(3));
    assert_fails(first, -ETIMEDOUT);
    assert_fails(second, 0);
}

static void item_whose_putter_is_late_is_not_taken(void **state)
{
    vr_greenlet *putter = parked(puts_within_10_ms, number(1));
    vr_greenlet *getter = vr_spawn_later(VR_MILLISECONDS(10), gets, word("a"));

    assert_fails(putter, -ETIMEDOUT);
    let_all_run();
    assert_true(vr_running(getter));
    assert_int_equal(vr_channel_put(&channel, number(2), VR_FOREVER), 0);
    assert_returns(getter, number(2));
}

static void wait_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    FAIL(realloc, ENOMEM);
    assert_result_error(vr_channel_get(&channel, VR_SECONDS(1)), -ENOMEM);
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_channel_put(&channel, number(1), VR_SECONDS(1)), -ENOMEM);
    vr_greenlet *getter = parked(gets, word("a"));
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_channel_put(&channel, number(1), VR_SECONDS(1)), -ENOMEM);
    assert_int_equal(vr_channel_put(&channel, number(2), VR_FOREVER), 0);
    assert_returns(getter, number(2));
}

/* --- Kills --- */

static void killed_putter_and_getter_pass_nothing(void **state)
{
    vr_greenlet *first = parked(puts_item, number(1)), *second = parked(puts_item, number(2));

    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    assert_result_value(vr_channel_get(&channel, VR_FOREVER), number(2));
    assert_fails(second, 0);

    first = parked(gets, word("a")), second = parked(gets, word("b"));
    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    assert_int_equal(vr_channel_put(&channel, number(3), VR_FOREVER), 0);
    assert_returns(second, number(3));
}

static void item_of_a_getter_killed_in_that_very_turn_goes_to_the_next(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    assert_int_equal(vr_channel_put(&channel, number(1), VR_FOREVER), 0);
    assert_fails(first, -EIO);
    assert_returns(second, number(1));
}

static void items_of_getters_killed_in_that_very_turn_stay_in_their_order(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    vr_kill(second, -ETIMEDOUT); /* an error that looks like the wait's own */
    vr_greenlet *putters[] = {vr_spawn(puts_item, number(1)), vr_spawn(puts_item, number(2)),
                              vr_spawn(puts_item, number(3))};
    assert_fails(first, -EIO);
    assert_fails(second, -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        assert_result_value(vr_channel_get(&channel, VR_FOREVER), number(i + 1));
    for (int i = 0; i < 3; i++)
        assert_fails(putters[i], 0);
}

/* Has served a getter, and is gone before that has its turn. */
static vr_result puts_and_is_killed(void *item)
{
    vr_kill(vr_current(), -EIO);
    return vr_fail(vr_channel_put(&channel, item, VR_FOREVER));
}

static vr_result puts_on_go(void *item)
{
    vr_event_wait(&go, VR_FOREVER);
    return vr_fail(vr_channel_put(&channel, item, VR_FOREVER));
}

static void getters_whose_putters_left_wait_on_in_their_places(void **state)
{
    vr_greenlet *putters[3], *getters[] = {parked(gets, word("a")), parked(gets, word("b")), parked(gets, word("c")),
                                           parked(gets, word("d"))};

    go = VR_EVENT;
    for (int i = 0; i < 3; i++)
        putters[i] = parked(puts_on_go, number(9));
    vr_event_set(&go);
    for (int i = 0; i < 3; i++)
        vr_kill(putters[i], -EIO); /* behind its put, before the getters' turns */
    for (int i = 0; i < 3; i++)
        assert_fails(putters[i], -EIO);
    let_all_run();
    assert_trace("");
    assert_waits(getters[0], VR_WAIT_CHANNEL_GET, &channel);
    for (int i = 0; i < 4; i++)
        assert_int_equal(vr_channel_put(&channel, number(i), VR_FOREVER), 0);
    assert_trace("a b c d");
    for (int i = 0; i < 4; i++)
        assert_returns(getters[i], number(i));
}

static void getter_whose_putter_left_keeps_its_deadline(void **state)
{
    vr_greenlet *getter = parked(gets_within_10_ms, NULL);

    vr_sleep(VR_MILLISECONDS(6));
    assert_fails(vr_spawn(puts_and_is_killed, number(1)), -EIO);
    assert_fails(getter, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
}

static void getter_whose_putter_left_gets_the_next_ones_item(void **state)
{
    vr_greenlet *getter = parked(gets, word("a")), *putter = vr_spawn(puts_and_is_killed, number(1)),
                *other = vr_spawn(puts_item, number(2));

    assert_returns(getter, number(2));
    assert_fails(putter, -EIO);
    assert_fails(other, 0);
}

/* --- What was taken cannot be put back --- */

static vr_result puts_then_sleeps(void *item)
{
    trace("put %d", vr_channel_put(&channel, item, VR_FOREVER));
    return vr_fail(vr_sleep(VR_FOREVER));
}

static vr_result gets_then_sleeps(void *argument)
{
    trace("got %d", (int)number_of(vr_channel_get(&channel, VR_FOREVER).value));
    return vr_fail(vr_sleep(VR_FOREVER));
}

static void put_whose_item_was_taken_succeeds_and_the_kill_comes_at_the_next_wait(void **state)
{
    vr_greenlet *putter = parked(puts_then_sleeps, number(1));

    vr_kill(putter, -EIO);
    assert_result_value(vr_channel_get(&channel, VR_FOREVER), number(1));
    assert_fails(putter, -EIO);
    assert_trace("put 0");
}

static void get_of_what_was_put_without_waiting_succeeds_and_the_kill_comes_at_the_next_wait(void **state)
{
    vr_greenlet *getter = parked(gets_then_sleeps, NULL);

    vr_kill(getter, -EIO);
    assert_int_equal(vr_channel_put(&channel, number(1), 0), 0);
    assert_fails(getter, -EIO);
    assert_trace("got 1");
}

static vr_result throws(void *target)
{
    vr_throw(target, -EPROTO);
    return vr_ok(NULL);
}

static void kill_that_is_on_its_way_comes_rather_than_what_was_put_off(void **state)
{
    vr_greenlet *putter = parked(puts_then_sleeps, number(1)), *thrower = vr_spawn(throws, putter);

    assert_result_value(vr_channel_get(&channel, VR_FOREVER), number(1));
    vr_hub_take_off(putter->hub, &putter->wake); /* the throw comes first */
    vr_kill(putter, -EIO);
    vr_sleep(0);
    assert_fails(putter, -EIO);
    assert_trace("put 0");
    end_greenlet(thrower);
}

static int turns;

static vr_result puts_under_a_timeout(void *item)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_MILLISECONDS(10));
    long error = vr_event_wait(&go, VR_FOREVER);
    for (int i = 0; i < turns && !error; i++)
        error = vr_sleep(0);
    if (!error)
        error = vr_channel_put(&channel, item, VR_MILLISECONDS(20));
    error = vr_timeout_end(&timeout, error);
    trace(error ? "late" : "put");
    return vr_fail(vr_sleep(VR_MILLISECONDS(1)));
}

static vr_result gets_a_little_later(void *argument)
{
    vr_event_wait(&go, VR_FOREVER);
    for (int i = 0; i < turns; i++)
        vr_sleep(0);
    trace(vr_channel_get(&channel, VR_MILLISECONDS(1)).error ? "nothing" : "taken");
    return vr_ok(NULL);
}

static void sets(void *event)
{
    vr_event_set(event);
}

/* In one of these turns the timeout, that gives way to others a few times, meets a put whose item has just been taken.
 */
static void timeout_that_has_ended_after_a_put_that_succeeded_is_thrown_no_more(void **state)
{
    hub_call call;
    int puts_seen = 0;
    long thrown = 0;

    for (turns = 0; turns < 6; turns++) {
        go = VR_EVENT;
        vr_greenlet *putter = parked(puts_under_a_timeout, number(1)), *getter = parked(gets_a_little_later, NULL);
        in_hub_after(&call, 10, sets, &go);
        vr_joinall((vr_greenlet *[]){putter, getter}, 2, VR_FOREVER);
        thrown = thrown ? thrown : vr_error(putter);
        vr_unref(putter);
        vr_unref(getter);
        puts_seen += strcmp(trace_text, "taken put") == 0;
        if (strcmp(trace_text, "late nothing") != 0)
            assert_string_equal(trace_text, "taken put");
        trace_clear();
    }
    assert_true(puts_seen > 0);
    assert_int_equal(thrown, 0);
}

/* --- Many orders --- */

enum { PUTTERS = 4, GETTERS = 4, ITEMS = 6 };
static bool was_put[PUTTERS][ITEMS];
static int taken[PUTTERS][ITEMS], last_taken[GETTERS][PUTTERS];
static int errors;
static bool over;

static vr_time random_patience(void)
{
    return random_below(3) ? VR_MILLISECONDS(random_below(3)) : VR_MILLISECONDS(20);
}

static vr_result puts_at_random(void *putter)
{
    int me = (int)number_of(putter);

    for (int i = 0; i < ITEMS; i++) {
        int error = vr_channel_put(&channel, number(i * PUTTERS + me), random_patience());
        was_put[me][i] = !error;
        if (!error || error == -ETIMEDOUT)
            error = random_below(2) ? vr_sleep(VR_MILLISECONDS(random_below(3))) : 0;
        if (error)
            return vr_fail(error);
    }
    return vr_ok(NULL);
}

static vr_result gets_at_random(void *getter)
{
    int *last = last_taken[number_of(getter)];

    while (!over) {
        vr_result result = vr_channel_get(&channel, random_patience());
        if (!result.error) {
            int putter = (int)number_of(result.value) % PUTTERS, i = (int)number_of(result.value) / PUTTERS;
            taken[putter][i]++;
            errors += i < last[putter];
            last[putter] = i;
        } else if (result.error != -ETIMEDOUT) {
            return vr_fail(result.error);
        }
        int error = random_below(4) ? vr_sleep(VR_MILLISECONDS(random_below(3))) : 0;
        if (error)
            return vr_fail(error);
    }
    return vr_ok(NULL);
}

static void run_channel(void)
{
    vr_greenlet *putters[PUTTERS], *getters[GETTERS];

    channel = VR_CHANNEL;
    errors = 0;
    over = false;
    memset(was_put, 0, sizeof was_put);
    memset(taken, 0, sizeof taken);
    memset(last_taken, 0, sizeof last_taken);
    for (int i = 0; i < PUTTERS; i++)
        putters[i] = vr_spawn(puts_at_random, number(i));
    for (int i = 0; i < GETTERS; i++)
        getters[i] = vr_spawn(gets_at_random, number(i));
    for (int i = 0; i < GETTERS / 2; i++) {
        vr_sleep(VR_MILLISECONDS(random_below(5)));
        vr_kill(putters[i], -ECANCELED);
        vr_kill(getters[i], -ECANCELED);
    }
    for (int i = 0; i < PUTTERS; i++)
        assert_fails_or_exits(putters[i], 0);
    over = true;
    for (int i = 0; i < GETTERS; i++)
        assert_fails_or_exits(getters[i], 0);

    assert_int_equal(errors, 0);
    for (int i = 0; i < PUTTERS * ITEMS; i++)
        assert_int_equal(taken[i / ITEMS][i % ITEMS], was_put[i / ITEMS][i % ITEMS]);
    assert_true(!channel.putters && !channel.getters && !channel.putting && !channel.promised);
}

static void every_item_that_was_put_is_taken_once_in_any_order(void **state)
{
    with_many_seeds(run_channel);
}

#define channel_test(function) cmocka_unit_test_setup_teardown(function, new_channel, end_channel)

int main(void)
{
    const struct CMUnitTest tests[] = {
        channel_test(put_returns_when_the_item_was_taken),
        channel_test(get_returns_when_an_item_was_put),
        channel_test(get_does_not_switch_when_somebody_waits_with_an_item),
        channel_test(putters_are_served_in_the_order_they_came),
        channel_test(getters_are_served_in_the_order_they_came),
        channel_test(nobody_takes_an_item_that_is_a_getters_already),
        channel_test(timeout_0_passes_an_item_only_to_who_waits),
        channel_test(hub_callback_may_pass_items_to_who_waits_but_not_wait),
        channel_test(put_and_get_end_after_their_timeout_and_pass_nothing),
        channel_test(what_comes_in_the_turn_of_the_timeout_wins),
        channel_test(what_comes_after_the_turn_of_the_timeout_is_for_the_next),
        channel_test(item_whose_putter_is_late_is_not_taken),
        channel_test(wait_fails_where_there_is_no_memory_for_a_timer),
        channel_test(killed_putter_and_getter_pass_nothing),
        channel_test(item_of_a_getter_killed_in_that_very_turn_goes_to_the_next),
        channel_test(items_of_getters_killed_in_that_very_turn_stay_in_their_order),
        channel_test(getters_whose_putters_left_wait_on_in_their_places),
        channel_test(getter_whose_putter_left_keeps_its_deadline),
        channel_test(getter_whose_putter_left_gets_the_next_ones_item),
        channel_test(put_whose_item_was_taken_succeeds_and_the_kill_comes_at_the_next_wait),
        channel_test(get_of_what_was_put_without_waiting_succeeds_and_the_kill_comes_at_the_next_wait),
        channel_test(kill_that_is_on_its_way_comes_rather_than_what_was_put_off),
        channel_test(timeout_that_has_ended_after_a_put_that_succeeded_is_thrown_no_more),
        channel_test(every_item_that_was_put_is_taken_once_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
