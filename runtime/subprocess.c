#include <vireo/subprocess.h>

#include "container.h"
#include "hub.h"
#include "line.h"

#include <vireo/io.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { STREAMS = 3, FIRST_ROOM = 4096 };

struct vr_subprocess {
    pid_t pid;
    int pidfd;
    int pipes[STREAMS]; /* our ends; -1 where there is none */
    bool talks;         /* its stdin was a pipe */
    bool ended;
    int status; /* once it has ended: waitpid's, or -ECHILD */
    pthread_t owner;
    vr_place *waiters;
    vr_poll_wait end;    /* registered while somebody does */
    vr_subprocess *next; /* among the orphans */
};

static bool is_own(const vr_subprocess *process)
{
    return pthread_equal(process->owner, pthread_self());
}

/* --- Orphans: those that ran when they were let go of. All threads', so that none has to stay to bury its own --- */

static pthread_mutex_t orphans_lock = PTHREAD_MUTEX_INITIALIZER;
static vr_subprocess *orphans;

/* Takes note of its end, if it has ended. */
static bool reap(vr_subprocess *process)
{
    int status;

    if (process->ended)
        return true;
    pid_t pid = waitpid(process->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    process->ended = true;
    process->status = pid < 0 ? -ECHILD : status;
    return true;
}

static void reap_orphans(void)
{
    pthread_mutex_lock(&orphans_lock);
    for (vr_subprocess **link = &orphans; *link;) {
        vr_subprocess *orphan = *link;
        if (reap(orphan)) {
            *link = orphan->next;
            free(orphan);
        } else {
            link = &orphan->next;
        }
    }
    pthread_mutex_unlock(&orphans_lock);
}

static void leave_orphan(vr_subprocess *process)
{
    pthread_mutex_lock(&orphans_lock);
    process->next = orphans;
    orphans = process;
    pthread_mutex_unlock(&orphans_lock);
}

/* --- Spawning --- */

/* What a spawn needs until the child runs. */
struct spawning {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[STREAMS]; /* descriptors for the child that are ours to close; -1 */
    int reserve;       /* holds a descriptor's place for the pidfd */
    int error;         /* the first one, negative */
};

/* The first failure counts; `error` is as posix_spawn's functions return it. */
static void note(struct spawning *spawning, int error)
{
    if (error && !spawning->error)
        spawning->error = -error;
}

/*
 * A descriptor that the child's 0, 1 and 2 can be put over in any order: another one above them where it is not so
 * already. Returns it, and owns it; -1 after an error.
 */
static int above_standard(struct spawning *spawning, int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STREAMS);

    if (moved < 0)
        note(spawning, errno);
    return moved;
}

/* Makes a pipe, keeps our end, and returns the child's; -1 after an error. */
static int open_pipe(struct spawning *spawning, int which, int *ours)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        note(spawning, errno);
        return -1;
    }
    int theirs = fds[which == STDIN_FILENO ? 0 : 1];
    *ours = fds[which == STDIN_FILENO ? 1 : 0];
    /* Ends have a mode each: the child's stays blocking, as programs expect. */
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
        note(spawning, errno);
    if (theirs >= STREAMS)
        return theirs;
    int moved = above_standard(spawning, theirs);
    close(theirs);
    return moved;
}

static void set_stream(struct spawning *spawning, int which, const vr_stream *stream, int *ours)
{
    posix_spawn_file_actions_t *actions = &spawning->actions;
    int *end = &spawning->ends[which];
    int fd = stream->fd;

    switch (stream->kind) {
    case VR_STREAM_INHERIT:
        return;
    case VR_STREAM_NULL:
        note(spawning, posix_spawn_file_actions_addopen(actions, which, "/dev/null", O_RDWR, 0));
        return;
    case VR_STREAM_PIPE:
        fd = *end = open_pipe(spawning, which, ours);
        break;
    case VR_STREAM_FD:
        if (fd < STREAMS && fd != which)
            fd = *end = above_standard(spawning, fd);
        break;
    case VR_STREAM_STDOUT:
        /* Here stdout is in its place: it came before. */
        fd = which == STDERR_FILENO ? STDOUT_FILENO : -1;
        if (fd < 0)
            note(spawning, EINVAL);
        break;
    default:
        note(spawning, EINVAL);
        return;
    }
    if (!spawning->error)
        note(spawning, posix_spawn_file_actions_adddup2(actions, fd, which));
}

/* Nothing of how this program handles signals is the child's business. */
static void set_attributes(struct spawning *spawning, unsigned flags)
{
    sigset_t signals;
    int wanted = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

    if (flags & ~(unsigned)VR_SUBPROCESS_SESSION)
        note(spawning, EINVAL);
    if (flags & VR_SUBPROCESS_SESSION)
        wanted |= POSIX_SPAWN_SETSID;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&spawning->attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&spawning->attributes, &signals);
    note(spawning, posix_spawnattr_setflags(&spawning->attributes, (short)wanted));
}

