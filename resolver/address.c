/* From host names to addresses: what is answered here, the hosts file, and then the DNS with its search list. */
#include "hosts.h"
#include "lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hosts_path[] = "/etc/hosts";

/* A CNAME chain longer than this is a loop or worse; other resolvers stop between 8 and 17. */
enum { CHAIN_MAX = 16 };

/* Addresses of one host; more than these are not of use to anyone who connects. */
enum { ADDRESSES_MAX = 64 };

typedef struct address {
    int family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } ip;
} address;

typedef struct addresses {
    address list[ADDRESSES_MAX];
    size_t count;
    vr_name canonical; /* the end of the CNAME chain; len 0 when the DNS was not asked */
} addresses;

static void add(addresses *out, int family, const void *ip)
{
    if (out->count == ADDRESSES_MAX)
        return;
    address *added = &out->list[out->count++];
    *added = (address){.family = family};
    memcpy(&added->ip, ip, family == AF_INET ? sizeof added->ip.v4 : sizeof added->ip.v6);
}

static bool wants(int family, int wanted)
{
    return wanted == AF_UNSPEC || wanted == family;
}

/* --- Without the DNS --- */

/* 1 when the text is an address, wanted or not. */
static int from_literal(const char *text, int family, addresses *out)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1) {
        if (wants(AF_INET, family))
            add(out, AF_INET, &v4);
        return 1;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        if (wants(AF_INET6, family))
            add(out, AF_INET6, &v6);
        return 1;
    }
    return 0;
}

static void add_loopback(int family, addresses *out)
{
    const struct in_addr v4 = {htonl(INADDR_LOOPBACK)};

    if (wants(AF_INET6, family))
        add(out, AF_INET6, &in6addr_loopback);
    if (wants(AF_INET, family))
        add(out, AF_INET, &v4);
}

/* localhost and the names below it mean this host, whatever a server may say (RFC 6761 section 6.3). */
static bool is_localhost(const vr_name *name)
{
    static const vr_name localhost = {11, "\11localhost"};

    return vr_name_within(name, &localhost);
}

static size_t from_hosts(const char *name, int family, addresses *out)
{
    const vr_hosts_entry *entries;
    size_t count = vr_hosts_find(hosts_path, name, &entries);

    for (size_t i = 0; i < count; i++)
        if (wants(entries[i].family, family))
            add(out, entries[i].family, &entries[i].address);
    return out->count;
}

/* --- From answers --- */

/* The target of the name's CNAME, if there is one; and the addresses that are its own, into *out. */
static bool read_owner(const vr_answer *answer, const vr_name *name, uint16_t type, vr_name *target, addresses *out)
{
    vr_reader reader;
    vr_rr rr;
    vr_name owner;
    bool found = false;
    int family = type == VR_TYPE_A ? AF_INET : AF_INET6;
    size_t size = type == VR_TYPE_A ? sizeof(struct in_addr) : sizeof(struct in6_addr);

    vr_reader_init(&reader, answer->message, answer->len);
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER) {
        if (rr.class_ != VR_CLASS_IN || vr_rr_owner(&reader, &rr, &owner) < 0 || !vr_name_equal(&owner, name))
            continue;
        if (rr.type == type && rr.rdata_len == size)
            add(out, family, rr.rdata);
        else if (rr.type == VR_TYPE_CNAME)
            found = vr_name_read(target, answer->message, answer->len, (size_t)(rr.rdata - answer->message)) >= 0;
    }
    return found;
}

/*
 * The addresses at the end of the CNAME chain that begins with the name asked for. Records that the chain does not
 * reach are not looked at: they may be anybody's.
 */
static long read_addresses(const vr_answer *answer, const vr_name *asked, uint16_t type, addresses *out)
{
    unsigned rcode = answer->message[3] & VR_FLAG_RCODE;
    vr_name name = *asked, target;
    size_t before = out->count;

    if (rcode)
        return -VR_DNS_ERROR((long)rcode);
    for (int hops = 0; read_owner(answer, &name, type, &target, out) && out->count == before; name = target)
        if (++hops > CHAIN_MAX)
            return -ELOOP;
    out->canonical = name;
    if (out->count > before)
        return 0;
    /* An answer that was cut, and could not be had whole, says nothing about what is not in it. */
    return answer->message[2] & VR_FLAG_TC >> 8 ? -EMSGSIZE : -VR_NO_DATA;
}

/* --- From the DNS --- */

/* What two families' errors say together: "no such data" is the weaker of two. */
static long worse(long a, long b)
{
    return a == -VR_NO_DATA || !a ? b : a;
}

