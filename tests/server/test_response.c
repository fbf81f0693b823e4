/* The response to a query: its header, its EDNS, and where it is cut. */
#include "dns_support.h"

static const struct extended_error no_error;
static const vr_edns edns_1232 = {.udp_size = 1232}, edns_do = {.udp_size = 4096, .dnssec_ok = true};
static const sample_query usual = {"www.example.com", VR_TYPE_A, VR_FLAG_RD, NULL};
static const sample_query usual_edns = {"www.example.com", VR_TYPE_A, VR_FLAG_RD, &edns_1232};

static uint8_t room[VR_MESSAGE_MAX];
static response out;

static void add_address(vr_writer *writer, enum vr_section section, const char *owner, uint8_t last)
{
    const vr_name name = name_of(owner);
    const uint8_t address[] = {192, 0, 2, last};

    vr_writer_rr(writer, section, &name, VR_TYPE_A, VR_CLASS_IN, 300, address, sizeof address);
}

/* Finishes an answer to a query, reads it, and frees it. Returns its length. */
static size_t finish(vr_writer *writer, const struct query *query, struct extended_error error)
{
    vr_answer *answer = answer_of(writer);

    response_finish(answer, query, error);
    assert_true(answer->len <= answer->capacity);
    read_response(&out, answer);
    size_t len = answer->len;
    free(answer);
    return len;
}

/* An answer with one address and these flags of the upstream's. */
static void finish_one(const struct query *query, uint16_t flags)
{
    vr_writer writer;

    begin_answer(&writer, room, sizeof room, query, flags);
    add_address(&writer, VR_SECTION_ANSWER, "www.example.com", 1);
    finish(&writer, query, no_error);
}

static void error_of(const struct query *query, uint16_t rcode, struct extended_error error)
{
    vr_answer *answer = response_error(query, rcode, error);

    assert_non_null(answer);
    read_response(&out, answer);
    free(answer);
}

/* --- The header (RFC 1035 section 4.1.1, RFC 4035 section 3.2) --- */

static void id_and_question_are_the_clients(void **state)
{
    struct query query = query_of(&(sample_query){"wWw.eXample.COM", VR_TYPE_A, VR_FLAG_RD, NULL}, TRANSPORT_UDP);
    struct query lower = query_of(&usual, TRANSPORT_UDP);
    vr_writer writer;

    begin_answer(&writer, room, sizeof room, &lower, 0); /* as an upstream may have it */
    add_address(&writer, VR_SECTION_ANSWER, "www.example.com", 1);
    finish(&writer, &query, no_error);
    assert_int_equal(out.header.id, SAMPLE_ID);
    assert_int_equal(out.header.count[0], 1);
    assert_memory_equal(out.question.name.octets, query.question.name.octets, query.question.name.len);
    assert_string_equal(out.text, "0 wWw.eXample.COM. A 192.0.2.1"); /* its owner points to the question */
}

static void aa_ad_and_z_are_clear_ra_is_set(void **state)
{
    struct query query =
        query_of(&(sample_query){"www.example.com", VR_TYPE_A, VR_FLAG_AD | VR_FLAG_Z, NULL}, TRANSPORT_UDP);

    finish_one(&query, VR_FLAG_AA | VR_FLAG_AD | VR_FLAG_Z);
    assert_int_equal(out.header.flags, VR_FLAG_QR | VR_FLAG_RA);
}

static void rd_and_cd_are_copied_from_the_query(void **state)
{
    static const uint16_t flags[] = {0, VR_FLAG_RD, VR_FLAG_CD, VR_FLAG_RD | VR_FLAG_CD};

    for (int i = 0; i < 4; i++) {
        struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, flags[i], NULL}, TRANSPORT_UDP);
        finish_one(&query, VR_FLAG_RD | VR_FLAG_CD);
        assert_int_equal(out.header.flags, VR_FLAG_QR | VR_FLAG_RA | flags[i]);
        error_of(&query, VR_RCODE_SERVFAIL, no_error);
        assert_int_equal(out.header.flags, VR_FLAG_QR | VR_FLAG_RA | flags[i] | VR_RCODE_SERVFAIL);
    }
}

static void rcode_of_the_upstream_is_passed_on(void **state)
{
    struct query query = query_of(&usual, TRANSPORT_UDP);

    for (uint16_t rcode = 0; rcode < 16; rcode++) {
        finish_one(&query, rcode);
        assert_int_equal(rcode_of(&out), rcode);
    }
}

