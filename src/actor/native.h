/*
 * native.h - a process without Lua: a pid whose messages go to C.
 *
 * For what lives outside but is spoken to like a process: a WebSocket, a stream of events. It is registered in a host (of its limits only host.mailbox_size and max_processes
 * count), can be sent to, named, monitored and linked, and ends with a result or a failure that its watchers are told. It runs on the worker that made it; all of this
 * is for that worker's thread, and callbacks run there. Messages of one sender come in the order they were sent.
 *
 *     p = native_spawn(&(struct native_spec){.host = h, .source = program, .ops = &ops, .arg = self}, &e);
 *     ... ops.receive(self, m) for each message and event; process_monitor(p, target, &e), process_send() with process_pid(p) as sender
 *     native_end(p, value);               // no receive() from here on; ops.ended(self, end) follows, once, last
 *
 * Somebody else may end it at any time: process.terminate(), the failure of a linked process, the end of the program. Then ops.ended() comes by itself. Until it has run `p`
 * is valid.
 */
#ifndef ACTOR_NATIVE_H
#define ACTOR_NATIVE_H

#include "actor/process.h"

struct native_ops {
	/* One message, which is the callee's from then on: MESSAGE_USER, MESSAGE_EXIT of a monitored process, or MESSAGE_CANCEL, which comes before what waits and while paused, too.
	 * Otherwise not while paused. May call anything. Not inside a call of this header. */
	void (*receive)(void *arg, struct message *m);
	/* It is over, as for every process: the pid is not routable, watchers were told. Last of all. */
	process_ended_fn *ended;
};

struct native_spec {
	struct host *host;      /* a reference is kept */
	struct program *source; /* the same; what the census names it by, without code */
	const struct native_ops *ops;
	void *arg;
};

/* On the current worker. Borrowed until ops.ended(). UNAVAILABLE "host is not running", "host is shutting down"; RATE_LIMITED when the host is full. */
struct process *native_spawn(const struct native_spec *spec, struct err *e);
/* End with that value (borrowed; NULL: none). Twice is fine. */
void native_end(struct process *p, struct packed *value);
/* Receive nothing (but MESSAGE_CANCEL) until native_resume(): messages wait and, where the host bounds them, senders too. Twice is fine. */
void native_pause(struct process *p);
void native_resume(struct process *p);

#endif
