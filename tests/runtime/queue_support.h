/* What the tests of queues share: one queue, and greenlets that use it. */
#ifndef VIREO_TESTS_RUNTIME_QUEUE_SUPPORT_H
#define VIREO_TESTS_RUNTIME_QUEUE_SUPPORT_H

#include "sync_support.h"

#include <vireo/queue.h>

static vr_queue queue;

static inline int new_queue(void **state)
{
    queue = VR_QUEUE(0);
    return use_virtual_clock(state);
}

/* Nothing is left behind: no promise, no room, no call, no memory. */
static inline int end_queue(void **state)
{
    if (queue.promised || queue.reserved || queue.inside || queue.getters || queue.putters || queue.joiners)
        return -1;
    vr_queue_done(&queue);
    return free_hub(state);
}

static inline vr_result gets(void *name)
{
    vr_result result = vr_queue_get(&queue, VR_FOREVER);

    trace("%s", (const char *)name);
    return result;
}

static inline vr_result gets_within_10_ms(void *argument)
{
    return vr_queue_get(&queue, VR_MILLISECONDS(10));
}

static inline vr_result peeks(void *name)
{
    vr_result result = vr_queue_peek(&queue, VR_FOREVER);

    trace("%s", (const char *)name);
    return result;
}

static inline vr_result puts_item(void *item)
{
    int error = vr_queue_put(&queue, item, VR_FOREVER);

    trace("%d", (int)number_of(item));
    return vr_fail(error);
}

static inline vr_result puts_within_10_ms(void *item)
{
    return vr_fail(vr_queue_put(&queue, item, VR_MILLISECONDS(10)));
}

static inline vr_result joins(void *name)
{
    int error = vr_queue_join(&queue, VR_FOREVER);

    trace("%s", (const char *)name);
    return vr_fail(error);
}

static inline void put(intptr_t item)
{
    assert_int_equal(vr_queue_put(&queue, number(item), VR_FOREVER), 0);
}

static inline void assert_get(intptr_t item)
{
    assert_result_value(vr_queue_get(&queue, 0), number(item));
}

static inline void put_in_hub(void *item)
{
    assert_int_equal(vr_queue_put(&queue, item, 0), 0);
}

static inline void get_in_hub(void *item)
{
    assert_result_value(vr_queue_get(&queue, 0), item);
}

/* By tens. */
static inline int by_priority(const void *left, const void *right)
{
    return (int)(number_of(left) / 10 - number_of(right) / 10);
}

#define queue_test(function) cmocka_unit_test_setup_teardown(function, new_queue, end_queue)

#endif
