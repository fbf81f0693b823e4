/* The monitor: reports what blocks a hub, once, and nothing else. */
#include "report_support.h"
#include "thread_support.h"

#include "monitor.h"

#include <vireo/io.h>
#include <vireo/monitor.h>

#include <stdlib.h>

THREAD_WRAP(void *, calloc, (size_t count, size_t size), NULL, (count, size))

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *arg);
static thread_fault fault_of_pthread_create;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *arg)
{
    if (strikes(&fault_of_pthread_create))
        return fault_of_pthread_create.error;
    return __real_pthread_create(thread, attributes, function, arg);
}

/* --- The look, with a clock of ours and a hub that is none --- */

static vr_hub hub;

static void set_hub(uint64_t switches, bool polling)
{
    hub.switches = switches;
    hub.polling = polling;
}

static void stall_is_told_when_the_limit_is_over_and_once(void **state)
{
    vr_watch watch = {.hub = &hub, .limit = 100, .since = 1000};

    set_hub(0, false);
    assert_false(vr_watch_look(&watch, 1025));
    assert_false(vr_watch_look(&watch, 1099));
    assert_true(vr_watch_look(&watch, 1100));
    assert_false(vr_watch_look(&watch, 1125));
    assert_false(vr_watch_look(&watch, 5000));
}

static void next_stall_is_told_again(void **state)
{
    vr_watch watch = {.hub = &hub, .limit = 100, .since = 1000};

    set_hub(0, false);
    assert_true(vr_watch_look(&watch, 1100));
    set_hub(1, false);
    assert_false(vr_watch_look(&watch, 1125));
    assert_false(vr_watch_look(&watch, 1224));
    assert_true(vr_watch_look(&watch, 1225));
}

static void hub_that_switches_is_not_told(void **state)
{
    vr_watch watch = {.hub = &hub, .limit = 100, .since = 1000};

    for (vr_time now = 1000; now < 3000; now += 25) {
        set_hub((uint64_t)now / 75, false);
        assert_false(vr_watch_look(&watch, now));
    }
}

static void hub_that_is_idle_is_not_told_and_time_counts_from_its_end(void **state)
{
    vr_watch watch = {.hub = &hub, .limit = 100, .since = 1000};

    set_hub(0, true);
    for (vr_time now = 1000; now < 3000; now += 25)
        assert_false(vr_watch_look(&watch, now));
    set_hub(0, false);
    assert_false(vr_watch_look(&watch, 3000));
    assert_false(vr_watch_look(&watch, 3074));
    assert_true(vr_watch_look(&watch, 3075));
}

static void hub_that_polls_between_two_looks_is_not_told(void **state)
{
    vr_watch watch = {.hub = &hub, .limit = 100, .since = 1000};

    set_hub(7, false);
    assert_false(vr_watch_look(&watch, 1000));
    set_hub(8, false); /* a turn counts as well */
    assert_false(vr_watch_look(&watch, 1150));
    assert_false(vr_watch_look(&watch, 1249));
    assert_true(vr_watch_look(&watch, 1250));
}

/* --- Reports --- */

/* Of the last report, written by the monitor's thread before `reports` counts it. */
static char name[64], site[128], frame_text[256];
static vr_time duration;
static long thread_id;
static void *frames[VR_FRAMES_MAX];
static size_t frame_count;
static atomic_int reports;

static void keeps(const vr_stall *stall)
{
    snprintf(name, sizeof name, "%s", stall->greenlet);
    snprintf(site, sizeof site, "%s", stall->site ? stall->site : "(none)");
    snprintf(frame_text, sizeof frame_text, "%s", stall->frame_texts ? stall->frame_texts[0] : "(none)");
    duration = stall->duration;
    thread_id = stall->thread;
    frame_count = stall->frame_count;
    for (size_t i = 0; i < frame_count; i++)
        frames[i] = stall->frames[i];
    atomic_fetch_add(&reports, 1);
}

static int reset(void **state)
{
    atomic_store(&reports, 0);
    frame_count = 0;
    return use_real_clock(state);
}

#define monitor_test(function) cmocka_unit_test_setup_teardown(function, reset, free_hub)

