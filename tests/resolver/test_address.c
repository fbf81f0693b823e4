/* From host names to addresses: what needs no server, what is read of answers, the search list, getaddrinfo's hints. */
#include "lookup_support.h"

#include <arpa/inet.h>
#include <stdio.h>

/* --- The zone that the server has: names, and what they lead to --- */

typedef struct entry {
    const char *owner;
    uint16_t type;
    const char *data; /* an address, or a name */
} entry;

/* The records of every answer whose question has the zone's first owner; other names do not exist. */
static const entry *zone;
static uint16_t zone_flags;

static void add_entry(vr_writer *writer, const entry *record)
{
    vr_name owner, target;
    uint8_t address[16];

    vr_name_from_text(&owner, record->owner, strlen(record->owner));
    if (record->type == VR_TYPE_A || record->type == VR_TYPE_AAAA) {
        inet_pton(record->type == VR_TYPE_A ? AF_INET : AF_INET6, record->data, address);
        vr_writer_rr(writer, VR_SECTION_ANSWER, &owner, record->type, VR_CLASS_IN, 60, address,
                     record->type == VR_TYPE_A ? 4 : 16);
    } else {
        vr_name_from_text(&target, record->data, strlen(record->data));
        vr_writer_rr(writer, VR_SECTION_ANSWER, &owner, record->type, VR_CLASS_IN, 60, target.octets, target.len);
    }
}

static void answers_from_the_zone(fake_query *query)
{
    uint8_t answer[2048];
    vr_writer writer;
    vr_name known;

    vr_name_from_text(&known, zone->owner, strlen(zone->owner));
    bool exists = vr_name_equal(&known, &query->question.name);
    vr_writer_init(&writer, answer, sizeof answer, query->id,
                   (uint16_t)(VR_FLAG_QR | VR_FLAG_RD | VR_FLAG_RA | (exists ? zone_flags : VR_RCODE_NXDOMAIN)));
    vr_writer_question(&writer, &query->question);
    for (const entry *record = zone; exists && record->owner; record++)
        if (record->type == query->question.type || (record->type != VR_TYPE_A && record->type != VR_TYPE_AAAA))
            add_entry(&writer, record);
    fake_send(query, answer, (size_t)vr_writer_finish(&writer));
}

/* Makes server A the one that the environment names. */
static void serve(const entry *records, uint16_t flags)
{
    char text[VR_SERVER_TEXT_SIZE];

    zone = records;
    zone_flags = flags;
    assert_int_equal(fake_start(&server_a, answers_from_the_zone, 1), 0);
    server_a.address.transport = VR_TRANSPORT_UDP;
    setenv("VIREO_RESOLVERS", vr_server_text(&server_a.address, text), 1);
}

static int set_environment(void **state)
{
    setenv("LOCALDOMAIN", "one.example two.example", 1);
    setenv("RES_OPTIONS", "ndots:2", 1);
    setenv("VIREO_RESOLVERS", "udp://127.0.0.1:1", 1);
    return 0;
}

static int close_default(void **state)
{
    vr_resolver_default_free();
    return close_all(state);
}

static void assert_host(const char *name, const char *address)
{
    vr_result result = vr_gethostbyname(name);

    assert_int_equal(result.error, 0);
    assert_string_equal(result.value, address);
    free(result.value);
}

static void assert_no_host(const char *name, long error)
{
    vr_result result = vr_gethostbyname(name);

    assert_int_equal(result.error, error);
    assert_null(result.value);
}

/* --- Without the DNS: no server is there to be asked --- */

static void address_is_its_own_name(void **state)
{
    assert_host("192.0.2.7", "192.0.2.7");
    assert_host("0.0.0.0", "0.0.0.0");
    assert_host("255.255.255.255", "255.255.255.255");
}

static void ipv6_address_has_no_ipv4_one(void **state)
{
    assert_no_host("2001:db8::1", -VR_NO_DATA);
}

static void no_name_is_any_address(void **state)
{
    assert_host("", "0.0.0.0");
}

/* RFC 6761 section 6.3 */
static void localhost_and_names_below_it_are_this_host(void **state)
{
    static const char *const names[] = {"localhost", "localhost.", "LocalHost", "a.localhost", "a.b.localhost."};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_host(names[i], "127.0.0.1");
}

