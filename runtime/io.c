#include <vireo/io.h>

#include "container.h"
#include "hub.h"

#include <errno.h>
#include <unistd.h>

struct io_wait {
    vr_poll_wait poll;
    vr_waiter waiter;
    int error;
};

/* May come a second time before the greenlet has run: the descriptor that was ready has been closed since. */
static void io_ready(vr_poll_wait *poll, int error)
{
    struct io_wait *wait = VR_CONTAINER(poll, struct io_wait, poll);

    wait->error = error;
    vr_waiter_switch(&wait->waiter, NULL);
}

static int wait_for(int fd, vr_direction direction, vr_time timeout)
{
    vr_hub *hub = vr_hub_get();
    struct io_wait wait = {.poll.ready = io_ready};

    if (!hub)
        return -ENOMEM;
    if (hub->current == hub->loop_greenlet)
        return -EPERM;
    int error = vr_poller_add(&hub->poller, fd, direction, &wait.poll);
    if (error)
        return error;
    error = (int)vr_waiter_get(&wait.waiter, timeout).error;
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

/* The time that a call has: a timeout, and, once it has waited, the deadline that this means. The clock is not read
 * before. */
struct patience {
    vr_time timeout;
    vr_time deadline;
};

/* After a system call that failed with errno: 0 when it should be made again, as the descriptor is ready now; or the
 * error. */
static int retry(int fd, vr_direction direction, struct patience *patience)
{
    vr_time left = patience->timeout;

    if (errno == EINTR)
        return 0;
    if (errno != EAGAIN)
        return -errno;
    if (patience->deadline)
        left = vr_remaining(patience->deadline);
    else
        patience->deadline = vr_deadline(left);
    return wait_for(fd, direction, left);
}

int vr_socket(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}

int vr_close(int fd)
{
    vr_hub *hub = vr_hub_peek();

    if (hub)
        vr_poller_forget(&hub->poller, fd);
    return close(fd) < 0 ? -errno : 0;
}

ssize_t vr_read(int fd, void *out, size_t len, vr_time timeout)
{
    struct patience patience = {.timeout = timeout};
    ssize_t n;

    while ((n = read(fd, out, len)) < 0) {
        int error = retry(fd, VR_DIRECTION_READ, &patience);
        if (error)
            return error;
    }
    return n;
}

static ssize_t write_plain(int fd, const void *data, size_t len)
{
    return write(fd, data, len);
}

static ssize_t write_socket(int fd, const void *data, size_t len)
{
    return send(fd, data, len, MSG_NOSIGNAL);
}

static ssize_t write_all(ssize_t (*call)(int, const void *, size_t), int fd, const char *data, size_t len,
                         vr_time timeout)
{
    struct patience patience = {.timeout = timeout};

    for (size_t done = 0; done < len;) {
        ssize_t n = call(fd, data + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        int error = retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (ssize_t)len;
}

ssize_t vr_write(int fd, const void *data, size_t len, vr_time timeout)
{
    return write_all(write_plain, fd, data, len, timeout);
}

ssize_t vr_send(int fd, const void *data, size_t len, vr_time timeout)
{
    return write_all(write_socket, fd, data, len, timeout);
}

int vr_accept(int fd, struct sockaddr *address, socklen_t *address_len, vr_time timeout)
{
    struct patience patience = {.timeout = timeout};
    int accepted;

    while ((accepted = accept4(fd, address, address_len, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        int error = retry(fd, VR_DIRECTION_READ, &patience);
        if (error)
            return error;
    }
    return accepted;
}

int vr_connect(int fd, const struct sockaddr *address, socklen_t address_len, vr_time timeout)
{
    int result = 0;
    socklen_t len = sizeof result;

    if (connect(fd, address, address_len) == 0)
        return 0;
    /* A Unix socket whose listener's backlog is full says EAGAIN, and nothing would ever wake a wait: an error like
     * others. */
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno;
    int error = wait_for(fd, VR_DIRECTION_WRITE, timeout);
    if (error)
        return error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) < 0)
        return -errno;
    return -result;
}

int vr_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout)
{
    struct patience patience = {.timeout = timeout};
    int n;

    while ((n = recvmmsg(fd, messages, count, 0, NULL)) < 0) {
        int error = retry(fd, VR_DIRECTION_READ, &patience);
        if (error)
            return error;
    }
    return n;
}

int vr_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout)
{
    struct patience patience = {.timeout = timeout};
    unsigned done = 0;

    while (done < count) {
        int n = sendmmsg(fd, messages + done, count - done, 0);
        if (n > 0) {
            done += (unsigned)n;
            continue;
        }
        /* A message that is refused is the caller's to pass over; what ends the wait itself is an error at once. */
        if (errno != EAGAIN && errno != EINTR && done)
            return (int)done;
        int error = retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (int)done;
}
