/*
 * The manual page and --help describe the same options.
 *
 * In the page an option has a line that begins with it in bold, its argument underlined: `*-t* _TYPE_[,_TYPE_...]`.
 */
#include "buffer.h"
#include "cmocka_all.h"
#include "options.h"

#include <stdlib.h>

/* A text of one option a line, without markup: "-t TYPE[,TYPE...]". */
struct option_list {
    struct buffer text;
};

static void add_option(struct option_list *list, const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] != '*' && line[i] != '_' && line[i] != '\\')
            buffer_char(&list->text, line[i]);
    buffer_char(&list->text, '\n');
}

static struct option_list finish(struct option_list list)
{
    buffer_char(&list.text, '\0');
    assert_int_equal(list.text.error, 0);
    return list;
}

static struct option_list options_of_help(void)
{
    struct option_list list = {0};
    char *help;
    size_t size;
    FILE *out = open_memstream(&help, &size);
    options_help(out);
    fclose(out);
    /* "  -t TYPE[,TYPE...]     look up ...": two blanks end the option. */
    for (char *rest = help, *line; (line = strsep(&rest, "\n"));) {
        if (strncmp(line, "  -", 3) != 0)
            continue;
        char *end = strstr(line + 2, "  ");
        if (!end)
            fail_msg("no help behind '%s'", line);
        add_option(&list, line + 2, (size_t)(end - line - 2));
    }
    free(help);
    return finish(list);
}

static struct option_list options_of_manual(void)
{
    struct option_list list = {0};
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(MANUAL, "re");
    assert_non_null(file);
    while (getline(&line, &size, file) > 0)
        if (strncmp(line, "*-", 2) == 0)
            add_option(&list, line, strcspn(line, "\n"));
    fclose(file);
    free(line);
    return finish(list);
}

static void manual_has_the_options_of_help_in_their_order(void **state)
{
    (void)state;
    struct option_list help = options_of_help(), manual = options_of_manual();
    assert_string_equal(manual.text.data, help.text.data);
    buffer_done(&help.text);
    buffer_done(&manual.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(manual_has_the_options_of_help_in_their_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
