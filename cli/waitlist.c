#include "waitlist.h"

#include <stdbool.h>
#include <vireo/waiter.h>

/* One place in the list, on the stack of the greenlet that waits. */
struct waiting {
    vr_waiter waiter;
    struct waiting *next, *previous;
    bool listed;
};

static void unlist(struct waitlist *list, struct waiting *place)
{
    *(place->previous ? &place->previous->next : &list->first) = place->next;
    *(place->next ? &place->next->previous : &list->last) = place->previous;
    place->listed = false;
}

int waitlist_wait(struct waitlist *list)
{
    struct waiting place = {.waiter = VR_WAITER, .previous = list->last, .listed = true};
    *(list->last ? &list->last->next : &list->first) = &place;
    list->last = &place;

    vr_result woken = vr_waiter_get(&place.waiter, VR_FOREVER);
    if (place.listed)
        unlist(list, &place);
    else if (woken.error < 0)
        waitlist_wake_one(list); /* woken, and killed before it could run: the next one shall not miss it */
    return (int)woken.error;
}

void waitlist_wake_one(struct waitlist *list)
{
    struct waiting *place = list->first;
    if (!place)
        return;
    unlist(list, place);
    vr_waiter_switch(&place->waiter, NULL);
}

void waitlist_wake_all(struct waitlist *list)
{
    while (list->first)
        waitlist_wake_one(list);
}
