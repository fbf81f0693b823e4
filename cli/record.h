/*
 * The outcome of one job, as the output formats see it.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "input.h"

#include <vireo/resolve.h>

struct record {
    const struct job *job;
    const vr_question *question; /* what was asked; NULL where the job has no name, or no type, to ask for */
    const vr_answer *answer;     /* NULL for a failure */
    const char *failure;         /* its status word; NULL with an answer */
    const char *reason;          /* the same in words */
    int64_t when;                /* nanoseconds since 1970, UTC */
};

/* The answer's rcode with its upper bits from the OPT record (RFC 6891 section 6.1.3). */
static inline uint16_t answer_rcode(const vr_answer *answer)
{
    return (uint16_t)((answer->message[3] & VR_FLAG_RCODE) | answer->edns.rcode_high << 4);
}

#endif
