/*
 * A TCP connection (RFC 7766): a greenlet that reads queries, one for each that is looked up, one that writes while
 * there is something to write. Answers leave as they come, in any order.
 *
 * What a client can make grow is limited: queries in flight, octets of answers that it does not read (it is not read
 * from meanwhile; and of all connections the one that leaves most unread is ended when it is too much for the worker),
 * the time for a whole query to arrive, and the time without any.
 */
#ifndef VIREOD_SESSION_H
#define VIREOD_SESSION_H

#include "worker.h"

/* Serves a connection, and closes it at its end; at once when memory ran out. */
void session_start(struct worker *worker, int fd);

/* Reads no more queries on any connection; they end when what was read is answered. */
void session_stop_all(struct worker *worker);

/* Gives up on every connection. They end, in turns to come, when their lookups have. */
void session_abort_all(struct worker *worker);

#endif
