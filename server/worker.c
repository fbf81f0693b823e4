#include "worker.h"

#include "acceptor.h"
#include "local.h"
#include "response.h"
#include "session.h"
#include "udp_service.h"

#include <vireo/dump.h>
#include <vireo/hub.h>
#include <vireo/io.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Lookups of one worker at a time: each holds a few kilobytes, and the resolver has tickets for twice as many. */
enum { LOOKUPS_MAX = 8192 };

/* How long what is in flight may take when the worker is told to end; more than any lookup does. */
static const vr_time drain_time = VR_SECONDS(10);

void worker_enter(struct worker *worker)
{
    worker->active++;
}

void worker_leave(struct worker *worker)
{
    if (--worker->active == 0 && worker->drained)
        vr_waiter_switch(worker->drained, NULL);
}

void worker_wait(struct worker *worker, vr_time timeout)
{
    vr_waiter drained = VR_WAITER;

    if (!worker->active)
        return;
    worker->drained = &drained;
    vr_waiter_get(&drained, timeout);
    worker->drained = NULL;
}

/* --- Answering --- */

bool worker_must_look_up(const struct query *query)
{
    return !query->rcode && !local_is(query);
}

bool worker_has_room(const struct worker *worker)
{
    return worker->lookups < LOOKUPS_MAX;
}

bool worker_is_busy(const struct worker *worker)
{
    return worker->lookups >= LOOKUPS_MAX / 2;
}

void worker_enter_lookup(struct worker *worker)
{
    worker->lookups++;
    worker_enter(worker);
}

void worker_leave_lookup(struct worker *worker)
{
    worker->lookups--;
    worker_leave(worker);
}

static unsigned query_flags(const struct query *query)
{
    return (query->flags & VR_FLAG_RD ? 0 : VR_QUERY_NO_RECURSION) | (query->flags & VR_FLAG_CD ? VR_QUERY_CD : 0) |
           (query->edns.present && query->edns.dnssec_ok ? VR_QUERY_DO : 0);
}

static vr_answer *look_up(struct worker *worker, const struct query *query)
{
    vr_answer *answer;
    int error = -ECANCELED;

    if (worker->resolver)
        error = vr_resolver_query(worker->resolver, &query->question, query_flags(query), 0, &answer);
    if (error) {
        uint16_t code = error == -ETIMEDOUT ? EDE_NO_REACHABLE_AUTHORITY : EDE_NETWORK_ERROR;
        return response_error(query, VR_RCODE_SERVFAIL, (struct extended_error){code, vr_dns_strerror(error)});
    }
    response_finish(answer, query, (struct extended_error){.text = NULL});
    return answer;
}

vr_answer *worker_answer(struct worker *worker, const struct query *query)
{
    if (query->rcode)
        return response_error(query, query->rcode, (struct extended_error){.text = NULL});
    if (local_is(query))
        return local_answer(query);
    return look_up(worker, query);
}

/* --- The thread --- */

struct service {
    struct acceptor *tcp;
    struct udp_service *udp;
};

static int start_service(struct service *out, struct worker *worker, const struct listener *listener)
{
    if (listener->udp >= 0 && !(out->udp = udp_service_start(worker, listener->udp)))
        return -ENOMEM;
    if (listener->tcp >= 0 && !(out->tcp = acceptor_start(worker, listener->tcp)))
        return -ENOMEM;
    return 0;
}

/* Takes nothing new; what was taken goes on. Also for services of which not all have started. */
static void stop(struct worker *worker, struct service *services)
{
    for (size_t i = 0; i < worker->listener_count; i++) {
        udp_service_stop(services[i].udp);
        acceptor_free(services[i].tcp);
        services[i].tcp = NULL;
        /* Clients are refused from here on, and go elsewhere. */
        listen_close_tcp(&worker->listeners[i]);
    }
    session_stop_all(worker);
}

static int serve(struct worker_start *start, struct service *services)
{
    struct worker *worker = &start->worker;
    const vr_server *upstreams;
    vr_resolver_options options = {.servers = worker->upstreams, .server_count = worker->upstream_count, .retries = -1};
    int error = vr_dump_on_signal(SIGUSR1);

    if (!error)
        error = vr_resolver_new(&worker->resolver, &options);
    for (size_t i = 0; !error && i < worker->listener_count; i++)
        error = start_service(&services[i], worker, &worker->listeners[i]);
    if (error)
        return error;
    size_t count = vr_resolver_servers(worker->resolver, &upstreams);
    start->ready(start->context, 0, upstreams, count);
    vr_wait_readable(worker->stop, VR_FOREVER);
    stop(worker, services);
    worker_wait(worker, drain_time);
    return 0;
}

/*
 * Ends what is left, in an order that also holds when time was over before all was answered: lookups fail first, so
 * that the queries' greenlets end; and only then is freed what they come back to.
 */
static void end(struct worker *worker, struct service *services)
{
    vr_resolver *resolver = worker->resolver;

    stop(worker, services);
    session_abort_all(worker);
    worker->resolver = NULL;
    vr_resolver_free(resolver);
    worker_wait(worker, VR_FOREVER);
    for (size_t i = 0; i < worker->listener_count; i++)
        udp_service_free(services[i].udp);
}

void *worker_main(void *argument)
{
    struct worker_start *start = argument;
    struct worker *worker = &start->worker;
    struct service *services = calloc(worker->listener_count, sizeof *services);
    int error = services ? serve(start, services) : -ENOMEM;

    if (error)
        start->ready(start->context, error, NULL, 0);
    if (services)
        end(worker, services);
    for (size_t i = 0; i < worker->listener_count; i++)
        listen_close(&worker->listeners[i]);
    free(services);
    vr_hub_free();
    return NULL;
}
