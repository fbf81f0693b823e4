/* Semaphores: units go to those who wait for them, in the order they came. */
#include "sync_support.h"

#include <vireo/semaphore.h>

static vr_semaphore semaphore;

static int new_semaphore(void **state)
{
    semaphore = VR_SEMAPHORE(0);
    return use_virtual_clock(state);
}

static vr_result acquires(void *name)
{
    int error = vr_semaphore_acquire(&semaphore, VR_FOREVER);

    trace("%s", (const char *)name);
    return vr_fail(error);
}

static vr_result acquires_within_10_ms(void *argument)
{
    return vr_fail(vr_semaphore_acquire(&semaphore, VR_MILLISECONDS(10)));
}

static void releases(void *argument)
{
    assert_int_equal(vr_semaphore_release(&semaphore), 0);
}

/* No unit is there, and nobody waits: the next one goes to the caller. */
static void assert_nothing_left(void)
{
    assert_int_equal(vr_semaphore_value(&semaphore), 0);
    releases(NULL);
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
}

/* --- Units --- */

static void units_that_are_there_are_taken_without_a_switch(void **state)
{
    static vr_semaphore of_static_storage = VR_SEMAPHORE_INIT(1);
    vr_greenlet *other = vr_spawn(echoes, NULL);

    semaphore = VR_SEMAPHORE(2);
    assert_int_equal(vr_semaphore_value(&semaphore), 2);
    assert_int_equal(vr_semaphore_acquire(&semaphore, VR_FOREVER), 0);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
    assert_int_equal(vr_semaphore_value(&semaphore), 0);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), -ETIMEDOUT);
    assert_int_equal(vr_semaphore_release(&semaphore), 0);
    assert_int_equal(vr_semaphore_acquire(&semaphore, VR_FOREVER), 0);
    assert_int_equal(vr_semaphore_acquire(&of_static_storage, 0), 0);
    assert_int_equal(vr_semaphore_acquire(&of_static_storage, 0), -ETIMEDOUT);
    assert_false(vr_ready(other));
    assert_returns(other, NULL);
}

static void more_may_be_released_than_were_acquired(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(vr_semaphore_release(&semaphore), 0);
    assert_int_equal(vr_semaphore_value(&semaphore), 3);
    semaphore = VR_SEMAPHORE(UINT_MAX);
    assert_int_equal(vr_semaphore_release(&semaphore), -EOVERFLOW);
    assert_int_equal(vr_semaphore_value(&semaphore), UINT_MAX);
}

static void bounded_one_refuses_more_than_it_had(void **state)
{
    vr_semaphore static_bound = VR_BOUNDED_SEMAPHORE_INIT(1);

    semaphore = VR_BOUNDED_SEMAPHORE(2);
    assert_int_equal(vr_semaphore_release(&semaphore), -EOVERFLOW);
    assert_int_equal(vr_semaphore_release(&static_bound), -EOVERFLOW);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
    vr_greenlet *first = parked(acquires, word("1"));
    assert_int_equal(vr_semaphore_release(&semaphore), 0); /* to the first */
    assert_int_equal(vr_semaphore_release(&semaphore), 0);
    assert_int_equal(vr_semaphore_release(&semaphore), 0);
    assert_int_equal(vr_semaphore_release(&semaphore), -EOVERFLOW);
    assert_int_equal(vr_semaphore_value(&semaphore), 2);
    assert_fails(first, 0);
}

/* --- Those who wait --- */

static void release_gives_to_who_has_waited_longest(void **state)
{
    vr_greenlet *first = parked(acquires, word("1")), *second = parked(acquires, word("2")),
                *third = parked(acquires, word("3"));

    assert_waits(first, VR_WAIT_SEMAPHORE, &semaphore);
    releases(NULL);
    assert_trace(""); /* it did not switch */
    vr_sleep(0);
    assert_trace("1");
    releases(NULL);
    releases(NULL);
    vr_sleep(0);
    assert_trace("2 3");
    assert_fails(first, 0);
    assert_fails(second, 0);
    assert_fails(third, 0);
    assert_nothing_left();
}

static void nobody_takes_what_was_given_to_another(void **state)
{
    vr_greenlet *first = parked(acquires, word("1"));

    releases(NULL);
    assert_int_equal(vr_semaphore_value(&semaphore), 0);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), -ETIMEDOUT);
    vr_greenlet *late = vr_spawn(acquires, word("late"));
    vr_sleep(0);
    assert_trace("1");
    assert_fails(first, 0);
    releases(NULL);
    assert_fails(late, 0);
}

