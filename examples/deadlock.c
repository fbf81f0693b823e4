/*
 * Two transfers that take the locks of their accounts in different orders wait for each other for ever, while the rest
 * of the program goes on. The hub notices, and the handler does what databases do: it tells one of them to give up.
 */
#include <errno.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

typedef struct account {
    vr_rlock lock;
    int amount;
} account;

typedef struct transfer {
    account *from, *to;
    int amount;
} transfer;

static vr_greenlet *transfers[2];

static vr_result move(void *argument)
{
    const transfer *it = argument;
    long error = vr_rlock_acquire(&it->from->lock, VR_FOREVER);

    if (error)
        return vr_fail(error);
    vr_sleep(VR_MILLISECONDS(1)); /* as if the account had to be looked up */
    error = vr_rlock_acquire(&it->to->lock, VR_FOREVER);
    if (!error) {
        it->from->amount -= it->amount;
        it->to->amount += it->amount;
        vr_rlock_release(&it->to->lock);
    }
    vr_rlock_release(&it->from->lock);
    return vr_fail(error);
}

static vr_result counts(void *argument)
{
    for (int i = 1; i <= 3; i++) {
        vr_sleep(VR_SECONDS(1));
        printf("second %d\n", i);
    }
    return vr_ok(argument);
}

static void give_one_up(const char *report)
{
    fputs(report, stdout);
    vr_kill(transfers[1], -EDEADLK);
}

int main(void)
{
    account savings = {.lock = VR_RLOCK_INIT, .amount = 100}, current = {.lock = VR_RLOCK_INIT, .amount = 100};
    transfer there = {&savings, &current, 30}, back = {&current, &savings, 10};

    vr_hub_virtual_clock(0); /* for the same times in each run */
    vr_hub_handle_deadlock(give_one_up);
    transfers[0] = vr_spawn_with(&(vr_spawn_options){.name = "there"}, move, &there);
    transfers[1] = vr_spawn_with(&(vr_spawn_options){.name = "back"}, move, &back);
    vr_greenlet *clock = vr_spawn(counts, NULL);

    vr_joinall(transfers, 2, VR_FOREVER);
    printf("there: %s\nback: %s\n", vr_strerror(vr_error(transfers[0])), vr_strerror(vr_error(transfers[1])));
    printf("savings %d, current %d\n", savings.amount, current.amount);
    vr_join(clock, VR_FOREVER);

    vr_unref(transfers[0]);
    vr_unref(transfers[1]);
    vr_unref(clock);
    return vr_hub_free() ? 1 : 0;
}
