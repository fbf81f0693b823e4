/*
 * DNS data: names, messages, and the text of records.
 *
 * Nothing here touches the network, allocates (unless it says so) or switches. All input is taken as hostile: every
 * read is bounds-checked, and errors are negative: -EBADMSG for octets that break the wire format, -EINVAL for text
 * that is no name, type or record, -ENOSPC where the caller's room ends.
 */
#ifndef VIREO_DNS_H
#define VIREO_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- Types, classes, rcodes (IANA "Domain Name System (DNS) Parameters") --- */

enum vr_type {
    VR_TYPE_A = 1,
    VR_TYPE_NS = 2,
    VR_TYPE_CNAME = 5,
    VR_TYPE_SOA = 6,
    VR_TYPE_PTR = 12,
    VR_TYPE_MX = 15,
    VR_TYPE_TXT = 16,
    VR_TYPE_AAAA = 28,
    VR_TYPE_SRV = 33,
    VR_TYPE_DNAME = 39,
    VR_TYPE_OPT = 41,
    VR_TYPE_TKEY = 249,
    VR_TYPE_TSIG = 250,
    VR_TYPE_IXFR = 251,
    VR_TYPE_AXFR = 252,
    VR_TYPE_ANY = 255,
};

enum vr_class { VR_CLASS_IN = 1, VR_CLASS_CH = 3, VR_CLASS_NONE = 254, VR_CLASS_ANY = 255 };

enum vr_rcode {
    VR_RCODE_NOERROR = 0,
    VR_RCODE_FORMERR = 1,
    VR_RCODE_SERVFAIL = 2,
    VR_RCODE_NXDOMAIN = 3,
    VR_RCODE_NOTIMP = 4,
    VR_RCODE_REFUSED = 5,
    VR_RCODE_BADVERS = 16, /* RFC 6891: the upper eight bits are in the OPT record */
};

/* The flags of a header's second 16 bits (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6), in host byte order. */
enum vr_flag {
    VR_FLAG_QR = 0x8000,
    VR_FLAG_AA = 0x0400,
    VR_FLAG_TC = 0x0200,
    VR_FLAG_RD = 0x0100,
    VR_FLAG_RA = 0x0080,
    VR_FLAG_Z = 0x0040,
    VR_FLAG_AD = 0x0020,
    VR_FLAG_CD = 0x0010,
    VR_FLAG_OPCODE = 0x7800,
    VR_FLAG_RCODE = 0x000f,
};

/* Room for the longest text, with its final NUL, that vr_type_text, vr_class_text and vr_rcode_text write ("TYPE65535",
 * "CLASS65535"). */
enum { VR_MNEMONIC_SIZE = 16 };

/* The mnemonic, or "TYPE123", "CLASS123" (RFC 3597), "RCODE123". Return `out`. */
const char *vr_type_text(uint16_t type, char out[VR_MNEMONIC_SIZE]);
const char *vr_class_text(uint16_t class_, char out[VR_MNEMONIC_SIZE]);
const char *vr_rcode_text(uint16_t rcode, char out[VR_MNEMONIC_SIZE]);

/* A mnemonic in any case, or "TYPE123" / "CLASS123". Return the number, or -EINVAL. */
int vr_type_from_text(const char *text);
int vr_class_from_text(const char *text);

/* --- Names --- */

enum {
    VR_NAME_MAX = 255,       /* octets of a name in wire format, with the root label (RFC 1035 section 2.3.4) */
    VR_LABEL_MAX = 63,       /* octets of a label */
    VR_NAME_TEXT_SIZE = 1024 /* room for any name's text with its final NUL: 4 characters an octet at most */
};

/* A name in wire format, uncompressed, always complete: it ends with the root label. */
typedef struct vr_name {
    uint8_t len; /* octets used, 1 (the root) to 255 */
    uint8_t octets[VR_NAME_MAX];
} vr_name;

/*
 * A name from presentation format (RFC 1035 section 5.1): dots between labels, the last one optional, `\.` and `\DDD`
 * escapes, "." the root. Any octet may stand in a label, ASCII or not. Returns 0, or -EINVAL: an empty label, a label
 * over 63 or a name over 255 octets, a broken escape, no text at all. `len` is the length of text, which needs no final
 * NUL.
 */
int vr_name_from_text(vr_name *out, const char *text, size_t len);

/*
 * A name's text with its final dot; dots, backslashes, quotes and what else is special in a master file as `\.`,
 * everything outside printable ASCII, and space, as `\DDD`. Returns the text's length without the final NUL, or
 * -ENOSPC.
 */
ssize_t vr_name_to_text(const vr_name *name, char *out, size_t size);

/* Equal, ASCII letters of either case taken for the same (RFC 4343)? */
bool vr_name_equal(const vr_name *a, const vr_name *b);

/* Is `name` equal to `ancestor`, or below it? */
bool vr_name_within(const vr_name *name, const vr_name *ancestor);

/* --- Reading a message --- */

enum { VR_HEADER_SIZE = 12, VR_MESSAGE_MAX = 65535 };

enum vr_section { VR_SECTION_ANSWER, VR_SECTION_AUTHORITY, VR_SECTION_ADDITIONAL };

