/* Waiting for several: an entry for each, linked to it, that joins the list of those that are ready when it fires. */
#include "container.h"
#include "hub.h"
#include "waitable.h"

#include <errno.h>
#include <stdlib.h>

struct vr_iwait_entry {
    vr_link link;
    vr_iwait *iwait;
    vr_waitable *waitable;
    bool ended;
    struct vr_iwait_entry *next; /* among the ended */
};

/* --- One --- */

int vr_join(vr_greenlet *greenlet, vr_time timeout)
{
    int error;

    if (vr_ready(greenlet))
        return 0;
    vr_greenlet_check(greenlet, "join of a greenlet of another thread");
    vr_hub *hub = vr_hub_to_block(&error);
    if (!hub)
        return error;
    if (greenlet == hub->current)
        return -EINVAL;

    vr_waiting waiting = VR_WAITING(hub);
    error = vr_waitable_park(hub, &greenlet->waitable, &waiting, timeout, VR_WAIT_GREENLET);
    /* It may have died in the very turn in which time ran out. */
    return error == -ETIMEDOUT && vr_ready(greenlet) ? 0 : error;
}

/* --- All --- */

int vr_joinall(vr_greenlet *const greenlets[], size_t count, vr_time timeout)
{
    vr_time deadline = vr_deadline(timeout);
    int dead = 0;

    /* All have ended when each has: in whatever order, so that no list of them is needed. */
    for (size_t i = 0; i < count; i++) {
        int error = greenlets[i] == vr_current() ? 0 : vr_join(greenlets[i], vr_remaining(deadline));
        if (error == -ETIMEDOUT)
            break;
        if (error)
            return error;
    }
    for (size_t i = 0; i < count; i++)
        dead += vr_ready(greenlets[i]);
    return dead;
}

int vr_killall(vr_greenlet *const greenlets[], size_t count, long error, vr_time timeout)
{
    int others = 0;

    for (size_t i = 0; i < count; i++)
        if (greenlets[i] != vr_current()) {
            vr_kill(greenlets[i], error);
            others++;
        }
    int dead = vr_joinall(greenlets, count, timeout);
    if (dead < 0)
        return dead;
    return dead < others ? -ETIMEDOUT : 0;
}

/* --- As they end --- */

static void append(struct vr_iwait_entry *entry)
{
    vr_iwait *iwait = entry->iwait;

    entry->ended = true;
    entry->next = NULL;
    *iwait->last = entry;
    iwait->last = &entry->next;
}

static void entry_ended(void *source, void *context)
{
    struct vr_iwait_entry *entry = context;

    (void)source;
    append(entry);
    if (entry->iwait->getter)
        vr_hub_wake(entry->iwait->getter);
}

/* Is it ready, and has it not been taken in? */
static bool is_missed(const struct vr_iwait_entry *entry)
{
    return !entry->ended && vr_waitable_ready(entry->waitable);
}

/* When it ended, in the order of its thread's deaths: 0 for what is no greenlet, or never was one for want of memory.
 */
static uint64_t death_of(const struct vr_iwait_entry *entry)
{
    if (entry->waitable->kind != VR_WAITABLE_GREENLET)
        return 0;
    return VR_CONTAINER(entry->waitable, vr_greenlet, waitable)->death;
}

/* In the order in which they died; what is no greenlet first, in the order in which it is listed. */
static int by_death(const void *left, const void *right)
{
    const struct vr_iwait_entry *a = *(struct vr_iwait_entry *const *)left, *b = *(struct vr_iwait_entry *const *)right;
    uint64_t a_death = death_of(a), b_death = death_of(b);

    if (a_death != b_death)
        return a_death < b_death ? -1 : 1;
    return (a > b) - (a < b);
}

/* Takes in those that are ready but have not come through their links. */
static int gather(vr_iwait *iwait)
{
    struct vr_iwait_entry **ready = NULL;
    size_t count = 0;

    for (size_t i = 0; i < iwait->count; i++)
        count += is_missed(&iwait->entries[i]);
    if (!count)
        return 0;
    ready = malloc(count * sizeof(struct vr_iwait_entry *));
    if (!ready)
        return -ENOMEM;
    count = 0;
    for (size_t i = 0; i < iwait->count; i++)
        if (is_missed(&iwait->entries[i]))
            ready[count++] = &iwait->entries[i];
    qsort(ready, count, sizeof(struct vr_iwait_entry *), by_death);
    for (size_t i = 0; i < count; i++) {
        vr_unlink(&ready[i]->link);
        append(ready[i]);
    }
    free(ready);
    return 0;
}

/* Room for entries; they are filled in by add. */
static int prepare(vr_iwait *iwait, size_t count, const vr_wait_options *options)
{
    size_t wanted = options->wanted && options->wanted < count ? options->wanted : count;

    *iwait = (vr_iwait){.left = wanted, .deadline = vr_deadline(options->timeout)};
    iwait->last = &iwait->first;
    iwait->entries = calloc(count, sizeof *iwait->entries);
    return iwait->entries || !count ? 0 : -ENOMEM;
}

/* One more; linked, unless it is ready already. */
static void add(vr_iwait *iwait, vr_waitable *waitable)
{
    struct vr_iwait_entry *entry = &iwait->entries[iwait->count++];

    *entry = (struct vr_iwait_entry){
        .link = {.notify = entry_ended, .context = entry}, .iwait = iwait, .waitable = waitable};
    if (!vr_waitable_ready(waitable))
        vr_waitable_link(waitable, &entry->link);
}

