/*
 * Text written into the caller's room. The error is sticky: what does not fit sets `full`, and nothing is written after
 * it, so that a caller writes straight through and looks once, at vr_text_finish.
 */
#ifndef VIREO_TEXT_H
#define VIREO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <vireo/dns.h>

typedef struct vr_text {
    char *begin, *at;
    char *end; /* one before the room's end: the final NUL always has its place */
    bool full;
} vr_text;

/* Begins a text; a room of size 0 is full at once. */
void vr_text_init(vr_text *text, char *room, size_t size);

/* Ends it with NUL. Returns the length without it, or -ENOSPC. */
ssize_t vr_text_finish(vr_text *text);

/* Room for `count` characters, which the caller fills, or NULL. */
static inline char *vr_text_room(vr_text *text, size_t count)
{
    if (text->full || count > (size_t)(text->end - text->at)) {
        text->full = true;
        return NULL;
    }
    char *room = text->at;
    text->at += count;
    return room;
}

static inline void vr_text_put(vr_text *text, const char *characters, size_t count)
{
    char *room = vr_text_room(text, count);
    if (room)
        memcpy(room, characters, count);
}

static inline void vr_text_char(vr_text *text, char character)
{
    char *room = vr_text_room(text, 1);
    if (room)
        *room = character;
}

static inline void vr_text_string(vr_text *text, const char *string)
{
    vr_text_put(text, string, strlen(string));
}

/* The space between two fields: nothing at the text's beginning. */
static inline void vr_text_gap(vr_text *text)
{
    if (text->at != text->begin)
        vr_text_char(text, ' ');
}

/* An octet as \DDD, into room for four characters. Returns the place behind them. */
static inline char *vr_escape_decimal(char *at, uint8_t octet)
{
    at[0] = '\\';
    at[1] = (char)('0' + octet / 100);
    at[2] = (char)('0' + octet / 10 % 10);
    at[3] = (char)('0' + octet % 10);
    return at + 4;
}

void vr_text_decimal(vr_text *text, uint64_t number);

/* With leading zeros up to `width` digits, 10 at most. */
void vr_text_padded(vr_text *text, uint32_t number, unsigned width);

/* Lower-case hex, base64 with padding, base32 with the extended hex alphabet, lower-case and unpadded (RFC 4648). */
void vr_text_hex(vr_text *text, const uint8_t *octets, size_t count);
void vr_text_base64(vr_text *text, const uint8_t *octets, size_t count);
void vr_text_base32hex(vr_text *text, const uint8_t *octets, size_t count);

void vr_text_ipv4(vr_text *text, const uint8_t octets[4]);

/* As RFC 5952 wants it; the last 32 bits of IPv4-mapped and IPv4-compatible addresses in dots, as inet_ntop does. */
void vr_text_ipv6(vr_text *text, const uint8_t octets[16]);

void vr_text_name(vr_text *text, const vr_name *name);
void vr_text_type(vr_text *text, uint16_t type);

/* The octets of a character-string (RFC 1035 section 5.1) between quotes, or what stands between them. */
void vr_text_quoted(vr_text *text, const uint8_t *octets, size_t count);
void vr_text_escaped(vr_text *text, const uint8_t *octets, size_t count);

#endif
