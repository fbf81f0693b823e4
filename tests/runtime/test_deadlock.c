/* Greenlets that can only wake each other are reported, once, to the program's handler. */
#include "deadlock_support.h"
#include "faults.h"

#include <vireo/event.h>
#include <vireo/generator.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))
WRAP(FILE *, open_memstream, (char **out, size_t *len), NULL, (out, len))

/* --- Groups --- */

static void two_that_join_each_other_are_reported(void **state)
{
    SPAWN("1", "0");
    assert_reports(1);
    assert_string_equal(text, "vireo: deadlock: these can only be woken by each other\n"
                              "  bob    waiting  alice to end  for 0 ms    HERE\n"
                              "  alice  waiting  bob to end    for 0 ms    HERE\n");
    end_players(2);
}

static void two_that_want_each_others_lock_are_reported(void **state)
{
    SPAWN("a-b", "b-a");
    assert_reports(1);
    assert_matches(text, "^  alice  waiting  lock of bob ");
    assert_matches(text, "^  bob    waiting  lock of alice ");
    assert_int_equal(count_lines(text), 3);
    end_players(2);
}

static void locks_and_joins_make_a_group_together(void **state)
{
    SPAWN("a1", "2", "a");
    assert_reports(1);
    assert_matches(text, "^  alice  waiting  bob to end ");
    assert_matches(text, "^  bob    waiting  carol to end ");
    assert_matches(text, "^  carol  waiting  lock of alice ");
    end_players(3);
}

static void main_may_be_one_of_them(void **state)
{
    SPAWN("a");
    vr_rlock_acquire(&locks[0], 0);
    assert_int_equal(vr_join(players[0], VR_FOREVER), -EDEADLK);
    assert_int_equal(reports, 1);
    assert_matches(text, "^  main   waiting  alice to end ");
    assert_matches(text, "^  alice  waiting  lock of main ");
    vr_rlock_release(&locks[0]);
    end_players(1);
}

static vr_result joins_all(void *argument)
{
    return vr_ok(number(vr_joinall(players, 3, VR_FOREVER)));
}

static void joinall_waits_for_one_after_the_other(void **state)
{
    players[3] = NULL;
    SPAWN("-", "-", "3");
    players[3] = vr_spawn(joins_all, NULL);
    assert_reports(1);
    assert_matches(text, "^  greenlet-6  waiting  carol to end ");
    assert_int_equal(count_lines(text), 3);
    end_players(4);
}

static vr_result waits_for_any(void *argument)
{
    int count = vr_wait(players, 2, &(vr_wait_options){.timeout = VR_FOREVER, .wanted = (size_t)number_of(argument)});

    return count < 0 ? vr_fail(count) : vr_ok(number(count));
}

static void spawn_any_and_two_that_join_it(void *wanted)
{
    players[0] = vr_spawn_with(&(vr_spawn_options){.name = "alice"}, joins_argument, &players[2]);
    players[1] = vr_spawn_with(&(vr_spawn_options){.name = "bob"}, joins_argument, &players[2]);
    players[2] = vr_spawn_with(&(vr_spawn_options){.name = "any"}, waits_for_any, wanted);
}

static void waits_for_any_of_several_are_reported_when_all_are_stuck(void **state)
{
    spawn_any_and_two_that_join_it(number(1));
    assert_reports(1);
    assert_matches(text, "^  any    waiting  one of 2 ");
    assert_matches(text, "^  alice  waiting  any to end ");
    assert_matches(text, "^  bob    waiting  any to end ");
    end_players(3);
}

static void waits_for_any_of_several_are_not_while_one_may_end(void **state)
{
    players[0] = vr_spawn(joins_argument, &players[2]);
    players[1] = vr_spawn(sleeps_ms, number(1000));
    players[2] = vr_spawn(waits_for_any, number(2));
    assert_reports(0);
    vr_sleep(VR_SECONDS(2)); /* now only the stuck one is left to wait for */
    assert_int_equal(reports, 1);
    assert_int_equal(count_lines(text), 3);
    end_players(3);
}

static vr_result waits_for_event_too(void *event)
{
    vr_waitable *objects[] = {vr_greenlet_waitable(players[0]), event};

    return vr_fail(vr_wait_object(objects, 2, VR_FOREVER));
}

static void waits_for_any_object_of_another_kind_are_not(void **state)
{
    vr_event event = VR_EVENT;

    players[0] = vr_spawn(joins_argument, &players[1]);
    players[1] = vr_spawn(waits_for_event_too, &event.waitable);
    assert_reports(0);
    end_players(2);
}

static vr_result asks_generator(void *generator)
{
    bool done;

    return vr_generator_next(generator, &done);
}

