#include "security/identity.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/refcount.h"

struct identity {
	struct refcount refs;
	char *id;
	struct value *meta;
};

struct identity *identity_new(const char *id, struct value *meta)
{
	struct identity *i = xcalloc(1, sizeof(*i));

	refcount_init(&i->refs);
	i->id = xstrdup(id);
	i->meta = meta;
	return i;
}

struct identity *identity_ref(struct identity *i)
{
	if (i)
		refcount_inc(&i->refs);
	return i;
}

void identity_unref(struct identity *i)
{
	if (!i || !refcount_dec(&i->refs))
		return;
	value_unref(i->meta);
	free(i->id);
	free(i);
}

const char *identity_id(const struct identity *i)
{
	return i->id;
}

const struct value *identity_meta(const struct identity *i)
{
	return i->meta;
}
