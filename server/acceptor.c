#include "acceptor.h"

#include "session.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <stdlib.h>

/* Connections in a row, while others wait for their turn. */
enum { BATCH = 16 };

/* How long to leave connections waiting when there is no room for them. */
static const vr_time no_room_pause = VR_MILLISECONDS(100);

struct acceptor {
    struct worker *worker;
    int fd;
    bool stopping;
    vr_greenlet *greenlet; /* a reference */
};

static void accept_batch(const struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;

    for (int i = 0; i < BATCH && worker->connections < worker->connections_max; i++) {
        int fd = vr_accept(acceptor->fd, NULL, NULL, VR_FOREVER);
        if (fd >= 0) {
            session_start(worker, fd);
            continue;
        }
        /* Out of descriptors or memory: those who wait can be served when others have gone. */
        if (fd != -ECONNABORTED && fd != -ECANCELED)
            vr_sleep(no_room_pause);
        return;
    }
    if (worker->connections >= worker->connections_max)
        vr_sleep(no_room_pause);
}

static vr_result run_acceptor(void *argument)
{
    struct acceptor *acceptor = argument;

    while (!acceptor->stopping) {
        accept_batch(acceptor);
        /* Other greenlets' turn, when there is always one more connection to take. */
        vr_sleep(0);
    }
    return vr_ok(NULL);
}

struct acceptor *acceptor_start(struct worker *worker, int fd)
{
    struct acceptor *acceptor = malloc(sizeof *acceptor);

    if (!acceptor)
        return NULL;
    *acceptor = (struct acceptor){.worker = worker, .fd = fd};
    acceptor->greenlet = vr_spawn(run_acceptor, acceptor);
    if (!acceptor->greenlet) {
        free(acceptor);
        return NULL;
    }
    vr_set_name(acceptor->greenlet, "acceptor");
    return acceptor;
}

void acceptor_free(struct acceptor *acceptor)
{
    if (!acceptor)
        return;
    acceptor->stopping = true;
    vr_kill(acceptor->greenlet, -ECANCELED);
    vr_join(acceptor->greenlet, VR_FOREVER);
    vr_unref(acceptor->greenlet);
    free(acceptor);
}
