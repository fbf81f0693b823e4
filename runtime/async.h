/* The hub's side of <vireo/async.h>: where other threads and signal handlers leave what they send. */
#ifndef VIREO_RUNTIME_ASYNC_H
#define VIREO_RUNTIME_ASYNC_H

#include "poller.h"

#include <stdatomic.h>

struct vr_async;
struct vr_hub;

typedef struct vr_inbox {
    struct vr_hub *hub;
    _Atomic(struct vr_async *) sent; /* a stack, the last sent first; one exchange takes it all */
    atomic_uint senders;             /* threads that may still write to `fd` */
    int fd;                          /* an eventfd: readable when something was sent */
    vr_poll_wait wait;               /* for `fd`; always registered */
    struct vr_async *asyncs;         /* all that are tied */
    size_t refs;                     /* of all asyncs */
} vr_inbox;

/* Ends the program where an async is tied to another thread's hub. */
void vr_async_check_thread(const struct vr_async *async);

/* Has anything been sent that is not queued yet? NULL, a hub without asyncs, has nothing. */
static inline bool vr_inbox_filled(const vr_inbox *inbox)
{
    return inbox && atomic_load_explicit(&inbox->sent, memory_order_relaxed);
}

/* Queues the callbacks of all that was sent, in the order in which it was. */
void vr_inbox_collect(vr_inbox *inbox);

/* An eventfd, that `inbox` waits for, with this poller; or an error. */
int vr_inbox_open(vr_inbox *inbox, vr_poller *poller);

/* In a child process: goes on with an eventfd of its own, as the parent reads the other. NULL is allowed. */
void vr_inbox_renew(vr_inbox *inbox);

/* In a child of vr_fork: goes on with `fd`, of vr_inbox_open, and forgets what was sent. The asyncs stay tied. */
void vr_inbox_begin_anew(vr_inbox *inbox, int fd);

/* Frees it, once no thread uses it any more. NULL is allowed. */
void vr_inbox_free(vr_inbox *inbox);

#endif
