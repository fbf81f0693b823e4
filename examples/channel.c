/*
 * Channels: a pipeline of greenlets, each of which passes its numbers on to the next. A channel holds nothing: a number
 * is put only when the next one takes it, so that no stage runs ahead.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <vireo/channel.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

enum { NUMBERS = 3 };

static vr_channel numbers, squares; /* all zero is a channel */

static vr_result count(void *argument)
{
    int error = 0;

    (void)argument;
    for (intptr_t i = 1; i <= NUMBERS && !error; i++) {
        printf("counted %d\n", (int)i);
        error = vr_channel_put(&numbers, (void *)i, VR_FOREVER);
    }
    return vr_fail(error);
}

static vr_result square(void *argument)
{
    (void)argument;
    for (;;) {
        vr_result got = vr_channel_get(&numbers, VR_FOREVER);
        if (got.error)
            return got; /* told to end */
        intptr_t n = (intptr_t)got.value;
        int error = vr_channel_put(&squares, (void *)(n * n), VR_FOREVER);
        if (error)
            return vr_fail(error);
    }
}

int main(void)
{
    vr_greenlet *stages[] = {vr_spawn(count, NULL), vr_spawn(square, NULL)};

    for (int i = 0; i < NUMBERS; i++) {
        vr_result got = vr_channel_get(&squares, VR_SECONDS(5));
        if (got.error)
            break;
        printf("got %d\n", (int)(intptr_t)got.value);
    }

    vr_killall(stages, 2, -ECANCELED, VR_FOREVER); /* the second one waits for a number that will not come */
    for (int i = 0; i < 2; i++)
        vr_unref(stages[i]);
    return vr_hub_free() ? 1 : 0;
}