/* Asks for one name, both families at the same time. 0 when there is an address of any of them. */
static long ask(vr_resolver *resolver, const vr_name *name, int family, vr_time deadline, addresses *out)
{
    static const struct {
        int family;
        uint16_t type;
    } kinds[] = {{AF_INET6, VR_TYPE_AAAA}, {AF_INET, VR_TYPE_A}};
    vr_lookup *lookups[2] = {NULL, NULL};
    long error = 0;

    for (int i = 0; i < 2; i++) {
        vr_question question = {.name = *name, .type = kinds[i].type, .class_ = VR_CLASS_IN};
        if (wants(kinds[i].family, family) && !error)
            error = vr_lookup_start(resolver, &question, 0, deadline, &lookups[i]);
    }
    /* Every lookup that was started is finished, though an error may have come before it; in no time then. */
    bool give_up = error != 0;
    for (int i = 0; i < 2; i++) {
        vr_answer *answer = NULL;
        if (!lookups[i])
            continue;
        long result = vr_lookup_finish(lookups[i], give_up ? 0 : deadline, &answer);
        if (!result)
            result = read_addresses(answer, name, kinds[i].type, out);
        else if (result != -ETIMEDOUT)
            give_up = true;
        free(answer);
        error = worse(error, result);
    }
    return out->count && !give_up ? 0 : error;
}

/* The name with a domain of the search list behind it; false when that is no name. */
static bool join_domain(vr_name *out, const char *name, const char *domain)
{
    char text[VR_NAME_TEXT_SIZE];
    int len = domain ? snprintf(text, sizeof text, "%s.%s", name, domain) : snprintf(text, sizeof text, "%s", name);

    return len > 0 && (size_t)len < sizeof text && vr_name_from_text(out, text, (size_t)len) == 0;
}

static bool no_such(long error)
{
    return error == -VR_NO_DATA || error == -VR_DNS_ERROR(VR_RCODE_NXDOMAIN);
}

/*
 * Tries the name and its completions in the order of resolv.conf(5): a name with ndots dots or more as it is first,
 * others last. Goes on only while names do not exist: a server that fails must not turn one name into another (RFC
 * 1535).
 */
static long from_dns(const char *name, int family, addresses *out)
{
    vr_resolver *resolver = vr_resolver_default();
    size_t len = strlen(name);
    int dots = 0;
    long result = -VR_DNS_ERROR(VR_RCODE_NXDOMAIN);
    vr_name candidate;

    if (!resolver)
        return -errno;
    const vr_system_config *system = &resolver->system;
    for (size_t i = 0; i < len; i++)
        dots += name[i] == '.';
    bool absolute = name[len - 1] == '.', first = absolute || dots >= system->ndots;
    size_t last = absolute ? 0 : system->domain_count;
    vr_time deadline = vr_deadline(resolver->timeout);

    /* Candidate 0 is the bare name when that comes first; the last one is it when not. */
    for (size_t i = 0; i <= last; i++) {
        size_t bare = first ? 0 : last;
        const char *domain = i == bare ? NULL : system->domains[first ? i - 1 : i];
        if (!join_domain(&candidate, name, domain))
            continue;
        long error = ask(resolver, &candidate, family, deadline, out);
        if (!no_such(error))
            return error;
        if (result != -VR_NO_DATA)
            result = error;
    }
    return result;
}

/* --- Names --- */

/* The ASCII form of a name that may have other letters (IDNA 2008). 0, and *out for free(3). */
static long to_ascii(const char *name, char **out)
{
    char *ascii;
    bool plain = true;

    for (const char *at = name; *at; at++)
        plain = plain && (unsigned char)*at < 0x80;
    if (plain) {
        *out = strdup(name);
        return *out ? 0 : -ENOMEM;
    }
    int status = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (status != IDN2_OK)
        return status == IDN2_MALLOC ? -ENOMEM : -EINVAL;
    *out = strdup(ascii);
    idn2_free(ascii);
    return *out ? 0 : -ENOMEM;
}

/* All addresses of a host, in a wanted family. */
static long resolve(const char *host, int family, bool numeric_only, addresses *out)
{
    char *ascii;
    vr_name name;

    out->count = 0;
    out->canonical.len = 0;
    if (from_literal(host, family, out))
        return out->count ? 0 : -VR_NO_DATA;
    if (numeric_only)
        return -VR_DNS_ERROR(VR_RCODE_NXDOMAIN);
    long error = to_ascii(host, &ascii);
    if (error)
        return error;
    if (vr_name_from_text(&name, ascii, strlen(ascii)) < 0)
        error = -EINVAL;
    else if (is_localhost(&name))
        add_loopback(family, out);
    else if (!from_hosts(ascii, family, out))
        error = from_dns(ascii, family, out);
    free(ascii);
    return error;
}

vr_result vr_gethostbyname(const char *name)
{
    addresses found;
    char text[INET_ADDRSTRLEN];

    /* As in C: no name is any address. */
    if (!*name) {
        char *any = strdup("0.0.0.0");
        return any ? vr_ok(any) : vr_fail(-ENOMEM);
    }
    long error = resolve(name, AF_INET, false, &found);
    if (error)
        return vr_fail(error);
    inet_ntop(AF_INET, &found.list[0].ip, text, sizeof text);
    char *value = strdup(text);
    return value ? vr_ok(value) : vr_fail(-ENOMEM);
}

