/*
 * pattern_list.h - the actions or the resources of a policy: a list of patterns, compiled.
 *
 *     *          everything, the empty text too
 *     text       itself
 *     prefix*    whatever begins with `prefix`
 *     prefix.*   the same: the dot is not part of the prefix, so db.* matches db, db.get and dbx
 *
 * A star anywhere else is a plain character. Upper and lower case differ. No pattern of a list is covered by another
 * one, so at most one matches a text. Immutable once read; any thread.
 */
#ifndef SECURITY_PATTERN_LIST_H
#define SECURITY_PATTERN_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "value/value.h"

struct pattern {
	enum pattern_type { PATTERN_EXACT, PATTERN_PREFIX } type; /* everything: the empty prefix */
	size_t len;
	char *text; /* without the star */
};

struct pattern_list {
	struct pattern *items;
	size_t count;
};

/* Read a string or a list; items that are no strings match nothing. INVALID "<what> string cannot be empty", "<what>
 * list cannot be empty", "<what> must be a string or list". */
int pattern_list_read(struct pattern_list *ret, const struct value *v, const char *what, struct err *e);
void pattern_list_done(struct pattern_list *l);

bool pattern_list_matches(const struct pattern_list *l, const char *text, size_t len);
/* Does it match everything? */
bool pattern_list_is_any(const struct pattern_list *l);

#endif
