/*
 * What must hold for any octets at all: whatever vr_message_check accepts, the reader reads whole, names and texts
 * included; and what it refuses may be read until an error, but no further than its end. Broken promises abort.
 */
#ifndef VIREO_TESTS_AGREEMENT_H
#define VIREO_TESTS_AGREEMENT_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vireo/dns.h>

#define AGREE(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* The longest text of data: a bit of a type bitmap becomes 10 characters and a space, and there are 8 to the octet. */
enum { AGREEMENT_TEXT_SIZE = 88 * VR_MESSAGE_MAX };

static inline void agreement_name(const vr_name *name)
{
    char text[VR_NAME_TEXT_SIZE];
    vr_name again;
    ssize_t len = vr_name_to_text(name, text, sizeof text);
    AGREE(len > 0 && text[len] == '\0' && text[len - 1] == '.');
    AGREE(vr_name_from_text(&again, text, (size_t)len) == 0);
    AGREE(again.len == name->len && memcmp(again.octets, name->octets, name->len) == 0);
}

/* A record's text in ample room, and the same or -ENOSPC in room that is exact, or short by one or by half. */
static inline void agreement_text(const vr_reader *reader, const vr_rr *rr, char *room)
{
    ssize_t len = vr_rdata_to_text(reader, rr, room, AGREEMENT_TEXT_SIZE);
    AGREE(len > 0 && len < AGREEMENT_TEXT_SIZE && strlen(room) == (size_t)len);
    for (ssize_t i = 0; i < len; i++)
        AGREE(room[i] >= ' ' && room[i] <= '~');

    char *exact = malloc((size_t)len + 1);
    AGREE(exact);
    AGREE(vr_rdata_to_text(reader, rr, exact, (size_t)len + 1) == len && strcmp(exact, room) == 0);
    AGREE(vr_rdata_to_text(reader, rr, exact, (size_t)len) == -ENOSPC);
    AGREE(vr_rdata_to_text(reader, rr, exact, (size_t)len / 2) == -ENOSPC);
    free(exact);
}

/* Returns whether the message was accepted. `room` is of AGREEMENT_TEXT_SIZE. */
static inline bool agreement(const uint8_t *message, size_t len, char *room)
{
    vr_edns edns;
    bool accepted = vr_message_check(message, len, &edns) == 0;
    vr_reader reader;
    const vr_header *header = vr_reader_init(&reader, message, len);
    AGREE((header != NULL) == (len >= VR_HEADER_SIZE));
    AGREE(header || !accepted);

    unsigned found[4] = {0}, opts = 0;
    vr_question question;
    for (; vr_reader_question(&reader, &question); found[0]++)
        agreement_name(&question.name);
    vr_rr rr;
    for (; vr_reader_rr(&reader, &rr); found[1 + rr.section]++) {
        AGREE(rr.rdata >= message && rr.rdata + rr.rdata_len <= message + len);
        vr_name owner;
        int error = vr_rr_owner(&reader, &rr, &owner);
        AGREE(error == 0 || (error == -EBADMSG && !accepted));
        if (error == 0)
            agreement_name(&owner);
        agreement_text(&reader, &rr, room);
        opts += rr.type == VR_TYPE_OPT;
    }
    AGREE(!vr_reader_rr(&reader, &rr));
    if (accepted) {
        AGREE(reader.error == 0 && reader.at == len);
        for (int i = 0; i < 4; i++)
            AGREE(found[i] == header->count[i]);
        AGREE(opts == (edns.present ? 1 : 0));
    } else {
        AGREE(!edns.present);
    }
    return accepted;
}

#endif
