/*
 * A greenlet that overflows its stack is told by name, and every other crash is what it would be without us. Each case
 * is a child process of one that has never made a hub: the handler is installed with a process's first.
 */
#include "report_support.h"
#include "thread_support.h"

#include <vireo/dump.h>

#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

static bool without_guard_markers;

int __real_madvise(void *start, size_t size, int advice);
int __wrap_madvise(void *start, size_t size, int advice);
int __wrap_madvise(void *start, size_t size, int advice)
{
    if (advice == MADV_GUARD_INSTALL && without_guard_markers) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(start, size, advice);
}

THREAD_WRAP(void *, mmap, (void *start, size_t size, int protection, int flags, int fd, off_t offset), MAP_FAILED,
            (start, size, protection, flags, fd, offset))

/* --- Children --- */

static char output[65536]; /* what the last one wrote to stderr */

/* Runs `body` in a child process. Returns how that ended, as waitpid(2) tells it; 0 when `body` has returned. */
static int run(void (*body)(void))
{
    int ends[2], status;
    size_t len = 0;
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        /* cmocka's are not ours to test. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    while ((n = read(ends[0], output + len, sizeof output - 1 - len)) > 0)
        len += (size_t)n;
    output[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

#define assert_killed(status, number)                                                                \
    do {                                                                                             \
        int status_ = (status);                                                                      \
        if (!WIFSIGNALED(status_) || WTERMSIG(status_) != (number))                                  \
            fail_msg("status %x and not signal %d; stderr:\n%s", (unsigned)status_, number, output); \
    } while (0)

/* Valgrind puts a status of its own in the place of that of a program in which it has found errors, such as these. */
#define assert_exits(status, expected)                        \
    do {                                                      \
        int status_ = (status);                               \
        assert_true(WIFEXITED(status_));                      \
        if (!RUNNING_ON_VALGRIND)                             \
            assert_int_equal(WEXITSTATUS(status_), expected); \
    } while (0)

/* The sanitizers' own handlers end a program with a status of theirs. */
static void assert_crashed(int status, int number)
{
    if (SANITIZED && WIFEXITED(status))
        assert_true(WEXITSTATUS(status) != 0 && strstr(output, "Sanitizer"));
    else
        assert_killed(status, number);
    assert_null(strstr(output, "overflowed"));
}

static volatile bool endless = true;

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char room[400];

    room[0] = room[399] = (char)depth;
    return endless ? recurse(depth + 1) + room[0] : room[399];
}

static vr_result overflows(void *argument)
{
    return vr_ok(number(recurse(0)));
}

static bool prints_size(const vr_greenlet_info *info, void *context)
{
    if (info->greenlet == context)
        fprintf(stderr, "size %zu\n", info->stack_size);
    return true;
}

static void overflow(const char *name, size_t stack_size)
{
    vr_greenlet *greenlet = vr_spawn_with(&(vr_spawn_options){.name = name, .stack_size = stack_size}, overflows, NULL);

    vr_greenlet_each(prints_size, greenlet);
    vr_join(greenlet, VR_FOREVER);
}

/* --- Overflows --- */

static void overflow_named(void)
{
    overflow("deep", 0);
}

static size_t told_size(void)
{
    size_t size = 0;
    const char *told = strstr(output, "size ");

    assert_non_null(told);
    sscanf(told, "size %zu", &size);
    return size;
}

static void overflow_is_told_with_name_and_size_and_aborts(void **state)
{
    char expected[128];

    for (int i = 0; i < 2; i++) {
        without_guard_markers = i == 1;
        assert_killed(run(overflow_named), SIGABRT);
        snprintf(expected, sizeof expected, "size %zu\nvireo: greenlet deep overflowed its stack of %zu bytes\n",
                 told_size(), told_size());
        assert_string_equal(output, expected);
    }
    without_guard_markers = false;
}

static void overflow_nameless(void)
{
    overflow(NULL, 0);
}

static void greenlet_without_a_name_is_told_by_number(void **state)
{
    assert_killed(run(overflow_nameless), SIGABRT);
    assert_matches(output, "^vireo: greenlet greenlet-3 overflowed its stack of [0-9]+ bytes$");
}

