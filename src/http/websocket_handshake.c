/*
 * websocket_handshake.c - see websocket_handshake.h
 */
#include "http/websocket_handshake.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "http/websocket_deflate.h"

enum { NONCE_BYTES = 16 };

void websocket_make_key(char out[static WEBSOCKET_KEY_SIZE])
{
	unsigned char nonce[NONCE_BYTES];
	struct buf text = BUF_INIT;

	/* Only there so that a cache does not take the answer for an older one: see section 10.3 of the RFC. */
	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		abort();
	base64_encode(&text, nonce, sizeof(nonce));
	memcpy(out, buf_str(&text), WEBSOCKET_KEY_SIZE);
	buf_done(&text);
}

/* -- the request -------------------------------------------------------------------------------------- */

static bool is_own(const char *name)
{
	return strcasecmp(name, "Connection") == 0 || strcasecmp(name, "Upgrade") == 0 ||
	       strncasecmp(name, "Sec-WebSocket-", strlen("Sec-WebSocket-")) == 0;
}

void websocket_write_request(const struct websocket_request *r, struct buf *out)
{
	buf_addf(out, "GET %s HTTP/1.1\r\nHost: ", r->url->target);
	http_url_add_authority(r->url, out);
	buf_adds(out, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	buf_addf(out, "Sec-WebSocket-Key: %s\r\n", r->key);
	if (r->protocols)
		buf_addf(out, "Sec-WebSocket-Protocol: %s\r\n", r->protocols);
	if (r->deflate && r->deflate->on) {
		buf_adds(out, "Sec-WebSocket-Extensions: ");
		websocket_deflate_offer(r->deflate, out);
		buf_adds(out, "\r\n");
	}
	for (size_t i = 0; i < r->headers->n; i++) {
		const struct http_header *h = &r->headers->items[i];

		/* An empty User-Agent means: send none. */
		if (is_own(h->name) || (strcasecmp(h->name, "User-Agent") == 0 && !*h->value))
			continue;
		buf_addf(out, "%s: %s\r\n", h->name, h->value);
	}
	if (r->authorization && !http_header_set_get(r->headers, "Authorization"))
		buf_addf(out, "Authorization: %s\r\n", r->authorization);
	if (r->referer && !http_header_set_get(r->headers, "Referer"))
		buf_addf(out, "Referer: %s\r\n", r->referer);
	buf_adds(out, "\r\n");
}

/* -- the answer --------------------------------------------------------------------------------------- */

static int malformed(struct err *e, const char *what, const char *text, size_t len)
{
	struct buf shown = BUF_INIT;

	buf_add_escaped(&shown, text, len, 100);
	err_set(e, ERR_INTERNAL, "malformed HTTP response: %s \"%s\"", what, buf_str(&shown));
	buf_done(&shown);
	return err_code(e, "bad_response");
}

static int take_status(struct websocket_answer *a, const char *line, size_t len, struct err *e)
{
	const char *p = line + strlen("HTTP/1.1 ");

	if (len < strlen("HTTP/1.1 101") || memcmp(line, "HTTP/1.1 ", strlen("HTTP/1.1 ")) != 0 ||
		strspn(p, "0123456789") != 3 || p[0] < '1' || p[0] > '5' || (p[3] && p[3] != ' '))
		return malformed(e, "status line", line, len);
	a->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';
	return 0;
}

static void join(struct buf *all, const char *value, size_t len)
{
	if (buf_len(all) > 0)
		buf_adds(all, ", ");
	buf_add(all, value, len);
}

static void keep_field(struct websocket_answer *a, const char *name, const char *value, size_t len)
{
	if (strcasecmp(name, "Connection") == 0)
		join(&a->connection, value, len);
	else if (strcasecmp(name, "Upgrade") == 0)
		join(&a->upgrade, value, len);
	else if (strcasecmp(name, "Sec-WebSocket-Accept") == 0)
		join(&a->accept, value, len);
	else if (strcasecmp(name, "Sec-WebSocket-Protocol") == 0)
		join(&a->protocol, value, len);
	else if (strcasecmp(name, "Sec-WebSocket-Extensions") == 0)
		join(&a->extensions, value, len);
	else if (strcasecmp(name, "Location") == 0 && buf_len(&a->location) == 0)
		buf_add(&a->location, value, len);
}

static bool is_value(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	}
	return true;
}

/* `line` is cut at its colon. */
static int take_field(struct websocket_answer *a, char *line, size_t len, struct err *e)
{
	char *colon = memchr(line, ':', len);
	const char *value;
	size_t n;

	if (!colon || !is_value(line, len))
		return malformed(e, "header line", line, len);
	*colon = '\0';
	/* No blank before the colon, no line that continues another (RFC 9112 section 5). */
	if (!http_is_token(line)) {
		*colon = ':';
		return malformed(e, "header line", line, len);
	}
	value = colon + 1;
	n = len - (size_t)(value - line);
	while (n > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		n--;
	}
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	keep_field(a, line, value, n);
	return 0;
}

