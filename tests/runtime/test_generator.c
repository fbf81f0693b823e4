/* Generators: next, send, close, and generators inside of generators. */
#include "support.h"

#include <vireo/generator.h>

/* Yields 1 ... the argument, and returns -1. */
static vr_result counts(void *argument)
{
    trace("began");
    for (intptr_t n = 1; n <= number_of(argument); n++) {
        vr_result sent = vr_yield(number(n));
        if (sent.error)
            return sent;
    }
    return vr_ok(number(-1));
}

/* Traces everything that is sent, and what ends it. */
static vr_result prints_what_is_sent(void *argument)
{
    for (;;) {
        vr_result sent = vr_yield(NULL);
        if (sent.error) {
            trace("error %d", sent.error == -ECANCELED);
            return sent;
        }
        trace("%ld", (long)number_of(sent.value));
    }
}

static void next_runs_to_the_first_yield(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(2));
    bool done = true;

    assert_trace("");
    assert_result_value(vr_generator_next(generator, &done), number(1));
    assert_false(done);
    assert_trace("began");
    vr_generator_free(generator);
}

static void end_of_the_function_ends_the_iteration(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(2));
    bool done;

    vr_generator_next(generator, &done);
    assert_result_value(vr_generator_next(generator, &done), number(2));
    assert_false(done);
    assert_result_value(vr_generator_next(generator, &done), number(-1));
    assert_true(done);
    for (int i = 0; i < 2; i++) {
        done = false;
        assert_result_value(vr_generator_next(generator, &done), NULL);
        assert_true(done);
    }
    done = false;
    assert_result_value(vr_generator_send(generator, number(1), &done), NULL);
    assert_true(done);
    vr_generator_free(generator);
}

static vr_result yields_then_fails(void *argument)
{
    vr_yield(NULL);
    return vr_fail(-EIO);
}

static void error_of_the_function_ends_the_iteration(void **state)
{
    vr_generator *generator = vr_generator_new(yields_then_fails, NULL);
    bool done;

    vr_generator_next(generator, &done);
    assert_result_error(vr_generator_next(generator, &done), -EIO);
    assert_true(done);
    done = false;
    assert_result_value(vr_generator_next(generator, &done), NULL);
    assert_true(done);
    vr_generator_free(generator);
}

static void sent_value_is_what_the_yield_returns(void **state)
{
    vr_generator *generator = vr_generator_new(prints_what_is_sent, NULL);
    bool done;

    vr_generator_next(generator, &done);
    vr_generator_send(generator, number(5), &done);
    vr_generator_send(generator, number(6), &done);
    vr_generator_next(generator, &done);
    assert_trace("5 6 0");
    assert_false(done);
    vr_generator_free(generator);
}

static void only_null_is_sent_before_the_first_yield(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(2));
    bool done;

    assert_result_error(vr_generator_send(generator, number(1), &done), -EINVAL);
    assert_trace("");
    assert_result_value(vr_generator_send(generator, NULL, &done), number(1));
    assert_false(done);
    vr_generator_free(generator);
}

static void close_makes_the_yield_fail_so_that_cleanup_runs(void **state)
{
    vr_generator *generator = vr_generator_new(prints_what_is_sent, NULL);
    bool done;

    vr_generator_next(generator, &done);
    assert_int_equal(vr_generator_close(generator), 0);
    assert_trace("error 1");
    done = false;
    assert_result_value(vr_generator_next(generator, &done), NULL);
    assert_true(done);
    vr_generator_free(generator);
}

static vr_result returns_a_value_on_close(void *argument)
{
    vr_yield(NULL);
    return vr_ok(number(1));
}

static void close_is_content_with_a_value(void **state)
{
    vr_generator *generator = vr_generator_new(returns_a_value_on_close, NULL);
    bool done;

    vr_generator_next(generator, &done);
    assert_int_equal(vr_generator_close(generator), 0);
    vr_generator_free(generator);
}

static void close_returns_the_error_that_the_function_ended_with(void **state)
{
    vr_generator *generator = vr_generator_new(yields_then_fails, NULL);
    bool done;

    vr_generator_next(generator, &done);
    assert_int_equal(vr_generator_close(generator), -EIO);
    assert_int_equal(vr_generator_close(generator), 0);
    vr_generator_free(generator);
}

static vr_result yields_on_close(void *argument)
{
    vr_result sent = vr_yield(number(1));
    if (sent.error)
        sent = vr_yield(number(2));
    trace("then %d", sent.error == -ECANCELED);
    return sent;
}