static void overflow_of_own_size(void)
{
    overflow("large", 1000000);
}

static void greenlets_with_a_stack_of_their_own_size_are_told_theirs(void **state)
{
    assert_killed(run(overflow_of_own_size), SIGABRT);
    assert_matches(output, "^vireo: greenlet large overflowed its stack of [0-9]+ bytes$");
    assert_true(told_size() >= 1000000);
}

static void overflow_of_slot_that_was_used_before(void)
{
    vr_greenlet *first = vr_spawn(echoes, NULL);

    vr_join(first, VR_FOREVER);
    vr_unref(first);
    overflow("second", 0);
}

static void stacks_that_are_used_again_are_still_guarded(void **state)
{
    assert_killed(run(overflow_of_slot_that_was_used_before), SIGABRT);
    assert_matches(output, "^vireo: greenlet second overflowed its stack ");
}

static void *overflows_in_thread(void *argument)
{
    overflow("elsewhere", 0);
    return NULL;
}

static void overflow_in_thread(void)
{
    pthread_t thread;

    vr_current();
    pthread_create(&thread, NULL, overflows_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void overflow_in_another_thread_is_told(void **state)
{
    assert_killed(run(overflow_in_thread), SIGABRT);
    assert_matches(output, "^vireo: greenlet elsewhere overflowed its stack ");
}

static void overflows_in_hub(vr_callback *callback)
{
    recurse(0);
}

static void overflow_of_hub(void)
{
    vr_callback callback = {.run = overflows_in_hub};

    vr_callback_queue(&callback);
    vr_sleep(0);
}

static void overflow_of_a_callback_is_the_hubs(void **state)
{
    assert_killed(run(overflow_of_hub), SIGABRT);
    assert_matches(output, "^vireo: greenlet hub overflowed its stack ");
}

static void ends_with_9(int number)
{
    _exit(9);
}

static void overflow_with_abort_handler(void)
{
    signal(SIGABRT, ends_with_9);
    overflow("deep", 0);
}

static void abort_is_one_that_the_program_may_handle(void **state)
{
    int status = run(overflow_with_abort_handler);

    assert_exits(status, 9);
}

/* --- Crashes that are none of ours --- */

/* Where nothing is; not for the compiler to see. */
static volatile char *volatile nowhere = (volatile char *)8;

static void touch(volatile char *place)
{
    *place = 1;
}

static vr_result touches_nothing(void *argument)
{
    touch(nowhere);
    return vr_ok(NULL);
}

static void crash_in_greenlet(void)
{
    vr_join(vr_spawn(touches_nothing, NULL), VR_FOREVER);
}

static void crash_in_main(void)
{
    vr_current();
    touch(nowhere);
}

static void crash_after_hub(void)
{
    vr_current();
    vr_hub_free();
    touch(nowhere);
}

static void other_faults_are_crashes_as_ever(void **state)
{
    assert_crashed(run(crash_in_greenlet), SIGSEGV);
    assert_crashed(run(crash_in_main), SIGSEGV);
    assert_crashed(run(crash_after_hub), SIGSEGV);
}

static void crash_beyond_a_file(void)
{
    FILE *file = tmpfile();
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);

    vr_current();
    touch(map);
}

static void bus_errors_are_crashes_as_ever(void **state)
{
    /* Valgrind ends the program by SIGSEGV for its SIGBUS. */
    if (RUNNING_ON_VALGRIND)
        skip();
    assert_crashed(run(crash_beyond_a_file), SIGBUS);
}

static void overflow_of_main(void)
{
    vr_current();
    recurse(0);
}

static void overflow_of_the_threads_own_stack_is_a_crash(void **state)
{
    /* A stack without a limit, or one of valgrind's, is not to be filled. */
    if (RUNNING_ON_VALGRIND)
        skip();
    setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY});
    assert_crashed(run(overflow_of_main), SIGSEGV);
}

static void send_fault(void)
{
    vr_current();
    raise(SIGSEGV);
}

static void send_fault_to_process(void)
{
    vr_current();
    kill(getpid(), SIGBUS);
}

static void faults_that_are_sent_do_what_they_did(void **state)
{
    assert_crashed(run(send_fault), SIGSEGV);
    assert_crashed(run(send_fault_to_process), SIGBUS);
}

