#include "channel.h"

#include <vireo/dns.h>
#include <vireo/hub.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* ares_send and others are deprecated in 1.34 for calls that 1.18 does not have. */
#define CARES_NO_DEPRECATED
#include <ares.h>

/*
 * A token: a query for an A record of a name of one label, eight hexadecimal digits: the ticket's number.
 * The number's low 14 bits are the ticket's slot, the rest counts the slot's uses.
 */
enum { TOKEN_LABEL = 8, TOKEN_SIZE = VR_HEADER_SIZE + 1 + TOKEN_LABEL + 1 + 4 };

/* Virtual sockets are numbered from here, out of the range of real ones: a real system call on one fails. */
enum { FIRST_SOCKET = 1 << 24 };

/* Retransmissions are due on a tick: c-ares 1.18 needs a walk over all queries to say when the next one is. */
static const vr_time tick_interval = VR_MILLISECONDS(20);

typedef struct reply {
    uint16_t token_id;
    uint32_t number;
    uint8_t rcode;
} reply;

/* What c-ares holds for a UDP socket to a server: replies that wait to be read. */
typedef struct virtual_socket {
    bool open;
    size_t server;
    reply *replies;
    size_t first, count, size; /* replies[first .. count) wait */
} virtual_socket;

typedef struct slot {
    vr_ticket *ticket; /* NULL: free */
    uint32_t number;   /* of the latest ticket */
    uint32_t next_free;
} slot;

struct vr_channel {
    ares_channel ares;
    vr_channel_events events;
    void *context;
    virtual_socket *sockets;
    size_t socket_count;
    slot *slots;
    size_t slot_count, tickets;
    uint32_t free_slot; /* VR_CHANNEL_TICKETS: none */
    vr_callback process;
    vr_timer tick;
};

/* --- Virtual servers --- */

/* c-ares has as many servers as there are, for its count of rounds. They have addresses from 127.0.0.0 on, which are
 * never used. */
static in_addr_t virtual_address(size_t server)
{
    return htonl(INADDR_LOOPBACK - 1 + (uint32_t)server);
}

static int set_servers(vr_channel *channel, size_t count)
{
    struct ares_addr_port_node *nodes = calloc(count, sizeof *nodes);

    if (!nodes)
        return ARES_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        nodes[i].family = AF_INET;
        nodes[i].addr.addr4.s_addr = virtual_address(i);
        nodes[i].udp_port = nodes[i].tcp_port = 53;
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
    }
    int status = ares_set_servers_ports(channel->ares, nodes);
    free(nodes);
    return status;
}

/* --- Virtual sockets --- */

static virtual_socket *socket_at(vr_channel *channel, int fd)
{
    size_t index = (size_t)(fd - FIRST_SOCKET);

    return fd >= FIRST_SOCKET && index < channel->socket_count && channel->sockets[index].open
               ? &channel->sockets[index]
               : NULL;
}

static ares_socket_t open_socket(int domain, int type, int protocol, void *context)
{
    vr_channel *channel = context;
    size_t index = 0;

    (void)domain;
    (void)type;
    (void)protocol;
    while (index < channel->socket_count && channel->sockets[index].open)
        index++;
    if (index == channel->socket_count) {
        virtual_socket *sockets = realloc(channel->sockets, (index + 1) * sizeof *sockets);
        if (!sockets) {
            errno = ENOMEM;
            return ARES_SOCKET_BAD;
        }
        channel->sockets = sockets;
        channel->socket_count = index + 1;
        channel->sockets[index] = (virtual_socket){0};
    }
    channel->sockets[index].open = true;
    channel->sockets[index].first = channel->sockets[index].count = 0;
    return FIRST_SOCKET + (int)index;
}

static int close_socket(ares_socket_t fd, void *context)
{
    virtual_socket *socket = socket_at(context, fd);

    if (!socket) {
        errno = EBADF;
        return -1;
    }
    socket->open = false;
    return 0;
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len, void *context)
{
    virtual_socket *socket = socket_at(context, fd);
    const struct sockaddr_in *in = (const void *)address;

    if (!socket || len < sizeof *in || in->sin_family != AF_INET) {
        errno = EINVAL;
        return -1;
    }
    socket->server = ntohl(in->sin_addr.s_addr) - ntohl(virtual_address(0));
    return 0;
}

/* --- Tokens --- */

