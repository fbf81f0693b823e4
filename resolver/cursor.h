/*
 * A bounds-checked cursor over a part of a message. Its error is sticky: a read past the end gives zeros or NULL, and
 * so does every read after it, so that a whole structure is read straight through and `failed` looked at once.
 */
#ifndef VIREO_CURSOR_H
#define VIREO_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vr_cursor {
    const uint8_t *message;
    size_t at, end; /* offsets in message; at <= end always */
    bool failed;    /* at == end then: nothing is left, and loops that read what is left come to their end */
} vr_cursor;

static inline size_t vr_cursor_left(const vr_cursor *cursor)
{
    return cursor->end - cursor->at;
}

/* Makes it fail: for what can be read, but must not be so. */
static inline void vr_cursor_fail(vr_cursor *cursor)
{
    cursor->failed = true;
    cursor->at = cursor->end;
}

static inline void vr_cursor_require(vr_cursor *cursor, bool condition)
{
    if (!condition)
        vr_cursor_fail(cursor);
}

/* The next `count` octets, or NULL. */
static inline const uint8_t *vr_cursor_take(vr_cursor *cursor, size_t count)
{
    if (cursor->failed || count > vr_cursor_left(cursor)) {
        vr_cursor_fail(cursor);
        return NULL;
    }
    const uint8_t *octets = cursor->message + cursor->at;
    cursor->at += count;
    return octets;
}

static inline uint16_t vr_load_u16(const uint8_t *octets)
{
    return (uint16_t)(octets[0] << 8 | octets[1]);
}

static inline uint32_t vr_load_u32(const uint8_t *octets)
{
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
}

static inline uint8_t vr_cursor_u8(vr_cursor *cursor)
{
    const uint8_t *octets = vr_cursor_take(cursor, 1);
    return octets ? octets[0] : 0;
}

static inline uint16_t vr_cursor_u16(vr_cursor *cursor)
{
    const uint8_t *octets = vr_cursor_take(cursor, 2);
    return octets ? vr_load_u16(octets) : 0;
}

static inline uint32_t vr_cursor_u32(vr_cursor *cursor)
{
    const uint8_t *octets = vr_cursor_take(cursor, 4);
    return octets ? vr_load_u32(octets) : 0;
}

#endif
