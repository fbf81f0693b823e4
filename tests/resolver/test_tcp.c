/* Lookups over TCP (RFC 7766): after an answer was cut, or from the start; and connections that do not last. */
#include "lookup_support.h"

#include <stdio.h>

enum { COUNT = 100 };
static job jobs[COUNT];

static void start_jobs(int first, int end)
{
    for (int i = first; i < end; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.example.com", i);
        start(&jobs[i], name);
    }
}

static void join_jobs(int first, int end)
{
    for (int i = first; i < end; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 1);
        vr_question question = question_in(jobs[i].answer);
        assert_true(vr_name_equal(&question.name, &jobs[i].question.name));
        forget(&jobs[i]);
    }
}

/* --- Answers that were cut --- */

static void cut_answer_is_asked_for_again_over_tcp(void **state)
{
    ask_one(fake_cuts);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(one.answer->over_tcp);
    assert_false(flags_of(one.answer) & VR_FLAG_TC);
    assert_int_equal(server_a.count, 2);
    assert_int_equal(server_a.over_tcp, 1);
    assert_true(server_a.queries[1]->id != server_a.queries[0]->id);
}

static void many_cut_answers_share_a_connection(void **state)
{
    ask_one(fake_cuts);
    start_jobs(0, COUNT);
    join_jobs(0, COUNT);
    assert_int_equal(server_a.over_tcp, COUNT);
    assert_int_equal(server_a.connected, 1);
}

static void cut_answer_is_passed_on_by_udp_alone(void **state)
{
    ask_one_by(VR_TRANSPORT_UDP, fake_cuts);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
    assert_false(one.answer->over_tcp);
    assert_int_equal(server_a.over_tcp, 0);
}

/* It may be cut anywhere: what is left of its records is not looked at. */
static void cuts_in_the_middle_of_a_record(fake_query *query)
{
    uint8_t answer[FAKE_SIZE];
    fake_query plain = *query;

    plain.edns.present = false;
    size_t len = fake_answer(&plain, 0, answer);
    answer[2] |= VR_FLAG_TC >> 8;
    fake_send(query, answer, len - 3);
}

static void answer_cut_in_the_middle_of_a_record_keeps_its_question_only(void **state)
{
    ask_one_by(VR_TRANSPORT_UDP, cuts_in_the_middle_of_a_record);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
    assert_int_equal(one.answer->len, VR_HEADER_SIZE + one.question.name.len + 4);
    assert_int_equal(vr_message_check(one.answer->message, one.answer->len, NULL), 0);
}

static void cuts_and_closes(fake_query *query)
{
    if (query->connection)
        fake_close(query);
    else
        fake_reply(query, VR_FLAG_TC);
}

static void cut_answer_is_handed_on_when_the_server_closes_tcp(void **state)
{
    ask_one(cuts_and_closes);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
    assert_false(one.answer->over_tcp);
}

static void cut_answer_is_handed_on_when_tcp_is_refused(void **state)
{
    ask_one(fake_cuts);
    vr_kill(server_a.acceptor, -ECANCELED);
    assert_int_equal(vr_join(server_a.acceptor, VR_FOREVER), 0);
    vr_close(server_a.tcp);
    server_a.tcp = vr_socket(AF_INET, SOCK_STREAM, 0); /* for fake_stop to close */
    assert_int_equal(look_up("www.example.com"), 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
}

static void cuts_and_is_silent(fake_query *query)
{
    if (!query->connection)
        fake_reply(query, VR_FLAG_TC);
}

static void cut_answer_is_handed_on_when_tcp_is_silent(void **state)
{
    ask_one(cuts_and_is_silent);
    one = (job){.question = question_of("www.example.com", VR_TYPE_A), .timeout = VR_SECONDS(1)};
    looks_up(&one);
    assert_int_equal(one.error, 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
}

static size_t long_size;

/* Too long by far for what we said we take over UDP; sent nevertheless. */
static void answers_at_length(fake_query *query)
{
    uint8_t *answer = fake_long_answer(query, 0, long_size);

    fake_send(query, answer, long_size);
    free(answer);
}

/* RFC 6891 section 6.2.5: requestors get more than they asked for, at times. */
static void udp_answer_of_4096_octets_is_taken(void **state)
{
    ask_one(answers_at_length);
    long_size = 4096;
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(one.answer->len, 4096);
    assert_false(one.answer->over_tcp);
}

static void udp_answer_beyond_4096_octets_is_asked_for_over_tcp(void **state)
{
    ask_one(answers_at_length);
    long_size = 4097;
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(one.answer->len, 4097);
    assert_true(one.answer->over_tcp);
}

static void udp_answer_beyond_4096_octets_is_cut_without_tcp(void **state)
{
    ask_one_by(VR_TRANSPORT_UDP, answers_at_length);
    long_size = 9000;
    assert_int_equal(look_up("www.example.com"), 0);
    assert_true(flags_of(one.answer) & VR_FLAG_TC);
}

/* --- One connection, many queries (section 6.2.1.1) --- */

static void tcp_server_is_not_asked_over_udp(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(one.answer->over_tcp);
    assert_int_equal(server_a.count, 1);
    assert_int_equal(server_a.over_tcp, 1);
}

static void queries_are_pipelined_on_one_connection(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_is_silent);
    start_jobs(0, COUNT);
    fake_await(&server_a, COUNT); /* all have come, none is answered */
    assert_int_equal(server_a.connected, 1);
    for (int i = 0; i < COUNT; i++)
        fake_reply(server_a.queries[i], 0);
    join_jobs(0, COUNT);
}

static void answers_out_of_order_find_their_lookups(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_is_silent);
    start_jobs(0, COUNT);
    fake_await(&server_a, COUNT);
    for (int i = COUNT; i-- > 0;)
        fake_reply(server_a.queries[i], 0);
    join_jobs(0, COUNT);
}

