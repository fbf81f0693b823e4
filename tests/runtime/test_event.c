/* Events: who waits for a flag goes on when it is set. */
#include "sync_support.h"

#include <vireo/event.h>

static vr_event event;

static int new_event(void **state)
{
    event = VR_EVENT;
    return use_virtual_clock(state);
}

static vr_result waits(void *name)
{
    int error = vr_event_wait(&event, VR_FOREVER);

    trace("%s", (const char *)name);
    return vr_fail(error);
}

static vr_result waits_10_ms(void *argument)
{
    return vr_fail(vr_event_wait(&event, VR_MILLISECONDS(10)));
}

static void sets_and_clears(void *argument)
{
    vr_event_set(&event);
    vr_event_clear(&event);
}

/* --- The flag --- */

static void event_is_not_set_at_first(void **state)
{
    static vr_event of_static_storage = VR_EVENT_INIT;

    assert_false(vr_event_is_set(&event));
    assert_false(vr_event_is_set(&of_static_storage));
    vr_event_set(&of_static_storage);
    assert_int_equal(vr_event_wait(&of_static_storage, VR_FOREVER), 0);
}

static void set_stays_until_clear(void **state)
{
    vr_event_set(&event);
    assert_true(vr_event_is_set(&event));
    for (int i = 0; i < 2; i++)
        assert_int_equal(vr_event_wait(&event, VR_FOREVER), 0);
    vr_event_set(&event);
    assert_true(vr_event_is_set(&event));
    vr_event_clear(&event);
    assert_false(vr_event_is_set(&event));
    vr_event_clear(&event);
    assert_int_equal(vr_event_wait(&event, 0), -ETIMEDOUT);
}

static void wait_for_what_is_set_does_not_switch(void **state)
{
    vr_greenlet *other = vr_spawn(echoes, NULL);

    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, VR_FOREVER), 0);
    assert_int_equal(vr_event_wait(&event, VR_SECONDS(1)), 0);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
}

static void timeout_0_polls(void **state)
{
    vr_greenlet *other = vr_spawn(echoes, NULL);

    assert_int_equal(vr_event_wait(&event, 0), -ETIMEDOUT);
    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, 0), 0);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
}

/* --- Those who wait --- */

static void set_wakes_those_who_wait_in_the_order_they_came(void **state)
{
    vr_greenlet *greenlets[] = {parked(waits, word("1")), parked(waits, word("2")), parked(waits, word("3"))};

    for (int i = 0; i < 3; i++)
        assert_waits(greenlets[i], VR_WAIT_EVENT, &event);
    vr_event_set(&event);
    assert_trace(""); /* setting did not switch */
    vr_sleep(0);
    assert_trace("1 2 3");
    for (int i = 0; i < 3; i++)
        assert_fails(greenlets[i], 0);
}

static void set_then_clear_wakes_all_who_wait(void **state)
{
    enum { MOST = 1000 };
    static vr_greenlet *greenlets[MOST];

    for (int count = 1; count <= MOST; count *= 10) {
        for (int i = 0; i < count; i++)
            greenlets[i] = vr_spawn(waits_10_ms, NULL);
        vr_sleep(0);
        vr_event_set(&event);
        vr_event_clear(&event);
        for (int i = 0; i < count; i++)
            assert_fails(greenlets[i], 0);
    }
    assert_int_equal(vr_now(), 0);
}

static void wait_after_clear_is_for_the_next_set(void **state)
{
    vr_greenlet *first = parked(waits, word("1"));

    vr_event_set(&event);
    vr_event_clear(&event);
    assert_int_equal(vr_event_wait(&event, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_trace("1");
    assert_fails(first, 0);
}

static vr_result waits_clears_waits(void *argument)
{
    vr_event_wait(&event, VR_FOREVER);
    trace("told");
    vr_event_clear(&event);
    int error = vr_event_wait(&event, VR_FOREVER);
    trace("told again");
    return vr_fail(error);
}

static void who_clears_what_woke_it_waits_for_the_next_set(void **state)
{
    vr_greenlet *first = parked(waits_clears_waits, NULL), *second = parked(waits, word("second"));

    vr_event_set(&event);
    vr_sleep(0);
    assert_trace("told second");
    assert_waits(first, VR_WAIT_EVENT, &event);
    vr_event_set(&event);
    assert_fails(first, 0);
    assert_trace("told again");
    assert_fails(second, 0);
}

static void wait_that_starts_while_others_are_told_queues_behind_them(void **state)
{
    vr_greenlet *first = parked(waits, word("1")), *second = parked(waits, word("2"));

    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, VR_SECONDS(1)), 0);
    trace("3");
    assert_trace("1 2 3");
    assert_int_equal(vr_now(), 0);
    /* All have had their turn: no need to queue any more. */
    vr_greenlet *other = vr_spawn(echoes, NULL);
    assert_int_equal(vr_event_wait(&event, VR_FOREVER), 0);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
    assert_fails(first, 0);
    assert_fails(second, 0);
}

