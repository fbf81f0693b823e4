/* Imap: results one at a time, in order or as they come, from arrays and functions, bounded, and ended early. */
#include "faults.h"
#include "support.h"

#include <vireo/generator.h>
#include <vireo/pool.h>
#include <vireo/scope.h>
#include <vireo/timeout.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

enum { MANY = 1000 };

static void *items[MANY];

static int number_items(void **state)
{
    for (intptr_t i = 0; i < MANY; i++)
        items[i] = number(i);
    return use_virtual_clock(state);
}

#define imap_test(function) cmocka_unit_test_setup_teardown(function, number_items, free_hub)

static long seconds_now(void)
{
    return (long)(vr_now() / VR_SECONDS(1));
}

static const vr_imap_options unordered = {.flags = VR_UNORDERED};

static vr_result squares(void *n)
{
    return vr_ok(number(number_of(n) * number_of(n)));
}

static void assert_idle(const vr_pool *pool)
{
    assert_int_equal(vr_pool_count(pool), 0);
    assert_int_equal(vr_pool_free_count(pool), pool->size);
}

/* Traces what is left of an iteration, and how it ends. */
static void trace_rest(vr_imap *imap)
{
    vr_mapped mapped;
    int got;

    while ((got = vr_imap_next(imap, VR_FOREVER, &mapped)) == 1) {
        if (mapped.result.error)
            trace("%zu!%ld", mapped.index, -mapped.result.error);
        else
            trace("%zu=%ld", mapped.index, (long)number_of(mapped.result.value));
    }
    trace("end%d", got);
}

/* --- Order --- */

static void results_come_in_the_order_of_the_items(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 10, VR_UNLIMITED};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        vr_pool pool = VR_POOL(sizes[s]);
        vr_imap imap;
        vr_mapped mapped;
        size_t count = scaled(100 * MANY) / 100;
        assert_int_equal(vr_imap_init(&imap, &pool, squares, VR_ITEMS(items, count), NULL), 0);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 1);
            assert_int_equal(mapped.index, i);
            assert_ptr_equal(mapped.item, items[i]);
            assert_result_value(mapped.result, number((intptr_t)(i * i)));
        }
        assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 0);
        assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 0);
        assert_int_equal(vr_imap_done(&imap), 0);
        assert_idle(&pool);
    }
}

static void *const sleeps[] = {(void *)3000, (void *)1000, (void *)2000};

static void results_in_order_wait_for_the_slowest(void **state)
{
    vr_pool pool = VR_POOL(3);
    vr_imap imap;

    vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(sleeps, 3), NULL);
    trace_rest(&imap);
    assert_trace("0=3000 1=1000 2=2000 end0");
    assert_int_equal(seconds_now(), 3);
    vr_imap_done(&imap);
}

static void unordered_results_come_as_they_are_ready(void **state)
{
    static const char *const expected[] = {"0=3000 1=1000 2=2000 end0", "1=1000 0=3000 2=2000 end0",
                                           "1=1000 2=2000 0=3000 end0"};

    for (size_t places = 1; places <= 3; places++) {
        vr_pool pool = VR_POOL(places);
        vr_imap imap;
        vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(sleeps, 3), &unordered);
        trace_rest(&imap);
        assert_int_equal(vr_imap_done(&imap), 0);
        if (places != 2) {
            assert_trace(expected[places - 1]);
        } else {
            /* The third begins when the second has ended: it ends in the turn of the first. */
            assert_true(!strcmp(trace_text, expected[1]) || !strcmp(trace_text, expected[2]));
            trace_clear();
        }
        assert_idle(&pool);
    }
}

static void no_items_give_no_results(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_imap imap;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(vr_imap_init(&imap, &pool, squares, VR_ITEMS(NULL, 0), i ? &unordered : NULL), 0);
        trace_rest(&imap);
        assert_int_equal(vr_imap_done(&imap), 0);
        assert_trace("end0");
    }
}

static vr_result fails_for_odd(void *n)
{
    return number_of(n) % 2 ? vr_fail(number_of(n) == 3 ? -ECANCELED : -EIO) : vr_ok(n);
}

