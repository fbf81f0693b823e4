/* Links: calls from the hub when a greenlet is dead. */
#include "support.h"

/* Traces the text that is the link's context. */
static void traces_context(void *greenlet, void *context)
{
    trace("%s", (const char *)context);
}

/* A link that writes `word`; the texts in this file outlive every link. */
static vr_link link_with(const char *word)
{
    return (vr_link){.notify = traces_context, .context = number((intptr_t)word)};
}

static void finish(vr_greenlet *greenlet)
{
    assert_int_equal(vr_hub_join(VR_FOREVER), 0);
    assert_true(vr_dead(greenlet));
    vr_unref(greenlet);
}

static void links_fire_in_the_order_they_were_added(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link a = link_with("a"), b = link_with("b"), c = link_with("c");

    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    vr_rawlink(greenlet, &c);
    finish(greenlet);
    assert_trace("a b c");
}

typedef struct observation {
    vr_link link;
    vr_greenlet *greenlet, *current;
    bool dead;
    void *value;
    int sleep_error;
} observation;

static void observes(void *greenlet, void *context)
{
    observation *seen = context;

    seen->greenlet = greenlet;
    seen->current = vr_current();
    seen->dead = vr_dead(greenlet);
    seen->value = vr_value(greenlet);
    seen->sleep_error = vr_sleep(0);
}

static void link_runs_in_the_hub_with_the_dead_greenlet(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, number(3));
    vr_greenlet *hub = vr_parent(greenlet);
    observation seen = {.link = {.notify = observes, .context = &seen}};

    vr_rawlink(greenlet, &seen.link);
    vr_hub_join(VR_FOREVER);
    assert_ptr_equal(seen.greenlet, greenlet);
    assert_ptr_equal(seen.current, hub);
    assert_true(seen.dead);
    assert_ptr_equal(seen.value, number(3));
    assert_int_equal(seen.sleep_error, -EPERM);
    vr_unref(greenlet);
}

static void link_whose_call_is_refused_does_not_stop_the_others(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    observation seen = {.link = {.notify = observes, .context = &seen}};
    vr_link last = link_with("last");

    vr_rawlink(greenlet, &seen.link);
    vr_rawlink(greenlet, &last);
    finish(greenlet);
    assert_int_equal(seen.sleep_error, -EPERM);
    assert_trace("last");
}

static void link_to_a_dead_greenlet_fires_later(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link a = link_with("a"), b = link_with("b");

    vr_join(greenlet, VR_FOREVER);
    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    assert_trace("");
    finish(greenlet);
    assert_trace("a b");
}

static vr_link added_late;

static vr_result links_to(void *greenlet)
{
    vr_rawlink(greenlet, &added_late);
    trace("linked");
    return vr_ok(NULL);
}

static void links_before_and_after_the_death_keep_their_order(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link early = link_with("early");

    added_late = link_with("late");
    vr_rawlink(greenlet, &early);
    vr_unref(vr_spawn(links_to, greenlet)); /* runs right behind greenlet, before or after its links */
    finish(greenlet);
    const char *late = strstr(trace_text, "late");
    assert_non_null(late);
    assert_true(strstr(trace_text, "early") < late);
    assert_true(strstr(trace_text, "linked") < late);
}

static void unlinked_one_does_not_fire(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link a = link_with("a"), b = link_with("b"), c = link_with("c"), never = link_with("never");

    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    vr_rawlink(greenlet, &c);
    vr_unlink(&b);
    vr_unlink(&b);
    vr_unlink(&never);
    finish(greenlet);
    assert_trace("a c");
}

static void last_link_can_be_taken_off_and_another_added(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link a = link_with("a"), b = link_with("b"), c = link_with("c");

    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    vr_unlink(&b);
    vr_rawlink(greenlet, &c);
    vr_unlink(&a);
    vr_rawlink(greenlet, &a);
    finish(greenlet);
    assert_trace("c a");
}

