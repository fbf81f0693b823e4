#include "options.h"

#include "duration.h"
#include "question.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* What an option's value is applied to. */
struct parsing {
    struct options *options;
    FILE *errors;
    char option[32]; /* as messages show it: "-t", "--timeout" */
};

/* One line on what is wrong. Returns -1. */
__attribute__((format(printf, 2, 3))) static int complain(const struct parsing *parsing, const char *format, ...)
{
    va_list arguments;
    fputs("vireo: ", parsing->errors);
    if (parsing->option[0])
        fprintf(parsing->errors, "%s: ", parsing->option);
    va_start(arguments, format);
    vfprintf(parsing->errors, format, arguments);
    va_end(arguments);
    fputc('\n', parsing->errors);
    return -1;
}

/* --- Values. Each function returns 0, or -1 after a complaint. --- */

static int set_number(const struct parsing *parsing, const char *value, int min, int max, int *out)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || number < min || number > max)
        return complain(parsing, "'%s' is no number from %d to %d", value, min, max);
    *out = (int)number;
    return 0;
}

static int set_duration(const struct parsing *parsing, const char *value, vr_time *out)
{
    if (duration_from_text(out, value) < 0)
        return complain(parsing, "'%s' is no duration, like 1.5s, 300ms, 2m, 1h, of at most 1000h", value);
    return 0;
}

static int set_once(const struct parsing *parsing, const char *value, const char **out)
{
    if (*out)
        return complain(parsing, "'%s' comes after '%s', but only one can be given", value, *out);
    *out = value;
    return 0;
}

static int set_file(struct parsing *parsing, const char *value)
{
    return set_once(parsing, value, &parsing->options->input_path);
}

static int add_type(struct parsing *parsing, const char *text)
{
    struct options *options = parsing->options;
    int type = vr_type_from_text(text);
    if (type < 0)
        return complain(parsing, "'%s' is no record type", text);
    if (!question_type_allowed(type))
        return complain(parsing, "'%s' is not a type to look up", text);
    uint16_t *types = realloc(options->types, (options->type_count + 1) * sizeof *types);
    if (!types)
        return complain(parsing, "%s", strerror(ENOMEM));
    types[options->type_count++] = (uint16_t)type;
    options->types = types;
    return 0;
}

static int add_types(struct parsing *parsing, const char *value)
{
    char *list = strdup(value), *rest = list, *text;
    int status = list ? 0 : complain(parsing, "%s", strerror(ENOMEM));
    while (status == 0 && (text = strsep(&rest, ",")))
        status = add_type(parsing, text);
    free(list);
    return status;
}

static int add_resolver(struct parsing *parsing, const char *value)
{
    return resolvers_add(&parsing->options->resolvers, value, parsing->option, parsing->errors);
}

static int add_resolver_file(struct parsing *parsing, const char *value)
{
    size_t before = parsing->options->resolvers.count;
    if (resolvers_add_file(&parsing->options->resolvers, value, parsing->errors) < 0)
        return -1;
    if (parsing->options->resolvers.count == before)
        return complain(parsing, "'%s' has no resolver in it", value);
    return 0;
}

static int set_format(struct parsing *parsing, const char *value)
{
    parsing->options->format = format_from_name(value);
    if (!parsing->options->format)
        return complain(parsing, "'%s' is no format: text, json or massdns", value);
    return 0;
}

static int set_concurrency(struct parsing *parsing, const char *value)
{
    int number = 0;
    if (set_number(parsing, value, 1, CONCURRENCY_MAX, &number) < 0)
        return -1;
    parsing->options->concurrency = (unsigned)number;
    return 0;
}

static int set_timeout(struct parsing *parsing, const char *value)
{
    return set_duration(parsing, value, &parsing->options->timeout);
}

static int set_deadline(struct parsing *parsing, const char *value)
{
    return set_duration(parsing, value, &parsing->options->deadline);
}

static int set_retries(struct parsing *parsing, const char *value)
{
    return set_number(parsing, value, 0, RETRIES_MAX, &parsing->options->retries);
}

static int set_output(struct parsing *parsing, const char *value)
{
    return set_once(parsing, value, &parsing->options->output_path);
}

/* --- The table --- */

/* An option has a letter or a name. Those that apply nothing end the parsing: --help and --version. */
static const struct row {
    char letter;
    const char *name, *argument, *help;
    int (*apply)(struct parsing *parsing, const char *value);
} rows[] = {
    {'f', NULL, "FILE", "read names from FILE, one a line, types behind it; - is the standard input", set_file},
    {'t', NULL, "TYPE[,TYPE...]", "look up these types, where a line has none of its own (A)", add_types},
    {'r', NULL, "URL", "ask this resolver: dns://, udp:// or tcp://IP[:PORT], or IP[:PORT]", add_resolver},
    {'R', NULL, "FILE", "ask the resolvers in FILE, one a line", add_resolver_file},
    {'o', NULL, "FORMAT", "write text, json or massdns (text)", set_format},
    {'c', NULL, "COUNT", "look up so many at a time (1000)", set_concurrency},
    {0, "timeout", "DURATION", "give up on a lookup after this, retries included (5s)", set_timeout},
    {0, "deadline", "DURATION", "end the whole run after this; what is left gets a record that says so", set_deadline},
    {0, "retries", "COUNT", "ask each resolver again so many times (2)", set_retries},
    {'w', NULL, "FILE", "write to FILE instead of the standard output", set_output},
    {0, "help", NULL, "show this", NULL},
    {0, "version", NULL, "show the version", NULL},
};

