#include "text.h"

#include <errno.h>

void vr_text_init(vr_text *text, char *room, size_t size)
{
    text->begin = text->at = room;
    text->full = size == 0;
    text->end = size > 0 ? room + size - 1 : room;
}

ssize_t vr_text_finish(vr_text *text)
{
    if (text->full)
        return -ENOSPC;
    *text->at = '\0';
    return text->at - text->begin;
}

void vr_text_decimal(vr_text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    vr_text_put(text, digits + first, sizeof digits - first);
}

void vr_text_padded(vr_text *text, uint32_t number, unsigned width)
{
    char digits[10] = "0000000000";
    unsigned first = sizeof digits;
    while (number > 0) {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    }
    if (first > sizeof digits - width)
        first = (unsigned)sizeof digits - width;
    vr_text_put(text, digits + first, sizeof digits - first);
}

void vr_text_hex(vr_text *text, const uint8_t *octets, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char *at = vr_text_room(text, 2 * count);
    if (!at)
        return;
    for (size_t i = 0; i < count; i++) {
        *at++ = digits[octets[i] >> 4];
        *at++ = digits[octets[i] & 15];
    }
}

void vr_text_base64(vr_text *text, const uint8_t *octets, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = vr_text_room(text, (count + 2) / 3 * 4);
    if (!at)
        return;
    while (count >= 3) {
        uint32_t bits = (uint32_t)octets[0] << 16 | (uint32_t)octets[1] << 8 | octets[2];
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = digits[bits >> 6 & 63];
        *at++ = digits[bits & 63];
        octets += 3;
        count -= 3;
    }
    if (count > 0) {
        uint32_t bits = (uint32_t)octets[0] << 16 | (count > 1 ? (uint32_t)octets[1] << 8 : 0);
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = count > 1 ? digits[bits >> 6 & 63] : '=';
        *at++ = '=';
    }
}

void vr_text_base32hex(vr_text *text, const uint8_t *octets, size_t count)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    char *at = vr_text_room(text, (count * 8 + 4) / 5);
    if (!at)
        return;
    uint32_t bits = 0;
    unsigned pending = 0; /* bits not written yet, the lowest of `bits` */
    for (size_t i = 0; i < count; i++) {
        bits = bits << 8 | octets[i];
        for (pending += 8; pending >= 5; pending -= 5)
            *at++ = digits[bits >> (pending - 5) & 31];
    }
    if (pending > 0)
        *at++ = digits[bits << (5 - pending) & 31];
}

static char *put_u8(char *at, uint8_t number)
{
    if (number >= 100)
        *at++ = (char)('0' + number / 100);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static char *put_ipv4(char *at, const uint8_t octets[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        at = put_u8(at, octets[i]);
    }
    return at;
}

void vr_text_ipv4(vr_text *text, const uint8_t octets[4])
{
    char address[sizeof "255.255.255.255"];
    vr_text_put(text, address, (size_t)(put_ipv4(address, octets) - address));
}

static char *put_group(char *at, unsigned group)
{
    static const char digits[] = "0123456789abcdef";
    for (int shift = 12; shift > 0; shift -= 4)
        if (group >> shift)
            *at++ = digits[group >> shift & 15];
    *at++ = digits[group & 15];
    return at;
}

/* The first of the longest runs of two or more zero groups; a length of 0 when there is none (RFC 5952 section 4.2). */
static void longest_zero_run(const uint16_t groups[8], int *start, int *len)
{
    *start = -1;
    *len = 0;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && groups[i + run] == 0)
            run++;
        if (run > 1 && run > *len) {
            *start = i;
            *len = run;
        }
        i += run;
    }
}

void vr_text_ipv6(vr_text *text, const uint8_t octets[16])
{
    uint16_t groups[8];
    for (int i = 0; i < 8; i++)
        groups[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
    int zeros_at, zeros;
    longest_zero_run(groups, &zeros_at, &zeros);
    bool dotted = zeros_at == 0 && (zeros == 6 || (zeros == 5 && groups[5] == 0xffff));

    char address[sizeof "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"];
    char *at = address;
    for (int i = 0; i < 8; i++) {
        if (i == zeros_at) {
            *at++ = ':'; /* and the next group's own colon */
            i += zeros - 1;
            if (i == 7)
                *at++ = ':';
            continue;
        }
        if (i > 0)
            *at++ = ':';
        if (i == 6 && dotted) {
            at = put_ipv4(at, octets + 12);
            break;
        }
        at = put_group(at, groups[i]);
    }
    vr_text_put(text, address, (size_t)(at - address));
}

void vr_text_name(vr_text *text, const vr_name *name)
{
    if (text->full)
        return;
    ssize_t len = vr_name_to_text(name, text->at, (size_t)(text->end - text->at) + 1);
    if (len < 0)
        text->full = true;
    else
        text->at += len;
}

void vr_text_type(vr_text *text, uint16_t type)
{
    char mnemonic[VR_MNEMONIC_SIZE];
    vr_text_string(text, vr_type_text(type, mnemonic));
}

void vr_text_escaped(vr_text *text, const uint8_t *octets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t octet = octets[i];
        bool printable = octet >= ' ' && octet <= '~';
        bool special = octet == '"' || octet == '\\';
        char *at = vr_text_room(text, printable ? 1 + special : 4);
        if (!at)
            return;
        if (!printable) {
            vr_escape_decimal(at, octet);
            continue;
        }
        if (special)
            *at++ = '\\';
        *at = (char)octet;
    }
}

void vr_text_quoted(vr_text *text, const uint8_t *octets, size_t count)
{
    vr_text_char(text, '"');
    vr_text_escaped(text, octets, count);
    vr_text_char(text, '"');
}