static void link_to_a_dead_greenlet_can_be_taken_off(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link a = link_with("a"), b = link_with("b");

    vr_join(greenlet, VR_FOREVER);
    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    vr_unlink(&a);
    finish(greenlet);
    assert_trace("b");
}

static void unlinks_other(void *greenlet, void *other)
{
    trace("unlinks");
    vr_unlink(other);
}

static void link_may_take_off_those_behind_it(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link victim = link_with("victim"), last = link_with("last");
    vr_link first = {.notify = unlinks_other, .context = &victim};

    vr_rawlink(greenlet, &first);
    vr_rawlink(greenlet, &victim);
    vr_rawlink(greenlet, &last);
    finish(greenlet);
    assert_trace("unlinks last");
}

static void link_may_take_off_the_last_one(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link victim = link_with("victim");
    vr_link first = {.notify = unlinks_other, .context = &victim};

    vr_rawlink(greenlet, &first);
    vr_rawlink(greenlet, &victim);
    finish(greenlet);
    assert_trace("unlinks");
}

static void link_may_take_off_itself_and_those_before_it(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link before = link_with("before"), itself = {.notify = unlinks_other, .context = &itself};
    vr_link last = {.notify = unlinks_other, .context = &before};

    vr_rawlink(greenlet, &before);
    vr_rawlink(greenlet, &itself);
    vr_rawlink(greenlet, &last);
    finish(greenlet);
    assert_trace("before unlinks unlinks");
}

static void links_another(void *greenlet, void *other)
{
    trace("links");
    vr_rawlink(greenlet, other);
    trace("done");
}

static void link_added_by_a_link_fires_behind_the_others(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    vr_link added = link_with("added"), last = link_with("last");
    vr_link first = {.notify = links_another, .context = &added};

    vr_rawlink(greenlet, &first);
    vr_rawlink(greenlet, &last);
    finish(greenlet);
    assert_trace("links done last added");
}

static void link_can_be_used_again_when_it_has_fired(void **state)
{
    vr_link link = link_with("fired");

    for (int i = 0; i < 2; i++) {
        vr_greenlet *greenlet = vr_spawn(echoes, NULL);
        vr_rawlink(greenlet, &link);
        finish(greenlet);
        assert_trace("fired");
    }
}

typedef struct owned_link {
    vr_link link;
    int *fired;
} owned_link;

static void frees_itself(void *greenlet, void *context)
{
    owned_link *owned = context;

    ++*owned->fired;
    test_free(owned);
}

static void link_may_be_freed_when_it_fires(void **state)
{
    vr_greenlet *greenlet = vr_spawn(echoes, NULL);
    int fired = 0;

    for (int i = 0; i < 3; i++) {
        owned_link *owned = test_malloc(sizeof *owned);
        *owned = (owned_link){.link = {.notify = frees_itself, .context = owned}, .fired = &fired};
        vr_rawlink(greenlet, &owned->link);
    }
    finish(greenlet);
    assert_int_equal(fired, 3);
}

static void links_fire_for_every_kind_of_end(void **state)
{
    vr_greenlet *failed = vr_spawn(fails, number(-EIO));
    vr_greenlet *exited = vr_spawn(fails, number(-ECANCELED));
    vr_greenlet *never_started = vr_greenlet_new(echoes);
    vr_greenlet *by_switch = vr_greenlet_new(echoes);
    vr_link links[] = {link_with("failed"), link_with("exited"), link_with("never started"), link_with("by switch")};

    vr_rawlink(failed, &links[0]);
    vr_rawlink(exited, &links[1]);
    vr_rawlink(never_started, &links[2]);
    vr_rawlink(by_switch, &links[3]);
    vr_hub_join(VR_FOREVER);
    assert_trace("failed exited");
    vr_kill(never_started, -ECANCELED);
    vr_hub_join(VR_FOREVER);
    assert_trace("never started");
    vr_switch(by_switch, NULL);
    assert_trace("");
    vr_hub_join(VR_FOREVER);
    assert_trace("by switch");
    vr_unref(failed);
    vr_unref(exited);
    vr_unref(never_started);
    vr_unref(by_switch);
}

