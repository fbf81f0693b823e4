#include "monitor.h"

#include "handler.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

/*
 * The monitor's thread samples two words of each hub: the count of its switches and turns, and whether it waits in the
 * kernel. As long as the first stays the same and the second is false, one thing has run all the time. Samples can lag
 * behind by a moment, so the last word is the hub's own thread's: the handler of the monitor's signal looks again,
 * where nothing can go on meanwhile, before it takes note of what it has interrupted.
 *
 * The signal is SIGURG: ignored unless somebody handles it, so that one that comes late does no harm; never used by the
 * C library; passed over by debuggers. Go chose it for the same reasons.
 */

enum {
    ANSWER_SECONDS = 1
}; /* before a report goes without frames; a handler runs at once unless the signal is blocked */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all of this */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static vr_watch *watches;
static pthread_t monitor;
static bool running, ending; /* the monitor's thread */
static struct sigaction before;

static _Thread_local vr_watch *own __attribute__((tls_model("initial-exec")));

static vr_time system_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (vr_time)now.tv_sec * VR_SECONDS(1) + now.tv_nsec;
}

/* --- Watching --- */

bool vr_watch_look(vr_watch *watch, vr_time now)
{
    bool polling = __atomic_load_n(&watch->hub->polling, __ATOMIC_RELAXED);
    uint64_t switches = __atomic_load_n(&watch->hub->switches, __ATOMIC_RELAXED);

    if (polling || switches != watch->switches) {
        watch->switches = switches;
        watch->since = now;
        watch->told = false;
    }
    if (watch->told || polling || now - watch->since < watch->limit)
        return false;
    watch->told = true;
    return true;
}

/* --- In the thread that is watched --- */

