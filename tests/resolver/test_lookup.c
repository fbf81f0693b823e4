/* Lookups: many at once, their flags, how they end before their time, and what is left of them. */
#include "lookup_support.h"

#include "lookup.h"

#include <stdio.h>

enum { MANY = 2000 };
static job jobs[MANY];

static void start_jobs(int count)
{
    for (int i = 0; i < count; i++) {
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
        forget(&jobs[i]);
    }
}

/* Answers what has come and was not answered; gives way often enough that no socket overflows. */
static void answer_queries(fake_server *server, size_t first)
{
    for (size_t i = first; i < server->count; i++) {
        fake_reply(server->queries[i], 0);
        if (i % 32 == 31)
            vr_sleep(0);
    }
}

/* --- What a lookup brings --- */

static void lookup_brings_the_message_and_where_it_is_from(void **state)
{
    ask_one(fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    const vr_answer *answer = one.answer;
    assert_int_equal(vr_message_check(answer->message, answer->len, NULL), 0);
    assert_true(answer->capacity >= answer->len + VR_ANSWER_SPARE);
    assert_int_equal(answer->server.address.v4.sin_port, server_a.address.address.v4.sin_port);
    assert_false(answer->over_tcp);
    assert_true(answer->duration >= 0 && answer->duration < PATIENCE);
    assert_true(answer->edns.present);
    assert_int_equal(answer->edns.udp_size, 1232);
}

static void nxdomain_is_an_answer(void **state)
{
    ask_one(fake_is_silent);
    start(&jobs[0], "www.example.com");
    fake_await(&server_a, 1);
    fake_reply(server_a.queries[0], VR_RCODE_NXDOMAIN);
    join(&jobs[0]);
    assert_int_equal(jobs[0].error, 0);
    assert_int_equal(rcode_of(jobs[0].answer), VR_RCODE_NXDOMAIN);
    forget(&jobs[0]);
}

static void query_asks_for_recursion_and_offers_edns_with_1232_octets(void **state)
{
    ask_one(fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    const fake_query *query = server_a.queries[0];
    assert_int_equal(query->flags, VR_FLAG_RD);
    assert_true(query->edns.present && query->edns.version == 0 && !query->edns.dnssec_ok);
    assert_int_equal(query->edns.udp_size, 1232); /* DNS Flag Day 2020 */
    assert_int_equal(query->edns.options_len, 0);
}

static void query_flags_reach_the_server(void **state)
{
    ask_one(fake_answers);
    one = (job){.question = question_of("www.example.com", VR_TYPE_A),
                .flags = VR_QUERY_NO_RECURSION | VR_QUERY_CD | VR_QUERY_DO | VR_QUERY_AD};
    looks_up(&one);
    assert_answered(&one, 1);
    assert_int_equal(server_a.queries[0]->flags, VR_FLAG_CD | VR_FLAG_AD);
    assert_true(server_a.queries[0]->edns.dnssec_ok);
}

/* RFC 3597: types and classes that nobody knows pass as they are; so do all octets of a name. */
static void question_reaches_the_server_octet_by_octet(void **state)
{
    ask_one(fake_answers);
    one = (job){.question = question_of("a\\000b\\.c.\\255\\032.Example", 65280)};
    one.question.class_ = 0xfedc;
    looks_up(&one);
    assert_int_equal(one.error, 0);
    const vr_question *question = &server_a.queries[0]->question;
    assert_int_equal(question->type, 65280);
    assert_int_equal(question->class_, 0xfedc);
    assert_int_equal(question->name.len, one.question.name.len);
    assert_memory_equal(question->name.octets, one.question.name.octets, question->name.len);
}

static void longest_name_and_the_root_are_looked_up(void **state)
{
    char name[256];

    ask_one(fake_answers);
    assert_int_equal(look_up("."), 0);
    assert_answered(&one, 1);
    for (int i = 0; i < 253; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    name[253] = '\0';
    assert_int_equal(look_up(name), 0);
    assert_int_equal(one.question.name.len, VR_NAME_MAX);
    assert_answered(&one, 1);
}

/* --- Many at once --- */

static void two_thousand_lookups_are_in_flight_at_once(void **state)
{
    ask_one(fake_is_silent);
    start_jobs(MANY);
    fake_await(&server_a, MANY);
    answer_queries(&server_a, 0);
    join_jobs(0, MANY);
    assert_int_equal(server_a.count, MANY);
}

static void each_lookup_gets_the_answer_to_its_own_question(void **state)
{
    ask_one(fake_is_silent);
    start_jobs(MANY);
    fake_await(&server_a, MANY);
    for (size_t i = MANY; i-- > 0;) { /* the last first */
        fake_reply(server_a.queries[i], 0);
        if (i % 32 == 0)
            vr_sleep(0);
    }
    for (int i = 0; i < MANY; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 1);
        vr_question question = question_in(jobs[i].answer);
        assert_true(vr_name_equal(&question.name, &jobs[i].question.name));
        forget(&jobs[i]);
    }
}

static void lookup_after_lookup_reuses_what_they_need(void **state)
{
    ask_one(fake_answers);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.count, 3000);
}

static void looks_up_in_the_hub(vr_callback *callback)
{
    looks_up(&one);
}

static void lookup_in_a_hub_callback_is_refused(void **state)
{
    vr_callback callback = {.run = looks_up_in_the_hub};

    ask_one(fake_answers);
    one = (job){.question = question_of("www.example.com", VR_TYPE_A), .error = 1};
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_int_equal(one.error, -EPERM);
    assert_null(one.answer);
}

/* --- Killed --- */

/* The others go on as if nothing had been. */
static void kill_some_of_many(int stage)
{
    enum { COUNT = 30 };

    start_jobs(COUNT);
    if (stage > 0)
        fake_await(&server_a, COUNT);
    for (int i = 0; i < COUNT; i += 3)
        vr_kill(jobs[i].greenlet, -ECANCELED);
    for (int i = 0; i < COUNT; i += 3)
        join(&jobs[i]);
    fake_await(&server_a, stage ? COUNT : COUNT - COUNT / 3);
    answer_queries(&server_a, 0);
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        if (i % 3)
            assert_answered(&jobs[i], 1);
        else
            assert_int_equal(jobs[i].error, stage ? -ECANCELED : 1); /* 1: has not begun */
        forget(&jobs[i]);
    }
}

