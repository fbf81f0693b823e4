#include "stack.h"

#include "sanitize.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The size of a slot, a power of two. 64 KiB hold every call that this library makes, with room for a caller's;
 * sanitizers make frames several times as large.
 */
#if VR_ASAN || VR_TSAN
enum { SLOT_SIZE = 512 * 1024 };
#else
enum { SLOT_SIZE = 64 * 1024 };
#endif

/* Slots of one mapping: enough that the mappings of a million greenlets stay far below vm.max_map_count (65,530). */
enum { CHUNK_SLOTS = 256 };

/* Linux 6.13; not in the C library's headers yet. */
#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

struct vr_stack_chunk {
    struct vr_stack_chunk *next;
    char *slots;
};

/* A free slot, seen from the top: the list's link is in the page that is touched anyway. */
struct vr_stack_slot {
    struct vr_stack_slot *next;
};

static char *slot_of(const void *inside)
{
    return (char *)((uintptr_t)inside & ~(uintptr_t)(SLOT_SIZE - 1));
}

/* The end of a free slot holds its link. */
static struct vr_stack_slot *link_of(char *slot)
{
    return (struct vr_stack_slot *)(void *)(slot + SLOT_SIZE - sizeof(struct vr_stack_slot));
}

/*
 * A mapping of CHUNK_SLOTS slots, aligned to their size so that a slot is found from any address in it. One slot more
 * is reserved, and what the alignment leaves over is given back.
 */
static char *map_chunk(void)
{
    size_t size = (size_t)SLOT_SIZE * CHUNK_SLOTS;
    char *base = mmap(NULL, size + SLOT_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    /* Huge pages would make every parked greenlet cost two megabytes. */
    madvise(base, size + SLOT_SIZE, MADV_NOHUGEPAGE);

    char *slots = slot_of(base + SLOT_SIZE - 1);
    if (slots > base)
        munmap(base, (size_t)(slots - base));
    char *end = base + size + SLOT_SIZE;
    if (slots + size < end)
        munmap(slots + size, (size_t)(end - (slots + size)));
    return slots;
}

static bool add_chunk(vr_stack_arena *arena)
{
    struct vr_stack_chunk *chunk = malloc(sizeof *chunk);
    if (!chunk)
        return false;
    chunk->slots = map_chunk();
    if (!chunk->slots) {
        free(chunk);
        errno = ENOMEM;
        return false;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->fresh = chunk->slots;
    arena->fresh_end = chunk->slots + (size_t)SLOT_SIZE * CHUNK_SLOTS;
    return true;
}

/*
 * Guards the lowest page of a slot. Guard markers live in the page tables and split no mapping; older kernels get a
 * page without access, which costs two mappings a stack.
 */
static bool guard(char *slot)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (madvise(slot, page, MADV_GUARD_INSTALL) == 0)
        return true;
    return mprotect(slot, page, PROT_NONE) == 0;
}

void *vr_stack_take(vr_stack_arena *arena, size_t record_size, void **stack, size_t *size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *slot;

    if (arena->free) {
        slot = slot_of(arena->free);
        arena->free = arena->free->next;
        vr_memory_open(slot + page, SLOT_SIZE - page);
    } else {
        if (arena->fresh == arena->fresh_end && !add_chunk(arena))
            return NULL;
        if (!guard(arena->fresh)) {
            errno = ENOMEM;
            return NULL;
        }
        slot = arena->fresh;
        arena->fresh += SLOT_SIZE;
    }
    arena->in_use++;

    char *record = slot + SLOT_SIZE - (record_size + 63) / 64 * 64;
    *stack = slot + page;
    *size = (size_t)(record - (char *)*stack);
    return record;
}

void vr_stack_give(vr_stack_arena *arena, void *record)
{
    char *slot = slot_of(record);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct vr_stack_slot *link = link_of(slot);

    vr_memory_close(slot + page, (size_t)((char *)link - slot) - page);
    link->next = arena->free;
    arena->free = link;
    arena->in_use--;
}

void vr_stack_arena_done(vr_stack_arena *arena)
{
    while (arena->chunks) {
        struct vr_stack_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        /* The addresses may come back in a mapping of somebody else's. */
        vr_memory_open(chunk->slots, (size_t)SLOT_SIZE * CHUNK_SLOTS);
        munmap(chunk->slots, (size_t)SLOT_SIZE * CHUNK_SLOTS);
        free(chunk);
    }
    *arena = (vr_stack_arena){0};
}
