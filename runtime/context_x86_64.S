/* The first code of every context, for x86-64; see context.h. Unwinding ends here. */
    .text
    .globl  vr_context_start
    .hidden vr_context_start
    .type   vr_context_start, @function
    .p2align 4
vr_context_start:
    .cfi_startproc
    .cfi_undefined rip
    movq    %rbp, %rdi
    xorl    %ebp, %ebp
    movq    (%rsp), %rax
    leaq    1f(%rip), %rcx
    pushq   %rcx
    jmpq    *%rax
    nop                     /* unwinders look for the call just before the return address */
1:  ud2
    .cfi_endproc
    .size   vr_context_start, . - vr_context_start

    .section .note.GNU-stack, "", @progbits
