/* Queues: those who wait for items and for room, in the order they came, whoever is late or is killed. */
#include "queue_support.h"

/* --- Getters --- */

static void items_go_to_getters_in_the_order_they_came(void **state)
{
    vr_greenlet *getters[] = {parked(gets, word("a")), parked(gets, word("b")), parked(gets, word("c"))};

    assert_waits(getters[0], VR_WAIT_QUEUE_GET, &queue);
    put(1);
    assert_trace(""); /* it did not switch */
    let_all_run();
    assert_trace("a");
    put(2);
    put(3);
    let_all_run();
    assert_trace("b c");
    for (int i = 0; i < 3; i++)
        assert_returns(getters[i], number(i + 1));
}

static void nobody_takes_an_item_that_is_a_getters_already(void **state)
{
    vr_greenlet *getter = parked(gets, word("a"));

    put(1);
    assert_true(vr_queue_empty(&queue));
    assert_int_equal(vr_queue_size(&queue), 0);
    assert_result_error(vr_queue_get(&queue, 0), -ETIMEDOUT);
    assert_result_error(vr_queue_peek(&queue, 0), -ETIMEDOUT);
    vr_greenlet *late = vr_spawn(gets, word("late"));
    let_all_run();
    assert_trace("a");
    assert_returns(getter, number(1));
    put(2);
    assert_returns(late, number(2));
}

static void item_that_is_a_getters_takes_no_room(void **state)
{
    queue = VR_QUEUE(1);
    vr_greenlet *getter = parked(gets, word("a"));

    put(1);
    assert_false(vr_queue_full(&queue));
    assert_int_equal(vr_queue_put(&queue, number(2), 0), 0);
    assert_true(vr_queue_full(&queue));
    assert_int_equal(vr_queue_put(&queue, number(3), 0), -ETIMEDOUT);
    assert_returns(getter, number(1));
    assert_get(2);
}

static void getter_takes_the_best_item_that_is_there_in_its_turn(void **state)
{
    queue = VR_PRIORITY_QUEUE(0, by_priority);
    vr_greenlet *getter = parked(gets, word("a"));

    put(20);
    put(10);
    assert_returns(getter, number(10));
    assert_get(20);
}

static void get_ends_after_its_timeout_and_takes_nothing(void **state)
{
    vr_greenlet *getter = parked(gets_within_10_ms, NULL);

    assert_fails(getter, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    put(1);
    assert_get(1);
}

static void item_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    in_hub_after(&call, 10, put_in_hub, number(1));
    assert_result_value(vr_queue_get(&queue, VR_MILLISECONDS(10)), number(1));
}

static void item_after_the_turn_of_the_timeout_is_for_the_next(void **state)
{
    vr_greenlet *first = parked(gets_within_10_ms, NULL), *second = parked(gets, word("b"));
    hub_call call;

    in_hub_after(&call, 10, put_in_hub, number(1));
    assert_fails(first, -ETIMEDOUT);
    assert_returns(second, number(1));
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
}

static void killed_getter_takes_nothing(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    put(1);
    assert_returns(second, number(1));
}

static void item_of_a_getter_killed_in_that_very_turn_goes_to_the_next(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    put(1);
    assert_fails(first, -EIO);
    assert_returns(second, number(1));
    assert_true(vr_queue_empty(&queue));
}

static void items_of_getters_killed_in_that_very_turn_stay_in_their_order(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    vr_kill(second, -ETIMEDOUT); /* an error that looks like the wait's own */
    for (intptr_t i = 1; i <= 3; i++)
        put(i);
    assert_fails(first, -EIO);
    assert_fails(second, -ETIMEDOUT);
    for (intptr_t i = 1; i <= 3; i++)
        assert_get(i);
}

static void items_that_come_back_are_kept_above_maxsize(void **state)
{
    queue = VR_QUEUE(1);
    vr_greenlet *getter = parked(gets, word("a"));

    vr_kill(getter, -EIO);
    put(1);
    put(2);
    assert_fails(getter, -EIO);
    assert_int_equal(vr_queue_size(&queue), 2);
    assert_true(vr_queue_full(&queue));
    vr_greenlet *putter = parked(puts_item, number(3));
    assert_get(1);
    let_all_run();
    assert_true(vr_running(putter)); /* it is still full */
    assert_get(2);
    assert_fails(putter, 0);
    assert_get(3);
}

