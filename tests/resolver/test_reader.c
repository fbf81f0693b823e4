/*
 * The reader: header, questions and records in order, and an error that stays.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <vireo/dns.h>

#include "resolver/octets.h"
#include "resolver/samples.h"

static void assert_name_is(const vr_name *name, const char *text)
{
    char found[VR_NAME_TEXT_SIZE];
    assert_true(vr_name_to_text(name, found, sizeof found) > 0);
    assert_string_equal(found, text);
}

/* RFC 1035 section 4.1.1. */
static void header_is_read(void **state)
{
    (void)state;
    octets message = octets_from_hex(SAMPLE_SECTIONS);
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, message.at, message.len);
    assert_non_null(header);
    assert_int_equal(header->id, 0xbeef);
    assert_int_equal(header->flags, VR_FLAG_QR | VR_FLAG_AA | VR_FLAG_RD | VR_FLAG_RA);
    assert_int_equal(header->count[0], 1);
    assert_int_equal(header->count[1], 2);
    assert_int_equal(header->count[2], 2);
    assert_int_equal(header->count[3], 2);
    free(message.at);
}

static void less_than_a_header_is_no_message(void **state)
{
    (void)state;
    for (size_t len = 0; len < VR_HEADER_SIZE; len++) {
        octets message = octets_from_hex(SAMPLE_ANSWER);
        octets cut = octets_copy(message.at, len);
        vr_reader reader;
        vr_question question;
        vr_rr rr;
        assert_null(vr_reader_init(&reader, cut.at, cut.len));
        assert_int_equal(reader.error, -EBADMSG);
        assert_false(vr_reader_question(&reader, &question));
        assert_false(vr_reader_rr(&reader, &rr));
        free(cut.at);
        free(message.at);
    }
}

static void message_is_read_in_order(void **state)
{
    (void)state;
    static const struct {
        enum vr_section section;
        const char *owner;
        uint16_t type, class_;
        uint32_t ttl;
        uint16_t rdata_len;
    } expected[] = {
        {VR_SECTION_ANSWER, "example.org.", VR_TYPE_MX, VR_CLASS_IN, 3600, 7},
        {VR_SECTION_ANSWER, "_sip.example.org.", VR_TYPE_SRV, VR_CLASS_IN, 1, 8},
        {VR_SECTION_AUTHORITY, "example.org.", VR_TYPE_SOA, VR_CLASS_IN, 0x80000000, 38},
        {VR_SECTION_AUTHORITY, "example.org.", VR_TYPE_NS, VR_CLASS_IN, 3600, 2},
        {VR_SECTION_ADDITIONAL, "mx.example.org.", VR_TYPE_AAAA, VR_CLASS_IN, 3600, 16},
        {VR_SECTION_ADDITIONAL, ".", VR_TYPE_OPT, 1232, 0x01008000, 11},
    };
    octets message = octets_from_hex(SAMPLE_SECTIONS);
    vr_reader reader;
    vr_reader_init(&reader, message.at, message.len);
    vr_question question;
    assert_true(vr_reader_question(&reader, &question));
    assert_name_is(&question.name, "example.org.");
    assert_int_equal(question.type, VR_TYPE_ANY);
    assert_int_equal(question.class_, VR_CLASS_IN);
    assert_false(vr_reader_question(&reader, &question));

    vr_rr rr;
    vr_name owner;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(vr_reader_rr(&reader, &rr));
        assert_int_equal(rr.section, expected[i].section);
        assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
        assert_name_is(&owner, expected[i].owner);
        assert_int_equal(rr.type, expected[i].type);
        assert_int_equal(rr.class_, expected[i].class_);
        assert_int_equal(rr.ttl, expected[i].ttl);
        assert_int_equal(rr.rdata_len, expected[i].rdata_len);
    }
    assert_ptr_equal(rr.rdata + rr.rdata_len, message.at + message.len);
    assert_false(vr_reader_rr(&reader, &rr));
    assert_int_equal(reader.error, 0);
    free(message.at);
}