static size_t write_token(uint8_t out[TOKEN_SIZE], uint16_t id, uint16_t flags, uint32_t number)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *label = out + VR_HEADER_SIZE;

    memset(out, 0, TOKEN_SIZE);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    out[2] = (uint8_t)(flags >> 8);
    out[3] = (uint8_t)flags;
    out[5] = 1; /* one question */
    label[0] = TOKEN_LABEL;
    for (int i = 0; i < TOKEN_LABEL; i++)
        label[1 + i] = (uint8_t)digits[number >> (28 - 4 * i) & 15];
    out[TOKEN_SIZE - 3] = VR_TYPE_A;
    out[TOKEN_SIZE - 1] = VR_CLASS_IN;
    return TOKEN_SIZE;
}

static bool read_token(const uint8_t *token, size_t len, uint16_t *id, uint32_t *number)
{
    const uint8_t *label = token + VR_HEADER_SIZE;

    if (len < VR_HEADER_SIZE + 1 + TOKEN_LABEL || label[0] != TOKEN_LABEL)
        return false;
    *id = (uint16_t)(token[0] << 8 | token[1]);
    *number = 0;
    for (int i = 0; i < TOKEN_LABEL; i++) {
        uint8_t digit = label[1 + i];
        *number = *number << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return true;
}

static vr_ticket *ticket_of(const vr_channel *channel, uint32_t number)
{
    size_t index = number % VR_CHANNEL_TICKETS;

    return index < channel->slot_count && channel->slots[index].number == number ? channel->slots[index].ticket : NULL;
}

/* c-ares sends a token: the resolver is told to send the ticket's message. */
static ares_ssize_t send_token(ares_socket_t fd, const struct iovec *parts, int count, void *context)
{
    vr_channel *channel = context;
    virtual_socket *socket = socket_at(channel, fd);
    uint8_t token[64];
    size_t len = 0;
    uint32_t number;
    uint16_t id;

    if (!socket) {
        errno = EBADF;
        return -1;
    }
    for (int i = 0; i < count && len + parts[i].iov_len <= sizeof token; i++) {
        memcpy(token + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    vr_ticket *ticket = read_token(token, len, &id, &number) ? ticket_of(channel, number) : NULL;
    if (ticket) {
        ticket->socket = fd;
        ticket->token_id = id;
        channel->events.send(channel->context, ticket);
    }
    return (ares_ssize_t)len;
}

/* c-ares reads the next reply to a token. */
static ares_ssize_t read_reply(ares_socket_t fd, void *out, size_t size, int flags, struct sockaddr *from,
                               ares_socklen_t *from_len, void *context)
{
    virtual_socket *socket = socket_at(context, fd);

    (void)flags;
    if (!socket || size < TOKEN_SIZE) {
        errno = EBADF;
        return -1;
    }
    if (socket->first == socket->count) {
        errno = EAGAIN;
        return -1;
    }
    reply *next = &socket->replies[socket->first++];
    if (socket->first == socket->count)
        socket->first = socket->count = 0;
    if (from && from_len && *from_len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = virtual_address(socket->server)};
        memcpy(from, &address, sizeof address);
        *from_len = sizeof address;
    }
    /* TC, which c-ares is told to ignore, keeps the reply out of the cache of c-ares 1.23 and later, should a program
     * that was built with an older one run with it: the option to turn that cache off has no name there. */
    return (ares_ssize_t)write_token(
        out, next->token_id, (uint16_t)(VR_FLAG_QR | VR_FLAG_TC | VR_FLAG_RD | VR_FLAG_RA | next->rcode), next->number);
}

static const struct ares_socket_functions socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = read_reply,
    .asendv = send_token,
};

/* --- Tickets --- */

/* A number for a ticket: a free slot's, its count of uses gone up. */
static bool take_slot(vr_channel *channel, vr_ticket *ticket)
{
    if (channel->free_slot == VR_CHANNEL_TICKETS) {
        size_t old = channel->slot_count, count = old ? old * 2 : 64;
        if (count > VR_CHANNEL_TICKETS)
            return false;
        slot *slots = realloc(channel->slots, count * sizeof *slots);
        if (!slots)
            return false;
        for (size_t i = old; i < count; i++)
            slots[i] = (slot){.number = (uint32_t)i,
                              .next_free = i + 1 < count ? (uint32_t)(i + 1) : (uint32_t)VR_CHANNEL_TICKETS};
        channel->slots = slots;
        channel->slot_count = count;
        channel->free_slot = (uint32_t)old;
    }
    slot *taken = &channel->slots[channel->free_slot];
    channel->free_slot = taken->next_free;
    taken->number += VR_CHANNEL_TICKETS;
    taken->ticket = ticket;
    ticket->channel = channel;
    ticket->number = taken->number;
    ticket->socket = -1;
    channel->tickets++;
    return true;
}

static void give_slot(vr_channel *channel, const vr_ticket *ticket)
{
    uint32_t index = ticket->number % VR_CHANNEL_TICKETS;

    channel->slots[index].ticket = NULL;
    channel->slots[index].next_free = channel->free_slot;
    channel->free_slot = index;
    channel->tickets--;
}

static long error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return -ECANCELED;
    default:
        /* Every server was tried, and passed over for another. */
        return -ECONNREFUSED;
    }
}

