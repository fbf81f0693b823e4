/*
 * Presentation format: each type's text, from the examples of its RFC; data that does not fit; compression; room.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <vireo/dns.h>

#include "resolver/agreement.h"
#include "resolver/octets.h"
#include "resolver/rdata_samples.h"

static char room[AGREEMENT_TEXT_SIZE];

/* The text, in `room`, of data that stands in a message behind a header and the name "example.com.", at 12. */
static const char *text_of(uint16_t type, uint16_t class_, const uint8_t *data, size_t len)
{
    static const char question[] = "\007example\003com";
    octets message = {calloc(1, VR_HEADER_SIZE + sizeof question + len), VR_HEADER_SIZE + sizeof question + len};
    assert_non_null(message.at);
    memcpy(message.at + VR_HEADER_SIZE, question, sizeof question);
    if (len > 0)
        memcpy(message.at + VR_HEADER_SIZE + sizeof question, data, len);
    vr_reader reader;
    vr_reader_init(&reader, message.at, message.len);
    vr_rr rr = {.type = type, .class_ = class_, .rdata_len = (uint16_t)len};
    rr.rdata = message.at + message.len - len;
    agreement_text(&reader, &rr, room);
    free(message.at);
    return room;
}

static const char *text_of_hex(uint16_t type, uint16_t class_, const char *hex)
{
    octets data = octets_from_hex(hex);
    const char *text = text_of(type, class_, data.at, data.len);
    free(data.at);
    return text;
}

/* --- Each type --- */

static void each_type_has_its_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rdata_samples / sizeof rdata_samples[0]; i++)
        assert_string_equal(text_of_hex(rdata_samples[i].type, VR_CLASS_IN, rdata_samples[i].data),
                            rdata_samples[i].text);
}

/* All samples again, cut at every octet and with one too many: some still fit their type, and none does harm. */
static void cut_data_has_a_text_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rdata_samples / sizeof rdata_samples[0]; i++) {
        octets data = octets_from_hex(rdata_samples[i].data);
        data.at = realloc(data.at, data.len + 1);
        assert_non_null(data.at);
        data.at[data.len] = 0;
        for (size_t len = 0; len <= data.len + 1; len++)
            assert_true(text_of(rdata_samples[i].type, VR_CLASS_IN, data.at, len)[0] != '\0');
        free(data.at);
    }
}

/* --- Data that does not fit its type (RFC 3597 section 5) --- */

static void unknown_types_are_written_in_hex(void **state)
{
    (void)state;
    assert_string_equal(text_of_hex(731, 32, "abcdef012345"), "\\# 6 abcdef012345");
    assert_string_equal(text_of_hex(62347, VR_CLASS_IN, ""), "\\# 0");
    assert_string_equal(text_of_hex(10, VR_CLASS_IN, "00ff"), "\\# 2 00ff"); /* NULL */
    assert_string_equal(text_of_hex(VR_TYPE_OPT, 1232, "000a0000"), "\\# 4 000a0000");
}

