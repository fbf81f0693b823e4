#include "dnstext.h"
#include "format.h"
#include "json.h"

static void put_rr(struct json_message *message, const vr_rr *rr)
{
    struct buffer *out = message->out;
    buffer_literal(out, "{\"ttl\":");
    buffer_number(out, vr_rr_ttl(rr));
    buffer_literal(out, ",\"type\":");
    json_type(out, rr->type);
    buffer_literal(out, ",\"class\":");
    json_class(out, rr->class_);
    buffer_literal(out, ",\"name\":");
    json_owner(message, rr);
    buffer_literal(out, ",\"data\":");
    json_data(message, rr);
    buffer_literal(out, "}");
}

static void put_answer(struct buffer *out, const struct record *record, struct json_span name)
{
    const vr_answer *answer = record->answer;
    buffer_literal(out, ",\"status\":");
    json_status(out, record);
    buffer_literal(out, ",\"rx_ts\":");
    buffer_number(out, (uint64_t)record->when);
    buffer_literal(out, ",\"data\":{");
    json_sections(out, answer, name, put_rr);
    buffer_literal(out, "},\"flags\":");
    json_flags(out, answer);
    buffer_literal(out, ",\"resolver\":");
    json_server(out, &answer->server);
    buffer_literal(out, ",\"proto\":");
    json_string(out, answer->over_tcp ? "TCP" : "UDP");
}

void format_massdns(struct buffer *out, const struct record *record)
{
    struct json_span name = json_subject(out, record);
    if (record->answer) {
        put_answer(out, record, name);
    } else {
        buffer_literal(out, ",\"error\":");
        json_status(out, record);
    }
    buffer_literal(out, "}\n");
}