static void errors_of_items_are_theirs(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;

    vr_imap_init(&imap, &pool, fails_for_odd, VR_ITEMS(items, 5), NULL);
    trace_rest(&imap);
    assert_trace("0=0 1!5 2=2 3!125 4=4 end0");
    vr_imap_done(&imap);
}

/* --- Sources --- */

/* Counts up to its context, each after a second. */
static int counts_slowly(void *context, void **item)
{
    intptr_t *left = context;

    if (!*left)
        return 0;
    int error = vr_sleep(VR_SECONDS(1));
    *item = number((*left)--);
    return error ? error : 1;
}

static void source_may_block(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;
    intptr_t left = 3;

    assert_int_equal(vr_imap_init(&imap, &pool, echoes, VR_ITEMS_FROM(counts_slowly, &left), NULL), 0);
    trace_rest(&imap);
    assert_trace("0=3 1=2 2=1 end0");
    assert_int_equal(seconds_now(), 3);
    vr_imap_done(&imap);
}

static int fails_after_two(void *context, void **item)
{
    int *given = context;

    *item = number(*given);
    return (*given)++ < 2 ? 1 : -EPROTO;
}

static void error_of_the_source_comes_after_the_results(void **state)
{
    for (int flags = 0; flags < 2; flags++) {
        vr_pool pool = VR_POOL(3);
        vr_imap imap;
        int given = 0;
        vr_imap_init(&imap, &pool, echoes, VR_ITEMS_FROM(fails_after_two, &given), flags ? &unordered : NULL);
        trace_rest(&imap);
        trace_rest(&imap);
        assert_trace("0=0 1=1 end-71 end-71");
        vr_imap_done(&imap);
    }
}

static vr_result yields_three(void *argument)
{
    for (intptr_t i = 5; i < 8; i++)
        vr_yield(number(i));
    return vr_ok(NULL);
}

static int next_of_generator(void *generator, void **item)
{
    bool done;
    vr_result result = vr_generator_next(generator, &done);

    *item = result.value;
    return result.error ? (int)result.error : !done;
}

static void generator_may_be_the_source(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;
    vr_generator *generator = vr_generator_new(yields_three, NULL);

    vr_imap_init(&imap, &pool, squares, VR_ITEMS_FROM(next_of_generator, generator), NULL);
    trace_rest(&imap);
    assert_trace("0=25 1=36 2=49 end0");
    vr_imap_done(&imap);
    vr_generator_free(generator);
}

static void imaps_may_share_a_pool(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap one, two;

    vr_imap_init(&one, &pool, squares, VR_ITEMS(items, 4), NULL);
    vr_imap_init(&two, &pool, echoes, VR_ITEMS(items, 4), NULL);
    trace_rest(&two);
    trace_rest(&one);
    assert_trace("0=0 1=1 2=2 3=3 end0 0=0 1=1 2=4 3=9 end0");
    vr_imap_done(&one);
    vr_imap_done(&two);
    assert_idle(&pool);
}

static vr_result sums_an_imap_of_its_own(void *pool)
{
    vr_imap imap;
    vr_mapped mapped;
    intptr_t sum = 0;

    vr_imap_init(&imap, pool, squares, VR_ITEMS(items, 3), NULL);
    while (vr_imap_next(&imap, VR_FOREVER, &mapped) == 1)
        sum += number_of(mapped.result.value);
    vr_imap_done(&imap);
    return vr_ok(number(sum));
}

static void imap_of_a_member_shares_its_pool(void **state)
{
    vr_pool pool = VR_POOL(2);

    assert_result_value(vr_pool_apply(&pool, VR_FOREVER, sums_an_imap_of_its_own, &pool), number(5));
}

/* --- Ahead --- */

static size_t begun;

static vr_result counts_begin(void *n)
{
    begun++;
    return vr_ok(n);
}

static void no_more_is_begun_than_may_be_ahead(void **state)
{
    for (int flags = 0; flags < 2; flags++) {
        for (size_t ahead = 1; ahead < 4; ahead++) {
            vr_pool pool = VR_POOL(10);
            vr_imap imap;
            vr_mapped mapped;
            begun = 0;
            vr_imap_init(&imap, &pool, counts_begin, VR_ITEMS(items, 20),
                         &(vr_imap_options){.flags = flags ? VR_UNORDERED : 0, .ahead = ahead});
            vr_sleep(VR_SECONDS(1));
            for (size_t i = 0; i < 20; i++) {
                assert_int_equal(begun, i + ahead < 20 ? i + ahead : 20);
                assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 1);
                vr_sleep(VR_SECONDS(1)); /* a slow reader */
            }
            assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 0);
            vr_imap_done(&imap);
        }
    }
}

