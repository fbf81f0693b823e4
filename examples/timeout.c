/*
 * Timeouts: a limit in time around any number of calls, which know nothing of it. They nest: each knows its own error.
 */
#include <stdio.h>
#include <vireo/timeout.h>

/* Three steps, each of which may block; any error ends it. */
static long greet(vr_time pause)
{
    for (int step = 1; step <= 3; step++) {
        int error = vr_sleep(pause);
        if (error)
            return error;
        printf("  step %d\n", step);
    }
    return 0;
}

static long greet_within(vr_time limit, vr_time pause)
{
    vr_timeout timeout = VR_TIMEOUT;

    vr_timeout_start(&timeout, limit);
    long error = greet(pause);
    return vr_timeout_end(&timeout, error); /* -ETIMEDOUT for its own error, any other as it is */
}

static vr_result greet_slowly(void *unused)
{
    (void)unused;
    return (vr_result){.error = greet_within(VR_SECONDS(60), VR_FOREVER)};
}

int main(void)
{
    printf("in time: %s\n", vr_strerror(greet_within(VR_SECONDS(60), VR_MILLISECONDS(1))));
    printf("too slow: %s\n", vr_strerror(greet_within(VR_MILLISECONDS(1), VR_FOREVER)));
    /* Here the limit around the function is up, long before the one inside of it. */
    printf("nested: %s\n", vr_strerror(vr_with_timeout(VR_MILLISECONDS(1), greet_slowly, NULL).error));
    return vr_hub_free() ? 1 : 0;
}
