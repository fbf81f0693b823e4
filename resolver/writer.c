/*
 * Messages written into the caller's room. A question or a record is written whole or not at all: what it needs is
 * claimed piece by piece, and taken back when a piece does not fit.
 */
#include "name.h"
#include "rdata.h"

#include <errno.h>
#include <string.h>

enum {
    POINTER = 0xc000,       /* RFC 1035 section 4.1.4 */
    POINTER_LIMIT = 0x4000, /* where pointers cannot reach any more */
    /* Labels that are looked at for one message, at most: some 60 for a name of an honest one; a hostile one, of
     * thousands of names with a hundred labels, is spelled out from there on. */
    LABELS_MAX = 200000,
};

static void store_u16(uint8_t *at, unsigned number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

/* Claims room; NULL, and the sticky error, where there is none. */
static uint8_t *claim(vr_writer *writer, size_t count)
{
    if (!writer->error && count > writer->size - writer->at)
        writer->error = -ENOSPC;
    if (writer->error)
        return NULL;
    uint8_t *room = writer->message + writer->at;
    writer->at += count;
    return room;
}

static void put(vr_writer *writer, const void *octets, size_t count)
{
    uint8_t *room = claim(writer, count);
    if (room && count > 0)
        memcpy(room, octets, count);
}

static void put_u16(vr_writer *writer, unsigned number)
{
    uint8_t *room = claim(writer, 2);
    if (room)
        store_u16(room, number);
}

static void put_u32(vr_writer *writer, uint32_t number)
{
    put_u16(writer, number >> 16);
    put_u16(writer, number & 0xffff);
}

/* --- Names --- */

/* The labels of a name that stands in a message, in order, each at its offset. */
struct labels {
    uint16_t at[VR_LABELS_MAX];
    unsigned count;
};

/* The writer's own messages are trusted: pointers in them lead back to names. */
static void find_labels(struct labels *out, const uint8_t *message, size_t at)
{
    out->count = 0;
    while (message[at] != 0) {
        if (message[at] > VR_LABEL_MAX) {
            at = (message[at] << 8 | message[at + 1]) & ~POINTER;
            continue;
        }
        out->at[out->count++] = (uint16_t)at;
        at += 1u + message[at];
    }
}

/* How many of the last labels of two names are the same, octet by octet. */
static unsigned common_labels(const uint8_t *a, const struct labels *in_a, const uint8_t *b, const struct labels *in_b)
{
    unsigned count = 0;
    while (count < in_a->count && count < in_b->count) {
        const uint8_t *label_a = a + in_a->at[in_a->count - count - 1];
        const uint8_t *label_b = b + in_b->at[in_b->count - count - 1];
        if (*label_a != *label_b || memcmp(label_a + 1, label_b + 1, *label_a) != 0)
            break;
        count++;
    }
    return count;
}

/* The longest end of a name that the message has already: its labels' count, and where it stands. */
static unsigned find_known(vr_writer *writer, const vr_name *name, const struct labels *in_name, unsigned *target)
{
    unsigned best = 0;
    for (unsigned i = 0; i < writer->known_count && best < in_name->count; i++) {
        struct labels known;
        find_labels(&known, writer->message, writer->known[i]);
        if (known.count >= writer->labels_left)
            break;
        writer->labels_left -= known.count;
        unsigned common = common_labels(name->octets, in_name, writer->message, &known);
        if (common > best) {
            best = common;
            *target = known.at[known.count - common];
        }
    }
    return best;
}

/* A name, compressed; remembered for others when it is not all pointer and pointers can reach it. */
static void put_name(vr_writer *writer, const vr_name *name)
{
    size_t start = writer->at;
    struct labels in_name;
    find_labels(&in_name, name->octets, 0);
    unsigned target = 0;
    unsigned known = find_known(writer, name, &in_name, &target);
    unsigned spelled = in_name.count - known;
    if (known == 0) {
        put(writer, name->octets, name->len);
    } else {
        put(writer, name->octets, in_name.at[spelled]);
        put_u16(writer, POINTER | target);
    }
    bool reachable = writer->at <= POINTER_LIMIT;
    size_t room = sizeof writer->known / sizeof writer->known[0];
    if (!writer->error && spelled > 0 && reachable && writer->known_count < room)
        writer->known[writer->known_count++] = (uint16_t)start;
}

/* --- Records --- */

/* Do the data of a type fit its layout, names uncompressed? */
static bool fits_layout(const vr_rdata_layout *layout, const uint8_t *data, size_t len)
{
    size_t at = layout->octets;
    for (int i = 0; i < layout->names; i++) {
        size_t name_len = at < len ? vr_name_plain_len(data + at, len - at) : 0;
        if (name_len == 0)
            return false;
        at += name_len;
    }
    return len - at == layout->tail;
}

static void put_packed_data(vr_writer *writer, const vr_rdata_layout *layout, const uint8_t *data, size_t len)
{
    put(writer, data, layout->octets);
    size_t at = layout->octets;
    for (int i = 0; i < layout->names; i++) {
        vr_name name = {.len = (uint8_t)vr_name_plain_len(data + at, len - at)};
        memcpy(name.octets, data + at, name.len);
        put_name(writer, &name);
        at += name.len;
    }
    put(writer, data + at, layout->tail);
}

/* The data with its length in front. */
static void put_data(vr_writer *writer, uint16_t type, uint16_t class_, const uint8_t *data, size_t len)
{
    uint8_t *len_at = claim(writer, 2);
    size_t start = writer->at;
    const vr_rdata_layout *layout = vr_rdata_layout_of(type, class_);
    if (layout && layout->may_be_packed && fits_layout(layout, data, len))
        put_packed_data(writer, layout, data, len);
    else
        put(writer, data, len);
    if (len_at && !writer->error)
        store_u16(len_at, (unsigned)(writer->at - start));
}

/* Where a question or a record begins, to go back to. */
struct mark {
    size_t at;
    uint8_t known_count;
};

static struct mark begin(const vr_writer *writer)
{
    return (struct mark){writer->at, writer->known_count};
}

/* Counts what was written in the header's count `i`, or takes it back. */
static void commit(vr_writer *writer, struct mark mark, int i)
{
    if (writer->error) {
        writer->at = mark.at;
        writer->known_count = mark.known_count;
        return;
    }
    uint8_t *count = writer->message + 4 + 2 * i;
    store_u16(count, (unsigned)(count[0] << 8 | count[1]) + 1);
}

/* The header's counts from `i` on must be 0 yet. */
static void expect_nothing_from(vr_writer *writer, int i)
{
    for (; !writer->error && i < 4; i++)
        if (writer->message[4 + 2 * i] != 0 || writer->message[5 + 2 * i] != 0)
            writer->error = -EINVAL;
}

void vr_writer_init(vr_writer *writer, void *room, size_t size, uint16_t id, uint16_t flags)
{
    *writer = (vr_writer){.message = room, .labels_left = LABELS_MAX};
    writer->size = size < VR_MESSAGE_MAX ? size : VR_MESSAGE_MAX;
    uint8_t *header = claim(writer, VR_HEADER_SIZE);
    if (!header)
        return;
    memset(header, 0, VR_HEADER_SIZE);
    store_u16(header, id);
    store_u16(header + 2, flags);
}

void vr_writer_question(vr_writer *writer, const vr_question *question)
{
    expect_nothing_from(writer, 1);
    struct mark mark = begin(writer);
    put_name(writer, &question->name);
    put_u16(writer, question->type);
    put_u16(writer, question->class_);
    commit(writer, mark, 0);
}

void vr_writer_rr(vr_writer *writer, enum vr_section section, const vr_name *owner, uint16_t type, uint16_t class_,
                  uint32_t ttl, const void *rdata, size_t rdata_len)
{
    int count = 1 + (int)section;
    expect_nothing_from(writer, count + 1);
    struct mark mark = begin(writer);
    put_name(writer, owner);
    put_u16(writer, type);
    put_u16(writer, class_);
    put_u32(writer, ttl);
    put_data(writer, type, class_, rdata, rdata_len);
    commit(writer, mark, count);
}

void vr_writer_opt(vr_writer *writer, const vr_edns *edns)
{
    const vr_name root = {.len = 1};
    uint32_t ttl = (uint32_t)(edns->rcode_high & 0xff) << 24 | (edns->dnssec_ok ? 0x8000u : 0u);
    vr_writer_rr(writer, VR_SECTION_ADDITIONAL, &root, VR_TYPE_OPT, edns->udp_size, ttl, edns->options,
                 edns->options_len);
}

ssize_t vr_writer_finish(vr_writer *writer)
{
    return writer->error ? writer->error : (ssize_t)writer->at;
}
