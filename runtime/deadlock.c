#include "container.h"
#include "dump.h"
#include "hub.h"
#include "interruption.h"
#include "waitable.h"

#include <stdio.h>
#include <stdlib.h>
#include <vireo/dump.h>

/*
 * Groups of greenlets that can only wake each other.
 *
 * Who waits for a greenlet to end, or for a lock, waits for somebody we know: nobody else can give it. So the greenlets
 * that wait form a graph. A greenlet is stuck when all that may wake it are stuck, too, or, for a lock, dead. All other
 * waits (events, queues, semaphores, descriptors, timers) can be ended by anybody, as far as we know, and so can every
 * wait with a limit: whoever waits so is not stuck, and neither are those who wait for it.
 *
 * Only a greenlet that begins such a wait while somebody waits for it can complete a group: nearly all waits are done
 * with by that question, and most others when the first greenlet on the way turns out not to be stuck. Those that wait
 * for members of a group, and are none, complete nothing: each group is told once. A lock whose owner has ended makes a
 * group of all who wait for it: completed by the first of them, or by the owner's end.
 *
 * What looks like a group is looked at once more, in the hub, when all that was queued has run: kills, and timeouts
 * that were due, may have been on their way. The running timers are searched only then.
 */

/* More would cost those who wait for a long row of others; main may still be told of a larger group. */
enum { GROUP_MAX = 64 };

struct group {
    const vr_greenlet *members[GROUP_MAX];
    size_t count;
    bool closed; /* the first one is among those that could wake the others */
};

/* --- Locks whose owners have ended --- */

/* A greenlet of this thread has ended with a lock: from now on a lock's owner may be a record that was given back. */
static _Thread_local bool orphans_made;

bool vr_lock_is_orphaned(const vr_rlock *lock)
{
    const vr_hub *hub = vr_hub_peek();
    const vr_greenlet *owner = lock->owner;

    if (!owner)
        return false;
    if (orphans_made && owner != &hub->main && !vr_stack_holds(&hub->stacks, owner))
        return true;
    return owner->state == VR_STATE_DEAD || owner->serial != lock->owner_serial;
}

static const vr_rlock *lock_awaited_by(const vr_greenlet *greenlet)
{
    return greenlet->wait_kind == VR_WAIT_LOCK ? greenlet->wait_on : NULL;
}

static bool waits_for_orphan(const vr_greenlet *greenlet)
{
    const vr_rlock *lock = lock_awaited_by(greenlet);

    return lock && vr_lock_is_orphaned(lock);
}

/* --- Who is stuck --- */

/* Its own limits; those of timeouts that it has started are looked for later. */
static bool has_limit(const vr_greenlet *greenlet)
{
    for (const vr_shield *shield = greenlet->shield; shield; shield = shield->outer)
        if (shield->timer.list || vr_callback_queued(&shield->timer.callback))
            return true;
    return greenlet->wait_kind != VR_WAIT_GENERATOR && greenlet->wait_until != VR_FOREVER;
}

/* Suspended, with nothing on its way to it, in a wait of which we know who could end it. */
static bool may_be_stuck(const vr_greenlet *greenlet)
{
    switch (greenlet->wait_kind) {
    case VR_WAIT_GREENLET:
    case VR_WAIT_GREENLETS:
    case VR_WAIT_GENERATOR:
    case VR_WAIT_LOCK:
        return greenlet->state == VR_STATE_RUNNING && !vr_callback_queued(&greenlet->wake) &&
               !vr_callback_queued(&greenlet->kill) && !has_limit(greenlet);
    default:
        return false;
    }
}

static bool is_member(const struct group *group, const vr_greenlet *greenlet)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i] == greenlet)
            return true;
    return false;
}

/* Takes in one that could wake a member. False for one that is not stuck, or too many. */
static bool add(struct group *group, const vr_greenlet *greenlet)
{
    if (greenlet == group->members[0])
        group->closed = true;
    if (is_member(group, greenlet))
        return true;
    if (!may_be_stuck(greenlet) || group->count == GROUP_MAX)
        return false;
    group->members[group->count++] = greenlet;
    return true;
}

static bool add_greenlet_of(struct group *group, const vr_waitable *waitable)
{
    return waitable->kind == VR_WAITABLE_GREENLET &&
           add(group, VR_CONTAINER((uintptr_t)waitable, vr_greenlet, waitable));
}

