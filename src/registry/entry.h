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
	char *sources; /* the files its file:// references name, as shown to people, one a line; NULL when there is none */
};

/* An entry made at run time. Texts are copied; takes `meta` and `data`; NULL for no meta, no data. A bare name has
 * ns "", its id is ":name". */
struct entry *entry_new(const char *id, const char *kind, struct value *meta, struct value *data);
/* A new entry like `e` with other data, which it takes. */
struct entry *entry_with_data(const struct entry *e, struct value *data);
/* Same id, kind, meta and data; where it was written does not count. */
bool entry_equal(const struct entry *a, const struct entry *b);

struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry *e);

/* Split at the first colon; a text without one has ns "". Both outputs are malloc'd. */
void entry_id_split(const char *id, char **ret_ns, char **ret_name);
/* `ref` as a full id: a bare name takes `ns`. malloc'd. */
char *entry_id_resolve(const char *ref, const char *ns);

/* Put "<file>:<line>: entry <id>: " before the text, with the line of `at` (a value inside the entry) when it has
 * one; returns -1. */
int entry_prefix(struct err *err, const struct entry *e, const struct value *at);

#endif
