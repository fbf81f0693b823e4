/*
 * What the JSON formats have in common: values at the end of a buffer. The punctuation and the keys are the formats'
 * own, as literals, so that a format reads as what it writes.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "buffer.h"
#include "record.h"

/*
 * A string: open it, add its text to the buffer, close it. Closing escapes what was added (RFC 8259 section 7); the
 * text must be UTF-8, as all of <dnstext.h> is.
 */
size_t json_open_string(struct buffer *out);
void json_close_string(struct buffer *out, size_t opened);

void json_string(struct buffer *out, const char *text);
void json_type(struct buffer *out, uint16_t type);
void json_class(struct buffer *out, uint16_t class_);
void json_server(struct buffer *out, const vr_server *server);

/* The status of an answer or a failure. */
void json_status(struct buffer *out, const struct record *record);

/* The flags of the header that are set, in its order: ["rd","ra"]. Without QR, which every answer has. */
void json_flags(struct buffer *out, const vr_answer *answer);

/* Text that stands in the buffer, without its quotes. */
struct json_span {
    size_t at, len;
};

/* {"name":..,"type":..,"class":"IN": what every record begins with; name and type as they were given where they are
 * none. Returns the name. */
struct json_span json_subject(struct buffer *out, const struct record *record);

/* A message that is being written. */
struct json_message {
    struct buffer *out;
    vr_reader reader;
    struct json_span name; /* the name asked for, which most records belong to */
};

/* A record's owner and data. */
void json_owner(struct json_message *message, const vr_rr *rr);
void json_data(struct json_message *message, const vr_rr *rr);

/*
 * "answers":[..],"authorities":[..],"additionals":[..] without the empty ones and without OPT, each record as `write`
 * writes it. `name` is what json_subject returned.
 */
typedef void json_rr_function(struct json_message *message, const vr_rr *rr);
void json_sections(struct buffer *out, const vr_answer *answer, struct json_span name, json_rr_function *write);

#endif
