/* Subprocesses: their streams, and what is said through them. */
#include "process_support.h"

/* --- Streams --- */

static void only_our_ends_are_non_blocking(void **state)
{
    vr_subprocess *process = cat();
    char path[64];

    for (int which = 0; which < 3; which++) {
        int fd = vr_subprocess_pipe(process, which);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", vr_subprocess_pid(process), which);
        FILE *info = fopen(path, "r");
        unsigned flags = 0;
        assert_non_null(info);
        assert_int_equal(fscanf(info, "pos: %*u flags: %o", &flags), 1);
        fclose(info);
        assert_false(flags & O_NONBLOCK);
    }
    assert_int_equal(vr_subprocess_pipe(process, 3), -1);
    assert_int_equal(vr_subprocess_pipe(process, -1), -1);
    vr_subprocess_free(process);
}

static void pipes_are_read_and_written(void **state)
{
    vr_subprocess *process = cat();
    char octets[8];

    assert_int_equal(vr_subprocess_write(process, "ping", 4, VR_FOREVER), 4);
    assert_int_equal(vr_read(vr_subprocess_pipe(process, STDOUT_FILENO), octets, sizeof octets, VR_FOREVER), 4);
    assert_memory_equal(octets, "ping", 4);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    vr_subprocess_close_pipe(process, STDIN_FILENO);
    assert_int_equal(vr_subprocess_pipe(process, STDIN_FILENO), -1);
    assert_int_equal(vr_subprocess_write(process, "ping", 4, VR_FOREVER), -EBADF);
    assert_int_equal(vr_read(vr_subprocess_pipe(process, STDOUT_FILENO), octets, sizeof octets, VR_FOREVER), 0);
    vr_subprocess_free(process);
}

static void streams_may_be_null(void **state)
{
    const vr_subprocess_options options = {.in.kind = VR_STREAM_NULL, .err.kind = VR_STREAM_NULL};

    assert_string_equal(output_of("cat; echo lost >&2; readlink /proc/self/fd/0 /proc/self/fd/2", options),
                        "/dev/null\n/dev/null\n");
}

static void stderr_may_go_where_stdout_goes(void **state)
{
    vr_subprocess_options options = {.out.kind = VR_STREAM_PIPE, .err.kind = VR_STREAM_STDOUT};
    vr_communication talk = {0};
    vr_subprocess *process = shell("echo one; echo two >&2; echo three", &options);

    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_string_equal(talk.out.data, "one\ntwo\nthree\n");
    assert_null(talk.err.data);
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

static void streams_may_be_descriptors_which_stay_ours(void **state)
{
    char path[] = "/tmp/vireo-input-XXXXXX";
    int file = mkstemp(path), ends[2];
    char octets[8];

    unlink(path);
    assert_int_equal(write(file, "pear", 4), 4);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const vr_subprocess_options options = {.in = {.kind = VR_STREAM_FD, .fd = file},
                                           .out = {.kind = VR_STREAM_FD, .fd = ends[1]}};
    vr_subprocess *process = shell("tr a-z A-Z", &options);
    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 0);
    assert_int_equal(read(ends[0], octets, sizeof octets), 4);
    assert_memory_equal(octets, "PEAR", 4);
    vr_subprocess_free(process);
    close(file);
    close(ends[0]);
    close(ends[1]);
}

/* In a process of its own: its standard descriptors are ours to break. */
static int report[2];