vr_result vr_query(const char *name, uint16_t type)
{
    vr_resolver *resolver = vr_resolver_default();
    vr_question question = {.type = type, .class_ = VR_CLASS_IN};
    vr_answer *answer;

    if (!resolver)
        return vr_fail(-errno);
    if (vr_name_from_text(&question.name, name, strlen(name)) < 0)
        return vr_fail(-EINVAL);
    int error = vr_resolver_query(resolver, &question, 0, 0, &answer);
    return error ? vr_fail(error) : vr_ok(answer);
}

/* --- getaddrinfo --- */

typedef struct kind {
    int socktype, protocol;
    const char *name; /* in /etc/services */
} kind;

static const kind kinds[] = {{SOCK_STREAM, IPPROTO_TCP, "tcp"}, {SOCK_DGRAM, IPPROTO_UDP, "udp"}, {SOCK_RAW, 0, NULL}};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* The port of a service, in network order: 0, -ENOENT for one unknown with this protocol. */
static int find_port(const char *service, const kind *with, int flags, in_port_t *port)
{
    struct servent entry, *found = NULL;
    char buffer[1024], *end;

    *port = 0;
    if (!service)
        return 0;
    unsigned long number = strtoul(service, &end, 10);
    if (*service >= '0' && *service <= '9' && !*end) {
        *port = htons((uint16_t)number);
        return number <= 65535 ? 0 : -ENOENT;
    }
    if (flags & AI_NUMERICSERV || !with->name ||
        getservbyname_r(service, with->name, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return -ENOENT;
    *port = (in_port_t)found->s_port;
    return 0;
}

/* One node of the list, its address behind it in the same block. */
static struct addrinfo *make_node(const address *from, const kind *like, in_port_t port)
{
    struct node {
        struct addrinfo info;
        union {
            struct sockaddr any;
            struct sockaddr_in v4;
            struct sockaddr_in6 v6;
        } address;
    } *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->info = (struct addrinfo){
        .ai_family = from->family,
        .ai_socktype = like->socktype,
        .ai_protocol = like->protocol,
        .ai_addr = &node->address.any,
        .ai_addrlen = from->family == AF_INET ? sizeof node->address.v4 : sizeof node->address.v6,
    };
    if (from->family == AF_INET)
        node->address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = from->ip.v4};
    else
        node->address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = from->ip.v6};
    return &node->info;
}

/* Appends a node for every kind of socket that the hints allow. */
static int append_nodes(struct addrinfo ***end, const address *from, const char *service, const struct addrinfo *hints)
{
    int made = 0;

    for (int i = 0; i < KIND_COUNT; i++) {
        in_port_t port;
        if ((hints->ai_socktype && hints->ai_socktype != kinds[i].socktype) ||
            (hints->ai_protocol && kinds[i].protocol && hints->ai_protocol != kinds[i].protocol) ||
            find_port(service, &kinds[i], hints->ai_flags, &port) < 0)
            continue;
        if (!(**end = make_node(from, &kinds[i], port)))
            return -ENOMEM;
        *end = &(**end)->ai_next;
        made++;
    }
    return made ? 0 : -ENOENT;
}

static int set_canonical_name(struct addrinfo *first, const char *node, const addresses *found)
{
    char text[VR_NAME_TEXT_SIZE];

    if (found->canonical.len) {
        ssize_t len = vr_name_to_text(&found->canonical, text, sizeof text);
        if (len > 1)
            text[len - 1] = '\0'; /* as the C library has it, without the final dot */
        node = text;
    }
    first->ai_canonname = strdup(node);
    return first->ai_canonname ? 0 : -ENOMEM;
}

int vr_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static const struct addrinfo none = {0};
    struct addrinfo **end = out;
    addresses found = {.count = 0};
    long error = 0;

    *out = NULL;
    if (!hints)
        hints = &none;
    if ((!node && !service) || (hints->ai_family && hints->ai_family != AF_INET && hints->ai_family != AF_INET6))
        return -EINVAL;
    if (node) {
        error = resolve(node, hints->ai_family, hints->ai_flags & AI_NUMERICHOST, &found);
    } else if (hints->ai_flags & AI_PASSIVE) {
        from_literal("::", hints->ai_family, &found);
        from_literal("0.0.0.0", hints->ai_family, &found);
    } else {
        add_loopback(hints->ai_family, &found);
    }
    for (size_t i = 0; !error && i < found.count; i++)
        error = append_nodes(&end, &found.list[i], service, hints);
    if (!error && hints->ai_flags & AI_CANONNAME && *out)
        error = set_canonical_name(*out, node ? node : "localhost", &found);
    if (error) {
        vr_freeaddrinfo(*out);
        *out = NULL;
    }
    return (int)error;
}

void vr_freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_canonname);
        free(list);
        list = next;
    }
}
