/*
 * Names: presentation format both ways, the limits of RFC 1035, comparison, and reading with compression undone.
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
#include "resolver/octets.h"

static vr_name from_text(const char *text)
{
    vr_name name;
    assert_int_equal(vr_name_from_text(&name, text, strlen(text)), 0);
    return name;
}

static void assert_name_is(const vr_name *name, const char *hex)
{
    octets expected = octets_from_hex(hex);
    assert_int_equal(name->len, expected.len);
    assert_memory_equal(name->octets, expected.at, expected.len);
    free(expected.at);
}

/* --- Presentation format --- */

static void text_becomes_labels(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wire;
    } cases[] = {
        {".", "00"},
        {"a", "01 61 00"},
        {"a.", "01 61 00"},
        {"www.Example.com", "03 777777 07 4578616d706c65 03 636f6d 00"},
        {"_dns._tcp.x.", "04 5f646e73 04 5f746370 01 78 00"},
        {"a b\t", "04 61206209 00"},         /* any octet may stand in a label (RFC 2181 section 11) */
        {"b\xc3\xbc", "03 62c3bc 00"},       /* outside ASCII as well */
        {"a\\.b.c", "03 612e62 01 63 00"},   /* RFC 1035 section 5.1: \X */
        {"\\065\\000\\255", "03 4100ff 00"}, /* RFC 1035 section 5.1: \DDD */
        {"\\\\\\\"\\ ", "03 5c2220 00"},
        {"a.\\046", "01 61 01 2e 00"}, /* an escaped dot ends no label */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vr_name name = from_text(cases[i].text);
        assert_name_is(&name, cases[i].wire);
    }
}

static void text_that_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "..", ".a", "a..b", "a..", "a\\", "\\", "a\\1", "a\\12", "a\\12x", "a\\256", "a\\999", "\\1.2",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vr_name name;
        octets text = octets_copy(cases[i], strlen(cases[i])); /* no final NUL to lean on */
        assert_int_equal(vr_name_from_text(&name, (const char *)text.at, text.len), -EINVAL);
        free(text.at);
    }
}

static void nul_in_text_is_an_octet_as_any(void **state)
{
    (void)state;
    vr_name name;
    assert_int_equal(vr_name_from_text(&name, "a\0b", 3), 0);
    assert_name_is(&name, "03 610062 00");
}

/* RFC 1035 section 2.3.4: labels of 63 octets. */
static void label_of_63_octets_is_the_longest(void **state)
{
    (void)state;
    char text[4 * 64 + 1] = "";
    vr_name name;
    memset(text, 'x', 63);
    assert_int_equal(vr_name_from_text(&name, text, 63), 0);
    assert_int_equal(name.len, 65);
    text[63] = 'x';
    assert_int_equal(vr_name_from_text(&name, text, 64), -EINVAL);

    for (int i = 0; i < 64; i++)
        memcpy(text + 4 * i, "\\120", 4); /* what counts is octets, not characters */
    assert_int_equal(vr_name_from_text(&name, text, 4 * 63), 0);
    assert_int_equal(vr_name_from_text(&name, text, 4 * 64), -EINVAL);
}

/* Three labels of 63 octets, then one of `last` octets. */
static int long_name(vr_name *name, int last, const char *end)
{
    char text[300];
    int len = snprintf(text, sizeof text, "%063d.%063d.%063d.%0*d%s", 1, 2, 3, last, 4, end);
    return vr_name_from_text(name, text, (size_t)len);
}

/* RFC 1035 section 2.3.4: names of 255 octets, length octets and the root's counted. */
static void name_of_255_octets_is_the_longest(void **state)
{
    (void)state;
    vr_name name;
    assert_int_equal(long_name(&name, 61, ""), 0);
    assert_int_equal(name.len, VR_NAME_MAX);
    assert_int_equal(long_name(&name, 61, "."), 0);
    assert_int_equal(name.len, VR_NAME_MAX);
    assert_int_equal(long_name(&name, 62, ""), -EINVAL);
    assert_int_equal(long_name(&name, 61, ".x"), -EINVAL);
    assert_int_equal(long_name(&name, 59, ".x"), 0);
    assert_int_equal(name.len, VR_NAME_MAX);
    assert_int_equal(long_name(&name, 60, ".x"), -EINVAL);

    char text[2 * 128];
    for (int i = 0; i < 128; i++)
        memcpy(text + 2 * i, "x.", 2);
    assert_int_equal(vr_name_from_text(&name, text, 2 * 127), 0);
    assert_int_equal(name.len, VR_NAME_MAX);
    assert_int_equal(vr_name_from_text(&name, text, 2 * 128), -EINVAL);
}

