/* Queues: what goes in comes out, once and in its order; calls from the hub; memory that runs out. */
#include "queue_support.h"

/* --- Order --- */

static void first_in_comes_first_out(void **state)
{
    static vr_queue of_static_storage = VR_QUEUE_INIT(1);
    vr_greenlet *other = vr_spawn(echoes, NULL);

    for (intptr_t i = 1; i <= 3; i++)
        put(i);
    put(0); /* NULL is an item like others */
    for (intptr_t i = 1; i <= 3; i++)
        assert_result_value(vr_queue_get(&queue, VR_FOREVER), number(i));
    assert_get(0);
    assert_int_equal(vr_queue_put(&of_static_storage, &queue, 0), 0);
    assert_true(vr_queue_full(&of_static_storage));
    vr_queue_done(&of_static_storage);
    assert_false(vr_ready(other)); /* nothing switched */
    assert_returns(other, NULL);
}

static void last_in_comes_first_out(void **state)
{
    queue = VR_LIFO_QUEUE(0);
    put(1);
    put(2);
    assert_result_value(vr_queue_peek(&queue, 0), number(2));
    assert_get(2);
    put(3);
    assert_get(3);
    assert_get(1);
}

static void priority_decides_and_equals_come_as_they_went_in(void **state)
{
    queue = VR_PRIORITY_QUEUE(0, by_priority);
    intptr_t in[] = {31, 12, 33, 14, 25, 16, 37, 28}, out[] = {12, 14, 16, 25, 28, 31, 33, 37};

    for (size_t i = 0; i < 8; i++)
        put(in[i]);
    assert_result_value(vr_queue_peek(&queue, 0), number(12));
    for (size_t i = 0; i < 8; i++)
        assert_get(out[i]);
}

enum { MODEL_SIZE = 200 };

/* What a queue does, in the simplest way: where the next item is among those in the order they went in. */
static size_t next_in_model(const intptr_t *model, size_t count)
{
    size_t next = 0;

    if (queue.lifo)
        return count - 1;
    for (size_t i = 1; queue.compare && i < count; i++)
        if (by_priority(number(model[i]), number(model[next])) < 0)
            next = i;
    return next;
}

static void compare_with_model(void)
{
    intptr_t model[MODEL_SIZE];
    size_t count = 0, limit = 1 + random_below(MODEL_SIZE);

    for (int step = 0; step < 1000; step++) {
        /* It fills, and empties again. */
        if (count < limit && random_below(100) < (step / 250 % 2 ? 30 : 70)) {
            model[count] = (intptr_t)random_below(50);
            put(model[count++]);
        } else if (count > 0) {
            size_t next = next_in_model(model, count);
            assert_result_value(vr_queue_peek(&queue, 0), number(model[next]));
            assert_get(model[next]);
            memmove(&model[next], &model[next + 1], (--count - next) * sizeof *model);
        }
        assert_int_equal(vr_queue_size(&queue), count);
    }
    while (count-- > 0)
        assert_int_equal(vr_queue_get(&queue, 0).error, 0);
    vr_queue_done(&queue);
}

static void items_come_out_as_from_a_plain_list(void **state)
{
    for (uint32_t run = 1; run <= 20; run++) {
        random_state = run;
        queue = VR_QUEUE(run % 2 ? 0 : MODEL_SIZE);
        compare_with_model();
        queue = VR_LIFO_QUEUE(run % 2 ? 0 : MODEL_SIZE);
        compare_with_model();
        queue = VR_PRIORITY_QUEUE(run % 2 ? 0 : MODEL_SIZE, by_priority);
        compare_with_model();
    }
}

/* --- The hub --- */

static struct {
    vr_result get, poll;
    int put, poll_to_full;
} in_hub_got;

static void waits_in_hub(void *argument)
{
    in_hub_got.get = vr_queue_get(&queue, VR_SECONDS(1));
    in_hub_got.poll = vr_queue_get(&queue, 0);
    put_in_hub(number(1));
    in_hub_got.put = vr_queue_put(&queue, number(2), VR_SECONDS(1));
    in_hub_got.poll_to_full = vr_queue_put(&queue, number(2), 0);
}

static void hub_callback_may_put_and_take_but_not_wait(void **state)
{
    queue = VR_QUEUE(1);
    in_hub(waits_in_hub, NULL);
    assert_result_error(in_hub_got.get, -EPERM);
    assert_result_error(in_hub_got.poll, -ETIMEDOUT);
    assert_int_equal(in_hub_got.put, -EPERM);
    assert_int_equal(in_hub_got.poll_to_full, -ETIMEDOUT);

    vr_greenlet *putter = parked(puts_item, number(2));
    in_hub(get_in_hub, number(1));
    assert_fails(putter, 0);
    in_hub(get_in_hub, number(2));
    vr_greenlet *getter = parked(gets, word("a"));
    in_hub(put_in_hub, number(3));
    assert_returns(getter, number(3));
}

