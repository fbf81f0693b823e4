/* Exchanges over UDP: a few sockets with random ports, messages sent and received in batches. */
#include "background.h"
#include "exchange.h"
#include "random.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>

/* Messages of one system call. */
enum { BATCH = 64 };

/* Larger than what we say we take (1232): servers exist that do not care (RFC 6891 section 6.2.5 knows 4096). */
enum { DATAGRAM_MAX = 4096 };

typedef struct outgoing {
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    socklen_t to_len;
    uint16_t len;
    uint8_t message[VR_QUERY_MAX];
} outgoing;

typedef struct batch {
    outgoing *messages;
    size_t count, size;
} batch;

struct vr_udp {
    vr_resolver *resolver;
    int fd;
    size_t exchanges;    /* that wait for an answer here */
    vr_greenlet *reader; /* runs while there are any */
    vr_greenlet *sender; /* runs while there is something to send */
    batch queued, sending;
};

/* --- Sending, at the end of the turn --- */

static outgoing *push(batch *to)
{
    if (to->count == to->size) {
        size_t size = to->size ? to->size * 2 : 16;
        outgoing *messages = realloc(to->messages, size * sizeof *messages);
        if (!messages)
            return NULL;
        to->messages = messages;
        to->size = size;
    }
    return &to->messages[to->count++];
}

/* Tells the exchange of a message that could not leave. It may be gone by now. */
static void refused(struct vr_udp *udp, const uint8_t *message, const struct sockaddr *to, long error)
{
    vr_exchange *exchange = udp->resolver->by_id[message[0] << 8 | message[1]];

    if (exchange && exchange->udp == udp && vr_server_is(&udp->resolver->servers[exchange->server], to))
        vr_exchange_failed(exchange, error);
}

/* Sends `count` messages from the first; returns how many are done with, sent or refused, or the error that ends it
 * all. */
static int send_some(struct vr_udp *udp, outgoing *messages, unsigned count)
{
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];

    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){messages[i].message, messages[i].len};
        headers[i] = (struct mmsghdr){.msg_hdr = {
                                          .msg_name = &messages[i].to,
                                          .msg_namelen = messages[i].to_len,
                                          .msg_iov = &parts[i],
                                          .msg_iovlen = 1,
                                      }};
    }
    int sent = vr_sendmmsg(udp->fd, headers, count, VR_FOREVER);
    if (sent >= 0)
        return sent;
    if (sent == -ECANCELED || sent == -EDEADLK || sent == -EBADF)
        return sent;
    /* An error that an earlier message brought back (see read_errors) is told once, and not about this one. */
    sent = vr_sendmmsg(udp->fd, headers, 1, VR_FOREVER);
    if (sent >= 0)
        return sent;
    refused(udp, messages[0].message, (const void *)&messages[0].to, sent);
    return 1;
}

static vr_result run_sender(void *argument)
{
    struct vr_udp *udp = argument;
    int done = 0;

    while (udp->queued.count && done >= 0) {
        batch full = udp->queued;
        udp->queued = udp->sending;
        udp->sending = full;
        for (size_t at = 0; at < full.count && done >= 0; at += (size_t)(done > 0 ? done : 0)) {
            size_t count = full.count - at;
            done = send_some(udp, full.messages + at, (unsigned)(count < BATCH ? count : BATCH));
        }
        udp->sending.count = 0;
    }
    udp->queued.count = 0;
    vr_background_leave(udp->resolver, &udp->sender);
    return vr_ok(NULL);
}

/* --- Receiving --- */

/*
 * What the network said of messages that were sent: with IP_RECVERR, ICMP errors come with the message they are about.
 * A server that is down so costs no timeout.
 */
static void read_errors(struct vr_udp *udp)
{
    uint8_t message[VR_QUERY_MAX];
    struct sockaddr_storage to;
    char control[256];

    for (;;) {
        struct iovec part = {message, sizeof message};
        struct msghdr header = {
            .msg_name = &to,
            .msg_namelen = sizeof to,
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof control,
        };
        ssize_t len = recvmsg(udp->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (len < 0)
            return;
        for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
            bool about = (item->cmsg_level == SOL_IP && item->cmsg_type == IP_RECVERR) ||
                         (item->cmsg_level == SOL_IPV6 && item->cmsg_type == IPV6_RECVERR);
            if (about && len >= 2) {
                struct sock_extended_err error;
                memcpy(&error, CMSG_DATA(item), sizeof error);
                refused(udp, message, (const void *)&to, -(long)error.ee_errno);
            }
        }
    }
}

/* One batch for all sockets of a resolver: nothing in it is kept across a switch. */
struct vr_inbox {
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t messages[BATCH][DATAGRAM_MAX];
};

