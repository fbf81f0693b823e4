/* I/O on a system that interrupts calls, moves an octet at a time, says "ready" when nothing is, or fails. */
#include "faults.h"
#include "io_support.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define LIMITED(name, len) fault_limited(&fault_##name, len)

WRAP(ssize_t, read, (int fd, void *out, size_t len), -1, (fd, out, LIMITED(read, len)))
WRAP(ssize_t, readv, (int fd, const struct iovec *pieces, int n), -1, (fd, pieces, n))
WRAP(ssize_t, write, (int fd, const void *data, size_t len), -1, (fd, data, LIMITED(write, len)))
WRAP(ssize_t, writev, (int fd, const struct iovec *pieces, int n), -1, (fd, pieces, n))
WRAP(ssize_t, send, (int fd, const void *data, size_t len, int flags), -1, (fd, data, LIMITED(send, len), flags))
WRAP(ssize_t, sendto,
     (int fd, const void *data, size_t len, int flags, const struct sockaddr *address, socklen_t address_len), -1,
     (fd, data, LIMITED(sendto, len), flags, address, address_len))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), -1, (fd, message, flags))
WRAP(ssize_t, recvfrom, (int fd, void *out, size_t len, int flags, struct sockaddr *address, socklen_t *address_len),
     -1, (fd, out, len, flags, address, address_len))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), -1, (fd, message, flags))
WRAP(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *timeout), -1,
     (fd, messages, n, flags, timeout))
WRAP(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags), -1,
     (fd, messages, (unsigned)LIMITED(sendmmsg, n), flags))
WRAP(int, accept4, (int fd, struct sockaddr *address, socklen_t *address_len, int flags), -1,
     (fd, address, address_len, flags))
WRAP(int, connect, (int fd, const struct sockaddr *address, socklen_t len), -1, (fd, address, len))
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len), -1, (fd, level, name, value, len))
WRAP(int, socket, (int domain, int type, int protocol), -1, (domain, type, protocol))
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]), -1, (domain, type, protocol, fds))
WRAP(int, pipe2, (int fds[2], int flags), -1, (fds, flags))
WRAP(int, shutdown, (int fd, int how), -1, (fd, how))
WRAP(int, close, (int fd), -1, (fd))

/* Those of libev, which is a library of its own: the program's definitions go before the C library's. */
static fault fault_epoll_ctl, fault_epoll_wait;

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return fault_strikes(&fault_epoll_ctl) ? -1 : (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    return fault_strikes(&fault_epoll_wait) ? -1
                                            : (int)syscall(SYS_epoll_pwait, epfd, events, maxevents, timeout, NULL, 8);
}

static int use_streams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_STREAM);
}

static int use_packets(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_SEQPACKET);
}

static int use_packets_in_real_time(void **state)
{
    return use_real_clock(state) || open_pair(SOCK_SEQPACKET);
}

/* --- Each call, by turns interrupted, told to try again, and refused --- */

static char octets[8];
static struct iovec piece = {octets, sizeof octets};

/* A call of <vireo/io.h> on a descriptor that is ready for it: octets moved, or the error. */
static long call(int i, vr_time timeout)
{
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};
    long n;

    switch (i) {
    case 0:
        return vr_read(ends[0], octets, sizeof octets, timeout);
    case 1:
        return vr_readv(ends[0], &piece, 1, timeout);
    case 2:
        return vr_recvfrom(ends[0], octets, sizeof octets, 0, NULL, NULL, timeout);
    case 3:
        return vr_recvmsg(ends[0], &message, 0, timeout);
    case 4:
        n = vr_recvmmsg(ends[0], &many, 1, timeout);
        return n == 1 ? many.msg_len : n;
    case 5:
        return vr_write(ends[0], octets, sizeof octets, timeout);
    case 6:
        return vr_writev(ends[0], &piece, 1, timeout);
    case 7:
        return vr_send(ends[0], octets, sizeof octets, timeout);
    case 8:
        return vr_sendto(ends[0], octets, sizeof octets, 0, NULL, 0, timeout);
    case 9:
        return vr_sendmsg(ends[0], &message, 0, timeout);
    default:
        n = vr_sendmmsg(ends[0], &many, 1, timeout);
        return n == 1 ? (long)sizeof octets : n;
    }
}

