/* Which records of an answer belong to its question, and a message without the others. */
#include "chain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t message[4096], rewritten[4096];

static vr_name name_of(const char *text)
{
    vr_name name;

    assert_int_equal(vr_name_from_text(&name, text, strlen(text)), 0);
    return name;
}

static void begin(vr_writer *writer, const char *asked)
{
    vr_question question = {.name = name_of(asked), .type = VR_TYPE_A, .class_ = VR_CLASS_IN};

    vr_writer_init(writer, message, sizeof message, 7, VR_FLAG_QR);
    vr_writer_question(writer, &question);
}

static void add_name(vr_writer *writer, enum vr_section section, const char *owner, uint16_t type, const char *target)
{
    vr_name from = name_of(owner), to = name_of(target);

    vr_writer_rr(writer, section, &from, type, VR_CLASS_IN, 60, to.octets, to.len);
}

static void add_address(vr_writer *writer, const char *owner)
{
    vr_name name = name_of(owner);

    vr_writer_rr(writer, VR_SECTION_ANSWER, &name, VR_TYPE_A, VR_CLASS_IN, 60, "\300\0\2\1", 4);
}

/* The answer section of a message, as "OWNER TYPE, ..." */
static void assert_answers(const uint8_t *in, size_t len, const char *expected)
{
    char all[1024] = "", owner_text[VR_NAME_TEXT_SIZE], type[VR_MNEMONIC_SIZE];
    vr_reader reader;
    vr_rr rr;
    vr_name owner;

    assert_int_equal(vr_message_check(in, len, NULL), 0);
    vr_reader_init(&reader, in, len);
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER) {
        assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
        assert_true(vr_name_to_text(&owner, owner_text, sizeof owner_text) > 0);
        if (*all)
            strcat(all, ", ");
        strcat(all, owner_text);
        strcat(all, " ");
        strcat(all, vr_type_text(rr.type, type));
    }
    assert_string_equal(all, expected);
}

static size_t finish(vr_writer *writer)
{
    ssize_t len = vr_writer_finish(writer);

    assert_true(len > 0);
    assert_int_equal(vr_message_check(message, (size_t)len, NULL), 0);
    return (size_t)len;
}

static void assert_kept_whole(vr_writer *writer)
{
    assert_false(vr_chain_has_strays(message, finish(writer)));
}

static void assert_cleaned_to(vr_writer *writer, const char *expected)
{
    size_t len = finish(writer);

    assert_true(vr_chain_has_strays(message, len));
    ssize_t cleaned = vr_chain_rewrite(message, len, rewritten, sizeof rewritten);
    assert_true(cleaned > 0);
    assert_answers(rewritten, (size_t)cleaned, expected);
    assert_false(vr_chain_has_strays(rewritten, (size_t)cleaned));
}

static void records_of_the_name_asked_for_stay(void **state)
{
    vr_writer writer;

    begin(&writer, "www.example.");
    add_address(&writer, "www.example.");
    add_address(&writer, "WWW.example.");
    assert_kept_whole(&writer);
    (void)state;
}

static void records_at_the_end_of_the_chain_stay_in_any_order(void **state)
{
    vr_writer writer;

    begin(&writer, "www.example.");
    add_address(&writer, "c.example.");
    add_name(&writer, VR_SECTION_ANSWER, "b.example.", VR_TYPE_CNAME, "c.example.");
    add_name(&writer, VR_SECTION_ANSWER, "www.example.", VR_TYPE_CNAME, "b.example.");
    assert_kept_whole(&writer);
    (void)state;
}

static void dname_above_a_name_of_the_chain_stays_rfc6672(void **state)
{
    vr_writer writer;

    begin(&writer, "www.old.example.");
    add_name(&writer, VR_SECTION_ANSWER, "old.example.", VR_TYPE_DNAME, "new.example.");
    add_name(&writer, VR_SECTION_ANSWER, "www.old.example.", VR_TYPE_CNAME, "www.new.example.");
    add_address(&writer, "www.new.example.");
    assert_kept_whole(&writer);
    (void)state;
}

static void strays_go_and_the_rest_stays_readable_rfc5452_6(void **state)
{
    vr_writer writer;

    begin(&writer, "www.example.");
    add_address(&writer, "evil.target.example.");
    add_name(&writer, VR_SECTION_ANSWER, "www.example.", VR_TYPE_CNAME, "target.example.");
    add_address(&writer, "target.example.");
    add_address(&writer, "other.example.");
    add_name(&writer, VR_SECTION_AUTHORITY, "example.", VR_TYPE_NS, "evil.target.example.");
    assert_cleaned_to(&writer, "www.example. CNAME, target.example. A");
    (void)state;
}

static void dname_elsewhere_is_a_stray(void **state)
{
    vr_writer writer;

    begin(&writer, "www.example.");
    add_address(&writer, "www.example.");
    add_name(&writer, VR_SECTION_ANSWER, "bank.", VR_TYPE_DNAME, "evil.");
    assert_cleaned_to(&writer, "www.example. A");
    (void)state;
}

static void chain_that_is_a_loop_ends(void **state)
{
    vr_writer writer;

    begin(&writer, "a.example.");
    add_name(&writer, VR_SECTION_ANSWER, "a.example.", VR_TYPE_CNAME, "b.example.");
    add_name(&writer, VR_SECTION_ANSWER, "b.example.", VR_TYPE_CNAME, "a.example.");
    add_address(&writer, "c.example.");
    assert_cleaned_to(&writer, "a.example. CNAME, b.example. CNAME");
    (void)state;
}

static void too_little_room_is_an_error(void **state)
{
    vr_writer writer;

    begin(&writer, "www.example.");
    add_address(&writer, "www.example.");
    add_address(&writer, "other.example.");
    size_t len = finish(&writer);
    for (size_t size = 0; size < 45; size++)
        assert_int_equal(vr_chain_rewrite(message, len, rewritten, size), -ENOSPC);
    assert_int_equal(vr_chain_rewrite(message, len, rewritten, 45), 45);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_the_name_asked_for_stay),
        cmocka_unit_test(records_at_the_end_of_the_chain_stay_in_any_order),
        cmocka_unit_test(dname_above_a_name_of_the_chain_stays_rfc6672),
        cmocka_unit_test(strays_go_and_the_rest_stays_readable_rfc5452_6),
        cmocka_unit_test(dname_elsewhere_is_a_stray),
        cmocka_unit_test(chain_that_is_a_loop_ends),
        cmocka_unit_test(too_little_room_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
