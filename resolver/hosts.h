/* The hosts file (hosts(5)): names that are answered without the DNS. Kept in memory, read again when the file has
 * changed. */
#ifndef VIREO_RESOLVER_HOSTS_H
#define VIREO_RESOLVER_HOSTS_H

#include <netinet/in.h>
#include <stddef.h>

typedef struct vr_hosts_entry {
    char *name;
    int family; /* AF_INET or AF_INET6 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } address;
    size_t line; /* the order of the file is the order of the answer */
} vr_hosts_entry;

/*
 * The entries of a name, in either case of letters, next to each other, in the file's order. Returns how many; *out is
 * good until the next call on this thread. A file that is missing or cannot be read has no entries. Reads the file
 * (blocking).
 */
size_t vr_hosts_find(const char *path, const char *name, const vr_hosts_entry **out);

/* Forgets what this thread has read. */
void vr_hosts_free(void);

#endif
