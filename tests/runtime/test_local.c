/* Greenlet-local storage: whose value one sees, and when values end. */
#include "faults.h"
#include "support.h"

#include <vireo/generator.h>
#include <vireo/local.h>

#include <stdlib.h>

WRAP(void *, malloc, (size_t size), NULL, (size))

static void traces_end(void *value)
{
    trace("end-%ld", (long)number_of(value));
}

static vr_local plain = VR_LOCAL(NULL), first = VR_LOCAL(traces_end), second = VR_LOCAL(traces_end),
                third = VR_LOCAL(traces_end);

/* --- Values --- */

static vr_result has_its_own(void *argument)
{
    trace("%d", vr_local_get(&plain) == NULL);
    vr_local_set(&plain, argument);
    vr_sleep(0);
    trace("%ld", (long)number_of(vr_local_get(&plain)));
    return vr_ok(NULL);
}

static void each_greenlet_has_a_value_of_its_own(void **state)
{
    assert_null(vr_local_get(&plain));
    assert_int_equal(vr_local_set(&plain, number(7)), 0);
    vr_greenlet *greenlets[] = {vr_spawn(has_its_own, number(1)), vr_spawn(has_its_own, number(2))};
    vr_joinall(greenlets, 2, VR_FOREVER);
    assert_trace("1 1 1 2");
    assert_ptr_equal(vr_local_get(&plain), number(7));
    vr_unref(greenlets[0]);
    vr_unref(greenlets[1]);
}

static void each_name_has_a_value_of_its_own(void **state)
{
    vr_local_set(&first, number(1));
    vr_local_set(&second, number(2));
    vr_local_set(&plain, number(3));
    assert_ptr_equal(vr_local_get(&first), number(1));
    assert_ptr_equal(vr_local_get(&second), number(2));
    assert_ptr_equal(vr_local_get(&plain), number(3));
    assert_null(vr_local_get(&third));
}

static vr_result yields_its_own(void *argument)
{
    vr_local_set(&plain, argument);
    vr_yield(vr_local_get(&plain));
    return vr_ok(vr_local_get(&plain));
}

static void generator_has_values_of_its_own(void **state)
{
    bool done;
    vr_generator *generator = vr_generator_new(yields_its_own, number(5));

    vr_local_set(&plain, number(1));
    assert_result_value(vr_generator_next(generator, &done), number(5));
    assert_ptr_equal(vr_local_get(&plain), number(1));
    assert_result_value(vr_generator_next(generator, &done), number(5));
    vr_generator_free(generator);
}

/* --- Their ends --- */

static void setting_another_value_ends_the_old_one(void **state)
{
    vr_local_set(&first, number(1));
    vr_local_set(&first, number(2));
    assert_trace("end-1");
    vr_local_set(&first, number(2));
    assert_trace("");
    vr_local_set(&first, NULL);
    assert_trace("end-2");
    assert_null(vr_local_get(&first));
    vr_local_set(&first, number(3));
    assert_trace("");
    vr_local_set(&first, NULL);
    trace_clear();
}

static vr_result sets_three(void *argument)
{
    vr_local_set(&second, number(2));
    vr_local_set(&first, number(1));
    vr_local_set(&third, number(3));
    vr_local_set(&plain, number(4));
    vr_local_set(&second, number(5));
    vr_sleep(VR_SECONDS(1));
    trace("returns");
    return vr_ok(NULL);
}

static void values_end_in_the_order_in_which_names_were_set_first_when_the_function_has_returned(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sets_three, NULL);

    vr_join(greenlet, VR_FOREVER);
    assert_trace("end-2 returns end-5 end-1 end-3");
    vr_unref(greenlet);
}

static void killed_greenlet_ends_its_values(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sets_three, NULL);

    vr_sleep(0);
    vr_kill(greenlet, -EIO);
    vr_join(greenlet, VR_FOREVER);
    assert_int_equal(vr_now(), 0);
    assert_trace("end-2 returns end-5 end-1 end-3");
    vr_unref(greenlet);
}

static vr_result sets_and_switches_back(void *parent)
{
    vr_local_set(&first, number(1));
    return vr_switch(parent, NULL);
}

static void freed_greenlet_ends_its_values(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(sets_and_switches_back);

    vr_switch(greenlet, vr_current());
    vr_unref(greenlet);
    assert_trace("end-1");
}

static void greenlet_that_never_ran_has_none(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(sets_three), *killed = vr_spawn(sets_three, NULL);

    vr_unref(greenlet);
    vr_kill(killed, -ECANCELED);
    vr_unref(killed);
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_trace("");
}

