/*
 * Answers that are forged, or broken (RFC 5452 section 9): each is ignored, and the good one that comes after it is
 * taken. Had the bad one ended the wait, or gone on to another server, the lookup would not end with the good answer.
 */
#include "lookup_support.h"

#include <stdio.h>

/* Sends what `spoil` makes of a good answer, whose address is marked by 66, and then the good answer. */
typedef size_t spoiler(const fake_query *query, uint8_t *answer, size_t len);
static spoiler *spoil;

static void answers_after_a_bad_one(fake_query *query)
{
    uint8_t answer[2 * FAKE_SIZE];
    size_t len;

    query->server->mark = 66;
    len = spoil(query, answer, fake_answer(query, 0, answer));
    query->server->mark = 1;
    fake_send(query, answer, len);
    fake_reply(query, 0);
}

static size_t another_id(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[1] ^= 1;
    return len;
}

static size_t no_answer_bit(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[2] &= 0x7f;
    return len;
}

static size_t another_opcode(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[2] |= 2 << 3; /* STATUS */
    return len;
}

/* The question's first letter is another. */
static size_t another_name(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[VR_HEADER_SIZE + 1] = 'x';
    return len;
}

static size_t another_type(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[VR_HEADER_SIZE + query->question.name.len + 1] = VR_TYPE_AAAA;
    return len;
}

static size_t another_class(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[VR_HEADER_SIZE + query->question.name.len + 3] = VR_CLASS_CH;
    return len;
}

static size_t no_question(const fake_query *query, uint8_t *answer, size_t len)
{
    vr_writer writer;

    vr_writer_init(&writer, answer, FAKE_SIZE, query->id, VR_FLAG_QR);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, VR_TYPE_A, VR_CLASS_IN, 300, "\300\0\2\102", 4);
    return (size_t)vr_writer_finish(&writer);
}

static size_t two_questions(const fake_query *query, uint8_t *answer, size_t len)
{
    vr_writer writer;

    vr_writer_init(&writer, answer, FAKE_SIZE, query->id, VR_FLAG_QR);
    vr_writer_question(&writer, &query->question);
    vr_writer_question(&writer, &query->question);
    return (size_t)vr_writer_finish(&writer);
}

/* A header that says nothing but "no error". */
static size_t header_alone(const fake_query *query, uint8_t *answer, size_t len)
{
    memset(answer + 4, 0, VR_HEADER_SIZE - 4);
    return VR_HEADER_SIZE;
}

/* The same for SERVFAIL, which must not send the lookup to another server. */
static size_t header_that_fails(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[3] |= VR_RCODE_SERVFAIL;
    return header_alone(query, answer, len);
}

static size_t eleven_octets(const fake_query *query, uint8_t *answer, size_t len)
{
    return VR_HEADER_SIZE - 1;
}

static size_t no_octet(const fake_query *query, uint8_t *answer, size_t len)
{
    return 0;
}

static size_t last_octet_missing(const fake_query *query, uint8_t *answer, size_t len)
{
    return len - 1;
}

static size_t one_octet_more(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[len] = 0;
    return len + 1;
}

static size_t more_records_counted_than_there_are(const fake_query *query, uint8_t *answer, size_t len)
{
    answer[7]++;
    return len;
}

/* The answer's owner becomes a pointer to itself. */
static size_t pointer_to_itself(const fake_query *query, uint8_t *answer, size_t len)
{
    size_t owner = VR_HEADER_SIZE + query->question.name.len + 4u;

    answer[owner] = (uint8_t)(0xc0 | owner >> 8);
    answer[owner + 1] = (uint8_t)owner;
    return len;
}

static size_t pointer_forward(const fake_query *query, uint8_t *answer, size_t len)
{
    size_t owner = VR_HEADER_SIZE + query->question.name.len + 4u;

    answer[owner] = 0xc0;
    answer[owner + 1] = (uint8_t)(owner + 2);
    return len;
}

static size_t two_opt_records(const fake_query *query, uint8_t *answer, size_t len)
{
    memcpy(answer + len, answer + len - 11, 11);
    answer[11]++;
    return len + 11;
}

static size_t noise(const fake_query *query, uint8_t *answer, size_t len)
{
    for (size_t i = 2; i < len; i++)
        answer[i] = (uint8_t)(i * 167 + 13);
    return len;
}

