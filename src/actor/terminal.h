/*
 * terminal.h - what a process on a terminal host has beyond others: the command line's arguments and the standard streams.
 *
 * Immutable, reference counted.
 */
#ifndef ACTOR_TERMINAL_H
#define ACTOR_TERMINAL_H

#include "base/refcount.h"

struct terminal {
	struct refcount refs;
	char **args; /* after the command's name */
	unsigned nargs;
};

/* Copies the strings. */
struct terminal *terminal_new(const char *const *args, unsigned n);
struct terminal *terminal_ref(struct terminal *t);
void terminal_unref(struct terminal *t); /* NULL is fine */

#endif
