/*
 * Context switch for x86-64, System V ABI: the callee-saved registers go on the stack that is left, come from the one entered.
 * MXCSR and the x87 control word are not saved: they are per thread, as <vireo/greenlet.h> says.
 *
 * The frame that a suspended context's stack pointer is at, from low to high: r15 r14 r13 r12 rbx rbp, return address.
 *
 * The switch leaves by an indirect jump instead of `ret`: the return predictor would guess the caller of the context that was
 * left, and be wrong every time. There is no shadow-stack property note, so that programs linked with this run without CET
 * shadow stacks, which a switch of stacks would break.
 */
    .text
    .globl  vr_context_switch
    .hidden vr_context_switch
    .type   vr_context_switch, @function
    .p2align 4
vr_context_switch:
    .cfi_startproc
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    movq    %rsp, (%rdi)
    movq    (%rsi), %rsp
    /* Same layout on the other stack: the unwind rules above hold for it from here on. */
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_same_value r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_same_value r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_same_value r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_same_value r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_same_value rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_same_value rbp
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, rcx
    jmpq    *%rcx
    .cfi_endproc
    .size   vr_context_switch, . - vr_context_switch

/* The first code of every context: r12 holds its function, r13 the argument. Unwinding ends here. */
    .type   start, @function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined rip
    movq    %r13, %rdi
    callq   *%r12
    ud2
    .cfi_endproc
    .size   start, . - start

/* void vr_context_init(vr_context *context, void *stack, size_t size, void (*entry)(void *), void *argument) */
    .globl  vr_context_init
    .hidden vr_context_init
    .type   vr_context_init, @function
    .p2align 4
vr_context_init:
    .cfi_startproc
    leaq    (%rsi,%rdx), %rax
    andq    $-16, %rax
    /* 16 octets above the frame keep the stack aligned at `start` and end the chain of frame pointers. */
    movq    $0, -8(%rax)
    movq    $0, -16(%rax)
    leaq    start(%rip), %rdx
    movq    %rdx, -24(%rax)
    movq    $0, -32(%rax)          /* rbp */
    movq    $0, -40(%rax)          /* rbx */
    movq    %rcx, -48(%rax)        /* r12: entry */
    movq    %r8, -56(%rax)         /* r13: argument */
    movq    $0, -64(%rax)          /* r14 */
    movq    $0, -72(%rax)          /* r15 */
    leaq    -72(%rax), %rax
    movq    %rax, (%rdi)
    ret
    .cfi_endproc
    .size   vr_context_init, . - vr_context_init

    .section .note.GNU-stack, "", @progbits
