#include "http/request_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/token.h"

/* -- what llhttp tells about ------------------------------------------------------------------------- */

/* The text llhttp found goes on where the span ends, or begins it. */
static void extend(struct request_parse *p, struct request_span *s, const char *at, size_t len)
{
	uint32_t pos = p->chunk_pos + (uint32_t)(at - p->chunk);

	if (s->len == 0)
		s->at = pos;
	s->len = pos + (uint32_t)len - s->at;
}

static int on_target(llhttp_t *http, const char *at, size_t len)
{
	struct request_parse *p = http->data;

	extend(p, &p->target, at, len);
	return 0;
}

static int refuse(struct request_parse *p, unsigned status, const char *why)
{
	p->status = status;
	p->why = why;
	return HPE_USER;
}

static int on_field(llhttp_t *http, const char *at, size_t len)
{
	struct request_parse *p = http->data;

	if (p->head_len > 0)
		return 0; /* a trailer: nobody reads those */
	if (p->nfields == 0 || p->in_value) {
		if (p->nfields == REQUEST_FIELDS_MAX)
			return refuse(p, 431, "too many fields");
		if (p->nfields == p->cap) {
			p->cap = p->cap ? p->cap * 2 : 16;
			p->fields = xreallocarray(p->fields, p->cap, sizeof(*p->fields));
		}
		p->fields[p->nfields++] = (struct request_field){0};
		p->in_value = false;
	}
	extend(p, &p->fields[p->nfields - 1].name, at, len);
	return 0;
}

static int on_value(llhttp_t *http, const char *at, size_t len)
{
	struct request_parse *p = http->data;

	if (p->head_len > 0)
		return 0;
	p->in_value = true;
	extend(p, &p->fields[p->nfields - 1].value, at, len);
	return 0;
}

static int on_head_over(llhttp_t *http)
{
	/* Whether a protocol is changed is the handler's to say; till then what follows is body or the next request. */
	http->upgrade = 0;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *http, const char *at, size_t len)
{
	struct request_parse *p = http->data;

	p->content += len;
	if (p->into)
		buf_add(p->into, at, len);
	return 0;
}

static int on_message_over(llhttp_t *http)
{
	struct request_parse *p = http->data;

	p->is_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_head_over,
	.on_body = on_body,
	.on_message_complete = on_message_over,
};

void request_parse_begin(struct request_parse *p)
{
	struct request_field *fields = p->fields;
	uint32_t cap = p->cap;

	*p = (struct request_parse){.fields = fields, .cap = cap, .host = UINT32_MAX};
	llhttp_init(&p->http, HTTP_REQUEST, &settings);
	p->http.data = p;
}

void request_parse_done(struct request_parse *p)
{
	free(p->fields);
	p->fields = NULL;
	p->cap = 0;
}

/* -- what a whole head must be ----------------------------------------------------------------------- */

static bool is(const char *head, const struct request_span *s, const char *text)
{
	return s->len == strlen(text) && strncasecmp(head + s->at, text, s->len) == 0;
}

static void trim(const char *head, struct request_span *s)
{
	while (s->len > 0 && (head[s->at] == ' ' || head[s->at] == '\t'))
		s->at++, s->len--;
	while (s->len > 0 && (head[s->at + s->len - 1] == ' ' || head[s->at + s->len - 1] == '\t'))
		s->len--;
}

static int check_length(struct request_parse *p, const char *head, const struct request_span *v)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < v->len; i++) {
		char c = head[v->at + i];

		if (c < '0' || c > '9' || i >= 18)
			return refuse(p, 400, "malformed Content-Length");
		n = n * 10 + (c - '0');
	}
	p->length = n;
	return v->len > 0 ? 0 : refuse(p, 400, "malformed Content-Length");
}

struct seen {
	unsigned hosts, lengths, codings;
};

