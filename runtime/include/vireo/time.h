/*
 * Time: one type for durations and instants.
 *
 * Durations are given to every call that can block; inside, each becomes a deadline on the hub's clock. That clock is
 * CLOCK_MONOTONIC, or virtual where a test asked for it (vr_hub_virtual_clock, <vireo/hub.h>).
 */
#ifndef VIREO_TIME_H
#define VIREO_TIME_H

#include <stdint.h>

/* Nanoseconds: a duration, or an instant of the hub's clock. */
typedef int64_t vr_time;

#define VR_MICROSECONDS(n) ((vr_time)((n)*1000LL))
#define VR_MILLISECONDS(n) ((vr_time)((n)*1000000LL))
#define VR_SECONDS(n) ((vr_time)((n)*1000000000LL))

/* As a timeout: never expires. */
#define VR_FOREVER INT64_MAX

/* The current instant of this thread's hub's clock. Never switches, never fails. */
vr_time vr_now(void);

/* The instant `timeout` from now; VR_FOREVER stays VR_FOREVER, and no sum overflows. */
vr_time vr_deadline(vr_time timeout);

/* What is left until `deadline`: 0 when it has passed, VR_FOREVER for VR_FOREVER. */
vr_time vr_remaining(vr_time deadline);

#endif
