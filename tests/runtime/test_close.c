/* Closing a descriptor that greenlets wait on, and the stranger that gets its number. */
#include "io_support.h"

static int use_streams(void **state)
{
    return use_virtual_clock(state) || open_pair(SOCK_STREAM);
}

static vr_result closes(void *fd)
{
    return vr_fail(vr_close((int)number_of(fd)));
}

static vr_result writes_while_full(void *argument)
{
    return vr_fail(vr_send(ends[0], "x", 1, VR_FOREVER));
}

static void close_wakes_reader_and_writer_with_a_bad_descriptor(void **state)
{
    fill();
    vr_greenlet *reader = waiting(reads);
    vr_greenlet *writer = waiting(writes_while_full);

    assert_int_equal(vr_close(ends[0]), 0);
    assert_false(vr_ready(reader) || vr_ready(writer)); /* close did not switch */
    ends[0] = -1;
    assert_ends_with(reader, -EBADF);
    assert_ends_with(writer, -EBADF);
}

static void close_by_another_greenlet_ends_a_read(void **state)
{
    vr_greenlet *reader = vr_spawn(reads, NULL);
    vr_greenlet *closer = vr_spawn_later(VR_SECONDS(1), closes, number(ends[0]));

    assert_ends_with(reader, -EBADF);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_ends_with(closer, 0);
    ends[0] = -1;
}

static void closes_in_the_hub(vr_callback *callback)
{
    vr_close(ends[0]);
}

static void hub_callbacks_may_close(void **state)
{
    vr_callback callback = {.run = closes_in_the_hub};
    vr_greenlet *reader = waiting(reads);

    vr_callback_queue(&callback);
    assert_ends_with(reader, -EBADF);
    ends[0] = -1;
}

static void new_descriptor_with_an_old_number_starts_afresh(void **state)
{
    vr_greenlet *reader = waiting(reads);
    int number_before = ends[0];

    vr_close(ends[0]);
    vr_close(ends[1]);
    assert_int_equal(open_pair(SOCK_STREAM), 0);
    assert_int_equal(ends[0], number_before);
    assert_ends_with(reader, -EBADF);
    reader = waiting(reads);
    vr_write(ends[1], "abc", 3, VR_FOREVER);
    assert_returns(reader, 3);
}

static int stranger;

/* Waits for a second descriptor; then closes ends[0], and opens one that gets its number. */
static vr_result closes_and_opens_another(void *fd)
{
    int error = vr_wait_readable((int)number_of(fd), VR_FOREVER);

    vr_close(ends[0]);
    stranger = fcntl((int)number_of(fd), F_DUPFD_CLOEXEC, 0);
    return vr_fail(error);
}

static void reader_and_closer_have_their_events_in_one_poll(bool reader_first)
{
    int others[2], reused = ends[0];
    vr_greenlet *closer = NULL, *reader = NULL;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, others), 0);
    if (reader_first)
        reader = vr_spawn(reads, NULL);
    closer = vr_spawn(closes_and_opens_another, number(others[0]));
    if (!reader_first)
        reader = vr_spawn(reads, NULL);
    vr_sleep(0);
    assert_int_equal(write(ends[1], "mine", 4), 4);
    assert_int_equal(write(others[1], "theirs", 6), 6);
    assert_int_equal(vr_joinall((vr_greenlet *[]){closer, reader}, 2, VR_FOREVER), 2);
    assert_int_equal(stranger, reused);
    vr_unref(closer);
    intptr_t got = vr_error(reader) ? vr_error(reader) : number_of(vr_value(reader));
    vr_unref(reader);

    /* It came to its own four octets, or found its descriptor closed; the six of the other are still there. */
    char octets[16];
    assert_true(got == 4 || got == -EBADF);
    assert_int_equal(vr_read(stranger, octets, sizeof octets, 0), 6);
    vr_close(stranger);
    vr_close(others[0]);
    vr_close(others[1]);
    ends[0] = -1;
}

static void reader_whose_event_has_come_does_not_read_from_a_stranger_with_the_number(void **state)
{
    reader_and_closer_have_their_events_in_one_poll(true);
}

static void reader_does_not_read_from_a_stranger_in_the_other_order_either(void **state)
{
    reader_and_closer_have_their_events_in_one_poll(false);
}

#define stream_test(function) cmocka_unit_test_setup_teardown(function, use_streams, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        stream_test(close_wakes_reader_and_writer_with_a_bad_descriptor),
        stream_test(close_by_another_greenlet_ends_a_read),
        stream_test(hub_callbacks_may_close),
        stream_test(new_descriptor_with_an_old_number_starts_afresh),
        stream_test(reader_whose_event_has_come_does_not_read_from_a_stranger_with_the_number),
        stream_test(reader_does_not_read_from_a_stranger_in_the_other_order_either),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
