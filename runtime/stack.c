#include "stack.h"

#include "sanitize.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vireo/spawn.h>

/*
 * The sizes of slots. 64 KiB hold every call that this library makes, with room for a caller's; sanitizers make frames
 * several times as large.
 */
#define MIN_SHIFT 14
#define MAX_SHIFT (MIN_SHIFT + VR_STACK_SIZES - 1)
#if VR_ASAN || VR_TSAN
#    define USUAL_SHIFT 19
#    define SANITIZED_SHIFT 3
#else
#    define USUAL_SHIFT 16
#    define SANITIZED_SHIFT 0
#endif

/* Of one mapping: enough that the mappings of a million greenlets stay far below vm.max_map_count (65,530). */
#define CHUNK_SIZE ((size_t)16 << (20 + SANITIZED_SHIFT))

/* What of a stack stays with its slot for the next one: most never go deeper. */
#define KEPT_SIZE ((size_t)16 << 10)

/* Where records begin, from slot to slot: at so many offsets, a line of the cache apart. */
enum { SHIFTS = 16, LINE = 64 };

/* Linux 6.13; not in the C library's headers yet. */
#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

struct vr_stack_chunk {
    struct vr_stack_chunk *next;
    char *slots, *end;
};

/* At the end of each slot, in the page that is touched anyway. */
struct vr_stack_head {
    struct vr_stack_head *next; /* among the free */
    void *record;               /* NULL while it is free */
};

/* --- Slots --- */

static inline size_t page_size(void)
{
#if defined(__x86_64__)
    return 4096;
#else
    static size_t size;

    if (!size)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
#endif
}

/* For the usual stack: a slot is to be many times its guard page, of which there are some of 64 KiB. */
static inline unsigned usual_shift(void)
{
    unsigned shift = USUAL_SHIFT;

    while (((size_t)1 << shift) < 8 * page_size())
        shift++;
    return shift;
}

/* The pool for stacks of this size, as the logarithm of its slots' size. */
static unsigned shift_for(size_t stack_size)
{
    unsigned shift = MIN_SHIFT;

    while (((size_t)1 << shift) < stack_size)
        shift++;
    return shift + SANITIZED_SHIFT > MAX_SHIFT ? MAX_SHIFT : shift + SANITIZED_SHIFT;
}

static struct vr_stack_head *head_of(char *slot, size_t size)
{
    return (struct vr_stack_head *)(void *)(slot + size - sizeof(struct vr_stack_head));
}

static void *record_in(char *slot, size_t size, size_t record_size)
{
    uintptr_t top = (uintptr_t)head_of(slot, size);
    /* Multiplied, since neighbours in time are neighbours in number, and few of them may be alive for long. */
    size_t shift = ((uintptr_t)slot / size * 5) % SHIFTS * LINE;

    return (void *)((top - shift - record_size) & ~(uintptr_t)(LINE - 1));
}

/* --- Mappings --- */

/*
 * A mapping, aligned to the size of its slots. One slot more is reserved, and what the alignment leaves over is given
 * back.
 */
