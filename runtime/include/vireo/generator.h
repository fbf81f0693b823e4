/*
 * Generators: a function that yields values one at a time to whoever asks for the next.
 *
 * A generator runs only inside vr_generator_next, _send and _close, on its caller's turn; it needs no hub. Generators
 * nest: one may ask another, and yields always go to the one that asked.
 */
#ifndef VIREO_GENERATOR_H
#define VIREO_GENERATOR_H

#include <vireo/greenlet.h>

typedef struct vr_generator vr_generator;

/*
 * Makes a generator that has not started. NULL, with errno set, when memory ran out. For vr_generator_free.
 */
vr_generator *vr_generator_new(vr_function *function, void *argument);

/*
 * Runs the generator to its next yield, and returns what it yields. The end of its function ends the iteration: *done
 * (not NULL) is then true, and the result is what the function returned. From then on the result is {NULL, 0} and *done
 * true. -EALREADY when the generator is running already (it asks itself, or waits for the hub on behalf of another).
 * -EINVAL when the caller descends from the generator (its function has made the caller, or an ancestor): the generator
 * would become the child of its own descendant. The generator stays as it was then.
 */
vr_result vr_generator_next(vr_generator *generator, bool *done);

/* The same, and the yield in which the generator is suspended returns `value`; before the first yield `value` must be
 * NULL (-EINVAL). */
vr_result vr_generator_send(vr_generator *generator, void *value, bool *done);

/*
 * Ends a suspended generator: its yield fails with -ECANCELED, so that its cleanup code runs. Returns 0, the error its
 * function ended with, -EBUSY when it yields instead of ending, -EALREADY while it runs, -EINVAL for a descendant as
 * above, or what was thrown into the caller meanwhile. Ended generators, and those that never started, just stay ended.
 */
int vr_generator_close(vr_generator *generator);

/*
 * Closes it and frees it. NULL is allowed. From then on all its yields fail with -ECANCELED; a function that goes on
 * all the same keeps this call from returning. Where a descendant does this, the function stays suspended, held by its
 * descendants.
 */
void vr_generator_free(vr_generator *generator);

/* In a generator's function: hands `value` to the one that asked, and waits to be asked again. Returns what is sent, or
 * -ECANCELED on close and when the one that asked is gone; -EPERM outside of a generator. */
vr_result vr_yield(void *value);

#endif
