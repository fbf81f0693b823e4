#include "fake_server.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the test itself cannot go on. */
#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

enum { PREFIX = 2 };

/* --- Queries --- */

/* Keeps a query, and acts on it. */
static void arrived(fake_server *server, const fake_query *like, const uint8_t *message, size_t len)
{
    vr_reader reader;
    fake_query *query = malloc(sizeof *query);

    if (server->count == server->size) {
        server->size = server->size ? server->size * 2 : 64;
        server->queries = realloc(server->queries, server->size * sizeof *server->queries);
    }
    MUST(query && server->queries && len <= sizeof query->message);
    *query = *like;
    query->server = server;
    query->len = len;
    memcpy(query->message, message, len);
    const vr_header *header = vr_reader_init(&reader, query->message, len);
    MUST(header && vr_reader_question(&reader, &query->question));
    MUST(vr_message_check(query->message, len, &query->edns) == 0);
    query->id = header->id;
    query->flags = header->flags;

    server->queries[server->count++] = query;
    if (query->connection) {
        server->over_tcp++;
        query->connection->queries++;
    }
    server->behaviour(query);
    if (server->awaited && server->count >= server->awaited)
        vr_waiter_switch(&server->arrival, NULL);
}

void fake_await(fake_server *server, size_t count)
{
    if (server->count >= count)
        return;
    vr_waiter_clear(&server->arrival);
    server->awaited = count;
    vr_waiter_get(&server->arrival, VR_FOREVER);
    server->awaited = 0;
}

fake_query *fake_last(const fake_server *server)
{
    return server->queries[server->count - 1];
}

/* --- UDP --- */

static vr_result receives(void *argument)
{
    fake_server *server = argument;
    uint8_t message[FAKE_SIZE];

    /* All that has come, before it waits again: the socket's buffer would overflow behind one that reads less. */
    while (vr_wait_readable(server->udp, VR_FOREVER) == 0)
        for (ssize_t len = 0; len >= 0;) {
            fake_query like = {.from_len = sizeof like.from};
            len = recvfrom(server->udp, message, sizeof message, 0, &like.from.any, &like.from_len);
            if (len >= 0)
                arrived(server, &like, message, (size_t)len);
        }
    return vr_ok(NULL);
}

/* --- TCP --- */

static bool read_whole(int fd, uint8_t *out, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = vr_read(fd, out + have, len - have, VR_FOREVER);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

static void close_connection(fake_connection *connection)
{
    if (connection->fd >= 0)
        vr_close(connection->fd);
    connection->fd = -1;
}

static vr_result serves_connection(void *argument)
{
    fake_connection *connection = argument;
    const fake_query like = {.connection = connection};
    uint8_t message[FAKE_SIZE], prefix[PREFIX];

    while (connection->fd >= 0 && read_whole(connection->fd, prefix, PREFIX)) {
        size_t len = (size_t)prefix[0] << 8 | prefix[1];
        if (len > sizeof message || !read_whole(connection->fd, message, len))
            break;
        arrived(connection->server, &like, message, len);
    }
    close_connection(connection);
    return vr_ok(NULL);
}

static vr_result accepts(void *argument)
{
    fake_server *server = argument;
    int fd, on = 1;

    while ((fd = vr_accept(server->tcp, NULL, NULL, VR_FOREVER)) >= 0) {
        fake_connection *connection = malloc(sizeof *connection);
        MUST(connection);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        *connection = (fake_connection){.server = server, .fd = fd, .next = server->connections};
        server->connections = connection;
        server->connected++;
        connection->reader = vr_spawn(serves_connection, connection);
    }
    return vr_ok(NULL);
}

/* --- The server's life --- */

/* Both sockets on one port: the kernel's choice for UDP, which may be taken for TCP. */
static int open_sockets(fake_server *server)
{
    struct sockaddr *address = &server->address.address.any;
    int family = address->sa_family, error = 0;

    for (int attempt = 0; attempt < 100; attempt++) {
        socklen_t len = vr_server_address_len(&server->address);
        server->address.address.v4.sin_port = 0;
        server->udp = vr_socket(family, SOCK_DGRAM, 0);
        server->tcp = vr_socket(family, SOCK_STREAM, 0);
        error = server->udp < 0 || server->tcp < 0 ? -EMFILE : 0;
        if (!error && bind(server->udp, address, len) == 0 && getsockname(server->udp, address, &len) == 0 &&
            bind(server->tcp, address, len) == 0 && listen(server->tcp, 128) == 0)
            return 0;
        error = error ? error : -errno;
        vr_close(server->udp);
        vr_close(server->tcp);
    }
    return error;
}

int fake_start_at(fake_server *server, const char *ip, fake_behaviour *behaviour, uint8_t mark)
{
    int buffer = 4 << 20;

    *server = (fake_server){.behaviour = behaviour, .mark = mark};
    int error = vr_server_from_text(&server->address, ip);
    if (!error)
        error = open_sockets(server);
    if (error) {
        server->behaviour = NULL;
        return error;
    }
    setsockopt(server->udp, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    server->receiver = vr_spawn(receives, server);
    server->acceptor = vr_spawn(accepts, server);
    vr_sleep(0);
    return 0;
}

int fake_start(fake_server *server, fake_behaviour *behaviour, uint8_t mark)
{
    return fake_start_at(server, "127.0.0.1", behaviour, mark);
}

static void end(vr_greenlet *greenlet)
{
    vr_kill(greenlet, -ECANCELED);
    vr_join(greenlet, VR_FOREVER);
    vr_unref(greenlet);
}

void fake_stop(fake_server *server)
{
    if (!server->behaviour)
        return;
    end(server->receiver);
    end(server->acceptor);
    for (fake_connection *connection = server->connections, *next; connection; connection = next) {
        next = connection->next;
        end(connection->reader);
        close_connection(connection);
        free(connection);
    }
    vr_close(server->udp);
    vr_close(server->tcp);
    for (size_t i = 0; i < server->count; i++)
        free(server->queries[i]);
    free(server->queries);
    *server = (fake_server){.behaviour = NULL};
}

/* --- Answers --- */

static void begin_answer(vr_writer *writer, const fake_query *query, uint16_t flags, void *out, size_t size)
{
    vr_writer_init(writer, out, size, query->id,
                   (uint16_t)(VR_FLAG_QR | VR_FLAG_RA | (query->flags & VR_FLAG_RD) | flags));
    vr_writer_question(writer, &query->question);
}

static void write_opt(vr_writer *writer, const fake_query *query)
{
    if (query->edns.present)
        vr_writer_opt(writer, &(vr_edns){.udp_size = 1232, .dnssec_ok = query->edns.dnssec_ok});
}

size_t fake_answer(const fake_query *query, uint16_t flags, uint8_t out[FAKE_SIZE])
{
    vr_writer writer;
    uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = query->server->mark};
    const uint8_t v4[4] = {192, 0, 2, query->server->mark};
    size_t len = sizeof address;

    if (query->question.type == VR_TYPE_A) {
        len = sizeof v4;
        memcpy(address, v4, len);
    }
    begin_answer(&writer, query, flags, out, FAKE_SIZE);
    if (!(flags & (VR_FLAG_RCODE | VR_FLAG_TC)) &&
        (query->question.type == VR_TYPE_A || query->question.type == VR_TYPE_AAAA))
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, query->question.type, VR_CLASS_IN, 300, address,
                     len);
    write_opt(&writer, query);
    ssize_t result = vr_writer_finish(&writer);
    MUST(result > 0);
    return (size_t)result;
}

