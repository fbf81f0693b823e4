/*
 * A bounded queue: a producer that is faster than its consumer has to wait for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <vireo/hub.h>
#include <vireo/queue.h>
#include <vireo/spawn.h>

enum { LINES = 5, AT_MOST = 2 };

static vr_queue queue = VR_QUEUE_INIT(AT_MOST);

static vr_result produce(void *argument)
{
    (void)argument;
    for (int i = 1; i <= LINES; i++) {
        char *line;
        if (asprintf(&line, "line %d", i) < 0)
            break;
        int error = vr_queue_put(&queue, line, VR_FOREVER); /* waits while there are two */
        if (error) {
            free(line); /* it was not put, so it is still ours */
            return vr_fail(error);
        }
        printf("put %d, %zu in the queue\n", i, vr_queue_size(&queue));
    }
    vr_queue_shutdown(&queue); /* no more will come: the consumer takes what is left, and then fails */
    return vr_ok(NULL);
}

static vr_result consume(void *argument)
{
    (void)argument;
    for (;;) {
        vr_result got = vr_queue_get(&queue, VR_FOREVER);
        if (got.error)
            return vr_ok(NULL); /* the end: -ESHUTDOWN */
        vr_sleep(VR_MILLISECONDS(2));
        printf("consumed %s\n", (char *)got.value);
        free(got.value);
    }
}

int main(void)
{
    vr_greenlet *jobs[] = {vr_spawn(produce, NULL), vr_spawn(consume, NULL)};

    vr_joinall(jobs, 2, VR_FOREVER);
    for (int i = 0; i < 2; i++)
        vr_unref(jobs[i]);
    vr_queue_done(&queue);
    return vr_hub_free() ? 1 : 0;
}