/* RFC 1035 section 5.1, and the octets that a master file gives a meaning to. */
static void text_of_a_name_escapes_what_is_special(void **state)
{
    (void)state;
    static const struct {
        const char *wire, *text;
    } cases[] = {
        {"00", "."},
        {"03 777777 02 4558 00", "www.EX."},
        {"0a 2e 5c 22 28 29 3b 40 24 20 7f 00", "\\.\\\\\\\"\\(\\)\\;\\@\\$\\032\\127."},
        {"05 00 09 80 c3 ff 00", "\\000\\009\\128\\195\\255."},
        {"05 2a 5f 2d 2f 27 00", "*_-/'."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        octets wire = octets_from_hex(cases[i].wire);
        vr_name name = {.len = (uint8_t)wire.len};
        memcpy(name.octets, wire.at, wire.len);
        free(wire.at);
        char text[VR_NAME_TEXT_SIZE];
        assert_int_equal(vr_name_to_text(&name, text, sizeof text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void every_octet_survives_its_text(void **state)
{
    (void)state;
    for (int octet = 0; octet < 256; octet++) {
        vr_name name = {.len = 4, .octets = {2, (uint8_t)octet, 'x', 0}};
        char text[VR_NAME_TEXT_SIZE];
        ssize_t len = vr_name_to_text(&name, text, sizeof text);
        assert_int_equal(len, strlen(text));
        for (ssize_t i = 0; i < len; i++)
            assert_in_range(text[i], '!', '~');
        vr_name again = from_text(text);
        assert_int_equal(again.len, name.len);
        assert_memory_equal(again.octets, name.octets, name.len);
    }
}

static vr_name random_name(uint32_t *seed)
{
    vr_name name = {.len = 0};
    size_t at = 0;
    size_t end = 1 + octets_random(seed) % 254;
    while (at + 2 <= end) {
        size_t most = end - at - 1 < VR_LABEL_MAX ? end - at - 1 : VR_LABEL_MAX;
        size_t len = 1 + octets_random(seed) % most;
        name.octets[at++] = (uint8_t)len;
        for (size_t i = 0; i < len; i++)
            name.octets[at++] = (uint8_t)octets_random(seed);
    }
    name.octets[at] = 0;
    name.len = (uint8_t)(at + 1);
    return name;
}

static void random_names_survive_their_text(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        vr_name name = random_name(&seed);
        char text[VR_NAME_TEXT_SIZE];
        assert_true(vr_name_to_text(&name, text, sizeof text) > 0);
        vr_name again = from_text(text);
        assert_int_equal(again.len, name.len);
        assert_memory_equal(again.octets, name.octets, name.len);
    }
}

static void longest_text_fits_its_size(void **state)
{
    (void)state;
    vr_name name;
    assert_int_equal(long_name(&name, 61, ""), 0);
    for (size_t i = 0; i < name.len; i += 1u + name.octets[i])
        memset(name.octets + i + 1, 0xff, name.octets[i]);
    char text[VR_NAME_TEXT_SIZE];
    assert_int_equal(vr_name_to_text(&name, text, sizeof text), 4 * (255 - 5) + 4);
}

static void room_too_small_is_reported_at_every_size(void **state)
{
    (void)state;
    static const char *const texts[] = {".", "a.", "www.ex\\.am\\000ple.com."};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        vr_name name = from_text(texts[i]);
        size_t len = strlen(texts[i]);
        for (size_t size = 0; size <= len; size++) {
            octets room = octets_copy(texts[i], size);
            assert_int_equal(vr_name_to_text(&name, (char *)room.at, size), -ENOSPC);
            free(room.at);
        }
        octets room = octets_copy(texts[i], len + 1);
        assert_int_equal(vr_name_to_text(&name, (char *)room.at, len + 1), len);
        assert_string_equal((char *)room.at, texts[i]);
        free(room.at);
    }
}

/* --- Comparison --- */

static bool equal(const char *a, const char *b)
{
    vr_name name_a = from_text(a), name_b = from_text(b);
    return vr_name_equal(&name_a, &name_b);
}

/* RFC 4343: ASCII letters of either case match, and nothing else. */
static void comparison_ignores_the_case_of_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(equal("www.EXAMPLE.com", "WWW.example.COM."));
    assert_true(equal(".", "."));
    assert_false(equal("a", "."));
    assert_false(equal("a.b", "a.c"));
    assert_false(equal("a.b", "a\\.b"));
    assert_false(equal("\\@", "`"));
    assert_false(equal("[", "{"));
    assert_false(equal("\\193", "\\225")); /* A and a with acute in Latin-1 */
    for (int octet = 0; octet < 256; octet++) {
        vr_name a = {.len = 3, .octets = {1, (uint8_t)octet, 0}};
        for (int other = 0; other < 256; other++) {
            vr_name b = {.len = 3, .octets = {1, (uint8_t)other, 0}};
            bool letters = (octet ^ other) == 0x20 && (octet | 0x20) >= 'a' && (octet | 0x20) <= 'z';
            assert_int_equal(vr_name_equal(&a, &b), octet == other || letters);
        }
    }
}

static bool within(const char *name, const char *ancestor)
{
    vr_name name_a = from_text(name), name_b = from_text(ancestor);
    return vr_name_within(&name_a, &name_b);
}

static void name_is_within_itself_and_what_is_above_it(void **state)
{
    (void)state;
    assert_true(within("www.example.com", "example.com"));
    assert_true(within("www.Example.com", "eXAMPLE.com"));
    assert_true(within("example.com", "example.com"));
    assert_true(within("example.com", "."));
    assert_true(within(".", "."));
    assert_false(within("example.com", "www.example.com"));
    assert_false(within(".", "com"));
    assert_false(within("example.org", "example.com"));
    assert_false(within("notexample.com", "example.com"));
    /* The same octets at the end, but not at a label's start: the label is "x", 3, "com". */
    assert_false(within("x\\003com", "com"));
}

/* --- Wire format --- */

/* Reads at `offset` of a message of twelve octets of header and these. */
static ssize_t read_at(vr_name *out, const char *hex, size_t offset)
{
    octets body = octets_from_hex(hex);
    octets message = {calloc(1, VR_HEADER_SIZE + body.len), VR_HEADER_SIZE + body.len};
    memcpy(message.at + VR_HEADER_SIZE, body.at, body.len);
    ssize_t behind = vr_name_read(out, message.at, message.len, offset);

    /* The checker must be of the same opinion, always. */
    vr_name_checker checker;
    vr_name_checker_init(&checker, message.at, message.len);
    assert_int_equal(vr_name_checker_pass(&checker, offset), behind);
    assert_int_equal(vr_name_checker_pass(&checker, offset), behind);
    free(body.at);
    free(message.at);
    return behind;
}

/* RFC 1035 section 4.1.4. */
static void compression_is_undone(void **state)
{
    (void)state;
    static const char message[] = "01 66 03 697369 04 61727061 00" /* 12: f.isi.arpa, the RFC's own example */
                                  "03 666f6f c00c"                 /* 24: foo, then F.ISI.ARPA */
                                  "c012"                           /* 30: ARPA */
                                  "00"                             /* 32: the root */
                                  "01 78 c018"                     /* 33: x, then foo.f.isi.arpa by two pointers */
                                  "c021"; /* 37: the same, whose pointer ends just before this one */
    vr_name name;
    assert_int_equal(read_at(&name, message, 12), 24);
    assert_name_is(&name, "01 66 03 697369 04 61727061 00");
    assert_int_equal(read_at(&name, message, 24), 30);
    assert_name_is(&name, "03 666f6f 01 66 03 697369 04 61727061 00");
    assert_int_equal(read_at(&name, message, 30), 32);
    assert_name_is(&name, "04 61727061 00");
    assert_int_equal(read_at(&name, message, 32), 33);
    assert_name_is(&name, "00");
    assert_int_equal(read_at(&name, message, 33), 37);
    assert_name_is(&name, "01 78 03 666f6f 01 66 03 697369 04 61727061 00");
    assert_int_equal(read_at(&name, message, 37), 39);
    assert_name_is(&name, "01 78 03 666f6f 01 66 03 697369 04 61727061 00");
}

static void pointers_that_do_not_go_back_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        size_t offset;
    } cases[] = {
        {"c00c", 12},             /* to itself */
        {"c00e 01 61 00", 12},    /* forward */
        {"c0ff", 12},             /* forward, out of the message */
        {"ffff", 12},             /* the same, as far as can be */
        {"c00e c00c", 12},        /* a circle of two */
        {"c00e c00c", 14},        /* the same, from its other end */
        {"01 61 c00c", 12},       /* to the start of its own labels */
        {"01 61 01 62 c00e", 12}, /* into its own labels */
        {"c000", 12},             /* into the header, of zeros: no name stands there */
        {"c00b 00", 12},
        {"04 61c00e00 01 c00c 00", 18}, /* back, but to labels that run past the name that points there */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vr_name name;
        assert_int_equal(read_at(&name, cases[i].hex, cases[i].offset), -EBADMSG);
    }
}

