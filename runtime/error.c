#include <vireo/greenlet.h>

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
    case -EPERM:
        return "Not allowed in a hub callback";
    default:
        break;
    }
    const char *text = error < 0 && error >= -4095 ? strerrordesc_np((int)-error) : NULL;
    return text ? text : "Unknown error";
}
