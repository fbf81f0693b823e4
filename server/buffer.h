/* Octets that grow at the end. */
#ifndef VIREOD_BUFFER_H
#define VIREOD_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a buffer begins with, and may keep while it is empty. */
enum { BUFFER_SIZE = 4096 };

struct buffer {
    uint8_t *octets;
    size_t len, size;
};

/* Room for `size` octets in all. False when memory ran out; nothing is changed then. */
bool buffer_reserve(struct buffer *buffer, size_t size);

/* Gives back what one that is empty has grown to: a connection that was busy once holds no more than others. */
void buffer_trim(struct buffer *buffer);

void buffer_done(struct buffer *buffer);

#endif
