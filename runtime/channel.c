/*
 * A putter brings its item to the line of the putters, and leaves when it was taken. A getter that is served is
 * promised one of the items there, and takes the first of them when it has its turn: as long as it has not, nothing
 * has happened that its end, or the putter's, would have to undo.
 */
#include <vireo/channel.h>

#include "interruption.h"
#include "line.h"

#include <errno.h>

/* Serves the getters for which there are items. */
static void settle(vr_channel *channel)
{
    while (channel->getters && channel->putting > channel->promised) {
        vr_line_wake_first(&channel->getters)->granted = true;
        channel->promised++;
    }
}

static void *take(vr_channel *channel)
{
    vr_place *putter = vr_line_wake_first(&channel->putters);

    putter->granted = true;
    channel->putting--;
    return putter->item;
}

/*
 * What has been passed on stays so, whatever was thrown in that turn; that is thrown again at the next wait. A kill
 * that is on its way already comes instead, as the last one counts.
 */
static void put_off(vr_hub *hub, long error)
{
    vr_greenlet *self = hub->current;

    if (error && !vr_interruption_put_off(error) && !vr_callback_queued(&self->kill))
        vr_greenlet_interrupt(self, error, self->shield);
}

/* Without a wait: to a getter that stands in line. */
static int hand_over(vr_channel *channel, void *item, int otherwise)
{
    if (!channel->getters)
        return otherwise;
    vr_place *getter = vr_line_wake_first(&channel->getters);
    getter->item = item;
    getter->handed = true;
    return 0;
}

int vr_channel_put(vr_channel *channel, void *item, vr_time timeout)
{
    int error = -ETIMEDOUT;
    vr_hub *hub = timeout > 0 ? vr_hub_to_block(&error) : NULL;

    if (!hub)
        return hand_over(channel, item, error);
    vr_place self = {.greenlet = hub->current, .item = item};
    vr_line_append(&channel->putters, &self);
    channel->putting++;
    settle(channel);
    error = vr_line_park(hub, &channel->putters, &self, timeout, VR_WAIT_CHANNEL_PUT, channel);
    if (self.granted) {
        put_off(hub, error);
        return 0;
    }
    channel->putting--;
    return error;
}

static vr_result await(vr_hub *hub, vr_channel *channel, vr_time timeout)
{
    vr_place self = {.greenlet = hub->current, .ticket = channel->tickets++};
    vr_time deadline = timeout == VR_FOREVER ? VR_FOREVER : vr_deadline(timeout);

    vr_line_append(&channel->getters, &self);
    for (;; timeout = vr_remaining(deadline)) {
        int error = vr_line_park(hub, &channel->getters, &self, timeout, VR_WAIT_CHANNEL_GET, channel);
        channel->promised -= self.granted;
        self.granted = false;
        if (self.handed) {
            put_off(hub, error);
            return vr_ok(self.item);
        }
        if (error) {
            settle(channel);
            return vr_fail(error);
        }
        if (channel->putting)
            return vr_ok(take(channel));
        /* The putter left before this had its turn: it waits on, where it stood. */
        vr_line_return(&channel->getters, &self);
    }
}

vr_result vr_channel_get(vr_channel *channel, vr_time timeout)
{
    int error = -ETIMEDOUT;

    if (channel->putting > channel->promised)
        return vr_ok(take(channel));
    vr_hub *hub = timeout > 0 ? vr_hub_to_block(&error) : NULL;
    return hub ? await(hub, channel, timeout) : vr_fail(error);
}
