#include "security/scope_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* FNV-1a, 64 bits: it can go on from any beginning of a text. Patterns come from the application's own files, so
 * nobody can choose them to collide. */
static const uint64_t hash_start = 0xcbf29ce484222325ull, hash_factor = 0x100000001b3ull;

struct index_slot {
	uint64_t hash;
	const struct pattern *pattern; /* NULL: free */
	size_t first, count;           /* of `policies` */
};

static uint64_t hash_on(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * hash_factor;
	return hash;
}

/* The slot of that text, or the free one where it belongs. */
static struct index_slot *find(
	const struct scope_index *x, enum pattern_type type, uint64_t hash, const char *text, size_t len)
{
	size_t i = (size_t)(hash ^ hash >> 32) & x->mask;

	for (;; i = (i + 1) & x->mask) {
		struct index_slot *s = &x->slots[i];

		if (!s->pattern)
			return s;
		if (s->hash == hash && s->pattern->type == type && s->pattern->len == len &&
			memcmp(s->pattern->text, text, len) == 0)
			return s;
	}
}

static int by_size(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void collect_lengths(
	struct scope_index *x, struct policy *const *policies, size_t n, enum verdict effect, size_t total)
{
	size_t count = 0, kept = 0;

	x->prefix_lengths = xcalloc(total, sizeof(*x->prefix_lengths));
	for (size_t i = 0; i < n; i++) {
		const struct pattern_list *l = policy_actions(policies[i]);

		for (size_t k = 0; policy_effect(policies[i]) == effect && k < l->count; k++) {
			if (l->items[k].type == PATTERN_PREFIX)
				x->prefix_lengths[count++] = l->items[k].len;
		}
	}
	qsort(x->prefix_lengths, count, sizeof(*x->prefix_lengths), by_size);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || x->prefix_lengths[kept - 1] != x->prefix_lengths[i])
			x->prefix_lengths[kept++] = x->prefix_lengths[i];
	}
	x->nprefix_lengths = kept;
}

/* Call for each pattern of each policy of that effect: first they are counted, then placed. */
static void each_pattern(
	struct scope_index *x, struct policy *const *policies, size_t n, enum verdict effect, bool place)
{
	for (size_t i = 0; i < n; i++) {
		const struct pattern_list *l = policy_actions(policies[i]);

		for (size_t k = 0; policy_effect(policies[i]) == effect && k < l->count; k++) {
			const struct pattern *p = &l->items[k];
			uint64_t hash = hash_on(hash_start, p->text, p->len);
			struct index_slot *s = find(x, p->type, hash, p->text, p->len);

			if (place) {
				x->policies[s->first + s->count++] = policies[i];
				continue;
			}
			s->hash = hash;
			s->pattern = p;
			s->count++;
		}
	}
}

void scope_index_init(struct scope_index *x, struct policy *const *policies, size_t n, enum verdict effect)
{
	size_t total = 0, size = 4, first = 0;

	*x = (struct scope_index){0};
	for (size_t i = 0; i < n; i++) {
		if (policy_effect(policies[i]) == effect)
			total += policy_actions(policies[i])->count;
	}
	if (total == 0)
		return;
	while (size < 2 * total)
		size *= 2;
	x->mask = size - 1;
	x->slots = xcalloc(size, sizeof(*x->slots));
	x->policies = xcalloc(total, sizeof(const struct policy *));
	collect_lengths(x, policies, n, effect, total);
	each_pattern(x, policies, n, effect, false);
	for (size_t i = 0; i < size; i++) {
		x->slots[i].first = first;
		first += x->slots[i].count;
		x->slots[i].count = 0;
	}
	each_pattern(x, policies, n, effect, true);
}

void scope_index_done(struct scope_index *x)
{
	free(x->slots);
	free(x->policies);
	free(x->prefix_lengths);
	*x = (struct scope_index){0};
}

static bool slot_applies(const struct scope_index *x, const struct index_slot *s, const struct check *c)
{
	if (!s->pattern)
		return false;
	for (size_t i = 0; i < s->count; i++) {
		if (policy_judge_resource(x->policies[s->first + i], c) != VERDICT_UNDEFINED)
			return true;
	}
	return false;
}

bool scope_index_applies(const struct scope_index *x, const struct check *c)
{
	uint64_t hash = hash_start;
	size_t at = 0;

	if (!x->slots)
		return false;
	for (size_t i = 0; i < x->nprefix_lengths && x->prefix_lengths[i] <= c->action_len; i++) {
		size_t len = x->prefix_lengths[i];

		hash = hash_on(hash, c->action + at, len - at);
		at = len;
		if (slot_applies(x, find(x, PATTERN_PREFIX, hash, c->action, len), c))
			return true;
	}
	hash = hash_on(hash, c->action + at, c->action_len - at);
	return slot_applies(x, find(x, PATTERN_EXACT, hash, c->action, c->action_len), c);
}
