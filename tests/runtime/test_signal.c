/* Signals: watchers whose function runs in the hub, greenlets that wait for one, and what is left afterwards. */
#include "support.h"

#include <vireo/signal.h>

#include <pthread.h>
#include <stdlib.h>

#define BIND(signal, ...) vr_signal_start(signal, (const int[]){__VA_ARGS__}, sizeof(int[]){__VA_ARGS__} / sizeof(int))

static void traces_number(vr_signal *signal, int number)
{
    trace("%s", number == SIGUSR1 ? "USR1" : number == SIGUSR2 ? "USR2" : "other");
}

/* --- Watchers with a function --- */

static void function_runs_in_the_hub_once_for_each_number_that_came(void **state)
{
    vr_signal signal = VR_SIGNAL_RUN(traces_number);

    assert_int_equal(BIND(&signal, SIGUSR1, SIGUSR2), 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_trace("");
    vr_hub_join(VR_FOREVER);
    assert_trace("USR1 USR2");
    raise(SIGUSR1);
    vr_hub_join(VR_FOREVER);
    assert_trace("USR1");
    vr_signal_stop(&signal);
}

static void every_watcher_of_a_number_is_told(void **state)
{
    vr_signal first = VR_SIGNAL_RUN(traces_number), second = first, third = first;

    assert_int_equal(BIND(&first, SIGUSR1), 0);
    assert_int_equal(BIND(&second, SIGUSR1, SIGUSR2), 0);
    assert_int_equal(BIND(&third, SIGUSR2), 0);
    raise(SIGUSR1);
    vr_hub_join(VR_FOREVER);
    assert_trace("USR1 USR1");
    vr_signal_stop(&second); /* from the middle of the list */
    raise(SIGUSR1);
    raise(SIGUSR2);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(trace_len, strlen("USR1 USR2"));
    vr_signal_stop(&first);
    vr_signal_stop(&third);
}

static void stop_forgets_what_has_come(void **state)
{
    vr_signal signal = VR_SIGNAL_RUN(traces_number);

    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    raise(SIGUSR1);
    vr_signal_stop(&signal);
    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    vr_hub_join(VR_FOREVER);
    assert_trace("");
    vr_signal_stop(&signal);
    vr_signal_stop(&signal); /* is bound no more */
    vr_signal_stop(NULL);
}

static void stops_itself(vr_signal *signal, int number)
{
    traces_number(signal, number);
    vr_signal_stop(signal);
    free(signal);
}

static void function_may_stop_and_free_its_watcher_with_more_to_tell(void **state)
{
    vr_signal *signal = malloc(sizeof *signal);

    *signal = VR_SIGNAL_RUN(stops_itself);
    assert_int_equal(BIND(signal, SIGUSR1, SIGUSR2), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    vr_hub_join(VR_FOREVER);
    assert_trace("USR1");
}

static void watcher_hides_no_deadlock(void **state)
{
    vr_signal signal = VR_SIGNAL_RUN(traces_number);

    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    raise(SIGUSR1);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_trace("USR1");
    vr_signal_stop(&signal);
}

/* --- Waiting --- */

static void *raises_in_the_process(void *number)
{
    kill(getpid(), (int)number_of(number));
    return NULL;
}

static void wait_parks_until_a_signal_comes_to_any_thread(void **state)
{
    vr_signal signal = VR_SIGNAL;
    pthread_t thread;

    assert_int_equal(BIND(&signal, SIGUSR1, SIGUSR2), 0);
    for (int i = 0; i < 10; i++) {
        pthread_create(&thread, NULL, raises_in_the_process, number(SIGUSR2));
        assert_int_equal(vr_signal_wait(&signal, VR_FOREVER), SIGUSR2);
        pthread_join(thread, NULL);
    }
    vr_signal_stop(&signal);
}

static void wait_finds_what_came_before_lowest_first(void **state)
{
    vr_signal signal = VR_SIGNAL;

    assert_int_equal(BIND(&signal, SIGUSR1, SIGUSR2, SIGHUP), 0);
    raise(SIGUSR2);
    raise(SIGHUP);
    assert_int_equal(vr_signal_wait(&signal, VR_FOREVER), SIGHUP);
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&signal, VR_FOREVER), SIGUSR1);
    assert_int_equal(vr_signal_wait(&signal, 0), SIGUSR2);
    assert_int_equal(vr_signal_wait(&signal, 0), -ETIMEDOUT);
    vr_signal_stop(&signal);
}

