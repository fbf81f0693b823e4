/* One item's run in a pool, for map and imap. */
#ifndef VIREO_RUNTIME_TASK_H
#define VIREO_RUNTIME_TASK_H

#include "group.h"

/* malloc'ed. */
typedef struct vr_task {
    vr_member member;
    struct vr_task *next, *previous;
    size_t index;
    void *item;
    vr_result result; /* once it is over */
    bool over;
    void *owner; /* NULL once it was dropped */
    /* Called when it is over: in the hub, or in vr_task_begin where it has never run. Takes it off its list, or not. */
    void (*done)(struct vr_task *task);
} vr_task;

void vr_tasks_append(vr_tasks *tasks, vr_task *task);
void vr_tasks_remove(vr_tasks *tasks, vr_task *task);

/* Spawns it, with a place in the pool that was taken for it. Where that fails, it is over with -ENOMEM. */
void vr_task_begin(vr_task *task, vr_pool *pool, const char *site, vr_function *function);

/* Ends one that has not begun. */
void vr_task_fail(vr_task *task, long error);

/* Lets go of all: those that run get the exit thrown in, and nobody is told of their end. */
void vr_tasks_drop(vr_tasks *tasks);

#endif
