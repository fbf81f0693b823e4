/* Results: a value or an error that is given once, to all who wait for it. */
#include "sync_support.h"

#include <vireo/event.h>

static vr_async_result result;

static int new_result(void **state)
{
    result = VR_ASYNC_RESULT;
    return use_virtual_clock(state);
}

static vr_result gets(void *name)
{
    vr_result got = vr_async_result_get(&result, VR_FOREVER);

    trace("%s", (const char *)name);
    return got;
}

static vr_result gets_within_10_ms(void *argument)
{
    return vr_async_result_get(&result, VR_MILLISECONDS(10));
}

static vr_result waits(void *argument)
{
    return vr_fail(vr_async_result_wait(&result, VR_FOREVER));
}

static void sets(void *value)
{
    vr_async_result_set(&result, value);
}

/* --- Giving and getting --- */

static void nothing_is_there_at_first(void **state)
{
    static vr_async_result of_static_storage = VR_ASYNC_RESULT_INIT;

    assert_false(vr_async_result_ready(&of_static_storage));
    assert_false(vr_async_result_ready(&result));
    assert_false(vr_async_result_successful(&result));
    assert_result_error(vr_async_result_get(&result, 0), -ETIMEDOUT);
    assert_int_equal(vr_async_result_wait(&result, 0), -ETIMEDOUT);
}

static void value_is_there_for_all_who_come_later(void **state)
{
    vr_greenlet *other = vr_spawn(echoes, NULL);

    vr_async_result_set(&result, number(3));
    assert_true(vr_async_result_ready(&result));
    assert_true(vr_async_result_successful(&result));
    for (int i = 0; i < 2; i++) {
        assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(3));
        assert_result_value(vr_async_result_get(&result, 0), number(3));
        assert_int_equal(vr_async_result_wait(&result, VR_FOREVER), 0);
    }
    assert_false(vr_ready(other)); /* nothing switched */
    assert_returns(other, NULL);
}

static void error_is_given_like_a_value(void **state)
{
    vr_greenlet *first = parked(gets, word("1")), *second = parked(waits, NULL);

    vr_async_result_fail(&result, -EIO);
    assert_true(vr_async_result_ready(&result));
    assert_false(vr_async_result_successful(&result));
    assert_result_error(vr_async_result_get(&result, VR_FOREVER), -EIO);
    assert_int_equal(vr_async_result_wait(&result, VR_FOREVER), 0); /* it is there, whatever it is */
    assert_fails(first, -EIO);
    assert_fails(second, 0);
}

static void set_wakes_those_who_wait_in_the_order_they_came(void **state)
{
    vr_greenlet *first = parked(gets, word("1")), *second = parked(waits, NULL), *third = parked(gets, word("3"));

    assert_waits(first, VR_WAIT_RESULT, &result);
    assert_waits(second, VR_WAIT_RESULT, &result);
    vr_async_result_set(&result, number(7));
    assert_trace(""); /* it did not switch */
    vr_sleep(0);
    assert_trace("1 3");
    assert_returns(first, number(7));
    assert_fails(second, 0);
    assert_returns(third, number(7));
}

static void second_value_is_for_those_who_come_later(void **state)
{
    vr_greenlet *first = parked(gets, word("1"));

    vr_async_result_set(&result, number(1));
    vr_async_result_set(&result, number(2));
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(2));
    assert_returns(first, number(1));
    vr_async_result_fail(&result, -EIO);
    assert_result_error(vr_async_result_get(&result, VR_FOREVER), -EIO);
}

static void result_may_be_gone_when_those_who_waited_have_their_turn(void **state)
{
    static unsigned char gone[sizeof result];
    vr_greenlet *first = parked(gets, word("1"));

    vr_async_result_set(&result, number(1));
    memset(gone, 0xff, sizeof gone);
    memcpy(&result, gone, sizeof result);
    assert_returns(first, number(1));
    assert_memory_equal(&result, gone, sizeof result);
}

static struct {
    vr_result of_unset, poll_of_unset, of_set;
} got;

static void gets_in_hub(void *argument)
{
    got.of_unset = vr_async_result_get(&result, VR_FOREVER);
    got.poll_of_unset = vr_async_result_get(&result, 0);
    vr_async_result_set(&result, number(5));
    got.of_set = vr_async_result_get(&result, VR_FOREVER);
}

static void hub_callback_may_give_and_poll_but_not_wait(void **state)
{
    vr_greenlet *first = parked(gets, word("1"));

    in_hub(gets_in_hub, NULL);
    assert_result_error(got.of_unset, -EPERM);
    assert_result_error(got.poll_of_unset, -ETIMEDOUT);
    assert_result_value(got.of_set, number(5));
    assert_returns(first, number(5));
}

/* --- Time and kills --- */