/* What each of them calls. */
static fault *const faults[] = {
    &fault_read,   &fault_readv,  &fault_recvfrom, &fault_recvmsg, &fault_recvmmsg, &fault_write,
    &fault_writev, &fault_sendto, &fault_sendto,   &fault_sendmsg, &fault_sendmmsg,
};
enum { FAULTS = sizeof faults / sizeof *faults };

static void make_ready(void)
{
    assert_int_equal(__real_write(ends[1], "12345678", sizeof octets), sizeof octets);
}

static void interrupted_calls_are_made_again(void **state)
{
    for (int i = 0; i < FAULTS; i++) {
        make_ready();
        *faults[i] = (fault){.times = 3, .error = EINTR};
        assert_int_equal(call(i, VR_SECONDS(1)), sizeof octets);
        assert_int_equal(faults[i]->calls, 4);
        *faults[i] = (fault){0};
    }
    assert_int_equal(vr_now(), 0);
}

/* The descriptor is ready all the time, and yet there is nothing: as when another process was first. */
static void wakings_for_nothing_only_make_it_wait_again(void **state)
{
    for (int i = 0; i < FAULTS; i++) {
        make_ready();
        *faults[i] = (fault){.times = 20, .error = EAGAIN};
        assert_int_equal(call(i, VR_SECONDS(1)), sizeof octets);
        assert_true(faults[i]->calls > 20);
        *faults[i] = (fault){0};
    }
}

static void wakings_for_nothing_do_not_prolong_the_timeout(void **state)
{
    for (int i = 0; i < FAULTS; i++) {
        make_ready();
        *faults[i] = (fault){.times = INT_MAX, .error = EAGAIN};
        assert_int_equal(call(i, VR_MILLISECONDS(1)), -ETIMEDOUT);
        assert_int_equal(call(i, 0), -ETIMEDOUT);
        *faults[i] = (fault){0};
    }
}

static void errors_of_the_system_are_returned_at_once(void **state)
{
    static const int errors[] = {ENOBUFS, ENOMEM, EIO, ECONNRESET};

    for (int i = 0; i < FAULTS; i++) {
        for (int j = 0; j < 4; j++) {
            make_ready();
            *faults[i] = (fault){.times = 1, .error = errors[j]};
            assert_int_equal(call(i, VR_SECONDS(1)), -errors[j]);
            assert_int_equal(faults[i]->calls, 1);
            *faults[i] = (fault){0};
        }
    }
}

/* --- An octet at a time --- */

static vr_result reads_eight(void *argument)
{
    char all[8];
    size_t n = 0;

    while (n < 8) {
        ssize_t got = vr_read(ends[1], all + n, 8 - n, VR_FOREVER);
        if (got <= 0)
            return vr_fail(got);
        n += (size_t)got;
    }
    return vr_fail(memcmp(all, "12345678", 8) ? -EBADMSG : 0);
}

static void short_writes_are_carried_on_to_the_end(void **state)
{
    struct iovec two[] = {{(char[]){"123"}, 3}, {(char[]){"45678"}, 5}};
    struct msghdr message = {.msg_iov = two, .msg_iovlen = 2};

    fault_read = (fault){.limit = 1};
    fault_write = fault_send = fault_sendto = (fault){.limit = 1, .skip = 1, .times = 2, .error = EAGAIN};
    for (int i = 0; i < 5; i++) {
        vr_greenlet *reader = vr_spawn(reads_eight, NULL);
        fault_write.times = fault_send.times = fault_sendto.times = 2;
        ssize_t n = i == 0   ? vr_write(ends[0], "12345678", 8, VR_FOREVER)
                    : i == 1 ? vr_writev(ends[0], two, 2, VR_FOREVER)
                    : i == 2 ? vr_send(ends[0], "12345678", 8, VR_FOREVER)
                    : i == 3 ? vr_sendto(ends[0], "12345678", 8, 0, NULL, 0, VR_FOREVER)
                             : vr_sendmsg(ends[0], &message, 0, VR_FOREVER);
        assert_int_equal(n, 8);
        assert_ends_with(reader, 0);
    }
    PASS(read);
    PASS(write);
    PASS(send);
    PASS(sendto);
}

