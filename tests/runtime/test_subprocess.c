/* Subprocesses: how they are spawned, how their end is told, and every call that can fail on the way. */
#include "process_support.h"

/* --- The end --- */

static void status_is_that_of_waitpid(void **state)
{
    vr_subprocess *process = shell("exit 10", NULL);

    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 10);
    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 10);
    assert_exits_with(vr_subprocess_poll(process), 10);
    vr_subprocess_free(process);
    process = shell("kill -TERM $$", NULL);
    assert_killed_by(vr_subprocess_wait(process, VR_FOREVER), SIGTERM);
    vr_subprocess_free(process);
}

static void poll_tells_without_waiting(void **state)
{
    vr_subprocess *process = cat();
    int status;

    assert_int_equal(vr_subprocess_poll(process), -EAGAIN);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    while ((status = vr_subprocess_poll(process)) == -EAGAIN) {
    }
    assert_exits_with(status, 0);
    vr_subprocess_free(process);
}

static void wait_gives_up_after_its_timeout(void **state)
{
    vr_subprocess *process = cat();

    assert_int_equal(vr_subprocess_wait(process, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_int_equal(vr_subprocess_wait(process, 0), -ETIMEDOUT);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 0);
    vr_subprocess_free(process);
}

static vr_result waits(void *process)
{
    int status = vr_subprocess_wait(process, VR_FOREVER);

    return status < 0 ? vr_fail(status) : vr_ok(number(status));
}

static void several_greenlets_wait_for_one_end(void **state)
{
    vr_subprocess *process = cat();
    vr_greenlet *waiters[3];

    for (int i = 0; i < 3; i++)
        waiters[i] = vr_spawn(waits, process);
    vr_sleep(0);
    /* The first of them leaves. */
    vr_kill(waiters[0], -EINTR);
    assert_int_equal(vr_join(waiters[0], VR_FOREVER), 0);
    assert_int_equal(vr_error(waiters[0]), -EINTR);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    assert_int_equal(vr_joinall(waiters, 3, VR_FOREVER), 3);
    assert_true(vr_successful(waiters[1]) && vr_successful(waiters[2]));
    for (int i = 0; i < 3; i++)
        vr_unref(waiters[i]);
    assert_exits_with(vr_subprocess_poll(process), 0);
    vr_subprocess_free(process);
}

static vr_result waits_and_frees(void *process)
{
    vr_result result = waits(process);

    vr_subprocess_free(process);
    return result;
}

static void process_may_be_freed_before_all_who_were_told_have_had_their_turn(void **state)
{
    vr_subprocess *process = cat();
    vr_greenlet *waiters[] = {vr_spawn(waits_and_frees, process), vr_spawn(waits, process)};

    vr_sleep(0);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    assert_int_equal(vr_joinall(waiters, 2, VR_FOREVER), 2);
    for (int i = 0; i < 2; i++) {
        assert_true(vr_successful(waiters[i]));
        vr_unref(waiters[i]);
    }
}

static void wait_for_one_that_has_ended_returns_at_once(void **state)
{
    vr_subprocess *process = spawned((const char *const[]){"true", NULL}, NULL);

    while (vr_subprocess_poll(process) < 0) {
    }
    assert_exits_with(vr_subprocess_wait(process, 0), 0);
    vr_subprocess_free(process);
}

static void kill_sends_a_signal_while_it_runs(void **state)
{
    vr_subprocess *process = cat();

    assert_int_equal(vr_subprocess_kill(process, 0), 0);
    assert_int_equal(vr_subprocess_kill(process, 9999), -EINVAL);
    assert_int_equal(vr_subprocess_kill(process, SIGUSR1), 0);
    assert_killed_by(vr_subprocess_wait(process, VR_FOREVER), SIGUSR1);
    assert_int_equal(vr_subprocess_kill(process, SIGTERM), -ESRCH);
    vr_subprocess_free(process);
}

static void status_that_somebody_else_has_taken_is_lost(void **state)
{
    vr_subprocess *process = spawned((const char *const[]){"true", NULL}, NULL);

    assert_int_equal(__real_waitpid(vr_subprocess_pid(process), NULL, 0), vr_subprocess_pid(process));
    assert_int_equal(vr_subprocess_wait(process, VR_FOREVER), -ECHILD);
    assert_int_equal(vr_subprocess_poll(process), -ECHILD);
    vr_subprocess_free(process);
}

/* --- Spawning --- */

static void program_that_cannot_be_run_is_an_error_of_spawn(void **state)
{
    char script[] = "/tmp/vireo-script-XXXXXX";
    int fd = mkstemp(script);
    vr_subprocess *process;

    for (int i = 0; i < 7; i++) {
        process = (vr_subprocess *)&process;
        assert_int_equal(
            vr_subprocess_spawn((const char *const[]){"this-name-must-not-exist", NULL}, &all_pipes, &process),
            -ENOENT);
        assert_null(process);
        assert_int_equal(count_descriptors(), open_descriptors + 1);
    }
    assert_int_equal(vr_subprocess_spawn((const char *const[]){script, NULL}, NULL, &process), -EACCES);
    assert_int_equal(fchmod(fd, 0700), 0);
    assert_int_equal(write(fd, "true\n", 5), 5);
    close(fd);
    assert_int_equal(vr_subprocess_spawn((const char *const[]){script, NULL}, NULL, &process), -ENOEXEC);
    unlink(script);
    assert_int_equal(vr_subprocess_spawn((const char *const[]){"true", NULL},
                                         &(vr_subprocess_options){.directory = "/nowhere"}, &process),
                     -ENOENT);
    /* Nothing of these is left to be reaped. */
    assert_int_equal(__real_waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void nonsense_is_refused(void **state)
{
    const vr_subprocess_options nonsense[] = {
        {.out.kind = VR_STREAM_STDOUT},
        {.in.kind = VR_STREAM_STDOUT},
        {.in.kind = (enum vr_stream_kind)99},
        {.flags = 0x80},
    };
    const char *const argv[] = {"true", NULL};
    vr_subprocess *process;

    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_int_equal(vr_subprocess_spawn(argv, &nonsense[i], &process), -EINVAL);
    assert_int_equal(vr_subprocess_spawn(argv + 1, NULL, &process), -EINVAL);
    assert_int_equal(
        vr_subprocess_spawn(argv, &(vr_subprocess_options){.out = {.kind = VR_STREAM_FD, .fd = 999}}, &process),
        -EBADF);
    assert_int_equal(
        vr_subprocess_spawn(argv, &(vr_subprocess_options){.out = {.kind = VR_STREAM_FD, .fd = -1}}, &process), -EBADF);
}

static void child_has_the_environment_that_is_given(void **state)
{
    const char *const environment[] = {"FRUIT=banana", NULL};

    setenv("VEGETABLE", "leek", 1);
    assert_string_equal(output_of("echo $FRUIT $VEGETABLE", (vr_subprocess_options){.environment = environment}),
                        "banana\n");
    assert_string_equal(output_of("echo $FRUIT $VEGETABLE", (vr_subprocess_options){0}), "leek\n");
    unsetenv("VEGETABLE");
}

static void child_starts_in_the_directory_that_is_given(void **state)
{
    assert_string_equal(output_of("pwd -P", (vr_subprocess_options){.directory = "/usr/bin"}), "/usr/bin\n");
}

static void child_has_no_descriptors_but_its_streams(void **state)
{
    int forgotten = open("/dev/null", O_RDONLY); /* not close-on-exec */
    vr_subprocess *other = cat();

    /* The shell has one more, of the directory that it reads. */
    assert_string_equal(output_of("cd /proc/self/fd; echo *", (vr_subprocess_options){0}), "0 1 2 3\n");
    close(forgotten);
    vr_subprocess_free(other);
}

/* A set of signals in /proc/PID/status; without 32 and 33, which the C library keeps for itself. */
static unsigned long long signals_in(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 16) & ~(3ULL << 31);
}

static void child_has_no_signals_blocked_or_ignored(void **state)
{
    sigset_t blocked, before;

    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    const char *text = output_of("exec cat /proc/self/status", (vr_subprocess_options){0});
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(signals_in(text, "SigBlk:"), 0);
    assert_int_equal(signals_in(text, "SigIgn:"), 0);
}

static void child_may_have_a_session_of_its_own(void **state)
{
    vr_subprocess_options options = all_pipes;

    options.flags = VR_SUBPROCESS_SESSION;
    vr_subprocess *process = spawned((const char *const[]){"cat", NULL}, &options);
    assert_int_equal(getsid(vr_subprocess_pid(process)), vr_subprocess_pid(process));
    vr_subprocess_free(process);
}

/* --- Letting go --- */

static void child_that_is_let_go_of_runs_on_and_is_reaped_later(void **state)
{
    int to[2], from[2];
    char octets[8];

    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    const vr_subprocess_options options = {.in = {.kind = VR_STREAM_FD, .fd = to[0]},
                                           .out = {.kind = VR_STREAM_FD, .fd = from[1]}};
    vr_subprocess *process = spawned((const char *const[]){"cat", NULL}, &options);
    pid_t pid = vr_subprocess_pid(process);
    vr_subprocess_free(process);
    close(to[0]);
    close(from[1]);
    assert_int_equal(write(to[1], "ping", 4), 4);
    assert_int_equal(read(from[0], octets, sizeof octets), 4);
    close(to[1]);
    assert_int_equal(read(from[0], octets, sizeof octets), 0);
    close(from[0]);
    /* It is about to end; some spawn after that finds it. */
    while (kill(pid, 0) == 0)
        vr_subprocess_run((const char *const[]){"true", NULL}, NULL, NULL, VR_FOREVER);
    assert_int_equal(errno, ESRCH);
}

static void free_of_null_is_allowed(void **state)
{
    vr_subprocess_free(NULL);
}

/* --- Where it is not allowed --- */

static void *uses_anothers_process(void *process)
{
    vr_communication talk = {0};
    bool refused = vr_subprocess_wait(process, VR_FOREVER) == -EINVAL && vr_subprocess_poll(process) == -EINVAL &&
                   vr_subprocess_kill(process, SIGTERM) == -EINVAL &&
                   vr_subprocess_write(process, "x", 1, VR_FOREVER) == -EINVAL &&
                   vr_subprocess_communicate(process, &talk, VR_FOREVER) == -EINVAL;

    vr_hub_free();
    return number(refused);
}

static void process_of_another_thread_is_refused(void **state)
{
    vr_subprocess *process = cat();
    pthread_t thread;
    void *refused;

    assert_int_equal(pthread_create(&thread, NULL, uses_anothers_process, process), 0);
    assert_int_equal(pthread_join(thread, &refused), 0);
    assert_ptr_equal(refused, number(1));
    vr_subprocess_free(process);
}

struct hub_call {
    vr_callback callback;
    vr_subprocess *process;
};

static void uses_process_in_hub(vr_callback *callback)
{
    vr_subprocess *process = ((struct hub_call *)(void *)callback)->process;
    vr_communication talk = {0};

    trace("%d %d", vr_subprocess_wait(process, VR_FOREVER), vr_subprocess_communicate(process, &talk, VR_FOREVER));
    trace("%d", vr_subprocess_poll(process));
}

static void waits_are_refused_in_the_hub(void **state)
{
    struct hub_call hub_call = {.callback.run = uses_process_in_hub, .process = cat()};

    vr_callback_queue(&hub_call.callback);
    vr_sleep(0);
    assert_trace("-1 -1 -11"); /* -EPERM, -EAGAIN */
    vr_subprocess_free(hub_call.process);
}

static void free_while_a_greenlet_waits(void)
{
    vr_subprocess *process = cat();

    vr_spawn(waits, process);
    vr_sleep(0);
    vr_subprocess_free(process);
}

static void *frees(void *process)
{
    vr_subprocess_free(process);
    return NULL;
}

static void free_in_another_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, frees, cat());
    pthread_join(thread, NULL);
}

