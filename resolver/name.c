/*
 * Names: presentation format, comparison, and the wire format with its compression.
 *
 * Compressed names are read part by part. A part is a run of labels, ended by the root label or by a pointer to the
 * next part. Two rules keep the reading safe: each part lies wholly before the part whose pointer led to it, as every
 * name does that was written with "a prior occurrence" in mind (RFC 1035 section 4.1.4), so no loop can be; and
 * pointers are followed POINTERS_MAX times, so no chain can be long.
 */
#include "name.h"
#include "cursor.h"
#include "text.h"

#include <errno.h>
#include <string.h>

enum {
    POINTERS_MAX = VR_LABELS_MAX, /* an honest writer spells a label or more before each pointer but the first */
    POINTER_BITS = 0xc0,          /* the upper two bits of a pointer's first octet; 01 and 10 there are nothing */
};

/* --- Presentation format --- */

/* How many characters an octet takes in a name's text: as it is, as \X, as \DDD. */
static const uint8_t text_width[256] = {
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* control characters */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 1, 2, 1, 2, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 1, /* space, '"', '$', '(', ')', '.' */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, /* ';' */
    2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* '@' */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, /* '\\' */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, /* DEL */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* outside ASCII */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The octet that the escape behind a backslash means; *at is moved behind it. Negative when it is broken. */
static int unescape(const char **at, const char *end)
{
    const char *text = *at;
    if (text == end)
        return -EINVAL;
    if (!is_digit(text[0])) {
        *at = text + 1;
        return (uint8_t)text[0];
    }
    if (end - text < 3 || !is_digit(text[1]) || !is_digit(text[2]))
        return -EINVAL;
    int octet = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    *at = text + 3;
    return octet <= 255 ? octet : -EINVAL;
}

int vr_name_from_text(vr_name *out, const char *text, size_t len)
{
    const char *end = text + len;
    if (len == 1 && text[0] == '.')
        text = end;
    else if (len == 0)
        return -EINVAL;

    size_t label = 0; /* where the label's length octet goes */
    size_t at = 1;
    while (text < end) {
        int octet = (uint8_t)*text++;
        if (octet == '.') {
            if (at == label + 1)
                return -EINVAL;
            out->octets[label] = (uint8_t)(at - label - 1);
            label = at++;
            continue;
        }
        if (octet == '\\' && (octet = unescape(&text, end)) < 0)
            return octet;
        /* The name's last octet is the root label's: what would stand there is one too many. */
        if (at - label > VR_LABEL_MAX || at >= VR_NAME_MAX - 1)
            return -EINVAL;
        out->octets[at++] = (uint8_t)octet;
    }
    if (at > label + 1) {
        out->octets[label] = (uint8_t)(at - label - 1);
        label = at;
    }
    out->octets[label] = 0;
    out->len = (uint8_t)(label + 1);
    return 0;
}

ssize_t vr_name_to_text(const vr_name *name, char *out, size_t size)
{
    char *at = out;
    const uint8_t *label = name->octets;
    size_t left = size; /* counted, as `at` must not be moved past the room even to compare */
    for (; *label != 0; label += 1 + *label) {
        for (unsigned i = 1; i <= *label; i++) {
            uint8_t octet = label[i];
            unsigned width = text_width[octet];
            if (left < width)
                return -ENOSPC;
            left -= width;
            if (width == 4) {
                at = vr_escape_decimal(at, octet);
                continue;
            }
            if (width == 2)
                *at++ = '\\';
            *at++ = (char)octet;
        }
        if (left-- == 0)
            return -ENOSPC;
        *at++ = '.';
    }
    if (label == name->octets && left > 0) {
        *at++ = '.';
        left--;
    }
    if (left == 0)
        return -ENOSPC;
    *at = '\0';
    return at - out;
}

/* --- Comparison --- */

/* Folds the length octets along with the labels: 63 at most, they are below 'A'. */
static bool equal_octets(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i] && vr_ascii_lower(a[i]) != vr_ascii_lower(b[i]))
            return false;
    return true;
}

bool vr_name_equal(const vr_name *a, const vr_name *b)
{
    return a->len == b->len && equal_octets(a->octets, b->octets, a->len);
}

bool vr_name_within(const vr_name *name, const vr_name *ancestor)
{
    size_t at = 0;
    while (name->len - at > ancestor->len)
        at += 1u + name->octets[at];
    return name->len - at == ancestor->len && equal_octets(name->octets + at, ancestor->octets, ancestor->len);
}

/* --- Wire format --- */

