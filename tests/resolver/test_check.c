/*
 * vr_message_check: what it accepts, what it refuses, what it costs, and that the reader agrees with it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <vireo/dns.h>

#include "name.h"
#include "resolver/agreement.h"
#include "resolver/octets.h"
#include "resolver/samples.h"

static char room[AGREEMENT_TEXT_SIZE];

/* The check's verdict, after the reader has agreed. */
static int check_octets(const uint8_t *message, size_t len, vr_edns *edns)
{
    agreement(message, len, room);
    int verdict = vr_message_check(message, len, NULL);
    assert_int_equal(vr_message_check(message, len, edns), verdict);
    return verdict;
}

static int check_hex(const char *hex)
{
    vr_edns edns;
    octets message = octets_from_hex(hex);
    int verdict = check_octets(message.at, message.len, &edns);
    free(message.at);
    return verdict;
}

static void whole_messages_are_accepted(void **state)
{
    (void)state;
    assert_int_equal(check_hex(SAMPLE_ANSWER), 0);
    assert_int_equal(check_hex(SAMPLE_SECTIONS), 0);
    assert_int_equal(check_hex("0000 0000 0000 0000 0000 0000"), 0);
}

static void every_cut_message_is_refused(void **state)
{
    (void)state;
    static const char *const samples[] = {SAMPLE_ANSWER, SAMPLE_SECTIONS};
    for (size_t i = 0; i < 2; i++) {
        octets message = octets_from_hex(samples[i]);
        for (size_t len = 0; len < message.len; len++) {
            octets cut = octets_copy(message.at, len);
            assert_int_equal(check_octets(cut.at, cut.len, NULL), -EBADMSG);
            free(cut.at);
        }
        free(message.at);
    }
}

static void octets_behind_the_end_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_hex(SAMPLE_ANSWER " 00"), -EBADMSG);
    assert_int_equal(check_hex(SAMPLE_SECTIONS " 00"), -EBADMSG);
    assert_int_equal(check_hex("0000 0000 0000 0000 0000 0000 00"), -EBADMSG);
}

/* --- OPT --- */

#define ONE_QUESTION "0000 0100 0001 0000 0000 "
#define QUESTION " 01 61 00 0001 0001 "

/* RFC 6891 section 6.1. */
static void opt_is_taken_apart(void **state)
{
    (void)state;
    octets message = octets_from_hex(SAMPLE_SECTIONS);
    vr_edns edns;
    assert_int_equal(vr_message_check(message.at, message.len, &edns), 0);
    assert_true(edns.present);
    assert_int_equal(edns.version, 0);
    assert_int_equal(edns.udp_size, 1232);
    assert_true(edns.dnssec_ok);
    assert_int_equal(edns.rcode_high, 1);
    assert_int_equal(edns.options_len, 11);
    assert_ptr_equal(edns.options, message.at + message.len - 11);
    free(message.at);

    message = octets_from_hex(ONE_QUESTION "0001" QUESTION "00 0029 0000 ab07 7fff 0000");
    assert_int_equal(vr_message_check(message.at, message.len, &edns), 0);
    assert_true(edns.present);
    assert_int_equal(edns.version, 7);
    assert_int_equal(edns.udp_size, 0); /* as received */
    assert_false(edns.dnssec_ok);
    assert_int_equal(edns.rcode_high, 0xab);
    assert_int_equal(edns.options_len, 0);
    free(message.at);
}

static void message_without_opt_has_no_edns(void **state)
{
    (void)state;
    octets message = octets_from_hex(SAMPLE_ANSWER);
    vr_edns edns;
    memset(&edns, 0xff, sizeof edns);
    assert_int_equal(vr_message_check(message.at, message.len, &edns), 0);
    assert_false(edns.present);
    free(message.at);
}

/* RFC 6891 section 6.1.1: more than one is an error. */
static void two_opts_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_hex(ONE_QUESTION "0001" QUESTION "00 0029 04d0 00000000 0000"), 0);
    assert_int_equal(check_hex(ONE_QUESTION "0002" QUESTION "00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000"),
                     -EBADMSG);
}

