/*
 * Greenlet-local storage: one value for each greenlet under the same name.
 *
 *     static vr_local user = VR_LOCAL(free);
 *
 *     vr_local_set(&user, strdup("alice"));    // in one greenlet
 *     vr_local_get(&user)                      // NULL in every other
 */
#ifndef VIREO_LOCAL_H
#define VIREO_LOCAL_H

#include <vireo/greenlet.h>

/* A name, by its address: must outlive every value that was set. */
typedef struct vr_local {
    void (*end)(void *value); /* may be NULL */
} vr_local;

/*
 * `end` is called for a value, unless it is NULL, when its greenlet ends or sets another. At the end of the greenlet's
 * function values are ended in the order in which their names were first set, on its own stack: `end` may block, and
 * set values anew, which are ended after the others. The main greenlet's are ended by vr_hub_free.
 */
#define VR_LOCAL(end_value) \
    {                       \
        .end = (end_value)  \
    }

/* The current greenlet's value; NULL when none was set, and in a hub callback. */
void *vr_local_get(const vr_local *local);

/*
 * Sets the current greenlet's value, and then ends the one it had, unless that is the same. Returns 0; -ENOMEM, with
 * nothing set (never when there was one, nor for NULL); -EPERM in a hub callback.
 */
int vr_local_set(const vr_local *local, void *value);

#endif
