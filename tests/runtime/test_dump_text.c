/* The lists of greenlets that people read, and what main finds when nothing can happen any more. */
#include "faults.h"
#include "report_support.h"

#include <vireo/dump.h>
#include <vireo/event.h>

#include <stdlib.h>

/* --- Memory that runs out --- */

WRAP(void *, malloc, (size_t size), NULL, (size))
WRAP(FILE *, open_memstream, (char **text, size_t *len), NULL, (text, len))

/* --- Lines --- */

static vr_result joins(void *greenlet)
{
    return vr_fail(vr_join(greenlet, VR_FOREVER));
}

static void each_greenlet_has_a_line_and_columns_are_aligned(void **state)
{
    vr_greenlet *first = vr_spawn_with(&(vr_spawn_options){.name = "a-rather-long-name"}, sleeps_ms, number(90000));
    vr_greenlet *second = start(joins, first);
    vr_sleep(VR_SECONDS(1));
    char *text = vr_dump_text(100);

    assert_int_equal(count_lines(text), 5);
    assert_matches(text, "^vireo: 4 greenlets in thread [0-9]+ \\(.+\\)$");
    assert_matches(text, "^  main                running  {40,}-  {10,}\\(main\\)$");
    assert_matches(text, "^  hub                 ready    .*  [0-9]+ of [0-9]+ KiB +\\(hub\\)$");
    assert_matches(text, "^  a-rather-long-name  waiting  the end of its sleep, in 89\\.0 s  for 1\\.0 s   [0-9]+ of "
                         "[0-9]+ KiB +tests/runtime/test_dump_text\\.c:[0-9]+$");
    assert_matches(text, "^  greenlet-4          waiting  a-rather-long-name to end        for 1\\.0 s  ");
    const char *main_site = strstr(text, "(main)"), *hub_site = strstr(text, "(hub)");
    const char *main_line = strstr(text, "  main"), *hub_line = strstr(text, "  hub ");
    assert_int_equal(main_site - main_line, hub_site - hub_line);
    free(text);
    end_greenlet(first);
    vr_join(second, VR_FOREVER);
    vr_unref(second);
}

static void lines_may_be_limited_and_the_rest_is_counted(void **state)
{
    vr_greenlet *greenlets[10];

    for (int i = 0; i < 10; i++)
        greenlets[i] = vr_spawn(sleeps_forever, NULL);
    char *text = vr_dump_text(5);
    assert_int_equal(count_lines(text), 7);
    assert_matches(text, "^vireo: 12 greenlets in thread ");
    assert_matches(text, "^  greenlet-5  ");
    assert_matches(text, "^  \\.\\.\\. and 7 more$");
    free(text);
    text = vr_dump_text(12);
    assert_int_equal(count_lines(text), 13);
    assert_null(strstr(text, "more\n"));
    free(text);
    text = vr_dump_text(0);
    assert_int_equal(count_lines(text), 2);
    free(text);
    vr_killall(greenlets, 10, -ECANCELED, VR_FOREVER);
    for (int i = 0; i < 10; i++)
        vr_unref(greenlets[i]);
}

static void dump_is_written_to_a_file(void **state)
{
    FILE *file = tmpfile();
    char text[4096] = "";

    assert_int_equal(vr_dump(file), 0);
    rewind(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_matches(text, "^vireo: 2 greenlets in thread ");
    assert_matches(text, "^  main +running ");
}

static void write_that_fails_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");

    assert_int_equal(vr_dump(full), -ENOSPC);
    fclose(full);
}

/* --- Where it may be called --- */

static void thread_without_a_hub_has_no_lines(void **state)
{
    char *text = vr_dump_text(10);

    assert_matches(text, "^vireo: 0 greenlets in thread ");
    assert_int_equal(count_lines(text), 1);
    free(text);
    assert_null(vr_hub_deadlock());
}

static char *text_of_call;

