/* Takes the connections of a listening socket, as many as its worker may hold. */
#ifndef VIREOD_ACCEPTOR_H
#define VIREOD_ACCEPTOR_H

#include "worker.h"

struct acceptor;

/* Starts; the socket stays the caller's. NULL when memory ran out. */
struct acceptor *acceptor_start(struct worker *worker, int fd);

/* Waits until it takes no more, and frees it; to be called before the socket is closed. NULL is allowed. */
void acceptor_free(struct acceptor *acceptor);

#endif