typedef struct vr_header {
    uint16_t id;
    uint16_t flags;    /* vr_flag */
    uint16_t count[4]; /* questions, then records in the three sections */
} vr_header;

typedef struct vr_question {
    vr_name name;
    uint16_t type, class_;
} vr_question;

/* A record in a message that stays where it is; the pointers are into it. */
typedef struct vr_rr {
    enum vr_section section;
    uint16_t type, class_;
    uint32_t ttl; /* as received; see vr_rr_ttl for data */
    uint16_t rdata_len;
    size_t offset; /* of the record's owner name, from the message's start */
    const uint8_t *rdata;
} vr_rr;

/* What an OPT record says (RFC 6891). */
typedef struct vr_edns {
    bool present;
    uint8_t version;
    uint16_t udp_size; /* as received: sizes under 512 mean 512 */
    bool dnssec_ok;
    uint16_t rcode_high;    /* the OPT's eight bits, to be put in front of the header's four */
    const uint8_t *options; /* option-code, option-length, data, ...; well formed, of options_len octets */
    uint16_t options_len;
} vr_edns;

/*
 * A cursor over a message. Its error is sticky: after the first one nothing more is read, so it can be checked once, at
 * the end. The fields are private, but for `error` and `message`.
 */
typedef struct vr_reader {
    const uint8_t *message;
    size_t len, at;
    vr_header header;
    uint32_t left[4]; /* questions and records still to be read */
    int error;
} vr_reader;

/* Begins to read; `message` must stay. Returns the header, or NULL where there are fewer than 12 octets. */
const vr_header *vr_reader_init(vr_reader *reader, const void *message, size_t len);

/* The next question, or the next record (past questions that were not read): true, or false at the end or after an
 * error. */
bool vr_reader_question(vr_reader *reader, vr_question *out);
bool vr_reader_rr(vr_reader *reader, vr_rr *out);

/* The owner of a record, compression undone: 0, or -EBADMSG. */
int vr_rr_owner(const vr_reader *reader, const vr_rr *rr, vr_name *out);

/*
 * A name at `offset` of a message, compression undone (RFC 1035 section 4.1.4). A pointer must lead behind the header,
 * to labels that end before those that the pointer ended have begun: back only, and never in a circle. 127 pointers are
 * followed at most. Returns the offset behind the name where it stands, or -EBADMSG.
 */
ssize_t vr_name_read(vr_name *out, const uint8_t *message, size_t len, size_t offset);

/* A record's TTL as data: its top bit set means 0 (RFC 2181 section 8). */
uint32_t vr_rr_ttl(const vr_rr *rr);

/*
 * Reads a whole message once: every name, every record's bounds, the names inside the data of the types that may
 * compress them (RFC 3597 section 4). At most one OPT, in the additional section with the root as its owner and whole
 * options; no octets behind the end. 0, or -EBADMSG. `edns`, unless NULL, gets what the OPT says.
 *
 * The cost is linear in `len`: a message that makes its reader walk more than 4,096 + 4 x len octets behind pointers,
 * repeated targets not counted, is refused as broken; no honest one comes near.
 */
int vr_message_check(const void *message, size_t len, vr_edns *edns);

/* --- Writing a message --- */

/*
 * Writes into the caller's room; the error (-ENOSPC) is sticky, and the counts in the header follow what is written.
 * Names are compressed against the names written before, as far as a small table remembers them and where they are
 * spelled alike in case, too: reading a message back gives each name as it was written.
 */
typedef struct vr_writer {
    uint8_t *message;
    size_t size, at;
    int error;
    uint8_t known_count; /* private: the offsets of names that a pointer may go to ... */
    uint16_t known[16];
    uint32_t labels_left; /* ... and how many of their labels may still be looked at */
} vr_writer;

/* Begins a message with these id and flags, and all counts 0. */
void vr_writer_init(vr_writer *writer, void *room, size_t size, uint16_t id, uint16_t flags);

void vr_writer_question(vr_writer *writer, const vr_question *question);

/*
 * A record with data that is complete in wire format, its names uncompressed; those in the data of RFC 1035's types are
 * compressed here. Questions first, then sections in their order: another order is an error, -EINVAL.
 */
void vr_writer_rr(vr_writer *writer, enum vr_section section, const vr_name *owner, uint16_t type, uint16_t class_,
                  uint32_t ttl, const void *rdata, size_t rdata_len);

/* An OPT record: version 0, of `edns` the fields udp_size, dnssec_ok, rcode_high and options. */
void vr_writer_opt(vr_writer *writer, const vr_edns *edns);

/*
 * The length of the message, or the first error. A record that did not fit has left no trace: what was written before
 * it is still a whole message, of writer->at octets.
 */
ssize_t vr_writer_finish(vr_writer *writer);

/* --- Presentation format --- */

/*
 * The text of a record's data (RFC 1035 section 5.1 and each type's RFC), from one table that describes every type's
 * fields; a type that the table does not have, or data that does not fit its type's fields, as `\# LENGTH HEX` (RFC
 * 3597 section 5). Names are written with their final dot, compression undone. Returns the length without the final
 * NUL, or -ENOSPC.
 */
ssize_t vr_rdata_to_text(const vr_reader *reader, const vr_rr *rr, char *out, size_t size);

#endif
