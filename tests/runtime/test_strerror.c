/* Words for errors. */
#include "support.h"

#include <limits.h>

static void every_number_has_words(void **state)
{
    static const long edges[] = {0, 1, -1, 4096, -4096, -100000, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN};

    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        assert_true(strlen(vr_strerror(edges[i])) > 0);
    for (long error = 0; error >= -200; error--)
        assert_true(strlen(vr_strerror(error)) > 0);
}

static void errors_of_its_own_have_words_of_their_own(void **state)
{
    assert_non_null(strstr(vr_strerror(-EDEADLK), "would block forever"));
    assert_string_not_equal(vr_strerror(-ECANCELED), vr_strerror(-EDEADLK));
}

static void system_errors_have_the_systems_words(void **state)
{
    assert_string_equal(vr_strerror(-ENOENT), "No such file or directory");
    assert_string_not_equal(vr_strerror(-EIO), vr_strerror(-ENOMEM));
}

static void words_stay_when_others_are_asked_for(void **state)
{
    const char *words = vr_strerror(-ECONNREFUSED);
    char copy[128];

    snprintf(copy, sizeof copy, "%s", words);
    vr_strerror(-EIO);
    vr_strerror(-99999);
    vr_strerror(LONG_MIN);
    assert_string_equal(words, copy);
}

static void words_for_unknown_numbers_stay_too(void **state)
{
    const char *words = vr_strerror(-99999);
    char copy[128];

    snprintf(copy, sizeof copy, "%s", words);
    vr_strerror(-88888);
    assert_string_equal(words, copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_words),
        cmocka_unit_test(errors_of_its_own_have_words_of_their_own),
        cmocka_unit_test(system_errors_have_the_systems_words),
        cmocka_unit_test(words_stay_when_others_are_asked_for),
        cmocka_unit_test(words_for_unknown_numbers_stay_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
