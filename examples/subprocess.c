/*
 * Subprocesses: one that is fed and read, one whose output is read as it comes, and one that takes too long.
 */
#include <stdio.h>
#include <unistd.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/subprocess.h>

/* All at once: what it is told, and what it says. */
static void sort_lines(void)
{
    static const char lines[] = "pear\nbanana\napple\n";
    const char *const argv[] = {"sort", NULL};
    const vr_subprocess_options options = {.in.kind = VR_STREAM_PIPE, .out.kind = VR_STREAM_PIPE};
    vr_communication talk = {.input = lines, .input_len = sizeof lines - 1, .limit = 1000};

    int status = vr_subprocess_run(argv, &options, &talk, VR_SECONDS(30));
    if (status < 0)
        printf("sort: %s\n", vr_strerror(status));
    else
        printf("sort ended with %d:\n%s", WEXITSTATUS(status), talk.out.data);
    vr_communication_done(&talk);
}

/* Piece by piece: its output is a pipe like any other. */
static void read_as_it_comes(void)
{
    const char *const argv[] = {"sh", "-c", "for i in 1 2 3; do echo step $i; done; exit 4", NULL};
    const vr_subprocess_options options = {.out.kind = VR_STREAM_PIPE};
    vr_subprocess *process;
    char octets[256];
    ssize_t n;

    int error = vr_subprocess_spawn(argv, &options, &process);
    if (error) {
        printf("sh: %s\n", vr_strerror(error));
        return;
    }
    while ((n = vr_read(vr_subprocess_pipe(process, STDOUT_FILENO), octets, sizeof octets, VR_FOREVER)) > 0)
        printf("%.*s", (int)n, octets);
    printf("sh ended with %d\n", WEXITSTATUS(vr_subprocess_wait(process, VR_FOREVER)));
    vr_subprocess_free(process);
}

static void give_up(void)
{
    const char *const argv[] = {"sleep", "1000", NULL};

    /* It is killed when time is up. */
    printf("sleep: %s\n", vr_strerror(vr_subprocess_run(argv, NULL, NULL, VR_MILLISECONDS(10))));
}

static void run_nothing(void)
{
    const char *const argv[] = {"no-such-program", NULL};

    printf("no-such-program: %s\n", vr_strerror(vr_subprocess_run(argv, NULL, NULL, VR_FOREVER)));
}

int main(void)
{
    sort_lines();
    read_as_it_comes();
    give_up();
    run_nothing();
    return vr_hub_free() ? 1 : 0;
}
