/*
 * The writer: what it writes reads back the same, compressed or not, and what does not fit leaves no trace.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <vireo/dns.h>

#include "resolver/octets.h"

static vr_name from_text(const char *text)
{
    vr_name name;
    assert_int_equal(vr_name_from_text(&name, text, strlen(text)), 0);
    return name;
}

static void write_question(vr_writer *writer, const char *name, uint16_t type)
{
    vr_question question = {.name = from_text(name), .type = type, .class_ = VR_CLASS_IN};
    vr_writer_question(writer, &question);
}

/* A record in class IN, its data in hex. */
static void write_record(vr_writer *writer, enum vr_section section, const char *owner, uint16_t type, const char *data)
{
    vr_name name = from_text(owner);
    octets rdata = octets_from_hex(data);
    vr_writer_rr(writer, section, &name, type, VR_CLASS_IN, 300, rdata.at, rdata.len);
    free(rdata.at);
}

/* A record whose data is a name behind some octets. */
static void write_named(vr_writer *writer, enum vr_section section, const char *owner, uint16_t type,
                        const char *prefix, const char *target)
{
    vr_name name = from_text(owner), data = from_text(target);
    octets rdata = octets_from_hex(prefix);
    rdata.at = realloc(rdata.at, rdata.len + data.len);
    assert_non_null(rdata.at);
    memcpy(rdata.at + rdata.len, data.octets, data.len);
    vr_writer_rr(writer, section, &name, type, VR_CLASS_IN, 300, rdata.at, rdata.len + data.len);
    free(rdata.at);
}

static void assert_message_is(vr_writer *writer, const char *hex)
{
    octets expected = octets_from_hex(hex);
    assert_int_equal(vr_writer_finish(writer), expected.len);
    assert_memory_equal(writer->message, expected.at, expected.len);
    free(expected.at);
}

static void assert_name_is(const vr_name *name, const char *text)
{
    char found[VR_NAME_TEXT_SIZE];
    assert_true(vr_name_to_text(name, found, sizeof found) > 0);
    assert_string_equal(found, text);
}

/* The next record: its owner, and its data as text. */
static void assert_record_is(vr_reader *reader, const char *owner, const char *data)
{
    vr_rr rr;
    vr_name name;
    char text[2 * VR_NAME_TEXT_SIZE];
    assert_true(vr_reader_rr(reader, &rr));
    assert_int_equal(vr_rr_owner(reader, &rr, &name), 0);
    assert_name_is(&name, owner);
    assert_true(vr_rdata_to_text(reader, &rr, text, sizeof text) > 0);
    assert_string_equal(text, data);
}

/* --- What is written --- */

static void query_is_written_octet_by_octet(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0x1234, VR_FLAG_RD);
    write_question(&writer, "www.Example.com", VR_TYPE_AAAA);
    vr_edns edns = {.udp_size = 1232, .dnssec_ok = true, .rcode_high = 1, .options_len = 4};
    edns.options = (const uint8_t *)"\0\003\0\0";
    vr_writer_opt(&writer, &edns);
    assert_message_is(&writer, "1234 0100 0001 0000 0000 0001 03777777 07 4578616d706c65 03636f6d 00 001c 0001 "
                               "00 0029 04d0 01008000 0004 0003 0000");
}

static void sections_are_counted(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, VR_FLAG_QR);
    write_question(&writer, ".", VR_TYPE_NS);
    write_record(&writer, VR_SECTION_ANSWER, ".", VR_TYPE_A, "00000001");
    write_record(&writer, VR_SECTION_ANSWER, ".", VR_TYPE_A, "00000002");
    write_record(&writer, VR_SECTION_AUTHORITY, ".", VR_TYPE_A, "00000003");
    write_record(&writer, VR_SECTION_ADDITIONAL, ".", VR_TYPE_A, "00000004");
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, room, (size_t)vr_writer_finish(&writer));
    assert_int_equal(header->count[0], 1);
    assert_int_equal(header->count[1], 2);
    assert_int_equal(header->count[2], 1);
    assert_int_equal(header->count[3], 1);
    assert_int_equal(vr_message_check(room, writer.at, NULL), 0);
}

