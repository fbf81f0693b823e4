/* Pools, groups and scopes where no further greenlet can be made: in a child process whose address space is limited. */
#include "support.h"

#include <vireo/pool.h>
#include <vireo/scope.h>

#include <stdlib.h>

/* cmocka's assertions belong to the parent: a child says by its exit status which expectation failed. */
#define expect(condition)              \
    do {                               \
        if (!(condition))              \
            _exit(__LINE__ % 200 + 1); \
    } while (0)

enum { MANY = 20000 };

static vr_greenlet *greenlets[MANY];
static size_t count;

/* Makes greenlets until there is no room for one more; small allocations go on. */
static void use_up_the_stacks(void)
{
    void *volatile room = malloc(1 << 16); /* in the heap, for what is not a stack */

    vr_unref(vr_greenlet_new(echoes)); /* the hub is there */
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    while (count < MANY && (greenlets[count] = vr_spawn(sleeps_forever, NULL)))
        count++;
    expect(count > 1 && count < MANY);
    free(room);
    vr_sleep(0);
}

/* Room for one again. */
static void free_one(void)
{
    vr_greenlet *last = greenlets[--count];

    vr_kill(last, -ECANCELED);
    expect(vr_join(last, VR_FOREVER) == 0);
    vr_unref(last);
}

static void pool_stays_usable(void)
{
    vr_pool pool = VR_POOL(2);
    vr_greenlet *greenlet;

    expect(vr_pool_spawn(&pool, VR_FOREVER, echoes, NULL, &greenlet) == -ENOMEM);
    expect(!greenlet);
    expect(vr_pool_apply(&pool, VR_FOREVER, echoes, NULL).error == -ENOMEM);
    expect(vr_pool_apply_async(&pool, echoes, NULL, NULL, NULL) == -ENOMEM);
    expect(vr_pool_free_count(&pool) == 2 && vr_pool_count(&pool) == 0);
    free_one();
    expect(vr_pool_apply(&pool, VR_FOREVER, echoes, number(5)).value == number(5));
}

static void map_gives_the_items_their_errors(void)
{
    vr_pool pool = VR_POOL(2);
    void *items[] = {number(1), number(2), number(3)};
    vr_result results[3];

    expect(vr_pool_map(&pool, echoes, items, 3, results, 0) == 0);
    for (int i = 0; i < 3; i++)
        expect(results[i].error == -ENOMEM);
    expect(vr_pool_map(&pool, echoes, items, 3, results, VR_RAISE_ERROR) == -ENOMEM);
    expect(vr_pool_free_count(&pool) == 2);
    /* With room for one the first runs, and the others find none. */
    free_one();
    expect(vr_pool_map(&pool, echoes, items, 3, results, 0) == 0);
    expect(results[0].value == number(1) && results[1].error == -ENOMEM);
}

static void imap_gives_the_items_their_errors(void)
{
    vr_pool pool = VR_POOL(2);
    vr_imap imap;
    vr_mapped mapped;
    void *items[] = {number(1), number(2)};

    expect(vr_imap_init(&imap, &pool, echoes, VR_ITEMS(items, 2), NULL) == -ENOMEM);
    expect(vr_imap_done(&imap) == 0);
    free_one();
    /* The feeder takes the room that there is. */
    for (unsigned flags = 0; flags < 2; flags++) {
        expect(vr_imap_init(&imap, &pool, echoes, VR_ITEMS(items, 2), &(vr_imap_options){.flags = flags}) == 0);
        for (size_t i = 0; i < 2; i++) {
            expect(vr_imap_next(&imap, VR_FOREVER, &mapped) == 1);
            expect(mapped.index == i && mapped.item == items[i] && mapped.result.error == -ENOMEM);
        }
        expect(vr_imap_next(&imap, VR_FOREVER, &mapped) == 0);
        expect(vr_imap_done(&imap) == 0);
    }
}

static int told;

static void counts_told(void *context, vr_result result)
{
    told += result.error == -ENOMEM;
}

static void queued_calls_are_told(void)
{
    vr_pool pool = VR_POOL(1);

    /* One that was there before keeps the place until there is no room for another. */
    expect(vr_pool_add(&pool, 0, greenlets[0]) == 0);
    for (int i = 0; i < 3; i++)
        expect(vr_pool_apply_async(&pool, echoes, NULL, counts_told, NULL) == 0);
    vr_pool_discard(&pool, greenlets[0]);
    expect(told == 0); /* not before the hub has its turn */
    vr_sleep(0);
    expect(told == 3);
    expect(vr_pool_free_count(&pool) == 1);
}

static void scope_fails(void)
{
    vr_scope scope;

    vr_scope_init(&scope, NULL);
    errno = 0;
    expect(!vr_scope_spawn(&scope, echoes, NULL));
    expect(errno == ENOMEM);
    expect(vr_scope_done(&scope, vr_scope_join(&scope, VR_FOREVER)) == -ENOMEM);
    vr_group group = VR_GROUP;
    expect(!vr_group_spawn(&group, echoes, NULL));
    expect(vr_group_count(&group) == 0);
}

static void (*body)(void);

static void runs_body_without_stacks(void)
{
    use_up_the_stacks();
    body();
}

static void expect_in_child(void (*function)(void))
{
    /* The tools' own allocations would fail, too. */
    if (SANITIZED || RUNNING_ON_VALGRIND)
        skip();
    body = function;
    assert_int_equal(status_of_child(runs_body_without_stacks), 0);
}

static void pool_gives_its_places_back_where_no_greenlet_can_be_made(void **state)
{
    expect_in_child(pool_stays_usable);
}

static void items_of_a_map_that_find_no_stack_have_that_as_their_error(void **state)
{
    expect_in_child(map_gives_the_items_their_errors);
}

static void items_of_an_imap_that_find_no_stack_have_that_as_their_error(void **state)
{
    expect_in_child(imap_gives_the_items_their_errors);
}

static void queued_calls_that_find_no_stack_are_told_in_the_hub(void **state)
{
    expect_in_child(queued_calls_are_told);
}

static void scope_without_a_stack_for_its_child_fails(void **state)
{
    expect_in_child(scope_fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_gives_its_places_back_where_no_greenlet_can_be_made),
        cmocka_unit_test(items_of_a_map_that_find_no_stack_have_that_as_their_error),
        cmocka_unit_test(items_of_an_imap_that_find_no_stack_have_that_as_their_error),
        cmocka_unit_test(queued_calls_that_find_no_stack_are_told_in_the_hub),
        cmocka_unit_test(scope_without_a_stack_for_its_child_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