static char *map_chunk(size_t slot_size, size_t chunk_size)
{
    char *base = mmap(NULL, chunk_size + slot_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    /* Huge pages would make every parked greenlet cost two megabytes. */
    madvise(base, chunk_size + slot_size, MADV_NOHUGEPAGE);

    char *slots = (char *)(((uintptr_t)base + slot_size - 1) & ~(uintptr_t)(slot_size - 1));
    if (slots > base)
        munmap(base, (size_t)(slots - base));
    if (base + slot_size > slots)
        munmap(slots + chunk_size, (size_t)(base + slot_size - slots));
    return slots;
}

static bool add_chunk(struct vr_stack_pool *pool, size_t slot_size)
{
    size_t size = slot_size > CHUNK_SIZE ? slot_size : CHUNK_SIZE;
    struct vr_stack_chunk *chunk = malloc(sizeof *chunk);

    if (!chunk)
        return false;
    char *slots = map_chunk(slot_size, size);
    if (!slots) {
        free(chunk);
        errno = ENOMEM;
        return false;
    }
    *chunk = (struct vr_stack_chunk){.next = pool->chunks, .slots = slots, .end = slots + size};
    pool->chunks = chunk;
    pool->fresh = slots;
    pool->fresh_end = slots + size;
    return true;
}

/*
 * Guards the lowest page of a slot. Guard markers live in the page tables and split no mapping; older kernels get a
 * page without access, which costs two mappings a stack.
 */
static bool guard(char *slot)
{
    if (madvise(slot, page_size(), MADV_GUARD_INSTALL) == 0)
        return true;
    return mprotect(slot, page_size(), PROT_NONE) == 0;
}

/* A slot that was never used before, guarded. */
static char *fresh_slot(struct vr_stack_pool *pool, size_t size)
{
    if (pool->fresh == pool->fresh_end && !add_chunk(pool, size))
        return NULL;
    char *slot = pool->fresh;
    if (!guard(slot)) {
        errno = ENOMEM;
        return NULL;
    }
    pool->fresh += size;
    return slot;
}

/* --- Taking and giving --- */

/* A slot of this size; one that was used before, if there is one. */
static char *take_slot(struct vr_stack_pool *pool, size_t size)
{
    struct vr_stack_head *head = pool->free;

    if (!head)
        return fresh_slot(pool, size);
    pool->free = head->next;
    return (char *)head + sizeof *head - size;
}

void *vr_stack_take(vr_stack_arena *arena, size_t record_size, size_t stack_size, vr_stack *stack)
{
    unsigned shift = usual_shift();

    if (stack_size) {
        /* What is not stack: the guard, and the record with its shift. */
        size_t other = page_size() + record_size + (SHIFTS + 1) * LINE;
        if (stack_size > VR_STACK_MAX) {
            errno = EINVAL;
            return NULL;
        }
        shift = shift_for(stack_size + other);
    }
    size_t size = (size_t)1 << shift;
    char *slot = take_slot(&arena->pools[shift - MIN_SHIFT], size);
    if (!slot)
        return NULL;
    struct vr_stack_head *head = head_of(slot, size);
    *stack = (vr_stack){.bottom = slot + page_size(), .shift = shift};
    vr_memory_open(stack->bottom, (size_t)((char *)head - stack->bottom));
    head->record = record_in(slot, size, record_size);
    arena->in_use++;
    return head->record;
}

/*
 * Did the stack go beyond this page? The words at its lower end tell: a page that was passed has nearly always been
 * written to there. Reading them never brings a page into memory that was not next to one in use.
 */
static bool is_passed(const char *page)
{
    const uint64_t *words = (const uint64_t *)(const void *)page;

    return words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
}

/* Gives the system back what is deeper than KEPT_SIZE, if the stack has been there. */
static __attribute__((noinline)) void drop_deep_pages(char *bottom, char *top_page)
{
    char *kept = top_page + page_size() - (KEPT_SIZE > page_size() ? KEPT_SIZE : page_size());

    if (kept <= bottom)
        return;
    for (char *page = top_page; page >= kept; page -= page_size())
        if (!is_passed(page))
            return;
    madvise(bottom, (size_t)(kept - bottom), MADV_DONTNEED);
    /* Else the end of every greenlet that gets this slot would make that call again. */
    memset(kept, 0, LINE);
}

void vr_stack_give(vr_stack_arena *arena, void *record, vr_stack stack)
{
    struct vr_stack_pool *pool = &arena->pools[stack.shift - MIN_SHIFT];
    size_t size = (size_t)1 << stack.shift;
    struct vr_stack_head *head = head_of((char *)((uintptr_t)stack.bottom & ~(uintptr_t)(size - 1)), size);
    char *top_page = (char *)(((uintptr_t)record - 1) & ~(uintptr_t)(page_size() - 1));

    if (!vr_memory_is_watched() && is_passed(top_page))
        drop_deep_pages(stack.bottom, top_page);
    vr_memory_close(stack.bottom, (size_t)((char *)head - stack.bottom));
    head->record = NULL;
    head->next = pool->free;
    pool->free = head;
    arena->in_use--;
}

void vr_stack_arena_done(vr_stack_arena *arena)
{
    for (int i = 0; i < VR_STACK_SIZES; i++)
        while (arena->pools[i].chunks) {
            struct vr_stack_chunk *chunk = arena->pools[i].chunks;
            size_t size = (size_t)(chunk->end - chunk->slots);
            arena->pools[i].chunks = chunk->next;
            /* The addresses may come back in a mapping of somebody else's. */
            vr_memory_open(chunk->slots, size);
            munmap(chunk->slots, size);
            free(chunk);
        }
    *arena = (vr_stack_arena){0};
}

/* --- What reports ask --- */

void vr_stack_each(const vr_stack_arena *arena, bool (*visit)(void *record, void *context), void *context)
{
    for (unsigned i = 0; i < VR_STACK_SIZES; i++) {
        const struct vr_stack_pool *pool = &arena->pools[i];
        size_t size = (size_t)1 << (i + MIN_SHIFT);
        for (const struct vr_stack_chunk *chunk = pool->chunks; chunk; chunk = chunk->next) {
            char *end = chunk == pool->chunks ? pool->fresh : chunk->end;
            for (char *slot = chunk->slots; slot < end; slot += size) {
                void *record = head_of(slot, size)->record;
                if (record && !visit(record, context))
                    return;
            }
        }
    }
}

bool vr_stack_holds(const vr_stack_arena *arena, const void *record)
{
    for (unsigned i = 0; i < VR_STACK_SIZES; i++) {
        size_t size = (size_t)1 << (i + MIN_SHIFT);
        for (const struct vr_stack_chunk *chunk = arena->pools[i].chunks; chunk; chunk = chunk->next)
            if ((const char *)record >= chunk->slots && (const char *)record < chunk->end) {
                size_t offset = (size_t)((const char *)record - chunk->slots);
                return head_of(chunk->slots + (offset & ~(size - 1)), size)->record == record;
            }
    }
    return false;
}

size_t vr_stack_depth(const void *bottom, const void *record)
{
    const char *start = bottom, *end = record;
    unsigned char resident = 0;

    /* The lowest page in memory; a page that is not was never written to, and must not be read to find that out. */
    while (start < end && (mincore((void *)(uintptr_t)start, 1, &resident) < 0 || !(resident & 1)))
        start += page_size();
    if (vr_memory_is_watched())
        return start < end ? (size_t)(end - start) : 0;
    while (start + sizeof(uint64_t) <= end && !*(const uint64_t *)(const void *)start)
        start += sizeof(uint64_t);
    return start < end ? (size_t)(end - start) : 0;
}

bool vr_stack_guards(const void *bottom, const void *address)
{
    return (const char *)address < (const char *)bottom && (const char *)address >= (const char *)bottom - page_size();
}