/* Where a part of a name may be. */
struct part {
    size_t start;
    size_t limit; /* the part, with the root label or the pointer that ends it, must end here or before */
    size_t stop;  /* out: offset of what ends its labels */
};

/* Finds the end of a part's labels, `room` octets behind its start at most. */
static bool pass_labels(const uint8_t *message, struct part *part, size_t room)
{
    size_t at = part->start;
    size_t end = part->limit;
    if (at < end && end - at > room)
        end = at + room;
    while (at < end && (uint8_t)(message[at] - 1) < VR_LABEL_MAX)
        at += 1u + message[at];
    part->stop = at;
    return at < end;
}

/* Moves from a part that ends with a pointer to the part that it leads to. */
static bool follow_pointer(const uint8_t *message, struct part *part)
{
    size_t stop = part->stop;
    if (message[stop] < POINTER_BITS || part->limit - stop < 2)
        return false;
    size_t target = vr_load_u16(message + stop) & 0x3fffu;
    if (target < VR_HEADER_SIZE || target >= part->start)
        return false;
    part->limit = part->start;
    part->start = target;
    return true;
}

ssize_t vr_name_read(vr_name *out, const uint8_t *message, size_t len, size_t offset)
{
    struct part part = {.start = offset, .limit = len};
    size_t used = 0;
    size_t behind = 0;
    for (int pointers = 0; pointers <= POINTERS_MAX; pointers++) {
        if (!pass_labels(message, &part, VR_NAME_MAX - used))
            return -EBADMSG;
        size_t spelled = part.stop - part.start;
        memcpy(out->octets + used, message + part.start, spelled);
        used += spelled;
        bool root = message[part.stop] == 0;
        if (behind == 0)
            behind = part.stop + (root ? 1 : 2);
        if (root) {
            out->octets[used] = 0;
            out->len = (uint8_t)(used + 1);
            return (ssize_t)behind;
        }
        if (!follow_pointer(message, &part))
            return -EBADMSG;
    }
    return -EBADMSG;
}

ssize_t vr_name_skip(const uint8_t *message, size_t len, size_t offset)
{
    struct part part = {.start = offset, .limit = len};
    if (!pass_labels(message, &part, VR_NAME_MAX))
        return -EBADMSG;
    if (message[part.stop] == 0)
        return (ssize_t)part.stop + 1;
    return follow_pointer(message, &part) ? (ssize_t)part.stop + 2 : -EBADMSG;
}

size_t vr_name_plain_len(const uint8_t *octets, size_t len)
{
    struct part part = {.start = 0, .limit = len};
    return pass_labels(octets, &part, VR_NAME_MAX) && octets[part.stop] == 0 ? part.stop + 1 : 0;
}

void vr_name_checker_init(vr_name_checker *checker, const uint8_t *message, size_t len)
{
    /* Enough for records of 24 octets that each point to a name below ip6.arpa of their own. */
    *checker = (vr_name_checker){.message = message, .len = len, .budget = 4096 + 4 * len};
}

/* The length of the name that begins with `part`, to which a pointer led; 0 when it is broken or costs too much. */
static size_t walk_behind_pointer(vr_name_checker *checker, struct part part)
{
    size_t used = 0;
    for (int pointers = 1; pointers <= POINTERS_MAX; pointers++) {
        if (!pass_labels(checker->message, &part, VR_NAME_MAX - used))
            return 0;
        used += part.stop - part.start;
        size_t cost = part.stop - part.start + 2;
        if (cost > checker->budget)
            return 0;
        checker->budget -= cost;
        if (checker->message[part.stop] == 0)
            return used + 1;
        if (!follow_pointer(checker->message, &part))
            return 0;
    }
    return 0;
}

ssize_t vr_name_checker_pass(vr_name_checker *checker, size_t offset)
{
    struct part part = {.start = offset, .limit = checker->len};
    if (!pass_labels(checker->message, &part, VR_NAME_MAX))
        return -EBADMSG;
    size_t stop = part.stop;
    if (checker->message[stop] == 0)
        return (ssize_t)stop + 1;
    if (!follow_pointer(checker->message, &part))
        return -EBADMSG;

    size_t slot = part.start % (sizeof checker->known / sizeof checker->known[0]);
    if (checker->known[slot].target != part.start) {
        size_t len = walk_behind_pointer(checker, part);
        if (len == 0)
            return -EBADMSG;
        checker->known[slot].target = (uint16_t)part.start;
        checker->known[slot].len = (uint8_t)len;
    }
    return stop - offset + checker->known[slot].len <= VR_NAME_MAX ? (ssize_t)stop + 2 : -EBADMSG;
}