/* Reads what comes through a pipe to its end. */
static const char *read_report(int fd)
{
    static char text[256];
    size_t len = 0;

    for (ssize_t n; (n = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

static void run_inheriting(void)
{
    dup2(report[1], STDOUT_FILENO);
    dup2(report[1], STDERR_FILENO);
    if (vr_subprocess_run((const char *const[]){"sh", "-c", "echo out; echo err >&2", NULL}, NULL, NULL, VR_FOREVER))
        _exit(1);
}

static void run_with_streams_exchanged(void)
{
    int other[2];
    const vr_subprocess_options exchanged = {.out = {.kind = VR_STREAM_FD, .fd = 2},
                                             .err = {.kind = VR_STREAM_FD, .fd = 1}};

    if (pipe2(other, O_CLOEXEC) < 0)
        _exit(1);
    dup2(report[1], STDERR_FILENO);
    dup2(other[1], STDOUT_FILENO);
    if (vr_subprocess_run((const char *const[]){"sh", "-c", "echo out; echo err >&2", NULL}, &exchanged, NULL,
                          VR_FOREVER))
        _exit(2);
    close(STDOUT_FILENO);
    close(other[1]);
    if (strcmp(read_report(other[0]), "err\n") != 0)
        _exit(3);
}

static void run_with_its_own_streams_named(void)
{
    const vr_subprocess_options same = {.out = {.kind = VR_STREAM_FD, .fd = 1}};

    dup2(report[1], STDOUT_FILENO);
    fcntl(STDOUT_FILENO, F_SETFD, FD_CLOEXEC);
    if (vr_subprocess_run((const char *const[]){"echo", "out", NULL}, &same, NULL, VR_FOREVER))
        _exit(1);
}

static void run_without_standard_descriptors(void)
{
    vr_communication talk = {.input = "hello", .input_len = 5};

    for (int fd = 0; fd < 3; fd++)
        close(fd);
    int status =
        vr_subprocess_run((const char *const[]){"sh", "-c", "cat; echo err >&2", NULL}, &all_pipes, &talk, VR_FOREVER);
    dprintf(report[1], "%d %s %s", status, talk.out.data, talk.err.data);
    vr_communication_done(&talk);
}

/* What a process that runs `body` reports. */
static const char *report_of(void (*body)(void))
{
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    int status = status_of_child(body);
    close(report[1]);
    const char *text = read_report(report[0]);
    close(report[0]);
    assert_int_equal(status, 0);
    return text;
}

static void streams_are_inherited_and_crossed_whatever_their_numbers(void **state)
{
    if (THREAD_SANITIZED)
        skip();
    assert_string_equal(report_of(run_inheriting), "out\nerr\n");
    assert_string_equal(report_of(run_with_streams_exchanged), "out\n");
    assert_string_equal(report_of(run_with_its_own_streams_named), "out\n");
    assert_string_equal(report_of(run_without_standard_descriptors), "0 hello err\n");
}

/* --- Writing to a child that does not read --- */

static vr_subprocess *deaf(void)
{
    vr_subprocess *process = spawned((const char *const[]){"true", NULL}, &all_pipes);

    assert_exits_with(vr_subprocess_wait(process, VR_FOREVER), 0);
    return process;
}

static bool is_pending(int signal)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, signal);
}

static void write_to_a_closed_pipe_is_epipe_and_no_signal(void **state)
{
    vr_subprocess *process = deaf();
    sigset_t signals, before, after;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(vr_subprocess_write(process, "x", 1, VR_FOREVER), -EPIPE);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));

    /* One that is blocked leaves none behind, and takes none away. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    assert_int_equal(vr_subprocess_write(process, "x", 1, VR_FOREVER), -EPIPE);
    assert_false(is_pending(SIGPIPE));
    raise(SIGPIPE);
    assert_int_equal(vr_subprocess_write(process, "x", 1, VR_FOREVER), -EPIPE);
    assert_true(is_pending(SIGPIPE));
    assert_int_equal(sigtimedwait(&signals, NULL, &(struct timespec){0}), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    vr_subprocess_free(process);
}

enum { MUCH = 1 << 20 };

static char much[MUCH];

static void write_waits_for_room_and_may_be_left(void **state)
{
    const vr_subprocess_options options = {.in.kind = VR_STREAM_PIPE, .out.kind = VR_STREAM_NULL};
    vr_subprocess *process = spawned((const char *const[]){"cat", NULL}, &options);

    assert_int_equal(vr_subprocess_write(process, much, MUCH, VR_FOREVER), MUCH);
    vr_subprocess_kill(process, SIGSTOP);
    assert_int_equal(vr_subprocess_write(process, much, MUCH, VR_MILLISECONDS(1)), -ETIMEDOUT);
    vr_subprocess_kill(process, SIGKILL);
    vr_subprocess_free(process);
}

/* --- Communicating --- */

