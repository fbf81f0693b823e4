/* A resolver's options, the thread's default one, and the words for what goes wrong. */
#include "lookup_support.h"

#include <netdb.h>
#include <stdio.h>

static int new_resolver(const vr_server *servers, size_t count, int retries)
{
    const vr_resolver_options options = {.servers = servers, .server_count = count, .retries = retries};

    return vr_resolver_new(&resolver, &options);
}

static vr_server server_of(const char *text)
{
    vr_server server;

    assert_int_equal(vr_server_from_text(&server, text), 0);
    return server;
}

static void server_without_an_address_is_einval(void **state)
{
    const vr_server servers[] = {server_of("192.0.2.1"), {0}};

    assert_int_equal(new_resolver(servers, 2, -1), -EINVAL);
    assert_null(resolver);
}

static void no_server_in_the_list_is_einval(void **state)
{
    const vr_server servers[] = {server_of("192.0.2.1")};

    assert_int_equal(new_resolver(servers, 0, -1), -EINVAL);
}

static void more_than_ten_retries_are_einval(void **state)
{
    const vr_server servers[] = {server_of("192.0.2.1")};

    assert_int_equal(new_resolver(servers, 1, 11), -EINVAL);
    assert_null(resolver);
    assert_int_equal(new_resolver(servers, 1, 10), 0);
}

static void servers_are_copied_in_their_order(void **state)
{
    vr_server servers[] = {server_of("192.0.2.1:5301"), server_of("tcp://[::1]:5302"), server_of("udp://192.0.2.3")};
    const vr_server *held;
    char text[VR_SERVER_TEXT_SIZE];

    assert_int_equal(new_resolver(servers, 3, 0), 0);
    memset(servers, 0, sizeof servers);
    assert_int_equal(vr_resolver_servers(resolver, &held), 3);
    assert_string_equal(vr_server_text(&held[0], text), "dns://192.0.2.1:5301");
    assert_string_equal(vr_server_text(&held[1], text), "tcp://[::1]:5302");
    assert_string_equal(vr_server_text(&held[2], text), "udp://192.0.2.3:53");
}

/* Whatever resolv.conf says: there is one. */
static void system_has_a_server(void **state)
{
    const vr_server *held;

    assert_int_equal(vr_resolver_new(&resolver, NULL), 0);
    assert_true(vr_resolver_servers(resolver, &held) >= 1);
    assert_true(held[0].address.any.sa_family == AF_INET || held[0].address.any.sa_family == AF_INET6);
    assert_int_equal(held[0].transport, VR_TRANSPORT_DNS);
}

/* --- The default --- */

static int close_default(void **state)
{
    vr_resolver_default_free();
    unsetenv("VIREO_RESOLVERS");
    return close_all(state);
}

static void environment_names_the_default_servers(void **state)
{
    const vr_server *held;
    char text[VR_SERVER_TEXT_SIZE];

    setenv("VIREO_RESOLVERS", "  udp://192.0.2.1:5301 [::1]:5302   tcp://192.0.2.3 ", 1);
    assert_non_null(vr_resolver_default());
    assert_int_equal(vr_resolver_servers(vr_resolver_default(), &held), 3);
    assert_string_equal(vr_server_text(&held[0], text), "udp://192.0.2.1:5301");
    assert_string_equal(vr_server_text(&held[1], text), "dns://[::1]:5302");
    assert_string_equal(vr_server_text(&held[2], text), "tcp://192.0.2.3:53");
}

static void default_is_made_once(void **state)
{
    setenv("VIREO_RESOLVERS", "192.0.2.1", 1);
    vr_resolver *first = vr_resolver_default();
    assert_non_null(first);
    setenv("VIREO_RESOLVERS", "192.0.2.2", 1);
    assert_ptr_equal(vr_resolver_default(), first);
}

static void default_is_made_anew_after_it_was_freed(void **state)
{
    const vr_server *held;
    char text[VR_SERVER_TEXT_SIZE];

    setenv("VIREO_RESOLVERS", "192.0.2.1", 1);
    assert_non_null(vr_resolver_default());
    vr_resolver_default_free();
    vr_resolver_default_free();
    setenv("VIREO_RESOLVERS", "192.0.2.2", 1);
    assert_int_equal(vr_resolver_servers(vr_resolver_default(), &held), 1);
    assert_string_equal(vr_server_text(&held[0], text), "dns://192.0.2.2:53");
}

