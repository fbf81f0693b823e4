/* Servers that fail, refuse, are dead, are silent, or do not know EDNS: who is asked next, and what comes of it. */
#include "lookup_support.h"

#include <stdio.h>

/* What a lookup may take that no timeout is part of; those of these tests are of PATIENCE / 7 at least. */
#define SOON VR_SECONDS(5)

static void assert_soon(vr_time since)
{
    assert_in_range(vr_now() - since, 0, SOON);
}

/* --- Failures --- */

static void assert_goes_on_to_the_next(fake_behaviour *bad)
{
    vr_time began = vr_now();

    ask_two(bad, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_int_equal(one.answer->server.address.v4.sin_port, server_b.address.address.v4.sin_port);
    assert_int_equal(server_a.count, 1);
    assert_soon(began);
}

static void servfail_leads_to_the_next_server(void **state)
{
    assert_goes_on_to_the_next(fake_fails);
}

static void refused_leads_to_the_next_server(void **state)
{
    assert_goes_on_to_the_next(fake_refuses);
}

static void does_not_implement(fake_query *query)
{
    fake_reply(query, VR_RCODE_NOTIMP);
}

static void notimp_leads_to_the_next_server(void **state)
{
    assert_goes_on_to_the_next(does_not_implement);
}

static void says_nxdomain(fake_query *query)
{
    fake_reply(query, VR_RCODE_NXDOMAIN);
}

static void nxdomain_does_not_lead_to_the_next_server(void **state)
{
    ask_two(says_nxdomain, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_NXDOMAIN);
    assert_int_equal(server_b.count, 0);
}

static void last_answer_is_handed_over_when_all_servers_fail(void **state)
{
    vr_time began = vr_now();

    ask_two(fake_fails, fake_refuses);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_REFUSED);
    assert_int_equal(one.answer->server.address.v4.sin_port, server_b.address.address.v4.sin_port);
    assert_int_equal(server_a.count, 1);
    assert_int_equal(server_b.count, 1);
    assert_soon(began);
}

static void failure_of_the_only_server_is_handed_over(void **state)
{
    vr_time began = vr_now();

    ask_one(fake_fails);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_SERVFAIL);
    assert_int_equal(server_a.count, 1);
    assert_soon(began);
}

static void failure_over_tcp_leads_to_the_next_server(void **state)
{
    ask_two_by(VR_TRANSPORT_TCP, fake_fails, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_int_equal(server_a.over_tcp, 1);
}

/* A server that fails is no better than its last answer when the other one says nothing until the time is up. */
static void failure_is_handed_over_when_the_other_server_is_silent_to_the_end(void **state)
{
    ask_two(fake_fails, fake_is_silent);
    one = (job){.question = question_of("www.example.com", VR_TYPE_A), .timeout = VR_SECONDS(1)};
    looks_up(&one);
    assert_int_equal(one.error, 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_SERVFAIL);
}

static void many_lookups_go_on_to_the_next_server_each_for_itself(void **state)
{
    enum { COUNT = 200 };
    static job jobs[COUNT];
    vr_time began = vr_now();

    ask_two(fake_fails, fake_answers);
    for (int i = 0; i < COUNT; i++)
        start(&jobs[i], "www.example.com");
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 2);
        forget(&jobs[i]);
    }
    assert_soon(began);
}

static void rotation_spreads_lookups_over_the_servers(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_answers, 1), 0);
    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    open_resolver(&(vr_resolver_options){.retries = -1, .flags = VR_RESOLVER_ROTATE});
    for (int i = 0; i < 64; i++)
        assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(server_a.count + server_b.count, 64);
    assert_in_range(server_a.count, 8, 56); /* in turns, or by chance: it depends on the version of c-ares */
}

static void first_server_is_asked_first_without_rotation(void **state)
{
    ask_two(fake_answers, fake_answers);
    for (int i = 0; i < 20; i++)
        assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(server_a.count, 20);
    assert_int_equal(server_b.count, 0);
}

/* --- EDNS (RFC 6891 section 7) --- */

/* As a server that is older than EDNS: a header and nothing more, in answer to what has an OPT record. */
static void knows_no_edns(fake_query *query)
{
    const uint8_t header[VR_HEADER_SIZE] = {(uint8_t)(query->id >> 8), (uint8_t)query->id, 0x80, VR_RCODE_FORMERR};

    if (query->edns.present)
        fake_send(query, header, sizeof header);
    else
        fake_reply(query, 0);
}