static void generators_stand_for_those_who_ask_them(void **state)
{
    vr_generator *generator = vr_generator_new(joins_argument, &players[1]);

    players[0] = vr_spawn_with(&(vr_spawn_options){.name = "asker"}, asks_generator, generator);
    players[1] = vr_spawn_with(&(vr_spawn_options){.name = "other"}, joins_argument, &players[0]);
    assert_reports(1);
    assert_matches(text, "^  asker +waiting  generator greenlet-[0-9]+ ");
    assert_matches(text, "^  other +waiting  asker to end ");
    assert_matches(text, "^  greenlet-[0-9]+ +waiting  other to end ");
    end_players(2);
    vr_generator_free(generator);
}

static void larger_groups_are_reported_up_to_a_limit(void **state)
{
    for (int size = 64; size <= 65; size++) {
        for (int i = 0; i < size; i++)
            players[i] = vr_spawn(joins_argument, &players[(i + 1) % size]);
        assert_reports(1);
        assert_int_equal(count_lines(text), 65);
        end_players((size_t)size);
    }
}

static vr_result counts_turns(void *argument)
{
    for (int i = 0; i < 3; i++) {
        trace("%d", i);
        vr_sleep(VR_SECONDS(1));
    }
    return vr_ok(NULL);
}

static void rest_of_the_program_goes_on(void **state)
{
    vr_greenlet *other = vr_spawn(counts_turns, NULL);

    SPAWN("1", "0");
    assert_int_equal(vr_join(other, VR_FOREVER), 0);
    assert_trace("0 1 2");
    assert_int_equal(reports, 1);
    vr_unref(other);
    end_players(2);
}

/* --- Once --- */

static void who_comes_to_wait_for_a_group_is_not_reported(void **state)
{
    SPAWN("a-b", "b-a", "0", "a", "2");
    assert_reports(1);
    assert_int_equal(count_lines(text), 3);
    end_players(5);
    assert_int_equal(reports, 1);
}

static void who_comes_to_wait_for_a_group_is_not_reported_with_those_who_wait_for_it(void **state)
{
    SPAWN("a-b", "b-a", "----0", "2");
    assert_reports(1);
    assert_int_equal(count_lines(text), 3);
    end_players(4);
}

static void two_groups_are_two_reports(void **state)
{
    SPAWN("1", "0", "3", "2");
    assert_reports(2);
    assert_int_equal(count_lines(text), 3);
    end_players(4);
}

static vr_result joins_again(void *slot)
{
    long error = vr_join(*(vr_greenlet **)slot, VR_FOREVER);

    return error == -EINTR ? joins_argument(slot) : vr_fail(error);
}

