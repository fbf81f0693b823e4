/* Files through the pool: what is read and written, and what is left when a caller leaves. */
#include "file_support.h"

/* --- Reading and writing --- */

static void what_is_written_is_read_back(void **state)
{
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
    char octets[16];

    assert_int_equal(vr_file_write(file, "hello ", 6, VR_FOREVER), 6);
    assert_int_equal(vr_file_write(file, "world", 5, VR_FOREVER), 5);
    assert_int_equal(vr_file_read(file, octets, sizeof octets, VR_FOREVER), 0);
    assert_int_equal(vr_file_pread(file, octets, sizeof octets, 0, VR_FOREVER), 11);
    assert_memory_equal(octets, "hello world", 11);
    assert_int_equal(vr_file_pread(file, octets, 3, 4, VR_FOREVER), 3);
    assert_memory_equal(octets, "o w", 3);
    assert_int_equal(vr_file_pwrite(file, "J", 1, 0, VR_FOREVER), 1);
    assert_int_equal(vr_file_size(file, VR_FOREVER), 11);
    assert_int_equal(vr_file_sync(file, VR_FOREVER), 0);
    closed(file);
    assert_content(path_to("a"), "Jello world");
}

static void read_goes_on_from_the_position_to_the_end(void **state)
{
    put(path_to("a"), "abcde");
    vr_file *file = opened(path_to("a"), O_RDONLY);
    char octets[3];
    assert_int_equal(vr_file_read(file, octets, 3, VR_FOREVER), 3);
    assert_memory_equal(octets, "abc", 3);
    assert_int_equal(vr_file_read(file, octets, 3, VR_FOREVER), 2);
    assert_memory_equal(octets, "de", 2);
    assert_int_equal(vr_file_read(file, octets, 3, VR_FOREVER), 0);
    assert_int_equal(vr_file_read(file, octets, 0, VR_FOREVER), 0);
    closed(file);
}

enum { LARGE = 300 * 1000 };

static void much_is_moved_whatever_a_system_call_takes(void **state)
{
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
    unsigned char *sent = test_malloc(LARGE), *back = test_calloc(1, LARGE);

    for (size_t i = 0; i < LARGE; i++)
        sent[i] = (unsigned char)(i * 31 >> 4);
    atomic_store(&most_moved, 7777);
    assert_int_equal(vr_file_write(file, sent, LARGE, VR_FOREVER), LARGE);
    assert_int_equal(vr_file_pread(file, back, LARGE, 0, VR_FOREVER), LARGE);
    assert_memory_equal(sent, back, LARGE);
    assert_int_equal(vr_file_pread(file, back, LARGE, 1, VR_FOREVER), LARGE - 1);
    assert_int_equal(vr_file_pwrite(file, sent, LARGE, 10, VR_FOREVER), LARGE);
    assert_int_equal(vr_file_size(file, VR_FOREVER), LARGE + 10);
    closed(file);
    test_free(sent);
    test_free(back);
}

static vr_result traces_turn(void *argument)
{
    trace("other");
    open_gate(1);
    return vr_ok(NULL);
}

static void other_greenlets_run_while_a_read_waits(void **state)
{
    put(path_to("a"), "abc");
    vr_file *file = opened(path_to("a"), O_RDONLY);
    char octets[3];

    atomic_store(&fault_of_read.held, true);
    vr_unref(vr_spawn(traces_turn, NULL));
    assert_int_equal(vr_file_read(file, octets, 3, VR_FOREVER), 3);
    assert_trace("other");
    closed(file);
}

