#include "session.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX = 2,              /* octets of a message's length in front of it */
    IN_FLIGHT_MAX = 256,     /* queries of one connection that are looked up at once */
    UNREAD_MAX = 256 * 1024, /* octets of answers that wait for the client */
    READ_SIZE = 4096,        /* the buffer, until a longer message comes */
};

/* RFC 7766 section 6.2.3 wants it in the order of seconds; a message that has begun has to end sooner. */
static const vr_time idle_timeout = VR_SECONDS(10);
static const vr_time message_timeout = VR_SECONDS(5);
/* How long a client may take nothing of what it is sent. */
static const vr_time write_timeout = VR_SECONDS(10);
/* How long to leave a connection waiting when there are no descriptors for it. */
static const vr_time accept_pause = VR_MILLISECONDS(100);

struct buffer {
    uint8_t *octets;
    size_t len, size;
};

struct session {
    struct worker *worker;
    struct session *next, **previous;
    int fd;
    vr_greenlet *reader; /* of the session itself */
    vr_greenlet *writer; /* while there is something to write */
    struct buffer in;
    size_t in_at;               /* where the next message in `in` begins */
    struct buffer out, sending; /* queued; and what is being written */
    size_t in_flight;
    bool broken;        /* nothing more can be written */
    bool stopping;      /* no more is to be read */
    vr_waiter *changed; /* the reader waits for fewer in flight, or less unread */
};

static bool reserve(struct buffer *buffer, size_t size)
{
    if (buffer->size >= size)
        return true;
    size_t larger = buffer->size ? buffer->size : READ_SIZE;
    while (larger < size)
        larger *= 2;
    uint8_t *octets = realloc(buffer->octets, larger);
    if (!octets)
        return false;
    buffer->octets = octets;
    buffer->size = larger;
    return true;
}

static void notify(struct session *session)
{
    if (session->changed)
        vr_waiter_switch(session->changed, NULL);
}

/* --- Writing --- */

static vr_result run_writer(void *argument)
{
    struct session *session = argument;

    while (session->out.len && !session->broken) {
        struct buffer full = session->out;
        session->out = session->sending;
        session->out.len = 0;
        session->sending = full;
        if (vr_send(session->fd, full.octets, full.len, write_timeout) < 0)
            session->broken = true;
        session->sending.len = 0;
        notify(session);
    }
    session->out.len = 0;
    session->writer = NULL;
    notify(session);
    return vr_ok(NULL);
}

/* Queues an answer, and takes it. A batch of answers of one turn leaves in one write. */
static void respond(struct session *session, vr_answer *answer)
{
    struct buffer *out = &session->out;

    if (!answer || session->broken || !reserve(out, out->len + PREFIX + answer->len)) {
        session->broken = session->broken || !answer || answer->len > 0;
        free(answer);
        return;
    }
    out->octets[out->len] = (uint8_t)(answer->len >> 8);
    out->octets[out->len + 1] = (uint8_t)answer->len;
    memcpy(out->octets + out->len + PREFIX, answer->message, answer->len);
    out->len += PREFIX + answer->len;
    free(answer);
    if (session->writer)
        return;
    session->writer = vr_spawn(run_writer, session);
    session->broken = !session->writer;
    vr_unref(session->writer);
}

/* --- Queries --- */

struct pending {
    struct session *session;
    struct query query;
};

static vr_result run_query(void *argument)
{
    struct pending *pending = argument;
    struct session *session = pending->session;

    respond(session, worker_answer(session->worker, &pending->query));
    session->in_flight--;
    notify(session);
    free(pending);
    return vr_ok(NULL);
}

/* Answers a message, now or when it is looked up. False when the connection is to be closed. */
static bool take_message(struct session *session, const uint8_t *message, size_t len)
{
    struct query query;

    /* What is no message breaks the connection's framing; an answer is just not for us. */
    if (!query_read(&query, message, len, TRANSPORT_TCP))
        return len >= VR_HEADER_SIZE;
    if (!worker_must_look_up(&query)) {
        respond(session, worker_answer(session->worker, &query));
        return true;
    }
    struct pending *pending = malloc(sizeof *pending);
    if (!pending)
        return false;
    pending->session = session;
    pending->query = query;
    vr_greenlet *greenlet = vr_spawn(run_query, pending);
    if (!greenlet) {
        free(pending);
        return false;
    }
    vr_set_name(greenlet, "query");
    vr_unref(greenlet);
    session->in_flight++;
    return true;
}

/* --- Reading --- */

/* Waits for a change. False when the wait was ended from outside. */
static bool wait_change(struct session *session, vr_time timeout)
{
    vr_waiter waiter = VR_WAITER;

    session->changed = &waiter;
    long error = vr_waiter_get(&waiter, timeout).error;
    session->changed = NULL;
    return !error;
}

/* Holds the reader while the client has as much under way as it may. False when the connection is to end. */
static bool wait_for_room(struct session *session)
{
    while (!session->broken && !session->stopping &&
           (session->in_flight >= IN_FLIGHT_MAX || session->out.len + session->sending.len > UNREAD_MAX ||
            !worker_has_room(session->worker)))
        /* What other connections take up changes without a word. */
        if (!wait_change(session, VR_MILLISECONDS(100)) && session->stopping)
            return false;
    return !session->broken && !session->stopping;
}