static void get_ends_after_its_timeout(void **state)
{
    vr_greenlet *first = parked(gets_within_10_ms, NULL);

    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_int_equal(vr_async_result_wait(&result, VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(20));
    vr_async_result_set(&result, number(1)); /* nobody is left to be told */
    assert_int_equal(vr_sleep(0), 0);
}

static void value_in_the_turn_of_the_timeout_wins(void **state)
{
    hub_call call;

    in_hub_after(&call, 10, sets, number(1));
    assert_result_value(vr_async_result_get(&result, VR_MILLISECONDS(10)), number(1));
}

static void value_after_the_turn_of_the_timeout_is_for_later(void **state)
{
    vr_greenlet *first = parked(gets_within_10_ms, NULL);
    hub_call call;

    in_hub_after(&call, 10, sets, number(1));
    assert_fails(first, -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_result_value(vr_async_result_get(&result, 0), number(1));
}

static void get_fails_where_there_is_no_memory_for_a_timer(void **state)
{
    FAIL(realloc, ENOMEM);
    assert_result_error(vr_async_result_get(&result, VR_SECONDS(1)), -ENOMEM);
    vr_async_result_set(&result, number(1));
    assert_result_value(vr_async_result_get(&result, VR_SECONDS(1)), number(1));
}

static void kill_ends_the_wait(void **state)
{
    vr_greenlet *first = parked(gets, word("1")), *second = parked(gets, word("2"));

    vr_kill(first, -EIO);
    assert_fails(first, -EIO);
    vr_async_result_set(&result, number(1));
    assert_returns(second, number(1));
}

static void kill_in_the_very_turn_of_the_value_wins(void **state)
{
    vr_greenlet *first = parked(gets, word("1")), *second = parked(gets, word("2"));

    vr_kill(first, -EIO);
    vr_async_result_set(&result, number(1));
    assert_fails(first, -EIO);
    assert_returns(second, number(1));
}

/* --- As the target of a greenlet's end --- */

static void end_of_a_greenlet_gives_its_value(void **state)
{
    vr_greenlet *source = vr_spawn(echoes, number(4));

    vr_async_result_link(&result, source);
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(4));
    assert_returns(source, number(4));
}

static bool notes_report(vr_greenlet *greenlet, long error)
{
    trace("reported");
    return false;
}

static void end_of_a_greenlet_gives_its_error_which_counts_as_seen(void **state)
{
    vr_greenlet *source = vr_spawn(fails, number(-EIO));

    vr_hub_handle_error(notes_report);
    vr_async_result_link(&result, source);
    vr_unref(source);
    assert_result_error(vr_async_result_get(&result, VR_FOREVER), -EIO);
    assert_trace("");
    vr_hub_handle_error(NULL);
}

static void exit_of_a_greenlet_gives_no_value_and_no_error(void **state)
{
    vr_greenlet *source = parked(sleeps_forever, NULL);

    vr_async_result_link(&result, source);
    vr_kill(source, -ECANCELED);
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), NULL);
    assert_true(vr_async_result_successful(&result));
    vr_unref(source);
}

static void dead_greenlet_gives_its_value_too(void **state)
{
    vr_greenlet *source = vr_spawn(echoes, number(4));

    vr_join(source, VR_FOREVER);
    vr_async_result_link(&result, source);
    assert_false(vr_async_result_ready(&result)); /* but not from within the call */
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(4));
    vr_unref(source);
}

static void greenlet_that_memory_ran_out_for_gives_that_error(void **state)
{
    vr_async_result_link(&result, NULL);
    assert_result_error(vr_async_result_get(&result, VR_FOREVER), -ENOMEM);
}

static void result_that_was_unlinked_is_not_set(void **state)
{
    vr_greenlet *first = vr_spawn(echoes, number(1)), *second = vr_spawn(echoes, number(2));

    vr_async_result_link(&result, first);
    vr_async_result_unlink(&result);
    vr_async_result_unlink(&result);
    vr_join(first, VR_FOREVER);
    vr_sleep(0);
    assert_false(vr_async_result_ready(&result));
    vr_async_result_link(&result, second);
    assert_result_value(vr_async_result_get(&result, VR_FOREVER), number(2));
    vr_async_result_link(&result, first); /* the link to the second has fired */
    vr_sleep(0);
    assert_result_value(vr_async_result_get(&result, 0), number(1));
    vr_unref(first);
    vr_unref(second);
}

static void links_a_second_greenlet(void)
{
    vr_async_result_link(&result, vr_spawn(echoes, NULL));
    vr_async_result_link(&result, vr_spawn(echoes, NULL));
}

