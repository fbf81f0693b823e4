/*
 * The context switch by itself, without greenlets around it: what survives it, what a stack looks like that it enters,
 * and that unwinders and longjmp find their way there.
 *
 * The switch is inline, so this file is compiled several times, with the optimisation that a program may choose.
 */
#include "support.h"

#include <execinfo.h>
#include <fenv.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unwind.h>

#include "context.h"
#include "sanitize.h"

/* --- Coroutines: a context, and who comes next --- */

enum { COROUTINES = 64, STACK_SIZE = 256 * 1024 };

typedef struct coroutine {
    vr_context context;
    vr_fiber fiber;
    void (*body)(struct coroutine *self);
    char *stack;
    unsigned number;
    bool over;
    uint64_t result;
} coroutine;

static coroutine outside; /* the thread's own */
static coroutine players[COROUTINES];
static void *frame_pointer_at_begin;

/* Always inline: what is in use where it stands is what the switch must keep. */
static inline __attribute__((always_inline)) void cross(coroutine *from, coroutine *to)
{
    vr_fiber_leave(&from->fiber, &to->fiber, from->over);
    vr_context_switch(&from->context, &to->context);
    vr_fiber_enter(&from->fiber);
}

static void begin(void *argument)
{
    coroutine *self = argument;

    frame_pointer_at_begin = *(void **)__builtin_frame_address(0);
    vr_fiber_enter(&self->fiber);
    self->body(self);
    self->over = true;
    cross(self, &outside);
    abort();
}

/* Prepares the first `count` coroutines to run `body`. */
static void prepare(unsigned count, void (*body)(coroutine *self))
{
    vr_fiber_init(&outside.fiber, NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        coroutine *player = &players[i];
        char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        assert_ptr_not_equal(stack, MAP_FAILED);
        *player = (coroutine){.body = body, .stack = stack, .number = i};
        vr_context_init(&player->context, stack, STACK_SIZE, begin, player);
        vr_fiber_init(&player->fiber, stack, STACK_SIZE);
    }
}

/* Drops them, whether they have ended or not. */
static void discard(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        vr_fiber_done(&players[i].fiber);
        vr_memory_open(players[i].stack, STACK_SIZE);
        munmap(players[i].stack, STACK_SIZE);
    }
}

/* Lets one coroutine after the other run a little, until all have ended. */
static void run(unsigned count)
{
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < count; i++) {
            if (players[i].over)
                continue;
            cross(&outside, &players[i]);
            more = true;
        }
    }
}

/* Runs one coroutine to its end. */
static coroutine *run_one(void (*body)(coroutine *self))
{
    prepare(1, body);
    run(1);
    return &players[0];
}

static void give_way(coroutine *self)
{
    cross(self, &outside);
}

/* Some coroutine that has not ended, `self` or the thread itself among them; a sequence that is the same every time. */
static coroutine *anyone(void)
{
    static uint32_t x = 2463534242;
    coroutine *one;

    do {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        one = x % 16 ? &players[x / 16 % COROUTINES] : &outside;
    } while (one->over);
    return one;
}

/* --- What survives --- */

/* More variables of each kind than any machine has registers for. */
#define EACH(DO) FIRST(DO) SECOND(DO) THIRD(DO) FOURTH(DO)
#define FIRST(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define SECOND(DO) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define THIRD(DO) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23)
#define FOURTH(DO) DO(24) DO(25) DO(26) DO(27) DO(28) DO(29) DO(30) DO(31)

typedef uint32_t vector __attribute__((vector_size(16)));

#define DECLARE(n)                             \
    uint64_t integer##n = seed * 33 + (n);     \
    double real##n = (double)integer##n * 0.5; \
    vector vector##n = {seed, (n), seed ^ (n), seed + (n)};
/* Each variable is computed from itself alone, so that it has to be kept; the arithmetic is exact. */
#define ADVANCE(n)                                                \
    integer##n = integer##n * 6364136223846793005u + (n);         \
    real##n = real##n < 1e9 ? real##n * 2 + (n) : real##n * 0.25; \
    vector##n = vector##n * 69069 + (n);
#define SUM(n)                                   \
    sum = sum * 31 + integer##n;                 \
    sum = sum * 31 + (uint64_t)(int64_t)real##n; \
    sum = sum * 31 + vector##n[0] + vector##n[3];