static void wait_that_starts_while_others_are_told_is_over_even_if_one_of_them_clears(void **state)
{
    vr_greenlet *first = parked(waits_clears_waits, NULL);

    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, VR_FOREVER), 0);
    assert_trace("told");
    assert_false(vr_event_is_set(&event));
    end_greenlet(first);
}

static void poll_while_others_are_told_does_not_switch(void **state)
{
    vr_greenlet *first = parked(waits, word("1"));

    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, 0), 0);
    assert_trace("");
    assert_fails(first, 0);
}

static void queue_behind_others_ends_by_what_is_thrown(void **state)
{
    vr_greenlet *first = parked(waits, word("1"));

    vr_event_set(&event);
    vr_greenlet *late = vr_spawn(waits, word("late"));
    vr_kill(first, -EIO); /* behind its turn */
    assert_fails(late, 0);
    assert_fails(first, 0);

    vr_event_clear(&event);
    first = parked(waits, word("1"));
    vr_kill(vr_current(), -EIO);
    vr_event_set(&event);
    assert_int_equal(vr_event_wait(&event, VR_FOREVER), -EIO);
    assert_fails(first, 0);
}

static void event_may_be_gone_when_those_it_has_told_have_their_turn(void **state)
{
    static unsigned char gone[sizeof event];
    vr_greenlet *first = parked(waits, word("1"));

    vr_event_set(&event);
    memset(gone, 0xff, sizeof gone);
    memcpy(&event, gone, sizeof event);
    assert_fails(first, 0);
    assert_memory_equal(&event, gone, sizeof event);
}

/* --- The hub --- */

static struct {
    int of_unset, poll_of_unset, of_set;
} waited;

static void waits_in_hub(void *argument)
{
    waited.of_unset = vr_event_wait(&event, VR_FOREVER);
    waited.poll_of_unset = vr_event_wait(&event, 0);
    vr_event_set(&event);
    waited.of_set = vr_event_wait(&event, VR_FOREVER);
}

static void hub_callback_may_set_and_poll_but_not_wait(void **state)
{
    vr_greenlet *first = parked(waits, word("1"));

    in_hub(waits_in_hub, NULL);
    assert_int_equal(waited.of_unset, -EPERM);
    assert_int_equal(waited.poll_of_unset, -ETIMEDOUT);
    assert_int_equal(waited.of_set, 0);
    assert_fails(first, 0);
}

/* --- Time --- */

static void wait_ends_after_its_timeout(void **state)
{
    vr_greenlet *first = parked(waits_10_ms, NULL);

    assert_waits(first, VR_WAIT_EVENT, &event);
    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    vr_event_set(&event); /* nobody is left to be told */
    assert_int_equal(vr_sleep(0), 0);
}

static void set_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    in_hub_after(&call, 10, sets_and_clears, NULL);
    assert_int_equal(vr_event_wait(&event, VR_MILLISECONDS(10)), 0);
}

static void set_after_the_turn_of_the_timeout_is_too_late(void **state)
{
    vr_greenlet *first = parked(waits_10_ms, NULL);
    hub_call call;

    in_hub_after(&call, 10, sets_and_clears, NULL);
    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
}

static void wait_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_event_wait(&event, VR_SECONDS(1)), -ENOMEM);
    vr_event_set(&event); /* it is not linked any more */
    assert_int_equal(vr_event_wait(&event, VR_SECONDS(1)), 0);
}

/* --- Kills --- */

static void kill_ends_the_wait(void **state)
{
    vr_greenlet *first = parked(waits, word("1")), *second = parked(waits, word("2")),
                *third = parked(waits, word("3"));

    vr_kill(second, -EIO);
    assert_fails(second, -EIO);
    vr_event_set(&event);
    vr_sleep(0);
    assert_trace("2 1 3");
    assert_fails(first, 0);
    assert_fails(third, 0);
}

