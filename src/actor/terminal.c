#include "actor/terminal.h"

#include <stdlib.h>

#include "base/alloc.h"

struct terminal *terminal_new(const char *const *args, unsigned n)
{
	struct terminal *t = xcalloc(1, sizeof(*t));

	refcount_init(&t->refs);
	t->args = xcalloc(n ? n : 1, sizeof(*t->args));
	for (unsigned i = 0; i < n; i++)
		t->args[i] = xstrdup(args[i]);
	t->nargs = n;
	return t;
}

struct terminal *terminal_ref(struct terminal *t)
{
	if (t)
		refcount_inc(&t->refs);
	return t;
}

void terminal_unref(struct terminal *t)
{
	if (!t || !refcount_dec(&t->refs))
		return;
	for (unsigned i = 0; i < t->nargs; i++)
		free(t->args[i]);
	free(t->args);
	free(t);
}
