/* Greenlets that something else may wake are never reported. */
#include "deadlock_support.h"

#include <vireo/event.h>
#include <vireo/scope.h>
#include <vireo/timeout.h>

static vr_result joins_for_a_second(void *slot)
{
    return vr_fail(vr_join(*(vr_greenlet **)slot, VR_SECONDS(1)));
}

static void limit_anywhere_in_the_group_is_an_end(void **state)
{
    for (int limited = 0; limited < 3; limited++) {
        for (int i = 0; i < 3; i++)
            players[i] = vr_spawn(i == limited ? joins_for_a_second : joins_argument, &players[(i + 1) % 3]);
        assert_reports(0);
        assert_int_equal(vr_joinall(players, 3, VR_SECONDS(5)), 3);
        end_players(3);
    }
    assert_int_equal(reports, 0);
}

static vr_result joins_within_timeout(void *slot)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_SECONDS(1));
    long error = vr_join(*(vr_greenlet **)slot, VR_FOREVER);
    return vr_fail(vr_timeout_end(&timeout, error));
}

static vr_result joins_within_shield(void *slot)
{
    vr_shield shield;

    vr_shield_begin(&shield, VR_SECONDS(1));
    long error = vr_join(*(vr_greenlet **)slot, VR_FOREVER);
    return vr_fail(vr_shield_end(&shield, error));
}

static vr_result joins_within_scope(void *slot)
{
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(1)});
    return vr_fail(vr_scope_done(&scope, vr_join(*(vr_greenlet **)slot, VR_FOREVER)));
}

static void timeouts_shields_and_scopes_with_limits_are_an_end(void **state)
{
    vr_function *const functions[] = {joins_within_timeout, joins_within_shield, joins_within_scope};

    for (int i = 0; i < 3; i++)
        for (int order = 0; order < 2; order++) {
            players[order] = vr_spawn(functions[i], &players[!order]);
            players[!order] = vr_spawn(joins_argument, &players[order]);
            assert_reports(0);
            assert_int_equal(vr_joinall(players, 2, VR_SECONDS(5)), 2);
            end_players(2);
        }
    assert_int_equal(reports, 0);
}

static vr_result joins_with_endless_timeout(void *slot)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, VR_FOREVER);
    long error = vr_join(*(vr_greenlet **)slot, VR_FOREVER);
    return vr_fail(vr_timeout_end(&timeout, error));
}

