/*
 * The schedule of a lookup, kept by c-ares: when a server is asked, how long to wait, when to go on to the next, when
 * to give up. The one file behind this, channel.c, knows c-ares.
 *
 * * c-ares sees neither the network nor the messages. Its sockets are virtual datagram sockets, its servers virtual
 * addresses, as many as there are real ones, and what it sends is a token: a query for a name that holds the ticket's
 * number. When it "sends" a token, the resolver sends the real message (send, below), to a server of its own choice;
 * when the resolver has seen what came of that, it says so (vr_channel_settle), and c-ares reads a reply to the token.
 * So the checks of an answer, its size and its transport are the resolver's own, whatever the version of c-ares, and
 * malformed input never reaches c-ares.
 */
#ifndef VIREO_RESOLVER_CHANNEL_H
#define VIREO_RESOLVER_CHANNEL_H

#include <vireo/server.h>
#include <vireo/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vr_channel vr_channel;

/* Tickets that a channel can hold at once. c-ares has 16 bits for what is in flight, and slows down when most are
 * taken. */
enum { VR_CHANNEL_TICKETS = 16384 };

/* What the channel knows of a lookup; embedded in it, from vr_channel_submit until `done`. The fields are private. */
typedef struct vr_ticket {
    vr_channel *channel;
    uint32_t number;
    int socket; /* the virtual socket of the latest send */
    uint16_t token_id;
} vr_ticket;

/* What came of a send. */
typedef enum vr_verdict {
    VR_VERDICT_DONE, /* the lookup has what it wants, or wants no more */
    VR_VERDICT_NEXT, /* this server is no help: go on to another */
} vr_verdict;

typedef struct vr_channel_events {
    /* Time to ask a server. Must not switch, submit or free; may settle. */
    void (*send)(void *context, vr_ticket *ticket);
    /* The schedule has ended; 0 after VR_VERDICT_DONE, otherwise -ETIMEDOUT or what else ended it. Same rules. */
    void (*done)(void *context, vr_ticket *ticket, long error);
} vr_channel_events;

typedef struct vr_channel_options {
    vr_time try_timeout; /* for the first round through the servers; each further one has twice as long */
    int tries;           /* rounds */
    size_t server_count;

    vr_channel_events events;
    void *context;
} vr_channel_options;

/* 0, or -ENOMEM. */
int vr_channel_new(vr_channel **out, const vr_channel_options *options);

/* Ends every ticket's schedule: `done` is called for each, with -ECANCELED. Not from an event. */
void vr_channel_cancel(vr_channel *channel);

/* Frees it, with the tickets that are still held as by vr_channel_cancel. NULL is allowed. */
void vr_channel_free(vr_channel *channel);

/* Begins a ticket's schedule; `send` is called from within. 0, -ENOMEM, or -EAGAIN when all tickets are taken. */
int vr_channel_submit(vr_channel *channel, vr_ticket *ticket);

/* Passes a verdict on the latest send of a ticket. c-ares acts on it from the hub, at the end of the turn. */
void vr_channel_settle(vr_channel *channel, vr_ticket *ticket, vr_verdict verdict);

/* What the system's configuration (resolv.conf) says. */
typedef struct vr_system_config {
    vr_server *servers;
    size_t server_count;
    char **domains; /* the search list */
    size_t domain_count;
    int ndots;
} vr_system_config;

/* 0 or -ENOMEM. Without any server configured there is one, 127.0.0.1, as resolv.conf(5) has it. */
int vr_system_config_read(vr_system_config *out);
void vr_system_config_done(vr_system_config *config);

#endif