static void connection_is_used_for_one_lookup_after_the_other(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_answers);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.connected, 1);
}

/* --- Framing --- */

static void answers_octet_by_octet(fake_query *query)
{
    uint8_t answer[2 + FAKE_SIZE];
    size_t len = fake_answer(query, 0, answer + 2);

    answer[0] = (uint8_t)(len >> 8);
    answer[1] = (uint8_t)len;
    for (size_t i = 0; i < 2 + len; i++) {
        fake_write(query, answer + i, 1);
        vr_sleep(0);
    }
}

static void answer_that_comes_octet_by_octet_is_put_together(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_octet_by_octet);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
}

static void assert_length_arrives(size_t len)
{
    long_size = len;
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(one.answer->len, len);
    assert_int_equal(one.answer->message[len - 11 + 2], VR_TYPE_OPT);
    assert_true(one.answer->edns.present);
}

static void answers_of_all_lengths_arrive_whole(void **state)
{
    static const size_t lengths[] = {512, 4095, 4096, 4097, 16381, 16382, 16383, 16384, 16385, 40000, 65534, 65535};

    ask_one_by(VR_TRANSPORT_TCP, answers_at_length);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_length_arrives(lengths[i]);
    assert_int_equal(server_a.connected, 1);
}

static void longest_answers_are_pipelined(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_at_length);
    long_size = VR_MESSAGE_MAX;
    start_jobs(0, 20);
    for (int i = 0; i < 20; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, 0);
        assert_int_equal(jobs[i].answer->len, VR_MESSAGE_MAX);
        forget(&jobs[i]);
    }
    assert_int_equal(server_a.connected, 1);
}

/* Lengths that no message has. */
static void answers_after_messages_that_are_too_short(fake_query *query)
{
    fake_write(query, "\0\0\0\5hello\0\13hello world", 22);
    fake_reply(query, 0);
}

static void message_below_a_header_is_ignored_like_others_that_are_broken(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_after_messages_that_are_too_short);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.connected, 1);
}

/* --- Connections that end --- */

static void answers_one_query_of_a_connection(fake_query *query)
{
    if (query->connection->queries == 1)
        fake_reply(query, 0);
    else
        fake_close(query);
}

/* Section 6.2.4: idle to the server's mind, and closed just as a query was on its way. */
static void query_is_sent_again_when_the_server_closes_as_it_comes(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_one_query_of_a_connection);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.connected, 10);
    assert_int_equal(server_a.count, 19);
}

/* All that are pipelined at that moment. */
static void answers_the_first_query_and_closes_at_the_20th(fake_query *query)
{
    if (query->connection->next || query->connection->queries == 1)
        fake_reply(query, 0);
    else if (query->connection->queries == 20)
        fake_close(query);
}

static void pipelined_queries_are_all_sent_again(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_the_first_query_and_closes_at_the_20th);
    assert_int_equal(look_up("www.example.com"), 0);
    start_jobs(0, 19);
    join_jobs(0, 19);
    assert_int_equal(server_a.connected, 2);
}

