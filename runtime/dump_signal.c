#include <vireo/dump.h>

#include "container.h"
#include "handler.h"
#include "hub.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <vireo/async.h>

/*
 * Who a thread's hub is in the middle of is for that thread alone to know, and names and records may go at any moment.
 * So the handler, in whatever thread the system runs it, sends the signal on to each thread with a binding; there it
 * can look at what it has interrupted. That it was sent on is noted in the binding and not with the signal, as the
 * system drops what comes with a signal when too many are pending, and threads would send it to each other for ever.
 *
 * A handler of its own and not a watcher of <vireo/signal.h>, whose handler only takes note: nobody would be told of a
 * hub that is blocked.
 */

/* A thread's. */
typedef struct binding {
    vr_async async;
    vr_hub *hub;
    pid_t thread;
    atomic_bool forwarded; /* the signal that comes next; it is not to be sent on */
    _Atomic(struct binding *) next;
} binding;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all that changes what follows */
static _Atomic(binding *) bindings;
static atomic_uint handlers; /* that run at this moment */
static int bound_number;
static struct sigaction before;

static _Thread_local binding *own __attribute__((tls_model("initial-exec")));

/* --- Fork: the child has this thread only --- */

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
    if (own) {
        own->thread = gettid();
        atomic_store(&own->forwarded, false);
        atomic_store(&own->next, NULL);
    }
    atomic_store(&bindings, own);
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    watching_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* --- The handler --- */

/* In the hub's own thread. */
static void ask(binding *asked)
{
    const vr_hub *hub = asked->hub;
    const vr_greenlet *current = hub->current;
    vr_line line = {.len = 0};

    if (!hub->polling) {
        vr_line_add(&line, "vireo: thread ");
        vr_line_add_number(&line, (uint64_t)asked->thread);
        vr_line_add(&line, " runs greenlet ");
        vr_line_add_name(&line, current);
        if (current->site) {
            vr_line_add(&line, " (");
            vr_line_add(&line, current->site);
            vr_line_add(&line, ")");
        }
        vr_line_add(&line, ", and lists its greenlets after that");
        vr_line_write(&line);
    }
    vr_async_send(&asked->async);
}

static void forward(int number)
{
    for (binding *other = atomic_load(&bindings); other; other = atomic_load(&other->next))
        if (other != own) {
            atomic_store(&other->forwarded, true);
            tgkill(getpid(), other->thread, number);
        }
}

static void handle(int number)
{
    int saved_errno = errno;

    /* Sequentially consistent, as is all here: whoever has taken a binding off the list, and then sees no handler run,
     * is sure that none will come to it. */
    atomic_fetch_add(&handlers, 1);
    if (!own || !atomic_exchange(&own->forwarded, false))
        forward(number);
    if (own)
        ask(own);
    atomic_fetch_sub(&handlers, 1);
    errno = saved_errno;
}

/* In the hub. */
static void write_dump(vr_async *async)
{
    (void)async;
    if (vr_dump(stderr) == -ENOMEM)
        fputs("vireo: no memory to list the greenlets\n", stderr);
}

/* --- Binding --- */

/* Locked. 0 or an error. */
static int install(int number)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK}, now;

    if (atomic_load(&bindings))
        return number == bound_number ? 0 : -EBUSY;
    if (sigaction(number, NULL, &now) < 0)
        return -errno;
    if (vr_signal_is_handled(&now))
        return -EBUSY;
    if (sigaction(number, &action, &before) < 0)
        return -errno;
    bound_number = number;
    return 0;
}

/* Locked. Not if the program has put another handler in its place since. */
static void uninstall(void)
{
    struct sigaction now;

    if (sigaction(bound_number, NULL, &now) == 0 && now.sa_handler == handle)
        sigaction(bound_number, &before, NULL);
}

/* Locked. */
static void take_off(binding *taken)
{
    _Atomic(binding *) *link = &bindings;

    while (atomic_load(link) != taken)
        link = &atomic_load(link)->next;
    atomic_store(link, atomic_load(&taken->next));
}

static bool may_be_bound(int number)
{
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGSYS:
        return false;
    default:
        return true; /* the system refuses the others itself */
    }
}

int vr_dump_on_signal(int number)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (own)
        return -EALREADY;
    if (!may_be_bound(number))
        return -EINVAL;
    pthread_once(&once, watch_forks);
    binding *made = watching_forks ? NULL : calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int error = vr_async_init(&made->async, write_dump);
    if (!error) {
        made->hub = vr_hub_peek();
        made->thread = gettid();
        pthread_mutex_lock(&lock);
        error = install(number);
        if (!error) {
            atomic_store(&made->next, atomic_load(&bindings));
            atomic_store(&bindings, made);
            own = made;
        }
        pthread_mutex_unlock(&lock);
    }
    if (error) {
        vr_async_done(&made->async);
        free(made);
    }
    return error;
}

void vr_dump_off_signal(void)
{
    binding *ended = own;

    if (!ended)
        return;
    pthread_mutex_lock(&lock);
    own = NULL;
    take_off(ended);
    if (!atomic_load(&bindings))
        uninstall();
    pthread_mutex_unlock(&lock);
    while (atomic_load(&handlers))
        sched_yield();
    vr_async_done(&ended->async);
    free(ended);
}
