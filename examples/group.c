/*
 * A group: greenlets that come and go, and that one call joins, or kills, all together.
 */
#include <errno.h>
#include <stdio.h>
#include <vireo/hub.h>
#include <vireo/pool.h>

static vr_result session(void *number)
{
    int error = vr_sleep(*(int *)number == 3 ? VR_FOREVER : VR_MILLISECONDS(*(int *)number));

    printf("session %d: %s\n", *(int *)number, vr_strerror(error));
    return vr_fail(error);
}

int main(void)
{
    int numbers[] = {1, 2, 3};
    vr_group sessions = VR_GROUP;

    for (int i = 0; i < 3; i++)
        vr_unref(vr_group_spawn(&sessions, session, &numbers[i])); /* the group knows them while they run */
    printf("%zu sessions\n", vr_group_count(&sessions));

    int error = vr_group_join(&sessions, VR_MILLISECONDS(300), 0);
    printf("%s, %zu left\n", vr_strerror(error), vr_group_count(&sessions));

    error = vr_group_kill(&sessions, -ECANCELED, VR_FOREVER);
    printf("%s, %zu left\n", vr_strerror(error), vr_group_count(&sessions));
    return vr_hub_free() ? 1 : 0;
}