static vr_result keeps_taking(void *name)
{
    for (int i = 0; i < 3; i++) {
        vr_semaphore_acquire(&semaphore, VR_FOREVER);
        trace("%s", (const char *)name);
        vr_semaphore_release(&semaphore);
    }
    return vr_ok(NULL);
}

static vr_result holds_for_a_turn(void *name)
{
    for (int i = 0; i < 3; i++) {
        vr_semaphore_acquire(&semaphore, VR_FOREVER);
        vr_sleep(0);
        trace("%s", (const char *)name);
        vr_semaphore_release(&semaphore);
    }
    return vr_ok(NULL);
}

static void those_who_take_it_again_and_again_take_turns(void **state)
{
    semaphore = VR_SEMAPHORE(1);
    vr_greenlet *a = vr_spawn(holds_for_a_turn, word("a")), *b = vr_spawn(keeps_taking, word("b"));

    assert_returns(a, NULL);
    assert_returns(b, NULL);
    assert_trace("a b a b a b");
}

/* --- The hub --- */

static struct {
    int of_none, poll_of_none, of_one;
} acquired;

static void acquires_in_hub(void *argument)
{
    acquired.of_none = vr_semaphore_acquire(&semaphore, VR_SECONDS(1));
    acquired.poll_of_none = vr_semaphore_acquire(&semaphore, 0);
    releases(NULL);
    acquired.of_one = vr_semaphore_acquire(&semaphore, VR_SECONDS(1));
}

static void hub_callback_may_release_and_take_but_not_wait(void **state)
{
    in_hub(acquires_in_hub, NULL);
    assert_int_equal(acquired.of_none, -EPERM);
    assert_int_equal(acquired.poll_of_none, -ETIMEDOUT);
    assert_int_equal(acquired.of_one, 0);

    vr_greenlet *first = parked(acquires, word("1"));
    in_hub(releases, NULL);
    assert_fails(first, 0);
    assert_nothing_left();
}

/* --- Time --- */

static void acquire_ends_after_its_timeout_and_takes_nothing(void **state)
{
    vr_greenlet *first = parked(acquires_within_10_ms, NULL);

    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_nothing_left();
}

static void unit_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    in_hub_after(&call, 10, releases, NULL);
    assert_int_equal(vr_semaphore_acquire(&semaphore, VR_MILLISECONDS(10)), 0);
    assert_nothing_left();
}

static void unit_after_the_turn_of_the_timeout_is_for_the_next(void **state)
{
    vr_greenlet *first = parked(acquires_within_10_ms, NULL), *second = parked(acquires, word("2"));
    hub_call call;

    in_hub_after(&call, 10, releases, NULL);
    assert_fails(first, -ETIMEDOUT);
    assert_fails(second, 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_nothing_left();
}

static void acquire_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    FAIL(realloc, ENOMEM);
    assert_int_equal(vr_semaphore_acquire(&semaphore, VR_SECONDS(1)), -ENOMEM);
    assert_nothing_left();
}

/* --- Kills --- */

static void kill_ends_the_wait_and_takes_nothing(void **state)
{
    vr_greenlet *first = parked(acquires, word("1")), *second = parked(acquires, word("2")),
                *third = parked(acquires, word("3"));

    vr_kill(second, -EIO);
    assert_fails(second, -EIO);
    releases(NULL);
    releases(NULL);
    assert_fails(first, 0);
    assert_fails(third, 0);
    assert_nothing_left();
}

static void unit_of_one_killed_in_that_very_turn_goes_to_the_next(void **state)
{
    vr_greenlet *first = parked(acquires, word("1")), *second = parked(acquires, word("2"));

    vr_kill(first, -EIO);
    releases(NULL);
    assert_fails(first, -EIO);
    assert_fails(second, 0);
    assert_nothing_left();
}

static void unit_of_the_last_one_killed_in_that_very_turn_comes_back(void **state)
{
    vr_greenlet *first = parked(acquires, word("1"));

    /* An error that looks like the wait's own changes nothing. */
    vr_kill(first, -ETIMEDOUT);
    releases(NULL);
    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
}

static void unit_passes_all_who_are_killed_in_one_turn(void **state)
{
    vr_greenlet *greenlets[] = {parked(acquires, word("1")), parked(acquires, word("2")), parked(acquires, word("3")),
                                parked(acquires, word("4"))};

    for (int i = 0; i < 3; i++)
        vr_kill(greenlets[i], -EIO);
    releases(NULL);
    releases(NULL);
    for (int i = 0; i < 3; i++)
        assert_fails(greenlets[i], -EIO);
    assert_fails(greenlets[3], 0);
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
}