static void communicate_feeds_and_reads_to_the_end(void **state)
{
    vr_communication talk = {.input = "banana", .input_len = 6};
    vr_subprocess *process = shell("echo pineapple >&2; cat", &all_pipes);

    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_int_equal(talk.written, 6);
    assert_string_equal(talk.out.data, "banana");
    assert_int_equal(talk.out.len, 6);
    assert_string_equal(talk.err.data, "pineapple\n");
    assert_int_equal(talk.err.len, 10);
    vr_communication_done(&talk);
    assert_null(talk.out.data);
    vr_subprocess_free(process);
}

static void communicate_without_output_gives_empty_strings(void **state)
{
    vr_communication talk = {0};
    vr_subprocess *process = shell("exit 3", &all_pipes);

    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 3);
    assert_string_equal(talk.out.data, "");
    assert_string_equal(talk.err.data, "");
    vr_communication_done(&talk);
    vr_subprocess_free(process);
    process = shell("exit 4", NULL);
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 4);
    assert_null(talk.out.data);
    vr_subprocess_free(process);
}

static void communicate_does_not_choke_on_full_pipes(void **state)
{
    vr_communication talk = {.input = much, .input_len = MUCH};
    vr_subprocess *process = shell("tee /dev/stderr", &all_pipes);

    for (size_t i = 0; i < MUCH; i++)
        much[i] = (char)(i * 31 >> 7);
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_int_equal(talk.out.len, MUCH);
    assert_memory_equal(talk.out.data, much, MUCH);
    assert_int_equal(talk.err.len, MUCH);
    assert_memory_equal(talk.err.data, much, MUCH);
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

static void child_that_closes_its_stdin_early_is_no_error(void **state)
{
    vr_communication talk = {.input = much, .input_len = MUCH};
    vr_subprocess *process = shell("head -c 3; exec <&-; echo done", &all_pipes);

    memset(much, 'x', MUCH);
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_string_equal(talk.out.data, "xxxdone\n");
    assert_true(talk.written < MUCH);
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

/* Communicates for a moment at a time until so many octets have come. */
static void hear(vr_subprocess *process, vr_communication *talk, size_t len)
{
    while (talk->out.len < len)
        assert_int_equal(vr_subprocess_communicate(process, talk, VR_MILLISECONDS(1)), -ETIMEDOUT);
}

static void communicate_that_times_out_has_what_was_said_and_goes_on_later(void **state)
{
    vr_communication talk = {0};
    const vr_subprocess_options options = {.in.kind = VR_STREAM_PIPE, .out.kind = VR_STREAM_PIPE};
    vr_subprocess *process = shell("echo BDFL; exec sleep 1000", &options);

    hear(process, &talk, 5);
    assert_string_equal(talk.out.data, "BDFL\n");
    assert_int_equal(vr_subprocess_kill(process, SIGTERM), 0);
    assert_killed_by(vr_subprocess_communicate(process, &talk, VR_FOREVER), SIGTERM);
    assert_string_equal(talk.out.data, "BDFL\n");
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

struct conversation {
    vr_subprocess *process;
    vr_communication talk;
};

static vr_result communicates(void *argument)
{
    struct conversation *conversation = argument;
    int status = vr_subprocess_communicate(conversation->process, &conversation->talk, VR_FOREVER);

    return status < 0 ? vr_fail(status) : vr_ok(number(status));
}

static void communicate_that_is_killed_goes_on_later(void **state)
{
    /* It cannot end: the child holds back. */
    struct conversation conversation = {.talk = {.input = much, .input_len = MUCH}, .process = cat()};

    memset(much, 'x', MUCH);
    vr_subprocess_kill(conversation.process, SIGSTOP);
    vr_greenlet *greenlet = vr_spawn(communicates, &conversation);
    vr_sleep(0);
    vr_kill(greenlet, -EINTR);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), -EINTR);
    vr_unref(greenlet);
    vr_subprocess_kill(conversation.process, SIGCONT);
    assert_exits_with(vr_subprocess_communicate(conversation.process, &conversation.talk, VR_FOREVER), 0);
    assert_int_equal(conversation.talk.out.len, MUCH);
    vr_communication_done(&conversation.talk);
    vr_subprocess_free(conversation.process);
}

static void output_beyond_the_limit_is_an_error_and_not_lost(void **state)
{
    vr_communication talk = {.limit = 4};
    vr_subprocess *process = shell("printf 123456789", &all_pipes);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EFBIG);
        assert_string_equal(talk.out.data, "1234");
        assert_int_equal(talk.out.len, 4);
    }
    talk.limit = 5;
    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EFBIG);
    assert_string_equal(talk.out.data, "12345");
    talk.limit = 3; /* less than there is already */
    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EFBIG);
    talk.limit = 9;
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_string_equal(talk.out.data, "123456789");
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

