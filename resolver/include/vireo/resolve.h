/*
 * Lookups. Each parks the greenlet that makes it, and only that one; many run at once by being made from many
 * greenlets.
 *
 * A resolver belongs to the thread (the hub) that made it. Its errors are of three kinds, and stay apart:
 *   - transport and the runtime: -errno, among them -ETIMEDOUT (no server answered in time), -ECONNREFUSED (all refused
 * the connection), -ECANCELED and whatever else was thrown into the caller (a kill), -EPERM (in a hub callback);
 *   - what the DNS said, where a call looks for data rather than for a message: -VR_DNS_ERROR(rcode), -VR_NO_DATA;
 *   - misuse: -EINVAL for a name that is none, -EBADMSG never: answers that break the format are ignored on arrival.
 * vr_dns_strerror gives words for all of them.
 */
#ifndef VIREO_RESOLVE_H
#define VIREO_RESOLVE_H

#include <netdb.h>
#include <vireo/dns.h>
#include <vireo/greenlet.h>
#include <vireo/server.h>
#include <vireo/time.h>

/* The DNS's own errors: the name does not exist, the server failed, refused ... (the 12 bits of an extended rcode) ...
 */
#define VR_DNS_ERROR(rcode) (10000L + (rcode))
/* ... and: the name exists, but has no record of that type (RFC 2308 section 2.2). */
#define VR_NO_DATA 20000L

/* What an error of a lookup means, in a few words; knows what vr_strerror knows, too. A static string. */
const char *vr_dns_strerror(long error);

/* The same as getaddrinfo's EAI_ number. */
int vr_gai_error(long error);

typedef struct vr_resolver vr_resolver;

enum vr_resolver_flags {
    VR_RESOLVER_ROTATE = 1, /* begin each lookup with another server, to spread them; else with the first that works */
};

typedef struct vr_resolver_options {
    const vr_server *servers; /* copied; NULL: those of the system's resolv.conf */
    size_t server_count;
    vr_time timeout; /* the longest that one lookup may take, with all its retries; 0: 5 s */
    int retries;     /* how often each server is asked again, each time with twice the patience; -1: 2; at most 10 */
    unsigned flags;  /* of vr_resolver_flags */
} vr_resolver_options;

/*
 * A resolver on the current thread's hub. Returns 0 and sets *out, or a negative error: -ENOMEM, -EINVAL for options
 * out of range or a server without an address. NULL options are all defaults. Where the system names no server it is
 * 127.0.0.1.
 */
int vr_resolver_new(vr_resolver **out, const vr_resolver_options *options);

/*
 * Frees it. Lookups that run end with -ECANCELED; it waits (and switches) until they, and the greenlets behind them,
 * have left. Not to be called in a hub callback. NULL is allowed.
 */
void vr_resolver_free(vr_resolver *resolver);

/* Its servers; *out is the resolver's. Returns how many. */
size_t vr_resolver_servers(const vr_resolver *resolver, const vr_server **out);

/*
 * The thread's own resolver, made on first use and freed, with what the thread keeps of the hosts file, by
 * vr_resolver_default_free: the servers in the environment variable VIREO_RESOLVERS (addresses as in <vireo/server.h>,
 * separated by spaces), else the system's. NULL, with errno set, when there is none to be had.
 */
vr_resolver *vr_resolver_default(void);
void vr_resolver_default_free(void);

/* An answer, with what is known of its way here. */
typedef struct vr_answer {
    size_t len;        /* of message */
    size_t capacity;   /* octets there are behind message, at least VR_ANSWER_SPARE more than len */
    vr_server server;  /* who answered */
    bool over_tcp;     /* did the answer come over TCP? */
    vr_time duration;  /* from the call to the answer */
    vr_edns edns;      /* its OPT record; points into message */
    uint8_t message[]; /* checked by vr_message_check; its id is 0, its question the one asked */
} vr_answer;

/* Room that is left behind a message, for an OPT record of one's own with a few options. */
enum { VR_ANSWER_SPARE = 128 };

enum vr_query_flags {
    VR_QUERY_NO_RECURSION = 1, /* RD clear */
    VR_QUERY_CD = 2,           /* checking disabled (RFC 4035 section 3.2.2) */
    VR_QUERY_DO = 4,           /* DNSSEC records wanted (RFC 3225) */
    VR_QUERY_AD = 8,           /* AD bit of interest (RFC 6840 section 5.7) */
};

/*
 * Asks the servers one question, and returns the answer's message whatever its rcode: NXDOMAIN and SERVFAIL are answers
 * here. An answer that was cut over UDP has been asked for again over TCP. On success *out is the caller's, for
 * free(3). `timeout` of 0 is the resolver's own. Returns 0 or a negative error; *out is then NULL.
 */
int vr_resolver_query(vr_resolver *resolver, const vr_question *question, unsigned flags, vr_time timeout,
                      vr_answer **out);

/* The short form, for a greenlet's function: name and type in class IN, at the default resolver. The value is a
 * vr_answer, for free(3). */
vr_result vr_query(const char *name, uint16_t type);

/*
 * The first address of a host, as gevent's gethostbyname: IPv4 literals, "localhost" and names below it, the hosts file
 * and then the DNS, names with other than ASCII letters by IDNA 2008. The value is its text ("192.0.2.1"), for free(3).
 */
vr_result vr_gethostbyname(const char *name);

/*
 * getaddrinfo(3) on greenlets: the same arguments, address families asked for at the same time, the search list of
 * resolv.conf. `service` is a port number or a name of /etc/services. Addresses come as the servers gave them, IPv6
 * first, not sorted by RFC 6724. On success *out is for vr_freeaddrinfo.
 */
int vr_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);
void vr_freeaddrinfo(struct addrinfo *list);

#endif
