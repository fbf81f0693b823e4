/* What the tests of deadlocks share: reports that are kept, and greenlets that join each other and take locks. */
#ifndef VIREO_TESTS_RUNTIME_DEADLOCK_SUPPORT_H
#define VIREO_TESTS_RUNTIME_DEADLOCK_SUPPORT_H

#include "report_support.h"

#include <vireo/semaphore.h>

static int reports;
static char text[16384]; /* of the last one */

/* Keeps a report, with "HERE" for places in the tests. */
static inline void keeps(const char *report)
{
    char *out = text;

    reports++;
    while (*report && out < text + sizeof text - 1) {
        if (strncmp(report, "tests/runtime/", 14) == 0) {
            out = stpcpy(out, "HERE");
            report += strcspn(report, "\n");
        } else {
            *out++ = *report++;
        }
    }
    *out = '\0';
}

/* With the hub made before the test, so that no memory is taken for it in between. */
static inline int keep_reports(void **state)
{
    reports = 0;
    text[0] = '\0';
    if (use_virtual_clock(state))
        return -1;
    vr_hub_handle_deadlock(keeps);
    return 0;
}

#define deadlock_test(function) cmocka_unit_test_setup_teardown(function, keep_reports, free_hub)

/* Lets everything run that can, and compares how many reports there were. */
static inline void assert_reports(int expected)
{
    vr_sleep(VR_MILLISECONDS(1));
    assert_int_equal(reports, expected);
}

/* --- What the greenlets of these tests do --- */

enum { PLAYERS = 80 };

/* Greenlet and lock, of each the one with that number. */
static vr_greenlet *players[PLAYERS];
static vr_rlock locks[PLAYERS];
static const char *const names[] = {"alice", "bob", "carol", "dave", "erin"};

/* What a player does in turn: '0'..'9' join that player, 'a'..'j' take that lock, '-' give way, 's' sleep for ever. */
static inline long play(const char *script)
{
    long error = 0;

    for (; *script && !error; script++) {
        if (*script >= '0' && *script <= '9')
            error = vr_join(players[*script - '0'], VR_FOREVER);
        else if (*script >= 'a' && *script <= 'j')
            error = vr_rlock_acquire(&locks[*script - 'a'], VR_FOREVER);
        else
            error = vr_sleep(*script == 's' ? VR_FOREVER : 0);
    }
    return error;
}

static inline vr_result plays(void *script)
{
    long error = play(script);

    for (int i = 0; i < PLAYERS; i++)
        if (vr_rlock_owner(&locks[i]) == vr_current())
            vr_rlock_release(&locks[i]);
    return vr_fail(error);
}

/* Spawns a player for each script. */
static inline void spawn_players(const char *const scripts[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        locks[i] = VR_RLOCK;
        players[i] =
            vr_spawn_with(&(vr_spawn_options){.name = i < 5 ? names[i] : NULL}, plays, (void *)(uintptr_t)scripts[i]);
    }
}

#define SPAWN(...) spawn_players((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / 8)

static inline void end_players(size_t count)
{
    vr_killall(players, count, -ECANCELED, VR_FOREVER);
    for (size_t i = 0; i < count; i++)
        vr_unref(players[i]);
}

static inline vr_result joins_argument(void *slot)
{
    return vr_fail(vr_join(*(vr_greenlet **)slot, VR_FOREVER));
}

#endif