/* Where the head that begins at `p` ends, after its blank line; 0: not there yet. */
static size_t head_end(const char *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		const char *nl = memchr(p + i, '\n', len - i);
		size_t line;

		if (!nl)
			return 0;
		line = (size_t)(nl - p) - i;
		if (line == 0 || (line == 1 && p[i] == '\r'))
			return (size_t)(nl - p) + 1;
		i = (size_t)(nl - p) + 1;
	}
	return 0;
}

static int take_lines(struct websocket_answer *a, char *text, struct err *e)
{
	bool is_first = true;

	for (char *line = text, *nl; (nl = strchr(line, '\n')); line = nl + 1, is_first = false) {
		size_t len = (size_t)(nl - line);

		if (len > 0 && line[len - 1] == '\r')
			len--;
		line[len] = '\0';
		if (len == 0)
			break;
		if ((is_first ? take_status(a, line, len, e) : take_field(a, line, len, e)) < 0)
			return -1;
	}
	return 0;
}

int websocket_answer_take(struct websocket_answer *a, struct buf *in, struct err *e)
{
	for (;;) {
		size_t end = head_end(buf_data(in), buf_len(in));
		char *text;
		int rc = 0;

		if (a->seen + (end ? end : buf_len(in)) > WEBSOCKET_HEAD_MAX) {
			err_set(e, ERR_INTERNAL, "net/http: server response headers exceeded %d bytes; aborted",
				WEBSOCKET_HEAD_MAX);
			return err_code(e, "headers_too_large");
		}
		if (end == 0)
			return 0;
		a->seen += end;
		text = xmemdupz(buf_data(in), end);
		buf_consume(in, end);
		if (memchr(text, '\0', end))
			rc = malformed(e, "a NUL byte in", text, end);
		else if (text[0] == '\r' || text[0] == '\n')
			rc = malformed(e, "status line", "", 0);
		else
			rc = take_lines(a, text, e);
		free(text);
		if (rc < 0)
			return -1;
		if (a->status >= 200 || a->status == 101)
			return 1;
		/* An interim answer: its fields mean nothing here. */
		end = a->seen;
		websocket_answer_reset(a);
		a->seen = end;
	}
}

void websocket_answer_reset(struct websocket_answer *a)
{
	buf_done(&a->connection);
	buf_done(&a->upgrade);
	buf_done(&a->accept);
	buf_done(&a->protocol);
	buf_done(&a->extensions);
	buf_done(&a->location);
	a->seen = 0;
	a->status = 0;
}

/* Is `word` among the comma-separated tokens of `list`? */
static bool has_token(const char *list, const char *word, bool any_case)
{
	size_t want = strlen(word);

	while (*list) {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == want && (any_case ? strncasecmp(list, word, n) : strncmp(list, word, n)) == 0)
			return true;
		list += n;
	}
	return false;
}

static int violation(struct err *e, const char *before, const struct buf *value, const char *after)
{
	struct buf shown = BUF_INIT;

	buf_add_escaped(&shown, buf_data(value), buf_len(value), 200);
	err_set(e, ERR_INTERNAL, "WebSocket protocol violation: %s \"%s\"%s", before, buf_str(&shown), after);
	buf_done(&shown);
	return err_code(e, "bad_handshake");
}

int websocket_answer_check(const struct websocket_answer *a, const struct websocket_request *r,
	struct websocket_deflate *ret_deflate, struct err *e)
{
	char accept[WEBSOCKET_ACCEPT_SIZE];

	if (a->status != 101) {
		err_set(e, ERR_INTERNAL, "expected handshake response status code 101 but got %d", a->status);
		return err_code(e, "bad_status");
	}
	if (!has_token(buf_str(&a->connection), "Upgrade", true))
		return violation(e, "Connection header", &a->connection, " does not contain Upgrade");
	if (!has_token(buf_str(&a->upgrade), "websocket", true))
		return violation(e, "Upgrade header", &a->upgrade, " does not contain websocket");
	websocket_accept_key(r->key, accept);
	if (strcmp(buf_str(&a->accept), accept) != 0)
		return violation(e, "invalid Sec-WebSocket-Accept", &a->accept, "");
	if (buf_len(&a->protocol) > 0 && (strpbrk(buf_str(&a->protocol), ", \t") || !r->protocols ||
						 !has_token(r->protocols, buf_str(&a->protocol), false)))
		return violation(e, "unexpected Sec-WebSocket-Protocol from server:", &a->protocol, "");
	return websocket_deflate_settle(buf_str(&a->extensions), r->deflate, ret_deflate, e);
}
