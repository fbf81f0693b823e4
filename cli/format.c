#include "format.h"

static const struct {
    const char *name;
    format_function *format;
} formats[] = {
    {"text", format_text},
    {"json", format_json},
    {"massdns", format_massdns},
};

format_function *format_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0)
            return formats[i].format;
    return NULL;
}
