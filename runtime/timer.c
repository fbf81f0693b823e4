#include "timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vr_timer_list {
    vr_time duration;
    vr_timer *first, *last;
    size_t position;            /* in the heap */
    struct vr_timer_list *next; /* in its bucket, or among the spare */
};

enum { FIRST_SIZE = 16 };

/* --- The heap of lists --- */

static bool before(const struct vr_timer_list *a, const struct vr_timer_list *b)
{
    if (a->first->deadline != b->first->deadline)
        return a->first->deadline < b->first->deadline;
    return a->first->sequence < b->first->sequence;
}

static void place(vr_timers *timers, struct vr_timer_list *list, size_t position)
{
    timers->heap[position] = list;
    list->position = position;
}

static void sift_up(vr_timers *timers, struct vr_timer_list *list)
{
    size_t at = list->position;

    while (at > 0 && before(list, timers->heap[(at - 1) / 2])) {
        place(timers, timers->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place(timers, list, at);
}

static void sift_down(vr_timers *timers, struct vr_timer_list *list)
{
    size_t at = list->position;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers->heap_len)
            break;
        if (child + 1 < timers->heap_len && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], list))
            break;
        place(timers, timers->heap[child], at);
        at = child;
    }
    place(timers, list, at);
}

static void heap_remove(vr_timers *timers, struct vr_timer_list *list)
{
    struct vr_timer_list *moved = timers->heap[--timers->heap_len];

    if (moved == list)
        return;
    place(timers, moved, list->position);
    sift_up(timers, moved);
    sift_down(timers, moved);
}

/* --- The lists by duration --- */

static size_t bucket_of(vr_time duration, size_t bucket_count)
{
    /* Fibonacci hashing: durations are round numbers, whose low bits say little. */
    return (size_t)((uint64_t)duration * 0x9e3779b97f4a7c15u >> 32) & (bucket_count - 1);
}

/* Room for one list more, in heap and buckets: as many buckets as the heap has places. */
static int reserve(vr_timers *timers)
{
    if (timers->heap_len < timers->heap_size)
        return 0;

    size_t size = timers->heap_size ? timers->heap_size * 2 : FIRST_SIZE;
    struct vr_timer_list **heap = realloc(timers->heap, size * sizeof(struct vr_timer_list *));
    if (!heap)
        return -ENOMEM;
    timers->heap = heap;
    struct vr_timer_list **buckets = calloc(size, sizeof(struct vr_timer_list *));
    if (!buckets)
        return -ENOMEM;

    for (size_t i = 0; i < timers->heap_len; i++) {
        struct vr_timer_list **bucket = &buckets[bucket_of(heap[i]->duration, size)];
        heap[i]->next = *bucket;
        *bucket = heap[i];
    }
    free(timers->buckets);
    timers->buckets = buckets;
    timers->bucket_count = timers->heap_size = size;
    return 0;
}

static struct vr_timer_list *find_list(const vr_timers *timers, vr_time duration)
{
    if (!timers->bucket_count)
        return NULL;
    struct vr_timer_list *list = timers->buckets[bucket_of(duration, timers->bucket_count)];
    while (list && list->duration != duration)
        list = list->next;
    return list;
}

/* A list for a duration that has none, with its first timer; in bucket and heap. */
static int add_list(vr_timers *timers, vr_time duration, vr_timer *timer)
{
    int error = reserve(timers);
    if (error)
        return error;

    struct vr_timer_list *list = timers->spare;
    if (list)
        timers->spare = list->next;
    else if (!(list = malloc(sizeof *list)))
        return -ENOMEM;

    struct vr_timer_list **bucket = &timers->buckets[bucket_of(duration, timers->bucket_count)];
    *list = (struct vr_timer_list){.duration = duration, .first = timer, .last = timer, .next = *bucket};
    *bucket = list;
    timer->list = list;
    list->position = timers->heap_len++;
    sift_up(timers, list);
    return 0;
}

static void drop_list(vr_timers *timers, struct vr_timer_list *list)
{
    struct vr_timer_list **link = &timers->buckets[bucket_of(list->duration, timers->bucket_count)];

    while (*link != list)
        link = &(*link)->next;
    *link = list->next;
    heap_remove(timers, list);
    list->next = timers->spare;
    timers->spare = list;
}

/* --- Timers --- */

int vr_timers_start(vr_timers *timers, vr_timer *timer, vr_time now, vr_time after)
{
    if (timer->list || vr_callback_queued(&timer->callback))
        return -EALREADY;
    if (after < 0)
        after = 0;
    if (after > INT64_MAX - 1 - now)
        return 0;

    timer->deadline = now + after;
    timer->sequence = timers->sequence++;
    timer->next = timer->before = NULL;
    struct vr_timer_list *list = find_list(timers, after);
    if (!list) {
        int error = add_list(timers, after, timer);
        if (error)
            return error;
    } else {
        timer->list = list;
        timer->before = list->last;
        list->last->next = timer;
        list->last = timer;
    }
    timers->count++;
    return 0;
}

void vr_timers_remove(vr_timers *timers, vr_timer *timer)
{
    struct vr_timer_list *list = timer->list;

    timer->list = NULL;
    timers->count--;
    if (timer->next)
        timer->next->before = timer->before;
    else
        list->last = timer->before;
    if (timer->before) {
        timer->before->next = timer->next;
        return;
    }
    /* The first: the list's deadline changes, and only to a later one. */
    if (timer->next) {
        list->first = timer->next;
        sift_down(timers, list);
    } else {
        drop_list(timers, list);
    }
}

vr_time vr_timers_next(const vr_timers *timers)
{
    return timers->heap_len ? timers->heap[0]->first->deadline : VR_FOREVER;
}

vr_timer *vr_timers_pop(vr_timers *timers, vr_time now)
{
    if (vr_timers_next(timers) > now || !timers->heap_len)
        return NULL;
    vr_timer *timer = timers->heap[0]->first;
    vr_timers_remove(timers, timer);
    return timer;
}

void vr_timers_each(const vr_timers *timers, void (*visit)(const vr_timer *timer, void *context), void *context)
{
    for (size_t i = 0; i < timers->heap_len; i++)
        for (const vr_timer *timer = timers->heap[i]->first; timer; timer = timer->next)
            visit(timer, context);
}

void vr_timers_done(vr_timers *timers)
{
    for (size_t i = 0; i < timers->heap_len; i++)
        free(timers->heap[i]);
    while (timers->spare) {
        struct vr_timer_list *list = timers->spare;
        timers->spare = list->next;
        free(list);
    }
    free(timers->heap);
    free(timers->buckets);
    *timers = (vr_timers){0};
}
