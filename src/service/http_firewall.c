/*
 * http_firewall.c - the middlewares endpoint_firewall and resource_firewall: only who is known and allowed comes
 * through. Nothing but an explicit allow of the scope counts, strict mode or not.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/builtin.h"
#include "service/http_identity.h"
#include "service/http_middlewares.h"

struct firewall {
	char *action;
	char *target; /* NULL: the endpoint's id */
};

static void firewall_free(void *self)
{
	struct firewall *f = self;

	free(f->action);
	free(f->target);
	free(f);
}

static int endpoint_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct firewall *f = xcalloc(1, sizeof(*f));

	(void)env;
	(void)e;
	f->action = xstrdup(http_option(options, "endpoint_firewall.action", "endpoint_action", "access"));
	*ret_self = f;
	return 0;
}

static int resource_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct firewall *f = xcalloc(1, sizeof(*f));

	(void)env;
	(void)e;
	f->action = xstrdup(http_option(options, "resource_firewall.action", "resource_action", "access"));
	f->target = xstrdup(http_option(options, "resource_firewall.target", "resource_target", ""));
	*ret_self = f;
	return 0;
}

enum middleware_next http_refuse(struct exchange *x, unsigned status, const char *error, const char *details)
{
	struct buf body = BUF_INIT;

	buf_addf(&body, "{\"details\":\"%s\",\"error\":\"%s\",\"success\":false}\n", details, error);
	exchange_set_header(x, "Content-Type", "application/json", SIZE_MAX);
	exchange_commit(x, status);
	exchange_write(x, buf_data(&body), buf_len(&body));
	buf_done(&body);
	exchange_end(x);
	return MIDDLEWARE_ANSWERED;
}

static enum middleware_next firewall_begin(void *self, struct exchange *x)
{
	const struct firewall *f = self;
	struct identity *actor = http_identity_actor(x);
	struct scope *scope = http_identity_scope(x);
	const char *resource = f->target ? f->target : exchange_endpoint(x);

	if (!resource)
		return http_refuse(x, 500, "Configuration error",
			"endpoint_firewall middleware must be configured as post-middleware: put it into "
			"post_middleware of an "
			"http.router");
	if (!actor || !identity_id(actor)[0])
		return http_refuse(x, 401, "Authentication required",
			f->target ? "You must be authenticated to access this resource"
				  : "You must be authenticated to access this endpoint");
	if (!scope)
		return http_refuse(x, 403, "Access denied", "No authorization scope available");
	if (scope_judge(scope, actor, f->action, resource, NULL) != VERDICT_ALLOW)
		return http_refuse(x, 403, "Access denied",
			f->target ? "You don't have permission to access this resource"
				  : "You don't have permission to access this endpoint");
	return MIDDLEWARE_NEXT;
}

const struct middleware_type http_endpoint_firewall_middleware = {
	.name = "endpoint_firewall",
	.create = endpoint_create,
	.free = firewall_free,
	.begin = firewall_begin,
};

const struct middleware_type http_resource_firewall_middleware = {
	.name = "resource_firewall",
	.create = resource_create,
	.free = firewall_free,
	.begin = firewall_begin,
};
