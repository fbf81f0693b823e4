/*
 * Cooperative I/O: calls that park the greenlet where the system's would block the thread.
 *
 * File descriptors must be non-blocking (vr_socket and vr_accept make them so). One greenlet may wait to read and one
 * to write on a descriptor: a second one gets -EBUSY. Every call returns a negative error: the system call's -errno,
 * -ETIMEDOUT after `timeout`, -EBADF when another greenlet closes the descriptor, -EPERM in the hub, or what was thrown
 * into the caller.
 *
 * A call that moves data or connections switches only when it has to wait. One that the system serves at once returns
 * without giving way, and takes notice of neither `timeout` nor a kill that is on its way: a loop that always finds
 * something to read or room to write keeps all other greenlets of its thread waiting, unless it calls vr_sleep(0) now
 * and then.
 */
#ifndef VIREO_IO_H
#define VIREO_IO_H

#include <sys/socket.h>
#include <sys/types.h>
#include <vireo/time.h>

/* socket(2) with SOCK_NONBLOCK and SOCK_CLOEXEC. */
int vr_socket(int domain, int type, int protocol);

/*
 * Wakes whoever waits on the descriptor with -EBADF, then closes it. Every descriptor that a greenlet has waited on
 * must be closed by this call, not by close(2), or the loop would watch a stranger's. Never switches. Returns 0 or the
 * error of close(2).
 */
int vr_close(int fd);

/* Waits until a read (a write) would not block; gives way even when it would not now. 0 or an error. */
int vr_wait_readable(int fd, vr_time timeout);
int vr_wait_writable(int fd, vr_time timeout);

/* Up to `len` octets; 0 at the end of the stream. */
ssize_t vr_read(int fd, void *out, size_t len, vr_time timeout);

/*
 * All of `len` octets; after an error an unknown part of them has been written. Returns len. vr_send is for sockets: a
 * peer that is gone is -EPIPE there, and never a SIGPIPE.
 */
ssize_t vr_write(int fd, const void *data, size_t len, vr_time timeout);
ssize_t vr_send(int fd, const void *data, size_t len, vr_time timeout);

/* accept4(2), the new descriptor non-blocking and close-on-exec. */
int vr_accept(int fd, struct sockaddr *address, socklen_t *address_len, vr_time timeout);

/*
 * connect(2), to the end of the handshake. -EAGAIN, at once, when the backlog of a Unix socket's listener is full: no
 * event would tell when there is room again, so that the caller has to try again later.
 */
int vr_connect(int fd, const struct sockaddr *address, socklen_t address_len, vr_time timeout);

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
