/*
 * Signals: main waits for the one that is to end the program, and a function is called in the hub for another, that
 * asks for a report. A program gets them from outside; this one sends them to itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/signal.h>
#include <vireo/spawn.h>

static int rounds;

static void report(vr_signal *signal, int number)
{
    (void)signal;
    printf("signal %s: %d rounds so far\n", number == SIGHUP ? "HUP" : "USR1", rounds);
}

static vr_result work(void *argument)
{
    (void)argument;
    for (;;) {
        int error = vr_sleep(VR_MILLISECONDS(1));
        if (error)
            return vr_fail(error);
        rounds++;
        if (rounds == 3)
            raise(SIGUSR1);
        if (rounds == 5)
            raise(SIGTERM);
    }
}

int main(void)
{
    vr_signal reports = VR_SIGNAL_RUN(report), stop = VR_SIGNAL;
    int error = vr_signal_start(&reports, (int[]){SIGHUP, SIGUSR1}, 2);

    if (!error)
        error = vr_signal_start(&stop, (int[]){SIGTERM, SIGINT}, 2);
    if (error) {
        fprintf(stderr, "signals: %s\n", vr_strerror(error));
        return 1;
    }
    vr_greenlet *worker = vr_spawn(work, NULL);
    int number = vr_signal_wait(&stop, VR_SECONDS(10));
    printf("told to end by signal %s\n", number == SIGTERM ? "TERM" : number == SIGINT ? "INT" : vr_strerror(number));

    vr_kill(worker, -ECANCELED);
    vr_join(worker, VR_FOREVER);
    vr_unref(worker);
    vr_signal_stop(&stop); /* from here on SIGTERM ends the program as ever */
    vr_signal_stop(&reports);
    return vr_hub_free() ? 1 : 0;
}