static void data_that_does_not_fit_is_written_in_hex(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *data;
    } cases[] = {
        {1, "c00002"},
        {1, "c000020100"},
        {2, "01 61"},
        {2, "01 61 00 00"},
        {2, "c019"}, /* a pointer to itself */
        {6, "00 00 00000001 00000002 00000003 00000004 000000"},
        {11, "0a02001b"},
        {13, "01 61"},
        {13, "01 61 01 62 00"},
        {16, "02 61"},
        {20, "00 00 00"},
        {28, "20010db800000000000000000000000100"},
        {29, "01331613 898f4c90 70bf7bf0 00988f20"}, /* LOC: version 1 (RFC 1876 section 2) */
        {29, "00a31613 898f4c90 70bf7bf0 00988f20"}, /* a digit of 10 */
        {29, "003a1613 898f4c90 70bf7bf0 00988f20"}, /* a power of 10 */
        {29, "00331613 934fd901 70bf7bf0 00988f20"}, /* 90 degrees and a thousandth of a second */
        {29, "00331613 6cb026ff 70bf7bf0 00988f20"}, /* the same in the south */
        {29, "00331613 898f4c90 a69fb201 00988f20"}, /* 180 degrees, likewise */
        {37, "0001 3039 08"},                        /* CERT without a certificate */
        {42, "0001 15 03 c0a82000"},                 /* APL: cut address */
        {42, "0001 15 05 c0a8200000"},               /* 5 octets of IPv4 */
        {42, "0001 21 04 c0a82001"},                 /* 33 bits of IPv4 */
        {42, "0002 81 01 ff"},                       /* 129 bits of IPv6 */
        {42, "0003 08 01 ff"},                       /* another family */
        {43, "ec45 05 01"},                          /* DS without a digest */
        {45, "0a 04 02 c0000226 ff"},                /* IPSECKEY: an unknown kind of gateway */
        {45, "0a 01 02 c00002"},
        {45, "0a 03 02 c00c ff"}, /* RFC 4025 section 2.5: its name is not compressed */
        {47, "00 00 00"},         /* NSEC: a window without octets (RFC 4034 section 4.1.2) */
        {47, "00 00 21 010101010101010101010101010101010101010101010101010101010101010101"},
        {47, "00 01 01 80 00 01 40"}, /* windows out of order */
        {47, "00 00 01 40 00 01 40"}, /* a window twice */
        {47, "00 00 02 40"},
        {48, "0100 03 05"}, /* DNSKEY without a key */
        {50, "01 01 000c 02 aa 01 00"},
        {50, "01 01 000c 00 00"}, /* NSEC3 without a hash */
        {51, "01 01 000c 01"},
        {51, "01 01 000c 00 00"},
        {55, "00 02 0001 ff"}, /* HIP without a tag */
        {55, "01 02 0000 ff"}, /* without a key */
        {55, "01 02 0002 ff ff"},
        {55, "01 02 0001 ff ff 01 61"},
        {64, "0001"},
        {64, "0001 c00c"}, /* RFC 9460 section 2.2: the target is not compressed */
        {64, "0001 00 0003"},
        {64, "0001 00 0003 0001 00"}, /* a port of one octet */
        {64, "0001 00 0003 0003 000000"},
        {64, "0001 00 0003 0000"},
        {64, "0001 00 0003 0002 00"},             /* cut */
        {64, "0001 00 029b 0000 029b 0000"},      /* RFC 9460 section 2.2: a key twice */
        {64, "0001 00 0003 0002 0035 0002 0000"}, /* keys out of order */
        {64, "0001 00 0002 0001 00"},             /* RFC 9460 section 7.1.1: no-default-alpn has no value */
        {64, "0001 00 0001 0000"},                /* an empty list */
        {64, "0001 00 0001 0001 00"},             /* an empty protocol id */
        {64, "0001 00 0001 0002 02 68"},
        {64, "0001 00 0004 0005 c000020100"},
        {64, "0001 00 0004 0000"},
        {64, "0001 00 0006 000f 20010db80000000000000000000000"},
        {64, "0001 00 0000 0002 0000"},      /* RFC 9460 section 8: "mandatory" itself is not in its list */
        {64, "0001 00 0000 0004 0003 0001"}, /* not sorted */
        {64, "0001 00 0000 0001 00"},
        {108, "00005e005300"
              "00"},
        {108, "00005e0053"},
        {256, "000a 0001"},     /* RFC 7553 section 4.4: the target is not empty */
        {257, "00 00 61"},      /* RFC 8659 section 4.1: a tag of no octets */
        {257, "00 02 612d 61"}, /* one with another octet than letters and digits */
        {257, "00 05 6973"},
        {260, "0a 04 ff"},
        {260, "0a 00 00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        octets data = octets_from_hex(cases[i].data);
        char expected[256];
        int at = snprintf(expected, sizeof expected, "\\# %zu ", data.len);
        for (size_t j = 0; j < data.len; j++)
            at += snprintf(expected + at, sizeof expected - (size_t)at, "%02x", data.at[j]);
        assert_string_equal(text_of(cases[i].type, VR_CLASS_IN, data.at, data.len), expected);
        free(data.at);
    }
}