/* RFC 6891 section 5: extended label types are obsolete; 10 was never given out. */
static void unknown_label_types_are_refused(void **state)
{
    (void)state;
    vr_name name;
    assert_int_equal(read_at(&name, "40 00 00 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "41 01 00 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "80 0c 00 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "bf 00 00 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "01 61 40 00 00", 12), -EBADMSG);
}

static void names_that_end_with_the_message_are_refused(void **state)
{
    (void)state;
    vr_name name;
    assert_int_equal(read_at(&name, "", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "01", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "01 61", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "02 61 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "3f 61 00", 12), -EBADMSG);
    assert_int_equal(read_at(&name, "00 c0", 13), -EBADMSG);
    assert_int_equal(read_at(&name, "00", 14), -EBADMSG);
    assert_int_equal(read_at(&name, "00", SIZE_MAX), -EBADMSG);
}

/* Pointers that lead to pointers: the last one follows `count` of them to the name "a". */
static ssize_t read_chain(int count)
{
    octets message = {calloc(1, 1024), VR_HEADER_SIZE};
    memcpy(message.at + message.len, "\001a\0", 3);
    size_t last = message.len;
    message.len += 3;
    for (int i = 0; i < count; i++) {
        message.at[message.len] = (uint8_t)(0xc0 | last >> 8);
        message.at[message.len + 1] = (uint8_t)last;
        last = message.len;
        message.len += 2;
    }
    vr_name name;
    vr_name_checker checker;
    vr_name_checker_init(&checker, message.at, message.len);
    ssize_t behind = vr_name_read(&name, message.at, message.len, last);
    assert_int_equal(vr_name_checker_pass(&checker, last), behind);
    free(message.at);
    return behind < 0 ? behind : behind - (ssize_t)last;
}

static void chains_of_pointers_are_followed_127_times(void **state)
{
    (void)state;
    assert_int_equal(read_chain(1), 2);
    assert_int_equal(read_chain(10), 2);
    assert_int_equal(read_chain(127), 2);
    assert_int_equal(read_chain(128), -EBADMSG);
    assert_int_equal(read_chain(500), -EBADMSG);
}

/* A name of 127 labels, each with a pointer to the ones behind it: the most that an honest writer may need. */
static void longest_name_is_read_label_by_label(void **state)
{
    (void)state;
    octets message = {calloc(1, 1024), VR_HEADER_SIZE};
    memcpy(message.at + message.len, "\001a\0", 3);
    size_t last = message.len;
    message.len += 3;
    for (int i = 1; i < 127; i++) {
        uint8_t part[] = {1, 'a', (uint8_t)(0xc0 | last >> 8), (uint8_t)last};
        memcpy(message.at + message.len, part, sizeof part);
        last = message.len;
        message.len += sizeof part;
    }
    vr_name name;
    assert_int_equal(vr_name_read(&name, message.at, message.len, last), message.len);
    assert_int_equal(name.len, 255);

    memcpy(message.at + message.len, "\001a", 2); /* one label more */
    message.at[message.len + 2] = (uint8_t)(0xc0 | last >> 8);
    message.at[message.len + 3] = (uint8_t)last;
    last = message.len;
    message.len += 4;
    assert_int_equal(vr_name_read(&name, message.at, message.len, last), -EBADMSG);
    free(message.at);
}

/* RFC 1035 section 2.3.4: the limit of 255 octets is the whole name's, compression undone. */
static void name_of_255_octets_behind_a_pointer_is_the_longest(void **state)
{
    (void)state;
    vr_name tail;
    assert_int_equal(long_name(&tail, 57, ""), 0);
    assert_int_equal(tail.len, 251);
    for (size_t label = 3; label <= 4; label++) {
        octets message = {calloc(1, 1024), VR_HEADER_SIZE};
        memcpy(message.at + message.len, tail.octets, tail.len);
        size_t start = message.len += tail.len;
        message.at[start] = (uint8_t)label;
        memset(message.at + start + 1, 'x', label);
        message.at[start + 1 + label] = 0xc0;
        message.at[start + 2 + label] = VR_HEADER_SIZE;
        message.len += label + 3;
        vr_name name;
        vr_name_checker checker;
        vr_name_checker_init(&checker, message.at, message.len);
        ssize_t behind = vr_name_read(&name, message.at, message.len, start);
        assert_int_equal(behind, label == 3 ? (ssize_t)message.len : -EBADMSG);
        assert_int_equal(vr_name_checker_pass(&checker, start), behind);
        free(message.at);
    }
}

static void checker_and_reader_agree_on_random_octets(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) { /* mostly what names are made of */
            uint32_t random = octets_random(&seed);
            bytes[i] = random % 4 == 0   ? 0xc0
                       : random % 4 == 1 ? (uint8_t)(random >> 8 & 63)
                                         : (uint8_t)(random >> 8 & 3);
        }
        octets message = octets_copy(bytes, sizeof bytes);
        vr_name_checker checker;
        vr_name_checker_init(&checker, message.at, message.len);
        for (size_t offset = VR_HEADER_SIZE; offset <= message.len; offset++) {
            vr_name name;
            ssize_t behind = vr_name_read(&name, message.at, message.len, offset);
            assert_int_equal(vr_name_checker_pass(&checker, offset), behind);
            if (behind >= 0)
                assert_int_equal(vr_name_skip(message.at, message.len, offset), behind);
        }
        free(message.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_labels),
        cmocka_unit_test(text_that_is_no_name_is_refused),
        cmocka_unit_test(nul_in_text_is_an_octet_as_any),
        cmocka_unit_test(label_of_63_octets_is_the_longest),
        cmocka_unit_test(name_of_255_octets_is_the_longest),
        cmocka_unit_test(text_of_a_name_escapes_what_is_special),
        cmocka_unit_test(every_octet_survives_its_text),
        cmocka_unit_test(random_names_survive_their_text),
        cmocka_unit_test(longest_text_fits_its_size),
        cmocka_unit_test(room_too_small_is_reported_at_every_size),
        cmocka_unit_test(comparison_ignores_the_case_of_ascii_letters_only),
        cmocka_unit_test(name_is_within_itself_and_what_is_above_it),
        cmocka_unit_test(compression_is_undone),
        cmocka_unit_test(pointers_that_do_not_go_back_are_refused),
        cmocka_unit_test(unknown_label_types_are_refused),
        cmocka_unit_test(names_that_end_with_the_message_are_refused),
        cmocka_unit_test(chains_of_pointers_are_followed_127_times),
        cmocka_unit_test(longest_name_is_read_label_by_label),
        cmocka_unit_test(name_of_255_octets_behind_a_pointer_is_the_longest),
        cmocka_unit_test(checker_and_reader_agree_on_random_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
