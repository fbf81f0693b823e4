#include "query.h"

/* Types that ask for something else than records of a name: zone transfers (RFC 5936, 1995) and the sender's own
 * business. */
static bool is_refused_type(uint16_t type)
{
    return type == VR_TYPE_AXFR || type == VR_TYPE_IXFR;
}

/* Types that only ever stand in a message's additional section (RFC 6891, 8945, 2930). */
static bool is_meta_type(uint16_t type)
{
    return type == 0 || type == VR_TYPE_OPT || type == VR_TYPE_TSIG || type == VR_TYPE_TKEY;
}

static uint16_t judge(const struct query *query, const vr_header *header)
{
    if (header->flags & VR_FLAG_OPCODE)
        return VR_RCODE_NOTIMP;
    if (!query->has_question || header->count[0] != 1) /* RFC 9619 */
        return VR_RCODE_FORMERR;
    if (query->edns.present && query->edns.version != 0) /* RFC 6891 section 6.1.3 */
        return VR_RCODE_BADVERS;
    if (is_meta_type(query->question.type))
        return VR_RCODE_FORMERR;
    if (is_refused_type(query->question.type))
        return VR_RCODE_REFUSED;
    return 0;
}

bool query_read(struct query *out, const uint8_t *message, size_t len, enum transport over)
{
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, message, len);

    *out = (struct query){.transport = over};
    if (!header || header->flags & VR_FLAG_QR)
        return false;
    out->id = header->id;
    out->flags = header->flags;
    out->has_question = vr_reader_question(&reader, &out->question);
    /* Another opcode's message may be laid out in another way: its answer is NOTIMP, whatever is in it. */
    bool well_formed = vr_message_check(message, len, &out->edns) == 0;
    out->rcode = judge(out, header);
    if (!well_formed && out->rcode != VR_RCODE_NOTIMP)
        out->rcode = VR_RCODE_FORMERR;
    if (!well_formed)
        out->edns = (vr_edns){.present = false};
    out->edns.options = NULL;
    out->edns.options_len = 0;
    return true;
}
