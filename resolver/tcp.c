/*
 * Exchanges over TCP (RFC 7766): one connection for each server, many queries on it at once, answers in any order.
 *
 * A connection is made for its first query and stays for IDLE_TIMEOUT after its last answer. It has two greenlets: one
 * connects and reads, and frees it in the end; one writes, while there is something to write.
 */
#include "background.h"
#include "exchange.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7766 section 6.2.3: a client should not hold an idle connection for long. */
static const vr_time idle_timeout = VR_SECONDS(10);
static const vr_time connect_timeout = VR_SECONDS(3);

/* Octets read at a time; a longer message makes the buffer grow to its size. */
enum { READ_SIZE = 16384, PREFIX = 2 };

/* Thrown into the reader to have it look at its patience again. */
enum { WOKEN = -EINTR };

struct vr_tcp {
    vr_resolver *resolver;
    size_t server;
    int fd;
    long error;             /* of writing; 0 */
    bool connected, closed; /* closed: on its way out, no longer in the resolver's table */

    vr_exchange *exchanges; /* that wait for an answer here */
    vr_greenlet *reader, *writer;
    uint8_t *out, *sending; /* queued; and what is being written, as the queue may grow meanwhile */
    size_t out_len, out_size, sending_size;
};

/* --- Writing --- */

static vr_result run_writer(void *argument)
{
    struct vr_tcp *tcp = argument;
    ssize_t result = 0;

    while (tcp->out_len && !tcp->closed && result >= 0) {
        uint8_t *full = tcp->out;
        size_t len = tcp->out_len, size = tcp->out_size;
        tcp->out = tcp->sending;
        tcp->out_size = tcp->sending_size;
        tcp->out_len = 0;
        tcp->sending = full;
        tcp->sending_size = size;
        result = vr_send(tcp->fd, full, len, tcp->resolver->timeout);
    }
    /* A connection that cannot be written to is at its end: the reader cleans up. */
    if (result < 0) {
        tcp->error = result;
        vr_background_stop(tcp->reader);
    }
    vr_background_leave(tcp->resolver, &tcp->writer);
    return vr_ok(NULL);
}

static int queue_query(struct vr_tcp *tcp, const vr_exchange *exchange)
{
    if (tcp->out_size - tcp->out_len < PREFIX + VR_QUERY_MAX) {
        size_t size = tcp->out_size ? tcp->out_size * 2 : 4096;
        uint8_t *out = realloc(tcp->out, size);
        if (!out)
            return -ENOMEM;
        tcp->out = out;
        tcp->out_size = size;
    }
    uint8_t *at = tcp->out + tcp->out_len;
    size_t len = vr_exchange_query(exchange, at + PREFIX);
    at[0] = (uint8_t)(len >> 8);
    at[1] = (uint8_t)len;
    tcp->out_len += PREFIX + len;
    if (!tcp->connected || tcp->writer)
        return 0;
    return vr_background_enter(tcp->resolver, &tcp->writer, run_writer, tcp) ? 0 : -ENOMEM;
}

/* --- Reading --- */

typedef struct inbox {
    uint8_t *octets;
    size_t len, size;
} inbox;

/* Room for the message that is in part there, or for READ_SIZE octets. */
static bool make_room(inbox *in)
{
    size_t want = READ_SIZE;

    if (in->len >= PREFIX)
        want = PREFIX + ((size_t)in->octets[0] << 8 | in->octets[1]);
    if (want < READ_SIZE)
        want = READ_SIZE;
    if (in->size < want) {
        uint8_t *octets = realloc(in->octets, want);
        if (!octets)
            return false;
        in->octets = octets;
        in->size = want;
    }
    return true;
}

/* Hands on every whole message that is there. */
static void take_messages(struct vr_tcp *tcp, inbox *in)
{
    size_t at = 0;

    while (in->len - at >= PREFIX) {
        size_t len = (size_t)in->octets[at] << 8 | in->octets[at + 1];
        if (in->len - at - PREFIX < len)
            break;
        vr_exchange_arrived(tcp->resolver, NULL, tcp, NULL, in->octets + at + PREFIX, len);
        at += PREFIX + len;
    }
    memmove(in->octets, in->octets + at, in->len - at);
    in->len -= at;
}

