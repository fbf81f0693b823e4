/*
 * The monitor: tells of greenlets that block their hub.
 *
 * All greenlets of a thread share its hub. One that computes for long, or makes a call that blocks the thread, keeps
 * all others from running, and nothing shows who it is. The monitor is one thread for the whole program, that looks at
 * the hubs that asked for it a few times within each one's limit. When a hub has gone on for so long without a switch,
 * a turn of its loop or a wait for I/O, it reports once who is running, and where.
 *
 * A hub that has nothing to do is never reported. Time counts by the system's clock, also where the hub's is virtual.
 * What counts is time, not work: a program that is stopped, or gets no processor, seems to block its hub, too.
 */
#ifndef VIREO_MONITOR_H
#define VIREO_MONITOR_H

#include <stddef.h>
#include <vireo/time.h>

/* A report: valid for the handler's call. */
typedef struct vr_stall {
    const char *greenlet; /* its name; "hub" for a callback, "main" for the thread's own function */
    const char *site;     /* FILE:LINE that made it; NULL: the runtime did */
    vr_time duration;     /* so far, at least */
    long thread;          /* as of gettid(2) */
    void *const *frames;  /* what it is in the middle of: addresses of code, the innermost first */
    size_t frame_count;   /* 0: the thread blocks the monitor's signal, or does not get to run it */
    char **frame_texts;   /* the same as of backtrace_symbols(3); NULL without frames or memory */
} vr_stall;

/*
 * Takes a report, in the monitor's thread, while the greenlet goes on. It may block and write, but belongs to no hub:
 * no call of this library but vr_now and vr_async_send is for it.
 */
typedef void vr_stall_handler(const vr_stall *stall);

/*
 * Has this thread's hub watched. `limit` is how long anything may run without giving way; a report comes within a
 * quarter of it after that. `handler` may be NULL: the report is then written to stderr. Child processes are not
 * watched.
 *
 * To learn where the thread is, the monitor sends it SIGURG, which the system itself ignores unless a program asks for
 * it, and whose handler only takes note. It is sent for a report only. What it interrupts is restarted by the system,
 * but for calls such as poll(2) and sleep(3), that return early. A handler for SIGURG that the program has set before
 * is called for all that do not come from the monitor.
 *
 * Returns 0; -EALREADY for a thread that is watched; -EINVAL for a limit that is not positive; -ENOMEM, or -EAGAIN
 * where the system has no thread to give.
 */
int vr_monitor_start(vr_time limit, vr_stall_handler *handler);

/*
 * Ends that for this thread; a handler's call that is under way is waited for, none comes after that. Without it
 * nothing happens. vr_hub_free does it, too. The monitor's thread ends with the last hub.
 */
void vr_monitor_stop(void);

#endif
