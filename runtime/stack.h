/*
 * Stacks: equal slots in a few large mappings, recycled last out first in.
 *
 *   low                                                               high
 *   | guard page | stack, grows down ...                 | record, top |
 *
 * Slots lie side by side, so that the kernel spends no page table page on each, and the greenlet's record is at the top
 * of its slot, in the page that the stack touches first: a parked greenlet costs little more than one page.
 */
#ifndef VIREO_RUNTIME_STACK_H
#define VIREO_RUNTIME_STACK_H

#include <stddef.h>

typedef struct vr_stack_arena {
    struct vr_stack_chunk *chunks; /* every mapping, for vr_stack_arena_done */
    struct vr_stack_slot *free;    /* slots that were used before */
    char *fresh, *fresh_end;       /* the part of the newest mapping that was never handed out */
    size_t in_use;                 /* slots handed out */
} vr_stack_arena;

/*
 * A slot's top `record_size` octets, aligned to 64; the stack below begins at *stack and has *size octets. NULL, with
 * errno set to ENOMEM, when there is no more memory or the process has as many mappings as vm.max_map_count allows.
 */
void *vr_stack_take(vr_stack_arena *arena, size_t record_size, void **stack, size_t *size);

/* Gives a slot back by the record that vr_stack_take returned. Sanitizers and valgrind report who touches it after. */
void vr_stack_give(vr_stack_arena *arena, void *record);

/* Unmaps everything; no slot may be in use. */
void vr_stack_arena_done(vr_stack_arena *arena);

#endif
