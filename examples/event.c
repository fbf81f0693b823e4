/*
 * An event: greenlets that wait until something has happened. They go on in the order in which they came.
 */
#include <stdio.h>
#include <vireo/event.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

enum { CLIENTS = 3 };
static vr_event ready = VR_EVENT_INIT;

static vr_result serve(void *name)
{
    printf("%s waits for the cache\n", (const char *)name);
    int error = vr_event_wait(&ready, VR_SECONDS(5)); /* does not switch once the event is set */
    if (error)
        return vr_fail(error);
    printf("%s is served\n", (const char *)name);
    return vr_ok(NULL);
}

static vr_result load_cache(void *argument)
{
    (void)argument;
    vr_sleep(VR_MILLISECONDS(10)); /* reads it from somewhere */
    puts("the cache is loaded");
    vr_event_set(&ready);
    return vr_ok(NULL);
}

int main(void)
{
    static char names[CLIENTS][4] = {"ann", "bob", "cid"};
    vr_greenlet *clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = vr_spawn(serve, names[i]);
    vr_unref(vr_spawn(load_cache, NULL)); /* goes its own way */

    vr_joinall(clients, CLIENTS, VR_FOREVER);
    for (int i = 0; i < CLIENTS; i++)
        vr_unref(clients[i]);
    return vr_hub_free() ? 1 : 0;
}
