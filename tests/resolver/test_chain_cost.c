/* What it costs to find the records of an answer that belong to its question, when the answer is made to cost much. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "chain.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static uint8_t message[VR_MESSAGE_MAX], rewritten[VR_MESSAGE_MAX];

static size_t put(size_t at, unsigned value, int octets)
{
    while (octets-- > 0)
        message[at++] = (uint8_t)(value >> 8 * octets);
    return at;
}

/* The fixed part of a record behind its owner. */
static size_t put_record(size_t at, unsigned type, size_t data)
{
    return put(put(put(put(at, type, 2), VR_CLASS_IN, 2), 1, 4), (unsigned)data, 2);
}

/*
 * Thousands of CNAMEs whose owner is the same name of 120 pointers, and at the end a chain of as many names as are
 * followed. vr_message_check takes it: it walks such a name once.
 */
static size_t write_hostile(void)
{
    enum { HOPS = 120, CHAIN = 16, TOWER = 1 + 4 * HOPS };
    size_t at = VR_HEADER_SIZE;
    unsigned records = 1;

    memset(message, 0, sizeof message);
    message[2] = VR_FLAG_QR >> 8;
    message[5] = 1;
    at = put(put(put(at, 0x0161, 2), 0, 1), VR_TYPE_A << 16 | VR_CLASS_IN, 4); /* "a." */
    at = put_record(put(at, 0xc00c, 2), 65280, TOWER);
    size_t target = at++;
    for (int i = 0; i < HOPS; i++) {
        size_t here = at;
        at = put(put(at, 0x0178, 2), 0xc000 | (unsigned)target, 2);
        target = here;
    }
    for (; at < sizeof message - 13 - 16 * CHAIN; records++)
        at = put_record(put(at, 0xc000 | (unsigned)target, 2), VR_TYPE_CNAME, 1) + 1;
    for (unsigned i = 0; i < CHAIN; i++, records++) {
        at = put_record(put(put(at, 0x0161 + i, 2), 0, 1), VR_TYPE_CNAME, 3);
        at = put(put(at, 0x0162 + i, 2), 0, 1);
    }
    put(6, records, 2);
    assert_int_equal(vr_message_check(message, at, NULL), 0);
    return at;
}

static int64_t processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What reading each owner once takes: a measure that is good on any machine, and under sanitizers and valgrind. */
static int64_t time_of_reading_owners(size_t len)
{
    vr_reader reader;
    vr_rr rr;
    vr_name owner;
    int64_t began = processor_time();

    vr_reader_init(&reader, message, len);
    while (vr_reader_rr(&reader, &rr))
        assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
    return processor_time() - began;
}

static void hostile_message_costs_no_more_than_reading_it_a_few_times(void **state)
{
    size_t len = write_hostile();
    int64_t measure = time_of_reading_owners(len) + 1, began = processor_time();

    assert_true(vr_chain_has_strays(message, len));
    assert_true(vr_chain_rewrite(message, len, rewritten, sizeof rewritten) != 0);
    assert_in_range((processor_time() - began) / measure, 0, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_message_costs_no_more_than_reading_it_a_few_times),
    };

    return cmocka_run_group_tests_name("chain cost", tests, NULL, NULL);
}