static void misuse_that_cannot_be_returned_aborts(void **state)
{
    void (*const bodies[])(void) = {free_while_a_greenlet_waits, free_in_another_thread};

    if (THREAD_SANITIZED)
        skip();
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_killed_by(status_of_child(bodies[i]), SIGABRT);
}

/* --- Calls that fail --- */

static void assert_spawn_fails(thread_fault *armed, int nth, int error)
{
    vr_subprocess *process = (vr_subprocess *)&process;

    fail_nth(armed, nth, error);
    assert_int_equal(vr_subprocess_spawn((const char *const[]){"cat", NULL}, &all_pipes, &process), -error);
    disarm(armed);
    assert_null(process);
    assert_int_equal(count_descriptors(), open_descriptors);
    /* No child is left, running or not. */
    assert_int_equal(__real_waitpid(-1, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void spawn_that_fails_leaves_nothing(void **state)
{
    assert_spawn_fails(&fault_of_malloc, 1, ENOMEM);
    for (int nth = 1; nth <= 3; nth++) {
        assert_spawn_fails(&fault_of_pipe2, nth, EMFILE);
        assert_spawn_fails(&fault_of_fcntl, nth, EINVAL);
    }
    assert_spawn_fails(&fault_of_posix_spawnp, 1, EAGAIN);
    assert_spawn_fails(&fault_of_pidfd_open, 1, ENOSYS);
    assert_spawn_fails(&fault_of_pidfd_open, 2, EMFILE);
}

static void spawn_fails_where_descriptors_end(void **state)
{
    struct rlimit before;
    vr_subprocess *process;
    int error = 0;

    getrlimit(RLIMIT_NOFILE, &before);
    /* Wherever the limit is. */
    for (rlim_t limit = 3; limit < 64; limit++) {
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, before.rlim_max});
        error = vr_subprocess_spawn((const char *const[]){"cat", NULL}, &all_pipes, &process);
        setrlimit(RLIMIT_NOFILE, &before);
        if (!error)
            break;
        assert_int_equal(error, -EMFILE);
        assert_int_equal(count_descriptors(), open_descriptors);
    }
    assert_int_equal(error, 0);
    vr_subprocess_free(process);
}

static void other_calls_that_fail_are_told(void **state)
{
    vr_subprocess *process = cat();

    fail_nth(&fault_of_pidfd_send_signal, 1, EPERM);
    assert_int_equal(vr_subprocess_kill(process, SIGTERM), -EPERM);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    fail_nth(&fault_of_waitpid, 1, EINTR);
    assert_int_equal(vr_subprocess_poll(process), -EAGAIN);
    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 0);
    vr_subprocess_free(process);
}

