/*
 * relay.h - what the relays have in common: a connection that is a process (actor/native.h), bound to a target process.
 *
 * The handler names the target in a header of its response, as JSON: {"target_pid": "{app:procs|0x00001}", "message_topic": ..., "heartbeat_interval": "30s", "metadata": {...}}. From then
 * on the connection has a pid on the server's host, and tells its target, under topics that begin with its prefix ("ws", "sse"):
 *
 *     .join       {client_pid, metadata}                              first
 *     .heartbeat  {client_pid, uptime, message_count, metadata}       every interval; left out while the target's mailbox is full
 *     .leave      {client_pid, metadata}                              last
 *
 * It monitors the target, and stops when that ends. Everything here is for the connection's worker.
 */
#ifndef SERVICE_RELAY_H
#define SERVICE_RELAY_H

#include "actor/native.h"
#include "bind/node.h"
#include "http/exchange.h"
#include "value/value.h"

enum { RELAY_BEAT_MS_MIN = 10 }; /* heartbeats are not sent more often */

struct relay {
	const char *prefix;
	struct process *process; /* NULL: not begun, or over */
	struct pid pid;
	struct scheduler *sched;
	struct pid target;      /* number 0: none */
	char *topic;            /* of messages */
	struct value *metadata; /* a map, or NULL */
	uint64_t beat_ns;       /* 0: no heartbeats */
	struct loop_timer beat;
	void (*on_beat)(struct relay *r); /* may be NULL */
	uint64_t begun_ns;
	uint64_t count; /* messages, for the heartbeat */
};

/* Neither a process nor a target yet. `topic` is copied. */
void relay_init(struct relay *r, const char *prefix, const char *topic);
/* The process has ended, or never began. */
void relay_done(struct relay *r);

/* -- what the header says ------------------------------------------------------------------------------ */

/* The header's text as a map. INVALID: no JSON object. */
int relay_read_header(const char *text, struct value **ret_map, struct err *e);
/* A field of text, NULL when absent or nil. INVALID when it is of another type. */
int relay_read_text(const struct value *map, const char *field, const char **ret, struct err *e);
/* `topic` as the relay's: INVALID when it is too long or begins with '@', which is the runtime's. */
int relay_set_topic(struct relay *r, const char *topic, struct err *e);
/* `metadata` of that map; unchanged when absent; an empty one is none. INVALID when it is no map. */
int relay_set_metadata(struct relay *r, const struct value *map, struct err *e);

/* -- its life ------------------------------------------------------------------------------------------ */

/* Become a process of that host; heartbeats begin. Errors as native_spawn(). */
int relay_begin(struct relay *r, const struct native_spec *spec, struct err *e);
/* Monitor that process and send it `.join`: it is the target now. INTERNAL "pid not registered": it does not run; nothing has changed. */
int relay_join(struct relay *r, struct pid target, struct err *e);
/* Send `.leave` to a target and watch it no longer; it is the target no more when it was. */
void relay_leave(struct relay *r, struct pid target);
/* 0: none. From now on. */
void relay_set_beat(struct relay *r, uint64_t interval_ns);
bool relay_is_target(const struct relay *r, struct pid pid);
/* End the process, with that text as its value; leaves the target before. */
void relay_end(struct relay *r, const char *value);
/* A payload for the peer: one JSON text. False: it cannot be one. */
bool relay_write_payload(const struct packed *payload, unsigned i, struct buf *out);
/* The reason in payload 0 of a close message: its text, or its JSON; `otherwise` when there is none. */
void relay_write_reason(const struct packed *payload, const char *otherwise, struct buf *out);

#endif
