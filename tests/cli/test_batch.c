/*
 * Whole runs against a server that is a greenlet of the same thread. What it does depends on a name's first letter:
 * n is no name, f fails, d gets no answer, everything else has the address 192.0.2.1; answers to h are held back until
 * HELD of them wait.
 */
#include "batch.h"
#include "cmocka_all.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>

/* --- The server --- */

enum { HELD = 10, HELD_MAX = 100 };

struct query {
    uint8_t message[512];
    size_t len;
    struct sockaddr_in client;
};

struct server {
    int fd;
    vr_server address;
    vr_greenlet *greenlet;
    struct query held[HELD_MAX + 1]; /* answers that wait to be sent */
    unsigned held_count, most_held;
};

static size_t answer_query(uint8_t *message, size_t len, size_t size)
{
    static const uint8_t address[] = {192, 0, 2, 1};
    vr_reader reader;
    vr_question question;
    vr_writer writer;
    const vr_header *header = vr_reader_init(&reader, message, len);
    if (!header || !vr_reader_question(&reader, &question))
        return 0;
    char first = question.name.len > 1 ? (char)question.name.octets[1] : 'a';
    if (first == 'd' || first == 'D')
        return 0;
    bool no_name = first == 'n' || first == 'N', fails = first == 'f' || first == 'F';
    unsigned rcode = no_name ? VR_RCODE_NXDOMAIN : fails ? VR_RCODE_SERVFAIL : VR_RCODE_NOERROR;
    uint16_t flags = (uint16_t)(VR_FLAG_QR | VR_FLAG_RA | (header->flags & VR_FLAG_RD) | rcode);
    vr_writer_init(&writer, message, size, header->id, flags);
    vr_writer_question(&writer, &question);
    if (rcode == VR_RCODE_NOERROR && question.type == VR_TYPE_A)
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &question.name, VR_TYPE_A, VR_CLASS_IN, 60, address, sizeof address);
    return (size_t)vr_writer_finish(&writer);
}

static void send_held(struct server *server)
{
    for (unsigned i = 0; i < server->held_count; i++) {
        struct query *query = &server->held[i];
        (void)!sendto(server->fd, query->message, query->len, 0, (struct sockaddr *)&query->client,
                      sizeof query->client);
    }
    server->held_count = 0;
}

/* Takes one query, if there is one. */
static bool take_query(struct server *server)
{
    struct query *query = &server->held[server->held_count];
    socklen_t client_len = sizeof query->client;
    ssize_t len =
        recvfrom(server->fd, query->message, sizeof query->message, 0, (struct sockaddr *)&query->client, &client_len);
    if (len < 0)
        return false;
    query->len = answer_query(query->message, (size_t)len, sizeof query->message);
    if (query->len == 0)
        return true;
    bool hold = query->message[VR_HEADER_SIZE + 1] == 'h' || query->message[VR_HEADER_SIZE + 1] == 'H';
    server->held_count++;
    if (!hold)
        send_held(server);
    return true;
}

static vr_result serve(void *argument)
{
    struct server *server = argument;
    while (vr_wait_readable(server->fd, VR_FOREVER) == 0) {
        while (server->held_count < HELD_MAX && take_query(server))
            continue;
        if (server->held_count < HELD)
            continue;
        /* Whoever could ask more at the same time has the chance to. */
        for (int i = 0; i < 10; i++)
            vr_sleep(0);
        while (server->held_count < HELD_MAX && take_query(server))
            continue;
        if (server->held_count > server->most_held)
            server->most_held = server->held_count;
        send_held(server);
    }
    return vr_ok(NULL);
}