static void lookup_killed_before_its_first_turn_sends_nothing(void **state)
{
    ask_one(fake_is_silent);
    kill_some_of_many(0);
    assert_int_equal(server_a.count, 20);
}

static void lookup_killed_in_flight_over_udp_disturbs_no_other(void **state)
{
    ask_one(fake_is_silent);
    kill_some_of_many(1);
}

static void lookup_killed_in_flight_over_tcp_disturbs_no_other(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_is_silent);
    kill_some_of_many(1);
    assert_int_equal(server_a.connected, 1);
}

static void is_cut_and_then_silent(fake_query *query)
{
    if (!query->connection)
        fake_reply(query, VR_FLAG_TC);
}

static void lookup_killed_after_its_answer_was_cut_leaves_nothing(void **state)
{
    ask_one(is_cut_and_then_silent);
    start(&jobs[0], "www.example.com");
    fake_await(&server_a, 2);
    assert_int_equal(server_a.over_tcp, 1);
    vr_kill(jobs[0].greenlet, -ECANCELED);
    join(&jobs[0]);
    assert_int_equal(jobs[0].error, -ECANCELED);
    assert_null(jobs[0].answer);
    forget(&jobs[0]);
}

static void lookup_killed_while_its_query_waits_to_leave_disturbs_no_other(void **state)
{
    ask_one(fake_answers);
    start_jobs(3);
    assert_int_equal(vr_sleep(0), 0); /* they have run, the greenlets that send have not */
    vr_kill(jobs[1].greenlet, -ECANCELED);
    join_jobs(0, 1);
    join_jobs(2, 3);
    join(&jobs[1]);
    assert_true(jobs[1].error == -ECANCELED || jobs[1].error == 0);
    forget(&jobs[1]);
}

