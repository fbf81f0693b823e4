/* Bad use is told: what a return value can say is returned, everything else ends the program with one clear line. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>

#include <vireo/event.h>
#include <vireo/generator.h>
#include <vireo/io.h>
#include <vireo/scope.h>

/* --- What ends the program --- */

/* Runs `body` in a child, and returns what it wrote to stderr; it must have been aborted. */
static const char *last_words(void (*body)(void))
{
    static char words[512];
    int pipe_ends[2];
    size_t len = 0;

    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(pipe_ends[1]);
    for (ssize_t n; len + 1 < sizeof words && (n = read(pipe_ends[0], words + len, sizeof words - 1 - len)) > 0;)
        len += (size_t)n;
    words[len] = '\0';
    close(pipe_ends[0]);

    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    return words;
}

static vr_greenlet *shared;
static vr_event shared_event;

static void *in_thread(void *body)
{
    ((void (*)(void))(uintptr_t)body)();
    return NULL;
}

/* Has another thread do something with `shared`, which waits for `shared_event`. */
static void from_another_thread(void (*body)(void))
{
    pthread_t thread;

    pthread_create(&thread, NULL, in_thread, (void *)(uintptr_t)body);
    pthread_join(thread, NULL);
}

static vr_result waits_for_event(void *argument)
{
    return vr_fail(vr_event_wait(&shared_event, VR_FOREVER));
}

static void park_shared(void)
{
    shared_event = VR_EVENT;
    shared = vr_spawn(waits_for_event, NULL);
    vr_set_name(shared, "shared");
    vr_sleep(0);
}

#define BY_ANOTHER_THREAD(name, call)          \
    static void name##_it(void)                \
    {                                          \
        call;                                  \
    }                                          \
    static void name##_by_another_thread(void) \
    {                                          \
        park_shared();                         \
        from_another_thread(name##_it);        \
    }

BY_ANOTHER_THREAD(switch, vr_switch(shared, NULL))
BY_ANOTHER_THREAD(throw, vr_throw(shared, -EIO))
BY_ANOTHER_THREAD(kill, vr_kill(shared, -EIO))
BY_ANOTHER_THREAD(join, vr_join(shared, 0))
BY_ANOTHER_THREAD(start, vr_start(shared, NULL))
BY_ANOTHER_THREAD(wake, vr_event_set(&shared_event))

static void kills_the_hub(void)
{
    park_shared();
    vr_kill(vr_parent(shared), -ECANCELED);
}

static vr_result ignores_the_exit(void *argument)
{
    for (;;)
        vr_sleep(VR_FOREVER);
    return vr_ok(NULL);
}

static vr_result switches_for_ever(void *main)
{
    for (;;)
        vr_switch(main, NULL);
    return vr_ok(NULL);
}

static void frees_one_that_goes_on(void)
{
    vr_greenlet *greenlet = vr_greenlet_new(switches_for_ever);

    vr_set_name(greenlet, "stubborn");
    vr_switch(greenlet, vr_current());
    vr_unref(greenlet);
}

static vr_result frees_its_generator(void *generator)
{
    vr_set_name(vr_current(), "generator");
    vr_generator_free(*(vr_generator **)generator);
    return vr_ok(NULL);
}

static void frees_a_generator_that_runs(void)
{
    vr_generator *generator;
    bool done;

    generator = vr_generator_new(frees_its_generator, &generator);
    vr_generator_next(generator, &done);
}

static void ends_the_outer_shield_first(void)
{
    vr_shield outer, inner;

    vr_shield_begin(&outer, VR_FOREVER);
    vr_shield_begin(&inner, VR_FOREVER);
    vr_shield_end(&outer, 0);
}

static void waits_for_what_is_not_initialised(void)
{
    static vr_waitable nothing;
    vr_waitable *objects[] = {&nothing};

    vr_wait_object(objects, 1, 0);
}

static void misuse_that_cannot_be_returned_aborts_with_a_line_that_says_what(void **state)
{
    static const struct {
        void (*body)(void);
        const char *words;
    } cases[] = {
        {switch_by_another_thread, "vireo: switch to a greenlet of another thread (greenlet shared)\n"},
        {throw_by_another_thread, "vireo: switch to a greenlet of another thread (greenlet shared)\n"},
        {kill_by_another_thread, "vireo: kill of a greenlet of another thread (greenlet shared)\n"},
        {join_by_another_thread, "vireo: join of a greenlet of another thread (greenlet shared)\n"},
        {start_by_another_thread, "vireo: start of a greenlet of another thread (greenlet shared)\n"},
        {wake_by_another_thread, "vireo: wake-up of a greenlet of another thread (greenlet shared)\n"},
        {kills_the_hub, "vireo: kill of the hub (greenlet hub)\n"},
        {frees_one_that_goes_on,
         "vireo: a greenlet went on when its last reference was gone and it was told to end (greenlet stubborn)\n"},
        {frees_a_generator_that_runs, "vireo: a generator is freed while it runs (greenlet generator)\n"},
        {ends_the_outer_shield_first,
         "vireo: a shield ends that is not the innermost of its greenlet (greenlet main)\n"},
        {waits_for_what_is_not_initialised, "vireo: a wait for what was never initialised (greenlet main)\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(last_words(cases[i].body), cases[i].words);
}

/* --- What is returned --- */

static struct {
    int sleep, join, event, readable, hub_join;
    long waiter;
} in_hub;

static void blocks_in_the_hub(vr_callback *callback)
{
    vr_waiter waiter = VR_WAITER;
    vr_event event = VR_EVENT;

    in_hub.sleep = vr_sleep(VR_SECONDS(1));
    in_hub.join = vr_join(shared, VR_FOREVER);
    in_hub.event = vr_event_wait(&event, VR_FOREVER);
    in_hub.readable = vr_wait_readable(0, VR_FOREVER);
    in_hub.hub_join = vr_hub_join(VR_FOREVER);
    in_hub.waiter = vr_waiter_get(&waiter, VR_FOREVER).error;
}

static void blocking_in_the_hub_is_refused(void **state)
{
    vr_callback callback = {.run = blocks_in_the_hub};

    shared = vr_spawn(sleeps_forever, NULL);
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_int_equal(in_hub.sleep, -EPERM);
    assert_int_equal(in_hub.join, -EPERM);
    assert_int_equal(in_hub.event, -EPERM);
    assert_int_equal(in_hub.readable, -EPERM);
    assert_int_equal(in_hub.hub_join, -EPERM);
    assert_int_equal(in_hub.waiter, -EPERM);
    end_greenlet(shared);
}

static void second_start_is_refused_and_changes_nothing(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes), *killed = vr_greenlet_new(echoes);

    assert_int_equal(vr_start(greenlet, number(1)), 0);
    assert_int_equal(vr_start(greenlet, number(2)), -EALREADY);
    assert_int_equal(vr_start_later(greenlet, VR_SECONDS(1), number(3)), -EALREADY);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(greenlet), number(1));
    assert_int_equal(vr_start(greenlet, number(4)), -EALREADY);
    vr_kill(killed, -ECANCELED);
    assert_int_equal(vr_start(killed, NULL), -EALREADY);
    assert_int_equal(vr_start(NULL, NULL), -ENOMEM);
    assert_int_equal(vr_start_later(NULL, 0, NULL), -ENOMEM);
    vr_unref(greenlet);
    vr_unref(killed);
}

static vr_result joins_itself(void *argument)
{
    return vr_fail(vr_join(vr_current(), VR_FOREVER));
}

static void join_of_oneself_is_refused(void **state)
{
    vr_greenlet *greenlet = vr_spawn(joins_itself, NULL);

    assert_int_equal(vr_join(vr_current(), VR_FOREVER), -EINVAL);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), -EINVAL);
    vr_unref(greenlet);
}

