/* Scopes: what becomes of children and body when one of them fails, is told to end, or runs out of time. */
#include "faults.h"
#include "support.h"

#include <vireo/scope.h>
#include <vireo/waiter.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

static const char *word_for(const vr_scope *scope, long error)
{
    return !error                               ? "ok"
           : error == -ECANCELED                ? "exit"
           : error == -EIO                      ? "EIO"
           : error == -EPROTO                   ? "EPROTO"
           : error == -ETIMEDOUT                ? "ETIMEDOUT"
           : error == scope->interruption.error ? "scope"
                                                : "other";
}

/* --- Children --- */

static vr_result fails_after_a_second(void *error)
{
    int thrown = vr_sleep(VR_SECONDS(1));

    return vr_fail(thrown ? thrown : number_of(error));
}

/* Sleeps until it is told to end, and then has something to do that takes so many seconds. */
static vr_result cleans_up(void *seconds)
{
    int error = vr_sleep(VR_FOREVER);

    trace("%s@%ld", error == -ECANCELED ? "told" : "other", seconds_now());
    int late = vr_sleep(VR_SECONDS(number_of(seconds)));
    trace("%s@%ld", late ? "cut" : "cleaned", seconds_now());
    return vr_fail(error);
}

static vr_result traces_run(void *argument)
{
    trace("ran");
    return vr_ok(argument);
}

/* --- All is well --- */

static void join_waits_for_all_children(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_greenlet *one = vr_scope_spawn(&scope, sleeps_ms, number(1000));
    vr_greenlet *two = vr_scope_spawn(&scope, sleeps_ms, number(2000));
    assert_int_equal(vr_scope_count(&scope), 2);
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(vr_scope_count(&scope), 0);
    assert_int_equal(seconds_now(), 2);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_ptr_equal(vr_value(one), number(1000));
    assert_ptr_equal(vr_value(two), number(2000));
    vr_unref(one);
    vr_unref(two);
}

static void scope_without_children_is_over_at_once(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(1)});
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_int_equal(vr_sleep(VR_SECONDS(5)), 0);
}

static vr_result spawns_a_sibling(void *scope)
{
    vr_unref(vr_scope_spawn(scope, sleeps_ms, number(2000)));
    return vr_ok(NULL);
}

static void children_may_spawn_into_their_scope(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, spawns_a_sibling, &scope));
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 2);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
}

static void scope_that_has_ended_is_none_and_can_begin_again(void **state)
{
    vr_scope scope = {0};

    assert_int_equal(vr_scope_done(&scope, -EIO), -EIO);
    for (int i = 0; i < 2; i++) {
        vr_scope_init(&scope, NULL);
        vr_unref(vr_scope_spawn(&scope, fails, number(-EPROTO)));
        assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EPROTO);
        assert_int_equal(vr_scope_done(&scope, 0), 0);
        vr_scope_cancel(&scope);
        vr_scope_abandon(&scope);
        assert_int_equal(vr_scope_join(&scope, VR_FOREVER), -EINVAL);
    }
}

static void children_come_and_go(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    for (size_t i = 0; i < scaled(20000); i++) {
        vr_unref(vr_scope_spawn(&scope, echoes, NULL));
        assert_true(vr_scope_count(&scope) <= 2);
        vr_sleep(0);
    }
    assert_int_equal(vr_scope_done(&scope, 0), 0);
}

/* --- A child fails --- */

static void failing_child_cancels_its_siblings_and_the_body(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    int error = vr_sleep(VR_SECONDS(99));
    assert_int_equal(seconds_now(), 1);
    assert_string_equal(word_for(&scope, error), "scope");
    assert_true(error <= VR_SCOPE_ERRORS && error > VR_TIMEOUT_ERRORS);
    assert_false(vr_is_timeout(error));
    assert_int_equal(vr_scope_done(&scope, error), -EIO);
    assert_trace("told@1 cleaned@3");
    assert_int_equal(seconds_now(), 3);
}

static void body_is_interrupted_once(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    vr_unref(vr_scope_spawn(&scope, fails, number(-EPROTO)));
    assert_string_equal(word_for(&scope, vr_sleep(VR_SECONDS(1))), "scope");
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
    assert_int_equal(vr_scope_done(&scope, 0), -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
}

static void join_returns_early_when_a_child_fails(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, sleeps_forever, NULL));
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    int error = vr_scope_join(&scope, VR_FOREVER);
    assert_int_equal(seconds_now(), 1);
    assert_string_equal(word_for(&scope, error), "scope");
    /* As often as it is asked. */
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), error);
    assert_int_equal(vr_scope_done(&scope, error), -EIO);
}

