#include <vireo/file.h>

#include "threadpool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A caller may be killed, or its time be up, while a thread is at work for it. So the thread sees nothing of the
 * caller's: it works on a request, which has copies of paths and of what is to be written, and takes what is read;
 * where nobody takes it back, the pool has it released. To read straight into the caller's memory, the caller would
 * have to stay until the disk has answered, whatever is thrown into it. Copying goes piece by piece, so that a request
 * is small however much is moved; the copy is cheap beside the system call's own.
 *
 * For the same reason a file counts its requests: the descriptor is closed by the last of them, or its number could
 * be another file's by the time that the thread comes to use it.
 */

enum { PIECE = 64 * 1024, LOAD_STEP = 4096 };

struct vr_file {
    int fd;
    unsigned users; /* the program, until vr_file_close, and requests */
    pthread_t owner;
};

typedef struct request request;

/* In a thread of the pool, where no signal interrupts it. Returns the result, or a negative error. */
typedef int64_t request_call(request *self);

struct request {
    request_call *call;
    int64_t result;
    vr_file *file; /* NULL for those by path */
    int fd;        /* the file's; or one that is only this request's: was opened, or is to be closed */
    int flags;
    mode_t mode;
    bool at_offset;
    off_t offset;
    size_t len; /* of what is moved in `octets`, or loaded in `data` */
    size_t limit;
    char *path, *target;
    char *data;
    struct stat status;
    char octets[];
};

static request_call call_open, call_create, call_close, call_discard;
static void close_later(int fd);

/* --- Requests --- */

static request *new_request(request_call *call, size_t size)
{
    request *made = malloc(sizeof *made + size);

    if (made)
        *made = (request){.call = call, .fd = -1};
    return made;
}

/* By path. The copies of `path`, with `suffix`, and of `target` (NULL for none) are in `octets`. */
static request *path_request(request_call *call, const char *path, const char *suffix, const char *target)
{
    size_t len = strlen(path), suffix_size = strlen(suffix) + 1, target_size = target ? strlen(target) + 1 : 0;
    request *made = new_request(call, len + suffix_size + target_size);

    if (!made)
        return NULL;
    made->path = made->octets;
    memcpy(made->path, path, len);
    memcpy(made->path + len, suffix, suffix_size);
    if (target)
        made->target = memcpy(made->path + len + suffix_size, target, target_size);
    return made;
}

/* To a file, of which it keeps the descriptor open. */
static void refer_to(request *to, vr_file *file)
{
    to->file = file;
    to->fd = file->fd;
    file->users++;
}

static request *file_request(request_call *call, vr_file *file, size_t size)
{
    request *made = new_request(call, size);

    if (made)
        refer_to(made, file);
    return made;
}

static void leave_file(vr_file *file)
{
    if (--file->users)
        return;
    close_later(file->fd);
    free(file);
}

static void free_request(request *done)
{
    if (done->file)
        leave_file(done->file);
    free(done->data);
    free(done);
}

static vr_result perform(void *argument)
{
    request *self = argument;

    self->result = self->call(self);
    return vr_ok(self);
}

/* One that nobody takes back. */
static void release_request(void *argument, vr_result result)
{
    request *left = argument;

    if (left->fd >= 0 && (left->call == call_open || left->call == call_create)) {
        /* What it has opened for its caller goes the way it came: through a thread. */
        if (left->call == call_open)
            left->path = NULL;
        left->call = call_discard;
        vr_threadpool_post(vr_threadpool_default(), perform, left, release_request, NULL);
        return;
    }
    /* No thread could be had for closing. */
    if (result.error && (left->call == call_close || left->call == call_discard))
        left->call(left);
    free_request(left);
}

/* Has it done, and waits. 0: it is the caller's again, with its result; otherwise it is gone. */
static int submit(request *asked, vr_time timeout)
{
    return (int)vr_threadpool_apply(vr_threadpool_default(), perform, asked, release_request, timeout).error;
}

