/*
 * Queues: items that wait for somebody to take them, and somebody who waits for items.
 *
 *     vr_queue queue = VR_QUEUE(10);                          // at most ten items
 *     int error = vr_queue_put(&queue, item, VR_FOREVER);     // waits for room
 *     vr_result result = vr_queue_get(&queue, VR_SECONDS(1)); // waits for an item: result.value
 *     vr_queue_done(&queue);
 *
 * An item is a pointer, NULL included, that the queue does not look at: it is the queue's from a put that returns 0,
 * and the caller's from a get that succeeds. A call that fails has changed nothing, whatever ended it: an item is never
 * lost, and never in two places.
 *
 * Those who wait for an item, and those who wait for room, are served in the order in which they came. Who is served
 * has its own from that moment, though it takes it only in its turn: nobody who comes later can take the item or the
 * room away, and when it is killed before its turn, what was its own goes to the next. Such items, and such room, are
 * not counted any more.
 *
 * All calls belong to the thread of those who wait. Waits fail with -ETIMEDOUT after `timeout`; -EPERM in a hub
 * callback; -ENOMEM where there is no memory for a timer; and with what is thrown into the caller. A `timeout` of 0
 * never switches, and may be used in hub callbacks: a queue that is full or empty then says -ETIMEDOUT, as one that has
 * stayed so for a longer timeout does, so that what vr_remaining returns can be passed on without a second case.
 */
#ifndef VIREO_QUEUE_H
#define VIREO_QUEUE_H

#include <vireo/greenlet.h>
#include <vireo/time.h>

/*
 * Which of two items comes out first: negative for `left`, positive for `right`, 0 for the one that was put first. It
 * must put all items in one order, and neither switch nor touch the queue.
 */
typedef int vr_queue_compare(const void *left, const void *right);

/* The fields are private. */
typedef struct vr_queue {
    size_t maxsize;            /* 0: none */
    vr_queue_compare *compare; /* of a priority queue; NULL: of another */
    bool lifo, shut;
    struct vr_queue_entry *entries; /* a ring; a heap for a priority queue */
    size_t size, first, count;      /* places; where the first item is; items */
    uint64_t sequence;              /* of the next item */
    uint64_t tickets;               /* given to getters */
    size_t promised;                /* items, to those who were served and have not had their turn */
    size_t reserved;                /* room, likewise */
    size_t unfinished;
    size_t inside; /* calls that wait */
    struct vr_place *getters, *putters, *joiners;
} vr_queue;

/*
 * A queue of at most `limit` items, 0: any number. First in, first out; last in, first out; or by priority. Memory
 * grows with the items, and stays until vr_queue_done. Static ones: `static vr_queue queue = VR_QUEUE_INIT(10);`
 */
#define VR_QUEUE(limit) ((vr_queue)VR_QUEUE_INIT(limit))
#define VR_LIFO_QUEUE(limit) ((vr_queue)VR_LIFO_QUEUE_INIT(limit))
#define VR_PRIORITY_QUEUE(limit, order) ((vr_queue)VR_PRIORITY_QUEUE_INIT(limit, order))
#define VR_QUEUE_INIT(limit) \
    {                        \
        .maxsize = (limit)   \
    }
#define VR_LIFO_QUEUE_INIT(limit)        \
    {                                    \
        .maxsize = (limit), .lifo = true \
    }
#define VR_PRIORITY_QUEUE_INIT(limit, order)   \
    {                                          \
        .maxsize = (limit), .compare = (order) \
    }

/*
 * Frees what it has, but not the items that are left in it, which the caller takes out before if they are to be freed.
 * It is then as it was at first. Aborts when a greenlet waits in it, also one that was served but has had no turn yet.
 * NULL is allowed.
 */
void vr_queue_done(vr_queue *queue);

/*
 * Puts an item; waits while the queue is full. Never switches when it is not. Returns 0; an error of the wait; -ENOMEM
 * where there is no memory for the item; -ESHUTDOWN after vr_queue_shutdown.
 */
int vr_queue_put(vr_queue *queue, void *item, vr_time timeout);

/*
 * Takes the next item; waits while there is none. Never switches when there is one. Who has waited takes the one that
 * is next when it has its turn. Fails as waits do, and with -ESHUTDOWN when there is none after vr_queue_shutdown.
 */
vr_result vr_queue_get(vr_queue *queue, vr_time timeout);

/*
 * The same, but leaves the item where it is: somebody else may take it as soon as the caller switches. Who waits to see
 * an item has its place among those who wait to take one, and sees it before those who came later take it.
 */
vr_result vr_queue_peek(vr_queue *queue, vr_time timeout);

/* Items that a get would take. After a kill there may be more than `maxsize`: those that come back are not refused. */
static inline size_t vr_queue_size(const vr_queue *queue)
{
    return queue->count - queue->promised;
}

static inline bool vr_queue_empty(const vr_queue *queue)
{
    return vr_queue_size(queue) == 0;
}

/* Would a put have to wait? */
static inline bool vr_queue_full(const vr_queue *queue)
{
    return queue->maxsize && vr_queue_size(queue) + queue->reserved >= queue->maxsize;
}

/* The limit, 0 for none. A higher one lets those put who wait for room; a lower one takes out no items. */
static inline size_t vr_queue_maxsize(const vr_queue *queue)
{
    return queue->maxsize;
}
void vr_queue_set_maxsize(vr_queue *queue, size_t maxsize);

/*
 * Ends the queue, for good: puts fail with -ESHUTDOWN from now on, also those that wait; gets take what is left, then
 * fail in the same way. To end it at once, take out what is left then and there: nobody comes in between.
 *
 *     vr_queue_shutdown(&queue);
 *     for (vr_result left; !(left = vr_queue_get(&queue, 0)).error; vr_queue_task_done(&queue))
 *         free(left.value);
 *
 * Never switches. A second time does nothing.
 */
void vr_queue_shutdown(vr_queue *queue);

static inline bool vr_queue_is_shut(const vr_queue *queue)
{
    return queue->shut;
}

/*
 * Tasks: each item that was put is unfinished until somebody, usually who took it, says that its task is done. Returns
 * 0, or -EINVAL when none is unfinished. Never switches.
 */
int vr_queue_task_done(vr_queue *queue);

/*
 * Waits until no task is unfinished, be it for a moment; does not switch when none is. A queue that is used without
 * vr_queue_task_done is not to be joined. Returns 0, or an error of the wait.
 */
int vr_queue_join(vr_queue *queue, vr_time timeout);

static inline size_t vr_queue_unfinished(const vr_queue *queue)
{
    return queue->unfinished;
}

#endif
