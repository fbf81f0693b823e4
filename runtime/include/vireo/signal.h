/*
 * Signals: taken by a handler that only takes note, and told in the hub, where everything is allowed that a callback
 * may do.
 *
 * A watcher is bound to signals from vr_signal_start to vr_signal_stop. So long they do nothing else: what they did
 * before (the program's end, mostly) comes back with the stop of their last watcher. Any number of watchers in any
 * number of threads may be bound to the same signal; each is told of it. Which thread takes the signal is of no
 * importance, but one must: a signal that all threads block is told nobody. Signals of the same number that come before
 * the hub has told of the first are told once, as the system itself does it.
 *
 *     vr_signal stop = VR_SIGNAL;
 *     vr_signal_start(&stop, (int[]){SIGTERM, SIGINT}, 2);
 *     ... spawn the servers ...
 *     int number = vr_signal_wait(&stop, VR_FOREVER);
 */
#ifndef VIREO_SIGNAL_H
#define VIREO_SIGNAL_H

#include <vireo/async.h>

/*
 * Owned by the caller, and at one place from start to stop. `run`, if there is one, is called in the hub for each
 * signal that came, the lowest number first: a callback (<vireo/hub.h>), that must not block, and may stop or free
 * `signal`.
 */
typedef struct vr_signal {
    void (*run)(struct vr_signal *signal, int number);
    vr_async async; /* private, as is all below */
    uint64_t numbers;
    _Atomic(uint64_t) pending;
    struct vr_signal_waiter *waiter;
    _Atomic(struct vr_signal *) next;
} vr_signal;

/* A watcher that is not bound, without or with a function to run. */
#define VR_SIGNAL ((vr_signal){0})
#define VR_SIGNAL_RUN(function) ((vr_signal){.run = (function)})

/*
 * Binds a watcher to `count` signals. It keeps the hub from nothing: a program that only its watchers could wake is in
 * a deadlock like any other, unless a greenlet waits in vr_signal_wait. Returns 0, -EALREADY for one that is bound,
 * -EINVAL for what is no signal's number, or one that no handler may take (SIGKILL, SIGSTOP) or must return from
 * (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS); -ENOMEM, -EMFILE, -ENFILE. After an error nothing is
 * bound.
 */
int vr_signal_start(vr_signal *signal, const int numbers[], size_t count);

/*
 * Unbinds it, in the thread that has bound it; before vr_hub_free. Whatever came is forgotten, and a greenlet that
 * waits gets -ECANCELED. One that is not bound is left alone; NULL is allowed.
 */
void vr_signal_stop(vr_signal *signal);

/*
 * Waits for a signal to come to a watcher without `run`; one that came since the start, or since the last call, counts.
 * Returns its number, the lowest if there are several, of which the others are left for the next call. -ETIMEDOUT,
 * -EINVAL when it is not bound, or by another thread, or has a `run`; -EBUSY while another greenlet waits with it;
 * -EPERM in the hub, -ENOMEM, or what was thrown into the caller. A signal that came together with such an error is
 * left for the next call.
 */
int vr_signal_wait(vr_signal *signal, vr_time timeout);

#endif
