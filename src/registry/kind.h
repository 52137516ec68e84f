/*
 * kind.h - what a kind of entry does. app/ lists all kinds in one array.
 *
 * Handlers run on the main thread, one at a time. `rt` is what the program handed to the registry (the runtime); lower
 * rooms never look inside. What a handler gets is the entry with the placeholders in its data replaced (env.h); `old`
 * and what is removed are as they were when they were added. The registry itself keeps and shows the placeholders. A handler validates the entry's data whole before it changes anything; its error names the
 * field. ERR_NOT_FOUND means "something it refers to is not there yet": the entry is tried again after the others.
 */
#ifndef REGISTRY_KIND_H
#define REGISTRY_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/entry.h"

struct runtime;

struct kind {
	const char *name;    /* exact: "process.host" */
	const char *summary; /* for people, one line: "workers that processes run on" */
	bool is_family;      /* also every "NAME.x" that is no kind of its own */
	/* One field of the data that handlers get as it is written, placeholders and all: the text of a program, or secrets
	 * that are wiped after use. NULL: none. */
	const char *verbatim;
	/* NULL: the kind lives in the registry only. */
	int (*add)(struct runtime *rt, struct entry *e, struct err *err);
	/* The replacement is built first; on failure the old one stays. NULL: remove + add. */
	int (*update)(struct runtime *rt, struct entry *old, struct entry *e, struct err *err);
	/* Cannot fail, and runs when nothing can fail any more: a change that is given up removes nothing but what
	 * it added. */
	void (*remove)(struct runtime *rt, struct entry *e);
	/*
	 * Hooks around a change that touches entries of this kind, each may be NULL; kinds that share a function have
	 * it run once. Every begin is followed by exactly one commit or discard. `prepare` runs when all handlers have
	 * agreed and may still refuse the whole. When `commit` runs, what is removed is gone and the new state is
	 * visible; services start afterwards. `discard` follows the inverse operations.
	 */
	void (*begin)(struct runtime *rt);
	int (*prepare)(struct runtime *rt, struct err *err);
	void (*commit)(struct runtime *rt);
	void (*discard)(struct runtime *rt);
};

struct kind_list {
	const struct kind *const *kinds;
	size_t count;
};

/* Say that nobody handles kind `name`, and which one may have been meant: INVALID "field 'kind': no listener for
 * kind 'foo.bar'; did you mean 'foo.baz'?". */
int kind_refuse(const struct kind_list *list, const char *name, struct err *err);
/* NULL when no kind has that name. */
const struct kind *kind_find(const struct kind_list *list, const char *name);

#endif
