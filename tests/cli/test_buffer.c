#include "buffer.h"
#include "cmocka_all.h"

#include <errno.h>

static void text_of(const struct buffer *buffer, const char *expected)
{
    assert_int_equal(buffer->len, strlen(expected));
    assert_memory_equal(buffer->data, expected, buffer->len);
}

static void numbers_are_written_in_decimal(void **state)
{
    struct buffer buffer = {0};
    (void)state;
    buffer_number(&buffer, 0);
    buffer_char(&buffer, ' ');
    buffer_number(&buffer, UINT64_MAX);
    buffer_char(&buffer, ' ');
    buffer_digits(&buffer, 7, 3);
    buffer_digits(&buffer, 1234, 2);
    text_of(&buffer, "0 18446744073709551615 00734");
    buffer_done(&buffer);
}

static void it_grows_and_keeps_what_it_has(void **state)
{
    struct buffer buffer = {0};
    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        buffer_char(&buffer, (char)('a' + i % 26));
    assert_int_equal(buffer.len, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buffer.data[i], 'a' + i % 26);
    buffer_done(&buffer);
}

static void repeating_survives_a_move_of_the_octets(void **state)
{
    struct buffer buffer = {0};
    (void)state;
    buffer_text(&buffer, "abc");
    while (buffer.capacity - buffer.len >= 3)
        buffer_text(&buffer, "...");
    size_t before = buffer.len;
    buffer_repeat(&buffer, 0, 3);
    assert_int_equal(buffer.len, before + 3);
    assert_memory_equal(buffer.data + before, "abc", 3);
    buffer_done(&buffer);
}

static void lack_of_memory_is_sticky(void **state)
{
    struct buffer buffer = {0};
    (void)state;
    buffer_text(&buffer, "abc");
    assert_null(buffer_room(&buffer, SIZE_MAX / 2));
    assert_int_equal(buffer.error, -ENOMEM);
    assert_null(buffer_room(&buffer, buffer.capacity));
    text_of(&buffer, "abc");
    buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(it_grows_and_keeps_what_it_has),
        cmocka_unit_test(repeating_survives_a_move_of_the_octets),
        cmocka_unit_test(lack_of_memory_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
