/* Lists of greenlets at a signal. */
#include "report_support.h"
#include "thread_support.h"

#include <vireo/dump.h>
#include <vireo/fork.h>
#include <vireo/io.h>

/* --- What fails --- */

THREAD_WRAP(void *, calloc, (size_t count, size_t size), NULL, (count, size))
THREAD_WRAP(int, eventfd, (unsigned count, int flags), -1, (count, flags))

/* --- stderr --- */

/* stderr goes to a pipe while a test of signals runs. */
static int stderr_copy, stderr_ends[2];
static char captured[16384];

static int capture_stderr(void **state)
{
    captured[0] = '\0';
    stderr_copy = dup(STDERR_FILENO);
    if (stderr_copy < 0 || pipe(stderr_ends) < 0 || dup2(stderr_ends[1], STDERR_FILENO) < 0)
        return -1;
    return use_real_clock(state);
}

static int release_stderr(void **state)
{
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    close(stderr_ends[0]);
    close(stderr_ends[1]);
    return free_hub(state);
}

/* All that has been written so far. */
static const char *captured_text(void)
{
    struct pollfd ready = {.fd = stderr_ends[0], .events = POLLIN};
    size_t len = strlen(captured);

    while (poll(&ready, 1, 0) > 0 && len < sizeof captured - 1) {
        ssize_t n = read(stderr_ends[0], captured + len, sizeof captured - 1 - len);
        if (n <= 0)
            break;
        captured[len += (size_t)n] = '\0';
    }
    return captured;
}

/* Lets the hub run until stderr has that text, or it seems not to come. */
static void await_text(const char *text)
{
    while (!strstr(captured_text(), text) && vr_wait_readable(stderr_ends[0], VR_SECONDS(30)) == 0) {
    }
}

/* --- Listing --- */

static void signal_has_the_hub_list_its_greenlets(void **state)
{
    vr_greenlet *sleeper = start(sleeps_forever, NULL);

    vr_set_name(sleeper, "sleeper");
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    kill(getpid(), SIGUSR1);
    await_text("  sleeper ");
    assert_matches(captured, "^vireo: 3 greenlets in thread [0-9]+ ");
    assert_matches(captured, "^  sleeper  waiting  the end of its sleep ");
    vr_dump_off_signal();
    end_greenlet(sleeper);
}

static vr_result signals_itself(void *argument)
{
    kill(getpid(), SIGUSR1);
    poll(&(struct pollfd){.fd = stderr_ends[0], .events = POLLIN}, 1, 30000); /* blocks the hub */
    captured_text();
    trace("%s", captured);
    return vr_ok(NULL);
}

static void hub_that_is_busy_says_so_at_once_and_who_runs(void **state)
{
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    vr_greenlet *busy = vr_spawn_with(&(vr_spawn_options){.name = "busy"}, signals_itself, NULL);
    vr_join(busy, VR_FOREVER);
    assert_matches(trace_text,
                   "^vireo: thread [0-9]+ runs greenlet busy \\(tests/runtime/test_dump_signal.c:[0-9]+\\), and "
                   "lists its greenlets after that$");
    assert_int_equal(count_lines(trace_text), 1);
    await_text("  busy ");
    assert_matches(captured, "^vireo: 3 greenlets in thread ");
    vr_dump_off_signal();
    vr_unref(busy);
}

static int fd_of_thread[2];

/* A thread that is idle until its descriptor tells it to end. */
static void *has_a_hub(void *name)
{
    vr_set_name(vr_current(), name);
    if (vr_dump_on_signal(SIGUSR1) == 0)
        sem_post(&began);
    vr_wait_readable(fd_of_thread[0], VR_FOREVER);
    vr_hub_free();
    return NULL;
}

static void hubs_of_all_threads_that_asked_list_theirs(void **state)
{
    pthread_t thread;

    assert_int_equal(make_gates(), 0);
    assert_int_equal(vr_pipe(fd_of_thread), 0);
    assert_int_equal(pthread_create(&thread, NULL, has_a_hub, (void *)(uintptr_t) "other"), 0);
    pass(&began);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    pthread_kill(thread, SIGUSR1);
    await_text("  other ");
    await_text("  main ");
    assert_matches(captured, "^  other  waiting  fd [0-9]+ to be readable ");
    assert_matches(captured, "^  main  (ready|waiting) ");
    assert_true(write(fd_of_thread[1], "", 1) == 1);
    pthread_join(thread, NULL);
    vr_dump_off_signal();
    vr_close(fd_of_thread[0]);
    vr_close(fd_of_thread[1]);
}

