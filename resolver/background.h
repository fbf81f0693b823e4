/*
 * The greenlets that read and write for a resolver, behind its lookups. Each has a place that holds it while it runs;
 * it leaves the place as the last thing it does. The hub alone keeps them alive: the place is no reference.
 */
#ifndef VIREO_RESOLVER_BACKGROUND_H
#define VIREO_RESOLVER_BACKGROUND_H

#include "exchange.h"

/* Spawns into an empty place. False when memory ran out. */
bool vr_background_enter(vr_resolver *resolver, vr_greenlet **place, vr_function *function, void *argument);

/* By the greenlet in the place, at its end. */
void vr_background_leave(vr_resolver *resolver, vr_greenlet **place);

/*
 * Has its wait end with -ECANCELED. One that has not begun is left alone: it would never come to leave its place, and
 * will look by itself whether there is anything to do; so is the current one. NULL is allowed.
 */
void vr_background_stop(vr_greenlet *greenlet);

/* Tells whoever closes the resolver, if nothing of it runs any more. */
void vr_background_check(vr_resolver *resolver);

#endif
