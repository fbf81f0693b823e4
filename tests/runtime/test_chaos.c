/*
 * Greenlets that do everything at once, by chance, while others kill them: no place in a pool, no item, no callback and
 * no greenlet may be lost by that, whatever the order.
 */
#include "support.h"

#include <vireo/local.h>
#include <vireo/pool.h>
#include <vireo/scope.h>
#include <vireo/timeout.h>

/* --- Chance, the same for a seed --- */

static uint64_t chance;

static unsigned upto(unsigned limit)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (unsigned)(chance >> 33) % limit;
}

static vr_time some_time(void)
{
    return VR_MILLISECONDS(upto(4));
}

/* --- What must come out even --- */

enum { PLACES = 3, ACTORS = 12 };

static vr_pool pool;
static int begun, ended;  /* functions that ran */
static int applied, told; /* calls of vr_pool_apply_async, and of their callbacks */
static int values_set, values_ended;
static bool over;

static void value_ended(void *value)
{
    values_ended++;
}

static vr_local local = VR_LOCAL(value_ended);

static void set_value(void)
{
    if (vr_local_set(&local, number(values_set + 1)) == 0)
        values_set++;
}

/* --- Tasks --- */

static vr_result any_task(void *argument)
{
    long error = 0;

    begun++;
    set_value();
    if (upto(2))
        error = vr_sleep(some_time());
    if (!error && upto(4) == 0)
        error = -EPROTO;
    ended++;
    return error ? vr_fail(error) : vr_ok(argument);
}

/* Goes on for a while when it is told to end. */
static vr_result stubborn_task(void *argument)
{
    vr_shield shield;

    begun++;
    vr_shield_begin(&shield, some_time());
    long error = vr_sleep(some_time());
    error = vr_shield_end(&shield, error);
    ended++;
    return error ? vr_fail(error) : vr_ok(argument);
}

static vr_function *some_task(void)
{
    return upto(3) ? any_task : stubborn_task;
}

static void counts_told(void *context, vr_result result)
{
    told++;
}

/* --- What an actor does --- */

static long spawns_in_pool(void)
{
    return vr_pool_spawn(&pool, upto(2) ? VR_FOREVER : some_time(), some_task(), NULL, NULL);
}

static long applies(void)
{
    return vr_pool_apply(&pool, upto(2) ? VR_FOREVER : some_time(), some_task(), NULL).error;
}

static long applies_async(void)
{
    int error = vr_pool_apply_async(&pool, some_task(), NULL, counts_told, NULL);

    if (!error)
        applied++;
    return error;
}

static long maps(void)
{
    void *items[] = {number(1), number(2), number(3), number(4)};
    vr_result results[4];

    return vr_pool_map(&pool, some_task(), items, 4, results, upto(2) ? VR_RAISE_ERROR : 0);
}

static int gives_items(void *context, void **item)
{
    int *left = context;
    int error = upto(2) ? vr_sleep(some_time()) : 0;

    *item = number(*left);
    return error ? error : (*left)-- > 0;
}

static long iterates(void)
{
    static void *const items[] = {NULL, NULL, NULL, NULL, NULL};
    vr_imap imap;
    vr_mapped mapped;
    vr_imap_options options = {.flags = upto(2) ? VR_UNORDERED : 0, .ahead = upto(3)};
    int left = 5, got;
    unsigned wanted = upto(8);

    vr_imap_init(&imap, &pool, some_task(), upto(2) ? VR_ITEMS(items, 5) : VR_ITEMS_FROM(gives_items, &left), &options);
    do
        got = vr_imap_next(&imap, VR_FOREVER, &mapped);
    while (got == 1 && wanted-- > 0);
    while (vr_imap_done(&imap) == -EBUSY) {
    }
    return got < 0 ? got : 0;
}

