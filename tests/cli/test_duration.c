#include "cmocka_all.h"
#include "duration.h"

#include <errno.h>

static vr_time read_duration(const char *text)
{
    vr_time duration = -1;
    assert_int_equal(duration_from_text(&duration, text), 0);
    return duration;
}

static void number_alone_is_seconds(void **state)
{
    (void)state;
    assert_int_equal(read_duration("5"), VR_SECONDS(5));
    assert_int_equal(read_duration("0.25"), VR_MILLISECONDS(250));
}

static void every_unit_is_understood(void **state)
{
    (void)state;
    assert_int_equal(read_duration("1.5s"), VR_MILLISECONDS(1500));
    assert_int_equal(read_duration("300ms"), VR_MILLISECONDS(300));
    assert_int_equal(read_duration("0.5ms"), VR_MICROSECONDS(500));
    assert_int_equal(read_duration("2m"), VR_SECONDS(120));
    assert_int_equal(read_duration("1h"), VR_SECONDS(3600));
    assert_int_equal(read_duration("0.1h"), VR_SECONDS(360));
}

static void digits_below_a_nanosecond_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(read_duration("0.0000000019"), 1);
    assert_int_equal(read_duration("1.999999999999999999999s"), 1999999999);
}

static void longest_is_a_thousand_hours(void **state)
{
    (void)state;
    vr_time duration;
    assert_int_equal(read_duration("1000h"), DURATION_MAX);
    assert_int_equal(read_duration("3600000000ms"), DURATION_MAX);
    assert_int_equal(duration_from_text(&duration, "1000.0001h"), -EINVAL);
    assert_int_equal(duration_from_text(&duration, "3600001"), -EINVAL);
    assert_int_equal(duration_from_text(&duration, "99999999999999999999999"), -EINVAL);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {"",    "s",     "-1",  "+1",    " 1",  "1 ", "1 s", "1.",  ".5",
                                        "1.s", "1e3",   "0x1", "inf",   "nan", "1S", "1d",  "1us", "1m30",
                                        "0",   "0.0ms", "1,5", "1.5.5", "5s ", "١",  "1mss"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vr_time duration = 42;
        if (duration_from_text(&duration, wrong[i]) != -EINVAL || duration != 42)
            fail_msg("'%s' was taken for a duration", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_alone_is_seconds),
        cmocka_unit_test(every_unit_is_understood),
        cmocka_unit_test(digits_below_a_nanosecond_are_dropped),
        cmocka_unit_test(longest_is_a_thousand_hours),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
