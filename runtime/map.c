/* Map: the caller begins the items, as the pool has places, and then waits for all. */
#include "hub.h"
#include "task.h"

#include <errno.h>
#include <stdlib.h>

typedef struct mapping {
    vr_pool *pool;
    unsigned kills; /* the pool's, at the start */
    vr_tasks running;
    vr_result *results; /* may be NULL */
    bool raises;
    long error;         /* the first of an item, if it raises */
    vr_greenlet *waits; /* the caller, for the end */
} mapping;

static void item_done(vr_task *task)
{
    mapping *map = task->owner;

    vr_tasks_remove(&map->running, task);
    if (map->results)
        map->results[task->index] = task->result;
    if (map->raises && !map->error)
        map->error = task->result.error;
    free(task);
    if (map->waits && (map->error || !map->running.first))
        vr_hub_wake(map->waits);
}

/* Takes a place; fails where the rest is not to be begun. */
static long take_place(mapping *map)
{
    long error = vr_pool_take(map->pool, VR_FOREVER);

    if (error)
        return error;
    error = map->pool->kills != map->kills ? -ECANCELED : map->error;
    if (error)
        vr_pool_give(map->pool);
    return error;
}

static long begin_item(mapping *map, const char *site, vr_function *function, size_t index, void *item)
{
    vr_task *task = malloc(sizeof *task);
    long error = task ? take_place(map) : -ENOMEM;

    if (error) {
        free(task);
        return error;
    }
    *task = (vr_task){.index = index, .item = item, .owner = map, .done = item_done};
    vr_tasks_append(&map->running, task);
    vr_task_begin(task, map->pool, site, function);
    return map->error;
}

static long wait_for_end(mapping *map, vr_hub *hub)
{
    if (!map->running.first)
        return map->error;
    map->waits = hub->current;
    long error = vr_hub_park(hub, VR_FOREVER, VR_WAIT_POOL, map->pool);
    map->waits = NULL;
    return error ? error : map->error;
}

int vr_pool_map_at(const char *site, vr_pool *pool, vr_function *function, void *const items[], size_t count,
                   vr_result results[], unsigned flags)
{
    mapping map = {.pool = pool, .kills = pool->kills, .results = results, .raises = flags & VR_RAISE_ERROR};
    int refused;
    vr_hub *hub = vr_hub_to_block(&refused);
    long error = hub ? 0 : refused;

    for (size_t i = 0; results && i < count; i++)
        results[i] = vr_fail(-ECANCELED);
    for (size_t i = 0; !error && i < count; i++)
        error = begin_item(&map, site, function, i, items[i]);
    if (!error)
        error = wait_for_end(&map, hub);
    vr_tasks_drop(&map.running);
    return (int)error;
}
