/*
 * A DNS server whose every answer, or silence, is a test's own: a function is called for each query that arrives.
 *
 * It runs as greenlets on the hub of the test, over UDP and TCP on one free port of the loopback. All queries are kept,
 * so that a test can look at them, and answer them, when it likes.
 */
#ifndef VIREO_TESTS_FAKE_SERVER_H
#define VIREO_TESTS_FAKE_SERVER_H

#include <vireo/resolve.h>
#include <vireo/spawn.h>
#include <vireo/waiter.h>

typedef struct fake_server fake_server;
typedef struct fake_query fake_query;

/* What is done with a query. It runs in a greenlet of the server's, and may do nothing. */
typedef void fake_behaviour(fake_query *query);

/* A TCP connection; stays until the server stops, its descriptor is -1 when it is closed. */
typedef struct fake_connection {
    fake_server *server;
    int fd;
    size_t queries; /* that came by it */
    vr_greenlet *reader;
    struct fake_connection *next;
} fake_connection;

struct fake_query {
    fake_server *server;
    fake_connection *connection; /* NULL: over UDP */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } from;
    socklen_t from_len;
    uint16_t id, flags;
    vr_question question;
    vr_edns edns;
    size_t len;
    uint8_t message[512];
};

struct fake_server {
    vr_server address; /* dns://, unless the test wants another */
    fake_behaviour *behaviour;
    uint8_t mark; /* the last octet of the address that its answers hold: 192.0.2.MARK */
    fake_query **queries;
    size_t count, over_tcp, connected; /* queries in all, those over TCP; connections there have been */

    /* private */
    int udp, tcp;
    vr_greenlet *receiver, *acceptor;
    fake_connection *connections;
    vr_waiter arrival;
    size_t awaited, size;
};

/* Starts on 127.0.0.1, or on another address of the machine's own. Returns 0, or what stands in the way. */
int fake_start(fake_server *server, fake_behaviour *behaviour, uint8_t mark);
int fake_start_at(fake_server *server, const char *ip, fake_behaviour *behaviour, uint8_t mark);

/* Stops it, and frees all queries. One that was never started is left alone. */
void fake_stop(fake_server *server);

/* Waits until so many queries have come, in all. By one greenlet at a time. */
void fake_await(fake_server *server, size_t count);

/* The server's last query. */
fake_query *fake_last(const fake_server *server);

/* Room for the messages that are made here. */
enum { FAKE_SIZE = 512 };

/*
 * An answer to a query: QR, RD as asked, RA, and `flags` (rcode and all), the question as it came, and the address
 * 192.0.2.MARK (2001:db8::MARK) with rcode 0 and a type to suit; an OPT record when the query has one. Returns its
 * length.
 */
size_t fake_answer(const fake_query *query, uint16_t flags, uint8_t out[FAKE_SIZE]);

/* The same, made exactly `len` octets long by TXT records. For free(3). */
uint8_t *fake_long_answer(const fake_query *query, uint16_t flags, size_t len);

/* Sends any octets to whoever asked, the way the query came; over TCP with the length in front. */
void fake_send(const fake_query *query, const void *octets, size_t len);

/* Sends octets into a query's TCP connection as they are. */
void fake_write(const fake_query *query, const void *octets, size_t len);

/* Closes a query's TCP connection. */
void fake_close(const fake_query *query);

/* fake_answer, sent. */
void fake_reply(const fake_query *query, uint16_t flags);

/* Behaviours that many tests want. */
void fake_answers(fake_query *query);
void fake_is_silent(fake_query *query);
void fake_fails(fake_query *query);   /* SERVFAIL */
void fake_refuses(fake_query *query); /* REFUSED */
void fake_cuts(fake_query *query);    /* over UDP TC and no record; over TCP the answer */

#endif
