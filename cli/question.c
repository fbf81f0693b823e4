#include "question.h"

#include "octet.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

enum {
    FIRST_META_TYPE = 128, /* RFC 6895 section 3.1: 128 to 255 are meta types and question types */
    LAST_META_TYPE = VR_TYPE_AXFR,
    REVERSE_TEXT_SIZE = 80, /* "f." for each of 32 nibbles, and "ip6.arpa" */
};

bool question_type_allowed(int type)
{
    return type > 0 && type != VR_TYPE_OPT && !(type >= FIRST_META_TYPE && type <= LAST_META_TYPE);
}

/* --- Reverse names (RFC 1035 section 3.5, RFC 3596 section 2.5) --- */

/* Returns the text's length, or 0 when `text` is no address. */
static size_t reverse_name(const char *text, char out[REVERSE_TEXT_SIZE])
{
    static const char zone4[] = "in-addr.arpa", zone6[] = "ip6.arpa", hex[] = "0123456789abcdef";
    uint8_t address[sizeof(struct in6_addr)];
    char *at = out;
    if (inet_pton(AF_INET, text, address) == 1) {
        for (int i = 4; i-- > 0; *at++ = '.')
            at = put_octet(at, address[i]);
        memcpy(at, zone4, sizeof zone4);
        return (size_t)(at - out) + sizeof zone4 - 1;
    }
    if (inet_pton(AF_INET6, text, address) != 1)
        return 0;
    for (int i = 16; i-- > 0;) {
        *at++ = hex[address[i] & 15];
        *at++ = '.';
        *at++ = hex[address[i] >> 4];
        *at++ = '.';
    }
    memcpy(at, zone6, sizeof zone6);
    return (size_t)(at - out) + sizeof zone6 - 1;
}

/* --- Names --- */

static const char *read_name(vr_name *out, const char *text, size_t len)
{
    return vr_name_from_text(out, text, len) < 0 ? "not a domain name" : NULL;
}

static const char *read_idn(vr_name *out, const char *text)
{
    char *ascii = NULL;
    int status = idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const char *fault = status == IDN2_OK ? read_name(out, ascii, strlen(ascii)) : idn2_strerror(status);
    idn2_free(ascii);
    return fault;
}

const char *question_from_text(vr_question *out, const char *text, size_t len, uint16_t type)
{
    out->type = type;
    out->class_ = VR_CLASS_IN;
    bool ascii = true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        /* The DNS allows them in names, but in a list of names they are noise; who means them writes \DDD. */
        if (c <= ' ' || c == 0x7f)
            return "a control character or blank in the name";
        ascii = ascii && c < 0x80;
    }
    if (!ascii)
        return read_idn(&out->name, text);
    char reverse[REVERSE_TEXT_SIZE];
    size_t reverse_len = type == VR_TYPE_PTR ? reverse_name(text, reverse) : 0;
    if (reverse_len > 0)
        return read_name(&out->name, reverse, reverse_len);
    return read_name(&out->name, text, len);
}
