/* One lookup: a ticket of the channel, its exchanges, and the greenlet that waits for what comes of them. */
#include "lookup.h"
#include "background.h"
#include "exchange.h"

#include <vireo/hub.h>

#include <errno.h>
#include <stdlib.h>

/* What we say that we take over UDP: no fragments on any usual path (DNS Flag Day 2020). */
enum { UDP_SIZE = 1232 };

static vr_lookup *lookup_of(vr_ticket *ticket)
{
    return (vr_lookup *)(void *)((char *)ticket - offsetof(vr_lookup, ticket));
}

static void free_lookup(vr_lookup *lookup)
{
    vr_exchange_end_all(lookup);
    free(lookup->answer);
    free(lookup);
}

/* --- The line for tickets --- */

static void leave_line(vr_resolver *resolver, vr_place *place)
{
    *place->previous = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        resolver->line_end = place->previous;
    place->previous = NULL;
}

/* Calls the first in line, if there is one. */
static void call_next(vr_resolver *resolver)
{
    vr_place *place = resolver->line;

    if (!place)
        return;
    leave_line(resolver, place);
    resolver->called++;
    vr_waiter_switch(&place->waiter, NULL);
}

/* Waits until it is called: there is a ticket then. 0, or an error; then it was not called, or another is in its place.
 */
static long stand_in_line(vr_resolver *resolver, vr_time timeout)
{
    vr_place place = {.previous = resolver->line_end};

    *resolver->line_end = &place;
    resolver->line_end = &place.next;
    long error = vr_waiter_get(&place.waiter, timeout).error;
    if (place.previous) {
        leave_line(resolver, &place);
        return error;
    }
    resolver->called--;
    if (!error && resolver->closing)
        error = -ECANCELED;
    if (error)
        call_next(resolver);
    return error;
}

/* --- The channel's events --- */

void vr_lookup_send(void *context, vr_ticket *ticket)
{
    vr_lookup *lookup = lookup_of(ticket);

    (void)context;
    /* The verdict was passed while c-ares was going on to another server: it is passed again, on this send. */
    if (lookup->settled)
        vr_channel_settle(lookup->resolver->channel, ticket, VR_VERDICT_DONE);
    else
        vr_exchange_start(lookup);
}

void vr_lookup_conclude(vr_lookup *lookup, long error)
{
    vr_exchange_end_all(lookup);
    if (lookup->answer)
        vr_waiter_switch(&lookup->waiter, NULL);
    else if (error == -ECANCELED)
        vr_waiter_throw(&lookup->waiter, error);
    else
        /* A server's own error says more than that all were tried. */
        vr_waiter_throw(&lookup->waiter, lookup->error ? lookup->error : error ? error : -ETIMEDOUT);
}

void vr_lookup_done(void *context, vr_ticket *ticket, long error)
{
    vr_resolver *resolver = context;
    vr_lookup *lookup = lookup_of(ticket);

    call_next(resolver);
    lookup->released = true;
    if (lookup->abandoned)
        free_lookup(lookup);
    else if (!lookup->settled && lookup->exchanges && !resolver->closing)
        /* c-ares has lost its patience (1.34 sooner than told); the caller has not, and an answer may still come. */
        lookup->error = lookup->error ? lookup->error : error == -ECONNREFUSED ? 0 : error;
    else
        vr_lookup_conclude(lookup, error);
}

/* --- The lookup --- */

static bool write_query(vr_lookup *lookup, const vr_question *question, unsigned flags)
{
    vr_writer writer;
    const vr_edns edns = {.udp_size = UDP_SIZE, .dnssec_ok = (flags & VR_QUERY_DO) != 0};
    unsigned bits = (flags & VR_QUERY_NO_RECURSION ? 0 : VR_FLAG_RD) | (flags & VR_QUERY_CD ? VR_FLAG_CD : 0) |
                    (flags & VR_QUERY_AD ? VR_FLAG_AD : 0);

    vr_writer_init(&writer, lookup->query, sizeof lookup->query, 0, (uint16_t)bits);
    vr_writer_question(&writer, question);
    lookup->question_len = writer.at - VR_HEADER_SIZE;
    vr_writer_opt(&writer, &edns);
    ssize_t len = vr_writer_finish(&writer);
    lookup->query_len = len < 0 ? 0 : (size_t)len;
    return len > 0;
}

