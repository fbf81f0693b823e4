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
    vr_greenlet *self = vr_current();

    (void)sent; /* nothing waits for a first value */
    vr_result result = self->generator->function(self->generator->argument);
    /* Who has asked is the parent for the end only: it goes on with the result. */
    vr_greenlet *asker = self->generator->asker;
    if (asker && vr_set_parent(self, asker) < 0)
        vr_callback_queue(&asker->wake); /* it has become a descendant meanwhile */
    return result;
}

vr_generator *vr_generator_new(vr_function *function, void *argument)
{
    vr_hub *hub = vr_hub_get();
    vr_generator *generator = hub ? malloc(sizeof *generator) : NULL;

    if (!generator)
        return NULL;
    /* Between two questions it keeps nobody alive, and should it end then, nobody is switched to for it. */
    vr_greenlet *greenlet = vr_greenlet_create(hub, run, hub->loop_greenlet, 0);
    if (!greenlet) {
        free(generator);
        return NULL;
    }
    *generator = (vr_generator){.function = function, .argument = argument, .greenlet = greenlet};
    greenlet->generator = generator;
    return generator;
}

static bool descends(const vr_greenlet *greenlet, const vr_greenlet *ancestor)
{
    while (greenlet && greenlet != ancestor)
        greenlet = greenlet->parent;
    return greenlet;
}

/* Lets the generator run until it yields or ends; the asker gets whichever it is. */
static vr_result ask(vr_generator *generator, vr_result transfer)
{
    vr_greenlet *greenlet = generator->greenlet;
    vr_greenlet *asker = greenlet->hub->current;

    if (descends(asker, greenlet))
        return vr_fail(-EINVAL);
    generator->asker = asker;
    asker->wait_kind = VR_WAIT_GENERATOR;
    asker->wait_on = greenlet;
    asker->wait_since = asker->hub->turn;
    vr_result result = vr_greenlet_resume(greenlet, transfer);
    asker->wait_kind = VR_WAIT_SWITCH;
    generator->asker = NULL;
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
