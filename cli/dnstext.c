#include "dnstext.h"

#include "octet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>

enum { USUAL_RDATA_ROOM = 512 };

void buffer_name(struct buffer *buffer, const vr_name *name)
{
    char *room = buffer_room(buffer, VR_NAME_TEXT_SIZE);
    if (!room)
        return;
    ssize_t len = vr_name_to_text(name, room, VR_NAME_TEXT_SIZE);
    if (len > 0)
        buffer->len += (size_t)len;
}

void buffer_type(struct buffer *buffer, uint16_t type)
{
    char text[VR_MNEMONIC_SIZE];
    buffer_text(buffer, vr_type_text(type, text));
}

void buffer_class(struct buffer *buffer, uint16_t class_)
{
    char text[VR_MNEMONIC_SIZE];
    if (class_ == VR_CLASS_IN)
        buffer_append(buffer, "IN", 2);
    else
        buffer_text(buffer, vr_class_text(class_, text));
}

void buffer_rcode(struct buffer *buffer, uint16_t rcode)
{
    char text[VR_MNEMONIC_SIZE];
    buffer_text(buffer, vr_rcode_text(rcode, text));
}

/* How long the text gets is known only when it is written: 4 characters an octet, or a name from a 2-octet pointer. */
void buffer_rdata(struct buffer *buffer, const vr_reader *reader, const vr_rr *rr)
{
    size_t wanted = USUAL_RDATA_ROOM;
    for (;;) {
        char *room = buffer_room(buffer, wanted);
        if (!room)
            return;
        size_t size = buffer->capacity - buffer->len;
        ssize_t len = vr_rdata_to_text(reader, rr, room, size);
        wanted = 2 * size;
        if (len >= 0)
            buffer->len += (size_t)len;
        if (len != -ENOSPC)
            return;
    }
}

void buffer_server(struct buffer *buffer, const vr_server *server)
{
    char text[VR_SERVER_TEXT_SIZE], *at = text;
    if (server->address.any.sa_family != AF_INET) {
        buffer_text(buffer, vr_server_address_text(server, text));
        return;
    }
    /* By hand: inet_ntop goes through printf, and this is in every record. */
    const uint8_t *octets = (const uint8_t *)&server->address.v4.sin_addr;
    for (int i = 0; i < 4; i++) {
        at = put_octet(at, octets[i]);
        *at++ = i < 3 ? '.' : ':';
    }
    buffer_append(buffer, text, (size_t)(at - text));
    buffer_number(buffer, ntohs(server->address.v4.sin_port));
}

/* The length of the UTF-8 sequence that text begins with (RFC 3629 section 4): 2 to 4, or 0 where none does. */
static size_t utf8_sequence(const unsigned char *text, size_t len)
{
    size_t wanted = text[0] >= 0xf0 && text[0] <= 0xf4 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 0;
    if (wanted == 0 || text[0] > 0xf4 || wanted > len)
        return 0;
    for (size_t i = 1; i < wanted; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
    bool too_great = text[0] == 0xf4 && text[1] >= 0x90;
    return overlong || surrogate || too_great ? 0 : wanted;
}

/* How many octets, from the first on, can stand as they are: 0 where the first must be escaped. */
static size_t harmless(const unsigned char *text, size_t len)
{
    if (text[0] < 0x80)
        return text[0] >= ' ' && text[0] != 0x7f && text[0] != '\\';
    bool c1_control = text[0] == 0xc2 && len > 1 && text[1] < 0xa0;
    return c1_control ? 0 : utf8_sequence(text, len);
}

void buffer_given(struct buffer *buffer, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t plain = harmless((const unsigned char *)text + i, len - i);
        if (plain > 0) {
            buffer_append(buffer, text + i, plain);
            i += plain;
        } else {
            buffer_char(buffer, '\\');
            buffer_digits(buffer, (unsigned char)text[i++], 3);
        }
    }
}
