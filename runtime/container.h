/* The struct that a member is embedded in. */
#ifndef VIREO_RUNTIME_CONTAINER_H
#define VIREO_RUNTIME_CONTAINER_H

#include <stddef.h>

#define VR_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
