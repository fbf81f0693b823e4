/* vireod's command line. */
#ifndef VIREOD_OPTIONS_H
#define VIREOD_OPTIONS_H

#include <vireo/server.h>

#include <stddef.h>

struct options {
    vr_server *listen;
    size_t listen_count;
    vr_server *upstreams; /* none: those of the system */
    size_t upstream_count;
    int workers;
};

enum { OPTIONS_RUN = -1 };

/*
 * Reads the command line, with defaults for what it does not say. Returns OPTIONS_RUN, or the status to exit with: 0
 * after --help and --version, 2 after a message that names what is wrong.
 */
int options_read(struct options *out, int argc, char **argv);

void options_done(struct options *options);

#endif
