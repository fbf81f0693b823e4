/*
 * One pass over a whole message, before anything else looks at it. Its cost is linear in the message's length, for
 * hostile messages too (name.h says how).
 */
#include "cursor.h"
#include "name.h"
#include "rdata.h"

#include <errno.h>

struct check {
    vr_cursor in;
    vr_name_checker names;
    vr_edns edns;
};

/* Moves behind the name where the cursor stands. */
static void pass_name(struct check *check)
{
    ssize_t behind = check->in.failed ? -EBADMSG : vr_name_checker_pass(&check->names, check->in.at);
    if (behind < 0 || (size_t)behind > check->in.end)
        vr_cursor_fail(&check->in);
    else
        check->in.at = (size_t)behind;
}

/* RFC 6891 section 6.1.2: options are whole, and fill the record. */
static bool whole_options(vr_cursor options)
{
    while (vr_cursor_left(&options) > 0) {
        vr_cursor_u16(&options);
        vr_cursor_take(&options, vr_cursor_u16(&options));
    }
    return !options.failed;
}

/* The OPT record whose fixed part is `rr`. */
static bool read_opt(vr_edns *edns, const vr_rr *rr, vr_cursor data)
{
    if (edns->present || rr->section != VR_SECTION_ADDITIONAL || !whole_options(data))
        return false;
    *edns = (vr_edns){
        .present = true,
        .version = (uint8_t)(rr->ttl >> 16),
        .udp_size = rr->class_,
        .dnssec_ok = rr->ttl >> 15 & 1,
        .rcode_high = (uint16_t)(rr->ttl >> 24),
        .options = data.message + data.at,
        .options_len = rr->rdata_len,
    };
    return true;
}

/* The names in the data that the cursor stands before. */
static void pass_data(struct check *check, const vr_rr *rr)
{
    vr_cursor *in = &check->in;
    size_t end = in->end;
    in->end = in->at + rr->rdata_len;
    const vr_rdata_layout *layout = vr_rdata_layout_of(rr->type, rr->class_);
    /* An UPDATE's prerequisites and deletions have classes that stand for no data (RFC 2136 section 2.4). */
    bool empty = rr->rdata_len == 0 && (rr->class_ == VR_CLASS_ANY || rr->class_ == VR_CLASS_NONE);
    if (layout && !empty) {
        vr_cursor_take(in, layout->octets);
        for (int i = 0; i < layout->strings; i++)
            vr_cursor_take(in, vr_cursor_u8(in));
        for (int i = 0; i < layout->names; i++)
            pass_name(check);
        vr_cursor_require(in, layout->tail == VR_RDATA_REST || vr_cursor_left(in) == layout->tail);
    }
    in->at = in->end;
    in->end = end;
}

static bool pass_record(struct check *check, enum vr_section section)
{
    vr_cursor *in = &check->in;
    vr_rr rr = {.section = section, .offset = in->at};
    pass_name(check);
    bool root = in->at == rr.offset + 1;
    rr.type = vr_cursor_u16(in);
    rr.class_ = vr_cursor_u16(in);
    rr.ttl = vr_cursor_u32(in);
    rr.rdata_len = vr_cursor_u16(in);
    if (in->failed || rr.rdata_len > vr_cursor_left(in))
        return false;
    if (rr.type == VR_TYPE_OPT) {
        vr_cursor data = {.message = in->message, .at = in->at, .end = in->at + rr.rdata_len};
        if (!root || !read_opt(&check->edns, &rr, data))
            return false;
    }
    pass_data(check, &rr);
    return !in->failed;
}

static bool pass_questions(struct check *check, unsigned count)
{
    for (; count > 0 && !check->in.failed; count--) {
        pass_name(check);
        vr_cursor_take(&check->in, 4);
    }
    return !check->in.failed;
}

static bool pass_message(struct check *check, const vr_header *header)
{
    if (!pass_questions(check, header->count[0]))
        return false;
    for (int section = VR_SECTION_ANSWER; section <= VR_SECTION_ADDITIONAL; section++)
        for (unsigned left = header->count[1 + section]; left > 0; left--)
            if (!pass_record(check, (enum vr_section)section))
                return false;
    return vr_cursor_left(&check->in) == 0;
}

int vr_message_check(const void *message, size_t len, vr_edns *edns)
{
    if (edns)
        *edns = (vr_edns){.present = false};
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, message, len);
    if (!header || len > VR_MESSAGE_MAX)
        return -EBADMSG;
    struct check check = {.in = {.message = message, .at = VR_HEADER_SIZE, .end = len}};
    vr_name_checker_init(&check.names, message, len);
    if (!pass_message(&check, header))
        return -EBADMSG;
    if (edns)
        *edns = check.edns;
    return 0;
}
