/*
 * dispatch.c - from a request to its handler: sites, redirects, and the answers nobody has written a handler for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/server_private.h"

struct http_site *http_site_new(struct route_table *routes, void (*free_fn)(void *arg), void *arg)
{
	struct http_site *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->routes = routes;
	s->free_fn = free_fn;
	s->arg = arg;
	return s;
}

struct http_site *http_site_ref(struct http_site *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void http_site_unref(struct http_site *s)
{
	if (!s || !refcount_dec(&s->refs))
		return;
	if (s->free_fn)
		s->free_fn(s->arg);
	route_table_free(s->routes);
	free(s);
}

/* Relative to the server: a client's Host never gets into a Location. */
static void redirect(struct exchange *x, struct buf *location)
{
	if (*x->query) {
		buf_addc(location, '?');
		buf_adds(location, x->query);
	}
	exchange_set_header(x, "Location", buf_str(location), buf_len(location));
	exchange_commit(x, 307);
	exchange_end(x);
}

static void take_match(struct exchange *x, const struct route_match *m)
{
	x->target_of = m->data;
	x->route = m->pattern;
	if (m->nparams == 0)
		return;
	x->params = xcalloc(m->nparams, sizeof(*x->params));
	for (size_t i = 0; i < m->nparams; i++) {
		struct buf b = BUF_INIT;

		/* NUL was refused with the whole path. */
		route_decode(&b, m->params[i].text, m->params[i].len);
		x->params[i].name = m->params[i].name;
		x->params[i].value = buf_detach(&b, NULL);
	}
	x->nparams = m->nparams;
}

void exchange_dispatch(struct exchange *x)
{
	struct buf text = BUF_INIT;
	struct route_match m;

	if (!x->site) {
		exchange_answer_text(x, 404, "404 page not found");
		return;
	}
	switch (route_match(x->site->routes, x->method, x->host, x->raw_path, &m, &text)) {
	case ROUTE_FOUND:
		take_match(x, &m);
		chain_run(x);
		break;
	case ROUTE_REDIRECT:
		redirect(x, &text);
		break;
	case ROUTE_NO_METHOD:
		exchange_set_header(x, "Allow", buf_str(&text), buf_len(&text));
		exchange_answer_text(x, 405, "Method Not Allowed");
		break;
	case ROUTE_NOT_FOUND:
		exchange_answer_text(x, 404, "404 page not found");
		break;
	}
	buf_done(&text);
}
