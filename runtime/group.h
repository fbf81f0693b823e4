/* How groups, pools and scopes keep their members. */
#ifndef VIREO_RUNTIME_GROUP_H
#define VIREO_RUNTIME_GROUP_H

#include "greenlet.h"

#include <vireo/pool.h>

/* A greenlet in a group; malloc'ed, by itself or as the first member of something larger. */
typedef struct vr_member {
    vr_link link;          /* to the greenlet */
    vr_greenlet *greenlet; /* not referenced: the link keeps it */
    vr_group *group;       /* NULL once it has been taken out */
    struct vr_member *next, *previous;
    /* Called in the hub when the greenlet is dead, after it has left `group`, which is NULL if it had before. Frees
     * the member. */
    void (*ended)(struct vr_member *member, vr_group *group);
} vr_member;

/* Puts a greenlet into a group; `ended` may be NULL. Whoever kills the group now, kills it. */
void vr_group_enter(vr_group *group, vr_member *member, vr_greenlet *greenlet,
                    void (*ended)(vr_member *member, vr_group *group));

/* Takes all out, with nothing left to be called but reports of what nobody sees. */
void vr_group_scatter(vr_group *group);

/* Frees a member, and has the greenlet's error reported if nobody can see it. */
void vr_member_ended(vr_member *member, vr_group *group);

/* Waits until no more than `left` members are left. `error`, if not NULL, is set to that of the first to fail. */
int vr_group_wait(vr_group *group, size_t left, vr_time timeout, vr_wait_kind kind, long *error);

/* How a dead greenlet ended: -ECANCELED for the exit. */
static inline vr_result vr_outcome(const vr_greenlet *greenlet)
{
    return vr_exited(greenlet) ? vr_fail(-ECANCELED) : (vr_result){vr_value(greenlet), vr_error(greenlet)};
}

/* pool.c: takes a place, as vr_pool_spawn does. 0 or an error. */
int vr_pool_take(vr_pool *pool, vr_time timeout);

/* pool.c: gives a place back. */
void vr_pool_give(vr_pool *pool);

#endif
