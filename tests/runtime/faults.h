/*
 * Failures on demand, of system calls and allocations that the library makes.
 *
 * The library has no hooks for this: a test program is linked with --wrap=NAME for each call that it may want to fail
 * (CMakeLists.txt), and defines the wrapper by WRAP. What the C library and libev call inside is not touched.
 */
#ifndef VIREO_TESTS_RUNTIME_FAULTS_H
#define VIREO_TESTS_RUNTIME_FAULTS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* What happens to a call: `skip` of them pass, then `times` fail with `error`, then they pass again. */
typedef struct fault {
    int skip, times, error;
    int calls;    /* counts them all */
    size_t limit; /* not 0: those that pass move no more octets than that */
} fault;

/* Is this call to fail? errno is set then. */
static inline bool fault_strikes(fault *it)
{
    it->calls++;
    if (it->skip > 0) {
        it->skip--;
        return false;
    }
    if (it->times <= 0)
        return false;
    it->times--;
    errno = it->error;
    return true;
}

static inline size_t fault_limited(const fault *it, size_t len)
{
    return it->limit && it->limit < len ? it->limit : len;
}

/*
 * WRAP(type, name, (parameters), failure, (arguments)): the wrapper of a call, which returns `failure` when fault_NAME
 * strikes.
 */
#define WRAP(type, name, parameters, failure, arguments) \
    static fault fault_##name;                           \
    type __real_##name parameters;                       \
    type __wrap_##name parameters;                       \
    type __wrap_##name parameters                        \
    {                                                    \
        if (fault_strikes(&fault_##name))                \
            return failure;                              \
        return __real_##name arguments;                  \
    }

/* The next call fails, or the next `n` do. */
#define FAIL(name, errno_) (fault_##name = (fault){.times = 1, .error = (errno_)})
#define FAIL_TIMES(name, n, errno_) (fault_##name = (fault){.times = (n), .error = (errno_)})
#define PASS(name) (fault_##name = (fault){0})

#endif
