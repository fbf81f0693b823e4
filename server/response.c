#include "response.h"

#include <stdlib.h>
#include <string.h>

/* What may leave over UDP: without EDNS what RFC 1035 allows; with it no more than passes every usual path
 * unfragmented. */
enum { UDP_SIZE_PLAIN = 512, UDP_SIZE = 1232 };

/* An OPT record without options; and the most that an extended error adds. */
enum { OPT_SIZE = 11, EDE_HEADER = 6, EDE_TEXT_MAX = VR_ANSWER_SPARE - OPT_SIZE - EDE_HEADER };

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* --- The client's OPT --- */

static size_t write_opt(uint8_t *out, const struct query *query, uint16_t rcode, struct extended_error error)
{
    size_t options = 0;

    if (error.text) {
        size_t len = strnlen(error.text, EDE_TEXT_MAX);
        options = EDE_HEADER + len;
        put16(out + OPT_SIZE, 15); /* the option's code: EDE */
        put16(out + OPT_SIZE + 2, (unsigned)(2 + len));
        put16(out + OPT_SIZE + 4, error.code);
        memcpy(out + OPT_SIZE + EDE_HEADER, error.text, len);
    }
    out[0] = 0; /* the root */
    put16(out + 1, VR_TYPE_OPT);
    put16(out + 3, UDP_SIZE);
    out[5] = (uint8_t)(rcode >> 4);
    out[6] = 0; /* version */
    put16(out + 7, query->edns.dnssec_ok ? 0x8000 : 0);
    put16(out + 9, (unsigned)options);
    return OPT_SIZE + options;
}

/* --- Cutting --- */

/* The part of a message that is to be kept: its end, and how many records of each section it has. */
struct extent {
    size_t end;
    uint16_t count[3];
    bool cut; /* something that the client needs is not in it */
};

static bool same_rrset(const vr_reader *reader, const vr_rr *a, const vr_rr *b)
{
    vr_name owner_a, owner_b;

    return a->section == b->section && a->type == b->type && a->class_ == b->class_ &&
           vr_rr_owner(reader, a, &owner_a) == 0 && vr_rr_owner(reader, b, &owner_b) == 0 &&
           vr_name_equal(&owner_a, &owner_b);
}

/*
 * All of a message up to its OPT record, or as many whole RRsets as fit in `limit` octets. A cut is one only where it
 * takes answer or authority (RFC 2181 section 9): the rest is an extra.
 */
static struct extent measure(const vr_answer *answer, size_t limit)
{
    vr_reader reader;
    vr_question question;
    vr_rr rr, first = {.type = 0};
    struct extent kept = {0}, whole = {0}; /* with the RRset that is being read; before it */

    vr_reader_init(&reader, answer->message, answer->len);
    vr_reader_question(&reader, &question);
    whole.end = kept.end = reader.at;
    while (vr_reader_rr(&reader, &rr) && rr.type != VR_TYPE_OPT) {
        if (!first.type || !same_rrset(&reader, &first, &rr)) {
            whole = kept;
            first = rr;
        }
        kept.count[rr.section]++;
        kept.end = (size_t)(rr.rdata - answer->message) + rr.rdata_len;
        if (kept.end > limit) {
            whole.cut = rr.section != VR_SECTION_ADDITIONAL;
            return whole;
        }
    }
    return kept;
}

/* --- Finishing --- */

static size_t limit_of(const struct query *query)
{
    if (query->transport == TRANSPORT_TCP)
        return VR_MESSAGE_MAX;
    if (!query->edns.present)
        return UDP_SIZE_PLAIN;
    if (query->edns.udp_size < UDP_SIZE_PLAIN)
        return UDP_SIZE_PLAIN;
    return query->edns.udp_size < UDP_SIZE ? query->edns.udp_size : UDP_SIZE;
}

/* RA always; RD and CD as asked (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2); AA, AD and Z never: we vouch for
 * nothing. */
static unsigned flags_of(const struct query *query, bool truncated, uint16_t rcode)
{
    return VR_FLAG_QR | VR_FLAG_RA | (query->flags & (VR_FLAG_OPCODE | VR_FLAG_RD | VR_FLAG_CD)) |
           (truncated ? VR_FLAG_TC : 0U) | (rcode & VR_FLAG_RCODE);
}

void response_finish(vr_answer *answer, const struct query *query, struct extended_error error)
{
    uint8_t opt[VR_ANSWER_SPARE], *message = answer->message;
    uint16_t rcode = message[3] & VR_FLAG_RCODE;
    bool truncated = message[2] & VR_FLAG_TC >> 8;
    bool useless = truncated && query->transport == TRANSPORT_TCP;

    /* An extended rcode is about our own EDNS with the upstream (BADVERS, BADCOOKIE): to the client it is a failure. */
    if (answer->edns.rcode_high)
        rcode = VR_RCODE_SERVFAIL;
    if (query->rcode)
        rcode = query->rcode;
    /* A client that is told so over TCP has no other way to ask: its part of an answer would be taken for all of it. */
    if (useless) {
        rcode = VR_RCODE_SERVFAIL;
        error = (struct extended_error){EDE_NETWORK_ERROR, "upstream's answer was cut"};
    }
    size_t opt_len = query->edns.present ? write_opt(opt, query, rcode, error) : 0;
    struct extent kept = measure(answer, useless ? 0 : limit_of(query) - opt_len);

    put16(message, query->id);
    put16(message + 2, flags_of(query, !useless && (truncated || kept.cut), rcode));
    for (int section = 0; section < 3; section++)
        put16(message + 6 + 2 * section, kept.count[section]);
    if (query->has_question) /* the client's case of letters, which it may check */
        memcpy(message + VR_HEADER_SIZE, query->question.name.octets, query->question.name.len);
    memcpy(message + kept.end, opt, opt_len);
    put16(message + 10, (unsigned)kept.count[VR_SECTION_ADDITIONAL] + (opt_len ? 1 : 0));
    answer->len = kept.end + opt_len;
}

vr_answer *response_new(size_t capacity)
{
    vr_answer *answer = malloc(sizeof *answer + capacity + VR_ANSWER_SPARE);

    if (answer)
        *answer = (vr_answer){.capacity = capacity + VR_ANSWER_SPARE};
    return answer;
}

vr_answer *response_error(const struct query *query, uint16_t rcode, struct extended_error error)
{
    enum { SIZE = VR_HEADER_SIZE + VR_NAME_MAX + 4 };
    vr_answer *answer = response_new(SIZE);
    vr_writer writer;

    if (!answer)
        return NULL;
    vr_writer_init(&writer, answer->message, SIZE, query->id, rcode & VR_FLAG_RCODE);
    if (query->has_question)
        vr_writer_question(&writer, &query->question);
    answer->len = (size_t)vr_writer_finish(&writer);
    response_finish(answer, query, error);
    return answer;
}