static void kill_behind_the_turn_of_the_unit_finds_it_taken(void **state)
{
    vr_greenlet *first = parked(acquires, word("1"));

    releases(NULL);
    vr_kill(first, -EIO);
    assert_fails(first, 0);
    assert_nothing_left();
}

/* --- Links --- */

static void notes(void *source, void *name)
{
    assert_ptr_equal(source, &semaphore);
    trace("%s:%u", (const char *)name, vr_semaphore_value(&semaphore));
}

static void link_to_one_with_units_is_called_from_the_hub(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    semaphore = VR_SEMAPHORE(1);
    vr_waitable_link(&semaphore.waitable, &a);
    assert_trace("");
    let_all_run();
    assert_trace("a:1");
    assert_int_equal(vr_semaphore_value(&semaphore), 1);
    releases(NULL);
    let_all_run();
    assert_trace(""); /* it fires once */
}

static void links_fire_when_a_unit_is_there_and_take_nothing(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")};

    vr_waitable_link(&semaphore.waitable, &a);
    vr_waitable_link(&semaphore.waitable, &b);
    let_all_run();
    assert_trace("");
    releases(NULL);
    let_all_run();
    assert_trace("a:1 b:1");
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
}

static void links_and_those_who_wait_are_served_in_order(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")};
    vr_greenlet *first = parked(acquires, word("1"));

    vr_waitable_link(&semaphore.waitable, &a);
    vr_greenlet *second = parked(acquires, word("2"));
    vr_waitable_link(&semaphore.waitable, &b);
    releases(NULL);
    let_all_run();
    assert_trace("1"); /* the unit has gone */
    releases(NULL);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), -ETIMEDOUT); /* it is the second's, behind a link */
    let_all_run();
    assert_trace("a:1 2");
    releases(NULL);
    let_all_run();
    assert_trace("b:1");
    assert_fails(first, 0);
    assert_fails(second, 0);
}

static void link_stays_while_no_unit_is_left_for_it(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_waitable_link(&semaphore.waitable, &a);
    releases(NULL);
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
    let_all_run();
    assert_trace("");
    releases(NULL);
    let_all_run();
    assert_trace("a:1");
}

static void unit_goes_on_when_the_link_before_is_taken_off(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_waitable_link(&semaphore.waitable, &a);
    vr_greenlet *first = parked(acquires, word("1"));
    releases(NULL);
    vr_unlink(&a);
    assert_fails(first, 0);
    assert_trace("1");
    assert_nothing_left();
}

static void one_killed_behind_a_link_leaves_its_unit(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_waitable_link(&semaphore.waitable, &a);
    vr_greenlet *first = parked(acquires, word("1"));
    vr_kill(first, -EIO);
    releases(NULL);
    assert_fails(first, -EIO);
    assert_trace("1 a:1");
    assert_int_equal(vr_semaphore_acquire(&semaphore, 0), 0);
}

static int times_left;

static void links_itself_again(void *source, void *link)
{
    trace("again");
    if (--times_left)
        vr_waitable_link(&semaphore.waitable, link);
}

static void link_that_links_itself_again_comes_after_what_is_queued(void **state)
{
    vr_link a = {.notify = links_itself_again, .context = &a};

    times_left = 3;
    vr_waitable_link(&semaphore.waitable, &a);
    releases(NULL);
    for (int i = 0; i < 3; i++) {
        vr_sleep(0);
        assert_trace("again");
    }
    let_all_run();
    assert_trace("");
}

static void takes(void *source, void *context)
{
    trace("%s", vr_semaphore_acquire(&semaphore, 0) ? "none" : "taken");
}

static void link_may_take_the_unit_where_nobody_waits_for_it(void **state)
{
    vr_link a = {.notify = takes}, b = {.notify = takes};

    vr_waitable_link(&semaphore.waitable, &a);
    vr_greenlet *first = parked(acquires, word("1"));
    releases(NULL);
    assert_fails(first, 0);
    assert_trace("none 1");

    vr_waitable_link(&semaphore.waitable, &a);
    vr_waitable_link(&semaphore.waitable, &b);
    releases(NULL);
    let_all_run();
    assert_trace("taken");
    vr_unlink(&b);
}

static void frees(void *source, void *context)
{
    trace("freed");
    free(source);
}

static void last_link_may_free_the_semaphore(void **state)
{
    vr_semaphore *own = malloc(sizeof *own);
    vr_link a = {.notify = frees};

    *own = VR_SEMAPHORE(0);
    vr_waitable_link(&own->waitable, &a);
    assert_int_equal(vr_semaphore_release(own), 0);
    let_all_run();
    assert_trace("freed");
}

