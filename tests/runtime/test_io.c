/* Cooperative I/O on stream sockets and pipes: who is woken, when, and with what. */
#include "io_support.h"

#include <stdlib.h>
#include <sys/uio.h>

static int use_streams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_STREAM);
}

static int use_streams_in_real_time(void **state)
{
    return use_real_clock(state) || open_pair(SOCK_STREAM);
}

/* --- What greenlets do --- */

static vr_result waits_to_read(void *timeout_ms)
{
    vr_time timeout = timeout_ms ? VR_MILLISECONDS(number_of(timeout_ms)) : VR_FOREVER;

    return vr_fail(vr_wait_readable(ends[0], timeout));
}

static vr_result waits_to_write(void *argument)
{
    return vr_fail(vr_wait_writable(ends[0], VR_FOREVER));
}

static vr_result writes_octet(void *fd)
{
    return vr_ok(number(vr_write((int)number_of(fd), "x", 1, VR_FOREVER)));
}

/* --- Reading and writing --- */

static void read_gives_what_is_there_without_waiting_for_more(void **state)
{
    char octets[16];

    assert_int_equal(vr_write(ends[1], "hello", 5, VR_FOREVER), 5);
    assert_int_equal(vr_read(ends[0], octets, sizeof octets, VR_FOREVER), 5);
    assert_memory_equal(octets, "hello", 5);
}

static void read_takes_no_more_than_its_room(void **state)
{
    char octets[2];

    vr_write(ends[1], "abc", 3, VR_FOREVER);
    assert_int_equal(vr_read(ends[0], octets, 2, VR_FOREVER), 2);
    assert_memory_equal(octets, "ab", 2);
    assert_int_equal(vr_read(ends[0], octets, 2, VR_FOREVER), 1);
    assert_memory_equal(octets, "c", 1);
}

static void read_parks_until_something_comes(void **state)
{
    vr_greenlet *reader = waiting(reads);

    assert_int_equal(vr_write(ends[1], "abc", 3, VR_FOREVER), 3);
    assert_returns(reader, 3);
}

static void read_is_0_at_the_end_of_the_stream(void **state)
{
    vr_greenlet *reader = waiting(reads);

    assert_int_equal(vr_close(ends[1]), 0);
    ends[1] = -1;
    assert_returns(reader, 0);
    assert_returns(vr_spawn(reads, NULL), 0);
}

static void half_closed_connection_is_still_written_to(void **state)
{
    char octet;

    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(vr_read(ends[0], &octet, 1, VR_FOREVER), 0);
    assert_int_equal(vr_write(ends[0], "x", 1, VR_FOREVER), 1);
    assert_int_equal(vr_read(ends[1], &octet, 1, VR_FOREVER), 1);
}

static void pipes_are_read_and_written(void **state)
{
    int pipe_ends[2];
    char octets[8];

    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
    vr_greenlet *writer = vr_spawn_later(VR_SECONDS(1), writes_octet, number(pipe_ends[1]));
    assert_int_equal(vr_read(pipe_ends[0], octets, sizeof octets, VR_FOREVER), 1);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_int_equal(vr_close(pipe_ends[1]), 0);
    assert_int_equal(vr_read(pipe_ends[0], octets, sizeof octets, VR_FOREVER), 0);
    assert_int_equal(vr_close(pipe_ends[0]), 0);
    assert_returns(writer, 1);
}

static unsigned char octet_at(size_t position)
{
    return (unsigned char)(position * 31 >> 3);
}

typedef struct transfer {
    ssize_t (*write)(int fd, const void *data, size_t len, vr_time timeout);
    size_t len;
} transfer;

static vr_result writes_all(void *argument)
{
    const transfer *all = argument;
    unsigned char *octets = test_malloc(all->len);

    for (size_t i = 0; i < all->len; i++)
        octets[i] = octet_at(i);
    ssize_t written = all->write(ends[0], octets, all->len, VR_FOREVER);
    test_free(octets);
    return vr_ok(number(written));
}

