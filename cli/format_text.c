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

void format_text(struct buffer *out, const struct record *record)
{
    put_subject(out, record);
    if (record->answer) {
        buffer_rcode(out, answer_rcode(record->answer));
        put_data(out, record);
    } else {
        buffer_text(out, record->failure);
        buffer_char(out, '\t');
        buffer_text(out, record->reason);
    }
    buffer_char(out, '\n');
}
