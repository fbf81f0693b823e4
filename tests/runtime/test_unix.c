/* Unix sockets of all kinds, messages with addresses and descriptors, and sockets that came from elsewhere. */
#include "io_support.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static int use_nothing(void **state)
{
    ends[0] = ends[1] = -1;
    return use_virtual_clock(state);
}

static int use_streams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_STREAM);
}

static int use_packets(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_SEQPACKET);
}

static int use_datagrams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_DGRAM);
}

/* Binds to a name that the system chooses; it needs no file. */
static socklen_t bind_somewhere(int fd, struct sockaddr_un *address)
{
    socklen_t len = sizeof address->sun_family;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    len = sizeof *address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return len;
}

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static bool is_closed_on_exec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* --- Making descriptors --- */

static void descriptors_from_here_are_nonblocking_and_closed_on_exec(void **state)
{
    int pairs[3][2];

    assert_int_equal(vr_socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[0]), 0);
    assert_int_equal(vr_pipe(pairs[1]), 0);
    pairs[2][0] = vr_socket(AF_UNIX, SOCK_DGRAM, 0);
    pairs[2][1] = vr_socket(AF_UNIX, SOCK_SEQPACKET, 0);
    for (int i = 0; i < 6; i++) {
        int fd = pairs[i / 2][i % 2];
        assert_true(is_nonblocking(fd) && is_closed_on_exec(fd));
        assert_int_equal(vr_close(fd), 0);
    }
    assert_int_equal(vr_socketpair(-1, SOCK_STREAM, 0, pairs[0]), -EAFNOSUPPORT);
}

static void pipe_carries_from_its_second_end_to_its_first(void **state)
{
    char octets[8];

    assert_int_equal(vr_pipe(ends), 0);
    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_int_equal(vr_read(ends[0], octets, sizeof octets, VR_FOREVER), 3);
    assert_int_equal(vr_read(ends[1], octets, sizeof octets, VR_FOREVER), -EBADF);
}