static void server_start(struct server *server)
{
    *server = (struct server){.fd = vr_socket(AF_INET, SOCK_DGRAM, 0)};
    assert_true(server->fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->address = (vr_server){.transport = VR_TRANSPORT_UDP, .address.v4 = address};
    server->greenlet = vr_spawn(serve, server);
}

static void server_stop(struct server *server)
{
    vr_close(server->fd);
    vr_join(server->greenlet, VR_FOREVER);
    vr_unref(server->greenlet);
}

/* --- A run --- */

static const uint16_t TYPES[] = {VR_TYPE_A};
static const struct batch_options QUICK = {.concurrency = 10, .timeout = VR_SECONDS(5), .deadline = VR_FOREVER};

struct run {
    int64_t failed;
    int close_error;
    uint64_t jobs, records;
    unsigned most_at_a_time; /* lookups, as far as the server held them */
    char *text;              /* what was written, its lines sorted */
};

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Records come in the order of their answers; for comparison they are put into that of the alphabet. */
static char *sorted(char *text, size_t len)
{
    enum { LINES_MAX = 1000 };
    char *lines[LINES_MAX], *out = malloc(len + 1), *at = out;
    size_t count = 0;
    assert_non_null(out);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line && count < LINES_MAX;)
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s\n", lines[i]);
    *at = '\0';
    return out;
}

static char *read_sorted(int fd)
{
    off_t len = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)len, 0), len);
    char *out = sorted(text, (size_t)len);
    free(text);
    return out;
}

/* Runs lines of input, against the server, into `output_path`, or memory where that is NULL. */
static struct run run(const char *lines, const struct batch_options *options, const char *output_path)
{
    struct server server;
    server_start(&server);
    vr_resolver *resolver;
    vr_resolver_options resolving = {.servers = &server.address, .server_count = 1, .timeout = VR_SECONDS(5)};
    assert_int_equal(vr_resolver_new(&resolver, &resolving), 0);

    int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
    char in_path[32], out_path[32];
    assert_int_equal(write(in, lines, strlen(lines)), strlen(lines));
    snprintf(in_path, sizeof in_path, "/proc/self/fd/%d", in);
    snprintf(out_path, sizeof out_path, "/proc/self/fd/%d", out);
    struct input input;
    struct output output;
    vr_waiter alarm = VR_WAITER;
    assert_int_equal(input_open(&input, &(struct input_sources){.path = in_path, .types = TYPES, .type_count = 1}), 0);
    assert_int_equal(output_open(&output, output_path ? output_path : out_path, -1, format_text, &alarm), 0);

    struct run run = {.failed = batch_run(&input, &output, &alarm, resolver, options)};
    run.close_error = output_close(&output);
    run.jobs = input.jobs;
    run.records = output.records;
    run.most_at_a_time = server.most_held;
    run.text = read_sorted(out);
    input_close(&input);
    vr_resolver_free(resolver);
    server_stop(&server);
    close(in);
    close(out);
    return run;
}

static void assert_run(const char *lines, const struct batch_options *options, int64_t failed, const char *expected)
{
    struct run done = run(lines, options, NULL);
    assert_string_equal(done.text, expected);
    assert_int_equal(done.failed, failed);
    assert_int_equal(done.close_error, 0);
    assert_int_equal(done.jobs, done.records);
    free(done.text);
}

/* --- Behaviour --- */

static void every_name_and_type_has_one_record(void **state)
{
    (void)state;
    assert_run("b.test\na.test A MX\n\nname.test\na.test\n", &QUICK, 0,
               "a.test.\tA\tNOERROR\t192.0.2.1\na.test.\tA\tNOERROR\t192.0.2.1\na.test.\tMX\tNOERROR\n"
               "b.test.\tA\tNOERROR\t192.0.2.1\nname.test.\tA\tNXDOMAIN\n");
}

static void bad_lines_have_records_and_count_as_failed(void **state)
{
    (void)state;
    assert_run("a..test\na.test FOO\na.test AXFR\nb.test\n", &QUICK, 3,
               "a..test\tA\tBADNAME\tnot a domain name\na.test\tAXFR\tBADTYPE\tnot a type to look up\n"
               "a.test\tFOO\tBADTYPE\tno such type\nb.test.\tA\tNOERROR\t192.0.2.1\n");
}

static void failing_server_counts_as_failed(void **state)
{
    (void)state;
    assert_run("a.test\nfail.test\n", &QUICK, 1, "a.test.\tA\tNOERROR\t192.0.2.1\nfail.test.\tA\tSERVFAIL\n");
}

