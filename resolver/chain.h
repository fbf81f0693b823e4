/*
 * The records of an answer that belong to its question: those of the name asked for, of the names that its CNAMEs lead
 * to, and the DNAMEs that such a CNAME was made from (RFC 1034 section 3.6.2, RFC 6672). Others are anybody's, and not
 * to be handed on (RFC 5452 section 6).
 */
#ifndef VIREO_RESOLVER_CHAIN_H
#define VIREO_RESOLVER_CHAIN_H

#include <vireo/dns.h>

/* Does the answer section have records of other names? The message must have passed vr_message_check. */
bool vr_chain_has_strays(const uint8_t *message, size_t len);

/*
 * Writes the message without them. Names are compressed anew, so that it may come out longer. Returns its length,
 * -ENOSPC, or -ENOMEM.
 */
ssize_t vr_chain_rewrite(const uint8_t *message, size_t len, uint8_t *out, size_t size);

#endif
