#include <vireo/dump.h>

#include "container.h"
#include "dump.h"
#include "hub.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

enum { DEADLOCK_LINES = 64, NAME_SIZE = 64, WAIT_SIZE = 160, LINE_SIZE = 512 };

/* --- What it waits for --- */

/* What `wait_on` is. */
enum subject { NOTHING, NUMBER, OBJECT, NAMELESS, ENDING, GENERATOR, SEVERAL, LOCK, SIGNAL_NUMBER };

/* In the order of vr_wait_kind. */
static const struct wait_words {
    const char *word, *before, *after; /* around the subject */
    enum subject subject;
} wait_words[VR_WAIT_KINDS] = {
    [VR_WAIT_SWITCH] = {"switch", "a switch", "", NOTHING},
    [VR_WAIT_TURN] = {"turn", "its turn", "", NOTHING},
    [VR_WAIT_TIMER] = {"timer", "the end of its sleep", "", NOTHING},
    [VR_WAIT_WAITER] = {"waiter", "waiter ", "", OBJECT},
    [VR_WAIT_READABLE] = {"readable", "fd ", " to be readable", NUMBER},
    [VR_WAIT_WRITABLE] = {"writable", "fd ", " to be writable", NUMBER},
    [VR_WAIT_GREENLET] = {"greenlet", "", " to end", ENDING},
    [VR_WAIT_GREENLETS] = {"greenlets", "one of ", "", SEVERAL},
    [VR_WAIT_GENERATOR] = {"generator", "generator ", "", GENERATOR},
    [VR_WAIT_EVENT] = {"event", "event ", "", OBJECT},
    [VR_WAIT_RESULT] = {"result", "result ", "", OBJECT},
    [VR_WAIT_SEMAPHORE] = {"semaphore", "semaphore ", "", OBJECT},
    [VR_WAIT_LOCK] = {"lock", "lock ", "", LOCK},
    [VR_WAIT_QUEUE_GET] = {"queue-get", "queue ", " to have an item", OBJECT},
    [VR_WAIT_QUEUE_PUT] = {"queue-put", "queue ", " to have room", OBJECT},
    [VR_WAIT_QUEUE_JOIN] = {"queue-join", "queue ", " to be done", OBJECT},
    [VR_WAIT_CHANNEL_GET] = {"channel-get", "channel ", " to give", OBJECT},
    [VR_WAIT_CHANNEL_PUT] = {"channel-put", "channel ", " to take", OBJECT},
    [VR_WAIT_POOL] = {"pool", "pool ", " to have room", OBJECT},
    [VR_WAIT_GROUP] = {"group", "group ", " to end", OBJECT},
    [VR_WAIT_SCOPE] = {"scope", "scope ", " to end", OBJECT},
    [VR_WAIT_THREAD] = {"thread", "a job of a thread pool", "", NAMELESS},
    [VR_WAIT_PROCESS] = {"process", "process ", " to end", NUMBER},
    [VR_WAIT_SIGNAL] = {"signal", "signal", "", SIGNAL_NUMBER},
    [VR_WAIT_IDLE] = {"idle", "nothing to be left", "", NOTHING},
};

/* A greenlet's info, and room for its texts. */
typedef struct description {
    vr_greenlet_info info;
    char name[NAME_SIZE], other_name[NAME_SIZE], wait_text[WAIT_SIZE];
} description;

static const char *const state_texts[] = {
    [VR_GREENLET_RUNNING] = "running",         [VR_GREENLET_READY] = "ready", [VR_GREENLET_WAITING] = "waiting",
    [VR_GREENLET_NOT_STARTED] = "not started", [VR_GREENLET_DEAD] = "dead",
};

static const char *duration_text(char out[24], vr_time duration)
{
    if (duration < VR_SECONDS(1))
        snprintf(out, 24, "%" PRId64 " ms", duration / VR_MILLISECONDS(1));
    else if (duration < VR_SECONDS(100))
        snprintf(out, 24, "%" PRId64 ".%" PRId64 " s", duration / VR_SECONDS(1),
                 duration % VR_SECONDS(1) / VR_MILLISECONDS(100));
    else if (duration < VR_SECONDS(100 * 60))
        snprintf(out, 24, "%" PRId64 " min", duration / VR_SECONDS(60));
    else
        snprintf(out, 24, "%" PRId64 " h", duration / VR_SECONDS(3600));
    return out;
}

