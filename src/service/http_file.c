#include "service/http_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/date.h"
#include "http/range.h"

enum { PIECE_BYTES = 128 * 1024, BOUNDARY_BYTES = 15 };

/* A text, then a part of the file. */
struct segment {
	struct buf text;
	uint64_t offset;
	uint64_t len;
};

/* A body on its way through user space. */
struct sender {
	struct exchange *x; /* a reference */
	int fd;
	struct segment *segments;
	size_t nsegments;
	size_t at; /* the segment under way, and how much of its part was written */
	uint64_t done;
	ssize_t got; /* what the pool has read; -1: failed */
	char piece[PIECE_BYTES];
};

static void sender_free(struct sender *s)
{
	for (size_t i = 0; i < s->nsegments; i++)
		buf_done(&s->segments[i].text);
	free(s->segments);
	if (s->fd >= 0)
		close(s->fd);
	exchange_unref(s->x);
	free(s);
}

/* -- through user space ------------------------------------------------------------------------------ */

static void step(struct sender *s);

static void read_piece(void *arg)
{
	struct sender *s = arg;
	const struct segment *g = &s->segments[s->at];
	uint64_t left = g->len - s->done;

	do
		s->got = pread(
			s->fd, s->piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, (off_t)(g->offset + s->done));
	while (s->got < 0 && errno == EINTR);
}

static void was_read(void *arg)
{
	struct sender *s = arg;

	/* The file became shorter, or cannot be read: what was promised cannot be kept. */
	if (s->got <= 0) {
		exchange_abort(s->x);
		sender_free(s);
		return;
	}
	s->done += (uint64_t)s->got;
	exchange_write(s->x, s->piece, (size_t)s->got);
	step(s);
}

static void drained(void *arg)
{
	step(arg);
}

static void step(struct sender *s)
{
	for (; s->at < s->nsegments; s->at++, s->done = 0) {
		struct segment *g = &s->segments[s->at];

		if (exchange_is_gone(s->x))
			break;
		if (exchange_pending(s->x) > EXCHANGE_PENDING_LOW) {
			exchange_on_drain(s->x, drained, s);
			return;
		}
		if (buf_len(&g->text) > 0) {
			exchange_write(s->x, buf_data(&g->text), buf_len(&g->text));
			buf_clear(&g->text);
		}
		if (s->done < g->len) {
			loop_work(exchange_loop(s->x), read_piece, was_read, s);
			return;
		}
	}
	exchange_end(s->x);
	sender_free(s);
}

/* -- what is to be sent ------------------------------------------------------------------------------ */

static void put_number(struct exchange *x, const char *name, uint64_t n)
{
	char *text = xasprintf("%llu", (unsigned long long)n);

	exchange_set_header(x, name, text, SIZE_MAX);
	free(text);
}

static void send_segments(struct exchange *x, int fd, unsigned status, struct segment *segments, size_t n)
{
	struct sender *s;
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += buf_len(&segments[i].text) + segments[i].len;
	put_number(x, "Content-Length", total);
	exchange_commit(x, status);
	s = xmalloc(sizeof(*s));
	s->x = exchange_ref(x);
	s->fd = fd;
	s->segments = segments;
	s->nsegments = n;
	s->at = 0;
	s->done = 0;
	if (exchange_is_head(x) || total == 0) {
		exchange_end(x);
		sender_free(s);
	} else if (n == 1 && exchange_send_file(x, fd, segments[0].offset, segments[0].len)) {
		s->fd = -1;
		sender_free(s);
	} else {
		step(s);
	}
}

static void send_part(struct exchange *x, int fd, unsigned status, uint64_t offset, uint64_t len)
{
	struct segment *s = xcalloc(1, sizeof(*s));

	s->offset = offset;
	s->len = len;
	send_segments(x, fd, status, s, 1);
}

