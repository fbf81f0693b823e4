/* Random numbers that nobody can guess: the system's, drawn in blocks. */
#ifndef VIREO_RESOLVER_RANDOM_H
#define VIREO_RESOLVER_RANDOM_H

#include <stdint.h>

uint16_t vr_random16(void);

#endif
