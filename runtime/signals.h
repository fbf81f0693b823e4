/* What fork.c asks of signals.c. */
#ifndef VIREO_RUNTIME_SIGNAL_H
#define VIREO_RUNTIME_SIGNAL_H

/* In the only thread of a child process: unbinds all watchers, of whatever thread. */
void vr_signals_forget(void);

#endif
