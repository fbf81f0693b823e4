/*
 * Durations as users write them: "1.5s", "300ms", "2m", "1h"; a number alone is seconds.
 */
#ifndef CLI_DURATION_H
#define CLI_DURATION_H

#include <vireo/time.h>

/* The longest duration that is understood. */
#define DURATION_MAX (1000 * VR_SECONDS(3600))

/*
 * Reads a duration. Returns 0, or -EINVAL: not of this form, not more than 0, or longer than DURATION_MAX. Digits below
 * a nanosecond are dropped.
 */
int duration_from_text(vr_time *out, const char *text);

#endif
