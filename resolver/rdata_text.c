/*
 * Presentation format: what the fields of each type are, and the writers of the simple ones.
 */
#include "name.h"
#include "rdata_field.h"

/* --- Fields --- */

static void u8(vr_field_io *io)
{
    vr_text_gap(&io->out);
    vr_text_decimal(&io->out, vr_cursor_u8(&io->in));
}

static void u16(vr_field_io *io)
{
    vr_text_gap(&io->out);
    vr_text_decimal(&io->out, vr_cursor_u16(&io->in));
}

static void u32(vr_field_io *io)
{
    vr_text_gap(&io->out);
    vr_text_decimal(&io->out, vr_cursor_u32(&io->in));
}

/* A name that may be compressed. The data's end bounds it, as pointers go back only. */
static void name(vr_field_io *io)
{
    vr_cursor *in = &io->in;
    vr_name found;
    ssize_t behind = vr_name_read(&found, in->message, in->end, in->at);
    if (behind < 0) {
        vr_cursor_fail(in);
        return;
    }
    in->at = (size_t)behind;
    vr_text_gap(&io->out);
    vr_text_name(&io->out, &found);
}

static void ipv4(vr_field_io *io)
{
    const uint8_t *address = vr_cursor_take(&io->in, 4);
    vr_text_gap(&io->out);
    if (address)
        vr_text_ipv4(&io->out, address);
}

static void ipv6(vr_field_io *io)
{
    const uint8_t *address = vr_cursor_take(&io->in, 16);
    vr_text_gap(&io->out);
    if (address)
        vr_text_ipv6(&io->out, address);
}

/* A <character-string> (RFC 1035 section 3.3). */
static void string(vr_field_io *io)
{
    size_t len = vr_cursor_u8(&io->in);
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    vr_text_gap(&io->out);
    if (octets)
        vr_text_quoted(&io->out, octets, len);
}

static void string_or_none(vr_field_io *io)
{
    if (vr_cursor_left(&io->in) > 0)
        string(io);
}

/* One or more. */
static void strings(vr_field_io *io)
{
    string(io);
    while (vr_cursor_left(&io->in) > 0)
        string(io);
}

/* The property tag of CAA (RFC 8659 section 4.1): ASCII letters and digits, without quotes. */
static void tag(vr_field_io *io)
{
    size_t len = vr_cursor_u8(&io->in);
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    vr_cursor_require(&io->in, len > 0);
    for (size_t i = 0; octets && i < len; i++) {
        uint8_t letter = vr_ascii_lower(octets[i]);
        if ((letter < 'a' || letter > 'z') && (letter < '0' || letter > '9'))
            vr_cursor_fail(&io->in);
    }
    vr_text_gap(&io->out);
    if (octets)
        vr_text_put(&io->out, (const char *)octets, len);
}

/* All that is left. */
static const uint8_t *rest(vr_field_io *io, size_t *len)
{
    *len = vr_cursor_left(&io->in);
    vr_text_gap(&io->out);
    return vr_cursor_take(&io->in, *len);
}

/* As a string of its own, without a length in front. */
static void rest_quoted(vr_field_io *io)
{
    size_t len;
    const uint8_t *octets = rest(io, &len);
    if (octets)
        vr_text_quoted(&io->out, octets, len);
}

/* The target of URI (RFC 7553 section 4.4): never empty. */
static void target(vr_field_io *io)
{
    vr_cursor_require(&io->in, vr_cursor_left(&io->in) > 0);
    rest_quoted(io);
}

/* A master file has no text for hex or base64 of nothing: such data does not fit. */
static void rest_hex(vr_field_io *io)
{
    size_t len;
    const uint8_t *octets = rest(io, &len);
    vr_cursor_require(&io->in, len > 0);
    if (octets)
        vr_text_hex(&io->out, octets, len);
}

static void rest_base64(vr_field_io *io)
{
    size_t len;
    const uint8_t *octets = rest(io, &len);
    vr_cursor_require(&io->in, len > 0);
    if (octets)
        vr_text_base64(&io->out, octets, len);
}

/* "-" when there is nothing. */
static void rest_base64_or_dash(vr_field_io *io)
{
    if (vr_cursor_left(&io->in) > 0)
        rest_base64(io);
    else
        vr_text_string(&io->out, " -");
}

