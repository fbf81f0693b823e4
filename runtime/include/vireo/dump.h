/*
 * Who is there, and what each greenlet waits for.
 *
 * For people there is vr_dump: one line for each greenlet of a thread's hub, in the order in which they were made,
 *
 *     vireo: 4 greenlets in thread 4711 (server)
 *       main    waiting  reader to end                            for 8.1 s   -            (main)
 *       hub     ready                                                         5 of 59 KiB  (hub)
 *       reader  waiting  fd 7 to be readable, at most 1.9 s more  for 8.1 s   3 of 59 KiB  server/session.c:110
 *       writer  waiting  lock of reader                           for 250 ms  2 of 59 KiB  server/session.c:131
 *
 * with its name, its state, what it waits for and for how long, how deep its stack went and how deep it may go, and the
 * place that made it. Programs get the same from vr_greenlet_each.
 *
 * How long it waits is known to one turn of the loop, as the clock is read once in each. The depth of a stack is that
 * of its memory: whoever had it before counts, too, though not for more than 16 KiB; where AddressSanitizer or valgrind
 * watches, it is known to a page; and what the system has swapped out does not count.
 *
 * Everything here is for the calling thread's hub, and may be called anywhere in that thread: in greenlets and in hub
 * callbacks, but not in signal handlers, for which there is vr_dump_on_signal. Nothing here switches.
 */
#ifndef VIREO_DUMP_H
#define VIREO_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <vireo/greenlet.h>
#include <vireo/time.h>

typedef enum vr_greenlet_state {
    VR_GREENLET_RUNNING,     /* the caller */
    VR_GREENLET_READY,       /* its turn will come; of the hub: it goes on when no other does */
    VR_GREENLET_WAITING,     /* for what `wait` says */
    VR_GREENLET_NOT_STARTED, /* its function has not been entered */
    VR_GREENLET_DEAD,        /* and still referenced */
} vr_greenlet_state;

/*
 * One greenlet. Strings and pointers are for the time of the call that hands it over; numbers, names and texts are
 * unset (0, NULL) where there is nothing to say.
 *
 * `wait` is one of these words:
 *
 *     switch              somebody's vr_switch
 *     start               its first turn
 *     timer               the end of its vr_sleep
 *     waiter              vr_waiter_switch (object: the vr_waiter)
 *     readable, writable  a descriptor (number)
 *     greenlet            the end of another (other)
 *     greenlets           the first of several to be ready
 *     generator           what a generator yields (other: the greenlet that runs it)
 *     event, result       a vr_event, a vr_async_result (object)
 *     semaphore, lock     a vr_semaphore; a vr_rlock (object), and its owner (other)
 *     queue-get, queue-put, queue-join, channel-get, channel-put    (object)
 *     pool, group, scope  room in a pool; the end of all in a group or scope (object)
 *     thread              a job of a thread pool
 *     process             the end of a process (number)
 *     signal              a signal (number; 0: any of several)
 *     idle                vr_hub_join: nothing to be left to wait for
 */
typedef struct vr_greenlet_info {
    const vr_greenlet *greenlet;
    uint64_t serial;  /* counts up in its thread, main is 0 */
    const char *name; /* as of vr_name_of */
    const char *site; /* "FILE:LINE" that made it; NULL: the runtime did */
    bool is_main, is_hub;
    vr_greenlet_state state;
    const char *state_text; /* "waiting" */

    const char *wait;      /* a word, see above; NULL unless it waits, or has not started but will */
    const char *wait_text; /* the same for people: "fd 7 to be readable"; never NULL, but may be empty */
    long number;
    const void *object;
    const vr_greenlet *other;
    const char *other_name;
    vr_time waited;  /* for so long; -1 where that is not known (in a switch, ready, running, dead) */
    vr_time at_most; /* so much longer, then its time is over or its sleep ends; VR_FOREVER: no limit */

    size_t stack_used; /* octets; of a main greenlet not known: 0, as is all below */
    size_t stack_size;
} vr_greenlet_info;

/* Sees one greenlet. It must not switch, nor make, end, ref or unref greenlets. Returns false to see no more. */
typedef bool vr_greenlet_visitor(const vr_greenlet_info *info, void *context);

/*
 * Calls `visit` for each greenlet of this thread's hub, main and hub included, by serial. Returns how many it was
 * called for, or -ENOMEM.
 */
int vr_greenlet_each(vr_greenlet_visitor *visit, void *context);

/* Writes a title and a line for each greenlet. Returns 0; -ENOMEM, or the errno of a write that failed. */
int vr_dump(FILE *out);

/*
 * The same as a string, for free(3), with at most `greenlets_max` lines for greenlets, those that were made first, and
 * one line that counts the others: "... and 17 more". NULL when memory ran out.
 */
char *vr_dump_text(size_t greenlets_max);

/*
 * What vr_dump_text said (of up to 64 greenlets) when main was last told that its operation would block forever
 * (-EDEADLK): who waits for what. Valid until the next one, or vr_hub_free. NULL when that has not happened, or memory
 * ran out.
 */
const char *vr_hub_deadlock(void);

/*
 * Has this thread's greenlets written to stderr, as vr_dump does, whenever the process gets a signal: SIGUSR1, say. In
 * a program with several hubs each thread calls this for its own, with the same number.
 *
 * The signal's handler writes no list: the hub does, in its next turn, so that the list is never of something half
 * done. While a greenlet or a callback blocks the hub there is no next turn. Therefore a hub that is busy when the
 * signal comes says so at once, and who it is that runs:
 *
 *     vireo: thread 4711 runs greenlet reader (server/session.c:110), and lists its greenlets after that
 *
 * What the thread is in the middle of may be interrupted by the signal: calls that the system restarts are, poll(2) and
 * sleep(3) are not. A thread that blocks the signal is not listed.
 *
 * The binding keeps the hub from nothing: it hides no deadlock. It lasts, in child processes as well, until
 * vr_dump_off_signal or vr_hub_free; with the last thread's, the signal does again what it did before. Returns 0;
 * -EALREADY for a thread that has bound one; -EBUSY where the process has bound another number, or where there is a
 * handler for this one already (<vireo/signal.h>); -EINVAL for no signal, or one that a handler may not take or return
 * from; -ENOMEM, -EMFILE, -ENFILE.
 */
int vr_dump_on_signal(int number);

/* Ends that for this thread; without it nothing happens. */
void vr_dump_off_signal(void);

#endif
