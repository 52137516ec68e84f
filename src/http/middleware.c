#include "http/middleware.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/server_private.h"

/* -- chains ------------------------------------------------------------------------------------------ */

static const struct middleware_type *find_type(const struct middleware_type *const *types, const char *name)
{
	for (; *types; types++)
		if (strcmp((*types)->name, name) == 0)
			return *types;
	return NULL;
}

int middleware_chain_new(const struct middleware_type *const *types, void *env, const struct value *names,
	const struct value *options, struct middleware_chain **ret_chain, struct err *e)
{
	size_t n = value_count(names);
	struct middleware_chain *c;

	if (n > MIDDLEWARE_CHAIN_MAX)
		return err_set(e, ERR_INVALID, "too many middlewares: at most %d", MIDDLEWARE_CHAIN_MAX);
	c = xcalloc(1, sizeof(*c) + n * sizeof(c->items[0]));
	refcount_init(&c->refs);
	for (size_t i = 0; i < n; i++) {
		const struct value *v = value_at(names, i);
		const char *name = value_text(v, "");
		const struct middleware_type *type = find_type(types, name);

		if (!type) {
			err_set(e, ERR_INTERNAL, "middleware not found: %.200s", name);
			goto fail;
		}
		if (type->create(env, options, &c->items[i].self, e) < 0) {
			err_prefix(e, "%s", type->name);
			goto fail;
		}
		c->items[i].type = type;
		c->n++;
	}
	*ret_chain = c;
	return 0;
fail:
	middleware_chain_unref(c);
	return -1;
}

struct middleware_chain *middleware_chain_ref(struct middleware_chain *c)
{
	if (c)
		refcount_inc(&c->refs);
	return c;
}

void middleware_chain_unref(struct middleware_chain *c)
{
	if (!c || !refcount_dec(&c->refs))
		return;
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].type->free)
			c->items[i].type->free(c->items[i].self);
	free(c);
}

/* NULL: 0 */
static size_t middleware_chain_count(const struct middleware_chain *c)
{
	return c ? c->n : 0;
}

/* -- running ----------------------------------------------------------------------------------------- */

static struct chain_item *item_at(const struct exchange *x, size_t i)
{
	const struct http_target *t = x->target_of;
	size_t outer = middleware_chain_count(t->outer);

	return i < outer ? &t->outer->items[i] : &t->inner->items[i - outer];
}

void chain_run(struct exchange *x)
{
	const struct http_target *t = x->target_of;
	size_t outer = middleware_chain_count(t->outer), n = outer + middleware_chain_count(t->inner);

	while (x->position < n) {
		struct chain_item *item = item_at(x, x->position);

		if (x->position >= outer)
			x->is_routed = t->is_endpoint;
		x->position++;
		switch (item->type->begin ? item->type->begin(item->self, x) : MIDDLEWARE_NEXT) {
		case MIDDLEWARE_NEXT:
			break;
		case MIDDLEWARE_ANSWERED:
			return;
		case MIDDLEWARE_LATER:
			x->waits_for_middleware = true;
			return;
		}
		if (x->ended)
			return;
	}
	x->is_routed = t->is_endpoint;
	t->serve(t->arg, x);
}

void middleware_resume(struct exchange *x)
{
	if (!x->waits_for_middleware || x->ended)
		return;
	x->waits_for_middleware = false;
	/* A client that left while a middleware waited has no handler that could end the exchange. */
	if (x->gone)
		exchange_end(x);
	else
		chain_run(x);
}

void chain_heads(struct exchange *x)
{
	if (!x->target_of)
		return;
	for (size_t i = x->position; i > 0; i--) {
		struct chain_item *item = item_at(x, i - 1);

		if (item->type->head)
			item->type->head(item->self, x);
	}
}

void chain_ends(struct exchange *x)
{
	if (!x->target_of)
		return;
	for (size_t i = x->position; i > 0; i--) {
		struct chain_item *item = item_at(x, i - 1);

		if (item->type->end)
			item->type->end(item->self, x);
	}
}

/* -- what hooks may do ------------------------------------------------------------------------------- */

void middleware_hold(struct exchange *x, size_t bytes)
{
	if (bytes > x->hold)
		x->hold = bytes;
}

void middleware_wants_body(struct exchange *x)
{
	x->wants_body = true;
}

void middleware_set_header(struct exchange *x, const char *name, const char *value)
{
	if (!x->head_left)
		exchange_put_field(x, name, value, strlen(value), false);
}

void middleware_add_header(struct exchange *x, const char *name, const char *value)
{
	if (!x->head_left)
		exchange_put_field(x, name, value, strlen(value), true);
}

void middleware_remove_header(struct exchange *x, const char *name)
{
	if (!x->head_left)
		exchange_drop_field(x, name);
}

const void *middleware_held(const struct exchange *x, size_t *ret_len, bool *ret_whole)
{
	*ret_len = buf_len(&x->out);
	*ret_whole = x->ended;
	return buf_data(&x->out);
}

bool middleware_filter(struct exchange *x, middleware_filter_fn *fn, void *state, void (*free_fn)(void *state))
{
	if (x->filter || x->head_left)
		return false;
	x->filter = fn;
	x->filter_state = state;
	x->filter_free = free_fn;
	return true;
}
