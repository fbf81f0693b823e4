/* The ends of scopes: kills and timeouts of the owner, scopes in scopes, children that will not end. */
#include "support.h"

#include <vireo/scope.h>
#include <vireo/waiter.h>

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

static const char *word_for(long error)
{
    return !error                     ? "ok"
           : error == -ECANCELED      ? "exit"
           : error == -EIO            ? "EIO"
           : error == -EPROTO         ? "EPROTO"
           : error == -ETIMEDOUT      ? "ETIMEDOUT"
           : error == -EBUSY          ? "EBUSY"
           : vr_is_timeout(error)     ? "timeout"
           : error <= VR_SCOPE_ERRORS ? "scope"
                                      : "other";
}

/* Sleeps until it is told to end, and then has something to do that takes so many seconds. */
static vr_result cleans_up(void *seconds)
{
    int error = vr_sleep(VR_FOREVER);

    int late = vr_sleep(VR_SECONDS(number_of(seconds)));
    trace("%s@%ld", late ? "cut" : "cleaned", seconds_now());
    return vr_fail(error);
}

static vr_result fails_after_a_second(void *error)
{
    int thrown = vr_sleep(VR_SECONDS(1));

    return vr_fail(thrown ? thrown : number_of(error));
}

/* --- Kills of the owner --- */

static vr_result owns_in_a_body(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    long error = vr_sleep(VR_FOREVER);
    trace("%s", word_for(error));
    return vr_fail(vr_scope_done(&scope, error));
}

static vr_result owns_in_a_join(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    long error = vr_scope_join(&scope, VR_FOREVER);
    trace("%s", word_for(error));
    return vr_fail(vr_scope_done(&scope, error));
}

static void kill_of_the_owner_cancels_the_children_and_waits_for_their_cleanup(void **state)
{
    vr_function *const owners[] = {owns_in_a_body, owns_in_a_join};

    for (int i = 0; i < 2; i++) {
        vr_greenlet *owner = vr_spawn(owners[i], NULL);
        vr_time start = vr_now();
        vr_sleep(VR_SECONDS(1));
        vr_kill(owner, -ECANCELED);
        assert_int_equal(vr_join(owner, VR_FOREVER), 0);
        assert_int_equal(vr_now() - start, VR_SECONDS(3));
        assert_true(vr_exited(owner));
        assert_trace(i ? "exit cleaned@6" : "exit cleaned@3");
        vr_unref(owner);
    }
}

static vr_result ends_its_body(void *error)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    vr_sleep(0);
    long first = vr_scope_done(&scope, number_of(error));
    trace("%s@%ld", word_for(first), seconds_now());
    trace("%s", word_for(vr_sleep(VR_SECONDS(5))));
    return vr_ok(NULL);
}

static void kill_during_the_cleanup_waits_for_its_end(void **state)
{
    for (int fails = 0; fails < 2; fails++) {
        vr_greenlet *owner = vr_spawn(ends_its_body, number(fails ? -EIO : 0));
        vr_sleep(VR_SECONDS(1));
        vr_kill(owner, -ECANCELED);
        assert_int_equal(vr_join(owner, VR_FOREVER), 0);
        if (fails) {
            /* There is another error to return: the kill is the next wait's. */
            assert_trace("cleaned@9 EIO@9 exit");
        } else {
            assert_trace("cleaned@2 exit@2 ok");
        }
        vr_unref(owner);
    }
}

/* The owner is killed and a child fails in the same turn. */
static vr_result owns_a_failing_child(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    long error = vr_scope_join(&scope, VR_FOREVER);
    error = vr_scope_done(&scope, error);
    trace("%s", word_for(error));
    trace("%s", word_for(vr_sleep(VR_SECONDS(5))));
    return vr_ok(NULL);
}

static vr_result kills_after_a_second(void *victim)
{
    vr_sleep(VR_SECONDS(1));
    vr_kill(victim, -ECANCELED);
    return vr_ok(NULL);
}

static void kill_is_not_lost_to_the_failure_of_a_child_in_the_same_turn(void **state)
{
    for (int kill_first = 0; kill_first < 2; kill_first++) {
        vr_greenlet *owner = vr_greenlet_new(owns_a_failing_child);
        vr_greenlet *killer = kill_first ? vr_spawn(kills_after_a_second, owner) : NULL;
        vr_start(owner, NULL);
        vr_sleep(0);
        vr_sleep(0);
        if (!kill_first)
            killer = vr_spawn(kills_after_a_second, owner);
        assert_int_equal(vr_join(owner, VR_FOREVER), 0);
        /* Either it was thrown first, and then nothing else is, or the child's error is told, and it comes next. */
        assert_true(!strcmp(trace_text, "exit ok") || !strcmp(trace_text, "EIO exit"));
        trace_clear();
        vr_unref(owner);
        vr_unref(killer);
        assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    }
}

