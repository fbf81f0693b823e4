/*
 * A pool: many calls, of which so many run at once.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/pool.h>

enum { PLACES = 3, NUMBERS = 10 };

static int running, most;

static vr_result square(void *number)
{
    intptr_t n = (intptr_t)number;

    if (++running > most)
        most = running;
    vr_sleep(VR_MILLISECONDS(1)); /* stands for a lookup, a request ... */
    running--;
    return vr_ok((void *)(n * n));
}

static void print_square(void *number, vr_result result)
{
    printf("later: %d squared is %d\n", (int)(intptr_t)number, (int)(intptr_t)result.value);
}

int main(void)
{
    vr_pool pool = VR_POOL(PLACES);
    void *numbers[NUMBERS];
    vr_result squares[NUMBERS];

    /* One call, with its result. */
    vr_result result = vr_pool_apply(&pool, VR_FOREVER, square, (void *)7);
    printf("7 squared is %d\n", (int)(intptr_t)result.value);

    /* One call for each item, with the results in the items' order. */
    for (intptr_t i = 0; i < NUMBERS; i++)
        numbers[i] = (void *)i;
    vr_pool_map(&pool, square, numbers, NUMBERS, squares, 0);
    for (int i = 0; i < NUMBERS; i++)
        printf("%d%c", (int)(intptr_t)squares[i].value, i + 1 < NUMBERS ? ' ' : '\n');
    printf("at most %d at once\n", most);

    /* Spawned one by one: this waits whenever the pool is full. */
    for (intptr_t i = 0; i < NUMBERS; i++)
        vr_pool_spawn(&pool, VR_FOREVER, square, (void *)i, NULL);

    /* Never waits: the call's turn comes when a place is free, and its result goes to a callback. */
    vr_pool_apply_async(&pool, square, (void *)8, print_square, (void *)8);
    vr_pool_join(&pool, VR_FOREVER, 0);
    return vr_hub_free() ? 1 : 0;
}
