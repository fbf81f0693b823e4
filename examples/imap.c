/*
 * Imap: the results of many calls, one at a time, as soon as they are there. Items may come from anywhere, and no more
 * of them are taken than the reader keeps up with.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/pool.h>

/* Counts down. It might as well read lines from a connection: it may block. */
static int next_number(void *left, void **item)
{
    intptr_t *number = left;

    *item = (void *)*number;
    return (*number)-- > 0;
}

static vr_result sleep_for(void *number)
{
    vr_sleep(VR_MILLISECONDS(20 * (intptr_t)number));
    return vr_ok(number);
}

static void print_all(const char *title, unsigned flags)
{
    vr_pool pool = VR_POOL(5);
    intptr_t left = 4;
    vr_imap imap;
    vr_mapped mapped;

    printf("%s:", title);
    vr_imap_init(&imap, &pool, sleep_for, VR_ITEMS_FROM(next_number, &left),
                 &(vr_imap_options){.flags = flags, .ahead = 5});
    while (vr_imap_next(&imap, VR_FOREVER, &mapped) == 1)
        printf(" %zu=%d", mapped.index, (int)(intptr_t)mapped.result.value);
    printf("\n");
    vr_imap_done(&imap);
}

int main(void)
{
    print_all("in order", 0);
    print_all("as they come", VR_UNORDERED);
    return vr_hub_free() ? 1 : 0;
}