/* RFC 3597 section 5: no data at all has one text that fits all types. */
static void empty_data_is_written_in_hex(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 300; type++)
        assert_string_equal(text_of((uint16_t)type, VR_CLASS_IN, NULL, 0), "\\# 0");
}

/* RFC 1035 section 3.4 and RFC 2782: some types have their form in class IN alone; section 3.3: others in all. */
static void types_of_class_in_are_unknown_in_others(void **state)
{
    (void)state;
    assert_string_equal(text_of_hex(1, VR_CLASS_CH, "c0000201"), "\\# 4 c0000201");
    assert_string_equal(text_of_hex(28, VR_CLASS_CH, "20010db8000000000000000000000001"),
                        "\\# 16 20010db8000000000000000000000001");
    assert_string_equal(text_of_hex(33, VR_CLASS_CH, "0001 0002 0003 00"), "\\# 7 00010002000300");
    assert_string_equal(text_of_hex(16, VR_CLASS_CH, "03 312e30"), "\"1.0\""); /* version.bind */
    assert_string_equal(text_of_hex(2, 4, "01 61 00"), "a.");
}

/* --- Compression (RFC 3597 section 4) --- */

static void names_that_may_be_compressed_are_undone(void **state)
{
    (void)state;
    static const struct rdata_sample cases[] = {
        {2, "c00c", "example.com."},
        {5, "03 777777 c00c", "www.example.com."},
        {6, "026e73 c00c 0161 c019 00000001 00000002 00000003 00000004 00000005",
         "ns.example.com. a.ns.example.com. 1 2 3 4 5"},
        {12, "c014", "com."},
        {14, "c00c c014", "example.com. com."},
        {15, "000a 04 6d61696c c00c", "10 mail.example.com."},
        {17, "c00c c014", "example.com. com."},
        {18, "0001 c00c", "1 example.com."},
        {21, "0001 c00c", "1 example.com."},
        {24, "0001 05 03 00000000 00000000 00000001 0001 c00c ff",
         "A 5 3 0 19700101000000 19700101000001 1 example.com. /w=="},
        {26, "0001 c00c c014", "1 example.com. com."},
        {33, "0001 0002 0003 c00c", "1 2 3 example.com."},
        {35, "0001 0002 01 75 00 00 c00c", "1 2 \"u\" \"\" \"\" example.com."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_of_hex(cases[i].type, VR_CLASS_IN, cases[i].data), cases[i].text);
}

static void names_that_must_not_be_compressed_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *data;
    } cases[] = {
        {23, "c00c"},
        {36, "0001 c00c"},
        {39, "c00c"},
        {46, "0001 05 03 00000000 00000000 00000001 0001 c00c ff"},
        {47, "c00c 0001 40"},
        {58, "c00c c00c"},
        {66, "003b 01 0035 c00c"},
        {107, "0001 c00c"},
        {260, "0a 03 c00c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_memory_equal(text_of_hex(cases[i].type, VR_CLASS_IN, cases[i].data), "\\# ", 3);
}

/* --- Fields with many values --- */

/* Each pattern of zero groups, with what stands between them of one, two, three and four digits. */
static void ipv6_texts_are_those_of_inet_ntop(void **state)
{
    (void)state;
    static const uint16_t values[] = {0x1, 0x10, 0xa00, 0xffff};
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        for (size_t value = 0; value < 4; value++) {
            uint8_t address[16] = {0};
            for (unsigned group = 0; group < 8; group++) {
                if (pattern >> group & 1) {
                    address[2 * group] = (uint8_t)(values[value] >> 8);
                    address[2 * group + 1] = (uint8_t)values[value];
                }
            }
            char expected[INET6_ADDRSTRLEN];
            inet_ntop(AF_INET6, address, expected, sizeof expected);
            assert_string_equal(text_of(VR_TYPE_AAAA, VR_CLASS_IN, address, sizeof address), expected);
        }
    }
}

