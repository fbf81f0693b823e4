/* Uses something of each layer; prints "www.example.com. 127.0.0.1". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vireo/dns.h>
#include <vireo/generator.h>
#include <vireo/hub.h>
#include <vireo/io.h>
#include <vireo/resolve.h>
#include <vireo/server.h>
#include <vireo/spawn.h>
#include <vireo/waiter.h>

static vr_result resolve(void *name)
{
    return vr_gethostbyname(name);
}

int main(void)
{
    const char text[] = "www.example.com";
    vr_name name;
    char out[VR_NAME_TEXT_SIZE];
    if (vr_name_from_text(&name, text, strlen(text)) < 0 || vr_name_to_text(&name, out, sizeof out) < 0)
        return EXIT_FAILURE;

    char host[] = "localhost";
    vr_greenlet *job = vr_spawn(resolve, host);
    if (vr_joinall(&job, 1, VR_SECONDS(2)) != 1)
        return EXIT_FAILURE;
    char *address = vr_value(job);
    printf("%s %s\n", out, address ? address : "none");
    free(address);
    vr_unref(job);
    vr_resolver_default_free();
    return vr_hub_free() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
