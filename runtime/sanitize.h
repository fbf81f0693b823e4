/*
 * What the sanitizers and valgrind must be told about stacks of our own. Everything here is empty in an ordinary build.
 */
#ifndef VIREO_RUNTIME_SANITIZE_H
#define VIREO_RUNTIME_SANITIZE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#    define VR_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define VR_ASAN 1
#    endif
#endif
#ifndef VR_ASAN
#    define VR_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#    define VR_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define VR_TSAN 1
#    endif
#endif
#ifndef VR_TSAN
#    define VR_TSAN 0
#endif

#if VR_ASAN
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#endif
#if VR_TSAN
#    include <sanitizer/tsan_interface.h>
#endif
#if VR_VALGRIND
#    include <valgrind/memcheck.h>
#endif

/* From now on nobody may touch this memory, which is ours: a use of it is reported as one of freed memory is. */
static inline void vr_memory_close(void *start, size_t size)
{
    (void)start;
    (void)size;
#if VR_ASAN
    __asan_poison_memory_region(start, size);
#endif
#if VR_VALGRIND
    VALGRIND_MAKE_MEM_NOACCESS(start, size);
#endif
}

/* Opens it again, red zones that were left in it included. What it holds counts as not initialised. */
static inline void vr_memory_open(void *start, size_t size)
{
    (void)start;
    (void)size;
#if VR_ASAN
    __asan_unpoison_memory_region(start, size);
#endif
#if VR_VALGRIND
    VALGRIND_MAKE_MEM_UNDEFINED(start, size);
#endif
}

/* Does a tool watch this memory, and keep what was written where, so that only the program's own reads may look? */
static inline int vr_memory_is_watched(void)
{
#if VR_ASAN
    return 1;
#elif VR_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

/* What the tools know of one stack. For a thread's own stack (the main greenlet's) bottom and size are learnt when it
 * is left. */
typedef struct vr_fiber {
#if VR_ASAN
    void *fake_stack;
    const void *bottom;
    size_t size;
#endif
#if VR_TSAN
    void *tsan;
#endif
#if VR_VALGRIND
    unsigned valgrind_id;
#endif
    char nothing; /* a struct must have a member */
} vr_fiber;

/* A fiber for a new stack; for the thread's own stack, `stack` is NULL. */
static inline void vr_fiber_init(vr_fiber *fiber, void *stack, size_t size)
{
    (void)stack;
    (void)size;
    fiber->nothing = 0;
#if VR_ASAN
    fiber->fake_stack = NULL;
    fiber->bottom = stack;
    fiber->size = size;
#endif
#if VR_TSAN
    fiber->tsan = stack ? __tsan_create_fiber(0) : __tsan_get_current_fiber();
#endif
#if VR_VALGRIND
    fiber->valgrind_id = stack ? VALGRIND_STACK_REGISTER(stack, (char *)stack + size) : 0;
#endif
}

static inline void vr_fiber_done(vr_fiber *fiber)
{
    (void)fiber;
#if VR_TSAN
    __tsan_destroy_fiber(fiber->tsan);
#endif
#if VR_VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#endif
}

#if VR_ASAN
/* Where control came from, for whoever is entered. */
static _Thread_local vr_fiber *vr_fiber_left;
#endif

/* Just before a switch; `leaving` for the last time when it is dead. */
static inline __attribute__((always_inline)) void vr_fiber_leave(vr_fiber *leaving, vr_fiber *entering, int dead)
{
    (void)leaving;
    (void)entering;
    (void)dead;
#if VR_ASAN
    vr_fiber_left = leaving;
    __sanitizer_start_switch_fiber(dead ? NULL : &leaving->fake_stack, entering->bottom, entering->size);
#endif
#if VR_TSAN
    __tsan_switch_to_fiber(entering->tsan, 0);
#endif
}

/* Just after a switch, on the stack that was entered. */
static inline void vr_fiber_enter(vr_fiber *entered)
{
    (void)entered;
#if VR_ASAN
    __sanitizer_finish_switch_fiber(entered->fake_stack, &vr_fiber_left->bottom, &vr_fiber_left->size);
#endif
}

#endif
