/*
 * socket_owner.h - which user of this machine is at the other end of a TCP connection (sock_diag(7)).
 *
 * Loopback is open to every local user; this tells them apart. Any thread; the kernel answers at once.
 */
#ifndef NET_SOCKET_OWNER_H
#define NET_SOCKET_OWNER_H

#include <sys/types.h>

#include "base/err.h"
#include "net/addr.h"

/* The owner of the socket whose own address is `local` and that is connected to `peer`. NOT_FOUND when there is none (it was closed, or is on another machine), INTERNAL
 * when the kernel does not tell. A connection that nobody has accepted yet belongs to user 0. */
int socket_owner(const struct addr *local, const struct addr *peer, uid_t *ret_uid, struct err *e);

#endif
