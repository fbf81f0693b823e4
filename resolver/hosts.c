#include "hosts.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static _Thread_local struct hosts {
    char *path;
    struct timespec modified; /* with size and inode: what the file was when it was read */
    off_t size;
    ino_t inode;
    vr_hosts_entry *entries; /* sorted by name, then by line */
    size_t count, room;
} hosts;

static int by_name(const void *left, const void *right)
{
    const vr_hosts_entry *a = left, *b = right;
    int order = strcasecmp(a->name, b->name);

    return order ? order : (a->line > b->line) - (a->line < b->line);
}

void vr_hosts_free(void)
{
    for (size_t i = 0; i < hosts.count; i++)
        free(hosts.entries[i].name);
    free(hosts.entries);
    free(hosts.path);
    hosts = (struct hosts){0};
}

static void add(const char *name, const vr_hosts_entry *like)
{
    if (hosts.count == hosts.room) {
        size_t room = hosts.room ? hosts.room * 2 : 32;
        vr_hosts_entry *entries = realloc(hosts.entries, room * sizeof *entries);
        if (!entries)
            return;
        hosts.entries = entries;
        hosts.room = room;
    }
    vr_hosts_entry *entry = &hosts.entries[hosts.count];
    *entry = *like;
    entry->name = strdup(name);
    if (entry->name)
        hosts.count++;
}

/* "ADDRESS NAME...", with a comment after #; a line that is something else is passed over, as the C library does. */
static void read_line(char *line, size_t number)
{
    vr_hosts_entry entry = {.line = number};
    char *rest = line;

    line[strcspn(line, "#\n")] = '\0';
    const char *address = strtok_r(rest, " \t\r", &rest);
    if (!address)
        return;
    if (inet_pton(AF_INET, address, &entry.address.v4) == 1)
        entry.family = AF_INET;
    else if (inet_pton(AF_INET6, address, &entry.address.v6) == 1)
        entry.family = AF_INET6;
    else
        return;
    for (const char *name; (name = strtok_r(rest, " \t\r", &rest));)
        add(name, &entry);
}

static void read_file(const char *path, const struct stat *status)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");

    vr_hosts_free();
    hosts.path = strdup(path);
    hosts.modified = status->st_mtim;
    hosts.size = status->st_size;
    hosts.inode = status->st_ino;
    if (!file)
        return;
    for (size_t number = 0; getline(&line, &size, file) >= 0; number++)
        read_line(line, number);
    free(line);
    fclose(file);
    if (hosts.count)
        qsort(hosts.entries, hosts.count, sizeof *hosts.entries, by_name);
}

static bool is_current(const char *path, const struct stat *status)
{
    return hosts.path && strcmp(hosts.path, path) == 0 && hosts.size == status->st_size &&
           hosts.inode == status->st_ino && hosts.modified.tv_sec == status->st_mtim.tv_sec &&
           hosts.modified.tv_nsec == status->st_mtim.tv_nsec;
}

size_t vr_hosts_find(const char *path, const char *name, const vr_hosts_entry **out)
{
    struct stat status;
    size_t first = 0, end = 0;

    *out = NULL;
    if (stat(path, &status) < 0) {
        vr_hosts_free();
        return 0;
    }
    if (!is_current(path, &status))
        read_file(path, &status);

    for (size_t count = hosts.count; count > 0;) { /* the first that is not less */
        size_t half = count / 2;
        if (strcasecmp(hosts.entries[first + half].name, name) < 0) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    for (end = first; end < hosts.count && strcasecmp(hosts.entries[end].name, name) == 0;)
        end++;
    if (end > first)
        *out = hosts.entries + first;
    return end - first;
}