/* The answer is there, but the greenlet has not had its turn. */
static void lookup_killed_when_its_answer_is_there_leaks_nothing(void **state)
{
    ask_one(fake_is_silent);
    start(&jobs[0], "www.example.com");
    fake_await(&server_a, 1);
    fake_reply(server_a.queries[0], 0);
    /* The kill is delivered from the hub: in the same turn as the answer, before it, or after it. */
    for (int turns = 0; turns < 3 && !vr_ready(jobs[0].greenlet); turns++)
        vr_sleep(0);
    vr_kill(jobs[0].greenlet, -ECANCELED);
    join(&jobs[0]);
    assert_true(jobs[0].error == -ECANCELED || jobs[0].error == 0);
    assert_true((jobs[0].error == 0) == (jobs[0].answer != NULL));
    forget(&jobs[0]);
}

static void error_thrown_into_a_lookup_is_what_it_returns(void **state)
{
    ask_one(fake_is_silent);
    start(&jobs[0], "www.example.com");
    fake_await(&server_a, 1);
    vr_kill(jobs[0].greenlet, -EIO);
    join(&jobs[0]);
    assert_int_equal(jobs[0].error, -EIO);
    assert_null(jobs[0].answer);
    forget(&jobs[0]);
}

/* Its id may be drawn again: what comes late for it is nobody's answer. */
static void late_answer_to_a_killed_lookup_is_ignored(void **state)
{
    ask_one(fake_is_silent);
    start(&jobs[0], "late.example.com");
    fake_await(&server_a, 1);
    vr_kill(jobs[0].greenlet, -ECANCELED);
    join(&jobs[0]);
    forget(&jobs[0]);
    start(&jobs[1], "www.example.com");
    fake_await(&server_a, 2);
    fake_reply(server_a.queries[0], 0);
    fake_reply(server_a.queries[1], 0);
    join_jobs(1, 2);
}

/* --- The resolver's end --- */

static void freeing_the_resolver_cancels_lookups_in_flight(void **state)
{
    enum { COUNT = 50 };

    ask_one(fake_is_silent);
    start_jobs(COUNT);
    fake_await(&server_a, COUNT);
    vr_resolver_free(resolver);
    resolver = NULL;
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ECANCELED);
        assert_null(jobs[i].answer);
        forget(&jobs[i]);
    }
}

static void freeing_the_resolver_cancels_lookups_over_tcp(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_is_silent);
    start_jobs(5);
    fake_await(&server_a, 5);
    vr_resolver_free(resolver);
    resolver = NULL;
    for (int i = 0; i < 5; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ECANCELED);
        forget(&jobs[i]);
    }
}

static void freeing_the_resolver_cancels_lookups_whose_queries_have_not_left(void **state)
{
    ask_one(fake_answers);
    start_jobs(5);
    assert_int_equal(vr_sleep(0), 0);
    vr_resolver_free(resolver);
    resolver = NULL;
    for (int i = 0; i < 5; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ECANCELED);
        forget(&jobs[i]);
    }
}

static vr_result frees_the_resolver(void *argument)
{
    vr_resolver_free(resolver);
    resolver = NULL;
    return vr_ok(NULL);
}

static void kill_of_whoever_frees_the_resolver_does_not_cut_that_short(void **state)
{
    ask_one(fake_is_silent);
    start_jobs(5);
    fake_await(&server_a, 5);
    vr_greenlet *freer = vr_spawn(frees_the_resolver, NULL);
    vr_sleep(0);
    vr_kill(freer, -ECANCELED);
    assert_int_equal(vr_join(freer, VR_FOREVER), 0);
    vr_unref(freer);
    assert_null(resolver);
    for (int i = 0; i < 5; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ECANCELED);
        forget(&jobs[i]);
    }
}

static void resolver_that_was_never_used_is_freed(void **state)
{
    ask_one(fake_answers);
    vr_resolver_free(NULL);
}

/* --- Tickets --- */

/* Lookups that hold every ticket there is: without greenlets, whose stacks would be in the way. */
static vr_lookup *holders[VR_CHANNEL_TICKETS];