static void descriptor_from_elsewhere_is_made_nonblocking(void **state)
{
    char octet;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(vr_set_nonblocking(ends[0]), 0);
    assert_int_equal(vr_set_nonblocking(ends[0]), 0); /* is so already */
    assert_true(is_nonblocking(ends[0]));
    assert_int_equal(vr_read(ends[0], &octet, 1, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_set_nonblocking(-1), -EBADF);
}

/* --- Streams --- */

static vr_result accepts(void *listener)
{
    return vr_ok(number(vr_accept((int)number_of(listener), NULL, NULL, VR_FOREVER)));
}

static void connections_meet_by_name(void **state)
{
    struct sockaddr_un address;
    int listener = vr_socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t len = bind_somewhere(listener, &address);
    char octets[8];

    assert_int_equal(listen(listener, 1), 0);
    vr_greenlet *acceptor = vr_spawn(accepts, number(listener));
    vr_sleep(0);
    ends[1] = vr_socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(vr_connect(ends[1], (struct sockaddr *)&address, len, VR_FOREVER), 0);
    assert_int_equal(vr_join(acceptor, VR_FOREVER), 0);
    ends[0] = (int)number_of(vr_value(acceptor));
    vr_unref(acceptor);
    assert_true(is_nonblocking(ends[0]) && is_closed_on_exec(ends[0]));
    assert_int_equal(vr_send(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_int_equal(vr_read(ends[0], octets, sizeof octets, VR_FOREVER), 3);
    vr_close(listener);
}

static void shutdown_ends_the_stream_for_a_waiting_reader(void **state)
{
    vr_greenlet *reader = waiting(reads);
    char octet;

    assert_int_equal(vr_shutdown(ends[1], SHUT_WR), 0);
    assert_returns(reader, 0);
    assert_int_equal(vr_send(ends[0], "x", 1, VR_FOREVER), 1); /* the other direction is open */
    assert_int_equal(vr_read(ends[1], &octet, 1, VR_FOREVER), 1);
    assert_int_equal(vr_shutdown(-1, SHUT_RD), -EBADF);
}

static vr_result reads_all_slowly(void *len)
{
    size_t left = (size_t)number_of(len);
    intptr_t sum = 0;
    unsigned char octets[1000];

    while (left) {
        ssize_t n = vr_read(ends[1], octets, sizeof octets, VR_FOREVER);
        if (n <= 0)
            return vr_fail(-EPIPE);
        for (ssize_t i = 0; i < n; i++)
            sum += octets[i] * (intptr_t)(left - (size_t)i);
        left -= (size_t)n;
        vr_sleep(VR_MICROSECONDS(1));
    }
    return vr_ok(number(sum));
}

enum { PIECES = 5 };
static unsigned char large[PIECES][100000];
static struct iovec pieces[PIECES + 2];

/* Pieces with an empty one at the head and one in the middle. Returns what the reader must come to. */
static intptr_t prepare_pieces(void)
{
    intptr_t sum = 0;
    size_t left = sizeof large;

    for (int i = 0; i < PIECES; i++) {
        pieces[1 + i + (i >= 2)] = (struct iovec){large[i], sizeof large[i]};
        for (size_t j = 0; j < sizeof large[i]; j++) {
            large[i][j] = (unsigned char)((unsigned)i * 7 + j * 31);
            sum += large[i][j] * (intptr_t)left--;
        }
    }
    return sum;
}

static void writev_writes_all_pieces_to_a_slow_reader(void **state)
{
    intptr_t sum = prepare_pieces();
    vr_greenlet *reader = vr_spawn(reads_all_slowly, number(sizeof large));

    assert_int_equal(vr_writev(ends[0], pieces, PIECES + 2, VR_FOREVER), sizeof large);
    assert_returns(reader, sum);
}

static void sendmsg_sends_all_pieces_to_a_slow_reader(void **state)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = PIECES + 2};
    intptr_t sum = prepare_pieces();
    vr_greenlet *reader = vr_spawn(reads_all_slowly, number(sizeof large));

    assert_int_equal(vr_sendmsg(ends[0], &message, 0, VR_FOREVER), sizeof large);
    assert_ptr_equal(message.msg_iov, pieces);
    assert_returns(reader, sum);
}

static void sendto_sends_all_to_a_slow_reader(void **state)
{
    intptr_t sum = prepare_pieces();
    vr_greenlet *reader = vr_spawn(reads_all_slowly, number(sizeof large));

    assert_int_equal(vr_sendto(ends[0], large, sizeof large, 0, NULL, 0, VR_FOREVER), sizeof large);
    assert_returns(reader, sum);
}

static void more_pieces_than_one_call_takes_are_written(void **state)
{
    static struct iovec many[3000];
    char octet = 'x';

    for (size_t i = 0; i < 3000; i++)
        many[i] = (struct iovec){&octet, i % 2};
    assert_int_equal(vr_writev(ends[0], many, 3000, VR_FOREVER), 1500);
    assert_int_equal(vr_writev(ends[0], many, 0, VR_FOREVER), 0);
    assert_int_equal(vr_writev(ends[0], many, 1, VR_FOREVER), 0); /* an empty one */
    assert_int_equal(vr_writev(ends[0], many, -1, VR_FOREVER), -EINVAL);
}

static void readv_fills_pieces_in_turn(void **state)
{
    char first[2], second[8];
    struct iovec room[] = {{first, sizeof first}, {second, sizeof second}};

    vr_write(ends[1], "abcde", 5, VR_FOREVER);
    assert_int_equal(vr_readv(ends[0], room, 2, VR_FOREVER), 5);
    assert_memory_equal(first, "ab", 2);
    assert_memory_equal(second, "cde", 3);
    assert_int_equal(vr_readv(ends[0], room, 2, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_readv(ends[0], room, -1, VR_FOREVER), -EINVAL);
    vr_shutdown(ends[1], SHUT_WR);
    assert_int_equal(vr_readv(ends[0], room, 2, VR_FOREVER), 0);
}

static void timeout_of_writev_is_for_the_whole_of_it(void **state)
{
    prepare_pieces();
    assert_int_equal(vr_writev(ends[0], pieces, PIECES + 2, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
}

static void sends_to_a_peer_that_is_gone_raise_no_signal(void **state)
{
    struct iovec piece = {(char[]){"x"}, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};

    vr_close(ends[1]);
    ends[1] = -1;
    assert_int_equal(vr_sendto(ends[0], "x", 1, 0, NULL, 0, VR_FOREVER), -EPIPE);
    assert_int_equal(vr_sendmsg(ends[0], &message, 0, VR_FOREVER), -EPIPE);
    assert_int_equal(vr_sendmmsg(ends[0], &many, 1, VR_FOREVER), -EPIPE);
}

/* --- Messages --- */

static void packets_keep_their_boundaries(void **state)
{
    char octets[8];

    assert_int_equal(vr_sendto(ends[1], "abc", 3, 0, NULL, 0, VR_FOREVER), 3);
    assert_int_equal(vr_send(ends[1], "de", 2, VR_FOREVER), 2);
    assert_int_equal(vr_recvfrom(ends[0], octets, sizeof octets, 0, NULL, NULL, VR_FOREVER), 3);
    assert_int_equal(vr_read(ends[0], octets, sizeof octets, VR_FOREVER), 2);
    vr_close(ends[1]);
    ends[1] = -1;
    assert_int_equal(vr_recvfrom(ends[0], octets, sizeof octets, 0, NULL, NULL, VR_FOREVER), 0);
}

static void datagrams_carry_the_senders_address(void **state)
{
    struct sockaddr_un to, from, seen;
    socklen_t seen_len = sizeof seen;
    char octets[4];

    ends[0] = vr_socket(AF_UNIX, SOCK_DGRAM, 0);
    ends[1] = vr_socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t to_len = bind_somewhere(ends[0], &to), from_len = bind_somewhere(ends[1], &from);
    assert_int_equal(vr_sendto(ends[1], "abcdef", 6, 0, (struct sockaddr *)&to, to_len, VR_FOREVER), 6);
    /* Longer than its room: MSG_TRUNC has the full length told. */
    assert_int_equal(vr_recvfrom(ends[0], octets, sizeof octets, MSG_TRUNC, (struct sockaddr *)&seen, &seen_len, 0), 6);
    assert_memory_equal(octets, "abcd", 4);
    assert_int_equal(seen_len, from_len);
    assert_memory_equal(&seen, &from, from_len);
}

static void empty_datagram_is_a_message(void **state)
{
    struct msghdr message = {0};
    char octets[4];

    assert_int_equal(vr_sendto(ends[1], "", 0, 0, NULL, 0, VR_FOREVER), 0);
    assert_int_equal(vr_sendmsg(ends[1], &message, 0, VR_FOREVER), 0);
    assert_int_equal(vr_recvfrom(ends[0], octets, sizeof octets, 0, NULL, NULL, 0), 0);
    assert_int_equal(vr_recvmsg(ends[0], &message, 0, 0), 0);
    assert_int_equal(vr_recvmsg(ends[0], &message, 0, 0), -ETIMEDOUT);
}

static vr_result receives(void *argument)
{
    char octets[16];

    return vr_ok(number(vr_recvfrom(ends[0], octets, sizeof octets, 0, NULL, NULL, VR_FOREVER)));
}

static vr_result receives_message(void *argument)
{
    char octets[16];
    struct iovec piece = {octets, sizeof octets};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    return vr_ok(number(vr_recvmsg(ends[0], &message, 0, VR_FOREVER)));
}

static void receivers_park_until_something_comes(void **state)
{
    vr_function *const functions[] = {receives, receives_message};

    for (int i = 0; i < 2; i++) {
        vr_greenlet *receiver = waiting(functions[i]);
        assert_int_equal(vr_send(ends[1], "abc", 3, VR_FOREVER), 3);
        assert_returns(receiver, 3);
        receiver = waiting(functions[i]);
        vr_kill(receiver, -EIO);
        assert_returns(receiver, -EIO);
        char octets[4];
        assert_int_equal(vr_recvfrom(ends[0], octets, 4, 0, NULL, NULL, VR_SECONDS(1)), -ETIMEDOUT);
    }
    vr_greenlet *receiver = waiting(receives);
    vr_close(ends[0]);
    ends[0] = -1;
    assert_returns(receiver, -EBADF);
}

static vr_result receives_so_many(void *count)
{
    char octets[4];
    intptr_t n = 0;

    while (n < number_of(count) && vr_recvfrom(ends[1], octets, sizeof octets, 0, NULL, NULL, VR_FOREVER) == 1)
        n++;
    return vr_ok(number(n));
}

static void sender_of_datagrams_waits_for_room(void **state)
{
    struct iovec piece = {(char[]){"x"}, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    intptr_t sent = 0;

    while (send(ends[0], "x", 1, 0) == 1)
        sent++;
    assert_int_equal(vr_sendto(ends[0], "x", 1, 0, NULL, 0, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_greenlet *receiver = vr_spawn(receives_so_many, number(3 * sent));
    for (intptr_t i = 0; i < sent; i++) {
        assert_int_equal(vr_sendto(ends[0], "x", 1, 0, NULL, 0, VR_FOREVER), 1);
        assert_int_equal(vr_sendmsg(ends[0], &message, 0, VR_FOREVER), 1);
    }
    assert_returns(receiver, 3 * sent);
}

/* --- Descriptors in messages --- */

union control {
    struct cmsghdr header;
    char octets[CMSG_SPACE(sizeof(int))];
};

static void send_descriptor(int through, int fd)
{
    union control control = {.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec piece = {(char[]){"d"}, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    assert_int_equal(vr_sendmsg(through, &message, 0, VR_FOREVER), 1);
}

static int received;

static vr_result receives_descriptor(void *argument)
{
    union control control;
    char octets[4];
    struct iovec piece = {octets, sizeof octets};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = vr_recvmsg(ends[0], &message, 0, VR_FOREVER);

    if (n == 1 && message.msg_controllen && control.header.cmsg_type == SCM_RIGHTS)
        memcpy(&received, CMSG_DATA(&control.header), sizeof received);
    return vr_ok(number(n));
}

static void descriptors_pass_through_messages_and_are_closed_on_exec(void **state)
{
    int other[2];
    char octets[4];

    assert_int_equal(vr_pipe(other), 0);
    received = -1;
    vr_greenlet *receiver = waiting(receives_descriptor);
    send_descriptor(ends[1], other[0]);
    assert_returns(receiver, 1);
    assert_true(received >= 0 && received != other[0] && is_closed_on_exec(received));
    assert_int_equal(vr_close(other[0]), 0);
    assert_int_equal(vr_write(other[1], "abc", 3, VR_FOREVER), 3);
    assert_int_equal(vr_read(received, octets, sizeof octets, VR_FOREVER), 3);
    vr_close(received);
    vr_close(other[1]);
}

/* --- Sockets that block --- */

static vr_result sends_after_a_second(void *argument)
{
    vr_sleep(VR_SECONDS(1));
    return vr_fail(write(ends[1], "x", 1) == 1 ? 0 : -errno);
}

static void messages_do_not_block_on_a_blocking_socket(void **state)
{
    char octet;
    struct iovec piece = {&octet, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};
    size_t sent = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(vr_recvfrom(ends[0], &octet, 1, 0, NULL, NULL, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_recvmsg(ends[0], &message, 0, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_recvmmsg(ends[0], &many, 1, VR_SECONDS(1)), -ETIMEDOUT);
    vr_greenlet *sender = vr_spawn(sends_after_a_second, NULL);
    assert_int_equal(vr_recvmmsg(ends[0], &many, 1, VR_FOREVER), 1);
    assert_ends_with(sender, 0);
    while (vr_sendto(ends[0], "x", 1, 0, NULL, 0, 0) == 1)
        sent++;
    assert_true(sent > 0);
    assert_int_equal(vr_sendmsg(ends[0], &message, 0, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_sendmmsg(ends[0], &many, 1, VR_SECONDS(1)), -ETIMEDOUT);
}

#define unix_test(function, set_up) cmocka_unit_test_setup_teardown(function, set_up, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        unix_test(descriptors_from_here_are_nonblocking_and_closed_on_exec, use_nothing),
        unix_test(pipe_carries_from_its_second_end_to_its_first, use_nothing),
        unix_test(descriptor_from_elsewhere_is_made_nonblocking, use_nothing),
        unix_test(connections_meet_by_name, use_nothing),
        unix_test(shutdown_ends_the_stream_for_a_waiting_reader, use_streams),
        unix_test(writev_writes_all_pieces_to_a_slow_reader, use_streams),
        unix_test(sendmsg_sends_all_pieces_to_a_slow_reader, use_streams),
        unix_test(sendto_sends_all_to_a_slow_reader, use_streams),
        unix_test(more_pieces_than_one_call_takes_are_written, use_streams),
        unix_test(readv_fills_pieces_in_turn, use_streams),
        unix_test(timeout_of_writev_is_for_the_whole_of_it, use_streams),
        unix_test(sends_to_a_peer_that_is_gone_raise_no_signal, use_streams),
        unix_test(packets_keep_their_boundaries, use_packets),
        unix_test(datagrams_carry_the_senders_address, use_nothing),
        unix_test(empty_datagram_is_a_message, use_datagrams),
        unix_test(receivers_park_until_something_comes, use_packets),
        unix_test(sender_of_datagrams_waits_for_room, use_datagrams),
        unix_test(descriptors_pass_through_messages_and_are_closed_on_exec, use_streams),
        unix_test(messages_do_not_block_on_a_blocking_socket, use_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