static void without_a_bound_all_are_begun(void **state)
{
    vr_pool pool = VR_POOL(10);
    vr_imap imap;

    begun = 0;
    vr_imap_init(&imap, &pool, counts_begin, VR_ITEMS(items, 50), NULL);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(begun, 50);
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_idle(&pool);
}

/* --- Waits --- */

static void next_waits_no_longer_than_its_timeout_and_loses_nothing(void **state)
{
    vr_pool pool = VR_POOL(3);
    vr_imap imap;
    vr_mapped mapped;

    vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(sleeps, 3), NULL);
    assert_int_equal(vr_imap_next(&imap, 0, &mapped), -ETIMEDOUT);
    assert_int_equal(vr_imap_next(&imap, VR_SECONDS(1), &mapped), -ETIMEDOUT);
    assert_int_equal(seconds_now(), 1);
    trace_rest(&imap);
    assert_trace("0=3000 1=1000 2=2000 end0");
    vr_imap_done(&imap);
}

static vr_result takes_one(void *imap)
{
    vr_mapped mapped;
    int got = vr_imap_next(imap, VR_FOREVER, &mapped);

    trace("got%d", got);
    return vr_fail(got < 0 ? got : 0);
}

static vr_result kills_after_a_second(void *victim)
{
    vr_sleep(VR_SECONDS(1));
    vr_kill(victim, -EIO);
    return vr_ok(NULL);
}

static void kill_in_the_wait_for_a_result_loses_none(void **state)
{
    static void *const second[] = {(void *)1000};

    for (int same_turn = 0; same_turn < 3; same_turn++) {
        vr_pool pool = VR_POOL(1);
        vr_imap imap;
        vr_greenlet *taker = vr_greenlet_new(takes_one), *killer = NULL;
        if (same_turn == 1)
            killer = vr_spawn(kills_after_a_second, taker);
        vr_sleep(0);
        vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(second, 1), NULL);
        vr_start(taker, &imap);
        vr_sleep(0);
        vr_sleep(0);
        if (same_turn == 2)
            killer = vr_spawn(kills_after_a_second, taker);
        if (!same_turn)
            vr_kill(taker, -EIO);
        assert_int_equal(vr_join(taker, VR_FOREVER), 0);
        if (killer)
            vr_join(killer, VR_FOREVER);
        trace_rest(&imap);
        /* Either the one has it, or the other. */
        assert_true(!strcmp(trace_text, "got-5 0=1000 end0") || (same_turn && !strcmp(trace_text, "got1 end0")));
        trace_clear();
        vr_imap_done(&imap);
        vr_unref(taker);
        vr_unref(killer);
    }
}

static void timeout_in_the_turn_of_the_result_loses(void **state)
{
    static void *const second[] = {(void *)1000};

    for (int first = 0; first < 2; first++) {
        vr_pool pool = VR_POOL(1);
        vr_imap imap;
        vr_mapped mapped;
        vr_timeout timeout = VR_TIMEOUT;
        if (first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(second, 1), NULL);
        vr_sleep(0);
        vr_sleep(0);
        if (!first)
            vr_timeout_start(&timeout, VR_SECONDS(1));
        assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), 1);
        vr_timeout_end(&timeout, 0);
        vr_imap_done(&imap);
    }
}

static void second_reader_is_refused_while_one_waits(void **state)
{
    vr_pool pool = VR_POOL(3);
    vr_imap imap;
    vr_mapped mapped;

    vr_imap_init(&imap, &pool, sleeps_ms, VR_ITEMS(sleeps, 3), NULL);
    vr_greenlet *taker = vr_spawn(takes_one, &imap);
    vr_sleep(0);
    vr_sleep(0);
    assert_int_equal(vr_imap_next(&imap, VR_FOREVER, &mapped), -EBUSY);
    assert_int_equal(vr_imap_done(&imap), -EBUSY);
    vr_join(taker, VR_FOREVER);
    trace_rest(&imap);
    assert_trace("got1 1=1000 2=2000 end0");
    assert_int_equal(vr_imap_done(&imap), 0);
    vr_unref(taker);
}

