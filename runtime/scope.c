#include <vireo/scope.h>

#include "container.h"
#include "group.h"
#include "hub.h"
#include "interruption.h"

#include <errno.h>
#include <stdlib.h>

/* --- Cancelling --- */

static void kill_children(vr_scope *scope)
{
    for (vr_member *child = scope->group.first; child; child = child->next)
        vr_kill(child->greenlet, -ECANCELED);
}

/* Once only: a second exit would cut the children's cleanup short. */
static void cancel(vr_scope *scope)
{
    if (scope->cancelled)
        return;
    scope->cancelled = true;
    kill_children(scope);
}

/* Has the body's wait fail, this or the next; once. */
static void break_body(vr_scope *scope)
{
    if (scope->broken || scope->closing || !scope->owner)
        return;
    scope->broken = true;
    vr_interrupt(&scope->interruption);
}

static void fail(vr_scope *scope, long error)
{
    if (!scope->error)
        scope->error = error;
    cancel(scope);
    break_body(scope);
}

void vr_scope_cancel(vr_scope *scope)
{
    if (!scope->owner || scope->cancelled)
        return;
    cancel(scope);
    if (vr_current() != scope->owner)
        break_body(scope);
}

/* --- Children --- */

static void child_ended(vr_member *member, vr_group *group)
{
    long error = vr_error(member->greenlet);

    free(member);
    if (error)
        fail(VR_CONTAINER(group, vr_scope, group), error);
}

int vr_scope_add(vr_scope *scope, vr_greenlet *greenlet)
{
    if (greenlet && !scope->owner)
        vr_misuse("a child for a scope that has ended", greenlet);
    if (greenlet && greenlet == scope->owner)
        vr_misuse("a scope's owner is to be its child", greenlet);
    if (vr_group_has(&scope->group, greenlet))
        return 0;
    vr_member *child = greenlet ? malloc(sizeof *child) : NULL;
    if (!child) {
        vr_kill(greenlet, -ECANCELED);
        fail(scope, -ENOMEM);
        return -ENOMEM;
    }
    vr_group_enter(&scope->group, child, greenlet, child_ended);
    if (scope->cancelled)
        vr_kill(greenlet, -ECANCELED);
    return 0;
}

vr_greenlet *vr_scope_spawn_at(const char *site, vr_scope *scope, vr_function *function, void *argument)
{
    vr_greenlet *greenlet = vr_spawn_at(site, function, argument);

    if (!vr_scope_add(scope, greenlet))
        return greenlet;
    vr_unref(greenlet);
    errno = ENOMEM;
    return NULL;
}

/* --- The body --- */

void vr_scope_init(vr_scope *scope, const vr_scope_options *options)
{
    static const vr_scope_options usual;
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub && error == -EPERM)
        vr_misuse("a scope in the hub", vr_current());
    if (!options)
        options = &usual;
    *scope = (vr_scope){.cleanup = options->cleanup ? options->cleanup : VR_SCOPE_CLEANUP};
    if (!hub) {
        scope->error = error;
        scope->cancelled = true;
        return;
    }
    scope->owner = hub->current;
    vr_interruption_init(&scope->interruption, hub->current, VR_SCOPE_ERRORS);
    error = options->limit ? vr_timeout_start(&scope->limit, options->limit) : 0;
    if (error)
        fail(scope, error);
}

/* The scope's own error for the body, which is not thrown then. */
static int broken(vr_scope *scope)
{
    vr_interruption_withdraw(&scope->interruption);
    return (int)scope->interruption.error;
}

int vr_scope_join(vr_scope *scope, vr_time timeout)
{
    if (!scope->owner || scope->owner != vr_current())
        return -EINVAL;
    if (scope->broken)
        return broken(scope);
    int error = vr_group_wait(&scope->group, 0, timeout, VR_WAIT_SCOPE, NULL);
    /* The failure of the last child lets the wait succeed, too. */
    return !error && scope->broken ? broken(scope) : error;
}

/* --- The end --- */

/* What the body ended with: of which an order from outside goes before what children failed with. */
static void close_body(vr_scope *scope, long error)
{
    bool late = vr_timeout_is(&scope->limit, error);

    scope->closing = true;
    vr_interruption_withdraw(&scope->interruption);
    error = vr_timeout_end(&scope->limit, error);
    if (error == scope->interruption.error)
        return;
    if (late || error == -ECANCELED || vr_is_interruption(error) || !scope->error)
        scope->error = error;
}

/* Waits for the end of all children. 0, or why some are left. */
static int await_children(vr_scope *scope)
{
    int error = vr_group_wait(&scope->group, 0, scope->cleanup, VR_WAIT_SCOPE, NULL);

    if (error == -ENOMEM)
        error = vr_group_wait(&scope->group, 0, VR_FOREVER, VR_WAIT_SCOPE, NULL);
    return error == -ETIMEDOUT ? -EBUSY : error;
}

long vr_scope_done(vr_scope *scope, long error)
{
    vr_shield shield;

    if (!scope->owner)
        return scope->error ? scope->error : error;
    if (scope->owner != vr_current())
        vr_misuse("a scope is ended by another than its owner", vr_current());
    if (scope->closing) {
        kill_children(scope);
    } else {
        close_body(scope, error);
        cancel(scope);
    }
    vr_shield_begin(&shield, VR_FOREVER);
    int left = await_children(scope);
    if (left)
        return vr_shield_end(&shield, left);
    error = vr_shield_end(&shield, scope->error);
    *scope = (vr_scope){0};
    return error;
}

void vr_scope_abandon(vr_scope *scope)
{
    vr_timeout_end(&scope->limit, 0);
    vr_interruption_withdraw(&scope->interruption);
    vr_group_scatter(&scope->group);
    *scope = (vr_scope){0};
}
