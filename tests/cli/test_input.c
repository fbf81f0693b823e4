/*
 * Arguments and lines become jobs, whatever pieces the file comes in. Jobs are compared as text: "name/type", for
 * types given on the line as "name/type=number", joined by spaces.
 */
#include "buffer.h"
#include "cmocka_all.h"
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vireo/dns.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

static const uint16_t A_ONLY[] = {VR_TYPE_A};

static void describe(struct buffer *out, const struct job *job, bool own_types)
{
    if (out->len > 0)
        buffer_char(out, ' ');
    if (job->fault)
        buffer_char(out, '!');
    buffer_append(out, job->name, job->name_len);
    buffer_char(out, '/');
    if (own_types) {
        buffer_append(out, job->type_text, job->type_text_len);
        buffer_char(out, '=');
    }
    if (job->type < 0)
        buffer_char(out, '?');
    else
        buffer_number(out, (uint64_t)job->type);
}

/* All jobs of an open input. */
static struct buffer read_jobs(struct input *input)
{
    struct buffer out = {0};
    struct job job = {0};
    uint64_t jobs = 0;
    int got;
    for (job.type_text_len = 0; (got = input_next(input, &job)) > 0; jobs++, job.type_text_len = 0)
        describe(&out, &job, job.type_text_len > 0);
    assert_int_equal(got, 0);
    assert_int_equal(input->jobs, jobs);
    return out;
}

static void assert_jobs(struct input *input, const char *expected, size_t expected_len)
{
    struct buffer jobs = read_jobs(input);
    assert_int_equal(jobs.len, expected_len);
    if (expected_len > 0)
        assert_memory_equal(jobs.data, expected, expected_len);
    buffer_done(&jobs);
}

static void open_descriptor(struct input *input, int fd, const uint16_t *types, size_t type_count)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct input_sources sources = {.path = path, .types = types, .type_count = type_count};
    assert_int_equal(input_open(input, &sources), 0);
}

static int file_of(const char *text, size_t len)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    return fd;
}

/* The jobs of a regular file with this text. */
static void file_gives(const char *text, size_t len, const char *expected, size_t expected_len)
{
    struct input input;
    int fd = file_of(text, len);
    open_descriptor(&input, fd, A_ONLY, 1);
    assert_jobs(&input, expected, expected_len);
    input_close(&input);
    close(fd);
}

#define FILE_GIVES(text, expected) file_gives(text, sizeof(text) - 1, expected, sizeof(expected) - 1)

/* --- Lines --- */

static void each_line_is_a_name(void **state)
{
    (void)state;
    FILE_GIVES("a.test\nb.test\n", "a.test/1 b.test/1");
    FILE_GIVES("", "");
    FILE_GIVES("\n", "");
}

static void final_newline_may_be_missing(void **state)
{
    (void)state;
    FILE_GIVES("a\nb", "a/1 b/1");
    FILE_GIVES("a", "a/1");
    FILE_GIVES("a\nb MX", "a/1 b/MX=15");
}

static void carriage_return_belongs_to_the_line_end(void **state)
{
    (void)state;
    FILE_GIVES("a\r\nb mx\r\n\r\nc\r", "a/1 b/mx=15 c/1");
    FILE_GIVES("a\rb\n", "a\rb/1");
}

static void blank_lines_are_skipped_and_blanks_trimmed(void **state)
{
    (void)state;
    FILE_GIVES("\n \n\t\t\n  a  \n\tb\tMX\t \n", "a/1 b/MX=15");
}

static void types_on_a_line_replace_the_default(void **state)
{
    (void)state;
    FILE_GIVES("a MX  aaaa\tTYPE65280\nb\n", "a/MX=15 a/aaaa=28 a/TYPE65280=65280 b/1");
}

static void type_that_is_none_is_a_job_all_the_same(void **state)
{
    (void)state;
    FILE_GIVES("a FOO MX\n", "a/FOO=? a/MX=15");
    FILE_GIVES("a A\0B\n", "a/A\0B=?");
    FILE_GIVES("a TYPE00000000000000000000000000000000000000000000000000000000000000000001\n",
               "a/TYPE00000000000000000000000000000000000000000000000000000000000=?");
}

static void nul_octets_belong_to_the_name(void **state)
{
    (void)state;
    FILE_GIVES("a\0b\n\0\n", "a\0b/1 \0/1");
}

/* --- Lines that are too long --- */

