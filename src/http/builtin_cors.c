/*
 * builtin_cors.c - the middleware cors: which pages of other sites may read our answers (Fetch standard, section
 * 3.2).
 *
 * The literal `*` is never sent: the origin is sent back instead, also with credentials, so `*` then trusts every
 * site.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/builtin.h"
#include "http/cors.h"

struct cors {
	char *origins;
	char *methods;
	char *headers;
	char *expose; /* "" = none */
	char *max_age;
	bool credentials;
	bool private_network;
};

static void cors_free(void *self)
{
	struct cors *c = self;

	free(c->origins);
	free(c->methods);
	free(c->headers);
	free(c->expose);
	free(c->max_age);
	free(c);
}

static int cors_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct cors *c = xcalloc(1, sizeof(*c));

	(void)env;
	(void)e;
	c->origins = xstrdup(http_option(options, "cors.allow.origins", "allow_origins", "*"));
	c->methods = xstrdup(
		http_option(options, "cors.allow.methods", "allow_methods", "GET,POST,PUT,DELETE,OPTIONS,PATCH"));
	c->headers = xstrdup(http_option(options, "cors.allow.headers", "allow_headers",
		"Origin,Content-Type,Accept,Authorization,X-Requested-With"));
	c->expose = xstrdup(http_option(options, "cors.expose.headers", "expose_headers", ""));
	c->max_age = xstrdup(http_option(options, "cors.max.age", "max_age", "86400"));
	c->credentials = http_option_is_true(options, "cors.allow.credentials", "allow_credentials");
	c->private_network = http_option_is_true(options, "cors.allow.private.network", "allow_private_network");
	*ret_self = c;
	return 0;
}

static void put(struct exchange *x, const char *name, const char *value)
{
	exchange_set_header(x, name, value, SIZE_MAX);
}

static enum middleware_next cors_begin(void *self, struct exchange *x)
{
	const struct cors *c = self;
	const char *origin = exchange_header(x, "Origin");
	bool is_preflight =
		strcmp(exchange_method(x), "OPTIONS") == 0 && exchange_header(x, "Access-Control-Request-Method");

	if (!cors_allows(c->origins, origin))
		return MIDDLEWARE_NEXT;
	put(x, "Access-Control-Allow-Origin", origin);
	if (c->credentials)
		put(x, "Access-Control-Allow-Credentials", "true");
	if (c->private_network)
		put(x, "Access-Control-Allow-Private-Network", "true");
	if (!is_preflight) {
		put(x, "Vary", "Origin");
		if (c->expose[0])
			put(x, "Access-Control-Expose-Headers", c->expose);
		return MIDDLEWARE_NEXT;
	}
	put(x, "Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
	put(x, "Access-Control-Allow-Methods", c->methods);
	put(x, "Access-Control-Allow-Headers", c->headers);
	put(x, "Access-Control-Max-Age", c->max_age);
	exchange_commit(x, 204);
	exchange_end(x);
	return MIDDLEWARE_ANSWERED;
}

const struct middleware_type http_cors_middleware = {
	.name = "cors",
	.create = cors_create,
	.free = cors_free,
	.begin = cors_begin,
};
