#include <vireo/signal.h>

#include "async.h"
#include "container.h"
#include "hub.h"
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

/*
 * A handler and not a signalfd, for which a signal has to be blocked in every thread: also in those that a library has
 * started before, and in the programs that this one starts, which would inherit the mask. A handler takes the signal in
 * whatever thread, and is gone after an exec. All that it does is atomic: it goes down the list of watchers, and sends
 * the asyncs of those that are bound to the number.
 */

enum { SIGNALS = 64 };
_Static_assert(_NSIG == SIGNALS + 1, "a set of signals fits 64 bits");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all that changes what follows */
static _Atomic(vr_signal *) watchers;
static atomic_uint handlers; /* that run at this moment */
static struct {
    unsigned watchers;
    struct sigaction before; /* what it did without any */
} signals[SIGNALS];

static uint64_t bit_of(int number)
{
    return (uint64_t)1 << (number - 1);
}

/* A greenlet in vr_signal_wait, on its stack: the watcher may be freed before it has its turn. */
struct vr_signal_waiter {
    vr_greenlet *greenlet;
    bool stopped;
};

/* --- Fork --- */

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
    atomic_store(&handlers, 0);
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    watching_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* --- The handler --- */

/* Sequentially consistent, as is all here: whoever has taken a watcher off the list, and then sees no handler run, is
 * sure that none will come to it. */
static void take_note(int number)
{
    atomic_fetch_add(&handlers, 1);
    for (vr_signal *signal = atomic_load(&watchers); signal; signal = atomic_load(&signal->next)) {
        if (signal->numbers & bit_of(number)) {
            atomic_fetch_or(&signal->pending, bit_of(number));
            vr_async_send(&signal->async);
        }
    }
    atomic_fetch_sub(&handlers, 1);
}

/* SA_ONSTACK: a greenlet's stack may have little room left. */
static int install(int number)
{
    struct sigaction action = {.sa_handler = take_note, .sa_flags = SA_RESTART | SA_ONSTACK};

    if (signals[number - 1].watchers == 0 && sigaction(number, &action, &signals[number - 1].before) < 0)
        return -errno;
    signals[number - 1].watchers++;
    return 0;
}

/* Not if the program has put another handler in its place since. */
static void uninstall(int number)
{
    struct sigaction now;

    if (--signals[number - 1].watchers == 0 && sigaction(number, NULL, &now) == 0 && now.sa_handler == take_note)
        sigaction(number, &signals[number - 1].before, NULL);
}

static void uninstall_all(uint64_t numbers)
{
    for (int number = 1; number <= SIGNALS; number++)
        if (numbers & bit_of(number))
            uninstall(number);
}

void vr_signals_forget(void)
{
    vr_signal *signal = atomic_load(&watchers);

    atomic_store(&watchers, NULL);
    for (; signal; signal = atomic_load(&signal->next)) {
        uninstall_all(signal->numbers);
        signal->numbers = 0;
        if (signal->async.inbox->hub == vr_hub_peek())
            vr_async_done(&signal->async);
    }
}

/* --- In the hub --- */

/* The lowest number that has come, taken off; 0 when none has. */
static int take_pending(vr_signal *signal)
{
    uint64_t pending = atomic_load(&signal->pending);

    if (!pending)
        return 0;
    int number = __builtin_ctzll(pending) + 1;
    atomic_fetch_and(&signal->pending, ~bit_of(number));
    return number;
}

static void tell(vr_async *async)
{
    vr_signal *signal = VR_CONTAINER(async, vr_signal, async);

    if (signal->waiter && atomic_load(&signal->pending))
        vr_hub_wake(signal->waiter->greenlet);
    if (!signal->run)
        return;
    int number = take_pending(signal);
    /* The rest in another run: this one may free the watcher. */
    if (atomic_load(&signal->pending))
        vr_async_send(async);
    if (number)
        signal->run(signal, number);
}

/* --- Binding --- */

