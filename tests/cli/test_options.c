#include "cmocka_all.h"
#include "options.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vireo/dns.h>

enum { ARGUMENTS_MAX = 16 };

/* What a command line, given as words between blanks, comes to. */
struct outcome {
    struct options options;
    enum options_outcome outcome;
    char *out, *errors;
    char *line, *argv[ARGUMENTS_MAX + 1];
};

static void read_line(struct outcome *outcome, const char *line)
{
    size_t out_len, errors_len;
    int argc = 0;
    FILE *out = open_memstream(&outcome->out, &out_len), *errors = open_memstream(&outcome->errors, &errors_len);
    outcome->line = strdup(line);
    assert_non_null(outcome->line);
    outcome->argv[argc++] = (char[]){"vireo"};
    for (char *rest = outcome->line, *word; (word = strsep(&rest, " ")) && argc < ARGUMENTS_MAX;)
        if (*word)
            outcome->argv[argc++] = word;
    outcome->argv[argc] = NULL;
    outcome->outcome = options_read(&outcome->options, argc, outcome->argv, out, errors);
    fclose(out);
    fclose(errors);
}

static void outcome_done(struct outcome *outcome)
{
    options_done(&outcome->options);
    free(outcome->out);
    free(outcome->errors);
    free(outcome->line);
}

/* --- What is right --- */

static void good(struct outcome *outcome, const char *line)
{
    read_line(outcome, line);
    if (outcome->outcome != OPTIONS_RUN)
        fail_msg("'%s': %s", line, outcome->errors);
    assert_string_equal(outcome->out, "");
    assert_string_equal(outcome->errors, "");
}

static void defaults_hold_where_nothing_is_said(void **state)
{
    struct outcome outcome;
    (void)state;
    good(&outcome, "a.test");
    const struct options *options = &outcome.options;
    assert_int_equal(options->name_count, 1);
    assert_string_equal(options->names[0], "a.test");
    assert_null(options->input_path);
    assert_null(options->output_path);
    assert_int_equal(options->type_count, 1);
    assert_int_equal(options->types[0], VR_TYPE_A);
    assert_int_equal(options->resolvers.count, 0);
    assert_ptr_equal(options->format, format_text);
    assert_int_equal(options->concurrency, 1000);
    assert_int_equal(options->timeout, VR_SECONDS(5));
    assert_int_equal(options->deadline, VR_FOREVER);
    assert_int_equal(options->retries, 2);
    outcome_done(&outcome);
}

static void every_option_is_understood(void **state)
{
    struct outcome outcome;
    (void)state;
    good(&outcome, "-f names -o json -c 7 --timeout 1.5s --deadline=2m --retries 0 -w out x.test");
    const struct options *options = &outcome.options;
    assert_string_equal(options->input_path, "names");
    assert_ptr_equal(options->format, format_json);
    assert_int_equal(options->concurrency, 7);
    assert_int_equal(options->timeout, VR_MILLISECONDS(1500));
    assert_int_equal(options->deadline, VR_SECONDS(120));
    assert_int_equal(options->retries, 0);
    assert_string_equal(options->output_path, "out");
    assert_int_equal(options->name_count, 1);
    outcome_done(&outcome);
}

static void types_come_in_lists_and_add_up(void **state)
{
    static const uint16_t expected[] = {VR_TYPE_A, VR_TYPE_AAAA, VR_TYPE_MX, 65280};
    struct outcome outcome;
    (void)state;
    good(&outcome, "x -t A,aaaa -tMX -t type65280");
    assert_int_equal(outcome.options.type_count, 4);
    assert_memory_equal(outcome.options.types, expected, sizeof expected);
    outcome_done(&outcome);
}

static void resolvers_add_up_in_their_order(void **state)
{
    char text[VR_SERVER_TEXT_SIZE];
    struct outcome outcome;
    (void)state;
    good(&outcome, "x -r 192.0.2.1 -r tcp://[2001:db8::1]:5353");
    assert_int_equal(outcome.options.resolvers.count, 2);
    assert_string_equal(vr_server_address_text(&outcome.options.resolvers.servers[0], text), "192.0.2.1:53");
    assert_string_equal(vr_server_address_text(&outcome.options.resolvers.servers[1], text), "[2001:db8::1]:5353");
    assert_int_equal(outcome.options.resolvers.servers[1].transport, VR_TRANSPORT_TCP);
    outcome_done(&outcome);
}

