#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 256 };

static const char default_listen[] = "dns://127.0.0.1:5300";

static const char usage[] =
    "Usage: vireod [--listen URL]... [--upstream URL]... [--workers N]\n"
    "\n"
    "A forwarding DNS resolver. It answers queries over TCP and UDP by asking its upstreams.\n"
    "\n"
    "  --listen URL    where to take queries; repeatable (default: dns://127.0.0.1:5300)\n"
    "  --upstream URL  whom to ask; repeatable, the first that works is asked (default: resolv.conf)\n"
    "  --workers N     threads, each with listeners of its own (default: one per CPU)\n"
    "  --help          show this text\n"
    "  --version       show the version\n"
    "\n"
    "A URL is dns://IP[:PORT] (UDP and TCP), udp://IP[:PORT] or tcp://IP[:PORT]; a bare IP[:PORT] is dns://.\n"
    "The port is 53 unless given; to listen on port 0 takes any that is free.\n";

enum { OPTION_LISTEN = 256, OPTION_UPSTREAM, OPTION_WORKERS, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},   {"upstream", required_argument, NULL, OPTION_UPSTREAM},
    {"workers", required_argument, NULL, OPTION_WORKERS}, {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},       {NULL, 0, NULL, 0},
};

/* Appends a URL to a list; false after a message. */
static bool add_server(vr_server **list, size_t *count, const char *option, const char *text, bool port_needed)
{
    vr_server server;
    int error = vr_server_from_text(&server, text);

    if (error == -EPROTONOSUPPORT) {
        fprintf(stderr, "vireod: %s %s: this version speaks dns://, udp:// and tcp:// only\n", option, text);
        return false;
    }
    if (!error && port_needed && server.address.v4.sin_port == 0)
        error = -EINVAL;
    if (error) {
        fprintf(stderr, "vireod: %s %s: not an address (IP, IP:PORT, dns://, udp:// or tcp://IP[:PORT])\n", option,
                text);
        return false;
    }
    vr_server *longer = realloc(*list, (*count + 1) * sizeof server);
    if (!longer) {
        fprintf(stderr, "vireod: out of memory\n");
        return false;
    }
    *list = longer;
    longer[(*count)++] = server;
    return true;
}

static bool read_workers(struct options *out, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*end || end == text || number < 1 || number > WORKERS_MAX) {
        fprintf(stderr, "vireod: --workers %s: not a number from 1 to %d\n", text, WORKERS_MAX);
        return false;
    }
    out->workers = (int)number;
    return true;
}

/* `argument` is the word of the command line that getopt stands at. */
static bool read_option(struct options *out, int option, const char *argument)
{
    switch (option) {
    case OPTION_LISTEN:
        return add_server(&out->listen, &out->listen_count, "--listen", optarg, false);
    case OPTION_UPSTREAM:
        return add_server(&out->upstreams, &out->upstream_count, "--upstream", optarg, true);
    case OPTION_WORKERS:
        return read_workers(out, optarg);
    case ':':
        fprintf(stderr, "vireod: %s: this option needs a value\n", argument);
        return false;
    default:
        fprintf(stderr, "vireod: %s: unknown option; --help shows those there are\n", argument);
        return false;
    }
}

int options_read(struct options *out, int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int option;

    opterr = 0;
    *out = (struct options){.workers = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (int)cpus};
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            fputs(option == OPTION_HELP ? usage : "vireod " VIREO_VERSION "\n", stdout);
            return 0;
        }
        if (!read_option(out, option, argv[optind - 1]))
            return 2;
    }
    if (optind < argc) {
        fprintf(stderr, "vireod: %s: unexpected argument\n", argv[optind]);
        return 2;
    }
    if (!out->listen_count && !add_server(&out->listen, &out->listen_count, "--listen", default_listen, false))
        return 2;
    return OPTIONS_RUN;
}

void options_done(struct options *options)
{
    free(options->listen);
    free(options->upstreams);
}
