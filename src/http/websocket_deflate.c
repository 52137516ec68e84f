/*
 * websocket_deflate.c - see websocket_deflate.h
 */
#include "http/websocket_deflate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/alloc.h"

enum {
	PIECE = 16 * 1024,
	WINDOW_BITS_MIN = 8,
	WINDOW_BITS_MAX = 15,
	ZLIB_BITS_MIN = 9, /* zlib makes no raw stream with a smaller window */
	MEMORY_LEVEL = 8,
	DICTIONARY_MAX = 32 * 1024,
};

/* What ends every compressed message and is not sent (RFC 7692 section 7.2.1). */
static const unsigned char tail[] = {0x00, 0x00, 0xff, 0xff};

struct websocket_coders {
	z_stream in;
	z_stream out;
	bool has_in;
	bool has_out;
	bool in_forgets; /* no context takeover */
	bool out_forgets;
	int in_bits;
	int out_bits;
};

static int bits_or_default(int bits)
{
	return bits ? bits : WINDOW_BITS_MAX;
}

struct websocket_coders *websocket_coders_new(const struct websocket_deflate *agreed, bool is_client)
{
	struct websocket_coders *c = xcalloc(1, sizeof(*c));
	int client_bits = bits_or_default(agreed->client_max_window_bits);
	int server_bits = bits_or_default(agreed->server_max_window_bits);

	c->out_forgets = is_client ? agreed->client_no_context_takeover : agreed->server_no_context_takeover;
	c->in_forgets = is_client ? agreed->server_no_context_takeover : agreed->client_no_context_takeover;
	c->out_bits = is_client ? client_bits : server_bits;
	c->in_bits = is_client ? server_bits : client_bits;
	/* Some peers take 9 where 8 was agreed, as zlib did for long; a larger window reads them all. */
	if (c->in_bits < ZLIB_BITS_MIN)
		c->in_bits = ZLIB_BITS_MIN;
	return c;
}

void websocket_coders_free(struct websocket_coders *c)
{
	if (!c)
		return;
	if (c->has_in)
		inflateEnd(&c->in);
	if (c->has_out)
		deflateEnd(&c->out);
	free(c);
}

bool websocket_deflate_message(struct websocket_coders *c, const void *data, size_t len, struct buf *out)
{
	size_t before = buf_len(out);
	const unsigned char *from = data;
	int flush;

	if (c->out_bits < ZLIB_BITS_MIN)
		return false;
	if (!c->has_out) {
		/* The fastest level: what follows is usually a local decision against the wire's time, and repetition is found all the same. */
		if (deflateInit2(&c->out, Z_BEST_SPEED, Z_DEFLATED, -c->out_bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
			Z_OK)
			return false;
		c->has_out = true;
	}
	do {
		size_t n = len < UINT32_MAX / 2 ? len : UINT32_MAX / 2;

		c->out.next_in = (unsigned char *)from;
		c->out.avail_in = (unsigned)n;
		from += n;
		len -= n;
		flush = len == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH;
		do {
			c->out.next_out = (unsigned char *)buf_reserve(out, PIECE);
			c->out.avail_out = PIECE;
			deflate(&c->out, flush);
			buf_commit(out, PIECE - c->out.avail_out);
		} while (c->out.avail_out == 0);
	} while (len > 0);
	/* Nothing after a flush that just happened: zlib does not flush twice. */
	if (buf_len(out) - before <= sizeof(tail)) {
		buf_truncate(out, before);
		buf_addc(out, 0);
	} else {
		buf_truncate(out, buf_len(out) - sizeof(tail));
	}
	if (c->out_forgets)
		deflateReset(&c->out);
	return true;
}

/* The peer ended the stream inside of a message (RFC 7692 section 7.2.3.4): what follows is another one that may still look back. */
static int begin_anew(z_stream *z)
{
	unsigned char window[DICTIONARY_MAX];
	unsigned n = sizeof(window);

	if (inflateGetDictionary(z, window, &n) != Z_OK || inflateReset(z) != Z_OK)
		return WEBSOCKET_INFLATE_CORRUPT;
	return n == 0 || inflateSetDictionary(z, window, n) == Z_OK ? 0 : WEBSOCKET_INFLATE_CORRUPT;
}

static int inflate_piece(z_stream *z, const void *data, size_t len, struct buf *out, size_t max)
{
	z->next_in = (unsigned char *)data;
	z->avail_in = (unsigned)len;
	for (;;) {
		int rc;

		z->next_out = (unsigned char *)buf_reserve(out, PIECE);
		z->avail_out = PIECE;
		rc = inflate(z, Z_SYNC_FLUSH);
		buf_commit(out, PIECE - z->avail_out);
		if (buf_len(out) > max)
			return WEBSOCKET_INFLATE_TOO_BIG;
		if (rc == Z_STREAM_END) {
			if (begin_anew(z) < 0)
				return WEBSOCKET_INFLATE_CORRUPT;
			if (z->avail_in == 0)
				return 0;
			continue;
		}
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return WEBSOCKET_INFLATE_CORRUPT;
		/* A full piece may have more behind it. */
		if (z->avail_out != 0)
			return z->avail_in == 0 ? 0 : WEBSOCKET_INFLATE_CORRUPT;
	}
}

int websocket_inflate(
	struct websocket_coders *c, const void *data, size_t len, bool is_end, struct buf *out, size_t max)
{
	const unsigned char *from = data;
	int rc = 0;

	if (!c->has_in) {
		if (inflateInit2(&c->in, -c->in_bits) != Z_OK)
			return WEBSOCKET_INFLATE_CORRUPT;
		c->has_in = true;
	}
	while (len > 0 && rc == 0) {
		size_t n = len < UINT32_MAX / 2 ? len : UINT32_MAX / 2;

		rc = inflate_piece(&c->in, from, n, out, max);
		from += n;
		len -= n;
	}
	if (rc < 0 || !is_end)
		return rc;
	rc = inflate_piece(&c->in, tail, sizeof(tail), out, max);
	if (c->in_forgets)
		inflateReset(&c->in);
	return rc;
}

/* -- negotiation ------------------------------------------------------------------------------------- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* A word up to one of ",;=" or space; `ret` is cut there. */
static const char *take_word(const char *p, const char **ret, size_t *ret_len)
{
	p = skip_space(p);
	*ret = p;
	*ret_len = strcspn(p, ",;= \t");
	return skip_space(p + *ret_len);
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(word, name, len) == 0;
}

/* One parameter's value, perhaps quoted (RFC 6455 section 9.1): a number 8-15 without leading zeros, or 0 for anything else. */
static int take_bits(const char *word, size_t len)
{
	int bits = 0;

	if (len >= 2 && word[0] == '"' && word[len - 1] == '"') {
		word++;
		len -= 2;
	}
	if (len == 0 || len > 2 || word[0] == '0')
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (word[i] < '0' || word[i] > '9')
			return 0;
		bits = bits * 10 + word[i] - '0';
	}
	return bits >= WINDOW_BITS_MIN && bits <= WINDOW_BITS_MAX ? bits : 0;
}

