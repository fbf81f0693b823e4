#include <vireo/server.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53 };

static const struct scheme {
    const char *prefix;
    int transport; /* -1: designed, not built */
} schemes[] = {
    {"dns://", VR_TRANSPORT_DNS},
    {"udp://", VR_TRANSPORT_UDP},
    {"tcp://", VR_TRANSPORT_TCP},
    {"tls://", -1},
    {"https://", -1},
};
enum { SCHEME_COUNT = sizeof schemes / sizeof schemes[0] };

static int parse_port(const char *text)
{
    char *end;
    long port = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

    return port < 0 || port > 65535 || *end ? -EINVAL : (int)port;
}

/* Splits "IP", "IP:PORT", "[IP]:PORT" or a bare IPv6 address in place. Returns the address; *port is NULL without one.
 */
static char *split(char *text, char **port)
{
    char *colon = strchr(text, ':');

    *port = NULL;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return NULL;
        if (end[1])
            *port = end + 2;
        *end = '\0';
        return text + 1;
    }
    if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
        *port = colon + 1;
    }
    return text;
}

int vr_server_from_text(vr_server *out, const char *text)
{
    char address[VR_SERVER_TEXT_SIZE], *ip, *port_text;
    int transport = VR_TRANSPORT_DNS;

    *out = (vr_server){0};
    for (int i = 0; i < SCHEME_COUNT; i++)
        if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            transport = schemes[i].transport;
            text += strlen(schemes[i].prefix);
            break;
        }
    if (transport < 0)
        return -EPROTONOSUPPORT;
    if (strlen(text) >= sizeof address)
        return -EINVAL;
    ip = split(strcpy(address, text), &port_text);
    int port = port_text ? parse_port(port_text) : DNS_PORT;
    if (!ip || port < 0)
        return -EINVAL;

    out->transport = (enum vr_transport)transport;
    if (*text != '[' && inet_pton(AF_INET, ip, &out->address.v4.sin_addr) == 1) {
        out->address.v4.sin_family = AF_INET;
        out->address.v4.sin_port = htons((uint16_t)port);
        return 0;
    }
    if (inet_pton(AF_INET6, ip, &out->address.v6.sin6_addr) == 1) {
        out->address.v6.sin6_family = AF_INET6;
        out->address.v6.sin6_port = htons((uint16_t)port);
        return 0;
    }
    return -EINVAL;
}

const char *vr_server_address_text(const vr_server *server, char out[VR_SERVER_TEXT_SIZE])
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (server->address.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &server->address.v6.sin6_addr, ip, sizeof ip);
        snprintf(out, VR_SERVER_TEXT_SIZE, "[%s]:%u", ip, (unsigned)ntohs(server->address.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &server->address.v4.sin_addr, ip, sizeof ip);
        snprintf(out, VR_SERVER_TEXT_SIZE, "%s:%u", ip, (unsigned)ntohs(server->address.v4.sin_port));
    }
    return out;
}

const char *vr_server_text(const vr_server *server, char out[VR_SERVER_TEXT_SIZE])
{
    char address[VR_SERVER_TEXT_SIZE];
    const char *prefix = "";

    for (int i = 0; i < SCHEME_COUNT; i++)
        if (schemes[i].transport == (int)server->transport)
            prefix = schemes[i].prefix;
    vr_server_address_text(server, address);
    snprintf(out, VR_SERVER_TEXT_SIZE, "%s%.64s", prefix, address);
    return out;
}

socklen_t vr_server_address_len(const vr_server *server)
{
    return server->address.any.sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}
