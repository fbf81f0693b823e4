/* Datagrams, many at once: recvmmsg and sendmmsg. */
#include "io_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static int use_datagrams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_DGRAM);
}

static int use_no_pair(void **state)
{
    ends[0] = ends[1] = -1;
    return use_virtual_clock(state);
}

enum { MESSAGES = 8, MESSAGE_SIZE = 32 };

static char message_octets[MESSAGES][MESSAGE_SIZE];
static struct iovec message_parts[MESSAGES];
static struct mmsghdr messages[MESSAGES];

/* Messages of lengths 1, 2, 3 ..., or the room for some. */
static void prepare_messages(bool room)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        memset(message_octets[i], room ? 0 : 'a' + (int)i, MESSAGE_SIZE);
        message_parts[i] = (struct iovec){message_octets[i], room ? MESSAGE_SIZE : i + 1};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &message_parts[i], .msg_iovlen = 1}};
    }
}

static void sendmmsg_and_recvmmsg_carry_several(void **state)
{
    prepare_messages(false);
    assert_int_equal(vr_sendmmsg(ends[0], messages, 3, VR_FOREVER), 3);
    prepare_messages(true);
    assert_int_equal(vr_recvmmsg(ends[1], messages, MESSAGES, VR_FOREVER), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(messages[i].msg_len, i + 1);
        assert_int_equal(message_octets[i][i], 'a' + i);
    }
}

static void recvmmsg_takes_no_more_than_it_is_asked_for(void **state)
{
    prepare_messages(false);
    vr_sendmmsg(ends[0], messages, 3, VR_FOREVER);
    prepare_messages(true);
    assert_int_equal(vr_recvmmsg(ends[1], messages, 2, VR_FOREVER), 2);
    assert_int_equal(vr_recvmmsg(ends[1], messages, 2, VR_FOREVER), 1);
    assert_int_equal(messages[0].msg_len, 3);
}

static vr_result sends_one_later(void *argument)
{
    int error = vr_sleep(VR_SECONDS(1));

    return error ? vr_fail(error) : vr_ok(number(send(ends[0], "x", 1, 0)));
}

