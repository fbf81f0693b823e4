/*
 * The command line. One table has every option with its help, and drives both the parser and --help.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "format.h"
#include "resolvers.h"

#include <stdint.h>
#include <stdio.h>
#include <vireo/time.h>

enum { CONCURRENCY_MAX = 1000000, RETRIES_MAX = 100 };

struct options {
    char *const *names; /* into argv */
    size_t name_count;
    const char *input_path; /* "-" is the standard input; NULL: names only */
    uint16_t *types;        /* at least one */
    size_t type_count;
    struct resolvers resolvers; /* empty: those of the system */
    format_function *format;
    unsigned concurrency;
    vr_time timeout, deadline; /* VR_FOREVER without a deadline */
    int retries;
    const char *output_path; /* NULL: the standard output */
};

enum options_outcome {
    OPTIONS_RUN,   /* all is well */
    OPTIONS_SHOWN, /* --help or --version was asked for, and written to `out`; there is nothing else to do */
    OPTIONS_WRONG, /* one line that names what is wrong was written to `errors` */
};

/*
 * Reads the command line; argv may get another order. In every case `options` is for options_done.
 */
enum options_outcome options_read(struct options *options, int argc, char **argv, FILE *out, FILE *errors);
void options_done(struct options *options);

/* The text of --help. */
void options_help(FILE *out);

#endif