static vr_imap *imap_for_callback;

static void uses_imap_in_hub(vr_callback *callback)
{
    vr_mapped mapped;

    trace("%d", vr_imap_next(imap_for_callback, VR_FOREVER, &mapped));
    trace("%d", vr_imap_next(imap_for_callback, VR_FOREVER, &mapped) == -EPERM);
    trace("%d", vr_imap_done(imap_for_callback) == -EPERM);
}

static void hub_callbacks_may_take_what_is_there(void **state)
{
    vr_pool pool = VR_POOL(1);
    vr_imap imap;
    vr_callback callback = {.run = uses_imap_in_hub};
    intptr_t left = 2;

    imap_for_callback = &imap;
    vr_imap_init(&imap, &pool, echoes, VR_ITEMS_FROM(counts_slowly, &left), NULL);
    vr_sleep(VR_MILLISECONDS(1500));
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("1 1 1");
    assert_int_equal(vr_imap_done(&imap), 0);
}

/* --- Ending early --- */

static vr_result cleans_up(void *n)
{
    int error = vr_sleep(VR_FOREVER);

    trace("%s-%ld", error == -ECANCELED ? "exit" : "other", (long)number_of(n));
    return vr_fail(-EIO); /* as somebody is to hear of it */
}

static bool traces_report(vr_greenlet *greenlet, long error)
{
    trace("reported%ld", error);
    return false;
}

static void done_tells_those_that_run_to_end_and_begins_no_more(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;
    vr_mapped mapped;

    vr_hub_handle_error(traces_report);
    vr_imap_init(&imap, &pool, cleans_up, VR_ITEMS(items, 9), NULL);
    assert_int_equal(vr_imap_next(&imap, VR_SECONDS(1), &mapped), -ETIMEDOUT);
    assert_int_equal(vr_imap_done(&imap), 0);
    memset(&imap, 0xff, sizeof imap);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("exit-0 exit-1 reported-5 reported-5");
    assert_idle(&pool);
}

static void done_before_anything_ran(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap = {0};

    assert_int_equal(vr_imap_done(&imap), 0);
    vr_imap_init(&imap, &pool, cleans_up, VR_ITEMS(items, 9), NULL);
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_int_equal(vr_pool_join(&pool, VR_FOREVER, 0), 0);
    assert_trace("");
    assert_idle(&pool);
}

static void done_drops_results_that_nobody_took(void **state)
{
    for (int flags = 0; flags < 2; flags++) {
        vr_pool pool = VR_POOL(2);
        vr_imap imap;
        vr_imap_init(&imap, &pool, squares, VR_ITEMS(items, 9), flags ? &unordered : NULL);
        vr_sleep(VR_SECONDS(1));
        assert_int_equal(vr_imap_done(&imap), 0);
        assert_idle(&pool);
    }
}

/* Waits for ever, and takes its time to end when it is told to. */
static int ends_slowly(void *seconds, void **item)
{
    int error = vr_sleep(VR_FOREVER);

    trace("source-%s", error == -ECANCELED ? "exit" : "other");
    vr_sleep(VR_SECONDS(number_of(seconds)));
    return error;
}

static void done_waits_until_the_source_is_left(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;

    vr_imap_init(&imap, &pool, squares, VR_ITEMS_FROM(ends_slowly, number(2)), NULL);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_int_equal(seconds_now(), 3);
    assert_trace("source-exit");
}

static void done_can_be_called_again_when_the_source_takes_too_long(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;

    vr_imap_init(&imap, &pool, squares, VR_ITEMS_FROM(ends_slowly, number(3600)), NULL);
    vr_sleep(0);
    assert_int_equal(vr_imap_done(&imap), -EBUSY);
    assert_int_equal(vr_now(), VR_SCOPE_CLEANUP);
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_int_equal(vr_now(), VR_SCOPE_CLEANUP);
    trace_clear();
}

static vr_result ends_an_imap(void *pool)
{
    vr_imap imap;

    vr_imap_init(&imap, pool, squares, VR_ITEMS_FROM(ends_slowly, number(2)), NULL);
    vr_sleep(0);
    trace("%d", vr_imap_done(&imap));
    trace("%s", vr_sleep(VR_SECONDS(9)) == -EPROTO ? "killed" : "other");
    return vr_ok(NULL);
}

