/*
 * http_token_auth.c - the middleware token_auth: the request acts as its token says.
 *
 * It refuses nobody: without a token, with a bad one or when the store fails the request goes on as whom the server
 * acts. What must not be reached so stands behind a firewall. The text of a token is never logged.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bind/token_store.h"
#include "http/builtin.h"
#include "service/http_identity.h"
#include "service/http_middlewares.h"

struct token_auth {
	struct node *node;
	char *store;
	char *header;
	char *prefix;
	char *param;
	char *cookie;
};

/* Of one request that waits for the store. */
struct asking {
	const struct token_auth *auth;
	struct exchange *x; /* owns us, as what is attached to it */
	struct token_wait *wait;
};

static void token_auth_free(void *self)
{
	struct token_auth *a = self;

	free(a->store);
	free(a->header);
	free(a->prefix);
	free(a->param);
	free(a->cookie);
	free(a);
}

static int token_auth_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	const char *store = http_option(options, "token_auth.store", "token_store", "");
	struct token_auth *a;

	if (!store[0])
		return err_set(
			e, ERR_INVALID, "option 'token_auth.store' is required: the id of a security.token_store");
	if (!strchr(store, ':'))
		return err_set(e, ERR_INVALID,
			"option 'token_auth.store' must be a full id such as \"app:tokens\", got \"%.128s\"", store);
	a = xcalloc(1, sizeof(*a));
	a->node = env;
	a->store = xstrdup(store);
	a->header = xstrdup(http_option(options, "token_auth.header.name", "header_name", "Authorization"));
	a->prefix = xstrdup(http_option(options, "token_auth.header.prefix", "header_prefix", "Bearer "));
	a->param = xstrdup(http_option(options, "token_auth.query.param", "query_param", "x-auth-token"));
	a->cookie = xstrdup(http_option(options, "token_auth.cookie.name", "cookie_name", "x-auth-token"));
	*ret_self = a;
	return 0;
}

/* The first that is there; a header without the prefix is passed over. */
static bool find_token(const struct token_auth *a, struct exchange *x, struct buf *out)
{
	const char *field = exchange_header(x, a->header);
	size_t n = strlen(a->prefix);

	if (field && strncmp(field, a->prefix, n) == 0 && field[n]) {
		buf_adds(out, field + n);
		return true;
	}
	if (http_query_value(exchange_query(x), a->param, out) && buf_len(out) > 0)
		return true;
	buf_clear(out);
	return http_cookie_value(x, a->cookie, out) && buf_len(out) > 0;
}

static void take(const struct token_auth *a, struct exchange *x, struct token_answer *answer)
{
	if (answer->rc == 0) {
		http_identity_set(x, answer->actor, answer->scope);
		answer->actor = NULL;
		answer->scope = NULL;
	} else if (answer->err.kind != ERR_INVALID && answer->err.kind != ERR_NOT_FOUND) {
		log_warn("http", "token_auth: the store failed; the request goes on without its token",
			LOG_STR("store", a->store), LOG_STR("error", answer->err.text));
	}
}

static void asking_free(void *object)
{
	struct asking *q = object;

	if (q->wait)
		token_cancel(q->wait);
	free(q);
}

static void answered(void *arg, struct token_answer *answer)
{
	struct asking *q = arg;
	const struct token_auth *a = q->auth;
	struct exchange *x = q->x;

	q->wait = NULL;
	take(a, x, answer);
	exchange_ref(x);
	exchange_attach(x, a, NULL, NULL);
	middleware_resume(x);
	exchange_unref(x);
}

static enum middleware_next token_auth_begin(void *self, struct exchange *x)
{
	const struct token_auth *a = self;
	enum middleware_next next = MIDDLEWARE_NEXT;
	struct token_answer answer = {0};
	struct buf token = BUF_INIT;
	struct token_store *ts;
	struct asking *q;
	struct err e;

	if (!find_token(a, x, &token))
		goto out;
	ts = instances_get(a->node->instances, a->store, &token_store_type, &e);
	if (!ts) {
		log_warn("http", "token_auth: the store is missing; the request goes on without its token",
			LOG_STR("error", e.text));
		goto out;
	}
	q = xcalloc(1, sizeof(*q));
	q->auth = a;
	q->x = x;
	q->wait =
		token_validate(ts, a->node, exchange_loop(x), buf_data(&token), buf_len(&token), &answer, answered, q);
	token_store_unref(ts);
	if (q->wait) {
		exchange_attach(x, a, q, asking_free);
		next = MIDDLEWARE_LATER;
	} else {
		free(q);
		take(a, x, &answer);
		token_answer_done(&answer);
	}
out:
	buf_done(&token);
	return next;
}

/* The client left: nobody waits for the answer any more. */
static void token_auth_end(void *self, struct exchange *x)
{
	exchange_attach(x, self, NULL, NULL);
}

const struct middleware_type http_token_auth_middleware = {
	.name = "token_auth",
	.create = token_auth_create,
	.free = token_auth_free,
	.begin = token_auth_begin,
	.end = token_auth_end,
};