/* BADVERS, BADCOOKIE and the like are between us and the upstream. */
static void extended_rcode_of_the_upstream_is_servfail(void **state)
{
    struct query query = query_of(&usual_edns, TRANSPORT_UDP);
    vr_writer writer;

    begin_answer(&writer, room, sizeof room, &query, 0);
    vr_writer_opt(&writer, &(vr_edns){.udp_size = 1232, .rcode_high = 1});
    finish(&writer, &query, no_error);
    assert_int_equal(rcode_of(&out), VR_RCODE_SERVFAIL);
}

static void tc_of_the_upstream_is_passed_on_over_udp(void **state)
{
    struct query query = query_of(&usual, TRANSPORT_UDP);

    finish_one(&query, VR_FLAG_TC);
    assert_true(out.header.flags & VR_FLAG_TC);
    assert_string_equal(out.text, "0 www.example.com. A 192.0.2.1");
}

static void tc_of_the_upstream_is_servfail_over_tcp(void **state)
{
    struct query plain = query_of(&usual, TRANSPORT_TCP), edns = query_of(&usual_edns, TRANSPORT_TCP);

    finish_one(&plain, VR_FLAG_TC);
    assert_int_equal(rcode_of(&out), VR_RCODE_SERVFAIL);
    assert_false(out.header.flags & VR_FLAG_TC);
    assert_string_equal(out.text, "");
    assert_int_equal(out.question.type, VR_TYPE_A);
    assert_false(out.edns.present);

    finish_one(&edns, VR_FLAG_TC);
    assert_int_equal(rcode_of(&out), VR_RCODE_SERVFAIL);
    assert_true(out.edns.options_len > 6);
    assert_memory_equal(out.edns.options + 4, "\0\27", 2); /* network error */
}

static void opcode_is_copied_into_notimp(void **state)
{
    struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 5 << 11, NULL}, TRANSPORT_UDP);

    error_of(&query, query.rcode, no_error);
    assert_int_equal(out.header.flags & VR_FLAG_OPCODE, 5 << 11);
    assert_int_equal(rcode_of(&out), VR_RCODE_NOTIMP);
}

static void error_without_a_question_is_a_header(void **state)
{
    struct query query;
    uint8_t message[VR_HEADER_SIZE] = {0x12, 0x34};

    assert_true(query_read(&query, message, sizeof message, TRANSPORT_UDP));
    error_of(&query, query.rcode, no_error);
    assert_int_equal(rcode_of(&out), VR_RCODE_FORMERR);
    assert_int_equal(out.header.id, SAMPLE_ID);
    assert_int_equal(out.header.count[0], 0);
    assert_false(out.edns.present);
}

static void error_to_the_longest_name_is_whole(void **state)
{
    char name[255];

    for (int i = 0; i < 253; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    name[253] = '\0';
    struct query query = query_of(&(sample_query){name, VR_TYPE_A, 0, &edns_1232}, TRANSPORT_UDP);
    error_of(&query, VR_RCODE_SERVFAIL, (struct extended_error){22, "no upstream answered in time"});
    assert_int_equal(out.question.name.len, VR_NAME_MAX);
    assert_true(out.edns.present);
}

/* --- EDNS (RFC 6891) --- */

static void opt_stands_in_the_response_exactly_when_it_stood_in_the_query(void **state)
{
    struct query without = query_of(&usual, TRANSPORT_UDP), with = query_of(&usual_edns, TRANSPORT_UDP);

    finish_one(&without, 0);
    assert_false(out.edns.present);
    error_of(&without, VR_RCODE_SERVFAIL, no_error);
    assert_false(out.edns.present);
    finish_one(&with, 0);
    assert_true(out.edns.present);
    error_of(&with, VR_RCODE_SERVFAIL, no_error);
    assert_true(out.edns.present);
}

static void opt_says_version_0_and_1232_octets(void **state)
{
    struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns_do}, TRANSPORT_UDP);

    finish_one(&query, 0);
    assert_int_equal(out.edns.version, 0);
    assert_int_equal(out.edns.udp_size, 1232);
    assert_int_equal(out.edns.options_len, 0);
}

/* RFC 3225 section 3 */
static void do_bit_is_copied_from_the_query(void **state)
{
    struct query with = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns_do}, TRANSPORT_UDP);
    struct query without = query_of(&usual_edns, TRANSPORT_UDP);

    finish_one(&with, 0);
    assert_true(out.edns.dnssec_ok);
    finish_one(&without, 0);
    assert_false(out.edns.dnssec_ok);
}