static void main_greenlets_values_end_with_the_hub(void **state)
{
    vr_local_set(&first, number(1));
    vr_local_set(&second, number(2));
    assert_int_equal(vr_hub_free(), 0);
    assert_trace("end-1 end-2");
    assert_null(vr_local_get(&first));
}

/* --- What ends may do --- */

static void blocks(void *value)
{
    trace("blocks");
    trace("%d", vr_sleep(VR_SECONDS(number_of(value))));
}

static vr_local blocking = VR_LOCAL(blocks);

static vr_result sets_blocking(void *seconds)
{
    vr_local_set(&blocking, seconds);
    return vr_ok(number(8));
}

static void end_may_block(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sets_blocking, number(3));

    assert_int_equal(vr_join(greenlet, VR_SECONDS(1)), -ETIMEDOUT);
    assert_trace("blocks");
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_now(), VR_SECONDS(3));
    assert_trace("0");
    assert_ptr_equal(vr_value(greenlet), number(8));
    vr_unref(greenlet);
}

static void kill_during_an_end_fails_its_wait_and_the_result_stands(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sets_blocking, number(3));

    vr_sleep(0);
    vr_kill(greenlet, -ECANCELED);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_now(), 0);
    assert_trace("blocks -125");
    assert_ptr_equal(vr_value(greenlet), number(8));
    vr_unref(greenlet);
}

static vr_local renewing;

static void sets_anew(void *value)
{
    intptr_t left = number_of(value);

    trace("%ld sees-%ld", (long)left, (long)number_of(vr_local_get(&renewing)));
    if (left > 1)
        vr_local_set(&renewing, number(left - 1));
    vr_local_set(&first, number(10 + left));
}

static vr_local renewing = VR_LOCAL(sets_anew);

static vr_result sets_renewing(void *argument)
{
    vr_local_set(&renewing, number(3));
    return vr_ok(NULL);
}

static void values_that_ends_set_are_ended_after_the_others(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sets_renewing, NULL);

    vr_join(greenlet, VR_FOREVER);
    assert_trace("3 sees-0 2 sees-0 end-13 end-12 1 sees-0 end-11");
    vr_unref(greenlet);
}

/* --- Refusals --- */

static void value_without_memory_is_an_error_and_leaves_all_as_it_was(void **state)
{
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_local_set(&first, number(1)), -ENOMEM);
    assert_null(vr_local_get(&first));
    assert_int_equal(vr_local_set(&first, number(1)), 0);
    /* Neither a name that has one, nor NULL, needs memory. */
    FAIL_TIMES(malloc, 9, ENOMEM);
    assert_int_equal(vr_local_set(&first, number(2)), 0);
    assert_int_equal(vr_local_set(&first, NULL), 0);
    assert_int_equal(vr_local_set(&first, number(3)), 0);
    assert_int_equal(vr_local_set(&second, NULL), 0);
    PASS(malloc);
    assert_trace("end-1 end-2");
}

static void sets_in_hub(vr_callback *callback)
{
    trace("%d", vr_local_set(&first, number(1)) == -EPERM);
    trace("%d", vr_local_get(&first) == NULL);
}

static void hub_callbacks_have_no_values(void **state)
{
    vr_callback callback = {.run = sets_in_hub};

    vr_local_set(&first, number(9));
    vr_callback_queue(&callback);
    vr_sleep(0);
    assert_trace("1 1");
}

static vr_result stores_and_frees(void *argument)
{
    static vr_local text = VR_LOCAL(free);

    vr_local_set(&text, strdup("alice"));
    vr_sleep(0);
    trace("%s", (char *)vr_local_get(&text));
    return vr_ok(NULL);
}

static void end_may_be_free_itself(void **state)
{
    vr_greenlet *greenlet = vr_spawn(stores_and_frees, NULL);

    vr_join(greenlet, VR_FOREVER);
    assert_trace("alice");
    vr_unref(greenlet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(each_greenlet_has_a_value_of_its_own),
        virtual_test(each_name_has_a_value_of_its_own),
        virtual_test(generator_has_values_of_its_own),
        virtual_test(setting_another_value_ends_the_old_one),
        virtual_test(values_end_in_the_order_in_which_names_were_set_first_when_the_function_has_returned),
        virtual_test(killed_greenlet_ends_its_values),
        virtual_test(freed_greenlet_ends_its_values),
        virtual_test(greenlet_that_never_ran_has_none),
        virtual_test(main_greenlets_values_end_with_the_hub),
        virtual_test(end_may_block),
        virtual_test(kill_during_an_end_fails_its_wait_and_the_result_stands),
        virtual_test(values_that_ends_set_are_ended_after_the_others),
        virtual_test(value_without_memory_is_an_error_and_leaves_all_as_it_was),
        virtual_test(hub_callbacks_have_no_values),
        virtual_test(end_may_be_free_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
