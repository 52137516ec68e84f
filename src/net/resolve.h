/*
 * resolve.h - look a name up with the system's resolver, on the thread pool.
 *
 * The only place that calls getaddrinfo(). Whatever must not reach it is refused here, before anything is started:
 * names of overlay networks (RFC 7686 for .onion), numbers that inet_aton() would take for an address, and what is no
 * host name at all (RFC 1123, with "_"; international names come in their ASCII form). Loop thread only.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"

enum { RESOLVE_ADDRS_MAX = 32 }; /* addresses beyond are dropped */

struct resolve;

/* naddrs > 0 addresses with the port filled in, best first (RFC 6724), none twice; or naddrs is 0 and `e` is set:
 * `lookup x.test: no such host` (NOT_FOUND, code "no_such_host"), `lookup x.test: temporary failure in name resolution`
 * (UNAVAILABLE, retryable, code "lookup_failed"). Borrowed. */
typedef void resolve_fn(void *arg, const struct addr *addrs, size_t naddrs, const struct err *e);

/* Begin; `done` runs exactly once, later; never after resolve_cancel(). Borrows `host`, which is no literal. -1 when
 * the name is refused, NOT_FOUND, code "no_such_host": `lookup x.onion: refused: .onion names never go to the system
 * resolver`, `lookup 0x7f.1: no such host`. */
int resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn *done, void *arg,
	struct resolve **ret_resolve, struct err *e);
/* Only before `done` ran; the look-up itself runs on and is forgotten. NULL is fine. */
void resolve_cancel(struct resolve *r);

#endif