/* Computes with all these variables; in a coroutine, switches to another after every step. */
static inline __attribute__((always_inline)) uint64_t compute(uint32_t seed, coroutine *self)
{
    uint64_t sum = 0;

    EACH(DECLARE)
    for (int step = 0; step < 200; step++) {
        EACH(ADVANCE)
        if (self) {
            coroutine *next = anyone();
            if (next != self)
                cross(self, next);
        }
    }
    EACH(SUM)
    return sum;
}

static uint64_t computed_alone(uint32_t seed)
{
    return compute(seed, NULL);
}

static void computes(coroutine *self)
{
    self->result = compute(self->number, self);
}

static void variables_survive_switches_between_many_contexts(void **state)
{
    prepare(COROUTINES, computes);
    run(COROUTINES);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_int_equal(players[i].result, computed_alone(i));
    discard(COROUTINES);
}

/*
 * call_with_registers(values, seen, function, argument): loads all registers that a function has to preserve, calls
 * function(argument), and stores what they are then.
 */
#if defined(__x86_64__)
enum { REGISTERS = 6 };
__asm__(".text\n"
        ".type call_with_registers, @function\n"
        "call_with_registers:\n\t"
        ".cfi_startproc\n\t"
        "pushq %rbx\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset rbx, 0\n\t"
        "pushq %rbp\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset rbp, 0\n\t"
        "pushq %r12\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset r12, 0\n\t"
        "pushq %r13\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset r13, 0\n\t"
        "pushq %r14\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset r14, 0\n\t"
        "pushq %r15\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_rel_offset r15, 0\n\t"
        "pushq %rsi\n\t.cfi_adjust_cfa_offset 8\n\t"
        "movq 0(%rdi), %rbx\n\t"
        "movq 8(%rdi), %rbp\n\t"
        "movq 16(%rdi), %r12\n\t"
        "movq 24(%rdi), %r13\n\t"
        "movq 32(%rdi), %r14\n\t"
        "movq 40(%rdi), %r15\n\t"
        "movq %rcx, %rdi\n\t"
        "callq *%rdx\n\t"
        "popq %rsi\n\t.cfi_adjust_cfa_offset -8\n\t"
        "movq %rbx, 0(%rsi)\n\t"
        "movq %rbp, 8(%rsi)\n\t"
        "movq %r12, 16(%rsi)\n\t"
        "movq %r13, 24(%rsi)\n\t"
        "movq %r14, 32(%rsi)\n\t"
        "movq %r15, 40(%rsi)\n\t"
        "popq %r15\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore r15\n\t"
        "popq %r14\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore r14\n\t"
        "popq %r13\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore r13\n\t"
        "popq %r12\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore r12\n\t"
        "popq %rbp\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore rbp\n\t"
        "popq %rbx\n\t.cfi_adjust_cfa_offset -8\n\t.cfi_restore rbx\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t"
        ".size call_with_registers, . - call_with_registers\n");
