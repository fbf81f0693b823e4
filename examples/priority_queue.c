/*
 * Queues in other orders: by priority, equals as they came; and the last one first.
 */
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/queue.h>

struct job {
    int priority; /* the lowest first */
    char name[16];
};

static int by_priority(const void *left, const void *right)
{
    const struct job *a = left, *b = right;

    return (a->priority > b->priority) - (a->priority < b->priority);
}

static void pass_through(vr_queue *queue)
{
    static struct job jobs[] = {
        {2, "write a letter"}, {1, "put out a fire"}, {2, "water plants"}, {1, "call a doctor"}};

    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        vr_queue_put(queue, &jobs[i], VR_FOREVER);
    /* Without waiting: fails when there is none. */
    for (vr_result got; !(got = vr_queue_get(queue, 0)).error;) {
        const struct job *job = got.value;
        printf("  %d %s\n", job->priority, job->name);
    }
    vr_queue_done(queue);
}

int main(void)
{
    vr_queue by_urgency = VR_PRIORITY_QUEUE(0, by_priority), pile = VR_LIFO_QUEUE(0);

    puts("by priority:");
    pass_through(&by_urgency);
    puts("the last one first:");
    pass_through(&pile);
    return vr_hub_free() ? 1 : 0;
}
