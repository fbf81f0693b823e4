/* A client's message: what is read of it, and what is wrong with it. */
#include "dns_support.h"

static const vr_edns plain_edns = {.udp_size = 1400};
static uint8_t message[512];
static struct query query;

static bool read_len(size_t len)
{
    /* On the heap, of the exact size: a read past the end is seen by AddressSanitizer and valgrind. */
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, message, len);
    bool result = query_read(&query, copy, len, TRANSPORT_UDP);
    free(copy);
    return result;
}

static size_t write_usual(void)
{
    return write_query(&(sample_query){"www.example.com", VR_TYPE_A, VR_FLAG_RD, NULL}, message);
}

static void assert_rcode(size_t len, uint16_t rcode)
{
    assert_true(read_len(len));
    assert_int_equal(query.rcode, rcode);
}

static void question_id_and_flags_are_read(void **state)
{
    size_t len = write_query(
        &(sample_query){"wWw.Example.com", VR_TYPE_AAAA, VR_FLAG_RD | VR_FLAG_CD | VR_FLAG_AD, NULL}, message);

    assert_rcode(len, 0);
    assert_int_equal(query.id, SAMPLE_ID);
    assert_int_equal(query.flags, VR_FLAG_RD | VR_FLAG_CD | VR_FLAG_AD);
    assert_true(query.has_question);
    assert_int_equal(query.question.type, VR_TYPE_AAAA);
    assert_int_equal(query.question.class_, VR_CLASS_IN);
    vr_name name = name_of("wWw.Example.com");
    assert_int_equal(query.question.name.len, name.len);
    assert_memory_equal(query.question.name.octets, name.octets, name.len); /* in its own case */
    assert_false(query.edns.present);
    assert_int_equal(query.transport, TRANSPORT_UDP);
}

static void id_0_is_an_id(void **state)
{
    size_t len = write_usual();

    message[0] = message[1] = 0;
    assert_rcode(len, 0);
    assert_int_equal(query.id, 0);
}

static void edns_is_read(void **state)
{
    const vr_edns edns = {
        .udp_size = 1400, .dnssec_ok = true, .options = (const uint8_t *)"\0\12\0\2ab", .options_len = 6};

    assert_rcode(write_query(&(sample_query){".", VR_TYPE_NS, 0, &edns}, message), 0);
    assert_true(query.edns.present && query.edns.dnssec_ok);
    assert_int_equal(query.edns.udp_size, 1400);
    assert_null(query.edns.options); /* the message does not stay */
    assert_int_equal(query.edns.options_len, 0);
}

/* --- Not to be answered --- */

static void fewer_octets_than_a_header_are_not_answered(void **state)
{
    write_usual();
    for (size_t len = 0; len < VR_HEADER_SIZE; len++)
        assert_false(read_len(len));
}

static void answer_is_not_answered(void **state)
{
    size_t len = write_usual();

    message[2] |= VR_FLAG_QR >> 8;
    assert_false(read_len(len));
    assert_false(read_len(VR_HEADER_SIZE));
}

/* --- FORMERR --- */

static void query_that_is_cut_anywhere_is_formerr(void **state)
{
    size_t len = write_query(&(sample_query){"www.example.com", VR_TYPE_A, 0, &plain_edns}, message);

    for (size_t cut = VR_HEADER_SIZE; cut < len; cut++) {
        assert_rcode(cut, VR_RCODE_FORMERR);
        assert_int_equal(query.id, SAMPLE_ID);
        assert_false(query.edns.present);
    }
    assert_rcode(len, 0);
}

static void octets_behind_the_end_are_formerr(void **state)
{
    size_t len = write_usual();

    message[len] = 0;
    assert_rcode(len + 1, VR_RCODE_FORMERR);
}

/* RFC 9619 */
static void no_question_and_two_questions_are_formerr(void **state)
{
    size_t len = write_usual(), question = len - VR_HEADER_SIZE;

    message[5] = 0;
    assert_rcode(VR_HEADER_SIZE, VR_RCODE_FORMERR);
    assert_false(query.has_question);
    message[5] = 2;
    memcpy(message + len, message + VR_HEADER_SIZE, question);
    assert_rcode(len + question, VR_RCODE_FORMERR);
}

static void compression_loop_is_formerr(void **state)
{
    size_t len = write_usual();

    message[VR_HEADER_SIZE] = 0xc0;
    message[VR_HEADER_SIZE + 1] = VR_HEADER_SIZE;
    assert_rcode(len, VR_RCODE_FORMERR);
    assert_false(query.has_question);
}

