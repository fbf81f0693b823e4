/*
 * What the formats write for fixed messages, to the octet.
 */
#include "format.h"
#include "sample.h"

#include <time.h>

#define ANSWER VR_SECTION_ANSWER
#define FLAGS (VR_FLAG_RD | VR_FLAG_RA)

static void assert_written(const struct record *record, format_function *format, const char *expected)
{
    struct buffer out = {0};
    format(&out, record);
    buffer_char(&out, '\0');
    assert_int_equal(out.error, 0);
    assert_string_equal(out.data, expected);
    buffer_done(&out);
}

/* --- Messages --- */

static void two_addresses(struct sample *sample)
{
    sample_begin(sample, "www.Example.com", VR_TYPE_A, FLAGS);
    sample_add(sample, ANSWER, "www.Example.com", VR_TYPE_A, 300, "\xc0\0\2\1", 4);
    sample_add(sample, ANSWER, "www.Example.com", VR_TYPE_A, 300, "\xc0\0\2\2", 4);
    sample_finish(sample);
}

/* A chain of names, an authority section, and an OPT record among the additional ones. */
static void all_sections(struct sample *sample)
{
    static const vr_edns edns = {.udp_size = 1232};
    sample_begin(sample, "alias.test", VR_TYPE_TXT, FLAGS | VR_FLAG_AA | VR_FLAG_AD | VR_FLAG_CD);
    sample_add_name(sample, ANSWER, "alias.test", VR_TYPE_CNAME, 60, "real.test");
    sample_add(sample, ANSWER, "real.test", VR_TYPE_TXT, 0x80000000, "\5a\"b\\\x07", 6);
    sample_add_name(sample, VR_SECTION_AUTHORITY, "test", VR_TYPE_NS, 7200, "ns.test");
    sample_add(sample, VR_SECTION_ADDITIONAL, "ns.test", VR_TYPE_A, 7200, "\x7f\0\0\1", 4);
    vr_writer_opt(&sample->writer, &edns);
    sample_finish(sample);
    sample->answer->over_tcp = true;
}

static void empty_answer(struct sample *sample, uint16_t flags)
{
    sample_begin(sample, "a\\.b.test", VR_TYPE_AAAA, flags);
    sample_finish(sample);
}

static void no_data(struct sample *sample)
{
    empty_answer(sample, FLAGS);
}

static void nxdomain(struct sample *sample)
{
    empty_answer(sample, FLAGS | VR_RCODE_NXDOMAIN);
}

static void no_flags(struct sample *sample)
{
    empty_answer(sample, VR_RCODE_SERVFAIL);
}

static void extended_rcode(struct sample *sample)
{
    static const vr_edns badvers = {.udp_size = 512, .rcode_high = 1};
    sample_begin(sample, "test", VR_TYPE_SOA, FLAGS);
    vr_writer_opt(&sample->writer, &badvers);
    sample_finish(sample);
}

/* SERVFAIL with a padding option, two extended errors, of which one has no text, and one that is too short for a code.
 */
static void extended_errors(struct sample *sample)
{
    static const uint8_t options[] = "\0\14\0\2\0\0"
                                     "\0\17\0\7\0\26down\t"
                                     "\0\17\0\2\0\27"
                                     "\0\17\0\1\0";
    const vr_edns edns = {.udp_size = 1232, .options = options, .options_len = sizeof options - 1};
    sample_begin(sample, "test", VR_TYPE_SOA, FLAGS | VR_RCODE_SERVFAIL);
    vr_writer_opt(&sample->writer, &edns);
    sample_finish(sample);
}

static void timeout(struct sample *sample)
{
    no_data(sample);
    sample->record.answer = NULL;
    sample->record.failure = "TIMEOUT";
    sample->record.reason = "timed out";
}

static void bad_input(struct sample *sample)
{
    static const char name[] = "a\tb\\\"c\x7f\xc3\xbc\xff\0 d";
    sample_fail(sample, name, sizeof name - 1, "F\"\x01", "BADTYPE");
}

static void each_is_written(void (*make)(struct sample *sample), format_function *format, const char *expected)
{
    struct sample sample;
    make(&sample);
    assert_written(&sample.record, format, expected);
    sample_done(&sample);
}

/* --- Formats --- */

static void text_has_a_line_of_columns(void **state)
{
    (void)state;
    each_is_written(two_addresses, format_text, "www.Example.com.\tA\tNOERROR\t192.0.2.1; 192.0.2.2\n");
    each_is_written(no_data, format_text, "a\\.b.test.\tAAAA\tNOERROR\n");
    each_is_written(nxdomain, format_text, "a\\.b.test.\tAAAA\tNXDOMAIN\n");
    each_is_written(extended_rcode, format_text, "test.\tSOA\tBADVERS\n");
}

static void text_says_the_type_of_what_was_not_asked_for(void **state)
{
    (void)state;
    each_is_written(all_sections, format_text, "alias.test.\tTXT\tNOERROR\tCNAME real.test.; \"a\\\"b\\\\\\007\"\n");
}

