/* Sockets that take queries. */
#ifndef VIREOD_LISTEN_H
#define VIREOD_LISTEN_H

#include <vireo/server.h>

/* The sockets of one address for one worker; -1 where its transport has none. */
struct listener {
    int udp;
    int tcp;
};

/*
 * Binds `count` listeners to one address, one for each worker, with the same port; of port 0 the address gets the port
 * that was taken. Returns 0 or -errno; nothing is left open then.
 */
int listen_open(struct listener *out, int count, vr_server *address);

void listen_close(struct listener *listener);

/* Closes the TCP socket alone: answers still leave by the other. */
void listen_close_tcp(struct listener *listener);

#endif
