/*
 * response_write.c - a response as bytes: its head, its framing (RFC 9112 sections 6 and 7), interim ones.
 *
 * A head is written into a buffer of the worker's and leaves together with the body's first bytes in one call.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/server_private.h"
#include "http/sniff.h"

/* -- writing a head: its buffer has room for all of it ------------------------------------------------- */

static void put(struct buf *b, const char *s, size_t len)
{
	memcpy(b->mem + b->end, s, len);
	b->end += len;
}

#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

enum {
	HEAD_BYTES = 512, /* of what we say: status line, date, length, connection */
	COPIED_BYTES_MAX = 1024,
};

static void make_room(struct buf *b, const struct exchange *x)
{
	size_t n = HEAD_BYTES;

	for (size_t i = 0; x && i < x->nout_fields; i++)
		n += x->out_fields[i].name_len + (size_t)x->out_fields[i].value_len + 4;
	buf_clear(b);
	buf_reserve(b, n);
}

/* -- the status line --------------------------------------------------------------------------------- */

/* RFC 9110 section 15 and the registry it opens. */
static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{100, "Continue"},
		{101, "Switching Protocols"},
		{102, "Processing"},
		{103, "Early Hints"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{203, "Non-Authoritative Information"},
		{204, "No Content"},
		{205, "Reset Content"},
		{206, "Partial Content"},
		{207, "Multi-Status"},
		{208, "Already Reported"},
		{226, "IM Used"},
		{300, "Multiple Choices"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{305, "Use Proxy"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{402, "Payment Required"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{418, "I'm a teapot"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{423, "Locked"},
		{424, "Failed Dependency"},
		{425, "Too Early"},
		{426, "Upgrade Required"},
		{428, "Precondition Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{451, "Unavailable For Legal Reasons"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{506, "Variant Also Negotiates"},
		{507, "Insufficient Storage"},
		{508, "Loop Detected"},
		{510, "Not Extended"},
		{511, "Network Authentication Required"},
	};
	size_t lo = 0, hi = ARRAY_LEN(reasons);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (reasons[mid].status == status)
			return reasons[mid].reason;
		if (reasons[mid].status < status)
			lo = mid + 1;
		else
			hi = mid;
	}
	return "Unknown";
}

static void put_status(struct buf *b, unsigned status)
{
	char digits[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' '};
	const char *reason = reason_of(status);

	PUT(b, "HTTP/1.1 ");
	put(b, digits, 4);
	put(b, reason, strlen(reason));
	PUT(b, "\r\n");
}

static void put_length(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	PUT(b, "Content-Length: ");
	put(b, digits + at, sizeof(digits) - at);
	PUT(b, "\r\n");
}

/* -- the head ---------------------------------------------------------------------------------------- */

/* Ours to say. */
static bool is_framing(const struct out_field *f)
{
	switch (f->name_len) {
	case 10:
		return strcasecmp(f->name, "Connection") == 0 || strcasecmp(f->name, "Keep-Alive") == 0;
	case 14:
		return strcasecmp(f->name, "Content-Length") == 0;
	case 17:
		return strcasecmp(f->name, "Transfer-Encoding") == 0;
	default:
		return false;
	}
}

/* The length the handler promised for a body that streams; -1: none. */
static int64_t promised_length(const struct exchange *x)
{
	const char *s = x->filter ? NULL : exchange_out_field(x, "Content-Length");

	if (!s || !*s || strlen(s) > 18 || strspn(s, "0123456789") != strlen(s))
		return -1;
	return (int64_t)strtoull(s, NULL, 10);
}

static bool has_date(const struct exchange *x)
{
	for (size_t i = 0; i < x->nout_fields; i++)
		if (x->out_fields[i].name_len == 4 && strcasecmp(x->out_fields[i].name, "Date") == 0)
			return true;
	return false;
}

static void put_fields(const struct exchange *x, struct buf *b)
{
	for (size_t i = 0; i < x->nout_fields; i++) {
		const struct out_field *f = &x->out_fields[i];

		if (is_framing(f))
			continue;
		put(b, f->name, f->name_len);
		PUT(b, ": ");
		put(b, f->value, f->value_len);
		PUT(b, "\r\n");
	}
}

static void choose_framing(struct exchange *x)
{
	int64_t length = x->upgrade_fn || x->file_fd >= 0 ? 0 : promised_length(x);

	x->framing = FRAMING_LENGTH;
	if (x->upgrade_fn || response_has_no_body(x))
		x->framing = FRAMING_NONE;
	else if (x->file_fd >= 0)
		x->promised = x->file_size;
	else if (x->ended && !x->flushed && x->is_head && buf_len(&x->out) == 0 && length > 0)
		x->promised = (uint64_t)length; /* of what GET would have sent, where the handler knows it */
	else if (x->ended && !x->flushed)
		x->promised = buf_len(&x->out);
	else if (length >= 0)
		x->promised = (uint64_t)length;
	else
		x->framing = x->is_1_0 ? FRAMING_CLOSE : FRAMING_CHUNKED;
}

/* A client that was not told to send its body may do so or not: what comes next would not be known. One whose body is too long to throw away is not heard out. */
static bool must_close(const struct exchange *x)
{
	const char *connection = exchange_out_field(x, "Connection");
	const struct conn *c = x->conn;

	if (!x->keep_alive || x->worker->stopping || c->finishing || x->framing == FRAMING_CLOSE)
		return true;
	if (connection && strcasecmp(connection, "close") == 0)
		return true;
	if (x->body_complete)
		return false;
	return (x->expects_continue && !x->body_wanted) || c->discarded > EXCHANGE_DISCARD_MAX ||
	       (x->length > 0 && (uint64_t)x->length - c->parse->content > EXCHANGE_DISCARD_MAX);
}

static void put_head(struct exchange *x, struct buf *b)
{
	size_t date_len;
	const char *date = server_worker_date(x->worker, &date_len);

	choose_framing(x);
	if (!x->upgrade_fn && must_close(x))
		x->conn->finishing = true;
	make_room(b, x);
	put_status(b, x->status);
	if (!has_date(x))
		put(b, date, date_len);
	put_fields(x, b);
	if (x->framing == FRAMING_LENGTH)
		put_length(b, x->promised);
	else if (x->framing == FRAMING_CHUNKED)
		PUT(b, "Transfer-Encoding: chunked\r\n");
	if (x->upgrade_fn)
		PUT(b, "Connection: Upgrade\r\n");
	else if (x->conn->finishing)
		PUT(b, "Connection: close\r\n");
	else if (x->is_1_0)
		PUT(b, "Connection: keep-alive\r\n");
	PUT(b, "\r\n");
	if (x->is_head) {
		x->framing = FRAMING_NONE;
		if (x->file_fd >= 0)
			x->file_size = 0;
	}
}

/* -- the middlewares' last word ---------------------------------------------------------------------- */

static void finish_head(struct exchange *x)
{
	struct buf plain;

	chain_heads(x);
	x->heads_ran = true;
	if (x->file_fd < 0 && buf_len(&x->out) > 0 && !exchange_out_field(x, "Content-Type") &&
		!exchange_out_field(x, "Content-Encoding") && !exchange_out_field(x, "Transfer-Encoding"))
		middleware_set_header(x, "Content-Type", http_sniff(buf_data(&x->out), buf_len(&x->out)));
	if (!x->filter)
		return;
	plain = x->out;
	x->out = BUF_INIT;
	x->filter(x->filter_state, buf_data(&plain), buf_len(&plain), MIDDLEWARE_FILTER_WRITE, &x->out);
	buf_done(&plain);
	if (x->ended)
		response_finish_filter(x);
	else
		x->filter(x->filter_state, NULL, 0, MIDDLEWARE_FILTER_FLUSH, &x->out);
}

/* -- sending ----------------------------------------------------------------------------------------- */

static void add_hex(struct buf *b, size_t n)
{
	char digits[16];
	size_t at = sizeof(digits);

	do
		digits[--at] = "0123456789abcdef"[n % 16];
	while ((n /= 16) > 0);
	buf_add(b, digits + at, sizeof(digits) - at);
	buf_add(b, "\r\n", 2);
}

void response_emit(struct exchange *x)
{
	struct buf *text = &x->worker->text;
	const char *tail = "";
	struct iovec iov[3];
	size_t n, ntail;

	if (x->is_emitted)
		return;
	buf_clear(text);
	if (!x->head_left) {
		if (!x->heads_ran)
			finish_head(x);
		put_head(x, text);
		x->head_left = true;
	}
	if (x->framing == FRAMING_NONE)
		buf_clear(&x->out);
	n = buf_len(&x->out);
	switch (x->framing) {
	case FRAMING_NONE:
	case FRAMING_CLOSE:
		break;
	case FRAMING_LENGTH:
		if (x->file_fd >= 0) {
			x->sent = x->file_size;
			break;
		}
		if (n > x->promised)
			n = (size_t)x->promised;
		x->promised -= n;
		/* Less than was promised: the client must not take the next response for the rest. */
		if (x->ended && x->promised > 0)
			x->conn->finishing = true;
		break;
	case FRAMING_CHUNKED:
		if (n > 0)
			add_hex(text, n);
		tail = n > 0 ? (x->ended ? "\r\n0\r\n\r\n" : "\r\n") : (x->ended ? "0\r\n\r\n" : "");
		break;
	}
	x->is_emitted = x->ended;
	x->sent += n;
	ntail = strlen(tail);
	/* Copying a little is less work than telling the system of several places. */
	if (n <= COPIED_BYTES_MAX) {
		buf_add(text, buf_data(&x->out), n);
		buf_add(text, tail, ntail);
		n = ntail = 0;
	}
	iov[0] = (struct iovec){(void *)(uintptr_t)buf_data(text), buf_len(text)};
	iov[1] = (struct iovec){(void *)(uintptr_t)buf_data(&x->out), n};
	iov[2] = (struct iovec){(void *)(uintptr_t)tail, ntail};
	if (iov[0].iov_len + n + ntail > 0)
		conn_put(x->conn, iov, n + ntail > 0 ? 3 : 1, &x->out);
	buf_clear(&x->out);
}

bool exchange_interim(struct exchange *x, unsigned status)
{
	struct buf *text = &x->worker->text;
	struct iovec iov;

	if (x->committed || x->is_1_0 || status < 102 || status > 199)
		return false;
	if (x->gone || !x->conn)
		return true;
	make_room(text, x);
	put_status(text, status);
	put_fields(x, text);
	PUT(text, "\r\n");
	iov = (struct iovec){(void *)(uintptr_t)buf_data(text), buf_len(text)};
	conn_put(x->conn, &iov, 1, NULL);
	conn_check(x->conn);
	return true;
}

void response_refusal(struct server_worker *w, unsigned status, struct buf *out)
{
	size_t date_len;
	const char *date = server_worker_date(w, &date_len), *reason = reason_of(status);

	make_room(out, NULL);
	put_status(out, status);
	put(out, date, date_len);
	PUT(out, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n");
	put_length(out, 4 + strlen(reason) + 1);
	buf_addf(out, "Connection: close\r\n\r\n%u %s\n", status, reason);
}
