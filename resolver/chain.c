#include "chain.h"

#include "rdata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Names of a chain, the one asked for included. Longer ones are loops, or of no use to anybody; others stop between 8
 * and 17. */
enum { CHAIN_MAX = 17 };

struct chain {
    vr_name names[CHAIN_MAX];
    int count;
};

/* A pointer to the question's name, right behind the header: what nearly all answers have as owner. */
static bool is_pointer_to_question(const uint8_t *at)
{
    return at[0] == 0xc0 && at[1] == VR_HEADER_SIZE;
}

/* The target of a name's CNAME: true when it has one. */
static bool follow(const uint8_t *message, size_t len, const vr_name *name, vr_name *target)
{
    vr_reader reader;
    vr_rr rr;
    vr_name owner;

    vr_reader_init(&reader, message, len);
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER)
        if (rr.type == VR_TYPE_CNAME && vr_rr_owner(&reader, &rr, &owner) == 0 && vr_name_equal(&owner, name))
            return vr_name_read(target, message, len, (size_t)(rr.rdata - message)) >= 0;
    return false;
}

static bool read_chain(struct chain *out, const uint8_t *message, size_t len)
{
    vr_reader reader;
    vr_question question;

    vr_reader_init(&reader, message, len);
    if (!vr_reader_question(&reader, &question))
        return false;
    out->names[0] = question.name;
    out->count = 1;
    while (out->count < CHAIN_MAX && follow(message, len, &out->names[out->count - 1], &out->names[out->count]))
        out->count++;
    return true;
}

static bool is_reached(const struct chain *chain, const vr_reader *reader, const vr_rr *rr)
{
    enum { TYPE_RRSIG = 46 };
    vr_name owner;

    if (is_pointer_to_question(reader->message + rr->offset))
        return true;
    if (vr_rr_owner(reader, rr, &owner) < 0)
        return false;
    bool may_be_above = rr->type == VR_TYPE_DNAME || rr->type == TYPE_RRSIG;
    for (int i = 0; i < chain->count; i++)
        if (vr_name_equal(&owner, &chain->names[i]) || (may_be_above && vr_name_within(&chain->names[i], &owner)))
            return true;
    return false;
}

bool vr_chain_has_strays(const uint8_t *message, size_t len)
{
    vr_reader reader;
    vr_rr rr;
    struct chain chain;

    chain.count = 0; /* its names, of four kilobytes, are looked at only where there are any */
    vr_reader_init(&reader, message, len);
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER) {
        if (is_pointer_to_question(message + rr.offset))
            continue;
        if (!chain.count && !read_chain(&chain, message, len))
            return true;
        if (!is_reached(&chain, &reader, &rr))
            return true;
    }
    return false;
}

/* A record's data with its names uncompressed, which may be longer than it was. Returns its length; *out has room for
 * it. */
static ssize_t expand(const vr_reader *reader, const vr_rr *rr, uint8_t *out)
{
    const vr_rdata_layout *layout = vr_rdata_layout_of(rr->type, rr->class_);
    const uint8_t *at = rr->rdata, *end = at + rr->rdata_len;
    uint8_t *to = out;
    vr_name name;

    if (layout) {
        size_t fixed = layout->octets;
        for (int i = 0; i < layout->strings && at + fixed < end; i++)
            fixed += 1 + (size_t)at[fixed];
        if (fixed > (size_t)(end - at))
            return -EBADMSG;
        memcpy(to, at, fixed);
        at += fixed;
        to += fixed;
        for (int i = 0; i < layout->names; i++) {
            ssize_t next = vr_name_read(&name, reader->message, reader->len, (size_t)(at - reader->message));
            if (next < 0 || reader->message + next > end)
                return -EBADMSG;
            at = reader->message + next;
            memcpy(to, name.octets, name.len);
            to += name.len;
        }
    }
    memcpy(to, at, (size_t)(end - at));
    return to + (end - at) - out;
}

static int copy_record(vr_writer *writer, const vr_reader *reader, const vr_rr *rr)
{
    enum { NAMES_MAX = 2 };
    vr_name owner;
    uint8_t *data = malloc((size_t)rr->rdata_len + NAMES_MAX * VR_NAME_MAX);
    int error = data ? vr_rr_owner(reader, rr, &owner) : -ENOMEM;

    if (!error) {
        ssize_t len = expand(reader, rr, data);
        if (len < 0)
            error = (int)len;
        else
            vr_writer_rr(writer, rr->section, &owner, rr->type, rr->class_, rr->ttl, data, (size_t)len);
    }
    free(data);
    return error;
}

ssize_t vr_chain_rewrite(const uint8_t *message, size_t len, uint8_t *out, size_t size)
{
    vr_reader reader;
    vr_writer writer;
    vr_question question;
    vr_rr rr;
    struct chain chain;
    const vr_header *header = vr_reader_init(&reader, message, len);
    int error = 0;

    if (!header || !read_chain(&chain, message, len) || !vr_reader_question(&reader, &question))
        return -EBADMSG;
    vr_writer_init(&writer, out, size, header->id, header->flags);
    vr_writer_question(&writer, &question);
    while (!error && vr_reader_rr(&reader, &rr))
        if (rr.section != VR_SECTION_ANSWER || is_reached(&chain, &reader, &rr))
            error = copy_record(&writer, &reader, &rr);
    return error ? error : vr_writer_finish(&writer);
}
