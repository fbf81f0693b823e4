/*
 * The mnemonics of types, classes and rcodes, as IANA's registry "Domain Name System (DNS) Parameters" has them.
 */
#include "name.h"
#include "text.h"

#include <errno.h>

struct mnemonic {
    uint16_t number;
    char text[12];
};

/* Each table is sorted by number: find_text searches by halves. */

static const struct mnemonic types[] = {
    {1, "A"},          {2, "NS"},        {3, "MD"},          {4, "MF"},     {5, "CNAME"},     {6, "SOA"},
    {7, "MB"},         {8, "MG"},        {9, "MR"},          {10, "NULL"},  {11, "WKS"},      {12, "PTR"},
    {13, "HINFO"},     {14, "MINFO"},    {15, "MX"},         {16, "TXT"},   {17, "RP"},       {18, "AFSDB"},
    {19, "X25"},       {20, "ISDN"},     {21, "RT"},         {22, "NSAP"},  {23, "NSAP-PTR"}, {24, "SIG"},
    {25, "KEY"},       {26, "PX"},       {27, "GPOS"},       {28, "AAAA"},  {29, "LOC"},      {30, "NXT"},
    {31, "EID"},       {32, "NIMLOC"},   {33, "SRV"},        {34, "ATMA"},  {35, "NAPTR"},    {36, "KX"},
    {37, "CERT"},      {38, "A6"},       {39, "DNAME"},      {40, "SINK"},  {41, "OPT"},      {42, "APL"},
    {43, "DS"},        {44, "SSHFP"},    {45, "IPSECKEY"},   {46, "RRSIG"}, {47, "NSEC"},     {48, "DNSKEY"},
    {49, "DHCID"},     {50, "NSEC3"},    {51, "NSEC3PARAM"}, {52, "TLSA"},  {53, "SMIMEA"},   {55, "HIP"},
    {56, "NINFO"},     {57, "RKEY"},     {58, "TALINK"},     {59, "CDS"},   {60, "CDNSKEY"},  {61, "OPENPGPKEY"},
    {62, "CSYNC"},     {63, "ZONEMD"},   {64, "SVCB"},       {65, "HTTPS"}, {66, "DSYNC"},    {67, "HHIT"},
    {68, "BRID"},      {99, "SPF"},      {100, "UINFO"},     {101, "UID"},  {102, "GID"},     {103, "UNSPEC"},
    {104, "NID"},      {105, "L32"},     {106, "L64"},       {107, "LP"},   {108, "EUI48"},   {109, "EUI64"},
    {128, "NXNAME"},   {249, "TKEY"},    {250, "TSIG"},      {251, "IXFR"}, {252, "AXFR"},    {253, "MAILB"},
    {254, "MAILA"},    {255, "ANY"},     {256, "URI"},       {257, "CAA"},  {258, "AVC"},     {259, "DOA"},
    {260, "AMTRELAY"}, {261, "RESINFO"}, {262, "WALLET"},    {263, "CLA"},  {264, "IPN"},     {32768, "TA"},
    {32769, "DLV"},
};

static const struct mnemonic classes[] = {
    {1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"},
};

/* 16 is BADSIG, too, in the data of TSIG; in a header and OPT it is BADVERS. */
static const struct mnemonic rcodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
    {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *find_text(const struct mnemonic *table, size_t count, uint16_t number)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (table[low + half].number == number)
            return table[low + half].text;
        if (table[low + half].number < number) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return NULL;
}

static const char *number_text(const char *mnemonic, const char *prefix, uint16_t number, char out[VR_MNEMONIC_SIZE])
{
    vr_text text;
    vr_text_init(&text, out, VR_MNEMONIC_SIZE);
    vr_text_string(&text, mnemonic ? mnemonic : prefix);
    if (!mnemonic)
        vr_text_decimal(&text, number);
    vr_text_finish(&text);
    return out;
}

const char *vr_type_text(uint16_t type, char out[VR_MNEMONIC_SIZE])
{
    return number_text(find_text(types, COUNT(types), type), "TYPE", type, out);
}

const char *vr_class_text(uint16_t class_, char out[VR_MNEMONIC_SIZE])
{
    return number_text(find_text(classes, COUNT(classes), class_), "CLASS", class_, out);
}

const char *vr_rcode_text(uint16_t rcode, char out[VR_MNEMONIC_SIZE])
{
    return number_text(find_text(rcodes, COUNT(rcodes), rcode), "RCODE", rcode, out);
}

/* Does `text` begin with `prefix`, in any case? Not strncasecmp, which asks the locale. */
static bool begins_with(const char *text, const char *prefix)
{
    while (*prefix != '\0')
        if (vr_ascii_lower((uint8_t)*text++) != vr_ascii_lower((uint8_t)*prefix++))
            return false;
    return true;
}

/* A number of 16 bits in decimal, and nothing else. */
static int parse_u16(const char *text)
{
    int number = 0;
    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        number = number * 10 + (*text - '0');
        if (number > UINT16_MAX)
            return -EINVAL;
    }
    return number;
}

static int find_number(const struct mnemonic *table, size_t count, const char *prefix, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (begins_with(text, table[i].text) && text[strlen(table[i].text)] == '\0')
            return table[i].number;
    return begins_with(text, prefix) ? parse_u16(text + strlen(prefix)) : -EINVAL;
}

int vr_type_from_text(const char *text)
{
    return find_number(types, COUNT(types), "TYPE", text);
}

int vr_class_from_text(const char *text)
{
    return find_number(classes, COUNT(classes), "CLASS", text);
}
