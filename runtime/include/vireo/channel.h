/*
 * Channels: a queue with no room in it. An item passes from who puts it straight to who gets it, and both wait for each
 * other.
 *
 *     vr_channel channel = VR_CHANNEL;
 *
 * An item is a pointer, NULL included. It is the getter's, and no longer the putter's, when put has returned 0; a call
 * that fails has passed nothing on. Putters and getters are served in the order in which they came, each having its own
 * from that moment: nobody who comes later gets in between, and when one is killed before its turn, its place goes to
 * the next.
 *
 * What was taken cannot be put back. So a put whose item was taken returns 0 even when it is killed, or has a timeout
 * (<vireo/timeout.h>), in that very turn, and what was thrown comes at the next wait; likewise a get of an item that
 * was put with a `timeout` of 0.
 *
 * Waits fail with -ETIMEDOUT after `timeout`; -EPERM in a hub callback; -ENOMEM where there is no memory for a timer;
 * and with what is thrown into the caller. Nothing is to be freed; a channel must outlive those who wait on it, and
 * belongs to their thread.
 */
#ifndef VIREO_CHANNEL_H
#define VIREO_CHANNEL_H

#include <vireo/greenlet.h>
#include <vireo/time.h>

/* The fields are private. */
typedef struct vr_channel {
    struct vr_place *getters, *putters;
    size_t putting;   /* items that putters bring */
    size_t promised;  /* of these, to getters that were served and have not had their turn */
    uint64_t tickets; /* given to getters */
} vr_channel;

/* A channel: `vr_channel channel = VR_CHANNEL;` A static one: `static vr_channel channel;` */
#define VR_CHANNEL ((vr_channel){0})

/*
 * Passes an item on; returns when a getter has taken it, and always switches. With a `timeout` of 0 it never does, and
 * may be called in a hub callback: it hands the item to a getter that waits, or fails with -ETIMEDOUT when none does.
 * Returns 0, or an error of the wait.
 */
int vr_channel_put(vr_channel *channel, void *item, vr_time timeout);

/*
 * Takes an item; waits while nobody puts one. Does not switch when somebody waits with an item; with a `timeout` of 0
 * never, and may then be called in a hub callback: -ETIMEDOUT when nobody does. The error is one of the wait.
 */
vr_result vr_channel_get(vr_channel *channel, vr_time timeout);

#endif
