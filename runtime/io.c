#include <vireo/io.h>

#include "container.h"
#include "hub.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- Waiting --- */

/* A wait in one direction; a greenlet may have two of them. */
struct io_wait {
    vr_poll_wait poll;
    vr_greenlet *greenlet;
    bool ready;
    int error;
};

/* May come a second time before the greenlet has run: the descriptor that was ready has been closed since. */
static void io_ready(vr_poll_wait *poll, int error)
{
    struct io_wait *wait = VR_CONTAINER(poll, struct io_wait, poll);

    wait->ready = true;
    wait->error = error;
    vr_hub_wake(wait->greenlet);
}

static const vr_wait_kind kind_of[2] = {
    [VR_DIRECTION_READ] = VR_WAIT_READABLE,
    [VR_DIRECTION_WRITE] = VR_WAIT_WRITABLE,
};

static int wait_for(int fd, vr_direction direction, vr_time timeout)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    struct io_wait wait = {.poll.ready = io_ready, .greenlet = hub->current};
    error = vr_poller_add(&hub->poller, fd, direction, &wait.poll);
    if (error)
        return error;
    error = vr_hub_park(hub, timeout, kind_of[direction], (const void *)(intptr_t)fd);
    vr_poller_remove(&hub->poller, fd, direction, &wait.poll);
    return error ? error : wait.error;
}

int vr_wait_readable(int fd, vr_time timeout)
{
    return wait_for(fd, VR_DIRECTION_READ, timeout);
}

int vr_wait_writable(int fd, vr_time timeout)
{
    return wait_for(fd, VR_DIRECTION_WRITE, timeout);
}

int vr_wait_either(int fd, vr_time timeout)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    struct io_wait reading = {.poll.ready = io_ready, .greenlet = hub->current}, writing = reading;
    error = vr_poller_add(&hub->poller, fd, VR_DIRECTION_READ, &reading.poll);
    if (error)
        return error;
    error = vr_poller_add(&hub->poller, fd, VR_DIRECTION_WRITE, &writing.poll);
    if (!error) {
        error = vr_hub_park(hub, timeout, VR_WAIT_READABLE, (const void *)(intptr_t)fd);
        vr_poller_remove(&hub->poller, fd, VR_DIRECTION_WRITE, &writing.poll);
    }
    vr_poller_remove(&hub->poller, fd, VR_DIRECTION_READ, &reading.poll);
    if (error || reading.error) /* a close tells both */
        return error ? error : reading.error;
    return (reading.ready ? VR_READABLE : 0) | (writing.ready ? VR_WRITABLE : 0);
}

/* Waits, for as long as the patience lasts. */
static int wait_patiently(int fd, vr_direction direction, vr_patience *patience)
{
    vr_time left = patience->timeout;

    if (!patience->waited) {
        patience->waited = true;
        patience->deadline = left == VR_FOREVER ? VR_FOREVER : vr_deadline(left);
    } else {
        left = vr_remaining(patience->deadline);
        /* Here, since a descriptor that is ready in the turn of its timeout is no timeout: one that is always said to
         * be ready, and never is, would go on for ever. */
        if (!left)
            return -ETIMEDOUT;
    }
    return wait_for(fd, direction, left);
}

/* --- Guessing whether there is anything to read --- */

/*
 * Most readers take all there is, and then have to wait. That shows in a read that left room in its buffer, and the
 * next one waits first. A read that filled its buffer tells nothing: what the one before it found is taken for a rule,
 * and tried again after GUESSES reads, lest a guess that is wrong stays. A wrong guess costs one poll, or one system
 * call.
 */
enum { GUESSES = 16 };

static vr_habit *habit_of(int fd)
{
    vr_hub *hub = vr_hub_peek();

    return hub ? vr_poller_habit(&hub->poller, fd) : NULL;
}

int vr_io_begin_read(int fd, vr_patience *patience)
{
    vr_hub *hub = vr_hub_peek();
    vr_habit *habit = habit_of(fd);

    /* Where it must not wait, it asks the system. */
    if (!habit || patience->timeout <= 0 || hub->current == hub->loop_greenlet)
        return 0;
    if (!habit->drained) {
        if (!habit->guesses)
            return 0;
        habit->guesses--;
    }
    return wait_patiently(fd, VR_DIRECTION_READ, patience);
}

void vr_io_end_read(int fd, bool drained)
{
    vr_habit *habit = habit_of(fd);

    if (habit)
        habit->drained = drained;
}

int vr_io_retry(int fd, vr_direction direction, vr_patience *patience)
{
    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN)
        return -errno;
    int error = wait_patiently(fd, direction, patience);
    vr_habit *habit = habit_of(fd);
    if (!error && habit && direction == VR_DIRECTION_READ)
        habit->guesses = GUESSES;
    return error;
}

/* --- Descriptors --- */

int vr_pipe(int ends[2])
{
    return pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

int vr_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    return flags & O_NONBLOCK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -errno;
}

int vr_close(int fd)
{
    vr_hub *hub = vr_hub_peek();

    if (hub)
        vr_poller_forget(&hub->poller, fd);
    /* Linux has closed it also when it says EINTR: a second try would hit a stranger. */
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

/* --- Streams --- */

ssize_t vr_read(int fd, void *out, size_t len, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    int error = vr_io_begin_read(fd, &patience);

    while (!error) {
        ssize_t n = read(fd, out, len);
        if (n >= 0) {
            vr_io_end_read(fd, n > 0 && (size_t)n < len);
            return n;
        }
        error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
    }
    return error;
}

static size_t iovec_len(const struct iovec *pieces, int count)
{
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    return len;
}

ssize_t vr_readv(int fd, const struct iovec *pieces, int count, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    int error = vr_io_begin_read(fd, &patience);

    while (!error) {
        ssize_t n = readv(fd, pieces, count);
        if (n >= 0) {
            vr_io_end_read(fd, n > 0 && (size_t)n < iovec_len(pieces, count));
            return n;
        }
        error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
    }
    return error;
}

ssize_t vr_write(int fd, const void *data, size_t len, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};

    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        int error = vr_io_retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (ssize_t)len;
}

size_t vr_iovec_skip(const struct iovec *pieces, size_t count, size_t done, size_t *offset)
{
    size_t i = 0;

    while (i < count && done >= pieces[i].iov_len)
        done -= pieces[i++].iov_len;
    *offset = done;
    return i;
}

ssize_t vr_writev(int fd, const struct iovec *pieces, int count, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    size_t all = (size_t)count, offset = 0;
    ssize_t done = 0;

    if (count < 0)
        return -EINVAL;
    for (size_t i = vr_iovec_skip(pieces, all, 0, &offset); i < all;) {
        const struct iovec *rest = pieces + i;
        /* A piece that is half done is finished alone, since the pieces are not ours to change. */
        ssize_t n = offset ? write(fd, (const char *)rest->iov_base + offset, rest->iov_len - offset)
                           : writev(fd, rest, all - i < IOV_MAX ? (int)(all - i) : IOV_MAX);
        if (n >= 0) {
            done += n;
            i += vr_iovec_skip(rest, all - i, offset + (size_t)n, &offset);
            continue;
        }
        int error = vr_io_retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return done;
}
