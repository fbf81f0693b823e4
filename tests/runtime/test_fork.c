/* Fork: what goes on in the child, what does not, and that the parent notices nothing. */
#include "io_support.h"

#include <vireo/async.h>
#include <vireo/fork.h>
#include <vireo/signal.h>
#include <vireo/waiter.h>

#include <pthread.h>
#include <stdlib.h>

/* cmocka's assertions belong to the parent: a child says by its exit status which expectation failed. */
#define expect(condition)              \
    do {                               \
        if (!(condition))              \
            _exit(__LINE__ % 200 + 2); \
    } while (0)

/* What greenlets write to from both processes: one octet for each line of theirs that ran. */
static int marks[2];

static int use_marks(void **state)
{
    return use_real_clock(state) || pipe2(marks, O_CLOEXEC | O_NONBLOCK) || open_pair(SOCK_STREAM);
}

static int close_marks(void **state)
{
    close(marks[0]);
    close(marks[1]);
    return close_pair(state);
}

static void mark(char octet)
{
    expect(write(marks[1], &octet, 1) == 1);
}

/* Compares all marks since the last call. */
static void assert_marks(const char *expected)
{
    char all[64] = {0};

    assert_true(read(marks[0], all, sizeof all - 1) >= 0 || errno == EAGAIN);
    assert_string_equal(all, expected);
}