static void text_gives_the_reason_of_a_failure(void **state)
{
    (void)state;
    each_is_written(no_flags, format_text, "a\\.b.test.\tAAAA\tSERVFAIL\n");
    each_is_written(extended_errors, format_text, "test.\tSOA\tSERVFAIL\tEDE 22: down\\009; EDE 23\n");
    each_is_written(timeout, format_text, "a\\.b.test.\tAAAA\tTIMEOUT\ttimed out\n");
    each_is_written(bad_input, format_text,
                    "a\\009b\\092\"c\\127\xc3\xbc\\255\\000 d\tF\"\\001\tBADTYPE\tsaid \"no\"\n");
}

static void json_has_an_object_a_line(void **state)
{
    (void)state;
    each_is_written(
        two_addresses, format_json,
        "{\"name\":\"www.Example.com.\",\"type\":\"A\",\"class\":\"IN\",\"status\":\"NOERROR\","
        "\"timestamp\":\"2026-11-24T11:00:00.123456Z\",\"duration_us\":1234,"
        "\"resolver\":\"192.0.2.53:5353\",\"protocol\":\"UDP\",\"flags\":[\"rd\",\"ra\"],\"answers\":["
        "{\"name\":\"www.Example.com.\",\"type\":\"A\",\"class\":\"IN\",\"ttl\":300,\"data\":\"192.0.2.1\"},"
        "{\"name\":\"www.Example.com.\",\"type\":\"A\",\"class\":\"IN\",\"ttl\":300,\"data\":\"192.0.2.2\"}"
        "]}\n");
}

static void json_has_all_sections_but_no_opt(void **state)
{
    (void)state;
    each_is_written(
        all_sections, format_json,
        "{\"name\":\"alias.test.\",\"type\":\"TXT\",\"class\":\"IN\",\"status\":\"NOERROR\","
        "\"timestamp\":\"2026-11-24T11:00:00.123456Z\",\"duration_us\":1234,\"resolver\":\"192.0.2.53:5353\","
        "\"protocol\":\"TCP\",\"flags\":[\"aa\",\"rd\",\"ra\",\"ad\",\"cd\"],\"answers\":["
        "{\"name\":\"alias.test.\",\"type\":\"CNAME\",\"class\":\"IN\",\"ttl\":60,\"data\":\"real.test.\"},"
        "{\"name\":\"real.test.\",\"type\":\"TXT\",\"class\":\"IN\",\"ttl\":0,\"data\":\"\\\"a\\\\\\\"b\\\\\\\\\\\\007\\\"\"}],"
        "\"authorities\":[{\"name\":\"test.\",\"type\":\"NS\",\"class\":\"IN\",\"ttl\":7200,\"data\":\"ns.test.\"}],"
        "\"additionals\":[{\"name\":\"ns.test.\",\"type\":\"A\",\"class\":\"IN\",\"ttl\":7200,\"data\":\"127.0.0.1\"}]}\n");
}

static void json_omits_empty_sections(void **state)
{
    (void)state;
    each_is_written(no_flags, format_json,
                    "{\"name\":\"a\\\\.b.test.\",\"type\":\"AAAA\",\"class\":\"IN\",\"status\":\"SERVFAIL\","
                    "\"timestamp\":\"2026-11-24T11:00:00.123456Z\",\"duration_us\":1234,"
                    "\"resolver\":\"192.0.2.53:5353\",\"protocol\":\"UDP\",\"flags\":[]}\n");
}

static void json_gives_the_reason_of_a_failure(void **state)
{
    (void)state;
    each_is_written(timeout, format_json,
                    "{\"name\":\"a\\\\.b.test.\",\"type\":\"AAAA\",\"class\":\"IN\",\"status\":\"TIMEOUT\","
                    "\"timestamp\":\"2026-11-24T11:00:00.123456Z\",\"error\":\"timed out\"}\n");
    each_is_written(bad_input, format_json,
                    "{\"name\":\"a\\\\009b\\\\092\\\"c\\\\127\xc3\xbc\\\\255\\\\000 d\",\"type\":\"F\\\"\\\\001\","
                    "\"class\":\"IN\",\"status\":\"BADTYPE\",\"timestamp\":\"1970-01-01T00:00:00.000000Z\","
                    "\"error\":\"said \\\"no\\\"\"}\n");
}

