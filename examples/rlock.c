/*
 * A lock: two accounts that must add up to the same at any time, although a transfer blocks in the middle.
 *
 * Between two calls that block, a greenlet has everything for itself. A lock is for what goes on across such a call.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

static struct {
    vr_rlock lock;
    int checking, savings;
} bank = {.lock = VR_RLOCK_INIT, .checking = 100, .savings = 0};

static long total(int *sum)
{
    int error = vr_rlock_acquire(&bank.lock, VR_FOREVER);
    if (error)
        return error;
    *sum = bank.checking + bank.savings;
    vr_rlock_release(&bank.lock);
    return 0;
}

static vr_result transfer(void *argument)
{
    int amount = (int)(intptr_t)argument, sum;
    long error = vr_rlock_acquire(&bank.lock, VR_FOREVER);
    if (error)
        return vr_fail(error);

    bank.checking -= amount;
    error = vr_sleep(VR_MILLISECONDS(5)); /* asks the other bank; nobody sees the money that is missing */
    if (error)
        bank.checking += amount; /* killed: as if nothing had been */
    else
        bank.savings += amount;
    if (!error && !(error = total(&sum))) /* takes the lock once more: it has it already */
        printf("moved %d: %d + %d = %d\n", amount, bank.checking, bank.savings, sum);
    vr_rlock_release(&bank.lock);
    return vr_fail(error);
}

static vr_result audit(void *argument)
{
    int sum;
    long error = total(&sum);

    (void)argument;
    if (!error)
        printf("audit: %d\n", sum);
    return vr_fail(error);
}

int main(void)
{
    vr_greenlet *jobs[] = {
        vr_spawn(transfer, (void *)(intptr_t)30),
        vr_spawn(audit, NULL),
        vr_spawn(transfer, (void *)(intptr_t)20),
    };

    vr_joinall(jobs, 3, VR_FOREVER);
    for (int i = 0; i < 3; i++)
        vr_unref(jobs[i]);
    return vr_hub_free() ? 1 : 0;
}