static void failure_of_the_last_child_is_one_too(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    int error = vr_scope_join(&scope, VR_FOREVER);
    assert_string_equal(word_for(&scope, error), "scope");
    assert_int_equal(vr_scope_done(&scope, error), -EIO);
    /* It was returned, and is not thrown any more. */
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
}

static void failure_before_the_body_waits_fails_the_first_wait(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    vr_waiter waiter = VR_WAITER;
    assert_string_equal(word_for(&scope, vr_waiter_get(&waiter, VR_FOREVER).error), "scope");
    assert_int_equal(vr_scope_done(&scope, 0), -EIO);
}

static void body_that_ends_before_it_is_interrupted_hears_of_it_from_done_alone(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    assert_int_equal(vr_scope_done(&scope, 0), 0); /* it never ran */
    vr_scope_init(&scope, NULL);
    vr_greenlet *child = vr_scope_spawn(&scope, fails, number(-EIO));
    vr_greenlet *other = vr_spawn(echoes, NULL);
    /* In the turn in which the child has failed. */
    assert_int_equal(vr_join(other, VR_FOREVER), 0);
    assert_true(vr_ready(child));
    assert_int_equal(vr_scope_done(&scope, 0), -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
    vr_unref(child);
    vr_unref(other);
}

static void first_child_to_fail_is_the_one_that_counts(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EPROTO)));
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EIO);
}

static void exit_of_a_child_is_no_failure(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_greenlet *killed = vr_scope_spawn(&scope, sleeps_forever, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-ECANCELED)));
    vr_unref(vr_scope_spawn(&scope, sleeps_ms, number(1000)));
    vr_sleep(0);
    vr_kill(killed, -ECANCELED);
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 1);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    vr_unref(killed);
}

static void child_that_is_killed_by_another_error_has_failed(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_greenlet *killed = vr_scope_spawn(&scope, sleeps_forever, NULL);
    vr_kill(killed, -EPROTO);
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EPROTO);
    vr_unref(killed);
}

static int reports;

static bool counts_report(vr_greenlet *greenlet, long error)
{
    reports++;
    return false;
}

static void childs_error_is_not_reported_to_the_program(void **state)
{
    vr_scope scope;

    reports = 0;
    vr_hub_handle_error(counts_report);
    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    vr_unref(vr_scope_spawn(&scope, fails, number(-EPROTO)));
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EIO);
    vr_sleep(0);
    assert_int_equal(reports, 0);
}

/* --- The body fails --- */

static void failing_body_cancels_the_children(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, -EIO), -EIO);
    assert_trace("told@0 cleaned@1");
}

static void body_that_ends_without_a_join_cancels_the_children(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    vr_unref(vr_scope_spawn_at(VR_SITE, &scope, traces_run, NULL));
    vr_sleep(0);
    vr_unref(vr_scope_spawn(&scope, traces_run, NULL)); /* never starts */
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_trace("ran told@0 cleaned@1");
}

static vr_result fails_when_told(void *error)
{
    vr_sleep(VR_FOREVER);
    return vr_fail(number_of(error));
}

static void bodys_error_goes_before_those_of_the_cleanup(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails_when_told, number(-EPROTO)));
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, -EIO), -EIO);
}

static void error_of_the_cleanup_is_told_when_there_is_no_other(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails_when_told, number(-EPROTO)));
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, 0), -EPROTO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
}

static void childs_error_goes_before_a_later_one_of_the_body(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EPROTO)));
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_scope_done(&scope, -EIO), -EPROTO);
}

/* --- The limit --- */