static void kill_in_the_very_turn_of_set_wins(void **state)
{
    vr_greenlet *first = parked(waits, word("1")), *second = parked(waits, word("2"));

    vr_kill(first, -EIO);
    vr_event_set(&event);
    assert_fails(first, -EIO);
    assert_fails(second, 0);
    assert_int_equal(vr_event_wait(&event, VR_FOREVER), 0);
}

/* --- Links --- */

static void notes(void *source, void *name)
{
    assert_ptr_equal(source, &event);
    trace("%s", (const char *)name);
}

static void links_are_called_in_the_hub_in_order_with_those_who_wait(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")};
    vr_greenlet *first = parked(waits, word("1"));

    vr_waitable_link(&event.waitable, &a);
    vr_waitable_link(&event.waitable, &b);
    vr_greenlet *second = parked(waits, word("2"));
    vr_event_set(&event);
    assert_trace("");
    vr_sleep(0);
    assert_trace("1 a b 2");
    vr_event_clear(&event);
    vr_event_set(&event);
    vr_sleep(0);
    assert_trace(""); /* a link fires once */
    assert_fails(first, 0);
    assert_fails(second, 0);
}

static void link_to_what_is_set_is_called_from_the_hub(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_event_set(&event);
    vr_waitable_link(&event.waitable, &a);
    assert_trace("");
    vr_sleep(0);
    assert_trace("a");
}

static void links_fire_whatever_becomes_of_the_flag(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")},
            c = {.notify = notes, .context = word("c")};

    vr_waitable_link(&event.waitable, &a);
    vr_event_set(&event);
    vr_waitable_link(&event.waitable, &b);
    vr_event_clear(&event);
    vr_waitable_link(&event.waitable, &c); /* to what is not set */
    vr_sleep(0);
    assert_trace("a b");
    vr_event_clear(&event);
    vr_sleep(0);
    assert_trace("");
    vr_event_set(&event);
    vr_sleep(0);
    assert_trace("c");
}