/* Is one of the eight bytes below 0x20, or 0x7f? Subtracting sets a byte's upper bit when it was too small. */
static bool may_have_control(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t del = eight ^ ones * 0x7f;

	return ((((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & ones * 0x80) != 0;
}

/* Tabs are none. */
static bool has_control(const char *s, size_t len)
{
	uint64_t eight;

	for (size_t i = 0; i < len;) {
		size_t end = i + sizeof(eight) < len ? i + sizeof(eight) : len;

		if (end - i == sizeof(eight)) {
			memcpy(&eight, s + i, sizeof(eight));
			if (!may_have_control(eight))
				i = end;
		}
		for (; i < end; i++)
			if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
				return true;
	}
	return false;
}

static int check_field(struct request_parse *p, const char *head, uint32_t i, struct seen *seen)
{
	struct request_field *f = &p->fields[i];
	uint32_t at = f->name.at + f->name.len + 1;
	const char *v;

	if (f->name.len == 0)
		return refuse(p, 400, "empty field name");
	/* llhttp takes folded lines (RFC 9112 section 5.2 lets us refuse them): their ends show inside of the value, or before it. Of an empty value it says no place. */
	while (head[at] == ' ' || head[at] == '\t')
		at++;
	if (f->value.len == 0 && head[at] == '\r' && head[at + 2] != ' ' && head[at + 2] != '\t')
		f->value.at = at;
	if (f->value.at != at)
		return refuse(p, 400, "folded line");
	v = head + at;
	if (has_control(v, f->value.len))
		return refuse(p, 400, "control byte in a field");
	trim(head, &f->value);
	/* Lengths first: this runs for every field. */
	switch (f->name.len) {
	case 4:
		if (is(head, &f->name, "Host")) {
			seen->hosts++;
			p->host = i;
		}
		break;
	case 6:
		if (is(head, &f->name, "Expect"))
			p->expects_continue = is(head, &f->value, "100-continue") && !p->is_1_0;
		break;
	case 14:
		if (is(head, &f->name, "Content-Length")) {
			seen->lengths++;
			return check_length(p, head, &f->value);
		}
		break;
	case 17:
		if (is(head, &f->name, "Transfer-Encoding")) {
			seen->codings++;
			p->length = -1;
			if (!is(head, &f->value, "chunked"))
				return refuse(p, 501, "unsupported Transfer-Encoding");
		}
		break;
	}
	return 0;
}

/* What is no host and port is refused, not routed (RFC 9112 section 3.2). Its letters are in RFC 3986 section 3.2.2. */
static bool is_host(const char *s, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("!$%&'()*+,-.:;=[]_~", s[i]))
			return false;
	return true;
}

static bool hides_nul(const char *s, uint32_t len)
{
	for (uint32_t i = 0; i + 2 < len; i++)
		if (s[i] == '%' && s[i + 1] == '0' && s[i + 2] == '0')
			return true;
	return false;
}

static int check_target(struct request_parse *p, const char *head)
{
	const char *t = head + p->target.at;
	uint32_t n = p->target.len, path;

	for (uint32_t i = 0; i < n; i++)
		if ((unsigned char)t[i] <= 0x20 || (unsigned char)t[i] >= 0x7f)
			return refuse(p, 400, "malformed request target");
	if (n == 0 || (t[0] != '/' && (n < 7 || strncasecmp(t, "http://", 7) != 0) &&
			      (n < 8 || strncasecmp(t, "https://", 8) != 0)))
		return refuse(p, 400, "malformed request target");
	for (path = 0; path < n && t[path] != '?' && t[path] != '#';)
		path++;
	return hides_nul(t, path) ? refuse(p, 400, "NUL in the request target") : 0;
}

/* llhttp skips blanks inside of the first line, and takes lines without a version. */
static int check_line(struct request_parse *p, const char *head)
{
	uint32_t end = p->target.at + p->target.len;
	const char *after = head + end;

	if (p->target.at != p->method.len + 1)
		return refuse(p, 400, "malformed request line");
	if (p->head_len - end < 11 || memcmp(after, " HTTP/", 6) != 0 || memcmp(after + 9, "\r\n", 2) != 0)
		return refuse(p, 400, "malformed request line");
	if (p->http.http_major != 1)
		return refuse(p, 505, "unsupported protocol version");
	p->is_1_0 = p->http.http_minor == 0;
	return 0;
}

/* In places llhttp takes a line that ends without CR, as RFC 9112 section 2.2 allows. Others do not: we do not guess. */
static bool has_bare_lf(const char *head, size_t n)
{
	for (const char *p = head; (p = memchr(p, '\n', n - (size_t)(p - head))); p++)
		if (p == head || p[-1] != '\r')
			return true;
	return false;
}

static int check_head(struct request_parse *p, const char *head)
{
	struct seen seen = {0};

	if (check_line(p, head) != 0)
		return -1;
	if (has_bare_lf(head, p->head_len))
		return refuse(p, 400, "a line without CR");
	for (uint32_t i = 0; i < p->nfields; i++)
		if (check_field(p, head, i, &seen) != 0)
			return -1;
	if (seen.hosts > 1)
		return refuse(p, 400, "more than one Host field");
	if (seen.hosts == 0 && !p->is_1_0)
		return refuse(p, 400, "missing required Host header");
	if (seen.hosts == 1 && !is_host(head + p->fields[p->host].value.at, p->fields[p->host].value.len))
		return refuse(p, 400, "malformed Host header");
	if (seen.lengths > 1 || seen.codings > 1 || (seen.lengths && seen.codings))
		return refuse(p, 400, "ambiguous length of the body");
	if (seen.codings && p->is_1_0)
		return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
	p->keep_alive = llhttp_should_keep_alive(&p->http);
	p->upgrades = p->http.flags & F_CONNECTION_UPGRADE;
	return check_target(p, head);
}

/* -- parsing ----------------------------------------------------------------------------------------- */

/* llhttp knows a list of methods; any token is one (RFC 9110 section 9.1), and who has no route for it says so. So the method is read here, and llhttp is told GET.
 * It would take CONNECT's target for another one; that has no path and is refused. */
static enum request_parsed parse_method(struct request_parse *p, const char *head, size_t n)
{
	size_t len = http_token_len(head, n);

	if (len == n && n <= REQUEST_METHOD_MAX)
		return REQUEST_MORE;
	if (len == 0 || len > REQUEST_METHOD_MAX || head[len] != ' ') {
		refuse(p, len > REQUEST_METHOD_MAX ? 501 : 400, "malformed method");
		return REQUEST_REFUSED;
	}
	p->method.len = (uint32_t)len;
	p->fed = (uint32_t)len;
	llhttp_execute(&p->http, "GET", 3);
	return REQUEST_DONE;
}

static enum request_parsed refuse_head(struct request_parse *p, llhttp_errno_t rc)
{
	if (p->status)
		return REQUEST_REFUSED;
	p->status = 400;
	p->why = llhttp_get_error_reason(&p->http);
	/* llhttp says the same of a version it does not know and of what is none. */
	if (rc == HPE_INVALID_VERSION && (p->http.http_major > 1 || p->http.http_minor > 1))
		p->status = 505;
	return REQUEST_REFUSED;
}

enum request_parsed request_parse_head(struct request_parse *p, const char *head, size_t n)
{
	const char *end;
	llhttp_errno_t rc;

	if (p->fed == 0) {
		enum request_parsed step = parse_method(p, head, n);

		if (step != REQUEST_DONE)
			return step;
	}
	p->chunk = head + p->fed;
	p->chunk_pos = p->fed;
	rc = llhttp_execute(&p->http, p->chunk, n - p->fed);
	p->fed = (uint32_t)n;
	if (rc == HPE_OK)
		return REQUEST_MORE;
	if (rc != HPE_PAUSED)
		return refuse_head(p, rc);
	end = llhttp_get_error_pos(&p->http);
	p->head_len = (uint32_t)(end - head);
	llhttp_resume(&p->http);
	return check_head(p, head) == 0 ? REQUEST_DONE : REQUEST_REFUSED;
}

/* As in a head: the empty line that ends the trailers is one that others might not take for it. */
static bool ends_without_cr(const struct request_parse *p, const char *data, size_t used)
{
	return (used > 1 ? data[used - 2] : p->last) != '\r';
}

enum request_parsed request_parse_body(
	struct request_parse *p, const char *data, size_t n, struct buf *into, size_t *ret_used)
{
	llhttp_errno_t rc;

	*ret_used = 0;
	if (p->is_done || p->length == 0)
		return REQUEST_DONE;
	if (n == 0)
		return REQUEST_MORE;
	p->into = into;
	rc = llhttp_execute(&p->http, data, n);
	*ret_used = rc == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&p->http) - data);
	p->raw += *ret_used;
	if (rc == HPE_PAUSED && p->is_done && p->length < 0 && ends_without_cr(p, data, *ret_used)) {
		p->status = 400;
		p->why = "a line without CR";
		return REQUEST_REFUSED;
	}
	if (rc == HPE_PAUSED && p->is_done)
		return REQUEST_DONE;
	if (*ret_used > 0)
		p->last = data[*ret_used - 1];
	if (rc == HPE_OK && p->raw - p->content <= REQUEST_FRAMING_FREE + REQUEST_FRAMING_RATIO * p->content)
		return REQUEST_MORE;
	p->status = 400;
	p->why = rc == HPE_OK ? "a chunked body that is nearly all framing" : llhttp_get_error_reason(&p->http);
	return REQUEST_REFUSED;
}
