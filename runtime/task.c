#include "task.h"

#include "container.h"

#include <errno.h>
#include <stdlib.h>

void vr_tasks_append(vr_tasks *tasks, vr_task *task)
{
    task->next = NULL;
    task->previous = tasks->last;
    if (tasks->last)
        tasks->last->next = task;
    else
        tasks->first = task;
    tasks->last = task;
}

void vr_tasks_remove(vr_tasks *tasks, vr_task *task)
{
    if (task->previous)
        task->previous->next = task->next;
    else
        tasks->first = task->next;
    if (task->next)
        task->next->previous = task->previous;
    else
        tasks->last = task->previous;
}

static void finish(vr_task *task, vr_result result)
{
    task->over = true;
    task->result = result;
    task->done(task);
}

static void task_ended(vr_member *member, vr_group *group)
{
    vr_task *task = VR_CONTAINER(member, vr_task, member);

    if (task->owner)
        finish(task, vr_outcome(member->greenlet));
    else
        vr_member_ended(member, group);
}

void vr_task_begin(vr_task *task, vr_pool *pool, const char *site, vr_function *function)
{
    vr_greenlet *greenlet = vr_spawn_at(site, function, task->item);

    if (!greenlet) {
        vr_pool_give(pool);
        vr_task_fail(task, -ENOMEM);
        return;
    }
    vr_group_enter(&pool->group, &task->member, greenlet, task_ended);
    vr_unref(greenlet);
}

void vr_task_fail(vr_task *task, long error)
{
    finish(task, vr_fail(error));
}

void vr_tasks_drop(vr_tasks *tasks)
{
    vr_task *next;

    for (vr_task *task = tasks->first; task; task = next) {
        next = task->next;
        task->owner = NULL;
        if (task->over)
            free(task);
        else
            vr_kill(task->member.greenlet, -ECANCELED);
    }
    *tasks = (vr_tasks){0};
}