static vr_result is_killed_after_its_child_has_failed(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    trace("%s", word_for(vr_sleep(VR_FOREVER)));
    long error = vr_sleep(VR_FOREVER); /* goes on regardless, until it is killed */
    trace("%s", word_for(error));
    return vr_fail(vr_scope_done(&scope, error));
}

static void kill_goes_before_a_childs_error(void **state)
{
    vr_greenlet *owner = vr_spawn(is_killed_after_its_child_has_failed, NULL);

    vr_sleep(VR_SECONDS(1));
    vr_kill(owner, -ECANCELED);
    assert_int_equal(vr_join(owner, VR_FOREVER), 0);
    assert_true(vr_exited(owner));
    assert_trace("scope exit");
    vr_unref(owner);
}

/* --- Timeouts of the owner --- */

static void timeout_around_a_scope_passes_it(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_scope scope;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(9)});
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    long error = vr_scope_join(&scope, VR_FOREVER);
    assert_true(vr_timeout_is(&timeout, error));
    error = vr_scope_done(&scope, error);
    assert_true(vr_timeout_is(&timeout, error));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_trace("cleaned@3");
}

static void timeout_around_a_scope_waits_for_the_cleanup(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_scope scope;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    vr_sleep(0);
    long error = vr_scope_done(&scope, 0);
    assert_true(vr_timeout_is(&timeout, error));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    assert_trace("cleaned@2");
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void timeout_within_a_scope_is_the_bodys_matter(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, sleeps_ms, number(2000)));
    assert_result_error(vr_with_timeout(VR_SECONDS(1), sleeps_forever, NULL), -ETIMEDOUT);
    assert_int_equal(vr_scope_join(&scope, VR_FOREVER), 0);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
}

static void order_from_outside_goes_before_a_childs_error(void **state)
{
    vr_timeout timeout = VR_TIMEOUT;
    vr_scope scope;

    /* The body goes on after the child's failure until the timeout around it is up. */
    vr_timeout_start(&timeout, VR_SECONDS(2));
    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    assert_string_equal(word_for(vr_sleep(VR_FOREVER)), "scope");
    long error = vr_scope_done(&scope, vr_sleep(VR_FOREVER));
    assert_true(vr_timeout_is(&timeout, error));
    assert_int_equal(vr_timeout_end(&timeout, error), -ETIMEDOUT);
    /* The same for the scope's own limit. */
    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, fails, number(-EIO)));
    assert_string_equal(word_for(vr_sleep(VR_FOREVER)), "scope");
    assert_int_equal(vr_scope_done(&scope, vr_sleep(VR_FOREVER)), -ETIMEDOUT);
}

/* --- Scopes in scopes --- */

static vr_result owns_an_inner_one(void *argument)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(1)));
    long error = vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER));
    trace("inner-%s", word_for(error));
    return vr_fail(error);
}

static void failure_reaches_the_children_of_children(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, owns_an_inner_one, NULL));
    vr_unref(vr_scope_spawn(&scope, fails_after_a_second, number(-EIO)));
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EIO);
    assert_trace("cleaned@2 inner-exit");
}

