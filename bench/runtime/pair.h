/*
 * The socket pairs that the programs in C play ping-pong over: each message is echoed by the other end. A buffer is
 * larger than a message, as a server's would be.
 */
#ifndef VIREO_BENCH_PAIR_H
#define VIREO_BENCH_PAIR_H

#include "bench.h"

#include <sys/socket.h>

enum { PAIR_MESSAGE = 32, PAIR_BUFFER = 512, PAIRS = 100 };

static inline void pair_open(int fds[2])
{
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);

    bench_require(!failed, "no socket pair");
}

#endif
