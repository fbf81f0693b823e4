/* What handlers of signals share: they may call next to nothing of the C library. */
#ifndef VIREO_RUNTIME_HANDLER_H
#define VIREO_RUNTIME_HANDLER_H

#include "greenlet.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- A line of text; what does not fit is left out --- */

typedef struct vr_line {
    char text[256];
    size_t len;
} vr_line;

static inline void vr_line_add(vr_line *line, const char *text)
{
    while (*text && line->len < sizeof line->text - 1)
        line->text[line->len++] = *text++;
    line->text[line->len] = '\0';
}

static inline void vr_line_add_number(vr_line *line, uint64_t number)
{
    char digits[24] = "";
    size_t at = sizeof digits - 1;

    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    vr_line_add(line, digits + at);
}

/* As vr_name_of has it. */
static inline void vr_line_add_name(vr_line *line, const vr_greenlet *greenlet)
{
    if (greenlet->name) {
        vr_line_add(line, greenlet->name);
    } else {
        vr_line_add(line, "greenlet-");
        vr_line_add_number(line, greenlet->serial);
    }
}

/* To stderr, with its end. */
static inline void vr_line_write(vr_line *line)
{
    line->text[line->len < sizeof line->text - 1 ? line->len++ : line->len - 1] = '\n';
    for (size_t done = 0; done < line->len;) {
        ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

/* --- Signals to a thread of this process, which are told by a mark from those that come from elsewhere --- */

/* False where there is no such thread any more. */
static inline bool vr_signal_thread(pid_t thread, int number, void *mark)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = number;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = mark;
    return syscall(SYS_rt_tgsigqueueinfo, info.si_pid, thread, number, &info) == 0;
}

static inline bool vr_signal_is_marked(const siginfo_t *info, const void *mark)
{
    return info->si_code == SI_QUEUE && info->si_value.sival_ptr == mark;
}

/* Calls what handled a signal before; SIG_DFL and SIG_IGN are for the caller. */
static inline void vr_signal_pass_on(const struct sigaction *before, int number, siginfo_t *info, void *context)
{
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, info, context);
    else
        before->sa_handler(number);
}

/* Is there a handler, or one of the two that are none? */
static inline bool vr_signal_is_handled(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

#endif