/* RFC 1706 section 5. */
static void nsap(vr_field_io *io)
{
    vr_text_string(&io->out, "0x");
    size_t len = vr_cursor_left(&io->in);
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    if (octets)
        vr_text_hex(&io->out, octets, len);
}

static void type(vr_field_io *io)
{
    vr_text_gap(&io->out);
    vr_text_type(&io->out, vr_cursor_u16(&io->in));
}

/* RFC 5155 section 3.3: "-" for no salt. */
static void salt(vr_field_io *io)
{
    size_t len = vr_cursor_u8(&io->in);
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    vr_text_gap(&io->out);
    if (octets && len > 0)
        vr_text_hex(&io->out, octets, len);
    else
        vr_text_char(&io->out, '-');
}

static void next_hash(vr_field_io *io)
{
    size_t len = vr_cursor_u8(&io->in);
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    vr_cursor_require(&io->in, len > 0);
    vr_text_gap(&io->out);
    if (octets)
        vr_text_base32hex(&io->out, octets, len);
}

/* `count` times `size` octets in hex, with a separator between them. */
static void put_groups(vr_field_io *io, size_t count, size_t size, char separator)
{
    vr_text_gap(&io->out);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *octets = vr_cursor_take(&io->in, size);
        if (i > 0)
            vr_text_char(&io->out, separator);
        if (octets)
            vr_text_hex(&io->out, octets, size);
    }
}

/* RFC 6742 section 2.1.2. */
static void node_id(vr_field_io *io)
{
    put_groups(io, 4, 2, ':');
}

/* RFC 7043 sections 3.2 and 4.2. */
static void eui48(vr_field_io *io)
{
    put_groups(io, 6, 1, '-');
}

static void eui64(vr_field_io *io)
{
    put_groups(io, 8, 1, '-');
}

/* --- Types --- */

enum { FIELDS_MAX = 9 };

struct format {
    uint16_t type;
    enum { ANY_CLASS, IN_ONLY } class_; /* where the type has these fields */
    vr_field *fields[FIELDS_MAX + 1];
};

/* Short names for the table. */
#define plain_name vr_field_plain_name
#define date vr_field_time
#define types vr_field_type_bitmap

/*
 * Sorted by type: find_format searches by halves. A type whose data has no text of its own, as NULL, or that is
 * obsolete, experimental or meta, is left to the form of RFC 3597.
 */