static void sections_out_of_order_are_an_error(void **state)
{
    (void)state;
    for (int bad = 0; bad < 3; bad++) {
        uint8_t room[512];
        vr_writer writer;
        vr_writer_init(&writer, room, sizeof room, 0, VR_FLAG_QR);
        write_record(&writer, VR_SECTION_AUTHORITY, "a", VR_TYPE_A, "00000001");
        size_t len = (size_t)vr_writer_finish(&writer);
        if (bad == 0)
            write_record(&writer, VR_SECTION_ANSWER, "a", VR_TYPE_A, "00000002");
        else if (bad == 1)
            write_question(&writer, "a", VR_TYPE_A);
        else
            write_record(&writer, VR_SECTION_ADDITIONAL, "a", VR_TYPE_A, "00000002");
        assert_int_equal(writer.error, bad < 2 ? -EINVAL : 0);
        assert_int_equal(vr_message_check(room, writer.at, NULL), 0);
        if (bad < 2)
            assert_int_equal(writer.at, len);
    }
}

/* --- Compression (RFC 1035 section 4.1.4) --- */

static void owners_point_to_names_before_them(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_question(&writer, "f.isi.arpa", VR_TYPE_A);
    write_record(&writer, VR_SECTION_ANSWER, "f.isi.arpa", VR_TYPE_A, "c0000201");
    write_record(&writer, VR_SECTION_ANSWER, "foo.f.isi.arpa", VR_TYPE_A, "c0000202");
    write_record(&writer, VR_SECTION_ANSWER, "arpa", VR_TYPE_A, "c0000203");
    write_record(&writer, VR_SECTION_ANSWER, "x.foo.f.isi.arpa", VR_TYPE_A, "c0000204");
    write_record(&writer, VR_SECTION_ANSWER, ".", VR_TYPE_A, "c0000205");
    assert_message_is(&writer, "0000 0000 0001 0005 0000 0000 01 66 03 697369 04 61727061 00 0001 0001 "
                               "c00c 0001 0001 0000012c 0004 c0000201 "
                               "03 666f6f c00c 0001 0001 0000012c 0004 c0000202 "
                               "c012 0001 0001 0000012c 0004 c0000203 "
                               "01 78 c02c 0001 0001 0000012c 0004 c0000204 "
                               "00 0001 0001 0000012c 0004 c0000205");
}

/* RFC 3597 section 4: names in the data of RFC 1035's types only. */
static void names_in_data_are_compressed_in_old_types_only(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_question(&writer, "example", VR_TYPE_ANY);
    write_named(&writer, VR_SECTION_ANSWER, "example", VR_TYPE_MX, "000a", "mail.example");
    write_named(&writer, VR_SECTION_ANSWER, "example", VR_TYPE_NS, "", "mail.example");
    write_named(&writer, VR_SECTION_ANSWER, "example", VR_TYPE_SRV, "0001 0002 0003", "mail.example");
    write_named(&writer, VR_SECTION_ANSWER, "example", VR_TYPE_DNAME, "", "example");
    assert_message_is(&writer, "0000 0000 0001 0004 0000 0000 07 6578616d706c65 00 00ff 0001 "
                               "c00c 000f 0001 0000012c 0009 000a 04 6d61696c c00c "
                               "c00c 0002 0001 0000012c 0002 c027 "
                               "c00c 0021 0001 0000012c 0014 0001 0002 0003 04 6d61696c 07 6578616d706c65 00 "
                               "c00c 0027 0001 0000012c 0009 07 6578616d706c65 00");
}

static void both_names_of_soa_are_compressed(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_record(&writer, VR_SECTION_AUTHORITY, "example", VR_TYPE_SOA,
                 "02 6e73 07 6578616d706c65 00 04 726f6f74 02 6e73 07 6578616d706c65 00 "
                 "0000000100000002000000030000000400000005");
    assert_message_is(&writer, "0000 0000 0000 0000 0001 0000 07 6578616d706c65 00 0006 0001 0000012c 0020 "
                               "02 6e73 c00c 04 726f6f74 c01f 0000000100000002000000030000000400000005");
}

