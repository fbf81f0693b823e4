#include "exchange.h"

#include "chain.h"
#include "lookup.h"
#include "name.h"
#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SIZE = 11 };

/* --- Making and ending --- */

/* An id that no exchange under way has, from the system's generator. At most three quarters are in use
 * (VR_EXCHANGES_MAX), so that four draws find one on average. */
static uint16_t draw_id(const vr_resolver *resolver)
{
    uint16_t id;

    do
        id = vr_random16();
    while (resolver->by_id[id]);
    return id;
}

static void end_exchange(vr_exchange *exchange)
{
    vr_resolver *resolver = exchange->lookup->resolver;
    vr_exchange **link = &exchange->lookup->exchanges;

    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    resolver->by_id[exchange->id] = NULL;
    resolver->exchanges--;
    if (exchange->udp)
        vr_udp_release(exchange->udp);
    if (exchange->tcp)
        vr_tcp_release(exchange);
    free(exchange);
}

void vr_exchange_end_all(vr_lookup *lookup)
{
    while (lookup->exchanges)
        end_exchange(lookup->exchanges);
}

/* Makes room for one exchange more. */
static void trim(vr_lookup *lookup)
{
    vr_exchange *oldest = lookup->exchanges;
    int count = 0;

    for (vr_exchange *exchange = oldest; exchange; exchange = exchange->next, count++)
        oldest = exchange;
    if (count >= VR_EXCHANGES_PER_LOOKUP || lookup->resolver->exchanges >= VR_EXCHANGES_MAX - VR_CHANNEL_TICKETS)
        if (oldest)
            end_exchange(oldest);
}

enum way { BY_UDP, BY_TCP };

static void begin(vr_lookup *lookup, size_t server, enum way way, bool plain)
{
    vr_resolver *resolver = lookup->resolver;

    trim(lookup);
    vr_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        lookup->error = -ENOMEM;
        return; /* as if it had been lost */
    }
    *exchange = (vr_exchange){
        .lookup = lookup, .server = server, .id = draw_id(resolver), .plain = plain, .next = lookup->exchanges};
    lookup->exchanges = exchange;
    resolver->by_id[exchange->id] = exchange;
    resolver->exchanges++;
    int error = way == BY_TCP ? vr_tcp_send(exchange) : vr_udp_send(exchange);
    if (error)
        vr_exchange_failed(exchange, error);
}

void vr_exchange_start(vr_lookup *lookup)
{
    vr_resolver *resolver = lookup->resolver;

    /* The latest is first in the list. That another try is due means that it was not answered in time. */
    if (lookup->exchanges && lookup->exchanges->udp)
        vr_policy_missed(&resolver->policy, lookup->exchanges->server, vr_now());
    size_t server = vr_policy_next(&resolver->policy, &lookup->course);
    /* What was asked over TCP is under way; to send it again is TCP's business. */
    for (const vr_exchange *exchange = lookup->exchanges; exchange; exchange = exchange->next)
        if (exchange->tcp && exchange->server == server)
            return;
    begin(lookup, server, resolver->servers[server].transport == VR_TRANSPORT_TCP ? BY_TCP : BY_UDP, false);
}

size_t vr_exchange_query(const vr_exchange *exchange, uint8_t *out)
{
    const vr_lookup *lookup = exchange->lookup;
    size_t len = lookup->query_len - (exchange->plain ? OPT_SIZE : 0);

    memcpy(out, lookup->query, len);
    out[0] = (uint8_t)(exchange->id >> 8);
    out[1] = (uint8_t)exchange->id;
    if (exchange->plain)
        out[11] = 0; /* ARCOUNT */
    return len;
}

/* --- What comes of it --- */

/* A server that cannot serve: another may. The answer is kept, for there may be none better. */
static bool is_failure(const vr_answer *answer)
{
    unsigned rcode = answer->message[3] & VR_FLAG_RCODE;

    return rcode == VR_RCODE_SERVFAIL || rcode == VR_RCODE_NOTIMP || rcode == VR_RCODE_REFUSED;
}

static void finish(vr_lookup *lookup)
{
    if (lookup->settled)
        return;
    lookup->settled = true;
    if (lookup->released)
        vr_lookup_conclude(lookup, 0);
    else
        vr_channel_settle(lookup->resolver->channel, &lookup->ticket, VR_VERDICT_DONE);
}

/*
 * A server was no help. When each has had its chance the lookup ends with what it has: an answer that says so, or the
 * last error. Otherwise c-ares is told to try another now, unless it has gone on already, or has let go: then what is
 * under way decides.
 */
static void pass_over(vr_lookup *lookup, size_t server)
{
    vr_resolver *resolver = lookup->resolver;
    bool was_latest = vr_policy_pass_over(&resolver->policy, &lookup->course, server);

    if (vr_policy_is_exhausted(&lookup->course) || (lookup->released && !lookup->exchanges))
        finish(lookup);
    else if (was_latest && !lookup->settled && !lookup->released)
        vr_channel_settle(resolver->channel, &lookup->ticket, VR_VERDICT_NEXT);
}

void vr_exchange_failed(vr_exchange *exchange, long error)
{
    vr_lookup *lookup = exchange->lookup;
    size_t server = exchange->server;

    lookup->error = error;
    vr_policy_down(&lookup->resolver->policy, server, vr_now());
    end_exchange(exchange);
    /* What was cut over UDP was held while TCP was tried. It is an answer, and better than another server's failure. */
    if (lookup->answer && !is_failure(lookup->answer) && !lookup->exchanges)
        finish(lookup);
    else
        pass_over(lookup, server);
}

