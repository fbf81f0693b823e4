/* An accepted message, without the answer records that its question does not lead to: still accepted, and without any.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <vireo/dns.h>

#include "chain.h"
#include "resolver/agreement.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static uint8_t out[VR_MESSAGE_MAX];

    if (len > VR_MESSAGE_MAX || vr_message_check(octets, len, NULL) < 0 || !vr_chain_has_strays(octets, len))
        return 0;
    ssize_t rewritten = vr_chain_rewrite(octets, len, out, sizeof out);
    if (rewritten < 0)
        return 0; /* without a question, or grown too large */
    AGREE(vr_message_check(out, (size_t)rewritten, NULL) == 0);
    AGREE(!vr_chain_has_strays(out, (size_t)rewritten));
    return 0;
}