static void close_of_one_that_yields_instead_is_busy(void **state)
{
    vr_generator *generator = vr_generator_new(yields_on_close, NULL);
    bool done;

    vr_generator_next(generator, &done);
    assert_int_equal(vr_generator_close(generator), -EBUSY);
    assert_trace("");
    assert_int_equal(vr_generator_close(generator), 0);
    assert_trace("then 1");
    vr_generator_free(generator);
}

static void generator_that_never_started_is_closed_without_running(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(2));
    bool done = false;

    assert_int_equal(vr_generator_close(generator), 0);
    assert_result_value(vr_generator_next(generator, &done), NULL);
    assert_true(done);
    assert_trace("");
    vr_generator_free(generator);
}

static void free_closes(void **state)
{
    vr_generator *generator = vr_generator_new(prints_what_is_sent, NULL);
    bool done;

    vr_generator_next(generator, &done);
    vr_generator_free(generator);
    assert_trace("error 1");
    vr_generator_free(vr_generator_new(counts, NULL));
    vr_generator_free(NULL);
    assert_trace("");
}

static vr_result asks(void *generator)
{
    bool done = false;
    vr_result result = vr_generator_next(*(vr_generator **)generator, &done);

    return vr_ok(number(result.error));
}

static void generator_that_asks_itself_is_refused(void **state)
{
    vr_generator *generator;
    bool done;

    generator = vr_generator_new(asks, &generator);
    assert_result_value(vr_generator_next(generator, &done), number(-EALREADY));
    assert_true(done);
    vr_generator_free(generator);
}

static vr_result yields_outside(void *argument)
{
    return vr_yield(NULL);
}

static void yield_outside_of_a_generator_is_refused(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(yields_outside);

    assert_result_error(vr_yield(NULL), -EPERM);
    assert_result_error(vr_switch(greenlet, NULL), -EPERM);
    vr_unref(greenlet);
}

/* Yields the numbers of a range from inner generators: first those of the lower half, then those of the upper one. */
typedef struct range {
    intptr_t first, end;
} range;

static vr_result halves(void *argument)
{
    const range *all = argument;

    if (all->end - all->first == 1)
        return vr_yield(number(all->first));
    intptr_t middle = (all->first + all->end) / 2;
    range parts[] = {{all->first, middle}, {middle, all->end}};
    for (int i = 0; i < 2; i++) {
        vr_generator *part = vr_generator_new(halves, &parts[i]);
        for (;;) {
            bool done;
            vr_result inner = vr_generator_next(part, &done);
            if (done)
                break;
            vr_yield(inner.value);
        }
        vr_generator_free(part);
    }
    return vr_ok(NULL);
}

static void generators_nest(void **state)
{
    range all = {0, 100};
    vr_generator *generator = vr_generator_new(halves, &all);
    bool done;

    for (intptr_t n = 0; n < 100; n++)
        assert_result_value(vr_generator_next(generator, &done), number(n));
    assert_false(done);
    vr_generator_next(generator, &done);
    assert_true(done);
    vr_generator_free(generator);
}

static void generators_take_turns(void **state)
{
    vr_generator *three = vr_generator_new(counts, number(3));
    vr_generator *two = vr_generator_new(counts, number(2));
    bool done;

    assert_result_value(vr_generator_next(three, &done), number(1));
    assert_result_value(vr_generator_next(two, &done), number(1));
    assert_result_value(vr_generator_next(three, &done), number(2));
    assert_result_value(vr_generator_next(two, &done), number(2));
    vr_generator_next(two, &done);
    assert_true(done);
    assert_result_value(vr_generator_next(three, &done), number(3));
    vr_generator_free(three);
    vr_generator_free(two);
}

static vr_result asks_for_a_number(void *generator)
{
    bool done;
    vr_result result = vr_generator_next(generator, &done);

    trace("%ld", (long)number_of(result.value));
    return result;
}

static void yields_go_to_whoever_asked(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(3));
    vr_greenlet *a = vr_greenlet_new(asks_for_a_number);
    vr_greenlet *b = vr_greenlet_new(asks_for_a_number);
    bool done;

    assert_result_value(vr_switch(a, generator), number(1));
    assert_result_value(vr_switch(b, generator), number(2));
    assert_result_value(vr_generator_next(generator, &done), number(3));
    assert_trace("began 1 2");
    vr_unref(a);
    vr_unref(b);
    vr_generator_free(generator);
}