/* RFC 6891 section 6.1.1: its place is the additional section; section 6.1.2: its name is 0, the root. */
static void opt_out_of_place_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check_hex("0000 0000 0000 0001 0000 0000 00 0029 04d0 00000000 0000"), -EBADMSG);
    assert_int_equal(check_hex("0000 0000 0000 0000 0001 0000 00 0029 04d0 00000000 0000"), -EBADMSG);
    assert_int_equal(check_hex("0000 0000 0000 0000 0000 0001 00 0029 04d0 00000000 0000"), 0);
    assert_int_equal(check_hex("0000 0000 0000 0000 0000 0001 01 61 00 0029 04d0 00000000 0000"), -EBADMSG);
    assert_int_equal(check_hex(ONE_QUESTION "0001" QUESTION "c00e 0029 04d0 00000000 0000"), -EBADMSG);
}

/* RFC 6891 section 6.1.2. */
static void cut_options_are_refused(void **state)
{
    (void)state;
    static const char *const whole[] = {"0000", "0004 000a 0000", "0009 000a 0001 ff 000b 0000"};
    static const char *const cut[] = {
        "0001 00",           "0003 000a 00",      "0004 000a 0001",
        "0005 000a 0002 ff", "0005 000a 0000 00", "0008 000a 0001 ff 000b 00",
    };
    char hex[200];
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        snprintf(hex, sizeof hex, ONE_QUESTION "0001" QUESTION "00 0029 04d0 00000000 %s", whole[i]);
        assert_int_equal(check_hex(hex), 0);
    }
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        snprintf(hex, sizeof hex, ONE_QUESTION "0001" QUESTION "00 0029 04d0 00000000 %s", cut[i]);
        assert_int_equal(check_hex(hex), -EBADMSG);
    }
}

/* --- Data --- */

/* A message with one record of this type, class, and data with its length in front; the question's name is at c00c. */
static int check_record(const char *type, const char *class_, const char *data)
{
    char hex[512];
    snprintf(hex, sizeof hex, "0000 8000 0001 0001 0000 0000" QUESTION "c00c %s %s 00000000 %s", type, class_, data);
    return check_hex(hex);
}

/* RFC 3597 section 4: types whose names may come compressed. */
static void names_in_data_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *type, *good, *cut, *forward, *behind;
    } cases[] = {
        /* NS: a name */
        {"0002", "0002 c00c", "0001 c0", "0002 c0ff", "0003 c00c 00"},
        {"0002", "0005 03 616263 00", "0004 03 616263", "0004 01 78 c0ff", "0006 03 616263 00 00"},
        /* SOA: two, and 20 octets */
        {"0006", "0018 c00c c00c 0000000000000000000000000000000000000000",
         "0017 c00c c00c 00000000000000000000000000000000000000",
         "0018 c00c c0ff 0000000000000000000000000000000000000000",
         "0019 c00c c00c 000000000000000000000000000000000000000000"},
        /* MX: a number first */
        {"000f", "0004 000a c00c", "0003 000a c0", "0004 000a c0ff", "0005 000a c00c 00"},
        /* MINFO: two names */
        {"000e", "0004 c00c c00c", "0002 c00c", "0004 c00c c0ff", "0005 c00c c00c 00"},
        /* PX: a number and two */
        {"001a", "0006 0001 c00c c00c", "0004 0001 c00c", "0006 0001 c0ff c00c", "0007 0001 c00c c00c 00"},
        /* SRV: three numbers */
        {"0021", "0008 0001 0002 0003 c00c", "0005 0001 0002 00", "0008 0001 0002 0003 c0ff",
         "0009 0001 0002 0003 c00c 00"},
        /* NAPTR: two numbers, three strings */
        {"0023", "000b 0001 0002 01 55 00 01 78 c00c", "0006 0001 0002 02 55", "000b 0001 0002 01 55 00 01 78 c0ff",
         "000c 0001 0002 01 55 00 01 78 c00c 00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(check_record(cases[i].type, "0001", cases[i].good), 0);
        assert_int_equal(check_record(cases[i].type, "0001", cases[i].cut), -EBADMSG);
        assert_int_equal(check_record(cases[i].type, "0001", cases[i].forward), -EBADMSG);
        assert_int_equal(check_record(cases[i].type, "0001", cases[i].behind), -EBADMSG);
        assert_int_equal(check_record(cases[i].type, "0001", "0000"), -EBADMSG);
    }
}