static void link_to_a_second_greenlet_aborts(void **state)
{
    int status = status_of_child(links_a_second_greenlet);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* --- Links --- */

static void notes(void *source, void *name)
{
    assert_ptr_equal(source, &result);
    trace("%s", (const char *)name);
}

static void links_are_called_in_the_hub_in_order_with_those_who_wait(void **state)
{
    vr_link a = {.notify = notes, .context = word("a")}, b = {.notify = notes, .context = word("b")},
            c = {.notify = notes, .context = word("c")};
    vr_greenlet *first = parked(gets, word("1"));

    vr_waitable_link(&result.waitable, &a);
    vr_waitable_link(&result.waitable, &b);
    vr_greenlet *second = parked(gets, word("2"));
    vr_async_result_set(&result, NULL);
    vr_unlink(&b);
    vr_waitable_link(&result.waitable, &c);
    assert_trace("");
    vr_sleep(0);
    assert_trace("1 a c 2");
    vr_waitable_link(&result.waitable, &b);
    vr_async_result_set(&result, NULL);
    vr_sleep(0);
    assert_trace("b");
    assert_returns(first, NULL);
    assert_returns(second, NULL);
}

static void frees(void *source, void *context)
{
    vr_result value = vr_async_result_get(source, 0);

    trace("%d", (int)number_of(value.value));
    free(source);
}

static void last_link_may_free_the_result(void **state)
{
    vr_async_result *own = malloc(sizeof *own);
    vr_link a = {.notify = frees};

    *own = VR_ASYNC_RESULT;
    vr_waitable_link(&own->waitable, &a);
    vr_async_result_set(own, number(6));
    vr_sleep(0);
    assert_trace("6");
}

/* --- Many orders --- */

enum { GETTERS = 6 };

static vr_result gets_within_random_time(void *argument)
{
    return vr_async_result_get(&result, VR_MILLISECONDS(random_below(4)));
}

static vr_result gives_twice(void *argument)
{
    vr_sleep(VR_MILLISECONDS(random_below(4)));
    vr_async_result_set(&result, number(1));
    vr_sleep(VR_MILLISECONDS(random_below(2)));
    vr_async_result_set(&result, number(2));
    return vr_ok(NULL);
}

/* Each has got one of the values, or was out of time before the first. */
static void run_getters(void)
{
    vr_greenlet *getters[GETTERS];

    result = VR_ASYNC_RESULT;
    for (int i = 0; i < GETTERS; i++)
        getters[i] = vr_spawn(gets_within_random_time, NULL);
    vr_greenlet *giver = vr_spawn(gives_twice, NULL);
    vr_sleep(VR_MILLISECONDS(random_below(4)));
    vr_kill(getters[0], -ECANCELED);
    for (int i = 0; i < GETTERS; i++) {
        assert_int_equal(vr_join(getters[i], VR_FOREVER), 0);
        intptr_t value = number_of(vr_value(getters[i]));
        if (vr_error(getters[i]))
            assert_int_equal(vr_error(getters[i]), -ETIMEDOUT);
        else
            assert_true(value == 1 || value == 2 || vr_exited(getters[i]));
        vr_unref(getters[i]);
    }
    assert_returns(giver, NULL);
    assert_result_value(vr_async_result_get(&result, 0), number(2));
}

static void getters_get_a_value_or_a_timeout_in_any_order(void **state)
{
    with_many_seeds(run_getters);
}

#define result_test(function) cmocka_unit_test_setup_teardown(function, new_result, free_hub)

int main(void)
{
    const struct CMUnitTest tests[] = {
        result_test(nothing_is_there_at_first),
        result_test(value_is_there_for_all_who_come_later),
        result_test(error_is_given_like_a_value),
        result_test(set_wakes_those_who_wait_in_the_order_they_came),
        result_test(second_value_is_for_those_who_come_later),
        result_test(result_may_be_gone_when_those_who_waited_have_their_turn),
        result_test(hub_callback_may_give_and_poll_but_not_wait),
        result_test(get_ends_after_its_timeout),
        result_test(value_in_the_turn_of_the_timeout_wins),
        result_test(value_after_the_turn_of_the_timeout_is_for_later),
        result_test(get_fails_where_there_is_no_memory_for_a_timer),
        result_test(kill_ends_the_wait),
        result_test(kill_in_the_very_turn_of_the_value_wins),
        result_test(end_of_a_greenlet_gives_its_value),
        result_test(end_of_a_greenlet_gives_its_error_which_counts_as_seen),
        result_test(exit_of_a_greenlet_gives_no_value_and_no_error),
        result_test(dead_greenlet_gives_its_value_too),
        result_test(greenlet_that_memory_ran_out_for_gives_that_error),
        result_test(result_that_was_unlinked_is_not_set),
        result_test(link_to_a_second_greenlet_aborts),
        result_test(links_are_called_in_the_hub_in_order_with_those_who_wait),
        result_test(last_link_may_free_the_result),
        result_test(getters_get_a_value_or_a_timeout_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
