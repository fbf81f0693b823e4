/*
 * A growing row of octets, and the ways to add to it that need neither printf nor a temporary copy.
 *
 * Running out of memory is sticky: from then on nothing is added, and whoever finishes checks `error` once.
 */
#ifndef CLI_BUFFER_H
#define CLI_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Zeroed, it is empty. */
struct buffer {
    char *data;
    size_t len, capacity;
    int error; /* 0 or -ENOMEM */
};

/* Frees the octets; the buffer is empty again. */
void buffer_done(struct buffer *buffer);

/* The slow path of buffer_room. */
char *buffer_grow(struct buffer *buffer, size_t wanted);

/* Room for `wanted` octets behind the end, to be taken by raising len; NULL when there is no memory. */
static inline char *buffer_room(struct buffer *buffer, size_t wanted)
{
    if (buffer->capacity - buffer->len < wanted)
        return buffer_grow(buffer, wanted);
    return buffer->data + buffer->len;
}

static inline void buffer_char(struct buffer *buffer, char c)
{
    char *room = buffer_room(buffer, 1);
    if (!room)
        return;
    *room = c;
    buffer->len++;
}

static inline void buffer_append(struct buffer *buffer, const char *text, size_t len)
{
    char *room = buffer_room(buffer, len);
    if (!room)
        return;
    memcpy(room, text, len);
    buffer->len += len;
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

/* A string literal: its length is known to the compiler. */
#define buffer_literal(buffer, literal) buffer_append(buffer, "" literal, sizeof(literal) - 1)

/* Repeats octets that stand in the buffer already. */
void buffer_repeat(struct buffer *buffer, size_t at, size_t len);

/* A number in decimal digits. */
void buffer_number(struct buffer *buffer, uint64_t number);

/* A number in `digits` decimal digits, zeros in front. */
void buffer_digits(struct buffer *buffer, uint64_t number, int digits);

#endif