static bool add_each_of(struct group *group, const vr_iwait *iwait)
{
    if (iwait->count > GROUP_MAX)
        return false;
    for (size_t i = 0; i < iwait->count; i++) {
        const vr_waitable *waitable = vr_iwait_awaited(iwait, i);
        if (waitable && !add_greenlet_of(group, waitable))
            return false;
    }
    return true;
}

static bool add_owner_of(struct group *group, const vr_rlock *lock)
{
    return vr_lock_is_orphaned(lock) || (lock->owner && add(group, lock->owner));
}

/* Takes in all that could wake `greenlet`; false when one of them is not stuck. */
static bool add_wakers(struct group *group, const vr_greenlet *greenlet)
{
    switch (greenlet->wait_kind) {
    case VR_WAIT_GREENLET:
        return add_greenlet_of(group, greenlet->wait_on);
    case VR_WAIT_GREENLETS:
        return add_each_of(group, greenlet->wait_on);
    case VR_WAIT_GENERATOR:
        return add(group, greenlet->wait_on);
    case VR_WAIT_LOCK:
        return add_owner_of(group, greenlet->wait_on);
    default:
        return false;
    }
}

/* May anybody wait for it? */
static bool is_awaited(const vr_greenlet *greenlet)
{
    return greenlet->waitable.first || greenlet->locks_held || greenlet->generator;
}

/* Does `first`, in the wait that it is in, or about to begin, complete a group? */
static bool completes_group(struct group *group, const vr_greenlet *first)
{
    group->members[0] = first;
    group->count = 1;
    group->closed = false;
    for (size_t i = 0; i < group->count; i++)
        if (!add_wakers(group, group->members[i]))
            return false;
    return group->closed;
}

/* Is nobody else stuck in the wait for that lock? */
static bool is_first_in_line(const vr_greenlet *greenlet)
{
    const vr_rlock *lock = lock_awaited_by(greenlet);

    for (const vr_link *link = lock->semaphore.waitable.first; link; link = link->next) {
        if (link->notify)
            continue;
        const vr_greenlet *other = VR_CONTAINER((uintptr_t)link, vr_waiting, link)->greenlet;
        if (other != greenlet && may_be_stuck(other))
            return false;
    }
    return true;
}

/* --- Those who are looked at once more --- */

/* By its serial, as it may be gone by then. */
typedef struct suspect {
    vr_callback callback;
    uint64_t serial;
    struct suspect *next;
} suspect;

static _Thread_local suspect *suspects;

static suspect **find_suspect(uint64_t serial)
{
    suspect **link = &suspects;

    while (*link && (*link)->serial != serial)
        link = &(*link)->next;
    return link;
}

static void look_again(vr_callback *callback);

/* Without memory for that, nothing is told, which would take more. */
static void suspect_greenlet(const vr_greenlet *greenlet)
{
    suspect *it = *find_suspect(greenlet->serial);

    if (!it) {
        it = malloc(sizeof *it);
        if (!it)
            return;
        *it = (suspect){.callback.run = look_again, .serial = greenlet->serial, .next = suspects};
        suspects = it;
    }
    vr_callback_queue(&it->callback);
}

static void drop_suspect(uint64_t serial)
{
    suspect **link = find_suspect(serial), *dropped = *link;

    if (!dropped)
        return;
    *link = dropped->next;
    vr_callback_cancel(&dropped->callback);
    free(dropped);
}

/* Apart, so that the room for a group is taken on the stacks of those only who may complete one. */
static __attribute__((noinline)) bool may_complete_group(const vr_greenlet *greenlet)
{
    struct group group;

    return completes_group(&group, greenlet);
}

void vr_deadlock_check(vr_hub *hub, const vr_greenlet *greenlet)
{
    bool suspicious;

    (void)hub;
    if (greenlet->state == VR_STATE_DEAD)
        suspicious = orphans_made = true;
    else if (waits_for_orphan(greenlet))
        suspicious = is_first_in_line(greenlet);
    else
        suspicious = is_awaited(greenlet) && may_complete_group(greenlet);
    if (suspicious)
        suspect_greenlet(greenlet);
}

/* --- The second look --- */

struct search {
    uint64_t serial;
    const vr_greenlet *found;
};

static bool is_another(void *record, void *context)
{
    const vr_greenlet *greenlet = record;
    struct search *search = context;

    if (greenlet->serial == search->serial)
        search->found = greenlet;
    return !search->found;
}

static const vr_greenlet *find_greenlet(const vr_hub *hub, uint64_t serial)
{
    struct search search = {.serial = serial};

    if (serial == hub->main.serial)
        return &hub->main;
    vr_stack_each(&hub->stacks, is_another, &search);
    return search.found;
}

