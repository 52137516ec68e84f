/*
 * overlay.h - overlay networks: the driver interface, live instances, and the dial gate.
 *
 * An *overlay* is the live instance of one `network.*` entry. It is immutable, shared between workers by reference, and
 * never comes back: a changed entry makes a new instance with a new generation. The set maps entry ids to the current instances.
 *
 * overlay_dial() is the one way to open a connection. Names travel to the overlay unresolved; on the clear network
 * `.onion` and `.i2p` never reach a resolver. Whatever fails is an error to the caller: there is no other path to try.
 */
#ifndef OVERLAY_OVERLAY_H
#define OVERLAY_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "value/value.h"

struct overlay;
struct overlay_set;
struct dial;

/* -- dialling ------------------------------------------------------------------------------------- */

enum { ISOLATION_KEY_MAX = 96 };

/* What a dial can tell about its way; times are loop_clock_ns() stamps, 0 = phase not reached. */
struct dial_trace {
	uint64_t begun_ns;
	uint64_t connected_ns; /* TCP to the target, or to the overlay's endpoint */
	uint64_t ready_ns;     /* overlay handshake over; equals connected_ns on the clear network */
	const char *resolver;  /* who turned the name into an address: "system", "proxy", "none" (a literal) */
};

struct dial_options {
	struct loop *loop;       /* where `done` runs */
	struct overlay *overlay; /* NULL: the clear network. Borrowed; the dial keeps its own reference */
	const char *host;        /* name or literal, at most HOST_TEXT_MAX; borrowed for the call */
	uint16_t port;           /* 1-65535 */
	uint64_t deadline_ns;    /* loop_clock_ns() time; required */
	/* Streams with different keys never share an identity (Tor: a circuit). "" = none asked. Borrowed for the call. */
	const char *isolation_key;
	/* Clear network only: judge each address before it is tried, see net_connect_options. */
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	void *judge_arg;
};

/* On success `fd` (connected, non-blocking, TCP, connect() called once: see net/connect.h) is the callee's; else -1 and `e` says why.
 * `trace` and `e` are borrowed. */
typedef void dial_done_fn(void *arg, int fd, const struct dial_trace *trace, const struct err *e);

/* `done` runs exactly once, later, on the same worker; never after dial_cancel(). Never NULL: what fails at once is also reported through `done`. */
struct dial *overlay_dial(const struct dial_options *opt, dial_done_fn *done, void *arg);
/* Only before `done` ran. NULL is fine. */
void dial_cancel(struct dial *d);

/* -- instances ------------------------------------------------------------------------------------ */

struct overlay_driver;

/* What drivers may use; lives as long as the program. */
struct overlay_env {
	const char *state_dir; /* absolute; network_service.state_dir */
};

/* Read an entry's data (no I/O). ERR_INVALID "socks5: failed to decode config: invalid configuration: network: invalid port". */
int overlay_open(const struct overlay_driver *drv, const struct overlay_env *env, const char *id,
	const struct value *data, struct overlay **ret_overlay, struct err *e);
struct overlay *overlay_ref(struct overlay *o);
void overlay_unref(struct overlay *o); /* any thread; the last one closes it */

const char *overlay_id(const struct overlay *o);
const char *overlay_kind(const struct overlay *o);
/* Differs between any two instances of the program's life, starts at 1. */
uint64_t overlay_generation(const struct overlay *o);
/* Does every caller of this overlay need connections of its own (isolate_streams)? */
bool overlay_isolates(const struct overlay *o);

/* The key under which a kept-alive connection opened for `owner` (a process or call number) may be shared. "" when anyone may
 * use it. Writes at most ISOLATION_KEY_MAX bytes; returns `out`. `o` may be NULL. */
char *overlay_isolation_key(
	const struct overlay *o, uint64_t owner, const char *host, char out[static ISOLATION_KEY_MAX]);

/* -- the set: entry id -> current instance. Any thread. -------------------------------------------- */

struct overlay_set *overlay_set_new(void);
void overlay_set_free(struct overlay_set *s);
/* A reference, or NULL when no such overlay is live. */
struct overlay *overlay_set_get(struct overlay_set *s, const char *id);
/* Takes `o`; the previous instance of its id is dropped in the same step. */
void overlay_set_put(struct overlay_set *s, struct overlay *o);
void overlay_set_remove(struct overlay_set *s, const char *id);

#endif