static void link_outlives_the_references_to_its_greenlet(void **state)
{
    vr_greenlet *greenlet = vr_spawn(sleeps_ms, number(1));
    observation seen = {.link = {.notify = observes, .context = &seen}};

    vr_rawlink(greenlet, &seen.link);
    vr_unref(greenlet);
    vr_hub_join(VR_FOREVER);
    assert_true(seen.dead);
    assert_ptr_equal(seen.value, number(1));
}

static void link_to_one_that_never_ran_fires_when_its_last_reference_goes(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);
    observation seen = {.link = {.notify = observes, .context = &seen}};

    vr_rawlink(greenlet, &seen.link);
    vr_unref(greenlet);
    assert_null(seen.greenlet);
    vr_hub_join(VR_FOREVER);
    assert_ptr_equal(seen.greenlet, greenlet);
    assert_true(seen.dead);
    assert_null(seen.value);
}

static void link_to_one_that_never_ran_can_be_taken_off_when_its_last_reference_is_gone(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);
    vr_link a = link_with("a"), b = link_with("b");

    vr_rawlink(greenlet, &a);
    vr_rawlink(greenlet, &b);
    vr_unref(greenlet);
    vr_greenlet *other = vr_spawn(echoes, NULL); /* where the first has been, were it freed */
    vr_unlink(&b);
    vr_unlink(&a);
    assert_ptr_not_equal(other, greenlet);
    finish(other);
    assert_trace("");
}

static vr_result joins(void *greenlet)
{
    return vr_fail(vr_join(greenlet, VR_FOREVER));
}

static void join_of_one_that_never_ran_ends_when_its_last_reference_goes(void **state)
{
    vr_greenlet *greenlet = vr_greenlet_new(echoes);
    vr_greenlet *joiner = vr_spawn(joins, greenlet);

    vr_sleep(0);
    vr_unref(greenlet);
    assert_int_equal(vr_join(joiner, VR_FOREVER), 0);
    assert_int_equal(vr_error(joiner), 0);
    vr_unref(joiner);
}

static vr_greenlet *dead_one;

static void unrefs_dead_one(void *greenlet, void *context)
{
    trace("unref");
    vr_unref(dead_one);
}

static void link_may_give_the_last_reference_back(void **state)
{
    vr_link a = {.notify = unrefs_dead_one}, b = link_with("b");

    dead_one = vr_spawn(echoes, NULL);
    vr_rawlink(dead_one, &a);
    vr_rawlink(dead_one, &b);
    vr_hub_join(VR_FOREVER);
    assert_trace("unref b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        virtual_test(links_fire_in_the_order_they_were_added),
        virtual_test(link_runs_in_the_hub_with_the_dead_greenlet),
        virtual_test(link_whose_call_is_refused_does_not_stop_the_others),
        virtual_test(link_to_a_dead_greenlet_fires_later),
        virtual_test(links_before_and_after_the_death_keep_their_order),
        virtual_test(unlinked_one_does_not_fire),
        virtual_test(last_link_can_be_taken_off_and_another_added),
        virtual_test(link_to_a_dead_greenlet_can_be_taken_off),
        virtual_test(link_may_take_off_those_behind_it),
        virtual_test(link_may_take_off_the_last_one),
        virtual_test(link_may_take_off_itself_and_those_before_it),
        virtual_test(link_added_by_a_link_fires_behind_the_others),
        virtual_test(link_can_be_used_again_when_it_has_fired),
        virtual_test(link_may_be_freed_when_it_fires),
        virtual_test(links_fire_for_every_kind_of_end),
        virtual_test(link_outlives_the_references_to_its_greenlet),
        virtual_test(link_to_one_that_never_ran_fires_when_its_last_reference_goes),
        virtual_test(link_to_one_that_never_ran_can_be_taken_off_when_its_last_reference_is_gone),
        virtual_test(join_of_one_that_never_ran_ends_when_its_last_reference_goes),
        virtual_test(link_may_give_the_last_reference_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
