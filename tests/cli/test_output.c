/*
 * Records on their way into files and pipes. The hub's clock is virtual: it stands still while anything can run.
 */
#include "output.h"
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>

/* A format for tests: what the job's name says, and a newline. */
static void format_name(struct buffer *out, const struct record *record)
{
    buffer_append(out, record->job->name, record->job->name_len);
    buffer_char(out, '\n');
}

struct fixture {
    struct output output;
    vr_waiter alarm;
    struct job job;
    struct record record;
};

static void open_path(struct fixture *fixture, const char *path)
{
    *fixture = (struct fixture){.alarm = VR_WAITER, .record = {.job = &fixture->job}};
    assert_int_equal(output_open(&fixture->output, path, -1, format_name, &fixture->alarm), 0);
}

static void open_descriptor(struct fixture *fixture, int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    open_path(fixture, path);
}

static int put(struct fixture *fixture, unsigned number)
{
    fixture->job.name_len = (size_t)snprintf(fixture->job.name, sizeof fixture->job.name, "%08u", number);
    return output_record(&fixture->output, &fixture->record);
}

/* --- Files --- */

static void records_reach_a_file_in_their_order(void **state)
{
    enum { RECORDS = 100000 };
    struct fixture fixture;
    char text[10];
    (void)state;
    int fd = memfd_create("output", MFD_CLOEXEC);
    open_descriptor(&fixture, fd);
    for (unsigned i = 0; i < RECORDS; i++)
        assert_int_equal(put(&fixture, i), 0);
    assert_int_equal(fixture.output.records, RECORDS);
    assert_int_equal(output_close(&fixture.output), 0);
    assert_false(vr_waiter_ready(&fixture.alarm));
    assert_int_equal(lseek(fd, 0, SEEK_END), RECORDS * 9);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_int_equal(pread(fd, text, 9, i * 9), 9);
        assert_int_equal(strtoul(text, NULL, 10), i);
    }
    close(fd);
}

static void file_is_emptied_first(void **state)
{
    struct fixture fixture;
    (void)state;
    int fd = memfd_create("output", MFD_CLOEXEC);
    assert_int_equal(write(fd, "what was there before", 21), 21);
    open_descriptor(&fixture, fd);
    assert_int_equal(put(&fixture, 1), 0);
    assert_int_equal(output_close(&fixture.output), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), 9);
    close(fd);
}

static void input_is_not_taken_for_the_output(void **state)
{
    struct output output;
    vr_waiter alarm = VR_WAITER;
    char path[32];
    (void)state;
    int fd = memfd_create("both", MFD_CLOEXEC);
    assert_int_equal(write(fd, "names", 5), 5);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(output_open(&output, path, fd, format_name, &alarm), -EEXIST);
    assert_int_equal(lseek(fd, 0, SEEK_END), 5);
    close(fd);
}

static void path_that_cannot_be_opened_is_an_error(void **state)
{
    struct output output;
    vr_waiter alarm = VR_WAITER;
    (void)state;
    assert_int_equal(output_open(&output, "/nonexistent/out", -1, format_name, &alarm), -ENOENT);
}

static void full_disk_is_reported_and_alarms(void **state)
{
    struct fixture fixture;
    (void)state;
    open_path(&fixture, "/dev/full");
    assert_int_equal(put(&fixture, 1), 0);
    assert_int_equal(vr_waiter_get(&fixture.alarm, VR_SECONDS(1)).error, -ENOSPC);
    assert_int_equal(put(&fixture, 2), -ENOSPC);
    assert_int_equal(fixture.output.records, 1);
    assert_int_equal(output_close(&fixture.output), -ENOSPC);
}

static void full_disk_is_reported_at_the_latest_on_closing(void **state)
{
    struct fixture fixture;
    (void)state;
    open_path(&fixture, "/dev/full");
    assert_int_equal(put(&fixture, 1), 0);
    assert_int_equal(output_close(&fixture.output), -ENOSPC);
}

/* --- Pipes --- */

static void lone_record_leaves_within_50_ms(void **state)
{
    struct fixture fixture;
    char text[10];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&fixture, ends[1]);
    for (unsigned i = 0; i < 3; i++) {
        vr_time begun = vr_now();
        assert_int_equal(put(&fixture, i), 0);
        assert_int_equal(vr_wait_readable(ends[0], VR_SECONDS(1)), 0);
        assert_true(vr_now() - begun <= VR_MILLISECONDS(50));
        assert_int_equal(read(ends[0], text, sizeof text), 9);
        assert_int_equal(strtoul(text, NULL, 10), i);
    }
    assert_int_equal(output_close(&fixture.output), 0);
    close(ends[1]);
    vr_close(ends[0]);
}

struct drain {
    int fd;
    struct buffer text;
};