/* Where the signal came, in the frames that were found: those before it are the handler's. */
static int first_frame(void *const frames[], int count, const void *context)
{
#if defined(__x86_64__)
    const void *pc = (const void *)(uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    const void *pc = (const void *)(uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    const void *pc = context; /* no frame's: all are kept */
#endif

    for (int i = 0; i < count; i++)
        if (frames[i] == pc)
            return i;
    return 0;
}

static void take_note(vr_watch *watch, const void *context)
{
    const vr_greenlet *current = watch->hub->current;
    vr_line name = {.len = 0};

    vr_line_add_name(&name, current);
    name.text[sizeof watch->name - 1] = '\0';
    memcpy(watch->name, name.text, sizeof watch->name);
    watch->site = current->site;
    int count = backtrace(watch->frames, VR_FRAMES_MAX);
    int first = first_frame(watch->frames, count, context);
    watch->frame_count = count - first;
    memmove(watch->frames, watch->frames + first, (size_t)watch->frame_count * sizeof watch->frames[0]);
}

static void answer(vr_watch *watch, const void *context)
{
    vr_inquiry asked = VR_INQUIRY_ASKED;

    if (!watch || !atomic_compare_exchange_strong(&watch->state, &asked, VR_INQUIRY_BEING_ANSWERED))
        return;
    bool valid = watch->hub->switches == watch->switches && !watch->hub->polling;
    if (valid)
        take_note(watch, context);
    atomic_store(&watch->state, valid ? VR_INQUIRY_ANSWERED : VR_INQUIRY_OUTDATED);
    sem_post(&watch->answer);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    /* Whatever signal it is: ours is dropped while another one is pending. */
    answer(own, context);
    if (!vr_signal_is_marked(info, &watches) && vr_signal_is_handled(&before))
        vr_signal_pass_on(&before, number, info, context);
    errno = saved_errno;
}

/* --- In the monitor --- */

/* Waits for the answer. False when there will be none. */
static bool await_answer(vr_watch *watch)
{
    struct timespec end;
    vr_inquiry asked = VR_INQUIRY_ASKED;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ANSWER_SECONDS;
    while (sem_timedwait(&watch->answer, &end) < 0) {
        if (errno == EINTR)
            continue;
        if (atomic_compare_exchange_strong(&watch->state, &asked, VR_INQUIRY_NONE))
            return false;
        /* It is being written at this moment. */
        while (sem_wait(&watch->answer) < 0) {
        }
        return true;
    }
    return true;
}

static vr_inquiry inquire(vr_watch *watch)
{
    atomic_store(&watch->state, VR_INQUIRY_ASKED);
    if (!vr_signal_thread(watch->thread, SIGURG, &watches))
        return VR_INQUIRY_OUTDATED; /* the thread has ended without vr_hub_free */
    return await_answer(watch) ? atomic_load(&watch->state) : VR_INQUIRY_NONE;
}

static void print_stall(const vr_stall *stall)
{
    flockfile(stderr);
    fprintf(stderr, "vireo: greenlet %s%s%s%s of thread %ld has not given way for %lld ms\n", stall->greenlet,
            stall->site ? " (" : "", stall->site ? stall->site : "", stall->site ? ")" : "", stall->thread,
            (long long)(stall->duration / VR_MILLISECONDS(1)));
    for (size_t i = 0; i < stall->frame_count; i++) {
        if (stall->frame_texts)
            fprintf(stderr, "    %s\n", stall->frame_texts[i]);
        else
            fprintf(stderr, "    %p\n", stall->frames[i]);
    }
    funlockfile(stderr);
}

/* Without the lock. */
static void report(vr_watch *watch, vr_time duration)
{
    vr_inquiry state = inquire(watch);
    vr_stall stall = {.greenlet = "unknown", .duration = duration, .thread = watch->thread};

    if (state == VR_INQUIRY_OUTDATED)
        return;
    if (state == VR_INQUIRY_ANSWERED) {
        stall.greenlet = watch->name;
        stall.site = watch->site;
        stall.frames = watch->frames;
        stall.frame_count = (size_t)watch->frame_count;
        stall.frame_texts = backtrace_symbols(watch->frames, watch->frame_count);
    }
    (watch->handler ? watch->handler : print_stall)(&stall);
    free(stall.frame_texts);
}

/* Locked, but not all the time: true when something was reported, and the list may be another. */
static bool look_at_all(vr_time now)
{
    for (vr_watch *watch = watches; watch; watch = watch->next) {
        if (!vr_watch_look(watch, now))
            continue;
        watch->busy = true;
        pthread_mutex_unlock(&lock);
        report(watch, now - watch->since);
        pthread_mutex_lock(&lock);
        watch->busy = false;
        pthread_cond_broadcast(&changed);
        return true;
    }
    return false;
}

/* Locked: how long until the next look. */
static vr_time interval(void)
{
    enum { LOOKS_PER_LIMIT = 4 };
    vr_time shortest = VR_FOREVER;

    for (const vr_watch *watch = watches; watch; watch = watch->next)
        if (watch->limit < shortest)
            shortest = watch->limit;
    return shortest / LOOKS_PER_LIMIT < VR_MILLISECONDS(1) ? VR_MILLISECONDS(1) : shortest / LOOKS_PER_LIMIT;
}

static void *watch_all(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (watches) {
        vr_time now = system_now();
        if (look_at_all(now))
            continue;
        vr_time end = now + interval();
        struct timespec when = {.tv_sec = end / VR_SECONDS(1), .tv_nsec = end % VR_SECONDS(1)};
        pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &when);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* --- The monitor's life; locked --- */

/* The program's signals are not for this thread. */
static int start_thread(void)
{
    sigset_t all, mask;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int error = -pthread_create(&monitor, NULL, watch_all, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return error;
}

static int start_monitor(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    sigaction(SIGURG, NULL, &before);
    sigaction(SIGURG, &action, NULL);
    int error = start_thread();
    if (error)
        sigaction(SIGURG, &before, NULL);
    else
        running = true;
    return error;
}

static void end_monitor(void)
{
    struct sigaction now;

    ending = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(monitor, NULL);
    pthread_mutex_lock(&lock);
    running = ending = false;
    /* Not if the program has put another handler in its place since. */
    if (sigaction(SIGURG, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == handle)
        sigaction(SIGURG, &before, NULL);
    pthread_cond_broadcast(&changed);
}

/* --- Fork: the child has no monitor --- */

static int watching_forks; /* an errno */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    free(own);
    own = watches = NULL;
    running = ending = false;
    changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    watching_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* --- For programs --- */

static void add(vr_watch *watch)
{
    watch->since = system_now();
    watch->next = watches;
    watches = watch;
    pthread_cond_broadcast(&changed); /* its limit may be the shortest */
}

static void take_off(vr_watch *watch)
{
    vr_watch **link = &watches;

    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
}

static vr_watch *make_watch(vr_time limit, vr_stall_handler *handler)
{
    const vr_hub *hub = vr_hub_get();
    vr_watch *watch = hub ? calloc(1, sizeof *watch) : NULL;

    if (!watch)
        return NULL;
    watch->hub = hub;
    watch->thread = gettid();
    watch->limit = limit;
    watch->handler = handler;
    watch->switches = hub->switches;
    sem_init(&watch->answer, 0, 0);
    return watch;
}

int vr_monitor_start(vr_time limit, vr_stall_handler *handler)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (own)
        return -EALREADY;
    if (limit <= 0)
        return -EINVAL;
    pthread_once(&once, watch_forks);
    vr_watch *watch = watching_forks ? NULL : make_watch(limit, handler);
    if (!watch)
        return -ENOMEM;
    /* Its first call loads a library, which no handler may do. */
    backtrace(watch->frames, 1);
    own = watch;
    pthread_mutex_lock(&lock);
    while (ending)
        pthread_cond_wait(&changed, &lock);
    add(watch);
    int error = running ? 0 : start_monitor();
    if (error)
        take_off(watch);
    pthread_mutex_unlock(&lock);
    if (error) {
        own = NULL;
        free(watch);
    }
    return error;
}

void vr_monitor_stop(void)
{
    vr_watch *watch = own;

    if (!watch)
        return;
    pthread_mutex_lock(&lock);
    while (watch->busy)
        pthread_cond_wait(&changed, &lock);
    take_off(watch);
    own = NULL;
    if (!watches)
        end_monitor();
    pthread_mutex_unlock(&lock);
    sem_destroy(&watch->answer);
    free(watch);
}