static void descriptor_is_closed_on_exec(void **state)
{
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
    int fd = vr_file_fd(file);

    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    closed(file);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void fifo_keeps_no_thread(void **state)
{
    char octet;

    assert_int_equal(mkfifo(path_to("fifo"), 0600), 0);
    vr_file *reader = opened(path_to("fifo"), O_RDONLY), *writer = opened(path_to("fifo"), O_WRONLY);
    assert_int_equal(vr_file_read(reader, &octet, 1, VR_FOREVER), -EAGAIN);
    closed(writer);
    closed(reader);
}

static void errors_of_the_system_are_told(void **state)
{
    vr_file *file = (vr_file *)&file;
    struct stat status;
    char octets[4];

    assert_int_equal(vr_file_open(path_to("none"), O_RDONLY, 0, VR_FOREVER, &file), -ENOENT);
    assert_null(file);
    assert_int_equal(vr_file_open(directory, O_WRONLY, 0, VR_FOREVER, &file), -EISDIR);
    assert_int_equal(vr_file_stat(path_to("none"), &status, VR_FOREVER), -ENOENT);
    assert_int_equal(vr_file_rename(path_to("none"), path_to("other"), VR_FOREVER), -ENOENT);
    assert_int_equal(vr_file_unlink(path_to("none"), VR_FOREVER), -ENOENT);

    file = opened(path_to("a"), O_WRONLY | O_CREAT);
    assert_int_equal(vr_file_read(file, octets, 4, VR_FOREVER), -EBADF);
    assert_int_equal(vr_file_pread(file, octets, 4, -1, VR_FOREVER), -EINVAL);
    assert_int_equal(vr_file_pwrite(file, octets, 4, -1, VR_FOREVER), -EINVAL);
    closed(file);
    file = opened("/dev/full", O_WRONLY);
    assert_int_equal(vr_file_write(file, "x", 1, VR_FOREVER), -ENOSPC);
    closed(file);
    assert_no_descriptor_is_left();
}

static void write_that_fails_midway_is_an_error(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);

    atomic_store(&most_moved, 1);
    fail_nth(&fault_of_write, 3, ENOSPC);
    assert_int_equal(vr_file_write(file, "abcdef", 6, VR_FOREVER), -ENOSPC);
    fail_nth(&fault_of_pwrite, 2, EIO);
    assert_int_equal(vr_file_pwrite(file, "abcdef", 6, 0, VR_FOREVER), -EIO);
    closed(file);
    file = opened(path_to("a"), O_RDONLY);
    char octets[2];
    fail_nth(&fault_of_read, 2, EIO);
    assert_int_equal(vr_file_read(file, octets, 2, VR_FOREVER), -EIO);
    closed(file);
}

static void write_that_writes_nothing_is_an_error(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);

    atomic_store(&most_moved, 0);
    assert_int_equal(vr_file_write(file, "abcdef", 6, VR_FOREVER), -EIO);
    closed(file);
}

static void calls_that_fail_are_told(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);

    fail_nth(&fault_of_fsync, 1, EIO);
    assert_int_equal(vr_file_sync(file, VR_FOREVER), -EIO);
    fail_nth(&fault_of_fstat, 1, EIO);
    assert_int_equal(vr_file_size(file, VR_FOREVER), -EIO);
    fail_nth(&fault_of_close, 1, EDQUOT);
    assert_int_equal(vr_file_close(file, VR_FOREVER), -EDQUOT);
    fail_nth(&fault_of_open, 1, EMFILE);
    assert_int_equal(vr_file_open(path_to("a"), O_RDONLY, 0, VR_FOREVER, &file), -EMFILE);
    fail_nth(&fault_of_unlink, 1, EROFS);
    assert_int_equal(vr_file_unlink(path_to("a"), VR_FOREVER), -EROFS);
    fail_nth(&fault_of_rename, 1, EXDEV);
    assert_int_equal(vr_file_rename(path_to("a"), path_to("b"), VR_FOREVER), -EXDEV);
    assert_no_descriptor_is_left();
}

static void files_are_moved_and_removed(void **state)
{
    struct stat status;

    put(path_to("a"), "abc");
    assert_int_equal(vr_file_stat(path_to("a"), &status, VR_FOREVER), 0);
    assert_int_equal(status.st_size, 3);
    assert_int_equal(vr_file_rename(path_to("a"), path_to("b"), VR_FOREVER), 0);
    assert_content(path_to("b"), "abc");
    assert_int_equal(vr_file_unlink(path_to("b"), VR_FOREVER), 0);
    assert_int_equal(files_there(), 0);
}

/* --- Callers that leave --- */

