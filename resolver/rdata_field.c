/*
 * The fields whose text takes more than a line.
 */
#include "rdata_field.h"
#include "name.h"

void vr_field_plain_name(vr_field_io *io)
{
    vr_cursor *in = &io->in;
    size_t len = vr_name_plain_len(in->message + in->at, vr_cursor_left(in));
    const uint8_t *octets = len > 0 ? vr_cursor_take(in, len) : NULL;
    if (!octets) {
        vr_cursor_fail(in);
        return;
    }
    vr_name name = {.len = (uint8_t)len};
    memcpy(name.octets, octets, len);
    vr_text_gap(&io->out);
    vr_text_name(&io->out, &name);
}

/* --- Records with a gateway --- */

/* The kinds of gateways, the same numbers in RFC 4025 section 2.3 and RFC 8777 section 4.2.3. */
enum gateway { GATEWAY_NONE, GATEWAY_IPV4, GATEWAY_IPV6, GATEWAY_NAME };

static void put_number(vr_field_io *io, unsigned number)
{
    vr_text_gap(&io->out);
    vr_text_decimal(&io->out, number);
}

static void put_address(vr_field_io *io, size_t len)
{
    const uint8_t *address = vr_cursor_take(&io->in, len);
    if (!address)
        return;
    vr_text_gap(&io->out);
    if (len == 4)
        vr_text_ipv4(&io->out, address);
    else
        vr_text_ipv6(&io->out, address);
}

static void put_gateway(vr_field_io *io, unsigned kind)
{
    switch (kind) {
    case GATEWAY_NONE:
        vr_text_string(&io->out, " .");
        break;
    case GATEWAY_IPV4:
        put_address(io, 4);
        break;
    case GATEWAY_IPV6:
        put_address(io, 16);
        break;
    case GATEWAY_NAME:
        vr_field_plain_name(io);
        break;
    default:
        vr_cursor_fail(&io->in);
    }
}

void vr_field_ipseckey(vr_field_io *io)
{
    unsigned precedence = vr_cursor_u8(&io->in);
    unsigned kind = vr_cursor_u8(&io->in);
    unsigned algorithm = vr_cursor_u8(&io->in);
    put_number(io, precedence);
    put_number(io, kind);
    put_number(io, algorithm);
    put_gateway(io, kind);
    size_t key_len = vr_cursor_left(&io->in);
    const uint8_t *key = vr_cursor_take(&io->in, key_len);
    if (key && key_len > 0) { /* algorithm 0: no key (RFC 4025 section 2.4) */
        vr_text_gap(&io->out);
        vr_text_base64(&io->out, key, key_len);
    }
}

void vr_field_amtrelay(vr_field_io *io)
{
    unsigned precedence = vr_cursor_u8(&io->in);
    unsigned kind = vr_cursor_u8(&io->in);
    put_number(io, precedence);
    put_number(io, kind >> 7); /* the D bit: discovery optional */
    put_number(io, kind & 0x7f);
    put_gateway(io, kind & 0x7f);
}

void vr_field_hip(vr_field_io *io)
{
    size_t hit_len = vr_cursor_u8(&io->in);
    unsigned algorithm = vr_cursor_u8(&io->in);
    size_t key_len = vr_cursor_u16(&io->in);
    const uint8_t *hit = vr_cursor_take(&io->in, hit_len);
    const uint8_t *key = vr_cursor_take(&io->in, key_len);
    if (!hit || !key || hit_len == 0 || key_len == 0) {
        vr_cursor_fail(&io->in);
        return;
    }
    put_number(io, algorithm);
    vr_text_char(&io->out, ' ');
    vr_text_hex(&io->out, hit, hit_len);
    vr_text_char(&io->out, ' ');
    vr_text_base64(&io->out, key, key_len);
    while (vr_cursor_left(&io->in) > 0)
        vr_field_plain_name(io); /* rendezvous servers */
}

/* --- Bitmaps --- */

/* The numbers of the bits that are set, from `first` on, each written by `put`. */
static void put_bits(vr_field_io *io, const uint8_t *bits, size_t len, unsigned first, void put(vr_text *, uint16_t))
{
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bits[i] != 0 && bit < 8; bit++) {
            if (bits[i] & 0x80 >> bit) {
                vr_text_gap(&io->out);
                put(&io->out, (uint16_t)(first + 8 * i + bit));
            }
        }
    }
}

void vr_field_type_bitmap(vr_field_io *io)
{
    int last_window = -1;
    while (vr_cursor_left(&io->in) > 0) {
        int window = vr_cursor_u8(&io->in);
        size_t len = vr_cursor_u8(&io->in);
        const uint8_t *bits = vr_cursor_take(&io->in, len);
        if (!bits || len == 0 || len > 32 || window <= last_window) {
            vr_cursor_fail(&io->in);
            return;
        }
        put_bits(io, bits, len, (unsigned)window << 8, vr_text_type);
        last_window = window;
    }
}

static void put_port(vr_text *text, uint16_t port)
{
    vr_text_decimal(text, port);
}

void vr_field_services(vr_field_io *io)
{
    size_t len = vr_cursor_left(&io->in);
    const uint8_t *bits = vr_cursor_take(&io->in, len);
    if (!bits || len > (UINT16_MAX + 1) / 8)
        vr_cursor_fail(&io->in);
    else
        put_bits(io, bits, len, 0, put_port);
}

/* --- APL --- */