/* RFC 6891 section 6.1.1 */
static void two_opt_records_are_formerr(void **state)
{
    size_t len = write_query(&(sample_query){"www.example.com", VR_TYPE_A, 0, &plain_edns}, message);

    memcpy(message + len, message + len - 11, 11);
    message[11] = 2;
    assert_rcode(len + 11, VR_RCODE_FORMERR);
}

static void types_that_are_never_asked_for_are_formerr(void **state)
{
    static const uint16_t types[] = {0, VR_TYPE_OPT, VR_TYPE_TSIG, VR_TYPE_TKEY};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_rcode(write_query(&(sample_query){"www.example.com", types[i], 0, NULL}, message), VR_RCODE_FORMERR);
}

/* --- Other answers without a lookup --- */

static void zone_transfers_are_refused(void **state)
{
    assert_rcode(write_query(&(sample_query){"example.com", VR_TYPE_AXFR, 0, NULL}, message), VR_RCODE_REFUSED);
    assert_rcode(write_query(&(sample_query){"example.com", VR_TYPE_IXFR, 0, NULL}, message), VR_RCODE_REFUSED);
}

/* RFC 1035 section 4.1.1: whatever such a message holds. */
static void every_other_opcode_is_notimp(void **state)
{
    size_t len = write_usual();

    for (unsigned opcode = 1; opcode < 16; opcode++) {
        message[2] = (uint8_t)(opcode << 3);
        assert_rcode(len, VR_RCODE_NOTIMP);
        assert_rcode(len - 1, VR_RCODE_NOTIMP);
        assert_rcode(VR_HEADER_SIZE, VR_RCODE_NOTIMP);
    }
}

/* RFC 6891 section 6.1.3 */
static void every_other_version_of_edns_is_badvers(void **state)
{
    size_t len = write_query(&(sample_query){"www.example.com", VR_TYPE_A, 0, &plain_edns}, message);

    for (unsigned version = 1; version < 256; version++) {
        message[len - 11 + 6] = (uint8_t)version;
        assert_rcode(len, VR_RCODE_BADVERS);
        assert_true(query.edns.present);
    }
}

/* RFC 3597: types and classes that nobody knows are questions like others. */
static void unknown_types_and_classes_are_looked_up(void **state)
{
    size_t len = write_query(&(sample_query){"www.example.com", 65280, 0, NULL}, message);

    assert_rcode(len, 0);
    assert_int_equal(query.question.type, 65280);
    message[len - 2] = 0xfe;
    message[len - 1] = 0xdc;
    assert_rcode(len, 0);
    assert_int_equal(query.question.class_, 0xfedc);
    assert_rcode(write_query(&(sample_query){"www.example.com", VR_TYPE_ANY, 0, NULL}, message), 0);
}

static void any_octets_are_read_without_harm(void **state)
{
    uint32_t random = 2463534242;

    for (int round = 0; round < 20000; round++) {
        size_t len = write_query(&(sample_query){"www.example.com", VR_TYPE_A, 0, &plain_edns}, message);
        for (int change = 0; change < 3; change++) {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            message[random % len] = (uint8_t)(random >> 16);
        }
        if (read_len(len - random % 3) && !query.rcode)
            assert_true(query.has_question);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_id_and_flags_are_read),
        cmocka_unit_test(id_0_is_an_id),
        cmocka_unit_test(edns_is_read),
        cmocka_unit_test(fewer_octets_than_a_header_are_not_answered),
        cmocka_unit_test(answer_is_not_answered),
        cmocka_unit_test(query_that_is_cut_anywhere_is_formerr),
        cmocka_unit_test(octets_behind_the_end_are_formerr),
        cmocka_unit_test(no_question_and_two_questions_are_formerr),
        cmocka_unit_test(compression_loop_is_formerr),
        cmocka_unit_test(two_opt_records_are_formerr),
        cmocka_unit_test(types_that_are_never_asked_for_are_formerr),
        cmocka_unit_test(zone_transfers_are_refused),
        cmocka_unit_test(every_other_opcode_is_notimp),
        cmocka_unit_test(every_other_version_of_edns_is_badvers),
        cmocka_unit_test(unknown_types_and_classes_are_looked_up),
        cmocka_unit_test(any_octets_are_read_without_harm),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