/* One element of the field. */
struct extension {
	bool is_deflate;
	bool is_valid; /* every parameter known, once, with a proper value */
	bool client_no_context_takeover;
	bool server_no_context_takeover;
	bool has_client_bits;
	int client_bits; /* 0: given without a value */
	int server_bits; /* 0: not given */
};

static void take_parameter(
	struct extension *x, const char *name, size_t name_len, bool has_value, const char *value, size_t len)
{
	int bits = has_value ? take_bits(value, len) : 0;

	if (is_word(name, name_len, "client_no_context_takeover")) {
		x->is_valid = x->is_valid && !has_value && !x->client_no_context_takeover;
		x->client_no_context_takeover = true;
	} else if (is_word(name, name_len, "server_no_context_takeover")) {
		x->is_valid = x->is_valid && !has_value && !x->server_no_context_takeover;
		x->server_no_context_takeover = true;
	} else if (is_word(name, name_len, "client_max_window_bits")) {
		x->is_valid = x->is_valid && !x->has_client_bits && (!has_value || bits);
		x->has_client_bits = true;
		x->client_bits = bits;
	} else if (is_word(name, name_len, "server_max_window_bits")) {
		x->is_valid = x->is_valid && !x->server_bits && bits;
		x->server_bits = bits;
	} else {
		x->is_valid = false;
	}
}

/* Returns what follows the element and its comma. */
static const char *take_extension(const char *p, struct extension *x)
{
	const char *word;
	size_t len;

	*x = (struct extension){.is_valid = true};
	p = take_word(p, &word, &len);
	x->is_deflate = is_word(word, len, "permessage-deflate");
	while (*p == ';') {
		const char *value = "";
		size_t value_len = 0;
		bool has_value;

		p = take_word(p + 1, &word, &len);
		has_value = *p == '=';
		if (has_value)
			p = take_word(p + 1, &value, &value_len);
		take_parameter(x, word, len, has_value, value, value_len);
	}
	if (*p && *p != ',')
		x->is_valid = false;
	p += strcspn(p, ",");
	return *p ? p + 1 : p;
}

void websocket_deflate_offer(const struct websocket_deflate *want, struct buf *out)
{
	buf_adds(out, "permessage-deflate");
	if (want->client_no_context_takeover)
		buf_adds(out, "; client_no_context_takeover");
	if (want->server_no_context_takeover)
		buf_adds(out, "; server_no_context_takeover");
	if (want->client_max_window_bits)
		buf_adds(out, "; client_max_window_bits");
	if (want->server_max_window_bits)
		buf_addf(out, "; server_max_window_bits=%d", want->server_max_window_bits);
}

static int fail_answer(const char *answer, struct err *e)
{
	struct buf shown = BUF_INIT;

	buf_add_escaped(&shown, answer, strlen(answer), 200);
	err_set(e, ERR_INTERNAL, "WebSocket protocol violation: unsupported extensions from server: \"%s\"",
		buf_str(&shown));
	buf_done(&shown);
	return err_code(e, "bad_extension");
}

int websocket_deflate_settle(
	const char *answer, const struct websocket_deflate *want, struct websocket_deflate *ret_agreed, struct err *e)
{
	struct websocket_deflate d = {0};
	struct extension x;
	const char *rest;

	if (!answer || !*skip_space(answer)) {
		*ret_agreed = d;
		return 0;
	}
	if (!want || !want->on)
		return fail_answer(answer, e);
	rest = take_extension(answer, &x);
	if (!x.is_deflate || !x.is_valid || *skip_space(rest))
		return fail_answer(answer, e);
	/* Its own window the server may narrow unasked (RFC 7692 section 7.1.2.1), ours only where we said we can. */
	if (x.has_client_bits && (!want->client_max_window_bits || !x.client_bits))
		return fail_answer(answer, e);
	if (want->server_max_window_bits && (!x.server_bits || x.server_bits > want->server_max_window_bits))
		return fail_answer(answer, e);
	d = *want;
	d.client_no_context_takeover |= x.client_no_context_takeover;
	/* A server that was asked to forget and does not say that it will is read all the same. */
	d.server_no_context_takeover = x.server_no_context_takeover;
	d.client_max_window_bits = x.client_bits;
	d.server_max_window_bits = x.server_bits;
	*ret_agreed = d;
	return 0;
}