static vr_result sums_up(void *argument)
{
    vr_generator *generator = vr_generator_new(counts, argument);
    intptr_t sum = 0;
    bool done;

    for (;;) {
        vr_result next = vr_generator_next(generator, &done);
        if (done)
            break;
        sum += number_of(next.value);
        vr_sleep(0);
    }
    vr_generator_free(generator);
    return vr_ok(number(sum));
}

static void spawned_greenlets_use_generators(void **state)
{
    vr_greenlet *sums[] = {vr_spawn(sums_up, number(10)), vr_spawn(sums_up, number(100))};

    assert_int_equal(vr_joinall(sums, 2, VR_FOREVER), 2);
    assert_ptr_equal(vr_value(sums[0]), number(55));
    assert_ptr_equal(vr_value(sums[1]), number(5050));
    vr_unref(sums[0]);
    vr_unref(sums[1]);
}

static vr_result yields_after_a_sleep(void *argument)
{
    int error = vr_sleep(VR_SECONDS(1));

    return error ? vr_fail(error) : vr_yield(argument);
}

static vr_result asks_one_that_sleeps(void *argument)
{
    vr_generator *generator = vr_generator_new(yields_after_a_sleep, argument);
    bool done;
    vr_result result = vr_generator_next(generator, &done);

    vr_generator_free(generator);
    return result;
}

