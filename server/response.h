/* The message that a client gets: made here from nothing, or of an upstream's answer. */
#ifndef VIREOD_RESPONSE_H
#define VIREOD_RESPONSE_H

#include "query.h"

#include <vireo/resolve.h>

/* An Extended DNS Error (RFC 8914): the code, and a short text. */
struct extended_error {
    uint16_t code;
    const char *text; /* NULL: no error to tell */
};

enum { EDE_NO_REACHABLE_AUTHORITY = 22, EDE_NETWORK_ERROR = 23 };

/* A response without records. NULL when memory ran out. For free(3), as are all. */
vr_answer *response_error(const struct query *query, uint16_t rcode, struct extended_error error);

/* Room for a response that is written record by record (its OPT is added by response_finish). NULL when memory ran out.
 */
vr_answer *response_new(size_t capacity);

/*
 * Makes an answer, of an upstream or of response_new, the response to a query: the client's id, flags and question; an
 * OPT of our own exactly if the client sent one (EDNS is hop by hop, RFC 6891 section 6.2.6); over UDP cut to what the
 * client takes. Records behind the upstream's OPT, additional data at best, are left out. An answer that the upstream
 * has cut is a failure to a client over TCP.
 */
void response_finish(vr_answer *answer, const struct query *query, struct extended_error error);

#endif
