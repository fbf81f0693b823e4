/*
 * The addresses of three names, all looked up at the same time, in two seconds at most.
 *
 * The servers are those of the environment variable VIREO_RESOLVERS ("dns://192.0.2.1 ..."), or the system's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <vireo/hub.h>
#include <vireo/resolve.h>
#include <vireo/spawn.h>

enum { NAMES = 3 };

static vr_result resolve(void *name)
{
    return vr_gethostbyname(name);
}

static const char *outcome(const vr_greenlet *job)
{
    if (!vr_ready(job))
        return "timed out";
    return vr_successful(job) ? vr_value(job) : vr_dns_strerror(vr_error(job));
}

int main(void)
{
    static char names[NAMES][24] = {"www.google.com", "www.example.com", "www.python.org"};
    vr_greenlet *jobs[NAMES];

    for (int i = 0; i < NAMES; i++)
        jobs[i] = vr_spawn(resolve, names[i]); /* queued, not run: the hub runs it */
    vr_joinall(jobs, NAMES, VR_SECONDS(2));    /* waits for all, at most 2 s */
    for (int i = 0; i < NAMES; i++)
        printf("%s %s\n", names[i], outcome(jobs[i]));

    /* Ends what still runs, and gives everything back. */
    vr_killall(jobs, NAMES, -ECANCELED, VR_FOREVER);
    for (int i = 0; i < NAMES; i++) {
        free(vr_value(jobs[i]));
        vr_unref(jobs[i]);
    }
    vr_resolver_default_free();
    return vr_hub_free() ? 1 : 0;
}
