/*
 * The JSON writer, and text that goes into it.
 */
#include "cmocka_all.h"
#include "dnstext.h"
#include "json.h"

#include <stdio.h>

static void assert_text(struct buffer *buffer, const char *expected)
{
    buffer_char(buffer, '\0');
    assert_string_equal(buffer->data, expected);
    buffer->len = 0;
}

/* A string of octets between quotes, escaped. */
static void write_string(struct buffer *out, const char *octets, size_t len)
{
    size_t opened = json_open_string(out);
    buffer_append(out, octets, len);
    json_close_string(out, opened);
}

static void every_ascii_octet_is_escaped_where_json_says_so(void **state)
{
    struct buffer out = {0};
    (void)state;
    for (unsigned octet = 0; octet < 0x80; octet++) {
        char expected[16], raw = (char)octet;
        if (octet < ' ')
            snprintf(expected, sizeof expected, "\"<\\u%04x>\"", octet);
        else if (octet == '"' || octet == '\\')
            snprintf(expected, sizeof expected, "\"<\\%c>\"", (int)octet);
        else
            snprintf(expected, sizeof expected, "\"<%c>\"", (int)octet);
        char text[] = {'<', raw, '>'};
        write_string(&out, text, sizeof text);
        assert_text(&out, expected);
    }
    buffer_done(&out);
}

static void escapes_do_not_overwrite_each_other(void **state)
{
    struct buffer out = {0};
    (void)state;
    write_string(&out, "\"\"\\\n\0a\"\1", 8);
    assert_text(&out, "\"\\\"\\\"\\\\\\u000a\\u0000a\\\"\\u0001\"");
    buffer_done(&out);
}

/* What is given in the input: any octets. */
static void every_given_octet_becomes_valid_text(void **state)
{
    struct buffer out = {0};
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        char expected[16], raw = (char)octet;
        if (octet < ' ' || octet >= 0x7f || octet == '\\')
            snprintf(expected, sizeof expected, "\\%03u", octet);
        else
            snprintf(expected, sizeof expected, "%c", (int)octet);
        buffer_given(&out, &raw, 1);
        assert_text(&out, expected);
    }
    buffer_done(&out);
}

static void given_utf8_stays_and_what_is_none_does_not(void **state)
{
    static const struct {
        const char *given, *text;
    } cases[] = {
        {"\xc3\xbc\xe4\xbe\x8b\xf0\x9f\x90\xa6", "\xc3\xbc\xe4\xbe\x8b\xf0\x9f\x90\xa6"},
        {"\xc2\x9b", "\\194\\155"}, /* C1: a terminal's CSI */
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xc0\xaf", "\\192\\175"},                   /* overlong */
        {"\xe0\x80\xaf", "\\224\\128\\175"},          /* overlong */
        {"\xf0\x80\x80\xaf", "\\240\\128\\128\\175"}, /* overlong */
        {"\xed\xa0\x80", "\\237\\160\\128"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\244\\144\\128\\128"}, /* beyond Unicode */
        {"\xf8\x88\x80\x80\x80", "\\248\\136\\128\\128\\128"},
        {"\xc3", "\\195"}, /* cut */
        {"\xe4\xbe", "\\228\\190"},
        {"\xc3x", "\\195x"},
        {"\xbfx", "\\191x"},
    };
    struct buffer out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_given(&out, cases[i].given, strlen(cases[i].given));
        assert_text(&out, cases[i].text);
    }
    buffer_done(&out);
}

static void names_of_all_octets_become_ascii_strings(void **state)
{
    struct buffer out = {0};
    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        vr_name name = {.len = 3, .octets = {1, (uint8_t)octet, 0}};
        size_t opened = json_open_string(&out);
        buffer_name(&out, &name);
        json_close_string(&out, opened);
        for (size_t i = 1; i + 1 < out.len; i++) {
            assert_in_range(out.data[i], ' ', '~');
            if (out.data[i] == '\\')
                assert_true(strchr("\"\\", out.data[++i]));
            else
                assert_int_not_equal(out.data[i], '"');
        }
        out.len = 0;
    }
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ascii_octet_is_escaped_where_json_says_so),
        cmocka_unit_test(escapes_do_not_overwrite_each_other),
        cmocka_unit_test(every_given_octet_becomes_valid_text),
        cmocka_unit_test(given_utf8_stays_and_what_is_none_does_not),
        cmocka_unit_test(names_of_all_octets_become_ascii_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