static void bad_environment_is_an_error(void **state)
{
    setenv("VIREO_RESOLVERS", "192.0.2.1 nonsense", 1);
    errno = 0;
    assert_null(vr_resolver_default());
    assert_int_equal(errno, EINVAL);
    setenv("VIREO_RESOLVERS", "tls://192.0.2.1", 1);
    assert_null(vr_resolver_default());
    assert_int_equal(errno, EPROTONOSUPPORT);
    assert_int_equal(vr_query("www.example.com", VR_TYPE_A).error, -EPROTONOSUPPORT);
    setenv("VIREO_RESOLVERS", "   ", 1);
    assert_null(vr_resolver_default());
    assert_int_equal(errno, EINVAL);
}

static void empty_environment_leaves_the_system_its_say(void **state)
{
    setenv("VIREO_RESOLVERS", "", 1);
    assert_non_null(vr_resolver_default());
}

/* --- Words and numbers --- */

static void dns_errors_have_words(void **state)
{
    static const long errors[] = {-VR_DNS_ERROR(VR_RCODE_SERVFAIL),
                                  -VR_DNS_ERROR(VR_RCODE_NXDOMAIN),
                                  -VR_DNS_ERROR(VR_RCODE_REFUSED),
                                  -VR_DNS_ERROR(VR_RCODE_FORMERR),
                                  -VR_DNS_ERROR(VR_RCODE_NOTIMP),
                                  -VR_DNS_ERROR(VR_RCODE_BADVERS),
                                  -VR_NO_DATA,
                                  -ETIMEDOUT,
                                  -ECONNREFUSED,
                                  -EINVAL,
                                  -ENOENT,
                                  -ELOOP};
    enum { COUNT = sizeof errors / sizeof errors[0] };

    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(vr_dns_strerror(errors[i]), vr_dns_strerror(errors[j]));
}

static void all_numbers_have_words(void **state)
{
    for (long error = -25000; error < 200; error++)
        assert_true(vr_dns_strerror(error)[0] != '\0');
    assert_non_null(vr_dns_strerror(INT64_MIN));
    assert_non_null(vr_dns_strerror(INT64_MAX));
    assert_string_equal(vr_dns_strerror(-ECANCELED), vr_strerror(-ECANCELED));
    assert_string_equal(vr_dns_strerror(-EPIPE), vr_strerror(-EPIPE));
}

static void gai_error_is_what_getaddrinfo_says(void **state)
{
    assert_int_equal(vr_gai_error(0), 0);
    assert_int_equal(vr_gai_error(-VR_DNS_ERROR(VR_RCODE_NXDOMAIN)), EAI_NONAME);
    assert_int_equal(vr_gai_error(-VR_NO_DATA), EAI_NONAME);
    assert_int_equal(vr_gai_error(-EINVAL), EAI_NONAME);
    assert_int_equal(vr_gai_error(-ETIMEDOUT), EAI_AGAIN);
    assert_int_equal(vr_gai_error(-ECONNREFUSED), EAI_AGAIN);
    assert_int_equal(vr_gai_error(-VR_DNS_ERROR(VR_RCODE_SERVFAIL)), EAI_AGAIN);
    assert_int_equal(vr_gai_error(-VR_DNS_ERROR(VR_RCODE_REFUSED)), EAI_FAIL);
    assert_int_equal(vr_gai_error(-ENOMEM), EAI_MEMORY);
    assert_int_equal(vr_gai_error(-ENOENT), EAI_SERVICE);
    assert_int_equal(vr_gai_error(-ECANCELED), EAI_SYSTEM);
}

#define default_test(function) cmocka_unit_test_setup_teardown(function, use_real_clock, close_default)

int main(void)
{
    const struct CMUnitTest tests[] = {
        real_test(server_without_an_address_is_einval),
        real_test(no_server_in_the_list_is_einval),
        real_test(more_than_ten_retries_are_einval),
        real_test(servers_are_copied_in_their_order),
        real_test(system_has_a_server),
        default_test(environment_names_the_default_servers),
        default_test(default_is_made_once),
        default_test(default_is_made_anew_after_it_was_freed),
        default_test(bad_environment_is_an_error),
        default_test(empty_environment_leaves_the_system_its_say),
        real_test(dns_errors_have_words),
        real_test(all_numbers_have_words),
        real_test(gai_error_is_what_getaddrinfo_says),
    };

    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
