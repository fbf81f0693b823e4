/* Loops, asyncs, watchers of signals and forks where the system, or memory, has no more to give. */
#include "faults.h"
#include "io_support.h"

#include "async.h"
#include "poller.h"

#include <vireo/async.h>
#include <vireo/fork.h>
#include <vireo/signal.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

WRAP(void *, malloc, (size_t size), NULL, (size))
WRAP(void *, calloc, (size_t count, size_t size), NULL, (count, size))
WRAP(void *, realloc, (void *old, size_t size), NULL, (old, size))
WRAP(int, eventfd, (unsigned value, int flags), -1, (value, flags))
WRAP(pid_t, fork, (void), -1, ())
WRAP(int, sigaction, (int number, const struct sigaction *action, struct sigaction *before), -1,
     (number, action, before))

static fault fault_epoll_create1, fault_epoll_ctl;

/* libev's, as in test_io_faults.c. */
int epoll_create1(int flags)
{
    return fault_strikes(&fault_epoll_create1) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_create(int size)
{
    return epoll_create1(0);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return fault_strikes(&fault_epoll_ctl) ? -1 : (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

/* A function of the C library that returns its error. */
static fault fault_pthread_atfork;
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return fault_strikes(&fault_pthread_atfork) ? errno : __real_pthread_atfork(prepare, parent, child);
}

/* --- Every call in turn --- */

static const struct kind {
    fault *it;
    int error;
} kinds[] = {
    {&fault_malloc, ENOMEM},        {&fault_calloc, ENOMEM}, {&fault_realloc, ENOMEM},   {&fault_eventfd, EMFILE},
    {&fault_epoll_create1, EMFILE}, {&fault_fork, EAGAIN},   {&fault_sigaction, EINVAL},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void clear_faults(void)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        *kinds[kind].it = (fault){0};
}

/*
 * Runs `scenario` with the first, the second, ... call of each kind failing, until it makes so many no more. It must
 * return the error, and succeed when it is tried again. Returns how many failures there were.
 */
static int fail_each_call(int (*scenario)(void))
{
    int failures = 0;

    for (size_t kind = 0; kind < KINDS; kind++) {
        for (int n = 0;; n++) {
            *kinds[kind].it = (fault){.skip = n, .times = 1, .error = kinds[kind].error};
            int result = scenario();
            bool struck = kinds[kind].it->calls > n;
            clear_faults();
            if (!struck) {
                assert_int_equal(result, 0);
                break;
            }
            failures++;
            assert_int_equal(result, -kinds[kind].error);
        }
    }
    return failures;
}

static int makes_a_poller(void)
{
    vr_poller poller;
    int error = vr_poller_init(&poller);

    if (!error)
        vr_poller_done(&poller);
    return error;
}

static void poller_tells_what_it_lacks(void **state)
{
    assert_int_equal(fail_each_call(makes_a_poller), 2);
}

static void ready(vr_poll_wait *wait, int error)
{
}

/* On a number for which the table has to grow, and then grow again. */
static int waits_on_descriptors(void)
{
    vr_poller poller;
    vr_poll_wait waits[2] = {{.ready = ready}, {.ready = ready}};
    int high = fcntl(ends[0], F_DUPFD_CLOEXEC, 200), error = vr_poller_init(&poller);

    if (!error) {
        error = vr_poller_add(&poller, ends[0], VR_DIRECTION_READ, &waits[0]);
        if (!error)
            error = vr_poller_add(&poller, high, VR_DIRECTION_READ, &waits[1]);
        assert_int_equal(poller.waits, error ? poller.waits : 2);
        vr_poller_remove(&poller, ends[0], VR_DIRECTION_READ, &waits[0]);
        vr_poller_remove(&poller, high, VR_DIRECTION_READ, &waits[1]);
        assert_int_equal(poller.waits, 0);
        vr_poller_done(&poller);
    }
    close(high);
    return error;
}

static void wait_without_memory_fails_and_counts_for_nothing(void **state)
{
    assert_int_equal(fail_each_call(waits_on_descriptors), 2 + 2 * 3);
}

static void never_runs(vr_async *async)
{
}

static int makes_an_async(void)
{
    vr_async async;
    int error = vr_async_init(&async, never_runs);

    if (error)
        assert_null(async.inbox);
    vr_async_done(&async);
    /* The next one needs everything again. */
    assert_int_equal(vr_hub_free(), 0);
    vr_sleep(0);
    return error;
}

static void async_without_memory_or_descriptor_fails(void **state)
{
    vr_sleep(0);
    /* Those of the hub are made, too, once it is freed; with them the failures are of the first of the scenario only.
     */
    fault_eventfd = (fault){.times = 1, .error = ENFILE};
    assert_int_equal(makes_an_async(), -ENFILE);
    fault_malloc = (fault){.times = 1, .error = ENOMEM};
    assert_int_equal(makes_an_async(), -ENOMEM);
    fault_malloc = (fault){.skip = 1, .times = 1, .error = ENOMEM};
    assert_int_equal(makes_an_async(), -ENOMEM);
    fault_realloc = (fault){.times = 1, .error = ENOMEM};
    assert_int_equal(makes_an_async(), -ENOMEM);
    fault_calloc = (fault){.times = 1, .error = ENOMEM};
    assert_int_equal(makes_an_async(), -ENOMEM);
    assert_int_equal(makes_an_async(), 0);
}

/* --- Signals --- */

static void signal_whose_handler_cannot_be_installed_leaves_the_others_as_they_were(void **state)
{
    vr_signal signal = VR_SIGNAL;
    struct sigaction now;

    fault_sigaction = (fault){.skip = 1, .times = 1, .error = EINVAL};
    assert_int_equal(vr_signal_start(&signal, (int[]){SIGUSR1, SIGUSR2}, 2), -EINVAL);
    assert_int_equal(__real_sigaction(SIGUSR1, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
    fault_eventfd = (fault){.times = 1, .error = EMFILE};
    vr_hub_free();
    assert_int_equal(vr_signal_start(&signal, (int[]){SIGUSR1}, 1), -EMFILE);
    assert_int_equal(vr_signal_wait(&signal, 0), -EINVAL);
    assert_int_equal(vr_signal_start(&signal, (int[]){SIGUSR1}, 1), 0);
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&signal, 0), SIGUSR1);
    vr_signal_stop(&signal);
}

static void bind_a_signal(void)
{
    vr_signal signal = VR_SIGNAL;

    vr_sleep(0);
    fault_pthread_atfork = (fault){.times = 1, .error = ENOMEM};
    _exit(vr_signal_start(&signal, (int[]){SIGUSR1}, 1) == -ENOMEM ? 0 : 1);
}

static void make_the_first_hub(void)
{
    fault_pthread_atfork = (fault){.times = 1, .error = ENOMEM};
    _exit(vr_current() ? 1 : 0);
}

/* The first of the program: it is done once. */
static void program_that_cannot_watch_its_forks_gets_no_hub_and_no_signals(void **state)
{
    assert_int_equal(status_of_child(make_the_first_hub), 0);
    assert_int_equal(status_of_child(bind_a_signal), 0);
}

/* --- Fork --- */

/* 0 when there was a child that could use its hub. */
static int forks(void)
{
    pid_t child = vr_fork();
    int status;

    if (child < 0)
        return child;
    if (child == 0) {
        clear_faults();
        _exit(vr_sleep(VR_MICROSECONDS(1)) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return 0;
}

static void fork_that_fails_at_any_point_leaves_the_parent_as_it_was(void **state)
{
    vr_async async;
    vr_greenlet *reader = waiting(reads);

    assert_int_equal(vr_async_init(&async, never_runs), 0);
    /* A loop, a record for the inbox in it, an eventfd, the fork. */
    assert_true(fail_each_call(forks) >= 6);
    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_returns(reader, 3);
    vr_async_done(&async);
}

static vr_result forks_as_a_greenlet(void *argument)
{
    return vr_ok(number(forks()));
}

static int forks_in_a_greenlet(void)
{
    vr_greenlet *forker = vr_spawn(forks_as_a_greenlet, NULL);

    assert_int_equal(vr_join(forker, VR_FOREVER), 0);
    int error = vr_error(forker) ? (int)vr_error(forker) : (int)number_of(vr_value(forker));
    vr_unref(forker);
    return error;
}

static void fork_of_another_greenlet_fails_likewise(void **state)
{
    assert_true(fail_each_call(forks_in_a_greenlet) >= 3);
}

static void plain_fork(void)
{
    vr_async async;

    vr_async_init(&async, never_runs);
    pid_t child = __real_fork();
    if (child == 0) {
        fault_eventfd = (fault){.times = 1, .error = ENFILE};
        vr_async_ref(&async); /* it has to poll */
        vr_sleep(VR_MICROSECONDS(1));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 0 : 1);
}

static void child_of_a_plain_fork_that_gets_no_eventfd_says_so_and_ends(void **state)
{
    assert_int_equal(status_of_child(plain_fork), 0);
}

static int use_streams(void **state)
{
    return use_real_clock(state) || open_pair(SOCK_STREAM);
}

#define fault_test(function) cmocka_unit_test_setup_teardown(function, use_streams, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_that_cannot_watch_its_forks_gets_no_hub_and_no_signals),
        fault_test(poller_tells_what_it_lacks),
        fault_test(wait_without_memory_fails_and_counts_for_nothing),
        fault_test(async_without_memory_or_descriptor_fails),
        fault_test(signal_whose_handler_cannot_be_installed_leaves_the_others_as_they_were),
        fault_test(fork_that_fails_at_any_point_leaves_the_parent_as_it_was),
        fault_test(fork_of_another_greenlet_fails_likewise),
        fault_test(child_of_a_plain_fork_that_gets_no_eventfd_says_so_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