#elif defined(__aarch64__)
enum { REGISTERS = 19 };
__asm__(".text\n"
        ".type call_with_registers, %function\n"
        ".p2align 2\n"
        "call_with_registers:\n\t"
        ".cfi_startproc\n\t"
        "stp x29, x30, [sp, #-176]!\n\t"
        ".cfi_def_cfa_offset 176\n\t.cfi_rel_offset x29, 0\n\t.cfi_rel_offset x30, 8\n\t"
        "stp x19, x20, [sp, #16]\n\t.cfi_rel_offset x19, 16\n\t.cfi_rel_offset x20, 24\n\t"
        "stp x21, x22, [sp, #32]\n\t.cfi_rel_offset x21, 32\n\t.cfi_rel_offset x22, 40\n\t"
        "stp x23, x24, [sp, #48]\n\t.cfi_rel_offset x23, 48\n\t.cfi_rel_offset x24, 56\n\t"
        "stp x25, x26, [sp, #64]\n\t.cfi_rel_offset x25, 64\n\t.cfi_rel_offset x26, 72\n\t"
        "stp x27, x28, [sp, #80]\n\t.cfi_rel_offset x27, 80\n\t.cfi_rel_offset x28, 88\n\t"
        "stp d8, d9, [sp, #96]\n\t"
        "stp d10, d11, [sp, #112]\n\t"
        "stp d12, d13, [sp, #128]\n\t"
        "stp d14, d15, [sp, #144]\n\t"
        "str x1, [sp, #160]\n\t"
        "ldp x19, x20, [x0]\n\t"
        "ldp x21, x22, [x0, #16]\n\t"
        "ldp x23, x24, [x0, #32]\n\t"
        "ldp x25, x26, [x0, #48]\n\t"
        "ldp x27, x28, [x0, #64]\n\t"
        "ldr x29, [x0, #80]\n\t"
        "ldp d8, d9, [x0, #88]\n\t"
        "ldp d10, d11, [x0, #104]\n\t"
        "ldp d12, d13, [x0, #120]\n\t"
        "ldp d14, d15, [x0, #136]\n\t"
        "mov x0, x3\n\t"
        "blr x2\n\t"
        "ldr x1, [sp, #160]\n\t"
        "stp x19, x20, [x1]\n\t"
        "stp x21, x22, [x1, #16]\n\t"
        "stp x23, x24, [x1, #32]\n\t"
        "stp x25, x26, [x1, #48]\n\t"
        "stp x27, x28, [x1, #64]\n\t"
        "str x29, [x1, #80]\n\t"
        "stp d8, d9, [x1, #88]\n\t"
        "stp d10, d11, [x1, #104]\n\t"
        "stp d12, d13, [x1, #120]\n\t"
        "stp d14, d15, [x1, #136]\n\t"
        "ldp x19, x20, [sp, #16]\n\t"
        "ldp x21, x22, [sp, #32]\n\t"
        "ldp x23, x24, [sp, #48]\n\t"
        "ldp x25, x26, [sp, #64]\n\t"
        "ldp x27, x28, [sp, #80]\n\t"
        "ldp d8, d9, [sp, #96]\n\t"
        "ldp d10, d11, [sp, #112]\n\t"
        "ldp d12, d13, [sp, #128]\n\t"
        "ldp d14, d15, [sp, #144]\n\t"
        "ldp x29, x30, [sp], #176\n\t"
        "ret\n\t"
        ".cfi_endproc\n\t"
        ".size call_with_registers, . - call_with_registers\n");
#else
enum { REGISTERS = 0 };
#endif

#if defined(__x86_64__) || defined(__aarch64__)

void call_with_registers(const uint64_t *values, uint64_t *seen, void (*function)(coroutine *), coroutine *argument);

static void gives_way_to_anyone(coroutine *self)
{
    coroutine *next = anyone();

    if (next != self)
        cross(self, next);
}

/* Counts the registers that were not preserved. */
static void watches_registers(coroutine *self)
{
    for (uint64_t round = 0; round < 100; round++) {
        uint64_t values[REGISTERS], seen[REGISTERS];
        for (uint64_t i = 0; i < REGISTERS; i++)
            values[i] = (self->number + 1) * 0x0123456789abcdefu ^ round << 32 ^ i;
        call_with_registers(values, seen, gives_way_to_anyone, self);
        for (int i = 0; i < REGISTERS; i++)
            self->result += seen[i] != values[i];
    }
}

static void function_that_switches_preserves_the_registers_of_its_caller(void **state)
{
    prepare(COROUTINES, watches_registers);
    run(COROUTINES);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_int_equal(players[i].result, 0);
    discard(COROUTINES);
}

#endif

/* --- What belongs to the thread --- */

static void sets_errno(coroutine *self)
{
    errno = EDOM;
    give_way(self);
    self->result = (uint64_t)errno;
}

static void errno_is_the_threads(void **state)
{
    coroutine *player = &players[0];

    prepare(1, sets_errno);
    errno = 0;
    cross(&outside, player);
    assert_int_equal(errno, EDOM);
    errno = ERANGE;
    cross(&outside, player);
    assert_int_equal(player->result, ERANGE);
    discard(1);
}

static void rounds_up(coroutine *self)
{
    fesetround(FE_UPWARD);
    give_way(self);
    self->result = (uint64_t)fegetround();
}

static void rounding_mode_is_the_threads(void **state)
{
    coroutine *player = &players[0];

    /* The C library's own switch keeps the floating point environment; nobody is promised that. */
    if (VR_CONTEXT_UCONTEXT)
        skip();
    prepare(1, rounds_up);
    cross(&outside, player);
    int inherited = fegetround();
    fesetround(FE_DOWNWARD);
    cross(&outside, player);
    fesetround(FE_TONEAREST);
    assert_int_equal(inherited, FE_UPWARD);
    assert_int_equal(player->result, FE_DOWNWARD);
    discard(1);
}

