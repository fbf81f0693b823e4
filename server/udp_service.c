#include "udp_service.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Datagrams of one system call. */
enum { BATCH = 64 };

/* A query is far smaller, even with options; what is larger is cut, and then malformed. */
enum { QUERY_SIZE = 2048 };

/* Answers that wait to be sent; more are lost, as datagrams may be. */
enum { REPLIES_MAX = 4096 };

/* What is still read at the end: more than a receive buffer holds, but a flood must not go on for ever. */
enum { LAST_BATCHES = 128 };

/* Who asked: its address, and, as control data, the address of ours that it asked. */
struct peer {
    struct sockaddr_storage address;
    socklen_t address_len;
    size_t control_len;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct reply {
    struct reply *next;
    struct peer to;
    size_t len;
    uint8_t message[];
};

/* Where a batch arrives. */
struct inbox {
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct peer from[BATCH];
    uint8_t messages[BATCH][QUERY_SIZE];
};

struct udp_service {
    struct worker *worker;
    int fd;
    bool stopping;
    vr_greenlet *reader; /* a reference */
    bool sending;        /* a greenlet sends, or will */
    struct reply *replies, **replies_end;
    size_t reply_count;
    struct inbox inbox;
};

/* --- Sending --- */

/* Sends up to BATCH replies from the front of the queue, and frees them. */
static void send_batch(struct udp_service *service)
{
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct reply *batch[BATCH];
    unsigned count = 0, sent = 0;

    for (struct reply *reply; count < BATCH && (reply = service->replies); count++) {
        service->replies = reply->next;
        batch[count] = reply;
        parts[count] = (struct iovec){reply->message, reply->len};
        headers[count] = (struct mmsghdr){.msg_hdr = {
                                              .msg_name = &reply->to.address,
                                              .msg_namelen = reply->to.address_len,
                                              .msg_iov = &parts[count],
                                              .msg_iovlen = 1,
                                              .msg_control = reply->to.control_len ? reply->to.control : NULL,
                                              .msg_controllen = reply->to.control_len,
                                          }};
    }
    if (!service->replies)
        service->replies_end = &service->replies;
    service->reply_count -= count;
    while (sent < count) {
        int n = vr_sendmmsg(service->fd, headers + sent, count - sent, VR_FOREVER);
        if (n == -ECANCELED || n == -EBADF)
            break;
        /* One that the system will not send is lost, as datagrams may be. */
        sent += n > 0 ? (unsigned)n : 1;
    }
    for (unsigned i = 0; i < count; i++)
        free(batch[i]);
}

static vr_result run_sender(void *argument)
{
    struct udp_service *service = argument;

    while (service->replies)
        send_batch(service);
    service->sending = false;
    worker_leave(service->worker);
    return vr_ok(NULL);
}

/* A copy: an answer that was cut may be small in much room. NULL when memory ran out, or there are enough replies. */
static struct reply *new_reply(const struct udp_service *service, const vr_answer *answer, const struct peer *to)
{
    if (!answer || service->reply_count >= REPLIES_MAX)
        return NULL;
    struct reply *reply = malloc(sizeof *reply + answer->len);
    if (!reply)
        return NULL;
    reply->next = NULL;
    reply->to = *to;
    reply->len = answer->len;
    memcpy(reply->message, answer->message, answer->len);
    return reply;
}

/* Queues an answer, and takes it. */
static void respond(struct udp_service *service, vr_answer *answer, const struct peer *to)
{
    struct reply *reply = new_reply(service, answer, to);

    free(answer);
    if (!reply)
        return;
    *service->replies_end = reply;
    service->replies_end = &reply->next;
    service->reply_count++;
    if (service->sending)
        return;
    vr_greenlet *sender = vr_spawn(run_sender, service);
    if (!sender)
        return; /* the next answer tries again */
    vr_set_name(sender, "sender");
    vr_unref(sender);
    service->sending = true;
    worker_enter(service->worker);
}

/* --- Queries --- */

struct pending {
    struct udp_service *service;
    struct peer from;
    struct query query;
};

static vr_result run_query(void *argument)
{
    struct pending *pending = argument;
    struct worker *worker = pending->service->worker;

    respond(pending->service, worker_answer(worker, &pending->query), &pending->from);
    free(pending);
    worker_leave_lookup(worker);
    return vr_ok(NULL);
}

static void look_up(struct udp_service *service, const struct query *query, const struct peer *from)
{
    /* Too busy: no answer. The client asks again, when there may be room. */
    struct pending *pending = worker_has_room(service->worker) ? malloc(sizeof *pending) : NULL;

    if (!pending)
        return;
    pending->service = service;
    pending->from = *from;
    pending->query = *query;
    vr_greenlet *greenlet = vr_spawn(run_query, pending);
    if (!greenlet) {
        free(pending);
        return;
    }
    vr_set_name(greenlet, "query");
    vr_unref(greenlet);
    worker_enter_lookup(service->worker);
}

static void take_message(struct udp_service *service, const uint8_t *message, size_t len, const struct peer *from)
{
    struct query query;

    if (!query_read(&query, message, len, TRANSPORT_UDP))
        return;
    if (worker_must_look_up(&query))
        look_up(service, &query, from);
    else
        respond(service, worker_answer(service->worker, &query), from);
}

/* --- Receiving --- */

/* What is to be sent back of the control data: our own address, but the system's choice of interface. */
static void keep_destination(struct peer *from, struct msghdr *header)
{
    from->control_len = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (void *)CMSG_DATA(item);
            info->ipi_ifindex = 0;
            info->ipi_spec_dst = info->ipi_addr;
        } else if (item->cmsg_level != IPPROTO_IPV6 || item->cmsg_type != IPV6_PKTINFO) {
            continue;
        }
        from->control_len = CMSG_ALIGN(item->cmsg_len);
        return;
    }
}

