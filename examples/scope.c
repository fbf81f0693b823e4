/*
 * A scope: no child outlives it. The first failure tells all others to end, they clean up, and it is what the scope
 * ends with.
 */
#include <errno.h>
#include <stdio.h>
#include <vireo/scope.h>

static vr_result fetch(void *name)
{
    int error = vr_sleep(VR_MILLISECONDS(1));

    if (!error)
        printf("%s: done\n", (const char *)name);
    return vr_fail(error);
}

static vr_result serve(void *name)
{
    int error = vr_sleep(VR_FOREVER);

    printf("%s: %s, cleans up\n", (const char *)name, vr_strerror(error));
    vr_sleep(VR_MILLISECONDS(1)); /* whatever it takes */
    return vr_fail(error);
}

static vr_result fail_soon(void *name)
{
    vr_sleep(VR_MILLISECONDS(20));
    printf("%s: fails\n", (const char *)name);
    return vr_fail(-EIO);
}

static long all_well(void)
{
    static char left[] = "left", right[] = "right";
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, fetch, left));
    vr_unref(vr_scope_spawn(&scope, fetch, right));
    return vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER));
}

static long one_fails(void)
{
    static char server[] = "server", other[] = "other";
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    vr_unref(vr_scope_spawn(&scope, serve, server));
    vr_unref(vr_scope_spawn(&scope, fail_soon, other));
    /* The body waits for something of its own; the failure ends that, too. */
    long error = vr_sleep(VR_FOREVER);
    printf("body: %s\n", vr_strerror(error));
    return vr_scope_done(&scope, error);
}

static long first_wins(void)
{
    static char slow[] = "slow";
    vr_scope scope;

    vr_scope_init(&scope, &(vr_scope_options){.limit = VR_SECONDS(60)});
    vr_unref(vr_scope_spawn(&scope, serve, slow));
    vr_greenlet *fast = vr_scope_spawn(&scope, fetch, (char[]){"fast"});
    long error = vr_join(fast, VR_FOREVER);
    vr_unref(fast);
    return vr_scope_done(&scope, error); /* tells the slow one to end */
}

int main(void)
{
    printf("all well: %s\n", vr_strerror(all_well()));
    printf("one fails: %s\n", vr_strerror(one_fails()));
    printf("first wins: %s\n", vr_strerror(first_wins()));
    return vr_hub_free() ? 1 : 0;
}
