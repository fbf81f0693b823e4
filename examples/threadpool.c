/*
 * A thread pool: what would keep all greenlets waiting, long computations and calls that block, runs in threads. Prints
 * how many primes there are below some numbers, and gives up on a call that takes too long.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/threadpool.h>

enum { COUNTS = 3 };

static vr_result count_primes(void *argument)
{
    intptr_t limit = (intptr_t)argument, count = 0;

    for (intptr_t n = 2; n < limit; n++) {
        intptr_t divisor = 2;
        while (divisor * divisor <= n && n % divisor)
            divisor++;
        count += divisor * divisor > n;
    }
    return vr_ok((void *)count);
}

static vr_result ask_slowly(void *question)
{
    usleep(200 * 1000); /* stands for a library that knows no hub */
    return vr_ok(question);
}

/* In the hub, when nobody took the result: what the caller has left is the job's. */
static void forget(void *question, vr_result result)
{
    (void)result;
    printf("forgotten: %s\n", (const char *)question);
    free(question);
}

int main(void)
{
    void *limits[COUNTS] = {(void *)100, (void *)1000, (void *)10000};
    vr_result counts[COUNTS];
    vr_threadpool *pool = vr_threadpool_new(2);

    if (!pool) {
        perror("vr_threadpool_new");
        return 1;
    }
    if (vr_threadpool_map(pool, count_primes, limits, COUNTS, counts, VR_FOREVER) == 0)
        for (int i = 0; i < COUNTS; i++)
            printf("below %d: %d primes\n", (int)(intptr_t)limits[i], (int)(intptr_t)counts[i].value);

    /* The caller leaves when its time is up. The call cannot be stopped: it gets memory that is its own. */
    char *question = strdup("what is the answer?");
    vr_result answer = vr_threadpool_apply(pool, ask_slowly, question, forget, VR_MILLISECONDS(10));
    printf("answer: %s\n", answer.error ? vr_strerror(answer.error) : "there is one");

    vr_threadpool_join(pool, VR_FOREVER);
    vr_threadpool_free(pool);
    return vr_hub_free() ? 1 : 0;
}
