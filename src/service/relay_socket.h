/*
 * relay_socket.h - a WebSocket that is a process: the client's messages go to its target, and what is sent to its pid goes to the client, as {"data": ..., "topic": ...}.
 *
 * It belongs to the worker of its connection; its process (relay.h) is what keeps it alive, and frees it.
 */
#ifndef SERVICE_RELAY_SOCKET_H
#define SERVICE_RELAY_SOCKET_H

#include "actor/native.h"
#include "http/transport.h"
#include "value/value.h"

struct relay_socket;

struct relay_socket_config {
	struct host *host;      /* references are kept */
	struct program *source; /* native_spec.source */
	size_t message_max;     /* bytes of a message from the client */
	uint64_t write_timeout_ns;
};

/* As the map of the relay's header says. INVALID: a field of the wrong type. */
int relay_socket_new(const struct relay_socket_config *cfg, const struct value *map, struct relay_socket **ret_socket,
	struct err *e);
/* Whom it will join; before the upgrade. */
void relay_socket_aim(struct relay_socket *c, struct pid target);
/* One that was never handed to an upgrade. */
void relay_socket_free(struct relay_socket *c);
/* For exchange_upgrade(), with the socket as `arg`: it becomes a process, joins its target and begins to read. */
void relay_socket_upgraded(void *arg, struct transport *t, const void *early, size_t nearly);

#endif
