#include "outbox.h"

#include <vireo/io.h>
#include <vireo/spawn.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX = 2 }; /* octets of a message's length in front of it */

/* How long a client may take nothing of what it is sent; and how long when the worker is to end. */
static const vr_time write_timeout = VR_SECONDS(10);
static const vr_time hurried_timeout = VR_SECONDS(2);

static void count(struct outbox *outbox, ptrdiff_t octets)
{
    outbox->unsent += (size_t)octets;
    *outbox->total += (size_t)octets;
}

/* Has the writer look at what has changed. One that has not begun will see it, and one that is not there is NULL. */
static void interrupt(struct outbox *outbox)
{
    if (outbox->writer && outbox->writer != vr_current() && vr_running(outbox->writer))
        vr_kill(outbox->writer, -ECANCELED);
}

void outbox_hurry(struct outbox *outbox)
{
    outbox->hurried = true;
    interrupt(outbox);
}

void outbox_break(struct outbox *outbox)
{
    outbox->broken = true;
    count(outbox, -(ptrdiff_t)outbox->unsent);
    buffer_done(&outbox->queued);
    interrupt(outbox);
    outbox->changed(outbox);
}

void outbox_done(struct outbox *outbox)
{
    buffer_done(&outbox->queued);
    buffer_done(&outbox->sending);
}

/* --- Writing --- */

/* Sends what the client takes of `len` octets. Not vr_send: the client's time begins anew with all that it takes. */
static ssize_t send_some(struct outbox *outbox, const uint8_t *data, size_t len)
{
    ssize_t n;

    while ((n = send(outbox->fd, data, len, MSG_NOSIGNAL)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = vr_wait_writable(outbox->fd, outbox->hurried ? hurried_timeout : write_timeout);
        if (outbox->broken)
            return -ECANCELED;
        /* Interrupted and not broken: it is to wait on, with less patience. */
        if (error && error != -ECANCELED)
            return error;
    }
    return n;
}

static void send_all(struct outbox *outbox)
{
    struct buffer *sending = &outbox->sending;

    for (size_t sent = 0; sent < sending->len;) {
        ssize_t n = send_some(outbox, sending->octets + sent, sending->len - sent);
        if (n < 0) {
            if (!outbox->broken)
                outbox_break(outbox);
            break;
        }
        sent += (size_t)n;
        count(outbox, -n);
        outbox->changed(outbox);
    }
    sending->len = 0;
}

static vr_result run_writer(void *argument)
{
    struct outbox *outbox = argument;

    while (outbox->queued.len && !outbox->broken) {
        struct buffer full = outbox->queued;
        outbox->queued = outbox->sending;
        outbox->sending = full;
        send_all(outbox);
    }
    buffer_trim(&outbox->queued);
    buffer_trim(&outbox->sending);
    outbox->writer = NULL;
    outbox->changed(outbox);
    return vr_ok(NULL);
}

/* --- Queueing --- */

static bool append(struct outbox *outbox, const vr_answer *answer)
{
    struct buffer *out = &outbox->queued;
    size_t len = PREFIX + answer->len;

    if (outbox->unsent + len > OUTBOX_MAX || !buffer_reserve(out, out->len + len))
        return false;
    out->octets[out->len] = (uint8_t)(answer->len >> 8);
    out->octets[out->len + 1] = (uint8_t)answer->len;
    memcpy(out->octets + out->len + PREFIX, answer->message, answer->len);
    out->len += len;
    count(outbox, (ptrdiff_t)len);
    return true;
}

static bool start_writer(struct outbox *outbox)
{
    if (outbox->writer)
        return true;
    outbox->writer = vr_spawn(run_writer, outbox);
    if (!outbox->writer)
        return false;
    vr_set_name(outbox->writer, "writer");
    vr_unref(outbox->writer);
    return true;
}

void outbox_put(struct outbox *outbox, vr_answer *answer)
{
    if (!outbox->broken && !(answer && append(outbox, answer) && start_writer(outbox)))
        outbox_break(outbox);
    free(answer);
}