/* A lock, or any lock of an owner. */
typedef struct orphans {
    const vr_rlock *lock;
    const vr_greenlet *owner;
    struct group *group;
} orphans;

static bool add_heir(void *record, void *context)
{
    const vr_greenlet *greenlet = record;
    const orphans *of = context;
    const vr_rlock *lock = lock_awaited_by(greenlet);

    if (lock && (lock == of->lock || (lock->owner == of->owner && waits_for_orphan(greenlet))))
        add(of->group, greenlet);
    return true;
}

static int by_serial(const void *left, const void *right)
{
    const vr_greenlet *a = *(const vr_greenlet *const *)left, *b = *(const vr_greenlet *const *)right;

    return (a->serial > b->serial) - (a->serial < b->serial);
}

/* Those who wait for what has an owner no more; and, the first, the owner, as long as its record is there. */
static void find_heirs(vr_hub *hub, orphans *of)
{
    struct group *group = of->group;
    size_t owners = of->owner ? 1 : 0;

    group->members[0] = of->owner;
    group->count = owners;
    add_heir(&hub->main, of);
    vr_stack_each(&hub->stacks, add_heir, of);
    qsort(group->members + owners, group->count - owners, sizeof group->members[0], by_serial);
}

/* The group that `greenlet` has completed; *orphans tells whether it is for a lock without an owner. */
static bool find_group(vr_hub *hub, const vr_greenlet *greenlet, struct group *group, bool *orphaned)
{
    orphans of = {.group = group};

    *orphaned = true;
    if (greenlet->state == VR_STATE_DEAD) {
        of.owner = greenlet;
        find_heirs(hub, &of);
        return group->count > 1;
    }
    if (!may_be_stuck(greenlet))
        return false;
    if (waits_for_orphan(greenlet)) {
        of.lock = lock_awaited_by(greenlet);
        find_heirs(hub, &of);
        return group->count > 0;
    }
    *orphaned = false;
    return is_awaited(greenlet) && completes_group(group, greenlet);
}

static void remove_member(struct group *group, const vr_greenlet *greenlet)
{
    size_t kept = 0;

    for (size_t i = 0; i < group->count; i++)
        if (group->members[i] != greenlet)
            group->members[kept++] = group->members[i];
    group->count = kept;
}

static void remove_target_of_timer(const vr_timer *timer, void *context)
{
    const vr_greenlet *target = vr_timeout_target(&timer->callback);

    if (target)
        remove_member(context, target);
}

/* Takes out those into whom a timeout, or a scope, will throw. */
static void remove_interrupted(const vr_hub *hub, struct group *group)
{
    for (const vr_callback *callback = hub->first; callback; callback = callback->next) {
        const vr_greenlet *target = vr_timeout_target(callback);
        if (!target)
            target = vr_interruption_target(callback);
        if (target)
            remove_member(group, target);
    }
    vr_timers_each(&hub->timers, remove_target_of_timer, group);
}

static void print_report(const char *text)
{
    fputs(text, stderr);
}

static void report(vr_hub *hub, const struct group *group, bool orphaned)
{
    vr_deadlock_handler *handler = hub->handle_deadlock ? hub->handle_deadlock : print_report;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return;
    fprintf(out, "vireo: deadlock: %s\n",
            orphaned ? "these wait for a lock whose owner has ended" : "these can only be woken by each other");
    vr_dump_lines(out, hub, group->members, group->count, VR_DUMP_NO_STACKS);
    if (fclose(out) == 0)
        handler(text);
    free(text);
}

static void look_again(vr_callback *callback)
{
    uint64_t serial = VR_CONTAINER(callback, suspect, callback)->serial;
    vr_hub *hub = vr_hub_peek();
    const vr_greenlet *greenlet = find_greenlet(hub, serial);
    struct group group;
    bool orphaned;

    drop_suspect(serial);
    if (!greenlet || !find_group(hub, greenlet, &group, &orphaned))
        return;
    size_t count = group.count, others = group.members[0]->state == VR_STATE_DEAD;
    remove_interrupted(hub, &group);
    if (orphaned ? group.count == others : group.count < count)
        return;
    /* Another one of them may have completed the same in this turn. */
    for (size_t i = 0; i < group.count; i++)
        drop_suspect(group.members[i]->serial);
    report(hub, &group, orphaned);
}

/* --- For programs --- */

void vr_hub_handle_deadlock(vr_deadlock_handler *handler)
{
    vr_hub *hub = vr_hub_get();

    if (hub)
        hub->handle_deadlock = handler;
}
