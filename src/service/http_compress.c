/*
 * http_compress.c - the middleware compress: response bodies as zstd or gzip, or brotli where the client prefers it.
 *
 * The head waits until it is known whether there is enough to be worth it. The filter runs on the worker: a piece
 * is bounded by what a handler writes at once.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "compress/encoder.h"
#include "http/accept.h"
#include "http/builtin.h"
#include "http/sniff.h"
#include "service/http_middlewares.h"

enum { HOLD_BYTES_MIN = 512, HOLD_BYTES_MAX = 1024 * 1024 };

/* In the order of preference among those a client rates equal. */
static const char *const names[] = {"zstd", "gzip", "br"};
static const enum compress_format formats[] = {COMPRESS_ZSTD, COMPRESS_GZIP, COMPRESS_BROTLI};
/* "fastest", "default", "best" of each. */
static const int levels[][3] = {{1, 3, 9}, {1, 6, 9}, {1, 5, 9}};

struct compress {
	size_t min_length;
	/* What there is, in that order. */
	const char *names[ARRAY_LEN(formats)];
	enum compress_format formats[ARRAY_LEN(formats)];
	int levels[ARRAY_LEN(formats)];
	size_t nformats;
};

static int compress_create(void *env, const struct value *options, void **ret_self, struct err *e)
{
	const char *level = http_option(options, "compress.level", NULL, "default");
	int64_t least = http_option_number(options, "compress.min.length", 1024);
	struct compress *c;

	(void)env;
	if (least > HOLD_BYTES_MAX)
		return err_set(e, ERR_INVALID,
			"option 'compress.min.length' must not be above %d: as much would be held back",
			HOLD_BYTES_MAX);
	if (!encoder_has(COMPRESS_GZIP))
		return err_set(e, ERR_UNAVAILABLE, "this wippy was built without zlib: compress is not to be had");
	c = xcalloc(1, sizeof(*c));
	c->min_length = (size_t)least;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (!encoder_has(formats[i]))
			continue;
		c->names[c->nformats] = names[i];
		c->formats[c->nformats] = formats[i];
		c->levels[c->nformats++] = levels[i][strcmp(level, "fastest") == 0 ? 0
						     : strcmp(level, "best") == 0  ? 2
										   : 1];
	}
	*ret_self = c;
	return 0;
}

/* The index of the coding to use, -1 for none. */
static int coding_for(const struct compress *c, struct exchange *x)
{
	struct buf field = BUF_INIT;
	int i = -1;

	if (!exchange_is_head(x) && exchange_header_joined(x, "Accept-Encoding", &field))
		i = http_accept_encoding(buf_str(&field), c->names, c->nformats);
	buf_done(&field);
	return i;
}

static enum middleware_next compress_begin(void *self, struct exchange *x)
{
	const struct compress *c = self;

	if (coding_for(c, x) >= 0) {
		middleware_hold(x, c->min_length > HOLD_BYTES_MIN ? c->min_length : HOLD_BYTES_MIN);
		middleware_wants_body(x);
	}
	return MIDDLEWARE_NEXT;
}

static bool is_compact(const char *type)
{
	static const char *const starts[] = {"video/", "audio/", "image/jp"};
	static const char *const parts[] = {"compress", "zip", "snappy", "lzma", "xz", "zstd", "brotli", "stuffit"};

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (strncasecmp(type, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (strcasestr(type, parts[i]))
			return true;
	}
	return false;
}

static bool has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

static void filter(void *state, const void *data, size_t len, enum middleware_filter_step step, struct buf *out)
{
	static const enum encoder_step steps[] = {[MIDDLEWARE_FILTER_WRITE] = ENCODER_MORE,
		[MIDDLEWARE_FILTER_FLUSH] = ENCODER_FLUSH,
		[MIDDLEWARE_FILTER_END] = ENCODER_END};

	encoder_step(state, data, len, steps[step], out);
}

static void filter_free(void *state)
{
	encoder_free(state);
}

/* Bytes that differ must not share a strong validator (RFC 9110 section 8.8.1). */
static void weaken_etag(struct exchange *x)
{
	const char *etag = exchange_response_header(x, "ETag");
	char *weak;

	if (!etag || etag[0] != '"')
		return;
	weak = xasprintf("W/%s", etag);
	middleware_set_header(x, "ETag", weak);
	free(weak);
}

static void compress_head(void *self, struct exchange *x)
{
	const struct compress *c = self;
	const char *type = exchange_response_header(x, "Content-Type");
	int coding = coding_for(c, x);
	struct encoder *z;
	const void *held;
	size_t len;
	bool whole;

	middleware_add_header(x, "Vary", "Accept-Encoding");
	held = middleware_held(x, &len, &whole);
	if (coding < 0 || !has_body(exchange_status(x)) || (whole && len < c->min_length) ||
		exchange_response_header(x, "Content-Encoding") || exchange_response_header(x, "Content-Range"))
		return;
	if (!type) {
		type = http_sniff(held, len);
		if (len > 0)
			middleware_set_header(x, "Content-Type", type);
	}
	if (is_compact(type))
		return;
	z = encoder_new(c->formats[coding], c->levels[coding]);
	if (!z)
		return;
	if (!middleware_filter(x, filter, z, filter_free)) {
		encoder_free(z);
		return;
	}
	middleware_set_header(x, "Content-Encoding", c->names[coding]);
	middleware_remove_header(x, "Content-Length");
	middleware_remove_header(x, "Accept-Ranges");
	weaken_etag(x);
}

const struct middleware_type http_compress_middleware = {
	.name = "compress",
	.create = compress_create,
	.free = free,
	.begin = compress_begin,
	.head = compress_head,
};
