/* Names that are answered here, whatever an upstream would say: localhost and what is below it (RFC 6761 section 6.3).
 */
#ifndef VIREOD_LOCAL_H
#define VIREOD_LOCAL_H

#include "query.h"

#include <vireo/resolve.h>

bool local_is(const struct query *query);

/* The finished response. NULL when memory ran out. */
vr_answer *local_answer(const struct query *query);

#endif