static void massdns_has_its_schema(void **state)
{
    (void)state;
    each_is_written(
        all_sections, format_massdns,
        "{\"name\":\"alias.test.\",\"type\":\"TXT\",\"class\":\"IN\",\"status\":\"NOERROR\","
        "\"rx_ts\":1795518000123456789,\"data\":{\"answers\":["
        "{\"ttl\":60,\"type\":\"CNAME\",\"class\":\"IN\",\"name\":\"alias.test.\",\"data\":\"real.test.\"},"
        "{\"ttl\":0,\"type\":\"TXT\",\"class\":\"IN\",\"name\":\"real.test.\",\"data\":\"\\\"a\\\\\\\"b\\\\\\\\\\\\007\\\"\"}],"
        "\"authorities\":[{\"ttl\":7200,\"type\":\"NS\",\"class\":\"IN\",\"name\":\"test.\",\"data\":\"ns.test.\"}],"
        "\"additionals\":[{\"ttl\":7200,\"type\":\"A\",\"class\":\"IN\",\"name\":\"ns.test.\",\"data\":\"127.0.0.1\"}]},"
        "\"flags\":[\"aa\",\"rd\",\"ra\",\"ad\",\"cd\"],\"resolver\":\"192.0.2.53:5353\",\"proto\":\"TCP\"}\n");
    each_is_written(nxdomain, format_massdns,
                    "{\"name\":\"a\\\\.b.test.\",\"type\":\"AAAA\",\"class\":\"IN\",\"status\":\"NXDOMAIN\","
                    "\"rx_ts\":1795518000123456789,\"data\":{},\"flags\":[\"rd\",\"ra\"],"
                    "\"resolver\":\"192.0.2.53:5353\",\"proto\":\"UDP\"}\n");
    each_is_written(timeout, format_massdns,
                    "{\"name\":\"a\\\\.b.test.\",\"type\":\"AAAA\",\"class\":\"IN\",\"error\":\"TIMEOUT\"}\n");
}

static void ipv6_resolver_is_in_brackets(void **state)
{
    (void)state;
    struct sample sample;
    no_flags(&sample);
    assert_int_equal(vr_server_from_text(&sample.answer->server, "[2001:db8::1]:53"), 0);
    assert_written(&sample.record, format_massdns,
                   "{\"name\":\"a\\\\.b.test.\",\"type\":\"AAAA\",\"class\":\"IN\",\"status\":\"SERVFAIL\","
                   "\"rx_ts\":1795518000123456789,\"data\":{},\"flags\":[],\"resolver\":\"[2001:db8::1]:53\","
                   "\"proto\":\"UDP\"}\n");
    sample_done(&sample);
}

/* --- Extremes --- */

static void timestamps_are_right_on_every_day(void **state)
{
    (void)state;
    struct sample sample;
    timeout(&sample);
    /* Every day from 1970 to 2399, one of its seconds. */
    for (int64_t day = 0; day < INT64_C(157000); day++) {
        int64_t second = day * 86400 + day * 7919 % 86400;
        if (second > INT64_MAX / 1000000000)
            break;
        time_t time = (time_t)second;
        struct tm tm;
        char expected[64];
        gmtime_r(&time, &tm);
        strftime(expected, sizeof expected, "\"timestamp\":\"%Y-%m-%dT%H:%M:%S.000001Z\"", &tm);
        sample.record.when = second * 1000000000 + 1999;
        struct buffer out = {0};
        format_json(&out, &sample.record);
        buffer_char(&out, '\0');
        assert_non_null(strstr(out.data, expected));
        buffer_done(&out);
    }
    sample_done(&sample);
}

/* 4 characters an octet, each backslash of them doubled. */
static void largest_data_is_written_whole(void **state)
{
    enum { STRINGS = 200, RDATA_LEN = STRINGS * 256 };
    (void)state;
    uint8_t *rdata = calloc(1, RDATA_LEN);
    assert_non_null(rdata);
    for (int i = 0; i < STRINGS; i++)
        rdata[i * 256] = 255;
    struct sample sample;
    sample_begin(&sample, "test", VR_TYPE_TXT, FLAGS);
    sample_add(&sample, ANSWER, "test", VR_TYPE_TXT, 1, rdata, RDATA_LEN);
    sample_finish(&sample);
    struct buffer out = {0};
    format_json(&out, &sample.record);
    assert_int_equal(out.error, 0);
    size_t zeros = 0;
    for (size_t i = 0; i + 5 <= out.len; i++)
        zeros += memcmp(out.data + i, "\\\\000", 5) == 0;
    assert_int_equal(zeros, STRINGS * 255);
    assert_memory_equal(out.data + out.len - 7, "\\\"\"}]}\n", 7);
    buffer_done(&out);
    sample_done(&sample);
    free(rdata);
}

static void formats_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(format_from_name("text"), format_text);
    assert_ptr_equal(format_from_name("json"), format_json);
    assert_ptr_equal(format_from_name("massdns"), format_massdns);
    assert_null(format_from_name("JSON"));
    assert_null(format_from_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_a_line_of_columns),
        cmocka_unit_test(text_says_the_type_of_what_was_not_asked_for),
        cmocka_unit_test(text_gives_the_reason_of_a_failure),
        cmocka_unit_test(json_has_an_object_a_line),
        cmocka_unit_test(json_has_all_sections_but_no_opt),
        cmocka_unit_test(json_omits_empty_sections),
        cmocka_unit_test(json_gives_the_reason_of_a_failure),
        cmocka_unit_test(massdns_has_its_schema),
        cmocka_unit_test(ipv6_resolver_is_in_brackets),
        cmocka_unit_test(timestamps_are_right_on_every_day),
        cmocka_unit_test(largest_data_is_written_whole),
        cmocka_unit_test(formats_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
