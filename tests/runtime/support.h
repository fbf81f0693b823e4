/*
 * What the runtime's tests share.
 *
 * Greenlets write down what they do with trace(), and the test, on the main greenlet, compares the whole with
 * assert_trace(): cmocka leaves a failed assertion by longjmp, which should not jump from one stack to another.
 */
#ifndef VIREO_TESTS_RUNTIME_SUPPORT_H
#define VIREO_TESTS_RUNTIME_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <vireo/hub.h>
#include <vireo/spawn.h>

#if __has_include(<valgrind/valgrind.h>)
#    include <valgrind/valgrind.h>
#else
#    define RUNNING_ON_VALGRIND 0
#endif

/* The signatures of tests and of greenlets' functions are given; few use all of their parameters. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* --- The trace: words, separated by single spaces --- */

static char trace_text[4096];
static size_t trace_len;

static inline void trace_clear(void)
{
    trace_text[0] = '\0';
    trace_len = 0;
}

__attribute__((format(printf, 1, 2))) static inline void trace(const char *format, ...)
{
    va_list arguments;

    if (trace_len && trace_len + 1 < sizeof trace_text)
        trace_text[trace_len++] = ' ';
    va_start(arguments, format);
    int len = vsnprintf(trace_text + trace_len, sizeof trace_text - trace_len, format, arguments);
    va_end(arguments);
    trace_len += (size_t)len;
    if (trace_len >= sizeof trace_text)
        trace_len = sizeof trace_text - 1;
}

/* Compares, and begins anew. */
#define assert_trace(expected)                     \
    do {                                           \
        assert_string_equal(trace_text, expected); \
        trace_clear();                             \
    } while (0)

/* --- Results --- */

static inline void *number(intptr_t n)
{
    return (void *)n;
}

static inline intptr_t number_of(const void *value)
{
    return (intptr_t)value;
}

#define assert_result_value(result, expected)      \
    do {                                           \
        vr_result result_ = (result);              \
        assert_int_equal(result_.error, 0);        \
        assert_ptr_equal(result_.value, expected); \
    } while (0)

#define assert_result_error(result, expected) assert_int_equal((result).error, expected)

/* --- Functions for greenlets --- */

static inline vr_result echoes(void *argument)
{
    return vr_ok(argument);
}

/* Ends with the error that its argument is the number of. */
static inline vr_result fails(void *error)
{
    return vr_fail(number_of(error));
}

/* Sleeps so many milliseconds, and returns the number. */
static inline vr_result sleeps_ms(void *ms)
{
    int error = vr_sleep(VR_MILLISECONDS(number_of(ms)));

    return error ? vr_fail(error) : vr_ok(ms);
}

static inline vr_result sleeps_forever(void *argument)
{
    return vr_fail(vr_sleep(VR_FOREVER));
}

/* Ends a greenlet by the exit, and gives the reference to it back. */
static inline void end_greenlet(vr_greenlet *greenlet)
{
    vr_kill(greenlet, -ECANCELED);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    vr_unref(greenlet);
}

/* --- Set-up --- */

static inline int use_virtual_clock(void **state)
{
    trace_clear();
    return vr_hub_virtual_clock(0);
}

static inline int use_real_clock(void **state)
{
    trace_clear();
    return 0;
}

/* Fails when a test has left a greenlet alive. */
static inline int free_hub(void **state)
{
    return vr_hub_free();
}

#define virtual_test(function) cmocka_unit_test_setup_teardown(function, use_virtual_clock, free_hub)
#define real_test(function) cmocka_unit_test_setup_teardown(function, use_real_clock, free_hub)

/* --- Where the tests run --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED 1
#    endif
#endif
#ifndef SANITIZED
#    define SANITIZED 0
#endif

/* `count` where nothing slows the program down, a hundredth of it under sanitizers and valgrind. */
static inline size_t scaled(size_t count)
{
    return SANITIZED || RUNNING_ON_VALGRIND ? count / 100 : count;
}

/* Runs `body` in a child process, quietly, and returns how that ended, as waitpid(2) tells it; 0 if body returns. */
static inline int status_of_child(void (*body)(void))
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka's handlers, and core files, are not for a death that is wanted. */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        body();
        _exit(0);
    }

    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

#endif
