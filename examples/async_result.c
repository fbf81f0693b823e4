/*
 * A result that is to come: many ask at the same time, one greenlet finds the answer, and all get it.
 */
#include <stdint.h>
#include <stdio.h>
#include <vireo/event.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

enum { CLIENTS = 3 };

static vr_async_result answer = VR_ASYNC_RESULT_INIT;
static vr_greenlet *finder;

static vr_result find(void *argument)
{
    (void)argument;
    puts("finding the answer");
    vr_sleep(VR_MILLISECONDS(10));
    return vr_ok((void *)(intptr_t)42);
}

/* Who asks first has it found; all wait for the same result. */
static vr_result ask(void *name)
{
    if (!finder) {
        finder = vr_spawn(find, NULL);
        vr_async_result_link(&answer, finder); /* its value, or its error, becomes the answer */
    }
    vr_result got = vr_async_result_get(&answer, VR_SECONDS(5));
    if (got.error)
        printf("%s: %s\n", (const char *)name, vr_strerror(got.error));
    else
        printf("%s: %d\n", (const char *)name, (int)(intptr_t)got.value);
    return got;
}

int main(void)
{
    static char names[CLIENTS][4] = {"ann", "bob", "cid"};
    vr_greenlet *clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = vr_spawn(ask, names[i]);
    vr_joinall(clients, CLIENTS, VR_FOREVER);

    for (int i = 0; i < CLIENTS; i++)
        vr_unref(clients[i]);
    vr_unref(finder);
    return vr_hub_free() ? 1 : 0;
}