static void assert_ignored(spoiler *bad)
{
    spoil = bad;
    ask_one(answers_after_a_bad_one);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_a.count, 1); /* nothing was asked again on its account */
}

/* A test of that name for each spoiler. */
#define IGNORED(bad)                                         \
    static void answer_with_##bad##_is_ignored(void **state) \
    {                                                        \
        assert_ignored(bad);                                 \
    }

IGNORED(another_id)
IGNORED(no_answer_bit)
IGNORED(another_opcode)
IGNORED(another_name)
IGNORED(another_type)
IGNORED(another_class)
IGNORED(no_question)
IGNORED(two_questions)
IGNORED(header_alone)
IGNORED(header_that_fails)
IGNORED(eleven_octets)
IGNORED(no_octet)
IGNORED(last_octet_missing)
IGNORED(one_octet_more)
IGNORED(more_records_counted_than_there_are)
IGNORED(pointer_to_itself)
IGNORED(pointer_forward)
IGNORED(two_opt_records)
IGNORED(noise)

/* Over TCP the same holds for what is a whole message. */
static void broken_answers_over_tcp_are_ignored(void **state)
{
    static spoiler *const spoilers[] = {another_id,
                                        no_answer_bit,
                                        another_opcode,
                                        another_name,
                                        another_type,
                                        another_class,
                                        no_question,
                                        two_questions,
                                        header_alone,
                                        header_that_fails,
                                        last_octet_missing,
                                        one_octet_more,
                                        more_records_counted_than_there_are,
                                        pointer_to_itself,
                                        two_opt_records,
                                        noise};

    ask_one_by(VR_TRANSPORT_TCP, answers_after_a_bad_one);
    for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++) {
        spoil = spoilers[i];
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.connected, 1);
}

/* --- Where an answer comes from --- */

/* Sends an answer marked 66 from a socket that is bound to this address, and then the good one. */
static void send_from(const fake_query *query, const char *ip, in_port_t port)
{
    vr_server from;
    uint8_t answer[FAKE_SIZE];
    int fd = vr_socket(AF_INET, SOCK_DGRAM, 0);

    vr_server_from_text(&from, ip);
    from.address.v4.sin_port = port;
    if (fd < 0 || bind(fd, &from.address.any, sizeof from.address.v4) < 0)
        perror("bind");
    query->server->mark = 66;
    sendto(fd, answer, fake_answer(query, 0, answer), 0, &query->from.any, query->from_len);
    query->server->mark = 1;
    vr_close(fd);
    fake_reply(query, 0);
}

static void answers_from_another_port_first(fake_query *query)
{
    send_from(query, "127.0.0.1", 0);
}

static void answers_from_another_address_first(fake_query *query)
{
    send_from(query, "127.0.0.99", query->server->address.address.v4.sin_port);
}

static void answer_from_another_port_is_ignored(void **state)
{
    ask_one(answers_from_another_port_first);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
}

static void answer_from_another_address_is_ignored(void **state)
{
    ask_one(answers_from_another_address_first);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
}

/* Server A has B answer, from B's own socket, the query that A was sent. */
static void has_the_other_server_answer(fake_query *query)
{
    uint8_t answer[FAKE_SIZE];

    query->server->mark = 66;
    sendto(server_b.udp, answer, fake_answer(query, 0, answer), 0, &query->from.any, query->from_len);
    query->server->mark = 1;
    fake_reply(query, 0);
}

static void answer_of_server_b_to_a_query_to_server_a_is_ignored(void **state)
{
    ask_two(has_the_other_server_answer, fake_is_silent);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_int_equal(server_b.count, 0);
}

/* The first two queries' askers; the answer to the first goes to the socket of the second. */
static void answers_at_the_port_of_another_query(fake_query *query)
{
    fake_query *first = query->server->queries[0];
    fake_query wrong = *query;

    if (query->from.v4.sin_port == first->from.v4.sin_port)
        return;
    wrong.id = first->id;
    wrong.question = first->question;
    query->server->mark = 66;
    fake_reply(&wrong, 0);
    query->server->mark = 1;
    for (size_t i = 0; i < query->server->count; i++)
        fake_reply(query->server->queries[i], 0);
    query->server->behaviour = fake_answers;
}

