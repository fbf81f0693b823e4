/* Queues: shutdown, the end, and runs in many orders with all of it. */
#include "queue_support.h"

/* --- Shutdown --- */

static void shutdown_ends_puts_at_once_and_gets_when_all_is_taken(void **state)
{
    put(1);
    put(2);
    assert_false(vr_queue_is_shut(&queue));
    vr_queue_shutdown(&queue);
    vr_queue_shutdown(&queue);
    assert_true(vr_queue_is_shut(&queue));
    assert_int_equal(vr_queue_put(&queue, number(3), VR_FOREVER), -ESHUTDOWN);
    assert_int_equal(vr_queue_put(&queue, number(3), 0), -ESHUTDOWN);
    assert_result_value(vr_queue_peek(&queue, 0), number(1));
    assert_get(1);
    assert_get(2);
    assert_result_error(vr_queue_get(&queue, VR_FOREVER), -ESHUTDOWN);
    assert_result_error(vr_queue_get(&queue, 0), -ESHUTDOWN);
    assert_result_error(vr_queue_peek(&queue, VR_FOREVER), -ESHUTDOWN);
    assert_int_equal(vr_queue_join(&queue, 0), -ETIMEDOUT);
    vr_queue_task_done(&queue);
    vr_queue_task_done(&queue);
    assert_int_equal(vr_queue_join(&queue, VR_FOREVER), 0);
}

static void shutdown_wakes_all_who_wait_for_items(void **state)
{
    vr_greenlet *getter = parked(gets, word("get")), *peeker = parked(peeks, word("peek"));

    vr_queue_shutdown(&queue);
    assert_fails(getter, -ESHUTDOWN);
    assert_fails(peeker, -ESHUTDOWN);
}

static void shutdown_wakes_all_who_wait_for_room(void **state)
{
    queue = VR_QUEUE(1);
    put(1);
    vr_greenlet *first = parked(puts_item, number(2)), *second = parked(puts_item, number(3));
    assert_get(1); /* the room is the first one's, but it has had no turn */
    vr_queue_shutdown(&queue);
    assert_fails(first, -ESHUTDOWN);
    assert_fails(second, -ESHUTDOWN);
    assert_true(vr_queue_empty(&queue));
    assert_int_equal(vr_queue_unfinished(&queue), 1);
}

static void getter_that_has_an_item_gets_it_after_shutdown_too(void **state)
{
    vr_greenlet *first = parked(gets, word("a")), *second = parked(gets, word("b"));

    put(1);
    vr_queue_shutdown(&queue);
    assert_returns(first, number(1));
    assert_fails(second, -ESHUTDOWN);
}

static void item_that_comes_back_after_shutdown_is_there_to_be_taken(void **state)
{
    vr_greenlet *getter = parked(gets, word("a"));

    vr_kill(getter, -EIO);
    put(1);
    vr_queue_shutdown(&queue);
    assert_fails(getter, -EIO);
    assert_get(1);
    assert_result_error(vr_queue_get(&queue, 0), -ESHUTDOWN);
}

static void peeker_whose_item_was_taken_ends_with_the_queue(void **state)
{
    vr_greenlet *peeker = parked(peeks, word("a"));

    put(1);
    assert_get(1);
    vr_queue_shutdown(&queue);
    assert_fails(peeker, -ESHUTDOWN);
}

static void queue_that_is_shut_can_be_emptied_at_once(void **state)
{
    vr_result left;
    int count = 0;

    put(1);
    put(2);
    vr_greenlet *joiner = parked(joins, word("joined"));
    vr_queue_shutdown(&queue);
    for (; !(left = vr_queue_get(&queue, 0)).error; vr_queue_task_done(&queue))
        count++;
    assert_int_equal(left.error, -ESHUTDOWN);
    assert_int_equal(count, 2);
    assert_fails(joiner, 0);
}

/* --- The end --- */

static void queue_is_as_at_first_when_it_has_ended(void **state)
{
    vr_queue_done(NULL);
    queue = VR_PRIORITY_QUEUE(3, by_priority);
    put(20);
    put(10);
    vr_queue_shutdown(&queue);
    for (int i = 0; i < 2; i++) {
        vr_queue_done(&queue);
        assert_true(vr_queue_empty(&queue));
        assert_false(vr_queue_is_shut(&queue));
        assert_int_equal(vr_queue_unfinished(&queue), 0);
        assert_int_equal(vr_queue_maxsize(&queue), 3);
    }
    put(20);
    put(10);
    assert_get(10);
    assert_get(20);
}

static void ends_while_a_getter_waits(void)
{
    vr_spawn(gets, word("a"));
    vr_sleep(0);
    vr_queue_done(&queue);
}

static void ends_while_a_getter_has_had_no_turn(void)
{
    vr_spawn(gets, word("a"));
    vr_sleep(0);
    vr_queue_shutdown(&queue);
    vr_queue_done(&queue);
}

