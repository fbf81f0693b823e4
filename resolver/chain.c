#include "chain.h"

#include "name.h"
#include "rdata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Names of a chain, the one asked for included. Longer ones are loops, or of no use to anybody; others stop between 8
 * and 17. */
enum { CHAIN_MAX = 17 };

/* CNAMEs of an answer that are looked at; an honest one has no more than its chain. */
enum { CNAMES_MAX = 64 };

struct chain {
    vr_name names[CHAIN_MAX];
    uint32_t hashes[CHAIN_MAX];
    int count;
};

/* A CNAME: where its target stands, and a hash of its owner. Owners are costly to read when a message is made so: once
 * is enough. */
struct cname {
    uint32_t hash;
    const uint8_t *owner, *target;
};

/* FNV-1a, the same for both cases of letters. */
static uint32_t hash_of(const vr_name *name)
{
    uint32_t hash = 2166136261u;

    for (int i = 0; i < name->len; i++)
        hash = (hash ^ vr_ascii_lower(name->octets[i])) * 16777619u;
    return hash;
}

/* A pointer to the question's name, right behind the header: what nearly all answers have as owner. */
static bool is_pointer_to_question(const uint8_t *at)
{
    return at[0] == 0xc0 && at[1] == VR_HEADER_SIZE;
}

static int collect_cnames(const vr_reader *begin, struct cname out[CNAMES_MAX])
{
    vr_reader reader = *begin;
    vr_rr rr;
    vr_name owner;
    int count = 0;

    while (count < CNAMES_MAX && vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER)
        if (rr.type == VR_TYPE_CNAME && vr_rr_owner(&reader, &rr, &owner) == 0)
            out[count++] = (struct cname){hash_of(&owner), reader.message + rr.offset, rr.rdata};
    return count;
}

/* The target of the chain's last name: true when it has a CNAME. */
static bool follow(const struct chain *chain, const vr_reader *reader, const struct cname *cnames, int count,
                   vr_name *out)
{
    const vr_name *last = &chain->names[chain->count - 1];
    uint32_t hash = chain->hashes[chain->count - 1];
    vr_name owner;

    for (int i = 0; i < count; i++)
        if (cnames[i].hash == hash &&
            vr_name_read(&owner, reader->message, reader->len, (size_t)(cnames[i].owner - reader->message)) >= 0 &&
            vr_name_equal(&owner, last))
            return vr_name_read(out, reader->message, reader->len, (size_t)(cnames[i].target - reader->message)) >= 0;
    return false;
}

/* Reads the chain of a message whose reader stands behind the question. */
static void read_chain(struct chain *out, const vr_reader *reader, const vr_question *question)
{
    struct cname cnames[CNAMES_MAX];
    int count = collect_cnames(reader, cnames);

    out->names[0] = question->name;
    out->hashes[0] = hash_of(&question->name);
    out->count = 1;
    while (out->count < CHAIN_MAX && follow(out, reader, cnames, count, &out->names[out->count])) {
        out->hashes[out->count] = hash_of(&out->names[out->count]);
        out->count++;
    }
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
    uint32_t hash = hash_of(&owner);
    for (int i = 0; i < chain->count; i++)
        if ((hash == chain->hashes[i] && vr_name_equal(&owner, &chain->names[i])) ||
            (may_be_above && vr_name_within(&chain->names[i], &owner)))
            return true;
    return false;
}

bool vr_chain_has_strays(const uint8_t *message, size_t len)
{
    vr_reader reader, begin;
    vr_question question;
    vr_rr rr;
    struct chain chain;

    vr_reader_init(&reader, message, len);
    bool asked = vr_reader_question(&reader, &question);
    begin = reader;
    chain.count = 0; /* its names, of four kilobytes, are looked at only where there are any */
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER) {
        if (is_pointer_to_question(message + rr.offset))
            continue;
        if (!chain.count && asked)
            read_chain(&chain, &begin, &question);
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

    if (!header || !vr_reader_question(&reader, &question))
        return -EBADMSG;
    read_chain(&chain, &reader, &question);
    vr_writer_init(&writer, out, size, header->id, header->flags);
    vr_writer_question(&writer, &question);
    while (!error && vr_reader_rr(&reader, &rr))
        if (rr.section != VR_SECTION_ANSWER || is_reached(&chain, &reader, &rr))
            error = copy_record(&writer, &reader, &rr);
    return error ? error : vr_writer_finish(&writer);
}
