/*
 * Fork: a greenlet that needs another process for its work, which uses greenlets itself. In the child only that
 * greenlet goes on; its end ends the child.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vireo/fork.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/spawn.h>

static vr_result half(void *number)
{
    vr_sleep(VR_MILLISECONDS(1));
    return vr_ok((void *)((intptr_t)number / 2));
}

/* In the child: asks two greenlets of its own, and writes what they say. */
static vr_result answer(int fd)
{
    char text[64];
    vr_greenlet *helpers[] = {vr_spawn(half, (void *)84), vr_spawn(half, (void *)14)};

    vr_joinall(helpers, 2, VR_FOREVER);
    int len = snprintf(text, sizeof text, "%d and %d", (int)(intptr_t)vr_value(helpers[0]),
                       (int)(intptr_t)vr_value(helpers[1]));
    ssize_t n = vr_send(fd, text, (size_t)len, VR_SECONDS(10));
    return n < 0 ? vr_fail(n) : vr_ok(NULL);
}

static vr_result ask_another_process(void *argument)
{
    int ends[2], error = vr_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    char text[64] = {0};

    (void)argument;
    if (error)
        return vr_fail(error);
    pid_t child = vr_fork();
    if (child == 0)
        return answer(ends[1]);
    vr_close(ends[1]);
    ssize_t n = child < 0 ? child : vr_read(ends[0], text, sizeof text - 1, VR_SECONDS(10));
    vr_close(ends[0]);
    printf("the child says: %s\n", n < 0 ? vr_strerror(n) : text);
    return n < 0 ? vr_fail(n) : vr_ok((void *)(intptr_t)child);
}

static vr_result tick(void *argument)
{
    int error;

    (void)argument;
    do
        error = vr_sleep(VR_SECONDS(1));
    while (!error);
    printf("the ticker ends, once\n");
    return vr_fail(error);
}

int main(void)
{
    vr_greenlet *ticker = vr_spawn(tick, NULL), *asker = vr_spawn(ask_another_process, NULL);
    int status = -1;

    vr_join(asker, VR_FOREVER); /* in the parent only */
    if (!vr_error(asker) && waitpid((pid_t)(intptr_t)vr_value(asker), &status, 0) > 0)
        printf("and ends with status %d\n", WEXITSTATUS(status));
    vr_killall(&ticker, 1, -ECANCELED, VR_FOREVER);
    vr_unref(ticker);
    vr_unref(asker);
    return status || vr_hub_free() ? 1 : 0;
}