static void wait_gives_up_after_its_timeout(void **state)
{
    vr_signal signal = VR_SIGNAL;

    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    assert_int_equal(vr_signal_wait(&signal, VR_SECONDS(3)), -ETIMEDOUT);
    assert_int_equal(vr_now(), VR_SECONDS(3));
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&signal, VR_SECONDS(3)), SIGUSR1);
    assert_int_equal(vr_now(), VR_SECONDS(3));
    vr_signal_stop(&signal);
}

static vr_signal waited;

static vr_result waits(void *timeout)
{
    return vr_ok(number(vr_signal_wait(&waited, timeout ? VR_SECONDS(number_of(timeout)) : VR_FOREVER)));
}

static vr_greenlet *waiting_for(int number_to_bind, intptr_t seconds)
{
    waited = VR_SIGNAL;
    assert_int_equal(BIND(&waited, number_to_bind), 0);
    vr_greenlet *waiter = vr_spawn(waits, number(seconds));
    vr_sleep(0);
    return waiter;
}

static void assert_waited(vr_greenlet *waiter, intptr_t expected)
{
    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    assert_int_equal(number_of(vr_value(waiter)), expected);
    vr_unref(waiter);
}

static vr_result raises_after_a_second(void *argument)
{
    vr_sleep(VR_SECONDS(1));
    raise(SIGUSR1);
    return vr_ok(NULL);
}

static void signal_in_the_turn_of_the_timeout_wins(void **state)
{
    vr_unref(vr_spawn(raises_after_a_second, NULL));
    vr_sleep(0);
    assert_waited(waiting_for(SIGUSR1, 1), SIGUSR1);
    vr_signal_stop(&waited);
}

static void kill_in_the_turn_of_the_signal_leaves_it_for_the_next_wait(void **state)
{
    vr_greenlet *waiter = waiting_for(SIGUSR1, 0);

    vr_kill(waiter, -EIO);
    raise(SIGUSR1);
    assert_waited(waiter, -EIO);
    assert_int_equal(vr_signal_wait(&waited, 0), SIGUSR1);
    vr_signal_stop(&waited);
}

static void signal_taken_without_a_wait_wakes_nobody_later(void **state)
{
    waited = VR_SIGNAL;
    assert_int_equal(BIND(&waited, SIGUSR1), 0);
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&waited, VR_FOREVER), SIGUSR1);
    assert_int_equal(vr_signal_wait(&waited, VR_SECONDS(1)), -ETIMEDOUT);
    vr_signal_stop(&waited);
}

static void second_waiter_is_busy(void **state)
{
    vr_greenlet *waiter = waiting_for(SIGUSR1, 0);

    assert_int_equal(vr_signal_wait(&waited, VR_FOREVER), -EBUSY);
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&waited, VR_FOREVER), -EBUSY); /* it is for the first */
    assert_waited(waiter, SIGUSR1);
    vr_signal_stop(&waited);
}

static void stop_ends_the_wait(void **state)
{
    vr_greenlet *waiter = waiting_for(SIGUSR1, 0);

    vr_signal_stop(&waited);
    memset(&waited, 0xff, sizeof waited); /* may go at once */
    assert_waited(waiter, -ECANCELED);
}

static void kill_in_the_turn_of_the_stop_is_returned(void **state)
{
    vr_greenlet *waiter = waiting_for(SIGUSR1, 0);

    vr_kill(waiter, -EIO);
    vr_signal_stop(&waited);
    assert_waited(waiter, -EIO);
}