static void input_without_a_pipe_is_refused(void **state)
{
    vr_communication talk = {.input = "x", .input_len = 1};
    vr_subprocess *process = shell("exit 0", NULL);

    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EINVAL);
    vr_subprocess_free(process);
}

static vr_result reads_stdout(void *process)
{
    char octet;

    return vr_fail(vr_read(vr_subprocess_pipe(process, STDOUT_FILENO), &octet, 1, VR_FOREVER));
}

static void pipe_that_another_greenlet_waits_for_is_busy_until_it_is_closed(void **state)
{
    vr_subprocess *process = cat();
    vr_communication talk = {0};
    vr_greenlet *reader = vr_spawn(reads_stdout, process);

    vr_sleep(0);
    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EBUSY);
    vr_subprocess_close_pipe(process, STDOUT_FILENO);
    assert_int_equal(vr_join(reader, VR_FOREVER), 0);
    assert_int_equal(vr_error(reader), -EBADF);
    vr_unref(reader);
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

static void pipe_that_is_closed_meanwhile_counts_as_ended(void **state)
{
    struct conversation conversation = {.process = shell("exec sleep 1000", &all_pipes)};
    vr_greenlet *greenlet = vr_spawn(communicates, &conversation);

    vr_sleep(0);
    vr_subprocess_close_pipe(conversation.process, STDOUT_FILENO);
    vr_subprocess_close_pipe(conversation.process, STDERR_FILENO);
    vr_sleep(0);
    vr_subprocess_kill(conversation.process, SIGKILL);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_true(vr_successful(greenlet));
    vr_unref(greenlet);
    vr_communication_done(&conversation.talk);
    vr_subprocess_free(conversation.process);
}

enum { CHILDREN = 20 };

static void many_children_are_talked_to_at_once(void **state)
{
    static struct conversation conversations[CHILDREN];
    vr_greenlet *greenlets[CHILDREN];

    memset(much, 'x', MUCH);
    for (int i = 0; i < CHILDREN; i++) {
        conversations[i] =
            (struct conversation){.process = cat(), .talk = {.input = much, .input_len = 100000 + (size_t)i}};
        greenlets[i] = vr_spawn(communicates, &conversations[i]);
    }
    assert_int_equal(vr_joinall(greenlets, CHILDREN, VR_FOREVER), CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        assert_true(vr_successful(greenlets[i]));
        vr_unref(greenlets[i]);
        assert_int_equal(conversations[i].talk.out.len, 100000 + i);
        vr_communication_done(&conversations[i].talk);
        vr_subprocess_free(conversations[i].process);
    }
}