static void ignore_faults_and_send_one(void)
{
    signal(SIGSEGV, SIG_IGN);
    vr_current();
    raise(SIGSEGV);
    fputs("goes on\n", stderr);
    touch(nowhere);
}

static void ignored_faults_can_be_sent_but_not_made(void **state)
{
    assert_crashed(run(ignore_faults_and_send_one), SIGSEGV);
    assert_matches(output, "^goes on$");
}

static void overflow_without_another_stack(void)
{
    fail_nth(&fault_of_mmap, 2, ENOMEM); /* the first is for the hub's own stack */
    vr_current();
    overflow("deep", 0);
}

static void without_memory_for_the_handlers_stack_it_is_a_crash(void **state)
{
    /* They have brought a stack for handlers with them. */
    if (SANITIZED)
        skip();
    assert_crashed(run(overflow_without_another_stack), SIGSEGV);
}

/* --- Handlers of the program --- */

static void prints_address(int number, siginfo_t *info, void *context)
{
    char text[64];
    int len = snprintf(text, sizeof text, "handler %d at %p\n", number, info->si_addr);

    if (write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(1);
    _exit(7);
}

static void handle_before(void)
{
    struct sigaction action = {.sa_sigaction = prints_address, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &action, NULL);
    crash_in_greenlet();
}

static void handle_before_and_overflow(void)
{
    struct sigaction action = {.sa_sigaction = prints_address, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &action, NULL);
    overflow("deep", 0);
}

static void handle_simply_before(void)
{
    signal(SIGSEGV, ends_with_9);
    crash_in_greenlet();
}

static void handler_of_before_gets_what_is_no_overflow(void **state)
{
    int status = run(handle_before);

    assert_exits(status, 7);
    assert_string_equal(output, "handler 11 at 0x8\n");
    status = run(handle_simply_before);
    assert_exits(status, 9);
    assert_killed(run(handle_before_and_overflow), SIGABRT);
    assert_matches(output, "^vireo: greenlet deep overflowed its stack ");
    assert_null(strstr(output, "handler"));
}

static void handle_after(void)
{
    struct sigaction action = {.sa_sigaction = prints_address, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    vr_current();
    sigaction(SIGSEGV, &action, NULL);
    overflow("deep", 0);
}

static struct sigaction ours;

static void passes_on(int number, siginfo_t *info, void *context)
{
    if (write(STDERR_FILENO, "theirs\n", 7) == 7)
        ours.sa_sigaction(number, info, context);
}

static void handle_after_and_pass_on(void)
{
    struct sigaction action = {.sa_sigaction = passes_on, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    vr_current();
    sigaction(SIGSEGV, &action, &ours);
    overflow("deep", 0);
}

static void handler_of_after_takes_our_place_and_may_call_ours(void **state)
{
    int status = run(handle_after);

    assert_exits(status, 7);
    assert_matches(output, "^handler 11 at 0x[0-9a-f]+$");
    assert_killed(run(handle_after_and_pass_on), SIGABRT);
    assert_matches(output, "^theirs$");
    assert_matches(output, "^vireo: greenlet deep overflowed its stack ");
}

static sigjmp_buf recovery;

static void jumps(int number)
{
    siglongjmp(recovery, 1);
}

static void recover_twice(void)
{
    struct sigaction action = {.sa_handler = jumps, .sa_flags = SA_NODEFER};
    volatile int jumped = 0;

    sigaction(SIGSEGV, &action, NULL);
    vr_current();
    if (sigsetjmp(recovery, 1))
        jumped++;
    if (jumped < 2)
        touch(nowhere);
    overflow("deep", 0);
}

static void handler_of_before_may_jump_out(void **state)
{
    assert_killed(run(recover_twice), SIGABRT);
    assert_matches(output, "^vireo: greenlet deep overflowed its stack ");
}

static volatile sig_atomic_t calls;

static void counts_and_tells_mask(int number)
{
    sigset_t mask;

    sigprocmask(SIG_BLOCK, NULL, &mask);
    char text[] = {sigismember(&mask, SIGSEGV) ? 'b' : '-', sigismember(&mask, SIGUSR1) ? 'b' : '-', '\n'};
    if (write(STDERR_FILENO, text, 3) != 3 || ++calls > 5)
        _exit(1);
}

static void handle_with_flags(int flags, bool block_other)
{
    struct sigaction action = {.sa_handler = counts_and_tells_mask, .sa_flags = flags};

    sigemptyset(&action.sa_mask);
    if (block_other)
        sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, NULL);
    vr_current();
    raise(SIGSEGV);
    raise(SIGSEGV);
}

static void handle_once(void)
{
    handle_with_flags((int)SA_RESETHAND, true);
}

static void handle_nested(void)
{
    handle_with_flags(SA_NODEFER, false);
}

static void flags_and_mask_of_a_handler_of_before_hold(void **state)
{
    /* ThreadSanitizer has handlers run with a mask of its own. */
    if (THREAD_SANITIZED)
        skip();
    assert_crashed(run(handle_once), SIGSEGV);
    assert_matches(output, "^bb$");
    assert_int_equal(count_lines(output), 1 + (SANITIZED ? count_lines(output) - 1 : 0));
    assert_int_equal(run(handle_nested), 0);
    assert_string_equal(output, "--\n--\n");
}

/* --- The stack for handlers --- */

static stack_t present_stack(void)
{
    stack_t present;

    assert_int_equal(sigaltstack(NULL, &present), 0);
    return present;
}

static void stack_goes_with_the_hub(void **state)
{
    stack_t before = present_stack();

    vr_current();
    assert_false(present_stack().ss_flags & SS_DISABLE);
    assert_int_equal(vr_hub_free(), 0);
    assert_ptr_equal(present_stack().ss_sp, before.ss_flags & SS_DISABLE ? present_stack().ss_sp : before.ss_sp);
    assert_int_equal(present_stack().ss_flags, before.ss_flags);
}

static void stack_of_the_program_is_left_alone(void **state)
{
    stack_t before = present_stack(), own = {.ss_sp = malloc(65536), .ss_size = 65536};

    assert_int_equal(sigaltstack(&own, NULL), 0);
    vr_current();
    assert_ptr_equal(present_stack().ss_sp, own.ss_sp);
    assert_int_equal(vr_hub_free(), 0);
    assert_ptr_equal(present_stack().ss_sp, own.ss_sp);

    assert_int_equal(sigaltstack(&before, NULL), 0);
    vr_current();
    assert_int_equal(sigaltstack(&own, NULL), 0); /* after the hub was made */
    assert_int_equal(vr_hub_free(), 0);
    assert_ptr_equal(present_stack().ss_sp, own.ss_sp);
    assert_int_equal(sigaltstack(&before, NULL), 0);
    free(own.ss_sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_is_told_with_name_and_size_and_aborts),
        cmocka_unit_test(greenlet_without_a_name_is_told_by_number),
        cmocka_unit_test(greenlets_with_a_stack_of_their_own_size_are_told_theirs),
        cmocka_unit_test(stacks_that_are_used_again_are_still_guarded),
        cmocka_unit_test(overflow_in_another_thread_is_told),
        cmocka_unit_test(overflow_of_a_callback_is_the_hubs),
        cmocka_unit_test(abort_is_one_that_the_program_may_handle),
        cmocka_unit_test(other_faults_are_crashes_as_ever),
        cmocka_unit_test(bus_errors_are_crashes_as_ever),
        cmocka_unit_test(overflow_of_the_threads_own_stack_is_a_crash),
        cmocka_unit_test(faults_that_are_sent_do_what_they_did),
        cmocka_unit_test(ignored_faults_can_be_sent_but_not_made),
        cmocka_unit_test(without_memory_for_the_handlers_stack_it_is_a_crash),
        cmocka_unit_test(handler_of_before_gets_what_is_no_overflow),
        cmocka_unit_test(handler_of_after_takes_our_place_and_may_call_ours),
        cmocka_unit_test(handler_of_before_may_jump_out),
        cmocka_unit_test(flags_and_mask_of_a_handler_of_before_hold),
        /* The first hubs of this process. */
        cmocka_unit_test(stack_goes_with_the_hub),
        cmocka_unit_test(stack_of_the_program_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
