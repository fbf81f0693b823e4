/*
 * Who is there, and what each greenlet waits for: as JSON, made from what vr_greenlet_each tells. For people there is
 * vr_dump(stderr), and vr_dump_on_signal(SIGUSR1), which writes the same whenever the signal comes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <vireo/dump.h>
#include <vireo/hub.h>
#include <vireo/semaphore.h>
#include <vireo/spawn.h>

static vr_rlock printer = VR_RLOCK_INIT;

static vr_result prints(void *page)
{
    if (vr_rlock_acquire(&printer, VR_FOREVER) == 0) {
        vr_sleep(VR_SECONDS(3));
        vr_rlock_release(&printer);
    }
    return vr_ok(page);
}

static vr_result collects(void *job)
{
    return vr_fail(vr_join(job, VR_FOREVER));
}

static bool write_json(const vr_greenlet_info *info, void *context)
{
    FILE *out = context;

    fprintf(out, "{\"name\": \"%s\", \"state\": \"%s\"", info->name, info->state_text);
    if (info->wait)
        fprintf(out, ", \"wait\": \"%s\", \"text\": \"%s\"", info->wait, info->wait_text);
    if (info->waited >= 0)
        fprintf(out, ", \"waited_ms\": %" PRId64, info->waited / VR_MILLISECONDS(1));
    fputs("}\n", out);
    return true;
}

int main(void)
{
    vr_hub_virtual_clock(0); /* for the same times in each run */

    vr_greenlet *first = vr_spawn_with(&(vr_spawn_options){.name = "first page"}, prints, NULL);
    vr_greenlet *second = vr_spawn_with(&(vr_spawn_options){.name = "second page"}, prints, NULL);
    vr_greenlet *collector = vr_spawn_with(&(vr_spawn_options){.name = "collector"}, collects, second);
    vr_greenlet *later = vr_spawn_with(&(vr_spawn_options){.name = "later", .delay = VR_SECONDS(60)}, prints, NULL);

    vr_sleep(VR_SECONDS(1));
    vr_greenlet_each(write_json, stdout);

    vr_kill(later, -ECANCELED);
    vr_joinall((vr_greenlet *[]){first, second, collector, later}, 4, VR_FOREVER);
    vr_unref(first);
    vr_unref(second);
    vr_unref(collector);
    vr_unref(later);
    return vr_hub_free() ? 1 : 0;
}
