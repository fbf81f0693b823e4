/*
 * The answers of one TCP connection that its client has not taken yet. A greenlet writes while there are any; those of
 * one turn leave in one write.
 */
#ifndef VIREOD_OUTBOX_H
#define VIREOD_OUTBOX_H

#include "buffer.h"

#include <vireo/resolve.h>

struct outbox {
    int fd;
    size_t *total; /* the octets that are unsent in all outboxes of a worker */
    size_t unsent; /* and in this one */
    bool broken;   /* nothing more can be written, and what was unsent is lost */

    /* There is less unsent, or it broke, or its writer has ended. Must not switch. */
    void (*changed)(struct outbox *outbox);

    /* Private. */
    struct buffer queued, sending;
    vr_greenlet *writer; /* while there is something to write */
    bool hurried;
};

/* The most that an outbox holds: an answer beyond that breaks it. */
enum { OUTBOX_MAX = 8 * 1024 * 1024 };

/* Queues an answer, and takes it. NULL, an answer that there was no memory for, breaks the outbox. Never switches. */
void outbox_put(struct outbox *outbox, vr_answer *answer);

/* Has less patience from now on with a client that takes nothing. */
void outbox_hurry(struct outbox *outbox);

/* Writes no more. `changed` is called; the writer, if there is one, ends soon. */
void outbox_break(struct outbox *outbox);

/* Does a greenlet still use it? */
static inline bool outbox_busy(const struct outbox *outbox)
{
    return outbox->writer != NULL;
}

/* Frees what it holds; it must not be busy. */
void outbox_done(struct outbox *outbox);

#endif
