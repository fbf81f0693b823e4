/*
 * Mnemonics of types, classes and rcodes, against IANA's registry "Domain Name System (DNS) Parameters".
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <vireo/dns.h>

typedef const char *text_of(uint16_t number, char out[VR_MNEMONIC_SIZE]);

struct sample {
    uint16_t number;
    const char *text;
};

static void assert_texts(text_of *text, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[VR_MNEMONIC_SIZE];
        assert_ptr_equal(text(samples[i].number, out), out);
        assert_string_equal(out, samples[i].text);
    }
}

static void types_have_their_mnemonics(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {VR_TYPE_A, "A"},
        {VR_TYPE_NS, "NS"},
        {VR_TYPE_CNAME, "CNAME"},
        {VR_TYPE_SOA, "SOA"},
        {VR_TYPE_PTR, "PTR"},
        {VR_TYPE_MX, "MX"},
        {VR_TYPE_TXT, "TXT"},
        {VR_TYPE_AAAA, "AAAA"},
        {VR_TYPE_SRV, "SRV"},
        {VR_TYPE_DNAME, "DNAME"},
        {VR_TYPE_OPT, "OPT"},
        {VR_TYPE_TKEY, "TKEY"},
        {VR_TYPE_TSIG, "TSIG"},
        {VR_TYPE_IXFR, "IXFR"},
        {VR_TYPE_AXFR, "AXFR"},
        {VR_TYPE_ANY, "ANY"},
        {43, "DS"},
        {46, "RRSIG"},
        {47, "NSEC"},
        {48, "DNSKEY"},
        {51, "NSEC3PARAM"},
        {61, "OPENPGPKEY"},
        {64, "SVCB"},
        {65, "HTTPS"},
        {257, "CAA"},
        {32769, "DLV"},
    };
    assert_texts(vr_type_text, samples, sizeof samples / sizeof samples[0]);
}

/* RFC 3597 section 5. */
static void unknown_numbers_have_texts(void **state)
{
    (void)state;
    static const struct sample types[] = {{0, "TYPE0"}, {54, "TYPE54"}, {65280, "TYPE65280"}, {65535, "TYPE65535"}};
    static const struct sample classes[] = {{0, "CLASS0"}, {2, "CLASS2"}, {65535, "CLASS65535"}};
    static const struct sample rcodes[] = {
        {12, "RCODE12"}, {15, "RCODE15"}, {4095, "RCODE4095"}, {65535, "RCODE65535"}};
    assert_texts(vr_type_text, types, sizeof types / sizeof types[0]);
    assert_texts(vr_class_text, classes, sizeof classes / sizeof classes[0]);
    assert_texts(vr_rcode_text, rcodes, sizeof rcodes / sizeof rcodes[0]);
}

static void classes_and_rcodes_have_their_mnemonics(void **state)
{
    (void)state;
    static const struct sample classes[] = {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}};
    static const struct sample rcodes[] = {
        {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
        {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
        {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
        {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
    };
    assert_texts(vr_class_text, classes, sizeof classes / sizeof classes[0]);
    assert_texts(vr_rcode_text, rcodes, sizeof rcodes / sizeof rcodes[0]);
}

/* A table out of order would hide some of its entries here. */
static void every_number_survives_its_text(void **state)
{
    (void)state;
    int named = 0;
    for (int number = 0; number <= UINT16_MAX; number++) {
        char text[VR_MNEMONIC_SIZE];
        vr_type_text((uint16_t)number, text);
        assert_int_equal(vr_type_from_text(text), number);
        named += strncmp(text, "TYPE", 4) != 0;
        vr_class_text((uint16_t)number, text);
        assert_int_equal(vr_class_from_text(text), number);
    }
    assert_int_equal(named, 97);
}

static void mnemonics_are_read_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(vr_type_from_text("a"), 1);
    assert_int_equal(vr_type_from_text("aAaA"), 28);
    assert_int_equal(vr_type_from_text("nsap-ptr"), 23);
    assert_int_equal(vr_type_from_text("type65280"), 65280);
    assert_int_equal(vr_type_from_text("TYPE1"), 1);
    assert_int_equal(vr_type_from_text("Type00028"), 28);
    assert_int_equal(vr_class_from_text("ch"), 3);
    assert_int_equal(vr_class_from_text("class255"), 255);
}

static void texts_that_are_no_mnemonics_are_refused(void **state)
{
    (void)state;
    static const char *const types[] = {
        "",       "AA",     "A ",     " A", "TYPE", "TYPE65536",      "TYPE-1",
        "TYPE+1", "TYPE1x", "TYPE 1", "1",  "TYP1", "TYPE4294967297", "TYPE99999999999999999999",
        "CLASS1", "IN",
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(vr_type_from_text(types[i]), -EINVAL);
    static const char *const classes[] = {"", "I", "INN", "CLASS", "CLASS65536", "CLASSIN", "TYPE1", "A"};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        assert_int_equal(vr_class_from_text(classes[i]), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_mnemonics),
        cmocka_unit_test(unknown_numbers_have_texts),
        cmocka_unit_test(classes_and_rcodes_have_their_mnemonics),
        cmocka_unit_test(every_number_survives_its_text),
        cmocka_unit_test(mnemonics_are_read_in_any_case),
        cmocka_unit_test(texts_that_are_no_mnemonics_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