static void put_prefix(vr_field_io *io)
{
    unsigned family = vr_cursor_u16(&io->in);
    unsigned prefix_len = vr_cursor_u8(&io->in);
    unsigned negated_len = vr_cursor_u8(&io->in);
    size_t len = negated_len & 0x7f;
    const uint8_t *octets = vr_cursor_take(&io->in, len);
    size_t address_len = family == 1 ? 4 : 16; /* IANA's address families: 1 is IPv4, 2 IPv6 */
    if (!octets || family < 1 || family > 2 || len > address_len || prefix_len > 8 * address_len) {
        vr_cursor_fail(&io->in);
        return;
    }
    uint8_t address[16] = {0}; /* trailing zero octets are left out */
    memcpy(address, octets, len);
    vr_text_gap(&io->out);
    vr_text_string(&io->out, negated_len & 0x80 ? "!" : "");
    vr_text_decimal(&io->out, family);
    vr_text_char(&io->out, ':');
    if (family == 1)
        vr_text_ipv4(&io->out, address);
    else
        vr_text_ipv6(&io->out, address);
    vr_text_char(&io->out, '/');
    vr_text_decimal(&io->out, prefix_len);
}

void vr_field_prefixes(vr_field_io *io)
{
    while (vr_cursor_left(&io->in) > 0)
        put_prefix(io);
}

/* --- LOC --- */

static const uint32_t loc_equator = UINT32_C(1) << 31; /* 0 degrees of latitude and longitude */

enum {
    LOC_DEGREE = 60 * 60 * 1000,  /* in thousandths of a second, as angles are counted */
    LOC_GROUND_CM = 100000 * 100, /* altitudes count from 100,000 m below the ellipsoid */
};

/* Thousandths of a second of arc as degrees, minutes, seconds and one of two directions. */
static void put_angle(vr_field_io *io, uint32_t angle, uint32_t max_degrees, const char directions[2])
{
    bool positive = angle >= loc_equator;
    uint32_t arc = positive ? angle - loc_equator : loc_equator - angle;
    if (arc > max_degrees * LOC_DEGREE) {
        vr_cursor_fail(&io->in);
        return;
    }
    put_number(io, arc / LOC_DEGREE);
    vr_text_char(&io->out, ' ');
    vr_text_padded(&io->out, arc / (60 * 1000) % 60, 2);
    vr_text_char(&io->out, ' ');
    vr_text_padded(&io->out, arc / 1000 % 60, 2);
    vr_text_char(&io->out, '.');
    vr_text_padded(&io->out, arc % 1000, 3);
    vr_text_char(&io->out, ' ');
    vr_text_char(&io->out, directions[positive ? 0 : 1]);
}

static void put_metres(vr_field_io *io, uint64_t centimetres)
{
    vr_text_decimal(&io->out, centimetres / 100);
    vr_text_char(&io->out, '.');
    vr_text_padded(&io->out, (uint32_t)(centimetres % 100), 2);
    vr_text_char(&io->out, 'm');
}

/* A size or a precision: a digit, and the power of ten to multiply it by. */
static void put_size(vr_field_io *io, unsigned size)
{
    uint64_t centimetres = size >> 4;
    if (size >> 4 > 9 || (size & 15) > 9) {
        vr_cursor_fail(&io->in);
        return;
    }
    for (unsigned power = size & 15; power > 0; power--)
        centimetres *= 10;
    vr_text_char(&io->out, ' ');
    put_metres(io, centimetres);
}

/* All of it, in the form that RFC 1876 appendix A prints. */
void vr_field_location(vr_field_io *io)
{
    const uint8_t *header = vr_cursor_take(&io->in, 4); /* version, size, horizontal and vertical precision */
    uint32_t latitude = vr_cursor_u32(&io->in);
    uint32_t longitude = vr_cursor_u32(&io->in);
    int64_t altitude = (int64_t)vr_cursor_u32(&io->in) - LOC_GROUND_CM;
    if (io->in.failed || header[0] != 0) {
        vr_cursor_fail(&io->in);
        return;
    }
    put_angle(io, latitude, 90, "NS");
    put_angle(io, longitude, 180, "EW");
    vr_text_string(&io->out, altitude < 0 ? " -" : " ");
    put_metres(io, (uint64_t)(altitude < 0 ? -altitude : altitude));
    for (int i = 1; i < 4; i++)
        put_size(io, header[i]);
}

/* --- Times --- */

/*
 * Seconds since 1970 as YYYYMMDDHHmmSS in UTC. Years are counted from March, so that the leap day is the last of its
 * year, and each date is reckoned from its day in an era of 400 years, all of which have 146,097 days.
 */
void vr_field_time(vr_field_io *io)
{
    uint32_t time = vr_cursor_u32(&io->in);
    uint32_t second = time % 86400;
    uint32_t days = time / 86400 + 719468; /* since 0000-03-01 */
    uint32_t day = days % 146097;
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint32_t month = (5 * day + 2) / 153; /* from March: months of 31 and 30 days alternate in groups of 153 days */
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += days / 146097 * 400 + (month <= 2 ? 1 : 0);

    vr_text_gap(&io->out);
    vr_text_padded(&io->out, year, 4);
    vr_text_padded(&io->out, month, 2);
    vr_text_padded(&io->out, day + 1, 2);
    vr_text_padded(&io->out, second / 3600, 2);
    vr_text_padded(&io->out, second / 60 % 60, 2);
    vr_text_padded(&io->out, second % 60, 2);
}
