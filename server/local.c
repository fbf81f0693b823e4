#include "local.h"

#include "response.h"

#include <arpa/inet.h>
#include <string.h>

static const vr_name localhost = {11, "\11localhost"};
enum { LOCAL_TTL = 10800 };

/* As unbound has it: localhost. SOA localhost. nobody.invalid. 1 3600 1200 604800 10800. Negative answers need one (RFC
 * 2308). */
static const uint8_t soa[] = "\11localhost\0\6nobody\7invalid\0"
                             "\0\0\0\1\0\0\16\20\0\0\4\260\0\11\72\200\0\0\52\60";

bool local_is(const struct query *query)
{
    return query->question.class_ == VR_CLASS_IN && vr_name_within(&query->question.name, &localhost);
}

vr_answer *local_answer(const struct query *query)
{
    enum { SIZE = 512 + VR_NAME_MAX };
    const struct in_addr v4 = {htonl(INADDR_LOOPBACK)};
    uint16_t type = query->question.type;
    vr_answer *answer = response_new(SIZE);
    vr_writer writer;

    if (!answer)
        return NULL;
    vr_writer_init(&writer, answer->message, SIZE, query->id, VR_RCODE_NOERROR);
    vr_writer_question(&writer, &query->question);
    if (type == VR_TYPE_A || type == VR_TYPE_ANY)
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, VR_TYPE_A, VR_CLASS_IN, LOCAL_TTL, &v4,
                     sizeof v4);
    if (type == VR_TYPE_AAAA || type == VR_TYPE_ANY)
        vr_writer_rr(&writer, VR_SECTION_ANSWER, &query->question.name, VR_TYPE_AAAA, VR_CLASS_IN, LOCAL_TTL,
                     &in6addr_loopback, sizeof in6addr_loopback);
    if (type != VR_TYPE_A && type != VR_TYPE_AAAA && type != VR_TYPE_ANY)
        vr_writer_rr(&writer, VR_SECTION_AUTHORITY, &localhost, VR_TYPE_SOA, VR_CLASS_IN, LOCAL_TTL, soa,
                     sizeof soa - 1);
    answer->len = (size_t)vr_writer_finish(&writer);
    response_finish(answer, query, (struct extended_error){.text = NULL});
    return answer;
}
