/* Messages for the tests of vireod's parts: queries as clients send them, answers as upstreams do, and what is in them.
 */
#ifndef VIREO_TESTS_SERVER_DNS_SUPPORT_H
#define VIREO_TESTS_SERVER_DNS_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query.h"
#include "response.h"

/* The signatures of tests are given; few use their parameter. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static inline vr_name name_of(const char *text)
{
    vr_name name;

    assert_int_equal(vr_name_from_text(&name, text, strlen(text)), 0);
    return name;
}

/* --- Queries --- */

typedef struct sample_query {
    const char *name;
    uint16_t type, flags;
    const vr_edns *edns; /* NULL: none */
} sample_query;

enum { SAMPLE_ID = 0x1234 };

/* Writes a query. Returns its length. */
static inline size_t write_query(const sample_query *sample, uint8_t out[512])
{
    vr_writer writer;
    const vr_question question = {.name = name_of(sample->name), .type = sample->type, .class_ = VR_CLASS_IN};

    vr_writer_init(&writer, out, 512, SAMPLE_ID, sample->flags);
    vr_writer_question(&writer, &question);
    if (sample->edns)
        vr_writer_opt(&writer, sample->edns);
    ssize_t len = vr_writer_finish(&writer);
    assert_true(len > 0);
    return (size_t)len;
}

/* The query, read as one of a client's. */
static inline struct query query_of(const sample_query *sample, enum transport over)
{
    uint8_t message[512];
    struct query query;

    assert_true(query_read(&query, message, write_query(sample, message), over));
    return query;
}

/* --- Answers --- */

/* An answer with the message that a writer has written to `message`, ready for response_finish. */
static inline vr_answer *answer_of(vr_writer *writer)
{
    ssize_t len = vr_writer_finish(writer);

    assert_true(len > 0);
    vr_answer *answer = response_new((size_t)len);
    assert_non_null(answer);
    answer->len = (size_t)len;
    memcpy(answer->message, writer->message, (size_t)len);
    assert_int_equal(vr_message_check(answer->message, answer->len, &answer->edns), 0);
    return answer;
}

/* Begins an upstream's answer: id 0, the question as the client asked it. */
static inline void begin_answer(vr_writer *writer, void *room, size_t size, const struct query *query, uint16_t flags)
{
    vr_writer_init(writer, room, size, 0, (uint16_t)(VR_FLAG_QR | VR_FLAG_RA | flags));
    vr_writer_question(writer, &query->question);
}

/* --- What is in a response --- */

typedef struct response {
    vr_header header;
    vr_question question; /* type 0: none */
    vr_edns edns;
    char text[16384]; /* records as "SECTION OWNER TYPE DATA; ...", without the OPT */
} response;

static inline unsigned rcode_of(const response *read)
{
    return (unsigned)read->edns.rcode_high << 4 | (read->header.flags & VR_FLAG_RCODE);
}

/* Reads a response that must be well formed. */
static inline void read_response(response *out, const vr_answer *answer)
{
    vr_reader reader;
    vr_rr rr;
    size_t len = 0;

    *out = (response){.question.type = 0};
    assert_int_equal(vr_message_check(answer->message, answer->len, &out->edns), 0);
    out->header = *vr_reader_init(&reader, answer->message, answer->len);
    vr_reader_question(&reader, &out->question);
    while (vr_reader_rr(&reader, &rr)) {
        char owner[VR_NAME_TEXT_SIZE], data[1024], type[VR_MNEMONIC_SIZE];
        vr_name name;
        if (rr.type == VR_TYPE_OPT)
            continue;
        assert_int_equal(vr_rr_owner(&reader, &rr, &name), 0);
        assert_true(vr_name_to_text(&name, owner, sizeof owner) > 0);
        assert_true(vr_rdata_to_text(&reader, &rr, data, sizeof data) > 0);
        len += (size_t)snprintf(out->text + len, sizeof out->text - len, "%s%d %s %s %s", len ? "; " : "", rr.section,
                                owner, vr_type_text(rr.type, type), data);
        assert_true(len < sizeof out->text);
    }
}

#endif
