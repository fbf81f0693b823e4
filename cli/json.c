#include "json.h"

#include "dnstext.h"

#include <stdbool.h>

/* --- Strings --- */

size_t json_open_string(struct buffer *out)
{
    buffer_char(out, '"');
    return out->len;
}

/* How many octets more an octet becomes: \" and \\, or \u001f. */
static size_t escape_len(unsigned char c)
{
    /* clang-format off */
    static const uint8_t lens[256] = {
        ['"'] = 1, ['\\'] = 1,
        [0] = 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
        5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
    };
    /* clang-format on */
    return lens[c];
}

static void put_escaped(char *at, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (escape_len(c)) {
    case 0:
        at[0] = (char)c;
        break;
    case 1:
        at[0] = '\\';
        at[1] = (char)c;
        break;
    default:
        memcpy(at, "\\u00", 4);
        at[4] = hex[c >> 4];
        at[5] = hex[c & 15];
    }
}

/* In place, from the end, where nothing that is still to be read gets overwritten. */
static void escape(struct buffer *out, size_t from, size_t more)
{
    if (!buffer_room(out, more))
        return;
    char *text = out->data + from;
    size_t read = out->len - from, written = read + more;
    out->len += more;
    while (read < written) {
        unsigned char c = (unsigned char)text[--read];
        written -= 1 + escape_len(c);
        put_escaped(text + written, c);
    }
}

void json_close_string(struct buffer *out, size_t opened)
{
    size_t more = 0;
    for (size_t i = opened; i < out->len; i++)
        more += escape_len((unsigned char)out->data[i]);
    if (more > 0)
        escape(out, opened, more);
    buffer_char(out, '"');
}

void json_string(struct buffer *out, const char *text)
{
    size_t opened = json_open_string(out);
    buffer_text(out, text);
    json_close_string(out, opened);
}

/* --- Words that need no escapes --- */

void json_type(struct buffer *out, uint16_t type)
{
    buffer_char(out, '"');
    buffer_type(out, type);
    buffer_char(out, '"');
}

void json_class(struct buffer *out, uint16_t class_)
{
    buffer_char(out, '"');
    buffer_class(out, class_);
    buffer_char(out, '"');
}

void json_server(struct buffer *out, const vr_server *server)
{
    buffer_char(out, '"');
    buffer_server(out, server);
    buffer_char(out, '"');
}

void json_status(struct buffer *out, const struct record *record)
{
    buffer_char(out, '"');
    if (record->answer)
        buffer_rcode(out, answer_rcode(record->answer));
    else
        buffer_text(out, record->failure);
    buffer_char(out, '"');
}

void json_flags(struct buffer *out, const vr_answer *answer)
{
    static const struct {
        uint16_t flag;
        char text[6];
    } flags[] = {
        {VR_FLAG_AA, ",\"aa\""}, {VR_FLAG_TC, ",\"tc\""}, {VR_FLAG_RD, ",\"rd\""},
        {VR_FLAG_RA, ",\"ra\""}, {VR_FLAG_AD, ",\"ad\""}, {VR_FLAG_CD, ",\"cd\""},
    };
    unsigned set = (unsigned)answer->message[2] << 8 | answer->message[3];
    size_t comma = 1; /* the first has none */
    buffer_char(out, '[');
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!(set & flags[i].flag))
            continue;
        buffer_append(out, flags[i].text + comma, 5 - comma);
        comma = 0;
    }
    buffer_char(out, ']');
}

/* --- The parts of a message --- */

struct json_span json_subject(struct buffer *out, const struct record *record)
{
    const struct job *job = record->job;
    buffer_literal(out, "{\"name\":");
    size_t opened = json_open_string(out);
    if (record->question)
        buffer_name(out, &record->question->name);
    else
        buffer_given(out, job->name, job->name_len);
    json_close_string(out, opened);
    struct json_span name = {.at = opened, .len = out->len - 1 - opened};

    buffer_literal(out, ",\"type\":");
    opened = json_open_string(out);
    if (job->type >= 0)
        buffer_type(out, (uint16_t)job->type);
    else
        buffer_given(out, job->type_text, job->type_text_len);
    json_close_string(out, opened);
    buffer_literal(out, ",\"class\":\"IN\"");
    return name;
}

/* Most owners are the question's name, as a pointer to where it always stands, behind the header. */
static bool owned_by_question(const vr_reader *reader, const vr_rr *rr)
{
    return reader->message[rr->offset] == 0xc0 && reader->message[rr->offset + 1] == VR_HEADER_SIZE;
}

void json_owner(struct json_message *message, const vr_rr *rr)
{
    vr_name owner;
    size_t opened = json_open_string(message->out);
    if (owned_by_question(&message->reader, rr)) {
        buffer_repeat(message->out, message->name.at, message->name.len);
        buffer_char(message->out, '"');
        return;
    }
    if (vr_rr_owner(&message->reader, rr, &owner) == 0)
        buffer_name(message->out, &owner);
    json_close_string(message->out, opened);
}

void json_data(struct json_message *message, const vr_rr *rr)
{
    size_t opened = json_open_string(message->out);
    buffer_rdata(message->out, &message->reader, rr);
    json_close_string(message->out, opened);
}

static void begin_section(struct buffer *out, enum vr_section section)
{
    if (out->data[out->len - 1] != '{')
        buffer_char(out, ',');
    switch (section) {
    case VR_SECTION_ANSWER:
        buffer_literal(out, "\"answers\":[");
        break;
    case VR_SECTION_AUTHORITY:
        buffer_literal(out, "\"authorities\":[");
        break;
    case VR_SECTION_ADDITIONAL:
        buffer_literal(out, "\"additionals\":[");
        break;
    }
}

void json_sections(struct buffer *out, const vr_answer *answer, struct json_span name, json_rr_function *write)
{
    struct json_message message = {.out = out, .name = name};
    int section = -1;
    vr_rr rr;
    vr_reader_init(&message.reader, answer->message, answer->len);
    while (vr_reader_rr(&message.reader, &rr)) {
        if (rr.type == VR_TYPE_OPT)
            continue;
        if ((int)rr.section == section) {
            buffer_char(out, ',');
        } else {
            if (section >= 0)
                buffer_char(out, ']');
            section = (int)rr.section;
            begin_section(out, rr.section);
        }
        write(&message, &rr);
    }
    if (section >= 0)
        buffer_char(out, ']');
}