static vr_result reads(void *fd)
{
    return vr_fail(vr_wait_readable((int)number_of(fd), VR_FOREVER));
}

static void second_reader_of_a_descriptor_is_refused(void **state)
{
    int pipe_ends[2];

    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
    vr_greenlet *reader = vr_spawn(reads, number(pipe_ends[0]));
    vr_sleep(0);
    assert_int_equal(vr_wait_readable(pipe_ends[0], VR_FOREVER), -EBUSY);
    end_greenlet(reader);
    vr_close(pipe_ends[0]);
    vr_close(pipe_ends[1]);
}

static void hub_with_a_live_greenlet_is_not_freed(void **state)
{
    vr_greenlet *greenlet = vr_spawn(ignores_the_exit, NULL);

    assert_int_equal(vr_hub_free(), -EBUSY);
    vr_kill(greenlet, -ECANCELED);
    assert_int_equal(vr_join(greenlet, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_hub_free(), -EBUSY);
    /* It survives every kill; only its last reference, with nobody to start it again, would end it. */
    vr_unref(greenlet);
}

static void cycle_of_parents_is_refused(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);

    assert_int_equal(vr_set_parent(greenlet, greenlet), -EINVAL);
    assert_int_equal(vr_set_parent(vr_current(), greenlet), -EINVAL);
    vr_unref(greenlet);
}

static void error_for_want_of_memory_names_the_limit_on_mappings(void **state)
{
    assert_non_null(strstr(vr_strerror(-ENOMEM), "vm.max_map_count"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(misuse_that_cannot_be_returned_aborts_with_a_line_that_says_what),
        virtual_test(blocking_in_the_hub_is_refused),
        virtual_test(second_start_is_refused_and_changes_nothing),
        virtual_test(join_of_oneself_is_refused),
        real_test(second_reader_of_a_descriptor_is_refused),
        virtual_test(cycle_of_parents_is_refused),
        cmocka_unit_test(error_for_want_of_memory_names_the_limit_on_mappings),
        /* Last: it leaves its hub behind. */
        cmocka_unit_test_setup_teardown(hub_with_a_live_greenlet_is_not_freed, use_virtual_clock, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