/* Does the question of a message stand as it was asked, but for the case of letters? */
static bool same_question(const vr_lookup *lookup, const uint8_t *message, size_t len)
{
    size_t end = VR_HEADER_SIZE + lookup->question_len;

    if (len < end)
        return false;
    for (size_t i = VR_HEADER_SIZE; i < end - 4; i++)
        if (vr_ascii_lower(message[i]) != vr_ascii_lower(lookup->query[i]))
            return false;
    return memcmp(message + end - 4, lookup->query + end - 4, 4) == 0;
}

/*
 * Is this an answer to the exchange at all? Servers that do not understand EDNS may leave the question out of a FORMERR
 * or NOTIMP (RFC 6891 section 7 knows such).
 */
static bool answers(const vr_exchange *exchange, const uint8_t *message, size_t len)
{
    uint16_t flags = (uint16_t)(message[2] << 8 | message[3]);
    unsigned questions = (unsigned)message[4] << 8 | message[5];
    unsigned rcode = flags & VR_FLAG_RCODE;

    if (!(flags & VR_FLAG_QR) || flags & VR_FLAG_OPCODE)
        return false;
    if (questions == 0)
        return len == VR_HEADER_SIZE && (rcode == VR_RCODE_FORMERR || rcode == VR_RCODE_NOTIMP);
    return questions == 1 && same_question(exchange->lookup, message, len);
}

/* The answer, which is taken, without the records that do not belong to the question. NULL when it cannot be made. */
static vr_answer *without_strays(vr_answer *answer)
{
    vr_answer *clean = malloc(sizeof *clean + VR_MESSAGE_MAX + VR_ANSWER_SPARE);
    ssize_t len = clean ? vr_chain_rewrite(answer->message, answer->len, clean->message, VR_MESSAGE_MAX) : -ENOMEM;

    if (len > 0) {
        *clean = *answer;
        clean->len = (size_t)len;
        clean->capacity = VR_MESSAGE_MAX + VR_ANSWER_SPARE;
        len = vr_message_check(clean->message, clean->len, &clean->edns);
    }
    free(answer);
    if (len >= 0)
        return clean;
    free(clean);
    return NULL;
}

/*
 * An answer of our own memory: id 0, the question as it was asked. With `bare`, only header and question are kept: of a
 * message that was cut, or that is these only.
 */
static vr_answer *make_answer(const vr_exchange *exchange, const uint8_t *message, size_t len, bool bare)
{
    const vr_lookup *lookup = exchange->lookup;
    size_t question_end = VR_HEADER_SIZE + lookup->question_len;

    if (bare)
        len = question_end;
    vr_answer *answer = malloc(sizeof *answer + len + VR_ANSWER_SPARE);
    if (!answer)
        return NULL;
    *answer = (vr_answer){
        .len = len,
        .capacity = len + VR_ANSWER_SPARE,
        .server = lookup->resolver->servers[exchange->server],
        .over_tcp = exchange->tcp != NULL,
        .duration = vr_now() - lookup->started,
    };
    memcpy(answer->message, message, bare ? VR_HEADER_SIZE : len);
    memcpy(answer->message + VR_HEADER_SIZE, lookup->query + VR_HEADER_SIZE, lookup->question_len);
    answer->message[0] = answer->message[1] = 0;
    if (bare) {
        memset(answer->message + 4, 0, VR_HEADER_SIZE - 4);
        answer->message[5] = 1;
    } else if (vr_message_check(answer->message, answer->len, &answer->edns) < 0) {
        free(answer);
        return NULL;
    } else if (vr_chain_has_strays(answer->message, answer->len)) {
        return without_strays(answer);
    }
    return answer;
}

/* Keeps the better answer of two: one that is cut is better than a failure, and of two alike the later one counts. */
static void hold(vr_lookup *lookup, vr_answer *answer)
{
    if (lookup->answer && is_failure(answer) && !is_failure(lookup->answer)) {
        free(answer);
        return;
    }
    free(lookup->answer);
    lookup->answer = answer;
}

/* Acts on an answer that was accepted, and takes it. */
static void accept_answer(vr_exchange *exchange, vr_answer *answer)
{
    vr_lookup *lookup = exchange->lookup;
    vr_resolver *resolver = lookup->resolver;
    size_t server = exchange->server;
    bool plain = exchange->plain, over_udp = exchange->udp != NULL, failure = is_failure(answer);
    bool lacks_edns = (answer->message[3] & VR_FLAG_RCODE) == VR_RCODE_FORMERR && !plain && !answer->edns.present;
    bool cut = over_udp && answer->message[2] & VR_FLAG_TC >> 8;

    vr_policy_answered(&resolver->policy, server);
    hold(lookup, answer);
    end_exchange(exchange);
    if (lacks_edns)
        begin(lookup, server, over_udp ? BY_UDP : BY_TCP, true);
    else if (cut && resolver->servers[server].transport == VR_TRANSPORT_DNS)
        begin(lookup, server, BY_TCP, plain);
    else if (failure)
        pass_over(lookup, server);
    else
        finish(lookup);
}

void vr_exchange_arrived(vr_resolver *resolver, struct vr_udp *udp, struct vr_tcp *tcp, const struct sockaddr *from,
                         const uint8_t *message, size_t len)
{
    if (len < VR_HEADER_SIZE)
        return;
    vr_exchange *exchange = resolver->by_id[message[0] << 8 | message[1]];
    if (!exchange || exchange->udp != udp || exchange->tcp != tcp || exchange->lookup->settled)
        return;
    if (from && !vr_server_is(&resolver->servers[exchange->server], from))
        return;
    if (!answers(exchange, message, len))
        return;
    bool cut = udp && message[2] & VR_FLAG_TC >> 8;
    vr_answer *answer = make_answer(exchange, message, len, cut || len == VR_HEADER_SIZE);
    if (answer)
        accept_answer(exchange, answer);
}
