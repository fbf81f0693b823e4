#include "overflow.h"

#include "handler.h"
#include "hub.h"
#include "sanitize.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A greenlet that needs more stack than it has comes to its guard page, and gets SIGSEGV (SIGBUS on some systems). The
 * kernel can run no handler on a stack that is full: each thread with a hub has another one for that. The handler is
 * installed once and stays for the life of the process; whatever it is called for that is no overflow goes to what
 * handled the signal before, or does what it would have done without it.
 *
 * A program's own handler, set before the first hub is made, is called by this one. One that is set later takes its
 * place, and may call this one as what was there before.
 *
 * Sanitizers: those that handle SIGSEGV themselves come second, as any handler that was there before. An overflow is
 * told in our one line, and not as AddressSanitizer's "stack-overflow"; every other fault as ever.
 */

#if VR_VALGRIND
#    define VR_ON_VALGRIND RUNNING_ON_VALGRIND
#else
#    define VR_ON_VALGRIND 0
#endif

/* The unwinder of the monitor's handler, which runs here as well, takes some 8 KiB. */
enum { SIGNAL_STACK_SIZE = 64 << 10 };

static const int numbers[] = {SIGSEGV, SIGBUS};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static struct sigaction before[NUMBERS];

static _Thread_local char *signal_stack __attribute__((tls_model("initial-exec")));

/* --- The handler --- */

static _Noreturn void tell_overflow(const vr_greenlet *greenlet)
{
    vr_line line = {.len = 0};

    vr_line_add(&line, "vireo: greenlet ");
    vr_line_add_name(&line, greenlet);
    vr_line_add(&line, " overflowed its stack of ");
    vr_line_add_number(&line, (uint64_t)((const char *)greenlet - greenlet->stack.bottom));
    vr_line_add(&line, " bytes");
    vr_line_write(&line);
    abort();
}

/* Only faults count, not what somebody sent; the address of a fault that has none is 0. */
static bool is_overflow(const siginfo_t *info)
{
    const vr_hub *hub = vr_hub_peek();

    return info->si_code > 0 && hub && hub->current->stack.bottom &&
           vr_stack_guards(hub->current->stack.bottom, info->si_addr);
}

/*
 * As if there were no handler. After the return the instruction that failed fails once more, and the program ends where
 * it is; what was sent must be sent again, and comes with the return.
 */
static void do_default(int number, const siginfo_t *info)
{
    signal(number, SIG_DFL);
    if (info->si_code <= 0)
        raise(number);
}

static void call(struct sigaction *action, int number, siginfo_t *info, void *context)
{
    struct sigaction called = *action;
    sigset_t mask = called.sa_mask, mine;

    if (called.sa_flags & (int)SA_RESETHAND)
        *action = (struct sigaction){.sa_handler = SIG_DFL};
    if (!(called.sa_flags & SA_NODEFER))
        sigaddset(&mask, number);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if (called.sa_flags & SA_NODEFER) {
        sigemptyset(&mine);
        sigaddset(&mine, number);
        pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
    }
    vr_signal_pass_on(&called, number, info, context);
}

static void handle(int number, siginfo_t *info, void *context)
{
    struct sigaction *action = &before[number == numbers[0] ? 0 : 1];

    if (is_overflow(info))
        tell_overflow(vr_hub_peek()->current);
    if (vr_signal_is_handled(action))
        call(action, number, info, context);
    else if (action->sa_handler == SIG_DFL || info->si_code > 0) /* the system heeds no SIG_IGN for faults, either */
        do_default(number, info);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    /* Asked for first: from its installation on the handler needs it. */
    for (int i = 0; i < NUMBERS; i++) {
        sigaction(numbers[i], NULL, &before[i]);
        sigaction(numbers[i], &action, NULL);
    }
}

/* --- The stack for it --- */

/* A page without access below it: a handler that goes too far does not go on in somebody else's memory. */
static char *map_stack(size_t size, size_t page)
{
    char *stack = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, page, PROT_NONE) == 0)
        return stack;
    munmap(stack, page + size);
    return NULL;
}

void vr_overflow_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    stack_t present;

    pthread_once(&once, install);
    /* The program's own, or a sanitizer's, does as well. */
    if (sigaltstack(NULL, &present) < 0 || !(present.ss_flags & SS_DISABLE))
        return;
    signal_stack = map_stack(SIGNAL_STACK_SIZE, page);
    if (signal_stack)
        sigaltstack(&(stack_t){.ss_sp = signal_stack + page, .ss_size = SIGNAL_STACK_SIZE}, NULL);
}

void vr_overflow_end(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    stack_t present;

    if (!signal_stack)
        return;
    if (sigaltstack(NULL, &present) == 0 && present.ss_sp == signal_stack + page)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    /* Valgrind goes on running handlers on a stack that was disabled. */
    if (!VR_ON_VALGRIND)
        munmap(signal_stack, page + SIGNAL_STACK_SIZE);
    signal_stack = NULL;
}
