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
	/* Who turned the name into an address: "system", "proxy" (SOCKS5, Tor), "bridge" (I2P), "tailnet", "none" (a literal). Static. */
	const char *resolver;
};

struct dial_options {
	struct loop *loop;       /* where `done` runs */
	struct overlay *overlay; /* NULL: the clear network. Borrowed; the dial keeps its own reference */
	const char *host;        /* name or literal, at most TARGET_TEXT_MAX; borrowed for the call */
	uint16_t port;           /* 1-65535 */
	uint64_t deadline_ns;    /* loop_clock_ns() time; required */
	/* Streams with different keys never share an identity (Tor: a circuit). "" = none asked. Borrowed for the call. */
	const char *isolation_key;
	/* Clear network only: judge each address before it is tried, see net_connect_options. */
	int (*judge)(void *arg, const struct addr *a, struct err *e);
	void *judge_arg;
};

/* On success `fd` (connected, non-blocking; TCP, with connect() called once: see net/connect.h; or a Unix stream socket) is the callee's; else -1 and `e` says why.
 * `trace` and `e` are borrowed. */
typedef void dial_done_fn(void *arg, int fd, const struct dial_trace *trace, const struct err *e);

/* `done` runs exactly once, later, on the same worker; never after dial_cancel(). Never NULL: what fails at once is also reported through `done`. */
struct dial *overlay_dial(const struct dial_options *opt, dial_done_fn *done, void *arg);
/* Only before `done` ran. NULL is fine. */
void dial_cancel(struct dial *d);

/* -- instances ------------------------------------------------------------------------------------ */

struct overlay_driver;

struct overlay_status;

