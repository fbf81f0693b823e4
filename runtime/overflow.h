/* Stack overflows: told by name, and then the end of the program. */
#ifndef VIREO_RUNTIME_OVERFLOW_H
#define VIREO_RUNTIME_OVERFLOW_H

/*
 * Has faults in the guard pages of this thread's stacks reported; for vr_overflow_end. Where there is no memory for
 * that, an overflow is an ordinary crash.
 */
void vr_overflow_begin(void);
void vr_overflow_end(void);

#endif
