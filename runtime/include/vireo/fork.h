/*
 * fork(2) for programs with greenlets.
 *
 * In the child of vr_fork only the calling greenlet goes on. All others of its thread, main among them, stay for ever
 * where they were, and read as ended by the exit; none of their code runs, not even cleanup. What would have run in the
 * hub is dropped: timers, callbacks, links, waits for I/O; watchers of signals are unbound, so that signals do what
 * they did before. The hub itself works, with an event loop of its own: the child may spawn, wait and read as it likes.
 * Hubs of other threads are gone with their threads.
 *
 * What greenlets shared stays as it was: a lock that another one held is held for ever, who is in line stays there. The
 * child does well to use what it makes itself. A vr_async stays tied, and a count that it holds (vr_async_ref) too,
 * until its owner gives it back: a thread that was to send it is not there. A thread pool ends its jobs by itself.
 *
 * fork(2) itself is harmless when the child soon calls exec or _exit. If it goes on instead, so do all greenlets of the
 * thread, in both processes; then, too, the child's hub has an event loop of its own.
 */
#ifndef VIREO_FORK_H
#define VIREO_FORK_H

#include <sys/types.h>

/*
 * Returns the child's number in the parent, and 0 in the child. When the caller was not the thread's main greenlet, its
 * end ends the child, by _exit: with status 0 after a value or the exit, 1 after an error; what stdio holds is not
 * written. The deadlock that main would be told of (-EDEADLK) is told to the caller there. Never switches.
 *
 * Errors, in the parent, with no child: -EPERM in the hub, -EAGAIN, -ENOMEM, -EMFILE, -ENFILE.
 */
pid_t vr_fork(void);

#endif
