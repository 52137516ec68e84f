/*
 * http_metrics.c - the middlewares metrics, which counts and times requests, and prometheus, which shows what was
 * counted.
 *
 * The label `route` is the endpoint's id in post_middleware and `unmatched` elsewhere. Methods that are not common
 * are counted as OTHER: labels must not come from clients.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "bind/node.h"
#include "http/builtin.h"
#include "service/http_middlewares.h"

static int self_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct node *n = env;

	(void)options;
	if (!n->metrics)
		return err_set(e, ERR_UNAVAILABLE, "nothing is counted in this program");
	*ret_self = n->metrics;
	return 0;
}

static void self_free(void *self)
{
	(void)self; /* the node's */
}

static const char *method_of(const struct exchange *x)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(exchange_method(x), known[i]) == 0)
			return known[i];
	}
	return "OTHER";
}

/* What a request was counted under: in the outer chain the endpoint is known by the end, but was not at the
 * beginning. */
struct counted {
	char *route;
};

static const char key; /* its address */

static void counted_free(void *object)
{
	struct counted *c = object;

	free(c->route);
	free(c);
}

static void in_flight(struct metrics *m, const struct exchange *x, const struct counted *c, double by)
{
	const struct metric_label labels[] = {{"method", method_of(x)}, {"route", c->route}};
	struct err e;

	/* Fails only when a program has made a metric of another type under that name; there is nobody to tell. */
	(void)metrics_gauge_add(m, "wippy_http_requests_in_flight", labels, ARRAY_LEN(labels), by, &e);
}

static enum middleware_next count_begin(void *self, struct exchange *x)
{
	const char *endpoint = exchange_endpoint(x);
	struct counted *c;

	/* Listed twice, it counts once. */
	if (exchange_attached(x, &key))
		return MIDDLEWARE_NEXT;
	c = xcalloc(1, sizeof(*c));
	c->route = xstrdup(endpoint ? endpoint : "unmatched");
	exchange_attach(x, &key, c, counted_free);
	in_flight(self, x, c, 1);
	return MIDDLEWARE_NEXT;
}

static void count_end(void *self, struct exchange *x)
{
	const struct counted *c = exchange_attached(x, &key);
	char status[16];
	const struct metric_label labels[] = {
		{"method", method_of(x)}, {"route", c ? c->route : ""}, {"status", status}};
	double seconds = (double)(loop_clock_ns() - exchange_begun_ns(x)) / 1e9;
	struct err e;

	if (!c)
		return;
	snprintf(status, sizeof(status), "%u", http_status_seen(x));
	(void)metrics_count(self, "wippy_http_requests_total", labels, ARRAY_LEN(labels), 1, &e);
	(void)metrics_observe(self, "wippy_http_request_duration_seconds", labels, ARRAY_LEN(labels), seconds, &e);
	in_flight(self, x, c, -1);
	exchange_attach(x, &key, NULL, NULL);
}

const struct middleware_type http_metrics_middleware = {
	.name = "metrics",
	.create = self_create,
	.free = self_free,
	.begin = count_begin,
	.end = count_end,
};

static enum middleware_next prometheus_begin(void *self, struct exchange *x)
{
	struct buf text = BUF_INIT;

	metrics_write(self, &text);
	exchange_set_header(x, "Content-Type", "text/plain; version=0.0.4; charset=utf-8", SIZE_MAX);
	exchange_set_header(x, "Cache-Control", "no-store", SIZE_MAX);
	exchange_commit(x, 200);
	exchange_write(x, buf_data(&text), buf_len(&text));
	buf_done(&text);
	exchange_end(x);
	return MIDDLEWARE_ANSWERED;
}

const struct middleware_type http_prometheus_middleware = {
	.name = "prometheus",
	.create = self_create,
	.free = self_free,
	.begin = prometheus_begin,
};