static void getter_killed_behind_its_turn_has_its_item(void **state)
{
    vr_greenlet *getter = parked(gets, word("a"));

    put(1);
    vr_kill(getter, -EIO);
    assert_returns(getter, number(1));
}

/* --- Putters --- */

static void put_waits_while_the_queue_is_full(void **state)
{
    queue = VR_QUEUE(2);
    put(1);
    assert_false(vr_queue_full(&queue));
    put(2);
    assert_true(vr_queue_full(&queue));
    assert_int_equal(vr_queue_maxsize(&queue), 2);
    assert_int_equal(vr_queue_put(&queue, number(9), 0), -ETIMEDOUT);

    vr_greenlet *putters[] = {parked(puts_item, number(3)), parked(puts_item, number(4))};
    assert_waits(putters[0], VR_WAIT_QUEUE_PUT, &queue);
    assert_get(1);
    /* The room is the first one's: nobody comes in between. */
    assert_true(vr_queue_full(&queue));
    assert_int_equal(vr_queue_put(&queue, number(9), 0), -ETIMEDOUT);
    let_all_run();
    assert_trace("3");
    assert_get(2);
    assert_get(3);
    let_all_run();
    assert_trace("4");
    assert_get(4);
    for (int i = 0; i < 2; i++)
        assert_fails(putters[i], 0);
}

static void put_ends_after_its_timeout_and_puts_nothing(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    assert_fails(parked(puts_within_10_ms, number(2)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_get(1);
    assert_true(vr_queue_empty(&queue));
}

static void room_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    queue = VR_QUEUE(1);
    put(1);
    in_hub_after(&call, 10, get_in_hub, number(1));
    assert_int_equal(vr_queue_put(&queue, number(2), VR_MILLISECONDS(10)), 0);
    assert_get(2);
}

static void room_after_the_turn_of_the_timeout_is_for_the_next(void **state)
{
    hub_call call;

    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_within_10_ms, number(2)), *second = parked(puts_item, number(3));
    in_hub_after(&call, 10, get_in_hub, number(1));
    assert_fails(first, -ETIMEDOUT);
    assert_fails(second, 0);
    assert_get(3);
}

static void killed_putter_puts_nothing(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_item, number(2)), *second = parked(puts_item, number(3));
    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    assert_get(1);
    assert_fails(second, 0);
    assert_get(3);
}

static void room_of_a_putter_killed_in_that_very_turn_goes_to_the_next(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_item, number(2)), *second = parked(puts_item, number(3));
    vr_kill(first, -EIO);
    assert_get(1);
    assert_fails(first, -EIO);
    assert_fails(second, 0);
    assert_get(3);
    assert_true(vr_queue_empty(&queue));
    put(4); /* the room is there */
    assert_get(4);
}

static void higher_maxsize_lets_in_those_who_wait(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *putters[] = {parked(puts_item, number(2)), parked(puts_item, number(3)), parked(puts_item, number(4))};
    vr_queue_set_maxsize(&queue, 3);
    let_all_run();
    assert_trace("2 3");
    vr_queue_set_maxsize(&queue, 0);
    assert_false(vr_queue_full(&queue));
    for (int i = 0; i < 3; i++)
        assert_fails(putters[i], 0);
    for (intptr_t i = 1; i <= 4; i++)
        assert_get(i);
}

static void lower_maxsize_takes_nothing_out(void **state)
{
    put(1);
    put(2);
    vr_queue_set_maxsize(&queue, 1);
    assert_true(vr_queue_full(&queue));
    assert_int_equal(vr_queue_put(&queue, number(3), 0), -ETIMEDOUT);
    assert_get(1);
    assert_true(vr_queue_full(&queue));
    assert_get(2);
    assert_false(vr_queue_full(&queue));
}

/* --- Peekers --- */

static void peek_leaves_the_item(void **state)
{
    assert_result_error(vr_queue_peek(&queue, 0), -ETIMEDOUT);
    put(1);
    put(2);
    for (int i = 0; i < 2; i++)
        assert_result_value(vr_queue_peek(&queue, VR_FOREVER), number(1));
    assert_int_equal(vr_queue_size(&queue), 2);
    assert_get(1);
    assert_get(2);
}