static void answers_the_first_query_of_all(fake_query *query)
{
    if (query->server->count == 1)
        fake_reply(query, 0);
    else
        fake_close(query);
}

static void server_that_closes_twice_leads_to_the_next(void **state)
{
    ask_two_by(VR_TRANSPORT_TCP, answers_the_first_query_of_all, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_int_equal(server_a.connected, 2);
}

static void closes(fake_query *query)
{
    fake_close(query);
}

static void server_that_closes_without_any_answer_leads_to_the_next(void **state)
{
    ask_two_by(VR_TRANSPORT_TCP, closes, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_int_equal(server_a.connected, 2); /* it may have been starting again */
}

static void only_server_that_closes_is_an_error(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, closes);
    assert_int_equal(look_up("www.example.com"), -ECONNRESET);
    assert_null(one.answer);
}

static void closes_in_the_middle_of_the_answer(fake_query *query)
{
    uint8_t answer[2 + FAKE_SIZE];
    size_t len = fake_answer(query, 0, answer + 2);

    answer[0] = (uint8_t)(len >> 8);
    answer[1] = (uint8_t)len;
    fake_write(query, answer, len / 2);
    fake_close(query);
}

static void answer_that_breaks_off_leads_to_the_next_server(void **state)
{
    ask_two_by(VR_TRANSPORT_TCP, closes_in_the_middle_of_the_answer, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
}

static void answers_and_closes(fake_query *query)
{
    fake_reply(query, 0);
    fake_close(query);
}

static void server_may_close_after_each_answer(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_and_closes);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.connected, 20);
}

/* Many queries, each on a connection that breaks after one answer: those that have been sent again once may be lost. */
static void lookups_over_connections_that_break_all_end(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, answers_and_closes);
    start_jobs(0, COUNT);
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        assert_true(jobs[i].error == 0 || jobs[i].error == -ECONNRESET || jobs[i].error == -EPIPE);
        forget(&jobs[i]);
    }
}

/* --- The deadline of one lookup is not another's --- */

static void is_silent_about_n0(fake_query *query)
{
    if (memcmp(query->question.name.octets, "\2n0", 3) != 0)
        fake_reply(query, 0);
}

static void lookup_that_times_out_leaves_the_connection_to_others(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, is_silent_about_n0);
    start_jobs(0, 10);
    jobs[0].timeout = VR_MILLISECONDS(500);
    join_jobs(1, 10);
    join(&jobs[0]);
    assert_int_equal(jobs[0].error, -ETIMEDOUT);
    forget(&jobs[0]);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_a.connected, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(cut_answer_is_asked_for_again_over_tcp),
        real_test(many_cut_answers_share_a_connection),
        real_test(cut_answer_is_passed_on_by_udp_alone),
        real_test(answer_cut_in_the_middle_of_a_record_keeps_its_question_only),
        real_test(cut_answer_is_handed_on_when_the_server_closes_tcp),
        real_test(cut_answer_is_handed_on_when_tcp_is_refused),
        virtual_test(cut_answer_is_handed_on_when_tcp_is_silent),
        real_test(udp_answer_of_4096_octets_is_taken),
        real_test(udp_answer_beyond_4096_octets_is_asked_for_over_tcp),
        real_test(udp_answer_beyond_4096_octets_is_cut_without_tcp),
        real_test(tcp_server_is_not_asked_over_udp),
        real_test(queries_are_pipelined_on_one_connection),
        real_test(answers_out_of_order_find_their_lookups),
        real_test(connection_is_used_for_one_lookup_after_the_other),
        real_test(answer_that_comes_octet_by_octet_is_put_together),
        real_test(answers_of_all_lengths_arrive_whole),
        real_test(longest_answers_are_pipelined),
        real_test(message_below_a_header_is_ignored_like_others_that_are_broken),
        real_test(query_is_sent_again_when_the_server_closes_as_it_comes),
        real_test(pipelined_queries_are_all_sent_again),
        real_test(server_that_closes_twice_leads_to_the_next),
        real_test(server_that_closes_without_any_answer_leads_to_the_next),
        real_test(only_server_that_closes_is_an_error),
        real_test(answer_that_breaks_off_leads_to_the_next_server),
        real_test(server_may_close_after_each_answer),
        real_test(lookups_over_connections_that_break_all_end),
        virtual_test(lookup_that_times_out_leaves_the_connection_to_others),
    };

    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