static vr_result dumps(void *argument)
{
    text_of_call = vr_dump_text(10);
    return vr_ok(NULL);
}

static void dumps_in_hub(vr_callback *callback)
{
    text_of_call = vr_dump_text(10);
}

static void may_be_called_in_a_greenlet_and_in_the_hub(void **state)
{
    vr_callback callback = {.run = dumps_in_hub};

    end_greenlet(start(dumps, NULL));
    assert_matches(text_of_call, "^  greenlet-3  running ");
    assert_matches(text_of_call, "^  main +ready ");
    free(text_of_call);
    vr_callback_queue(&callback);
    vr_sleep(VR_MILLISECONDS(1));
    assert_matches(text_of_call, "^  hub   running ");
    assert_matches(text_of_call, "^  main  waiting  the end of its sleep, in 1 ms ");
    free(text_of_call);
}

static void without_memory_nothing_is_listed(void **state)
{
    vr_current();
    FAIL(malloc, ENOMEM);
    assert_null(vr_dump_text(10));
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_dump(stderr), -ENOMEM);
    FAIL(open_memstream, ENOMEM);
    assert_null(vr_dump_text(10));
}

/* --- Deadlocks of the whole --- */

static vr_event event = VR_EVENT_INIT;

static vr_result waits_for_event(void *argument)
{
    return vr_fail(vr_event_wait(&event, VR_FOREVER));
}

static void main_that_would_block_forever_finds_who_waits_for_what(void **state)
{
    assert_null(vr_hub_deadlock());
    vr_greenlet *waiter = vr_spawn_with(&(vr_spawn_options){.name = "bob"}, waits_for_event, NULL);
    assert_int_equal(vr_join(waiter, VR_FOREVER), -EDEADLK);
    const char *text = vr_hub_deadlock();
    assert_matches(text, "^  main  waiting  bob to end ");
    assert_matches(text, "^  bob   waiting  event 0x[0-9a-f]+ ");
    vr_event_set(&event);
    assert_int_equal(vr_join(waiter, VR_FOREVER), 0);
    vr_event_clear(&event);
    vr_unref(waiter);
    assert_ptr_equal(vr_hub_deadlock(), text);

    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_matches(vr_hub_deadlock(), "^  main  waiting  the end of its sleep ");
    assert_null(strstr(vr_hub_deadlock(), "bob"));
}

static void dump_of_a_deadlock_is_bounded(void **state)
{
    static vr_greenlet *greenlets[100];

    for (int i = 0; i < 100; i++)
        greenlets[i] = vr_spawn(sleeps_forever, NULL);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_int_equal(count_lines(vr_hub_deadlock()), 66);
    assert_matches(vr_hub_deadlock(), "^  \\.\\.\\. and 38 more$");
    vr_killall(greenlets, 100, -ECANCELED, VR_FOREVER);
    for (int i = 0; i < 100; i++)
        vr_unref(greenlets[i]);
}

static void deadlock_without_memory_for_the_dump_is_told_all_the_same(void **state)
{
    vr_current();
    FAIL(malloc, ENOMEM);
    assert_int_equal(vr_sleep(VR_FOREVER), -EDEADLK);
    assert_null(vr_hub_deadlock());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(each_greenlet_has_a_line_and_columns_are_aligned),
        virtual_test(lines_may_be_limited_and_the_rest_is_counted),
        virtual_test(dump_is_written_to_a_file),
        virtual_test(write_that_fails_is_told),
        cmocka_unit_test(thread_without_a_hub_has_no_lines),
        virtual_test(may_be_called_in_a_greenlet_and_in_the_hub),
        virtual_test(without_memory_nothing_is_listed),
        virtual_test(main_that_would_block_forever_finds_who_waits_for_what),
        virtual_test(dump_of_a_deadlock_is_bounded),
        virtual_test(deadlock_without_memory_for_the_dump_is_told_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
