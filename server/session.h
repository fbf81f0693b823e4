/*
 * A TCP connection (RFC 7766): a greenlet that reads queries, one for each that is looked up, one that writes while
 * there is something to write. Answers leave as they come, in any order.
 *
 * What a client can make grow is limited: queries in flight, octets of answers that it does not read (it is not read
 * from meanwhile), the time for a whole query to arrive, and the time without any.
 */
#ifndef VIREOD_SESSION_H
#define VIREOD_SESSION_H

#include "worker.h"

/* A greenlet that accepts connections until it is killed; a reference for the caller. NULL when memory ran out. */
vr_greenlet *session_accept_start(struct worker *worker, int fd);

/* Reads no more queries on any connection; they end when what was read is answered. */
void session_stop_all(struct worker *worker);

/* Ends every connection now, and waits until they have. */
void session_abort_all(struct worker *worker);

#endif