static void make_boundary(char out[static 2 * BOUNDARY_BYTES + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char random[BOUNDARY_BYTES];

	/* Below 256 bytes it neither fails nor is it interrupted. */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort();
	for (size_t i = 0; i < sizeof(random); i++) {
		out[2 * i] = hex[random[i] >> 4];
		out[2 * i + 1] = hex[random[i] & 15];
	}
	out[2 * sizeof(random)] = '\0';
}

static void send_parts(
	struct exchange *x, int fd, uint64_t size, const char *type, const struct http_range *ranges, size_t n)
{
	struct segment *s = xcalloc(n + 1, sizeof(*s));
	char boundary[2 * BOUNDARY_BYTES + 1];
	char *multipart;

	make_boundary(boundary);
	for (size_t i = 0; i < n; i++) {
		const struct http_range *r = &ranges[i];

		buf_addf(&s[i].text, "%s--%s\r\nContent-Range: bytes %llu-%llu/%llu\r\n", i ? "\r\n" : "", boundary,
			(unsigned long long)r->start, (unsigned long long)(r->start + r->len - 1),
			(unsigned long long)size);
		if (type)
			buf_addf(&s[i].text, "Content-Type: %s\r\n", type);
		buf_adds(&s[i].text, "\r\n");
		s[i].offset = r->start;
		s[i].len = r->len;
	}
	buf_addf(&s[n].text, "\r\n--%s--\r\n", boundary);
	multipart = xasprintf("multipart/byteranges; boundary=%s", boundary);
	exchange_set_header(x, "Content-Type", multipart, SIZE_MAX);
	free(multipart);
	send_segments(x, fd, 206, s, n + 1);
}

/* -- what the client wants --------------------------------------------------------------------------- */

static bool is_get(const struct exchange *x)
{
	return strcmp(exchange_method(x), "GET") == 0 || exchange_is_head(x);
}

/* 304 or 412; false: go on. */
static bool settle_conditions(struct exchange *x, const struct http_validators *v)
{
	struct http_conditions c = {
		.if_match = exchange_header(x, "If-Match"),
		.if_none_match = exchange_header(x, "If-None-Match"),
		.if_modified_since = exchange_header(x, "If-Modified-Since"),
		.if_unmodified_since = exchange_header(x, "If-Unmodified-Since"),
		.is_get = is_get(x),
	};
	enum http_condition result = http_condition_check(&c, v);

	if (result == HTTP_CONDITION_PASS)
		return false;
	exchange_remove_header(x, "Content-Type");
	exchange_remove_header(x, "Content-Encoding");
	exchange_commit(x, result == HTTP_CONDITION_FAILED ? 412 : 304);
	exchange_end(x);
	return true;
}

static void refuse_range(struct exchange *x, uint64_t size)
{
	char *text = xasprintf("bytes */%llu", (unsigned long long)size);

	exchange_set_header(x, "Content-Range", text, SIZE_MAX);
	free(text);
	exchange_remove_header(x, "Cache-Control");
	exchange_remove_header(x, "Content-Encoding");
	exchange_remove_header(x, "ETag");
	exchange_remove_header(x, "Last-Modified");
	exchange_answer_text(x, 416, "invalid range: failed to overlap");
}

void http_file_serve(struct exchange *x, const struct http_file *f)
{
	struct http_validators v = {
		.modified = f->modified,
		.has_modified = f->modified > 0,
		.etag = exchange_response_header(x, "ETag"),
	};
	struct http_range ranges[HTTP_RANGES_MAX];
	char date[HTTP_DATE_BYTES];
	/* Ranges are defined for GET only (RFC 9110 section 14.2). */
	const char *range = strcmp(exchange_method(x), "GET") == 0 ? exchange_header(x, "Range") : NULL;
	char *text;
	size_t n;

	if (v.has_modified)
		exchange_set_header(x, "Last-Modified", http_date_format(f->modified, date), SIZE_MAX);
	if (f->type && !exchange_response_header(x, "Content-Type"))
		exchange_set_header(x, "Content-Type", f->type, SIZE_MAX);
	if (settle_conditions(x, &v)) {
		close(f->fd);
		return;
	}
	exchange_set_header(x, "Accept-Ranges", "bytes", SIZE_MAX);
	if (!http_if_range(exchange_header(x, "If-Range"), &v))
		range = NULL;
	switch (http_range_parse(range, f->size, ranges, &n)) {
	case HTTP_RANGE_WHOLE:
		send_part(x, f->fd, 200, 0, f->size);
		break;
	case HTTP_RANGE_UNSATISFIABLE:
		close(f->fd);
		refuse_range(x, f->size);
		break;
	case HTTP_RANGE_SOME:
		if (n > 1) {
			text = xstrdup(exchange_response_header(x, "Content-Type")
					       ? exchange_response_header(x, "Content-Type")
					       : "");
			send_parts(x, f->fd, f->size, text[0] ? text : NULL, ranges, n);
			free(text);
			break;
		}
		text = xasprintf("bytes %llu-%llu/%llu", (unsigned long long)ranges[0].start,
			(unsigned long long)(ranges[0].start + ranges[0].len - 1), (unsigned long long)f->size);
		exchange_set_header(x, "Content-Range", text, SIZE_MAX);
		free(text);
		send_part(x, f->fd, 206, ranges[0].start, ranges[0].len);
		break;
	}
}