static void name_that_is_too_long_is_cut_and_faulty(void **state)
{
    char text[JOB_NAME_MAX + 10], expected[JOB_NAME_MAX + 10];
    (void)state;
    memset(text, 'x', sizeof text);
    memset(expected, 'x', sizeof expected);
    memcpy(expected + JOB_NAME_MAX, "/1", 2);
    file_gives(text, JOB_NAME_MAX, expected, JOB_NAME_MAX + 2);
    expected[0] = '!';
    memcpy(expected + 1 + JOB_NAME_MAX, "/1", 2);
    expected[JOB_NAME_MAX] = 'x';
    file_gives(text, JOB_NAME_MAX + 1, expected, JOB_NAME_MAX + 3);
}

/* A line of `len` octets that begins with "a MX" and is filled with blanks and a last type, between two others. */
static void long_line_gives(size_t len, const char *expected)
{
    char *text = malloc(len + 10);
    assert_non_null(text);
    memcpy(text, "x\n", 2);
    memset(text + 2, ' ', len);
    memcpy(text + 2, "a MX", 4);
    memcpy(text + 2 + len - 2, "NS", 2);
    memcpy(text + 2 + len, "\ny\n", 3);
    file_gives(text, len + 5, expected, strlen(expected));
    free(text);
}

static void line_up_to_the_limit_is_a_line(void **state)
{
    (void)state;
    long_line_gives(INPUT_LINE_MAX, "x/1 a/MX=15 a/NS=2 y/1");
}

static void line_beyond_the_limit_is_one_faulty_name(void **state)
{
    static const size_t lengths[] = {INPUT_LINE_MAX + 1, 65533, 65534, 65535, 65536, 65537, 200000};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        long_line_gives(lengths[i], "x/1 !a/1 y/1");
}

/* --- Files that come in pieces --- */

struct feed {
    int fd;
    const char *text;
    size_t len, split;
};

static vr_result feed(void *argument)
{
    struct feed *feed = argument;
    bool written = write(feed->fd, feed->text, feed->split) == (ssize_t)feed->split;
    /* The reader has taken the first piece and waits for more when it has had a turn. */
    for (int i = 0; i < 3; i++)
        vr_sleep(0);
    written = written &&
              write(feed->fd, feed->text + feed->split, feed->len - feed->split) == (ssize_t)(feed->len - feed->split);
    close(feed->fd);
    return vr_ok(written ? feed : NULL);
}

/* The jobs of a text that comes through a pipe in two pieces, cut at `split`. */
static void pieces_give(const char *text, size_t len, size_t split, const struct buffer *expected)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct input input;
    open_descriptor(&input, ends[0], A_ONLY, 1);
    struct feed feeding = {.fd = ends[1], .text = text, .len = len, .split = split};
    vr_greenlet *feeder = vr_spawn(feed, &feeding);
    assert_jobs(&input, expected->data, expected->len);
    assert_int_equal(vr_join(feeder, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(feeder), &feeding);
    vr_unref(feeder);
    input_close(&input);
    close(ends[0]);
}

static void every_cut_gives_the_same_jobs(const char *text, size_t len)
{
    struct input input;
    int fd = file_of(text, len);
    open_descriptor(&input, fd, A_ONLY, 1);
    struct buffer expected = read_jobs(&input);
    input_close(&input);
    close(fd);
    for (size_t split = 0; split <= len; split++)
        pieces_give(text, len, split, &expected);
    buffer_done(&expected);
}

static void lines_cut_anywhere_give_the_same_jobs(void **state)
{
    static const char text[] = "a.test\r\n\r\n b.test MX\tTXT \nc\0d\n\n  \ne FOO";
    (void)state;
    every_cut_gives_the_same_jobs(text, sizeof text - 1);
}

static void long_lines_cut_anywhere_give_the_same_jobs(void **state)
{
    enum { LEN = 2 * INPUT_LINE_MAX + 30 };
    char text[LEN];
    (void)state;
    memset(text, 'x', sizeof text);
    text[5] = '\n';
    text[6 + INPUT_LINE_MAX] = '\n';
    text[LEN - 8] = '\n';
    every_cut_gives_the_same_jobs(text, LEN);
}

static void file_beyond_the_buffer_is_read_to_its_end(void **state)
{
    enum { LINES = 50000 };
    struct buffer text = {0}, expected = {0};
    (void)state;
    for (unsigned i = 0; i < LINES; i++) {
        buffer_number(&text, i);
        buffer_text(&text, ".test\n");
        if (i > 0)
            buffer_char(&expected, ' ');
        buffer_number(&expected, i);
        buffer_text(&expected, ".test/1");
    }
    file_gives(text.data, text.len, expected.data, expected.len);
    buffer_done(&text);
    buffer_done(&expected);
}

/* --- Arguments, and several that read --- */

