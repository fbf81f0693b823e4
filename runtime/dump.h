/* What the reports ask of each other. */
#ifndef VIREO_RUNTIME_DUMP_H
#define VIREO_RUNTIME_DUMP_H

#include "greenlet.h"

#include <stdio.h>
#include <vireo/semaphore.h>

enum vr_dump_flags {
    VR_DUMP_NO_STACKS = 1, /* without how deep they go */
};

/* dump.c: writes a line for each of these greenlets, in columns that fit them all. */
void vr_dump_lines(FILE *out, struct vr_hub *hub, const vr_greenlet *const greenlets[], size_t count, unsigned flags);

/* deadlock.c: has a lock an owner that ended without giving it back? Its record may be gone, and is not to be read. */
bool vr_lock_is_orphaned(const vr_rlock *lock);

#endif