/* --- Memory --- */

static void put_fails_where_there_is_no_memory_and_nothing_is_lost(void **state)
{
    FAIL(reallocarray, ENOMEM);
    assert_int_equal(vr_queue_put(&queue, number(0), VR_FOREVER), -ENOMEM);
    assert_int_equal(vr_queue_unfinished(&queue), 0);
    intptr_t count = 0;
    for (; fault_reallocarray.calls < 3; count++) {
        put(count);
        if (count % 3 == 2)
            assert_result_value(vr_queue_peek(&queue, 0), number(0));
    }
    FAIL(reallocarray, ENOMEM);
    int error;
    while (!(error = vr_queue_put(&queue, number(count), 0)))
        count++;
    assert_int_equal(error, -ENOMEM);
    assert_int_equal(vr_queue_size(&queue), (size_t)count);
    for (intptr_t i = 0; i < count; i++)
        assert_get(i);
}

static void room_of_a_putter_without_memory_goes_to_the_next(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_item, number(2)), *second = parked(puts_item, number(3));
    vr_queue_set_maxsize(&queue, 2);
    FAIL(reallocarray, ENOMEM);
    assert_fails(first, -ENOMEM);
    assert_fails(second, 0);
    assert_get(1);
    assert_get(3);
}

static void wait_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    queue = VR_QUEUE(1);
    FAIL(realloc, ENOMEM);
    assert_result_error(vr_queue_get(&queue, VR_SECONDS(1)), -ENOMEM);
    FAIL(realloc, ENOMEM);
    assert_result_error(vr_queue_peek(&queue, VR_SECONDS(1)), -ENOMEM);
    put(1);
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_queue_put(&queue, number(2), VR_SECONDS(1)), -ENOMEM);
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_queue_join(&queue, VR_SECONDS(1)), -ENOMEM);
    assert_get(1);
}

/* --- Tasks --- */

static void join_waits_until_every_task_is_done(void **state)
{
    assert_int_equal(vr_queue_join(&queue, VR_FOREVER), 0); /* there were none */
    put(1);
    put(2);
    assert_int_equal(vr_queue_unfinished(&queue), 2);
    vr_greenlet *first = parked(joins, word("a")), *second = parked(joins, word("b"));
    assert_waits(first, VR_WAIT_QUEUE_JOIN, &queue);
    assert_get(1);
    assert_get(2);
    assert_int_equal(vr_queue_task_done(&queue), 0);
    let_all_run();
    assert_trace("");
    assert_int_equal(vr_queue_join(&queue, 0), -ETIMEDOUT);
    assert_int_equal(vr_queue_task_done(&queue), 0);
    put(3); /* it was done for a moment */
    let_all_run();
    assert_trace("a b");
    assert_fails(first, 0);
    assert_fails(second, 0);
    assert_get(3);
    assert_int_equal(vr_queue_task_done(&queue), 0);
    assert_int_equal(vr_queue_task_done(&queue), -EINVAL);
}

static void join_ends_early_by_timeout_or_kill(void **state)
{
    put(1);
    assert_int_equal(vr_queue_join(&queue, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    vr_greenlet *first = parked(joins, word("a"));
    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    first = parked(joins, word("a"));
    vr_kill(first, -EIO);
    assert_int_equal(vr_queue_task_done(&queue), 0);
    assert_fails(first, -EIO);
    assert_get(1);
}

static void item_counts_as_a_task_when_it_is_in(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_item, number(2)), *second = parked(puts_item, number(3));
    vr_kill(second, -EIO);
    assert_fails(second, -EIO);
    assert_int_equal(vr_queue_unfinished(&queue), 1);
    assert_get(1);
    assert_fails(first, 0);
    assert_int_equal(vr_queue_unfinished(&queue), 2);
    assert_get(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(first_in_comes_first_out),
        queue_test(last_in_comes_first_out),
        queue_test(priority_decides_and_equals_come_as_they_went_in),
        queue_test(items_come_out_as_from_a_plain_list),
        queue_test(hub_callback_may_put_and_take_but_not_wait),
        queue_test(put_fails_where_there_is_no_memory_and_nothing_is_lost),
        queue_test(room_of_a_putter_without_memory_goes_to_the_next),
        queue_test(wait_fails_where_there_is_no_memory_for_a_timer),
        queue_test(join_waits_until_every_task_is_done),
        queue_test(join_ends_early_by_timeout_or_kill),
        queue_test(item_counts_as_a_task_when_it_is_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
