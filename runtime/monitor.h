/* The monitor's side of a hub that is watched. */
#ifndef VIREO_RUNTIME_MONITOR_H
#define VIREO_RUNTIME_MONITOR_H

#include "hub.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <vireo/monitor.h>

enum { VR_FRAMES_MAX = 64 };

/* The monitor asks a hub's thread what it is in the middle of; the handler in that thread answers, or nobody does. */
typedef enum vr_inquiry {
    VR_INQUIRY_NONE,
    VR_INQUIRY_ASKED,
    VR_INQUIRY_BEING_ANSWERED,
    VR_INQUIRY_ANSWERED,
    VR_INQUIRY_OUTDATED, /* the hub has gone on meanwhile */
} vr_inquiry;

typedef struct vr_watch {
    const vr_hub *hub;
    pid_t thread;
    vr_time limit;
    vr_stall_handler *handler;
    struct vr_watch *next;
    bool busy; /* the monitor is at it, without the lock */
    /* What the monitor saw: */
    uint64_t switches;
    vr_time since; /* has it been like that */
    bool told;     /* of this stall */
    /* The inquiry; what is below `state` is the handler's while it answers. */
    sem_t answer;
    _Atomic(vr_inquiry) state;
    char name[64];
    const char *site;
    void *frames[VR_FRAMES_MAX];
    int frame_count;
} vr_watch;

/* One look at a hub, at the instant `now` of the monitor's clock. True once for each stall, when it is too long. */
bool vr_watch_look(vr_watch *watch, vr_time now);

#endif