static void timeout_that_never_comes_is_none(void **state)
{
    players[0] = vr_spawn(joins_with_endless_timeout, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    assert_reports(1);
    end_players(2);
}

/* The timeout is due in the turn in which the group comes about, behind the second look. */
static vr_result joins_after_a_second(void *slot)
{
    vr_sleep(VR_SECONDS(1));
    return joins_argument(slot);
}

static void timeout_that_is_due_already_is_an_end(void **state)
{
    players[0] = vr_spawn(joins_within_timeout, &players[1]);
    players[1] = vr_spawn(joins_after_a_second, &players[0]);
    vr_sleep(VR_SECONDS(5));
    assert_int_equal(reports, 0);
    end_players(2);
}

static void kill_that_is_on_its_way_is_an_end(void **state)
{
    players[0] = vr_spawn(joins_argument, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    vr_sleep(0);
    vr_kill(players[1], -ECANCELED);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(reports, 0);
    end_players(2);
}

static vr_result kills_and_joins(void *slot)
{
    vr_kill(*(vr_greenlet **)slot, -ECANCELED);
    return joins_argument(slot);
}

static void kill_before_the_last_wait_is_an_end(void **state)
{
    players[0] = vr_spawn(joins_argument, &players[1]);
    players[1] = vr_spawn(kills_and_joins, &players[0]);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(reports, 0);
    end_players(2);
}

static vr_event event = VR_EVENT_INIT;
static vr_semaphore semaphore = VR_SEMAPHORE_INIT(0);

static vr_result takes_and_waits_for_event(void *lock)
{
    vr_rlock_acquire(lock, VR_FOREVER);
    vr_event_wait(&event, VR_FOREVER);
    vr_rlock_release(lock);
    return vr_ok(NULL);
}

static vr_result takes_lock_to_set_event(void *lock)
{
    long error = vr_rlock_acquire(lock, VR_FOREVER);

    if (!error)
        vr_rlock_release(lock);
    return vr_fail(error);
}

static void events_may_be_set_by_anybody(void **state)
{
    vr_rlock lock = VR_RLOCK;

    players[0] = vr_spawn(takes_and_waits_for_event, &lock);
    players[1] = vr_spawn(takes_lock_to_set_event, &lock);
    assert_reports(0);
    vr_event_set(&event);
    assert_int_equal(vr_joinall(players, 2, VR_FOREVER), 2);
    vr_event_clear(&event);
    end_players(2);
}

static vr_result waits_for_unit(void *argument)
{
    return vr_fail(vr_semaphore_acquire(&semaphore, VR_FOREVER));
}

static void semaphores_may_be_released_by_anybody(void **state)
{
    players[0] = vr_spawn(waits_for_unit, NULL);
    players[1] = vr_spawn(joins_argument, &players[0]);
    players[2] = vr_spawn(joins_argument, &players[1]);
    assert_reports(0);
    end_players(3);
}

static vr_result switches_to_parent(void *argument)
{
    return vr_switch(vr_parent(vr_current()), NULL);
}

static void one_that_a_switch_can_wake_is_not_stuck(void **state)
{
    vr_greenlet *raw = vr_greenlet_new(switches_to_parent);

    vr_switch(raw, NULL);
    players[0] = vr_spawn(joins_argument, &raw);
    players[1] = vr_spawn(joins_argument, &players[0]);
    assert_reports(0);
    end_players(2);
    vr_switch(raw, NULL);
    vr_unref(raw);
}

static void one_that_has_not_started_is_not_stuck(void **state)
{
    vr_greenlet *raw = vr_greenlet_new(echoes), *later = vr_spawn_later(VR_SECONDS(1), echoes, NULL);

    players[0] = vr_spawn(joins_argument, &raw);
    players[1] = vr_spawn(joins_argument, &players[0]);
    players[2] = vr_spawn(joins_argument, &later);
    players[3] = vr_spawn(joins_argument, &players[2]);
    vr_sleep(VR_SECONDS(2));
    assert_int_equal(reports, 0);
    end_players(4);
    vr_unref(raw);
    vr_unref(later);
}

/* Has the lock, and joins the one that wants it, but gives it back first. */
static vr_result takes_gives_and_joins(void *slot)
{
    vr_rlock_acquire(&locks[0], VR_FOREVER);
    vr_sleep(0);
    vr_rlock_release(&locks[0]);
    return joins_argument(slot);
}

static void lock_that_was_just_given_is_its_new_owners(void **state)
{
    locks[0] = VR_RLOCK;
    players[0] = vr_spawn(takes_gives_and_joins, &players[1]);
    players[1] = vr_spawn(plays, (void *)(uintptr_t) "a");
    assert_reports(0);
    assert_int_equal(vr_joinall(players, 2, VR_FOREVER), 2);
    end_players(2);
}

static vr_result joins_next(void *slot)
{
    return vr_fail(vr_join(*((vr_greenlet **)slot + 1), VR_FOREVER));
}

static void long_rows_are_not_groups(void **state)
{
    enum { ROW = 3000 };
    static vr_greenlet *row[ROW + 1];

    /* Each joins the one that was spawned before it, and all are waited for at once. */
    row[ROW] = vr_spawn(sleeps_ms, number(1000));
    for (int i = ROW - 1; i >= 0; i--)
        row[i] = vr_spawn(joins_next, &row[i]);
    assert_int_equal(vr_wait(row, ROW + 1, &(vr_wait_options){.timeout = VR_FOREVER}), ROW + 1);
    assert_int_equal(reports, 0);
    for (int i = 0; i <= ROW; i++)
        vr_unref(row[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        deadlock_test(limit_anywhere_in_the_group_is_an_end),
        deadlock_test(timeouts_shields_and_scopes_with_limits_are_an_end),
        deadlock_test(timeout_that_never_comes_is_none),
        deadlock_test(timeout_that_is_due_already_is_an_end),
        deadlock_test(kill_that_is_on_its_way_is_an_end),
        deadlock_test(kill_before_the_last_wait_is_an_end),
        deadlock_test(events_may_be_set_by_anybody),
        deadlock_test(semaphores_may_be_released_by_anybody),
        deadlock_test(one_that_a_switch_can_wake_is_not_stuck),
        deadlock_test(one_that_has_not_started_is_not_stuck),
        deadlock_test(lock_that_was_just_given_is_its_new_owners),
        deadlock_test(long_rows_are_not_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