static void set_other(description *out, const vr_greenlet *other)
{
    out->info.other = other;
    if (other)
        out->info.other_name = vr_name_of(other, out->other_name, sizeof out->other_name);
}

/* Reads `wait_on`, and words it: what stands between `before` and `after`. */
static void read_subject(description *out, enum subject subject, const void *on, char text[NAME_SIZE + 16])
{
    size_t size = NAME_SIZE + 16;
    vr_greenlet_info *info = &out->info;

    text[0] = '\0';
    switch (subject) {
    case NOTHING:
        break;
    case NUMBER:
        info->number = (long)(intptr_t)on;
        snprintf(text, size, "%ld", info->number);
        break;
    case SIGNAL_NUMBER:
        info->number = (long)(intptr_t)on;
        if (info->number)
            snprintf(text, size, " %ld", info->number);
        break;
    case OBJECT:
        info->object = on;
        snprintf(text, size, "%p", on);
        break;
    case NAMELESS:
        info->object = on;
        break;
    case SEVERAL:
        info->object = on;
        snprintf(text, size, "%zu", ((const vr_iwait *)on)->count);
        break;
    case LOCK:
        info->object = on;
        if (vr_lock_is_orphaned(on)) {
            snprintf(text, size, "whose owner has ended");
            break;
        }
        set_other(out, vr_rlock_owner(on));
        if (info->other)
            snprintf(text, size, "of %s", info->other_name);
        break;
    case ENDING:
        set_other(out, VR_CONTAINER((uintptr_t)on, vr_greenlet, waitable));
        snprintf(text, size, "%s", info->other_name);
        break;
    case GENERATOR:
        set_other(out, on);
        snprintf(text, size, "%s", info->other_name);
        break;
    }
}

/* What the limit of its wait adds. */
static void add_limit(description *out, vr_wait_kind kind)
{
    size_t len = strlen(out->wait_text), size = sizeof out->wait_text - len;
    char duration[24];

    if (out->info.at_most == VR_FOREVER)
        return;
    duration_text(duration, out->info.at_most);
    if (kind == VR_WAIT_TIMER || out->info.state == VR_GREENLET_NOT_STARTED)
        snprintf(out->wait_text + len, size, ", in %s", duration);
    else
        snprintf(out->wait_text + len, size, ", at most %s more", duration);
}

static vr_time until(vr_time deadline, vr_time now)
{
    if (deadline == VR_FOREVER)
        return VR_FOREVER;
    return deadline > now ? deadline - now : 0;
}

static void describe_wait(description *out, const vr_greenlet *greenlet, vr_time now)
{
    const struct wait_words *words = &wait_words[greenlet->wait_kind];
    char subject[NAME_SIZE + 16];

    read_subject(out, words->subject, greenlet->wait_on, subject);
    out->info.wait = words->word;
    snprintf(out->wait_text, sizeof out->wait_text, "%s%s%s", words->before, subject, words->after);
    if (greenlet->wait_kind == VR_WAIT_SWITCH)
        return;
    out->info.waited = now > greenlet->wait_since ? now - greenlet->wait_since : 0;
    if (greenlet->wait_kind != VR_WAIT_GENERATOR)
        out->info.at_most = until(greenlet->wait_until, now);
    add_limit(out, greenlet->wait_kind);
}

/* One that has not run: what it is told to wait for, if anything. */
static void describe_start(description *out, const vr_greenlet *greenlet, vr_time now)
{
    if (!greenlet->later && !vr_callback_queued(&greenlet->wake))
        return;
    out->info.wait = "start";
    snprintf(out->wait_text, sizeof out->wait_text, "its first turn");
    if (greenlet->later)
        out->info.at_most = until(greenlet->wait_until, now);
    add_limit(out, VR_WAIT_SWITCH);
}

/* --- One greenlet --- */

