#include "batch.h"

#include "question.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <vireo/hub.h>
#include <vireo/spawn.h>

/* Jobs that a worker takes before it gives way, where none of them waits for anything: bad lines, a passed deadline. */
enum { FAIR_SHARE = 64 };

struct batch {
    struct input *input;
    struct output *output;
    vr_resolver *resolver;
    vr_time timeout, deadline; /* a duration, an instant */
    vr_waiter *ended;          /* given when the last worker ends; the output throws its error here */

    vr_greenlet **workers;
    unsigned worker_count, worker_max;
    unsigned alive; /* workers that have not ended */
    unsigned idle;  /* those of them that want a job */
    int64_t failed;
};

static vr_result work(void *argument);

static bool add_worker(struct batch *batch)
{
    vr_greenlet *worker = vr_spawn(work, batch);
    if (!worker)
        return false;
    batch->workers[batch->worker_count++] = worker;
    batch->alive++;
    batch->idle++;
    return true;
}

/*
 * Whoever takes a job sees to it that somebody is there for the next. As many again as there are: so a large pool is
 * complete after a few rounds of the hub, and a short input has at most twice as many workers as jobs.
 */
static void keep_one_idle(struct batch *batch)
{
    if (batch->idle > 0)
        return;
    for (unsigned more = batch->worker_count; more > 0 && batch->worker_count < batch->worker_max; more--)
        if (!add_worker(batch))
            return;
}

static int64_t now_utc(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- One job --- */

static void fail(struct record *record, const char *failure, const char *reason)
{
    record->failure = failure;
    record->reason = reason;
}

/* Asks, and notes the outcome in the record. Returns 0, or -ECANCELED when the greenlet is to end. */
static int look_up(struct batch *batch, struct record *record, vr_answer **answer)
{
    vr_time left = vr_remaining(batch->deadline);
    int error = -ETIMEDOUT;
    if (left > 0)
        error = vr_resolver_query(batch->resolver, record->question, 0, left < batch->timeout ? left : batch->timeout,
                                  answer);
    record->answer = *answer;
    if (error == -ECANCELED)
        return error;
    if (error == -ETIMEDOUT && vr_remaining(batch->deadline) == 0)
        fail(record, "DEADLINE", "the deadline of the run has passed");
    else if (error == -ETIMEDOUT)
        fail(record, "TIMEOUT", vr_dns_strerror(error));
    else if (error < 0)
        fail(record, "ERROR", vr_dns_strerror(error));
    return 0;
}

static bool answered(const struct record *record)
{
    if (!record->answer)
        return false;
    uint16_t rcode = answer_rcode(record->answer);
    return rcode == VR_RCODE_NOERROR || rcode == VR_RCODE_NXDOMAIN;
}

/* Makes one record of a job, whatever happens. Returns 0 or the error that ends the worker. */
static int perform(struct batch *batch, const struct job *job)
{
    struct record record = {.job = job};
    vr_answer *answer = NULL;
    vr_question question;
    const char *fault = job->fault;
    int error = 0;
    if (!fault && question_type_allowed(job->type))
        fault = question_from_text(&question, job->name, job->name_len, (uint16_t)job->type);
    if (fault) {
        fail(&record, "BADNAME", fault);
    } else if (!question_type_allowed(job->type)) {
        fail(&record, "BADTYPE", job->type < 0 ? "no such type" : "not a type to look up");
    } else {
        record.question = &question;
        error = look_up(batch, &record, &answer);
    }
    record.when = now_utc();
    if (error == 0)
        error = output_record(batch->output, &record);
    if (error == 0 && !answered(&record))
        batch->failed++;
    free(answer);
    return error;
}

/* --- The pool --- */

static vr_result work(void *argument)
{
    struct batch *batch = argument;
    struct job job;
    int error = 0;
    for (unsigned jobs = 1; error == 0 && input_next(batch->input, &job) > 0; jobs++) {
        batch->idle--;
        keep_one_idle(batch);
        error = perform(batch, &job);
        if (error == 0 && jobs % FAIR_SHARE == 0)
            error = vr_sleep(0);
        batch->idle++;
    }
    batch->idle--;
    if (--batch->alive == 0)
        vr_waiter_switch(batch->ended, NULL);
    return vr_ok(NULL);
}

int64_t batch_run(struct input *input, struct output *output, vr_waiter *alarm, vr_resolver *resolver,
                  const struct batch_options *options)
{
    struct batch batch = {
        .input = input,
        .output = output,
        .resolver = resolver,
        .timeout = options->timeout,
        .deadline = vr_deadline(options->deadline),
        .ended = alarm,
        .workers = calloc(options->concurrency, sizeof *batch.workers),
        .worker_max = options->concurrency,
    };
    if (!batch.workers || !add_worker(&batch)) {
        free(batch.workers);
        return -ENOMEM;
    }
    long error = vr_waiter_get(alarm, VR_FOREVER).error;
    if (batch.alive > 0)
        vr_killall(batch.workers, batch.worker_count, -ECANCELED, VR_FOREVER);
    for (unsigned i = 0; i < batch.worker_count; i++)
        vr_unref(batch.workers[i]);
    free(batch.workers);
    return error < 0 ? error : batch.failed;
}
