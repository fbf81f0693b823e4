/* What the tests of subprocesses share: children to talk to, and system calls that fail. */
#ifndef VIREO_TESTS_RUNTIME_PROCESS_SUPPORT_H
#define VIREO_TESTS_RUNTIME_PROCESS_SUPPORT_H

#include "thread_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <vireo/io.h>
#include <vireo/subprocess.h>

/* --- Faults --- */

THREAD_WRAP(void *, malloc, (size_t size), NULL, (size))
THREAD_WRAP(void *, realloc, (void *old, size_t size), NULL, (old, size))
THREAD_WRAP(int, pipe2, (int ends[2], int flags), -1, (ends, flags))
THREAD_WRAP(int, pidfd_open, (pid_t pid, unsigned flags), -1, (pid, flags))
THREAD_WRAP(int, pidfd_send_signal, (int fd, int signal, siginfo_t *info, unsigned flags), -1,
            (fd, signal, info, flags))
THREAD_WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), -1, (pid, status, options))
THREAD_WRAP(ssize_t, read, (int fd, void *out, size_t len), -1, (fd, out, len))
THREAD_WRAP(ssize_t, write, (int fd, const void *data, size_t len), -1, (fd, data, len))
THREAD_WRAP(int, posix_spawnp,
            (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]),
            errno, (pid, file, actions, attributes, argv, environment))

static thread_fault fault_of_fcntl;
int __real_fcntl(int fd, int command, ...);

int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return strikes(&fault_of_fcntl) ? -1 : __real_fcntl(fd, command, argument);
}

static thread_fault *const faults[] = {
    &fault_of_malloc, &fault_of_realloc, &fault_of_pipe2, &fault_of_pidfd_open,   &fault_of_pidfd_send_signal,
    &fault_of_read,   &fault_of_write,   &fault_of_fcntl, &fault_of_posix_spawnp, &fault_of_waitpid,
};

/* --- Set-up --- */

static size_t open_descriptors;

static inline size_t count_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static inline int note_descriptors(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        disarm(faults[i]);
    vr_sleep(0); /* the hub has those it needs */
    open_descriptors = count_descriptors();
    return 0;
}

static inline int use_clock(void **state)
{
    return use_real_clock(state) || note_descriptors();
}

static inline int use_still_clock(void **state)
{
    return use_virtual_clock(state) || note_descriptors();
}

static inline int check_descriptors(void **state)
{
    size_t left = count_descriptors() - open_descriptors;

    /* Those that were let go of end soon. */
    while (__real_waitpid(-1, NULL, 0) > 0) {
    }
    return left ? -1 : free_hub(state);
}

static const vr_subprocess_options all_pipes = {
    .in.kind = VR_STREAM_PIPE,
    .out.kind = VR_STREAM_PIPE,
    .err.kind = VR_STREAM_PIPE,
};

static inline vr_subprocess *spawned(const char *const argv[], const vr_subprocess_options *options)
{
    vr_subprocess *process;

    assert_int_equal(vr_subprocess_spawn(argv, options, &process), 0);
    assert_non_null(process);
    return process;
}

/* A child that runs a command of the shell. */
static inline vr_subprocess *shell(const char *command, const vr_subprocess_options *options)
{
    return spawned((const char *const[]){"sh", "-c", command, NULL}, options);
}

/* A child that ends when its stdin does, and echoes it. */
static inline vr_subprocess *cat(void)
{
    return spawned((const char *const[]){"cat", NULL}, &all_pipes);
}

#define assert_exits_with(status, code)               \
    do {                                              \
        int status_ = (status);                       \
        assert_true(status_ >= 0);                    \
        assert_true(WIFEXITED(status_));              \
        assert_int_equal(WEXITSTATUS(status_), code); \
    } while (0)

#define assert_killed_by(status, signal)             \
    do {                                             \
        int status_ = (status);                      \
        assert_true(status_ >= 0);                   \
        assert_true(WIFSIGNALED(status_));           \
        assert_int_equal(WTERMSIG(status_), signal); \
    } while (0)

/* What a command says on its stdout, as a static string. */
static inline const char *output_of(const char *command, vr_subprocess_options options)
{
    static char text[4096];
    vr_communication talk = {0};

    options.out.kind = VR_STREAM_PIPE;
    assert_exits_with(vr_subprocess_run((const char *const[]){"sh", "-c", command, NULL}, &options, &talk, VR_FOREVER),
                      0);
    snprintf(text, sizeof text, "%s", talk.out.data);
    vr_communication_done(&talk);
    return text;
}

#define process_test(function) cmocka_unit_test_setup_teardown(function, use_clock, check_descriptors)
#define virtual_process_test(function) cmocka_unit_test_setup_teardown(function, use_still_clock, check_descriptors)

#endif
