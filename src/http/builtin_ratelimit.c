/*
 * builtin_ratelimit.c - the middleware ratelimit: token buckets by address, header or parameter. One set of buckets
 * for all workers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/builtin.h"
#include "http/rate.h"

static const int64_t second_ns = 1000000000;

enum key_of { KEY_IP, KEY_HEADER, KEY_QUERY };

struct ratelimit {
	struct rate *rate;
	enum key_of key_of;
	char *key; /* name of the header or parameter; NULL with KEY_IP */
	char *window;
	int64_t requests;
};

static void ratelimit_free(void *self)
{
	struct ratelimit *r = self;

	rate_free(r->rate);
	free(r->key);
	free(r->window);
	free(r);
}

/* A whole number and one of s, m, h; at least a second. */
static int64_t window_ns(const char *text, const char **ret_text)
{
	static const int64_t unit_ns['s' + 1] = {
		['s'] = 1000000000LL, ['m'] = 60 * 1000000000LL, ['h'] = 3600 * 1000000000LL};
	size_t n = strspn(text, "0123456789");
	int64_t ns;

	*ret_text = "1m";
	if (n == 0 || n > 6 || !strchr("smh", text[n]) || !text[n] || text[n + 1])
		return 60 * second_ns;
	*ret_text = text;
	ns = (int64_t)strtol(text, NULL, 10) * unit_ns[(unsigned char)text[n]];
	if (ns >= second_ns)
		return ns;
	*ret_text = "1s";
	return second_ns;
}

static void choose_key(struct ratelimit *r, const char *text)
{
	if (strncmp(text, "header:", 7) == 0 && text[7]) {
		r->key_of = KEY_HEADER;
		r->key = xstrdup(text + 7);
	} else if (strncmp(text, "query:", 6) == 0 && text[6]) {
		r->key_of = KEY_QUERY;
		r->key = xstrdup(text + 6);
	}
}

static int ratelimit_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	struct ratelimit *r = xcalloc(1, sizeof(*r));
	const char *window;
	int64_t ns = window_ns(http_option(options, "ratelimit.window", NULL, "1m"), &window);

	(void)env;
	(void)e;
	r->requests = http_option_number(options, "ratelimit.requests", 100);
	r->window = xstrdup(window);
	choose_key(r, http_option(options, "ratelimit.key", NULL, "ip"));
	r->rate = rate_new(&(struct rate_config){
		.per_second = (double)r->requests * 1e9 / (double)ns,
		.burst = (double)http_option_number(options, "ratelimit.burst", 20),
		.sweep_ns = (uint64_t)http_option_duration(options, "ratelimit.cleanup_interval", 300 * second_ns),
		.ttl_ns = (uint64_t)http_option_duration(options, "ratelimit.entry_ttl", 600 * second_ns),
		.entries_max = (size_t)http_option_number(options, "ratelimit.max_entries", 100000),
	});
	*ret_self = r;
	return 0;
}

static void read_key(const struct ratelimit *r, struct exchange *x, struct buf *out)
{
	const char *text;

	switch (r->key_of) {
	case KEY_IP:
		http_remote_ip(exchange_remote(x), out);
		break;
	case KEY_HEADER:
		text = exchange_header(x, r->key);
		if (text)
			buf_adds(out, text);
		break;
	case KEY_QUERY:
		http_query_value(exchange_query(x), r->key, out);
		break;
	}
}

static enum middleware_next ratelimit_begin(void *self, struct exchange *x)
{
	struct ratelimit *r = self;
	struct buf key = BUF_INIT;
	char *limit;
	bool ok;

	read_key(r, x, &key);
	if (buf_len(&key) == 0) {
		buf_done(&key);
		exchange_answer_text(x, 400, "Rate limit key extraction failed");
		return MIDDLEWARE_ANSWERED;
	}
	ok = rate_take(r->rate, buf_data(&key), buf_len(&key), loop_clock_ns());
	buf_done(&key);
	if (ok)
		return MIDDLEWARE_NEXT;
	limit = xasprintf("%lld", (long long)r->requests);
	exchange_set_header(x, "X-RateLimit-Limit", limit, SIZE_MAX);
	exchange_set_header(x, "X-RateLimit-Window", r->window, SIZE_MAX);
	free(limit);
	exchange_answer_text(x, 429, "Rate limit exceeded");
	return MIDDLEWARE_ANSWERED;
}

const struct middleware_type http_ratelimit_middleware = {
	.name = "ratelimit",
	.create = ratelimit_create,
	.free = ratelimit_free,
	.begin = ratelimit_begin,
};
