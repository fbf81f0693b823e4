#include <vireo/resolve.h>

#include <errno.h>

static const char *const rcode_texts[] = {
    [VR_RCODE_NOERROR] = "No error",
    [VR_RCODE_FORMERR] = "The server did not understand the query",
    [VR_RCODE_SERVFAIL] = "The server failed",
    [VR_RCODE_NXDOMAIN] = "The name does not exist",
    [VR_RCODE_NOTIMP] = "The server does not know this kind of query",
    [VR_RCODE_REFUSED] = "The server refused",
};

const char *vr_dns_strerror(long error)
{
    bool of_dns = error <= -VR_DNS_ERROR(0) && error > -VR_DNS_ERROR(4096);
    long rcode = of_dns ? -error - VR_DNS_ERROR(0) : -1;

    if (rcode >= 0 && rcode < (long)(sizeof rcode_texts / sizeof rcode_texts[0]))
        return rcode_texts[rcode];
    if (rcode >= 0 && rcode < 4096)
        return "The server answered with an error";
    switch (error) {
    case -VR_NO_DATA:
        return "The name has no such record";
    case -ETIMEDOUT:
        return "No server answered in time";
    case -ECONNREFUSED:
        return "No server takes queries";
    case -EINVAL:
        return "Not a domain name";
    case -ENOENT:
        return "Unknown service";
    case -ELOOP:
        return "The name's aliases do not end";
    default:
        return vr_strerror(error);
    }
}

int vr_gai_error(long error)
{
    switch (error) {
    case 0:
        return 0;
    case -VR_DNS_ERROR(VR_RCODE_NXDOMAIN):
    case -VR_NO_DATA:
    case -EINVAL:
        return EAI_NONAME;
    case -ETIMEDOUT:
    case -ECONNREFUSED:
    case -VR_DNS_ERROR(VR_RCODE_SERVFAIL):
        return EAI_AGAIN;
    case -ENOMEM:
        return EAI_MEMORY;
    case -ENOENT:
        return EAI_SERVICE;
    default:
        return error <= -VR_DNS_ERROR(0) ? EAI_FAIL : EAI_SYSTEM;
    }
}