static void read_that_is_left_touches_the_callers_memory_no_more(void **state)
{
    put(path_to("a"), "abc");
    vr_file *file = opened(path_to("a"), O_RDONLY);
    char octets[3] = {'?', '?', '?'};

    hold(&fault_of_read);
    assert_int_equal(vr_file_read(file, octets, 3, VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(vr_threadpool_default(), VR_FOREVER), 0);
    assert_memory_equal(octets, "???", 3);
    closed(file);
    assert_no_descriptor_is_left();
}

static void write_that_is_left_writes_what_it_was_given(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);
    char octets[] = "abc";

    hold(&fault_of_pwrite);
    assert_int_equal(vr_file_pwrite(file, octets, 3, 0, VR_MILLISECONDS(1)), -ETIMEDOUT);
    memset(octets, '?', 3);
    open_gate(1);
    assert_int_equal(vr_threadpool_join(vr_threadpool_default(), VR_FOREVER), 0);
    closed(file);
    assert_content(path_to("a"), "abc");
}

static void descriptor_stays_open_while_a_call_that_was_left_needs_it(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);
    int fd = vr_file_fd(file);

    hold(&fault_of_write);
    assert_int_equal(vr_file_write(file, "abc", 3, VR_MILLISECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_file_close(file, VR_FOREVER), 0);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    open_gate(1);
    assert_no_descriptor_is_left();
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_content(path_to("a"), "abc");
}

static vr_result opens(void *path)
{
    vr_file *file;

    return vr_fail(vr_file_open(path, O_RDWR | O_CREAT, 0600, VR_FOREVER, &file));
}

static void open_that_is_killed_leaves_no_descriptor(void **state)
{
    char path[384];

    snprintf(path, sizeof path, "%s", path_to("a"));
    atomic_store(&fault_of_open.held, true);
    vr_greenlet *opener = vr_spawn(opens, path);
    vr_sleep(0);
    await_begun(1);
    vr_kill(opener, -EINTR);
    assert_int_equal(vr_join(opener, VR_FOREVER), 0);
    assert_int_equal(vr_error(opener), -EINTR);
    vr_unref(opener);
    memset(path, '?', sizeof path);
    open_gate(1);
    assert_no_descriptor_is_left();
    assert_int_equal(files_there(), 1);
}