/* Blocks the hub until there are so many reports. */
static void spin(int count)
{
    while (atomic_load(&reports) < count) {
    }
}

/* By a pointer, so that there is one copy of it, that is not inlined. */
static void (*volatile spin_until)(int count) = spin;

/* Is this frame in that function? Its length is not known, but it is short. */
static bool is_in_spin(const void *frame)
{
    return (uintptr_t)frame >= (uintptr_t)spin_until && (uintptr_t)frame < (uintptr_t)spin_until + 512;
}

static bool was_in_spin(void)
{
    for (size_t i = 0; i < frame_count; i++)
        if (is_in_spin(frames[i]))
            return true;
    return false;
}

static bool was_interrupted_in_spin(void)
{
    return frame_count && is_in_spin(frames[0]);
}

/*
 * Blocks the hub again and again, until a report has found the thread where it is meant to be, and ends the watch: one
 * that does not get the processor for long enough is reported wherever it is.
 */
static void spin_until_found(bool (*found)(void))
{
    do {
        int count = atomic_load(&reports);
        vr_sleep(VR_MICROSECONDS(1)); /* what comes from here on is another stall */
        spin_until(count + 1);
    } while (!found());
    vr_monitor_stop(); /* this stall has been told: no other report has come in between */
}

static vr_result spins(void *argument)
{
    spin_until_found(was_in_spin);
    return vr_ok(NULL);
}

static void greenlet_that_blocks_is_told_with_where_it_is(void **state)
{
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    vr_greenlet *greenlet = vr_spawn_with(&(vr_spawn_options){.name = "spinner"}, spins, NULL);
    vr_join(greenlet, VR_FOREVER);
    assert_string_equal(name, "spinner");
    assert_matches(site, "^tests/runtime/test_monitor\\.c:[0-9]+$");
    assert_true(duration >= VR_MILLISECONDS(2));
    assert_int_equal(thread_id, gettid());
    assert_true(frame_count >= 2);
    assert_string_not_equal(frame_text, "(none)");
    vr_unref(greenlet);
}

static void first_frame_is_what_was_interrupted(void **state)
{
    /* ThreadSanitizer has handlers run later. */
    if (THREAD_SANITIZED)
        skip();
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    spin_until_found(was_interrupted_in_spin);
}

static void nameless_one_is_told_by_number(void **state)
{
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    vr_greenlet *greenlet = vr_spawn(spins, NULL);
    vr_join(greenlet, VR_FOREVER);
    assert_string_equal(name, "greenlet-3");
    vr_unref(greenlet);
}

static void thread_that_does_not_come_to_its_hub_is_mains(void **state)
{
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    spin_until_found(was_in_spin);
    assert_string_equal(name, "main");
    assert_string_equal(site, "(none)");
}

static int count_before;

static void spins_in_hub(vr_callback *callback)
{
    spin_until(count_before + 1);
    if (was_in_spin())
        vr_monitor_stop();
}

static void callback_that_blocks_is_the_hubs(void **state)
{
    vr_callback callback = {.run = spins_in_hub};

    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    do {
        count_before = atomic_load(&reports);
        vr_callback_queue(&callback);
        vr_sleep(VR_MILLISECONDS(1));
    } while (!was_in_spin());
    assert_string_equal(name, "hub");
}

/* Of this greenlet's, which may be told where it does not spin, but not twice for one stall. */
static void counts_spinner(const vr_stall *stall)
{
    if (strcmp(stall->greenlet, "spinner") == 0 || strcmp(stall->greenlet, "unknown") == 0)
        atomic_fetch_add(&reports, 1);
}

static vr_result spins_twice(void *argument)
{
    spin_until(1);
    vr_sleep(VR_MICROSECONDS(1));
    spin_until(2);
    vr_monitor_stop();
    return vr_ok(NULL);
}

static void each_stall_is_one_report(void **state)
{
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), counts_spinner), 0);
    vr_greenlet *greenlet = vr_spawn_with(&(vr_spawn_options){.name = "spinner"}, spins_twice, NULL);
    vr_join(greenlet, VR_FOREVER);
    assert_int_equal(atomic_load(&reports), 2);
    vr_unref(greenlet);
}

/* --- Several hubs --- */

