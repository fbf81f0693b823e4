/*
 * Workers over a queue of tasks: the program waits until every task is done, and then lets the workers end.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/queue.h>
#include <vireo/spawn.h>

enum { WORKERS = 3, TASKS = 7 };

static vr_queue tasks = VR_QUEUE_INIT(0); /* of any number */
static int squares[TASKS];

static vr_result work(void *argument)
{
    int done = 0;

    (void)argument;
    for (vr_result task; !(task = vr_queue_get(&tasks, VR_FOREVER)).error; done++) {
        int n = (int)(intptr_t)task.value;
        vr_sleep(VR_MILLISECONDS(1)); /* the work */
        squares[n] = n * n;
        vr_queue_task_done(&tasks);
    }
    return vr_ok((void *)(intptr_t)done);
}

int main(void)
{
    vr_greenlet *workers[WORKERS];
    int done = 0;

    for (int i = 0; i < WORKERS; i++)
        workers[i] = vr_spawn(work, NULL);
    for (intptr_t i = 0; i < TASKS; i++)
        vr_queue_put(&tasks, (void *)i, VR_FOREVER);

    vr_queue_join(&tasks, VR_FOREVER); /* until vr_queue_task_done was called for each */
    vr_queue_shutdown(&tasks);         /* the workers' gets fail: they return */
    vr_joinall(workers, WORKERS, VR_FOREVER);

    for (int i = 0; i < TASKS; i++)
        printf("%d: %d\n", i, squares[i]);
    for (int i = 0; i < WORKERS; i++) {
        done += (int)(intptr_t)vr_value(workers[i]);
        vr_unref(workers[i]);
    }
    printf("%d tasks done by %d workers\n", done, WORKERS);
    vr_queue_done(&tasks);
    return vr_hub_free() ? 1 : 0;
}