/* A reader gets the case back that was written (RFC 4343 section 4.1): names of another case are spelled out. */
static void names_of_another_case_are_not_pointed_to(void **state)
{
    (void)state;
    uint8_t room[512];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_question(&writer, "www.Example.com", VR_TYPE_A);
    write_record(&writer, VR_SECTION_ANSWER, "www.example.com", VR_TYPE_A, "00000001");
    write_record(&writer, VR_SECTION_ANSWER, "WWW.Example.com", VR_TYPE_A, "00000002");
    vr_reader reader;
    vr_reader_init(&reader, room, (size_t)vr_writer_finish(&writer));
    assert_record_is(&reader, "www.example.com.", "0.0.0.1");
    assert_record_is(&reader, "WWW.Example.com.", "0.0.0.2");
    assert_int_equal(writer.at, 12 + 17 + 4 + (12 + 2) + 14 + (4 + 2) + 14);
}

/* Data of a type with names that holds none is the caller's own, and goes as it is. */
static void data_that_does_not_fit_its_type_is_written_as_it_is(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "0a", "000a", "000a 01", "000a 05 61 00", "000a 01 61 00 00", "000a c00c"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t room[512];
        vr_writer writer;
        vr_writer_init(&writer, room, sizeof room, 0, 0);
        write_record(&writer, VR_SECTION_ANSWER, ".", VR_TYPE_MX, cases[i]);
        char hex[200];
        octets data = octets_from_hex(cases[i]);
        snprintf(hex, sizeof hex, "0000 0000 0000 0001 0000 0000 00 000f 0001 0000012c 00%02zx %s", data.len, cases[i]);
        assert_message_is(&writer, hex);
        free(data.at);
    }
}

/* More names than the table has places, and names behind what a pointer can reach: spelled out, and right. */
static void names_that_are_not_remembered_are_spelled_out(void **state)
{
    (void)state;
    static uint8_t room[VR_MESSAGE_MAX];
    static const char filler[20000];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    char name[64], expected[64];
    vr_name owner;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "host%d.zone%d.example", i, i);
        owner = from_text(name);
        bool long_one = i == 10; /* the names that follow it begin above 0x4000 */
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &owner, VR_TYPE_A, VR_CLASS_IN, 0, filler,
                     long_one ? sizeof filler : 4);
    }
    for (int i = 0; i < 60; i++)
        write_named(&writer, VR_SECTION_AUTHORITY, "example", VR_TYPE_PTR, "", "host40.zone40.example");
    assert_int_equal(vr_message_check(room, (size_t)vr_writer_finish(&writer), NULL), 0);

    vr_reader reader;
    vr_reader_init(&reader, room, writer.at);
    for (int i = 0; i < 60; i++) {
        vr_rr rr;
        snprintf(expected, sizeof expected, "host%d.zone%d.example.", i, i);
        assert_true(vr_reader_rr(&reader, &rr));
        assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
        assert_name_is(&owner, expected);
    }
    for (int i = 0; i < 60; i++)
        assert_record_is(&reader, "example.", "host40.zone40.example.");
}

/*
 * Names of 127 labels, thousands of them, that share all labels but one with those before: compressed while it is cheap
 * to find out, and right in any case.
 */
static void many_names_of_many_labels_are_written(void **state)
{
    (void)state;
    enum { RECORDS = 4000 };
    static uint8_t room[VR_MESSAGE_MAX];
    vr_name owner = {.len = 255};
    for (size_t at = 0; at < 254; at += 2)
        memcpy(owner.octets + at, "\001a", 2);
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    int written = 0;
    for (; written < RECORDS && !writer.error; written++) {
        owner.octets[1] = (uint8_t)written;
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &owner, 65280, VR_CLASS_IN, 0, NULL, 0);
    }
    assert_int_equal(writer.error, -ENOSPC);
    assert_int_equal(vr_message_check(room, writer.at, NULL), 0);
    vr_reader reader;
    vr_reader_init(&reader, room, writer.at);
    for (int i = 0; i < written - 1; i++) {
        vr_rr rr;
        vr_name name;
        owner.octets[1] = (uint8_t)i;
        assert_true(vr_reader_rr(&reader, &rr));
        assert_int_equal(vr_rr_owner(&reader, &rr, &name), 0);
        assert_true(vr_name_equal(&name, &owner));
    }
}