static int refused;

static void waits_in_the_hub(vr_callback *callback)
{
    refused = vr_signal_wait(&waited, VR_FOREVER);
}

static void waits_that_make_no_sense_are_refused(void **state)
{
    vr_signal unbound = VR_SIGNAL, with_function = VR_SIGNAL_RUN(traces_number);
    vr_callback callback = {.run = waits_in_the_hub};

    assert_int_equal(vr_signal_wait(&unbound, VR_FOREVER), -EINVAL);
    assert_int_equal(BIND(&with_function, SIGUSR1), 0);
    assert_int_equal(vr_signal_wait(&with_function, VR_FOREVER), -EINVAL);
    vr_signal_stop(&with_function);
    waited = VR_SIGNAL;
    assert_int_equal(BIND(&waited, SIGUSR1), 0);
    vr_callback_queue(&callback);
    vr_hub_join(VR_FOREVER);
    assert_int_equal(refused, -EPERM);
    vr_signal_stop(&waited);
}

/* --- Binding --- */

static void dispositions_are(int number, void (*handler)(int))
{
    struct sigaction now;

    assert_int_equal(sigaction(number, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, handler);
}

static void own_handler(int number)
{
    trace("own");
}

static void last_stop_restores_what_the_signal_did_before(void **state)
{
    vr_signal first = VR_SIGNAL_RUN(traces_number), second = first;
    struct sigaction own = {.sa_handler = own_handler}, before;

    assert_int_equal(sigaction(SIGUSR1, &own, &before), 0);
    assert_int_equal(BIND(&first, SIGUSR1, SIGUSR2), 0);
    assert_int_equal(BIND(&second, SIGUSR1), 0);
    vr_signal_stop(&first);
    dispositions_are(SIGUSR2, SIG_DFL);
    raise(SIGUSR1);
    vr_hub_join(VR_FOREVER);
    assert_trace("USR1");
    vr_signal_stop(&second);
    raise(SIGUSR1);
    assert_trace("own");
    sigaction(SIGUSR1, &before, NULL);
}

static void handler_that_was_put_in_place_since_stays(void **state)
{
    vr_signal signal = VR_SIGNAL;
    struct sigaction own = {.sa_handler = own_handler}, before;

    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    assert_int_equal(sigaction(SIGUSR1, &own, &before), 0);
    vr_signal_stop(&signal);
    dispositions_are(SIGUSR1, own_handler);
    signal = VR_SIGNAL;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static void numbers_that_cannot_be_bound_are_refused_and_nothing_is_bound(void **state)
{
    static const int bad[] = {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    vr_signal signal = VR_SIGNAL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(BIND(&signal, SIGUSR1, bad[i]), -EINVAL);
    assert_int_equal(vr_signal_start(&signal, NULL, 0), -EINVAL);
    /* The C library keeps these for itself, and the system call refuses them, after SIGUSR1 was installed. */
    assert_int_equal(BIND(&signal, SIGUSR1, 32), -EINVAL);
    dispositions_are(SIGUSR1, SIG_DFL);
    assert_int_equal(BIND(&signal, SIGUSR1, SIGRTMIN, SIGRTMAX - 1), 0); /* the last is valgrind's */
    raise(SIGRTMAX - 1);
    assert_int_equal(vr_signal_wait(&signal, VR_FOREVER), SIGRTMAX - 1);
    vr_signal_stop(&signal);
}

static void second_start_is_refused(void **state)
{
    vr_signal signal = VR_SIGNAL;

    assert_int_equal(BIND(&signal, SIGUSR1), 0);
    assert_int_equal(BIND(&signal, SIGUSR2), -EALREADY);
    raise(SIGUSR1);
    assert_int_equal(vr_signal_wait(&signal, VR_FOREVER), SIGUSR1);
    vr_signal_stop(&signal);
}

/* --- Threads --- */

typedef struct thread {
    pthread_t id;
    int number;
    pthread_barrier_t *bound;
} thread;

static void *waits_in_its_hub(void *argument)
{
    thread *self = argument;
    vr_signal signal = VR_SIGNAL;

    if (BIND(&signal, SIGUSR1) == 0) {
        pthread_barrier_wait(self->bound);
        self->number = vr_signal_wait(&signal, VR_FOREVER);
        vr_signal_stop(&signal);
    }
    vr_hub_free();
    return NULL;
}

static void hubs_of_all_threads_are_told(void **state)
{
    enum { THREADS = 3 };
    thread threads[THREADS];
    pthread_barrier_t bound;

    pthread_barrier_init(&bound, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (thread){.bound = &bound};
        assert_int_equal(pthread_create(&threads[i].id, NULL, waits_in_its_hub, &threads[i]), 0);
    }
    pthread_barrier_wait(&bound);
    raise(SIGUSR1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        assert_int_equal(threads[i].number, SIGUSR1);
    }
    pthread_barrier_destroy(&bound);
    dispositions_are(SIGUSR1, SIG_DFL);
}

static atomic_bool over;

static void *binds_and_unbinds(void *argument)
{
    while (!atomic_load(&over)) {
        vr_signal signal = VR_SIGNAL;
        if (BIND(&signal, SIGUSR1, SIGUSR2) == 0) {
            vr_signal_wait(&signal, 0);
            vr_signal_stop(&signal);
            memset(&signal, 0xff, sizeof signal);
        }
    }
    vr_hub_free();
    return NULL;
}

static void signals_may_come_while_other_watchers_come_and_go(void **state)
{
    vr_signal signal = VR_SIGNAL;
    pthread_t threads[2];

    atomic_store(&over, false);
    assert_int_equal(BIND(&signal, SIGUSR1, SIGUSR2), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, binds_and_unbinds, NULL), 0);
    for (size_t i = 0; i < scaled(20000); i++) {
        kill(getpid(), i & 1 ? SIGUSR1 : SIGUSR2);
        assert_true(vr_signal_wait(&signal, VR_FOREVER) > 0);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    vr_signal_stop(&signal);
}

static vr_signal misused;

static void *stops(void *argument)
{
    vr_signal_stop(&misused);
    return NULL;
}

static void stop_in_another_thread(void)
{
    pthread_t id;

    BIND(&misused, SIGUSR1);
    pthread_create(&id, NULL, stops, NULL);
    pthread_join(id, NULL);
}

static void stop_in_another_thread_ends_the_program(void **state)
{
    int status = status_of_child(stop_in_another_thread);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(function_runs_in_the_hub_once_for_each_number_that_came),
        virtual_test(every_watcher_of_a_number_is_told),
        virtual_test(stop_forgets_what_has_come),
        virtual_test(function_may_stop_and_free_its_watcher_with_more_to_tell),
        virtual_test(watcher_hides_no_deadlock),
        real_test(wait_parks_until_a_signal_comes_to_any_thread),
        virtual_test(wait_finds_what_came_before_lowest_first),
        virtual_test(wait_gives_up_after_its_timeout),
        virtual_test(signal_in_the_turn_of_the_timeout_wins),
        virtual_test(kill_in_the_turn_of_the_signal_leaves_it_for_the_next_wait),
        virtual_test(signal_taken_without_a_wait_wakes_nobody_later),
        virtual_test(second_waiter_is_busy),
        virtual_test(stop_ends_the_wait),
        virtual_test(kill_in_the_turn_of_the_stop_is_returned),
        virtual_test(waits_that_make_no_sense_are_refused),
        virtual_test(last_stop_restores_what_the_signal_did_before),
        virtual_test(handler_that_was_put_in_place_since_stays),
        virtual_test(numbers_that_cannot_be_bound_are_refused_and_nothing_is_bound),
        virtual_test(second_start_is_refused),
        virtual_test(hubs_of_all_threads_are_told),
        real_test(signals_may_come_while_other_watchers_come_and_go),
        cmocka_unit_test(stop_in_another_thread_ends_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