/* --- The stack that is entered --- */

__attribute__((noinline)) static unsigned misaligned(const volatile void *address, uintptr_t alignment)
{
    return (uintptr_t)address % alignment != 0;
}

/* Reads so many doubles, which the caller passes in vector registers that are saved by aligned stores. */
__attribute__((noinline)) static double total(int count, ...)
{
    double sum = 0;
    va_list arguments;

    va_start(arguments, count);
    for (int i = 0; i < count; i++)
        sum += va_arg(arguments, double);
    va_end(arguments);
    return sum;
}

static void looks_at_its_stack(coroutine *self)
{
    char text[64];
    volatile vector spilled = {1, 2, 3, 4};
    _Alignas(16) volatile char sixteen[16] = {1};
    _Alignas(64) volatile char sixty_four[64] = {1};

    self->result += misaligned(__builtin_frame_address(0), 16);
    self->result += misaligned(&spilled, 16) + misaligned(sixteen, 16) + misaligned(sixty_four, 64);
    self->result += total(10, 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.) != 55;
    snprintf(text, sizeof text, "%.2f %Lg", 0.25, 1.5L);
    self->result += strcmp(text, "0.25 1.5") != 0;
}

static void stack_is_aligned_as_functions_expect(void **state)
{
    assert_int_equal(run_one(looks_at_its_stack)->result, 0);
    discard(1);
}

static void checks_argument(coroutine *self)
{
    const char *frame = __builtin_frame_address(0);

    self->result = self == &players[self->number] && frame > self->stack && frame < self->stack + STACK_SIZE;
}

static void context_begins_with_its_argument_on_its_stack(void **state)
{
    prepare(COROUTINES, checks_argument);
    run(COROUTINES);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_true(players[i].result);
    discard(COROUTINES);
}

/* Goes down to the limit, and adds up on the way back what each call had kept. Others run at every depth. */
__attribute__((noinline)) static uint64_t descend(coroutine *self, const char *limit, uint64_t depth)
{
    volatile uint64_t kept[8] = {depth, [7] = self->number};
    uint64_t below = 0;

    cross(self, &outside);
    if ((const char *)__builtin_frame_address(0) > limit)
        below = descend(self, limit, depth + 1);
    cross(self, &outside);
    return below + (kept[0] == depth && kept[7] == self->number);
}

static void recurses(coroutine *self)
{
    const char *top = __builtin_frame_address(0);

    self->result = descend(self, self->stack + STACK_SIZE / 8, 1);
    /* No call is counted that did not find what it had kept; none has more than a page. */
    if (self->result < (uint64_t)(top - self->stack - STACK_SIZE / 8) / 4096)
        self->result = 0;
}

static void deep_recursion_survives_switches_at_every_depth(void **state)
{
    prepare(4, recurses);
    run(4);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(players[i].result > 0);
        assert_int_equal(players[i].result, players[0].result);
    }
    discard(4);
}

static void begins_the_next(coroutine *self)
{
    self->result = self->number;
    if (self->number + 1 < COROUTINES)
        cross(self, &players[self->number + 1]);
    self->result *= 2;
}

static void contexts_begin_each_other(void **state)
{
    prepare(COROUTINES, begins_the_next);
    cross(&outside, &players[0]);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_int_equal(players[i].result, i + 1 == COROUTINES ? 2 * i : i);
    run(COROUTINES);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_int_equal(players[i].result, 2 * i);
    discard(COROUTINES);
}

/* --- Signals --- */

static const char *signal_frame;

static void on_signal(int number)
{
    signal_frame = __builtin_frame_address(0);
}

static void takes_a_signal(coroutine *self)
{
    raise(SIGUSR1);
    self->result = signal_frame > self->stack && signal_frame < self->stack + STACK_SIZE;
    give_way(self);
}

static void signal_is_handled_on_the_stack_that_runs(void **state)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;

    sigaction(SIGUSR1, &action, &before);
    assert_true(run_one(takes_a_signal)->result);
    sigaction(SIGUSR1, &before, NULL);
    discard(1);
}

