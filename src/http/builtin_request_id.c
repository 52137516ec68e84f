/*
 * builtin_request_id.c - the middleware request_id: every response says which request it answers.
 *
 * The id the client (or a proxy) sent is kept when it is made of letters, digits and -_.=+/:@ and not too long;
 * otherwise a new one (UUID version 4) is made. Handlers see it as `request_id` of their context, and so does what they call.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/uuid.h"
#include "http/builtin.h"

enum { ID_BYTES_MAX = 128 };

struct request_id {
	char *header;
};

static const char key; /* its address */

const char *http_request_id(const struct exchange *x)
{
	return exchange_attached(x, &key);
}

static void request_id_free(void *self)
{
	struct request_id *r = self;

	free(r->header);
	free(r);
}

static int request_id_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	const char *header = http_option(options, "request_id.header", NULL, "X-Request-Id");
	struct request_id *r;

	(void)env;
	if (strspn(header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(header))
		return err_set(e, ERR_INVALID, "option 'request_id.header' must be the name of a header");
	r = xcalloc(1, sizeof(*r));
	r->header = xstrdup(header);
	*ret_self = r;
	return 0;
}

static bool is_usable(const char *id)
{
	size_t len;

	if (!id)
		return false;
	len = strlen(id);
	return len > 0 && len <= ID_BYTES_MAX &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/:@") == len;
}

static enum middleware_next request_id_begin(void *self, struct exchange *x)
{
	const struct request_id *r = self;
	const char *id = exchange_header(x, r->header);
	char text[UUID_TEXT_MAX];
	struct uuid u;

	if (!is_usable(id)) {
		/* Below 256 bytes it neither fails nor is it interrupted. */
		if (getrandom(u.bytes, sizeof(u.bytes), 0) != (ssize_t)sizeof(u.bytes))
			abort();
		uuid_stamp(&u, 4);
		id = uuid_format(&u, text);
	}
	exchange_attach(x, &key, xstrdup(id), free);
	exchange_set_header(x, r->header, id, SIZE_MAX);
	return MIDDLEWARE_NEXT;
}

const struct middleware_type http_request_id_middleware = {
	.name = "request_id",
	.create = request_id_create,
	.free = request_id_free,
	.begin = request_id_begin,
};
