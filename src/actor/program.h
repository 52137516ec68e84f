/*
 * program.h - an entry that can run: its code and how to run it.
 *
 * Immutable, reference counted; a changed entry gets a new program. The table maps entry ids to the current ones: the main thread
 * changes it, any thread looks up. Processes and calls keep the program they began with.
 */
#ifndef ACTOR_PROGRAM_H
#define ACTOR_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/refcount.h"
#include "engine/code.h"
#include "value/value.h"

struct call_pool;
struct scheduler;

enum program_type { PROGRAM_PROCESS, PROGRAM_FUNCTION };

/* What one run of its coroutines took so far; decides whether a new process is worth moving to an idle worker. */
enum program_cost { COST_UNKNOWN, COST_LIGHT, COST_HEAVY };

struct program {
	struct refcount refs;
	enum program_type type;
	const char *id; /* an atom */
	struct code *code;
	struct value *options;  /* meta.options, a map; or NULL */
	const char *network;    /* options.network, NULL when not given; lives in `options` */
	char *default_host;     /* a process callable as a function; NULL = not */
	struct call_pool *pool; /* of functions */
	atomic_int cost;        /* enum program_cost; any worker, a hint */
};

struct program_spec {
	enum program_type type;
	const char *id;
	struct code *code;           /* a reference is kept; NULL: of native processes (native.h), never run */
	const struct value *options; /* copied by reference */
	const char *default_host;
	unsigned calls_max; /* functions: how many run at once, over all workers */
	bool calls_keep;    /* functions: idle instances are kept */
};

/* Never NULL. `s` is needed for functions only. */
struct program *program_new(struct scheduler *s, const struct program_spec *spec);
struct program *program_ref(struct program *p);
void program_unref(struct program *p); /* any thread; NULL is fine */

struct programs;

struct programs *programs_new(void);
void programs_free(struct programs *t);
/* Takes `p`; returns the one replaced (the caller's reference) or NULL. */
struct program *programs_put(struct programs *t, struct program *p);
/* The one removed (the caller's reference), or NULL. */
struct program *programs_remove(struct programs *t, const char *id);
/* A reference, or NULL. */
struct program *programs_get(struct programs *t, const char *id);
/* Changes with every put and remove; lets a worker trust what it looked up before. */
unsigned long programs_version(const struct programs *t);

#endif
