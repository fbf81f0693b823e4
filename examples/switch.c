/*
 * Two greenlets that switch to each other. Control passes only where they say so: no hub, no scheduler.
 *
 * Prints 12, 56 and 34, but never 78: nobody switches to the second greenlet again.
 */
#include <stdio.h>
#include <vireo/greenlet.h>
#include <vireo/hub.h>

static vr_greenlet *first, *second;

static vr_result run_first(void *argument)
{
    (void)argument;
    puts("12");
    vr_switch(second, NULL);
    puts("34");
    return vr_ok(NULL); /* the end: its parent goes on, which is main */
}

static vr_result run_second(void *argument)
{
    (void)argument;
    puts("56");
    vr_result back = vr_switch(first, NULL);
    if (back.error)
        return back; /* told to end, instead of switched to */
    puts("78");
    return vr_ok(NULL);
}

int main(void)
{
    first = vr_greenlet_new(run_first);
    second = vr_greenlet_new(run_second);
    if (!first || !second) {
        perror("vr_greenlet_new");
        return 1;
    }
    vr_switch(first, NULL); /* returns when the first one has ended */

    /* The second one still waits in its vr_switch. With the last reference to it gone, that returns an error. */
    vr_unref(second);
    vr_unref(first);
    return vr_hub_free() ? 1 : 0;
}
