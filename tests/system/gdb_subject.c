/*
 * A program for gdb to look at: when it comes to stop_here, it has two hubs, and greenlets in every state. With an
 * argument it aborts there, to leave a core file.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/spawn.h>

static sem_t parked;

/* Functions that a backtrace has to show are no part of others, and call what is not their last act. */
#define SHOWN __attribute__((noinline))

SHOWN static void stop_here(bool abandon)
{
    if (abandon)
        abort();
}

SHOWN static int nap(int depth)
{
    return depth > 0 ? nap(depth - 1) + 1 : vr_sleep(VR_SECONDS(1000)) + 1;
}

static vr_result sleeps(void *depth)
{
    return vr_fail(nap(*(int *)depth) - 1);
}

static vr_result reads(void *fd)
{
    char octet;

    return vr_fail(vr_read(*(int *)fd, &octet, 1, VR_FOREVER));
}

static vr_result joins(void *other)
{
    return vr_fail(vr_join(other, VR_FOREVER));
}

static vr_result gives_way(void *argument)
{
    while (vr_sleep(0) == 0) {
    }
    return vr_ok(argument);
}

static vr_result ends(void *argument)
{
    return vr_ok(argument);
}

static vr_result stops(void *abandon)
{
    stop_here(*(bool *)abandon);
    return vr_ok(abandon);
}

static vr_greenlet *named(vr_greenlet *greenlet, const char *name)
{
    vr_set_name(greenlet, name);
    return greenlet;
}

/* Another thread, with one greenlet that sleeps. */
static void *run_thread(void *depth)
{
    named(vr_spawn(sleeps, depth), "elsewhere");
    vr_sleep(0);
    sem_post(&parked);
    vr_sleep(VR_FOREVER);
    return NULL;
}

int main(int argc, char **argv)
{
    static int ends_of_pipe[2], shallow, deep = 3;
    bool abandon = argc > 1;
    pthread_t thread;

    (void)argv;

    if (sem_init(&parked, 0, 0) || pthread_create(&thread, NULL, run_thread, &shallow) || sem_wait(&parked) ||
        pipe(ends_of_pipe) || vr_set_nonblocking(ends_of_pipe[0]))
        return 1;
    vr_greenlet *sleeper = named(vr_spawn(sleeps, &deep), "sleeper");
    named(vr_spawn(reads, &ends_of_pipe[0]), "reader");
    named(vr_spawn(joins, sleeper), "joiner");
    named(vr_spawn(ends, NULL), "corpse");
    named(vr_spawn(gives_way, NULL), "yielder");
    vr_spawn(sleeps, &shallow);
    vr_sleep(0);
    named(vr_spawn(stops, &abandon), "stopper");
    named(vr_spawn(ends, NULL), "late");
    vr_sleep(VR_FOREVER);
    return 0;
}
