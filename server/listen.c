#include "listen.h"

#include <vireo/io.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Connections that wait to be accepted; the kernel's own limit (net.core.somaxconn) is 4096. */
enum { BACKLOG = 4096 };

/* Port 0: how often to draw another port, when the one that is free for UDP is taken for TCP. */
enum { DRAWS = 16 };

/* What a worker that is busy may have waiting. */
enum { RECEIVE_BUFFER = 4 << 20 };

static in_port_t port_of(const vr_server *address)
{
    return address->address.any.sa_family == AF_INET6 ? address->address.v6.sin6_port : address->address.v4.sin_port;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int prepare_udp(int fd, int family)
{
    /* More than net.core.rmem_max takes a privilege; without it, as much as that. */
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0)
        set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    /* The answer must leave from the address that the query came to. */
    return family == AF_INET ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static int bind_socket(const vr_server *address, int type, int share)
{
    int family = address->address.any.sa_family, fd = vr_socket(family, type, 0), error = 0;

    if (fd < 0)
        return fd;
    /* IPv6 is IPv6: an IPv4 address is listened to where it is asked for. */
    if (family == AF_INET6)
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!error && share)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error)
        error = type == SOCK_STREAM ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : prepare_udp(fd, family);
    if (!error && bind(fd, &address->address.any, vr_server_address_len(address)) < 0)
        error = -errno;
    if (!error && type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
        error = -errno;
    if (!error)
        return fd;
    vr_close(fd);
    return error;
}

/* Binds what the address's transport has. */
static int open_one(struct listener *out, const vr_server *address, int share)
{
    *out = (struct listener){-1, -1};
    if (address->transport != VR_TRANSPORT_TCP && (out->udp = bind_socket(address, SOCK_DGRAM, share)) < 0)
        return out->udp;
    if (address->transport == VR_TRANSPORT_UDP)
        return 0;
    vr_server same_port = *address;
    socklen_t len = sizeof same_port.address;
    if (out->udp >= 0)
        getsockname(out->udp, &same_port.address.any, &len);
    out->tcp = bind_socket(&same_port, SOCK_STREAM, share);
    if (out->tcp >= 0)
        return 0;
    int error = out->tcp;
    listen_close(out);
    return error;
}

/* The first listener of an address, and the port it got. Sockets that share a port are bound only after it was seen to
 * be free. */
static int open_first(struct listener *out, vr_server *address, int share)
{
    int drawn = port_of(address) == 0, error;

    if (!drawn && share) {
        error = open_one(out, address, 0);
        if (error)
            return error;
        listen_close(out);
    }
    for (int i = 0; (error = open_one(out, address, share)) == -EADDRINUSE && drawn && i < DRAWS; i++)
        ;
    if (error)
        return error;
    socklen_t len = sizeof address->address;
    getsockname(out->udp >= 0 ? out->udp : out->tcp, &address->address.any, &len);
    return 0;
}

int listen_open(struct listener *out, int count, vr_server *address)
{
    int share = count > 1, error = open_first(&out[0], address, share), opened = 1;

    if (error)
        return error;
    while (opened < count && !(error = open_one(&out[opened], address, share)))
        opened++;
    while (error && opened > 0)
        listen_close(&out[--opened]);
    return error;
}

void listen_close_tcp(struct listener *listener)
{
    if (listener->tcp >= 0)
        vr_close(listener->tcp);
    listener->tcp = -1;
}

void listen_close(struct listener *listener)
{
    if (listener->udp >= 0)
        vr_close(listener->udp);
    listener->udp = -1;
    listen_close_tcp(listener);
}
