/*
 * Greenlets: functions with a stack of their own, that switch to each other by name.
 *
 * This is the lower of two levels. Here control passes only where vr_switch or vr_throw says so; <vireo/spawn.h> adds
 * the hub, which runs greenlets by turns and wakes them for timers and I/O. Most programs need only the upper one.
 *
 * Every greenlet but a thread's main one has a parent. When a greenlet's function returns, the greenlet is dead and its
 * parent goes on, as if what it waits in had returned the function's result. A greenlet belongs to the thread that made
 * it; another thread that switches to it is a bug, and aborts.
 *
 * Errors: a result carries either a value or an error. Errors are negative: -errno. Two of them have a meaning of their
 * own. -ECANCELED is the exit, gevent's GreenletExit: "clean up and return". A function that returns it has ended well:
 * its parent and its value read as {NULL, 0}, and vr_exited() tells that it was told to end. -EDEADLK says that this
 * operation would block forever: nothing is left in the hub that could end the wait.
 *
 * The x87 control word, MXCSR and FPCR (rounding and exception masks) are per thread, not per greenlet.
 */
#ifndef VIREO_GREENLET_H
#define VIREO_GREENLET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vr_greenlet vr_greenlet;

/* What a greenlet's function returns and a switch brings back; it fits two registers. */
typedef struct vr_result {
    void *value; /* meaningful when error is 0; who owns it is between the two functions */
    long error;  /* 0, or negative */
} vr_result;

static inline vr_result vr_ok(void *value)
{
    return (vr_result){.value = value};
}

static inline vr_result vr_fail(long error)
{
    return (vr_result){.error = error};
}

/* The function of a greenlet; `argument` is what the first switch (or vr_start, vr_spawn) handed over. */
typedef vr_result vr_function(void *argument);

/* The place in the source where it stands: "FILE:LINE". */
#define VR_SITE __FILE__ ":" VR_STRING(__LINE__)
#define VR_STRING(token) VR_STRING_(token)
#define VR_STRING_(token) #token

/*
 * Makes a greenlet that has not started; its parent is the current greenlet. The caller holds a reference (vr_unref).
 * Returns NULL when memory or mappings ran out, with errno set.
 *
 *     vr_greenlet *vr_greenlet_new(vr_function *function);
 */
#define vr_greenlet_new(...) vr_greenlet_new_at(VR_SITE, __VA_ARGS__)
vr_greenlet *vr_greenlet_new_at(const char *site, vr_function *function);

/* One more reference, for vr_unref to give back. Returns its argument. */
vr_greenlet *vr_ref(vr_greenlet *greenlet);

/*
 * Gives a reference back; NULL is allowed. A greenlet whose last reference goes is freed: one that never ran or is dead
 * at once, but if it never ran and is linked to (vr_rawlink), it dies by the exit and stays until its links have fired;
 * a suspended one, that nothing could ever switch to again, first gets the exit thrown in, so that its cleanup code
 * runs (it must then end: a greenlet that switches away instead aborts the program). A started greenlet is referenced
 * by the hub until it is dead, so giving back what vr_spawn returned only lets it go its own way. One that gives back
 * the last reference to itself runs on, and is freed when it ends.
 */
void vr_unref(vr_greenlet *greenlet);

/* The greenlet that runs, on this thread; the main one outside of all others. Not a new reference. */
vr_greenlet *vr_current(void);

/* The parent; NULL for a thread's main greenlet. Not a new reference. */
vr_greenlet *vr_parent(const vr_greenlet *greenlet);

/* Gives a greenlet another parent. Returns 0, or -EINVAL where that would make a cycle, or for a main greenlet. */
int vr_set_parent(vr_greenlet *greenlet, vr_greenlet *parent);

/*
 * Suspends the current greenlet and goes on in `target` with `value`: the argument of its function if it has not
 * started, otherwise what its own vr_switch returns. A dead target stands for its parent, which may again be dead, or
 * not yet started. Returns what whoever switches back to the caller hands over; a switch to the current greenlet
 * returns `value` at once.
 */
vr_result vr_switch(vr_greenlet *target, void *value);

/*
 * The same with an error (negative): the call in which `target` is suspended returns it. A target that has not started
 * dies of it without having run, and the error goes to its parent. A dead target passes it to its parent, too; the exit
 * is then the value NULL, as when a greenlet ends by it. Returns as vr_switch does.
 */
vr_result vr_throw(vr_greenlet *target, long error);

/* Has the function returned (or was it killed before it ran)? */
bool vr_dead(const vr_greenlet *greenlet);

/* Has the function begun to run, and not ended? */
bool vr_running(const vr_greenlet *greenlet);

/* A name for reports; the string must outlive the greenlet. Without one it is "greenlet-N", N counting up in its
 * thread. */
void vr_set_name(vr_greenlet *greenlet, const char *name);

/* Writes the name, cut to `size` octets with its final NUL. Returns `out`. */
const char *vr_name_of(const vr_greenlet *greenlet, char *out, size_t size);

/* What an error means, in a few words; a static string, for any number. */
const char *vr_strerror(long error);

#endif
