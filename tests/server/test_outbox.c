/* What waits for a client to read it: what is written, how patient it is, and where it gives up. */
#include "dns_support.h"

#include "outbox.h"

#include <sys/socket.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/spawn.h>

enum { MESSAGE = 32766, FRAME = 2 + MESSAGE };

static int ends[2]; /* the outbox's, and the client's */
static size_t total;
static int changes;
static struct outbox box;

static void count_change(struct outbox *outbox)
{
    changes++;
}

/* The time is the hub's own: it goes on when nothing can happen before. */
static int open_box(void **state)
{
    total = 0;
    changes = 0;
    if (vr_hub_virtual_clock(VR_SECONDS(1)) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
        return -1;
    box = (struct outbox){.fd = ends[0], .total = &total, .changed = count_change};
    return 0;
}

static int close_box(void **state)
{
    while (outbox_busy(&box))
        vr_sleep(VR_SECONDS(1));
    outbox_done(&box);
    vr_close(ends[0]);
    vr_close(ends[1]);
    return vr_hub_free();
}

static void put(size_t len)
{
    vr_answer *answer = response_new(len);

    assert_non_null(answer);
    answer->len = len;
    memset(answer->message, 'x', len);
    outbox_put(&box, answer);
}

/* Puts so many that the socket does not take all, and lets the writer run until it has to wait. */
static void put_more_than_fits(int count)
{
    for (int i = 0; i < count; i++)
        put(MESSAGE);
    vr_sleep(0);
    vr_sleep(0);
    assert_true(outbox_busy(&box) && box.unsent > 0 && !box.broken);
}

/* What the client reads now, at most. */
static size_t read_up_to(size_t most)
{
    static char octets[FRAME];
    size_t all = 0;

    while (all < most) {
        ssize_t n = read(ends[1], octets, most - all < sizeof octets ? most - all : sizeof octets);
        if (n <= 0)
            break;
        all += (size_t)n;
    }
    return all;
}

static void answers_leave_behind_their_lengths(void **state)
{
    char octets[16];

    put(3);
    put(1);
    assert_int_equal(total, 8);
    vr_sleep(0);
    assert_int_equal(read(ends[1], octets, sizeof octets), 8);
    assert_memory_equal(octets, "\0\3xxx\0\1x", 8);
    assert_true(total == 0 && !outbox_busy(&box) && changes > 0);
}

static void buffers_that_grew_are_given_back(void **state)
{
    put_more_than_fits(100);
    while (outbox_busy(&box)) {
        read_up_to(SIZE_MAX);
        vr_sleep(VR_MILLISECONDS(1));
    }
    assert_false(box.broken);
    assert_int_equal(total, 0);
    assert_true(box.queued.size <= BUFFER_SIZE && box.sending.size <= BUFFER_SIZE);
}

static void client_that_reads_slowly_gets_all(void **state)
{
    size_t got = 0;

    put_more_than_fits(100);
    for (int i = 0; outbox_busy(&box) && i < 1000; i++) {
        got += read_up_to((size_t)8 * FRAME);
        vr_sleep(VR_SECONDS(8)); /* often more than the time for one write, in all */
    }
    got += read_up_to(SIZE_MAX);
    assert_false(box.broken);
    assert_int_equal(got, 100 * FRAME);
}

static vr_time time_until_broken(void)
{
    vr_time begun = vr_now();

    while (!box.broken && vr_now() - begun < VR_SECONDS(60))
        vr_sleep(VR_MILLISECONDS(500));
    assert_true(box.broken);
    assert_int_equal(total, 0);
    return vr_now() - begun;
}

static void client_that_reads_nothing_is_given_up(void **state)
{
    put_more_than_fits(100);
    assert_in_range(time_until_broken(), VR_SECONDS(10), VR_SECONDS(11));
}

static void client_that_reads_nothing_is_given_up_sooner_at_the_end(void **state)
{
    put_more_than_fits(100);
    outbox_hurry(&box);
    assert_in_range(time_until_broken(), VR_SECONDS(2), VR_SECONDS(3));
}

static void client_that_has_gone_is_given_up_at_once(void **state)
{
    shutdown(ends[1], SHUT_RD);
    put(1);
    vr_sleep(0);
    assert_true(box.broken);
    assert_int_equal(total, 0);
}

static void too_much_unread_breaks_it(void **state)
{
    int count = 0;

    while (!box.broken && count <= OUTBOX_MAX / FRAME) {
        put(MESSAGE);
        count++;
        assert_true(box.unsent <= OUTBOX_MAX);
    }
    assert_true(box.broken);
    assert_int_equal(count, OUTBOX_MAX / FRAME + 1);
    assert_int_equal(total, 0);
    vr_sleep(0);
    assert_int_equal(read_up_to(SIZE_MAX), 0);
}

static void broken_one_takes_no_more(void **state)
{
    put_more_than_fits(100);
    outbox_break(&box);
    put(1);
    assert_int_equal(total, 0);
    vr_sleep(0);
    vr_sleep(0);
    assert_false(outbox_busy(&box));
}

static void answer_that_there_was_no_memory_for_breaks_it(void **state)
{
    put(1);
    outbox_put(&box, NULL);
    assert_true(box.broken && total == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_leave_behind_their_lengths, open_box, close_box),
        cmocka_unit_test_setup_teardown(buffers_that_grew_are_given_back, open_box, close_box),
        cmocka_unit_test_setup_teardown(client_that_reads_slowly_gets_all, open_box, close_box),
        cmocka_unit_test_setup_teardown(client_that_reads_nothing_is_given_up, open_box, close_box),
        cmocka_unit_test_setup_teardown(client_that_reads_nothing_is_given_up_sooner_at_the_end, open_box, close_box),
        cmocka_unit_test_setup_teardown(client_that_has_gone_is_given_up_at_once, open_box, close_box),
        cmocka_unit_test_setup_teardown(too_much_unread_breaks_it, open_box, close_box),
        cmocka_unit_test_setup_teardown(broken_one_takes_no_more, open_box, close_box),
        cmocka_unit_test_setup_teardown(answer_that_there_was_no_memory_for_breaks_it, open_box, close_box),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
