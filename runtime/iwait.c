/* Waiting for several greenlets: an entry for each, linked to it, that joins the list of the ended ones when it fires.
 */
#include "hub.h"

#include <errno.h>
#include <stdlib.h>

struct vr_iwait_entry {
    vr_link link;
    vr_iwait *iwait;
    vr_greenlet *greenlet; /* NULL: one that memory ran out for */
    bool ended;
    struct vr_iwait_entry *next; /* among the ended */
};

/* --- One --- */

static void wake_joiner(vr_greenlet *greenlet, void *waiter)
{
    (void)greenlet;
    vr_waiter_switch(waiter, NULL);
}

int vr_join(vr_greenlet *greenlet, vr_time timeout)
{
    if (vr_ready(greenlet))
        return 0;
    if (greenlet == vr_current())
        return -EINVAL;

    vr_waiter waiter = VR_WAITER;
    vr_link link = {.notify = wake_joiner, .context = &waiter};
    vr_rawlink(greenlet, &link);
    int error = (int)vr_waiter_get(&waiter, timeout).error;
    vr_unlink(greenlet, &link);
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

static void entry_ended(vr_greenlet *greenlet, void *context)
{
    struct vr_iwait_entry *entry = context;

    (void)greenlet;
    append(entry);
    vr_waiter_switch(&entry->iwait->waiter, NULL);
}

/* Is it dead, and has it not been taken in? */
static bool is_missed(const struct vr_iwait_entry *entry)
{
    return !entry->ended && vr_ready(entry->greenlet);
}

static int by_death(const void *left, const void *right)
{
    const vr_greenlet *a = (*(struct vr_iwait_entry *const *)left)->greenlet;
    const vr_greenlet *b = (*(struct vr_iwait_entry *const *)right)->greenlet;

    if (!a || !b)
        return !b - !a; /* those that never were came first */
    return (a->death > b->death) - (a->death < b->death);
}

/* Takes in those that are dead but have not come through their links, in the order in which they died. */
static int gather(vr_iwait *iwait)
{
    struct vr_iwait_entry **dead = NULL;
    size_t count = 0;

    for (size_t i = 0; i < iwait->count; i++)
        count += is_missed(&iwait->entries[i]);
    if (!count)
        return 0;
    dead = malloc(count * sizeof(struct vr_iwait_entry *));
    if (!dead)
        return -ENOMEM;
    count = 0;
    for (size_t i = 0; i < iwait->count; i++)
        if (is_missed(&iwait->entries[i]))
            dead[count++] = &iwait->entries[i];
    qsort(dead, count, sizeof(struct vr_iwait_entry *), by_death);
    for (size_t i = 0; i < count; i++) {
        if (dead[i]->greenlet)
            vr_unlink(dead[i]->greenlet, &dead[i]->link);
        append(dead[i]);
    }
    free(dead);
    return 0;
}

/* Links all that live; the dead have ended first. */
static int begin(vr_iwait *iwait, vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options)
{
    size_t wanted = options->wanted && options->wanted < count ? options->wanted : count;

    *iwait = (vr_iwait){.count = count, .left = wanted, .deadline = vr_deadline(options->timeout)};
    iwait->last = &iwait->first;
    iwait->entries = calloc(count, sizeof *iwait->entries);
    if (!iwait->entries && count)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct vr_iwait_entry *entry = &iwait->entries[i];
        *entry = (struct vr_iwait_entry){
            .link = {.notify = entry_ended, .context = entry}, .iwait = iwait, .greenlet = greenlets[i]};
        if (!vr_ready(entry->greenlet))
            vr_rawlink(entry->greenlet, &entry->link);
    }
    int error = gather(iwait);
    if (error)
        vr_iwait_done(iwait);
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

    vr_waiter_clear(&iwait->waiter);
    iwait->error = left ? vr_waiter_get(&iwait->waiter, left).error : -ETIMEDOUT;
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

int vr_iwait_init(vr_iwait *iwait, vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options)
{
    for (size_t i = 0; i < count; i++)
        if (!greenlets[i])
            return -EINVAL;
    return begin(iwait, greenlets, count, options);
}

vr_greenlet *vr_iwait_next(vr_iwait *iwait)
{
    struct vr_iwait_entry *entry = next_ended(iwait);

    return entry ? entry->greenlet : NULL;
}

long vr_iwait_error(const vr_iwait *iwait)
{
    return iwait->error;
}

void vr_iwait_done(vr_iwait *iwait)
{
    for (size_t i = 0; i < iwait->count; i++)
        if (iwait->entries[i].greenlet)
            vr_unlink(iwait->entries[i].greenlet, &iwait->entries[i].link);
    free(iwait->entries);
    *iwait = (vr_iwait){0};
}

int vr_wait(vr_greenlet *const greenlets[], size_t count, const vr_wait_options *options)
{
    vr_iwait iwait;
    struct vr_iwait_entry *entry;
    int dead = 0;
    long error = begin(&iwait, greenlets, count, options);

    if (error)
        return (int)error;
    while ((entry = next_ended(&iwait))) {
        if (options->done)
            options->done[dead] = entry->greenlet;
        dead++;
        if (options->flags & VR_RAISE_ERROR && (error = vr_error(entry->greenlet)))
            break;
    }
    /* What was thrown goes before a greenlet's error: nobody else will ever tell of it. */
    if (iwait.error && iwait.error != -ETIMEDOUT)
        error = iwait.error;
    vr_iwait_done(&iwait);
    return error ? (int)error : dead;
}