static void schedule_ended(void *argument, int status, int timeouts, unsigned char *answer, int len)
{
    vr_ticket *ticket = argument;
    vr_channel *channel = ticket->channel;

    (void)timeouts;
    (void)answer;
    (void)len;
    give_slot(channel, ticket);
    channel->events.done(channel->context, ticket, error_of(status));
}

int vr_channel_submit(vr_channel *channel, vr_ticket *ticket)
{
    uint8_t token[TOKEN_SIZE];

    if (channel->tickets == VR_CHANNEL_TICKETS)
        return -EAGAIN;
    if (!take_slot(channel, ticket))
        return -ENOMEM;
    if (!channel->tick.list && !vr_callback_queued(&channel->tick.callback) &&
        vr_timer_start(&channel->tick, tick_interval) < 0) {
        give_slot(channel, ticket);
        return -ENOMEM;
    }
    /* 1.18 takes the id from the message, and it must be unique: the slot's number is. Later ones choose their own. */
    write_token(token, (uint16_t)(ticket->number % VR_CHANNEL_TICKETS), VR_FLAG_RD, ticket->number);
    ares_send(channel->ares, token, TOKEN_SIZE, schedule_ended, ticket);
    return 0;
}

void vr_channel_settle(vr_channel *channel, vr_ticket *ticket, vr_verdict verdict)
{
    virtual_socket *socket = socket_at(channel, ticket->socket);

    if (!socket)
        return; /* c-ares has closed it, and will send again or end by itself */
    if (socket->count == socket->size) {
        size_t size = socket->size ? socket->size * 2 : 64;
        reply *replies = realloc(socket->replies, size * sizeof *replies);
        if (!replies)
            return; /* as if the answer had been lost: c-ares will send again */
        socket->replies = replies;
        socket->size = size;
    }
    socket->replies[socket->count++] = (reply){
        .token_id = ticket->token_id,
        .number = ticket->number,
        .rcode = verdict == VR_VERDICT_DONE ? VR_RCODE_NOERROR : VR_RCODE_SERVFAIL,
    };
    vr_callback_queue(&channel->process);
}

/* --- Turns of c-ares, always from the hub --- */

/* Has c-ares read all replies. Versions after 1.21 read one a call, earlier ones all that are there. */
static void process_replies(vr_callback *callback)
{
    vr_channel *channel = (vr_channel *)(void *)((char *)callback - offsetof(vr_channel, process));

    for (size_t i = 0; i < channel->socket_count; i++) {
        virtual_socket *socket = &channel->sockets[i];
        while (socket->open && socket->first < socket->count) {
            ares_process_fd(channel->ares, FIRST_SOCKET + (int)i, ARES_SOCKET_BAD);
            socket = &channel->sockets[i]; /* the table may have grown */
        }
    }
}

static void tick(vr_callback *callback)
{
    vr_channel *channel = (vr_channel *)(void *)((char *)callback - offsetof(vr_channel, tick.callback));

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    /* Should there be no memory for it, the next ticket starts it. */
    if (channel->tickets)
        vr_timer_start(&channel->tick, tick_interval);
}

/* --- The channel's life --- */

/*
 * All that could differ between versions or come from the system is said: tries, timeouts, no search list, no aliases,
 * no file, and (1.23 and later) no cache of its own, no probing of servers that failed.
 */