static void silence_is_a_timeout(void **state)
{
    const struct batch_options options = {.concurrency = 2, .timeout = VR_MILLISECONDS(50), .deadline = VR_FOREVER};
    (void)state;
    struct run done = run("d1.test\nb.test\nd2.test\n", &options, NULL);
    assert_ptr_equal(strstr(done.text, "b.test.\tA\tNOERROR\t192.0.2.1\nd1.test.\tA\tTIMEOUT\t"), done.text);
    assert_non_null(strstr(done.text, "\nd2.test.\tA\tTIMEOUT\t"));
    assert_int_equal(done.failed, 2);
    assert_int_equal(done.records, 3);
    free(done.text);
}

static void deadline_ends_lookups_and_what_was_not_begun(void **state)
{
    const struct batch_options options = {.concurrency = 2, .timeout = VR_SECONDS(60), .deadline = VR_MILLISECONDS(50)};
    (void)state;
    vr_time begun = vr_now();
    assert_run("d1.test\nd2.test\nb.test\nbad..test\n", &options, 4,
               "b.test.\tA\tDEADLINE\tthe deadline of the run has passed\nbad..test\tA\tBADNAME\tnot a domain name\n"
               "d1.test.\tA\tDEADLINE\tthe deadline of the run has passed\n"
               "d2.test.\tA\tDEADLINE\tthe deadline of the run has passed\n");
    assert_true(vr_now() - begun < VR_SECONDS(10));
}

static void output_error_ends_the_run_at_once(void **state)
{
    const struct batch_options options = {.concurrency = 10, .timeout = VR_SECONDS(60), .deadline = VR_FOREVER};
    (void)state;
    vr_time begun = vr_now();
    struct run done = run("d1.test\nd2.test\nb.test\n", &options, "/dev/full");
    assert_int_equal(done.failed, -ENOSPC);
    assert_int_equal(done.close_error, -ENOSPC);
    assert_true(vr_now() - begun < VR_SECONDS(10));
    free(done.text);
}

static void thousands_of_names_lose_none(void **state)
{
    enum { NAMES = 5000 };
    const struct batch_options options = {.concurrency = 100, .timeout = VR_SECONDS(5), .deadline = VR_FOREVER};
    struct buffer lines = {0};
    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        buffer_char(&lines, 'a');
        buffer_number(&lines, i);
        buffer_text(&lines, ".test\n");
    }
    buffer_char(&lines, '\0');
    struct run done = run(lines.data, &options, NULL);
    assert_int_equal(done.failed, 0);
    assert_int_equal(done.jobs, NAMES);
    assert_int_equal(done.records, NAMES);
    free(done.text);
    buffer_done(&lines);
}

static void as_many_are_looked_up_at_a_time_as_was_asked_for(void **state)
{
    const struct batch_options options = {.concurrency = HELD, .timeout = VR_SECONDS(5), .deadline = VR_FOREVER};
    struct buffer lines = {0};
    (void)state;
    for (unsigned i = 0; i < 5 * HELD; i++)
        buffer_text(&lines, "h.test\n");
    buffer_char(&lines, '\0');
    struct run done = run(lines.data, &options, NULL);
    assert_int_equal(done.failed, 0);
    assert_int_equal(done.records, 5 * HELD);
    assert_int_equal(done.most_at_a_time, HELD);
    free(done.text);
    buffer_done(&lines);
}

static void no_input_is_no_work(void **state)
{
    (void)state;
    assert_run("", &QUICK, 0, "");
    assert_run("\n \n", &QUICK, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_and_type_has_one_record),
        cmocka_unit_test(bad_lines_have_records_and_count_as_failed),
        cmocka_unit_test(failing_server_counts_as_failed),
        cmocka_unit_test(silence_is_a_timeout),
        cmocka_unit_test(deadline_ends_lookups_and_what_was_not_begun),
        cmocka_unit_test(output_error_ends_the_run_at_once),
        cmocka_unit_test(thousands_of_names_lose_none),
        cmocka_unit_test(as_many_are_looked_up_at_a_time_as_was_asked_for),
        cmocka_unit_test(no_input_is_no_work),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vr_hub_free();
    return failed;
}
