/*
 * The machine's part of a greenlet: where its stack pointer was when it was last left.
 *
 * Two implementations: context_x86_64.S, and context_ucontext.c for every other machine (and to test against), which
 * pays two system calls a switch for the signal mask.
 */
#ifndef VIREO_RUNTIME_CONTEXT_H
#define VIREO_RUNTIME_CONTEXT_H

#include <stddef.h>

#if VR_CONTEXT_UCONTEXT
#    include <ucontext.h>
typedef struct vr_context {
    ucontext_t ucontext;
} vr_context;
#else
typedef struct vr_context {
    void *sp;
} vr_context;
#endif

/* Prepares a context that begins in entry(argument) on the given stack; entry must never return. */
void vr_context_init(vr_context *context, void *stack, size_t size, void (*entry)(void *), void *argument);

/* Leaves the running code in `from` and goes on in `to`; returns when something switches to `from`. */
void vr_context_switch(vr_context *from, vr_context *to);

#endif
