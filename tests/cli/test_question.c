#include "cmocka_all.h"
#include "question.h"

#include <string.h>

/* The name that is asked for, as text; or the fault with "!" in front. */
static const char *asked(const char *text, size_t len, uint16_t type)
{
    static char out[VR_NAME_TEXT_SIZE + 1];
    vr_question question;
    const char *fault = question_from_text(&question, text, len, type);
    if (fault) {
        out[0] = '!';
        strcpy(out + 1, fault);
        return out;
    }
    assert_int_equal(question.type, type);
    assert_int_equal(question.class_, VR_CLASS_IN);
    assert_true(vr_name_to_text(&question.name, out, sizeof out) > 0);
    return out;
}

static const char *asked_text(const char *text, uint16_t type)
{
    return asked(text, strlen(text), type);
}

static void ascii_names_are_taken_literally(void **state)
{
    (void)state;
    assert_string_equal(asked_text("www.Example.com", VR_TYPE_A), "www.Example.com.");
    assert_string_equal(asked_text("www.example.com.", VR_TYPE_A), "www.example.com.");
    assert_string_equal(asked_text("_25._tcp.-x-.example", VR_TYPE_A), "_25._tcp.-x-.example.");
    assert_string_equal(asked_text("a\\.b\\032c.example", VR_TYPE_A), "a\\.b\\032c.example.");
    assert_string_equal(asked_text(".", VR_TYPE_NS), ".");
}

static void other_names_go_by_idna(void **state)
{
    (void)state;
    assert_string_equal(asked_text("b\xc3\xbc"
                                   "cher.example",
                                   VR_TYPE_A),
                        "xn--bcher-kva.example.");
    assert_string_equal(asked_text("BU\xcc\x88"
                                   "CHER.example.",
                                   VR_TYPE_A),
                        "xn--bcher-kva.example.");
    assert_string_equal(asked_text("fa\xc3\x9f.de", VR_TYPE_A), "xn--fa-hia.de.");
    assert_string_equal(asked_text("_sip._tcp.\xe4\xbe\x8b.test", VR_TYPE_SRV), "_sip._tcp.xn--fsq.test.");
}

static void names_that_are_none_have_a_reason(void **state)
{
    static const char label64[] = "0123456789012345678901234567890123456789012345678901234567890123.example";
    (void)state;
    assert_string_equal(asked_text("", VR_TYPE_A), "!not a domain name");
    assert_string_equal(asked_text("a..b", VR_TYPE_A), "!not a domain name");
    assert_string_equal(asked_text(label64, VR_TYPE_A), "!not a domain name");
    assert_string_equal(asked_text("a\\25", VR_TYPE_A), "!not a domain name");
    assert_string_equal(asked_text("\xff.example", VR_TYPE_A), "!string encoding error");
    assert_int_equal(asked_text("\xc3\xbc..example", VR_TYPE_A)[0], '!');
}

static void raw_control_characters_and_blanks_are_refused(void **state)
{
    static const char refused[] = {'\0', '\t', '\r', '\n', 1, 31, ' ', 127};
    (void)state;
    for (size_t i = 0; i < sizeof refused; i++) {
        char text[] = "a?b.example";
        text[1] = refused[i];
        assert_string_equal(asked(text, sizeof text - 1, VR_TYPE_A), "!a control character or blank in the name");
    }
}

static void address_becomes_its_reverse_name_for_ptr(void **state)
{
    (void)state;
    assert_string_equal(asked_text("192.0.2.1", VR_TYPE_PTR), "1.2.0.192.in-addr.arpa.");
    assert_string_equal(asked_text("10.200.30.255", VR_TYPE_PTR), "255.30.200.10.in-addr.arpa.");
    assert_string_equal(asked_text("2001:db8::567:89ab", VR_TYPE_PTR),
                        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
    assert_string_equal(asked_text("::ffff:192.0.2.1", VR_TYPE_PTR),
                        "1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.");
}

static void address_stays_a_name_for_other_types(void **state)
{
    (void)state;
    assert_string_equal(asked_text("192.0.2.1", VR_TYPE_A), "192.0.2.1.");
    assert_string_equal(asked_text("192.0.2.1.", VR_TYPE_PTR), "192.0.2.1.");
    assert_string_equal(asked_text("1.2.0.192.in-addr.arpa", VR_TYPE_PTR), "1.2.0.192.in-addr.arpa.");
}

static void meta_types_are_not_looked_up(void **state)
{
    static const int refused[] = {-22, 0, VR_TYPE_OPT, 128, VR_TYPE_TKEY, VR_TYPE_TSIG, VR_TYPE_IXFR, VR_TYPE_AXFR};
    static const int allowed[] = {VR_TYPE_A, VR_TYPE_CNAME, 65, 127, VR_TYPE_ANY, 256, 65535};
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(question_type_allowed(refused[i]));
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_true(question_type_allowed(allowed[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_names_are_taken_literally),
        cmocka_unit_test(other_names_go_by_idna),
        cmocka_unit_test(names_that_are_none_have_a_reason),
        cmocka_unit_test(raw_control_characters_and_blanks_are_refused),
        cmocka_unit_test(address_becomes_its_reverse_name_for_ptr),
        cmocka_unit_test(address_stays_a_name_for_other_types),
        cmocka_unit_test(meta_types_are_not_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