static void recvmmsg_parks_until_the_first_message(void **state)
{
    vr_greenlet *sender = vr_spawn(sends_one_later, NULL);

    prepare_messages(true);
    assert_int_equal(vr_recvmmsg(ends[1], messages, MESSAGES, VR_FOREVER), 1);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_returns(sender, 1);
    assert_int_equal(vr_recvmmsg(ends[1], messages, MESSAGES, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(2));
}

/* Sends the same messages over and over, 1,000 in all, from greenlets that must wait for room. */
static vr_result sends_a_thousand(void *argument)
{
    intptr_t sent = 0;

    while (sent < 1000) {
        int n = vr_sendmmsg(ends[0], messages, MESSAGES, VR_FOREVER);
        if (n != MESSAGES)
            return vr_fail(n);
        sent += n;
    }
    return vr_ok(number(sent));
}

static vr_result receives_a_thousand(void *argument)
{
    char octets[2][MESSAGE_SIZE];
    struct iovec parts[] = {{octets[0], MESSAGE_SIZE}, {octets[1], MESSAGE_SIZE}};
    struct mmsghdr received[] = {{.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
                                 {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}}};
    intptr_t count = 0;

    while (count < 1000) {
        int n = vr_recvmmsg(ends[1], received, 2, VR_FOREVER);
        if (n < 0)
            return vr_fail(n);
        count += n;
        vr_sleep(0);
    }
    return vr_ok(number(count));
}

static void sendmmsg_waits_for_room_until_all_are_sent(void **state)
{
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    prepare_messages(false);
    vr_greenlet *sender = vr_spawn(sends_a_thousand, NULL);
    vr_greenlet *receiver = vr_spawn(receives_a_thousand, NULL);
    assert_returns(receiver, 1000);
    assert_returns(sender, 1000);
}

static void sendmmsg_stops_before_a_message_that_is_refused(void **state)
{
    static char huge[1 << 20];

    prepare_messages(false);
    message_parts[2] = (struct iovec){huge, sizeof huge};
    assert_int_equal(vr_sendmmsg(ends[0], messages, 4, VR_FOREVER), 2);
    assert_int_equal(vr_sendmmsg(ends[0], messages + 2, 2, VR_FOREVER), -EMSGSIZE);
    assert_int_equal(vr_sendmmsg(ends[0], messages + 3, 1, VR_FOREVER), 1);
    prepare_messages(true);
    assert_int_equal(vr_recvmmsg(ends[1], messages, MESSAGES, VR_FOREVER), 3);
}

/* Leaves room for fewer messages than one call sends. */
static void leave_little_room(void)
{
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
    prepare_messages(false);
    fill();
    char octets[4096];
    assert_true(recv(ends[1], octets, sizeof octets, 0) > 0);
}

static vr_result sends_many(void *timeout_ms)
{
    vr_time timeout = timeout_ms ? VR_MILLISECONDS(number_of(timeout_ms)) : VR_FOREVER;
    int sent = 0;

    /* The first calls fill the room there is; one of them ends up waiting, most likely with some messages sent. */
    while (sent >= 0)
        sent = vr_sendmmsg(ends[0], messages, MESSAGES, timeout);
    return vr_fail(sent);
}

static void kill_in_the_midst_of_sendmmsg_is_not_lost(void **state)
{
    leave_little_room();
    vr_greenlet *sender = vr_spawn(sends_many, NULL);
    vr_sleep(0);
    assert_true(vr_running(sender));
    vr_kill(sender, -EIO);
    assert_int_equal(vr_join(sender, VR_SECONDS(1)), 0);
    assert_int_equal(vr_error(sender), -EIO);
    vr_unref(sender);
}

static void timeout_in_the_midst_of_sendmmsg_is_an_error(void **state)
{
    leave_little_room();
    vr_greenlet *sender = vr_spawn(sends_many, number(10));
    assert_int_equal(vr_join(sender, VR_FOREVER), 0);
    assert_int_equal(vr_error(sender), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    vr_unref(sender);
}

static void udp_messages_come_with_their_senders(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from = {0};
    in_port_t sender_port = 0;
    socklen_t len = sizeof here;

    ends[0] = vr_socket(AF_INET, SOCK_DGRAM, 0);
    ends[1] = vr_socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 2; i++) {
        here.sin_port = 0;
        assert_int_equal(bind(ends[i], (struct sockaddr *)&here, sizeof here), 0);
        assert_int_equal(getsockname(ends[i], (struct sockaddr *)&here, &len), 0);
        if (i == 0)
            sender_port = here.sin_port;
    }
    prepare_messages(false);
    for (int i = 0; i < 3; i++) {
        messages[i].msg_hdr.msg_name = &here;
        messages[i].msg_hdr.msg_namelen = sizeof here;
    }
    assert_int_equal(vr_sendmmsg(ends[0], messages, 3, VR_FOREVER), 3);
    for (int received = 0; received < 3;) {
        prepare_messages(true);
        messages[0].msg_hdr.msg_name = &from;
        messages[0].msg_hdr.msg_namelen = sizeof from;
        int n = vr_recvmmsg(ends[1], messages, MESSAGES, VR_FOREVER);
        assert_true(n > 0);
        assert_int_equal(from.sin_port, sender_port);
        received += n;
    }
}

#define datagram_test(function) cmocka_unit_test_setup_teardown(function, use_datagrams, close_pair)
#define udp_test(function) cmocka_unit_test_setup_teardown(function, use_no_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        datagram_test(sendmmsg_and_recvmmsg_carry_several),
        datagram_test(recvmmsg_takes_no_more_than_it_is_asked_for),
        datagram_test(recvmmsg_parks_until_the_first_message),
        datagram_test(sendmmsg_waits_for_room_until_all_are_sent),
        datagram_test(sendmmsg_stops_before_a_message_that_is_refused),
        datagram_test(kill_in_the_midst_of_sendmmsg_is_not_lost),
        datagram_test(timeout_in_the_midst_of_sendmmsg_is_an_error),
        udp_test(udp_messages_come_with_their_senders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
