/* What io.c and socket.c share: how a call waits for its descriptor. */
#ifndef VIREO_RUNTIME_IO_H
#define VIREO_RUNTIME_IO_H

#include "poller.h"

#include <sys/types.h>

/* The time that a call has. The clock is not read before the call has to wait. */
typedef struct vr_patience {
    vr_time timeout;
    vr_time deadline; /* what `timeout` means, once the call has waited */
    bool waited;
} vr_patience;

/*
 * After a system call that failed with errno: 0 when it should be made again, as the descriptor is ready now; or the
 * error.
 */
int vr_io_retry(int fd, vr_direction direction, vr_patience *patience);

/*
 * Before the system call of a read: waits, where the descriptor's habit says that there is nothing to be read yet. That
 * saves the system call that would only tell so; the wait costs none, since the hub polls anyway. 0 or an error.
 */
int vr_io_begin_read(int fd, vr_patience *patience);

/* After it: did it take all there was, as far as it can tell? */
void vr_io_end_read(int fd, bool drained);

/* What is left to do of a write of several pieces that wrote `done` octets: the first piece with octets left, and how
 * many of its octets are done. */
struct iovec;
size_t vr_iovec_skip(const struct iovec *pieces, size_t count, size_t done, size_t *offset);

#endif