static void group_that_comes_about_again_is_reported_again(void **state)
{
    players[0] = vr_spawn(joins_again, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    assert_reports(1);
    vr_kill(players[0], -EINTR);
    assert_reports(2);
    end_players(2);
}

static void member_that_comes_back_in_the_same_turn_is_reported_once(void **state)
{
    players[0] = vr_spawn(joins_again, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    vr_sleep(0); /* both wait; the second look is queued */
    vr_kill(players[0], -EINTR);
    assert_reports(1);
    end_players(2);
}

static void throws_into_first(vr_callback *callback)
{
    vr_throw(players[0], -EINTR);
}

static void group_that_two_members_complete_in_one_turn_is_reported_once(void **state)
{
    vr_callback callback = {.run = throws_into_first};

    players[0] = vr_spawn(joins_again, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    vr_callback_queue(&callback); /* behind the wait of the second, and before the second look */
    assert_reports(1);
    end_players(2);
}

/* --- Locks whose owners have ended --- */

static vr_result takes_and_ends(void *lock)
{
    return vr_fail(vr_rlock_acquire(lock, VR_FOREVER));
}

static vr_result takes_sleeps_and_ends(void *lock)
{
    vr_rlock_acquire(lock, VR_FOREVER);
    vr_sleep(VR_SECONDS(1));
    return vr_ok(NULL);
}

static void end_of_an_owner_reports_those_who_wait(void **state)
{
    vr_rlock lock = VR_RLOCK;

    vr_greenlet *owner = vr_spawn_with(&(vr_spawn_options){.name = "owner"}, takes_sleeps_and_ends, &lock);
    players[0] = vr_spawn_with(&(vr_spawn_options){.name = "first"}, takes_and_ends, &lock);
    players[1] = vr_spawn_with(&(vr_spawn_options){.name = "second"}, takes_and_ends, &lock);
    vr_sleep(VR_SECONDS(2));
    assert_reports(1);
    assert_string_equal(text, "vireo: deadlock: these wait for a lock whose owner has ended\n"
                              "  owner   dead                                             HERE\n"
                              "  first   waiting  lock whose owner has ended  for 1.0 s   "
                              "HERE\n"
                              "  second  waiting  lock whose owner has ended  for 1.0 s   "
                              "HERE\n");
    end_players(2);
    vr_unref(owner);
}

static void first_to_wait_for_a_lock_of_the_dead_is_reported(void **state)
{
    vr_rlock lock = VR_RLOCK;

    vr_unref(vr_spawn(takes_and_ends, &lock));
    assert_reports(0);
    players[0] = vr_spawn_with(&(vr_spawn_options){.name = "first"}, takes_and_ends, &lock);
    assert_reports(1);
    assert_matches(text, "^  first  waiting  lock whose owner has ended ");
    assert_int_equal(count_lines(text), 2);
    players[1] = vr_spawn(takes_and_ends, &lock); /* gets the memory of the owner, maybe */
    assert_reports(1);
    end_players(2);
}

static vr_result takes_with_limit(void *lock)
{
    return vr_ok(number(vr_rlock_acquire(lock, VR_SECONDS(5))));
}

static void who_waits_for_the_dead_with_a_limit_is_not(void **state)
{
    vr_rlock lock = VR_RLOCK;

    vr_unref(vr_spawn(takes_sleeps_and_ends, &lock));
    vr_unref(vr_spawn(takes_with_limit, &lock));
    vr_sleep(VR_SECONDS(2));
    vr_unref(vr_spawn(takes_with_limit, &lock));
    vr_sleep(VR_SECONDS(10));
    assert_int_equal(reports, 0);
}

static void owner_that_ends_with_nobody_waiting_is_not_reported(void **state)
{
    vr_rlock lock = VR_RLOCK;

    vr_unref(vr_spawn(takes_and_ends, &lock));
    assert_reports(0);
}

/* --- The handler --- */

static int error_in_handler;

static void blocks(const char *report)
{
    error_in_handler = vr_sleep(VR_SECONDS(1));
    reports++;
}

static void handler_runs_in_the_hub(void **state)
{
    vr_hub_handle_deadlock(blocks);
    SPAWN("1", "0");
    assert_reports(1);
    assert_int_equal(error_in_handler, -EPERM);
    end_players(2);
}

static void kills_one(const char *report)
{
    reports++;
    vr_kill(players[0], -ECANCELED);
}

static void handler_may_end_the_deadlock(void **state)
{
    vr_hub_handle_deadlock(kills_one);
    SPAWN("1", "0");
    assert_int_equal(vr_joinall(players, 2, VR_SECONDS(1)), 2);
    assert_int_equal(reports, 1);
    end_players(2);
}

static void default_writes_to_stderr(void **state)
{
    int ends[2], copy = dup(STDERR_FILENO);
    char written[1024] = "";

    vr_hub_handle_deadlock(NULL);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    SPAWN("1", "0");
    vr_sleep(VR_MILLISECONDS(1));
    dup2(copy, STDERR_FILENO);
    close(copy);
    close(ends[1]);
    assert_true(read(ends[0], written, sizeof written - 1) > 0);
    close(ends[0]);
    assert_matches(written, "^vireo: deadlock: these can only be woken by each other$");
    assert_int_equal(reports, 0);
    end_players(2);
}

static void without_memory_nothing_is_told(void **state)
{
    players[0] = vr_spawn(joins_argument, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    FAIL(malloc, ENOMEM);
    vr_sleep(0);
    PASS(malloc);
    assert_reports(0);
    end_players(2);

    players[0] = vr_spawn(joins_argument, &players[1]);
    players[1] = vr_spawn(joins_argument, &players[0]);
    FAIL(open_memstream, ENOMEM);
    assert_reports(0);
    end_players(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        deadlock_test(two_that_join_each_other_are_reported),
        deadlock_test(two_that_want_each_others_lock_are_reported),
        deadlock_test(locks_and_joins_make_a_group_together),
        deadlock_test(main_may_be_one_of_them),
        deadlock_test(joinall_waits_for_one_after_the_other),
        deadlock_test(waits_for_any_of_several_are_reported_when_all_are_stuck),
        deadlock_test(waits_for_any_of_several_are_not_while_one_may_end),
        deadlock_test(waits_for_any_object_of_another_kind_are_not),
        deadlock_test(generators_stand_for_those_who_ask_them),
        deadlock_test(larger_groups_are_reported_up_to_a_limit),
        deadlock_test(rest_of_the_program_goes_on),
        deadlock_test(who_comes_to_wait_for_a_group_is_not_reported),
        deadlock_test(who_comes_to_wait_for_a_group_is_not_reported_with_those_who_wait_for_it),
        deadlock_test(two_groups_are_two_reports),
        deadlock_test(group_that_comes_about_again_is_reported_again),
        deadlock_test(member_that_comes_back_in_the_same_turn_is_reported_once),
        deadlock_test(group_that_two_members_complete_in_one_turn_is_reported_once),
        deadlock_test(end_of_an_owner_reports_those_who_wait),
        deadlock_test(first_to_wait_for_a_lock_of_the_dead_is_reported),
        deadlock_test(who_waits_for_the_dead_with_a_limit_is_not),
        deadlock_test(owner_that_ends_with_nobody_waiting_is_not_reported),
        deadlock_test(handler_runs_in_the_hub),
        deadlock_test(handler_may_end_the_deadlock),
        deadlock_test(default_writes_to_stderr),
        deadlock_test(without_memory_nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
