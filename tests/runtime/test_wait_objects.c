/* Waiting for some of several objects, of whatever kinds. */
#include "sync_support.h"

#include <vireo/event.h>
#include <vireo/semaphore.h>

static vr_event event;
static vr_async_result result;
static vr_semaphore semaphore;

enum { EVENT, RESULT, SEMAPHORE, OBJECTS };
static vr_waitable *const objects[OBJECTS] = {&event.waitable, &result.waitable, &semaphore.waitable};

static void make_objects(void)
{
    event = VR_EVENT;
    result = VR_ASYNC_RESULT;
    semaphore = VR_SEMAPHORE(0);
}

static int new_objects(void **state)
{
    make_objects();
    return use_virtual_clock(state);
}

static void assert_nothing_linked(void)
{
    for (int i = 0; i < OBJECTS; i++)
        assert_null(objects[i]->first);
}

static void make_ready(void *which)
{
    switch (number_of(which)) {
    case EVENT:
        vr_event_set(&event);
        break;
    case RESULT:
        vr_async_result_fail(&result, -EIO);
        break;
    default:
        vr_semaphore_release(&semaphore);
        break;
    }
}

static vr_result waits_for_one(void *argument)
{
    int position = vr_wait_object(objects, OBJECTS, VR_SECONDS(1));

    return position < 0 ? vr_fail(position) : vr_ok(number(position));
}

/* --- One of them --- */

static void wait_ends_with_the_one_that_gets_ready(void **state)
{
    for (intptr_t i = 0; i < OBJECTS; i++) {
        hub_call call;
        make_objects();
        in_hub_after(&call, 10, make_ready, number(i));
        assert_int_equal(vr_wait_object(objects, OBJECTS, VR_SECONDS(1)), i);
        assert_nothing_linked();
    }
    assert_int_equal(vr_now(), VR_MILLISECONDS(OBJECTS * 10));
}

static void nothing_is_taken_or_changed_by_the_wait(void **state)
{
    for (intptr_t i = 0; i < OBJECTS; i++)
        make_ready(number(i));
    for (int n = 0; n < 2; n++)
        for (intptr_t i = 0; i < OBJECTS; i++)
            assert_int_equal(vr_wait_object(&objects[i], 1, VR_FOREVER), 0);
    assert_true(vr_event_is_set(&event));
    assert_result_error(vr_async_result_get(&result, 0), -EIO);
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
}

static void first_of_those_that_are_ready_already_is_given_without_a_switch(void **state)
{
    vr_greenlet *other = vr_spawn(echoes, NULL);

    make_ready(number(SEMAPHORE));
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_FOREVER), SEMAPHORE);
    make_ready(number(RESULT));
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_FOREVER), RESULT);
    assert_int_equal(vr_wait_object(objects, OBJECTS, 0), RESULT);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
}

static void greenlets_that_are_dead_already_have_their_place_too(void **state)
{
    vr_greenlet *early = vr_spawn(echoes, NULL), *late = vr_spawn(echoes, NULL);
    vr_waitable *mixed[] = {vr_greenlet_waitable(late), vr_greenlet_waitable(early), &event.waitable};

    int first_to_end = vr_wait_object(mixed, 3, VR_FOREVER);
    vr_joinall((vr_greenlet *[]){early, late}, 2, VR_FOREVER);
    make_ready(number(EVENT));
    int first_of_all = vr_wait_object(mixed, 3, VR_FOREVER);
    int never_made = vr_wait_object((vr_waitable *[]){&result.waitable, vr_greenlet_waitable(NULL)}, 2, VR_FOREVER);
    vr_unref(early);
    vr_unref(late);
    assert_int_equal(first_to_end, 1);
    assert_int_equal(first_of_all, 0);
    assert_int_equal(never_made, 1);
}

static void object_may_be_listed_twice(void **state)
{
    hub_call call;
    vr_waitable *twice[] = {&result.waitable, &event.waitable, &event.waitable};

    in_hub_after(&call, 10, make_ready, number(EVENT));
    assert_int_equal(vr_wait_object(twice, 3, VR_FOREVER), 1);
    assert_nothing_linked();
}

