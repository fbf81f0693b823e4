/*
 * What the tests of threads share: jobs that run until the test lets them end, and calls that fail in whatever thread
 * they are made (faults.h is for one thread).
 */
#ifndef VIREO_TESTS_RUNTIME_THREAD_SUPPORT_H
#define VIREO_TESTS_RUNTIME_THREAD_SUPPORT_H

#include "support.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <vireo/threadpool.h>

/* ThreadSanitizer takes the greenlets of a forked child for threads that nothing synchronises. */
#if defined(__SANITIZE_THREAD__)
#    define THREAD_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define THREAD_SANITIZED 1
#    endif
#endif
#ifndef THREAD_SANITIZED
#    define THREAD_SANITIZED 0
#endif

/* A job tells that it has begun, and ends when the test opens the gate, once for each. */
static sem_t began, gate;

static inline int make_gates(void)
{
    return sem_init(&began, 0, 0) || sem_init(&gate, 0, 0);
}

static inline void pass(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0) {
    }
}

static inline void open_gate(int count)
{
    while (count--)
        sem_post(&gate);
}

/* Blocks the test's thread until so many jobs have begun. */
static inline void await_begun(int count)
{
    while (count--)
        pass(&began);
}

static inline vr_result waits_at_gate(void *argument)
{
    sem_post(&began);
    pass(&gate);
    return vr_ok(argument);
}

/* --- Faults --- */

/* What happens to a call: it fails once, or waits at the gate before it goes on. */
typedef struct thread_fault {
    atomic_int countdown; /* calls until it fails, once; 0 when it is not armed */
    int error;            /* the errno of that call */
    atomic_bool held;     /* the next call */
} thread_fault;

/* The `nth` call from now, 1 being the next, fails with `error`. */
static inline void fail_nth(thread_fault *fault, int nth, int error)
{
    fault->error = error;
    atomic_store(&fault->countdown, nth);
}

static inline void disarm(thread_fault *fault)
{
    atomic_store(&fault->countdown, 0);
    atomic_store(&fault->held, false);
}

/* In the wrapper: does this call fail? errno is set then. */
static inline bool strikes(thread_fault *fault)
{
    if (atomic_exchange(&fault->held, false)) {
        sem_post(&began);
        pass(&gate);
    }
    if (atomic_load(&fault->countdown) == 0 || atomic_fetch_sub(&fault->countdown, 1) != 1)
        return false;
    errno = fault->error;
    return true;
}

/* WRAP of faults.h, with fault_of_NAME. */
#define THREAD_WRAP(type, name, parameters, failure, arguments)                       \
    static thread_fault fault_of_##name;                                              \
    type __real_##name parameters;                                                    \
    type __wrap_##name parameters;                                                    \
    type __wrap_##name parameters                                                     \
    {                                                                                 \
        return strikes(&fault_of_##name) ? (type)(failure) : __real_##name arguments; \
    }

#endif