static int init_ares(ares_channel *out, const vr_channel_options *options)
{
    static char lookups[] = "b";
    struct ares_options ares = {
        .flags = ARES_FLAG_IGNTC | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_STAYOPEN,
        .timeout = (int)(options->try_timeout / VR_MILLISECONDS(1)),
        .tries = options->tries,
        .lookups = lookups,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_NOROTATE;

    if (ares.timeout < 1)
        ares.timeout = 1;
#ifdef ARES_OPT_QUERY_CACHE
    ares.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
#ifdef ARES_OPT_SERVER_FAILOVER
    ares.server_failover_opts.retry_chance = 0;
    mask |= ARES_OPT_SERVER_FAILOVER;
#endif
    return ares_init_options(out, &ares, mask);
}

int vr_channel_new(vr_channel **out, const vr_channel_options *options)
{
    vr_channel *channel = calloc(1, sizeof *channel);

    *out = NULL;
    if (!channel)
        return -ENOMEM;
    channel->events = options->events;
    channel->context = options->context;
    channel->free_slot = VR_CHANNEL_TICKETS;
    channel->process.run = process_replies;
    channel->tick.callback.run = tick;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        goto failed;
    if (init_ares(&channel->ares, options) != ARES_SUCCESS)
        goto failed_init;
    ares_set_socket_functions(channel->ares, &socket_functions, channel);
    if (set_servers(channel, options->server_count) != ARES_SUCCESS)
        goto failed_servers;
    *out = channel;
    return 0;

failed_servers:
    ares_destroy(channel->ares);
failed_init:
    ares_library_cleanup();
failed:
    free(channel);
    return -ENOMEM;
}

void vr_channel_cancel(vr_channel *channel)
{
    ares_cancel(channel->ares);
}

void vr_channel_free(vr_channel *channel)
{
    if (!channel)
        return;
    vr_timer_stop(&channel->tick);
    vr_callback_cancel(&channel->process);
    ares_destroy(channel->ares);
    ares_library_cleanup();
    for (size_t i = 0; i < channel->socket_count; i++)
        free(channel->sockets[i].replies);
    free(channel->sockets);
    free(channel->slots);
    free(channel);
}

/* --- The system's configuration --- */

static bool copy_servers(vr_system_config *out, const struct ares_addr_port_node *nodes)
{
    size_t count = 0;

    for (const struct ares_addr_port_node *node = nodes; node; node = node->next)
        count++;
    out->servers = calloc(count ? count : 1, sizeof *out->servers);
    if (!out->servers)
        return false;
    for (; nodes; nodes = nodes->next) {
        vr_server *server = &out->servers[out->server_count++];
        in_port_t port = htons((uint16_t)(nodes->udp_port ? nodes->udp_port : 53));
        if (nodes->family == AF_INET) {
            server->address.v4 =
                (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = nodes->addr.addr4};
        } else {
            server->address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
            memcpy(&server->address.v6.sin6_addr, &nodes->addr.addr6, sizeof(struct in6_addr));
        }
    }
    return true;
}

/* The search list is the C library's reading: c-ares tells it only where it was given by the program (1.34). */
static bool read_domains(vr_system_config *out)
{
    struct __res_state state = {.options = 0};
    bool complete = true;

    if (res_ninit(&state) < 0)
        return false;
    out->ndots = (int)state.ndots;
    out->domains = calloc(MAXDNSRCH, sizeof(char *));
    complete = out->domains != NULL;
    for (int i = 0; complete && i < MAXDNSRCH && state.dnsrch[i]; i++) {
        complete = (out->domains[i] = strdup(state.dnsrch[i])) != NULL;
        out->domain_count += complete;
    }
    res_nclose(&state);
    return complete;
}

int vr_system_config_read(vr_system_config *out)
{
    ares_channel ares = NULL;
    struct ares_addr_port_node *nodes = NULL;
    bool complete = false;

    *out = (vr_system_config){0};
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    if (ares_init(&ares) == ARES_SUCCESS) {
        complete =
            ares_get_servers_ports(ares, &nodes) == ARES_SUCCESS && copy_servers(out, nodes) && read_domains(out);
        ares_free_data(nodes);
        ares_destroy(ares);
    }
    ares_library_cleanup();
    if (complete)
        return 0;
    vr_system_config_done(out);
    return -ENOMEM;
}

void vr_system_config_done(vr_system_config *config)
{
    free(config->servers);
    for (size_t i = 0; i < config->domain_count; i++)
        free(config->domains[i]);
    free(config->domains);
    *config = (vr_system_config){0};
}
