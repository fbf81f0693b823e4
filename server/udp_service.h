/*
 * Queries over UDP: one greenlet reads batches of datagrams; each query that is looked up has a greenlet; answers leave
 * in batches, at the end of the turn.
 */
#ifndef VIREOD_UDP_SERVICE_H
#define VIREOD_UDP_SERVICE_H

#include "worker.h"

struct udp_service;

/* Serves a bound socket. NULL when memory ran out. */
struct udp_service *udp_service_start(struct worker *worker, int fd);

/* Reads what has arrived already, and no more. A second time, and for NULL, it does nothing. */
void udp_service_stop(struct udp_service *service);

/* Frees one that was stopped, when nothing of the worker is active: queries of it would come back to it. NULL is
 * allowed. */
void udp_service_free(struct udp_service *service);

#endif