static void name_that_runs_past_its_data_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check_hex("0000 8000 0000 0002 0000 0000 "
                               "00 0002 0001 00000000 0002 0b 61 00 0001 0001 00000000 0001 00"),
                     -EBADMSG);
}

/* Types and classes that are not known pass whatever they carry (RFC 3597 section 3). */
static void unknown_types_and_classes_pass(void **state)
{
    (void)state;
    assert_int_equal(check_record("ff00", "0001", "0002 c0ff"), 0);
    assert_int_equal(check_record("0001", "0001", "0003 c000ff"), 0);
    assert_int_equal(check_record("002e", "0001", "0002 c0ff"), 0); /* RRSIG: not to be compressed */
    assert_int_equal(check_record("0021", "0003", "0002 c0ff"), 0); /* SRV has its form in class IN alone */
    assert_int_equal(check_record("0002", "0003", "0002 c0ff"), -EBADMSG);
}

/* RFC 2136 sections 2.4 and 2.5: in updates, class ANY or NONE and no data. */
static void updates_without_data_pass(void **state)
{
    (void)state;
    assert_int_equal(check_record("0002", "00ff", "0000"), 0);
    assert_int_equal(check_record("000f", "00fe", "0000"), 0);
    assert_int_equal(check_record("0002", "00ff", "0001 c0"), -EBADMSG);
}

/* --- Cost --- */

static octets begin_message(unsigned answers)
{
    octets message = {calloc(1, VR_MESSAGE_MAX), VR_HEADER_SIZE};
    assert_non_null(message.at);
    message.at[6] = (uint8_t)(answers >> 8);
    message.at[7] = (uint8_t)answers;
    return message;
}

static void append(octets *message, const void *from, size_t len)
{
    assert_true(message->len + len <= VR_MESSAGE_MAX);
    memcpy(message->at + message->len, from, len);
    message->len += len;
}

/* Type 65280, class IN, TTL 0, no data. */
static const uint8_t fixed_part[] = {0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0};

static void append_pointer(octets *message, size_t target)
{
    append(message, (uint8_t[]){(uint8_t)(0xc0 | target >> 8), (uint8_t)target}, 2);
}

/*
 * Many records whose owners point to long chains of pointers, more of them than the check remembers: each name by
 * itself is fine, but together they cost too much.
 */
static void hostile_pointers_are_refused(void **state)
{
    (void)state;
    enum { RECORDS = 3000, CHAINS = 40, POINTERS = 126, CHAIN_LEN = 3 + 2 * POINTERS };
    octets message = begin_message(1 + RECORDS);
    append(&message, "", 1);
    append(&message, fixed_part, sizeof fixed_part - 2);
    append(&message, (uint8_t[]){CHAINS * CHAIN_LEN >> 8, CHAINS * CHAIN_LEN & 255}, 2);
    size_t last[CHAINS]; /* the pointer that all others of the chain are behind */
    for (int chain = 0; chain < CHAINS; chain++) {
        last[chain] = message.len;
        append(&message, "\001a", 3);
        for (int i = 0; i < POINTERS; i++) {
            append_pointer(&message, last[chain]);
            last[chain] = message.len - 2;
        }
    }
    for (int i = 0; i < RECORDS; i++) {
        append_pointer(&message, last[i % CHAINS]);
        append(&message, fixed_part, sizeof fixed_part);
    }
    vr_name name;
    assert_true(vr_name_read(&name, message.at, message.len, message.len - 12) > 0);
    assert_int_equal(vr_message_check(message.at, message.len, NULL), -EBADMSG);

    message.at[6] = 0; /* with few of the records, all is well */
    message.at[7] = 1 + CHAINS;
    size_t len = message.len - (size_t)(RECORDS - CHAINS) * 12;
    assert_int_equal(check_octets(message.at, len, NULL), 0);
    free(message.at);
}

