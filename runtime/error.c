#include "interruption.h"

#include <errno.h>
#include <string.h>

const char *vr_strerror(long error)
{
    switch (error) {
    case 0:
        return "Success";
    case -ECANCELED:
        return "Told to end";
    case -EDEADLK:
        return "This operation would block forever";
    case -ENOMEM:
        return "Out of memory, or of mappings (sysctl vm.max_map_count)";
    case -ESHUTDOWN:
        return "The queue has been shut down";
    case -EPERM:
        return "Not allowed in a hub callback";
    default:
        break;
    }
    if (vr_is_timeout(error))
        return "Timed out";
    if (vr_is_interruption(error))
        return "The scope was cancelled";
    const char *text = error < 0 && error >= -4095 ? strerrordesc_np((int)-error) : NULL;
    return text ? text : "Unknown error";
}