static int receive(struct vr_udp *udp, struct vr_inbox *inbox)
{
    /* Waits before it fills the batch in: the next reader's turn may come while this one waits. */
    int error = vr_wait_readable(udp->fd, VR_FOREVER);
    if (error)
        return error;
    for (int i = 0; i < BATCH; i++) {
        inbox->parts[i] = (struct iovec){inbox->messages[i], DATAGRAM_MAX};
        inbox->headers[i] = (struct mmsghdr){.msg_hdr = {
                                                 .msg_name = &inbox->from[i],
                                                 .msg_namelen = sizeof inbox->from[i],
                                                 .msg_iov = &inbox->parts[i],
                                                 .msg_iovlen = 1,
                                             }};
    }
    int count = recvmmsg(udp->fd, inbox->headers, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) {
        /* Also with nothing to read: a send may have taken the error's number away, and the queue still keeps us awake.
         */
        read_errors(udp);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        const struct mmsghdr *header = &inbox->headers[i];
        /* What did not fit was cut, here instead of by the server. */
        if (header->msg_hdr.msg_flags & MSG_TRUNC)
            inbox->messages[i][2] |= VR_FLAG_TC >> 8;
        vr_exchange_arrived(udp->resolver, udp, NULL, (const void *)&inbox->from[i], inbox->messages[i],
                            header->msg_len);
    }
    return count;
}

static vr_result run_reader(void *argument)
{
    struct vr_udp *udp = argument;
    int result = 0;

    /* A stop means that nobody waits here any more; by now somebody may again. */
    while (udp->exchanges && !udp->resolver->closing && (result >= 0 || result == -ECANCELED))
        result = receive(udp, udp->resolver->inbox);
    vr_background_leave(udp->resolver, &udp->reader);
    return vr_ok(NULL);
}

/* --- Sockets --- */

static struct vr_udp *open_udp(vr_resolver *resolver, int family)
{
    struct vr_udp *udp = calloc(1, sizeof *udp);
    int on = 1, buffer = 4 << 20;

    if (!resolver->inbox)
        resolver->inbox = malloc(sizeof *resolver->inbox);
    if (!udp || !resolver->inbox) {
        free(udp);
        return NULL;
    }
    /* Not bound: the kernel draws a random port with the first message. */
    *udp = (struct vr_udp){.resolver = resolver, .fd = vr_socket(family, SOCK_DGRAM, 0)};
    if (udp->fd < 0) {
        errno = -udp->fd;
        free(udp);
        return NULL;
    }
    setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (family == AF_INET)
        setsockopt(udp->fd, SOL_IP, IP_RECVERR, &on, sizeof on);
    else
        setsockopt(udp->fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof on);
    return udp;
}

int vr_udp_send(vr_exchange *exchange)
{
    vr_resolver *resolver = exchange->lookup->resolver;
    const vr_server *server = &resolver->servers[exchange->server];
    int family = server->address.any.sa_family;
    struct vr_udp **place = &resolver->udp[family == AF_INET6][vr_random16() % VR_UDP_SOCKETS];

    if (!*place && !(*place = open_udp(resolver, family)))
        return -errno;
    struct vr_udp *udp = *place;
    outgoing *out = push(&udp->queued);
    if (!out)
        return -ENOMEM;
    out->to_len = vr_server_address_len(server);
    memcpy(&out->to, &server->address, out->to_len);
    out->len = (uint16_t)vr_exchange_query(exchange, out->message);

    if (!udp->sender && !vr_background_enter(resolver, &udp->sender, run_sender, udp))
        return -ENOMEM;
    if (!udp->reader && !vr_background_enter(resolver, &udp->reader, run_reader, udp))
        return -ENOMEM;
    exchange->udp = udp;
    udp->exchanges++;
    return 0;
}

void vr_udp_release(struct vr_udp *udp)
{
    if (--udp->exchanges == 0)
        vr_background_stop(udp->reader);
}

void vr_udp_stop_all(vr_resolver *resolver)
{
    for (int i = 0; i < 2 * VR_UDP_SOCKETS; i++) {
        struct vr_udp *udp = resolver->udp[i / VR_UDP_SOCKETS][i % VR_UDP_SOCKETS];
        if (udp) {
            vr_background_stop(udp->reader);
            vr_background_stop(udp->sender);
        }
    }
}

void vr_udp_free_all(vr_resolver *resolver)
{
    for (int i = 0; i < 2 * VR_UDP_SOCKETS; i++) {
        struct vr_udp *udp = resolver->udp[i / VR_UDP_SOCKETS][i % VR_UDP_SOCKETS];
        if (!udp)
            continue;
        vr_close(udp->fd);
        free(udp->queued.messages);
        free(udp->sending.messages);
        free(udp);
    }
    free(resolver->inbox);
}