static void run_does_it_all_and_kills_what_is_late(void **state)
{
    vr_communication talk = {.input = "pear", .input_len = 4};
    int ends[2];
    char octet;

    assert_exits_with(
        vr_subprocess_run((const char *const[]){"sh", "-c", "tr a-z A-Z; exit 5", NULL}, &all_pipes, &talk, VR_FOREVER),
        5);
    assert_string_equal(talk.out.data, "PEAR");
    vr_communication_done(&talk);
    assert_int_equal(vr_subprocess_run((const char *const[]){"this-name-must-not-exist", NULL}, NULL, NULL, VR_FOREVER),
                     -ENOENT);

    /* The other end of the pipe is closed when the child is gone. */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const vr_subprocess_options options = {.out = {.kind = VR_STREAM_FD, .fd = ends[1]}};
    assert_int_equal(
        vr_subprocess_run((const char *const[]){"sleep", "1000", NULL}, &options, NULL, VR_MILLISECONDS(1)),
        -ETIMEDOUT);
    close(ends[1]);
    assert_int_equal(read(ends[0], &octet, 1), 0);
    close(ends[0]);
}

static void communicate_that_fails_goes_on_later(void **state)
{
    vr_communication talk = {.input = "pear", .input_len = 4};
    vr_subprocess *process = cat();

    fail_nth(&fault_of_write, 1, EIO);
    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EIO);
    for (int nth = 1; nth <= 2; nth++) {
        fail_nth(&fault_of_realloc, nth, ENOMEM);
        assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -ENOMEM);
    }
    fail_nth(&fault_of_read, 1, EIO);
    assert_int_equal(vr_subprocess_communicate(process, &talk, VR_FOREVER), -EIO);
    fail_nth(&fault_of_read, 1, EINTR);
    assert_exits_with(vr_subprocess_communicate(process, &talk, VR_FOREVER), 0);
    assert_string_equal(talk.out.data, "pear");
    vr_communication_done(&talk);
    vr_subprocess_free(process);
}

static void write_that_is_interrupted_goes_on(void **state)
{
    vr_subprocess *process = cat();

    fail_nth(&fault_of_write, 1, EINTR);
    assert_int_equal(vr_subprocess_write(process, "abc", 3, VR_FOREVER), 3);
    fail_nth(&fault_of_write, 1, EIO);
    assert_int_equal(vr_subprocess_write(process, "abc", 3, VR_FOREVER), -EIO);
    vr_subprocess_free(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        process_test(only_our_ends_are_non_blocking),
        process_test(pipes_are_read_and_written),
        process_test(streams_may_be_null),
        process_test(stderr_may_go_where_stdout_goes),
        process_test(streams_may_be_descriptors_which_stay_ours),
        process_test(streams_are_inherited_and_crossed_whatever_their_numbers),
        process_test(write_to_a_closed_pipe_is_epipe_and_no_signal),
        process_test(write_waits_for_room_and_may_be_left),
        process_test(communicate_feeds_and_reads_to_the_end),
        process_test(communicate_without_output_gives_empty_strings),
        process_test(communicate_does_not_choke_on_full_pipes),
        process_test(child_that_closes_its_stdin_early_is_no_error),
        process_test(communicate_that_times_out_has_what_was_said_and_goes_on_later),
        process_test(communicate_that_is_killed_goes_on_later),
        process_test(output_beyond_the_limit_is_an_error_and_not_lost),
        process_test(input_without_a_pipe_is_refused),
        process_test(pipe_that_another_greenlet_waits_for_is_busy_until_it_is_closed),
        process_test(pipe_that_is_closed_meanwhile_counts_as_ended),
        process_test(many_children_are_talked_to_at_once),
        process_test(run_does_it_all_and_kills_what_is_late),
        process_test(communicate_that_fails_goes_on_later),
        process_test(write_that_is_interrupted_goes_on),
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