static void failure_in_an_inner_scope_is_its_owners_to_handle(void **state)
{
    vr_scope outer, inner;

    vr_scope_init(&outer, NULL);
    vr_unref(vr_scope_spawn(&outer, sleeps_ms, number(3000)));
    vr_scope_init(&inner, NULL);
    vr_unref(vr_scope_spawn(&inner, fails_after_a_second, number(-EPROTO)));
    assert_int_equal(vr_scope_done(&inner, vr_scope_join(&inner, VR_FOREVER)), -EPROTO);
    assert_int_equal(vr_scope_join(&outer, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 3);
    assert_int_equal(vr_scope_done(&outer, 0), 0);
}

static void failure_in_the_outer_scope_passes_the_inner(void **state)
{
    vr_scope outer, inner;

    vr_scope_init(&outer, NULL);
    vr_unref(vr_scope_spawn(&outer, fails_after_a_second, number(-EIO)));
    vr_scope_init(&inner, NULL);
    vr_unref(vr_scope_spawn(&inner, cleans_up, number(2)));
    long error = vr_scope_done(&inner, vr_scope_join(&inner, VR_FOREVER));
    assert_string_equal(word_for(error), "scope");
    assert_trace("cleaned@3");
    assert_int_equal(vr_scope_done(&outer, error), -EIO);
}

static void failures_of_both_in_one_turn_are_both_told(void **state)
{
    vr_scope outer, inner;

    vr_scope_init(&outer, NULL);
    vr_scope_init(&inner, NULL);
    vr_unref(vr_scope_spawn(&inner, fails_after_a_second, number(-EPROTO)));
    vr_unref(vr_scope_spawn(&outer, fails_after_a_second, number(-EIO)));
    long error = vr_scope_done(&inner, vr_scope_join(&inner, VR_FOREVER));
    if (error == -EPROTO)
        assert_string_equal(word_for(vr_sleep(VR_FOREVER)), "scope");
    else
        assert_string_equal(word_for(error), "scope");
    assert_int_equal(vr_scope_done(&outer, error), -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(5)), 0);
}

static void failure_in_the_outer_scope_waits_for_the_inner_ones_cleanup(void **state)
{
    vr_scope outer, inner;

    vr_scope_init(&outer, NULL);
    vr_unref(vr_scope_spawn(&outer, fails_after_a_second, number(-EIO)));
    vr_scope_init(&inner, NULL);
    vr_unref(vr_scope_spawn(&inner, cleans_up, number(2)));
    vr_sleep(0);
    long error = vr_scope_done(&inner, 0);
    assert_trace("cleaned@2");
    assert_string_equal(word_for(error), "scope");
    assert_int_equal(vr_scope_done(&outer, error), -EIO);
}

/* --- Children that will not end --- */

static vr_result refuses_to_end(void *stop)
{
    while (!*(bool *)stop)
        vr_sleep(VR_FOREVER);
    return vr_fail(-EPROTO);
}

static void child_that_does_not_end_in_time_is_told_and_the_scope_stays(void **state)
{
    bool stop = false;
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.cleanup = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, refuses_to_end, &stop));
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, -EIO), -EBUSY);
    assert_int_equal(seconds_now(), 2);
    assert_int_equal(vr_scope_count(&scope), 1);
    assert_int_equal(vr_scope_done(&scope, -EBUSY), -EBUSY);
    assert_int_equal(seconds_now(), 4);
    /* Another exit is thrown; the first error is still the first. */
    stop = true;
    assert_int_equal(vr_scope_done(&scope, -EBUSY), -EIO);
    assert_int_equal(seconds_now(), 4);
    assert_int_equal(vr_scope_count(&scope), 0);
}

static void children_have_a_while_where_the_options_say_nothing(void **state)
{
    bool stop = false;
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, refuses_to_end, &stop));
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, 0), -EBUSY);
    assert_int_equal(vr_now(), VR_SCOPE_CLEANUP);
    stop = true;
    assert_int_equal(vr_scope_done(&scope, 0), -EPROTO);
}

static void cleanup_that_ends_in_the_turn_of_its_limit_was_in_time(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.cleanup = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, cleans_up, number(2)));
    vr_sleep(0);
    vr_scope_cancel(&scope);
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, 0), 0);
    assert_trace("cleaned@2");
}

static void kill_meanwhile_stays_for_later(void **state)
{
    bool stop = false;
    vr_scope scope;
    vr_greenlet *self = vr_current();

    vr_scope_init(&scope, &(vr_scope_options){.cleanup = VR_SECONDS(2)});
    vr_unref(vr_scope_spawn(&scope, refuses_to_end, &stop));
    vr_sleep(0);
    vr_kill(self, -EIO);
    assert_int_equal(vr_scope_done(&scope, 0), -EBUSY);
    assert_int_equal(seconds_now(), 2);
    stop = true;
    vr_unref(vr_scope_spawn(&scope, echoes, NULL));
    assert_int_equal(vr_scope_done(&scope, 0), -EPROTO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), -EIO);
    assert_int_equal(vr_sleep(VR_SECONDS(1)), 0);
}

