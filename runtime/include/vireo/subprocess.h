/*
 * Subprocesses: programs that run beside this one, fed, read and waited for without blocking the thread.
 *
 * A subprocess belongs to the thread that spawned it; from another thread calls return -EINVAL. Its end is told by a
 * pidfd (Linux 5.3 or later): no signal handler is set, and SIGCHLD is left to the program, which must not ignore it,
 * or reap with waitpid(-1): the status is lost then (-ECHILD).
 */
#ifndef VIREO_SUBPROCESS_H
#define VIREO_SUBPROCESS_H

#include <vireo/greenlet.h>
#include <vireo/time.h>

#include <sys/types.h>
#include <sys/wait.h>

typedef struct vr_subprocess vr_subprocess;

/* What one of the child's standard streams is: `.out.kind = VR_STREAM_PIPE` in the options. */
typedef struct vr_stream {
    enum vr_stream_kind {
        VR_STREAM_INHERIT, /* this program's own */
        VR_STREAM_NULL,    /* /dev/null */
        VR_STREAM_PIPE,    /* the other end is vr_subprocess_pipe */
        VR_STREAM_FD,      /* a duplicate of `fd`, which stays the caller's */
        VR_STREAM_STDOUT,  /* for stderr only: where stdout goes */
    } kind;
    int fd;
} vr_stream;

enum vr_subprocess_flags {
    VR_SUBPROCESS_SESSION = 1, /* in a session of its own (setsid(2)), away from this program's terminal */
};

/* All zero: as this program is. */
typedef struct vr_subprocess_options {
    vr_stream in, out, err;
    const char *const *environment; /* "NAME=value"..., NULL; or NULL for this program's */
    const char *directory;          /* to start in; NULL for this program's. A relative argv[0] is looked up there */
    unsigned flags;                 /* of vr_subprocess_flags */
} vr_subprocess_options;

/*
 * Runs argv[0], looked up in this program's PATH if it has no slash, with the arguments `argv`, NULL at the end. The
 * child has no descriptors but 0, 1 and 2, no blocked signals, and no dispositions of signals but the default ones.
 * `options` may be NULL. Never switches, but takes the thread until the new program is loaded, about a millisecond.
 * *process is for vr_subprocess_free. Returns 0, or an error, and *process is NULL: of the program (-ENOENT, -EACCES,
 * -ENOEXEC, -E2BIG...) or of `directory`, in which case nothing has run; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN; -EBADF for
 * an `fd` that is not open; -EINVAL for an unknown kind of stream or flag, or an empty `argv`; -ENOSYS without pidfds.
 */
int vr_subprocess_spawn(const char *const argv[], const vr_subprocess_options *options, vr_subprocess **process);

/*
 * Lets go of it: closes its pipes, and leaves a child that runs to itself, as gevent does. That one's remains are taken
 * away by the next call of this or of vr_subprocess_spawn after its end. No greenlet may wait for it. NULL is allowed.
 */
void vr_subprocess_free(vr_subprocess *process);

pid_t vr_subprocess_pid(const vr_subprocess *process);

/*
 * Our end of the pipe at the child's stream `which` (STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO), non-blocking, for
 * <vireo/io.h>; -1 where there is none. It stays the process's: only these close it, and vr_subprocess_free.
 */
int vr_subprocess_pipe(const vr_subprocess *process, int which);
void vr_subprocess_close_pipe(vr_subprocess *process, int which);

/*
 * vr_write to the pipe at the child's stdin, but without a SIGPIPE: all of `len` octets; returns len. -EPIPE when
 * nobody reads it any more, -EBADF when there is no pipe; other errors as of vr_write.
 */
ssize_t vr_subprocess_write(vr_subprocess *process, const void *data, size_t len, vr_time timeout);

/*
 * The status that waitpid(2) gives (WIFEXITED, WEXITSTATUS, WTERMSIG...), not negative; waited for, by any number of
 * greenlets. -ETIMEDOUT, -EPERM in the hub for one that has not ended, -ECHILD when somebody else has reaped it,
 * -ENOMEM, or what was thrown into the wait.
 */
int vr_subprocess_wait(vr_subprocess *process, vr_time timeout);

/* The status, or -EAGAIN while it runs. Never switches. */
int vr_subprocess_poll(vr_subprocess *process);

/* Sends a signal to it. 0; -ESRCH when it has ended, -EINVAL for what is no signal, -EPERM. */
int vr_subprocess_kill(vr_subprocess *process, int signal);

/* What a child has said. */
typedef struct vr_output {
    char *data; /* `len` octets and a NUL; NULL where there is no pipe */
    size_t len;
    size_t room; /* private */
} vr_output;

/*
 * A conversation with a child: all that it is told and all that it says. All zero but for the input and the limit; kept
 * as it is for a second call, which goes on where the first one ended.
 */
typedef struct vr_communication {
    const void *input; /* `input_len` octets, for its stdin; must not change meanwhile */
    size_t input_len;
    size_t limit;       /* the most octets of each output; 0 means no limit */
    size_t written;     /* of the input */
    vr_output out, err; /* for vr_communication_done */
} vr_communication;

/*
 * Writes the input to stdin and closes it, and reads stdout and stderr, as the child goes along; when both have ended,
 * waits for the child. Each of the three only if it is a pipe. A child that closes its stdin early has had what it
 * wanted: that is no error. Returns the status as vr_subprocess_wait does, or an error: -ETIMEDOUT, -EFBIG when an
 * output goes on after `limit` octets, -ENOMEM, -EINVAL for input without a pipe for it, -EBUSY while another greenlet
 * waits for one of the pipes, -EPERM in the hub, or what was thrown. What was said until then is in `talk`, nothing is
 * lost, the child lives on, and another call goes on from there. `timeout` is for all of it. Whoever else holds the
 * other ends of the pipes, a grandchild for example, is waited for, too.
 */
int vr_subprocess_communicate(vr_subprocess *process, vr_communication *talk, vr_time timeout);

/* Frees the outputs. */
void vr_communication_done(vr_communication *talk);

/*
 * vr_subprocess_spawn, _communicate (`talk` may be NULL) and _free in one. A child that has not ended when that returns
 * an error is killed (SIGKILL).
 */
int vr_subprocess_run(const char *const argv[], const vr_subprocess_options *options, vr_communication *talk,
                      vr_time timeout);

#endif