static void none_at_all_is_never_ready(void **state)
{
    assert_int_equal(vr_wait_object(NULL, 0, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_wait_object(NULL, 0, 0), -ETIMEDOUT);
}

static vr_result tries_when_a_unit_is_there(void *argument)
{
    int position = vr_wait_object((vr_waitable *[]){&semaphore.waitable}, 1, VR_FOREVER);

    return position ? vr_fail(position) : vr_fail(vr_semaphore_acquire(&semaphore, 0));
}

static vr_result acquires(void *argument)
{
    return vr_fail(vr_semaphore_acquire(&semaphore, VR_FOREVER));
}

static void unit_that_was_seen_may_be_gone(void **state)
{
    vr_greenlet *seer = parked(tries_when_a_unit_is_there, NULL), *taker = parked(acquires, NULL);

    make_ready(number(SEMAPHORE));
    assert_fails(seer, -ETIMEDOUT);
    assert_fails(taker, 0);

    seer = parked(tries_when_a_unit_is_there, NULL);
    make_ready(number(SEMAPHORE));
    assert_fails(seer, 0);
}

static void event_counts_that_was_set_for_a_moment(void **state)
{
    vr_greenlet *waiter = parked(waits_for_one, NULL);

    vr_event_set(&event);
    vr_event_clear(&event);
    assert_returns(waiter, number(EVENT));
}

static vr_result waits_for_event(void *argument)
{
    return vr_fail(vr_event_wait(&event, VR_FOREVER));
}

static void event_that_was_cleared_before_the_wait_does_not_count(void **state)
{
    vr_greenlet *waiter = parked(waits_for_event, NULL);

    vr_event_set(&event);
    vr_event_clear(&event); /* those who waited have not had their turn */
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_fails(waiter, 0);
}

/* --- Time, kills, memory, the hub --- */

static void wait_ends_after_its_timeout(void **state)
{
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_nothing_linked();
    assert_int_equal(vr_wait_object(objects, OBJECTS, 0), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
}

static void what_gets_ready_in_the_turn_of_the_timeout_wins(void **state)
{
    for (intptr_t i = 0; i < OBJECTS; i++) {
        hub_call call;
        make_objects();
        in_hub_after(&call, 10, make_ready, number(i));
        assert_int_equal(vr_wait_object(objects, OBJECTS, VR_MILLISECONDS(10)), i);
        assert_nothing_linked();
    }
}

static void kill_ends_the_wait_and_leaves_nothing_linked(void **state)
{
    vr_greenlet *waiter = parked(waits_for_one, NULL);

    assert_int_equal(waiter->wait_kind, VR_WAIT_GREENLETS);
    vr_kill(waiter, -EINTR);
    assert_fails(waiter, -EINTR);
    assert_nothing_linked();
    for (intptr_t i = 0; i < OBJECTS; i++)
        make_ready(number(i));
    let_all_run();
}

static void kill_before_the_links_are_called_leaves_nothing_linked(void **state)
{
    vr_greenlet *waiter = parked(waits_for_one, NULL);

    vr_kill(waiter, -EINTR);
    for (intptr_t i = 0; i < OBJECTS; i++)
        make_ready(number(i));
    assert_fails(waiter, -EINTR);
    assert_nothing_linked();
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
}

static void wait_fails_where_there_is_no_memory(void **state)
{
    FAIL(calloc, ENOMEM);
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_SECONDS(1)), -ENOMEM);
    FAIL(realloc, ENOMEM); /* for a timer */
    assert_int_equal(vr_wait_object(objects, OBJECTS, VR_SECONDS(1)), -ENOMEM);
    assert_nothing_linked();
    make_ready(number(EVENT));
    FAIL(malloc, ENOMEM); /* for the order of those that are ready */
    int position = vr_wait_object(objects, OBJECTS, VR_SECONDS(1));
    assert_true(position == EVENT || position == -ENOMEM);
    PASS(malloc);
    assert_nothing_linked();
}

static int in_hub_got[2];

static void waits_in_hub(void *argument)
{
    in_hub_got[0] = vr_wait_object(objects, OBJECTS, VR_SECONDS(1));
    make_ready(number(RESULT));
    in_hub_got[1] = vr_wait_object(objects, OBJECTS, VR_SECONDS(1));
}

static void hub_callback_may_not_wait(void **state)
{
    in_hub(waits_in_hub, NULL);
    assert_int_equal(in_hub_got[0], -EPERM);
    assert_int_equal(in_hub_got[1], RESULT);
    assert_nothing_linked();
}

/* --- One after the other --- */

enum { EACH = 5 };
static vr_event events[EACH];
static vr_async_result results[EACH];
static vr_waitable *all[2 * EACH];

static vr_result makes_all_ready(void *argument)
{
    for (int i = EACH - 1; i >= 0; i--) {
        vr_sleep(VR_MILLISECONDS(10));
        vr_event_set(&events[i]);
        vr_sleep(VR_MILLISECONDS(10));
        vr_async_result_set(&results[i], NULL);
    }
    return vr_ok(NULL);
}

static vr_greenlet *begin(vr_iwait *iwait, size_t wanted, vr_time timeout)
{
    for (int i = 0; i < EACH; i++) {
        events[i] = VR_EVENT;
        results[i] = VR_ASYNC_RESULT;
        all[i] = &events[i].waitable;
        all[EACH + i] = &results[i].waitable;
    }
    vr_wait_options options = {.wanted = wanted, .timeout = timeout};
    assert_int_equal(vr_iwait_init_objects(iwait, all, (size_t)2 * EACH, &options), 0);
    return vr_spawn(makes_all_ready, NULL);
}

static void assert_given(vr_iwait *iwait, int count)
{
    for (int i = 0; i < count; i++) {
        int pair = EACH - 1 - i / 2;
        assert_ptr_equal(vr_iwait_next_object(iwait), i % 2 ? &results[pair].waitable : &events[pair].waitable);
    }
    assert_null(vr_iwait_next_object(iwait));
}