static const struct format formats[] = {
    {1, IN_ONLY, {ipv4}},                                                           /* A: RFC 1035 section 3.4.1 */
    {2, ANY_CLASS, {name}},                                                         /* NS: RFC 1035 section 3.3.11 */
    {3, ANY_CLASS, {name}},                                                         /* MD: RFC 1035 section 3.3.4 */
    {4, ANY_CLASS, {name}},                                                         /* MF: RFC 1035 section 3.3.5 */
    {5, ANY_CLASS, {name}},                                                         /* CNAME: RFC 1035 section 3.3.1 */
    {6, ANY_CLASS, {name, name, u32, u32, u32, u32, u32}},                          /* SOA: RFC 1035 section 3.3.13 */
    {7, ANY_CLASS, {name}},                                                         /* MB: RFC 1035 section 3.3.3 */
    {8, ANY_CLASS, {name}},                                                         /* MG: RFC 1035 section 3.3.6 */
    {9, ANY_CLASS, {name}},                                                         /* MR: RFC 1035 section 3.3.8 */
    {11, IN_ONLY, {ipv4, u8, vr_field_services}},                                   /* WKS: RFC 1035 section 3.4.2 */
    {12, ANY_CLASS, {name}},                                                        /* PTR: RFC 1035 section 3.3.12 */
    {13, ANY_CLASS, {string, string}},                                              /* HINFO: RFC 1035 section 3.3.2 */
    {14, ANY_CLASS, {name, name}},                                                  /* MINFO: RFC 1035 section 3.3.7 */
    {15, ANY_CLASS, {u16, name}},                                                   /* MX: RFC 1035 section 3.3.9 */
    {16, ANY_CLASS, {strings}},                                                     /* TXT: RFC 1035 section 3.3.14 */
    {17, ANY_CLASS, {name, name}},                                                  /* RP: RFC 1183 section 2.2 */
    {18, ANY_CLASS, {u16, name}},                                                   /* AFSDB: RFC 1183 section 1 */
    {19, ANY_CLASS, {string}},                                                      /* X25: RFC 1183 section 3.1 */
    {20, ANY_CLASS, {string, string_or_none}},                                      /* ISDN: RFC 1183 section 3.2 */
    {21, ANY_CLASS, {u16, name}},                                                   /* RT: RFC 1183 section 3.3 */
    {22, IN_ONLY, {nsap}},                                                          /* NSAP: RFC 1706 section 5 */
    {23, IN_ONLY, {plain_name}},                                                    /* NSAP-PTR: RFC 1706 section 6 */
    {24, ANY_CLASS, {type, u8, u8, u32, date, date, u16, name, rest_base64}},       /* SIG: RFC 2535 section 4.1 */
    {25, ANY_CLASS, {u16, u8, u8, rest_base64}},                                    /* KEY: RFC 2535 section 3.1 */
    {26, IN_ONLY, {u16, name, name}},                                               /* PX: RFC 2163 section 4 */
    {27, ANY_CLASS, {string, string, string}},                                      /* GPOS: RFC 1712 section 3 */
    {28, IN_ONLY, {ipv6}},                                                          /* AAAA: RFC 3596 section 2.2 */
    {29, ANY_CLASS, {vr_field_location}},                                           /* LOC: RFC 1876 section 2 */
    {33, IN_ONLY, {u16, u16, u16, name}},                                           /* SRV: RFC 2782 */
    {35, ANY_CLASS, {u16, u16, string, string, string, name}},                      /* NAPTR: RFC 3403 section 4.1 */
    {36, IN_ONLY, {u16, plain_name}},                                               /* KX: RFC 2230 section 3.1 */
    {37, ANY_CLASS, {u16, u16, u8, rest_base64}},                                   /* CERT: RFC 4398 section 2 */
    {39, ANY_CLASS, {plain_name}},                                                  /* DNAME: RFC 6672 section 2.1 */
    {42, IN_ONLY, {vr_field_prefixes}},                                             /* APL: RFC 3123 section 4 */
    {43, ANY_CLASS, {u16, u8, u8, rest_hex}},                                       /* DS: RFC 4034 section 5.1 */
    {44, ANY_CLASS, {u8, u8, rest_hex}},                                            /* SSHFP: RFC 4255 section 3.1 */
    {45, IN_ONLY, {vr_field_ipseckey}},                                             /* IPSECKEY: RFC 4025 section 2.1 */
    {46, ANY_CLASS, {type, u8, u8, u32, date, date, u16, plain_name, rest_base64}}, /* RRSIG: RFC 4034 section 3.1 */
    {47, ANY_CLASS, {plain_name, types}},                                           /* NSEC: RFC 4034 section 4.1 */
    {48, ANY_CLASS, {u16, u8, u8, rest_base64}},                                    /* DNSKEY: RFC 4034 section 2.1 */
    {49, IN_ONLY, {rest_base64}},                                                   /* DHCID: RFC 4701 section 3.1 */
    {50, ANY_CLASS, {u8, u8, u16, salt, next_hash, types}},                         /* NSEC3: RFC 5155 section 3.2 */
    {51, ANY_CLASS, {u8, u8, u16, salt}},                          /* NSEC3PARAM: RFC 5155 section 4.2 */
    {52, ANY_CLASS, {u8, u8, u8, rest_hex}},                       /* TLSA: RFC 6698 section 2.1 */
    {53, ANY_CLASS, {u8, u8, u8, rest_hex}},                       /* SMIMEA: RFC 8162 section 2 */
    {55, ANY_CLASS, {vr_field_hip}},                               /* HIP: RFC 8005 section 5 */
    {56, ANY_CLASS, {strings}},                                    /* NINFO */
    {57, ANY_CLASS, {u16, u8, u8, rest_base64}},                   /* RKEY */
    {58, ANY_CLASS, {plain_name, plain_name}},                     /* TALINK */
    {59, ANY_CLASS, {u16, u8, u8, rest_hex}},                      /* CDS: RFC 7344 section 3.1 */
    {60, ANY_CLASS, {u16, u8, u8, rest_base64}},                   /* CDNSKEY: RFC 7344 section 3.2 */
    {61, ANY_CLASS, {rest_base64}},                                /* OPENPGPKEY: RFC 7929 section 2.1 */
    {62, ANY_CLASS, {u32, u16, types}},                            /* CSYNC: RFC 7477 section 2.1 */
    {63, ANY_CLASS, {u32, u8, u8, rest_hex}},                      /* ZONEMD: RFC 8976 section 2.2 */
    {64, IN_ONLY, {u16, plain_name, vr_field_params}},             /* SVCB: RFC 9460 section 2.2 */
    {65, IN_ONLY, {u16, plain_name, vr_field_params}},             /* HTTPS: RFC 9460 section 9 */
    {66, ANY_CLASS, {type, u8, u16, plain_name}},                  /* DSYNC: RFC 9859 section 2.1 */
    {99, ANY_CLASS, {strings}},                                    /* SPF: RFC 7208 section 3.1 */
    {104, ANY_CLASS, {u16, node_id}},                              /* NID: RFC 6742 section 2.1 */
    {105, ANY_CLASS, {u16, ipv4}},                                 /* L32: RFC 6742 section 2.2 */
    {106, ANY_CLASS, {u16, node_id}},                              /* L64: RFC 6742 section 2.3 */
    {107, ANY_CLASS, {u16, plain_name}},                           /* LP: RFC 6742 section 2.4 */
    {108, ANY_CLASS, {eui48}},                                     /* EUI48: RFC 7043 section 3.1 */
    {109, ANY_CLASS, {eui64}},                                     /* EUI64: RFC 7043 section 4.1 */
    {256, ANY_CLASS, {u16, u16, target}},                          /* URI: RFC 7553 section 4.5 */
    {257, ANY_CLASS, {u8, tag, rest_quoted}},                      /* CAA: RFC 8659 section 4.1 */
    {258, ANY_CLASS, {strings}},                                   /* AVC */
    {259, ANY_CLASS, {u32, u32, u8, string, rest_base64_or_dash}}, /* DOA */
    {260, ANY_CLASS, {vr_field_amtrelay}},                         /* AMTRELAY: RFC 8777 section 4.2 */
    {261, ANY_CLASS, {strings}},                                   /* RESINFO: RFC 9606 section 5 */
    {262, ANY_CLASS, {strings}},                                   /* WALLET */
    {263, ANY_CLASS, {strings}},                                   /* CLA */
    {32768, ANY_CLASS, {u16, u8, u8, rest_hex}},                   /* TA */
    {32769, ANY_CLASS, {u16, u8, u8, rest_hex}},                   /* DLV: RFC 4431 section 2 */
};