static void peeker_sees_an_item_before_later_getters_take_it(void **state)
{
    vr_greenlet *peeker = parked(peeks, word("peek")), *getter = parked(gets, word("get")),
                *late = parked(peeks, word("late"));

    assert_waits(peeker, VR_WAIT_QUEUE_GET, &queue);
    put(1);
    let_all_run();
    assert_trace("peek get");
    assert_returns(peeker, number(1));
    assert_returns(getter, number(1));
    put(2);
    assert_returns(late, number(2));
    assert_get(2);
}

/* Has another one wait at once, before those who were served have their turn. */
static vr_result puts_takes_and_lets_in(void *other)
{
    put(1);
    assert_get(1); /* nobody waits to take it, so it is to be had */
    return vr_switch(other, word("late"));
}

static void peekers_whose_item_was_taken_wait_on_in_their_places(void **state)
{
    vr_greenlet *peekers[] = {parked(peeks, word("a")), parked(peeks, word("b")), parked(peeks, word("c"))};
    vr_greenlet *late = vr_greenlet_new(peeks), *helper = vr_spawn(puts_takes_and_lets_in, late);

    let_all_run();
    assert_trace("");
    for (int i = 0; i < 3; i++)
        assert_waits(peekers[i], VR_WAIT_QUEUE_GET, &queue);
    vr_greenlet *getter = parked(gets, word("get"));
    put(2);
    let_all_run();
    assert_trace("a b c late get");
    for (int i = 0; i < 3; i++)
        assert_returns(peekers[i], number(2));
    assert_returns(late, number(2));
    assert_returns(getter, number(2));
    end_greenlet(helper);
}

static vr_result peeks_within_10_ms(void *argument)
{
    return vr_queue_peek(&queue, VR_MILLISECONDS(10));
}

static void peek_that_waits_on_keeps_its_deadline(void **state)
{
    vr_greenlet *peeker = parked(peeks_within_10_ms, NULL);

    vr_sleep(VR_MILLISECONDS(6));
    put(1);
    assert_get(1);
    assert_fails(peeker, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
}

static void killed_peeker_changes_nothing(void **state)
{
    vr_greenlet *first = parked(peeks, word("a")), *second = parked(gets, word("b"));

    vr_kill(first, -EIO);
    put(1);
    assert_fails(first, -EIO);
    assert_returns(second, number(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(items_go_to_getters_in_the_order_they_came),
        queue_test(nobody_takes_an_item_that_is_a_getters_already),
        queue_test(item_that_is_a_getters_takes_no_room),
        queue_test(getter_takes_the_best_item_that_is_there_in_its_turn),
        queue_test(get_ends_after_its_timeout_and_takes_nothing),
        queue_test(item_in_the_turn_of_the_timeout_wins),
        queue_test(item_after_the_turn_of_the_timeout_is_for_the_next),
        queue_test(killed_getter_takes_nothing),
        queue_test(item_of_a_getter_killed_in_that_very_turn_goes_to_the_next),
        queue_test(items_of_getters_killed_in_that_very_turn_stay_in_their_order),
        queue_test(items_that_come_back_are_kept_above_maxsize),
        queue_test(getter_killed_behind_its_turn_has_its_item),
        queue_test(put_waits_while_the_queue_is_full),
        queue_test(put_ends_after_its_timeout_and_puts_nothing),
        queue_test(room_in_the_turn_of_the_timeout_wins),
        queue_test(room_after_the_turn_of_the_timeout_is_for_the_next),
        queue_test(killed_putter_puts_nothing),
        queue_test(room_of_a_putter_killed_in_that_very_turn_goes_to_the_next),
        queue_test(higher_maxsize_lets_in_those_who_wait),
        queue_test(lower_maxsize_takes_nothing_out),
        queue_test(peek_leaves_the_item),
        queue_test(peeker_sees_an_item_before_later_getters_take_it),
        queue_test(peekers_whose_item_was_taken_wait_on_in_their_places),
        queue_test(peek_that_waits_on_keeps_its_deadline),
        queue_test(killed_peeker_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
