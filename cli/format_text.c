#include "dnstext.h"
#include "format.h"

static void put_subject(struct buffer *out, const struct record *record)
{
    const struct job *job = record->job;
    if (record->question)
        buffer_name(out, &record->question->name);
    else
        buffer_given(out, job->name, job->name_len);
    buffer_char(out, '\t');
    if (job->type >= 0)
        buffer_type(out, (uint16_t)job->type);
    else
        buffer_given(out, job->type_text, job->type_text_len);
    buffer_char(out, '\t');
}

/* The answer section: bare data of the type asked for; what else it takes to get there says its type. */
static void put_data(struct buffer *out, const struct record *record)
{
    vr_reader reader;
    vr_rr rr;
    const char *separator = "\t";
    vr_reader_init(&reader, record->answer->message, record->answer->len);
    while (vr_reader_rr(&reader, &rr) && rr.section == VR_SECTION_ANSWER) {
        buffer_text(out, separator);
        separator = "; ";
        if (rr.type != record->question->type) {
            buffer_type(out, rr.type);
            buffer_char(out, ' ');
        }
        buffer_rdata(out, &reader, &rr);
    }
}

/* Why a server gave no answer, where it says so (RFC 8914): only with a failure, when there are no data in this column.
 */
static void put_extended_errors(struct buffer *out, const vr_edns *edns)
{
    enum { OPTION_EDE = 15, OPTION_HEADER = 4, CODE = 2 };
    const char *separator = "\t";
    for (size_t at = 0; at + OPTION_HEADER <= edns->options_len;) {
        const uint8_t *option = edns->options + at;
        unsigned code = (unsigned)option[0] << 8 | option[1], len = (unsigned)option[2] << 8 | option[3];
        at += OPTION_HEADER + len;
        if (code != OPTION_EDE || len < CODE)
            continue;
        buffer_text(out, separator);
        separator = "; ";
        buffer_literal(out, "EDE ");
        buffer_number(out, (unsigned)option[OPTION_HEADER] << 8 | option[OPTION_HEADER + 1]);
        if (len > CODE) {
            buffer_literal(out, ": ");
            buffer_given(out, (const char *)option + OPTION_HEADER + CODE, len - CODE);
        }
    }
}

void format_text(struct buffer *out, const struct record *record)
{
    put_subject(out, record);
    if (record->answer) {
        uint16_t rcode = answer_rcode(record->answer);
        buffer_rcode(out, rcode);
        if (rcode == VR_RCODE_NOERROR || rcode == VR_RCODE_NXDOMAIN)
            put_data(out, record);
        else
            put_extended_errors(out, &record->answer->edns);
    } else {
        buffer_text(out, record->failure);
        buffer_char(out, '\t');
        buffer_text(out, record->reason);
    }
    buffer_char(out, '\n');
}
