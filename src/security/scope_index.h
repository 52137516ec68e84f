/*
 * scope_index.h - policies of one effect, found by action; inside scope.c only.
 *
 * A hash table from the text of a pattern to the policies that have it. A text is looked up whole for exact patterns
 * and by each of its beginnings as long as some prefix pattern, in one pass over its bytes. Built once, never changed.
 */
#ifndef SECURITY_SCOPE_INDEX_H
#define SECURITY_SCOPE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "security/policy.h"

struct scope_index {
	struct index_slot *slots; /* a power of two of them, or none */
	size_t mask;
	const struct policy **policies; /* borrowed; each slot has a run of them */
	size_t *prefix_lengths;         /* of prefix patterns, ascending, each once */
	size_t nprefix_lengths;
};

/* Of those among `policies` with that effect. */
void scope_index_init(struct scope_index *x, struct policy *const *policies, size_t n, enum verdict effect);
void scope_index_done(struct scope_index *x);

/* Does one of them apply? */
bool scope_index_applies(const struct scope_index *x, const struct check *c);

#endif
