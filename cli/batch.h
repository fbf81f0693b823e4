/*
 * The run: a pool of greenlets that take jobs, look them up and hand over the records, as many at a time as was asked
 * for and no more than there is work for.
 */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "input.h"
#include "output.h"

#include <vireo/resolve.h>
#include <vireo/time.h>

struct batch_options {
    unsigned concurrency; /* at least 1 */
    vr_time timeout;      /* the longest that one lookup takes */
    vr_time deadline;     /* the longest that lookups take together; what is not answered by then gets a record, too */
};

/*
 * Looks up all of the input. `alarm` is the waiter that `output` alarms. Returns how many jobs had no answer (NOERROR
 * and NXDOMAIN are answers), or the negative error that ended the run early: the output's, or -ENOMEM when not even one
 * greenlet could be had. An error of the input ends only the input: see input->error.
 */
int64_t batch_run(struct input *input, struct output *output, vr_waiter *alarm, vr_resolver *resolver,
                  const struct batch_options *options);

#endif