/* Takes all whole messages that are in the buffer. */
static bool take_messages(struct session *session)
{
    struct buffer *in = &session->in;

    while (in->len - session->in_at >= PREFIX) {
        const uint8_t *at = in->octets + session->in_at;
        size_t len = (size_t)at[0] << 8 | at[1];
        if (in->len - session->in_at - PREFIX < len)
            break;
        session->in_at += PREFIX + len;
        if (!take_message(session, at + PREFIX, len) || !wait_for_room(session))
            return false;
    }
    memmove(in->octets, in->octets + session->in_at, in->len - session->in_at);
    in->len -= session->in_at;
    session->in_at = 0;
    return true;
}

/* Room for the whole of the message that has begun to arrive. */
static bool reserve_message(struct buffer *in)
{
    size_t len = in->len >= PREFIX ? (size_t)in->octets[0] << 8 | in->octets[1] : 0;

    return reserve(in, PREFIX + len < READ_SIZE ? READ_SIZE : PREFIX + len);
}

/* Reads until the client has no more to say, or is to be heard no more. */
static void read_queries(struct session *session)
{
    struct buffer *in = &session->in;
    vr_time begun = 0; /* when the message that is there in part began to come; 0: none is */

    while (!session->stopping && reserve_message(in)) {
        vr_time now = vr_now(), patience = idle_timeout;
        if (in->len) {
            begun = begun ? begun : now;
            patience = begun + message_timeout - now;
        } else {
            begun = 0;
        }
        ssize_t n =
            patience > 0 ? vr_read(session->fd, in->octets + in->len, in->size - in->len, patience) : -ETIMEDOUT;
        /* Idle is a client that waits for nothing. */
        if (n == -ETIMEDOUT && !in->len && session->in_flight)
            continue;
        if (n <= 0)
            return;
        in->len += (size_t)n;
        size_t had = in->len;
        if (!take_messages(session))
            return;
        /* What is left is of another message; the time that it was not read in does not count. */
        if (in->len != had)
            begun = 0;
    }
}

/* --- The connection's life --- */

static vr_result run_session(void *argument)
{
    struct session *session = argument;
    struct worker *worker = session->worker;

    read_queries(session);
    /* A client that has said all (RFC 7766: half-close) still gets its answers. */
    while (session->in_flight || session->writer)
        wait_change(session, VR_FOREVER);
    *session->previous = session->next;
    if (session->next)
        session->next->previous = session->previous;
    vr_close(session->fd);
    free(session->in.octets);
    free(session->out.octets);
    free(session->sending.octets);
    free(session);
    worker->connections--;
    worker_leave(worker);
    return vr_ok(NULL);
}

static void start_session(struct worker *worker, int fd)
{
    struct session *session = calloc(1, sizeof *session);
    int on = 1;

    if (!session) {
        vr_close(fd);
        return;
    }
    *session = (struct session){.worker = worker, .fd = fd, .next = worker->sessions, .previous = &worker->sessions};
    session->reader = vr_spawn(run_session, session);
    if (!session->reader) {
        vr_close(fd);
        free(session);
        return;
    }
    vr_set_name(session->reader, "connection");
    vr_unref(session->reader);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (session->next)
        session->next->previous = &session->next;
    worker->sessions = session;
    worker->connections++;
    worker_enter(worker);
}

/* --- Accepting --- */

struct acceptor {
    struct worker *worker;
    int fd;
};

static vr_result run_acceptor(void *argument)
{
    struct acceptor acceptor = *(struct acceptor *)argument;
    int fd;

    free(argument);
    for (;;) {
        if (acceptor.worker->connections >= acceptor.worker->connections_max) {
            fd = vr_sleep(accept_pause);
        } else {
            fd = vr_accept(acceptor.fd, NULL, NULL, VR_FOREVER);
            if (fd >= 0)
                start_session(acceptor.worker, fd);
        }
        if (fd == -ECANCELED || fd == -EBADF)
            return vr_ok(NULL);
        /* Out of descriptors or memory: those who wait can be served when others have gone. */
        if (fd < 0 && fd != -ECONNABORTED && vr_sleep(accept_pause) < 0)
            return vr_ok(NULL);
    }
}

vr_greenlet *session_accept_start(struct worker *worker, int fd)
{
    struct acceptor *acceptor = malloc(sizeof *acceptor);

    if (!acceptor)
        return NULL;
    *acceptor = (struct acceptor){worker, fd};
    vr_greenlet *greenlet = vr_spawn(run_acceptor, acceptor);
    if (!greenlet)
        free(acceptor);
    else
        vr_set_name(greenlet, "acceptor");
    return greenlet;
}

/* --- The end --- */

void session_stop_all(struct worker *worker)
{
    for (struct session *session = worker->sessions; session; session = session->next) {
        session->stopping = true;
        /* One that has not begun sees by itself that it is to stop. */
        if (vr_running(session->reader))
            vr_kill(session->reader, -ECANCELED);
    }
}

void session_abort_all(struct worker *worker)
{
    for (struct session *session = worker->sessions; session; session = session->next) {
        session->broken = true;
        if (session->writer && vr_running(session->writer))
            vr_kill(session->writer, -ECANCELED);
    }
    worker_wait(worker, VR_FOREVER);
}
