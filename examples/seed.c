/*
 * A seed: the hub draws whose turn it is, the same way each time for the same seed. Programs that rely on an order they
 * were never promised are found out, and what a seed has found can be looked at again.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

static int balance;

/* Takes its turn in between, and so loses what the other has paid in meanwhile. */
static vr_result pay_in(void *amount)
{
    int before = balance;

    vr_sleep(0); /* stands for a call that blocks */
    balance = before + *(int *)amount;
    return vr_ok(NULL);
}

static int balance_with(uint64_t seed)
{
    int amounts[] = {1, 10, 100};
    vr_greenlet *payments[3];

    balance = 0;
    vr_hub_seed(seed);
    for (int i = 0; i < 3; i++)
        payments[i] = vr_spawn(pay_in, &amounts[i]);
    vr_joinall(payments, 3, VR_FOREVER);
    for (int i = 0; i < 3; i++)
        vr_unref(payments[i]);
    return balance;
}

int main(void)
{
    int lost = 0, different = 0;

    vr_hub_virtual_clock(0); /* so that timers, if there are any, do not depend on the machine either */
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        int first = balance_with(seed);
        lost += first != 111;
        different += balance_with(seed) != first;
    }
    printf("money was lost: %s\n", lost ? "yes" : "no");
    printf("seeds that gave another result the second time: %d\n", different);
    return vr_hub_free() ? 1 : 0;
}
