/*
 * Which server a lookup asks next. c-ares says when; this says whom.
 *
 * The servers of a lookup have ranks: the order of the configuration, from a first one on, and round again. The first
 * is the configuration's first (with VR_RESOLVER_ROTATE: another one each time), but for servers that are ailing: these
 * were down, or silent several times in a row, and are passed over as first choice for a while that doubles each time.
 * So a dead server costs one lookup its try, not every one; and one that is well again is found out by the lookup that
 * asks it when the while is over.
 */
#ifndef VIREO_RESOLVER_POLICY_H
#define VIREO_RESOLVER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vireo/time.h>

/* Servers that one lookup may come to; with more, those behind are for others. */
enum { VR_POLICY_SPAN = 64 };

/* What is known of one server. */
typedef struct vr_health {
    unsigned misses; /* tries without an answer since the last one */
    vr_time pause;   /* the latest while; 0 when it is well */
    vr_time ailing_until;
} vr_health;

/* Of all servers of a resolver. */
typedef struct vr_policy {
    vr_health *servers;
    size_t count;
    bool rotate;
    size_t turn; /* counts lookups, for rotate */
} vr_policy;

/* A lookup's way through them. */
typedef struct vr_course {
    size_t first; /* the server of rank 0 */
    unsigned span;
    unsigned next, latest; /* ranks */
    uint64_t failed;       /* a bit for each rank that was no help */
} vr_course;

void vr_policy_begin(vr_policy *policy, vr_course *course, vr_time now);

/* The server for the next try: ranks in turn, but for those that were no help. */
size_t vr_policy_next(const vr_policy *policy, vr_course *course);

/* A server was no help: it is not asked again. Returns true when that was the one asked last, and another should be. */
bool vr_policy_pass_over(const vr_policy *policy, vr_course *course, size_t server);

/* Were all of them no help? */
bool vr_policy_is_exhausted(const vr_course *course);

/* What happened with a server, for its health: it answered; it did not, in the time of a try; it cannot be reached. */
void vr_policy_answered(vr_policy *policy, size_t server);
void vr_policy_missed(vr_policy *policy, size_t server, vr_time now);
void vr_policy_down(vr_policy *policy, size_t server, vr_time now);

#endif
