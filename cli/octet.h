/*
 * The fastest way to write the numbers that addresses are made of.
 */
#ifndef CLI_OCTET_H
#define CLI_OCTET_H

#include <stdint.h>

/* Writes 0 to 255 in decimal, 1 to 3 characters and no NUL. Returns the end of it. */
static inline char *put_octet(char *at, uint8_t octet)
{
    if (octet >= 100)
        *at++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

#endif