/* The set of the numbers; 0 when one is not to be bound. */
static uint64_t set_of(const int numbers[], size_t count)
{
    uint64_t set = 0;

    for (size_t i = 0; i < count; i++) {
        switch (numbers[i]) {
        case SIGKILL:
        case SIGSTOP:
        case SIGSEGV:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
        case SIGTRAP:
        case SIGABRT:
        case SIGSYS:
            return 0;
        default:
            if (numbers[i] < 1 || numbers[i] > SIGNALS)
                return 0;
            set |= bit_of(numbers[i]);
        }
    }
    return set;
}

/* Locked; 0 or an error, and then none is installed. */
static int install_all(uint64_t numbers)
{
    int error = 0;

    for (int number = 1; number <= SIGNALS && !error; number++) {
        if (!(numbers & bit_of(number)))
            continue;
        error = install(number);
        if (error)
            uninstall_all(numbers & (bit_of(number) - 1));
    }
    return error;
}

/* Locked. */
static void take_off(vr_signal *signal)
{
    vr_signal *next = atomic_load(&signal->next), *before = atomic_load(&watchers);

    if (before == signal) {
        atomic_store(&watchers, next);
        return;
    }
    while (atomic_load(&before->next) != signal)
        before = atomic_load(&before->next);
    atomic_store(&before->next, next);
}

/* No handler comes to a watcher any more that has been taken off the list. */
static void end_binding(vr_signal *signal)
{
    while (atomic_load(&handlers))
        sched_yield();
    vr_async_done(&signal->async);
    signal->numbers = 0;
}

int vr_signal_start(vr_signal *signal, const int numbers[], size_t count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint64_t set = set_of(numbers, count);

    if (signal->numbers)
        return -EALREADY;
    if (!set)
        return -EINVAL;
    pthread_once(&once, watch_forks);
    int error = watching_forks ? -watching_forks : vr_async_init(&signal->async, tell);
    if (error)
        return error;
    atomic_store(&signal->pending, 0);
    signal->waiter = NULL;
    signal->numbers = set;

    /* In the list before a handler is installed, so that none of its signals is lost. */
    pthread_mutex_lock(&lock);
    atomic_store(&signal->next, atomic_load(&watchers));
    atomic_store(&watchers, signal);
    error = install_all(set);
    if (error)
        take_off(signal);
    pthread_mutex_unlock(&lock);
    if (error)
        end_binding(signal);
    return error;
}

void vr_signal_stop(vr_signal *signal)
{
    if (!signal || !signal->numbers)
        return;
    vr_async_check_thread(&signal->async);
    pthread_mutex_lock(&lock);
    uninstall_all(signal->numbers);
    take_off(signal);
    pthread_mutex_unlock(&lock);
    end_binding(signal);
    if (signal->waiter) {
        signal->waiter->stopped = true;
        vr_hub_wake(signal->waiter->greenlet);
        signal->waiter = NULL;
    }
}

/* --- Waiting --- */

/* What reports tell of a wait: the number, or 0 for several. */
static uintptr_t number_waited_for(uint64_t numbers)
{
    return numbers & (numbers - 1) ? 0 : (uintptr_t)__builtin_ctzll(numbers) + 1;
}

static int wait_for(vr_hub *hub, vr_signal *signal, vr_time timeout)
{
    struct vr_signal_waiter waiter = {.greenlet = hub->current};

    /* Counted as a wait for I/O is, which also comes from outside. */
    hub->poller.waits++;
    signal->waiter = &waiter;
    int error = vr_hub_park(hub, timeout, VR_WAIT_SIGNAL, (const void *)number_waited_for(signal->numbers));
    hub->poller.waits--;
    if (waiter.stopped)
        return error ? error : -ECANCELED;
    signal->waiter = NULL;
    if (error && error != -ETIMEDOUT)
        return error;
    /* One that has come by now wins, also where the hub has not told of it. */
    int number = take_pending(signal);
    return number ? number : error;
}

int vr_signal_wait(vr_signal *signal, vr_time timeout)
{
    vr_hub *hub = vr_hub_peek();
    int error = 0;

    if (!signal->numbers || signal->run || !hub || signal->async.inbox != hub->poller.inbox)
        return -EINVAL;
    if (signal->waiter)
        return -EBUSY;
    int number = take_pending(signal);
    if (number)
        return number;
    return vr_hub_to_block(&error) ? wait_for(hub, signal, timeout) : error;
}
