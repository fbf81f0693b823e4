/*
 * Groups and pools: greenlets that are joined and killed together; a pool runs only so many at once.
 *
 * Both keep a greenlet while it runs, and forget it when the hub has noticed that it has ended: adding and leaving cost
 * the same however many there are. Nothing is to be freed, but they must outlive their members (vr_group_join,
 * vr_pool_join); to be used on one thread. An error of a member that nobody can see, as nobody holds a reference to it
 * or a link, is reported as vr_hub_handle_error says.
 *
 * Calls that wait fail with -ETIMEDOUT after `timeout`, -EPERM in a hub callback, -ENOMEM where there is no memory, and
 * with what is thrown into the caller; nothing is lost by that, and no place in a pool stays taken.
 */
#ifndef VIREO_POOL_H
#define VIREO_POOL_H

#include <stdint.h>
#include <vireo/spawn.h>

/* --- Group --- */

/* The fields are private. */
typedef struct vr_group {
    vr_waitable joiners;
    struct vr_member *first, *last;
    size_t count;
    struct vr_pool *pool; /* that it is part of, once it has had a member */
    unsigned killers;     /* that wait for the end of all */
    long kill_error;      /* the last one's */
} vr_group;

/* An empty group: `vr_group group = VR_GROUP;` A static one: `static vr_group group;` */
#define VR_GROUP ((vr_group){0})

/*
 * Spawns a member. Never switches. The caller holds a reference, as for vr_spawn. NULL with errno set when memory ran
 * out.
 *
 *     vr_greenlet *vr_group_spawn(vr_group *group, vr_function *function, void *argument);
 */
#define vr_group_spawn(...) vr_group_spawn_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_group_spawn_at(const char *site, vr_group *group, vr_function *function, void *argument);

/*
 * Adds a greenlet, in whatever state; one that is a member already is left alone. The group takes no reference: one
 * that never starts leaves when it is freed. Never switches. Returns 0 or -ENOMEM, also for NULL.
 */
int vr_group_add(vr_group *group, vr_greenlet *greenlet);

/* Takes a member out, which runs on. One that is no member is left alone. */
void vr_group_discard(vr_group *group, const vr_greenlet *greenlet);

bool vr_group_has(const vr_group *group, const vr_greenlet *greenlet);

static inline size_t vr_group_count(const vr_group *group)
{
    return group->count;
}

/*
 * Waits until the group is empty, be it for a moment; at once if it is. With VR_RAISE_ERROR in `flags` it then returns
 * the error of the first member that failed meanwhile, if any did, which counts as having been seen. Returns 0 or an
 * error; -EINVAL for one of the members, which would wait for itself.
 */
int vr_group_join(vr_group *group, vr_time timeout, unsigned flags);

/*
 * Kills all members (vr_kill), and those that are added while it waits, until the group was empty for a moment. A
 * member that calls this is spared, and not waited for. With a `timeout` of 0 only the killing is certain. Returns 0,
 * or an error.
 */
int vr_group_kill(vr_group *group, long error, vr_time timeout);

/* --- Pool --- */

/* The fields are private. */
typedef struct vr_pool {
    vr_group group;
    size_t size, free;
    struct vr_claim *first, *last; /* who waits for a place */
    unsigned kills;                /* how often it was killed */
} vr_pool;

/*
 * A pool in which `places` greenlets run at once; with VR_UNLIMITED it is a group: `vr_pool pool = VR_POOL(100);`
 * Static ones: `static vr_pool pool = VR_POOL_INIT(100);`
 */
#define VR_POOL(places) ((vr_pool)VR_POOL_INIT(places))
#define VR_POOL_INIT(places)               \
    {                                      \
        .size = (places), .free = (places) \
    }
#define VR_UNLIMITED SIZE_MAX

