/* A resolver's life: its servers, its channel, and the thread's default one. */
#include "background.h"
#include "exchange.h"
#include "hosts.h"
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const vr_time default_timeout = VR_SECONDS(5);
enum { DEFAULT_RETRIES = 2, RETRIES_MAX = 10 };

bool vr_server_is(const vr_server *server, const struct sockaddr *address)
{
    if (server->address.any.sa_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *a = &server->address.v4, *b = (const void *)address;
        return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
    }
    const struct sockaddr_in6 *a = &server->address.v6, *b = (const void *)address;
    return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0 && a->sin6_port == b->sin6_port;
}

/* The first round's share of a timeout whose rounds have 1, 2, 4 ... such shares. */
static vr_time first_share(vr_time timeout, int tries)
{
    return timeout / ((1 << tries) - 1);
}

static int open_channel(vr_resolver *resolver, int retries)
{
    vr_channel_options options = {
        .try_timeout = first_share(resolver->timeout, retries + 1),
        .tries = retries + 1,
        .server_count = resolver->server_count,
        .events = {.send = vr_lookup_send, .done = vr_lookup_done},
        .context = resolver,
    };

    return vr_channel_new(&resolver->channel, &options);
}

static bool usable(const vr_server *server)
{
    return server->address.any.sa_family == AF_INET || server->address.any.sa_family == AF_INET6;
}

static int copy_servers(vr_resolver *resolver, const vr_server *servers, size_t count)
{
    if (!count)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!usable(&servers[i]))
            return -EINVAL;
    resolver->servers = calloc(count, sizeof *servers);
    resolver->tcp = calloc(count, sizeof(struct vr_tcp *));
    resolver->policy.servers = calloc(count, sizeof *resolver->policy.servers);
    if (!resolver->servers || !resolver->tcp || !resolver->policy.servers)
        return -ENOMEM;
    memcpy(resolver->servers, servers, count * sizeof *servers);
    resolver->server_count = resolver->policy.count = count;
    return 0;
}

static void destroy(vr_resolver *resolver)
{
    vr_channel_free(resolver->channel);
    vr_udp_free_all(resolver);
    vr_system_config_done(&resolver->system);
    free(resolver->servers);
    free(resolver->tcp);
    free(resolver->policy.servers);
    free(resolver);
}

int vr_resolver_new(vr_resolver **out, const vr_resolver_options *options)
{
    static const vr_resolver_options defaults = {.retries = -1};
    vr_resolver *resolver = calloc(1, sizeof *resolver);

    *out = NULL;
    if (!resolver)
        return -ENOMEM;
    if (!options)
        options = &defaults;
    resolver->line_end = &resolver->line;
    resolver->policy.rotate = options->flags & VR_RESOLVER_ROTATE;
    resolver->timeout = options->timeout > 0 ? options->timeout : default_timeout;
    int retries = options->retries < 0 ? DEFAULT_RETRIES : options->retries;
    int error = retries > RETRIES_MAX ? -EINVAL : vr_system_config_read(&resolver->system);
    if (!error)
        error = options->servers ? copy_servers(resolver, options->servers, options->server_count)
                                 : copy_servers(resolver, resolver->system.servers, resolver->system.server_count);
    if (!error)
        error = open_channel(resolver, retries);
    if (error) {
        destroy(resolver);
        return error;
    }
    *out = resolver;
    return 0;
}

void vr_resolver_free(vr_resolver *resolver)
{
    vr_waiter closing = VR_WAITER;

    if (!resolver)
        return;
    resolver->closing = &closing;
    vr_lookup_cancel_all(resolver);
    vr_udp_stop_all(resolver);
    vr_tcp_stop_all(resolver);
    vr_background_check(resolver);
    /* What is thrown in must not end this early: others still use the resolver. */
    while (!vr_waiter_ready(&closing))
        if (vr_waiter_get(&closing, VR_FOREVER).error == -EPERM)
            abort(); /* in a hub callback, where nothing can be waited for */
    destroy(resolver);
}

size_t vr_resolver_servers(const vr_resolver *resolver, const vr_server **out)
{
    *out = resolver->servers;
    return resolver->server_count;
}

/* --- The default --- */

static _Thread_local vr_resolver *default_resolver;

/* The servers of a list separated by spaces. Returns their number, or a negative error; *out is for free(3). */
static int parse_servers(const char *list, vr_server **out)
{
    char *copy = strdup(list), *rest = copy;
    vr_server *servers = calloc(strlen(list) / 2 + 1, sizeof *servers);
    int count = copy && servers ? 0 : -ENOMEM;

    for (char *text; count >= 0 && (text = strtok_r(rest, " ", &rest));) {
        int error = vr_server_from_text(&servers[count], text);
        count = error ? error : count + 1;
    }
    free(copy);
    if (count < 0) {
        free(servers);
        servers = NULL;
    }
    *out = servers;
    return count;
}

vr_resolver *vr_resolver_default(void)
{
    /* A program with more rights than its user does not ask the servers that its user names. */
    const char *list = secure_getenv("VIREO_RESOLVERS");
    vr_resolver_options options = {.retries = -1};
    vr_server *servers = NULL;
    int error = 0;

    if (default_resolver)
        return default_resolver;
    if (list && *list) {
        int count = parse_servers(list, &servers);
        options.servers = servers;
        options.server_count = count < 0 ? 0 : (size_t)count;
        error = count < 0 ? count : 0;
    }
    if (!error)
        error = vr_resolver_new(&default_resolver, &options);
    free(servers);
    if (error)
        errno = -error;
    return default_resolver;
}

void vr_resolver_default_free(void)
{
    vr_resolver *resolver = default_resolver;

    default_resolver = NULL; /* first: freeing waits, and others run meanwhile */
    vr_resolver_free(resolver);
    vr_hosts_free();
}