/* Reads everything in small pieces, giving way in between; the value tells how many octets came as they were sent. */
static vr_result reads_slowly(void *len)
{
    intptr_t good = 0;
    char octets[4096];

    for (size_t at = 0; at < (size_t)number_of(len);) {
        ssize_t n = vr_read(ends[1], octets, sizeof octets, VR_FOREVER);
        if (n <= 0)
            return vr_fail(-EPIPE);
        for (ssize_t i = 0; i < n; i++)
            good += (unsigned char)octets[i] == octet_at(at + (size_t)i);
        at += (size_t)n;
        vr_sleep(VR_MICROSECONDS(10));
    }
    return vr_ok(number(good));
}

static void transfer_to_a_slow_reader(transfer all)
{
    vr_greenlet *writer = vr_spawn(writes_all, &all);
    vr_greenlet *reader = vr_spawn(reads_slowly, number((intptr_t)all.len));

    assert_returns(reader, (intptr_t)all.len);
    assert_returns(writer, (intptr_t)all.len);
}

static void write_sends_more_than_the_socket_holds_to_a_slow_reader(void **state)
{
    transfer_to_a_slow_reader((transfer){vr_write, 4 << 20});
}

static void send_sends_more_than_the_socket_holds_to_a_slow_reader(void **state)
{
    transfer_to_a_slow_reader((transfer){vr_send, 4 << 20});
}

static vr_result traces_turn(void *argument)
{
    trace("turn");
    return vr_ok(NULL);
}

static void calls_that_are_served_at_once_do_not_give_way(void **state)
{
    vr_greenlet *other = vr_spawn(traces_turn, NULL);
    char octet;

    assert_int_equal(vr_send(ends[1], "x", 1, VR_FOREVER), 1);
    assert_int_equal(vr_read(ends[0], &octet, 1, VR_FOREVER), 1);
    assert_trace("");
    assert_int_equal(vr_wait_writable(ends[0], VR_FOREVER), 0);
    assert_trace("turn");
    vr_unref(other);
}

static void write_of_nothing_is_done_at_once(void **state)
{
    fill();
    assert_int_equal(vr_write(ends[0], "", 0, VR_FOREVER), 0);
    assert_int_equal(vr_send(ends[0], "", 0, VR_FOREVER), 0);
}

static vr_result writes_while_full(void *argument)
{
    return vr_fail(vr_send(ends[0], "x", 1, VR_FOREVER));
}

static void send_to_a_peer_that_is_gone_is_broken_and_no_signal(void **state)
{
    fill();
    vr_greenlet *writer = waiting(writes_while_full);
    vr_close(ends[1]);
    ends[1] = -1;
    assert_int_equal(vr_join(writer, VR_FOREVER), 0);
    assert_true(vr_error(writer) == -EPIPE || vr_error(writer) == -ECONNRESET);
    vr_unref(writer);
    assert_int_equal(vr_send(ends[0], "x", 1, VR_FOREVER), -EPIPE);
}

static void one_reader_and_one_writer_share_a_descriptor(void **state)
{
    size_t filled = fill();
    vr_greenlet *writer = waiting(waits_to_write);
    vr_greenlet *reader = waiting(waits_to_read);
    char octets[4096];

    assert_int_equal(vr_write(ends[1], "x", 1, VR_FOREVER), 1);
    assert_ends_with(reader, 0);
    assert_false(vr_ready(writer));
    for (ssize_t n; filled; filled -= (size_t)n)
        n = vr_read(ends[1], octets, sizeof octets, VR_FOREVER);
    assert_ends_with(writer, 0);
}

static void waits_return_at_once_when_ready(void **state)
{
    assert_int_equal(vr_wait_writable(ends[0], VR_FOREVER), 0);
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_int_equal(vr_wait_readable(ends[0], VR_FOREVER), 0);
    assert_int_equal(vr_wait_readable(ends[0], VR_FOREVER), 0); /* nothing was read */
    assert_int_equal(vr_now(), 0);
}

