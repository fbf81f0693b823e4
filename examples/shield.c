/*
 * A shield: cleanup that may block, and that a kill does not cut short. It has a time of its own, so that it cannot
 * hang for ever either.
 */
#include <stdio.h>
#include <vireo/scope.h>

/* Says goodbye to a peer, in so many steps. */
static long say_goodbye(vr_time pause)
{
    for (int step = 1; step <= 3; step++) {
        int error = vr_sleep(pause);
        if (error)
            return error;
        printf("goodbye, step %d\n", step);
    }
    return 0;
}

static vr_result session(void *pause)
{
    vr_shield shield;
    int error = vr_sleep(VR_FOREVER); /* the session itself */

    printf("session: %s\n", vr_strerror(error));
    vr_shield_begin(&shield, VR_MILLISECONDS(500));
    long goodbye = vr_shield_end(&shield, say_goodbye(*(vr_time *)pause));
    printf("goodbye: %s\n", vr_strerror(goodbye));
    return vr_fail(error);
}

static void kill_twice(vr_time pause)
{
    vr_greenlet *greenlet = vr_spawn(session, &pause);

    for (int i = 0; i < 2; i++) {
        vr_sleep(VR_MILLISECONDS(1));
        vr_kill(greenlet, -ECANCELED); /* the second one comes while it says goodbye */
    }
    vr_join(greenlet, VR_FOREVER);
    vr_unref(greenlet);
}

int main(void)
{
    kill_twice(VR_MILLISECONDS(10));
    kill_twice(VR_FOREVER); /* a peer that does not answer */
    return vr_hub_free() ? 1 : 0;
}