/* Reads a few octets at a time, giving way between. */
static vr_result drain(void *argument)
{
    struct drain *drain = argument;
    char piece[1000];
    ssize_t got;
    while (vr_wait_readable(drain->fd, VR_FOREVER) == 0 && (got = read(drain->fd, piece, sizeof piece)) > 0) {
        buffer_append(&drain->text, piece, (size_t)got);
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

static void slow_reader_gets_everything_and_others_run_on(void **state)
{
    enum { RECORDS = 100000 };
    struct fixture fixture;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&fixture, ends[1]);
    close(ends[1]);
    struct drain draining = {.fd = ends[0]};
    vr_greenlet *reader = vr_spawn(drain, &draining);
    for (unsigned i = 0; i < RECORDS; i++)
        assert_int_equal(put(&fixture, i), 0);
    /* The reader is a greenlet of this thread: had a write blocked, nobody would have got here. */
    assert_int_equal(output_close(&fixture.output), 0);
    assert_int_equal(vr_join(reader, VR_FOREVER), 0);
    assert_int_equal(draining.text.len, RECORDS * 9);
    for (unsigned i = 0; i < RECORDS; i++)
        assert_int_equal(strtoul(draining.text.data + i * 9, NULL, 10), i);
    vr_unref(reader);
    buffer_done(&draining.text);
    vr_close(ends[0]);
}

static void buffer_that_moves_while_the_pipe_is_full_is_written_right(void **state)
{
    enum { LEN = JOB_NAME_MAX };
    struct fixture fixture;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&fixture, ends[1]);
    close(ends[1]);
    memset(fixture.job.name, 'x', LEN);
    fixture.job.name_len = LEN;
    while (fixture.output.buffer.len < 200 * 1024)
        assert_int_equal(output_record(&fixture.output, &fixture.record), 0);
    vr_sleep(VR_MILLISECONDS(100)); /* of the virtual clock: the writer now waits for the pipe */
    assert_true(fixture.output.written > 0);
    const char *before = fixture.output.buffer.data;
    uint64_t records = fixture.output.records;
    /* What makes it move is a record that is too large for it. */
    assert_non_null(buffer_room(&fixture.output.buffer, fixture.output.buffer.capacity * 4));
    assert_ptr_not_equal(fixture.output.buffer.data, before);
    struct drain draining = {.fd = ends[0]};
    vr_greenlet *reader = vr_spawn(drain, &draining);
    assert_int_equal(output_close(&fixture.output), 0);
    assert_int_equal(vr_join(reader, VR_FOREVER), 0);
    assert_int_equal(draining.text.len, records * (LEN + 1));
    for (size_t i = 0; i < draining.text.len; i++)
        assert_int_equal(draining.text.data[i], i % (LEN + 1) < LEN ? 'x' : '\n');
    vr_unref(reader);
    buffer_done(&draining.text);
    vr_close(ends[0]);
}

struct putter {
    struct fixture *fixture;
    unsigned number, count;
    int error;
};

static vr_result put_many(void *argument)
{
    struct putter *putter = argument;
    for (unsigned i = 0; i < putter->count && putter->error == 0; i++)
        putter->error = put(putter->fixture, putter->number + i);
    return vr_ok(NULL);
}

static void many_wait_for_room_and_none_is_forgotten(void **state)
{
    enum { PUTTERS = 50, EACH = 2000 };
    struct fixture fixture;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&fixture, ends[1]);
    close(ends[1]);
    struct putter putters[PUTTERS];
    vr_greenlet *jobs[PUTTERS];
    for (unsigned i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){&fixture, i * EACH, EACH, 0};
        jobs[i] = vr_spawn(put_many, &putters[i]);
    }
    struct drain draining = {.fd = ends[0]};
    vr_greenlet *reader = vr_spawn(drain, &draining);
    assert_int_equal(vr_joinall(jobs, PUTTERS, VR_FOREVER), PUTTERS);
    assert_int_equal(output_close(&fixture.output), 0);
    assert_int_equal(vr_join(reader, VR_FOREVER), 0);
    assert_int_equal(draining.text.len, PUTTERS * EACH * 9);
    for (unsigned i = 0; i < PUTTERS; i++)
        vr_unref(jobs[i]);
    vr_unref(reader);
    buffer_done(&draining.text);
    vr_close(ends[0]);
}

static void reader_that_goes_away_is_an_error_for_all_who_wait(void **state)
{
    enum { PUTTERS = 3 };
    struct fixture fixture;
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    open_descriptor(&fixture, ends[1]);
    close(ends[1]);
    struct putter putters[PUTTERS];
    vr_greenlet *jobs[PUTTERS];
    for (unsigned i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){&fixture, 0, 100000, 0};
        jobs[i] = vr_spawn(put_many, &putters[i]);
    }
    assert_int_equal(vr_joinall(jobs, PUTTERS, VR_SECONDS(1)), 0);
    close(ends[0]);
    assert_int_equal(vr_joinall(jobs, PUTTERS, VR_SECONDS(1)), PUTTERS);
    for (unsigned i = 0; i < PUTTERS; i++) {
        assert_int_equal(putters[i].error, -EPIPE);
        vr_unref(jobs[i]);
    }
    assert_int_equal(output_close(&fixture.output), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_reach_a_file_in_their_order),
        cmocka_unit_test(file_is_emptied_first),
        cmocka_unit_test(input_is_not_taken_for_the_output),
        cmocka_unit_test(path_that_cannot_be_opened_is_an_error),
        cmocka_unit_test(full_disk_is_reported_and_alarms),
        cmocka_unit_test(full_disk_is_reported_at_the_latest_on_closing),
        cmocka_unit_test(lone_record_leaves_within_50_ms),
        cmocka_unit_test(slow_reader_gets_everything_and_others_run_on),
        cmocka_unit_test(buffer_that_moves_while_the_pipe_is_full_is_written_right),
        cmocka_unit_test(many_wait_for_room_and_none_is_forgotten),
        cmocka_unit_test(reader_that_goes_away_is_an_error_for_all_who_wait),
    };
    signal(SIGPIPE, SIG_IGN);
    vr_hub_virtual_clock(0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vr_hub_free();
    return failed;
}
