/* The context switch for x86-64, System V ABI; see context.h. */
#ifndef VIREO_RUNTIME_CONTEXT_X86_64_H
#define VIREO_RUNTIME_CONTEXT_X86_64_H

/* The registers that a machine has only with AVX-512, named where the compiler may keep something in them. */
#ifdef __AVX512F__
#    define VR_CONTEXT_AVX512                                                                                         \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
            "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#    define VR_CONTEXT_AVX512
#endif

/*
 * Leaves the running code in `from` and goes on in `to`; returns when something switches to `from`.
 *
 * The jump is an indirect one, not `ret`: the return predictor would guess the caller of the context that is left, and
 * be wrong every time. A shadow stack (CET) knows of no second stack: this file's users are compiled without the note
 * that asks for one.
 */
static inline __attribute__((always_inline)) void vr_context_switch(vr_context *from, vr_context *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rax, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "movq 8(%%rsi), %%rax\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "jmpq *%%rax\n"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15" VR_CONTEXT_AVX512, "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
                       "st(6)", "st(7)", "memory", "cc");
}

#endif
