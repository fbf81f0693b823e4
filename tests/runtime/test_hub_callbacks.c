/* Callbacks that enter greenlets: the hub is theirs until they return, and what they are given back is theirs, too. */
#include "support.h"

#include <vireo/event.h>
#include <vireo/generator.h>

static vr_result traces_its_turn(void *argument)
{
    trace("other");
    return vr_ok(NULL);
}

/* Something that is ready, and would run if anybody gave way to it. */
static void make_another_ready(void)
{
    vr_unref(vr_spawn(traces_its_turn, NULL));
}

/* --- Generators --- */

static vr_generator *generator;

static vr_result yields_1_and_fails(void *argument)
{
    vr_yield(number(1));
    return vr_fail(-EIO);
}

static vr_result yields_1_and_returns_42(void *argument)
{
    vr_yield(number(1));
    return vr_ok(number(42));
}

static void asks_twice(vr_callback *callback)
{
    bool done;

    trace("begin");
    make_another_ready();
    for (int i = 0; i < 2; i++) {
        vr_result result = vr_generator_next(generator, &done);
        trace("%ld/%ld%s", (long)number_of(result.value), result.error, done ? "." : "");
    }
    trace("end");
}

static void generator_can_be_asked_in_a_callback(void **state)
{
    static const struct {
        vr_function *function;
        const char *expected;
    } cases[] = {
        {yields_1_and_returns_42, "begin 1/0 42/0. end other"},
        {yields_1_and_fails, "begin 1/0 0/-5. end other"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vr_callback callback = {.run = asks_twice};
        generator = vr_generator_new(cases[i].function, NULL);
        vr_callback_queue(&callback);
        vr_sleep(0);
        vr_sleep(0);
        assert_trace(cases[i].expected);
        vr_generator_free(generator);
    }
}

/* --- Greenlets switched to by name --- */

static vr_greenlet *raw;
static vr_event gate;

static vr_result parks_and_returns_7(void *argument)
{
    vr_event_wait(&gate, VR_FOREVER);
    return vr_ok(number(7));
}

static void switches_to_raw(vr_callback *callback)
{
    trace("begin");
    make_another_ready();
    vr_result result = vr_switch(raw, NULL);
    trace("back-%ld", (long)number_of(result.value));
}

static void switch_in_a_callback_comes_back_when_its_target_parks(void **state)
{
    vr_callback callback = {.run = switches_to_raw};

    gate = VR_EVENT;
    raw = vr_greenlet_new(parks_and_returns_7);
    vr_callback_queue(&callback);
    vr_sleep(0);
    vr_sleep(0);
    assert_trace("begin back-0 other");
    vr_event_set(&gate);
    /* Main is its parent, and gets its end. */
    assert_ptr_equal(vr_switch(raw, NULL).value, number(7));
    vr_unref(raw);
}

/* The hub is the parent of what is made in a callback. */
static void makes_and_enters(vr_callback *callback)
{
    trace("begin");
    make_another_ready();
    vr_greenlet *greenlet = vr_greenlet_new(echoes);
    trace("%ld", (long)number_of(vr_switch(greenlet, number(5)).value));
    vr_unref(greenlet);
}

static void value_of_a_greenlet_that_ends_goes_to_the_callback_that_entered_it(void **state)
{
    vr_callback callback = {.run = makes_and_enters};

    vr_callback_queue(&callback);
    vr_sleep(0);
    vr_sleep(0);
    assert_trace("begin 5 other");
}

/* --- The last reference --- */

static vr_result goes_back_to_main(void *main)
{
    vr_switch(main, NULL);
    trace("cleaned");
    return vr_ok(NULL);
}

static void lets_go(vr_callback *callback)
{
    trace("begin");
    make_another_ready();
    vr_unref(raw);
    trace("end");
}

static void greenlet_that_loses_its_last_reference_in_a_callback_ends_within_it(void **state)
{
    vr_callback callback = {.run = lets_go};

    raw = vr_greenlet_new(goes_back_to_main);
    vr_switch(raw, vr_current());
    vr_callback_queue(&callback);
    vr_sleep(0);
    vr_sleep(0);
    assert_trace("begin cleaned end other");
}

/* --- Links that link themselves again --- */

static int calls;

static void links_itself_again(void *greenlet, void *link)
{
    trace("link");
    if (++calls < 4)
        vr_rawlink(greenlet, link);
}

static void traces_callback(vr_callback *callback)
{
    trace("callback");
}

static void link_that_links_itself_again_waits_for_its_next_turn(void **state)
{
    vr_greenlet *dead = vr_spawn(echoes, NULL);
    vr_callback callback = {.run = traces_callback};
    vr_link link = {.notify = links_itself_again, .context = &link};

    vr_join(dead, VR_FOREVER);
    calls = 0;
    vr_rawlink(dead, &link);
    vr_callback_queue(&callback);
    for (int i = 0; i < 5; i++)
        vr_sleep(0);
    assert_trace("link callback link link link");
    vr_unref(dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(generator_can_be_asked_in_a_callback),
        virtual_test(switch_in_a_callback_comes_back_when_its_target_parks),
        virtual_test(value_of_a_greenlet_that_ends_goes_to_the_callback_that_entered_it),
        virtual_test(greenlet_that_loses_its_last_reference_in_a_callback_ends_within_it),
        virtual_test(link_that_links_itself_again_waits_for_its_next_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
