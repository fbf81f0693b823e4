/*
 * A greenlet that computes without giving way keeps all others from running. The monitor, a thread of its own, tells
 * who that is, and where it is at that moment: here it computes on until it has been told.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/monitor.h>
#include <vireo/spawn.h>

static atomic_bool told;

static vr_result computes(void *argument)
{
    unsigned long sum = 0;

    while (!atomic_load(&told))
        sum = sum * 31 + 7;
    return vr_ok(sum ? argument : NULL);
}

/* In the monitor's thread. */
static void tell(const vr_stall *stall)
{
    printf("greenlet %s, made at %s, blocks its hub\n", stall->greenlet, stall->site ? stall->site : "?");
    printf("for %s than 100 ms; ", stall->duration < VR_MILLISECONDS(100) ? "less" : "more");
    /* stall->frame_texts says which functions they are in. */
    printf("its backtrace has %s frames\n", stall->frame_count > 1 ? "several" : "no");
    atomic_store(&told, true);
}

int main(void)
{
    vr_greenlet *busy = vr_spawn_with(&(vr_spawn_options){.name = "busy"}, computes, NULL);

    vr_monitor_start(VR_MILLISECONDS(100), tell);
    vr_join(busy, VR_FOREVER);
    vr_monitor_stop();

    vr_unref(busy);
    return vr_hub_free() ? 1 : 0;
}