static void messages_that_go_one_by_one_are_all_sent(void **state)
{
    struct mmsghdr three[3] = {{.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}}};

    three[1] = three[2] = three[0];
    fault_sendmmsg = (fault){.limit = 1, .skip = 1, .times = 1, .error = EAGAIN};
    assert_int_equal(vr_sendmmsg(ends[0], three, 3, VR_FOREVER), 3);
    fault_sendmmsg = (fault){.limit = 1, .skip = 2, .times = 1, .error = ENOBUFS};
    assert_int_equal(vr_sendmmsg(ends[0], three, 3, VR_FOREVER), 2);
    FAIL(sendmmsg, ENOBUFS);
    assert_int_equal(vr_sendmmsg(ends[0], three, 3, VR_FOREVER), -ENOBUFS);
    PASS(sendmmsg);
}

/* --- Connections --- */

static void accept_goes_on_after_interruptions_and_returns_errors(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = vr_socket(AF_INET, SOCK_STREAM, 0), client = vr_socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(listener, 8), 0);
    FAIL(connect, EINTR); /* it goes on by itself */
    assert_int_equal(__real_connect(client, (struct sockaddr *)&address, len), -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(vr_connect(client, (struct sockaddr *)&address, len, VR_FOREVER), 0);
    for (int i = 0; i < 5; i++) {
        FAIL(accept4, errors[i]);
        assert_int_equal(vr_accept(listener, NULL, NULL, VR_FOREVER), -errors[i]);
    }
    FAIL_TIMES(accept4, 3, EINTR);
    int accepted = vr_accept(listener, NULL, NULL, VR_FOREVER);
    assert_true(accepted >= 0);
    FAIL_TIMES(accept4, 3, EAGAIN);
    assert_int_equal(vr_accept(listener, NULL, NULL, VR_SECONDS(1)), -ETIMEDOUT);
    PASS(accept4);
    vr_close(accepted);
    vr_close(client);
    vr_close(listener);
}

static void connect_returns_what_the_system_says_at_any_point(void **state)
{
    static const int errors[] = {EADDRNOTAVAIL, ENETUNREACH, EACCES, EAGAIN};

    for (int i = 0; i < 4; i++) {
        FAIL(connect, errors[i]);
        assert_int_equal(vr_connect(ends[0], NULL, 0, VR_FOREVER), -errors[i]);
    }
    FAIL(connect, EINPROGRESS);
    FAIL(getsockopt, ENOBUFS);
    assert_int_equal(vr_connect(ends[0], NULL, 0, VR_FOREVER), -ENOBUFS);
    FAIL(connect, EINPROGRESS);
    assert_int_equal(vr_connect(ends[0], NULL, 0, VR_FOREVER), 0);
    PASS(connect);
}

/* --- Descriptors --- */

static void descriptors_that_cannot_be_had_are_errors(void **state)
{
    int fds[2];

    FAIL(socket, EMFILE);
    assert_int_equal(vr_socket(AF_UNIX, SOCK_STREAM, 0), -EMFILE);
    FAIL(socketpair, ENFILE);
    assert_int_equal(vr_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), -ENFILE);
    FAIL(pipe2, EMFILE);
    assert_int_equal(vr_pipe(fds), -EMFILE);
    FAIL(shutdown, ENOTCONN);
    assert_int_equal(vr_shutdown(ends[0], SHUT_RD), -ENOTCONN);
}

static void close_that_is_interrupted_has_closed(void **state)
{
    vr_greenlet *reader = waiting(reads);

    FAIL(close, EINTR);
    assert_int_equal(vr_close(ends[0]), 0);
    assert_ends_with(reader, -EBADF);
    FAIL(close, EIO);
    assert_int_equal(vr_close(ends[0]), -EIO);
    PASS(close);
}

/* --- What libev is refused --- */

static void descriptor_that_cannot_be_watched_is_out_of_memory_and_may_be_tried_again(void **state)
{
    char octet;

    fault_epoll_ctl = (fault){.times = 1, .error = ENOSPC};
    assert_int_equal(vr_read(ends[0], &octet, 1, VR_FOREVER), -ENOMEM);
    fault_epoll_ctl = (fault){.times = 1, .error = ENOMEM};
    assert_int_equal(vr_wait_either(ends[0], VR_FOREVER), -ENOMEM);
    vr_greenlet *reader = waiting(reads);
    make_ready();
    assert_returns(reader, sizeof octets);
}

static void poll_that_is_interrupted_goes_on(void **state)
{
    vr_greenlet *reader = waiting(reads);

    fault_epoll_wait = (fault){.times = 10, .error = EINTR};
    make_ready();
    assert_returns(reader, sizeof octets);
    assert_true(fault_epoll_wait.calls >= 10);
}

/* --- Reading: how many system calls --- */