static void end_that_is_not_yet_to_be_had_is_waited_for(void **state)
{
    vr_subprocess *process = cat();

    vr_subprocess_close_pipe(process, STDIN_FILENO);
    /* The look before the wait is the first; the second is that of the hub, once the pidfd is readable. */
    fail_nth(&fault_of_waitpid, 2, EINTR);
    while (vr_subprocess_wait(process, VR_FOREVER) < 0) {
    }
    assert_exits_with(vr_subprocess_poll(process), 0);
    vr_subprocess_free(process);
}

static void wait_without_memory_is_an_error(void **state)
{
    vr_subprocess *process = cat();

    /* One that the hub has never seen needs room in its table. */
    fail_nth(&fault_of_realloc, 1, ENOMEM);
    int error = vr_subprocess_wait(process, VR_MILLISECONDS(1));
    assert_true(error == -ENOMEM || error == -ETIMEDOUT);
    disarm(&fault_of_realloc);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 0);
    vr_subprocess_free(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        process_test(status_is_that_of_waitpid),
        process_test(poll_tells_without_waiting),
        virtual_process_test(wait_gives_up_after_its_timeout),
        process_test(several_greenlets_wait_for_one_end),
        process_test(process_may_be_freed_before_all_who_were_told_have_had_their_turn),
        process_test(wait_for_one_that_has_ended_returns_at_once),
        process_test(kill_sends_a_signal_while_it_runs),
        process_test(status_that_somebody_else_has_taken_is_lost),
        process_test(program_that_cannot_be_run_is_an_error_of_spawn),
        process_test(nonsense_is_refused),
        process_test(child_has_the_environment_that_is_given),
        process_test(child_starts_in_the_directory_that_is_given),
        process_test(child_has_no_descriptors_but_its_streams),
        process_test(child_has_no_signals_blocked_or_ignored),
        process_test(child_may_have_a_session_of_its_own),
        process_test(child_that_is_let_go_of_runs_on_and_is_reaped_later),
        process_test(free_of_null_is_allowed),
        process_test(process_of_another_thread_is_refused),
        process_test(waits_are_refused_in_the_hub),
        process_test(misuse_that_cannot_be_returned_aborts),
        process_test(spawn_that_fails_leaves_nothing),
        process_test(spawn_fails_where_descriptors_end),
        process_test(other_calls_that_fail_are_told),
        process_test(end_that_is_not_yet_to_be_had_is_waited_for),
        process_test(wait_without_memory_is_an_error),
    };

    /* Under valgrind 3.19, that is. */
    int fd = __real_pidfd_open(getpid(), 0);
    if (fd < 0) {
        perror("nothing is tested without pidfds");
        return 0;
    }
    close(fd);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
