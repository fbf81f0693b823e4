/*
 * Files: the system's calls for regular files, made in the thread's default pool (<vireo/threadpool.h>), as a file is
 * "ready" for poll(2) even while its disk is not. The caller is parked; other greenlets run.
 *
 * Every call here may switch, and fails with the system call's -errno, with -ETIMEDOUT after `timeout`, -ENOMEM,
 * -EAGAIN when the pool can start no thread, -EPERM in the hub, -EINVAL for a file that another thread has opened, or
 * with what is thrown into the caller. After -ETIMEDOUT and what was thrown the system may still be at work on the
 * call, or not have been asked at all: a write may yet happen, also after later ones, and where the file's position is,
 * is unknown. The caller's memory is not touched any more then, and the descriptor stays open until that is over.
 *
 * For regular files and directories. All are opened non-blocking, which means nothing to those, so that a FIFO or a
 * device fails with -EAGAIN instead of keeping a thread for ever.
 */
#ifndef VIREO_FILE_H
#define VIREO_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <vireo/time.h>

/* An open file. It belongs to the thread that opened it. */
typedef struct vr_file vr_file;

/* open(2), with O_CLOEXEC. *file is for vr_file_close; NULL after an error. */
int vr_file_open(const char *path, int flags, mode_t mode, vr_time timeout, vr_file **file);

/*
 * Closes it, whatever is returned: 0 or an error of close(2), which may be that of a write long ago, or one of those
 * above. While a call that was left early is still at work, it returns 0 at once, and the end of that call closes. NULL
 * is allowed.
 */
int vr_file_close(vr_file *file, vr_time timeout);

/* Its descriptor, for calls that are not here; only until vr_file_close. */
int vr_file_fd(const vr_file *file);

/*
 * All of `len` octets, from the file's position or from `offset`; fewer only at the end of the file. Returns how many;
 * after an error an unknown part of `out` has been written to.
 */
ssize_t vr_file_read(vr_file *file, void *out, size_t len, vr_time timeout);
ssize_t vr_file_pread(vr_file *file, void *out, size_t len, off_t offset, vr_time timeout);

/* All of `len` octets; after an error an unknown part of them has been written. `data` must not change meanwhile.
 * Returns len. */
ssize_t vr_file_write(vr_file *file, const void *data, size_t len, vr_time timeout);
ssize_t vr_file_pwrite(vr_file *file, const void *data, size_t len, off_t offset, vr_time timeout);

/* fsync(2). */
int vr_file_sync(vr_file *file, vr_time timeout);

/* The size in octets. */
off_t vr_file_size(vr_file *file, vr_time timeout);

/* stat(2), rename(2) and unlink(2). *status is set when 0 is returned. */
int vr_file_stat(const char *path, struct stat *status, vr_time timeout);
int vr_file_rename(const char *from, const char *to, vr_time timeout);
int vr_file_unlink(const char *path, vr_time timeout);

/*
 * A whole file: *data, to be freed with free(3), has *len octets and a NUL behind them. -EFBIG for one of more than
 * `limit` octets. After an error *data is NULL.
 */
int vr_file_load(const char *path, size_t limit, vr_time timeout, char **data, size_t *len);

/*
 * Makes a file of this content, or puts it in the place of the one that is there, as a whole and durably: it is written
 * to a temporary file in the same directory (`path` and a suffix of seven characters), synced, and renamed; then the
 * directory is synced. `mode` is as given, whatever the umask. Returns 0; after an error the file is as it was, or,
 * when time was up or the directory could not be synced, possibly the new one, but never a mixture. The temporary file
 * is removed; one that a crash has left is not. `data` must not change meanwhile.
 */
int vr_file_save(const char *path, const void *data, size_t len, mode_t mode, vr_time timeout);

#endif