static void answer_that_comes_to_another_socket_is_ignored(void **state)
{
    enum { COUNT = 40 }; /* to find all of them on one socket of 8: once in 10^35 runs */
    static job jobs[COUNT];

    ask_one(answers_at_the_port_of_another_query);
    for (int i = 0; i < COUNT; i++)
        start(&jobs[i], "www.example.com");
    for (int i = 0; i < COUNT; i++) {
        join(&jobs[i]);
        assert_answered(&jobs[i], 1);
        forget(&jobs[i]);
    }
}

/* Over UDP, in answer to a query over TCP. */
static void answers_over_udp_what_came_over_tcp(fake_query *query)
{
    fake_query udp = *query;

    if (!query->connection) {
        fake_reply(query, VR_FLAG_TC);
        return;
    }
    udp = *query->server->queries[0]; /* the way the query came that was answered with TC */
    udp.id = query->id;
    query->server->mark = 66;
    fake_reply(&udp, 0);
    query->server->mark = 1;
    fake_reply(query, 0);
}

static void answer_over_udp_to_a_query_over_tcp_is_ignored(void **state)
{
    ask_one(answers_over_udp_what_came_over_tcp);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 1);
    assert_true(one.answer->over_tcp);
}

/* --- What an answer may hold (section 6) --- */

/* The chain from the question by an alias to an address, with records of other names in between. */
static void answers_with_strays(fake_query *query)
{
    uint8_t answer[FAKE_SIZE];
    vr_writer writer;
    vr_name alias, stray;

    vr_name_from_text(&alias, "alias.example.", 14);
    vr_name_from_text(&stray, "bank.example.", 13);
    vr_writer_init(&writer, answer, sizeof answer, query->id, VR_FLAG_QR | VR_FLAG_RA);
    vr_writer_question(&writer, &query->question);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &stray, VR_TYPE_A, VR_CLASS_IN, 300, "\300\0\2\102", 4);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &alias, VR_TYPE_A, VR_CLASS_IN, 300, "\300\0\2\1", 4);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, VR_TYPE_CNAME, VR_CLASS_IN, 300, alias.octets,
                 alias.len);
    vr_writer_rr(&writer, VR_SECTION_ANSWER, &stray, VR_TYPE_CNAME, VR_CLASS_IN, 300, stray.octets, stray.len);
    vr_writer_opt(&writer, &(vr_edns){.udp_size = 1232});
    fake_send(query, answer, (size_t)vr_writer_finish(&writer));
}

static void records_that_the_chain_does_not_reach_are_dropped(void **state)
{
    vr_reader reader;
    vr_rr rr;
    vr_name owner;
    char text[VR_NAME_TEXT_SIZE];

    ask_one(answers_with_strays);
    assert_int_equal(look_up("www.example.com"), 0);
    vr_reader_init(&reader, one.answer->message, one.answer->len);
    assert_int_equal(reader.header.count[1 + VR_SECTION_ANSWER], 2);
    assert_true(vr_reader_rr(&reader, &rr));
    assert_int_equal(vr_rr_owner(&reader, &rr, &owner), 0);
    vr_name_to_text(&owner, text, sizeof text);
    assert_string_equal(text, "alias.example.");
    assert_true(vr_reader_rr(&reader, &rr));
    assert_int_equal(rr.type, VR_TYPE_CNAME);
    assert_true(one.answer->edns.present);
    assert_true(one.answer->capacity >= one.answer->len + VR_ANSWER_SPARE);
}

/* --- What makes guessing hard --- */

static void answers_twice(fake_query *query)
{
    fake_reply(query, 0);
    query->server->mark = 66;
    fake_reply(query, 0);
    query->server->mark = 1;
}

static void second_answer_to_a_query_is_ignored(void **state)
{
    ask_one(answers_twice);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 1);
    }
    assert_int_equal(server_a.count, 50);
}

enum { MANY = 2000 };
static job many[MANY];

static void start_many(void)
{
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.example.com", i);
        start(&many[i], name);
    }
    fake_await(&server_a, MANY);
}

static void answer_many(void)
{
    for (int i = 0; i < MANY; i++) {
        fake_reply(server_a.queries[i], 0);
        if (i % 32 == 31)
            vr_sleep(0); /* the resolver reads what there is, and no socket overflows */
    }
    for (int i = 0; i < MANY; i++) {
        join(&many[i]);
        assert_answered(&many[i], 1);
        forget(&many[i]);
    }
}

static void ids_of_queries_in_flight_are_unique(void **state)
{
    static bool seen[65536];

    memset(seen, 0, sizeof seen);
    ask_one(fake_is_silent);
    start_many();
    for (int i = 0; i < MANY; i++) {
        assert_false(seen[server_a.queries[i]->id]);
        seen[server_a.queries[i]->id] = true;
    }
    answer_many();
}