static void random_names_read_back_as_written(void **state)
{
    (void)state;
    static const char *const labels[] = {
        "a", "b", "www", "Example", "example", "com", "x\\.y", "\\000", "a-label-of-24-letters-xyz"};
    enum { LABELS = sizeof labels / sizeof labels[0], RECORDS = 20 };
    uint32_t seed = 3;
    for (int round = 0; round < 500; round++) {
        uint8_t room[8192];
        vr_name owners[RECORDS];
        vr_writer writer;
        vr_writer_init(&writer, room, sizeof room, 0, 0);
        for (int i = 0; i < RECORDS; i++) {
            char text[512] = "";
            for (unsigned count = octets_random(&seed) % 7; count > 0; count--) {
                strcat(text, labels[octets_random(&seed) % LABELS]);
                strcat(text, ".");
            }
            owners[i] = from_text(text[0] != '\0' ? text : ".");
            vr_writer_rr(&writer, VR_SECTION_ANSWER, &owners[i], VR_TYPE_CNAME, VR_CLASS_IN, 0, owners[i / 2].octets,
                         owners[i / 2].len);
        }
        ssize_t len = vr_writer_finish(&writer);
        assert_true(len > 0);
        assert_int_equal(vr_message_check(room, (size_t)len, NULL), 0);
        vr_reader reader;
        vr_reader_init(&reader, room, (size_t)len);
        for (int i = 0; i < RECORDS; i++) {
            vr_rr rr;
            vr_name name;
            assert_true(vr_reader_rr(&reader, &rr));
            assert_int_equal(vr_rr_owner(&reader, &rr, &name), 0);
            assert_int_equal(name.len, owners[i].len);
            assert_memory_equal(name.octets, owners[i].octets, name.len);
            assert_true(vr_name_read(&name, room, (size_t)len, (size_t)(rr.rdata - room)) > 0);
            assert_int_equal(name.len, owners[i / 2].len);
            assert_memory_equal(name.octets, owners[i / 2].octets, name.len);
        }
    }
}

/* --- Room --- */

enum { STEPS = 6 };

