/* The hosts file: what its lines say, and that changes to it are seen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

static char directory[] = "/tmp/vireo-hosts-XXXXXX";
static char path[64], other_path[64];

static int make_directory(void **state)
{
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/hosts", directory);
    snprintf(other_path, sizeof other_path, "%s/other", directory);
    return 0;
}

static int remove_directory(void **state)
{
    return rmdir(directory);
}

static int remove_files(void **state)
{
    unlink(path);
    unlink(other_path);
    vr_hosts_free();
    return 0;
}

static void write_to(const char *file, const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

/* Gives the file a time of its own, whatever the system's clock ticks in. */
static void set_time(const char *file, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

/* The addresses of a name, separated by spaces. */
static const char *find(const char *name)
{
    static char text[1024];
    const vr_hosts_entry *entries;
    size_t count = vr_hosts_find(path, name, &entries), len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char ip[INET6_ADDRSTRLEN];
        assert_non_null(inet_ntop(entries[i].family, &entries[i].address, ip, sizeof ip));
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", ip);
    }
    return text;
}

static void every_name_of_a_line_has_its_address(void **state)
{
    write_to(path, "192.0.2.1 one.example one two\n192.0.2.3\tthree\t \tdrei\n");
    assert_string_equal(find("one.example"), "192.0.2.1");
    assert_string_equal(find("one"), "192.0.2.1");
    assert_string_equal(find("two"), "192.0.2.1");
    assert_string_equal(find("three"), "192.0.2.3");
    assert_string_equal(find("drei"), "192.0.2.3");
    assert_string_equal(find("four"), "");
    assert_string_equal(find(""), "");
    assert_string_equal(find("one.example.com"), "");
    assert_string_equal(find("on"), "");
}

static void addresses_come_in_the_order_of_the_file(void **state)
{
    write_to(path, "192.0.2.9 a\n192.0.2.1 b\n2001:db8::5 a\n192.0.2.5 a b\n");
    assert_string_equal(find("a"), "192.0.2.9 2001:db8::5 192.0.2.5");
    assert_string_equal(find("b"), "192.0.2.1 192.0.2.5");
}

static void case_of_letters_does_not_matter(void **state)
{
    write_to(path, "192.0.2.1 Host.Example\n192.0.2.2 HOST.EXAMPLE\n");
    assert_string_equal(find("host.example"), "192.0.2.1 192.0.2.2");
    assert_string_equal(find("HOST.example"), "192.0.2.1 192.0.2.2");
}

static void comments_are_passed_over(void **state)
{
    write_to(path, "# 192.0.2.1 a\n192.0.2.2 b # c\n192.0.2.3 d#e\n  # f\n#\n");
    assert_string_equal(find("a"), "");
    assert_string_equal(find("b"), "192.0.2.2");
    assert_string_equal(find("c"), "");
    assert_string_equal(find("d"), "192.0.2.3");
    assert_string_equal(find("e"), "");
    assert_string_equal(find("#"), "");
}

static void ipv6_addresses_are_read(void **state)
{
    write_to(path, "::1 ip6-loopback\n2001:DB8::1 a\n::ffff:192.0.2.1 b\n");
    assert_string_equal(find("ip6-loopback"), "::1");
    assert_string_equal(find("a"), "2001:db8::1");
    assert_string_equal(find("b"), "::ffff:192.0.2.1");
}

static void lines_that_are_something_else_are_passed_over(void **state)
{
    write_to(path, "\n   \nhello world\n192.0.2 a\n192.0.2.256 b\n192.0.2.1\nfe80::1%lo c\n192.0.2.2 d\n");
    assert_string_equal(find("world"), "");
    assert_string_equal(find("a"), "");
    assert_string_equal(find("b"), "");
    assert_string_equal(find("c"), "");
    assert_string_equal(find("d"), "192.0.2.2");
}

static void lines_may_end_in_cr_lf(void **state)
{
    write_to(path, "192.0.2.1 a\r\n192.0.2.2 b c\r\n# d\r\n");
    assert_string_equal(find("a"), "192.0.2.1");
    assert_string_equal(find("b"), "192.0.2.2");
    assert_string_equal(find("c"), "192.0.2.2");
}

