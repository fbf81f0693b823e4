#include "session.h"

#include "outbox.h"

#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX = 2,                          /* octets of a message's length in front of it */
    IN_FLIGHT_MAX = 256,                 /* queries of one connection that are looked up at once ... */
    IN_FLIGHT_BUSY = 16,                 /* ... and when the worker is busy: each connection is to get some */
    UNREAD_MAX = 256 * 1024,             /* octets of answers that wait for the client */
    WORKER_UNREAD_MAX = 64 * 1024 * 1024 /* and for all clients of a worker */
};

/* RFC 7766 section 6.2.3 wants it in the order of seconds; a message that has begun has to end sooner. */
static const vr_time idle_timeout = VR_SECONDS(10);
static const vr_time message_timeout = VR_SECONDS(5);

struct session {
    struct worker *worker;
    struct session *next, **previous;
    int fd;
    vr_greenlet *reader; /* of the session itself */
    struct buffer in;
    size_t in_at; /* where the next message in `in` begins */
    struct outbox outbox;
    size_t in_flight;
    bool stopping;      /* no more is to be read */
    vr_waiter *changed; /* the reader waits for fewer in flight, or less unread */
};

static void notify(struct session *session)
{
    if (session->changed)
        vr_waiter_switch(session->changed, NULL);
}

/* Ends the reader's wait for the client. A reader that has not begun sees by itself that it is to stop. */
static void stop_reading(struct session *session)
{
    session->stopping = true;
    if (session->reader != vr_current() && vr_running(session->reader))
        vr_kill(session->reader, -ECANCELED);
}

static void outbox_changed(struct outbox *outbox)
{
    struct session *session = (void *)((char *)outbox - offsetof(struct session, outbox));

    notify(session);
    /* Who cannot be answered any more need not be heard. */
    if (outbox->broken)
        stop_reading(session);
}

/* --- Answering --- */

static struct outbox *fullest(struct worker *worker)
{
    struct outbox *found = &worker->sessions->outbox;

    for (struct session *session = worker->sessions; session; session = session->next)
        if (session->outbox.unsent > found->unsent)
            found = &session->outbox;
    return found;
}

/* Queues an answer, and takes it. */
static void respond(struct session *session, vr_answer *answer)
{
    outbox_put(&session->outbox, answer);
    /* Those who do not read must not use up the memory of those who do. */
    while (session->worker->unsent > WORKER_UNREAD_MAX)
        outbox_break(fullest(session->worker));
}

struct pending {
    struct session *session;
    struct query query;
};

static vr_result run_query(void *argument)
{
    struct pending *pending = argument;
    struct session *session = pending->session;
    struct worker *worker = session->worker;

    respond(session, worker_answer(worker, &pending->query));
    session->in_flight--;
    notify(session);
    free(pending);
    worker_leave_lookup(worker);
    return vr_ok(NULL);
}

/* Starts a lookup that there is room for. False when memory ran out. */
static bool look_up(struct session *session, const struct query *query)
{
    struct pending *pending = malloc(sizeof *pending);

    if (!pending)
        return false;
    *pending = (struct pending){session, *query};
    vr_greenlet *greenlet = vr_spawn(run_query, pending);
    if (!greenlet) {
        free(pending);
        return false;
    }
    vr_set_name(greenlet, "query");
    vr_unref(greenlet);
    session->in_flight++;
    worker_enter_lookup(session->worker);
    return true;
}

/* --- Holding the reader --- */

/* Waits for a change. False when the wait was ended from outside. */
static bool wait_change(struct session *session, vr_time timeout)
{
    vr_waiter waiter = VR_WAITER;

    session->changed = &waiter;
    long error = vr_waiter_get(&waiter, timeout).error;
    session->changed = NULL;
    return !error;
}

static bool may_answer(const struct session *session)
{
    return session->outbox.unsent <= UNREAD_MAX;
}

static bool may_look_up(const struct session *session)
{
    size_t most = worker_is_busy(session->worker) ? IN_FLIGHT_BUSY : IN_FLIGHT_MAX;

    return may_answer(session) && session->in_flight < most && worker_has_room(session->worker);
}

