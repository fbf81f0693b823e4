#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { BLOCK = 128 };

uint16_t vr_random16(void)
{
    static _Thread_local uint16_t block[BLOCK];
    static _Thread_local unsigned left;

    if (!left) {
        /* Requests of up to 256 octets are never cut short, and fail only where the kernel has no such call. */
        if (getrandom(block, sizeof block, 0) != (ssize_t)sizeof block) {
            perror("vireo: getrandom");
            abort();
        }
        left = BLOCK;
    }
    return block[--left];
}
