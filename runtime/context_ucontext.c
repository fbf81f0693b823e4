#include "context.h"

#include <stdint.h>

/* makecontext passes ints: a pointer travels as two halves. */
static void start(unsigned entry_high, unsigned entry_low, unsigned argument_high, unsigned argument_low)
{
    uintptr_t entry = (uintptr_t)((uint64_t)entry_high << 32 | entry_low);
    uintptr_t argument = (uintptr_t)((uint64_t)argument_high << 32 | argument_low);

    ((void (*)(void *))entry)((void *)argument);
}

void vr_context_init(vr_context *context, void *stack, size_t size, void (*entry)(void *), void *argument)
{
    uint64_t entry_bits = (uintptr_t)entry, argument_bits = (uintptr_t)argument;

    getcontext(&context->ucontext);
    context->ucontext.uc_stack.ss_sp = stack;
    context->ucontext.uc_stack.ss_size = size;
    context->ucontext.uc_link = NULL;
    makecontext(&context->ucontext, (void (*)(void))start, 4, (unsigned)(entry_bits >> 32), (unsigned)entry_bits,
                (unsigned)(argument_bits >> 32), (unsigned)argument_bits);
}

void vr_context_switch(vr_context *from, vr_context *to)
{
    swapcontext(&from->ucontext, &to->ucontext);
}
