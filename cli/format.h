/*
 * The output formats. Each writes one record, with its newline, at the end of a buffer; none switches.
 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "buffer.h"
#include "record.h"

typedef void format_function(struct buffer *out, const struct record *record);

/* NAME, TYPE, STATUS and DATA between tabs. */
format_function format_text;

/* An object a line. */
format_function format_json;

/* An object a line, in the schema of massdns -o J. */
format_function format_massdns;

/* The format of a name that -o takes, or NULL. */
format_function *format_from_name(const char *name);

#endif
