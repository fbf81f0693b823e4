/* What the tests of files share: a directory for each, and system calls that fail, wait, or do a part. */
#ifndef VIREO_TESTS_RUNTIME_FILE_SUPPORT_H
#define VIREO_TESTS_RUNTIME_FILE_SUPPORT_H

#include "thread_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <vireo/file.h>

/* --- Faults --- */

THREAD_WRAP(void *, malloc, (size_t size), NULL, (size))
THREAD_WRAP(void *, realloc, (void *old, size_t size), NULL, (old, size))
THREAD_WRAP(int, close, (int fd), (__real_close(fd), -1), (fd))
THREAD_WRAP(int, fsync, (int fd), -1, (fd))
THREAD_WRAP(int, fstat, (int fd, struct stat *status), -1, (fd, status))
THREAD_WRAP(int, fchmod, (int fd, mode_t mode), -1, (fd, mode))
THREAD_WRAP(int, rename, (const char *from, const char *to), -1, (from, to))
THREAD_WRAP(int, unlink, (const char *path), -1, (path))
THREAD_WRAP(int, mkostemp, (char *template, int flags), -1, (template, flags))
THREAD_WRAP(int, pthread_create,
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument), errno,
            (thread, attributes, run, argument))

static thread_fault fault_of_open;
int __real_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return strikes(&fault_of_open) ? -1 : __real_open(path, flags, mode);
}

/* These also move fewer octets than asked for, where the test says so: at most `most_moved` by a call. */
static atomic_size_t most_moved;

static inline size_t moved(size_t len)
{
    size_t most = atomic_load(&most_moved);

    return len < most ? len : most;
}

THREAD_WRAP(ssize_t, read, (int fd, void *out, size_t len), -1, (fd, out, moved(len)))
THREAD_WRAP(ssize_t, pread, (int fd, void *out, size_t len, off_t offset), -1, (fd, out, moved(len), offset))
THREAD_WRAP(ssize_t, write, (int fd, const void *data, size_t len), -1, (fd, data, moved(len)))
THREAD_WRAP(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t offset), -1, (fd, data, moved(len), offset))

static thread_fault *const faults[] = {
    &fault_of_malloc, &fault_of_realloc, &fault_of_close,  &fault_of_fsync,    &fault_of_fstat,
    &fault_of_fchmod, &fault_of_rename,  &fault_of_unlink, &fault_of_mkostemp, &fault_of_open,
    &fault_of_read,   &fault_of_pread,   &fault_of_write,  &fault_of_pwrite,   &fault_of_pthread_create,
};

/* --- Set-up: a directory for each test --- */

static char directory[64];
static char paths[4][384];
static int path_count;
static size_t open_descriptors;

static inline size_t count_entries(const char *path)
{
    DIR *entries = opendir(path);
    size_t count = 0;

    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static inline const char *path_to(const char *name)
{
    char *path = paths[path_count++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static inline int use_directory(void **state)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        disarm(faults[i]);
    }
    atomic_store(&most_moved, SIZE_MAX);
    snprintf(directory, sizeof directory, "/tmp/vireo-file-XXXXXX");
    if (!mkdtemp(directory) || make_gates() || use_real_clock(state))
        return -1;
    vr_threadpool_default(); /* the hub's descriptors are there */
    open_descriptors = count_entries("/proc/self/fd");
    return 0;
}

static inline void assert_no_descriptor_is_left(void)
{
    assert_int_equal(vr_threadpool_join(vr_threadpool_default(), VR_FOREVER), 0);
    assert_int_equal(count_entries("/proc/self/fd"), open_descriptors);
}

static inline int remove_directory(void **state)
{
    DIR *entries = opendir(directory);

    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        __real_unlink(path_to(entry->d_name));
    closedir(entries);
    return rmdir(directory) | free_hub(state);
}

/* Entries other than "." and "..". */
static inline size_t files_there(void)
{
    return count_entries(directory) - 2;
}

static inline void put(const char *path, const char *content)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(content, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

#define assert_content(path, expected)                                                   \
    do {                                                                                 \
        char *content_;                                                                  \
        size_t len_;                                                                     \
        assert_int_equal(vr_file_load(path, SIZE_MAX, VR_FOREVER, &content_, &len_), 0); \
        assert_string_equal(content_, expected);                                         \
        assert_int_equal(len_, strlen(expected));                                        \
        free(content_);                                                                  \
    } while (0)

static inline vr_file *opened(const char *path, int flags)
{
    vr_file *file;

    assert_int_equal(vr_file_open(path, flags, 0600, VR_FOREVER, &file), 0);
    assert_non_null(file);
    return file;
}

static inline void closed(vr_file *file)
{
    assert_int_equal(vr_file_close(file, VR_FOREVER), 0);
}

/* --- Calls that are left --- */

/* Keeps the hub from going on, to timeouts in particular, before the held call has begun. */
static inline vr_result awaits_begun(void *argument)
{
    await_begun(1);
    return vr_ok(NULL);
}

static inline void hold(thread_fault *held)
{
    atomic_store(&held->held, true);
    vr_unref(vr_spawn(awaits_begun, NULL));
}

static inline int save(const char *content)
{
    return vr_file_save(path_to("a"), content, strlen(content), 0640, VR_FOREVER);
}

/* The old file is there, and nothing else. */
static inline void assert_as_it_was(void)
{
    assert_no_descriptor_is_left();
    assert_content(path_to("a"), "old");
    assert_int_equal(files_there(), 1);
}

#define file_test(function) cmocka_unit_test_setup_teardown(function, use_directory, remove_directory)

#endif