static int new_lookup(vr_resolver *resolver, const vr_question *question, unsigned flags, vr_lookup **out)
{
    vr_lookup *lookup = malloc(sizeof *lookup);

    if (!lookup)
        return -ENOMEM;
    *lookup = (vr_lookup){.resolver = resolver, .started = vr_now()};
    if (!write_query(lookup, question, flags)) {
        free(lookup);
        return -EINVAL;
    }
    vr_policy_begin(&resolver->policy, &lookup->course, lookup->started);
    *out = lookup;
    return 0;
}

/*
 * Leaves a lookup that c-ares still has a hand on: it ends as soon as c-ares has read the verdict, and is freed then.
 * c-ares knows no way to take a query back.
 */
static void abandon(vr_lookup *lookup)
{
    lookup->abandoned = true;
    vr_exchange_end_all(lookup);
    if (!lookup->settled) {
        lookup->settled = true;
        vr_channel_settle(lookup->resolver->channel, &lookup->ticket, VR_VERDICT_DONE);
    }
}

/* What is left, in whole milliseconds: lookups that began at about the same time share a list of timers. */
static vr_time time_left(vr_time deadline)
{
    const vr_time step = VR_MILLISECONDS(1);
    vr_time left = vr_remaining(deadline);

    return left > VR_FOREVER - step ? left : (left + step - 1) / step * step;
}

static void leave(vr_resolver *resolver)
{
    resolver->lookups--;
    vr_background_check(resolver);
}

/* Submits it, when necessary after waiting for a ticket: first come, first served. */
static long submit(vr_lookup *lookup, vr_time deadline)
{
    vr_resolver *resolver = lookup->resolver;

    if (resolver->line || resolver->called) {
        long error = stand_in_line(resolver, time_left(deadline));
        if (error)
            return error;
    }
    long error;
    while ((error = vr_channel_submit(resolver->channel, &lookup->ticket)) == -EAGAIN) {
        error = stand_in_line(resolver, time_left(deadline));
        if (error)
            return error;
    }
    if (error)
        call_next(resolver);
    return error;
}

long vr_lookup_start(vr_resolver *resolver, const vr_question *question, unsigned flags, vr_time deadline,
                     vr_lookup **out)
{
    *out = NULL;
    if (resolver->closing)
        return -ECANCELED;
    vr_lookup *lookup;
    long error = new_lookup(resolver, question, flags, &lookup);
    if (error)
        return error;
    resolver->lookups++;
    error = submit(lookup, deadline);
    if (error) {
        free_lookup(lookup);
        leave(resolver);
        return error;
    }
    *out = lookup;
    return 0;
}

long vr_lookup_finish(vr_lookup *lookup, vr_time deadline, vr_answer **out)
{
    vr_resolver *resolver = lookup->resolver;
    long error = vr_waiter_get(&lookup->waiter, time_left(deadline)).error;

    *out = NULL;
    /* When time is up, a poor answer (cut, or a failure) is better than none. */
    if (error == 0 || (error == -ETIMEDOUT && lookup->answer)) {
        *out = lookup->answer;
        lookup->answer = NULL;
        error = 0;
    }
    if (lookup->released)
        free_lookup(lookup);
    else
        abandon(lookup);
    leave(resolver);
    return error;
}

void vr_lookup_cancel_all(vr_resolver *resolver)
{
    while (resolver->line)
        call_next(resolver); /* to find that the resolver is closing */
    vr_channel_cancel(resolver->channel);
}

int vr_resolver_query(vr_resolver *resolver, const vr_question *question, unsigned flags, vr_time timeout,
                      vr_answer **out)
{
    vr_time deadline = vr_deadline(timeout ? timeout : resolver->timeout);
    vr_lookup *lookup = NULL;

    *out = NULL;
    long error = vr_lookup_start(resolver, question, flags, deadline, &lookup);
    if (!error)
        error = vr_lookup_finish(lookup, deadline, out);
    return (int)error;
}