static atomic_int names_seen;

static void counts_names(const vr_stall *stall)
{
    if (strcmp(stall->greenlet, "one") == 0)
        atomic_fetch_or(&names_seen, 1);
    if (strcmp(stall->greenlet, "two") == 0)
        atomic_fetch_or(&names_seen, 2);
}

/* Blocks its own hub until both have been told. */
static void *blocks_its_hub(void *its_name)
{
    vr_set_name(vr_current(), its_name);
    if (vr_monitor_start(VR_MILLISECONDS(2), counts_names) == 0)
        while (atomic_load(&names_seen) != 3) {
        }
    vr_hub_free();
    return NULL;
}

static void hubs_of_several_threads_are_watched(void **state)
{
    pthread_t threads[2];

    atomic_store(&names_seen, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, blocks_its_hub, (void *)(uintptr_t)(i ? "two" : "one")), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&names_seen), 3);
}

static _Atomic(vr_hub *) idle_hub;
static atomic_int idle_reports;
static int end_of_idleness[2];

static void counts_idle(const vr_stall *stall)
{
    atomic_fetch_add(&idle_reports, 1);
}

static void *is_idle(void *argument)
{
    vr_monitor_start(VR_MILLISECONDS(1), counts_idle);
    atomic_store(&idle_hub, vr_hub_peek());
    vr_wait_readable(end_of_idleness[0], VR_FOREVER);
    vr_hub_free();
    return NULL;
}

static void hub_that_waits_is_silent_while_another_is_told(void **state)
{
    pthread_t thread;
    vr_hub *idle;

    assert_int_equal(vr_pipe(end_of_idleness), 0);
    assert_int_equal(pthread_create(&thread, NULL, is_idle, NULL), 0);
    while (!(idle = atomic_load(&idle_hub)) || !__atomic_load_n(&idle->polling, __ATOMIC_RELAXED)) {
    }
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    spin_until(1);
    /* What was told of the other before it waited has been told by now, as there is one monitor. */
    atomic_store(&idle_reports, 0);
    for (int count = 2; count <= 4; count++) {
        vr_sleep(VR_MICROSECONDS(1));
        spin_until(count);
    }
    assert_int_equal(atomic_load(&idle_reports), 0);
    vr_monitor_stop();
    assert_true(write(end_of_idleness[1], "", 1) == 1);
    pthread_join(thread, NULL);
    vr_close(end_of_idleness[0]);
    vr_close(end_of_idleness[1]);
}

static void *starts_and_stops(void *argument)
{
    for (size_t i = 0; i < scaled(2000) + 20; i++) {
        if (vr_monitor_start(VR_SECONDS(100), counts_names) < 0)
            abort();
        vr_sleep(0);
        vr_monitor_stop();
    }
    vr_hub_free();
    return NULL;
}

static void monitor_comes_and_goes_with_the_hubs(void **state)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, starts_and_stops, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* --- A thread that does not answer --- */

static void thread_that_blocks_the_signal_is_told_without_frames(void **state)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGURG);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    spin_until(1);
    vr_monitor_stop();
    assert_int_equal(frame_count, 0);
    assert_string_equal(name, "unknown");
    assert_string_equal(frame_text, "(none)");
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL); /* it comes now, and finds nobody */
}

/* --- The signal --- */

static atomic_int urgent;

static void counts_urgent(int number)
{
    atomic_fetch_add(&urgent, 1);
}

static void other_signals_go_to_the_handler_of_before(void **state)
{
    struct sigaction now;

    atomic_store(&urgent, 0);
    signal(SIGURG, counts_urgent);
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), keeps), 0);
    raise(SIGURG);
    assert_int_equal(atomic_load(&urgent), 1);
    spin_until(1);
    vr_monitor_stop();
    assert_int_equal(atomic_load(&urgent), 1);
    sigaction(SIGURG, NULL, &now);
    assert_ptr_equal(now.sa_handler, counts_urgent);
    signal(SIGURG, SIG_DFL);

    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), 0);
    raise(SIGURG); /* ignored, as ever */
    signal(SIGURG, counts_urgent);
    vr_monitor_stop();
    sigaction(SIGURG, NULL, &now);
    assert_ptr_equal(now.sa_handler, counts_urgent); /* the later one stays */
    signal(SIGURG, SIG_DFL);
}

