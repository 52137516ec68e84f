#include "service/http_identity.h"

#include <stdlib.h>

#include "base/alloc.h"

struct chosen {
	struct identity *actor;
	struct scope *scope;
};

static const char key; /* its address */

static void chosen_free(void *object)
{
	struct chosen *c = object;

	identity_unref(c->actor);
	scope_unref(c->scope);
	free(c);
}

void http_identity_set(struct exchange *x, struct identity *actor, struct scope *scope)
{
	struct chosen *c = xcalloc(1, sizeof(*c));

	c->actor = actor;
	c->scope = scope;
	exchange_attach(x, &key, c, chosen_free);
}

struct identity *http_identity_actor(const struct exchange *x)
{
	const struct chosen *c = exchange_attached(x, &key);
	const struct http_owner *o = exchange_owner(x);

	return c ? c->actor : o ? o->actor : NULL;
}

struct scope *http_identity_scope(const struct exchange *x)
{
	const struct chosen *c = exchange_attached(x, &key);
	const struct http_owner *o = exchange_owner(x);

	return c ? c->scope : o ? o->scope : NULL;
}
