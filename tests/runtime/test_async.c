/* The way into a hub from other threads and from signal handlers. */
#include "support.h"

#include <vireo/async.h>
#include <vireo/waiter.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct named {
    vr_async async;
    const char *name;
} named;

static void traces_name(vr_async *async)
{
    trace("%s", ((named *)(void *)async)->name);
}

static void init(named *it, const char *name)
{
    it->name = name;
    assert_int_equal(vr_async_init(&it->async, traces_name), 0);
}

/* --- Sending --- */

static void sent_asyncs_run_in_the_hub_in_the_order_of_the_sends(void **state)
{
    named a, b, c;

    init(&a, "a");
    init(&b, "b");
    init(&c, "c");
    vr_async_send(&b.async);
    vr_async_send(&c.async);
    vr_async_send(&a.async);
    assert_trace("");
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("b c a");
    vr_async_done(&a.async);
    vr_async_done(&b.async);
    vr_async_done(&c.async);
}

static void several_sends_before_the_run_are_one(void **state)
{
    named a;

    init(&a, "a");
    for (int i = 0; i < 3; i++)
        vr_async_send(&a.async);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("a");
    vr_async_send(&a.async);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("a");
    vr_async_done(&a.async);
}

static int runs_left;

static void sends_itself(vr_async *async)
{
    trace("run");
    if (--runs_left > 0)
        vr_async_send(async);
}

static void send_from_within_the_run_makes_it_run_again(void **state)
{
    vr_async async;

    assert_int_equal(vr_async_init(&async, sends_itself), 0);
    runs_left = 3;
    vr_async_send(&async);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("run run run");
    vr_async_done(&async);
}

static vr_result spins_until_traced(void *argument)
{
    while (!trace_len)
        vr_sleep(0);
    return vr_ok(NULL);
}

static void run_is_not_starved_by_greenlets_that_are_always_ready(void **state)
{
    named a;

    init(&a, "a");
    vr_greenlet *spinner = vr_spawn(spins_until_traced, NULL);
    vr_async_send(&a.async);
    assert_int_equal(vr_join(spinner, VR_FOREVER), 0);
    assert_trace("a");
    vr_unref(spinner);
    vr_async_done(&a.async);
}

static void send_leaves_errno_alone(void **state)
{
    named a;

    init(&a, "a");
    errno = ENOTTY;
    vr_async_send(&a.async);
    assert_int_equal(errno, ENOTTY);
    vr_async_done(&a.async);
}

static int error_of_sleep;

static void blocks(vr_async *async)
{
    error_of_sleep = vr_sleep(VR_SECONDS(1));
}

static void run_must_not_block(void **state)
{
    vr_async async;

    assert_int_equal(vr_async_init(&async, blocks), 0);
    vr_async_send(&async);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(error_of_sleep, -EPERM);
    vr_async_done(&async);
}

static vr_async for_handler;

static void handler(int number)
{
    vr_async_send(&for_handler);
}

static void traces_signal(vr_async *async)
{
    trace("signal");
}