/* --- Starting and stopping --- */

static void misuse_and_want_are_told(void **state)
{
    assert_int_equal(vr_monitor_start(0, keeps), -EINVAL);
    assert_int_equal(vr_monitor_start(-1, keeps), -EINVAL);
    vr_monitor_stop();
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), 0);
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), -EALREADY);
    assert_int_equal(vr_hub_free(), 0); /* stops it */
    vr_current();
    fail_nth(&fault_of_calloc, 1, ENOMEM);
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), -ENOMEM);
    fail_nth(&fault_of_pthread_create, 1, EAGAIN);
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), -EAGAIN);
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), 0);
    vr_monitor_stop();
    vr_monitor_stop();
}

static sem_t in_handler, leave_handler;

static void takes_its_time(const vr_stall *stall)
{
    sem_post(&in_handler);
    pass(&leave_handler);
    atomic_fetch_add(&reports, 1);
}

static void *lets_the_handler_go(void *argument)
{
    pass(&in_handler);
    atomic_store(&urgent, 1);
    sem_post(&leave_handler);
    return NULL;
}

static void stop_waits_for_the_handler(void **state)
{
    pthread_t thread;

    sem_init(&in_handler, 0, 0);
    sem_init(&leave_handler, 0, 0);
    atomic_store(&urgent, 0);
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), takes_its_time), 0);
    assert_int_equal(pthread_create(&thread, NULL, lets_the_handler_go, NULL), 0);
    while (!atomic_load(&urgent)) {
    }
    vr_monitor_stop();
    assert_int_equal(atomic_load(&reports), 1);
    pthread_join(thread, NULL);
}

static void child_process_is_not_watched(void **state)
{
    if (THREAD_SANITIZED)
        skip();
    assert_int_equal(vr_monitor_start(VR_SECONDS(100), keeps), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vr_monitor_stop();
        if (vr_monitor_start(VR_MILLISECONDS(2), keeps) == 0)
            spin_until(1);
        vr_monitor_stop();
        _exit(vr_hub_free() ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    vr_monitor_stop();
}

static void default_writes_to_stderr(void **state)
{
    int ends[2], copy = dup(STDERR_FILENO);
    static char text[16384];
    size_t len = 0;
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    assert_int_equal(vr_monitor_start(VR_MILLISECONDS(2), NULL), 0);
    /* Blocks until the first line is there; stopping waits for the rest. */
    while (poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 0) <= 0) {
    }
    vr_monitor_stop();
    dup2(copy, STDERR_FILENO);
    close(copy);
    close(ends[1]);
    while ((n = read(ends[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    assert_matches(text, "^vireo: greenlet main of thread [0-9]+ has not given way for [0-9]+ ms$");
    assert_true(count_lines(text) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stall_is_told_when_the_limit_is_over_and_once),
        cmocka_unit_test(next_stall_is_told_again),
        cmocka_unit_test(hub_that_switches_is_not_told),
        cmocka_unit_test(hub_that_is_idle_is_not_told_and_time_counts_from_its_end),
        cmocka_unit_test(hub_that_polls_between_two_looks_is_not_told),
        monitor_test(greenlet_that_blocks_is_told_with_where_it_is),
        monitor_test(first_frame_is_what_was_interrupted),
        monitor_test(nameless_one_is_told_by_number),
        monitor_test(thread_that_does_not_come_to_its_hub_is_mains),
        monitor_test(callback_that_blocks_is_the_hubs),
        monitor_test(each_stall_is_one_report),
        monitor_test(hubs_of_several_threads_are_watched),
        monitor_test(hub_that_waits_is_silent_while_another_is_told),
        monitor_test(monitor_comes_and_goes_with_the_hubs),
        monitor_test(thread_that_blocks_the_signal_is_told_without_frames),
        monitor_test(other_signals_go_to_the_handler_of_before),
        monitor_test(misuse_and_want_are_told),
        monitor_test(stop_waits_for_the_handler),
        monitor_test(child_process_is_not_watched),
        monitor_test(default_writes_to_stderr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
