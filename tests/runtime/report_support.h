/* What the tests of reports share: looking for lines in a text. */
#ifndef VIREO_TESTS_RUNTIME_REPORT_SUPPORT_H
#define VIREO_TESTS_RUNTIME_REPORT_SUPPORT_H

#include "support.h"

#include <poll.h>
#include <regex.h>

/* --- Texts --- */

static inline bool matches(const char *text, const char *pattern)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE), 0);
    int status = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return status == 0;
}

#define assert_matches(text, pattern)                                                  \
    do {                                                                               \
        if (!matches(text, pattern))                                                   \
            fail_msg("no line matches \"%s\" in:\n%s", pattern, (const char *)(text)); \
    } while (0)

static inline size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* --- Greenlets --- */

/* Lets `function` run until it waits. */
static inline vr_greenlet *start(vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn(function, argument);

    vr_sleep(0);
    return greenlet;
}

#endif
