/*
 * The SvcParams of SVCB and HTTPS records (RFC 9460): a table of keys, with how each key's value is written.
 */
#include "rdata_field.h"

/* Writes what stands behind the "=". Takes all of the value, which is not empty, or fails. */
typedef void put_value(vr_text *out, vr_cursor *value);

static put_value put_mandatory, put_alpn, put_nothing, put_groups, put_port, put_ipv4_hint, put_ech, put_ipv6_hint,
    put_octets;

/* IANA's "DNS SVCB Service Parameter Keys (SvcParamKeys)"; the index is the key. */
static const struct param {
    char name[24];
    put_value *put;
} params[] = {
    {"mandatory", put_mandatory},     /* RFC 9460 section 8 */
    {"alpn", put_alpn},               /* RFC 9460 section 7.1 */
    {"no-default-alpn", put_nothing}, /* RFC 9460 section 7.1 */
    {"port", put_port},               /* RFC 9460 section 7.2 */
    {"ipv4hint", put_ipv4_hint},      /* RFC 9460 section 7.3 */
    {"ech", put_ech},                 /* RFC 9460 section 14.3.2 */
    {"ipv6hint", put_ipv6_hint},      /* RFC 9460 section 7.3 */
    {"dohpath", put_octets},          /* RFC 9461 section 5 */
    {"ohttp", put_nothing},           /* RFC 9540 section 4 */
    {"tls-supported-groups", put_groups},
};

static const struct param unknown = {"key", put_octets};

static void put_key(vr_text *out, unsigned key)
{
    if (key < sizeof params / sizeof params[0]) {
        vr_text_string(out, params[key].name);
    } else {
        vr_text_string(out, unknown.name);
        vr_text_decimal(out, key);
    }
}

/* Between the items of a value's list. */
static void put_comma(vr_text *out, bool *first)
{
    if (!*first)
        vr_text_char(out, ',');
    *first = false;
}

/* Keys in ascending order, "mandatory" itself (0) not among them. */
static void put_mandatory(vr_text *out, vr_cursor *value)
{
    bool first = true;
    for (unsigned last = 0; vr_cursor_left(value) > 0;) {
        unsigned key = vr_cursor_u16(value);
        vr_cursor_require(value, key > last);
        last = key;
        put_comma(out, &first);
        put_key(out, key);
    }
}

static void put_groups(vr_text *out, vr_cursor *value)
{
    bool first = true;
    while (vr_cursor_left(value) > 0) {
        put_comma(out, &first);
        vr_text_decimal(out, vr_cursor_u16(value));
    }
}

/* A list's commas and backslashes are escaped first, and then once more as a character-string (RFC 9460 appendix A.1).
 */
static void put_list_item(vr_text *out, const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (octets[i] == ',')
            vr_text_string(out, "\\\\,");
        else if (octets[i] == '\\')
            vr_text_string(out, "\\\\\\\\");
        else
            vr_text_escaped(out, octets + i, 1);
    }
}

static void put_alpn(vr_text *out, vr_cursor *value)
{
    bool first = true;
    vr_text_char(out, '"');
    while (vr_cursor_left(value) > 0) {
        size_t len = vr_cursor_u8(value);
        const uint8_t *octets = vr_cursor_take(value, len);
        if (!octets || len == 0) {
            vr_cursor_fail(value);
            return;
        }
        put_comma(out, &first);
        put_list_item(out, octets, len);
    }
    vr_text_char(out, '"');
}

static void put_nothing(vr_text *out, vr_cursor *value)
{
    (void)out;
    vr_cursor_fail(value);
}

static void put_port(vr_text *out, vr_cursor *value)
{
    vr_text_decimal(out, vr_cursor_u16(value));
}

static void put_ipv4_hint(vr_text *out, vr_cursor *value)
{
    bool first = true;
    for (const uint8_t *address; vr_cursor_left(value) > 0 && (address = vr_cursor_take(value, 4));) {
        put_comma(out, &first);
        vr_text_ipv4(out, address);
    }
}

static void put_ipv6_hint(vr_text *out, vr_cursor *value)
{
    bool first = true;
    for (const uint8_t *address; vr_cursor_left(value) > 0 && (address = vr_cursor_take(value, 16));) {
        put_comma(out, &first);
        vr_text_ipv6(out, address);
    }
}

static void put_ech(vr_text *out, vr_cursor *value)
{
    size_t len = vr_cursor_left(value);
    vr_text_base64(out, vr_cursor_take(value, len), len);
}

static void put_octets(vr_text *out, vr_cursor *value)
{
    size_t len = vr_cursor_left(value);
    vr_text_quoted(out, vr_cursor_take(value, len), len);
}

/* May the key's value be empty, and its text then be the key alone? */
static bool may_be_empty(const struct param *param)
{
    return param->put == put_nothing || param->put == put_octets;
}

void vr_field_params(vr_field_io *io)
{
    vr_cursor *in = &io->in;
    for (int last = -1; vr_cursor_left(in) > 0;) {
        int key = vr_cursor_u16(in);
        size_t len = vr_cursor_u16(in);
        vr_cursor value = {.message = in->message, .at = in->at, .end = in->at + len};
        if (!vr_cursor_take(in, len))
            return;
        const struct param *param = (size_t)key < sizeof params / sizeof params[0] ? &params[key] : &unknown;
        vr_text_gap(&io->out);
        put_key(&io->out, (unsigned)key);
        if (len > 0) {
            vr_text_char(&io->out, '=');
            param->put(&io->out, &value);
        }
        /* Keys in ascending order (RFC 9460 section 2.2), values whole and used up. */
        vr_cursor_require(in, key > last && !value.failed && vr_cursor_left(&value) == 0);
        vr_cursor_require(in, len > 0 || may_be_empty(param));
        last = key;
    }
}