static vr_greenlet_state state_of(const vr_greenlet *greenlet)
{
    const vr_hub *hub = greenlet->hub;

    if (greenlet == hub->current)
        return VR_GREENLET_RUNNING;
    if (greenlet->state == VR_STATE_DEAD)
        return VR_GREENLET_DEAD;
    if (greenlet->state == VR_STATE_NEW)
        return VR_GREENLET_NOT_STARTED;
    if (vr_callback_queued(&greenlet->wake) || vr_callback_queued(&greenlet->kill) || greenlet == hub->loop_greenlet)
        return VR_GREENLET_READY;
    return VR_GREENLET_WAITING;
}

static void describe(description *out, const vr_greenlet *greenlet, vr_time now)
{
    vr_greenlet_info *info = &out->info;

    *info = (vr_greenlet_info){
        .greenlet = greenlet,
        .serial = greenlet->serial,
        .name = vr_name_of(greenlet, out->name, sizeof out->name),
        .site = greenlet->site,
        .is_main = greenlet == &greenlet->hub->main,
        .is_hub = greenlet == greenlet->hub->loop_greenlet,
        .state = state_of(greenlet),
        .wait_text = out->wait_text,
        .waited = -1,
        .at_most = VR_FOREVER,
    };
    out->wait_text[0] = '\0';
    info->state_text = state_texts[info->state];
    if (info->state == VR_GREENLET_WAITING)
        describe_wait(out, greenlet, now);
    else if (info->state == VR_GREENLET_NOT_STARTED)
        describe_start(out, greenlet, now);
}

/* Apart, as it takes system calls. */
static void measure_stack(vr_greenlet_info *info)
{
    const char *bottom = info->greenlet->stack.bottom;

    if (!bottom)
        return;
    info->stack_size = (size_t)((const char *)info->greenlet - bottom);
    info->stack_used = vr_stack_depth(bottom, info->greenlet);
}

/* --- All of them --- */

typedef struct roll {
    const vr_greenlet **greenlets;
    size_t count;
} roll;

static bool count_one(void *record, void *context)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

static bool list_one(void *record, void *context)
{
    roll *all = context;

    all->greenlets[all->count++] = record;
    return true;
}

static int by_serial(const void *left, const void *right)
{
    const vr_greenlet *a = *(const vr_greenlet *const *)left, *b = *(const vr_greenlet *const *)right;

    return (a->serial > b->serial) - (a->serial < b->serial);
}

/* For free; false without memory. */
static bool call_the_roll(const vr_hub *hub, roll *out)
{
    size_t count = 0;

    *out = (roll){0};
    if (!hub)
        return true;
    vr_stack_each(&hub->stacks, count_one, &count);
    out->greenlets = malloc((count + 1) * sizeof(const vr_greenlet *));
    if (!out->greenlets)
        return false;
    out->greenlets[out->count++] = &hub->main;
    vr_stack_each(&hub->stacks, list_one, out);
    qsort(out->greenlets, out->count, sizeof(const vr_greenlet *), by_serial);
    return true;
}

int vr_greenlet_each(vr_greenlet_visitor *visit, void *context)
{
    vr_hub *hub = vr_hub_peek();
    description described;
    roll all;
    size_t seen = 0;

    if (!call_the_roll(hub, &all))
        return -ENOMEM;
    while (seen < all.count) {
        describe(&described, all.greenlets[seen++], vr_hub_now(hub));
        measure_stack(&described.info);
        if (!visit(&described.info, context))
            break;
    }
    free(all.greenlets);
    return (int)seen;
}

/* --- Lines --- */

static int wider(int width, const char *text)
{
    int len = (int)strlen(text);

    return len > width ? len : width;
}

/* The column of the stack, with the space before it. */
static void write_stack(char out[64], const vr_greenlet_info *info)
{
    enum { KIB = 1024 };
    char text[48] = "-";

    if (info->stack_size)
        snprintf(text, sizeof text, "%zu of %zu KiB", (info->stack_used + KIB - 1) / KIB, info->stack_size / KIB);
    snprintf(out, 64, "  %-14s", text);
}

