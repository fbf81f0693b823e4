/*
 * A generator that is fed: it prints those of the lines sent to it that contain its pattern.
 */
#include <stdio.h>
#include <string.h>
#include <vireo/generator.h>
#include <vireo/hub.h>

static vr_result grep(void *pattern)
{
    printf("Looking for %s\n", (const char *)pattern);
    for (;;) {
        vr_result line = vr_yield(NULL); /* waits for the next line */
        if (line.error) {
            puts("Goodbye"); /* the generator is closed: time to clean up */
            return line;
        }
        if (strstr(line.value, pattern))
            puts(line.value);
    }
}

int main(void)
{
    static char pattern[] = "python";
    static char lines[][40] = {
        "A vireo sings in the oak.",
        "A python sleeps in the sun.",
        "Frogs say little of either.",
    };
    bool done;

    vr_generator *generator = vr_generator_new(grep, pattern);
    if (!generator) {
        perror("vr_generator_new");
        return 1;
    }
    vr_generator_next(generator, &done); /* runs to the first yield, where it can take a line */
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        vr_generator_send(generator, lines[i], &done);
    vr_generator_close(generator); /* its yield fails */

    vr_generator_free(generator);
    return vr_hub_free() ? 1 : 0;
}
