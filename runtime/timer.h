/*
 * Timers: a FIFO list per duration, and a heap of the lists by the deadline of their first.
 *
 * All timers of one duration end in the order in which they were started, so that a list needs no search: starting and
 * stopping are O(1), but for the first of a list, which moves the list in the heap: O(log of the number of durations in
 * use). Programs start timers with a handful of durations; a program that uses a different one each time has an
 * ordinary heap.
 */
#ifndef VIREO_RUNTIME_TIMER_H
#define VIREO_RUNTIME_TIMER_H

#include <vireo/hub.h>

typedef struct vr_timers {
    struct vr_timer_list **heap; /* those that are not empty, by deadline and sequence of their first timer */
    size_t heap_len, heap_size;
    struct vr_timer_list **buckets; /* all lists in use, by duration */
    size_t bucket_count;            /* a power of two, or 0 */
    struct vr_timer_list *spare;    /* emptied lists, for reuse */
    size_t count;                   /* running timers */
    uint64_t sequence;
} vr_timers;

/* vr_timer_start, with the clock read by the caller. 0, -EALREADY or -ENOMEM. */
int vr_timers_start(vr_timers *timers, vr_timer *timer, vr_time now, vr_time after);

/* The first deadline; VR_FOREVER without timers. */
vr_time vr_timers_next(const vr_timers *timers);

/* Takes the first timer that is due at `now` off, and returns it; NULL when none is. */
vr_timer *vr_timers_pop(vr_timers *timers, vr_time now);

/* Takes a running timer off. */
void vr_timers_remove(vr_timers *timers, vr_timer *timer);

/* Calls `visit` for each running timer, in no order; it must start and stop none. */
void vr_timers_each(const vr_timers *timers, void (*visit)(const vr_timer *timer, void *context), void *context);

void vr_timers_done(vr_timers *timers);

#endif
