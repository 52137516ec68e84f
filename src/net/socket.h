/*
 * socket.h - what several rooms do with a connected TCP or Unix stream socket.
 *
 * Stateless; any thread that owns the descriptor. Descriptors are non-blocking.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "base/buf.h"

/* Send from the front of `out` until it is empty. 0: it is; EAGAIN: the socket takes no more now, wait until it can be written; else the errno of the failure, never
 * EINTR and never a SIGPIPE. What was sent is wiped from memory: it may have been a key or a password. */
int socket_send(int fd, struct buf *out);

/* Let the kernel ask a silent TCP peer whether it still lives: after `idle_s` seconds, then each `interval_s`; dead after `count` questions without an answer. A listening
 * socket hands this on to what it accepts. */
void socket_keep_alive(int fd, int idle_s, int interval_s, int count);

#endif
