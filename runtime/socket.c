#include <vireo/io.h>

#include "io.h"

#include <errno.h>
#include <sys/uio.h>

/* Every call says MSG_DONTWAIT: a socket that came from elsewhere may block. */
enum { SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL, RECEIVE_FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC };

/* --- Sockets and connections --- */

int vr_socket(int domain, int type, int protocol)
{
    int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}

int vr_socketpair(int domain, int type, int protocol, int ends[2])
{
    return socketpair(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, ends) < 0 ? -errno : 0;
}

int vr_shutdown(int fd, int how)
{
    return shutdown(fd, how) < 0 ? -errno : 0;
}

int vr_accept(int fd, struct sockaddr *address, socklen_t *address_len, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    int accepted;

    while ((accepted = accept4(fd, address, address_len, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        int error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
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
    int error = vr_wait_writable(fd, timeout);
    if (error)
        return error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) < 0)
        return -errno;
    return -result;
}

/* --- Streams and single messages --- */

ssize_t vr_sendmsg(int fd, const struct msghdr *message, int flags, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    size_t all = message->msg_iovlen, offset = 0, done = 0;
    bool sent = false;

    for (size_t i = 0; !sent || i < all;) {
        /* Address and control data go with the first part; the others are those of a stream. */
        struct iovec *rest = sent ? message->msg_iov + i : message->msg_iov;
        struct msghdr part = sent ? (struct msghdr){.msg_iov = rest, .msg_iovlen = all - i} : *message;
        ssize_t n = offset ? send(fd, (const char *)rest->iov_base + offset, rest->iov_len - offset, flags | SEND_FLAGS)
                           : sendmsg(fd, &part, flags | SEND_FLAGS);
        if (n >= 0) {
            sent = true;
            done += (size_t)n;
            i += vr_iovec_skip(rest, all - i, offset + (size_t)n, &offset);
            continue;
        }
        int error = vr_io_retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (ssize_t)done;
}

ssize_t vr_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *address,
                  socklen_t address_len, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    size_t done = 0;

    for (bool sent = false; !sent || done < len;) {
        ssize_t n = sendto(fd, (const char *)data + done, len - done, flags | SEND_FLAGS, address, address_len);
        if (n >= 0) {
            sent = true;
            done += (size_t)n;
            continue;
        }
        int error = vr_io_retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (ssize_t)done;
}

ssize_t vr_send(int fd, const void *data, size_t len, vr_time timeout)
{
    return len ? vr_sendto(fd, data, len, 0, NULL, 0, timeout) : 0;
}

ssize_t vr_recvmsg(int fd, struct msghdr *message, int flags, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    ssize_t n;

    while ((n = recvmsg(fd, message, flags | RECEIVE_FLAGS)) < 0) {
        int error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
        if (error)
            return error;
    }
    return n;
}

ssize_t vr_recvfrom(int fd, void *out, size_t len, int flags, struct sockaddr *address, socklen_t *address_len,
                    vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    ssize_t n;

    while ((n = recvfrom(fd, out, len, flags | RECEIVE_FLAGS, address, address_len)) < 0) {
        int error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
        if (error)
            return error;
    }
    return n;
}

/* --- Many messages --- */

int vr_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    int error = vr_io_begin_read(fd, &patience);

    while (!error) {
        int n = recvmmsg(fd, messages, count, RECEIVE_FLAGS, NULL);
        if (n >= 0) {
            vr_io_end_read(fd, (unsigned)n < count);
            return n;
        }
        error = vr_io_retry(fd, VR_DIRECTION_READ, &patience);
    }
    return error;
}

int vr_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout)
{
    vr_patience patience = {.timeout = timeout};
    unsigned done = 0;

    while (done < count) {
        int n = sendmmsg(fd, messages + done, count - done, SEND_FLAGS);
        if (n > 0) {
            done += (unsigned)n;
            continue;
        }
        /* A message that is refused is the caller's to pass over; what ends the wait itself is an error at once. */
        if (errno != EAGAIN && errno != EINTR && done)
            return (int)done;
        int error = vr_io_retry(fd, VR_DIRECTION_WRITE, &patience);
        if (error)
            return error;
    }
    return (int)done;
}