/*
 * Spawns a member, and waits for a free place before, behind those who wait already. With a `timeout` of 0 it never
 * switches, may be called in the hub, and returns -EAGAIN when the pool is full. Returns 0, or an error, with nothing
 * spawned. *greenlet is the caller's reference; NULL after an error. `greenlet` may be NULL, for none.
 *
 *     int vr_pool_spawn(vr_pool *pool, vr_time timeout, vr_function *function, void *argument, vr_greenlet **greenlet);
 */
#define vr_pool_spawn(...) vr_pool_spawn_at(VR_SITE, __VA_ARGS__)
int vr_pool_spawn_at(const char *site, vr_pool *pool, vr_time timeout, vr_function *function, void *argument,
                     vr_greenlet **greenlet);

/* The same for a greenlet that is there already; it is left alone when it is a member. As vr_group_add otherwise. */
int vr_pool_add(vr_pool *pool, vr_time timeout, vr_greenlet *greenlet);

/* As vr_group_discard; its place is free. */
void vr_pool_discard(vr_pool *pool, const vr_greenlet *greenlet);

/* Waits until a place is free, which is not kept for the caller. As vr_pool_spawn otherwise. */
int vr_pool_wait_available(vr_pool *pool, vr_time timeout);

/* Places that are free. */
static inline size_t vr_pool_free_count(const vr_pool *pool)
{
    return pool->free;
}

static inline bool vr_pool_full(const vr_pool *pool)
{
    return pool->free == 0;
}

static inline size_t vr_pool_count(const vr_pool *pool)
{
    return pool->group.count;
}

/* As vr_group_join. What vr_pool_apply_async has queued is waited for, greenlets that wait for a place are not. */
int vr_pool_join(vr_pool *pool, vr_time timeout, unsigned flags);

/*
 * As vr_group_kill. What vr_pool_apply_async has queued never runs, and a vr_pool_map or a vr_imap that is under way
 * begins no further item. Greenlets that wait for a place go on waiting.
 */
int vr_pool_killall(vr_pool *pool, long error, vr_time timeout);

/* --- Calls in a pool --- */

/*
 * Runs `function` in the pool and returns its result: -ECANCELED where it ended by the exit. When the wait for it fails
 * it gets the exit thrown in, as nobody will see its result. For a member of the pool, which may have its last place,
 * it runs at once in the caller, without regard to `timeout`.
 *
 *     vr_result vr_pool_apply(vr_pool *pool, vr_time timeout, vr_function *function, void *argument);
 */
#define vr_pool_apply(...) vr_pool_apply_at(VR_SITE, __VA_ARGS__)
vr_result vr_pool_apply_at(const char *site, vr_pool *pool, vr_time timeout, vr_function *function, void *argument);

/*
 * Has `function` run in the pool as soon as there is a place; never waits for that, and may be called in the hub.
 * `done` (may be NULL) is called in the hub with its result, once: -ECANCELED where it ended by the exit, or never ran
 * because the pool was killed, -ENOMEM where it could not be spawned when its turn came. Returns 0, or -ENOMEM, with
 * nothing to come.
 *
 *     int vr_pool_apply_async(vr_pool *pool, vr_function *function, void *argument, vr_applied *done, void *context);
 */
typedef void vr_applied(void *context, vr_result result);
#define vr_pool_apply_async(...) vr_pool_apply_async_at(VR_SITE, __VA_ARGS__)
int vr_pool_apply_async_at(const char *site, vr_pool *pool, vr_function *function, void *argument, vr_applied *done,
                           void *context);

/*
 * Runs `function` once for each of `count` items, in the pool, in their order, and waits for the end of all. results[i]
 * is what came of items[i]: -ECANCELED where it ended by the exit, or was not begun; `results` may be NULL. An item's
 * error is its own: the others go on, and 0 is returned. With VR_RAISE_ERROR in `flags` the first error, -ECANCELED
 * included, ends it, and is returned. -ECANCELED when the pool was killed before the last item was begun. However it
 * ends early, greenlets that still run get the exit thrown in and are not waited for. A member of the pool that calls
 * this keeps its own place.
 *
 *     int vr_pool_map(vr_pool *pool, vr_function *function, void *const items[], size_t count, vr_result results[],
 *                     unsigned flags);
 */