static void records_are_read_past_questions_not_read(void **state)
{
    (void)state;
    octets message = octets_from_hex("0000 0000 0003 0001 0000 0000 "
                                     "01 61 00 0001 0001 c00c 0002 0001 01 62 c00c 0003 0001 "
                                     "c019 0001 0001 00000000 0000");
    for (int questions = 0; questions <= 3; questions++) {
        vr_reader reader;
        vr_reader_init(&reader, message.at, message.len);
        vr_question question;
        for (int i = 0; i < questions; i++) {
            assert_true(vr_reader_question(&reader, &question));
            assert_int_equal(question.type, i + 1);
        }
        vr_rr rr;
        vr_name owner;
        assert_true(vr_reader_rr(&reader, &rr));
        assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
        assert_name_is(&owner, "b.a.");
        assert_false(vr_reader_question(&reader, &question));
        assert_false(vr_reader_rr(&reader, &rr));
        assert_int_equal(reader.error, 0);
    }
    free(message.at);
}

/* Every record that is whole in a cut message is read, and then comes the error, to stay. */
static void cut_messages_end_in_an_error(void **state)
{
    (void)state;
    static const char *const samples[] = {SAMPLE_ANSWER, SAMPLE_SECTIONS};
    for (size_t i = 0; i < 2; i++) {
        octets message = octets_from_hex(samples[i]);
        for (size_t len = VR_HEADER_SIZE; len < message.len; len++) {
            octets cut = octets_copy(message.at, len);
            vr_reader reader;
            assert_non_null(vr_reader_init(&reader, cut.at, cut.len));
            vr_question question;
            vr_rr rr;
            if (len % 2 == 0)
                vr_reader_question(&reader, &question);
            while (vr_reader_rr(&reader, &rr)) {
                vr_name owner;
                assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
                assert_true(rr.rdata + rr.rdata_len <= cut.at + cut.len);
            }
            assert_int_equal(reader.error, -EBADMSG);
            size_t at = reader.at;
            assert_false(vr_reader_question(&reader, &question));
            assert_false(vr_reader_rr(&reader, &rr));
            assert_int_equal(reader.at, at);
            free(cut.at);
        }
        free(message.at);
    }
}

static void counts_without_records_are_an_error(void **state)
{
    (void)state;
    octets message = octets_from_hex("0000 0000 0000 0000 0000 ffff");
    vr_reader reader;
    vr_rr rr;
    vr_reader_init(&reader, message.at, message.len);
    assert_false(vr_reader_rr(&reader, &rr));
    assert_int_equal(reader.error, -EBADMSG);
    free(message.at);

    message = octets_from_hex("0000 0000 ffff 0000 0000 0000");
    vr_question question;
    vr_reader_init(&reader, message.at, message.len);
    assert_false(vr_reader_question(&reader, &question));
    assert_int_equal(reader.error, -EBADMSG);
    free(message.at);
}

/* The reader passes owners without following their pointers: vr_rr_owner tells of the broken ones. */
static void broken_owner_is_an_error_of_its_own(void **state)
{
    (void)state;
    octets message = octets_from_hex("0000 0000 0000 0001 0000 0000 ffff 0001 0001 00000000 0000");
    vr_reader reader;
    vr_rr rr;
    vr_reader_init(&reader, message.at, message.len);
    assert_false(vr_reader_rr(&reader, &rr)); /* a pointer forward is seen at once */
    free(message.at);

    message = octets_from_hex("0000 0000 0000 0002 0000 0000 "
                              "00 0001 0001 00000000 0001 3f "
                              "c017 0001 0001 00000000 0000");
    vr_name owner;
    vr_reader_init(&reader, message.at, message.len);
    assert_true(vr_reader_rr(&reader, &rr));
    assert_true(vr_reader_rr(&reader, &rr));
    assert_int_equal(vr_rr_owner(&reader, &rr, &owner), -EBADMSG);
    assert_int_equal(reader.error, 0);
    free(message.at);
}

/* RFC 2181 section 8: a TTL with its top bit set is 0. */
static void ttl_with_its_top_bit_set_is_0(void **state)
{
    (void)state;
    static const struct {
        uint32_t received, meant;
    } cases[] = {{0, 0}, {1, 1}, {0x7fffffff, 0x7fffffff}, {0x80000000, 0}, {0xffffffff, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vr_rr rr = {.ttl = cases[i].received};
        assert_int_equal(vr_rr_ttl(&rr), cases[i].meant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_read),
        cmocka_unit_test(less_than_a_header_is_no_message),
        cmocka_unit_test(message_is_read_in_order),
        cmocka_unit_test(records_are_read_past_questions_not_read),
        cmocka_unit_test(cut_messages_end_in_an_error),
        cmocka_unit_test(counts_without_records_are_an_error),
        cmocka_unit_test(broken_owner_is_an_error_of_its_own),
        cmocka_unit_test(ttl_with_its_top_bit_set_is_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