/* Waits while the client has as much under way as it may. False when it cannot be answered any more. */
static bool wait_until(struct session *session, bool (*may)(const struct session *session))
{
    while (!session->outbox.broken && !may(session))
        /* What other connections take up changes without a word. */
        wait_change(session, VR_MILLISECONDS(100));
    return !session->outbox.broken;
}

/* --- Reading --- */

/* Answers a message, now or when it is looked up. False when the connection is to end. */
static bool take_message(struct session *session, const uint8_t *message, size_t len)
{
    struct query query;

    /* What is no message breaks the connection's framing; and who sends answers is no client. */
    if (!query_read(&query, message, len, TRANSPORT_TCP))
        return false;
    if (worker_must_look_up(&query))
        return wait_until(session, may_look_up) && look_up(session, &query);
    if (!wait_until(session, may_answer))
        return false;
    respond(session, worker_answer(session->worker, &query));
    return true;
}

/* Takes all whole messages that are in the buffer, also while the worker is to end: they came before. */
static bool take_messages(struct session *session)
{
    struct buffer *in = &session->in;

    while (in->len - session->in_at >= PREFIX) {
        const uint8_t *at = in->octets + session->in_at;
        size_t len = (size_t)at[0] << 8 | at[1];
        if (in->len - session->in_at - PREFIX < len)
            break;
        session->in_at += PREFIX + len;
        if (!take_message(session, at + PREFIX, len))
            return false;
    }
    memmove(in->octets, in->octets + session->in_at, in->len - session->in_at);
    in->len -= session->in_at;
    session->in_at = 0;
    buffer_trim(in);
    return true;
}

/* Room for the whole of the message that has begun to arrive. */
static bool reserve_message(struct buffer *in)
{
    size_t len = in->len >= PREFIX ? (size_t)in->octets[0] << 8 | in->octets[1] : 0;

    return buffer_reserve(in, PREFIX + len < BUFFER_SIZE ? BUFFER_SIZE : PREFIX + len);
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
        /* Then it is other greenlets' turn: a client that sends without a pause leaves nothing to wait for. */
        if (!take_messages(session) || vr_sleep(0) < 0)
            return;
        /* What is left is of another message; the time that it was not read in does not count. */
        if (in->len != had)
            begun = 0;
    }
}

/* --- The connection's life --- */

/* Closes it so that the last answers arrive: octets left unread would have the system reset the connection. */
static void close_connection(struct session *session)
{
    enum { READS = 64 };
    uint8_t rest[BUFFER_SIZE];

    if (!session->outbox.broken && shutdown(session->fd, SHUT_WR) == 0)
        for (int i = 0; i < READS && recv(session->fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
            ;
    vr_close(session->fd);
}

static vr_result run_session(void *argument)
{
    struct session *session = argument;
    struct worker *worker = session->worker;

    read_queries(session);
    /* A client that has said all (RFC 7766: half-close) still gets its answers. */
    while (session->in_flight || outbox_busy(&session->outbox))
        wait_change(session, VR_FOREVER);
    close_connection(session);
    *session->previous = session->next;
    if (session->next)
        session->next->previous = session->previous;
    buffer_done(&session->in);
    outbox_done(&session->outbox);
    free(session);
    worker->connections--;
    worker_leave(worker);
    return vr_ok(NULL);
}

void session_start(struct worker *worker, int fd)
{
    struct session *session = malloc(sizeof *session);
    int on = 1;

    if (!session) {
        vr_close(fd);
        return;
    }
    *session = (struct session){
        .worker = worker,
        .fd = fd,
        .next = worker->sessions,
        .previous = &worker->sessions,
        .outbox = {.fd = fd, .total = &worker->unsent, .changed = outbox_changed},
    };
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

/* --- The end --- */

void session_stop_all(struct worker *worker)
{
    for (struct session *session = worker->sessions; session; session = session->next) {
        stop_reading(session);
        outbox_hurry(&session->outbox);
    }
}

void session_abort_all(struct worker *worker)
{
    for (struct session *session = worker->sessions; session; session = session->next)
        outbox_break(&session->outbox);
}