/* Section 6.2.6: hop by hop. */
static void opt_of_the_upstream_is_not_passed_on(void **state)
{
    const vr_edns theirs = {
        .udp_size = 4096, .dnssec_ok = true, .options = (const uint8_t *)"\0\12\0\2ab", .options_len = 6};
    struct query queries[] = {query_of(&usual, TRANSPORT_UDP), query_of(&usual_edns, TRANSPORT_UDP)};

    for (int i = 0; i < 2; i++) {
        vr_writer writer;
        begin_answer(&writer, room, sizeof room, &queries[i], 0);
        add_address(&writer, VR_SECTION_ANSWER, "www.example.com", 1);
        vr_writer_opt(&writer, &theirs);
        finish(&writer, &queries[i], no_error);
        assert_int_equal(out.edns.present, i);
        assert_int_equal(out.edns.options_len, 0);
        assert_false(out.edns.dnssec_ok);
        assert_int_equal(out.header.count[3], i);
    }
}

static void opt_in_the_middle_of_the_additional_section_ends_it(void **state)
{
    struct query queries[] = {query_of(&usual, TRANSPORT_UDP), query_of(&usual_edns, TRANSPORT_TCP)};

    for (int i = 0; i < 2; i++) {
        vr_writer writer;
        begin_answer(&writer, room, sizeof room, &queries[i], 0);
        add_address(&writer, VR_SECTION_ANSWER, "www.example.com", 1);
        add_address(&writer, VR_SECTION_ADDITIONAL, "a.example.com", 2);
        vr_writer_opt(&writer, &edns_1232);
        add_address(&writer, VR_SECTION_ADDITIONAL, "b.example.com", 3);
        finish(&writer, &queries[i], no_error);
        assert_string_equal(out.text, "0 www.example.com. A 192.0.2.1; 2 a.example.com. A 192.0.2.2");
        assert_int_equal(out.header.count[3], 1 + i);
        assert_false(out.header.flags & VR_FLAG_TC);
    }
}

/* Section 6.1.3: no answer, whatever there is to be said. */
static void badvers_has_its_upper_bits_in_the_opt(void **state)
{
    uint8_t message[512];
    struct query query;
    size_t len = write_query(&usual_edns, message);

    message[len - 11 + 6] = 1;
    assert_true(query_read(&query, message, len, TRANSPORT_UDP));
    error_of(&query, query.rcode, no_error);
    assert_int_equal(rcode_of(&out), VR_RCODE_BADVERS);
    assert_int_equal(out.header.flags & VR_FLAG_RCODE, 0);
    assert_int_equal(out.edns.rcode_high, 1);
    assert_int_equal(out.edns.version, 0);
    assert_string_equal(out.text, "");
}

/* --- Extended errors (RFC 8914) --- */

static void extended_error_is_an_option(void **state)
{
    vr_answer *answer;
    struct query query = query_of(&usual_edns, TRANSPORT_UDP);

    answer = response_error(&query, VR_RCODE_SERVFAIL, (struct extended_error){22, "timed out"});
    read_response(&out, answer);
    assert_int_equal(out.edns.options_len, 4 + 2 + 9);
    assert_memory_equal(out.edns.options, "\0\17\0\13\0\26timed out", 15);
    free(answer);
}

static void extended_error_needs_edns(void **state)
{
    struct query query = query_of(&usual, TRANSPORT_UDP);

    error_of(&query, VR_RCODE_SERVFAIL, (struct extended_error){22, "timed out"});
    assert_false(out.edns.present);
    assert_int_equal(rcode_of(&out), VR_RCODE_SERVFAIL);
}

static void extended_error_of_any_length_fits_the_spare_room(void **state)
{
    char text[1000];
    struct query query = query_of(&usual_edns, TRANSPORT_UDP);

    for (size_t len = 0; len < sizeof text; len += len < 140 ? 1 : 100) {
        vr_writer writer;
        memset(text, 'x', len);
        text[len] = '\0';
        error_of(&query, VR_RCODE_SERVFAIL, (struct extended_error){23, text});
        assert_in_range(out.edns.options_len, 6 + (len < 100 ? len : 100), VR_ANSWER_SPARE - 11);
        begin_answer(&writer, room, sizeof room, &query, VR_RCODE_SERVFAIL);
        finish(&writer, &query, (struct extended_error){23, text});
        assert_true(out.edns.present);
    }
}