/* Every bit is set in about half of the ids, and differs in about half of their neighbours: 13 standard deviations. */
static void ids_are_random(void **state)
{
    ask_one(fake_is_silent);
    start_many();
    for (int bit = 0; bit < 16; bit++) {
        int set = 0, changed = 0;
        for (int i = 0; i < MANY; i++) {
            int now = server_a.queries[i]->id >> bit & 1;
            int before = server_a.queries[i ? i - 1 : 0]->id >> bit & 1;
            set += now;
            changed += now != before;
        }
        assert_in_range(set, 700, 1300);
        assert_in_range(changed, 700, 1300);
    }
    answer_many();
}

static void queries_leave_from_several_ports_in_no_order(void **state)
{
    in_port_t ports[8];
    size_t count = 0, changes = 0;

    ask_one(fake_is_silent);
    start_many();
    for (int i = 0; i < MANY; i++) {
        in_port_t port = server_a.queries[i]->from.v4.sin_port;
        size_t at = 0;
        while (at < count && ports[at] != port)
            at++;
        assert_true(at < 8);
        ports[at] = port;
        count += at == count;
        changes += i > 0 && port != server_a.queries[i - 1]->from.v4.sin_port;
    }
    assert_int_equal(count, 8);
    assert_true(changes > 6); /* each socket's batch arrives on its own */
    answer_many();
}

/* --- Case --- */

static void answers_in_capitals(fake_query *query)
{
    fake_query loud = *query;

    for (int i = 0; i < loud.question.name.len; i++)
        if (loud.question.name.octets[i] >= 'a')
            loud.question.name.octets[i] -= 'a' - 'A';
    fake_reply(&loud, 0);
}

static void question_comes_back_in_the_case_it_was_asked_in(void **state)
{
    ask_one(answers_in_capitals);
    assert_int_equal(look_up("wWw.eXample.COM"), 0);
    assert_answered(&one, 1);
    vr_question question = question_in(one.answer);
    assert_int_equal(question.name.len, one.question.name.len);
    assert_memory_equal(question.name.octets, one.question.name.octets, question.name.len);
}

static void answer_has_id_0(void **state)
{
    ask_one(fake_answers);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(one.answer->message[0] | one.answer->message[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(answer_with_another_id_is_ignored),
        real_test(answer_with_no_answer_bit_is_ignored),
        real_test(answer_with_another_opcode_is_ignored),
        real_test(answer_with_another_name_is_ignored),
        real_test(answer_with_another_type_is_ignored),
        real_test(answer_with_another_class_is_ignored),
        real_test(answer_with_no_question_is_ignored),
        real_test(answer_with_two_questions_is_ignored),
        real_test(answer_with_header_alone_is_ignored),
        real_test(answer_with_header_that_fails_is_ignored),
        real_test(answer_with_eleven_octets_is_ignored),
        real_test(answer_with_no_octet_is_ignored),
        real_test(answer_with_last_octet_missing_is_ignored),
        real_test(answer_with_one_octet_more_is_ignored),
        real_test(answer_with_more_records_counted_than_there_are_is_ignored),
        real_test(answer_with_pointer_to_itself_is_ignored),
        real_test(answer_with_pointer_forward_is_ignored),
        real_test(answer_with_two_opt_records_is_ignored),
        real_test(answer_with_noise_is_ignored),
        real_test(broken_answers_over_tcp_are_ignored),
        real_test(answer_from_another_port_is_ignored),
        real_test(answer_from_another_address_is_ignored),
        real_test(answer_of_server_b_to_a_query_to_server_a_is_ignored),
        real_test(answer_that_comes_to_another_socket_is_ignored),
        real_test(answer_over_udp_to_a_query_over_tcp_is_ignored),
        real_test(records_that_the_chain_does_not_reach_are_dropped),
        real_test(second_answer_to_a_query_is_ignored),
        real_test(ids_of_queries_in_flight_are_unique),
        real_test(ids_are_random),
        real_test(queries_leave_from_several_ports_in_no_order),
        real_test(question_comes_back_in_the_case_it_was_asked_in),
        real_test(answer_has_id_0),
    };

    return cmocka_run_group_tests_name("spoofing", tests, NULL, NULL);
}
