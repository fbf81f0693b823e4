/*
 * Items stay in the queue until whoever takes them has its turn: a getter that is served is promised one, so that
 * nothing has to be put back when it is killed instead. Room is given in the same way.
 *
 * Whenever something has changed, settle serves those who wait. So, between calls, no getter waits while there is an
 * item that is not promised, and no putter while there is room.
 */
#include <vireo/queue.h>

#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vr_queue_entry {
    void *item;
    uint64_t sequence; /* counts up in its queue: equals come out as they went in */
};

enum { FIRST_SIZE = 16 };

/* --- Places for items --- */

static size_t place_of(const vr_queue *queue, size_t position)
{
    size_t place = queue->first + position;

    return place < queue->size ? place : place - queue->size;
}

/* Room for one more. 0 or -ENOMEM. */
static int reserve(vr_queue *queue)
{
    if (queue->count < queue->size)
        return 0;

    size_t size = queue->size ? queue->size * 2 : FIRST_SIZE;
    /* What is promised takes no room, so that there may be more items than maxsize. */
    if (queue->size < queue->maxsize && queue->maxsize < size)
        size = queue->maxsize;
    struct vr_queue_entry *entries = reallocarray(queue->entries, size, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    /* The ring is full: what stands before its seam goes to the new end. */
    size_t before_seam = queue->size - queue->first, first = queue->first ? size - before_seam : 0;
    if (first)
        memmove(&entries[first], &entries[queue->first], before_seam * sizeof *entries);
    queue->entries = entries;
    queue->first = first;
    queue->size = size;
    return 0;
}

/* --- The heap of a priority queue; `first` is 0 there --- */

static bool goes_first(const vr_queue *queue, struct vr_queue_entry left, struct vr_queue_entry right)
{
    int order = queue->compare(left.item, right.item);

    return order ? order < 0 : left.sequence < right.sequence;
}

static void sift_up(const vr_queue *queue, struct vr_queue_entry entry)
{
    struct vr_queue_entry *heap = queue->entries;
    size_t at = queue->count - 1;

    for (; at > 0 && goes_first(queue, entry, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = entry;
}

static void sift_down(const vr_queue *queue, struct vr_queue_entry entry)
{
    struct vr_queue_entry *heap = queue->entries;
    size_t at = 0, child;

    while ((child = 2 * at + 1) < queue->count) {
        if (child + 1 < queue->count && goes_first(queue, heap[child + 1], heap[child]))
            child++;
        if (!goes_first(queue, heap[child], entry))
            break;
        heap[at] = heap[child];
        at = child;
    }
    if (queue->count)
        heap[at] = entry;
}

/* --- Items --- */

/* The place of the one that comes out next. */
static size_t next_place(const vr_queue *queue)
{
    return queue->lifo ? place_of(queue, queue->count - 1) : queue->first;
}

static void *front(const vr_queue *queue)
{
    return queue->entries[next_place(queue)].item;
}

static void insert(vr_queue *queue, void *item)
{
    struct vr_queue_entry entry = {.item = item, .sequence = queue->sequence++};

    queue->count++;
    if (queue->compare)
        sift_up(queue, entry);
    else
        queue->entries[place_of(queue, queue->count - 1)] = entry;
}

static void *extract(vr_queue *queue)
{
    void *item = front(queue);

    queue->count--;
    if (queue->compare)
        sift_down(queue, queue->entries[queue->count]);
    else if (!queue->lifo)
        queue->first = place_of(queue, 1);
    return item;
}

/* --- Serving --- */

static void settle(vr_queue *queue)
{
    while (queue->getters && !vr_queue_empty(queue)) {
        vr_place *getter = vr_line_wake_first(&queue->getters);
        getter->granted = true;
        if (!getter->looks)
            queue->promised++;
    }
    while (queue->putters && !vr_queue_full(queue)) {
        vr_line_wake_first(&queue->putters)->granted = true;
        queue->reserved++;
    }
}

static int store(vr_queue *queue, void *item)
{
    int error = reserve(queue);

    if (!error) {
        insert(queue, item);
        queue->unfinished++;
    }
    settle(queue);
    return error;
}

static void *take(vr_queue *queue)
{
    void *item = extract(queue);

    settle(queue);
    return item;
}

static int park(vr_hub *hub, vr_queue *queue, vr_place **line, vr_place *place, vr_time timeout, vr_wait_kind kind)
{
    queue->inside++;
    int error = vr_line_park(hub, line, place, timeout, kind, queue);
    queue->inside--;
    return error;
}

/* The hub, where the call may wait for what is not there now; otherwise NULL, with the reason. */
static vr_hub *hub_to_wait(vr_time timeout, int *error)
{
    *error = -ETIMEDOUT;
    return timeout > 0 ? vr_hub_to_block(error) : NULL;
}

/* --- Put, get, peek --- */

int vr_queue_put(vr_queue *queue, void *item, vr_time timeout)
{
    int error;

    if (queue->shut)
        return -ESHUTDOWN;
    if (!vr_queue_full(queue))
        return store(queue, item);
    vr_hub *hub = hub_to_wait(timeout, &error);
    if (!hub)
        return error;

    vr_place self = {.greenlet = hub->current};
    vr_line_append(&queue->putters, &self);
    error = park(hub, queue, &queue->putters, &self, timeout, VR_WAIT_QUEUE_PUT);
    queue->reserved -= self.granted;
    if (!error && queue->shut)
        error = -ESHUTDOWN;
    if (!error)
        return store(queue, item);
    settle(queue);
    return error;
}

vr_result vr_queue_get(vr_queue *queue, vr_time timeout)
{
    int error;

    if (!vr_queue_empty(queue))
        return vr_ok(take(queue));
    if (queue->shut)
        return vr_fail(-ESHUTDOWN);
    vr_hub *hub = hub_to_wait(timeout, &error);
    if (!hub)
        return vr_fail(error);

    vr_place self = {.greenlet = hub->current, .ticket = queue->tickets++};
    vr_line_append(&queue->getters, &self);
    error = park(hub, queue, &queue->getters, &self, timeout, VR_WAIT_QUEUE_GET);
    queue->promised -= self.granted;
    if (!error && self.granted)
        return vr_ok(take(queue));
    settle(queue);
    return vr_fail(error ? error : -ESHUTDOWN);
}

vr_result vr_queue_peek(vr_queue *queue, vr_time timeout)
{
    int error;

    if (!vr_queue_empty(queue))
        return vr_ok(front(queue));
    if (queue->shut)
        return vr_fail(-ESHUTDOWN);
    vr_hub *hub = hub_to_wait(timeout, &error);
    if (!hub)
        return vr_fail(error);

    vr_place self = {.greenlet = hub->current, .ticket = queue->tickets++, .looks = true};
    vr_time deadline = vr_deadline(timeout);
    vr_line_append(&queue->getters, &self);
    for (;; timeout = vr_remaining(deadline)) {
        error = park(hub, queue, &queue->getters, &self, timeout, VR_WAIT_QUEUE_GET);
        if (error)
            return vr_fail(error);
        if (queue->count)
            return vr_ok(front(queue));
        if (queue->shut)
            return vr_fail(-ESHUTDOWN);
        /* Somebody took the item before it had its turn: it waits on, where it stood. */
        vr_line_return(&queue->getters, &self);
    }
}

/* --- The rest --- */

void vr_queue_set_maxsize(vr_queue *queue, size_t maxsize)
{
    queue->maxsize = maxsize;
    settle(queue);
}

void vr_queue_shutdown(vr_queue *queue)
{
    queue->shut = true;
    while (queue->getters)
        vr_line_wake_first(&queue->getters);
    while (queue->putters)
        vr_line_wake_first(&queue->putters);
}

int vr_queue_task_done(vr_queue *queue)
{
    if (!queue->unfinished)
        return -EINVAL;
    queue->unfinished--;
    if (!queue->unfinished)
        while (queue->joiners)
            vr_line_wake_first(&queue->joiners);
    return 0;
}

int vr_queue_join(vr_queue *queue, vr_time timeout)
{
    int error;

    if (!queue->unfinished)
        return 0;
    vr_hub *hub = hub_to_wait(timeout, &error);
    if (!hub)
        return error;
    vr_place self = {.greenlet = hub->current};
    vr_line_append(&queue->joiners, &self);
    return park(hub, queue, &queue->joiners, &self, timeout, VR_WAIT_QUEUE_JOIN);
}

void vr_queue_done(vr_queue *queue)
{
    if (!queue)
        return;
    if (queue->inside)
        vr_misuse("a queue ends while greenlets wait in it", vr_current());
    free(queue->entries);
    *queue = (vr_queue){.maxsize = queue->maxsize, .compare = queue->compare, .lifo = queue->lifo};
}
