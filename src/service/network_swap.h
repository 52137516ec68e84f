/*
 * network_swap.h - the end of an overlay instance that was replaced or removed.
 *
 * Idle connections that went through it are closed at once on every worker; what is in use may finish within network_service.drain_timeout and is
 * closed then, and the overlay stopped (overlay_stop()). An overlay that its successor waits for (driver.h, `exclusive`) has no such time. New dials never come
 * to it: whoever dials looks its overlay up anew. Main thread, never inside a callback of an overlay's listener.
 */
#ifndef SERVICE_NETWORK_SWAP_H
#define SERVICE_NETWORK_SWAP_H

struct overlay;
struct runtime;

/* Takes `old`, which is in the set no more. */
void network_retire(struct runtime *rt, struct overlay *old);
/* The program ends, the workers are gone: stop every overlay, and what still drains. */
void network_stop_all(struct runtime *rt);

#endif