static void ipv4_octets_are_written_in_decimal(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        uint8_t address[4] = {(uint8_t)octet, 0, (uint8_t)(255 - octet), 1};
        char expected[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, address, expected, sizeof expected);
        assert_string_equal(text_of(VR_TYPE_A, VR_CLASS_IN, address, sizeof address), expected);
    }
}

/* RFC 4034 section 3.2: each day from 1970 to 2106, at changing hours. */
static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    uint8_t data[21] = {0, 1, 5, 3};
    for (uint64_t at = 0; at <= UINT32_MAX; at += 86399) {
        for (int i = 0; i < 4; i++)
            data[8 + i] = (uint8_t)(at >> (24 - 8 * i));
        data[20] = 0xff;
        data[18] = 0;
        struct tm tm;
        time_t time = (time_t)at;
        char expected[64];
        gmtime_r(&time, &tm);
        strftime(expected, sizeof expected, "A 5 3 0 %Y%m%d%H%M%S 19700101000000 0 . AP8=", &tm);
        assert_string_equal(text_of(46, VR_CLASS_IN, data, sizeof data), expected);
    }
}

static void base64_ends_as_its_length_asks(void **state)
{
    (void)state;
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "66"), "Zg=="); /* RFC 4648 section 10 */
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "666f"), "Zm8=");
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "666f6f"), "Zm9v");
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "666f6f62"), "Zm9vYg==");
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "666f6f6261"), "Zm9vYmE=");
    assert_string_equal(text_of_hex(61, VR_CLASS_IN, "fbefff"), "++//");
}

/* RFC 4648 section 10, in lower case and without padding (RFC 5155 section 3.3). */
static void base32_ends_as_its_length_asks(void **state)
{
    (void)state;
    assert_string_equal(text_of_hex(50, VR_CLASS_IN, "01 00 0000 00 01 66"), "1 0 0 - co");
    assert_string_equal(text_of_hex(50, VR_CLASS_IN, "01 00 0000 00 02 666f"), "1 0 0 - cpng");
    assert_string_equal(text_of_hex(50, VR_CLASS_IN, "01 00 0000 00 03 666f6f"), "1 0 0 - cpnmu");
    assert_string_equal(text_of_hex(50, VR_CLASS_IN, "01 00 0000 00 04 666f6f62"), "1 0 0 - cpnmuog");
    assert_string_equal(text_of_hex(50, VR_CLASS_IN, "01 00 0000 00 05 666f6f6261"), "1 0 0 - cpnmuoj1");
}

static void extremes_of_locations_are_written(void **state)
{
    (void)state;
    assert_string_equal(text_of_hex(29, VR_CLASS_IN, "00 00 99 09 934fd900 a69fb200 ffffffff"),
                        "90 00 00.000 N 180 00 00.000 E 42849672.95m 0.00m 90000000.00m 0.00m");
    assert_string_equal(text_of_hex(29, VR_CLASS_IN, "00 10 10 10 6cb02700 59604e00 00000000"),
                        "90 00 00.000 S 180 00 00.000 W -100000.00m 0.01m 0.01m 0.01m");
    assert_string_equal(text_of_hex(29, VR_CLASS_IN, "00 10 10 10 7fffffff 80000000 00989680"),
                        "0 00 00.001 S 0 00 00.000 E 0.00m 0.01m 0.01m 0.01m");
}

static void port_65535_is_the_last_of_wks(void **state)
{
    (void)state;
    uint8_t data[5 + 8193] = {192, 0, 2, 1, 6};
    data[5 + 8191] = 1;
    assert_string_equal(text_of(11, VR_CLASS_IN, data, 5 + 8192), "192.0.2.1 6 65535");
    assert_memory_equal(text_of(11, VR_CLASS_IN, data, 5 + 8193), "\\# 8198 ", 8);
}