static void end_while_greenlets_wait_aborts(void **state)
{
    int status = status_of_child(ends_while_a_getter_waits);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = status_of_child(ends_while_a_getter_has_had_no_turn);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* --- Many orders --- */

enum { PRODUCERS = 4, CONSUMERS = 4, ITEMS = 8, MAXSIZE = 3 };
static bool was_put[PRODUCERS][ITEMS];
static int taken[PRODUCERS][ITEMS], last_taken[PRODUCERS];
static int errors;

/* An item is its producer's number and its own, the latter as its priority. */
static void *item_of(int producer, int i)
{
    return number(i * PRODUCERS + producer);
}

static int by_own_number(const void *left, const void *right)
{
    return (int)(number_of(left) / PRODUCERS - number_of(right) / PRODUCERS);
}

static vr_time random_patience(void)
{
    return random_below(3) ? VR_MILLISECONDS(random_below(3)) : VR_FOREVER;
}

static vr_result produces(void *producer)
{
    int me = (int)number_of(producer);

    for (int i = 0; i < ITEMS; i++) {
        int error = vr_queue_put(&queue, item_of(me, i), random_patience());
        was_put[me][i] = !error;
        if (error && error != -ETIMEDOUT)
            return vr_fail(error);
        error = random_below(2) ? vr_sleep(VR_MILLISECONDS(random_below(3))) : 0;
        if (error)
            return vr_fail(error);
    }
    return vr_ok(NULL);
}

static void take_note(void *item)
{
    int producer = (int)number_of(item) % PRODUCERS, i = (int)number_of(item) / PRODUCERS;

    taken[producer][i]++;
    /* Each producer's items come out in its order, unless the last ones are to come first. */
    if (!queue.lifo)
        errors += i < last_taken[producer];
    last_taken[producer] = i;
    errors += vr_queue_task_done(&queue) != 0;
}

static vr_result consumes(void *argument)
{
    for (;;) {
        if (!random_below(4) && vr_queue_peek(&queue, VR_MILLISECONDS(1)).error == -ECANCELED)
            return vr_fail(-ECANCELED);
        vr_result result = vr_queue_get(&queue, random_patience());
        if (!result.error)
            take_note(result.value);
        else if (result.error != -ETIMEDOUT)
            return vr_fail(result.error);
        int error = random_below(2) ? vr_sleep(VR_MILLISECONDS(random_below(3))) : 0;
        if (error)
            return vr_fail(error);
    }
}

static void run_queue(vr_queue kind)
{
    vr_greenlet *producers[PRODUCERS], *consumers[CONSUMERS];

    queue = kind;
    errors = 0;
    memset(was_put, 0, sizeof was_put);
    memset(taken, 0, sizeof taken);
    memset(last_taken, 0, sizeof last_taken);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = vr_spawn(produces, number(i));
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = vr_spawn(consumes, NULL);
    for (int i = 0; i < CONSUMERS / 2; i++) {
        vr_sleep(VR_MILLISECONDS(random_below(5)));
        vr_kill(consumers[i], -ECANCELED);
        vr_kill(producers[i], -ECANCELED);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_fails_or_exits(producers[i], 0);
    assert_int_equal(vr_queue_join(&queue, VR_FOREVER), 0);
    vr_queue_shutdown(&queue);
    for (int i = 0; i < CONSUMERS; i++)
        assert_fails_or_exits(consumers[i], -ESHUTDOWN);

    assert_int_equal(errors, 0);
    assert_true(vr_queue_empty(&queue));
    for (int i = 0; i < PRODUCERS * ITEMS; i++)
        assert_int_equal(taken[i / ITEMS][i % ITEMS], was_put[i / ITEMS][i % ITEMS]);
    vr_queue_done(&queue);
}

static void run_queues(void)
{
    run_queue(VR_QUEUE(MAXSIZE));
    run_queue(VR_QUEUE(0));
    run_queue(VR_LIFO_QUEUE(MAXSIZE));
    run_queue(VR_PRIORITY_QUEUE(MAXSIZE, by_own_number));
}

static void every_item_that_was_put_is_taken_once_in_any_order(void **state)
{
    with_many_seeds(run_queues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(shutdown_ends_puts_at_once_and_gets_when_all_is_taken),
        queue_test(shutdown_wakes_all_who_wait_for_items),
        queue_test(shutdown_wakes_all_who_wait_for_room),
        queue_test(getter_that_has_an_item_gets_it_after_shutdown_too),
        queue_test(item_that_comes_back_after_shutdown_is_there_to_be_taken),
        queue_test(peeker_whose_item_was_taken_ends_with_the_queue),
        queue_test(queue_that_is_shut_can_be_emptied_at_once),
        queue_test(queue_is_as_at_first_when_it_has_ended),
        queue_test(end_while_greenlets_wait_aborts),
        queue_test(every_item_that_was_put_is_taken_once_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
