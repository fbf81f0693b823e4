/*
 * The list of servers to ask, gathered from options, a file, and the environment.
 */
#ifndef CLI_RESOLVERS_H
#define CLI_RESOLVERS_H

#include <stddef.h>
#include <stdio.h>
#include <vireo/server.h>

/* Zeroed, it is empty. */
struct resolvers {
    vr_server *servers;
    size_t count;
};

void resolvers_done(struct resolvers *resolvers);

/*
 * Each adds addresses as in <vireo/server.h>, and returns 0; or -1 after a line on `errors` that names the bad one.
 * `where` is said in front of it.
 */
int resolvers_add(struct resolvers *resolvers, const char *text, const char *where, FILE *errors);

/* Of a file: one a line, `#` begins a comment. */
int resolvers_add_file(struct resolvers *resolvers, const char *path, FILE *errors);

/* Of an environment variable, separated by blanks; none when it is not set. */
int resolvers_add_environment(struct resolvers *resolvers, const char *variable, FILE *errors);

#endif
