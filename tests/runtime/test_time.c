/* Durations and deadlines. */
#include "support.h"

static void units_are_nanoseconds(void **state)
{
    assert_int_equal(VR_MICROSECONDS(3), 3000);
    assert_int_equal(VR_MILLISECONDS(3), 3000000);
    assert_int_equal(VR_SECONDS(3), 3000000000);
    assert_int_equal(VR_SECONDS(1.5), 1500000000);
    assert_int_equal(VR_SECONDS(1 + 1), 2000000000);
}

static void units_hold_more_than_an_int(void **state)
{
    int hours = 100;

    assert_int_equal(VR_SECONDS(hours * 3600), INT64_C(360000000000000));
    assert_int_equal(VR_MILLISECONDS(hours * 3600), INT64_C(360000000000));
    assert_int_equal(VR_MICROSECONDS(hours * 36000), INT64_C(3600000000));
}

static void clock_goes_forward(void **state)
{
    vr_time before = vr_now();

    for (int i = 0; i < 1000; i++) {
        vr_time now = vr_now();
        assert_true(now >= before);
        before = now;
    }
    assert_true(before > 0);
}

static void clock_moves_while_nothing_gives_way(void **state)
{
    vr_time before = vr_now();

    while (vr_now() == before)
        ;
}

static void deadline_is_the_timeout_from_now(void **state)
{
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_deadline(VR_SECONDS(2)), VR_SECONDS(3));
    assert_int_equal(vr_deadline(0), VR_SECONDS(1));
}

static void for_ever_has_no_deadline(void **state)
{
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_deadline(VR_FOREVER), VR_FOREVER);
    assert_int_equal(vr_remaining(VR_FOREVER), VR_FOREVER);
}

static void no_sum_overflows(void **state)
{
    vr_sleep(VR_SECONDS(1));
    vr_time deadline = vr_deadline(VR_FOREVER - 1);
    assert_true(deadline >= VR_FOREVER - 1);
    assert_true(vr_remaining(deadline) > VR_SECONDS(3600));
}

static void remaining_counts_down_to_0(void **state)
{
    vr_time deadline = vr_deadline(VR_SECONDS(3));

    assert_int_equal(vr_remaining(deadline), VR_SECONDS(3));
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_remaining(deadline), VR_SECONDS(2));
    vr_sleep(VR_SECONDS(2));
    assert_int_equal(vr_remaining(deadline), 0);
    vr_sleep(VR_SECONDS(1));
    assert_int_equal(vr_remaining(deadline), 0);
    assert_int_equal(vr_remaining(0), 0);
}

static void virtual_clock_moves_only_by_waiting(void **state)
{
    assert_int_equal(vr_now(), 0);
    assert_int_equal(vr_now(), 0);
    vr_sleep(VR_SECONDS(86400));
    assert_int_equal(vr_now(), VR_SECONDS(86400));
    vr_sleep(0);
    assert_int_equal(vr_now(), VR_SECONDS(86400));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_nanoseconds),
        cmocka_unit_test(units_hold_more_than_an_int),
        real_test(clock_goes_forward),
        real_test(clock_moves_while_nothing_gives_way),
        virtual_test(deadline_is_the_timeout_from_now),
        virtual_test(for_ever_has_no_deadline),
        virtual_test(no_sum_overflows),
        virtual_test(remaining_counts_down_to_0),
        virtual_test(virtual_clock_moves_only_by_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
