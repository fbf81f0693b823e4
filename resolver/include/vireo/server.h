/*
 * A server's address as a URL: dns://IP[:PORT] (UDP, and TCP where an answer was cut), udp:// (UDP only), tcp:// (TCP
 * only). A bare IP or IP:PORT means dns://; IPv6 addresses with a port stand in brackets. The port is 53 where none is
 * given.
 */
#ifndef VIREO_SERVER_H
#define VIREO_SERVER_H

#include <netinet/in.h>
#include <sys/socket.h>

enum vr_transport {
    VR_TRANSPORT_DNS, /* UDP, then TCP when the answer was cut */
    VR_TRANSPORT_UDP,
    VR_TRANSPORT_TCP,
};

typedef struct vr_server {
    enum vr_transport transport;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
} vr_server;

/* Room for the text of any address. */
enum { VR_SERVER_TEXT_SIZE = 80 };

/*
 * Returns 0; -EINVAL for text that is no such URL; -EPROTONOSUPPORT for a scheme that Vireo's design has but this build
 * does not (tls, https).
 */
int vr_server_from_text(vr_server *out, const char *text);

/* The URL. Returns `out`. */
const char *vr_server_text(const vr_server *server, char out[VR_SERVER_TEXT_SIZE]);

/* IP:PORT alone, IPv6 in brackets. Returns `out`. */
const char *vr_server_address_text(const vr_server *server, char out[VR_SERVER_TEXT_SIZE]);

socklen_t vr_server_address_len(const vr_server *server);

#endif
