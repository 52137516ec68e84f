/*
 * frame.h - what a call or a process inherits: who it acts for, its context values, its network, its deadline.
 *
 * A frame is immutable and reference counted; any thread may read it. Each edge (funcs.call, process.spawn, an HTTP request)
 * derives the next one. Nothing about identity or network is looked up anywhere else. The overlay is named, not held: each dial looks the
 * name up again, so a swapped or removed overlay is seen by the next dial.
 */
#ifndef ACTOR_FRAME_H
#define ACTOR_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/refcount.h"
#include "security/identity.h"
#include "security/scope.h"
#include "value/value.h"

/* The reserved overlay name that selects the clear network. */
#define FRAME_DIRECT "direct"

enum { FRAME_OVERLAY_ID_MAX = 256 };

/* Who put the overlay on a frame. */
enum frame_chooser {
	FRAME_NOBODY,    /* no overlay: the clear network */
	FRAME_DEFAULT,   /* network_service.default_network */
	FRAME_ENTRY,     /* meta.options.network of the callee's entry */
	FRAME_CALL,      /* the caller, for this call or spawn */
	FRAME_INHERITED, /* a frame further up chose it */
};

struct frame {
	struct refcount refs;
	const char *overlay; /* "" = none, FRAME_DIRECT, or an entry id; never NULL */
	enum frame_chooser chosen_by;
	struct identity *actor; /* NULL = none */
	struct scope *scope;    /* NULL = none */
	struct value *values;   /* the `ctx` map, or NULL when nothing is set */
	uint64_t deadline_ns;   /* loop_clock_ns() time; 0 = none */
};

/* What an edge asks for; zeroed means "inherit everything". */
struct frame_edge {
	const char *call_network;  /* with_options{network}; NULL = not given; "" = clear */
	const char *entry_network; /* meta.options.network; NULL = not given; "" = clear */
	struct identity *actor;    /* replaces the inherited one; NULL = inherit */
	struct scope *scope;
	struct value *values; /* a map laid over the inherited values; NULL = nothing */
};

/* A choice of network, borrowed from whoever named it. */
struct frame_network {
	const char *overlay;
	enum frame_chooser chosen_by;
	bool must_exist; /* named here and now: the start fails when no such overlay is live */
};

/* Decide the network of a new frame: explicit (the call's word over the entry's), else inherited, else the default, else none. An
 * explicit "" drops explicit and inherited and falls to the default. `caller` is NULL where nobody calls (HTTP, services, commands).
 * A default that is inherited still counts as FRAME_DEFAULT, but is not checked again. Pure. */
struct frame_network frame_choose_network(
	const struct frame *caller, const char *call_network, const char *entry_network, const char *default_network);

/* The new frame of an edge; `net` comes from frame_choose_network(). Returns the caller's own reference of `caller` itself
 * when nothing differs. Borrows all arguments. Never NULL. */
struct frame *frame_derive(struct frame *caller, const struct frame_edge *edge, const struct frame_network *net);
struct frame *frame_ref(struct frame *f); /* NULL gives NULL */
void frame_unref(struct frame *f);        /* any thread; NULL is fine */

/* Is the frame's way the clear network (nothing chosen, or FRAME_DIRECT)? */
bool frame_is_direct(const struct frame *f);
/* "call", "entry", "inherited", "default", "none" */
const char *frame_chooser_name(enum frame_chooser c);

#endif
