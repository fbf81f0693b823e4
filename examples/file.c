/*
 * Files, read and written in threads while other greenlets run: a counter that survives a crash at any moment, since it
 * is replaced as a whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vireo/file.h>
#include <vireo/greenlet.h>
#include <vireo/hub.h>

/* Returns the number in the file; 0 when there is none yet. */
static long load_counter(const char *path)
{
    char *text;
    size_t len;
    int error = vr_file_load(path, 100, VR_SECONDS(5), &text, &len);

    if (error == -ENOENT)
        return 0;
    if (error)
        return error;
    long number = strtol(text, NULL, 10);
    free(text);
    return number;
}

static int count(const char *path)
{
    char text[32];
    long number = load_counter(path);

    if (number < 0)
        return (int)number;
    int len = snprintf(text, sizeof text, "%ld\n", number + 1);
    int error = vr_file_save(path, text, (size_t)len, 0644, VR_SECONDS(5));
    printf("%ld -> %ld: %s\n", number, number + 1, vr_strerror(error));
    return error;
}

int main(void)
{
    char directory[] = "/tmp/vireo-example-XXXXXX", path[64];

    if (!mkdtemp(directory)) {
        perror("mkdtemp");
        return 1;
    }
    snprintf(path, sizeof path, "%s/counter", directory);
    for (int i = 0; i < 3; i++)
        if (count(path) < 0)
            return 1;

    int error = vr_file_unlink(path, VR_FOREVER);
    rmdir(directory);
    return error || vr_hub_free() ? 1 : 0;
}
