#include "rdata.h"

#include <stddef.h>
#include <vireo/dns.h>

/*
 * RFC 3597 section 4: the types of RFC 1035 may be written compressed and must be decompressed; for the others here,
 * older RFCs allowed it, so that they should be decompressed but not be written so. No other type is to have pointers.
 */
static const vr_rdata_layout layouts[] = {
    [VR_TYPE_NS] = {.names = 1, .may_be_packed = true},
    [3] = {.names = 1, .may_be_packed = true}, /* MD */
    [4] = {.names = 1, .may_be_packed = true}, /* MF */
    [VR_TYPE_CNAME] = {.names = 1, .may_be_packed = true},
    [VR_TYPE_SOA] = {.names = 2, .tail = 20, .may_be_packed = true},
    [7] = {.names = 1, .may_be_packed = true}, /* MB */
    [8] = {.names = 1, .may_be_packed = true}, /* MG */
    [9] = {.names = 1, .may_be_packed = true}, /* MR */
    [VR_TYPE_PTR] = {.names = 1, .may_be_packed = true},
    [14] = {.names = 2, .may_be_packed = true}, /* MINFO */
    [VR_TYPE_MX] = {.octets = 2, .names = 1, .may_be_packed = true},
    [17] = {.names = 2},                                      /* RP */
    [18] = {.octets = 2, .names = 1},                         /* AFSDB */
    [21] = {.octets = 2, .names = 1},                         /* RT */
    [24] = {.octets = 18, .names = 1, .tail = VR_RDATA_REST}, /* SIG */
    [26] = {.octets = 2, .names = 2, .in_only = true},        /* PX */
    [30] = {.names = 1, .tail = VR_RDATA_REST},               /* NXT */
    [VR_TYPE_SRV] = {.octets = 6, .names = 1, .in_only = true},
    [35] = {.octets = 4, .strings = 3, .names = 1}, /* NAPTR */
};

const vr_rdata_layout *vr_rdata_layout_of(uint16_t type, uint16_t class_)
{
    if (type >= sizeof layouts / sizeof layouts[0] || layouts[type].names == 0)
        return NULL;
    return layouts[type].in_only && class_ != VR_CLASS_IN ? NULL : &layouts[type];
}