/* RFC 1035 section 4.1.4: an RRset as large as can be, all owners the question's name, of 255 octets. */
static void full_message_of_one_rrset_is_accepted(void **state)
{
    (void)state;
    enum { RECORDS = 5400 };
    octets message = begin_message(RECORDS);
    message.at[5] = 1;
    for (int i = 0; i < 127; i++)
        append(&message, "\001a", 2);
    append(&message, "\0\0\001\0\001", 5);
    for (int i = 0; i < RECORDS; i++) {
        append_pointer(&message, VR_HEADER_SIZE);
        append(&message, fixed_part, sizeof fixed_part);
    }
    assert_int_equal(check_octets(message.at, message.len, NULL), 0);
    free(message.at);
}

/* A zone transfer of reverse names (RFC 3596 section 2.5): each owner points to another subnet, of 18 labels. */
static void full_message_of_reverse_names_is_accepted(void **state)
{
    (void)state;
    enum { RECORDS = 2500, SUBNETS = 100 };
    octets message = begin_message(RECORDS);
    size_t subnets[SUBNETS];
    for (int i = 0; i < RECORDS; i++) {
        if (i < SUBNETS) {
            subnets[i] = message.len;
            char label[2] = {1, 0};
            for (int nibble = 0; nibble < 16; nibble++) {
                label[1] = "0123456789abcdef"[(i + nibble) % 16];
                append(&message, label, 2);
            }
            append(&message, "\003ip6\004arpa", 10);
        } else {
            append(&message, "\001a\001b\001c\001d", 8);
            append_pointer(&message, subnets[(i * 7) % SUBNETS]);
        }
        append(&message, fixed_part, sizeof fixed_part);
    }
    assert_int_equal(check_octets(message.at, message.len, NULL), 0);
    free(message.at);
}

static void longest_message_is_65535_octets(void **state)
{
    (void)state;
    octets message = {calloc(1, VR_MESSAGE_MAX + 1), VR_MESSAGE_MAX};
    message.at[7] = 1;
    memcpy(message.at + 13, fixed_part, sizeof fixed_part);
    size_t rdata_len = VR_MESSAGE_MAX - 23;
    message.at[21] = (uint8_t)(rdata_len >> 8);
    message.at[22] = (uint8_t)rdata_len;
    assert_int_equal(vr_message_check(message.at, VR_MESSAGE_MAX, NULL), 0);
    message.at[22]++;
    assert_int_equal(vr_message_check(message.at, VR_MESSAGE_MAX, NULL), -EBADMSG);
    assert_int_equal(vr_message_check(message.at, VR_MESSAGE_MAX + 1, NULL), -EBADMSG);
    free(message.at);
}

/* --- Agreement --- */

static void reader_agrees_about_mutated_messages(void **state)
{
    (void)state;
    static const char *const samples[] = {SAMPLE_ANSWER, SAMPLE_SECTIONS};
    uint32_t seed = 42;
    int accepted = 0;
    for (int round = 0; round < 30000; round++) {
        octets message = octets_from_hex(samples[round % 2]);
        for (unsigned changes = 1 + octets_random(&seed) % 3; changes > 0; changes--) {
            uint32_t random = octets_random(&seed);
            size_t at = random % message.len;
            message.at[at] =
                random & 0x10000 ? (uint8_t)(random >> 24) : (uint8_t)(message.at[at] + (random >> 24) % 5 - 2);
        }
        accepted += agreement(message.at, message.len, room);
        free(message.at);
    }
    assert_in_range(accepted, 1000, 29000); /* both kinds were tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_are_accepted),
        cmocka_unit_test(every_cut_message_is_refused),
        cmocka_unit_test(octets_behind_the_end_are_refused),
        cmocka_unit_test(opt_is_taken_apart),
        cmocka_unit_test(message_without_opt_has_no_edns),
        cmocka_unit_test(two_opts_are_refused),
        cmocka_unit_test(opt_out_of_place_is_refused),
        cmocka_unit_test(cut_options_are_refused),
        cmocka_unit_test(names_in_data_are_checked),
        cmocka_unit_test(name_that_runs_past_its_data_is_refused),
        cmocka_unit_test(unknown_types_and_classes_pass),
        cmocka_unit_test(updates_without_data_pass),
        cmocka_unit_test(hostile_pointers_are_refused),
        cmocka_unit_test(full_message_of_one_rrset_is_accepted),
        cmocka_unit_test(full_message_of_reverse_names_is_accepted),
        cmocka_unit_test(longest_message_is_65535_octets),
        cmocka_unit_test(reader_agrees_about_mutated_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
