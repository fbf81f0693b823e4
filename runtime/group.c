#include "group.h"

#include "container.h"
#include "hub.h"
#include "waitable.h"

#include <errno.h>
#include <stdlib.h>

/* One who waits for the end of members, on its own stack. */
typedef struct joiner {
    vr_waiting waiting;
    size_t left; /* so many may be left */
    bool raises;
    long error; /* of the first that failed meanwhile */
} joiner;

static joiner *joiner_of(vr_link *link)
{
    return VR_CONTAINER(link, joiner, waiting.link);
}

/* --- Members --- */

static void member_ended(void *greenlet, void *context);

static void append(vr_group *group, vr_member *member)
{
    member->group = group;
    member->next = NULL;
    member->previous = group->last;
    if (group->last)
        group->last->next = member;
    else
        group->first = member;
    group->last = member;
    group->count++;
}

static void take_off(vr_group *group, vr_member *member)
{
    if (member->previous)
        member->previous->next = member->next;
    else
        group->first = member->next;
    if (member->next)
        member->next->previous = member->previous;
    else
        group->last = member->previous;
    member->group = NULL;
    group->count--;
}

/* By the greenlet's links, which are few, where members may be many. */
static vr_member *find(const vr_group *group, const vr_greenlet *greenlet)
{
    if (!greenlet)
        return NULL;
    for (vr_link *link = greenlet->waitable.first; link; link = link->next)
        if (link->notify == member_ended && ((vr_member *)link->context)->group == group)
            return link->context;
    return NULL;
}

static void wake_joiners(vr_group *group)
{
    vr_link *next;

    for (vr_link *link = group->joiners.first; link; link = next) {
        next = link->next;
        if (group->count > joiner_of(link)->left)
            continue;
        vr_unlink(link);
        vr_hub_wake(joiner_of(link)->waiting.greenlet);
    }
}

static void leave(vr_group *group, vr_member *member)
{
    take_off(group, member);
    /* Before joiners are looked after: what waits for the place may be a member at once. */
    if (group->pool)
        vr_pool_give(group->pool);
    wake_joiners(group);
}

void vr_group_enter(vr_group *group, vr_member *member, vr_greenlet *greenlet,
                    void (*ended)(vr_member *member, vr_group *group))
{
    member->link = (vr_link){.notify = member_ended, .context = member};
    member->greenlet = greenlet;
    member->ended = ended ? ended : vr_member_ended;
    append(group, member);
    vr_rawlink(greenlet, &member->link);
    if (group->killers)
        vr_kill(greenlet, group->kill_error);
}

void vr_group_scatter(vr_group *group)
{
    vr_member *member;

    while ((member = group->first)) {
        member->ended = vr_member_ended;
        leave(group, member);
    }
}

/* Tells those who want to know of a failure; is there any? */
static bool tell(vr_group *group, long error)
{
    bool told = false;

    for (vr_link *link = group->joiners.first; link; link = link->next) {
        joiner *one = joiner_of(link);
        told |= one->raises;
        if (!one->error)
            one->error = error;
    }
    return told;
}

static void member_ended(void *greenlet, void *context)
{
    vr_member *member = context;
    vr_group *group = member->group;

    /* Who is told need not be by a report. */
    if (group && vr_error(greenlet) && tell(group, vr_error(greenlet)) && member->ended == vr_member_ended)
        member->greenlet = NULL;
    if (group)
        leave(group, member);
    member->ended(member, group);
}

void vr_member_ended(vr_member *member, vr_group *group)
{
    vr_greenlet *greenlet = member->greenlet;

    (void)group;
    free(member);
    /* The one reference is that of the call of its links. */
    if (greenlet && vr_error(greenlet) && greenlet->refs == 1 && !greenlet->waitable.first)
        vr_hub_report(greenlet->hub, greenlet);
}

/* --- Adding --- */

int vr_group_add(vr_group *group, vr_greenlet *greenlet)
{
    if (vr_group_has(group, greenlet))
        return 0;
    vr_member *member = greenlet ? malloc(sizeof *member) : NULL;
    if (!member)
        return -ENOMEM;
    vr_group_enter(group, member, greenlet, NULL);
    return 0;
}

vr_greenlet *vr_group_spawn_at(const char *site, vr_group *group, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn_at(site, function, argument);

    if (!greenlet || !vr_group_add(group, greenlet))
        return greenlet;
    vr_kill(greenlet, -ECANCELED);
    vr_unref(greenlet);
    errno = ENOMEM;
    return NULL;
}

void vr_group_discard(vr_group *group, const vr_greenlet *greenlet)
{
    vr_member *member = find(group, greenlet);

    if (!member)
        return;
    /* What is more than a member is told of the end all the same. */
    if (member->ended != vr_member_ended) {
        leave(group, member);
        return;
    }
    vr_unlink(&member->link);
    leave(group, member);
    free(member);
}

bool vr_group_has(const vr_group *group, const vr_greenlet *greenlet)
{
    return find(group, greenlet);
}

/* --- Waiting --- */

/* Have all but so many ended, whether or not the hub has noticed? */
static bool have_ended(const vr_group *group, size_t left)
{
    size_t alive = 0;

    for (const vr_member *member = group->first; member && alive <= left; member = member->next)
        alive += !vr_ready(member->greenlet);
    return alive <= left;
}

int vr_group_wait(vr_group *group, size_t left, vr_time timeout, vr_wait_kind kind, long *error)
{
    int failed;

    if (group->count <= left)
        return 0;
    vr_hub *hub = vr_hub_to_block(&failed);
    if (!hub)
        return failed;
    joiner self = {.waiting = VR_WAITING(hub), .left = left, .raises = error};
    failed = vr_waitable_park(hub, &group->joiners, &self.waiting, timeout, kind);
    /* The last may have died in the very turn in which time ran out. The hub is about to be told, then. */
    if (failed == -ETIMEDOUT && have_ended(group, left))
        failed = vr_waitable_park(hub, &group->joiners, &self.waiting, VR_FOREVER, kind);
    if (error)
        *error = self.error;
    return failed;
}

int vr_group_join(vr_group *group, vr_time timeout, unsigned flags)
{
    long error = 0;

    if (vr_group_has(group, vr_current()))
        return -EINVAL;
    int failed = vr_group_wait(group, 0, timeout, VR_WAIT_GROUP, flags & VR_RAISE_ERROR ? &error : NULL);
    return failed ? failed : (int)error;
}

int vr_group_kill(vr_group *group, long error, vr_time timeout)
{
    const vr_greenlet *self = vr_current();
    size_t spared = vr_group_has(group, self);

    for (vr_member *member = group->first; member; member = member->next)
        if (member->greenlet != self)
            vr_kill(member->greenlet, error);
    group->killers++;
    group->kill_error = error;
    int failed = vr_group_wait(group, spared, timeout, VR_WAIT_GROUP, NULL);
    group->killers--;
    return failed;
}