static void wait_for_either_tells_which_is_ready(void **state)
{
    size_t filled = fill();
    char octets[4096];

    assert_int_equal(vr_wait_either(ends[0], VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_int_equal(vr_wait_either(ends[0], VR_FOREVER), VR_READABLE);
    for (ssize_t n; filled; filled -= (size_t)n)
        n = vr_read(ends[1], octets, sizeof octets, VR_FOREVER);
    assert_int_equal(vr_wait_either(ends[0], VR_FOREVER), VR_READABLE | VR_WRITABLE);
    assert_int_equal(vr_read(ends[0], octets, 1, VR_FOREVER), 1);
    assert_int_equal(vr_wait_either(ends[0], VR_FOREVER), VR_WRITABLE);
}

static vr_result waits_for_either(void *argument)
{
    return vr_fail(vr_wait_either(ends[0], VR_FOREVER));
}

static void wait_for_either_ends_with_the_descriptor_or_a_kill(void **state)
{
    fill();
    vr_greenlet *waiter = waiting(waits_for_either);
    vr_kill(waiter, -EIO);
    assert_ends_with(waiter, -EIO);
    waiter = waiting(waits_for_either);
    vr_close(ends[0]);
    ends[0] = -1;
    assert_ends_with(waiter, -EBADF);
}

static void wait_for_either_is_busy_with_a_reader_or_a_writer_and_waits_for_neither(void **state)
{
    fill();
    vr_function *const others[] = {waits_to_read, waits_to_write, waits_for_either};

    for (int i = 0; i < 3; i++) {
        vr_greenlet *other = waiting(others[i]);
        assert_int_equal(vr_wait_either(ends[0], VR_FOREVER), -EBUSY);
        vr_kill(other, -EIO);
        assert_ends_with(other, -EIO);
    }
    /* The failures have left nothing behind. */
    vr_greenlet *reader = waiting(reads), *writer = waiting(waits_to_write);
    vr_close(ends[0]);
    ends[0] = -1;
    assert_ends_with(reader, -EBADF);
    assert_ends_with(writer, -EBADF);
}

static void files_on_a_disk_are_always_ready(void **state)
{
    char path[] = "/tmp/vireo-io-XXXXXX", octets[8];
    int fd = mkostemp(path, O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vr_wait_readable(fd, VR_FOREVER), 0);
    assert_int_equal(vr_write(fd, "abc", 3, VR_FOREVER), 3);
    assert_int_equal(vr_wait_writable(fd, VR_FOREVER), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(vr_read(fd, octets, sizeof octets, VR_FOREVER), 3);
    assert_int_equal(vr_read(fd, octets, sizeof octets, VR_FOREVER), 0);
    vr_close(fd);
}

/* --- Refusals --- */

static void second_reader_is_busy(void **state)
{
    char octet;
    vr_greenlet *reader = waiting(reads);

    assert_int_equal(vr_read(ends[0], &octet, 1, VR_FOREVER), -EBUSY);
    assert_int_equal(vr_wait_readable(ends[0], VR_FOREVER), -EBUSY);
    assert_false(vr_ready(reader));
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_returns(reader, 1);
}

static void second_writer_is_busy(void **state)
{
    char octets[4096];
    size_t filled = fill();
    vr_greenlet *writer = waiting(waits_to_write);

    assert_int_equal(vr_write(ends[0], "x", 1, VR_FOREVER), -EBUSY);
    assert_int_equal(vr_wait_writable(ends[0], VR_FOREVER), -EBUSY);
    for (ssize_t n; filled; filled -= (size_t)n)
        n = vr_read(ends[1], octets, sizeof octets, VR_FOREVER);
    assert_ends_with(writer, 0);
}

static void descriptors_that_are_not_open_are_bad(void **state)
{
    char octet = 'x';
    struct iovec piece = {&octet, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    int closed = dup(ends[0]);

    vr_close(closed);
    for (int i = 0; i < 2; i++) {
        int fd = i ? closed : -1;
        assert_int_equal(vr_read(fd, &octet, 1, VR_FOREVER), -EBADF);
        assert_int_equal(vr_write(fd, "x", 1, VR_FOREVER), -EBADF);
        assert_int_equal(vr_wait_readable(fd, VR_FOREVER), -EBADF);
        assert_int_equal(vr_wait_writable(fd, VR_FOREVER), -EBADF);
        assert_int_equal(vr_accept(fd, NULL, NULL, VR_FOREVER), -EBADF);
        assert_int_equal(vr_wait_either(fd, VR_FOREVER), -EBADF);
        assert_int_equal(vr_readv(fd, &piece, 1, VR_FOREVER), -EBADF);
        assert_int_equal(vr_writev(fd, &piece, 1, VR_FOREVER), -EBADF);
        assert_int_equal(vr_send(fd, "x", 1, VR_FOREVER), -EBADF);
        assert_int_equal(vr_sendto(fd, "x", 1, 0, NULL, 0, VR_FOREVER), -EBADF);
        assert_int_equal(vr_sendmsg(fd, &message, 0, VR_FOREVER), -EBADF);
        assert_int_equal(vr_recvmsg(fd, &message, 0, VR_FOREVER), -EBADF);
        assert_int_equal(vr_recvfrom(fd, &octet, 1, 0, NULL, NULL, VR_FOREVER), -EBADF);
        assert_int_equal(vr_close(fd), -EBADF);
    }
}

static void waits_on_a_large_number(void)
{
    vr_sleep(0);
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20}); /* nothing more is to be had */
    if (vr_wait_readable(1 << 28, VR_FOREVER) != -EBADF)
        _exit(1);
}

static void descriptor_that_is_not_open_costs_no_memory_however_large(void **state)
{
    if (SANITIZED || RUNNING_ON_VALGRIND)
        skip();
    assert_int_equal(status_of_child(waits_on_a_large_number), 0);
}

enum { BLOCKING = 10 };
static long refused[BLOCKING];

static void blocks_in_the_hub(vr_callback *callback)
{
    char octet;
    struct iovec piece = {&octet, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    octet = 'x';
    refused[0] = vr_wait_readable(ends[0], VR_FOREVER);
    refused[1] = vr_wait_writable(ends[0], VR_FOREVER);
    refused[2] = vr_wait_either(ends[0], VR_FOREVER);
    refused[3] = vr_read(ends[0], &octet, 1, VR_FOREVER);
    refused[4] = vr_readv(ends[0], &piece, 1, VR_FOREVER);
    refused[5] = vr_recvmsg(ends[0], &message, 0, VR_FOREVER);
    refused[6] = vr_write(ends[0], "x", 1, VR_FOREVER);
    refused[7] = vr_writev(ends[0], &piece, 1, VR_FOREVER);
    refused[8] = vr_send(ends[0], "x", 1, VR_FOREVER);
    refused[9] = vr_sendmsg(ends[0], &message, 0, VR_FOREVER);
}

static void calls_that_would_park_the_hub_are_refused(void **state)
{
    vr_callback callback = {.run = blocks_in_the_hub};

    fill();
    vr_callback_queue(&callback);
    vr_sleep(0);
    for (int i = 0; i < BLOCKING; i++)
        assert_int_equal(refused[i], -EPERM);
}

/* --- Timeouts and kills --- */

static void read_gives_up_after_its_timeout(void **state)
{
    char octet;

    assert_int_equal(vr_read(ends[0], &octet, 1, VR_MILLISECONDS(30)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(30));
    assert_int_equal(vr_wait_readable(ends[0], VR_MILLISECONDS(10)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(40));
    vr_greenlet *reader = waiting(reads);
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_returns(reader, 1);
}

static void timeout_0_takes_what_is_there(void **state)
{
    char octet;

    assert_int_equal(vr_read(ends[0], &octet, 1, 0), -ETIMEDOUT);
    vr_write(ends[1], "x", 1, 0);
    assert_int_equal(vr_wait_readable(ends[0], 0), 0);
    assert_int_equal(vr_read(ends[0], &octet, 1, 0), 1);
    assert_int_equal(vr_now(), 0);
}

static vr_result drains_a_little_every_10_ms(void *argument)
{
    char octets[4096];

    for (;;) {
        int error = vr_sleep(VR_MILLISECONDS(10));
        if (error)
            return vr_fail(error);
        vr_read(ends[1], octets, sizeof octets, 0);
    }
}

static void timeout_of_write_is_for_the_whole_of_it(void **state)
{
    static char octets[1 << 20];
    vr_greenlet *drain = vr_spawn(drains_a_little_every_10_ms, NULL);

    assert_int_equal(vr_write(ends[0], octets, sizeof octets, VR_MILLISECONDS(55)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_MILLISECONDS(55));
    end_greenlet(drain);
}

static vr_result reads_within_a_nanosecond(void *argument)
{
    char octet;

    return vr_ok(number(vr_read(ends[0], &octet, 1, 1)));
}

static void answer_in_the_same_poll_wins_over_the_timeout(void **state)
{
    /* The reader's time is over before the writer runs, and so before the poll that finds both. */
    vr_greenlet *reader = vr_spawn(reads_within_a_nanosecond, NULL);
    vr_greenlet *writer = vr_spawn(writes_octet, number(ends[1]));

    assert_returns(writer, 1);
    assert_returns(reader, 1);
}

static void io_is_not_starved_by_timers_that_are_always_due(void **state)
{
    char octet;
    vr_greenlet *reader = waiting(reads);

    for (int turn = 0; !vr_ready(reader); turn++) {
        if (turn == 5)
            assert_int_equal(write(ends[1], "x", 1), 1);
        vr_sleep(1);
    }
    assert_returns(reader, 1);
    assert_int_equal(vr_read(ends[0], &octet, 1, 0), -ETIMEDOUT);
}

static void kill_ends_a_wait_and_frees_the_descriptor_for_another(void **state)
{
    vr_greenlet *victim = waiting(reads);

    vr_kill(victim, -EIO);
    assert_ends_with(victim, -EIO);
    vr_greenlet *reader = waiting(reads);
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_returns(reader, 1);
}

static void kill_that_comes_first_leaves_the_octets_unread(void **state)
{
    char octet;
    vr_greenlet *victim = waiting(reads);

    vr_kill(victim, -EIO);
    vr_write(ends[1], "x", 1, VR_FOREVER);
    assert_ends_with(victim, -EIO);
    assert_int_equal(vr_read(ends[0], &octet, 1, 0), 1);
}

#define stream_test(function) cmocka_unit_test_setup_teardown(function, use_streams, close_pair)
#define real_stream_test(function) cmocka_unit_test_setup_teardown(function, use_streams_in_real_time, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stream_test(read_gives_what_is_there_without_waiting_for_more),
        stream_test(read_takes_no_more_than_its_room),
        stream_test(read_parks_until_something_comes),
        stream_test(read_is_0_at_the_end_of_the_stream),
        stream_test(half_closed_connection_is_still_written_to),
        stream_test(pipes_are_read_and_written),
        stream_test(write_sends_more_than_the_socket_holds_to_a_slow_reader),
        stream_test(send_sends_more_than_the_socket_holds_to_a_slow_reader),
        stream_test(calls_that_are_served_at_once_do_not_give_way),
        stream_test(write_of_nothing_is_done_at_once),
        stream_test(send_to_a_peer_that_is_gone_is_broken_and_no_signal),
        stream_test(one_reader_and_one_writer_share_a_descriptor),
        stream_test(waits_return_at_once_when_ready),
        stream_test(wait_for_either_tells_which_is_ready),
        stream_test(wait_for_either_ends_with_the_descriptor_or_a_kill),
        stream_test(wait_for_either_is_busy_with_a_reader_or_a_writer_and_waits_for_neither),
        stream_test(files_on_a_disk_are_always_ready),
        stream_test(second_reader_is_busy),
        stream_test(second_writer_is_busy),
        stream_test(descriptors_that_are_not_open_are_bad),
        stream_test(descriptor_that_is_not_open_costs_no_memory_however_large),
        stream_test(calls_that_would_park_the_hub_are_refused),
        stream_test(read_gives_up_after_its_timeout),
        stream_test(timeout_0_takes_what_is_there),
        stream_test(timeout_of_write_is_for_the_whole_of_it),
        real_stream_test(answer_in_the_same_poll_wins_over_the_timeout),
        stream_test(io_is_not_starved_by_timers_that_are_always_due),
        stream_test(kill_ends_a_wait_and_frees_the_descriptor_for_another),
        stream_test(kill_that_comes_first_leaves_the_octets_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
