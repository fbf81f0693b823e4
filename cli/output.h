/*
 * Where the records go: through one buffer, which a greenlet of its own writes out when much has gathered, or when the
 * oldest record in it has waited for a moment.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "buffer.h"
#include "format.h"
#include "waitlist.h"

#include <stdbool.h>
#include <vireo/spawn.h>
#include <vireo/waiter.h>

/* Fields are private but for those that say so. */
struct output {
    uint64_t records; /* taken so far; to be read by everybody */
    int error;        /* 0, or the negative error that ended the writing; to be read by everybody */

    int fd;
    bool cooperative; /* a pipe, socket or terminal: a write may block */
    bool syncable;    /* a regular file that we opened */
    format_function *format;

    struct buffer buffer;
    size_t written;       /* octets of the buffer that are out already */
    struct waitlist room; /* those who wait for the buffer to empty */
    bool closing;
    vr_greenlet *writer;
    vr_waiter some, much; /* given when the buffer has a record, when it has many, and on closing */
    vr_waiter *alarm;
};

/*
 * Opens the file `path`, NULL for the standard output. When writing fails, now or later, `alarm` is given the error, so
 * that whoever waits there can end the run at once. Returns 0, or a negative error: open(2)'s, -ENOMEM, or -EEXIST for
 * a file that is also `input_fd` (-1: none), which opening would have emptied.
 */
int output_open(struct output *output, const char *path, int input_fd, format_function *format, vr_waiter *alarm);

/*
 * Takes a record. Switches while the buffer is full. Returns 0; the error that ended the writing; or what was thrown
 * into the caller, the record then not being taken.
 */
int output_record(struct output *output, const struct record *record);

/*
 * Writes what is left, unless writing has failed, and closes; a regular file is synced first. Returns 0, or the first
 * error of all: a record that is counted without one has reached the file.
 */
int output_close(struct output *output);

#endif
