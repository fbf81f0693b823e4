/*
 * What the tests of lookups share: two servers, a resolver that asks them, and lookups in greenlets of their own.
 *
 * Assertions stand on the main greenlet only: cmocka leaves a failed one by longjmp.
 */
#ifndef VIREO_TESTS_LOOKUP_SUPPORT_H
#define VIREO_TESTS_LOOKUP_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_server.h"

#include <vireo/hub.h>
#include <vireo/io.h>

/* The signatures of tests and of behaviours are given; few use all of their parameters. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Longer than any test takes, on a loaded machine too: no lookup ends by it that has an answer to wait for, and none
 * sends its query again (after a seventh of it, the first time). */
#define PATIENCE VR_SECONDS(350)

static fake_server server_a, server_b; /* their marks are 1 and 2 */
static vr_resolver *resolver;

/* --- Lookups --- */

typedef struct job {
    vr_question question;
    unsigned flags;
    vr_time timeout; /* 0: the resolver's */
    int error;
    vr_answer *answer;
    vr_greenlet *greenlet;
} job;

static inline vr_question question_of(const char *name, uint16_t type)
{
    vr_question question = {.type = type, .class_ = VR_CLASS_IN};

    assert_int_equal(vr_name_from_text(&question.name, name, strlen(name)), 0);
    return question;
}

static inline vr_result looks_up(void *argument)
{
    job *this = argument;

    this->error = vr_resolver_query(resolver, &this->question, this->flags, this->timeout, &this->answer);
    return vr_ok(NULL);
}

/* A lookup that is to run. */
static inline void start(job *this, const char *name)
{
    *this = (job){.question = question_of(name, VR_TYPE_A), .error = 1};
    this->greenlet = vr_spawn(looks_up, this);
    assert_non_null(this->greenlet);
}

static inline void join(job *this)
{
    assert_int_equal(vr_join(this->greenlet, VR_FOREVER), 0);
}

static inline void forget(job *this)
{
    vr_unref(this->greenlet);
    free(this->answer);
    *this = (job){.error = 1};
}

/* A lookup by the main greenlet; what it brings is freed with the test. */
static job one;

static inline int look_up(const char *name)
{
    free(one.answer);
    one = (job){.question = question_of(name, VR_TYPE_A)};
    looks_up(&one);
    return one.error;
}

/* --- Answers --- */

static inline unsigned flags_of(const vr_answer *answer)
{
    return (unsigned)answer->message[2] << 8 | answer->message[3];
}

static inline unsigned rcode_of(const vr_answer *answer)
{
    return flags_of(answer) & VR_FLAG_RCODE;
}

/* The MARK of the server whose address the answer holds; 0 when it holds none. */
static inline uint8_t mark_of(const vr_answer *answer)
{
    vr_reader reader;
    vr_rr rr;

    vr_reader_init(&reader, answer->message, answer->len);
    return vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER && rr.rdata_len ? rr.rdata[rr.rdata_len - 1]
                                                                                         : 0;
}

/* The question that an answer has. */
static inline vr_question question_in(const vr_answer *answer)
{
    vr_reader reader;
    vr_question question = {.type = 0};

    vr_reader_init(&reader, answer->message, answer->len);
    vr_reader_question(&reader, &question);
    return question;
}

/* The lookup has brought a good answer of the server with this mark. */
static inline void assert_answered(const job *this, uint8_t mark)
{
    assert_int_equal(this->error, 0);
    assert_non_null(this->answer);
    assert_int_equal(rcode_of(this->answer), VR_RCODE_NOERROR);
    assert_int_equal(mark_of(this->answer), mark);
}

/* --- Set-up --- */

/* A resolver for the servers that have been started: only the first, or both. */
static inline void open_resolver(const vr_resolver_options *like)
{
    vr_server servers[] = {server_a.address, server_b.address};
    vr_resolver_options options = *like;

    options.servers = servers;
    options.server_count = server_b.behaviour ? 2 : 1;
    options.timeout = options.timeout ? options.timeout : PATIENCE;
    assert_int_equal(vr_resolver_new(&resolver, &options), 0);
}

static inline void ask_one(fake_behaviour *a)
{
    assert_int_equal(fake_start(&server_a, a, 1), 0);
    open_resolver(&(vr_resolver_options){.retries = -1});
}

static inline void ask_two(fake_behaviour *a, fake_behaviour *b)
{
    assert_int_equal(fake_start(&server_b, b, 2), 0);
    ask_one(a);
}

/* The same, by one transport alone. */
static inline void ask_one_by(enum vr_transport transport, fake_behaviour *a)
{
    assert_int_equal(fake_start(&server_a, a, 1), 0);
    server_a.address.transport = transport;
    open_resolver(&(vr_resolver_options){.retries = -1});
}

static inline void ask_two_by(enum vr_transport transport, fake_behaviour *a, fake_behaviour *b)
{
    assert_int_equal(fake_start(&server_b, b, 2), 0);
    server_b.address.transport = transport;
    ask_one_by(transport, a);
}

static inline int use_real_clock(void **state)
{
    return 0;
}

static inline int use_virtual_clock(void **state)
{
    return vr_hub_virtual_clock(0);
}

/* Fails when the test, or the resolver, has left a greenlet alive. */
static inline int close_all(void **state)
{
    vr_resolver_free(resolver);
    resolver = NULL;
    fake_stop(&server_a);
    fake_stop(&server_b);
    free(one.answer);
    one = (job){.error = 1};
    return vr_hub_free();
}

#define real_test(function) cmocka_unit_test_setup_teardown(function, use_real_clock, close_all)
#define virtual_test(function) cmocka_unit_test_setup_teardown(function, use_virtual_clock, close_all)

#endif
