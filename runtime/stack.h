/*
 * Stacks: equal slots in a few large mappings for each size, recycled last out first in.
 *
 *   low                                                                        high
 *   | guard page | stack, grows down ...              | record | (shift) | head |
 *
 * Slots lie side by side, so that the kernel spends no page table page on each, and the greenlet's record is at the top
 * of its slot, in the page that the stack touches first: a parked greenlet costs little more than one page. Records and
 * stacks begin at one of several offsets in their page: at the same offset in all, those of a thousand greenlets would
 * share a few lines of the processor's cache.
 */
#ifndef VIREO_RUNTIME_STACK_H
#define VIREO_RUNTIME_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* Sizes are powers of two, from 16 KiB to 64 MiB. */
enum { VR_STACK_SIZES = 13 };

typedef struct vr_stack_arena {
    struct vr_stack_pool {
        struct vr_stack_chunk *chunks; /* every mapping of this size, the newest first */
        struct vr_stack_head *free;    /* slots that were used before */
        char *fresh, *fresh_end;       /* the part of the newest mapping that was never handed out */
    } pools[VR_STACK_SIZES];
    size_t in_use; /* slots handed out */
} vr_stack_arena;

/* A stack that was handed out. */
typedef struct vr_stack {
    char *bottom;   /* its lowest octet; it ends at its record */
    unsigned shift; /* its slot has 2^shift octets */
} vr_stack;

/*
 * A slot for a stack of at least `stack_size` octets (0: the usual) below a record of `record_size`, whose address is
 * returned, aligned to 64. NULL, with errno set: ENOMEM when there
 * is no more memory, or the process has as many mappings as vm.max_map_count allows; EINVAL for a stack of more than
 * VR_STACK_MAX.
 */
void *vr_stack_take(vr_stack_arena *arena, size_t record_size, size_t stack_size, vr_stack *stack);

/*
 * Gives a slot back by what vr_stack_take returned. Sanitizers and valgrind report who
 * touches it after. What lies deeper than stacks usually go is given back to the system.
 */
void vr_stack_give(vr_stack_arena *arena, void *record, vr_stack stack);

/* Calls `visit` for the record of each slot in use, until it returns false. */
void vr_stack_each(const vr_stack_arena *arena, bool (*visit)(void *record, void *context), void *context);

/* Is this the record of a slot in use? */
bool vr_stack_holds(const vr_stack_arena *arena, const void *record);

/*
 * How many octets of the stack between `bottom` and `record` have ever been written to, since the slot's memory came
 * from the system: whoever had the slot before counts, too.
 */
size_t vr_stack_depth(const void *bottom, const void *record);

/* Is this address in the guard page below the stack that begins at `bottom`? */
bool vr_stack_guards(const void *bottom, const void *address);

/* Unmaps everything; no slot may be in use. */
void vr_stack_arena_done(vr_stack_arena *arena);

#endif