static vr_result reads_on(void *len)
{
    char all[64];
    ssize_t n;

    while ((n = vr_read(ends[0], all, (size_t)number_of(len), VR_FOREVER)) > 0)
        trace("%d", (int)n);
    return vr_fail(n);
}

static void reader_that_takes_all_there_is_asks_the_system_once_for_each_message(void **state)
{
    vr_greenlet *reader = waiting(reads);

    make_ready();
    assert_returns(reader, sizeof octets);
    reader = vr_spawn(reads_on, number(64));
    vr_sleep(1);
    PASS(read);
    for (int i = 0; i < 10; i++) {
        make_ready();
        vr_sleep(1);
    }
    assert_int_equal(fault_read.calls, 10);
    assert_trace("8 8 8 8 8 8 8 8 8 8");
    end_greenlet(reader);
}

static void reader_whose_buffer_is_filled_each_time_is_seldom_wrong(void **state)
{
    vr_greenlet *reader = vr_spawn(reads_on, number(sizeof octets));

    vr_sleep(1);
    PASS(read);
    for (int i = 0; i < 100; i++) {
        make_ready();
        vr_sleep(1);
    }
    assert_in_range(fault_read.calls, 100, 110);
    trace_clear();
    end_greenlet(reader);
}

static void reader_of_much_does_not_wait_for_what_is_there(void **state)
{
    char octet;

    for (int i = 0; i < 100; i++)
        make_ready();
    vr_read(ends[0], octets, sizeof octets, VR_FOREVER);
    /* Once it has waited, which it does again for a while, it finds that this is needless. */
    vr_wait_readable(ends[0], VR_FOREVER);
    PASS(epoll_wait);
    for (int i = 0; i < 400; i++)
        assert_int_equal(vr_read(ends[0], &octet, 1, VR_FOREVER), 1);
    assert_in_range(fault_epoll_wait.calls, 0, 20);
}

static void reads_with_no_time_never_wait_for_what_is_there(void **state)
{
    vr_greenlet *reader = waiting(reads);

    make_ready();
    assert_returns(reader, sizeof octets); /* took all: the next one would wait first */
    make_ready();
    PASS(epoll_wait);
    assert_int_equal(vr_read(ends[0], octets, sizeof octets, 0), sizeof octets);
    assert_int_equal(fault_epoll_wait.calls, 0);
}

static long read_in_the_hub;

static void reads_in_the_hub(vr_callback *callback)
{
    read_in_the_hub = vr_read(ends[0], octets, sizeof octets, VR_FOREVER);
}

static void reads_in_the_hub_find_what_is_there(void **state)
{
    vr_callback callback = {.run = reads_in_the_hub};
    vr_greenlet *reader = waiting(reads);

    make_ready();
    assert_returns(reader, sizeof octets);
    make_ready();
    vr_callback_queue(&callback);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(read_in_the_hub, sizeof octets);
    vr_callback_queue(&callback);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(read_in_the_hub, -EPERM);
}

#define stream_test(function) cmocka_unit_test_setup_teardown(function, use_streams, close_pair)
#define packet_test(function) cmocka_unit_test_setup_teardown(function, use_packets, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        packet_test(interrupted_calls_are_made_again),
        packet_test(wakings_for_nothing_only_make_it_wait_again),
        cmocka_unit_test_setup_teardown(wakings_for_nothing_do_not_prolong_the_timeout, use_packets_in_real_time,
                                        close_pair),
        packet_test(errors_of_the_system_are_returned_at_once),
        stream_test(short_writes_are_carried_on_to_the_end),
        packet_test(messages_that_go_one_by_one_are_all_sent),
        stream_test(accept_goes_on_after_interruptions_and_returns_errors),
        stream_test(connect_returns_what_the_system_says_at_any_point),
        stream_test(descriptors_that_cannot_be_had_are_errors),
        stream_test(close_that_is_interrupted_has_closed),
        stream_test(descriptor_that_cannot_be_watched_is_out_of_memory_and_may_be_tried_again),
        stream_test(poll_that_is_interrupted_goes_on),
        stream_test(reader_that_takes_all_there_is_asks_the_system_once_for_each_message),
        stream_test(reader_whose_buffer_is_filled_each_time_is_seldom_wrong),
        stream_test(reader_of_much_does_not_wait_for_what_is_there),
        stream_test(reads_with_no_time_never_wait_for_what_is_there),
        stream_test(reads_in_the_hub_find_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
