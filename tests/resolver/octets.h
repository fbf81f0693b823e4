/*
 * Octets for the tests of the wire format: written in hex, and copied to the heap at their exact size, so that a read
 * past their end is seen by AddressSanitizer and valgrind.
 */
#ifndef VIREO_TESTS_OCTETS_H
#define VIREO_TESTS_OCTETS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct octets {
    uint8_t *at; /* for free */
    size_t len;
} octets;

static inline octets octets_copy(const void *from, size_t len)
{
    octets copy = {malloc(len > 0 ? len : 1), len};
    assert(copy.at);
    if (len > 0)
        memcpy(copy.at, from, len);
    return copy;
}

static inline int octets_hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, digit);
    assert(digit != '\0' && at);
    return (int)(at - digits);
}

/* Hex in lower case, blanks between octets where they help. */
static inline octets octets_from_hex(const char *hex)
{
    octets out = {malloc(strlen(hex) / 2 + 1), 0};
    assert(out.at);
    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        out.at[out.len++] = (uint8_t)(octets_hex_digit(hex[0]) << 4 | octets_hex_digit(hex[1]));
        hex += 2;
    }
    return out;
}

/* Numbers that look random and are the same in every run (xorshift). */
static inline uint32_t octets_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

#endif