static void prepare(struct spawning *spawning, const vr_subprocess_options *options, int pipes[STREAMS])
{
    const vr_stream *const streams[STREAMS] = {&options->in, &options->out, &options->err};

    *spawning = (struct spawning){.ends = {-1, -1, -1}, .reserve = -1};
    note(spawning, posix_spawn_file_actions_init(&spawning->actions));
    note(spawning, posix_spawnattr_init(&spawning->attributes));
    for (int which = 0; which < STREAMS && !spawning->error; which++)
        set_stream(spawning, which, streams[which], &pipes[which]);
    /* Ours are closed on exec; those that other parts of the program have forgotten to mark are not. */
    note(spawning, posix_spawn_file_actions_addclosefrom_np(&spawning->actions, STREAMS));
    if (options->directory)
        note(spawning, posix_spawn_file_actions_addchdir_np(&spawning->actions, options->directory));
    set_attributes(spawning, options->flags);
    /* A child that cannot be watched would have to be killed: before it runs it must be sure that there is a pidfd. */
    if (!spawning->error && (spawning->reserve = pidfd_open(getpid(), 0)) < 0)
        note(spawning, errno);
}

static void clean_up(struct spawning *spawning)
{
    for (int which = 0; which < STREAMS; which++)
        if (spawning->ends[which] >= 0)
            close(spawning->ends[which]);
    if (spawning->reserve >= 0)
        close(spawning->reserve);
    posix_spawn_file_actions_destroy(&spawning->actions);
    posix_spawnattr_destroy(&spawning->attributes);
}

/* exec's functions promise not to change their arguments; their types do not. */
static char *const *unchanged(const char *const strings[])
{
    union {
        const char *const *given;
        char *const *taken;
    } both = {.given = strings};

    return both.taken;
}

