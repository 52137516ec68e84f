/*
 * network_swap.h - the end of an overlay instance that was replaced or removed.
 *
 * Idle connections that went through it are closed at once on every worker; what is in use may finish within network_service.drain_timeout and is
 * closed then. New dials never come to it: whoever dials looks its overlay up anew. Main thread.
 */
#ifndef SERVICE_NETWORK_SWAP_H
#define SERVICE_NETWORK_SWAP_H

#include <stdint.h>

struct runtime;

void network_retire(struct runtime *rt, const char *id, uint64_t generation);
/* Forget what still drains: the workers are gone. */
void network_drains_free(struct runtime *rt);

#endif