static void abandoned_children_run_on_without_the_scope(void **state)
{
    bool stop = false;
    vr_greenlet *children[2];

    {
        vr_scope scope;
        vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(9), .cleanup = VR_SECONDS(1)});
        for (int i = 0; i < 2; i++)
            children[i] = vr_scope_spawn(&scope, refuses_to_end, &stop);
        vr_sleep(0);
        assert_int_equal(vr_scope_done(&scope, 0), -EBUSY);
        vr_scope_abandon(&scope);
        assert_int_equal(vr_scope_count(&scope), 0);
        memset(&scope, 0xff, sizeof scope);
    }
    stop = true;
    assert_int_equal(vr_killall(children, 2, -ECANCELED, VR_FOREVER), 0);
    assert_int_equal(vr_error(children[0]), -EPROTO);
    vr_unref(children[0]);
    vr_unref(children[1]);
    assert_int_equal(vr_sleep(VR_SECONDS(9)), 0);
}

static void scope_may_be_abandoned_from_the_start(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(1)});
    vr_greenlet *child = vr_scope_spawn(&scope, sleeps_ms, number(3000));
    vr_unref(vr_scope_spawn(&scope, fails, number(-ECANCELED)));
    vr_scope_abandon(&scope);
    assert_int_equal(vr_join(child, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 3);
    vr_unref(child);
}

static void children_that_can_never_end_are_told_of(void **state)
{
    bool stop = false;
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.cleanup = VR_FOREVER});
    vr_greenlet *child = vr_scope_spawn(&scope, refuses_to_end, &stop);
    vr_sleep(0);
    assert_int_equal(vr_scope_done(&scope, 0), -EDEADLK);
    assert_int_equal(vr_scope_count(&scope), 1);
    stop = true;
    assert_int_equal(vr_scope_done(&scope, 0), -EPROTO);
    vr_unref(child);
}

/* --- Misuse --- */

static vr_result joins(void *scope)
{
    return vr_fail(vr_scope_join(scope, VR_FOREVER));
}

static void others_than_the_owner_cannot_join(void **state)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, joins, &scope));
    assert_int_equal(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)), -EINVAL);
}

static vr_scope global_scope;

static vr_result ends_the_scope(void *argument)
{
    vr_scope_done(&global_scope, 0);
    return vr_ok(NULL);
}

static void end_by_another(void)
{
    vr_scope_init(&global_scope, NULL);
    vr_unref(vr_scope_spawn(&global_scope, ends_the_scope, NULL));
    vr_scope_join(&global_scope, VR_FOREVER);
}

static void owner_as_child(void)
{
    vr_scope_init(&global_scope, NULL);
    vr_scope_add(&global_scope, vr_current());
}

static void child_after_the_end(void)
{
    vr_scope_init(&global_scope, NULL);
    vr_scope_done(&global_scope, 0);
    vr_scope_spawn(&global_scope, echoes, NULL);
}

static void begins_in_hub(vr_callback *callback)
{
    vr_scope_init(&global_scope, NULL);
}

static void begin_in_hub(void)
{
    vr_callback callback = {.run = begins_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
}

static void misuse_aborts(void **state)
{
    void (*const misuses[])(void) = {end_by_another, owner_as_child, child_after_the_end, begin_in_hub};

    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        int status = status_of_child(misuses[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(kill_of_the_owner_cancels_the_children_and_waits_for_their_cleanup),
        virtual_test(kill_during_the_cleanup_waits_for_its_end),
        virtual_test(kill_is_not_lost_to_the_failure_of_a_child_in_the_same_turn),
        virtual_test(kill_goes_before_a_childs_error),
        virtual_test(timeout_around_a_scope_passes_it),
        virtual_test(timeout_around_a_scope_waits_for_the_cleanup),
        virtual_test(timeout_within_a_scope_is_the_bodys_matter),
        virtual_test(order_from_outside_goes_before_a_childs_error),
        virtual_test(failure_reaches_the_children_of_children),
        virtual_test(failure_in_an_inner_scope_is_its_owners_to_handle),
        virtual_test(failure_in_the_outer_scope_passes_the_inner),
        virtual_test(failures_of_both_in_one_turn_are_both_told),
        virtual_test(failure_in_the_outer_scope_waits_for_the_inner_ones_cleanup),
        virtual_test(child_that_does_not_end_in_time_is_told_and_the_scope_stays),
        virtual_test(children_have_a_while_where_the_options_say_nothing),
        virtual_test(cleanup_that_ends_in_the_turn_of_its_limit_was_in_time),
        virtual_test(kill_meanwhile_stays_for_later),
        virtual_test(abandoned_children_run_on_without_the_scope),
        virtual_test(scope_may_be_abandoned_from_the_start),
        virtual_test(children_that_can_never_end_are_told_of),
        virtual_test(others_than_the_owner_cannot_join),
        virtual_test(misuse_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