static void knows_no_edns_and_repeats_the_question(fake_query *query)
{
    fake_query plain = *query;

    plain.edns.present = false;
    fake_reply(&plain, query->edns.present ? VR_RCODE_FORMERR : 0);
}

static void assert_asked_again_without_edns(void)
{
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_false(one.answer->edns.present);
    assert_int_equal(server_a.count, 2);
    assert_true(server_a.queries[0]->edns.present);
    assert_false(server_a.queries[1]->edns.present);
    assert_true(server_a.queries[1]->flags == server_a.queries[0]->flags);
    assert_int_equal(server_a.queries[1]->len, server_a.queries[0]->len - 11);
}

static void formerr_of_a_header_alone_has_the_server_asked_again_without_edns(void **state)
{
    ask_one(knows_no_edns);
    assert_asked_again_without_edns();
}

static void formerr_with_the_question_has_the_server_asked_again_without_edns(void **state)
{
    ask_one(knows_no_edns_and_repeats_the_question);
    assert_asked_again_without_edns();
}

static void formerr_over_tcp_has_the_server_asked_again_without_edns(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, knows_no_edns);
    assert_asked_again_without_edns();
    assert_int_equal(server_a.over_tcp, 2);
    assert_int_equal(server_a.connected, 1);
}

static void cuts_what_has_no_edns(fake_query *query)
{
    if (query->edns.present)
        knows_no_edns(query);
    else
        fake_cuts(query);
}

static void answer_cut_without_edns_is_asked_for_over_tcp_without_edns(void **state)
{
    ask_one(cuts_what_has_no_edns);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(one.answer->over_tcp);
    assert_int_equal(server_a.count, 3);
    assert_false(server_a.queries[2]->edns.present);
}

static void finds_all_malformed(fake_query *query)
{
    fake_query plain = *query;

    plain.edns.present = false;
    fake_reply(&plain, VR_RCODE_FORMERR);
}

static void formerr_to_a_query_without_edns_is_handed_over(void **state)
{
    ask_one(finds_all_malformed);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_FORMERR);
    assert_int_equal(server_a.count, 2);
}

/* With an OPT record in it the FORMERR is not about EDNS. */
static void finds_it_malformed_with_edns(fake_query *query)
{
    fake_reply(query, VR_RCODE_FORMERR);
}

static void formerr_with_an_opt_record_is_handed_over(void **state)
{
    ask_one(finds_it_malformed_with_edns);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_FORMERR);
    assert_int_equal(server_a.count, 1);
}

/* --- Dead servers: no timeout is needed where the network says so (RFC 1122 section 4.1.3.3) --- */

/* Leaves server A's ports closed, its address known. */
static void close_ports_of_a(void)
{
    vr_server address = server_a.address;

    fake_stop(&server_a);
    server_a.address = address;
}

static void assert_closed_port_is_passed_over(enum vr_transport transport)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    server_a.address.transport = transport;
    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    close_ports_of_a();
    open_resolver(&(vr_resolver_options){.retries = -1});
    for (int i = 0; i < 20; i++) {
        vr_time began = vr_now();
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 2);
        assert_soon(began);
    }
}

static void closed_udp_port_is_passed_over_at_once(void **state)
{
    assert_closed_port_is_passed_over(VR_TRANSPORT_UDP);
}

static void closed_tcp_port_is_passed_over_at_once(void **state)
{
    assert_closed_port_is_passed_over(VR_TRANSPORT_TCP);
}

static void assert_refused(enum vr_transport transport)
{
    vr_time began = vr_now();

    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    server_a.address.transport = transport;
    close_ports_of_a();
    open_resolver(&(vr_resolver_options){.retries = -1});
    assert_int_equal(look_up("www.example.com"), -ECONNREFUSED);
    assert_null(one.answer);
    assert_soon(began);
}

static void econnrefused_when_the_only_udp_port_is_closed(void **state)
{
    assert_refused(VR_TRANSPORT_UDP);
}

static void econnrefused_when_the_only_tcp_port_is_closed(void **state)
{
    assert_refused(VR_TRANSPORT_TCP);
}

