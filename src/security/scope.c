#include "security/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/refcount.h"
#include "security/scope_index.h"

struct scope {
	struct refcount refs;
	struct policy **policies; /* sorted by id */
	size_t count;
	struct scope_index denying, allowing;
};

/* Takes the array and the references in it. */
static struct scope *scope_take(struct policy **policies, size_t n)
{
	struct scope *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->policies = policies;
	s->count = n;
	scope_index_init(&s->denying, policies, n, VERDICT_DENY);
	scope_index_init(&s->allowing, policies, n, VERDICT_ALLOW);
	return s;
}

/* Where the id is, or belongs. */
static size_t position(struct policy *const *policies, size_t n, const char *id, bool *ret_found)
{
	size_t low = 0;

	*ret_found = false;
	while (low < n) {
		size_t mid = low + (n - low) / 2;
		int order = strcmp(policy_id(policies[mid]), id);

		if (order == 0) {
			*ret_found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}

struct scope *scope_new(void)
{
	return scope_take(NULL, 0);
}

/* Ties keep the order they came in: the later one is the later one's. */
struct numbered {
	struct policy *policy;
	size_t number;
};

static int by_id(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int order = strcmp(policy_id(x->policy), policy_id(y->policy));

	return order ? order : (x->number > y->number) - (x->number < y->number);
}

struct scope *scope_new_of(struct policy *const *policies, size_t n)
{
	struct numbered *sorted = xcalloc(n + 1, sizeof(*sorted));
	struct policy **kept = xcalloc(n + 1, sizeof(struct policy *));
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct numbered){policies[i], i};
	qsort(sorted, n, sizeof(*sorted), by_id);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && strcmp(policy_id(sorted[i].policy), policy_id(sorted[i + 1].policy)) == 0)
			continue;
		kept[count++] = policy_ref(sorted[i].policy);
	}
	free(sorted);
	return scope_take(kept, count);
}

struct scope *scope_ref(struct scope *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void scope_unref(struct scope *s)
{
	if (!s || !refcount_dec(&s->refs))
		return;
	scope_index_done(&s->denying);
	scope_index_done(&s->allowing);
	for (size_t i = 0; i < s->count; i++)
		policy_unref(s->policies[i]);
	free(s->policies);
	free(s);
}

struct scope *scope_with(struct scope *s, struct policy *p)
{
	bool found;
	size_t at = position(s->policies, s->count, policy_id(p), &found), n = 0;
	struct policy **list;

	if (found && s->policies[at] == p)
		return scope_ref(s);
	list = xcalloc(s->count + 1, sizeof(struct policy *));
	for (size_t i = 0; i < at; i++)
		list[n++] = policy_ref(s->policies[i]);
	list[n++] = policy_ref(p);
	for (size_t i = at + found; i < s->count; i++)
		list[n++] = policy_ref(s->policies[i]);
	return scope_take(list, n);
}

struct scope *scope_without(struct scope *s, const char *id)
{
	bool found;
	size_t at = position(s->policies, s->count, id, &found), n = 0;
	struct policy **list;

	if (!found)
		return scope_ref(s);
	list = xcalloc(s->count, sizeof(struct policy *));
	for (size_t i = 0; i < s->count; i++) {
		if (i != at)
			list[n++] = policy_ref(s->policies[i]);
	}
	return scope_take(list, n);
}

bool scope_contains(const struct scope *s, const char *id)
{
	bool found;

	position(s->policies, s->count, id, &found);
	return found;
}

size_t scope_count(const struct scope *s)
{
	return s->count;
}

struct policy *scope_policy(const struct scope *s, size_t i)
{
	return s->policies[i];
}

enum verdict scope_judge_check(const struct scope *s, const struct check *c)
{
	if (scope_index_applies(&s->denying, c))
		return VERDICT_DENY;
	return scope_index_applies(&s->allowing, c) ? VERDICT_ALLOW : VERDICT_UNDEFINED;
}

enum verdict scope_judge(const struct scope *s, const struct identity *who, const char *action, const char *resource,
	const struct value *meta)
{
	struct check c = check_of(who, action, resource, meta);

	return scope_judge_check(s, &c);
}

struct policy *scope_deciding(const struct scope *s, const struct check *c)
{
	enum verdict v = scope_judge_check(s, c);

	for (size_t i = 0; v != VERDICT_UNDEFINED && i < s->count; i++) {
		if (policy_judge(s->policies[i], c) == v)
			return s->policies[i];
	}
	return NULL;
}

bool security_allows(const struct scope *s, const struct identity *who, bool strict, const char *action,
	const char *resource, const struct value *meta)
{
	if (!s || !who)
		return !strict;
	return scope_judge(s, who, action, resource, meta) == VERDICT_ALLOW;
}

const char *verdict_name(enum verdict v)
{
	switch (v) {
	case VERDICT_UNDEFINED:
		break;
	case VERDICT_ALLOW:
		return "allow";
	case VERDICT_DENY:
		return "deny";
	}
	return "undefined";
}
