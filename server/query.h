/* A client's message, read: what it asks, and what is wrong with it. */
#ifndef VIREOD_QUERY_H
#define VIREOD_QUERY_H

#include <vireo/dns.h>

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

struct query {
    uint16_t id;
    uint16_t flags; /* as received */
    bool has_question;
    vr_question question; /* its name in the client's own case of letters */
    vr_edns edns;         /* the client's OPT; its options are not kept */
    enum transport transport;
    uint16_t rcode; /* what is to be answered without looking anything up; 0: it is a question to be answered */
};

/*
 * Reads a message. False for what must not be answered at all: fewer octets than a header, or an answer (QR set:
 * answering those would let two servers answer each other for ever).
 */
bool query_read(struct query *out, const uint8_t *message, size_t len, enum transport over);

#endif