enum { ROWS = sizeof rows / sizeof *rows, HELP_COLUMN = 26, LONG_OPTION = 256 };

void options_help(FILE *out)
{
    fputs("Usage: vireo [NAME]... [OPTION]...\n"
          "Looks names up in the DNS, many at a time: one record for each name and type.\n\n",
          out);
    for (const struct row *row = rows; row < rows + ROWS; row++) {
        int width = row->name ? fprintf(out, "  --%s", row->name) : fprintf(out, "  -%c", row->letter);
        if (row->argument)
            width += fprintf(out, " %s", row->argument);
        fprintf(out, "%*s%s\n", HELP_COLUMN > width ? HELP_COLUMN - width : 1, "", row->help);
    }
    fputs("\nWithout names and -f the names come from the standard input. Durations: 1.5s, 300ms, 2m, 1h.\n"
          "Exit status: 0 all were answered, 1 some were not, 2 wrong usage, 3 input or output failed.\n",
          out);
}

static void fill_getopt(char letters[2 * ROWS + 2], struct option names[ROWS + 1])
{
    *letters++ = ':'; /* tell a missing argument from an unknown option */
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].name) {
            *names++ = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument, NULL,
                                       LONG_OPTION + i};
            continue;
        }
        *letters++ = rows[i].letter;
        if (rows[i].argument)
            *letters++ = ':';
    }
    *letters = '\0';
    *names = (struct option){0};
}

static const struct row *find_row(int found)
{
    if (found >= LONG_OPTION)
        return &rows[found - LONG_OPTION];
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (row->letter && row->letter == found)
            return row;
    return NULL;
}

/* --- The whole line --- */

static int misused(struct parsing *parsing, int found, const char *word)
{
    parsing->option[0] = '\0';
    if (found == ':')
        return complain(parsing, "option '%s' needs a value", word);
    return complain(parsing, "unknown option '%s'; see vireo --help", word);
}

static enum options_outcome show(const struct row *row, FILE *out)
{
    if (strcmp(row->name, "help") == 0)
        options_help(out);
    else
        fputs("vireo " VIREO_VERSION "\n", out);
    return OPTIONS_SHOWN;
}

/* The word of an option that getopt takes no interest in: of a letter in a row of them, just that. */
static const char *misused_word(char **argv, char letter[3])
{
    if (optopt == 0 || optopt >= LONG_OPTION)
        return argv[optind - 1];
    letter[0] = '-';
    letter[1] = (char)optopt;
    letter[2] = '\0';
    return letter;
}

static enum options_outcome read_all(struct parsing *parsing, int argc, char **argv, FILE *out)
{
    char letters[2 * ROWS + 2], letter[3];
    struct option names[ROWS + 1];
    int found;
    fill_getopt(letters, names);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((found = getopt_long(argc, argv, letters, names, NULL)) >= 0) {
        const struct row *row = find_row(found);
        if (!row) {
            misused(parsing, found, misused_word(argv, letter));
            return OPTIONS_WRONG;
        }
        if (!row->apply)
            return show(row, out);
        if (row->name)
            snprintf(parsing->option, sizeof parsing->option, "--%s", row->name);
        else
            snprintf(parsing->option, sizeof parsing->option, "-%c", row->letter);
        if (row->apply(parsing, optarg) < 0)
            return OPTIONS_WRONG;
    }
    parsing->option[0] = '\0';
    return OPTIONS_RUN;
}

/* What holds where nothing else was said. */
static int set_defaults(struct parsing *parsing)
{
    struct options *options = parsing->options;
    if (options->name_count == 0 && !options->input_path) {
        if (isatty(STDIN_FILENO))
            return complain(parsing, "no names: give some, or a file of them with -f; see vireo --help");
        options->input_path = "-";
    }
    if (options->type_count == 0 && add_type(parsing, "A") < 0)
        return -1;
    if (options->resolvers.count == 0)
        return resolvers_add_environment(&options->resolvers, "VIREO_RESOLVERS", parsing->errors);
    return 0;
}

enum options_outcome options_read(struct options *options, int argc, char **argv, FILE *out, FILE *errors)
{
    *options = (struct options){
        .format = format_text,
        .concurrency = 1000,
        .timeout = VR_SECONDS(5),
        .deadline = VR_FOREVER,
        .retries = 2,
    };
    struct parsing parsing = {.options = options, .errors = errors};
    enum options_outcome outcome = read_all(&parsing, argc, argv, out);
    if (outcome != OPTIONS_RUN)
        return outcome;
    options->names = argv + optind;
    options->name_count = (size_t)(argc - optind);
    return set_defaults(&parsing) < 0 ? OPTIONS_WRONG : OPTIONS_RUN;
}

void options_done(struct options *options)
{
    free(options->types);
    resolvers_done(&options->resolvers);
}