static void body_that_exceeds_its_limit_has_timed_out(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    int error = vr_scope_join(&scope, VR_FOREVER);
    assert_int_equal(seconds_now(), 2);
    assert_true(vr_is_timeout(error));
    assert_int_equal(vr_scope_done(&scope, error), -ETIMEDOUT);
    assert_trace("told@2 cleaned@3");
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void limit_ends_with_the_body(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(3)));
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_trace("told@1 cleaned@4");
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void limit_in_the_turn_of_the_last_childs_end_is_kept(void **state)
{
    for (int limit_first = 0; limit_first < 2; limit_first++) {
        vr_scope scope;
        vr_greenlet *child = limit_first ? NULL : vr_spawn(sleeps_ms, number(2000));
        vr_sleep(0);
        vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(2)});
        if (child)
            assert_int_equal(vr_scope_add(&scope, child), 0);
        else
            child = vr_scope_spawn(&scope, sleeps_ms, number(2000));
        int error = vr_scope_join(&scope, VR_FOREVER);
        assert_string_equal(word_for(&scope, error), "ok");
        assert_int_equal(vr_scope_done(&scope, error), 0);
        assert_true(vr_successful(child));
        vr_unref(child);
    }
}

static void call_that_timed_out_by_itself_is_a_failure_like_any(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(9)});
    vr_unref(vr_scope_spawn(&scope, sleeps_forever, NULL));
    int error = vr_scope_join(&scope, VR_SECONDS(1));
    assert_int_equal(error, -ETIMEDOUT);
    assert_int_equal(vr_scope_count(&scope), 1);
    assert_int_equal(vr_scope_done(&scope, error), -ETIMEDOUT);
}

/* --- Cancelling --- */

static vr_result cancels(void *scope)
{
    vr_sleep(VR_SECONDS(1));
    vr_scope_cancel(scope);
    vr_scope_cancel(scope);
    bool error = vr_sleep(VR_SECONDS(5)) == -ECANCELED;
    trace("%s@%ld", error ? "told too" : "other", seconds_now());
    return vr_ok(NULL);
}

static void cancel_by_a_child_ends_all_and_is_no_failure(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cancels, &scope));
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    int error = vr_sleep(VR_FOREVER);
    assert_string_equal(word_for(&scope, error), "scope");
    assert_int_equal(vr_scope_done(&scope, error), 0);
    assert_trace("told too@1 told@1 cleaned@2");
}

static void cancel_by_the_owner_leaves_the_body_alone(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    vr_sleep(0);
    vr_scope_cancel(&scope);
    assert_int_equal(vr_sleep(VR_SECONDS(3)), 0);
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_trace("told@0 cleaned@1");
}

static vr_result gets_the_exit_once(void *argument)
{
    trace("%s", vr_sleep(VR_FOREVER) == -ECANCELED ? "exit" : "other");
    trace("%s", vr_sleep(VR_SECONDS(2)) ? "again" : "once");
    return vr_ok(NULL);
}

static void cleanup_is_not_cut_short_by_a_second_exit(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, gets_the_exit_once, NULL));
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EPROTO)));
    long error = vr_scope_join(&scope, VR_FOREVER);
    vr_scope_cancel(&scope);
    assert_int_equal(vr_scope_done(&scope, error), -EIO);
    assert_trace("exit once");
}

static void child_for_a_cancelled_scope_never_runs(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_scope_cancel(&scope);
    vr_greenlet *late = vr_scope_spawn(&scope, traces_run, NULL);
    assert_true(vr_ready(late) && vr_exited(late));
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_trace("");
    vr_unref(late);
}

static vr_scope *scope_for_callback;

static void cancels_from_hub(vr_callback *callback)
{
    vr_unref(vr_scope_spawn(scope_for_callback, traces_run, NULL));
    vr_scope_cancel(scope_for_callback);
}

static void hub_callbacks_may_spawn_and_cancel(void **state)
{
    vr_scope scope;
    vr_callback callback = {.run = cancels_from_hub};

    vr_scope_init(&scope, NULL);
    scope_for_callback = &scope;
    vr_callback_queue(&callback);
    int error = vr_scope_join(&scope, VR_FOREVER);
    assert_int_equal(error, 0); /* nothing was to be waited for */
    error = vr_sleep(VR_FOREVER);
    assert_string_equal(word_for(&scope, error), "scope");
    assert_int_equal(vr_scope_done(&scope, error), 0);
    assert_trace("");
}

/* --- Adding --- */

static void greenlets_that_were_spawned_otherwise_can_be_added(void **state)
{
    vr_scope scope;
    vr_greenlet *child =
        vr_spawn_with(&(vr_spawn_options){.name = "child", .delay = VR_SECONDS(1)}, sleeps_ms, number(1000));

    vr_scope_init(&scope, NULL);
    assert_int_equal(vr_scope_add(&scope, child), 0);
    assert_int_equal(vr_scope_add(&scope, child), 0);
    assert_int_equal(vr_scope_count(&scope), 1);
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 2);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    vr_unref(child);
}