static void closed_port_costs_many_lookups_no_timeout(void **state)
{
    enum { COUNT = 500 };
    static job jobs[COUNT];
    vr_time began = vr_now();

    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    close_ports_of_a();
    open_resolver(&(vr_resolver_options){.retries = -1});
    for (int i = 0; i < COUNT; i++)
        start(&jobs[i], "www.example.com");
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 2);
        forget(&jobs[i]);
    }
    assert_soon(began);
}

/* One whose messages the kernel does not even take: it wants leave to send to a broadcast address. */
static void server_that_cannot_be_sent_to_is_passed_over_at_once(void **state)
{
    vr_server servers[2];
    vr_resolver_options options = {.servers = servers, .server_count = 2, .timeout = PATIENCE, .retries = -1};
    static job jobs[50];
    vr_time began = vr_now();

    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    assert_int_equal(vr_server_from_text(&servers[0], "127.255.255.255:9"), 0);
    servers[1] = server_b.address;
    assert_int_equal(vr_resolver_new(&resolver, &options), 0);
    for (int i = 0; i < 50; i++)
        start(&jobs[i], "www.example.com");
    for (int i = 0; i < 50; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 2);
        forget(&jobs[i]);
    }
    assert_soon(began);
}

static void ipv6_server_is_asked(void **state)
{
    int error = fake_start_at(&server_a, "::1", fake_cuts, 1);

    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
        skip(); /* a machine without IPv6 */
    assert_int_equal(error, 0);
    open_resolver(&(vr_resolver_options){.retries = -1});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(one.answer->over_tcp);
    assert_int_equal(server_a.count, 2);
}

static void closed_port_of_ipv6_is_passed_over_at_once(void **state)
{
    vr_time began = vr_now();
    int error = fake_start_at(&server_a, "::1", fake_is_silent, 1);

    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT)
        skip();
    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    close_ports_of_a();
    open_resolver(&(vr_resolver_options){.retries = -1});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_soon(began);
}

/* --- Silence --- */

static void silence_ends_with_etimedout_when_the_time_is_up(void **state)
{
    ask_one(fake_is_silent);
    vr_time began = vr_now();
    one = (job){.question = question_of("www.example.com", VR_TYPE_A), .timeout = VR_MILLISECONDS(300)};
    looks_up(&one);
    assert_int_equal(one.error, -ETIMEDOUT);
    assert_null(one.answer);
    assert_int_equal(vr_now() - began, VR_MILLISECONDS(300));
}

static void silence_over_tcp_ends_with_etimedout_when_the_time_is_up(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_is_silent);
    vr_time began = vr_now();
    one = (job){.question = question_of("www.example.com", VR_TYPE_A), .timeout = VR_MILLISECONDS(300)};
    looks_up(&one);
    assert_int_equal(one.error, -ETIMEDOUT);
    assert_int_equal(vr_now() - began, VR_MILLISECONDS(300));
}

static void resolver_timeout_is_a_lookups_without_one_of_its_own(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    open_resolver(&(vr_resolver_options){.retries = 0, .timeout = VR_SECONDS(2)});
    vr_time began = vr_now();
    assert_int_equal(look_up("www.example.com"), -ETIMEDOUT);
    assert_int_equal(vr_now() - began, VR_SECONDS(2));
}

/* The schedule of retries runs on the system's clock: a short one. 250 ms, less than which c-ares 1.34 does not wait,
 * then twice as long, then four times. */
static void open_impatient_resolver(int retries)
{
    open_resolver(&(vr_resolver_options){.retries = retries, .timeout = VR_MILLISECONDS(1750)});
}

static void silent_server_is_asked_again_as_often_as_retries_say(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    open_impatient_resolver(2);
    vr_time began = vr_now();
    assert_int_equal(look_up("www.example.com"), -ETIMEDOUT);
    assert_in_range(vr_now() - began, VR_MILLISECONDS(1500), VR_SECONDS(10));
    assert_int_equal(server_a.count, 3);
}

static void silent_server_is_asked_once_without_retries(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    open_impatient_resolver(0);
    assert_int_equal(look_up("www.example.com"), -ETIMEDOUT);
    assert_int_equal(server_a.count, 1);
}

/* RFC 5452 section 9.2: each message has an id and a port drawn anew. */
static void retries_have_ids_of_their_own(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    open_impatient_resolver(2);
    assert_int_equal(look_up("www.example.com"), -ETIMEDOUT);
    assert_int_equal(server_a.count, 3);
    assert_true(server_a.queries[0]->id != server_a.queries[1]->id);
    assert_true(server_a.queries[1]->id != server_a.queries[2]->id);
}