static void close_that_is_left_closes_all_the_same(void **state)
{
    vr_file *file = opened(path_to("a"), O_WRONLY | O_CREAT);

    hold(&fault_of_close);
    assert_int_equal(vr_file_close(file, VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(1);
    assert_no_descriptor_is_left();
}

static void by_path_calls_may_be_left(void **state)
{
    struct stat status = {.st_size = -1};

    put(path_to("a"), "abc");
    hold(&fault_of_unlink);
    assert_int_equal(vr_file_unlink(path_to("a"), VR_MILLISECONDS(1)), -ETIMEDOUT);
    open_gate(1);
    assert_no_descriptor_is_left();
    assert_int_equal(files_there(), 0);
    assert_int_equal(status.st_size, -1);
}

/* --- Without memory, and without threads --- */

/* One allocation after the other fails, until there are no more. */
static void call_without_memory_is_an_error_and_leaves_nothing(void **state)
{
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
    char octets[4];
    char *data;
    size_t len;
    int result;

    vr_file_write(file, "abc", 3, VR_FOREVER);
    for (int nth = 1;
         fail_nth(&fault_of_malloc, nth, ENOMEM), (result = (int)vr_file_pread(file, octets, 3, 0, VR_FOREVER)) < 0;
         nth++)
        assert_int_equal(result, -ENOMEM);
    assert_int_equal(result, 3);
    for (int nth = 1; fail_nth(&fault_of_malloc, nth, ENOMEM), (result = vr_file_sync(file, VR_FOREVER)) < 0; nth++)
        assert_int_equal(result, -ENOMEM);
    disarm(&fault_of_malloc);
    closed(file);
    for (int nth = 1; fail_nth(&fault_of_malloc, nth, ENOMEM),
             (result = vr_file_open(path_to("a"), O_RDWR, 0, VR_FOREVER, &file)) < 0;
         nth++) {
        assert_int_equal(result, -ENOMEM);
        assert_null(file);
        assert_no_descriptor_is_left();
    }
    disarm(&fault_of_malloc);
    closed(file);
    for (int nth = 1;
         fail_nth(&fault_of_malloc, nth, ENOMEM), (result = vr_file_load(path_to("a"), 9, VR_FOREVER, &data, &len)) < 0;
         nth++)
        assert_int_equal(result, -ENOMEM);
    free(data);
    put(path_to("a"), "old");
    for (int nth = 1; fail_nth(&fault_of_malloc, nth, ENOMEM), (result = save("new")) < 0; nth++) {
        assert_int_equal(result, -ENOMEM);
        assert_as_it_was();
    }
    disarm(&fault_of_malloc);
    assert_content(path_to("a"), "new");
    assert_no_descriptor_is_left();
}

static void close_without_memory_or_threads_closes_at_once(void **state)
{
    for (int nth = 1; nth <= 2; nth++) {
        vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
        fail_nth(&fault_of_malloc, nth, ENOMEM);
        assert_int_equal(vr_file_close(file, VR_FOREVER), 0);
        assert_no_descriptor_is_left();
    }
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);
    vr_threadpool_free(vr_threadpool_default());
    fail_nth(&fault_of_pthread_create, 1, EAGAIN);
    assert_int_equal(vr_file_close(file, VR_FOREVER), 0);
    assert_no_descriptor_is_left();
}

/* --- Where it is not allowed --- */

static vr_result uses_anothers_file(void *argument)
{
    vr_file *file = argument;
    char octet;
    bool refused = vr_file_read(file, &octet, 1, VR_FOREVER) == -EINVAL &&
                   vr_file_pread(file, &octet, 1, 0, VR_FOREVER) == -EINVAL &&
                   vr_file_write(file, "x", 1, VR_FOREVER) == -EINVAL &&
                   vr_file_pwrite(file, "x", 1, 0, VR_FOREVER) == -EINVAL &&
                   vr_file_sync(file, VR_FOREVER) == -EINVAL && vr_file_size(file, VR_FOREVER) == -EINVAL &&
                   vr_file_close(file, VR_FOREVER) == -EINVAL;

    return vr_ok(number(refused));
}

static void file_of_another_thread_is_refused(void **state)
{
    vr_file *file = opened(path_to("a"), O_RDWR | O_CREAT);

    assert_result_value(vr_threadpool_apply(vr_threadpool_default(), uses_anothers_file, file, NULL, VR_FOREVER),
                        number(1));
    closed(file);
}

struct hub_call {
    vr_callback callback;
    vr_file *file;
};

static void uses_file_in_hub(vr_callback *callback)
{
    struct hub_call *hub_call = (struct hub_call *)(void *)callback;
    vr_file *none;
    char octet;

    trace("%d", vr_file_open(path_to("a"), O_RDONLY, 0, VR_FOREVER, &none));
    trace("%ld", (long)vr_file_read(hub_call->file, &octet, 1, VR_FOREVER));
    trace("%d", save("x"));
    trace("%d", vr_file_close(hub_call->file, VR_FOREVER));
}

static void calls_in_the_hub_are_refused_and_close_closes(void **state)
{
    struct hub_call hub_call = {.callback.run = uses_file_in_hub};

    put(path_to("a"), "old");
    hub_call.file = opened(path_to("a"), O_RDONLY);
    vr_callback_queue(&hub_call.callback);
    vr_sleep(0);
    assert_trace("-1 -1 -1 -1"); /* -EPERM */
    assert_as_it_was();
}

static void close_of_null_is_allowed(void **state)
{
    assert_int_equal(vr_file_close(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(what_is_written_is_read_back),
        file_test(read_goes_on_from_the_position_to_the_end),
        file_test(much_is_moved_whatever_a_system_call_takes),
        file_test(other_greenlets_run_while_a_read_waits),
        file_test(descriptor_is_closed_on_exec),
        file_test(fifo_keeps_no_thread),
        file_test(errors_of_the_system_are_told),
        file_test(write_that_fails_midway_is_an_error),
        file_test(write_that_writes_nothing_is_an_error),
        file_test(calls_that_fail_are_told),
        file_test(files_are_moved_and_removed),
        file_test(read_that_is_left_touches_the_callers_memory_no_more),
        file_test(write_that_is_left_writes_what_it_was_given),
        file_test(descriptor_stays_open_while_a_call_that_was_left_needs_it),
        file_test(open_that_is_killed_leaves_no_descriptor),
        file_test(close_that_is_left_closes_all_the_same),
        file_test(by_path_calls_may_be_left),
        file_test(call_without_memory_is_an_error_and_leaves_nothing),
        file_test(close_without_memory_or_threads_closes_at_once),
        file_test(file_of_another_thread_is_refused),
        file_test(calls_in_the_hub_are_refused_and_close_closes),
        file_test(close_of_null_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