/* Reads until the connection ends. Returns why: 0 when the server closed it, or when it was idle. */
static long read_answers(struct vr_tcp *tcp)
{
    inbox in = {0};
    long result = -ENOMEM;

    while (make_room(&in)) {
        /* Others run also while this one has always something to read. */
        result = vr_sleep(0);
        if (result && result != WOKEN)
            break;
        /* With queries under way long silence means that the server is gone: half of a lookup's time leaves the other.
         */
        vr_time patience = tcp->exchanges ? tcp->resolver->timeout / 2 : idle_timeout;
        result = vr_read(tcp->fd, in.octets + in.len, in.size - in.len, patience);
        if (result == WOKEN)
            continue;
        if (result <= 0)
            break;
        in.len += (size_t)result;
        take_messages(tcp, &in);
        result = -ENOMEM;
    }
    free(in.octets);
    if (tcp->error)
        return tcp->error;
    return result == -ETIMEDOUT && !tcp->exchanges ? 0 : result;
}

static long open_connection(struct vr_tcp *tcp)
{
    const vr_server *server = &tcp->resolver->servers[tcp->server];
    int on = 1;

    if (tcp->resolver->closing)
        return -ECANCELED;
    tcp->fd = vr_socket(server->address.any.sa_family, SOCK_STREAM, 0);
    if (tcp->fd < 0)
        return tcp->fd;
    setsockopt(tcp->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    long error = vr_connect(tcp->fd, &server->address.any, vr_server_address_len(server), connect_timeout);
    if (error)
        return error;
    tcp->connected = true;
    if (tcp->out_len && !vr_background_enter(tcp->resolver, &tcp->writer, run_writer, tcp))
        return -ENOMEM;
    return 0;
}

/*
 * What waits for an answer here gets none. A connection that was there may have been closed as idle just when the query
 * was on its way, or by a server that starts again: each query is sent once more, on a new one (RFC 7766
 * section 6.2.4). If that does not help, or there was no connection to begin with, its lookup goes on to the next
 * server.
 */
static void end_exchanges(struct vr_tcp *tcp, long error)
{
    while (tcp->exchanges) {
        vr_exchange *exchange = tcp->exchanges;
        bool again = tcp->connected && !exchange->resent && !tcp->resolver->closing;
        vr_tcp_release(exchange);
        exchange->tcp = NULL;
        exchange->resent = true;
        if (!again || vr_tcp_send(exchange) < 0)
            vr_exchange_failed(exchange, error ? error : -ECONNRESET);
    }
}

static vr_result run_connection(void *argument)
{
    struct vr_tcp *tcp = argument;
    vr_resolver *resolver = tcp->resolver;
    long error = open_connection(tcp);

    if (!error)
        error = read_answers(tcp);
    resolver->tcp[tcp->server] = NULL;
    tcp->closed = true;
    /* The writer, if it is in a write, is woken by this and leaves; it looks at nothing else of the connection. */
    if (tcp->fd >= 0)
        vr_close(tcp->fd);
    end_exchanges(tcp, error);
    while (tcp->writer)
        vr_sleep(0);
    free(tcp->out);
    free(tcp->sending);
    vr_background_leave(resolver, &tcp->reader);
    free(tcp);
    return vr_ok(NULL);
}

/* --- Exchanges --- */

static void attach(struct vr_tcp *tcp, vr_exchange *exchange)
{
    exchange->tcp = tcp;
    exchange->tcp_next = tcp->exchanges;
    exchange->tcp_previous = &tcp->exchanges;
    if (tcp->exchanges)
        tcp->exchanges->tcp_previous = &exchange->tcp_next;
    tcp->exchanges = exchange;
}

void vr_tcp_release(vr_exchange *exchange)
{
    *exchange->tcp_previous = exchange->tcp_next;
    if (exchange->tcp_next)
        exchange->tcp_next->tcp_previous = exchange->tcp_previous;
}

int vr_tcp_send(vr_exchange *exchange)
{
    vr_resolver *resolver = exchange->lookup->resolver;
    struct vr_tcp **place = &resolver->tcp[exchange->server];

    if (!*place) {
        struct vr_tcp *tcp = calloc(1, sizeof *tcp);
        if (!tcp)
            return -ENOMEM;
        *tcp = (struct vr_tcp){.resolver = resolver, .server = exchange->server, .fd = -1};
        if (!vr_background_enter(resolver, &tcp->reader, run_connection, tcp)) {
            free(tcp);
            return -ENOMEM;
        }
        *place = tcp;
    }
    struct vr_tcp *tcp = *place;
    int error = queue_query(tcp, exchange);
    if (error)
        return error;
    /* An idle connection's reader has all the time in the world; from now on it has not. */
    if (tcp->connected && !tcp->exchanges && vr_running(tcp->reader) && tcp->reader != vr_current())
        vr_kill(tcp->reader, WOKEN);
    attach(tcp, exchange);
    return 0;
}

void vr_tcp_stop_all(vr_resolver *resolver)
{
    for (size_t i = 0; i < resolver->server_count; i++)
        if (resolver->tcp[i])
            vr_background_stop(resolver->tcp[i]->reader);
}
