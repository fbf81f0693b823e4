#include <vireo/local.h>

#include "hub.h"

#include <errno.h>
#include <stdlib.h>

/* A greenlet has few: a list. */
struct vr_local_value {
    const vr_local *local;
    void *value;
    struct vr_local_value *next;
};

static struct vr_local_value *find(vr_greenlet *greenlet, const vr_local *local)
{
    struct vr_local_value *value = greenlet->locals;

    while (value && value->local != local)
        value = value->next;
    return value;
}

void *vr_local_get(const vr_local *local)
{
    vr_greenlet *self = vr_current();
    struct vr_local_value *value = self ? find(self, local) : NULL;

    return value ? value->value : NULL;
}

static int add(vr_greenlet *greenlet, const vr_local *local, void *value)
{
    struct vr_local_value *added = malloc(sizeof *added);
    struct vr_local_value **last = &greenlet->locals;

    if (!added)
        return -ENOMEM;
    *added = (struct vr_local_value){.local = local, .value = value};
    while (*last)
        last = &(*last)->next;
    *last = added;
    return 0;
}

static void end(const vr_local *local, void *value)
{
    if (value && local->end)
        local->end(value);
}

int vr_local_set(const vr_local *local, void *value)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    struct vr_local_value *found = find(hub->current, local);
    if (!found)
        return value ? add(hub->current, local, value) : 0;
    void *old = found->value;
    found->value = value;
    if (old != value)
        end(local, old);
    return 0;
}

/* Off the list before its end is called, which may look, and set: what it sets is ended in its turn. */
void vr_local_end(vr_greenlet *greenlet)
{
    struct vr_local_value *first;

    while ((first = greenlet->locals)) {
        greenlet->locals = first->next;
        end(first->local, first->value);
        free(first);
    }
}
