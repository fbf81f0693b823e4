#include "dnstext.h"
#include "format.h"
#include "json.h"

enum { SECONDS_A_DAY = 86400, TIMESTAMP_LEN = sizeof "1970-01-01T00:00:00.000000Z" - 1 };

/* Two digits. */
static void put_pair(char *at, uint64_t number)
{
    at[0] = (char)('0' + number / 10 % 10);
    at[1] = (char)('0' + number % 10);
}

/*
 * The date of a day since 1970-01-01, Gregorian, from 1970 on. Years are taken to begin in March, so that the leap day
 * is a year's last: month lengths from March are then 31 30 31 30 31 twice, 153 days in 5 months.
 */
static void put_date(char *at, uint64_t days)
{
    enum { DAYS_TO_1970 = 719468, DAYS_IN_400_YEARS = 146097 };
    uint64_t since = days + DAYS_TO_1970, era = since / DAYS_IN_400_YEARS, day = since % DAYS_IN_400_YEARS;
    uint64_t of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * of_era + of_era / 4 - of_era / 100), month = (5 * of_year + 2) / 153;
    uint64_t year = era * 400 + of_era + (month >= 10);
    put_pair(at, year / 100);
    put_pair(at + 2, year);
    put_pair(at + 5, month < 10 ? month + 3 : month - 9);
    put_pair(at + 8, of_year - (153 * month + 2) / 5 + 1);
}

/* RFC 3339, in microseconds. */
static void put_timestamp(struct buffer *out, int64_t when)
{
    uint64_t microseconds = (uint64_t)when / 1000, seconds = microseconds / 1000000, of_day = seconds % SECONDS_A_DAY;
    char text[] = "1970-01-01T00:00:00.000000Z";
    put_date(text, seconds / SECONDS_A_DAY);
    put_pair(text + 11, of_day / 3600);
    put_pair(text + 14, of_day / 60 % 60);
    put_pair(text + 17, of_day % 60);
    put_pair(text + 20, microseconds / 10000);
    put_pair(text + 22, microseconds / 100);
    put_pair(text + 24, microseconds);
    buffer_append(out, text, TIMESTAMP_LEN);
}

static void put_rr(struct json_message *message, const vr_rr *rr)
{
    struct buffer *out = message->out;
    buffer_literal(out, "{\"name\":");
    json_owner(message, rr);
    buffer_literal(out, ",\"type\":");
    json_type(out, rr->type);
    buffer_literal(out, ",\"class\":");
    json_class(out, rr->class_);
    buffer_literal(out, ",\"ttl\":");
    buffer_number(out, vr_rr_ttl(rr));
    buffer_literal(out, ",\"data\":");
    json_data(message, rr);
    buffer_literal(out, "}");
}

static void put_answer(struct buffer *out, const vr_answer *answer, struct json_span name)
{
    buffer_literal(out, ",\"duration_us\":");
    buffer_number(out, (uint64_t)answer->duration / 1000);
    buffer_literal(out, ",\"resolver\":");
    json_server(out, &answer->server);
    buffer_literal(out, ",\"protocol\":");
    json_string(out, answer->over_tcp ? "TCP" : "UDP");
    buffer_literal(out, ",\"flags\":");
    json_flags(out, answer);
    json_sections(out, answer, name, put_rr);
}

void format_json(struct buffer *out, const struct record *record)
{
    struct json_span name = json_subject(out, record);
    buffer_literal(out, ",\"status\":");
    json_status(out, record);
    buffer_literal(out, ",\"timestamp\":\"");
    put_timestamp(out, record->when);
    if (record->answer) {
        buffer_literal(out, "\"");
        put_answer(out, record->answer, name);
    } else {
        buffer_literal(out, "\",\"error\":");
        json_string(out, record->reason);
    }
    buffer_literal(out, "}\n");
}