/* Writes a message step by step, and notes where each step ended. */
static void write_steps(vr_writer *writer, uint8_t *room, size_t size, size_t ends[STEPS])
{
    static const uint8_t options[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    const vr_edns edns = {.udp_size = 1232, .options = options, .options_len = sizeof options};
    vr_writer_init(writer, room, size, 7, VR_FLAG_QR);
    for (int step = 0; step < STEPS; step++) {
        if (step == 0)
            write_question(writer, "www.example.com", VR_TYPE_A);
        else if (step == 1)
            write_named(writer, VR_SECTION_ANSWER, "www.example.com", VR_TYPE_CNAME, "", "web.example.com");
        else if (step == 2)
            write_record(writer, VR_SECTION_ANSWER, "web.example.com", VR_TYPE_A, "c0000201");
        else if (step == 3)
            write_record(writer, VR_SECTION_AUTHORITY, "example.com", VR_TYPE_SOA,
                         "02 6e73 00 04 726f6f74 00 0000000100000002000000030000000400000005");
        else if (step == 4)
            write_record(writer, VR_SECTION_ADDITIONAL, "ns", VR_TYPE_TXT, "03 616263 00");
        else
            vr_writer_opt(writer, &edns);
        ends[step] = writer->at;
    }
}

/* At every size: what fits is there, whole, and what does not has left no trace. */
static void what_does_not_fit_leaves_a_whole_message(void **state)
{
    (void)state;
    uint8_t full[512];
    size_t full_ends[STEPS], ends[STEPS];
    vr_writer writer;
    write_steps(&writer, full, sizeof full, full_ends);
    size_t full_len = (size_t)vr_writer_finish(&writer);
    for (size_t size = VR_HEADER_SIZE; size <= full_len; size++) {
        octets room = octets_copy(full, size);
        write_steps(&writer, room.at, size, ends);
        assert_int_equal(vr_writer_finish(&writer), size == full_len ? (ssize_t)full_len : -ENOSPC);
        int fitting = 0;
        while (fitting < STEPS && full_ends[fitting] <= size)
            fitting++;
        size_t expected = fitting > 0 ? full_ends[fitting - 1] : VR_HEADER_SIZE;
        assert_int_equal(writer.at, expected);
        assert_memory_equal(room.at + VR_HEADER_SIZE, full + VR_HEADER_SIZE, expected - VR_HEADER_SIZE);
        vr_edns edns;
        assert_int_equal(vr_message_check(room.at, expected, &edns), 0);
        assert_int_equal(edns.present, fitting == STEPS);
        free(room.at);
    }
}

static void room_without_a_header_takes_nothing(void **state)
{
    (void)state;
    for (size_t size = 0; size < VR_HEADER_SIZE; size++) {
        octets room = octets_copy("            ", size);
        size_t ends[STEPS];
        vr_writer writer;
        write_steps(&writer, room.at, size, ends);
        assert_int_equal(vr_writer_finish(&writer), -ENOSPC);
        assert_int_equal(writer.at, 0);
        free(room.at);
    }
    vr_writer writer;
    vr_writer_init(&writer, NULL, 0, 0, 0);
    write_question(&writer, "a", VR_TYPE_A);
    assert_int_equal(vr_writer_finish(&writer), -ENOSPC);
}

static void error_is_sticky(void **state)
{
    (void)state;
    uint8_t room[40];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_record(&writer, VR_SECTION_ANSWER, "a", VR_TYPE_TXT,
                 "1f 00000000000000000000000000000000000000000000000000000000000000");
    assert_int_equal(writer.error, -ENOSPC);
    write_record(&writer, VR_SECTION_ANSWER, "a", VR_TYPE_A, "00000000"); /* would fit */
    assert_int_equal(vr_writer_finish(&writer), -ENOSPC);
    assert_int_equal(writer.at, VR_HEADER_SIZE);
}

/* A name of a record that did not fit must not be pointed to. */
static void names_that_did_not_fit_are_forgotten(void **state)
{
    (void)state;
    uint8_t room[60];
    vr_writer writer;
    vr_writer_init(&writer, room, sizeof room, 0, 0);
    write_question(&writer, "a.b", VR_TYPE_A);
    assert_int_equal(writer.known_count, 1);
    write_named(&writer, VR_SECTION_ANSWER, "c", VR_TYPE_CNAME, "", "a-long-name.that.does.not.fit");
    assert_int_equal(writer.error, -ENOSPC);
    assert_int_equal(writer.known_count, 1);
}

/* RFC 1035 section 4.2.2: no message is longer than its length field can say. */
static void message_ends_at_65535_octets(void **state)
{
    (void)state;
    enum { SIZE = 70000, DATA = VR_MESSAGE_MAX - VR_HEADER_SIZE - 11 };
    uint8_t *room = malloc(SIZE);
    static const uint8_t data[SIZE];
    const vr_name root = {.len = 1};
    assert_non_null(room);
    vr_writer writer;
    vr_writer_init(&writer, room, SIZE, 0, 0);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &root, 65280, VR_CLASS_IN, 0, data, DATA);
    assert_int_equal(vr_writer_finish(&writer), VR_MESSAGE_MAX);
    assert_int_equal(vr_message_check(room, VR_MESSAGE_MAX, NULL), 0);

    static const size_t too_much[] = {DATA + 1, VR_MESSAGE_MAX, VR_MESSAGE_MAX + 1, SIZE};
    for (size_t i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
        vr_writer_init(&writer, room, SIZE, 0, 0);
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &root, 65280, VR_CLASS_IN, 0, data, too_much[i]);
        assert_int_equal(vr_writer_finish(&writer), -ENOSPC);
        assert_int_equal(writer.at, VR_HEADER_SIZE);
    }
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_is_written_octet_by_octet),
        cmocka_unit_test(sections_are_counted),
        cmocka_unit_test(sections_out_of_order_are_an_error),
        cmocka_unit_test(owners_point_to_names_before_them),
        cmocka_unit_test(names_in_data_are_compressed_in_old_types_only),
        cmocka_unit_test(both_names_of_soa_are_compressed),
        cmocka_unit_test(names_of_another_case_are_not_pointed_to),
        cmocka_unit_test(data_that_does_not_fit_its_type_is_written_as_it_is),
        cmocka_unit_test(names_that_are_not_remembered_are_spelled_out),
        cmocka_unit_test(many_names_of_many_labels_are_written),
        cmocka_unit_test(random_names_read_back_as_written),
        cmocka_unit_test(what_does_not_fit_leaves_a_whole_message),
        cmocka_unit_test(room_without_a_header_takes_nothing),
        cmocka_unit_test(error_is_sticky),
        cmocka_unit_test(names_that_did_not_fit_are_forgotten),
        cmocka_unit_test(message_ends_at_65535_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
