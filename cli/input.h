/*
 * What is to be looked up: the names among the arguments, then the lines of a file.
 *
 * A line is a name, and optionally types that then replace the default ones; blanks separate. The file is read as it
 * comes, in pieces of bounded size, and a slow one keeps only those waiting that ask for more of it.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "waitlist.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INPUT_LINE_MAX = 4096, /* octets of a line; of a longer one only the name is shown */
    JOB_NAME_MAX = 1023,   /* octets of a name's text: the longest has 4 for each octet on the wire */
    JOB_TYPE_MAX = 63,
};

/* One name and one type: what becomes one record. */
struct job {
    const char *fault; /* NULL, or why this can be no name, in words */
    int type;          /* negative where the line's type is none */
    size_t name_len, type_text_len;
    char type_text[JOB_TYPE_MAX + 1]; /* as given; only set where the type is none */
    char name[JOB_NAME_MAX + 1];      /* as given, a NUL behind it; cut where there is a fault */
};

/* Fields are private but for those that say so. */
struct input {
    uint64_t jobs; /* given out so far; to be read by everybody */
    int error;     /* 0, or the negative error that ended the reading; to be read by everybody */

    char *const *arguments;
    size_t argument_count;
    const uint16_t *types;
    size_t type_count;

    int fd;           /* -1 without a file */
    bool cooperative; /* does the descriptor know readiness, so that it can be waited for? */
    bool at_end;
    bool skipping; /* is what comes the rest of a line that was too long? */
    char *buffer;
    size_t start, end; /* what is read and not yet taken */

    /* The current line; the pointers are into the buffer or an argument, and good until the line is used up. */
    const char *name, *types_at, *types_end;
    size_t name_len, default_types_left;
    const char *fault;

    bool busy; /* has somebody the turn? Kept across the wait for more of the file */
    struct waitlist turn;
};

/* Where the jobs come from. */
struct input_sources {
    char *const *names; /* arguments; must stay */
    size_t name_count;
    const char *path;      /* a file; "-" is the standard input, NULL none */
    const uint16_t *types; /* for lines that have none of their own; must stay; at least one */
    size_t type_count;
};

/* Opens the file. Returns 0, or a negative error: open(2)'s, or -ENOMEM. */
int input_open(struct input *input, const struct input_sources *sources);

/*
 * The next job. May switch, while another greenlet reads or the file has nothing to read. Returns 1; 0 at the end; or
 * a negative error, of read(2) or thrown into the caller.
 */
int input_next(struct input *input, struct job *job);

void input_close(struct input *input);

#endif