/* --- Cutting (RFC 2181 section 9) --- */

/* Whole RRsets in their order: owners, and how many records each has. */
static const struct rrset {
    enum vr_section section;
    const char *owner;
    int count;
} rrsets[] = {
    {VR_SECTION_ANSWER, "www.example.com.", 9},      {VR_SECTION_ANSWER, "x.example.com.", 17},
    {VR_SECTION_ANSWER, "y.example.com.", 1},        {VR_SECTION_AUTHORITY, "y.example.com.", 12},
    {VR_SECTION_AUTHORITY, "example.com.", 3},       {VR_SECTION_ADDITIONAL, "ns.example.com.", 14},
    {VR_SECTION_ADDITIONAL, "ns2.example.com.", 15},
};
enum { RRSETS = sizeof rrsets / sizeof rrsets[0] };

/* Writes the first `count` RRsets. Their text is put in `text`, unless that is NULL. */
static void write_rrsets(vr_writer *writer, int count, char *text)
{
    if (text)
        *text = '\0';
    for (int i = 0; i < count; i++)
        for (int n = 0; n < rrsets[i].count; n++) {
            add_address(writer, rrsets[i].section, rrsets[i].owner, (uint8_t)n);
            if (text)
                text += sprintf(text, "%s%d %s A 192.0.2.%d", i + n ? "; " : "", rrsets[i].section, rrsets[i].owner, n);
        }
}

/* How many of the RRsets fit in `limit` octets; by writing them. */
static int fitting(const struct query *query, size_t limit, char *text)
{
    vr_writer writer;

    for (int count = RRSETS; count > 0; count--) {
        begin_answer(&writer, room, sizeof room, query, 0);
        write_rrsets(&writer, count, text);
        if ((size_t)vr_writer_finish(&writer) <= limit)
            return count;
    }
    *text = '\0';
    return 0;
}

static void assert_cut_at(const struct query *query, size_t limit)
{
    static char expected[16384];
    vr_writer writer;
    int count = fitting(query, limit - (query->edns.present ? 11 : 0), expected);

    begin_answer(&writer, room, sizeof room, query, 0);
    write_rrsets(&writer, RRSETS, NULL);
    vr_writer_opt(&writer, &edns_1232);
    size_t len = finish(&writer, query, no_error);
    assert_true(len <= limit);
    assert_string_equal(out.text, expected);
    bool lost = count < RRSETS && rrsets[count].section != VR_SECTION_ADDITIONAL;
    assert_int_equal((out.header.flags & VR_FLAG_TC) != 0, lost);
    assert_int_equal(out.edns.present, query->edns.present);
}

static void udp_response_is_cut_between_rrsets_at_every_size(void **state)
{
    for (uint16_t size = 512; size <= 1240; size++) {
        const vr_edns edns = {.udp_size = size};
        struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns}, TRANSPORT_UDP);
        assert_cut_at(&query, size < 1232 ? size : 1232);
    }
}

static void udp_response_without_edns_is_cut_at_512_octets(void **state)
{
    struct query query = query_of(&usual, TRANSPORT_UDP);

    assert_cut_at(&query, 512);
}

/* RFC 6891 section 6.2.3 */
static void sizes_under_512_mean_512(void **state)
{
    static const uint16_t sizes[] = {0, 1, 100, 511};

    for (int i = 0; i < 4; i++) {
        const vr_edns edns = {.udp_size = sizes[i]};
        struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns}, TRANSPORT_UDP);
        assert_cut_at(&query, 512);
    }
}

static void no_client_gets_more_than_1232_octets_over_udp(void **state)
{
    static const uint16_t sizes[] = {1233, 4096, 65535};

    for (int i = 0; i < 3; i++) {
        const vr_edns edns = {.udp_size = sizes[i]};
        struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns}, TRANSPORT_UDP);
        assert_cut_at(&query, 1232);
    }
}

static void tcp_response_is_not_cut(void **state)
{
    struct query without = query_of(&usual, TRANSPORT_TCP), with = query_of(&usual_edns, TRANSPORT_TCP);

    assert_cut_at(&without, VR_MESSAGE_MAX);
    assert_cut_at(&with, VR_MESSAGE_MAX);
}