/* --- Binding --- */

static void handler_of_before(int number)
{
    (void)number;
}

static void signal_does_after_the_end_what_it_did_before(void **state)
{
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    vr_dump_off_signal();
    vr_dump_off_signal();
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
    signal(SIGUSR1, SIG_DFL);

    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    signal(SIGUSR1, handler_of_before); /* the program's own, later one stays */
    vr_dump_off_signal();
    sigaction(SIGUSR1, NULL, &now);
    assert_ptr_equal(now.sa_handler, handler_of_before);
    signal(SIGUSR1, SIG_DFL);
}

static void binding_that_cannot_be_is_refused(void **state)
{
    assert_int_equal(vr_dump_on_signal(SIGSEGV), -EINVAL);
    assert_int_equal(vr_dump_on_signal(SIGKILL), -EINVAL);
    assert_int_equal(vr_dump_on_signal(0), -EINVAL);
    assert_int_equal(vr_dump_on_signal(-1), -EINVAL);
    assert_int_equal(vr_dump_on_signal(1000), -EINVAL);
    signal(SIGUSR1, handler_of_before);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), -EBUSY);
    signal(SIGUSR1, SIG_DFL);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), -EALREADY);
    assert_int_equal(vr_dump_on_signal(SIGUSR2), -EALREADY);
    vr_dump_off_signal();

    fail_nth(&fault_of_calloc, 1, ENOMEM);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), -ENOMEM);
    assert_int_equal(vr_hub_free(), 0);
    fail_nth(&fault_of_eventfd, 1, EMFILE);
    assert_int_equal(vr_dump_on_signal(SIGUSR1), -EMFILE);
    vr_dump_off_signal();
}

static void *binds_another(void *argument)
{
    *(int *)argument = vr_dump_on_signal(SIGUSR2);
    vr_hub_free();
    return NULL;
}

static void process_binds_one_number_only(void **state)
{
    pthread_t thread;
    int error = 0;

    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    pthread_create(&thread, NULL, binds_another, &error);
    pthread_join(thread, NULL);
    assert_int_equal(error, -EBUSY);
    vr_dump_off_signal();
}

static void binding_hides_no_deadlock(void **state)
{
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_int_equal(vr_hub_free(), 0); /* ends it */
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
}

static pid_t plain_fork(void)
{
    return fork();
}

static void child_process_lists_its_own(void **state)
{
    pid_t (*const forks[])(void) = {plain_fork, vr_fork};

    /* ThreadSanitizer takes the greenlets of a forked child for threads that nothing synchronises. */
    if (THREAD_SANITIZED)
        skip();
    assert_int_equal(vr_dump_on_signal(SIGUSR1), 0);
    for (int i = 0; i < 2; i++) {
        pid_t child = forks[i]();
        assert_true(child >= 0);
        if (child == 0) {
            vr_set_name(vr_current(), "child");
            kill(getpid(), SIGUSR1);
            vr_sleep(VR_MILLISECONDS(1));
            vr_dump_off_signal();
            _exit(vr_hub_free() ? 1 : 0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        char title[64];
        snprintf(title, sizeof title, "vireo: 2 greenlets in thread %d ", (int)child);
        assert_non_null(strstr(captured_text(), title));
        assert_matches(captured, "^  child ");
        captured[0] = '\0';
    }
    vr_dump_off_signal();
}

#define signal_test(function) cmocka_unit_test_setup_teardown(function, capture_stderr, release_stderr)

int main(void)
{
    const struct CMUnitTest tests[] = {
        signal_test(signal_has_the_hub_list_its_greenlets),
        signal_test(hub_that_is_busy_says_so_at_once_and_who_runs),
        signal_test(hubs_of_all_threads_that_asked_list_theirs),
        signal_test(signal_does_after_the_end_what_it_did_before),
        signal_test(binding_that_cannot_be_is_refused),
        signal_test(process_binds_one_number_only),
        signal_test(binding_hides_no_deadlock),
        signal_test(child_process_lists_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
