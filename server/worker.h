/*
 * A worker: one thread with a hub, a resolver and listeners of its own. Workers share nothing.
 *
 * Every connection and every query that is looked up is a greenlet, and counts as active; draining is waiting for that
 * count to come to zero.
 */
#ifndef VIREOD_WORKER_H
#define VIREOD_WORKER_H

#include "listen.h"
#include "query.h"

#include <vireo/resolve.h>
#include <vireo/spawn.h>
#include <vireo/waiter.h>

struct session;
struct udp_service;

struct worker {
    struct listener *listeners; /* owned: closed by the worker */
    size_t listener_count;
    const vr_server *upstreams; /* none: those of the system */
    size_t upstream_count;
    int stop; /* an eventfd, readable when the worker is to end; the main thread closes it */
    size_t connections_max;

    /* The thread's own. */
    vr_resolver *resolver; /* NULL at the end: lookups fail then */
    size_t active, lookups, connections;
    size_t unsent; /* octets of answers that the clients of all connections have not taken */
    struct session *sessions;
    vr_waiter *drained; /* set while draining; told when nothing is active */
};

/* The thread's function; `ready` is called when it serves, with its upstreams, or with an error when it cannot. */
struct worker_start {
    struct worker worker;
    void (*ready)(void *context, int error, const vr_server *upstreams,
                  size_t upstream_count); /* the list: for the call */
    void *context;
};

void *worker_main(void *argument);

/* Counts what must end before the worker can. */
void worker_enter(struct worker *worker);
void worker_leave(struct worker *worker);

/* Waits until nothing is active, or time is over. By the worker's main greenlet, when it takes nothing new. */
void worker_wait(struct worker *worker, vr_time timeout);

/*
 * The response to a query that was read; looks it up where it has to, and switches then. Always a response, for
 * free(3), unless memory has run out (NULL).
 */
vr_answer *worker_answer(struct worker *worker, const struct query *query);

/* Does the response need a lookup, and so a greenlet? */
bool worker_must_look_up(const struct query *query);

/* May one more query be looked up now? Beyond the limit the resolver only adds to its clients' waiting. */
bool worker_has_room(const struct worker *worker);

/* Is half of the room taken? Then it is to be shared. */
bool worker_is_busy(const struct worker *worker);

/*
 * Takes a place in that room, and counts as active: from when the query's greenlet is spawned, not from when it runs,
 * or all of one turn would find the same room. The greenlet leaves at its end.
 */
void worker_enter_lookup(struct worker *worker);
void worker_leave_lookup(struct worker *worker);

#endif
