/*
 * vireo: names in, exactly one record out for each name and type.
 */
#include "batch.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>
#include <vireo/hub.h>

enum exit_status { ALL_ANSWERED = 0, SOME_FAILED = 1, WRONG_USAGE = 2, BROKEN_FILE = 3 };

/*
 * A missing standard descriptor would be given to the next file or socket that is opened, and the records would go
 * there. In its place comes one that fails on use, as a missing one does.
 */
static void occupy_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(BROKEN_FILE);
}

static enum exit_status broken(const char *what, long error)
{
    fprintf(stderr, "vireo: %s: %s\n", what, vr_strerror(error));
    return BROKEN_FILE;
}

static const char *output_name(const struct options *options)
{
    return options->output_path ? options->output_path : "standard output";
}

static const char *input_name(const struct options *options)
{
    return !options->input_path || strcmp(options->input_path, "-") == 0 ? "standard input" : options->input_path;
}

/* Judges a run that has ended. */
static enum exit_status verdict(const struct options *options, const struct input *input, const struct output *output,
                                int64_t failed, int close_error)
{
    if (close_error < 0)
        return broken(output_name(options), close_error);
    if (failed < 0)
        return broken("the run was given up", (long)failed);
    if (input->error < 0)
        return broken(input_name(options), input->error);
    if (input->jobs != output->records) {
        fprintf(stderr, "vireo: %" PRIu64 " lookups were asked for, but %" PRIu64 " records written\n", input->jobs,
                output->records);
        return BROKEN_FILE;
    }
    return failed > 0 ? SOME_FAILED : ALL_ANSWERED;
}

static enum exit_status run_open(const struct options *options, struct input *input, vr_resolver *resolver)
{
    struct output output;
    vr_waiter alarm = VR_WAITER;
    int error = output_open(&output, options->output_path, input->fd, options->format, &alarm);
    if (error == -EEXIST) {
        fprintf(stderr, "vireo: %s: is the input, too\n", output_name(options));
        return BROKEN_FILE;
    }
    if (error < 0)
        return broken(output_name(options), error);
    struct batch_options batch = {options->concurrency, options->timeout, options->deadline};
    int64_t failed = batch_run(input, &output, &alarm, resolver, &batch);
    return verdict(options, input, &output, failed, output_close(&output));
}

static enum exit_status run(const struct options *options)
{
    vr_resolver *resolver;
    vr_resolver_options resolving = {
        .servers = options->resolvers.servers,
        .server_count = options->resolvers.count,
        .timeout = options->timeout,
        .retries = options->retries,
    };
    int error = vr_resolver_new(&resolver, &resolving);
    if (error < 0) {
        fprintf(stderr, "vireo: no resolver to ask: %s; name one with -r\n", vr_dns_strerror(error));
        return WRONG_USAGE;
    }
    struct input input;
    struct input_sources sources = {
        .names = options->names,
        .name_count = options->name_count,
        .path = options->input_path,
        .types = options->types,
        .type_count = options->type_count,
    };
    error = input_open(&input, &sources);
    enum exit_status status = error < 0 ? broken(input_name(options), error) : run_open(options, &input, resolver);
    input_close(&input);
    vr_resolver_free(resolver);
    vr_hub_free();
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    enum exit_status status = WRONG_USAGE;
    occupy_standard_descriptors();
    /* A reader that goes away, and a file beyond its limit, are errors of write. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    switch (options_read(&options, argc, argv, stdout, stderr)) {
    case OPTIONS_RUN:
        status = run(&options);
        break;
    case OPTIONS_SHOWN:
        status = fflush(stdout) == 0 ? ALL_ANSWERED : broken("standard output", -errno);
        break;
    case OPTIONS_WRONG:
        break;
    }
    options_done(&options);
    return (int)status;
}
