/*
 * Any octets as a message: checked, read whole, every name and all data turned into text (see resolver/agreement.h for
 * what must hold), and, where the message is accepted, written anew and read once more.
 */
#include <assert.h>
#include <stdint.h>

#include "resolver/agreement.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

/* Writes the records that the reader has found, their data as it stands: names in it may be broken by the move, not
 * more. */
static void write_records(vr_writer *writer, const uint8_t *message, size_t len)
{
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, message, len);
    AGREE(header);
    vr_writer_init(writer, writer->message, writer->size, header->id, header->flags);
    vr_question question;
    while (vr_reader_question(&reader, &question))
        vr_writer_question(writer, &question);
    vr_rr rr;
    while (vr_reader_rr(&reader, &rr)) {
        vr_name owner;
        AGREE(vr_rr_owner(&reader, &rr, &owner) == 0);
        vr_writer_rr(writer, rr.section, &owner, rr.type, rr.class_, rr.ttl, rr.rdata, rr.rdata_len);
    }
}

/* The same questions and owners, in the same order? */
static void compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    vr_reader reader_a, reader_b;
    AGREE(vr_reader_init(&reader_a, a, a_len) && vr_reader_init(&reader_b, b, b_len));
    vr_question question_a, question_b;
    while (vr_reader_question(&reader_b, &question_b)) {
        AGREE(vr_reader_question(&reader_a, &question_a));
        AGREE(question_a.name.len == question_b.name.len);
        AGREE(memcmp(question_a.name.octets, question_b.name.octets, question_a.name.len) == 0);
    }
    vr_rr rr_a, rr_b;
    vr_name owner_a, owner_b;
    while (vr_reader_rr(&reader_b, &rr_b)) {
        AGREE(vr_reader_rr(&reader_a, &rr_a));
        AGREE(vr_rr_owner(&reader_a, &rr_a, &owner_a) == 0 && vr_rr_owner(&reader_b, &rr_b, &owner_b) == 0);
        AGREE(owner_a.len == owner_b.len && memcmp(owner_a.octets, owner_b.octets, owner_a.len) == 0);
        AGREE(rr_a.section == rr_b.section && rr_a.type == rr_b.type && rr_a.ttl == rr_b.ttl);
    }
    AGREE(reader_b.error == 0);
}

/* Written again in ample room, and in half of what that took: always a whole message. */
static void rewrite(const uint8_t *message, size_t len)
{
    static uint8_t room[VR_MESSAGE_MAX];
    vr_writer writer = {.message = room, .size = sizeof room};
    write_records(&writer, message, len);
    AGREE(writer.error == 0 || writer.error == -ENOSPC);
    compare(message, len, room, writer.at);

    size_t half = writer.at / 2;
    uint8_t *small = malloc(half + 1);
    AGREE(small);
    writer = (vr_writer){.message = small, .size = half};
    write_records(&writer, message, len);
    AGREE(vr_writer_finish(&writer) == -ENOSPC);
    if (half >= VR_HEADER_SIZE)
        compare(message, len, small, writer.at);
    free(small);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static char text[AGREEMENT_TEXT_SIZE];
    if (agreement(octets, len, text))
        rewrite(octets, len);
    return 0;
}
