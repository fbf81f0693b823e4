/*
 * Cooperative I/O: calls that park the greenlet where the system's would block the thread.
 *
 * Sockets, pipes, and whatever else poll(2) tells of. Descriptors must be non-blocking, as all are that come from here;
 * vr_set_nonblocking makes others so. Files on disks are always ready: what blocks there is for <vireo/file.h>.
 *
 * One greenlet may wait to read and one to write on a descriptor: a second one gets -EBUSY. Every call returns a
 * negative error: the system call's -errno, -ETIMEDOUT after `timeout`, -EBADF when another greenlet closes the
 * descriptor, -EPERM in the hub, -ENOMEM, or what was thrown into the caller. No call returns -EINTR.
 *
 * Data and connections move as soon as they can: `timeout` and a kill that is on its way end only a wait. A call that
 * the system serves at once mostly returns without giving way: a loop that always finds something to read or room to
 * write keeps all other greenlets of its thread waiting, unless it calls vr_sleep(0) now and then. (vr_read, vr_readv
 * and vr_recvmmsg learn how a descriptor is read. Where the last call took all there was, the next one waits first;
 * what has come since then is there after one trip through the hub. With a timeout of 0 and in the hub they never do
 * that.)
 */
#ifndef VIREO_IO_H
#define VIREO_IO_H

#include <sys/socket.h>
#include <sys/types.h>
#include <vireo/time.h>

/* --- Descriptors --- */

/* socket(2) and socketpair(2) with SOCK_NONBLOCK and SOCK_CLOEXEC; pipe2(2) with O_NONBLOCK and O_CLOEXEC, ends[0] to
 * read from. The first returns the descriptor, the others 0. */
int vr_socket(int domain, int type, int protocol);
int vr_socketpair(int domain, int type, int protocol, int ends[2]);
int vr_pipe(int ends[2]);

/*
 * Sets O_NONBLOCK, for a descriptor that came from elsewhere. All that share its open file are concerned: another
 * process, for one that was inherited or received. Returns 0 or the error of fcntl(2).
 */
int vr_set_nonblocking(int fd);

/* shutdown(2). Whoever waits to read finds the end of the stream, or the error. Never switches. */
int vr_shutdown(int fd, int how);

/*
 * Wakes whoever waits on the descriptor with -EBADF, then closes it: they do not touch it any more, whoever gets its
 * number. Every descriptor that a greenlet has waited on must be closed by this call, not by close(2), or the loop
 * would watch a stranger's; in the thread whose greenlets have waited on it. Never switches. Returns 0 or the error of
 * close(2); the descriptor is closed in any case, unless it was not open (-EBADF).
 */
int vr_close(int fd);

/* --- Waiting --- */

/* Waits until a read (a write) would not block; gives way even when it would not now. 0 or an error. */
int vr_wait_readable(int fd, vr_time timeout);
int vr_wait_writable(int fd, vr_time timeout);

enum vr_io_events {
    VR_READABLE = 1,
    VR_WRITABLE = 2,
};

/* The same for both at once, for protocols in which either may come first: which of vr_io_events it is, or an error. */
int vr_wait_either(int fd, vr_time timeout);

/* --- Streams --- */

struct iovec;

/*
 * Up to `len` octets, or what fits the pieces; 0 at the end of the stream. Waits until there is something. For
 * messages, of which one read takes one, vr_recvfrom is the better call: it does not take a short one for a sign that
 * there is nothing more.
 */
ssize_t vr_read(int fd, void *out, size_t len, vr_time timeout);
ssize_t vr_readv(int fd, const struct iovec *pieces, int count, vr_time timeout);

/*
 * All of `len` octets, or of all pieces; after an error an unknown part of them has been written. Returns how many that
 * is. vr_send is for sockets: a peer that is gone is -EPIPE there, and never a SIGPIPE.
 */
ssize_t vr_write(int fd, const void *data, size_t len, vr_time timeout);
ssize_t vr_writev(int fd, const struct iovec *pieces, int count, vr_time timeout);
ssize_t vr_send(int fd, const void *data, size_t len, vr_time timeout);

/* --- Connections --- */

/*
 * accept4(2), the new descriptor non-blocking and close-on-exec. -ECONNABORTED and other errors of the network belong
 * to a connection that is gone already: the next call may succeed.
 */
int vr_accept(int fd, struct sockaddr *address, socklen_t *address_len, vr_time timeout);

/*
 * connect(2), to the end of the handshake. -EAGAIN, at once, when the backlog of a Unix socket's listener is full: no
 * event would tell when there is room again, so that the caller has to try again later. After any other error the
 * socket is only good for vr_close.
 */
int vr_connect(int fd, const struct sockaddr *address, socklen_t address_len, vr_time timeout);

/* --- Messages; sockets that block are served as well --- */

/*
 * sendto(2) and sendmsg(2), until all is sent: what is left of a write that a stream took a part of follows. `flags`
 * are the system's; a SIGPIPE never comes. `address` may be NULL. Returns how many octets were sent.
 */
ssize_t vr_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *address,
                  socklen_t address_len, vr_time timeout);
ssize_t vr_sendmsg(int fd, const struct msghdr *message, int flags, vr_time timeout);

/*
 * recvfrom(2) and recvmsg(2), once there is something. `address` and `address_len` may be NULL. Descriptors that come
 * with a message are close-on-exec; whether they block is up to the sender.
 */
ssize_t vr_recvfrom(int fd, void *out, size_t len, int flags, struct sockaddr *address, socklen_t *address_len,
                    vr_time timeout);
ssize_t vr_recvmsg(int fd, struct msghdr *message, int flags, vr_time timeout);

/* recvmmsg(2): at least one message, as many as are there, at most `count`. Returns how many. */
struct mmsghdr;
int vr_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout);

/*
 * sendmmsg(2) until all `count` are sent. Returns how many were: fewer only when one of them was refused, which is then
 * the first of the rest, or an error when that is the very first. Time that runs out, a kill, or whatever else ends the
 * wait for room is an error, also when some have been sent: how many is not told then.
 */
int vr_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, vr_time timeout);

#endif