static void kill_while_the_source_is_left_is_for_the_next_wait(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_greenlet *ender = vr_spawn(ends_an_imap, &pool);

    vr_sleep(VR_SECONDS(1));
    vr_kill(ender, -EPROTO);
    assert_int_equal(vr_join(ender, VR_FOREVER), 0);
    assert_int_equal(seconds_now(), 2);
    assert_trace("source-exit 0 killed");
    vr_unref(ender);
}

static void killed_pool_ends_the_iteration(void **state)
{
    for (int flags = 0; flags < 2; flags++) {
        vr_pool pool = VR_POOL(2);
        vr_imap imap;
        vr_imap_init(&imap, &pool, sleeps_forever, VR_ITEMS(items, 9), flags ? &unordered : NULL);
        vr_sleep(VR_SECONDS(1));
        assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
        trace_rest(&imap);
        /* The third had been taken, and waited for its place. */
        assert_trace("0!125 1!125 2!125 end-125");
        assert_int_equal(vr_imap_done(&imap), 0);
        assert_idle(&pool);
    }
}

static void killed_pool_ends_an_iteration_that_waits_for_its_source_or_its_reader(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap slow_source, slow_reader;
    intptr_t left = 9;

    vr_imap_init(&slow_source, &pool, echoes, VR_ITEMS_FROM(counts_slowly, &left), NULL);
    vr_imap_init(&slow_reader, &pool, echoes, VR_ITEMS(items, 9), &(vr_imap_options){.ahead = 1});
    vr_sleep(VR_MILLISECONDS(1500));
    assert_int_equal(vr_pool_killall(&pool, -ECANCELED, VR_FOREVER), 0);
    trace_rest(&slow_reader);
    assert_trace("0=0 end-125");
    trace_rest(&slow_source);
    assert_trace("0=9 1!125 end-125");
    vr_imap_done(&slow_source);
    vr_imap_done(&slow_reader);
}

/* --- Memory --- */

static void begin_without_memory_is_an_error_or_ends_the_items(void **state)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;

    assert_int_equal(vr_imap_init(&imap, &pool, squares, VR_ITEMS(items, 9), NULL), 0);
    fault_malloc = (fault){.skip = 3, .times = 1, .error = ENOMEM};
    trace_rest(&imap);
    PASS(malloc);
    assert_trace("0=0 1=1 2=4 end-12");
    assert_int_equal(vr_imap_done(&imap), 0);
    assert_idle(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        imap_test(results_come_in_the_order_of_the_items),
        imap_test(results_in_order_wait_for_the_slowest),
        imap_test(unordered_results_come_as_they_are_ready),
        imap_test(no_items_give_no_results),
        imap_test(errors_of_items_are_theirs),
        imap_test(source_may_block),
        imap_test(error_of_the_source_comes_after_the_results),
        imap_test(generator_may_be_the_source),
        imap_test(imaps_may_share_a_pool),
        imap_test(imap_of_a_member_shares_its_pool),
        imap_test(no_more_is_begun_than_may_be_ahead),
        imap_test(without_a_bound_all_are_begun),
        imap_test(next_waits_no_longer_than_its_timeout_and_loses_nothing),
        imap_test(kill_in_the_wait_for_a_result_loses_none),
        imap_test(timeout_in_the_turn_of_the_result_loses),
        imap_test(second_reader_is_refused_while_one_waits),
        imap_test(hub_callbacks_may_take_what_is_there),
        imap_test(done_tells_those_that_run_to_end_and_begins_no_more),
        imap_test(done_before_anything_ran),
        imap_test(done_drops_results_that_nobody_took),
        imap_test(done_waits_until_the_source_is_left),
        imap_test(done_can_be_called_again_when_the_source_takes_too_long),
        imap_test(kill_while_the_source_is_left_is_for_the_next_wait),
        imap_test(killed_pool_ends_the_iteration),
        imap_test(killed_pool_ends_an_iteration_that_waits_for_its_source_or_its_reader),
        imap_test(begin_without_memory_is_an_error_or_ends_the_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