/* The same, where nothing but the result is of interest; NULL is one that memory ran out for. */
static int64_t result_of(request *asked, vr_time timeout)
{
    int64_t result = asked ? submit(asked, timeout) : -ENOMEM;

    if (!result) {
        result = asked->result;
        free_request(asked);
    }
    return result;
}

/* --- Open files --- */

static bool is_own(const vr_file *file)
{
    return pthread_equal(file->owner, pthread_self());
}

static int64_t call_open(request *self)
{
    self->fd = open(self->path, self->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, self->mode);
    return self->fd < 0 ? -errno : 0;
}

/* Makes a file of the descriptor that a request has opened. The request stays the caller's. */
static int take_file(request *opened, vr_file **out)
{
    if (opened->result < 0)
        return (int)opened->result;
    vr_file *file = malloc(sizeof *file);
    if (!file)
        return -ENOMEM;
    *file = (vr_file){.fd = opened->fd, .users = 1, .owner = pthread_self()};
    opened->fd = -1;
    *out = file;
    return 0;
}

int vr_file_open(const char *path, int flags, mode_t mode, vr_time timeout, vr_file **file)
{
    request *asked = path_request(call_open, path, "", NULL);

    *file = NULL;
    if (!asked)
        return -ENOMEM;
    asked->flags = flags;
    asked->mode = mode;
    int error = submit(asked, timeout);
    if (error)
        return error;
    error = take_file(asked, file);
    release_request(asked, vr_ok(NULL));
    return error;
}

/* Ends the program's use of a file. Its descriptor, for the caller to close; -1 where a request that was left does. */
static int take_descriptor(vr_file *file)
{
    int fd = file->users == 1 ? file->fd : -1;

    if (fd >= 0)
        free(file);
    else
        leave_file(file);
    return fd;
}

static int64_t call_close(request *self)
{
    return close(self->fd) < 0 ? -errno : 0;
}

/* Has a descriptor closed in a thread, for nobody to wait for. */
static void close_later(int fd)
{
    request *asked = new_request(call_close, 0);

    if (asked) {
        asked->fd = fd;
        vr_threadpool_post(vr_threadpool_default(), perform, asked, release_request, NULL);
    } else {
        close(fd);
    }
}

int vr_file_close(vr_file *file, vr_time timeout)
{
    request *asked;
    vr_job *job;

    if (!file)
        return 0;
    if (!is_own(file))
        return -EINVAL;
    int fd = take_descriptor(file);
    if (fd < 0)
        return 0;
    if (!(asked = new_request(call_close, 0)))
        return close(fd) < 0 ? -errno : 0;
    asked->fd = fd;
    /* Posted, so that it is closed also when the wait ends early, or where there is none to be had. */
    if (vr_threadpool_post(vr_threadpool_default(), perform, asked, release_request, &job))
        return 0;
    int error = (int)vr_job_get(job, timeout).error;
    vr_job_free(job);
    if (!error) {
        error = (int)asked->result;
        free_request(asked);
    }
    return error;
}

int vr_file_fd(const vr_file *file)
{
    return file->fd;
}

static int64_t call_sync(request *self)
{
    return fsync(self->fd) < 0 ? -errno : 0;
}

int vr_file_sync(vr_file *file, vr_time timeout)
{
    return is_own(file) ? (int)result_of(file_request(call_sync, file, 0), timeout) : -EINVAL;
}

static int64_t call_size(request *self)
{
    return fstat(self->fd, &self->status) < 0 ? -errno : self->status.st_size;
}

off_t vr_file_size(vr_file *file, vr_time timeout)
{
    return is_own(file) ? (off_t)result_of(file_request(call_size, file, 0), timeout) : -EINVAL;
}

/* --- Reading and writing, piece by piece --- */