#define vr_pool_map(...) vr_pool_map_at(VR_SITE, __VA_ARGS__)
int vr_pool_map_at(const char *site, vr_pool *pool, vr_function *function, void *const items[], size_t count,
                   vr_result results[], unsigned flags);

/* --- Imap: the same, one result at a time, over any source of items --- */

/* Where items come from: an array, or a function. */
typedef struct vr_items {
    void *const *array;
    size_t count;
    int (*next)(void *context, void **item);
    void *context;
} vr_items;

/* So many items of an array, which must stay. */
#define VR_ITEMS(array_, count_) ((vr_items){.array = (array_), .count = (count_)})

/*
 * What a function gives: 1, with the next item in *item; 0 at the end; or an error (negative), which ends them, too. It
 * is called in a greenlet of its own, and may block.
 */
#define VR_ITEMS_FROM(next_, context_) ((vr_items){.next = (next_), .context = (context_)})

/* Private: those that are under way. */
typedef struct vr_tasks {
    struct vr_task *first, *last;
} vr_tasks;

enum vr_imap_flags {
    VR_UNORDERED = 1, /* results as they come; without it, in the order of the items */
};

typedef struct vr_imap_options {
    unsigned flags; /* of vr_imap_flags */
    size_t ahead;   /* so many items may be begun whose results nobody has asked for yet; 0: any number */
} vr_imap_options;

/* The fields are private. It stays where it is until vr_imap_done. */
typedef struct vr_imap {
    vr_pool *pool;
    const char *site;
    vr_function *function;
    vr_items items;
    vr_imap_options options;
    vr_tasks running; /* in the order of their items; with VR_UNORDERED without those that have ended: */
    vr_tasks ended;   /* in the order in which they did */
    size_t begun, taken;
    unsigned kills;      /* the pool's, at the start */
    vr_greenlet *feeder; /* takes the items */
    vr_greenlet *getter; /* waits in vr_imap_next */
    bool feeder_waits;   /* until one more may be begun */
    bool exhausted;      /* no further item is taken */
    int error;           /* why, if not for the items' end */
} vr_imap;

/* One result. */
typedef struct vr_mapped {
    size_t index; /* of the item, from 0 */
    void *item;
    vr_result result; /* -ECANCELED where it ended by the exit, -ENOMEM where it could not be spawned */
} vr_mapped;

/*
 * Begins: a greenlet takes items, as fast as the pool and `ahead` allow, and has `function` run for each. `options` may
 * be NULL. Never switches. Returns 0 or -ENOMEM.
 *
 *     int vr_imap_init(vr_imap *imap, vr_pool *pool, vr_function *function, vr_items items,
 *                      const vr_imap_options *options);
 */
#define vr_imap_init(...) vr_imap_init_at(VR_SITE, __VA_ARGS__)
int vr_imap_init_at(const char *site, vr_imap *imap, vr_pool *pool, vr_function *function, vr_items items,
                    const vr_imap_options *options);

/*
 * Waits for the next result. Returns 1 with *out set; 0 at the end; or an error: of the wait, after which the next call
 * goes on where this one was, or -EBUSY while another greenlet waits here; or, when all results have been given, what
 * has ended the items: their own error, -ECANCELED when the pool was killed, -ENOMEM.
 */
int vr_imap_next(vr_imap *imap, vr_time timeout, vr_mapped *out);

/*
 * Ends it, early or not. No further item is taken; greenlets that still run get the exit thrown in, are not waited for,
 * and their results are dropped. If the source's function is being called, its wait fails with -ECANCELED, and
 * vr_imap_done waits until it has returned, shielded. Returns 0; or -EBUSY when that took longer than VR_SCOPE_CLEANUP
 * (<vireo/scope.h>) or a greenlet waits in vr_imap_next, -EPERM in a hub callback: then it is to be called again. All
 * zero, or ended already, it is left alone.
 */
int vr_imap_done(vr_imap *imap);

#endif
