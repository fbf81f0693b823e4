/* vireod's command line: what it sets, and what is said of what is wrong with it. */
#include "dns_support.h"

#include "options.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

static struct options options;
static char said[4096]; /* on stderr and stdout */

static int forget_options(void **state)
{
    options_done(&options);
    options = (struct options){0};
    return 0;
}

/* What a stream has been given since it was pointed to `file`. */
static void point(int fd, FILE *file, int *saved)
{
    fflush(NULL);
    *saved = dup(fd);
    assert_true(*saved >= 0 && dup2(fileno(file), fd) >= 0);
}

static void point_back(int fd, int saved)
{
    fflush(NULL);
    dup2(saved, fd);
    close(saved);
}

/* Reads a command line, its program's name aside. Returns what options_read does, with the words in `said`. */
static int read_as(const char *program, const char *const *arguments)
{
    char copies[16][128], *argv[17];
    int argc = 0, saved_out, saved_err;
    FILE *file = tmpfile();

    assert_non_null(file);
    forget_options(NULL);
    snprintf(copies[0], sizeof copies[0], "%s", program);
    argv[argc++] = copies[0];
    for (; *arguments; arguments++, argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", *arguments);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    optind = 0; /* getopt is to begin anew */

    point(STDOUT_FILENO, file, &saved_out);
    point(STDERR_FILENO, file, &saved_err);
    int result = options_read(&options, argc, argv);
    point_back(STDERR_FILENO, saved_err);
    point_back(STDOUT_FILENO, saved_out);

    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return result;
}

#define READ(...) read_as("vireod", (const char *const[]){__VA_ARGS__, NULL})

static void assert_server(const vr_server *server, const char *expected)
{
    char text[VR_SERVER_TEXT_SIZE];

    assert_string_equal(vr_server_text(server, text), expected);
}

/* The line is one, is of vireod, and holds the words. */
static void assert_said(int result, const char *words)
{
    assert_int_equal(result, 2);
    if (strncmp(said, "vireod: ", 8) != 0 || !strstr(said, words))
        print_error("said: %s", said);
    assert_memory_equal(said, "vireod: ", 8);
    assert_non_null(strstr(said, words));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void without_arguments_it_listens_on_port_5300_of_the_loopback(void **state)
{
    const char *const none[] = {NULL};

    assert_int_equal(read_as("vireod", none), OPTIONS_RUN);
    assert_int_equal(options.listen_count, 1);
    assert_server(&options.listen[0], "dns://127.0.0.1:5300");
    assert_int_equal(options.upstream_count, 0);
    assert_in_range(options.workers, 1, 256);
    assert_string_equal(said, "");
}

static void listeners_and_upstreams_are_kept_in_their_order(void **state)
{
    assert_int_equal(READ("--listen", "tcp://[::1]:0", "--upstream=192.0.2.1", "--listen=192.0.2.2:1", "--upstream",
                          "udp://192.0.2.3:5353", "--workers", "3"),
                     OPTIONS_RUN);
    assert_int_equal(options.listen_count, 2);
    assert_server(&options.listen[0], "tcp://[::1]:0");
    assert_server(&options.listen[1], "dns://192.0.2.2:1");
    assert_int_equal(options.upstream_count, 2);
    assert_server(&options.upstreams[0], "dns://192.0.2.1:53");
    assert_server(&options.upstreams[1], "udp://192.0.2.3:5353");
    assert_int_equal(options.workers, 3);
}

static void help_and_version_go_to_stdout_and_end_it(void **state)
{
    assert_int_equal(READ("--help"), 0);
    static const char *const names[] = {"--listen", "--upstream", "--workers", "--help", "--version"};
    for (int i = 0; i < 5; i++)
        assert_non_null(strstr(said, names[i]));
    assert_int_equal(READ("--version"), 0);
    assert_memory_equal(said, "vireod ", 7);
    assert_int_equal(READ("--workers", "2", "--help"), 0);
}

static void bad_address_is_named(void **state)
{
    assert_said(READ("--listen", "nonsense"), "nonsense");
    assert_said(READ("--upstream", "192.0.2.1:99999"), "--upstream 192.0.2.1:99999");
    assert_said(READ("--listen", "127.0.0.1", "--upstream", "192.0.2.300"), "192.0.2.300");
    assert_said(READ("--upstream", ""), "--upstream");
}

static void scheme_that_is_designed_only_is_named(void **state)
{
    assert_said(READ("--upstream", "tls://192.0.2.1"), "tls://192.0.2.1");
    assert_said(READ("--listen", "https://192.0.2.1/dns-query"), "https://192.0.2.1/dns-query");
}

static void port_0_is_for_listeners_only(void **state)
{
    assert_int_equal(READ("--listen", "127.0.0.1:0"), OPTIONS_RUN);
    assert_said(READ("--upstream", "127.0.0.1:0"), "127.0.0.1:0");
    assert_said(READ("--upstream", "[::1]:0"), "[::1]:0");
}

static void number_of_workers_is_from_1_to_256(void **state)
{
    static const char *const bad[] = {"0", "-1", "257", "x", "3x", "", "1.5", "99999999999999999999"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_said(READ("--workers", bad[i]), bad[i]);
        assert_non_null(strstr(said, "--workers"));
    }
    assert_int_equal(READ("--workers", "1"), OPTIONS_RUN);
    assert_int_equal(READ("--workers", "256"), OPTIONS_RUN);
    assert_int_equal(options.workers, 256);
}

static void unknown_option_is_named(void **state)
{
    assert_said(READ("--frobnicate"), "--frobnicate");
    assert_said(READ("--workers", "1", "-x"), "x");
    assert_said(READ("--help=yes"), "--help");
}

static void missing_argument_is_named(void **state)
{
    assert_said(READ("--listen"), "--listen");
    assert_said(READ("--workers"), "--workers");
}

static void argument_that_is_no_option_is_named(void **state)
{
    assert_said(READ("192.0.2.1"), "192.0.2.1");
    assert_said(READ("--workers", "1", "stray"), "stray");
    assert_said(READ("--", "--listen"), "--listen");
}

/* "vireod: ...", by whatever path it was called. */
static void messages_begin_with_the_programs_name_alone(void **state)
{
    const char *const unknown[] = {"--frobnicate", NULL}, *const missing[] = {"--listen", NULL};

    assert_said(read_as("/usr/sbin/vireod", unknown), "--frobnicate");
    assert_said(read_as("/usr/sbin/vireod", missing), "--listen");
}

#define options_test(function) cmocka_unit_test_teardown(function, forget_options)

int main(void)
{
    const struct CMUnitTest tests[] = {
        options_test(without_arguments_it_listens_on_port_5300_of_the_loopback),
        options_test(listeners_and_upstreams_are_kept_in_their_order),
        options_test(help_and_version_go_to_stdout_and_end_it),
        options_test(bad_address_is_named),
        options_test(scheme_that_is_designed_only_is_named),
        options_test(port_0_is_for_listeners_only),
        options_test(number_of_workers_is_from_1_to_256),
        options_test(unknown_option_is_named),
        options_test(missing_argument_is_named),
        options_test(argument_that_is_no_option_is_named),
        options_test(messages_begin_with_the_programs_name_alone),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
