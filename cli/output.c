#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>

enum {
    ENOUGH_TO_WRITE = 128 * 1024, /* the writer is woken at once */
    BUFFER_FULL = 256 * 1024,     /* records wait; one that has begun may go beyond */
};

/* How long a record may wait for company. */
#define PATIENCE VR_MILLISECONDS(50)

/* --- Writing --- */

/*
 * Waits until a write of up to PIPE_BUF octets will not block (POSIX says so for pipes). The descriptor may be shared
 * with other processes, so it is not made non-blocking.
 */
static int wait_for_room(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    if (poll(&polled, 1, 0) == 1)
        return 0;
    return vr_wait_writable(fd, VR_FOREVER);
}

/* Writes what it can of the buffer, giving way where that would block. Returns 0 or a negative error. */
static int write_some(struct output *output)
{
    if (output->cooperative) {
        int error = wait_for_room(output->fd);
        if (error < 0)
            return error;
    }
    /* Looked at only now: while this waited the buffer may have grown, and moved. */
    const char *data = output->buffer.data + output->written;
    size_t len = output->buffer.len - output->written;
    ssize_t written = write(output->fd, data, output->cooperative && len > PIPE_BUF ? PIPE_BUF : len);
    if (written > 0)
        output->written += (size_t)written;
    else if (written == 0)
        return -EIO;
    else if (errno != EINTR && !(errno == EAGAIN && output->cooperative))
        return -errno;
    return 0;
}

/* Writes all that is in the buffer, also what is added meanwhile. */
static int drain(struct output *output)
{
    while (output->written < output->buffer.len) {
        int error = write_some(output);
        if (error < 0)
            return error;
    }
    output->buffer.len = output->written = 0;
    return 0;
}

/* Waits until there is enough in the buffer, or something for long enough. */
static int wait_for_records(struct output *output)
{
    int error = (int)vr_waiter_get(&output->some, VR_FOREVER).error;
    if (error < 0)
        return error;
    error = (int)vr_waiter_get(&output->much, PATIENCE).error;
    return error == -ETIMEDOUT ? 0 : error;
}

/* The writer: the only greenlet that writes, so that records leave in the order they came, each in one piece. */
static vr_result write_records(void *argument)
{
    struct output *output = argument;
    do {
        output->error = wait_for_records(output);
        if (output->error == 0)
            output->error = drain(output);
        if (!output->closing) {
            vr_waiter_clear(&output->some);
            vr_waiter_clear(&output->much);
        }
        waitlist_wake_all(&output->room);
    } while (output->error == 0 && !output->closing);
    if (output->error < 0)
        vr_waiter_throw(output->alarm, output->error);
    return vr_ok(NULL);
}

/* --- Taking records --- */

int output_record(struct output *output, const struct record *record)
{
    while (output->error == 0 && output->buffer.len >= BUFFER_FULL) {
        int error = waitlist_wait(&output->room);
        if (error < 0)
            return error;
    }
    if (output->error < 0)
        return output->error;
    output->format(&output->buffer, record);
    if (output->buffer.error < 0) {
        output->error = output->buffer.error;
        vr_waiter_throw(output->alarm, output->error);
        return output->error;
    }
    output->records++;
    if (!vr_waiter_ready(&output->some))
        vr_waiter_switch(&output->some, NULL);
    if (output->buffer.len >= ENOUGH_TO_WRITE && !vr_waiter_ready(&output->much))
        vr_waiter_switch(&output->much, NULL);
    return 0;
}

/* --- Opening and closing --- */

/* Learns what kind of file it is, and empties a regular one of our own, unless it is the input. */
static int prepare(struct output *output, int input_fd, bool ours)
{
    struct stat status, input_status;
    if (fstat(output->fd, &status) < 0)
        return -errno;
    bool regular = S_ISREG(status.st_mode);
    if (regular && input_fd >= 0 && fstat(input_fd, &input_status) == 0 && status.st_dev == input_status.st_dev &&
        status.st_ino == input_status.st_ino)
        return -EEXIST;
    output->cooperative = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(output->fd);
    output->syncable = regular && ours;
    return output->syncable && ftruncate(output->fd, 0) < 0 ? -errno : 0;
}

int output_open(struct output *output, const char *path, int input_fd, format_function *format, vr_waiter *alarm)
{
    *output = (struct output){.format = format, .some = VR_WAITER, .much = VR_WAITER, .alarm = alarm};
    output->fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : STDOUT_FILENO;
    if (output->fd < 0)
        return -errno;
    int error = prepare(output, input_fd, path != NULL);
    if (error == 0 && !buffer_room(&output->buffer, BUFFER_FULL))
        error = -ENOMEM;
    if (error == 0 && !(output->writer = vr_spawn(write_records, output)))
        error = -ENOMEM;
    if (error < 0) {
        buffer_done(&output->buffer);
        vr_close(output->fd);
    }
    return error;
}

int output_close(struct output *output)
{
    output->closing = true;
    vr_waiter_switch(&output->some, NULL);
    vr_waiter_switch(&output->much, NULL);
    vr_join(output->writer, VR_FOREVER);
    vr_unref(output->writer);
    buffer_done(&output->buffer);

    int error = output->error;
    if (error == 0 && output->syncable && fsync(output->fd) < 0)
        error = -errno;
    int close_error = vr_close(output->fd);
    return error < 0 ? error : close_error;
}
