/*
 * A semaphore: five downloads, of which at most two run at once.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

enum { DOWNLOADS = 5, AT_ONCE = 2 };

static vr_semaphore slots = VR_BOUNDED_SEMAPHORE_INIT(AT_ONCE);
static int running, most;

static vr_result download(void *number)
{
    int n = (int)(intptr_t)number;
    int error = vr_semaphore_acquire(&slots, VR_FOREVER);
    if (error)
        return vr_fail(error); /* killed while it waited: it has no slot to give back */

    printf("download %d starts\n", n);
    if (++running > most)
        most = running;
    error = vr_sleep(VR_MILLISECONDS(5));
    running--;
    vr_semaphore_release(&slots); /* goes to who has waited longest */
    return vr_fail(error);
}

int main(void)
{
    vr_greenlet *jobs[DOWNLOADS];

    for (intptr_t i = 0; i < DOWNLOADS; i++)
        jobs[i] = vr_spawn(download, (void *)(i + 1));
    vr_joinall(jobs, DOWNLOADS, VR_FOREVER);
    printf("at most %d ran at once; %u slots are free\n", most, vr_semaphore_value(&slots));

    for (int i = 0; i < DOWNLOADS; i++)
        vr_unref(jobs[i]);
    return vr_hub_free() ? 1 : 0;
}
