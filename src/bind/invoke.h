/*
 * invoke.h - calling what `funcs` can call: a function, or a process that says where it runs; once, or again when it fails.
 *
 * Owner thread of the worker. A plain call of a function costs nothing beyond call_start().
 */
#ifndef BIND_INVOKE_H
#define BIND_INVOKE_H

#include "actor/call.h"
#include "value/value.h"

struct invoke;

/* What is under way; zeroed: nothing. */
struct invocation {
	struct call *call;          /* the plain case */
	struct remote_call *remote; /* the same on another worker */
	struct invoke *invoke;      /* any other */
};

/* All borrowed. */
struct invoke_ask {
	struct program *program; /* a function, or a process with a default host */
	struct frame *frame;
	struct packed *args;
	const struct value *retry; /* the option, or NULL */
	struct pid caller;
	const char *caller_entry; /* an atom, or NULL */
	/* The HTTP request that a function answers (call_attach()): it runs on this worker, whatever the load. NULL: none. */
	struct exchange *exchange;
};

bool program_is_callable(const struct program *p);

/* `done` runs exactly once, later, on this worker; never after invoke_cancel(). Errors known at once: those of call_start(), INVALID for the retry option. */
int invoke_start(struct worker *w, const struct invoke_ask *ask, call_done_fn *done, void *arg, struct invocation *ret,
	struct err *e);
/* The caller went away: a function is aborted, a process is told to stop (CANCEL "caller context canceled"). */
void invoke_cancel(struct invocation *inv);

#endif
