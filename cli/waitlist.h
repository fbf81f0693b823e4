/*
 * Greenlets that wait for the same thing, first come first woken.
 */
#ifndef CLI_WAITLIST_H
#define CLI_WAITLIST_H

/* Zeroed, it is empty. */
struct waitlist {
    struct waiting *first, *last;
};

/*
 * Waits at the end of the list until woken. Switches. Returns 0, or what was thrown into the greenlet, which then no
 * longer stands in the list. Being woken promises nothing about what is waited for: look again.
 */
int waitlist_wait(struct waitlist *list);

/* Takes the first one (all of them) off the list, to go on when the caller gives way. */
void waitlist_wake_one(struct waitlist *list);
void waitlist_wake_all(struct waitlist *list);

#endif
