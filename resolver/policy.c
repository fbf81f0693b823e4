#include "policy.h"

/* One or two packets get lost anywhere. */
enum { MISSES_MAX = 3 };

static const vr_time pause_min = VR_SECONDS(1), pause_max = VR_SECONDS(30);

static bool is_ailing(const vr_policy *policy, size_t server, vr_time now)
{
    return policy->servers[server].ailing_until > now;
}

void vr_policy_begin(vr_policy *policy, vr_course *course, vr_time now)
{
    size_t start = policy->rotate ? policy->turn++ % policy->count : 0;
    unsigned span = policy->count < VR_POLICY_SPAN ? (unsigned)policy->count : VR_POLICY_SPAN;

    *course = (vr_course){.first = start, .span = span};
    for (size_t i = 0; i < policy->count; i++) {
        size_t server = (start + i) % policy->count;
        if (!is_ailing(policy, server, now)) {
            course->first = server;
            return;
        }
    }
}

static bool has_failed(const vr_course *course, unsigned rank)
{
    return course->failed >> rank & 1;
}

size_t vr_policy_next(const vr_policy *policy, vr_course *course)
{
    for (unsigned i = 0; i < course->span; i++) {
        unsigned rank = (course->next + i) % course->span;
        if (!has_failed(course, rank)) {
            course->latest = rank;
            break;
        }
    }
    course->next = course->latest + 1 < course->span ? course->latest + 1 : 0;
    return (course->first + course->latest) % policy->count;
}

bool vr_policy_pass_over(const vr_policy *policy, vr_course *course, size_t server)
{
    size_t rank = (server + policy->count - course->first) % policy->count;

    course->failed |= (uint64_t)1 << rank;
    return rank == course->latest;
}

bool vr_policy_is_exhausted(const vr_course *course)
{
    uint64_t all = course->span == VR_POLICY_SPAN ? UINT64_MAX : ((uint64_t)1 << course->span) - 1;

    return course->failed == all;
}

void vr_policy_answered(vr_policy *policy, size_t server)
{
    policy->servers[server] = (vr_health){.misses = 0};
}

void vr_policy_down(vr_policy *policy, size_t server, vr_time now)
{
    vr_health *health = &policy->servers[server];

    /* Many lookups hear of the same fault: it counts once a while. */
    if (health->ailing_until > now)
        return;
    health->pause = health->pause ? health->pause * 2 : pause_min;
    if (health->pause > pause_max)
        health->pause = pause_max;
    health->ailing_until = now + health->pause;
}

void vr_policy_missed(vr_policy *policy, size_t server, vr_time now)
{
    if (++policy->servers[server].misses >= MISSES_MAX)
        vr_policy_down(policy, server, now);
}
