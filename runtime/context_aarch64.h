/* The context switch for AArch64, AAPCS64; see context.h. */
#ifndef VIREO_RUNTIME_CONTEXT_AARCH64_H
#define VIREO_RUNTIME_CONTEXT_AARCH64_H

/* SVE's vectors are the v registers, made longer; its predicates have names of their own. */
#ifdef __ARM_FEATURE_SVE
#    define VR_CONTEXT_SVE \
        , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15"
#else
#    define VR_CONTEXT_SVE
#endif

/*
 * Leaves the running code in `from` and goes on in `to`; returns when something switches to `from`.
 *
 * x29, the frame pointer, may not be named as lost: compilers address what the function around has by it. Named x18
 * must be: Linux leaves it to programs as one register more, and gcc does keep variables in it.
 *
 * Branch protection: where the code goes on is a landing pad for indirect jumps, a hint that older processors skip. A
 * signed return address stays good, as it lies in a frame that is neither moved nor left by another thread, and the
 * stack pointer that it was signed with is the same when its function returns. A shadow stack knows of no second stack:
 * of clang's, in x18, the compiler warns here; the kernel's (GCS) is not asked for by a program that has
 * context_aarch64.S in it.
 */
static inline __attribute__((always_inline)) void vr_context_switch(vr_context *from, vr_context *to)
{
    register vr_context *left __asm__("x0") = from;
    register vr_context *entered __asm__("x1") = to;

    __asm__ volatile("adr x2, 1f\n\t"
                     "mov x3, sp\n\t"
                     "stp x3, x2, [x0]\n\t"
                     "str x29, [x0, #16]\n\t"
                     "ldp x3, x16, [x1]\n\t"
                     "ldr x29, [x1, #16]\n\t"
                     "mov sp, x3\n\t"
                     "br x16\n"
                     "1:\n\t"
                     "hint #36" /* bti j */
                     : "+r"(left), "+r"(entered)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0",
                       "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
                       "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31" VR_CONTEXT_SVE, "memory", "cc");
}

#endif
