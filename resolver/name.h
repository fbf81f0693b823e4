/*
 * Names in wire format, for those who walk messages without wanting the names themselves.
 */
#ifndef VIREO_NAME_H
#define VIREO_NAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vireo/dns.h>

/* The labels of a name, at most, without the root: each takes two octets or more. */
enum { VR_LABELS_MAX = VR_NAME_MAX / 2 };

static inline uint8_t vr_ascii_lower(uint8_t octet)
{
    return (uint8_t)(octet - 'A') < 26 ? octet | 0x20 : octet;
}

/*
 * Checks the names of one message, all of them at a cost that is linear in the message's length.
 *
 * What a name spells itself is paid by the octets it takes, but what stands behind its pointer may be walked again for
 * every name: 254 labels and pointers for a name of two octets. So the names behind the last few pointer targets are
 * remembered, which is all that an honest message needs (it points to few places), and the octets walked behind the
 * others come out of a budget.
 */
typedef struct vr_name_checker {
    const uint8_t *message;
    size_t len;
    size_t budget; /* octets that may still be walked behind pointers */
    struct {
        uint16_t target; /* 0: nothing known; no pointer leads there */
        uint8_t len;     /* of the whole name at target */
    } known[16];         /* at target % 16 */
} vr_name_checker;

void vr_name_checker_init(vr_name_checker *checker, const uint8_t *message, size_t len);

/*
 * Checks the name at `offset` by the rules of vr_name_read. Names must be passed in the order of their offsets. Returns
 * the offset behind it, or -EBADMSG.
 */
ssize_t vr_name_checker_pass(vr_name_checker *checker, size_t offset);

/* The offset behind the name at `offset`, whatever its pointer leads to; or -EBADMSG. */
ssize_t vr_name_skip(const uint8_t *message, size_t len, size_t offset);

/* The length of the uncompressed name that `octets` begin with, or 0 when there is none. */
size_t vr_name_plain_len(const uint8_t *octets, size_t len);

#endif
