/* localhost and the names below it, answered by vireod itself (RFC 6761 section 6.3). */
#include "dns_support.h"

#include "local.h"

static response out;

static void answer(const char *name, uint16_t type)
{
    struct query query = query_of(&(sample_query){name, type, VR_FLAG_RD, NULL}, TRANSPORT_UDP);

    assert_true(local_is(&query));
    vr_answer *made = local_answer(&query);
    assert_non_null(made);
    read_response(&out, made);
    assert_int_equal(out.header.id, SAMPLE_ID);
    assert_int_equal(out.header.flags, VR_FLAG_QR | VR_FLAG_RD | VR_FLAG_RA);
    free(made);
}

static bool is_local(const char *name)
{
    struct query query = query_of(&(sample_query){name, VR_TYPE_A, 0, NULL}, TRANSPORT_UDP);

    return local_is(&query);
}

static void localhost_and_names_below_it_are_local(void **state)
{
    assert_true(is_local("localhost"));
    assert_true(is_local("LocalHost"));
    assert_true(is_local("a.localhost"));
    assert_true(is_local("a.b.c.LOCALHOST"));
}

static void other_names_are_not_local(void **state)
{
    assert_false(is_local("."));
    assert_false(is_local("localhost.example.com"));
    assert_false(is_local("mylocalhost"));
    assert_false(is_local("localhost1"));
    assert_false(is_local("local"));
    assert_false(is_local("a\\.localhost")); /* one label */
}

static void other_classes_are_not_local(void **state)
{
    struct query query = query_of(&(sample_query){"localhost", VR_TYPE_A, 0, NULL}, TRANSPORT_UDP);

    query.question.class_ = VR_CLASS_CH;
    assert_false(local_is(&query));
}

static void addresses_are_the_loopbacks(void **state)
{
    answer("localhost", VR_TYPE_A);
    assert_string_equal(out.text, "0 localhost. A 127.0.0.1");
    answer("localhost", VR_TYPE_AAAA);
    assert_string_equal(out.text, "0 localhost. AAAA ::1");
    answer("a.b.localhost", VR_TYPE_A);
    assert_string_equal(out.text, "0 a.b.localhost. A 127.0.0.1");
    answer("localhost", VR_TYPE_ANY);
    assert_string_equal(out.text, "0 localhost. A 127.0.0.1; 0 localhost. AAAA ::1");
}

static void case_of_the_name_comes_back(void **state)
{
    answer("LocalHOST", VR_TYPE_A);
    assert_string_equal(out.text, "0 LocalHOST. A 127.0.0.1");
    assert_memory_equal(out.question.name.octets, "\11LocalHOST", 11);
}

/* RFC 2308 section 2.2: with an SOA, so that it can be kept. */
static void other_types_are_no_data(void **state)
{
    static const uint16_t types[] = {VR_TYPE_MX, VR_TYPE_TXT, VR_TYPE_NS, 65280};

    for (int i = 0; i < 4; i++) {
        answer("www.localhost", types[i]);
        assert_string_equal(out.text, "1 localhost. SOA localhost. nobody.invalid. 1 3600 1200 604800 10800");
    }
}

static void longest_name_below_localhost_is_answered(void **state)
{
    char name[255];

    for (int i = 0; i < 243; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    strcpy(name + 243, ".localhost");
    static const uint16_t types[] = {VR_TYPE_A, VR_TYPE_ANY, VR_TYPE_MX};
    for (int i = 0; i < 3; i++) {
        answer(name, types[i]);
        assert_int_equal(out.question.name.len, VR_NAME_MAX);
        assert_true(out.text[0] != '\0');
    }
}

static void edns_is_answered_with_edns(void **state)
{
    const vr_edns edns = {.udp_size = 1232};
    struct query query = query_of(&(sample_query){"localhost", VR_TYPE_A, 0, &edns}, TRANSPORT_UDP);
    vr_answer *made = local_answer(&query);

    read_response(&out, made);
    assert_true(out.edns.present);
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_and_names_below_it_are_local),
        cmocka_unit_test(other_names_are_not_local),
        cmocka_unit_test(other_classes_are_not_local),
        cmocka_unit_test(addresses_are_the_loopbacks),
        cmocka_unit_test(case_of_the_name_comes_back),
        cmocka_unit_test(other_types_are_no_data),
        cmocka_unit_test(longest_name_below_localhost_is_answered),
        cmocka_unit_test(edns_is_answered_with_edns),
    };

    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
