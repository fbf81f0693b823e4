/* The first code of every context, for AArch64; see context.h. Unwinding ends here. */
    .text
    .globl  vr_context_start
    .hidden vr_context_start
    .type   vr_context_start, %function
    .p2align 4
vr_context_start:
    .cfi_startproc
    .cfi_undefined x30
    hint    #36             /* bti j: the switch comes by an indirect jump */
    ldr     x16, [sp]
    mov     x0, x29
    mov     x29, xzr
    adr     x30, 1f
    br      x16
    nop                     /* unwinders look for the call just before the return address */
1:  brk     #1
    .cfi_endproc
    .size   vr_context_start, . - vr_context_start

/* This file obeys branch protection (BTI, 1) and return address signing (PAC, 2), but has no shadow stack (GCS, 4). */
    .section .note.gnu.property, "a"
    .p2align 3
    .word   4               /* the length of the name */
    .word   16              /* of the descriptor */
    .word   5               /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .word   0xc0000000      /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word   4
    .word   1 | 2
    .word   0

    .section .note.GNU-stack, "", %progbits