uint8_t *fake_long_answer(const fake_query *query, uint16_t flags, size_t len)
{
    enum { RECORD = 12, OPT = 11, TEXT = 200 }; /* a record behind a compressed name, its data aside */
    vr_writer writer;
    uint8_t text[RECORD + 2 * TEXT] = {0}; /* octets of 0: strings that are empty */
    uint8_t *out = malloc(len);

    MUST(out);
    begin_answer(&writer, query, flags, out, len);
    size_t left = len - writer.at - (query->edns.present ? OPT : 0);
    while (left) {
        size_t record = left < sizeof text ? left : TEXT;
        MUST(record > RECORD);
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, 16, VR_CLASS_IN, 300, text, record - RECORD);
        left -= record;
    }
    write_opt(&writer, query);
    MUST(vr_writer_finish(&writer) == (ssize_t)len);
    return out;
}

void fake_write(const fake_query *query, const void *octets, size_t len)
{
    if (query->connection->fd >= 0)
        vr_send(query->connection->fd, octets, len, VR_FOREVER);
}

void fake_send(const fake_query *query, const void *octets, size_t len)
{
    if (!query->connection) {
        sendto(query->server->udp, octets, len, 0, &query->from.any, query->from_len);
        return;
    }
    uint8_t *framed = malloc(PREFIX + len);
    MUST(framed);
    framed[0] = (uint8_t)(len >> 8);
    framed[1] = (uint8_t)len;
    memcpy(framed + PREFIX, octets, len);
    fake_write(query, framed, PREFIX + len);
    free(framed);
}

void fake_close(const fake_query *query)
{
    close_connection(query->connection);
}

void fake_reply(const fake_query *query, uint16_t flags)
{
    uint8_t answer[FAKE_SIZE];

    fake_send(query, answer, fake_answer(query, flags, answer));
}

void fake_answers(fake_query *query)
{
    fake_reply(query, 0);
}

void fake_is_silent(fake_query *query)
{
    (void)query;
}

void fake_fails(fake_query *query)
{
    fake_reply(query, VR_RCODE_SERVFAIL);
}

void fake_refuses(fake_query *query)
{
    fake_reply(query, VR_RCODE_REFUSED);
}

void fake_cuts(fake_query *query)
{
    fake_reply(query, query->connection ? 0 : VR_FLAG_TC);
}
