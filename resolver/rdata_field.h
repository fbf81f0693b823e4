/*
 * The fields of records' data: each function takes one from the data and writes its text, with a space in front where
 * something stands before it. Data that does not fit makes `in` fail.
 */
#ifndef VIREO_RDATA_FIELD_H
#define VIREO_RDATA_FIELD_H

#include "cursor.h"
#include "text.h"

typedef struct vr_field_io {
    vr_cursor in; /* over the record's data, in its message */
    vr_text out;
} vr_field_io;

typedef void vr_field(vr_field_io *io);

/* A name without compression (RFC 3597 section 4 allows no other in newer types). */
vr_field vr_field_plain_name;

/* IPSECKEY (RFC 4025), AMTRELAY (RFC 8777), HIP (RFC 8005): whole, as fields there depend on those before. */
vr_field vr_field_ipseckey;
vr_field vr_field_amtrelay;
vr_field vr_field_hip;

vr_field vr_field_type_bitmap; /* RFC 4034 section 4.1.2 */
vr_field vr_field_services;    /* a WKS record's bitmap of ports (RFC 1035 section 3.4.2) */
vr_field vr_field_prefixes;    /* APL (RFC 3123) */
vr_field vr_field_location;    /* LOC (RFC 1876) */
vr_field vr_field_time;        /* RFC 4034 section 3.2 */
vr_field vr_field_params;      /* SvcParams (RFC 9460 section 2) */

#endif
