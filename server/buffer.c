#include "buffer.h"

#include <stdlib.h>

bool buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->size >= size)
        return true;
    size_t larger = buffer->size ? buffer->size : BUFFER_SIZE;
    while (larger < size)
        larger *= 2;
    uint8_t *octets = realloc(buffer->octets, larger);
    if (!octets)
        return false;
    buffer->octets = octets;
    buffer->size = larger;
    return true;
}

void buffer_trim(struct buffer *buffer)
{
    if (!buffer->len && buffer->size > BUFFER_SIZE)
        buffer_done(buffer);
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->octets);
    *buffer = (struct buffer){.len = 0};
}