static void rrset_that_never_fits_leaves_the_question(void **state)
{
    struct query query = query_of(&usual, TRANSPORT_UDP);
    vr_writer writer;

    begin_answer(&writer, room, sizeof room, &query, 0);
    for (int i = 0; i < 100; i++)
        add_address(&writer, VR_SECTION_ANSWER, "www.example.com", (uint8_t)i);
    size_t len = finish(&writer, &query, no_error);
    assert_int_equal(len, VR_HEADER_SIZE + query.question.name.len + 4);
    assert_int_equal(out.header.count[1], 0);
    assert_true(out.header.flags & VR_FLAG_TC);
}

/* The extended error takes room, too. */
static void response_with_an_extended_error_stays_within_the_limit(void **state)
{
    const vr_edns edns = {.udp_size = 512};
    struct query query = query_of(&(sample_query){"www.example.com", VR_TYPE_A, 0, &edns}, TRANSPORT_UDP);

    for (int records = 20; records < 32; records++) {
        vr_writer writer;
        begin_answer(&writer, room, sizeof room, &query, 0);
        for (int i = 0; i < records; i++)
            add_address(&writer, VR_SECTION_ANSWER, "www.example.com", (uint8_t)i);
        size_t len = finish(&writer, &query, (struct extended_error){22, "a text that takes room of its own"});
        assert_true(len <= 512);
        assert_int_equal(out.header.count[1], out.header.flags & VR_FLAG_TC ? 0 : records);
    }
}

/* The longest answer that an upstream can give over TCP, and an OPT record of ours that it has no room for. */
static void longest_answer_and_an_opt_stay_a_message(void **state)
{
    static uint8_t data[32800];
    struct query query = query_of(&usual_edns, TRANSPORT_TCP);
    vr_writer writer;

    begin_answer(&writer, room, sizeof room, &query, 0);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &query.question.name, 65280, VR_CLASS_IN, 1, data, 32700);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &query.question.name, 65281, VR_CLASS_IN, 1, data,
                 VR_MESSAGE_MAX - writer.at - 12);
    vr_answer *answer = answer_of(&writer);
    assert_int_equal(answer->len, VR_MESSAGE_MAX);
    response_finish(answer, &query, no_error);
    assert_true(answer->len <= VR_MESSAGE_MAX);
    vr_edns edns;
    assert_int_equal(vr_message_check(answer->message, answer->len, &edns), 0);
    assert_true(edns.present);
    assert_true(answer->message[2] & VR_FLAG_TC >> 8);
    assert_int_equal(answer->message[7], 1);
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_and_question_are_the_clients),
        cmocka_unit_test(aa_ad_and_z_are_clear_ra_is_set),
        cmocka_unit_test(rd_and_cd_are_copied_from_the_query),
        cmocka_unit_test(rcode_of_the_upstream_is_passed_on),
        cmocka_unit_test(extended_rcode_of_the_upstream_is_servfail),
        cmocka_unit_test(tc_of_the_upstream_is_passed_on_over_udp),
        cmocka_unit_test(tc_of_the_upstream_is_servfail_over_tcp),
        cmocka_unit_test(opcode_is_copied_into_notimp),
        cmocka_unit_test(error_without_a_question_is_a_header),
        cmocka_unit_test(error_to_the_longest_name_is_whole),
        cmocka_unit_test(opt_stands_in_the_response_exactly_when_it_stood_in_the_query),
        cmocka_unit_test(opt_says_version_0_and_1232_octets),
        cmocka_unit_test(do_bit_is_copied_from_the_query),
        cmocka_unit_test(opt_of_the_upstream_is_not_passed_on),
        cmocka_unit_test(opt_in_the_middle_of_the_additional_section_ends_it),
        cmocka_unit_test(badvers_has_its_upper_bits_in_the_opt),
        cmocka_unit_test(extended_error_is_an_option),
        cmocka_unit_test(extended_error_needs_edns),
        cmocka_unit_test(extended_error_of_any_length_fits_the_spare_room),
        cmocka_unit_test(udp_response_is_cut_between_rrsets_at_every_size),
        cmocka_unit_test(udp_response_without_edns_is_cut_at_512_octets),
        cmocka_unit_test(sizes_under_512_mean_512),
        cmocka_unit_test(no_client_gets_more_than_1232_octets_over_udp),
        cmocka_unit_test(tcp_response_is_not_cut),
        cmocka_unit_test(rrset_that_never_fits_leaves_the_question),
        cmocka_unit_test(response_with_an_extended_error_stays_within_the_limit),
        cmocka_unit_test(longest_answer_and_an_opt_stay_a_message),
    };

    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
