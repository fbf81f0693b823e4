#include "duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *suffix;
    vr_time length;
} units[] = {
    {"", VR_SECONDS(1)},   {"s", VR_SECONDS(1)},    {"ms", VR_MILLISECONDS(1)},
    {"m", VR_SECONDS(60)}, {"h", VR_SECONDS(3600)},
};

static vr_time unit_length(const char *suffix)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(suffix, units[i].suffix) == 0)
            return units[i].length;
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int duration_from_text(vr_time *out, const char *text)
{
    int64_t whole = 0, billionths = 0;
    if (!is_digit(*text))
        return -EINVAL;
    for (; is_digit(*text); text++)
        if ((whole = whole * 10 + (*text - '0')) > DURATION_MAX / VR_MILLISECONDS(1))
            return -EINVAL;
    if (*text == '.') {
        if (!is_digit(*++text))
            return -EINVAL;
        for (int64_t weight = 100000000; is_digit(*text); text++, weight /= 10)
            billionths += (*text - '0') * weight;
    }
    vr_time unit = unit_length(text);
    if (unit == 0 || whole > DURATION_MAX / unit)
        return -EINVAL;
    /* Units are whole milliseconds, so this order neither overflows nor loses a nanosecond. */
    vr_time total = whole * unit + unit / 1000000 * billionths / 1000;
    if (total <= 0 || total > DURATION_MAX)
        return -EINVAL;
    *out = total;
    return 0;
}