static void names_may_begin_with_a_dash_behind_two(void **state)
{
    struct outcome outcome;
    (void)state;
    good(&outcome, "x -c 5 y -- -z --help");
    assert_int_equal(outcome.options.name_count, 4);
    assert_string_equal(outcome.options.names[2], "-z");
    assert_string_equal(outcome.options.names[3], "--help");
    outcome_done(&outcome);
}

static void standard_input_is_read_where_no_names_are_given(void **state)
{
    struct outcome outcome;
    int terminal = dup(STDIN_FILENO), nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    dup2(nothing, STDIN_FILENO);
    good(&outcome, "-t MX");
    dup2(terminal, STDIN_FILENO);
    close(terminal);
    close(nothing);
    assert_string_equal(outcome.options.input_path, "-");
    outcome_done(&outcome);
}

/* --- Resolvers from elsewhere --- */

static void make_file(char path[], const char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void resolver_file_may_have_comments(void **state)
{
    char path[] = "/tmp/vireo-test-XXXXXX", line[64], text[VR_SERVER_TEXT_SIZE];
    struct outcome outcome;
    (void)state;
    make_file(path, "# ours\n\n192.0.2.1 # first\r\n  udp://192.0.2.2:5300\n[2001:db8::1]:53");
    snprintf(line, sizeof line, "x -R %s", path);
    good(&outcome, line);
    unlink(path);
    assert_int_equal(outcome.options.resolvers.count, 3);
    assert_string_equal(vr_server_address_text(&outcome.options.resolvers.servers[1], text), "192.0.2.2:5300");
    outcome_done(&outcome);
}

static void resolver_file_error_has_its_line(void **state)
{
    char path[] = "/tmp/vireo-test-XXXXXX", line[64], expected[64];
    struct outcome outcome;
    (void)state;
    make_file(path, "192.0.2.1\n# none\nresolver.test\n");
    snprintf(line, sizeof line, "x -R %s", path);
    read_line(&outcome, line);
    unlink(path);
    assert_int_equal(outcome.outcome, OPTIONS_WRONG);
    snprintf(expected, sizeof expected, "vireo: %s:3: 'resolver.test' ", path);
    assert_non_null(strstr(outcome.errors, expected));
    outcome_done(&outcome);
}

static void environment_names_resolvers_where_no_option_does(void **state)
{
    struct outcome outcome;
    (void)state;
    setenv("VIREO_RESOLVERS", "udp://192.0.2.1:5301  192.0.2.2", 1);
    good(&outcome, "x");
    assert_int_equal(outcome.options.resolvers.count, 2);
    outcome_done(&outcome);
    good(&outcome, "x -r 192.0.2.3");
    assert_int_equal(outcome.options.resolvers.count, 1);
    outcome_done(&outcome);
    setenv("VIREO_RESOLVERS", "nobody", 1);
    read_line(&outcome, "x");
    assert_int_equal(outcome.outcome, OPTIONS_WRONG);
    assert_non_null(strstr(outcome.errors, "VIREO_RESOLVERS: 'nobody' "));
    outcome_done(&outcome);
    unsetenv("VIREO_RESOLVERS");
}

/* --- What is wrong --- */

static void message_names_what_is_wrong(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"x -q", "vireo: unknown option '-q'"},
        {"x -c5q -fqz -q", "vireo: -c: '5q' is no number"},
        {"x --frobnicate", "vireo: unknown option '--frobnicate'"},
        {"x --help=yes", "vireo: unknown option '--help=yes'"},
        {"x -t", "vireo: option '-t' needs a value"},
        {"x --timeout", "vireo: option '--timeout' needs a value"},
        {"x -t A,FOO", "vireo: -t: 'FOO' is no record type"},
        {"x -t A,,MX", "vireo: -t: '' is no record type"},
        {"x -t AXFR", "vireo: -t: 'AXFR' is not a type to look up"},
        {"x -t OPT", "vireo: -t: 'OPT' is not a type to look up"},
        {"x -t TYPE65536", "vireo: -t: 'TYPE65536' is no record type"},
        {"x -r dns.test", "vireo: -r: 'dns.test' is no resolver's address"},
        {"x -r 192.0.2.1:0", "vireo: -r: '192.0.2.1:0' "},
        {"x -r 192.0.2.1:65536", "vireo: -r: '192.0.2.1:65536' is no resolver's address"},
        {"x -r tls://192.0.2.1", "vireo: -r: 'tls://192.0.2.1' uses a transport"},
        {"x -R /nonexistent/resolvers", "vireo: /nonexistent/resolvers: No such file"},
        {"x -R /dev/null", "vireo: -R: '/dev/null' has no resolver in it"},
        {"x -R /", "vireo: /: Is a directory"},
        {"x -o xml", "vireo: -o: 'xml' is no format"},
        {"x -c 0", "vireo: -c: '0' is no number from 1 to "},
        {"x -c -1", "vireo: -c: '-1' is no number"},
        {"x -c 1e3", "vireo: -c: '1e3' is no number"},
        {"x -c 99999999999999999999", "vireo: -c: '99999999999999999999' is no number"},
        {"x --timeout 0", "vireo: --timeout: '0' is no duration"},
        {"x --deadline soon", "vireo: --deadline: 'soon' is no duration"},
        {"x --retries 101", "vireo: --retries: '101' is no number from 0 to 100"},
        {"x -f one -f two", "vireo: -f: 'two' comes after 'one'"},
        {"x -w one -w two", "vireo: -w: 'two' comes after 'one'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome;
        read_line(&outcome, cases[i].line);
        assert_int_equal(outcome.outcome, OPTIONS_WRONG);
        if (strncmp(outcome.errors, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("'%s' gave: %s", cases[i].line, outcome.errors);
        assert_ptr_equal(strchr(outcome.errors, '\n'), outcome.errors + strlen(outcome.errors) - 1);
        assert_string_equal(outcome.out, "");
        outcome_done(&outcome);
    }
}

static void help_and_version_are_shown_and_nothing_else(void **state)
{
    struct outcome outcome;
    (void)state;
    read_line(&outcome, "--help");
    assert_int_equal(outcome.outcome, OPTIONS_SHOWN);
    assert_ptr_equal(strstr(outcome.out, "Usage: vireo "), outcome.out);
    assert_string_equal(outcome.errors, "");
    outcome_done(&outcome);
    read_line(&outcome, "x --version");
    assert_int_equal(outcome.outcome, OPTIONS_SHOWN);
    assert_ptr_equal(strstr(outcome.out, "vireo "), outcome.out);
    outcome_done(&outcome);
}

static void help_fits_a_terminal(void **state)
{
    struct outcome outcome;
    (void)state;
    read_line(&outcome, "--help");
    for (char *rest = outcome.out, *line; (line = strsep(&rest, "\n"));)
        assert_in_range(strlen(line), 0, 100);
    outcome_done(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nothing_is_said),
        cmocka_unit_test(every_option_is_understood),
        cmocka_unit_test(types_come_in_lists_and_add_up),
        cmocka_unit_test(resolvers_add_up_in_their_order),
        cmocka_unit_test(names_may_begin_with_a_dash_behind_two),
        cmocka_unit_test(standard_input_is_read_where_no_names_are_given),
        cmocka_unit_test(resolver_file_may_have_comments),
        cmocka_unit_test(resolver_file_error_has_its_line),
        cmocka_unit_test(environment_names_resolvers_where_no_option_does),
        cmocka_unit_test(message_names_what_is_wrong),
        cmocka_unit_test(help_and_version_are_shown_and_nothing_else),
        cmocka_unit_test(help_fits_a_terminal),
    };
    unsetenv("VIREO_RESOLVERS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
