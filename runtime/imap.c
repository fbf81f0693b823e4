/* Imap: a greenlet, the feeder, takes items and begins them; whoever calls vr_imap_next takes what has come of them. */
#include "hub.h"
#include "task.h"

#include <vireo/scope.h>

#include <errno.h>
#include <stdlib.h>

/* --- Results --- */

static bool in_order(const vr_imap *imap)
{
    return !(imap->options.flags & VR_UNORDERED);
}

/* The one whose turn it is to be given; NULL while it has not ended. */
static vr_task *next_ended(const vr_imap *imap)
{
    if (!in_order(imap))
        return imap->ended.first;
    return imap->running.first && imap->running.first->over ? imap->running.first : NULL;
}

static void wake_getter(vr_imap *imap)
{
    if (imap->getter)
        vr_hub_wake(imap->getter);
}

static void item_done(vr_task *task)
{
    vr_imap *imap = task->owner;

    if (!in_order(imap)) {
        vr_tasks_remove(&imap->running, task);
        vr_tasks_append(&imap->ended, task);
    }
    if (next_ended(imap))
        wake_getter(imap);
}

/* --- The feeder --- */

static bool killed(const vr_imap *imap)
{
    return imap->pool->kills != imap->kills;
}

/* Waits until one more may be begun. */
static int wait_for_demand(vr_imap *imap)
{
    int error = 0;

    while (!error && imap->options.ahead && imap->begun - imap->taken >= imap->options.ahead) {
        imap->feeder_waits = true;
        error = vr_hub_park(vr_hub_peek(), VR_FOREVER, VR_WAIT_POOL, imap->pool);
        imap->feeder_waits = false;
    }
    return error;
}

static int next_item(vr_imap *imap, void **item)
{
    const vr_items *items = &imap->items;

    if (items->next)
        return items->next(items->context, item);
    if (imap->begun == items->count)
        return 0;
    *item = items->array[imap->begun];
    return 1;
}

/* Has an item run as soon as there is a place. What keeps it from that is its result, too: no item is lost. */
static int begin(vr_imap *imap, vr_task *task)
{
    int error = killed(imap) ? -ECANCELED : vr_pool_take(imap->pool, VR_FOREVER);

    if (!error && killed(imap)) {
        vr_pool_give(imap->pool);
        error = -ECANCELED;
    }
    if (error)
        vr_task_fail(task, error);
    else
        vr_task_begin(task, imap->pool, imap->site, imap->function);
    return error;
}

/* 1 when an item was begun, 0 when there is none, or why no more are to be. */
static int feed_one(vr_imap *imap)
{
    void *item;
    int error = wait_for_demand(imap);

    if (!error && killed(imap))
        error = -ECANCELED;
    if (error)
        return error;
    /* Room for what becomes of the item, before it is taken. */
    vr_task *task = malloc(sizeof *task);
    int got = task ? next_item(imap, &item) : -ENOMEM;
    if (got <= 0) {
        free(task);
        return got;
    }
    *task = (vr_task){.index = imap->begun++, .item = item, .owner = imap, .done = item_done};
    vr_tasks_append(&imap->running, task);
    error = begin(imap, task);
    return error ? error : 1;
}

static vr_result feed(void *argument)
{
    vr_imap *imap = argument;
    int more = 1;

    while (more > 0)
        more = feed_one(imap);
    imap->exhausted = true;
    imap->error = more;
    wake_getter(imap);
    return vr_ok(NULL);
}

int vr_imap_init_at(const char *site, vr_imap *imap, vr_pool *pool, vr_function *function, vr_items items,
                    const vr_imap_options *options)
{
    *imap = (vr_imap){.pool = pool, .site = site, .function = function, .items = items, .kills = pool->kills};
    if (options)
        imap->options = *options;
    imap->feeder = vr_spawn_at(site, feed, imap);
    if (imap->feeder)
        return 0;
    *imap = (vr_imap){0};
    return -ENOMEM;
}

/* --- Who takes the results --- */

static void give(vr_imap *imap, vr_task *task, vr_mapped *out)
{
    *out = (vr_mapped){.index = task->index, .item = task->item, .result = task->result};
    vr_tasks_remove(in_order(imap) ? &imap->running : &imap->ended, task);
    free(task);
    imap->taken++;
    if (imap->feeder_waits)
        vr_hub_wake(imap->feeder);
}

static bool at_end(const vr_imap *imap)
{
    return imap->exhausted && !imap->running.first && !imap->ended.first;
}

int vr_imap_next(vr_imap *imap, vr_time timeout, vr_mapped *out)
{
    vr_time deadline = vr_deadline(timeout);
    vr_task *task;

    while (!(task = next_ended(imap))) {
        int error;
        if (at_end(imap))
            return imap->error;
        vr_hub *hub = vr_hub_to_block(&error);
        if (!hub)
            return error;
        if (imap->getter)
            return -EBUSY;
        imap->getter = hub->current;
        error = vr_hub_park(hub, vr_remaining(deadline), VR_WAIT_POOL, imap->pool);
        imap->getter = NULL;
        if (error)
            return error;
    }
    give(imap, task, out);
    return 1;
}

/* The source may be in a call: it is not to be touched after that. */
static int end_feeder(vr_imap *imap)
{
    vr_shield shield;

    vr_kill(imap->feeder, -ECANCELED);
    if (vr_ready(imap->feeder))
        return 0;
    int error = vr_shield_begin(&shield, VR_FOREVER);
    if (error)
        return error;
    error = vr_join(imap->feeder, VR_SCOPE_CLEANUP);
    if (error == -ENOMEM)
        error = vr_join(imap->feeder, VR_FOREVER);
    /* With an error given: what was held back is the next wait's to return. */
    vr_shield_end(&shield, -EINTR);
    return error == -ETIMEDOUT ? -EBUSY : error;
}

int vr_imap_done(vr_imap *imap)
{
    if (!imap->pool)
        return 0;
    if (imap->getter)
        return -EBUSY;
    int error = end_feeder(imap);
    if (error)
        return error;
    vr_tasks_drop(&imap->running);
    vr_tasks_drop(&imap->ended);
    vr_unref(imap->feeder);
    *imap = (vr_imap){0};
    return 0;
}