static void take_all_tickets(void)
{
    vr_question question = question_of("holder.example.com", VR_TYPE_A);

    for (size_t i = 0; i < VR_CHANNEL_TICKETS; i++) {
        assert_int_equal(vr_lookup_start(resolver, &question, 0, VR_FOREVER, &holders[i]), 0);
        if (i % 32 == 31)
            vr_sleep(0);
    }
    fake_await(&server_a, VR_CHANNEL_TICKETS);
}

static void finish_holders(size_t first)
{
    for (size_t i = first; i < VR_CHANNEL_TICKETS; i++) {
        vr_answer *answer;
        assert_int_equal(vr_lookup_finish(holders[i], VR_FOREVER, &answer), 0);
        free(answer);
    }
}

static void more_lookups_than_tickets_are_all_answered(void **state)
{
    enum { MORE = 100 };

    ask_one(fake_is_silent);
    take_all_tickets();
    start_jobs(MORE);
    for (int i = 0; i < 10; i++)
        assert_int_equal(vr_sleep(0), 0);
    assert_int_equal(server_a.count, VR_CHANNEL_TICKETS); /* they stand in line */
    server_a.behaviour = fake_answers;
    answer_queries(&server_a, 0);
    finish_holders(0);
    join_jobs(0, MORE);
}

static void lookup_that_times_out_in_line_leaves_the_line(void **state)
{
    ask_one(fake_is_silent);
    take_all_tickets();
    start(&jobs[0], "first.example.com");
    start(&jobs[1], "second.example.com");
    start(&jobs[2], "third.example.com");
    jobs[1].timeout = VR_MILLISECONDS(1);
    join(&jobs[1]);
    assert_int_equal(jobs[1].error, -ETIMEDOUT);
    forget(&jobs[1]);
    server_a.behaviour = fake_answers;
    answer_queries(&server_a, 0);
    finish_holders(0);
    join_jobs(0, 1);
    join_jobs(2, 3);
}

static void lookup_killed_in_line_leaves_its_place_to_the_next(void **state)
{
    ask_one(fake_is_silent);
    take_all_tickets();
    start_jobs(3);
    for (int i = 0; i < 3; i++)
        vr_sleep(0);
    vr_kill(jobs[0].greenlet, -ECANCELED);
    join(&jobs[0]);
    assert_int_equal(jobs[0].error, -ECANCELED);
    forget(&jobs[0]);
    server_a.behaviour = fake_answers;
    answer_queries(&server_a, 0);
    finish_holders(0);
    join_jobs(1, 3);
}

/* One ticket comes free, and its caller dies when it has been called and has not had its turn: the next is called. */
static void lookup_killed_when_it_is_called_hands_its_ticket_on(void **state)
{
    vr_answer *answer;

    ask_one(fake_is_silent);
    take_all_tickets();
    start_jobs(2);
    for (int i = 0; i < 3; i++)
        vr_sleep(0);
    server_a.behaviour = fake_answers;
    vr_lookup *done = holders[0];
    vr_exchange *exchange = done->exchanges;
    for (size_t i = 0; i < server_a.count; i++)
        if (server_a.queries[i]->id == exchange->id)
            fake_reply(server_a.queries[i], 0);
    while (resolver->line && resolver->line->next)
        vr_sleep(0);
    vr_kill(jobs[0].greenlet, -ECANCELED);
    assert_int_equal(vr_lookup_finish(done, VR_FOREVER, &answer), 0);
    free(answer);
    join(&jobs[1]);
    assert_answered(&jobs[1], 1);
    join(&jobs[0]);
    assert_true(jobs[0].error == -ECANCELED || jobs[0].error == 0);
    forget(&jobs[0]);
    forget(&jobs[1]);
    for (size_t i = 1; i < VR_CHANNEL_TICKETS; i++) {
        assert_int_equal(vr_lookup_finish(holders[i], 0, &answer), -ETIMEDOUT);
        assert_null(answer);
    }
}

