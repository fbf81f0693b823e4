#include "cursor.h"
#include "name.h"

#include <errno.h>

/* Section of the header's count `i`; the questions are no section. */
static enum vr_section section_of(int i)
{
    return (enum vr_section)(i - 1);
}

const vr_header *vr_reader_init(vr_reader *reader, const void *message, size_t len)
{
    *reader = (vr_reader){.message = message, .len = len, .at = VR_HEADER_SIZE};
    if (len < VR_HEADER_SIZE) {
        reader->error = -EBADMSG;
        return NULL;
    }
    reader->header.id = vr_load_u16(reader->message);
    reader->header.flags = vr_load_u16(reader->message + 2);
    for (int i = 0; i < 4; i++) {
        reader->header.count[i] = vr_load_u16(reader->message + 4 + 2 * i);
        reader->left[i] = reader->header.count[i];
    }
    return &reader->header;
}

static bool fail(vr_reader *reader)
{
    reader->error = -EBADMSG;
    return false;
}

bool vr_reader_question(vr_reader *reader, vr_question *out)
{
    if (reader->error || reader->left[0] == 0)
        return false;
    ssize_t behind = vr_name_read(&out->name, reader->message, reader->len, reader->at);
    if (behind < 0)
        return fail(reader);
    vr_cursor cursor = {.message = reader->message, .at = (size_t)behind, .end = reader->len};
    out->type = vr_cursor_u16(&cursor);
    out->class_ = vr_cursor_u16(&cursor);
    if (cursor.failed)
        return fail(reader);
    reader->at = cursor.at;
    reader->left[0]--;
    return true;
}

/* Passes the questions that were not read. */
static bool skip_questions(vr_reader *reader)
{
    for (; reader->left[0] > 0; reader->left[0]--) {
        ssize_t behind = vr_name_skip(reader->message, reader->len, reader->at);
        if (behind < 0 || reader->len - (size_t)behind < 4)
            return fail(reader);
        reader->at = (size_t)behind + 4;
    }
    return true;
}

bool vr_reader_rr(vr_reader *reader, vr_rr *out)
{
    if (reader->error || !skip_questions(reader))
        return false;
    int i = 1;
    while (i < 4 && reader->left[i] == 0)
        i++;
    if (i == 4)
        return false;

    ssize_t behind = vr_name_skip(reader->message, reader->len, reader->at);
    if (behind < 0)
        return fail(reader);
    vr_cursor cursor = {.message = reader->message, .at = (size_t)behind, .end = reader->len};
    out->section = section_of(i);
    out->offset = reader->at;
    out->type = vr_cursor_u16(&cursor);
    out->class_ = vr_cursor_u16(&cursor);
    out->ttl = vr_cursor_u32(&cursor);
    out->rdata_len = vr_cursor_u16(&cursor);
    out->rdata = vr_cursor_take(&cursor, out->rdata_len);
    if (cursor.failed)
        return fail(reader);
    reader->at = cursor.at;
    reader->left[i]--;
    return true;
}

int vr_rr_owner(const vr_reader *reader, const vr_rr *rr, vr_name *out)
{
    ssize_t behind = vr_name_read(out, reader->message, reader->len, rr->offset);
    return behind < 0 ? (int)behind : 0;
}

uint32_t vr_rr_ttl(const vr_rr *rr)
{
    return rr->ttl > INT32_MAX ? 0 : rr->ttl;
}