/* --- Unwinding --- */

struct unwound {
    int frames;
    uintptr_t outermost; /* where the function of the last frame begins */
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *frame, void *argument)
{
    struct unwound *unwound = argument;

    unwound->outermost = _Unwind_GetRegionStart(frame);
    return ++unwound->frames < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

__attribute__((noinline)) static void unwinds(coroutine *self)
{
    struct unwound unwound = {0};
    void *addresses[100];

    give_way(self);
    bool ended = _Unwind_Backtrace(visit, &unwound) == _URC_END_OF_STACK;
    int depth = backtrace(addresses, 100);
    /* This function, `begin`, and the first code. */
    self->result = ended && unwound.frames >= 3 && unwound.frames < 10 && depth >= 3 && depth < 10;
#if !VR_CONTEXT_UCONTEXT
    self->result = self->result && unwound.outermost == (uintptr_t)vr_context_start;
#endif
}

static void unwinding_ends_at_the_first_code_of_a_context(void **state)
{
    assert_true(run_one(unwinds)->result);
    discard(1);
}

static void chain_of_frame_pointers_ends_at_the_first_code_of_a_context(void **state)
{
    run_one(give_way);
    if (!VR_CONTEXT_UCONTEXT)
        assert_null(frame_pointer_at_begin);
    discard(1);
}

/* --- longjmp --- */

/* Goes some calls down, and comes back by a jump or, without one, call by call. */
__attribute__((noinline)) static void go_down(coroutine *self, jmp_buf *up, int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    cross(self, &outside);
    if (frame[0] > 0)
        go_down(self, up, depth - 1);
    else if (up)
        longjmp(*up, 1);
}

static void jumps(coroutine *self)
{
    jmp_buf up;
    volatile unsigned jumps = 0, laps = 0;

    for (; laps < 10; laps++) {
        cross(self, &outside);
        if (setjmp(up) == 0)
            go_down(self, (laps + self->number) % 2 ? &up : NULL, (int)self->number % 3 + 3);
        else
            jumps++;
    }
    self->result = jumps;
}

static void longjmp_stays_on_its_stack(void **state)
{
    prepare(COROUTINES, jumps);
    run(COROUTINES);
    for (unsigned i = 0; i < COROUTINES; i++)
        assert_int_equal(players[i].result, 5);
    discard(COROUTINES);
}

/* --- Branch protection --- */

#ifdef __ARM_FEATURE_BTI_DEFAULT
#    define LANDING_PADS __ARM_FEATURE_BTI_DEFAULT
#else
#    define LANDING_PADS 0
#endif

#ifndef PROT_BTI
#    define PROT_BTI 0x10
#endif

extern char __executable_start[], etext[];

/*
 * Has the processor insist on landing pads in this program, which was compiled with them. The loader would, were the C
 * library's start-up code that is linked to it so compiled as well; so it must not run meanwhile.
 */
static void protect_branches(int protection)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)__executable_start & -page;

    if (LANDING_PADS)
        mprotect((void *)start, (uintptr_t)etext - start, PROT_READ | PROT_EXEC | protection);
}

static int demand_landing_pads(void **state)
{
    protect_branches(PROT_BTI);
    return 0;
}

static int demand_nothing(void **state)
{
    protect_branches(0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_survive_switches_between_many_contexts),
#if defined(__x86_64__) || defined(__aarch64__)
        cmocka_unit_test(function_that_switches_preserves_the_registers_of_its_caller),
#endif
        cmocka_unit_test(errno_is_the_threads),
        cmocka_unit_test(rounding_mode_is_the_threads),
        cmocka_unit_test(stack_is_aligned_as_functions_expect),
        cmocka_unit_test(context_begins_with_its_argument_on_its_stack),
        cmocka_unit_test(deep_recursion_survives_switches_at_every_depth),
        cmocka_unit_test(contexts_begin_each_other),
        cmocka_unit_test(signal_is_handled_on_the_stack_that_runs),
        cmocka_unit_test(unwinding_ends_at_the_first_code_of_a_context),
        cmocka_unit_test(chain_of_frame_pointers_ends_at_the_first_code_of_a_context),
        cmocka_unit_test(longjmp_stays_on_its_stack),
    };

    return cmocka_run_group_tests(tests, demand_landing_pads, demand_nothing);
}