static void dead_greenlet_that_has_failed_fails_the_scope(void **state)
{
    vr_scope scope;
    vr_greenlet *dead = vr_spawn(fails, number(-EIO));

    vr_join(dead, VR_FOREVER);
    vr_scope_init(&scope, NULL);
    assert_int_equal(vr_scope_add(&scope, dead), 0);
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EIO);
    vr_unref(dead);
}

static void child_without_memory_is_one_that_failed(void **state)
{
    vr_scope scope;

    for (int way = 0; way < 2; way++) {
        vr_scope_init(&scope, NULL);
        vr_unref(vr_scope_spawn(&scope, cleans_up, number(0)));
        vr_sleep(0);
        if (way == 0) {
            FAIL(malloc, ENOMEM);
            errno = 0;
            assert_null(vr_scope_spawn(&scope, traces_run, NULL));
            assert_int_equal(errno, ENOMEM);
            PASS(malloc);
        } else {
            assert_int_equal(vr_scope_add(&scope, NULL), -ENOMEM);
        }
        int error = vr_scope_join(&scope, VR_FOREVER);
        assert_string_equal(word_for(&scope, error), "scope");
        assert_int_equal(vr_scope_done(&scope, error), -ENOMEM);
        assert_trace("told@0 cleaned@0");
    }
}

static void limit_without_memory_fails_the_scope_from_the_start(void **state)
{
    vr_scope scope;
    vr_timeout other = VR_TIMEOUT;

    vr_timeout_start(&other, VR_SECONDS(1));
    FAIL(malloc, ENOMEM);
    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(2)});
    PASS(malloc);
    vr_timeout_end(&other, 0);
    vr_unref(vr_scope_spawn(&scope, traces_run, NULL));
    int error = vr_scope_join(&scope, VR_FOREVER);
    assert_string_equal(word_for(&scope, error), "scope");
    assert_int_equal(vr_scope_done(&scope, error), -ENOMEM);
    assert_trace("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(join_waits_for_all_children),
        virtual_test(scope_without_children_is_over_at_once),
        virtual_test(children_may_spawn_into_their_scope),
        virtual_test(scope_that_has_ended_is_none_and_can_begin_again),
        virtual_test(children_come_and_go),
        virtual_test(failing_child_cancels_its_siblings_and_the_body),
        virtual_test(body_is_interrupted_once),
        virtual_test(join_returns_early_when_a_child_fails),
        virtual_test(failure_of_the_last_child_is_one_too),
        virtual_test(failure_before_the_body_waits_fails_the_first_wait),
        virtual_test(body_that_ends_before_it_is_interrupted_hears_of_it_from_done_alone),
        virtual_test(first_child_to_fail_is_the_one_that_counts),
        virtual_test(exit_of_a_child_is_no_failure),
        virtual_test(child_that_is_killed_by_another_error_has_failed),
        virtual_test(childs_error_is_not_reported_to_the_program),
        virtual_test(failing_body_cancels_the_children),
        virtual_test(body_that_ends_without_a_join_cancels_the_children),
        virtual_test(bodys_error_goes_before_those_of_the_cleanup),
        virtual_test(error_of_the_cleanup_is_told_when_there_is_no_other),
        virtual_test(childs_error_goes_before_a_later_one_of_the_body),
        virtual_test(body_that_exceeds_its_limit_has_timed_out),
        virtual_test(limit_ends_with_the_body),
        virtual_test(limit_in_the_turn_of_the_last_childs_end_is_kept),
        virtual_test(call_that_timed_out_by_itself_is_a_failure_like_any),
        virtual_test(cancel_by_a_child_ends_all_and_is_no_failure),
        virtual_test(cancel_by_the_owner_leaves_the_body_alone),
        virtual_test(cleanup_is_not_cut_short_by_a_second_exit),
        virtual_test(child_for_a_cancelled_scope_never_runs),
        virtual_test(hub_callbacks_may_spawn_and_cancel),
        virtual_test(greenlets_that_were_spawned_otherwise_can_be_added),
        virtual_test(dead_greenlet_that_has_failed_fails_the_scope),
        virtual_test(child_without_memory_is_one_that_failed),
        virtual_test(limit_without_memory_fails_the_scope_from_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