static void answers_the_second_time(fake_query *query)
{
    if (query->server->count == 2)
        fake_reply(query, 0);
}

static void lost_query_is_sent_again(void **state)
{
    assert_int_equal(fake_start(&server_a, answers_the_second_time, 1), 0);
    open_resolver(&(vr_resolver_options){.retries = 2, .timeout = VR_MILLISECONDS(700)});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_a.count, 2);
}

static void answers_the_first_query_at_the_second(fake_query *query)
{
    if (query->server->count == 2)
        fake_reply(query->server->queries[0], 0);
}

static void late_answer_to_the_first_query_is_taken_after_the_second_was_sent(void **state)
{
    assert_int_equal(fake_start(&server_a, answers_the_first_query_at_the_second, 1), 0);
    open_resolver(&(vr_resolver_options){.retries = 2, .timeout = VR_MILLISECONDS(700)});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_a.count, 2);
}

static void answers_late_for_server_a(fake_query *query)
{
    fake_reply(server_a.queries[0], 0);
}

static void late_answer_of_server_a_is_taken_while_server_b_is_asked(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    assert_int_equal(fake_start(&server_b, answers_late_for_server_a, 2), 0);
    open_resolver(&(vr_resolver_options){.retries = 2, .timeout = VR_MILLISECONDS(700)});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(one.answer->server.address.v4.sin_port, server_a.address.address.v4.sin_port);
}

static void silent_server_leads_to_the_next(void **state)
{
    assert_int_equal(fake_start(&server_a, fake_is_silent, 1), 0);
    assert_int_equal(fake_start(&server_b, fake_answers, 2), 0);
    open_resolver(&(vr_resolver_options){.retries = 2, .timeout = VR_MILLISECONDS(700)});
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(servfail_leads_to_the_next_server),
        real_test(refused_leads_to_the_next_server),
        real_test(notimp_leads_to_the_next_server),
        real_test(nxdomain_does_not_lead_to_the_next_server),
        real_test(last_answer_is_handed_over_when_all_servers_fail),
        real_test(failure_of_the_only_server_is_handed_over),
        real_test(failure_over_tcp_leads_to_the_next_server),
        virtual_test(failure_is_handed_over_when_the_other_server_is_silent_to_the_end),
        real_test(many_lookups_go_on_to_the_next_server_each_for_itself),
        real_test(rotation_spreads_lookups_over_the_servers),
        real_test(first_server_is_asked_first_without_rotation),
        real_test(formerr_of_a_header_alone_has_the_server_asked_again_without_edns),
        real_test(formerr_with_the_question_has_the_server_asked_again_without_edns),
        real_test(formerr_over_tcp_has_the_server_asked_again_without_edns),
        real_test(answer_cut_without_edns_is_asked_for_over_tcp_without_edns),
        real_test(formerr_to_a_query_without_edns_is_handed_over),
        real_test(formerr_with_an_opt_record_is_handed_over),
        real_test(closed_udp_port_is_passed_over_at_once),
        real_test(closed_tcp_port_is_passed_over_at_once),
        real_test(econnrefused_when_the_only_udp_port_is_closed),
        real_test(econnrefused_when_the_only_tcp_port_is_closed),
        real_test(closed_port_costs_many_lookups_no_timeout),
        real_test(server_that_cannot_be_sent_to_is_passed_over_at_once),
        real_test(ipv6_server_is_asked),
        real_test(closed_port_of_ipv6_is_passed_over_at_once),
        virtual_test(silence_ends_with_etimedout_when_the_time_is_up),
        virtual_test(silence_over_tcp_ends_with_etimedout_when_the_time_is_up),
        virtual_test(resolver_timeout_is_a_lookups_without_one_of_its_own),
        real_test(silent_server_is_asked_again_as_often_as_retries_say),
        real_test(silent_server_is_asked_once_without_retries),
        real_test(retries_have_ids_of_their_own),
        real_test(lost_query_is_sent_again),
        real_test(late_answer_to_the_first_query_is_taken_after_the_second_was_sent),
        real_test(late_answer_of_server_a_is_taken_while_server_b_is_asked),
        real_test(silent_server_leads_to_the_next),
    };

    return cmocka_run_group_tests_name("failover", tests, NULL, NULL);
}