static void freeing_the_resolver_cancels_lookups_in_line(void **state)
{
    vr_answer *answer;

    ask_one(fake_is_silent);
    take_all_tickets();
    start_jobs(3);
    for (int i = 0; i < 3; i++)
        vr_sleep(0);
    vr_greenlet *freer = vr_spawn(frees_the_resolver, NULL);
    for (int i = 0; i < 3; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ECANCELED);
        forget(&jobs[i]);
    }
    for (size_t i = 0; i < VR_CHANNEL_TICKETS; i++)
        assert_int_equal(vr_lookup_finish(holders[i], VR_FOREVER, &answer), -ECANCELED);
    assert_int_equal(vr_join(freer, VR_FOREVER), 0);
    vr_unref(freer);
    assert_null(resolver);
}

/* --- What is left --- */

static void nothing_is_left_in_the_hub_when_all_lookups_are_done(void **state)
{
    ask_one(fake_answers);
    start_jobs(20);
    join_jobs(0, 20);
    fake_stop(&server_a);
    vr_time before = vr_now();
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_in_range(vr_now() - before, 0, VR_MILLISECONDS(100));
}

static void nothing_is_left_in_the_hub_after_lookups_that_timed_out(void **state)
{
    ask_one(fake_is_silent);
    for (int i = 0; i < 5; i++) {
        start(&jobs[i], "www.example.com");
        jobs[i].timeout = VR_MILLISECONDS(100);
    }
    for (int i = 0; i < 5; i++) {
        join(&jobs[i]);
        assert_int_equal(jobs[i].error, -ETIMEDOUT);
        forget(&jobs[i]);
    }
    fake_stop(&server_a);
    assert_int_equal(vr_hub_join(VR_SECONDS(1)), 0);
}

static void idle_tcp_connection_goes_away_after_ten_seconds(void **state)
{
    ask_one_by(VR_TRANSPORT_TCP, fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(server_a.connections->fd >= 0);
    vr_time before = vr_now();
    while (server_a.connections->fd >= 0 && vr_now() - before < VR_SECONDS(60))
        vr_sleep(VR_MILLISECONDS(100));
    assert_in_range(vr_now() - before, VR_SECONDS(9), VR_SECONDS(11));
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_a.connected, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(lookup_brings_the_message_and_where_it_is_from),
        real_test(nxdomain_is_an_answer),
        real_test(query_asks_for_recursion_and_offers_edns_with_1232_octets),
        real_test(query_flags_reach_the_server),
        real_test(question_reaches_the_server_octet_by_octet),
        real_test(longest_name_and_the_root_are_looked_up),
        real_test(two_thousand_lookups_are_in_flight_at_once),
        real_test(each_lookup_gets_the_answer_to_its_own_question),
        real_test(lookup_after_lookup_reuses_what_they_need),
        real_test(lookup_in_a_hub_callback_is_refused),
        real_test(lookup_killed_before_its_first_turn_sends_nothing),
        real_test(lookup_killed_in_flight_over_udp_disturbs_no_other),
        real_test(lookup_killed_in_flight_over_tcp_disturbs_no_other),
        real_test(lookup_killed_after_its_answer_was_cut_leaves_nothing),
        real_test(lookup_killed_while_its_query_waits_to_leave_disturbs_no_other),
        real_test(lookup_killed_when_its_answer_is_there_leaks_nothing),
        real_test(error_thrown_into_a_lookup_is_what_it_returns),
        real_test(late_answer_to_a_killed_lookup_is_ignored),
        real_test(freeing_the_resolver_cancels_lookups_in_flight),
        real_test(freeing_the_resolver_cancels_lookups_over_tcp),
        real_test(freeing_the_resolver_cancels_lookups_whose_queries_have_not_left),
        real_test(kill_of_whoever_frees_the_resolver_does_not_cut_that_short),
        real_test(resolver_that_was_never_used_is_freed),
        real_test(more_lookups_than_tickets_are_all_answered),
        real_test(lookup_that_times_out_in_line_leaves_the_line),
        real_test(lookup_killed_in_line_leaves_its_place_to_the_next),
        real_test(lookup_killed_when_it_is_called_hands_its_ticket_on),
        real_test(freeing_the_resolver_cancels_lookups_in_line),
        virtual_test(nothing_is_left_in_the_hub_when_all_lookups_are_done),
        virtual_test(nothing_is_left_in_the_hub_after_lookups_that_timed_out),
        virtual_test(idle_tcp_connection_goes_away_after_ten_seconds),
    };

    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
