#include "security/scope.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/refcount.h"

struct scope {
	struct refcount refs;
};

struct scope *scope_new(void)
{
	struct scope *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	return s;
}

struct scope *scope_ref(struct scope *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void scope_unref(struct scope *s)
{
	if (s && refcount_dec(&s->refs))
		free(s);
}

enum verdict scope_judge(const struct scope *s, const struct identity *who, const char *action, const char *resource,
	const struct value *meta)
{
	(void)s, (void)who, (void)action, (void)resource, (void)meta;
	return VERDICT_UNDEFINED;
}

bool security_allows(const struct scope *s, const struct identity *who, bool strict, const char *action,
	const char *resource, const struct value *meta)
{
	if (!s || !who)
		return !strict;
	return scope_judge(s, who, action, resource, meta) == VERDICT_ALLOW;
}
