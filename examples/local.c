/*
 * Greenlet-local storage: functions that are called deep down know for whom they work, without being told by everybody
 * in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vireo/hub.h>
#include <vireo/local.h>
#include <vireo/spawn.h>

/* Each greenlet's value is freed when the greenlet ends. */
static vr_local user = VR_LOCAL(free);

static void say(const char *what)
{
    const char *name = vr_local_get(&user);

    printf("%s: %s\n", name ? name : "nobody", what);
}

static vr_result session(void *name)
{
    vr_local_set(&user, strdup(name));
    say("hello");
    vr_sleep(0); /* the other one has its turn */
    say("goodbye");
    return vr_ok(NULL);
}

int main(void)
{
    char alice[] = "alice", bob[] = "bob";
    vr_greenlet *sessions[] = {vr_spawn(session, alice), vr_spawn(session, bob)};

    vr_joinall(sessions, 2, VR_FOREVER);
    say("I have none");
    vr_unref(sessions[0]);
    vr_unref(sessions[1]);
    return vr_hub_free() ? 1 : 0;
}