static void prepare(struct inbox *inbox)
{
    for (int i = 0; i < BATCH; i++) {
        inbox->parts[i] = (struct iovec){inbox->messages[i], QUERY_SIZE};
        inbox->headers[i] = (struct mmsghdr){.msg_hdr = {
                                                 .msg_name = &inbox->from[i].address,
                                                 .msg_namelen = sizeof inbox->from[i].address,
                                                 .msg_iov = &inbox->parts[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = inbox->from[i].control,
                                                 .msg_controllen = sizeof inbox->from[i].control,
                                             }};
    }
}

/* Reads one batch, and answers what is in it. Returns how many there were, or the error that ended the wait. */
static int receive(struct udp_service *service, vr_time timeout)
{
    struct inbox *inbox = &service->inbox;

    prepare(inbox);
    int count = vr_recvmmsg(service->fd, inbox->headers, BATCH, timeout);
    for (int i = 0; i < count; i++) {
        struct peer *from = &inbox->from[i];
        from->address_len = inbox->headers[i].msg_hdr.msg_namelen;
        keep_destination(from, &inbox->headers[i].msg_hdr);
        take_message(service, inbox->messages[i], inbox->headers[i].msg_len, from);
    }
    return count;
}

static vr_result run_reader(void *argument)
{
    struct udp_service *service = argument;
    int count = 0;

    /* Errors of the socket are about answers that could not be delivered: nothing to end for. */
    while (!service->stopping && count != -EBADF) {
        count = receive(service, VR_FOREVER);
        /* Other greenlets' turn, when a flood leaves this one nothing to wait for. */
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

/* --- The service's life --- */

struct udp_service *udp_service_start(struct worker *worker, int fd)
{
    struct udp_service *service = calloc(1, sizeof *service);

    if (!service)
        return NULL;
    service->worker = worker;
    service->fd = fd;
    service->replies_end = &service->replies;
    service->reader = vr_spawn(run_reader, service);
    if (!service->reader) {
        free(service);
        return NULL;
    }
    vr_set_name(service->reader, "receiver");
    return service;
}

void udp_service_stop(struct udp_service *service)
{
    if (!service || service->stopping)
        return;
    service->stopping = true;
    vr_kill(service->reader, -ECANCELED);
    vr_join(service->reader, VR_FOREVER);
    /* What arrived before the end was announced is still answered. */
    for (int i = 0; i < LAST_BATCHES && receive(service, 0) > 0; i++)
        vr_sleep(0);
}

void udp_service_free(struct udp_service *service)
{
    if (!service)
        return;
    vr_unref(service->reader);
    /* There are some when there was no memory for a sender. */
    while (service->replies) {
        struct reply *reply = service->replies;
        service->replies = reply->next;
        free(reply);
    }
    free(service);
}
