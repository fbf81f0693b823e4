/* vireod: options, sockets, workers; then it waits for the signal to end. */
#include "listen.h"
#include "options.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_FAILED = 1 };

/* The workers' reports of how they started. */
struct reports {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count;
    int error;
    vr_server *upstreams; /* of the first that reported; a copy */
    size_t upstream_count;
};

struct thread {
    pthread_t id;
    struct worker_start start;
};

static void report(void *context, int error, const vr_server *upstreams, size_t upstream_count)
{
    struct reports *all = context;

    pthread_mutex_lock(&all->lock);
    all->count++;
    if (error) {
        all->error = error;
    } else if (!all->upstreams && (all->upstreams = calloc(upstream_count, sizeof *upstreams))) {
        memcpy(all->upstreams, upstreams, upstream_count * sizeof *upstreams);
        all->upstream_count = upstream_count;
    }
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* Waits until all have reported. */
static int wait_for_reports(struct reports *all, int count)
{
    pthread_mutex_lock(&all->lock);
    while (all->count < count)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    return all->error;
}

/* --- Starting --- */

/* Gives every worker its listeners. False after a message. */
static bool open_listeners(struct options *options, struct thread *threads)
{
    struct listener *opened = calloc((size_t)options->workers, sizeof *opened);
    char text[VR_SERVER_TEXT_SIZE];
    bool good = opened != NULL;

    for (size_t i = 0; good && i < options->listen_count; i++) {
        int error = listen_open(opened, options->workers, &options->listen[i]);
        if (error) {
            fprintf(stderr, "vireod: cannot listen on %s: %s\n", vr_server_text(&options->listen[i], text),
                    strerror(-error));
            good = false;
        }
        for (int w = 0; good && w < options->workers; w++) {
            struct worker *worker = &threads[w].start.worker;
            worker->listeners[worker->listener_count++] = opened[w];
        }
    }
    free(opened);
    return good;
}

/* Every connection takes a descriptor. */
static void raise_limit(void)
{
    struct rlimit descriptors;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
        return;
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
}

/*
 * Connections that a worker may hold: its share of the descriptors, but for those that it needs to go on serving all
 * others: sockets to the upstreams, listeners, the loop's own.
 */
static size_t connections_of_worker(const struct options *options)
{
    enum { MOST = 10000, LEAST = 8, KEPT_BACK = 40 };
    struct rlimit descriptors;
    size_t reserve = KEPT_BACK + 2 * options->listen_count + options->upstream_count;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
        return MOST;
    size_t share = (size_t)descriptors.rlim_cur / (size_t)options->workers;
    if (share < reserve + LEAST)
        return LEAST;
    return share - reserve < MOST ? share - reserve : MOST;
}

static bool prepare_workers(const struct options *options, struct thread *threads, struct reports *all)
{
    for (int i = 0; i < options->workers; i++) {
        struct worker *worker = &threads[i].start.worker;
        worker->listeners = calloc(options->listen_count, sizeof *worker->listeners);
        worker->upstreams = options->upstreams;
        worker->upstream_count = options->upstream_count;
        worker->connections_max = connections_of_worker(options);
        worker->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        threads[i].start.ready = report;
        threads[i].start.context = all;
        if (!worker->listeners || worker->stop < 0) {
            fprintf(stderr, "vireod: %s\n", strerror(errno));
            return false;
        }
    }
    return true;
}

static void print_ready(const struct options *options, const struct reports *all)
{
    char text[VR_SERVER_TEXT_SIZE];

    flockfile(stderr);
    fputs("vireod: listening on", stderr);
    for (size_t i = 0; i < options->listen_count; i++)
        fprintf(stderr, " %s", vr_server_text(&options->listen[i], text));
    fputs("; forwarding to", stderr);
    for (size_t i = 0; i < all->upstream_count; i++)
        fprintf(stderr, " %s", vr_server_text(&all->upstreams[i], text));
    fprintf(stderr, "; %d worker%s\n", options->workers, options->workers == 1 ? "" : "s");
    funlockfile(stderr);
}

/* --- Ending --- */

static void stop_workers(struct thread *threads, int count)
{
    const uint64_t one = 1;

    for (int i = 0; i < count; i++)
        if (write(threads[i].start.worker.stop, &one, sizeof one) < 0)
            perror("vireod: eventfd");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
}

/* Starts the workers, and serves until a signal. Returns the status to exit with. */
static int run(const struct options *options, struct thread *threads, struct reports *all, const sigset_t *signals)
{
    int started = 0, signal_number, error = 0;
    char name[24];

    while (started < options->workers) {
        error = -pthread_create(&threads[started].id, NULL, worker_main, &threads[started].start);
        if (error)
            break;
        snprintf(name, sizeof name, "worker-%d", ++started);
        pthread_setname_np(threads[started - 1].id, name);
    }
    if (!error)
        error = wait_for_reports(all, started);
    if (error) {
        fprintf(stderr, "vireod: cannot start: %s\n", strerror(-error));
    } else {
        print_ready(options, all);
        sigwait(signals, &signal_number);
        /* A second one ends the program at once. */
        pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    }
    stop_workers(threads, started);
    return error ? EXIT_FAILED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options;
    struct reports all = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    sigset_t signals;
    int status = options_read(&options, argc, argv);

    if (status != OPTIONS_RUN) {
        options_done(&options);
        return status;
    }
    /* Blocked before there are threads, so that they come to sigwait. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* while there is no worker to list its greenlets */
    raise_limit();

    struct thread *threads = calloc((size_t)options.workers, sizeof *threads);
    if (!threads) {
        fprintf(stderr, "vireod: out of memory\n");
        status = EXIT_FAILED;
    } else if (!prepare_workers(&options, threads, &all) || !open_listeners(&options, threads)) {
        status = EXIT_FAILED;
    } else {
        status = run(&options, threads, &all, &signals);
    }
    for (int i = 0; threads && i < options.workers; i++) {
        free(threads[i].start.worker.listeners);
        close(threads[i].start.worker.stop);
    }
    free(threads);
    free(all.upstreams);
    options_done(&options);
    return status;
}
