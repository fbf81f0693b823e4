/*
 * DNS data as text at the end of a buffer. All of it is printable ASCII, but for names that are shown as they were
 * given: those are UTF-8.
 */
#ifndef CLI_DNSTEXT_H
#define CLI_DNSTEXT_H

#include "buffer.h"

#include <vireo/dns.h>
#include <vireo/server.h>

void buffer_name(struct buffer *buffer, const vr_name *name);
void buffer_type(struct buffer *buffer, uint16_t type);
void buffer_class(struct buffer *buffer, uint16_t class_);
void buffer_rcode(struct buffer *buffer, uint16_t rcode);
void buffer_rdata(struct buffer *buffer, const vr_reader *reader, const vr_rr *rr);

/* IP:PORT. */
void buffer_server(struct buffer *buffer, const vr_server *server);

/*
 * Text from the input that is no name or type: as given, but backslashes, control characters (C1 among them, which
 * terminals obey, too) and whatever is not UTF-8 as \DDD.
 */
void buffer_given(struct buffer *buffer, const char *text, size_t len);

#endif
