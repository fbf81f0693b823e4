/* Addresses of servers as URLs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vireo/server.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Reads a URL, and compares what it is written as. */
static void assert_url(const char *text, const char *expected)
{
    vr_server server;
    char out[VR_SERVER_TEXT_SIZE];

    assert_int_equal(vr_server_from_text(&server, text), 0);
    assert_ptr_equal(vr_server_text(&server, out), out);
    assert_string_equal(out, expected);
}

static void assert_no_url(const char *text, int error)
{
    vr_server server;

    if (vr_server_from_text(&server, text) != error)
        print_error("of \"%s\":\n", text);
    assert_int_equal(vr_server_from_text(&server, text), error);
}

static void schemes_say_the_transport(void **state)
{
    assert_url("dns://192.0.2.1:5353", "dns://192.0.2.1:5353");
    assert_url("udp://192.0.2.1:5353", "udp://192.0.2.1:5353");
    assert_url("tcp://192.0.2.1:5353", "tcp://192.0.2.1:5353");
    assert_url("dns://[2001:db8::1]:5353", "dns://[2001:db8::1]:5353");
}

static void case_of_a_scheme_does_not_matter(void **state)
{
    assert_url("DNS://192.0.2.1", "dns://192.0.2.1:53"); /* RFC 3986 section 3.1 */
    assert_url("Tcp://192.0.2.1", "tcp://192.0.2.1:53");
}

static void bare_address_is_dns(void **state)
{
    assert_url("192.0.2.1", "dns://192.0.2.1:53");
    assert_url("192.0.2.1:5353", "dns://192.0.2.1:5353");
    assert_url("2001:db8::1", "dns://[2001:db8::1]:53");
    assert_url("[2001:db8::1]", "dns://[2001:db8::1]:53");
    assert_url("[2001:db8::1]:5353", "dns://[2001:db8::1]:5353");
    assert_url("::1", "dns://[::1]:53");
    assert_url("::", "dns://[::]:53");
    assert_url("::ffff:192.0.2.1", "dns://[::ffff:192.0.2.1]:53");
}

static void port_is_53_unless_given(void **state)
{
    assert_url("tcp://192.0.2.1", "tcp://192.0.2.1:53");
    assert_url("udp://2001:db8::1", "udp://[2001:db8::1]:53");
    assert_url("192.0.2.1:0", "dns://192.0.2.1:0");
    assert_url("192.0.2.1:65535", "dns://192.0.2.1:65535");
}

static void longest_address_fits_the_room(void **state)
{
    assert_url("udp://[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
               "udp://[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

static void address_text_has_no_scheme(void **state)
{
    vr_server server;
    char out[VR_SERVER_TEXT_SIZE];

    assert_int_equal(vr_server_from_text(&server, "tcp://192.0.2.1"), 0);
    assert_string_equal(vr_server_address_text(&server, out), "192.0.2.1:53");
    assert_int_equal(vr_server_address_len(&server), sizeof(struct sockaddr_in));
    assert_int_equal(vr_server_from_text(&server, "::1"), 0);
    assert_string_equal(vr_server_address_text(&server, out), "[::1]:53");
    assert_int_equal(vr_server_address_len(&server), sizeof(struct sockaddr_in6));
}

static void socket_address_is_ready_for_the_kernel(void **state)
{
    vr_server server;

    assert_int_equal(vr_server_from_text(&server, "192.0.2.1:258"), 0);
    assert_int_equal(server.transport, VR_TRANSPORT_DNS);
    assert_int_equal(server.address.v4.sin_family, AF_INET);
    assert_int_equal(server.address.v4.sin_port, htons(258));
    assert_memory_equal(&server.address.v4.sin_addr, "\300\0\2\1", 4);
    assert_int_equal(vr_server_from_text(&server, "[::1]:258"), 0);
    assert_int_equal(server.address.v6.sin6_family, AF_INET6);
    assert_int_equal(server.address.v6.sin6_port, htons(258));
}

static void designed_schemes_are_not_supported_yet(void **state)
{
    assert_no_url("tls://192.0.2.1", -EPROTONOSUPPORT);
    assert_no_url("tls://192.0.2.1:853#dns.example", -EPROTONOSUPPORT);
    assert_no_url("https://192.0.2.1/dns-query", -EPROTONOSUPPORT);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "dns://",
                                      "localhost",
                                      "dns.example.com:53",
                                      "192.0.2",
                                      "192.0.2.256",
                                      "192.0.2.1.1",
                                      " 192.0.2.1",
                                      "192.0.2.1 ",
                                      "2001:db8::1::2",
                                      "[2001:db8::1",
                                      "2001:db8::1]",
                                      "[2001:db8::1]5353",
                                      "[]",
                                      "[]:53",
                                      "http://192.0.2.1",
                                      "dns:192.0.2.1",
                                      "dns:/192.0.2.1",
                                      "dns://192.0.2.1/",
                                      "fe80::1%lo",
                                      "dns://user@192.0.2.1"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_no_url(bad[i], -EINVAL);
}

static void what_is_no_port_is_refused(void **state)
{
    static const char *const bad[] = {"192.0.2.1:",     "192.0.2.1:65536",  "192.0.2.1:-1",
                                      "192.0.2.1:+53",  "192.0.2.1: 53",    "192.0.2.1:53 ",
                                      "192.0.2.1:0x35", "192.0.2.1:domain", "192.0.2.1:53:1",
                                      "[2001:db8::1]:", "[::1]:65536",      "192.0.2.1:99999999999999999999"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_no_url(bad[i], -EINVAL);
}

static void second_scheme_is_refused(void **state)
{
    assert_no_url("dns://udp://192.0.2.1", -EINVAL);
    assert_no_url("dns://tls://192.0.2.1", -EINVAL);
    assert_no_url("tcp://dns://192.0.2.1", -EINVAL);
}

static void ipv4_address_in_brackets_is_refused(void **state)
{
    assert_no_url("[192.0.2.1]:53", -EINVAL); /* RFC 3986 section 3.2.2 */
}

static void text_without_end_is_refused(void **state)
{
    char text[4096];

    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_no_url(text, -EINVAL);
    memcpy(text, "dns://[", 7);
    assert_no_url(text, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes_say_the_transport),
        cmocka_unit_test(case_of_a_scheme_does_not_matter),
        cmocka_unit_test(bare_address_is_dns),
        cmocka_unit_test(port_is_53_unless_given),
        cmocka_unit_test(longest_address_fits_the_room),
        cmocka_unit_test(address_text_has_no_scheme),
        cmocka_unit_test(socket_address_is_ready_for_the_kernel),
        cmocka_unit_test(designed_schemes_are_not_supported_yet),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(what_is_no_port_is_refused),
        cmocka_unit_test(second_scheme_is_refused),
        cmocka_unit_test(ipv4_address_in_brackets_is_refused),
        cmocka_unit_test(text_without_end_is_refused),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