static void what_is_no_name_is_einval(void **state)
{
    char label[80] = {0};

    assert_no_host("a..b", -EINVAL);
    assert_no_host(".a", -EINVAL);
    assert_no_host("\xff\xfe", -EINVAL); /* no UTF-8 */
    memset(label, 'a', 64);
    assert_no_host(label, -EINVAL);
}

/* --- Answers --- */

static void first_address_is_given(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.2"},
                          {"www.example.com.", VR_TYPE_A, "192.0.2.1"},
                          {0}},
          0);
    assert_host("www.example.com.", "192.0.2.2");
}

static void case_of_letters_does_not_matter(void **state)
{
    serve((const entry[]){{"WWW.example.COM.", VR_TYPE_A, "192.0.2.2"}, {0}}, 0);
    assert_host("www.EXAMPLE.com.", "192.0.2.2");
}

static void alias_is_followed(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "web.example.net."},
                          {"web.example.net.", VR_TYPE_CNAME, "host.example.org."},
                          {"host.example.org.", VR_TYPE_A, "192.0.2.3"},
                          {0}},
          0);
    assert_host("www.example.com.", "192.0.2.3");
}

static void alias_is_followed_whatever_the_order_of_records(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_NS, "ns.example.com."}, /* noise */
                          {"host.example.org.", VR_TYPE_A, "192.0.2.3"},
                          {"web.example.net.", VR_TYPE_CNAME, "host.example.org."},
                          {"www.example.com.", VR_TYPE_CNAME, "web.example.net."},
                          {0}},
          0);
    assert_host("www.example.com.", "192.0.2.3");
}

static void records_off_the_chain_are_ignored(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "web.example.net."},
                          {"bank.example.", VR_TYPE_A, "192.0.2.66"},
                          {"x.web.example.net.", VR_TYPE_A, "192.0.2.66"},
                          {"web.example.net.", VR_TYPE_A, "192.0.2.3"},
                          {0}},
          0);
    assert_host("www.example.com.", "192.0.2.3");
}

static void answer_with_records_of_other_names_only_is_no_data(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_NS, "ns.example.com."},
                          {"bank.example.", VR_TYPE_A, "192.0.2.66"},
                          {0}},
          0);
    assert_no_host("www.example.com.", -VR_NO_DATA);
}

static void chain_that_ends_without_an_address_is_no_data(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "web.example.net."}, {0}}, 0);
    assert_no_host("www.example.com.", -VR_NO_DATA);
}

static void loop_of_aliases_ends(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "web.example.net."},
                          {"web.example.net.", VR_TYPE_CNAME, "www.example.com."},
                          {0}},
          0);
    assert_no_host("www.example.com.", -ELOOP);
}

static void alias_of_itself_ends(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "www.example.com."}, {0}}, 0);
    assert_no_host("www.example.com.", -ELOOP);
}

static void name_that_does_not_exist_is_nxdomain(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_no_host("no.example.com.", -VR_DNS_ERROR(VR_RCODE_NXDOMAIN));
}

static void name_without_an_ipv4_address_is_no_data(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_AAAA, "2001:db8::1"}, {0}}, 0);
    assert_no_host("www.example.com.", -VR_NO_DATA);
}

static void failure_of_the_server_is_told(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.1"}, {0}}, VR_RCODE_SERVFAIL);
    assert_no_host("www.example.com.", -VR_DNS_ERROR(VR_RCODE_SERVFAIL));
}

/* What was cut has not said that there is no address: over UDP alone no more can be known. */
static void cut_answer_without_addresses_is_not_no_data(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.1"}, {0}}, VR_FLAG_TC);
    vr_result result = vr_gethostbyname("www.example.com.");
    assert_true(result.error < 0);
    assert_int_not_equal(result.error, -VR_NO_DATA);
}

static void closed_port_is_econnrefused(void **state)
{
    assert_no_host("www.example.com.", -ECONNREFUSED);
}

/* RFC 5891; the mapping of capitals is UTS 46's. */
static void name_with_other_letters_is_asked_for_in_ascii(void **state)
{
    serve((const entry[]){{"xn--bcher-kva.example.", VR_TYPE_A, "192.0.2.9"}, {0}}, 0);
    assert_host("b\xc3\xbc"
                "cher.example.",
                "192.0.2.9");
    assert_host("B\xc3\x9c"
                "cher.example.",
                "192.0.2.9");
    assert_host("bu\xcc\x88"
                "cher.example.",
                "192.0.2.9"); /* u and a combining diaeresis */
    assert_host("xn--bcher-kva.example.", "192.0.2.9");
}