static int status_of(pid_t child)
{
    int status;

    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_exits(pid_t child, int expected)
{
    int status = status_of(child);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

/* --- Only the caller goes on --- */

static vr_result marks_and_sleeps(void *argument)
{
    mark('a');
    int error = vr_sleep(VR_FOREVER);
    mark('z'); /* also cleanup is not for the child */
    return vr_fail(error);
}

static vr_result marks_later(void *argument)
{
    mark('l');
    return vr_ok(NULL);
}

static void marks_in_the_hub(vr_callback *callback)
{
    mark('c');
}

static void greenlets_timers_and_callbacks_of_the_parent_do_not_run_in_the_child(void **state)
{
    vr_greenlet *sleeper = vr_spawn(marks_and_sleeps, NULL), *reader = vr_spawn(reads, NULL);
    vr_greenlet *later = vr_spawn_later(VR_MILLISECONDS(1), marks_later, NULL);
    vr_callback callback = {.run = marks_in_the_hub};
    vr_timer timer = {.callback.run = marks_in_the_hub};

    vr_sleep(0);
    assert_marks("a");
    vr_greenlet *unstarted = vr_spawn(marks_later, NULL);
    vr_callback_queue(&callback);
    vr_timer_start(&timer, 0);
    pid_t child = vr_fork();
    if (child == 0) {
        expect(!vr_callback_queued(&callback));
        expect(vr_ready(sleeper) && vr_exited(sleeper) && vr_join(sleeper, VR_FOREVER) == 0);
        expect(vr_exited(reader) && vr_exited(later) && vr_exited(unstarted));
        expect(vr_sleep(VR_MILLISECONDS(2)) == 0);
        expect(vr_sleep(VR_FOREVER) == -EDEADLK);
        /* The clocks and the queue may be used again. */
        vr_callback_queue(&callback);
        expect(vr_timer_start(&timer, 0) == 0);
        expect(vr_hub_join(VR_FOREVER) == 0);
        _exit(0);
    }
    assert_exits(child, 0);
    assert_marks("cc");
    vr_hub_join(VR_MILLISECONDS(10));
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_returns(reader, 1);
    end_greenlet(sleeper);
    vr_join(unstarted, VR_FOREVER);
    vr_join(later, VR_FOREVER);
    vr_unref(unstarted);
    vr_unref(later);
    char all[16] = {0};
    assert_int_equal(read(marks[0], all, sizeof all), 5); /* two callbacks, two greenlets, one cleanup */
}

static vr_waiter given;

static vr_result waits_to_be_given(void *argument)
{
    vr_waiter_get(&given, VR_FOREVER);
    mark('w');
    return vr_ok(NULL);
}

static void nothing_wakes_the_others_in_the_child(void **state)
{
    given = VR_WAITER;
    vr_greenlet *waiter = vr_spawn(waits_to_be_given, NULL);
    vr_sleep(0);
    pid_t child = vr_fork();
    if (child == 0) {
        vr_waiter_switch(&given, NULL);
        vr_kill(waiter, -EIO);
        expect(vr_sleep(VR_MILLISECONDS(1)) == 0);
        vr_unref(waiter);
        expect(vr_sleep(VR_MILLISECONDS(1)) == 0);
        _exit(0);
    }
    assert_exits(child, 0);
    assert_marks("");
    vr_waiter_switch(&given, NULL);
    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    assert_marks("w");
    vr_unref(waiter);
}

static vr_result echoes_after_a_turn(void *argument)
{
    vr_sleep(VR_MICROSECONDS(10));
    return vr_ok(argument);
}

static void child_may_use_all_of_the_hub(void **state)
{
    vr_greenlet *reader = waiting(reads); /* the child has to wait on the same descriptor */
    pid_t child = vr_fork();

    if (child == 0) {
        char octets[8];
        vr_greenlet *both[] = {vr_spawn(echoes_after_a_turn, number(1)), vr_spawn(reads, NULL)};
        expect(vr_wait_writable(ends[1], VR_FOREVER) == 0);
        expect(vr_write(ends[1], "child", 5, VR_FOREVER) == 5);
        expect(vr_joinall(both, 2, VR_SECONDS(10)) == 2);
        expect(number_of(vr_value(both[0])) == 1 && number_of(vr_value(both[1])) == 5);
        expect(vr_read(ends[0], octets, sizeof octets, VR_MILLISECONDS(1)) == -ETIMEDOUT);
        vr_unref(both[0]);
        vr_unref(both[1]);
        expect(vr_close(ends[0]) == 0 && vr_close(ends[1]) == 0);
        expect(vr_hub_free() == 0);
        expect(vr_sleep(VR_MICROSECONDS(1)) == 0);
        _exit(0);
    }
    /* Without the reader in the parent, the child could be first to read what is for it. */
    vr_kill(reader, -EIO);
    assert_ends_with(reader, -EIO);
    assert_exits(child, 0);
    reader = waiting(reads);
    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_returns(reader, 3);
}

/* --- Called by another greenlet than main --- */

static vr_result result_in_child;

static vr_result forks(void *argument)
{
    pid_t child = vr_fork();

    if (child == 0)
        return result_in_child;
    mark('p');
    return vr_ok(number(child));
}

static pid_t forked_with(vr_result result)
{
    result_in_child = result;
    vr_greenlet *forker = vr_spawn(forks, NULL);
    assert_int_equal(vr_join(forker, VR_FOREVER), 0);
    pid_t child = (pid_t)number_of(vr_value(forker));
    vr_unref(forker);
    mark('m'); /* main's code, also after the join, runs in the parent only */
    return child;
}

static void end_of_the_caller_ends_the_child_with_its_status(void **state)
{
    assert_exits(forked_with(vr_ok(number(5))), 0);
    assert_exits(forked_with(vr_fail(-ECANCELED)), 0);
    assert_exits(forked_with(vr_fail(-EIO)), 1);
    assert_marks("pmpmpm");
}

static vr_result forks_and_works(void *argument)
{
    pid_t child = vr_fork();

    if (child)
        return vr_ok(number(child));
    vr_greenlet *helper = vr_spawn(echoes_after_a_turn, number(3));
    expect(vr_join(helper, VR_SECONDS(10)) == 0);
    expect(number_of(vr_value(helper)) == 3);
    vr_unref(helper);
    expect(vr_hub_join(0) == -EPERM);
    expect(vr_hub_free() == -EBUSY);
    expect(vr_sleep(VR_FOREVER) == -EDEADLK);
    expect(vr_fork() > 0); /* whose child ends as this one does */
    return vr_fail(-EIO);
}

static void caller_may_go_on_and_is_told_of_deadlocks(void **state)
{
    vr_greenlet *forker = vr_spawn(forks_and_works, NULL);

    assert_int_equal(vr_join(forker, VR_FOREVER), 0);
    assert_exits((pid_t)number_of(vr_value(forker)), 1);
    vr_unref(forker);
}

static vr_result forks_in_the_middle_of_a_switch(void *main)
{
    pid_t child = vr_fork();

    if (child == 0) {
        /* Main is dead, and its heir is who switches to it. */
        expect(vr_dead(main));
        expect(vr_switch(main, number(4)).value == number(4));
        return vr_ok(NULL);
    }
    return vr_switch(main, number(child));
}

static void caller_that_main_has_switched_to_does_not_go_back_there(void **state)
{
    vr_greenlet *forker = vr_greenlet_new(forks_in_the_middle_of_a_switch);
    pid_t child = (pid_t)number_of(vr_switch(forker, vr_current()).value);

    mark('m');
    assert_exits(child, 0);
    assert_marks("m");
    vr_unref(forker);
}

static vr_result result_of_fork;

static void forks_in_the_hub(vr_callback *callback)
{
    result_of_fork = vr_fail(vr_fork());
}

static void fork_in_the_hub_is_refused(void **state)
{
    vr_callback callback = {.run = forks_in_the_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_int_equal(result_of_fork.error, -EPERM);
}

/* --- Signals --- */

static void signals_do_in_the_child_what_they_did_without_watchers(void **state)
{
    vr_signal stop = VR_SIGNAL, other = VR_SIGNAL;

    assert_int_equal(vr_signal_start(&stop, (int[]){SIGTERM}, 1), 0);
    assert_int_equal(vr_signal_start(&other, (int[]){SIGTERM, SIGUSR1}, 2), 0);
    pid_t child = vr_fork();
    if (child == 0) {
        expect(vr_signal_wait(&stop, VR_FOREVER) == -EINVAL);
        vr_signal_stop(&stop);
        /* May be bound again. */
        expect(vr_signal_start(&other, (int[]){SIGUSR1}, 1) == 0);
        raise(SIGUSR1);
        expect(vr_signal_wait(&other, VR_FOREVER) == SIGUSR1);
        raise(SIGTERM);
        _exit(100);
    }
    int status = status_of(child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    raise(SIGTERM);
    assert_int_equal(vr_signal_wait(&stop, VR_FOREVER), SIGTERM);
    assert_int_equal(vr_signal_wait(&other, VR_FOREVER), SIGTERM);
    assert_int_equal(vr_signal_wait(&other, 0), -ETIMEDOUT);
    vr_signal_stop(&stop);
    vr_signal_stop(&other);
}

static void mask_of_signals_is_as_before(void **state)
{
    sigset_t before, mask, now;

    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, &mask);
    pid_t child = vr_fork();
    pthread_sigmask(SIG_SETMASK, &mask, &now);
    bool same = sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM);
    if (child == 0)
        _exit(same ? 0 : 1);
    assert_exits(child, 0);
    assert_true(same);
}

/* --- Asyncs --- */

static void marks_run(vr_async *async)
{
    mark('r');
}

static void unrefs(vr_async *async)
{
    mark('u');
    vr_async_unref(async);
}

static void *sends(void *async)
{
    vr_async_send(async);
    return NULL;
}

static void async_is_sent_in_the_child_to_the_child(void **state)
{
    vr_async async, unsent;

    assert_int_equal(vr_async_init(&async, unrefs), 0);
    assert_int_equal(vr_async_init(&unsent, marks_run), 0);
    vr_async_ref(&async);
    vr_async_send(&unsent); /* by the parent: the child is not concerned */
    pid_t child = vr_fork();
    if (child == 0) {
        /* A count goes on until it is given back. */
        vr_async_send(&async);
        expect(vr_hub_join(VR_FOREVER) == 0);
        vr_async_send(&unsent);
        expect(vr_hub_join(VR_FOREVER) == 0);
        vr_async_done(&async);
        vr_async_done(&unsent);
        expect(vr_hub_free() == 0);
        _exit(0);
    }
    assert_exits(child, 0);
    assert_marks("ur");
    assert_int_equal(vr_sleep(VR_MICROSECONDS(1)), 0);
    assert_marks("r");
    vr_async_send(&async);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_marks("u");
    vr_async_done(&async);
    vr_async_done(&unsent);
}

/* --- fork(2) itself --- */

static void all_greenlets_go_on_in_both_after_a_plain_fork(void **state)
{
    vr_async async;
    pthread_t thread;
    vr_greenlet *reader = waiting(reads);

    assert_int_equal(vr_async_init(&async, unrefs), 0);
    vr_async_ref(&async);
    vr_async_send(&async);
    pid_t child = fork();
    if (child == 0) {
        expect(vr_write(ends[1], "child", 5, VR_FOREVER) == 5);
        expect(vr_join(reader, VR_SECONDS(10)) == 0);
        expect(number_of(vr_value(reader)) == 5);
        /* Its loop is its own: this takes nothing away from the parent's. */
        expect(vr_close(ends[0]) == 0);
        vr_async_ref(&async);
        expect(pthread_create(&thread, NULL, sends, &async) == 0);
        expect(vr_hub_join(VR_FOREVER) == 0);
        expect(pthread_join(thread, NULL) == 0);
        _exit(0);
    }
    assert_exits(child, 0);
    assert_marks("uu");
    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_returns(reader, 3);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_marks("u");
    vr_async_done(&async);
}

static void plain_fork_and_exit_is_harmless(void **state)
{
    vr_greenlet *reader = waiting(reads);
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_exits(child, 0);
    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_returns(reader, 3);
}

static void *forks_beside_main(void *argument)
{
    vr_greenlet *reader = waiting(reads);
    pid_t child = vr_fork();

    if (child == 0) {
        expect(vr_sleep(VR_MICROSECONDS(1)) == 0);
        expect(vr_exited(reader));
        _exit(0);
    }
    end_greenlet(reader);
    vr_hub_free();
    return (void *)(intptr_t)child;
}

static void child_of_another_thread_has_that_threads_hub_only(void **state)
{
    vr_greenlet *sleeper = waiting(marks_and_sleeps);
    pthread_t thread;
    void *child;

    assert_int_equal(pthread_create(&thread, NULL, forks_beside_main, NULL), 0);
    pthread_join(thread, &child);
    assert_exits((pid_t)number_of(child), 0);
    assert_marks("a");
    end_greenlet(sleeper);
}

#define fork_test(function) cmocka_unit_test_setup_teardown(function, use_marks, close_marks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fork_test(greenlets_timers_and_callbacks_of_the_parent_do_not_run_in_the_child),
        fork_test(nothing_wakes_the_others_in_the_child),
        fork_test(child_may_use_all_of_the_hub),
        fork_test(end_of_the_caller_ends_the_child_with_its_status),
        fork_test(caller_may_go_on_and_is_told_of_deadlocks),
        fork_test(caller_that_main_has_switched_to_does_not_go_back_there),
        fork_test(fork_in_the_hub_is_refused),
        fork_test(signals_do_in_the_child_what_they_did_without_watchers),
        fork_test(mask_of_signals_is_as_before),
        fork_test(async_is_sent_in_the_child_to_the_child),
        fork_test(all_greenlets_go_on_in_both_after_a_plain_fork),
        fork_test(plain_fork_and_exit_is_harmless),
        fork_test(child_of_another_thread_has_that_threads_hub_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