static void leading_blanks_and_a_last_line_without_its_end_are_fine(void **state)
{
    write_to(path, "  \t192.0.2.1 a\n192.0.2.2 b");
    assert_string_equal(find("a"), "192.0.2.1");
    assert_string_equal(find("b"), "192.0.2.2");
}

static void empty_file_has_no_names(void **state)
{
    write_to(path, "");
    assert_string_equal(find("a"), "");
}

static void missing_file_has_no_names(void **state)
{
    const vr_hosts_entry *entries = (void *)1;

    assert_int_equal(vr_hosts_find(path, "a", &entries), 0);
    assert_int_equal(vr_hosts_find("", "a", &entries), 0);
    assert_int_equal(vr_hosts_find(directory, "a", &entries), 0); /* a directory */
}

static void change_is_seen(void **state)
{
    write_to(path, "192.0.2.1 a\n");
    assert_string_equal(find("a"), "192.0.2.1");
    write_to(path, "192.0.2.1 a\n192.0.2.2 b\n");
    assert_string_equal(find("b"), "192.0.2.2");
}

static void change_that_keeps_the_size_is_seen(void **state)
{
    write_to(path, "192.0.2.1 a\n");
    set_time(path, 1000);
    assert_string_equal(find("a"), "192.0.2.1");
    write_to(path, "192.0.2.2 a\n");
    set_time(path, 1001);
    assert_string_equal(find("a"), "192.0.2.2");
}

/* As editors do: with the old time, too. */
static void file_that_was_put_in_its_place_is_seen(void **state)
{
    write_to(path, "192.0.2.1 a\n");
    set_time(path, 1000);
    assert_string_equal(find("a"), "192.0.2.1");
    write_to(other_path, "192.0.2.2 a\n");
    set_time(other_path, 1000);
    assert_int_equal(rename(other_path, path), 0);
    assert_string_equal(find("a"), "192.0.2.2");
}

static void file_that_goes_and_comes_back_is_seen(void **state)
{
    write_to(path, "192.0.2.1 a\n");
    assert_string_equal(find("a"), "192.0.2.1");
    assert_int_equal(unlink(path), 0);
    assert_string_equal(find("a"), "");
    write_to(path, "192.0.2.2 a\n");
    assert_string_equal(find("a"), "192.0.2.2");
}

static void another_path_is_another_file(void **state)
{
    const vr_hosts_entry *entries;

    write_to(path, "192.0.2.1 a\n");
    write_to(other_path, "192.0.2.2 b\n");
    assert_string_equal(find("a"), "192.0.2.1");
    assert_int_equal(vr_hosts_find(other_path, "b", &entries), 1);
    assert_int_equal(vr_hosts_find(other_path, "a", &entries), 0);
    assert_string_equal(find("a"), "192.0.2.1");
}

static void many_names_are_all_found(void **state)
{
    char text[64];
    FILE *out = fopen(path, "w");

    for (int i = 0; i < 5000; i++)
        fprintf(out, "10.0.%d.%d host%d.example\n", i / 256, i % 256, i * 7919 % 5000);
    fclose(out);
    for (int i = 0; i < 5000; i += 7) {
        char name[32];
        snprintf(name, sizeof name, "host%d.example", i * 7919 % 5000);
        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        assert_string_equal(find(name), text);
    }
}

#define hosts_test(function) cmocka_unit_test_teardown(function, remove_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        hosts_test(every_name_of_a_line_has_its_address),
        hosts_test(addresses_come_in_the_order_of_the_file),
        hosts_test(case_of_letters_does_not_matter),
        hosts_test(comments_are_passed_over),
        hosts_test(ipv6_addresses_are_read),
        hosts_test(lines_that_are_something_else_are_passed_over),
        hosts_test(lines_may_end_in_cr_lf),
        hosts_test(leading_blanks_and_a_last_line_without_its_end_are_fine),
        hosts_test(empty_file_has_no_names),
        hosts_test(missing_file_has_no_names),
        hosts_test(change_is_seen),
        hosts_test(change_that_keeps_the_size_is_seen),
        hosts_test(file_that_was_put_in_its_place_is_seen),
        hosts_test(file_that_goes_and_comes_back_is_seen),
        hosts_test(another_path_is_another_file),
        hosts_test(many_names_are_all_found),
    };

    return cmocka_run_group_tests_name("hosts", tests, make_directory, remove_directory);
}