static void sharp_s_is_a_letter_of_its_own(void **state)
{
    serve((const entry[]){{"xn--fa-hia.example.", VR_TYPE_A, "192.0.2.9"}, {0}}, 0);
    assert_host("fa\xc3\x9f.example.", "192.0.2.9");
}

static vr_result resolves(void *name)
{
    return vr_gethostbyname(name);
}

static void many_hosts_at_once(void **state)
{
    static vr_greenlet *greenlets[500];
    static char name[] = "www.example.com.";

    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    for (int i = 0; i < 500; i++)
        greenlets[i] = vr_spawn(resolves, name);
    assert_int_equal(vr_joinall(greenlets, 500, VR_FOREVER), 500);
    for (int i = 0; i < 500; i++) {
        assert_string_equal(vr_value(greenlets[i]), "192.0.2.1");
        free(vr_value(greenlets[i]));
        vr_unref(greenlets[i]);
    }
}

/* --- The search list (resolv.conf(5)); here one.example and two.example, and ndots 2 --- */

static void assert_questions(const char *const *names, size_t count)
{
    assert_int_equal(server_a.count, count);
    for (size_t i = 0; i < count; i++) {
        char text[VR_NAME_TEXT_SIZE];
        vr_name_to_text(&server_a.queries[i]->question.name, text, sizeof text);
        assert_string_equal(text, names[i]);
    }
}

