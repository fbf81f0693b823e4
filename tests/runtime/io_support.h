/* What the tests of I/O share: a pair of connected sockets, and greenlets that wait on its first end. */
#ifndef VIREO_TESTS_RUNTIME_IO_SUPPORT_H
#define VIREO_TESTS_RUNTIME_IO_SUPPORT_H

#include "support.h"

#include <fcntl.h>
#include <vireo/io.h>

/* The two ends of the test's connection, closed when it is over. */
static int ends[2];

static inline int open_pair(int type)
{
    return socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

static inline int close_pair(void **state)
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            vr_close(ends[i]);
    return free_hub(state);
}

/* Reads once from ends[0], for as long as it takes; the value is the count. */
static inline vr_result reads(void *argument)
{
    char octets[16];
    ssize_t n = vr_read(ends[0], octets, sizeof octets, VR_FOREVER);

    return n < 0 ? vr_fail(n) : vr_ok(number(n));
}

/* A greenlet that waits in its I/O. */
static inline vr_greenlet *waiting(vr_function *function)
{
    vr_greenlet *greenlet = vr_spawn(function, NULL);

    assert_int_equal(vr_sleep(0), 0);
    assert_true(vr_running(greenlet));
    return greenlet;
}

static inline void assert_ends_with(vr_greenlet *greenlet, long error)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), error);
    vr_unref(greenlet);
}

static inline void assert_returns(vr_greenlet *greenlet, intptr_t n)
{
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), 0);
    assert_int_equal(number_of(vr_value(greenlet)), n);
    vr_unref(greenlet);
}

/* Fills what ends[0] has room for, so that the next write to it must wait. */
static inline size_t fill(void)
{
    char octets[4096] = {0};
    size_t all = 0;

    for (ssize_t n; (n = write(ends[0], octets, sizeof octets)) > 0;)
        all += (size_t)n;
    assert_int_equal(errno, EAGAIN);
    return all;
}

#endif