/* What drivers may use; lives as long as the program. */
struct overlay_env {
	const char *state_dir; /* absolute; network_service.state_dir */
	const char
		*sidecar; /* path of wippy-tsnet (network_service.sidecar); NULL: looked for, see tailscale/program.h */
	struct loop *control; /* the main thread's loop: sessions, control connections and child programs live there */
	/* Told of each change of state, in order, on the thread that reported it; `o` and `status` are borrowed. It must not make overlay `o` change its state again.
	 * NULL: nobody listens. */
	void (*changed)(void *arg, struct overlay *o, const struct overlay_status *status);
	/* Told of each dial that reported, on its worker. NULL: nobody counts. */
	void (*dialled)(void *arg, struct overlay *o, bool connected);
	void *changed_arg; /* of both */
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

/* Who shares an identity: "none" (all do), "dial", "process", "host", "name". NULL gives "none". */
const char *overlay_isolation_name(const struct overlay *o);

/* The key under which a kept-alive connection opened for `owner` (a process or call number) may be shared. "" when anyone may
 * use it. Writes at most ISOLATION_KEY_MAX bytes; returns `out`. `o` may be NULL. */
char *overlay_isolation_key(
	const struct overlay *o, uint64_t owner, const char *host, char out[static ISOLATION_KEY_MAX]);

/* Bring up what the driver keeps standing (a session, a child program), in the background; later overlay_stop() ends it, and with it every listener.
 * A driver without anything to bring up ignores both. Control thread, each at most once, start first. Start fails only for what can be known at once (a state
 * directory that cannot be made, a program that is not there): the entry is rejected then. */
int overlay_start(struct overlay *o, struct err *e);
/* Also without a start, and again: then nothing happens. Never inside a callback of a driver or a listener. From then on no change of state is told, and it is down. */
void overlay_stop(struct overlay *o);
/* Does it stand by itself once started, so that its state tells more than what the last dial met? */
bool overlay_keeps_session(const struct overlay *o);
/* See driver.h, `exclusive`. */
bool overlay_is_exclusive(const struct overlay *o);

/* -- state ---------------------------------------------------------------------------------------- */

enum overlay_state {
	OVERLAY_STARTING, /* never was usable, or: nothing has dialled yet */
	OVERLAY_READY,
	OVERLAY_DEGRADED, /* usable, but something is wrong: the reason says what */
	OVERLAY_DOWN,     /* dials fail; being brought back with back-off, or waiting for the next dial */
};

enum { OVERLAY_REASON_MAX = 256 };

struct overlay_status {
	enum overlay_state state;
	int64_t since_ms;                /* Unix time of the last change of `state` */
	char reason[OVERLAY_REASON_MAX]; /* one sentence without secrets; "" when there is nothing to say */
	uint64_t dials;                  /* that reported, and of these ... */
	uint64_t dials_failed;
	unsigned dials_open; /* not reported yet */
	unsigned listeners;
	char address
		[OVERLAY_REASON_MAX]; /* our own on that network, when it is known: "100.64.0.3", "wippy.tailnet.ts.net"; else "" */
	bool is_moved;                /* where a change is told: of the address alone */
};

const char *overlay_state_name(enum overlay_state s); /* "starting", "ready", "degraded", "down" */
void overlay_get_status(struct overlay *o, struct overlay_status *ret_status); /* any thread */
/* All of it for programs: {id, kind, state, since (Unix milliseconds), reason?, address?, dials, dials_failed, dials_open, listeners, listening: [{service, address}]};
 * a new map. Any thread. */
struct value *overlay_describe(struct overlay *o);
/* Have overlay_env.changed told the state as it is, in order with the changes. Any thread. */
void overlay_tell(struct overlay *o);

/* -- probing: is the overlay's own counterpart there? ------------------------------------------------ */

struct probe;

struct probe_options {
	struct loop *loop;       /* where `done` runs */
	struct overlay *overlay; /* borrowed; the probe keeps its own reference */
	uint64_t deadline_ns;    /* loop_clock_ns() time; required */
};

enum { PROBE_METHOD_MAX = 64 };

struct probe_result {
	uint64_t connect_ns;               /* until the counterpart was reached; 0: it was not */
	uint64_t handshake_ns;             /* from then on, until it had taken us; 0: it has not */
	char method[PROBE_METHOD_MAX + 1]; /* what was agreed on: "no authentication", "SAM 3.1"; "" = nothing */
};

/* `e` NULL: the counterpart takes us. Both are borrowed. */
typedef void probe_done_fn(void *arg, const struct probe_result *r, const struct err *e);

/* Does the driver have anything to ask? Where it has not, the state says all there is to know. */
bool overlay_can_probe(const struct overlay *o);
/* Connect to the proxy or bridge, greet it, authenticate, and go: no target is named, no session made. Where dials make the state, what it met
 * does, too; it counts as no dial. `done` runs exactly once, later, on the loop's thread; never after probe_cancel(). Never NULL. */
struct probe *overlay_probe(const struct probe_options *opt, probe_done_fn *done, void *arg);
/* Only before `done` ran. NULL is fine. */
void probe_cancel(struct probe *p);

/* -- listening ------------------------------------------------------------------------------------ */

struct listener;

struct listen_options {
	struct overlay *overlay; /* borrowed for the call; the listener keeps a reference */
	const char *
		name; /* entry id of the service: under it the network's address of this listener is kept in the state directory */
	uint16_t port; /* networks without ports ignore it */
	bool tls;      /* the network issues the certificate and ends TLS (tls.mode: auto) */
	const struct value
		*options; /* `network_options` of the service's entry, a map, or NULL; borrowed for the call */
};

/* Who came. Borrowed. */
struct listen_peer {
	const char *address; /* "100.64.0.7:51234", an I2P destination's b32 name, "onion" */
	const struct value *
		identity; /* what the network vouches for, a map ({login=, node=, tags=}); NULL when it vouches for nothing */
	bool is_tls; /* TLS ended in the driver */
};

struct listen_callbacks {
	/* Peers can reach us; `address` is how ("abc.b32.i2p", "xyz.onion:80", "100.64.0.3:8080"). Again after a loss that the driver mended, when the address changed. */
	void (*ready)(void *arg, const char *address);
	/* A connection: `fd` is the callee's, non-blocking, positioned after whatever the network put first. */
	void (*accept)(void *arg, int fd, const struct listen_peer *peer);
	/* It cannot come up, or is over for good. Once; nothing runs after it, overlay_unlisten() is still due. A loss that the driver mends by itself is only a state. */
	void (*failed)(void *arg, const struct err *e);
};

/* Control thread; callbacks run there, later, never inside these calls, never after overlay_unlisten(). Never NULL: what fails at once is reported through `failed`, also
 * ERR_INVALID "socks5: operation not supported (inbound listeners are not exposed over SOCKS5): network: operation not supported by this provider". */
struct listener *overlay_listen(const struct listen_options *opt, const struct listen_callbacks *cb, void *arg);
/* Also inside a callback of its own. NULL is fine. */
void overlay_unlisten(struct listener *l);
/* Does the driver offer listeners with its own TLS? */
bool overlay_can_listen_tls(const struct overlay *o);

/* -- the set: entry id -> current instance. Any thread. -------------------------------------------- */

struct overlay_set *overlay_set_new(void);
void overlay_set_free(struct overlay_set *s);
/* A reference, or NULL when no such overlay is live. */
struct overlay *overlay_set_get(struct overlay_set *s, const char *id);
/* All of them in the order of their ids, *ret_n references in a new array: free() it. */
struct overlay **overlay_set_list(struct overlay_set *s, size_t *ret_n);
/* overlay_describe() of each, in that order; a new list. */
struct value *overlay_set_describe(struct overlay_set *s);
/* Takes `o`; the previous instance of its id is dropped in the same step. */
void overlay_set_put(struct overlay_set *s, struct overlay *o);
void overlay_set_remove(struct overlay_set *s, const char *id);

#endif
