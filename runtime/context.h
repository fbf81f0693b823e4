/*
 * The machine's part of a greenlet: where it goes on when it is switched to.
 *
 * On x86-64 and AArch64 the switch is inline assembly. It keeps the stack pointer, the frame pointer and the address to
 * go on at, and tells the compiler that every other register is lost, so that only those in use are saved, by the
 * function around it, in its own frame. Nothing is pushed in between: what unwinders know of that function holds for a
 * suspended context as well, and they walk from it without help. An unwinder stops at the first code of a context,
 * which says that it was called by nobody.
 *
 * Every other machine has ucontext, which pays two system calls a switch for the signal mask. It is built and tested on
 * all machines with -DVIREO_UCONTEXT=ON.
 *
 * The floating point environment (MXCSR and the x87 control word, FPCR) is a thread's, not a context's: saving it would
 * double the cost of a switch for a feature of which few programs know.
 */
#ifndef VIREO_RUNTIME_CONTEXT_H
#define VIREO_RUNTIME_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#if VR_CONTEXT_UCONTEXT

#    include <ucontext.h>

typedef struct vr_context {
    ucontext_t ucontext;
} vr_context;

/* Prepares a context that begins in entry(argument) on the given stack; entry must never return. */
void vr_context_init(vr_context *context, void *stack, size_t size, void (*entry)(void *), void *argument);

/* Leaves the running code in `from` and goes on in `to`; returns when something switches to `from`. */
void vr_context_switch(vr_context *from, vr_context *to);

#else

typedef struct vr_context {
    void *sp;
    void *pc;
    void *fp; /* the frame pointer; before the first switch, the argument */
} vr_context;

/*
 * The first code of every context: goes to the function at its stack pointer, as if it had called it, with what is in
 * its frame pointer. It jumps, since a call that is never returned from would stay in the processor's return predictor,
 * and every return after the next switch would be guessed wrong.
 */
void vr_context_start(void);

static inline void vr_context_init(vr_context *context, void *stack, size_t size, void (*entry)(void *), void *argument)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    void (**slot)(void *) = (void (**)(void *))(top - 16);

    *slot = entry;
    *context = (vr_context){.sp = slot, .pc = (void *)(uintptr_t)vr_context_start, .fp = argument};
}

#    if defined(__x86_64__)
#        include "context_x86_64.h"
#    elif defined(__aarch64__)
#        include "context_aarch64.h"
#    else
#        error "no context switch for this machine: build with VIREO_UCONTEXT"
#    endif

#endif
#endif
