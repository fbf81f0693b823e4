/*
 * Lines of greenlets that wait for one thing at a time, first come, first served. A line is a pointer to its first
 * place, or NULL: the places, on the stacks of those who wait, form a ring.
 */
#ifndef VIREO_RUNTIME_LINE_H
#define VIREO_RUNTIME_LINE_H

#include "hub.h"

typedef struct vr_place {
    struct vr_place *next, *previous; /* next is NULL while it is in no line */
    vr_greenlet *greenlet;
    uint64_t ticket; /* counts up in its line, where places are returned */
    void *item;      /* that it brings, or was handed */
    bool looks;      /* it only wants to see an item */
    bool granted;    /* it was served: what it waited for is its own, and its call does the rest when it has its turn */
    bool handed;     /* it was served with `item` itself */
} vr_place;

static inline void vr_line_append(vr_place **line, vr_place *place)
{
    vr_place *first = *line;

    if (!first) {
        *line = place->next = place->previous = place;
        return;
    }
    place->next = first;
    place->previous = first->previous;
    first->previous->next = place;
    first->previous = place;
}

/* Puts it back where it stood, by its ticket: for one whose turn was in vain. Nearly all in the line came later. */
static inline void vr_line_return(vr_place **line, vr_place *place)
{
    vr_place *next = *line;

    if (!next || place->ticket < next->ticket) {
        vr_line_append(line, place);
        *line = place;
        return;
    }
    do
        next = next->next;
    while (next != *line && next->ticket < place->ticket);
    vr_line_append(&next, place); /* at the end of the ring that begins there */
}

static inline void vr_line_remove(vr_place **line, vr_place *place)
{
    if (place->next == place) {
        *line = NULL;
    } else {
        place->next->previous = place->previous;
        place->previous->next = place->next;
        if (*line == place)
            *line = place->next;
    }
    place->next = place->previous = NULL;
}

/* Takes the first one off, and wakes it. */
static inline vr_place *vr_line_wake_first(vr_place **line)
{
    vr_place *first = *line;

    vr_line_remove(line, first);
    vr_hub_wake(first->greenlet);
    return first;
}

/* Parks in a line, at whatever place; it has left the line on return. The result is vr_hub_park's. */
static inline int vr_line_park(vr_hub *hub, vr_place **line, vr_place *place, vr_time timeout, vr_wait_kind kind,
                               const void *on)
{
    int error = vr_hub_park(hub, timeout, kind, on);

    if (place->next)
        vr_line_remove(line, place);
    return error;
}

#endif
