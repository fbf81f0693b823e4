/*
 * Where the data of a type carries names that may be compressed.
 */
#ifndef VIREO_RDATA_H
#define VIREO_RDATA_H

#include <stdbool.h>
#include <stdint.h>

enum { VR_RDATA_REST = 255 };

/* `octets` octets, `strings` character-strings, `names` names, then `tail` octets more: exactly, or VR_RDATA_REST. */
typedef struct vr_rdata_layout {
    uint8_t octets, strings, names, tail;
    bool in_only;       /* the type has this form in class IN alone */
    bool may_be_packed; /* its names may be written compressed */
} vr_rdata_layout;

/* The layout of a type that a receiver must or should decompress (RFC 3597 section 4), or NULL. */
const vr_rdata_layout *vr_rdata_layout_of(uint16_t type, uint16_t class_);

#endif