static void bitmaps_hold_all_types(void **state)
{
    (void)state;
    static uint8_t data[1 + 256 * 34];
    for (unsigned window = 0; window < 256; window++) {
        data[1 + window * 34] = (uint8_t)window;
        data[2 + window * 34] = 32;
        memset(data + 3 + window * 34, 0xff, 32);
    }
    const char *at = text_of(47, VR_CLASS_IN, data, sizeof data);
    char expected[VR_MNEMONIC_SIZE];
    assert_int_equal(*at++, '.');
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        vr_type_text((uint16_t)type, expected);
        assert_int_equal(*at++, ' ');
        assert_memory_equal(at, expected, strlen(expected));
        at += strlen(expected);
    }
    assert_int_equal(*at, '\0');
}

/* --- Room --- */

static void room_too_small_is_reported_at_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rdata_samples / sizeof rdata_samples[0]; i++) {
        octets data = octets_from_hex(rdata_samples[i].data);
        octets message = octets_copy("            ", VR_HEADER_SIZE);
        message.at = realloc(message.at, message.len + data.len);
        assert_non_null(message.at);
        memcpy(message.at + message.len, data.at, data.len);
        vr_reader reader;
        vr_reader_init(&reader, message.at, message.len + data.len);
        vr_rr rr = {.type = rdata_samples[i].type, .class_ = VR_CLASS_IN, .rdata_len = (uint16_t)data.len};
        rr.rdata = message.at + message.len;
        for (size_t size = 0; size <= strlen(rdata_samples[i].text); size++) {
            octets out = octets_copy(rdata_samples[i].text, size);
            assert_int_equal(vr_rdata_to_text(&reader, &rr, (char *)out.at, size), -ENOSPC);
            free(out.at);
        }
        free(message.at);
        free(data.at);
    }
}

/* The room is full before it is seen that the data does not fit; the other form, being shorter, is written all the
 * same. */
static void shorter_form_is_found_in_small_room(void **state)
{
    (void)state;
    octets message = octets_from_hex("000000000000000000000000 03 ffffff 05 61");
    vr_reader reader;
    vr_reader_init(&reader, message.at, message.len);
    vr_rr rr = {.type = VR_TYPE_TXT, .class_ = VR_CLASS_IN, .rdata_len = 6, .rdata = message.at + 12};
    char out[sizeof "\\# 6 03ffffff0561"];
    assert_int_equal(vr_rdata_to_text(&reader, &rr, out, sizeof out), sizeof out - 1);
    assert_string_equal(out, "\\# 6 03ffffff0561");
    free(message.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_text),
        cmocka_unit_test(cut_data_has_a_text_too),
        cmocka_unit_test(unknown_types_are_written_in_hex),
        cmocka_unit_test(data_that_does_not_fit_is_written_in_hex),
        cmocka_unit_test(empty_data_is_written_in_hex),
        cmocka_unit_test(types_of_class_in_are_unknown_in_others),
        cmocka_unit_test(names_that_may_be_compressed_are_undone),
        cmocka_unit_test(names_that_must_not_be_compressed_do_not_fit),
        cmocka_unit_test(ipv6_texts_are_those_of_inet_ntop),
        cmocka_unit_test(ipv4_octets_are_written_in_decimal),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(base64_ends_as_its_length_asks),
        cmocka_unit_test(base32_ends_as_its_length_asks),
        cmocka_unit_test(extremes_of_locations_are_written),
        cmocka_unit_test(port_65535_is_the_last_of_wks),
        cmocka_unit_test(bitmaps_hold_all_types),
        cmocka_unit_test(room_too_small_is_reported_at_every_size),
        cmocka_unit_test(shorter_form_is_found_in_small_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