/* Those that were ready before come first. */
static int begin(vr_iwait *iwait)
{
    int error = gather(iwait);

    if (error)
        vr_iwait_done(iwait);
    return error;
}

static int begin_greenlets(vr_iwait *iwait, vr_greenlet *const greenlets[], size_t count,
                           const vr_wait_options *options)
{
    int error = vr_hub_get() ? prepare(iwait, count, options) : -ENOMEM;

    if (error)
        return error;
    for (size_t i = 0; i < count; i++)
        add(iwait, vr_greenlet_waitable(greenlets[i]));
    return begin(iwait);
}

/* Parks until something is taken in: 0, or an error. */
static long park(vr_iwait *iwait, vr_time left)
{
    int error;
    vr_hub *hub = vr_hub_to_block(&error);

    if (!hub)
        return error;
    iwait->getter = hub->current;
    error = vr_hub_park(hub, left, VR_WAIT_GREENLETS, iwait);
    iwait->getter = NULL;
    return error;
}

/*
 * Waits until some have ended, or the wait fails. What is thrown in the very turn in which some end stays an error, for
 * when these have been given; time that runs out in that turn is no error, as it is looked at again before the next
 * wait.
 */
static void await(vr_iwait *iwait)
{
    vr_time left = vr_remaining(iwait->deadline);

    iwait->error = left ? park(iwait, left) : -ETIMEDOUT;
    if (iwait->error == -ETIMEDOUT) {
        int error = gather(iwait);
        if (error || iwait->first)
            iwait->error = error;
    }
}

static struct vr_iwait_entry *next_ended(vr_iwait *iwait)
{
    if (!iwait->left)
        return NULL;
    while (!iwait->first && !iwait->error)
        await(iwait);
    if (!iwait->first) {
        iwait->left = 0;
        return NULL;
    }
    struct vr_iwait_entry *entry = iwait->first;
    iwait->first = entry->next;
    if (!iwait->first)
        iwait->last = &iwait->first;
    iwait->left--;
    return entry;
}

/* The greenlet that an entry stands for; NULL for one that memory ran out for. */
static vr_greenlet *greenlet_of(const struct vr_iwait_entry *entry)
{
    vr_greenlet *greenlet = VR_CONTAINER(entry->waitable, vr_greenlet, waitable);

    return greenlet == &greenlet->hub->none ? NULL : greenlet;
}

int vr_iwait_init(vr_iwait *iwait, vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options)
{
    *iwait = (vr_iwait){0};
    for (size_t i = 0; i < count; i++)
        if (!greenlets[i])
            return -EINVAL;
    return begin_greenlets(iwait, greenlets, count, options);
}

int vr_iwait_init_objects(vr_iwait *iwait, vr_waitable *const objects[], size_t count, const vr_wait_options *options)
{
    int error = prepare(iwait, count, options);

    if (error)
        return error;
    for (size_t i = 0; i < count; i++)
        add(iwait, objects[i]);
    return begin(iwait);
}

vr_greenlet *vr_iwait_next(vr_iwait *iwait)
{
    struct vr_iwait_entry *entry = next_ended(iwait);

    return entry ? greenlet_of(entry) : NULL;
}

vr_waitable *vr_iwait_next_object(vr_iwait *iwait)
{
    struct vr_iwait_entry *entry = next_ended(iwait);

    return entry ? entry->waitable : NULL;
}

long vr_iwait_error(const vr_iwait *iwait)
{
    return iwait->error;
}

void vr_iwait_done(vr_iwait *iwait)
{
    for (size_t i = 0; i < iwait->count; i++)
        vr_unlink(&iwait->entries[i].link);
    free(iwait->entries);
    *iwait = (vr_iwait){0};
}

const vr_waitable *vr_iwait_awaited(const vr_iwait *iwait, size_t n)
{
    return iwait->entries[n].ended ? NULL : iwait->entries[n].waitable;
}

int vr_wait(vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options)
{
    vr_iwait iwait;
    struct vr_iwait_entry *entry;
    int dead = 0;
    long error = begin_greenlets(&iwait, greenlets, count, options);

    if (error)
        return (int)error;
    while ((entry = next_ended(&iwait))) {
        vr_greenlet *greenlet = greenlet_of(entry);
        if (options->done)
            options->done[dead] = greenlet;
        dead++;
        if (options->flags & VR_RAISE_ERROR && (error = vr_error(greenlet)))
            break;
    }
    /* What was thrown goes before a greenlet's error: nobody else will ever tell of it. */
    if (iwait.error && iwait.error != -ETIMEDOUT)
        error = iwait.error;
    vr_iwait_done(&iwait);
    return error ? (int)error : dead;
}

int vr_wait_object(vr_waitable *const objects[], size_t count, vr_time timeout)
{
    vr_iwait iwait;

    for (size_t i = 0; i < count; i++)
        if (vr_waitable_ready(objects[i]))
            return (int)i;
    if (!count) {
        int slept = vr_sleep(timeout);
        return slept ? slept : -ETIMEDOUT;
    }
    long error = vr_iwait_init_objects(&iwait, objects, count, &(vr_wait_options){.timeout = timeout, .wanted = 1});
    if (error)
        return (int)error;
    const struct vr_iwait_entry *entry = next_ended(&iwait);
    int result = entry ? (int)(entry - iwait.entries) : (int)iwait.error;
    vr_iwait_done(&iwait);
    return result;
}