static void short_name_is_completed_before_it_is_asked_for_as_it_is(void **state)
{
    static const char *const names[] = {"www.one.example.", "www.two.example.", "www."};

    serve((const entry[]){{"www.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_host("www", "192.0.2.1");
    assert_questions(names, 3);
}

static void first_completion_that_exists_is_taken(void **state)
{
    static const char *const names[] = {"a.b.one.example.", "a.b.two.example."};

    serve((const entry[]){{"a.b.two.example.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_host("a.b", "192.0.2.1");
    assert_questions(names, 2);
}

static void name_with_ndots_dots_is_asked_for_as_it_is_first(void **state)
{
    static const char *const names[] = {"a.b.c.", "a.b.c.one.example."};

    serve((const entry[]){{"a.b.c.one.example.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_host("a.b.c", "192.0.2.1");
    assert_questions(names, 2);
}

static void name_that_ends_in_a_dot_is_never_completed(void **state)
{
    static const char *const names[] = {"www."};

    serve((const entry[]){{"x.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_no_host("www.", -VR_DNS_ERROR(VR_RCODE_NXDOMAIN));
    assert_questions(names, 1);
}

/* RFC 1535 */
static void failure_ends_the_search(void **state)
{
    static const char *const names[] = {"www.one.example."};

    serve((const entry[]){{"www.one.example.", VR_TYPE_A, "192.0.2.1"}, {0}}, VR_RCODE_SERVFAIL);
    assert_no_host("www", -VR_DNS_ERROR(VR_RCODE_SERVFAIL));
    assert_questions(names, 1);
}

static void no_data_of_one_completion_is_told_when_the_others_do_not_exist(void **state)
{
    serve((const entry[]){{"www.one.example.", VR_TYPE_AAAA, "2001:db8::1"}, {0}}, 0);
    assert_no_host("www", -VR_NO_DATA);
    assert_int_equal(server_a.count, 3);
}

/* --- getaddrinfo --- */

/* The list as "4 192.0.2.1 80 tcp; ..." */
static const char *text_of(const struct addrinfo *list)
{
    static char text[2048];
    size_t len = 0;

    text[0] = '\0';
    for (; list; list = list->ai_next) {
        char ip[INET6_ADDRSTRLEN] = "?";
        const struct sockaddr_in *v4 = (const void *)list->ai_addr;
        const struct sockaddr_in6 *v6 = (const void *)list->ai_addr;
        bool four = list->ai_family == AF_INET;
        assert_int_equal(list->ai_addr->sa_family, list->ai_family);
        assert_int_equal(list->ai_addrlen, four ? sizeof *v4 : sizeof *v6);
        inet_ntop(list->ai_family, four ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, ip, sizeof ip);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %d %s", len ? "; " : "", ip,
                                ntohs(four ? v4->sin_port : v6->sin6_port),
                                list->ai_socktype == SOCK_STREAM && list->ai_protocol == IPPROTO_TCP  ? "tcp"
                                : list->ai_socktype == SOCK_DGRAM && list->ai_protocol == IPPROTO_UDP ? "udp"
                                                                                                      : "raw");
    }
    return text;
}

static void assert_list(const char *node, const char *service, const struct addrinfo *hints, const char *expected)
{
    struct addrinfo *list;

    assert_int_equal(vr_getaddrinfo(node, service, hints, &list), 0);
    assert_string_equal(text_of(list), expected);
    vr_freeaddrinfo(list);
}

static void assert_no_list(const char *node, const char *service, const struct addrinfo *hints, int error)
{
    struct addrinfo *list = (void *)1;

    assert_int_equal(vr_getaddrinfo(node, service, hints, &list), error);
    assert_null(list);
}

static const struct addrinfo stream = {.ai_socktype = SOCK_STREAM};
static const struct addrinfo stream4 = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
static const struct addrinfo stream6 = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET6};

static const entry both_families[] = {{"www.example.com.", VR_TYPE_A, "192.0.2.1"},
                                      {"www.example.com.", VR_TYPE_AAAA, "2001:db8::1"},
                                      {"www.example.com.", VR_TYPE_A, "192.0.2.2"},
                                      {0}};

static void both_families_are_given_ipv6_first(void **state)
{
    serve(both_families, 0);
    assert_list("www.example.com.", "80", &stream, "2001:db8::1 80 tcp; 192.0.2.1 80 tcp; 192.0.2.2 80 tcp");
    assert_int_equal(server_a.count, 2);
}

static void family_of_the_hints_alone_is_asked_for(void **state)
{
    serve(both_families, 0);
    assert_list("www.example.com.", "80", &stream4, "192.0.2.1 80 tcp; 192.0.2.2 80 tcp");
    assert_int_equal(server_a.count, 1);
    assert_list("www.example.com.", "80", &stream6, "2001:db8::1 80 tcp");
    assert_int_equal(server_a.count, 2);
}

static void one_family_is_enough(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_A, "192.0.2.1"}, {0}}, 0);
    assert_list("www.example.com.", "80", &stream, "192.0.2.1 80 tcp");
    fake_stop(&server_a);
    vr_resolver_default_free();
    serve((const entry[]){{"www.example.com.", VR_TYPE_AAAA, "2001:db8::1"}, {0}}, 0);
    assert_list("www.example.com.", "80", &stream, "2001:db8::1 80 tcp");
}

static void errors_of_both_families_are_told(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_NS, "ns.example.com."}, {0}}, 0);
    assert_no_list("www.example.com.", NULL, NULL, -VR_NO_DATA);
    assert_no_list("no.example.com.", NULL, NULL, (int)-VR_DNS_ERROR(VR_RCODE_NXDOMAIN));
}

static void each_kind_of_socket_is_given_without_hints(void **state)
{
    assert_list("192.0.2.1", NULL, NULL, "192.0.2.1 0 tcp; 192.0.2.1 0 udp; 192.0.2.1 0 raw");
}

static void hints_choose_the_kind_of_socket(void **state)
{
    assert_list("192.0.2.1", "7", &(struct addrinfo){.ai_socktype = SOCK_DGRAM}, "192.0.2.1 7 udp");
    assert_list("192.0.2.1", "7", &(struct addrinfo){.ai_protocol = IPPROTO_UDP, .ai_socktype = SOCK_DGRAM},
                "192.0.2.1 7 udp");
    assert_no_list("192.0.2.1", "7", &(struct addrinfo){.ai_protocol = IPPROTO_UDP, .ai_socktype = SOCK_STREAM},
                   -ENOENT);
}

static void service_is_a_number_or_a_name(void **state)
{
    assert_list("192.0.2.1", "65535", &stream, "192.0.2.1 65535 tcp");
    assert_list("192.0.2.1", "0", &stream, "192.0.2.1 0 tcp");
    assert_list("192.0.2.1", NULL, &stream, "192.0.2.1 0 tcp");
    assert_no_list("192.0.2.1", "65536", &stream, -ENOENT);
    assert_no_list("192.0.2.1", "99999999999999999999", &stream, -ENOENT);
    assert_no_list("192.0.2.1", "80x", &stream, -ENOENT);
    assert_no_list("192.0.2.1", "no-such-service", &stream, -ENOENT);
    if (!getservbyname("domain", "tcp"))
        skip(); /* a machine without /etc/services */
    assert_list("192.0.2.1", "domain", NULL, "192.0.2.1 53 tcp; 192.0.2.1 53 udp");
}

static void numeric_service_flag_refuses_names(void **state)
{
    assert_no_list("192.0.2.1", "domain", &(struct addrinfo){.ai_flags = AI_NUMERICSERV}, -ENOENT);
}

static void numeric_host_flag_asks_no_server(void **state)
{
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};

    serve(both_families, 0);
    assert_list("192.0.2.1", NULL, &numeric, "192.0.2.1 0 tcp");
    assert_list("2001:db8::1", NULL, &numeric, "2001:db8::1 0 tcp");
    assert_no_list("www.example.com.", NULL, &numeric, (int)-VR_DNS_ERROR(VR_RCODE_NXDOMAIN));
    assert_no_list("localhost", NULL, &numeric, (int)-VR_DNS_ERROR(VR_RCODE_NXDOMAIN));
    assert_int_equal(server_a.count, 0);
}

static void literal_of_another_family_is_no_data(void **state)
{
    assert_no_list("192.0.2.1", NULL, &stream6, -VR_NO_DATA);
    assert_no_list("2001:db8::1", NULL, &stream4, -VR_NO_DATA);
}

static void localhost_has_both_families(void **state)
{
    assert_list("localhost", "80", &stream, "::1 80 tcp; 127.0.0.1 80 tcp");
    assert_list("x.localhost.", "80", &stream6, "::1 80 tcp");
}

static void no_node_is_the_loopback_or_any_address_when_passive(void **state)
{
    assert_list(NULL, "80", &stream, "::1 80 tcp; 127.0.0.1 80 tcp");
    assert_list(NULL, "80", &(struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                ":: 80 tcp; 0.0.0.0 80 tcp");
    assert_list(NULL, "80",
                &(struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_family = AF_INET, .ai_flags = AI_PASSIVE},
                "0.0.0.0 80 tcp");
}

static void neither_node_nor_service_is_einval(void **state)
{
    assert_no_list(NULL, NULL, NULL, -EINVAL);
    assert_no_list("192.0.2.1", NULL, &(struct addrinfo){.ai_family = AF_UNIX}, -EINVAL);
    assert_no_list("", NULL, NULL, -EINVAL);
    assert_no_list("a..b", NULL, NULL, -EINVAL);
}

static void assert_canonical(const char *node, const char *expected)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *list;

    assert_int_equal(vr_getaddrinfo(node, NULL, &hints, &list), 0);
    assert_string_equal(list->ai_canonname, expected);
    if (list->ai_next)
        assert_null(list->ai_next->ai_canonname);
    vr_freeaddrinfo(list);
}

static void canonical_name_is_the_end_of_the_chain(void **state)
{
    serve((const entry[]){{"www.example.com.", VR_TYPE_CNAME, "web.example.net."},
                          {"web.example.net.", VR_TYPE_A, "192.0.2.3"},
                          {0}},
          0);
    assert_canonical("www.example.com.", "web.example.net");
    assert_canonical("192.0.2.1", "192.0.2.1");
    assert_canonical("localhost", "localhost");
}

static void more_addresses_than_are_of_use_are_left_out(void **state)
{
    static entry records[101];

    for (int i = 0; i < 100; i++)
        records[i] = (entry){"www.example.com.", VR_TYPE_A, "192.0.2.1"};
    serve(records, 0);
    struct addrinfo *list;
    size_t count = 0;
    assert_int_equal(vr_getaddrinfo("www.example.com.", NULL, &stream4, &list), 0);
    for (const struct addrinfo *node = list; node; node = node->ai_next)
        count++;
    assert_int_equal(count, 64);
    vr_freeaddrinfo(list);
}

static vr_result gets_addresses(void *argument)
{
    struct addrinfo *list;
    int error = vr_getaddrinfo("www.example.com.", NULL, &stream, &list);

    vr_freeaddrinfo(list);
    return vr_fail(error);
}

static void both_families_are_asked_for_at_the_same_time(void **state)
{
    serve(both_families, 0);
    server_a.behaviour = fake_is_silent;
    vr_greenlet *greenlet = vr_spawn(gets_addresses, NULL);
    fake_await(&server_a, 2); /* neither is answered */
    answers_from_the_zone(server_a.queries[0]);
    answers_from_the_zone(server_a.queries[1]);
    assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
    assert_int_equal(vr_error(greenlet), 0);
    vr_unref(greenlet);
}

static void killed_getaddrinfo_ends_both_its_lookups(void **state)
{
    serve(both_families, 0);
    server_a.behaviour = fake_is_silent;
    for (size_t i = 0; i < 10; i++) {
        vr_greenlet *greenlet = vr_spawn(gets_addresses, NULL);
        fake_await(&server_a, 2 * i + 2);
        vr_kill(greenlet, -EIO);
        assert_int_equal(vr_join(greenlet, VR_FOREVER), 0);
        assert_int_equal(vr_error(greenlet), -EIO);
        vr_unref(greenlet);
    }
}

/* --- vr_query --- */

static void query_gives_the_message(void **state)
{
    serve(both_families, 0);
    vr_result result = vr_query("www.example.com", VR_TYPE_AAAA); /* always a full name */
    assert_int_equal(result.error, 0);
    const vr_answer *answer = result.value;
    assert_int_equal(question_in(answer).type, VR_TYPE_AAAA);
    assert_int_equal(mark_of(answer), 1);
    free(result.value);
    assert_int_equal(vr_query("a..b", VR_TYPE_A).error, -EINVAL);
    assert_int_equal(vr_query("", VR_TYPE_A).error, -EINVAL);
}

#define address_test(function) cmocka_unit_test_setup_teardown(function, set_environment, close_default)

int main(void)
{
    const struct CMUnitTest tests[] = {
        address_test(address_is_its_own_name),
        address_test(ipv6_address_has_no_ipv4_one),
        address_test(no_name_is_any_address),
        address_test(localhost_and_names_below_it_are_this_host),
        address_test(what_is_no_name_is_einval),
        address_test(first_address_is_given),
        address_test(case_of_letters_does_not_matter),
        address_test(alias_is_followed),
        address_test(alias_is_followed_whatever_the_order_of_records),
        address_test(records_off_the_chain_are_ignored),
        address_test(answer_with_records_of_other_names_only_is_no_data),
        address_test(chain_that_ends_without_an_address_is_no_data),
        address_test(loop_of_aliases_ends),
        address_test(alias_of_itself_ends),
        address_test(name_that_does_not_exist_is_nxdomain),
        address_test(name_without_an_ipv4_address_is_no_data),
        address_test(failure_of_the_server_is_told),
        address_test(cut_answer_without_addresses_is_not_no_data),
        address_test(closed_port_is_econnrefused),
        address_test(name_with_other_letters_is_asked_for_in_ascii),
        address_test(sharp_s_is_a_letter_of_its_own),
        address_test(many_hosts_at_once),
        address_test(short_name_is_completed_before_it_is_asked_for_as_it_is),
        address_test(first_completion_that_exists_is_taken),
        address_test(name_with_ndots_dots_is_asked_for_as_it_is_first),
        address_test(name_that_ends_in_a_dot_is_never_completed),
        address_test(failure_ends_the_search),
        address_test(no_data_of_one_completion_is_told_when_the_others_do_not_exist),
        address_test(both_families_are_given_ipv6_first),
        address_test(both_families_are_asked_for_at_the_same_time),
        address_test(family_of_the_hints_alone_is_asked_for),
        address_test(one_family_is_enough),
        address_test(errors_of_both_families_are_told),
        address_test(each_kind_of_socket_is_given_without_hints),
        address_test(hints_choose_the_kind_of_socket),
        address_test(service_is_a_number_or_a_name),
        address_test(numeric_service_flag_refuses_names),
        address_test(numeric_host_flag_asks_no_server),
        address_test(literal_of_another_family_is_no_data),
        address_test(localhost_has_both_families),
        address_test(no_node_is_the_loopback_or_any_address_when_passive),
        address_test(neither_node_nor_service_is_einval),
        address_test(canonical_name_is_the_end_of_the_chain),
        address_test(more_addresses_than_are_of_use_are_left_out),
        address_test(killed_getaddrinfo_ends_both_its_lookups),
        address_test(query_gives_the_message),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
