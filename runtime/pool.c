/* Pools: groups with so many places. A place that is given back goes to who has claimed one first, if anybody has. */
#include "container.h"
#include "group.h"
#include "hub.h"

#include <errno.h>
#include <stdlib.h>

/* Somebody who waits for a place. */
typedef struct vr_claim {
    struct vr_claim *next, *previous;
    bool (*grant)(struct vr_claim *claim, vr_pool *pool); /* it has the place; false: it has no use for it */
} vr_claim;

/* --- Places --- */

static void append(vr_pool *pool, vr_claim *claim)
{
    claim->next = NULL;
    claim->previous = pool->last;
    if (pool->last)
        pool->last->next = claim;
    else
        pool->first = claim;
    pool->last = claim;
}

static void take_off(vr_pool *pool, vr_claim *claim)
{
    if (claim->previous)
        claim->previous->next = claim->next;
    else
        pool->first = claim->next;
    if (claim->next)
        claim->next->previous = claim->previous;
    else
        pool->last = claim->previous;
}

void vr_pool_give(vr_pool *pool)
{
    pool->free++;
    while (pool->free && pool->first) {
        vr_claim *claim = pool->first;
        take_off(pool, claim);
        pool->free--;
        if (!claim->grant(claim, pool))
            pool->free++;
    }
}

/* A greenlet's claim, on its own stack. */
typedef struct wait_claim {
    vr_claim claim;
    vr_greenlet *greenlet;
    bool granted;
} wait_claim;

static bool grant_waiting(vr_claim *claim, vr_pool *pool)
{
    wait_claim *waiting = VR_CONTAINER(claim, wait_claim, claim);

    (void)pool;
    waiting->granted = true;
    vr_hub_wake(waiting->greenlet);
    return true;
}

int vr_pool_take(vr_pool *pool, vr_time timeout)
{
    int error;

    pool->group.pool = pool;
    if (pool->free) {
        pool->free--;
        return 0;
    }
    if (timeout <= 0)
        return -EAGAIN;
    vr_hub *hub = vr_hub_to_block(&error);
    if (!hub)
        return error;
    wait_claim waiting = {.claim.grant = grant_waiting, .greenlet = hub->current};
    append(pool, &waiting.claim);
    error = vr_hub_park(hub, timeout, VR_WAIT_POOL, pool);
    if (!waiting.granted)
        take_off(pool, &waiting.claim);
    else if (error)
        vr_pool_give(pool);
    return error;
}

int vr_pool_wait_available(vr_pool *pool, vr_time timeout)
{
    int error = vr_pool_take(pool, timeout);

    if (!error)
        vr_pool_give(pool);
    return error;
}

/* --- Members --- */

int vr_pool_add(vr_pool *pool, vr_time timeout, vr_greenlet *greenlet)
{
    if (vr_group_has(&pool->group, greenlet))
        return 0;
    int error = vr_pool_take(pool, timeout);
    if (error)
        return error;
    /* It may have been added by somebody else meanwhile. */
    bool had = vr_group_has(&pool->group, greenlet);
    error = had ? 0 : vr_group_add(&pool->group, greenlet);
    if (had || error)
        vr_pool_give(pool);
    return error;
}

int vr_pool_spawn_at(const char *site, vr_pool *pool, vr_time timeout, vr_function *function, void *argument,
                     vr_greenlet **greenlet)
{
    vr_greenlet *spawned = NULL;
    int error = vr_pool_take(pool, timeout);

    if (!error && !(spawned = vr_group_spawn_at(site, &pool->group, function, argument))) {
        error = -errno;
        vr_pool_give(pool);
    }
    if (greenlet)
        *greenlet = spawned;
    else
        vr_unref(spawned);
    return error;
}

void vr_pool_discard(vr_pool *pool, const vr_greenlet *greenlet)
{
    vr_group_discard(&pool->group, greenlet);
}

int vr_pool_join(vr_pool *pool, vr_time timeout, unsigned flags)
{
    return vr_group_join(&pool->group, timeout, flags);
}

/* --- Calls --- */

vr_result vr_pool_apply_at(const char *site, vr_pool *pool, vr_time timeout, vr_function *function, void *argument)
{
    vr_time deadline = vr_deadline(timeout);
    vr_greenlet *greenlet;

    if (vr_group_has(&pool->group, vr_current()))
        return function(argument);
    int error = vr_pool_spawn_at(site, pool, timeout, function, argument, &greenlet);
    if (error)
        return vr_fail(error);
    error = vr_join(greenlet, vr_remaining(deadline));
    vr_result result = error ? vr_fail(error) : vr_outcome(greenlet);
    if (error)
        vr_kill(greenlet, -ECANCELED);
    vr_unref(greenlet);
    return result;
}

/* A call that nobody waits for. */
typedef struct job {
    vr_member member; /* once it runs */
    vr_claim claim;   /* until it runs */
    vr_callback tell; /* if it never runs */
    const char *site;
    vr_function *function;
    void *argument;
    vr_applied *done; /* not NULL */
    void *context;
    vr_result result;
} job;

static void job_ended(vr_member *member, vr_group *group)
{
    job *self = VR_CONTAINER(member, job, member);
    vr_applied *done = self->done;
    void *context = self->context;
    vr_result result = vr_outcome(member->greenlet);

    (void)group;
    free(self);
    done(context, result);
}

/* With a place taken. False where it cannot be spawned. */
static bool begin(job *self, vr_pool *pool)
{
    vr_greenlet *greenlet = vr_spawn_at(self->site, self->function, self->argument);

    if (!greenlet)
        return false;
    vr_group_enter(&pool->group, &self->member, greenlet, self->done ? job_ended : NULL);
    vr_unref(greenlet);
    return true;
}

static void tell(vr_callback *callback)
{
    job *self = VR_CONTAINER(callback, job, tell);
    vr_applied *done = self->done;
    void *context = self->context;
    vr_result result = self->result;

    free(self);
    if (done)
        done(context, result);
}

/* Whoever gives the place back is not the hub always. */
static void tell_later(job *self, long error)
{
    self->result = vr_fail(error);
    self->tell.run = tell;
    vr_callback_queue(&self->tell);
}

static bool grant_job(vr_claim *claim, vr_pool *pool)
{
    job *self = VR_CONTAINER(claim, job, claim);
    bool begun = begin(self, pool);

    if (!begun)
        tell_later(self, -ENOMEM);
    return begun;
}

int vr_pool_apply_async_at(const char *site, vr_pool *pool, vr_function *function, void *argument, vr_applied *done,
                           void *context)
{
    job *self = malloc(sizeof *self);

    if (!self)
        return -ENOMEM;
    *self = (job){.claim.grant = grant_job,
                  .site = site,
                  .function = function,
                  .argument = argument,
                  .done = done,
                  .context = context};
    if (vr_pool_take(pool, 0)) {
        append(pool, &self->claim);
        return 0;
    }
    if (begin(self, pool))
        return 0;
    vr_pool_give(pool);
    free(self);
    return -ENOMEM;
}

/* --- Killing --- */

int vr_pool_killall(vr_pool *pool, long error, vr_time timeout)
{
    vr_claim *next;

    pool->kills++;
    for (vr_claim *claim = pool->first; claim; claim = next) {
        next = claim->next;
        if (claim->grant != grant_job)
            continue;
        take_off(pool, claim);
        tell_later(VR_CONTAINER(claim, job, claim), -ECANCELED);
    }
    return vr_group_kill(&pool->group, error, timeout);
}
