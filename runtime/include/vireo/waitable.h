/*
 * What can be waited for: greenlets, events, results, semaphores. Each is embedded as the first member, `waitable`, of
 * its own type (of a greenlet: vr_greenlet_waitable), so that a program can link to any of them, and wait for some of
 * each at once (vr_wait_object, <vireo/spawn.h>).
 */
#ifndef VIREO_WAITABLE_H
#define VIREO_WAITABLE_H

#include <vireo/hub.h>

/*
 * A call from the hub when something is ready. The caller owns the struct, which must stay until it has fired or is
 * unlinked. It fires once. `source` is what it was linked to: the greenlet, event, result or semaphore itself.
 *
 * Links fire in the order they were added, and greenlets that wait are woken in the same order; also on what is ready
 * already, but never from within the call that links. One may take off others, itself, or add some. A call must not
 * block; what it would fail with has nowhere to go, so that it keeps no other link from being called.
 */
typedef struct vr_link {
    void (*notify)(void *source, void *context);
    void *context;
    struct vr_waitable *waitable; /* private, as is all below; NULL while it is not linked */
    struct vr_link *next, *previous;
} vr_link;

/* The fields are private, and set by the initialiser of what it is part of. */
typedef struct vr_waitable {
    enum vr_waitable_kind {
        VR_WAITABLE_GREENLET = 1,
        VR_WAITABLE_EVENT,
        VR_WAITABLE_RESULT,
        VR_WAITABLE_SEMAPHORE,
    } kind;
    vr_link *first, *last;
    vr_callback notify;
} vr_waitable;

/* Adds a link, which must not be linked. */
void vr_waitable_link(vr_waitable *waitable, vr_link *link);

/* Takes a link off that has not fired; one that is not linked is left alone. */
void vr_unlink(vr_link *link);

/* Would a wait for it end at once? */
bool vr_waitable_ready(const vr_waitable *waitable);

#endif