static void generator_that_blocks_keeps_only_its_asker_waiting(void **state)
{
    vr_greenlet *asker = vr_spawn(asks_one_that_sleeps, number(7));
    vr_greenlet *other = vr_spawn(sleeps_ms, number(10));

    assert_int_equal(vr_join(other, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_MILLISECONDS(10));
    assert_int_equal(vr_join(asker, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_ptr_equal(vr_value(asker), number(7));
    vr_unref(asker);
    vr_unref(other);
}

static vr_result asks_shared(void *generator)
{
    bool done;

    return vr_generator_next(generator, &done);
}

static void generator_that_waits_for_the_hub_is_busy(void **state)
{
    vr_generator *generator = vr_generator_new(yields_after_a_sleep, number(7));
    vr_greenlet *asker = vr_spawn(asks_shared, generator);
    bool done;

    vr_sleep(VR_MILLISECONDS(1));
    assert_result_error(vr_generator_next(generator, &done), -EALREADY);
    assert_int_equal(vr_generator_close(generator), -EALREADY);
    assert_int_equal(vr_join(asker, VR_FOREVER), 0);
    assert_ptr_equal(vr_value(asker), number(7));
    vr_unref(asker);
    vr_generator_free(generator);
}

static vr_result traces_what_yield_returns(void *argument)
{
    vr_result back = yields_after_a_sleep(argument);

    trace("%s", back.error == -ECANCELED ? "cancelled" : "other");
    return back;
}

static void yield_to_an_asker_that_is_gone_is_cancelled(void **state)
{
    vr_generator *generator = vr_generator_new(traces_what_yield_returns, NULL);
    vr_greenlet *asker = vr_spawn(asks_shared, generator);
    bool done = false;

    vr_sleep(VR_MILLISECONDS(1));
    end_greenlet(asker);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(1));
    assert_trace("cancelled");
    assert_result_value(vr_generator_next(generator, &done), NULL);
    assert_true(done);
    vr_generator_free(generator);
}

/* Asks once, then waits for a switch that never comes. */
static vr_result asks_and_waits(void *generator)
{
    bool done;

    vr_generator_next(generator, &done);
    vr_result back = vr_switch(vr_parent(vr_current()), NULL);
    trace("%s", back.error == -ECANCELED ? "exit" : "other");
    return back;
}

static void suspended_generator_does_not_keep_its_last_asker_alive(void **state)
{
    vr_generator *generator = vr_generator_new(counts, number(3));
    vr_greenlet *asker = vr_greenlet_new(asks_and_waits);

    vr_switch(asker, generator);
    assert_trace("began");
    vr_unref(asker);
    assert_trace("exit");
    vr_generator_free(generator);
}

/* Yields a greenlet that it has made, and what else can be had until that fails. */
static vr_result yields_a_child(void *function)
{
    vr_greenlet *child = vr_greenlet_new(*(vr_function **)function);
    vr_result back = vr_yield(child);

    while (!back.error)
        back = vr_yield(number(1));
    trace("closed");
    trace("%d", vr_yield(number(1)).error == -ECANCELED);
    return vr_ok(NULL);
}

/* In the child: back to main, so that the parent does not go on. */
static vr_greenlet *main_greenlet;

static vr_result back_to_main(long error)
{
    return vr_switch(main_greenlet, number(error));
}

static vr_result child_asks(void *generator)
{
    bool done = true;
    vr_result result = vr_generator_next(generator, &done);

    trace("done %d", done);
    return back_to_main(result.error);
}

static vr_result child_closes(void *generator)
{
    return back_to_main(vr_generator_close(generator));
}

static vr_result child_frees(void *generator)
{
    vr_generator_free(generator);
    return back_to_main(0);
}

static vr_generator *generator_with_child(vr_function **function, vr_greenlet **child)
{
    vr_generator *generator = vr_generator_new(yields_a_child, function);
    bool done;

    main_greenlet = vr_current();
    *child = vr_generator_next(generator, &done).value;
    return generator;
}

static void asker_that_descends_from_the_generator_is_refused(void **state)
{
    vr_function *function = child_asks;
    vr_greenlet *child;
    vr_generator *generator = generator_with_child(&function, &child);
    bool done;

    assert_result_value(vr_switch(child, generator), number(-EINVAL));
    assert_trace("done 0");
    assert_result_value(vr_generator_next(generator, &done), number(1));
    vr_unref(child);
    vr_generator_free(generator);
    assert_trace("closed 1");
}

static void close_by_a_descendant_is_refused(void **state)
{
    vr_function *function = child_closes;
    vr_greenlet *child;
    vr_generator *generator = generator_with_child(&function, &child);
    bool done;

    assert_result_value(vr_switch(child, generator), number(-EINVAL));
    assert_trace("");
    assert_result_value(vr_generator_next(generator, &done), number(1));
    vr_unref(child);
    vr_generator_free(generator);
    assert_trace("closed 1");
}

static void generator_that_a_descendant_frees_ends_with_its_descendants(void **state)
{
    vr_function *function = child_frees;
    vr_greenlet *child;
    vr_generator *generator = generator_with_child(&function, &child);

    assert_result_value(vr_switch(child, generator), number(0));
    assert_trace("");
    vr_unref(child);
    assert_trace("closed 1");
}

static vr_result sleeps_on_close(void *argument)
{
    vr_result back = vr_yield(NULL);

    vr_sleep(VR_SECONDS(1));
    return back;
}

static vr_result closes_shared(void *generator)
{
    return vr_fail(vr_generator_close(generator));
}

static void kill_that_ends_a_wait_for_the_close_is_what_close_returns(void **state)
{
    vr_generator *generator = vr_generator_new(sleeps_on_close, NULL);
    bool done;

    vr_generator_next(generator, &done);
    vr_greenlet *closer = vr_spawn(closes_shared, generator);
    vr_sleep(VR_MILLISECONDS(1));
    vr_kill(closer, -EIO);
    assert_int_equal(vr_join(closer, VR_FOREVER), 0);
    assert_int_equal(vr_error(closer), -EIO);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_int_equal(vr_generator_close(generator), 0);
    vr_unref(closer);
    vr_generator_free(generator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(next_runs_to_the_first_yield),
        real_test(end_of_the_function_ends_the_iteration),
        real_test(error_of_the_function_ends_the_iteration),
        real_test(sent_value_is_what_the_yield_returns),
        real_test(only_null_is_sent_before_the_first_yield),
        real_test(close_makes_the_yield_fail_so_that_cleanup_runs),
        real_test(close_is_content_with_a_value),
        real_test(close_returns_the_error_that_the_function_ended_with),
        real_test(close_of_one_that_yields_instead_is_busy),
        real_test(generator_that_never_started_is_closed_without_running),
        real_test(free_closes),
        real_test(generator_that_asks_itself_is_refused),
        real_test(yield_outside_of_a_generator_is_refused),
        real_test(generators_nest),
        real_test(generators_take_turns),
        real_test(yields_go_to_whoever_asked),
        virtual_test(spawned_greenlets_use_generators),
        virtual_test(generator_that_blocks_keeps_only_its_asker_waiting),
        virtual_test(generator_that_waits_for_the_hub_is_busy),
        virtual_test(yield_to_an_asker_that_is_gone_is_cancelled),
        real_test(suspended_generator_does_not_keep_its_last_asker_alive),
        real_test(asker_that_descends_from_the_generator_is_refused),
        real_test(close_by_a_descendant_is_refused),
        real_test(generator_that_a_descendant_frees_ends_with_its_descendants),
        virtual_test(kill_that_ends_a_wait_for_the_close_is_what_close_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
