/*
 * An answer as the resolver gives it, built record by record.
 */
#ifndef TESTS_CLI_SAMPLE_H
#define TESTS_CLI_SAMPLE_H

#include "cmocka_all.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_SIZE = VR_MESSAGE_MAX };

struct sample {
    vr_question question;
    struct job job;
    struct record record;
    vr_answer *answer;
    vr_writer writer;
};

static inline vr_name sample_name(const char *text)
{
    vr_name name;
    assert_int_equal(vr_name_from_text(&name, text, strlen(text)), 0);
    return name;
}

/* Begins an answer of 192.0.2.53, port 5353, to a question. */
static inline void sample_begin(struct sample *sample, const char *name, uint16_t type, uint16_t flags)
{
    *sample = (struct sample){.question = {.name = sample_name(name), .type = type, .class_ = VR_CLASS_IN}};
    sample->job.type = type;
    sample->answer = calloc(1, sizeof *sample->answer + SAMPLE_SIZE);
    assert_non_null(sample->answer);
    assert_int_equal(vr_server_from_text(&sample->answer->server, "192.0.2.53:5353"), 0);
    sample->answer->duration = VR_MICROSECONDS(1234);
    vr_writer_init(&sample->writer, sample->answer->message, SAMPLE_SIZE, 0, VR_FLAG_QR | flags);
    vr_writer_question(&sample->writer, &sample->question);
}

static inline void sample_add(struct sample *sample, enum vr_section section, const char *owner, uint16_t type,
                              uint32_t ttl, const void *rdata, size_t rdata_len)
{
    vr_name name = sample_name(owner);
    vr_writer_rr(&sample->writer, section, &name, type, VR_CLASS_IN, ttl, rdata, rdata_len);
}

/* A record whose data is a name. */
static inline void sample_add_name(struct sample *sample, enum vr_section section, const char *owner, uint16_t type,
                                   uint32_t ttl, const char *target)
{
    vr_name name = sample_name(target);
    sample_add(sample, section, owner, type, ttl, name.octets, name.len);
}

static inline void sample_finish(struct sample *sample)
{
    ssize_t len = vr_writer_finish(&sample->writer);
    assert_true(len > 0);
    sample->answer->len = (size_t)len;
    assert_int_equal(vr_message_check(sample->answer->message, (size_t)len, &sample->answer->edns), 0);
    sample->record = (struct record){
        .job = &sample->job,
        .question = &sample->question,
        .answer = sample->answer,
        .when = INT64_C(1795518000123456789), /* 2026-11-24T11:00:00.123456789Z */
    };
}

/* A failure of a job as given: name and type are no name, or no type. */
static inline void sample_fail(struct sample *sample, const char *name, size_t len, const char *type,
                               const char *failure)
{
    *sample = (struct sample){.job = {.type = -1, .name_len = len, .type_text_len = strlen(type)}};
    memcpy(sample->job.name, name, len);
    strcpy(sample->job.type_text, type);
    sample->record = (struct record){.job = &sample->job, .failure = failure, .reason = "said \"no\"", .when = 0};
}

static inline void sample_done(struct sample *sample)
{
    free(sample->answer);
}

#endif