static long owns_a_scope(void)
{
    vr_scope scope;
    long error;

    vr_scope_init(&scope, &(vr_scope_options){.limit = upto(2) ? some_time() : 0, .cleanup = VR_MILLISECONDS(2)});
    for (unsigned i = upto(4); i > 0; i--)
        vr_unref(vr_scope_spawn(&scope, some_task(), NULL));
    error = upto(2) ? vr_scope_join(&scope, VR_FOREVER) : vr_sleep(some_time());
    if (upto(4) == 0)
        vr_scope_cancel(&scope);
    do
        error = vr_scope_done(&scope, error);
    while (vr_scope_count(&scope));
    return error;
}

static long kills_the_pool(void)
{
    return upto(3) ? 0 : vr_pool_killall(&pool, -ECANCELED, upto(2) ? VR_FOREVER : some_time());
}

static long joins_the_pool(void)
{
    return vr_pool_join(&pool, some_time(), upto(2) ? VR_RAISE_ERROR : 0);
}

static long does_something(unsigned depth)
{
    static long (*const things[])(void) = {spawns_in_pool, applies,      applies_async,  maps,
                                           iterates,       owns_a_scope, kills_the_pool, joins_the_pool};
    enum { THINGS = sizeof things / sizeof *things };
    unsigned thing = upto(THINGS + 2);

    if (thing < THINGS || depth > 3)
        return things[thing % THINGS]();
    if (thing == THINGS) {
        vr_timeout timeout = VR_TIMEOUT;
        vr_timeout_start(&timeout, some_time());
        long error = does_something(depth + 1);
        return vr_timeout_end(&timeout, error);
    }
    vr_shield shield;
    vr_shield_begin(&shield, VR_MILLISECONDS(5));
    long error = does_something(depth + 1);
    return vr_shield_end(&shield, error);
}

static vr_result acts(void *argument)
{
    long error = 0;

    set_value();
    for (int i = 0; i < 4 && error != -ECANCELED; i++)
        error = does_something(0);
    /* What was started has ended: it cannot come from anywhere. */
    if (error <= VR_SCOPE_ERRORS)
        trace("stray%ld", error);
    return vr_fail(error);
}

static vr_result kills(void *argument)
{
    vr_greenlet **victims = argument;

    while (!over) {
        vr_sleep(some_time());
        vr_kill(victims[upto(ACTORS)], upto(2) ? -ECANCELED : -EIO);
    }
    return vr_ok(NULL);
}

static bool ignores(vr_greenlet *greenlet, long error)
{
    return false;
}

static void run(uint64_t seed)
{
    vr_greenlet *actors[ACTORS];

    pool = VR_POOL(PLACES);
    chance = seed;
    over = false;
    begun = ended = applied = told = values_set = values_ended = 0;
    vr_hub_seed(seed);
    vr_hub_handle_error(ignores);
    for (int i = 0; i < ACTORS; i++)
        actors[i] = vr_spawn(acts, NULL);
    vr_greenlet *killer = vr_spawn(kills, actors);
    assert_int_equal(vr_joinall(actors, ACTORS, VR_SECONDS(100)), ACTORS);
    over = true;
    assert_int_equal(vr_pool_join(&pool, VR_SECONDS(100), 0), 0);
    assert_int_equal(vr_join(killer, VR_SECONDS(1)), 0);
    for (int i = 0; i < ACTORS; i++)
        vr_unref(actors[i]);
    vr_unref(killer);
    vr_sleep(0);
    assert_trace("");
    assert_int_equal(vr_pool_count(&pool), 0);
    assert_int_equal(vr_pool_free_count(&pool), PLACES);
    assert_int_equal(begun, ended);
    assert_int_equal(applied, told);
    assert_int_equal(values_set, values_ended);
    /* No timer is left, and no greenlet. */
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
}

static void nothing_is_lost_in_any_order(void **state)
{
    for (uint64_t seed = 1; seed <= scaled(3000); seed++) {
        run(seed);
        if (seed % 50 == 0) {
            assert_int_equal(vr_hub_free(), 0);
            assert_int_equal(vr_hub_virtual_clock(0), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(nothing_is_lost_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
