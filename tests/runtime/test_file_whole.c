/* Files as a whole: loading them, and saving them so that there is always the old one or the new one. */
#include "file_support.h"

/* --- Loading --- */

static void load_gives_the_whole_file_with_a_nul(void **state)
{
    char *data;
    size_t len;

    put(path_to("a"), "");
    assert_content(path_to("a"), "");
    put(path_to("a"), "some text");
    assert_content(path_to("a"), "some text");
    atomic_store(&most_moved, 2);
    assert_content(path_to("a"), "some text");
    /* As a descriptor: what the kernel makes up has no size. */
    assert_int_equal(vr_file_load("/proc/self/maps", SIZE_MAX, VR_FOREVER, &data, &len), 0);
    assert_true(len > 0 && data[len] == '\0' && strlen(data) == len);
    free(data);
    assert_no_descriptor_is_left();
}

static void load_of_more_than_the_limit_is_refused(void **state)
{
    char *data = directory;
    size_t len = 1;

    put(path_to("a"), "12345");
    assert_int_equal(vr_file_load(path_to("a"), 5, VR_FOREVER, &data, &len), 0);
    free(data);
    assert_int_equal(vr_file_load(path_to("a"), 4, VR_FOREVER, &data, &len), -EFBIG);
    assert_null(data);
    assert_int_equal(vr_file_load("/proc/self/maps", 4, VR_FOREVER, &data, &len), -EFBIG);
    assert_null(data);
    assert_int_equal(len, 0);
    assert_no_descriptor_is_left();
}

static void load_tells_what_failed_and_leaves_nothing(void **state)
{
    char *data;
    size_t len;

    put(path_to("a"), "abc");
    assert_int_equal(vr_file_load(path_to("none"), 9, VR_FOREVER, &data, &len), -ENOENT);
    assert_int_equal(vr_file_load(directory, SIZE_MAX, VR_FOREVER, &data, &len), -EISDIR);
    fail_nth(&fault_of_fstat, 1, EIO);
    assert_int_equal(vr_file_load(path_to("a"), 9, VR_FOREVER, &data, &len), -EIO);
    fail_nth(&fault_of_read, 1, EIO);
    assert_int_equal(vr_file_load(path_to("a"), 9, VR_FOREVER, &data, &len), -EIO);
    fail_nth(&fault_of_realloc, 1, ENOMEM);
    assert_int_equal(vr_file_load(path_to("a"), 9, VR_FOREVER, &data, &len), -ENOMEM);
    assert_null(data);
    assert_no_descriptor_is_left();
}

static void load_that_is_left_frees_what_it_has_read(void **state)
{
    char *data;
    size_t len;

    put(path_to("a"), "abc");
    hold(&fault_of_read);
    assert_int_equal(vr_file_load(path_to("a"), 9, VR_MILLISECONDS(1), &data, &len), -ETIMEDOUT);
    assert_null(data);
    open_gate(1);
    assert_no_descriptor_is_left();
}

/* --- Saving --- */

static void save_makes_the_file_with_its_mode(void **state)
{
    struct stat status;
    mode_t mask = umask(077);

    assert_int_equal(save("one"), 0);
    umask(mask);
    assert_content(path_to("a"), "one");
    assert_int_equal(vr_file_stat(path_to("a"), &status, VR_FOREVER), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(files_there(), 1);
    assert_no_descriptor_is_left();
}

static void save_takes_the_place_of_the_file_that_is_there(void **state)
{
    put(path_to("a"), "a longer text than the new one");
    assert_int_equal(save("new"), 0);
    assert_content(path_to("a"), "new");
    assert_int_equal(save(""), 0);
    assert_content(path_to("a"), "");
    assert_int_equal(files_there(), 1);
    assert_no_descriptor_is_left();
}

static void save_works_in_the_current_directory_and_in_none(void **state)
{
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(chdir(directory), 0);
    assert_int_equal(vr_file_save("here", "abc", 3, 0600, VR_FOREVER), 0);
    assert_int_equal(fchdir(before), 0);
    close(before);
    assert_content(path_to("here"), "abc");
    assert_int_equal(vr_file_save(path_to("none/a"), "abc", 3, 0600, VR_FOREVER), -ENOENT);
    assert_no_descriptor_is_left();
}

static void save_that_fails_leaves_the_file_as_it_was(void **state)
{
    static const struct {
        thread_fault *fault;
        int nth, error;
    } failures[] = {
        {&fault_of_mkostemp, 1, EMFILE}, {&fault_of_fchmod, 1, EPERM},  {&fault_of_write, 1, ENOSPC},
        {&fault_of_fsync, 1, EIO},       {&fault_of_rename, 1, EACCES}, {&fault_of_pthread_create, 1, EAGAIN},
    };

    put(path_to("a"), "old");
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        if (failures[i].fault == &fault_of_pthread_create)
            vr_threadpool_free(vr_threadpool_default());
        fail_nth(&*failures[i].fault, failures[i].nth, failures[i].error);
        assert_int_equal(save("new"), -failures[i].error);
        assert_as_it_was();
    }
}

static void save_whose_directory_cannot_be_synced_is_an_error(void **state)
{
    put(path_to("a"), "old");
    fail_nth(&fault_of_open, 1, EMFILE);
    assert_int_equal(save("new"), -EMFILE);
    fail_nth(&fault_of_fsync, 2, EIO);
    assert_int_equal(save("newer"), -EIO);
    /* Some file systems have nothing to sync there. */
    fail_nth(&fault_of_fsync, 2, EINVAL);
    assert_int_equal(save("newest"), 0);
    assert_content(path_to("a"), "newest");
    assert_int_equal(files_there(), 1);
    assert_no_descriptor_is_left();
}

static vr_result saves(void *content)
{
    return vr_fail(save(content));
}

static void save_that_is_killed_leaves_the_old_file_or_the_new_one(void **state)
{
    static thread_fault *const held[] = {&fault_of_mkostemp, &fault_of_write, &fault_of_fsync, &fault_of_rename};
    static char content[] = "new";

    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        put(path_to("a"), "old");
        atomic_store(&held[i]->held, true);
        vr_greenlet *saver = vr_spawn(saves, content);
        vr_sleep(0);
        while (sem_trywait(&began) < 0)
            vr_sleep(VR_MICROSECONDS(100)); /* the hub has to bring it there */
        vr_kill(saver, -EINTR);
        assert_int_equal(vr_join(saver, VR_FOREVER), 0);
        assert_int_equal(vr_error(saver), -EINTR);
        vr_unref(saver);
        open_gate(1);
        assert_no_descriptor_is_left();
        assert_int_equal(files_there(), 1);

        char *data;
        size_t len;
        assert_int_equal(vr_file_load(path_to("a"), 9, VR_FOREVER, &data, &len), 0);
        assert_true(strcmp(data, "old") == 0 || (i >= 2 && strcmp(data, "new") == 0));
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        file_test(load_gives_the_whole_file_with_a_nul),
        file_test(load_of_more_than_the_limit_is_refused),
        file_test(load_tells_what_failed_and_leaves_nothing),
        file_test(load_that_is_left_frees_what_it_has_read),
        file_test(save_makes_the_file_with_its_mode),
        file_test(save_takes_the_place_of_the_file_that_is_there),
        file_test(save_works_in_the_current_directory_and_in_none),
        file_test(save_that_fails_leaves_the_file_as_it_was),
        file_test(save_whose_directory_cannot_be_synced_is_an_error),
        file_test(save_that_is_killed_leaves_the_old_file_or_the_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
