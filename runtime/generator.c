#include <vireo/generator.h>

#include "hub.h"

#include <errno.h>
#include <stdlib.h>

struct vr_generator {
    vr_greenlet *greenlet;
    vr_function *function;
    void *argument;
    vr_greenlet *asker; /* waits in send or close for the next yield; NULL while the generator is suspended */
};

/* Of functions that outlive their generator: nobody asks any more. Never written. */
static vr_generator freed;

static vr_result run(void *sent)
{
    vr_generator *self = vr_current()->generator;

    (void)sent; /* nothing waits for a first value */
    return self->function(self->argument);
}

vr_generator *vr_generator_new(vr_function *function, void *argument)
{
    vr_generator *generator = malloc(sizeof *generator);

    if (!generator)
        return NULL;
    *generator = (vr_generator){.function = function, .argument = argument, .greenlet = vr_greenlet_new(run)};
    if (!generator->greenlet) {
        free(generator);
        return NULL;
    }
    generator->greenlet->generator = generator;
    return generator;
}

/* Lets the generator run until it yields or ends; the asker, its parent for so long, gets whichever it is. */
static vr_result ask(vr_generator *generator, vr_result transfer)
{
    vr_greenlet *greenlet = generator->greenlet;
    vr_greenlet *asker = vr_current();
    int error = vr_set_parent(greenlet, asker);

    if (error)
        return vr_fail(error);
    generator->asker = asker;
    vr_result result = vr_greenlet_resume(greenlet, transfer);
    generator->asker = NULL;
    /* Between two questions it keeps nobody alive, and should it end then, nobody is switched to for it. */
    vr_set_parent(greenlet, greenlet->hub->loop_greenlet);
    return result;
}

vr_result vr_generator_send(vr_generator *generator, void *value, bool *done)
{
    vr_greenlet *greenlet = generator->greenlet;

    *done = false;
    if (generator->asker)
        return vr_fail(-EALREADY);
    if (vr_dead(greenlet)) {
        *done = true;
        return vr_ok(NULL);
    }
    if (value && !vr_running(greenlet))
        return vr_fail(-EINVAL);
    vr_result result = ask(generator, vr_ok(value));
    *done = vr_dead(greenlet);
    return result;
}

vr_result vr_generator_next(vr_generator *generator, bool *done)
{
    return vr_generator_send(generator, NULL, done);
}

int vr_generator_close(vr_generator *generator)
{
    vr_greenlet *greenlet = generator->greenlet;

    if (generator->asker)
        return -EALREADY;
    if (vr_dead(greenlet))
        return 0;
    if (!vr_running(greenlet)) {
        vr_greenlet_bury(greenlet, -ECANCELED);
        return 0;
    }
    vr_result result = ask(generator, vr_fail(-ECANCELED));
    /* A yield brings no error: one that comes from a generator that lives is the refusal, or was thrown in here. */
    return vr_dead(greenlet) || result.error ? (int)result.error : -EBUSY;
}

void vr_generator_free(vr_generator *generator)
{
    if (!generator)
        return;
    if (generator->asker)
        vr_misuse("a generator is freed while it runs", generator->greenlet);
    vr_generator_close(generator);
    /* Greenlets that it has made may hold it still. */
    generator->greenlet->generator = &freed;
    vr_unref(generator->greenlet);
    free(generator);
}

vr_result vr_yield(void *value)
{
    vr_greenlet *self = vr_current();
    vr_generator *generator = self ? self->generator : NULL;

    if (!generator)
        return vr_fail(-EPERM);
    if (!generator->asker)
        return vr_fail(-ECANCELED);
    return vr_greenlet_resume(generator->asker, vr_ok(value));
}