static const char *site_of(const vr_greenlet_info *info)
{
    if (info->is_main)
        return "(main)";
    if (info->is_hub)
        return "(hub)";
    return info->site ? info->site : "(vireo)";
}

static const char *waited_text(char out[32], vr_time waited)
{
    char duration[24];

    if (waited < 0)
        return "";
    snprintf(out, 32, "for %s", duration_text(duration, waited));
    return out;
}

/* The columns' widths. */
typedef struct widths {
    int name, state, wait;
} widths;

static widths widths_of(const vr_greenlet *const greenlets[], size_t count, vr_time now)
{
    widths all = {0};
    description described;

    for (size_t i = 0; i < count; i++) {
        describe(&described, greenlets[i], now);
        all.name = wider(all.name, described.info.name);
        all.state = wider(all.state, described.info.state_text);
        all.wait = wider(all.wait, described.info.wait_text);
    }
    return all;
}

/*
 * Formatted apart and written in one call: a line to stderr, which has no buffer, is not to be broken by others', and
 * what fprintf takes for one would be most of a small stack.
 */
static void write_line(FILE *out, const vr_greenlet_info *info, const widths *width, const char *stack)
{
    char line[LINE_SIZE], waited[32];

    int len = snprintf(line, sizeof line, "  %-*s  %-*s  %-*s  %-10s%s  %s\n", width->name, info->name, width->state,
                       info->state_text, width->wait, info->wait_text, waited_text(waited, info->waited), stack,
                       site_of(info));
    if ((size_t)len >= sizeof line)
        line[sizeof line - 2] = '\n';
    fputs(line, out);
}

void vr_dump_lines(FILE *out, vr_hub *hub, const vr_greenlet *const greenlets[], size_t count, unsigned flags)
{
    vr_time now = vr_hub_now(hub);
    widths all = widths_of(greenlets, count, now);
    description described;
    char stack[64] = "";

    for (size_t i = 0; i < count; i++) {
        describe(&described, greenlets[i], now);
        if (!(flags & VR_DUMP_NO_STACKS)) {
            measure_stack(&described.info);
            write_stack(stack, &described.info);
        }
        write_line(out, &described.info, &all, stack);
    }
}

static void dump(FILE *out, vr_hub *hub, const roll *all, size_t greenlets_max)
{
    size_t count = all->count < greenlets_max ? all->count : greenlets_max;
    char thread[32] = "", title[128];

    pthread_getname_np(pthread_self(), thread, sizeof thread);
    snprintf(title, sizeof title, "vireo: %zu greenlet%s in thread %ld (%s)\n", all->count, all->count == 1 ? "" : "s",
             (long)gettid(), thread);
    fputs(title, out);
    if (count)
        vr_dump_lines(out, hub, all->greenlets, count, 0);
    if (count < all->count)
        fprintf(out, "  ... and %zu more\n", all->count - count);
}

int vr_dump(FILE *out)
{
    vr_hub *hub = vr_hub_peek();
    roll all;

    if (!call_the_roll(hub, &all))
        return -ENOMEM;
    flockfile(out);
    errno = 0;
    dump(out, hub, &all, SIZE_MAX);
    int error = fflush(out) || ferror(out) ? -(errno ? errno : EIO) : 0;
    funlockfile(out);
    free(all.greenlets);
    return error;
}

char *vr_dump_text(size_t greenlets_max)
{
    vr_hub *hub = vr_hub_peek();
    char *text = NULL;
    size_t len;
    roll all;

    if (!call_the_roll(hub, &all))
        return NULL;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        dump(out, hub, &all, greenlets_max);
        bool failed = ferror(out);
        if (fclose(out) || failed) {
            free(text);
            text = NULL;
        }
    }
    free(all.greenlets);
    return text;
}

/* --- Deadlocks --- */

void vr_deadlock_keep_dump(vr_hub *hub)
{
    free(hub->deadlock);
    hub->deadlock = vr_dump_text(DEADLOCK_LINES);
}

const char *vr_hub_deadlock(void)
{
    const vr_hub *hub = vr_hub_peek();

    return hub ? hub->deadlock : NULL;
}