static void wait_after_clear_is_not_ended_by_links_that_are_still_to_be_called(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_waitable_link(&event.waitable, &a);
    vr_event_set(&event);
    vr_event_clear(&event);
    assert_int_equal(vr_event_wait(&event, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_trace("a");
}

static void link_that_was_taken_off_is_not_called(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")},
            c = {.notify = notes, .context = word("c")};

    vr_waitable_link(&event.waitable, &a);
    vr_waitable_link(&event.waitable, &b);
    vr_unlink(&a);
    vr_event_set(&event);
    vr_waitable_link(&event.waitable, &c);
    vr_unlink(&b);
    vr_unlink(&b);
    vr_unlink(&c);
    vr_sleep(0);
    assert_trace("");
}

static void event_may_end_when_its_last_link_was_taken_off(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    /* Nothing is queued any more that would look at it. */
    vr_waitable_link(&event.waitable, &a);
    vr_event_set(&event);
    vr_unlink(&a);
    assert_false(vr_callback_queued(&event.told.notify));
    vr_waitable_link(&event.waitable, &a);
    vr_unlink(&a);
    assert_false(vr_callback_queued(&event.waitable.notify));
}

static vr_link later_link;

static void takes_off(void *source, void *name)
{
    trace("%s", (const char *)name);
    vr_unlink(&later_link);
}

static void link_may_take_off_later_ones(void **state)
{
    vr_link a = {.notify = takes_off, .context = word("a")}, c = {.notify = notes, .context = word("c")};

    later_link = (vr_link){.notify = notes, .context = word("b")};
    vr_waitable_link(&event.waitable, &a);
    vr_waitable_link(&event.waitable, &later_link);
    vr_waitable_link(&event.waitable, &c);
    vr_event_set(&event);
    vr_sleep(0);
    assert_trace("a c");
}

static int times_left;

static void links_itself_again(void *source, void *link)
{
    trace("again");
    if (--times_left)
        vr_waitable_link(&event.waitable, link);
}

static void link_that_links_itself_again_comes_after_what_is_queued(void **state)
{
    vr_link a = {.notify = links_itself_again, .context = &a};
    vr_greenlet *other = vr_spawn(waits, word("other"));

    times_left = 2;
    vr_waitable_link(&event.waitable, &a);
    vr_event_set(&event);
    vr_greenlet *another = vr_spawn(waits, word("another"));
    vr_sleep(0);
    vr_sleep(0);
    assert_trace("other again another again");
    assert_fails(other, 0);
    assert_fails(another, 0);
}

static void frees(void *source, void *context)
{
    trace("freed");
    free(source);
}

static void last_link_may_free_the_event(void **state)
{
    vr_event *own = malloc(sizeof *own);
    vr_link a = {.notify = frees};

    *own = VR_EVENT;
    vr_waitable_link(&own->waitable, &a);
    vr_event_set(own);
    vr_sleep(0);
    assert_trace("freed");
}

/* --- Many orders --- */

enum { WAITERS = 8, ROUNDS = 6 };
static vr_greenlet *waiters[WAITERS];
static int sets_seen;

/* Who was told, was told by a set that came after its wait had begun. */
static long wait_at_random(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool was_set = vr_event_is_set(&event);
        int before = sets_seen;
        int error = vr_event_wait(&event, random_below(2) ? VR_MILLISECONDS(random_below(4)) : VR_SECONDS(1));
        if (error && error != -ETIMEDOUT)
            return error;
        if (!error && !was_set && sets_seen == before)
            return -EPROTO;
        if (random_below(2) && (error = vr_sleep(VR_MILLISECONDS(random_below(3)))))
            return error;
    }
    return 0;
}

static vr_result waits_at_random(void *argument)
{
    return vr_fail(wait_at_random());
}

static vr_result sets_at_random(void *argument)
{
    while (vr_joinall(waiters, WAITERS, VR_MILLISECONDS(random_below(3))) < WAITERS) {
        sets_seen += !vr_event_is_set(&event);
        vr_event_set(&event);
        if (random_below(3))
            vr_event_clear(&event);
    }
    return vr_ok(NULL);
}

static void run_waiters(void)
{
    event = VR_EVENT;
    sets_seen = 0;
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = vr_spawn(waits_at_random, NULL);
    vr_greenlet *setter = vr_spawn(sets_at_random, NULL);
    vr_sleep(VR_MILLISECONDS(random_below(4)));
    vr_kill(waiters[0], -ECANCELED);
    assert_fails(setter, 0);
    for (int i = 0; i < WAITERS; i++)
        assert_fails_or_exits(waiters[i], 0);
}

static void nobody_is_told_of_an_earlier_set_in_any_order(void **state)
{
    with_many_seeds(run_waiters);
}

#define event_test(function) cmocka_unit_test_setup_teardown(function, new_event, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        event_test(event_is_not_set_at_first),
        event_test(set_stays_until_clear),
        event_test(wait_for_what_is_set_does_not_switch),
        event_test(timeout_0_polls),
        event_test(set_wakes_those_who_wait_in_the_order_they_came),
        event_test(set_then_clear_wakes_all_who_wait),
        event_test(wait_after_clear_is_for_the_next_set),
        event_test(who_clears_what_woke_it_waits_for_the_next_set),
        event_test(wait_that_starts_while_others_are_told_queues_behind_them),
        event_test(wait_that_starts_while_others_are_told_is_over_even_if_one_of_them_clears),
        event_test(poll_while_others_are_told_does_not_switch),
        event_test(queue_behind_others_ends_by_what_is_thrown),
        event_test(event_may_be_gone_when_those_it_has_told_have_their_turn),
        event_test(hub_callback_may_set_and_poll_but_not_wait),
        event_test(wait_ends_after_its_timeout),
        event_test(set_in_the_turn_of_the_timeout_wins),
        event_test(set_after_the_turn_of_the_timeout_is_too_late),
        event_test(wait_fails_where_there_is_no_memory_for_a_timer),
        event_test(kill_ends_the_wait),
        event_test(kill_in_the_very_turn_of_set_wins),
        event_test(links_are_called_in_the_hub_in_order_with_those_who_wait),
        event_test(link_to_what_is_set_is_called_from_the_hub),
        event_test(links_fire_whatever_becomes_of_the_flag),
        event_test(wait_after_clear_is_not_ended_by_links_that_are_still_to_be_called),
        event_test(link_that_was_taken_off_is_not_called),
        event_test(event_may_end_when_its_last_link_was_taken_off),
        event_test(link_may_take_off_later_ones),
        event_test(link_that_links_itself_again_comes_after_what_is_queued),
        event_test(last_link_may_free_the_event),
        event_test(nobody_is_told_of_an_earlier_set_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
