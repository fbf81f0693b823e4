/*
 * Spawned greenlets: vr_spawn only queues, and nothing runs before main waits for something.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

enum { JOBS = 3 };

static vr_result square(void *number)
{
    intptr_t n = (intptr_t)number;

    printf("squaring %d\n", (int)n);
    return vr_ok((void *)(n * n));
}

int main(void)
{
    vr_greenlet *jobs[JOBS];

    for (intptr_t i = 0; i < JOBS; i++)
        jobs[i] = vr_spawn(square, (void *)(i + 2));
    for (int i = 0; i < JOBS; i++)
        printf("job %d: ready %s\n", i, vr_ready(jobs[i]) ? "true" : "false");

    vr_joinall(jobs, JOBS, VR_FOREVER); /* here they run */

    for (int i = 0; i < JOBS; i++) {
        printf("job %d: ready %s, value %d\n", i, vr_ready(jobs[i]) ? "true" : "false",
               (int)(intptr_t)vr_value(jobs[i]));
        vr_unref(jobs[i]);
    }
    return vr_hub_free() ? 1 : 0;
}
