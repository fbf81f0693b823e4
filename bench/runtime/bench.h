/*
 * What the programs in C and C++ share: timing, memory, options, output.
 *
 * A program measures groups of figures, and prints "ROW<tab>FIGURE" for each (rows.tsv says what they are). Time is the
 * process's CPU time, user and system: every operation here runs without a pause, so that it is what a clock would show
 * on a machine with nothing else to do, and other processes count for nothing.
 */
#ifndef VIREO_BENCH_H
#define VIREO_BENCH_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_group {
    const char *name;
    /* Does the operation at least so many times, and returns how many; the row has the group's name, the figure is
     * nanoseconds for one. */
    size_t (*repeat)(size_t times);
    /* In its place: finds the figures of `count` parked tasks, and prints them. */
    void (*park)(size_t count);
} bench_group;

/* How long to repeat an operation until the figure counts, and how many tasks to park. */
typedef struct bench_scale {
    double seconds;
    size_t times; /* when not 0: exactly one call of `repeat` with that, for an instruction counter to look at */
    size_t parked;
} bench_scale;

static inline double bench_cpu_seconds(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec + (double)spent.tv_nsec * 1e-9;
}

static inline void bench_print(const char *row, double figure)
{
    printf("%s\t%.4g\n", row, figure);
    fflush(stdout);
}

/* For what cannot go wrong unless the comparison is worthless. */
static inline void bench_require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* --- Memory --- */

typedef struct bench_memory {
    double kib; /* resident, and the page tables for it */
    size_t mappings;
} bench_memory;

static inline bench_memory bench_memory_now(void)
{
    bench_memory memory = {0, 0};
    char line[4096];

    FILE *status = fopen("/proc/self/status", "re");
    bench_require(status, "no /proc/self/status");
    while (fgets(line, sizeof line, status))
        if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
            memory.kib += strtod(line + 6, NULL);
    fclose(status);

    FILE *maps = fopen("/proc/self/maps", "re");
    bench_require(maps, "no /proc/self/maps");
    while (fgets(line, sizeof line, maps))
        memory.mappings++;
    fclose(maps);
    return memory;
}

/* Prints what `count` tasks have cost since `before` and `seconds`. */
static inline void bench_print_parked(size_t count, bench_memory before, double seconds)
{
    double spent = bench_cpu_seconds() - seconds;
    bench_memory now = bench_memory_now();

    bench_print("parked_memory", (now.kib - before.kib) / (double)count);
    bench_print("parked_mappings", (double)now.mappings - (double)before.mappings);
    bench_print("parked_spawn", spent * 1e9 / (double)count);
}

/* --- Measuring --- */

static inline void bench_measure(const bench_group *group, const bench_scale *scale)
{
    if (group->park) {
        group->park(scale->parked);
        return;
    }
    if (scale->times) {
        group->repeat(scale->times);
        return;
    }
    group->repeat(1000); /* what is set up once, and stacks for the first time */
    for (size_t times = 1000;; times *= 2) {
        double start = bench_cpu_seconds();
        size_t done = group->repeat(times);
        double spent = bench_cpu_seconds() - start;
        if (spent >= scale->seconds) {
            bench_print(group->name, spent * 1e9 / (double)done);
            return;
        }
    }
}

/*
 * PROGRAM [--quick] [--times N] [GROUP]...: measures these groups, or all. Groups that the program does not have are
 * passed over. `parked` is how many tasks to park in a full run.
 */
static inline int bench_main(int argc, char **argv, const bench_group *groups, size_t group_count, size_t parked)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'}, {"times", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    bench_scale scale = {0.15, 0, parked};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'q') {
            scale.seconds = 0.001;
            scale.parked = parked / 100;
        } else if (option == 't') {
            scale.times = strtoul(optarg, NULL, 10);
        } else {
            return 2;
        }
    }
    for (size_t i = 0; i < group_count; i++) {
        bool wanted = optind == argc;
        for (int argument = optind; argument < argc; argument++)
            wanted |= strcmp(argv[argument], groups[i].name) == 0;
        if (wanted)
            bench_measure(&groups[i], &scale);
    }
    return 0;
}

#endif