/* Starts the child. */
static void start(struct spawning *spawning, vr_subprocess *process, const char *const argv[],
                  const char *const environment[])
{
    char *const *variables = environment ? unchanged(environment) : environ;

    note(spawning,
         posix_spawnp(&process->pid, argv[0], &spawning->actions, &spawning->attributes, unchanged(argv), variables));
    if (spawning->error)
        return;
    close(spawning->reserve);
    spawning->reserve = -1;
    process->pidfd = pidfd_open(process->pid, 0);
    if (process->pidfd >= 0)
        return;
    /* Another thread has taken the place in this very moment. */
    note(spawning, errno);
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

static vr_subprocess *new_process(void)
{
    vr_subprocess *process = malloc(sizeof *process);

    if (process)
        *process = (vr_subprocess){.pidfd = -1, .pipes = {-1, -1, -1}, .owner = pthread_self()};
    return process;
}

static void close_pipes(vr_subprocess *process)
{
    for (int which = 0; which < STREAMS; which++)
        vr_subprocess_close_pipe(process, which);
}

int vr_subprocess_spawn(const char *const argv[], const vr_subprocess_options *options, vr_subprocess **process)
{
    static const vr_subprocess_options none;
    struct spawning spawning;

    *process = NULL;
    reap_orphans();
    if (!options)
        options = &none;
    if (!argv[0])
        return -EINVAL;
    vr_subprocess *made = new_process();
    if (!made)
        return -ENOMEM;
    prepare(&spawning, options, made->pipes);
    if (!spawning.error)
        start(&spawning, made, argv, options->environment);
    clean_up(&spawning);
    if (spawning.error) {
        close_pipes(made);
        free(made);
        return spawning.error;
    }
    made->talks = options->in.kind == VR_STREAM_PIPE;
    *process = made;
    return 0;
}

void vr_subprocess_free(vr_subprocess *process)
{
    if (!process)
        return;
    if (!is_own(process))
        vr_misuse("a subprocess of another thread is freed", vr_current());
    if (process->waiters)
        vr_misuse("a subprocess is freed while a greenlet waits for it", vr_current());
    close_pipes(process);
    vr_close(process->pidfd);
    if (reap(process))
        free(process);
    else
        leave_orphan(process);
    reap_orphans();
}

pid_t vr_subprocess_pid(const vr_subprocess *process)
{
    return process->pid;
}

int vr_subprocess_pipe(const vr_subprocess *process, int which)
{
    return which >= 0 && which < STREAMS ? process->pipes[which] : -1;
}

void vr_subprocess_close_pipe(vr_subprocess *process, int which)
{
    int fd = vr_subprocess_pipe(process, which);

    if (fd < 0)
        return;
    /* Off before it is closed, which wakes whoever waits on it. */
    process->pipes[which] = -1;
    vr_close(fd);
}

/* --- Its end --- */

/* For reports. */
static const void *number_of(const vr_subprocess *process)
{
    return (const void *)(intptr_t)process->pid;
}

static int watch_end(vr_hub *hub, vr_subprocess *process)
{
    return vr_poller_add(&hub->poller, process->pidfd, VR_DIRECTION_READ, &process->end);
}

static void unwatch_end(vr_hub *hub, vr_subprocess *process)
{
    vr_poller_remove(&hub->poller, process->pidfd, VR_DIRECTION_READ, &process->end);
}

/* Each is given the status, since it may find the process freed when it has its turn. */
static void tell_waiters(vr_subprocess *process, int status)
{
    while (process->waiters) {
        vr_place *waiter = vr_line_wake_first(&process->waiters);
        waiter->granted = true;
        waiter->item = (void *)(intptr_t)status;
    }
}

static void end_ready(vr_poll_wait *wait, int error)
{
    vr_subprocess *process = VR_CONTAINER(wait, vr_subprocess, end);
    vr_hub *hub = vr_hub_peek();

    unwatch_end(hub, process);
    if (reap(process))
        tell_waiters(process, process->status);
    else if (error) /* the program has closed a descriptor that is not its own */
        tell_waiters(process, error);
    else /* a debugger has it still; the descriptor has been watched, so that this cannot fail */
        (void)watch_end(hub, process);
}

/* Waits for its end; whoever is first has it watched, and whoever leaves last ends that. Returns the status. */
static int await_end(vr_subprocess *process, vr_time timeout)
{
    int error = 0;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    if (!process->waiters) {
        process->end = (vr_poll_wait){.ready = end_ready};
        error = watch_end(hub, process);
        if (error)
            return error;
    }
    vr_place self = {.greenlet = hub->current};
    vr_line_append(&process->waiters, &self);
    error = vr_line_park(hub, &process->waiters, &self, timeout, VR_WAIT_PROCESS, number_of(process));
    if (self.granted)
        return error ? error : (int)(intptr_t)self.item;
    if (!process->waiters)
        unwatch_end(hub, process);
    return error;
}

int vr_subprocess_wait(vr_subprocess *process, vr_time timeout)
{
    if (!is_own(process))
        return -EINVAL;
    return reap(process) ? process->status : await_end(process, timeout);
}

int vr_subprocess_poll(vr_subprocess *process)
{
    if (!is_own(process))
        return -EINVAL;
    return reap(process) ? process->status : -EAGAIN;
}

int vr_subprocess_kill(vr_subprocess *process, int signal)
{
    if (!is_own(process))
        return -EINVAL;
    if (process->ended)
        return -ESRCH;
    return pidfd_send_signal(process->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

/* --- Writing to it --- */

/*
 * write(2) that raises no SIGPIPE, which for a pipe no flag can ask for: the signal is blocked for so long, and the one
 * that came of this write is taken off again. One that was pending before stays.
 */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
    const struct timespec now = {0};
    sigset_t pending, pipe_signal, before;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, data, len);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR) {
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n < 0 ? -error : n;
}

ssize_t vr_subprocess_write(vr_subprocess *process, const void *data, size_t len, vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    size_t done = 0;

    if (!is_own(process))
        return -EINVAL;
    while (done < len) {
        int fd = process->pipes[STDIN_FILENO];
        if (fd < 0)
            return -EBADF;
        ssize_t n = write_quietly(fd, (const char *)data + done, len - done);
        if (n == -EAGAIN)
            n = vr_wait_writable(fd, vr_remaining(deadline));
        if (n < 0 && n != -EINTR)
            return n;
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

/* --- Communicating: a turn for each pipe, then a wait for any of them --- */

struct pipe_wait {
    vr_poll_wait poll;
    vr_greenlet *greenlet;
    int fd;
};

static void pipe_ready(vr_poll_wait *poll, int error)
{
    (void)error; /* a pipe that was closed is seen to be, in the next turn */
    vr_hub_wake(VR_CONTAINER(poll, struct pipe_wait, poll)->greenlet);
}

static vr_direction direction_of(int which)
{
    return which == STDIN_FILENO ? VR_DIRECTION_WRITE : VR_DIRECTION_READ;
}

/* Gives way until one of the pipes is ready, or closed. */
static int wait_for_pipes(vr_hub *hub, const vr_subprocess *process, vr_time timeout)
{
    struct pipe_wait waits[STREAMS];
    int registered = 0, error = 0;

    for (; registered < STREAMS && !error; registered++) {
        struct pipe_wait *wait = &waits[registered];
        *wait =
            (struct pipe_wait){.poll.ready = pipe_ready, .greenlet = hub->current, .fd = process->pipes[registered]};
        if (wait->fd >= 0)
            error = vr_poller_add(&hub->poller, wait->fd, direction_of(registered), &wait->poll);
    }
    if (!error)
        error = vr_hub_park(hub, timeout, VR_WAIT_PROCESS, number_of(process));
    while (registered--)
        if (waits[registered].fd >= 0)
            vr_poller_remove(&hub->poller, waits[registered].fd, direction_of(registered), &waits[registered].poll);
    return error;
}

static int feed(vr_subprocess *process, vr_communication *talk)
{
    size_t left = talk->input_len - talk->written;
    ssize_t n = 0;

    if (process->pipes[STDIN_FILENO] < 0)
        return 0;
    if (left)
        n = write_quietly(process->pipes[STDIN_FILENO], (const char *)talk->input + talk->written, left);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    if (n < 0 && n != -EPIPE)
        return (int)n;
    talk->written += n > 0 ? (size_t)n : 0;
    if (n < 0 || talk->written == talk->input_len)
        vr_subprocess_close_pipe(process, STDIN_FILENO);
    return 0;
}

/* Room for an octet more, unless that is beyond the limit, and for the NUL. */
static int make_room(vr_output *output, size_t limit)
{
    size_t room = output->room ? output->room * 2 : FIRST_ROOM;

    if (output->data && (output->len >= limit || output->len + 1 < output->room))
        return 0;
    if (room > limit)
        room = limit + 1;
    char *data = realloc(output->data, room);
    if (!data)
        return -ENOMEM;
    output->data = data;
    output->room = room;
    data[output->len] = '\0';
    return 0;
}

/* What comes after the limit stays in the pipe, for a call with another limit. 1 at the end, 0 when that may come. */
static int look_for_end(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};

    if (poll(&look, 1, 0) <= 0)
        return 0;
    return look.revents & POLLIN ? -EFBIG : 1;
}

/* The next octets. 1 at the end, 0 when that may come, or an error. */
static int read_output(int fd, vr_output *output, size_t limit)
{
    if (output->len >= limit)
        return look_for_end(fd);
    size_t room = output->room - 1 - output->len, wanted = limit - output->len;
    ssize_t n = read(fd, output->data + output->len, room < wanted ? room : wanted);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    output->len += (size_t)n;
    output->data[output->len] = '\0';
    return n == 0;
}

static int drain(vr_subprocess *process, int which, vr_output *output, size_t limit)
{
    int fd = process->pipes[which];

    if (fd < 0)
        return 0;
    int result = make_room(output, limit);
    if (!result)
        result = read_output(fd, output, limit);
    if (result > 0)
        vr_subprocess_close_pipe(process, which);
    return result < 0 ? result : 0;
}

/* Does for each pipe what can be done without waiting. 1 when all have ended, 0, or an error. */
static int take_turn(vr_subprocess *process, vr_communication *talk)
{
    size_t limit = talk->limit ? talk->limit : SIZE_MAX;
    int error = feed(process, talk);

    if (!error)
        error = drain(process, STDOUT_FILENO, &talk->out, limit);
    if (!error)
        error = drain(process, STDERR_FILENO, &talk->err, limit);
    if (error)
        return error;
    for (int which = 0; which < STREAMS; which++)
        if (process->pipes[which] >= 0)
            return 0;
    return 1;
}

int vr_subprocess_communicate(vr_subprocess *process, vr_communication *talk, vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    int result = 0;
    vr_hub *hub = vr_hub_to_block(&result);

    if (!is_own(process) || (!process->talks && talk->written < talk->input_len))
        return -EINVAL;
    if (!hub)
        return result;
    while ((result = take_turn(process, talk)) == 0)
        if ((result = wait_for_pipes(hub, process, vr_remaining(deadline))) < 0)
            return result;
    return result < 0 ? result : vr_subprocess_wait(process, vr_remaining(deadline));
}

void vr_communication_done(vr_communication *talk)
{
    free(talk->out.data);
    free(talk->err.data);
    talk->out = talk->err = (vr_output){0};
}

int vr_subprocess_run(const char *const argv[], const vr_subprocess_options *options, vr_communication *talk,
                      vr_time timeout)
{
    vr_communication silence = {0};
    vr_subprocess *process;
    int result = vr_subprocess_spawn(argv, options, &process);

    if (result)
        return result;
    result = vr_subprocess_communicate(process, talk ? talk : &silence, timeout);
    if (result < 0)
        vr_subprocess_kill(process, SIGKILL);
    vr_subprocess_free(process);
    vr_communication_done(&silence);
    return result;
}
