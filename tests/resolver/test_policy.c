/* Which server is asked next: pure decisions, then the same with servers that fail in a bad order. */
#include "lookup_support.h"

#include "policy.h"

static vr_health health[100];
static vr_policy policy;
static vr_course course;

static void begin(size_t count, bool rotate, vr_time now)
{
    if (policy.count != count || policy.rotate != rotate) {
        memset(health, 0, sizeof health);
        policy = (vr_policy){.servers = health, .count = count, .rotate = rotate};
    }
    vr_policy_begin(&policy, &course, now);
}

static void assert_next(size_t server)
{
    assert_int_equal(vr_policy_next(&policy, &course), server);
}

static int forget_policy(void **state)
{
    policy.count = 0;
    return 0;
}

static void servers_are_asked_in_their_order_and_round_again(void **state)
{
    begin(3, false, 0);
    assert_next(0);
    assert_next(1);
    assert_next(2);
    assert_next(0);
}

static void rotation_begins_with_another_each_time(void **state)
{
    for (size_t i = 0; i < 6; i++) {
        begin(3, true, 0);
        assert_next(i % 3);
        assert_next((i + 1) % 3);
    }
}

static void server_that_was_no_help_is_not_asked_again(void **state)
{
    begin(3, false, 0);
    assert_next(0);
    assert_true(vr_policy_pass_over(&policy, &course, 0));
    assert_next(1);
    assert_next(2);
    assert_next(1);
    assert_false(vr_policy_is_exhausted(&course));
}

static void late_failure_does_not_take_another_servers_turn(void **state)
{
    begin(2, false, 0);
    assert_next(0);
    assert_next(1);
    assert_false(vr_policy_pass_over(&policy, &course, 0));
    assert_false(vr_policy_is_exhausted(&course));
    assert_true(vr_policy_pass_over(&policy, &course, 1));
    assert_true(vr_policy_is_exhausted(&course));
}

static void same_server_twice_is_not_all(void **state)
{
    begin(2, false, 0);
    assert_next(0);
    vr_policy_pass_over(&policy, &course, 0);
    vr_policy_pass_over(&policy, &course, 0);
    assert_false(vr_policy_is_exhausted(&course));
}

static void server_that_is_down_is_not_asked_first_for_a_second(void **state)
{
    begin(2, false, 0);
    vr_policy_down(&policy, 0, 0);
    begin(2, false, VR_SECONDS(1) - 1);
    assert_next(1);
    assert_next(0);
    begin(2, false, VR_SECONDS(1));
    assert_next(0);
}

static void pause_doubles_to_thirty_seconds(void **state)
{
    static const vr_time pauses[] = {1, 2, 4, 8, 16, 30, 30};
    vr_time now = 0;

    begin(1, false, 0);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        vr_policy_down(&policy, 0, now);
        vr_policy_down(&policy, 0, now); /* others hear of it, too */
        assert_int_equal(health[0].ailing_until, now + VR_SECONDS(pauses[i]));
        now = health[0].ailing_until;
    }
}

static void answer_makes_a_server_well(void **state)
{
    begin(2, false, 0);
    vr_policy_down(&policy, 0, 0);
    vr_policy_answered(&policy, 0);
    begin(2, false, 0);
    assert_next(0);
}

static void lost_packet_makes_no_server_ill(void **state)
{
    begin(2, false, 0);
    vr_policy_missed(&policy, 0, 0);
    vr_policy_missed(&policy, 0, 0);
    begin(2, false, 0);
    assert_next(0);
    vr_policy_missed(&policy, 0, 0);
    begin(2, false, 0);
    assert_next(1);
}

static void all_ill_are_asked_as_if_well(void **state)
{
    begin(2, false, 0);
    vr_policy_down(&policy, 0, 0);
    vr_policy_down(&policy, 1, 0);
    begin(2, false, 0);
    assert_next(0);
    assert_next(1);
}

