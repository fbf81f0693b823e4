#include "buffer.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 4096 };

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

char *buffer_grow(struct buffer *buffer, size_t wanted)
{
    if (buffer->error)
        return NULL;
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity - buffer->len < wanted && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *data = capacity - buffer->len < wanted ? NULL : realloc(buffer->data, capacity);
    if (!data) {
        buffer->error = -ENOMEM;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->len;
}

void buffer_repeat(struct buffer *buffer, size_t at, size_t len)
{
    char *room = buffer_room(buffer, len);
    if (!room)
        return;
    memcpy(room, buffer->data + at, len);
    buffer->len += len;
}

void buffer_number(struct buffer *buffer, uint64_t number)
{
    int digits = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        digits++;
    buffer_digits(buffer, number, digits);
}

void buffer_digits(struct buffer *buffer, uint64_t number, int digits)
{
    char *room = buffer_room(buffer, (size_t)digits);
    if (!room)
        return;
    for (int i = digits; i-- > 0; number /= 10)
        room[i] = (char)('0' + number % 10);
    buffer->len += (size_t)digits;
}
