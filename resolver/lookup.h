/* A lookup in two steps, so that one greenlet can have several under way. */
#ifndef VIREO_RESOLVER_LOOKUP_H
#define VIREO_RESOLVER_LOOKUP_H

#include "exchange.h"

/*
 * Begins a lookup; waits only while all tickets are taken. Returns 0, with *out to be given to vr_lookup_finish, or an
 * error as vr_resolver_query does.
 */
long vr_lookup_start(vr_resolver *resolver, const vr_question *question, unsigned flags, vr_time deadline,
                     vr_lookup **out);

/* Waits for its end, and frees it in any case. A deadline that has passed, or an error thrown in, gives it up. */
long vr_lookup_finish(vr_lookup *lookup, vr_time deadline, vr_answer **out);

/*
 * Ends a lookup that c-ares has let go of, with the answer that it holds, or else with its own error, or `error`. Its
 * caller is told.
 */
void vr_lookup_conclude(vr_lookup *lookup, long error);

/* The channel's events (see channel.h); the context is the resolver. */
void vr_lookup_send(void *context, vr_ticket *ticket);
void vr_lookup_done(void *context, vr_ticket *ticket, long error);

/* Has all lookups of a closing resolver end with -ECANCELED. */
void vr_lookup_cancel_all(vr_resolver *resolver);

#endif
