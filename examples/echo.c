/*
 * An echo server on a Unix socket: a greenlet accepts, and each connection has a greenlet of its own, which reads and
 * writes as if it were alone. Three clients talk to it at the same time.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/spawn.h>

enum { CLIENTS = 3 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;

static vr_result serve_connection(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char octets[256];
    ssize_t n;

    while ((n = vr_read(fd, octets, sizeof octets, VR_SECONDS(10))) > 0)
        if ((n = vr_send(fd, octets, (size_t)n, VR_SECONDS(10))) < 0)
            break;
    vr_close(fd);
    return n < 0 ? vr_fail(n) : vr_ok(NULL);
}

static vr_result serve(void *argument)
{
    int listener = (int)(intptr_t)argument;

    for (;;) {
        int fd = vr_accept(listener, NULL, NULL, VR_FOREVER);
        if (fd == -ECONNABORTED)
            continue;
        if (fd < 0)
            return vr_fail(fd);
        vr_greenlet *connection = vr_spawn(serve_connection, (void *)(intptr_t)fd);
        if (!connection)
            vr_close(fd);
        vr_unref(connection); /* it goes its own way */
    }
}

/* Sends three lines, and counts those that come back as they were. */
static vr_result talk(void *name)
{
    int fd = vr_socket(AF_UNIX, SOCK_STREAM, 0);
    int error = fd < 0 ? fd : vr_connect(fd, (struct sockaddr *)&address, address_len, VR_SECONDS(10));
    intptr_t good = 0;

    for (int i = 0; i < 3 && !error; i++) {
        char line[64], back[64];
        int len = snprintf(line, sizeof line, "line %d of %s\n", i, (const char *)name);
        error = (int)vr_send(fd, line, (size_t)len, VR_SECONDS(10));
        if (error >= 0)
            error = (int)vr_read(fd, back, sizeof back, VR_SECONDS(10));
        if (error >= 0) {
            good += error == len && memcmp(line, back, (size_t)len) == 0;
            error = 0;
        }
    }
    if (fd >= 0)
        vr_close(fd);
    return error ? vr_fail(error) : vr_ok((void *)good);
}

/* Bound to a name that the system chooses: this leaves no file behind. */
static int listen_somewhere(void)
{
    int fd = vr_socket(AF_UNIX, SOCK_STREAM, 0);

    address_len = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) < 0 || listen(fd, CLIENTS) < 0)
        return -1;
    return fd;
}

int main(void)
{
    static char names[CLIENTS][8] = {"Anna", "Bela", "Carl"};
    vr_greenlet *clients[CLIENTS];
    int listener = listen_somewhere();

    if (listener < 0) {
        perror("listen");
        return 1;
    }
    vr_greenlet *server = vr_spawn(serve, (void *)(intptr_t)listener);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = vr_spawn(talk, names[i]);
    vr_joinall(clients, CLIENTS, VR_SECONDS(10));
    for (int i = 0; i < CLIENTS; i++) {
        printf("%s: %d lines came back, %s\n", names[i], (int)(intptr_t)vr_value(clients[i]),
               vr_strerror(vr_error(clients[i])));
        vr_unref(clients[i]);
    }

    vr_close(listener); /* the server's accept ends with -EBADF */
    vr_join(server, VR_FOREVER);
    printf("server: %s\n", vr_strerror(vr_error(server)));
    vr_unref(server);
    vr_hub_join(VR_SECONDS(10)); /* the last connections find that their clients have gone */
    return vr_hub_free() ? 1 : 0;
}