static void objects_are_given_in_the_order_in_which_they_get_ready(void **state)
{
    vr_iwait iwait;
    vr_greenlet *sender = begin(&iwait, 0, VR_FOREVER);

    assert_given(&iwait, 2 * EACH);
    assert_int_equal(vr_iwait_error(&iwait), 0);
    vr_iwait_done(&iwait);
    assert_returns(sender, NULL);
}

static void iteration_ends_with_as_many_as_are_wanted(void **state)
{
    for (int wanted = 1; wanted <= 2; wanted++) {
        vr_iwait iwait;
        vr_greenlet *sender = begin(&iwait, (size_t)wanted, VR_SECONDS(1));
        assert_given(&iwait, wanted);
        assert_int_equal(vr_iwait_error(&iwait), 0);
        assert_false(vr_ready(sender));
        vr_iwait_done(&iwait);
        for (int i = 0; i < 2 * EACH; i++)
            assert_null(all[i]->first);
        assert_returns(sender, NULL);
    }
}

static void iteration_ends_after_its_timeout(void **state)
{
    vr_iwait iwait;
    vr_greenlet *sender = begin(&iwait, 0, VR_MILLISECONDS(35));

    assert_given(&iwait, 3);
    assert_int_equal(vr_iwait_error(&iwait), -ETIMEDOUT);
    vr_iwait_done(&iwait);
    assert_returns(sender, NULL);
}

static void objects_that_get_ready_between_two_calls_are_not_lost(void **state)
{
    vr_iwait iwait;
    vr_greenlet *sender = begin(&iwait, 0, VR_FOREVER);

    vr_sleep(VR_MILLISECONDS(45));
    for (int i = 0; i < EACH; i++)
        vr_event_clear(&events[i]);
    assert_given(&iwait, 2 * EACH);
    vr_iwait_done(&iwait);
    assert_returns(sender, NULL);
}

/* --- Many orders --- */

enum { WAITERS = 5, UNITS = 12 };
static int units_got;

/* Takes what it finds, and keeps it. */
static vr_result takes_units(void *argument)
{
    while (units_got < UNITS) {
        int position = vr_wait_object(objects, OBJECTS, VR_MILLISECONDS(random_below(3)));
        if (position == EVENT)
            return vr_ok(NULL); /* over */
        if (position == SEMAPHORE)
            units_got += vr_semaphore_acquire(&semaphore, 0) == 0;
        else if (position != -ETIMEDOUT)
            return vr_fail(position);
    }
    vr_event_set(&event);
    return vr_ok(NULL);
}

static vr_result gives_units(void *argument)
{
    for (int i = 0; i < UNITS; i++) {
        vr_semaphore_release(&semaphore);
        if (random_below(2))
            vr_sleep(VR_MILLISECONDS(random_below(3)));
    }
    return vr_ok(NULL);
}

static void run_waiters(void)
{
    vr_greenlet *waiters[WAITERS];

    make_objects();
    units_got = 0;
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = vr_spawn(takes_units, NULL);
    vr_greenlet *giver = vr_spawn(gives_units, NULL);
    vr_sleep(VR_MILLISECONDS(random_below(4)));
    vr_kill(waiters[0], -ECANCELED);
    for (int i = 0; i < WAITERS; i++)
        assert_fails_or_exits(waiters[i], 0);
    assert_returns(giver, NULL);
    assert_int_equal(units_got, UNITS);
    assert_nothing_linked();
}

static void every_unit_is_seen_in_any_order(void **state)
{
    with_many_seeds(run_waiters);
}

#define objects_test(function) cmocka_unit_test_setup_teardown(function, new_objects, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        objects_test(wait_ends_with_the_one_that_gets_ready),
        objects_test(nothing_is_taken_or_changed_by_the_wait),
        objects_test(first_of_those_that_are_ready_already_is_given_without_a_switch),
        objects_test(greenlets_that_are_dead_already_have_their_place_too),
        objects_test(object_may_be_listed_twice),
        objects_test(none_at_all_is_never_ready),
        objects_test(unit_that_was_seen_may_be_gone),
        objects_test(event_counts_that_was_set_for_a_moment),
        objects_test(event_that_was_cleared_before_the_wait_does_not_count),
        objects_test(wait_ends_after_its_timeout),
        objects_test(what_gets_ready_in_the_turn_of_the_timeout_wins),
        objects_test(kill_ends_the_wait_and_leaves_nothing_linked),
        objects_test(kill_before_the_links_are_called_leaves_nothing_linked),
        objects_test(wait_fails_where_there_is_no_memory),
        objects_test(hub_callback_may_not_wait),
        objects_test(objects_are_given_in_the_order_in_which_they_get_ready),
        objects_test(iteration_ends_with_as_many_as_are_wanted),
        objects_test(iteration_ends_after_its_timeout),
        objects_test(objects_that_get_ready_between_two_calls_are_not_lost),
        objects_test(every_unit_is_seen_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
