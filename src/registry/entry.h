/*
 * entry.h - one registry entry, immutable and shared.
 */
#ifndef REGISTRY_ENTRY_H
#define REGISTRY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/refcount.h"
#include "value/value.h"

struct entry {
	struct refcount refs;
	char *id;   /* "app:probe" */
	char *ns;   /* "app" */
	char *name; /* "probe" */
	char *kind;
	struct value *meta; /* a map, never NULL */
	struct value *data; /* NULL when the entry has no data at all */
	char *file;         /* definition file as shown to people; "" when made at run time */
	uint32_t line;      /* of the entry in that file; 0 unknown */
};

struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry *e);

/* Split at the first colon; a text without one has ns "". Both outputs are malloc'd. */
void entry_id_split(const char *id, char **ret_ns, char **ret_name);
/* `ref` as a full id: a bare name takes `ns`. malloc'd. */
char *entry_id_resolve(const char *ref, const char *ns);

/* Put "<file>:<line>: entry <id>: " before the text, with the line of `at` (a value inside the entry) when it has one; returns -1. */
int entry_prefix(struct err *err, const struct entry *e, const struct value *at);

#endif
