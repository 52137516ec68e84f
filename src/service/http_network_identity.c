/*
 * http_network_identity.c - the middleware network_identity: the request acts as the peer that the overlay vouches for.
 *
 * Only what came with the connection from the overlay's driver counts (exchange_identity()); no header can say otherwise, and a connection of the clear network has no
 * identity. The peer's address does not make one either: an overlay that vouches for nobody gives none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/node.h"
#include "http/builtin.h"
#include "overlay/destination.h"
#include "security/policy_set.h"
#include "service/http_identity.h"
#include "service/http_middlewares.h"

struct network_identity {
	struct node *node;
	char *prefix;
	bool is_required;
	struct value *groups; /* lists of full ids; both NULL: the server's own scope */
	struct value *policies;
};

static void self_free(void *self)
{
	struct network_identity *n = self;

	value_unref(n->groups);
	value_unref(n->policies);
	free(n->prefix);
	free(n);
}

/* "app:a, app:b" */
static int read_ids(const struct value *options, const char *name, struct value **ret, struct err *e)
{
	const char *text = http_option(options, name, NULL, "");
	struct value *list = NULL;

	while (*text) {
		size_t len = strcspn(text, ", \t");

		if (len > 0) {
			if (!memchr(text, ':', len)) {
				value_unref(list);
				return err_set(e, ERR_INVALID,
					"option '%s' needs full ids such as \"app:peers\", got \"%.*s\"", name,
					len > 128 ? 128 : (int)len, text);
			}
			if (!list)
				list = value_list();
			value_list_append(list, value_string(text, len));
		}
		text += len + (text[len] != '\0');
	}
	*ret = list;
	return 0;
}

static int self_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct network_identity *n = xcalloc(1, sizeof(*n));

	n->node = env;
	n->prefix = xstrdup(http_option(options, "network_identity.prefix", NULL, "peer:"));
	n->is_required = http_option_is_true(options, "network_identity.required", NULL);
	if (read_ids(options, "network_identity.groups", &n->groups, e) < 0 ||
		read_ids(options, "network_identity.policies", &n->policies, e) < 0) {
		self_free(n);
		return -1;
	}
	*ret_self = n;
	return 0;
}

/* Who it is, in the words of the overlays; NULL: nobody in particular. A tailnet gives all tagged nodes one login. */
static const char *name_of(const struct value *identity, char b32[static B32_NAME_MAX])
{
	static const char *const fields[] = {"login", "node", "destination"};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const char *text = value_text_at(identity, fields[i]);

		/* A destination has hundreds of characters; its hash is a name that nobody else has. */
		if (destination_b32(text, b32))
			return b32;
		if (*text && strcmp(text, "tagged-devices") != 0)
			return text;
	}
	return NULL;
}

static struct scope *scope_for(const struct network_identity *n, const struct exchange *x)
{
	struct scope *s;

	if (!n->groups && !n->policies)
		return scope_ref(http_identity_scope(x));
	s = policy_set_union(n->node->policies, n->groups, n->policies, NULL, NULL);
	/* An actor without a scope may do everything: where none of the named is there, it may do nothing. */
	return s ? s : scope_new();
}

static enum middleware_next begin(void *self, struct exchange *x)
{
	const struct network_identity *n = self;
	const struct value *identity = exchange_identity(x);
	char b32[B32_NAME_MAX], *id;
	const char *name = name_of(identity, b32);

	if (!name)
		return n->is_required ? http_refuse(x, 403, "Access denied", "No network vouches for the peer")
				      : MIDDLEWARE_NEXT;
	id = xasprintf("%s%s", n->prefix, name);
	http_identity_set(x, identity_new(id, value_ref((struct value *)(uintptr_t)identity)), scope_for(n, x));
	free(id);
	return MIDDLEWARE_NEXT;
}

const struct middleware_type http_network_identity_middleware = {
	.name = "network_identity",
	.create = self_create,
	.free = self_free,
	.begin = begin,
};