static int64_t call_read(request *self)
{
    size_t done = 0;

    while (done < self->len) {
        char *out = self->octets + done;
        size_t left = self->len - done;
        ssize_t n =
            self->at_offset ? pread(self->fd, out, left, self->offset + (off_t)done) : read(self->fd, out, left);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int64_t call_write(request *self)
{
    for (size_t done = 0; done < self->len;) {
        const char *data = self->octets + done;
        size_t left = self->len - done;
        ssize_t n =
            self->at_offset ? pwrite(self->fd, data, left, self->offset + (off_t)done) : write(self->fd, data, left);
        if (n <= 0)
            return n < 0 ? -errno : -EIO; /* nothing, and no reason given: asking again might never end */
        done += (size_t)n;
    }
    return (int64_t)self->len;
}

/* What is to be moved: `in` or `out` is NULL. */
struct transfer {
    char *in;
    const char *out;
    size_t len;
    bool at_offset;
    off_t offset;
};

/* Makes the request that for what comes after the first `done` octets. */
static void take_piece(request *piece, const struct transfer *all, size_t done)
{
    piece->len = all->len - done < PIECE ? all->len - done : PIECE;
    piece->at_offset = all->at_offset;
    piece->offset = all->offset + (off_t)done;
    if (all->out)
        memcpy(piece->octets, all->out + done, piece->len);
}

static ssize_t transfer(vr_file *file, const struct transfer *all, vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    size_t done = 0;

    if (!is_own(file) || (all->at_offset && all->offset < 0))
        return -EINVAL;
    if (!all->len)
        return 0;
    request *piece = file_request(all->in ? call_read : call_write, file, all->len < PIECE ? all->len : PIECE);
    if (!piece)
        return -ENOMEM;
    do {
        take_piece(piece, all, done);
        int error = submit(piece, vr_remaining(deadline));
        if (error)
            return error;
        if (piece->result < 0)
            break;
        if (all->in)
            memcpy(all->in + done, piece->octets, (size_t)piece->result);
        done += (size_t)piece->result;
    } while (done < all->len && (size_t)piece->result == piece->len);

    ssize_t result = piece->result < 0 ? (ssize_t)piece->result : (ssize_t)done;
    free_request(piece);
    return result;
}

ssize_t vr_file_read(vr_file *file, void *out, size_t len, vr_time timeout)
{
    return transfer(file, &(struct transfer){.in = out, .len = len}, timeout);
}

ssize_t vr_file_pread(vr_file *file, void *out, size_t len, off_t offset, vr_time timeout)
{
    return transfer(file, &(struct transfer){.in = out, .len = len, .at_offset = true, .offset = offset}, timeout);
}

ssize_t vr_file_write(vr_file *file, const void *data, size_t len, vr_time timeout)
{
    return transfer(file, &(struct transfer){.out = data, .len = len}, timeout);
}

ssize_t vr_file_pwrite(vr_file *file, const void *data, size_t len, off_t offset, vr_time timeout)
{
    return transfer(file, &(struct transfer){.out = data, .len = len, .at_offset = true, .offset = offset}, timeout);
}

/* --- By path --- */

static int64_t call_stat(request *self)
{
    return stat(self->path, &self->status) < 0 ? -errno : 0;
}

int vr_file_stat(const char *path, struct stat *status, vr_time timeout)
{
    request *asked = path_request(call_stat, path, "", NULL);
    int error = asked ? submit(asked, timeout) : -ENOMEM;

    if (error)
        return error;
    error = (int)asked->result;
    if (!error)
        *status = asked->status;
    free_request(asked);
    return error;
}

static int64_t call_rename(request *self)
{
    return rename(self->path, self->target) < 0 ? -errno : 0;
}

int vr_file_rename(const char *from, const char *to, vr_time timeout)
{
    return (int)result_of(path_request(call_rename, from, "", to), timeout);
}

static int64_t call_unlink(request *self)
{
    return unlink(self->path) < 0 ? -errno : 0;
}

int vr_file_unlink(const char *path, vr_time timeout)
{
    return (int)result_of(path_request(call_unlink, path, "", NULL), timeout);
}

/* --- Loading: one request for all of it, as the memory is the request's own until the end --- */

/* Room for some octets more, and for the NUL. */
static int grow(request *self, size_t *room)
{
    /* At first all that the file says it has, and one octet more, to see the end in the same read. */
    size_t first = self->status.st_size > LOAD_STEP ? (size_t)self->status.st_size + 2 : LOAD_STEP;
    size_t wanted = *room ? *room * 2 : first;

    if (self->len + 1 < *room)
        return 0;
    char *data = realloc(self->data, wanted);
    if (!data)
        return -ENOMEM;
    self->data = data;
    *room = wanted;
    return 0;
}

/* To the end, wherever the size says that is: what the kernel makes up has none, and a file may grow. */
static int64_t read_all(request *self)
{
    size_t room = 0;

    if (fstat(self->fd, &self->status) < 0)
        return -errno;
    if (self->status.st_size > 0 && (uintmax_t)self->status.st_size > self->limit)
        return -EFBIG;
    for (;;) {
        int error = grow(self, &room);
        if (error)
            return error;
        ssize_t n = read(self->fd, self->data + self->len, room - self->len - 1);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        self->len += (size_t)n;
        if (self->len > self->limit)
            return -EFBIG;
    }
    self->data[self->len] = '\0';
    return 0;
}

static int64_t call_load(request *self)
{
    int64_t error = call_open(self);

    if (error)
        return error;
    error = read_all(self);
    close(self->fd);
    return error;
}

int vr_file_load(const char *path, size_t limit, vr_time timeout, char **data, size_t *len)
{
    request *asked = path_request(call_load, path, "", NULL);

    *data = NULL;
    *len = 0;
    if (!asked)
        return -ENOMEM;
    asked->limit = limit;
    int error = submit(asked, timeout);
    if (error)
        return error;
    error = (int)asked->result;
    if (!error) {
        *data = asked->data;
        *len = asked->len;
        asked->data = NULL;
    }
    free_request(asked);
    return error;
}

/* --- Saving --- */

/* Makes the temporary file, and sets the end of `path` to its own. */
static int64_t call_create(request *self)
{
    int fd = mkostemp(self->path, O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (fchmod(fd, self->mode) < 0) {
        int error = -errno;
        close(fd);
        unlink(self->path);
        return error;
    }
    self->fd = fd;
    return 0;
}

static int sync_directory_of(char *path)
{
    char *slash = strrchr(path, '/');
    const char *directory = slash == path ? "/" : slash ? path : ".";

    if (slash)
        *slash = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* EINVAL: a file system that syncs no directories. */
    int error = fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
    close(fd);
    return error;
}

/* The temporary file `path` becomes `target`. */
static int64_t call_commit(request *self)
{
    if (fsync(self->fd) < 0 || rename(self->path, self->target) < 0)
        return -errno;
    return sync_directory_of(self->target);
}

/* Of a temporary file, or of one that nobody came to have: that has no path here. */
static int64_t call_discard(request *self)
{
    if (self->fd >= 0)
        close(self->fd);
    if (self->path)
        unlink(self->path);
    return 0;
}

static int fill_and_commit(vr_file *file, const char *temporary, const char *path, const struct transfer *content,
                           vr_time deadline)
{
    ssize_t written = transfer(file, content, vr_remaining(deadline));

    if (written < 0)
        return (int)written;
    request *commit = path_request(call_commit, temporary, "", path);
    if (commit)
        refer_to(commit, file);
    return (int)result_of(commit, vr_remaining(deadline));
}

int vr_file_save(const char *path, const void *data, size_t len, mode_t mode, vr_time timeout)
{
    const struct transfer content = {.out = data, .len = len};
    vr_time deadline = vr_deadline(timeout);
    request *created = path_request(call_create, path, ".XXXXXX", NULL);
    vr_file *file = NULL;

    if (!created)
        return -ENOMEM;
    created->mode = mode;
    int error = submit(created, timeout);
    if (error)
        return error;
    error = take_file(created, &file);
    if (error) {
        release_request(created, vr_ok(NULL));
        return error;
    }

    error = fill_and_commit(file, created->path, path, &content, deadline);
    /* Nobody waits for the rest: the caller may be one that was killed. */
    if (error) {
        created->call = call_discard;
        created->fd = take_descriptor(file);
        vr_threadpool_post(vr_threadpool_default(), perform, created, release_request, NULL);
    } else {
        leave_file(file);
        free_request(created);
    }
    return error;
}