static void arguments_come_before_the_file(void **state)
{
    char *names[] = {(char[]){"x.test"}, (char[]){"y test"}, (char[]){""}};
    static const uint16_t types[] = {VR_TYPE_A, VR_TYPE_MX};
    (void)state;
    char path[32];
    int fd = file_of("z\n", 2);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct input_sources sources = {names, 3, path, types, 2};
    struct input input;
    assert_int_equal(input_open(&input, &sources), 0);
    static const char expected[] = "x.test/1 x.test/15 y test/1 y test/15 /1 /15 z/1 z/15";
    assert_jobs(&input, expected, sizeof expected - 1);
    input_close(&input);
    close(fd);
}

struct readers {
    struct input input;
    unsigned taken, ended;
};

static vr_result take_all(void *argument)
{
    struct readers *readers = argument;
    struct job job;
    int got;
    while ((got = input_next(&readers->input, &job)) > 0)
        readers->taken++;
    readers->ended += got == 0;
    return vr_ok(NULL);
}

static void several_readers_share_a_slow_pipe(void **state)
{
    enum { READERS = 5, LINES = 100 };
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct readers readers = {0};
    open_descriptor(&readers.input, ends[0], A_ONLY, 1);
    vr_greenlet *jobs[READERS];
    for (int i = 0; i < READERS; i++)
        jobs[i] = vr_spawn(take_all, &readers);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(write(ends[1], "name\n", 5), 5);
        vr_sleep(0);
    }
    close(ends[1]);
    assert_int_equal(vr_joinall(jobs, READERS, VR_FOREVER), READERS);
    assert_int_equal(readers.taken, LINES);
    assert_int_equal(readers.ended, READERS);
    for (int i = 0; i < READERS; i++)
        vr_unref(jobs[i]);
    input_close(&readers.input);
    close(ends[0]);
}

static void killed_reader_leaves_its_turn_to_the_next(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct readers readers = {0};
    open_descriptor(&readers.input, ends[0], A_ONLY, 1);
    vr_greenlet *jobs[3];
    for (int i = 0; i < 3; i++)
        jobs[i] = vr_spawn(take_all, &readers);
    vr_sleep(0);
    vr_kill(jobs[0], -ECANCELED); /* reads */
    vr_kill(jobs[1], -ECANCELED); /* waits for its turn */
    vr_sleep(0);
    assert_int_equal(write(ends[1], "a\nb\n", 4), 4);
    close(ends[1]);
    assert_int_equal(vr_joinall(jobs, 3, VR_FOREVER), 3);
    assert_int_equal(readers.taken, 2);
    assert_int_equal(readers.ended, 1);
    assert_int_equal(readers.input.error, 0);
    for (int i = 0; i < 3; i++)
        vr_unref(jobs[i]);
    input_close(&readers.input);
    close(ends[0]);
}

/* --- Errors --- */

static void missing_file_is_an_error_of_opening(void **state)
{
    (void)state;
    struct input input;
    struct input_sources sources = {.path = "/nonexistent/names", .types = A_ONLY, .type_count = 1};
    assert_int_equal(input_open(&input, &sources), -ENOENT);
}

static void directory_is_an_error_of_reading(void **state)
{
    (void)state;
    struct input input;
    struct job job;
    struct input_sources sources = {.path = "/", .types = A_ONLY, .type_count = 1};
    assert_int_equal(input_open(&input, &sources), 0);
    assert_int_equal(input_next(&input, &job), -EISDIR);
    assert_int_equal(input_next(&input, &job), -EISDIR);
    assert_int_equal(input.error, -EISDIR);
    input_close(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_a_name),
        cmocka_unit_test(final_newline_may_be_missing),
        cmocka_unit_test(carriage_return_belongs_to_the_line_end),
        cmocka_unit_test(blank_lines_are_skipped_and_blanks_trimmed),
        cmocka_unit_test(types_on_a_line_replace_the_default),
        cmocka_unit_test(type_that_is_none_is_a_job_all_the_same),
        cmocka_unit_test(nul_octets_belong_to_the_name),
        cmocka_unit_test(name_that_is_too_long_is_cut_and_faulty),
        cmocka_unit_test(line_up_to_the_limit_is_a_line),
        cmocka_unit_test(line_beyond_the_limit_is_one_faulty_name),
        cmocka_unit_test(lines_cut_anywhere_give_the_same_jobs),
        cmocka_unit_test(long_lines_cut_anywhere_give_the_same_jobs),
        cmocka_unit_test(file_beyond_the_buffer_is_read_to_its_end),
        cmocka_unit_test(arguments_come_before_the_file),
        cmocka_unit_test(several_readers_share_a_slow_pipe),
        cmocka_unit_test(killed_reader_leaves_its_turn_to_the_next),
        cmocka_unit_test(missing_file_is_an_error_of_opening),
        cmocka_unit_test(directory_is_an_error_of_reading),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vr_hub_free();
    return failed;
}