static void signal_handlers_may_send(void **state)
{
    struct sigaction action = {.sa_handler = handler}, before;

    assert_int_equal(vr_async_init(&for_handler, traces_signal), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    vr_hub_join(VR_FOREVER);
    assert_trace("signal");
    sigaction(SIGUSR1, &before, NULL);
    vr_async_done(&for_handler);
}

/* --- Untying --- */

static void done_takes_back_what_was_sent(void **state)
{
    named a, b;

    init(&a, "a");
    init(&b, "b");
    vr_async_send(&a.async);
    vr_async_send(&b.async);
    vr_async_done(&a.async);
    vr_hub_join(VR_FOREVER);
    assert_trace("b");
    vr_async_done(&b.async);
    vr_async_done(&b.async); /* is tied no more */
    vr_async_done(NULL);
}

static named other;

static void ends_the_other(vr_async *async)
{
    vr_async_done(&other.async);
}

static void run_may_untie_one_that_is_to_run_after_it(void **state)
{
    vr_async async;

    assert_int_equal(vr_async_init(&async, ends_the_other), 0);
    init(&other, "other");
    vr_async_send(&async);
    vr_async_send(&other.async);
    vr_hub_join(VR_FOREVER);
    assert_trace("");
    vr_async_done(&async);
}

static void ends_and_frees(vr_async *async)
{
    trace("freed");
    vr_async_done(async);
    free(async);
}

static void run_may_free_its_async(void **state)
{
    vr_async *async = malloc(sizeof *async);

    assert_int_equal(vr_async_init(async, ends_and_frees), 0);
    vr_async_ref(async);
    vr_async_send(async);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("freed");
}

/* --- What keeps the hub waiting --- */

static void idle_async_hides_no_deadlock(void **state)
{
    named a;

    init(&a, "a");
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    vr_async_send(&a.async);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_trace("a"); /* what was sent came first */
    vr_async_done(&a.async);
}

static void counts_that_are_given_back_hide_no_deadlock(void **state)
{
    named a;

    init(&a, "a");
    vr_async_ref(&a.async);
    vr_async_unref(&a.async);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    vr_async_ref(&a.async);
    vr_async_ref(&a.async);
    vr_async_unref(&a.async);
    vr_async_done(&a.async); /* gives the rest back */
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
}

/* --- Threads --- */

typedef struct job {
    vr_async async;
    pthread_t thread;
    int question, answer;
    vr_waiter waiter;
} job;

static void *computes(void *argument)
{
    job *it = argument;

    it->answer = it->question * 2;
    vr_async_send(&it->async);
    return NULL;
}

static void is_computed(vr_async *async)
{
    job *it = (job *)(void *)async;

    vr_async_unref(async);
    vr_waiter_switch(&it->waiter, number(it->answer));
}

static void start(job *it, int question)
{
    *it = (job){.question = question};
    assert_int_equal(vr_async_init(&it->async, is_computed), 0);
    vr_async_ref(&it->async);
    assert_int_equal(pthread_create(&it->thread, NULL, computes, it), 0);
}

static void end(job *it)
{
    pthread_join(it->thread, NULL);
    vr_async_done(&it->async);
}

static void thread_wakes_a_hub_that_sleeps(void **state)
{
    job it;

    start(&it, 21);
    assert_result_value(vr_waiter_get(&it.waiter, VR_FOREVER), number(42));
    end(&it);
}

static void hub_join_waits_for_what_is_counted(void **state)
{
    job it;

    start(&it, 21);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(it.answer, 42);
    end(&it);
}

static void virtual_time_stands_still_while_something_is_counted(void **state)
{
    job it;

    start(&it, 21);
    assert_result_value(vr_waiter_get(&it.waiter, VR_SECONDS(1)), number(42));
    assert_int_equal(vr_now(), 0);
    end(&it);
    assert_result_error(vr_waiter_get(&(vr_waiter){0}, VR_SECONDS(1)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(1));
}

enum { THREADS = 4, JOBS = 16 };

static void jobs_of_many_threads_come_back(void **state)
{
    job jobs[JOBS];

    for (int i = 0; i < JOBS; i++)
        start(&jobs[i], i);
    for (int i = 0; i < JOBS; i++)
        assert_result_value(vr_waiter_get(&jobs[i].waiter, VR_FOREVER), number(i * 2));
    for (int i = 0; i < JOBS; i++)
        end(&jobs[i]);
}

/* What all threads count up, and then send one async. */
static vr_async shared;
static atomic_size_t counted;
static size_t seen;

static void *counts_up(void *argument)
{
    for (size_t i = 0; i < scaled(100000); i++) {
        atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed);
        vr_async_send(&shared);
    }
    return NULL;
}

static void looks(vr_async *async)
{
    seen = atomic_load_explicit(&counted, memory_order_relaxed);
    if (seen == THREADS * scaled(100000))
        vr_async_unref(async);
}

static void last_of_many_sends_of_many_threads_is_not_lost(void **state)
{
    pthread_t threads[THREADS];

    atomic_store(&counted, 0);
    assert_int_equal(vr_async_init(&shared, looks), 0);
    vr_async_ref(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, counts_up, NULL), 0);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(seen, THREADS * scaled(100000));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    vr_async_done(&shared);
}

/* Each async is freed by its run while its thread may not have returned from the send. */
static vr_async *thrown_away[1000];

static void *sends_each(void *argument)
{
    for (size_t i = 0; i < 1000; i++)
        vr_async_send(thrown_away[i]);
    return NULL;
}

static void asyncs_and_hub_may_go_while_the_send_has_not_returned(void **state)
{
    pthread_t thread;

    for (size_t i = 0; i < 1000; i++) {
        thrown_away[i] = malloc(sizeof *thrown_away[i]);
        assert_int_equal(vr_async_init(thrown_away[i], ends_and_frees), 0);
        vr_async_ref(thrown_away[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, sends_each, NULL), 0);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_hub_free(), 0);
    pthread_join(thread, NULL);
}

/* --- Misuse --- */

static vr_async misused;

static void *unties(void *argument)
{
    vr_async_done(&misused);
    return NULL;
}

static void untie_in_another_thread(void)
{
    pthread_t thread;

    vr_async_init(&misused, blocks);
    pthread_create(&thread, NULL, unties, NULL);
    pthread_join(thread, NULL);
}

static void unref_too_often(void)
{
    vr_async_init(&misused, blocks);
    vr_async_ref(&misused);
    vr_async_unref(&misused);
    vr_async_unref(&misused);
}

static void free_the_hub_first(void)
{
    vr_async_init(&misused, blocks);
    vr_hub_free();
}

static void misuse_ends_the_program(void **state)
{
    void (*const bodies[])(void) = {untie_in_another_thread, unref_too_often, free_the_hub_first};

    for (size_t i = 0; i < 3; i++) {
        int status = status_of_child(bodies[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(sent_asyncs_run_in_the_hub_in_the_order_of_the_sends),
        virtual_test(several_sends_before_the_run_are_one),
        virtual_test(send_from_within_the_run_makes_it_run_again),
        virtual_test(run_is_not_starved_by_greenlets_that_are_always_ready),
        real_test(run_is_not_starved_by_greenlets_that_are_always_ready),
        virtual_test(send_leaves_errno_alone),
        virtual_test(run_must_not_block),
        virtual_test(signal_handlers_may_send),
        virtual_test(done_takes_back_what_was_sent),
        virtual_test(run_may_untie_one_that_is_to_run_after_it),
        virtual_test(run_may_free_its_async),
        virtual_test(idle_async_hides_no_deadlock),
        virtual_test(counts_that_are_given_back_hide_no_deadlock),
        real_test(thread_wakes_a_hub_that_sleeps),
        virtual_test(hub_join_waits_for_what_is_counted),
        virtual_test(virtual_time_stands_still_while_something_is_counted),
        real_test(jobs_of_many_threads_come_back),
        real_test(last_of_many_sends_of_many_threads_is_not_lost),
        real_test(asyncs_and_hub_may_go_while_the_send_has_not_returned),
        cmocka_unit_test(misuse_ends_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
