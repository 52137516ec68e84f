/*
 * request_parse.h - the bytes of a connection as the head and the body of requests (RFC 9112).
 *
 * Over llhttp in its strict build; a method may be any token. Refused besides what that refuses: several Host fields or none in HTTP/1.1, one that is no host, folded lines, control bytes
 * in a value, a length together with a coding, codings other than chunked, a path with an encoded NUL, chunked bodies that are nearly all framing, lines that end without CR. No I/O; one
 * request at a time:
 *
 *     request_parse_begin(p);
 *     request_parse_head(p, head, &len)      with all bytes of the head so far, each time more came, until it does not answer MORE
 *     request_parse_body(p, data, n, ...)    with what follows, until it does not answer MORE
 *
 * Positions are offsets into the head, so its memory may move between calls.
 */
#ifndef HTTP_REQUEST_PARSE_H
#define HTTP_REQUEST_PARSE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	REQUEST_METHOD_MAX = 64,
	REQUEST_FIELDS_MAX = 1000,
	REQUEST_FRAMING_FREE = 16 * 1024, /* bytes of chunk sizes, extensions and trailers that need no reason ... */
	REQUEST_FRAMING_RATIO = 16,       /* ... and for each byte of content */
};

enum request_parsed {
	REQUEST_MORE,    /* all was used, and more must come */
	REQUEST_DONE,    /* the head, or the body, is whole */
	REQUEST_REFUSED, /* answer p->status and close */
};

struct request_span {
	uint32_t at, len;
};

struct request_field {
	struct request_span name, value; /* without outer blanks */
};

struct request_parse {
	llhttp_t http;
	const char *chunk;  /* what llhttp is fed now ... */
	uint32_t chunk_pos; /* ... and where it lies in the head */
	uint32_t fed;       /* bytes of the head llhttp has seen */
	uint32_t head_len;
	struct request_span method; /* always at 0 */
	struct request_span target;
	struct request_field *fields;
	uint32_t nfields, cap;
	bool in_value; /* the last field has a value */

	/* What the head says. */
	int64_t length; /* of the body; -1: chunked */
	uint32_t host;  /* index of the field; UINT32_MAX: none */
	bool is_1_0;
	bool keep_alive;
	bool expects_continue;
	bool upgrades; /* Connection: upgrade */

	unsigned status; /* after REFUSED */
	const char *why; /* after REFUSED; for tests and people who debug */

	/* Of the body. */
	struct buf *into;
	uint64_t content; /* bytes of it so far */
	uint64_t raw;     /* the same with framing */
	bool is_done;
	char last; /* byte that was fed before */
};

/* `p` zeroed or used before. */
void request_parse_begin(struct request_parse *p);
/* Frees the fields; `p` may begin again. */
void request_parse_done(struct request_parse *p);

/* `head` is the whole head so far, `n` its length, which only grows. After DONE p->head_len bytes were the head. */
enum request_parsed request_parse_head(struct request_parse *p, const char *head, size_t n);
/* Content is appended to `into`, or dropped when that is NULL. `*ret_used` bytes belonged to the body (DONE: the rest is the next request's). Also to be called with
 * n = 0 right after the head: DONE when there is no body. */
enum request_parsed request_parse_body(
	struct request_parse *p, const char *data, size_t n, struct buf *into, size_t *ret_used);

#endif
