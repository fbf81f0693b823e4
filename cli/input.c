#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vireo/dns.h>
#include <vireo/io.h>

enum { BUFFER_SIZE = 65536 };

static const char LINE_TOO_LONG[] = "the line is longer than 4096 octets";
static const char NAME_TOO_LONG[] = "longer than any domain name";

/* --- The file --- */

/* Waiting makes sense where a read may block, and epoll takes only those: no regular files, not /dev/null. */
static bool knows_readiness(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(fd));
}

/*
 * A read that lets others run while there is nothing to read. The descriptor may be inherited, and shared with other
 * processes, so it stays as blocking as it is: once it is readable, read returns what is there.
 */
static ssize_t read_some(struct input *input, char *out, size_t len)
{
    for (;;) {
        if (input->cooperative) {
            int error = vr_wait_readable(input->fd, VR_FOREVER);
            if (error < 0)
                return error;
        }
        ssize_t got = read(input->fd, out, len);
        if (got >= 0)
            return got;
        if (errno != EINTR && !(errno == EAGAIN && input->cooperative))
            return -errno;
    }
}

/* Reads more behind what is left. Returns 0 or a negative error; at the end of the file at_end is set. */
static int refill(struct input *input)
{
    size_t left = input->skipping ? 0 : input->end - input->start;
    memmove(input->buffer, input->buffer + input->end - left, left);
    input->start = 0;
    input->end = left;
    ssize_t got = read_some(input, input->buffer + left, BUFFER_SIZE - left);
    if (got < 0)
        return (int)got;
    input->at_end = got == 0;
    input->end += (size_t)got;
    return 0;
}

/* --- Lines --- */

struct line {
    const char *text;
    size_t len;
};

/* Takes `len` octets as a line, and `ending` more as its end. */
static struct line take(struct input *input, size_t len, size_t ending)
{
    struct line line = {.text = input->buffer + input->start, .len = len};
    input->start += len + ending;
    return line;
}

/*
 * The next line of the file, without its end. One that is too long is given at once with what is there of it, and the
 * rest is skipped; whether it is depends on its length alone, not on the pieces it came in. Returns 1, 0 at the end of
 * the file, or a negative error.
 */
static int next_line(struct input *input, struct line *line)
{
    for (;;) {
        size_t unread = input->end - input->start;
        const char *start = input->buffer + input->start, *newline = memchr(start, '\n', unread);
        if (newline) {
            *line = take(input, (size_t)(newline - start), 1);
            if (!input->skipping)
                return 1;
            input->skipping = false;
        } else if (unread > INPUT_LINE_MAX && !input->skipping) {
            *line = take(input, unread, 0);
            input->skipping = true;
            return 1;
        } else if (input->at_end) {
            *line = take(input, unread, 0);
            return unread > 0 && !input->skipping;
        } else {
            int error = refill(input);
            if (error < 0)
                return error;
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static const char *skip_word(const char *at, const char *end)
{
    while (at < end && !is_blank(*at))
        at++;
    return at;
}

/* Makes a name, with types as text behind it, what the next jobs are made of. */
static void set_current(struct input *input, struct line name, const char *types_at, const char *types_end,
                        const char *fault)
{
    input->name = name.text;
    input->name_len = name.len;
    input->types_at = types_at;
    input->types_end = types_end;
    input->default_types_left = types_at < types_end ? 0 : input->type_count;
    input->fault = fault ? fault : name.len > JOB_NAME_MAX ? NAME_TOO_LONG : NULL;
}

/* Splits a line. Returns false for one of blanks only. */
static bool split_line(struct input *input, struct line line)
{
    bool too_long = line.len > INPUT_LINE_MAX;
    const char *end = line.text + (too_long ? INPUT_LINE_MAX : line.len);
    if (!too_long && line.len > 0 && end[-1] == '\r')
        end--;
    const char *name = skip_blanks(line.text, end), *name_end = skip_word(name, end);
    if (name == name_end && !too_long)
        return false;
    const char *types = too_long ? end : skip_blanks(name_end, end);
    set_current(input, (struct line){name, (size_t)(name_end - name)}, types, end, too_long ? LINE_TOO_LONG : NULL);
    return true;
}

/* Goes on to the next argument or line. Returns 1, 0 at the end, or a negative error. */
static int advance(struct input *input)
{
    if (input->argument_count > 0) {
        struct line name = {*input->arguments, strlen(*input->arguments)};
        input->arguments++;
        input->argument_count--;
        set_current(input, name, NULL, NULL, NULL);
        return 1;
    }
    if (input->fd < 0 || input->error < 0)
        return input->error;
    struct line line = {0};
    int got;
    do
        got = next_line(input, &line);
    while (got > 0 && !split_line(input, line));
    return got;
}

/* --- Jobs --- */

static void take_type(struct input *input, struct job *job)
{
    if (input->default_types_left > 0) {
        job->type = input->types[input->type_count - input->default_types_left--];
        return;
    }
    const char *word = input->types_at, *end = skip_word(word, input->types_end);
    input->types_at = skip_blanks(end, input->types_end);
    size_t len = (size_t)(end - word), shown = len < JOB_TYPE_MAX ? len : JOB_TYPE_MAX;
    memcpy(job->type_text, word, shown);
    job->type_text[shown] = '\0';
    job->type_text_len = shown;
    /* A NUL octet would hide what is behind it from the look-up, which reads text. */
    job->type = shown == len && strlen(job->type_text) == len ? vr_type_from_text(job->type_text) : -EINVAL;
}

static int take_job(struct input *input, struct job *job)
{
    while (input->default_types_left == 0 && input->types_at == input->types_end) {
        int got = advance(input);
        if (got <= 0)
            return got;
    }
    job->fault = input->fault;
    job->name_len = input->name_len < JOB_NAME_MAX ? input->name_len : JOB_NAME_MAX;
    memcpy(job->name, input->name, job->name_len);
    job->name[job->name_len] = '\0';
    take_type(input, job);
    input->jobs++;
    return 1;
}

/* One greenlet at a time reads, for two may not wait on a descriptor; the others wait their turn. */
int input_next(struct input *input, struct job *job)
{
    while (input->busy) {
        int error = waitlist_wait(&input->turn);
        if (error < 0)
            return error;
    }
    input->busy = true;
    int got = take_job(input, job);
    if (got < 0 && got != -ECANCELED)
        input->error = got;
    input->busy = false;
    waitlist_wake_one(&input->turn);
    return got;
}

int input_open(struct input *input, const struct input_sources *sources)
{
    *input = (struct input){
        .arguments = sources->names,
        .argument_count = sources->name_count,
        .types = sources->types,
        .type_count = sources->type_count,
        .fd = -1,
    };
    if (!sources->path)
        return 0;
    input->fd = strcmp(sources->path, "-") == 0 ? STDIN_FILENO : open(sources->path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0)
        return -errno;
    input->cooperative = knows_readiness(input->fd);
    input->buffer = malloc(BUFFER_SIZE);
    if (!input->buffer) {
        input_close(input);
        return -ENOMEM;
    }
    return 0;
}

void input_close(struct input *input)
{
    if (input->fd >= 0)
        vr_close(input->fd);
    input->fd = -1;
    free(input->buffer);
    input->buffer = NULL;
}
