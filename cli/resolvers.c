#include "resolvers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char BLANKS[] = " \t\r\n";

void resolvers_done(struct resolvers *resolvers)
{
    free(resolvers->servers);
    *resolvers = (struct resolvers){0};
}

static const char *fault_of(int error, const vr_server *server)
{
    if (error == -EPROTONOSUPPORT)
        return "uses a transport that this build does not have";
    if (error < 0)
        return "is no resolver's address: IP, IP:PORT, or one of these behind dns://, udp:// or tcp://";
    /* IPv4 and IPv6 have the port at the same place. */
    return server->address.v4.sin_port == 0 ? "has port 0, where nobody listens" : NULL;
}

int resolvers_add(struct resolvers *resolvers, const char *text, const char *where, FILE *errors)
{
    vr_server server;
    const char *fault = fault_of(vr_server_from_text(&server, text), &server);
    if (fault) {
        fprintf(errors, "vireo: %s: '%s' %s\n", where, text, fault);
        return -1;
    }
    vr_server *servers = realloc(resolvers->servers, (resolvers->count + 1) * sizeof *servers);
    if (!servers) {
        fprintf(errors, "vireo: %s: %s\n", where, strerror(ENOMEM));
        return -1;
    }
    servers[resolvers->count++] = server;
    resolvers->servers = servers;
    return 0;
}

/* Adds every word of a text, which is cut up. */
static int add_words(struct resolvers *resolvers, char *text, const char *where, FILE *errors)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest))
        if (resolvers_add(resolvers, word, where, errors) < 0)
            return -1;
    return 0;
}

int resolvers_add_file(struct resolvers *resolvers, const char *path, FILE *errors)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    int status = 0;
    for (unsigned number = 1; file && status == 0 && getline(&line, &size, file) >= 0; number++) {
        char where[256];
        snprintf(where, sizeof where, "%s:%u", path, number);
        line[strcspn(line, "#")] = '\0';
        status = add_words(resolvers, line, where, errors);
    }
    if (!file || ferror(file)) {
        fprintf(errors, "vireo: %s: %s\n", path, strerror(errno));
        status = -1;
    }
    free(line);
    if (file)
        fclose(file);
    return status;
}

int resolvers_add_environment(struct resolvers *resolvers, const char *variable, FILE *errors)
{
    const char *value = getenv(variable);
    char *words = strdup(value ? value : "");
    int status = words ? add_words(resolvers, words, variable, errors) : -1;
    free(words);
    return status;
}
