/*
 * From what users write to what the DNS is asked.
 */
#ifndef CLI_QUESTION_H
#define CLI_QUESTION_H

#include <stdbool.h>
#include <vireo/dns.h>

/* Can the type be looked up? Not the meta types: OPT, zone transfers, signatures of transactions (RFC 6895
 * section 3.1). ANY can. */
bool question_type_allowed(int type);

/*
 * The question for a name and an allowed type in class IN. ASCII names are taken literally, with the escapes of master
 * files; others by IDNA 2008 (RFC 5891; RFC 5895 mappings); an IP address whose PTR is asked for becomes its reverse
 * name. A NUL stands behind the `len` octets of text. Returns NULL, or why it is no name: a static string.
 */
const char *question_from_text(vr_question *out, const char *text, size_t len, uint16_t type);

#endif
