/*
 * Exchanges: one message sent to one server, for a lookup that waits for the answer.
 *
 * The protections against forged answers are here. A message leaves with a random id, from a random one of several
 * sockets with random ports (RFC 5452); an answer is taken only if it comes to that socket from that server's address
 * and port, with that id, QR set, the question asked, and if the whole of it is well formed. What does not match is
 * dropped, and the wait goes on (a forged or broken message must not end it). An attacker who does not see the query
 * has to guess its 16-bit id and which port it left from; letters' case (0x20) and cookies (RFC 7873) are not used.
 */
#ifndef VIREO_RESOLVER_EXCHANGE_H
#define VIREO_RESOLVER_EXCHANGE_H

#include "channel.h"
#include "policy.h"

#include <vireo/resolve.h>
#include <vireo/spawn.h>
#include <vireo/waiter.h>

/* The largest query: header, a name, type and class, an OPT record without options. */
enum { VR_QUERY_MAX = VR_HEADER_SIZE + VR_NAME_MAX + 4 + 11 };

/* UDP sockets of a resolver for one address family, opened when first drawn. */
enum { VR_UDP_SOCKETS = 8 };

/* Exchanges of a resolver under way, and those of one lookup; beyond, the oldest of the lookup is given up. */
enum { VR_EXCHANGES_MAX = 49152, VR_EXCHANGES_PER_LOOKUP = 8 };

struct vr_udp;
struct vr_tcp;

typedef struct vr_exchange {
    struct vr_lookup *lookup;
    struct vr_exchange *next; /* of the same lookup */
    size_t server;            /* its index */
    struct vr_udp *udp;       /* what it went by; one of the two is set */
    struct vr_tcp *tcp;
    struct vr_exchange *tcp_next, **tcp_previous; /* of the same connection */
    uint16_t id;
    bool plain;  /* without an OPT record: the server does not understand it */
    bool resent; /* on a new connection, after the one it was sent on had ended */
} vr_exchange;

typedef struct vr_lookup {
    vr_ticket ticket;
    struct vr_resolver *resolver;
    vr_waiter waiter;
    vr_exchange *exchanges;
    vr_course course;  /* which servers it asks */
    vr_answer *answer; /* the best so far, and what the lookup ends with */
    long error;        /* why the latest server gave none */
    bool settled;      /* the verdict is DONE */
    bool released;     /* c-ares has let go of it: nothing more is sent, but what was may still be answered */
    bool abandoned;    /* its caller has left: to be freed when c-ares lets go of it */
    vr_time started;
    size_t question_len;
    size_t query_len;
    uint8_t query[VR_QUERY_MAX]; /* id 0; the OPT record is its last 11 octets */
} vr_lookup;

/* A place in the line for a ticket, when all are taken. */
typedef struct vr_place {
    vr_waiter waiter;
    struct vr_place *next, **previous;
} vr_place;

struct vr_resolver {
    vr_channel *channel;
    vr_server *servers;
    size_t server_count;
    vr_policy policy;
    vr_time timeout;
    vr_exchange *by_id[65536];
    size_t exchanges;
    size_t lookups;
    vr_place *line, **line_end;
    size_t called;                         /* out of the line, and not yet gone on */
    vr_waiter *closing;                    /* told when the last of these has left; NULL in ordinary times */
    struct vr_udp *udp[2][VR_UDP_SOCKETS]; /* by family: IPv4, IPv6 */
    struct vr_tcp **tcp;                   /* by server; NULL without a connection */
    struct vr_inbox *inbox;                /* where datagrams arrive; udp.c */
    size_t background;                     /* greenlets that read and write for it */
    vr_system_config system;
};

/* --- exchange.c --- */

/* Sends a lookup's query to the next server of its course, by the transport that the server's URL says. */
void vr_exchange_start(vr_lookup *lookup);

/* Frees all exchanges of a lookup; answers that still come find nothing. */
void vr_exchange_end_all(vr_lookup *lookup);

/*
 * An octet string that arrived. `udp` or `tcp` says by what; over UDP, `from` by whom. Drops what is no answer to an
 * exchange of that way.
 */
void vr_exchange_arrived(vr_resolver *resolver, struct vr_udp *udp, struct vr_tcp *tcp, const struct sockaddr *from,
                         const uint8_t *message, size_t len);

/* The exchange could not be made: ends it, and has the lookup go on to another server, or end. */
void vr_exchange_failed(vr_exchange *exchange, long error);

/* The query as it is to be sent, into room for VR_QUERY_MAX octets. Returns its length. */
size_t vr_exchange_query(const vr_exchange *exchange, uint8_t *out);

/* Is this the address and port of the server? */
bool vr_server_is(const vr_server *server, const struct sockaddr *address);

/* --- udp.c --- */

/* Queues an exchange's query on a random socket. 0, or why there is none. */
int vr_udp_send(vr_exchange *exchange);

/* An exchange of this socket has ended; without any, nobody reads from it. */
void vr_udp_release(struct vr_udp *udp);

/* The end: stops the greenlets, and, when they have left, frees the sockets. */
void vr_udp_stop_all(vr_resolver *resolver);
void vr_udp_free_all(vr_resolver *resolver);

/* --- tcp.c --- */

/* Queues an exchange's query on the connection to its server, made when there is none. 0 or -ENOMEM. */
int vr_tcp_send(vr_exchange *exchange);

/* Takes an exchange off its connection. */
void vr_tcp_release(vr_exchange *exchange);

/* The end: stops the greenlets. A connection is freed by its own. */
void vr_tcp_stop_all(vr_resolver *resolver);

#endif