static void one_lookup_comes_to_64_of_100(void **state)
{
    begin(100, false, 0);
    for (size_t i = 0; i < VR_POLICY_SPAN; i++) {
        assert_false(vr_policy_is_exhausted(&course));
        assert_next(i);
        vr_policy_pass_over(&policy, &course, i);
    }
    assert_true(vr_policy_is_exhausted(&course));
}

/* --- With servers --- */

/* Servers A and B, and a port that is closed, in the order that `order` gives: 'a', 'b', 'x'. */
static void open_in_order(const char *order, fake_behaviour *a, fake_behaviour *b, vr_time timeout)
{
    fake_server gone = {.behaviour = NULL};
    vr_server servers[3];
    size_t count = strlen(order);

    assert_int_equal(fake_start(&gone, fake_is_silent, 9), 0);
    assert_int_equal(fake_start(&server_a, a, 1), 0);
    assert_int_equal(fake_start(&server_b, b, 2), 0);
    for (size_t i = 0; i < count; i++)
        servers[i] = order[i] == 'a' ? server_a.address : order[i] == 'b' ? server_b.address : gone.address;
    fake_stop(&gone);
    vr_resolver_options options = {.servers = servers, .server_count = count, .timeout = timeout, .retries = -1};
    assert_int_equal(vr_resolver_new(&resolver, &options), 0);
}

static void closed_port_between_does_not_end_the_search(void **state)
{
    open_in_order("axb", fake_fails, fake_answers, PATIENCE);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
}

static void closed_port_first_does_not_end_the_search(void **state)
{
    open_in_order("xab", fake_fails, fake_answers, PATIENCE);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
}

static void failure_stays_when_the_others_are_down(void **state)
{
    open_in_order("axx", fake_fails, fake_answers, PATIENCE);
    assert_int_equal(look_up("www.example.com"), 0);
    assert_int_equal(rcode_of(one.answer), VR_RCODE_SERVFAIL);
}

/* A has failed late, when B had been asked already: B's answer is waited for. A's failure comes with B's query. */
static fake_query *held;

static void holds(fake_query *query)
{
    held = query;
}

static void answers_after_the_other_has_failed(fake_query *query)
{
    fake_reply(held, VR_RCODE_SERVFAIL);
    vr_sleep(0);
    fake_reply(query, 0);
}

static void late_failure_of_one_leaves_the_other_its_time(void **state)
{
    open_in_order("ab", holds, answers_after_the_other_has_failed, VR_MILLISECONDS(2100));
    assert_int_equal(look_up("www.example.com"), 0);
    assert_answered(&one, 2);
    assert_int_equal(server_a.count, 1);
}

static void server_that_was_down_is_not_tried_by_every_lookup(void **state)
{
    open_in_order("xb", fake_is_silent, fake_answers, PATIENCE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(look_up("www.example.com"), 0);
        assert_answered(&one, 2);
    }
    assert_int_equal(server_b.count, 5);
}

#define policy_test(function) cmocka_unit_test_setup_teardown(function, forget_policy, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        policy_test(servers_are_asked_in_their_order_and_round_again),
        policy_test(rotation_begins_with_another_each_time),
        policy_test(server_that_was_no_help_is_not_asked_again),
        policy_test(late_failure_does_not_take_another_servers_turn),
        policy_test(same_server_twice_is_not_all),
        policy_test(server_that_is_down_is_not_asked_first_for_a_second),
        policy_test(pause_doubles_to_thirty_seconds),
        policy_test(answer_makes_a_server_well),
        policy_test(lost_packet_makes_no_server_ill),
        policy_test(all_ill_are_asked_as_if_well),
        policy_test(one_lookup_comes_to_64_of_100),
        real_test(closed_port_between_does_not_end_the_search),
        real_test(closed_port_first_does_not_end_the_search),
        real_test(failure_stays_when_the_others_are_down),
        real_test(late_failure_of_one_leaves_the_other_its_time),
        real_test(server_that_was_down_is_not_tried_by_every_lookup),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