static void semaphore_may_end_when_its_last_link_was_taken_off(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")};

    vr_waitable_link(&semaphore.waitable, &a);
    releases(NULL);
    vr_unlink(&a);
    /* Nothing is queued any more that would look at it. */
    assert_false(vr_callback_queued(&semaphore.waitable.notify));
}

/* --- Many orders --- */

enum { UNITS = 3, HOLDERS = 8, ROUNDS = 5 };
static int held, held_most, served;
static vr_link watch;

static void watches(void *source, void *context)
{
    served++;
    if (random_below(2))
        vr_waitable_link(&semaphore.waitable, &watch);
}

/* Whatever ends it, it gives back what it has. */
static vr_result holds_at_random(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        int error = vr_semaphore_acquire(&semaphore, random_below(2) ? VR_FOREVER : VR_MILLISECONDS(random_below(3)));
        if (error == -ETIMEDOUT)
            continue;
        if (error)
            return vr_fail(error);
        held++;
        if (held > held_most)
            held_most = held;
        error = random_below(2) ? vr_sleep(VR_MILLISECONDS(random_below(3))) : 0;
        held--;
        vr_semaphore_release(&semaphore);
        if (error)
            return vr_fail(error);
    }
    return vr_ok(NULL);
}

static void run_holders(void)
{
    vr_greenlet *holders[HOLDERS];

    semaphore = VR_BOUNDED_SEMAPHORE(UNITS);
    held = held_most = 0;
    watch = (vr_link){.notify = watches};
    for (int i = 0; i < HOLDERS; i++) {
        holders[i] = vr_spawn(holds_at_random, NULL);
        if (i == HOLDERS / 2)
            vr_waitable_link(&semaphore.waitable, &watch);
    }
    for (int i = 0; i < HOLDERS / 2; i++) {
        vr_sleep(VR_MILLISECONDS(random_below(3)));
        vr_kill(holders[i], -ECANCELED);
    }
    for (int i = 0; i < HOLDERS; i++)
        assert_fails_or_exits(holders[i], 0);
    vr_unlink(&watch);
    assert_int_equal(held, 0);
    assert_in_range(held_most, 1, UNITS);
    assert_int_equal(vr_semaphore_value(&semaphore), UNITS);
}

static void there_are_never_more_holders_than_units_and_none_is_lost_in_any_order(void **state)
{
    with_many_seeds(run_holders);
    assert_true(served > 0);
}

#define semaphore_test(function) cmocka_unit_test_setup_teardown(function, new_semaphore, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        semaphore_test(units_that_are_there_are_taken_without_a_switch),
        semaphore_test(more_may_be_released_than_were_acquired),
        semaphore_test(bounded_one_refuses_more_than_it_had),
        semaphore_test(release_gives_to_who_has_waited_longest),
        semaphore_test(nobody_takes_what_was_given_to_another),
        semaphore_test(those_who_take_it_again_and_again_take_turns),
        semaphore_test(hub_callback_may_release_and_take_but_not_wait),
        semaphore_test(acquire_ends_after_its_timeout_and_takes_nothing),
        semaphore_test(unit_in_the_turn_of_the_timeout_wins),
        semaphore_test(unit_after_the_turn_of_the_timeout_is_for_the_next),
        semaphore_test(acquire_fails_where_there_is_no_memory_for_a_timer),
        semaphore_test(kill_ends_the_wait_and_takes_nothing),
        semaphore_test(unit_of_one_killed_in_that_very_turn_goes_to_the_next),
        semaphore_test(unit_of_the_last_one_killed_in_that_very_turn_comes_back),
        semaphore_test(unit_passes_all_who_are_killed_in_one_turn),
        semaphore_test(kill_behind_the_turn_of_the_unit_finds_it_taken),
        semaphore_test(link_to_one_with_units_is_called_from_the_hub),
        semaphore_test(links_fire_when_a_unit_is_there_and_take_nothing),
        semaphore_test(links_and_those_who_wait_are_served_in_order),
        semaphore_test(link_stays_while_no_unit_is_left_for_it),
        semaphore_test(unit_goes_on_when_the_link_before_is_taken_off),
        semaphore_test(one_killed_behind_a_link_leaves_its_unit),
        semaphore_test(link_that_links_itself_again_comes_after_what_is_queued),
        semaphore_test(link_may_take_the_unit_where_nobody_waits_for_it),
        semaphore_test(last_link_may_free_the_semaphore),
        semaphore_test(semaphore_may_end_when_its_last_link_was_taken_off),
        semaphore_test(there_are_never_more_holders_than_units_and_none_is_lost_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