static const struct format *find_format(uint16_t type)
{
    size_t low = 0;
    size_t count = sizeof formats / sizeof formats[0];
    while (count > 0) {
        size_t half = count / 2;
        if (formats[low + half].type == type)
            return &formats[low + half];
        if (formats[low + half].type < type) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return NULL;
}

/* RFC 3597 section 5. */
static void put_unknown(vr_text *out, const vr_rr *rr)
{
    vr_text_string(out, "\\# ");
    vr_text_decimal(out, rr->rdata_len);
    if (rr->rdata_len > 0) {
        vr_text_char(out, ' ');
        vr_text_hex(out, rr->rdata, rr->rdata_len);
    }
}

/*
 * All fields are read even when the room is full by then, so that what does not fit its type is found out in any room:
 * the other form may fit where this one did not.
 */
ssize_t vr_rdata_to_text(const vr_reader *reader, const vr_rr *rr, char *out, size_t size)
{
    const struct format *format = find_format(rr->type);
    bool fits = format && rr->rdata_len > 0 && (rr->class_ == VR_CLASS_IN || format->class_ == ANY_CLASS);
    size_t start = (size_t)(rr->rdata - reader->message);
    vr_field_io io = {.in = {.message = reader->message, .at = start, .end = start + rr->rdata_len}};
    vr_text_init(&io.out, out, size);
    if (fits) {
        for (vr_field *const *field = format->fields; *field; field++)
            (*field)(&io);
        fits = !io.in.failed && vr_cursor_left(&io.in) == 0;
    }
    if (!fits) {
        vr_text_init(&io.out, out, size);
        put_unknown(&io.out, rr);
    }
    return vr_text_finish(&io.out);
}
