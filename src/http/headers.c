#include "http/headers.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

/* Offsets, since the text moves while it grows. */
struct http_head_line {
	uint32_t name;
	uint32_t value;
};

static bool is_token_char(unsigned char c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (!is_token_char((unsigned char)*s))
			return false;
	}
	return true;
}

void http_canonical_name(char *name)
{
	bool upper = true;

	if (!http_is_token(name))
		return;
	for (char *p = name; *p; p++) {
		*p = (char)(upper ? toupper((unsigned char)*p) : tolower((unsigned char)*p));
		upper = *p == '-';
	}
}

/* -- request ---------------------------------------------------------------------------------------- */

static bool is_framing(const char *name)
{
	return strcasecmp(name, "Host") == 0 || strcasecmp(name, "Content-Length") == 0 ||
	       strcasecmp(name, "Transfer-Encoding") == 0 || strcasecmp(name, "Trailer") == 0;
}

static bool is_value(const char *s)
{
	for (; *s; s++) {
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	}
	return true;
}

int http_header_set_init(struct http_header_set *s, const struct http_header *headers, size_t n, struct err *e)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < n; i++) {
		if (!http_is_token(headers[i].name)) {
			struct buf shown = BUF_INIT;

			buf_add_escaped(&shown, headers[i].name, strlen(headers[i].name), 100);
			err_set(e, ERR_INVALID, "net/http: invalid header field name \"%s\"", buf_str(&shown));
			buf_done(&shown);
			return err_code(e, "bad_header");
		}
		if (!is_value(headers[i].value)) {
			err_set(e, ERR_INVALID, "net/http: invalid header field value for \"%.100s\"", headers[i].name);
			return err_code(e, "bad_header");
		}
	}
	if (n == 0)
		return 0;
	s->items = xcalloc(n, sizeof(*s->items));
	for (size_t i = 0; i < n; i++) {
		if (is_framing(headers[i].name))
			continue;
		s->items[s->n].name = xstrdup(headers[i].name);
		s->items[s->n].value = xstrdup(headers[i].value);
		s->n++;
	}
	return 0;
}

void http_header_set_done(struct http_header_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].name);
		free(s->items[i].value);
	}
	free(s->items);
	memset(s, 0, sizeof(*s));
}

const char *http_header_set_get(const struct http_header_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcasecmp(s->items[i].name, name) == 0)
			return s->items[i].value;
	}
	return NULL;
}

void http_header_set_drop(struct http_header_set *s, bool (*drop)(const char *name))
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (drop(s->items[i].name)) {
			free(s->items[i].name);
			free(s->items[i].value);
		} else {
			s->items[kept++] = s->items[i];
		}
	}
	s->n = kept;
}

void http_header_set_put(struct http_header_set *s, const char *name, const char *value)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcasecmp(s->items[i].name, name) == 0) {
			free(s->items[i].value);
			s->items[i].value = xstrdup(value);
			return;
		}
	}
	s->items = xreallocarray(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n].name = xstrdup(name);
	s->items[s->n].value = xstrdup(value);
	s->n++;
}

/* What most requests send: libcurl only reads the list, so one serves every thread. */
static struct curl_slist no_accept = {.data = (char[]){"Accept:"}};

/* "Name:" tells libcurl to leave out a field it would add by itself; "Name;" is its form of an empty value. */
static void add_line(struct buf *b, const char *name, const char *value)
{
	buf_adds(b, name);
	if (*value) {
		buf_adds(b, ": ");
		buf_adds(b, value);
	} else {
		buf_addc(b, ';');
	}
	buf_addc(b, '\0');
}

struct curl_slist *http_header_list_build(
	struct http_header_list *l, const struct http_header_set *s, const struct http_header_extra *x)
{
	struct buf text = BUF_INIT;
	size_t lines = 0;
	bool has_referer = false;
	char *p;

	http_header_list_done(l);
	if (s->n == 0 && !x->host && !x->authorization && !x->referer && !x->empty_length && !x->has_body)
		return &no_accept;
	for (size_t i = 0; i < s->n; i++) {
		const struct http_header *h = &s->items[i];

		if (x->referer && strcasecmp(h->name, "Referer") == 0)
			has_referer = true;
		/* An empty User-Agent means: send none. */
		if (strcasecmp(h->name, "User-Agent") == 0 && !*h->value)
			buf_add(&text, "User-Agent:", sizeof("User-Agent:"));
		else
			add_line(&text, h->name, h->value);
		lines++;
	}
	if (x->host) {
		add_line(&text, "Host", x->host);
		lines++;
	}
	if (x->authorization && !http_header_set_get(s, "Authorization")) {
		add_line(&text, "Authorization", x->authorization);
		lines++;
	}
	if (x->referer && !has_referer) {
		add_line(&text, "Referer", x->referer);
		lines++;
	}
	if (x->empty_length) {
		add_line(&text, "Content-Length", "0");
		lines++;
	}
	if (!http_header_set_get(s, "Accept")) {
		buf_add(&text, "Accept:", sizeof("Accept:"));
		lines++;
	}
	if (x->has_body && !http_header_set_get(s, "Content-Type")) {
		buf_add(&text, "Content-Type:", sizeof("Content-Type:"));
		lines++;
	}
	if (x->has_body && !http_header_set_get(s, "Expect")) {
		buf_add(&text, "Expect:", sizeof("Expect:"));
		lines++;
	}
	l->text = buf_detach(&text, NULL);
	l->nodes = xcalloc(lines + 1, sizeof(*l->nodes));
	p = l->text;
	for (size_t i = 0; i < lines; i++) {
		l->nodes[i].data = p;
		l->nodes[i].next = i + 1 < lines ? &l->nodes[i + 1] : NULL;
		p += strlen(p) + 1;
	}
	return lines > 0 ? l->nodes : NULL;
}

void http_header_list_done(struct http_header_list *l)
{
	free(l->nodes);
	free(l->text);
	memset(l, 0, sizeof(*l));
}

/* -- response --------------------------------------------------------------------------------------- */

void http_head_init(struct http_head *h)
{
	memset(h, 0, sizeof(*h));
}

void http_head_done(struct http_head *h)
{
	buf_done(&h->text);
	free(h->lines);
	free(h->items);
	memset(h, 0, sizeof(*h));
}

void http_head_reset(struct http_head *h)
{
	struct buf text = h->text;
	struct http_head_line *lines = h->lines;
	size_t cap = h->cap;

	free(h->items);
	buf_clear(&text);
	*h = (struct http_head){.text = text, .lines = lines, .cap = cap};
}

static int take_status(struct http_head *h, const char *line, size_t len)
{
	size_t bytes = h->bytes;
	const char *p = memchr(line, ' ', len);

	http_head_reset(h);
	h->bytes = bytes; /* interim responses count towards the limit */
	h->started = true;
	h->is_http2 = len > 5 && line[5] == '2';
	for (size_t i = p ? (size_t)(p - line) : len, n = 0; i < len && n < 4; i++) {
		if (isdigit((unsigned char)line[i])) {
			h->status = h->status * 10 + (line[i] - '0');
			n++;
		} else if (n > 0) {
			break;
		}
	}
	return 0;
}

static void trim(const char **s, size_t *len)
{
	while (*len > 0 && isspace((unsigned char)(*s)[*len - 1]))
		--*len;
	while (*len > 0 && isspace((unsigned char)**s)) {
		++*s;
		--*len;
	}
}

/* An obsolete folded line (RFC 9112 section 5.2): one blank takes the place of the fold. */
static void take_fold(struct http_head *h, const char *line, size_t len)
{
	if (h->n == 0)
		return;
	buf_truncate(&h->text, buf_len(&h->text) - 1);
	if (len > 0)
		buf_addc(&h->text, ' ');
	buf_add(&h->text, line, len);
	buf_addc(&h->text, '\0');
}

static void take_field(struct http_head *h, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value;
	size_t nvalue;
	char *name;

	if (!colon || colon == line)
		return;
	value = colon + 1;
	nvalue = len - (size_t)(value - line);
	trim(&value, &nvalue);
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->lines = xreallocarray(h->lines, h->cap, sizeof(*h->lines));
	}
	h->lines[h->n].name = (uint32_t)buf_len(&h->text);
	buf_add(&h->text, line, (size_t)(colon - line));
	buf_addc(&h->text, '\0');
	name = (char *)buf_data(&h->text) + h->lines[h->n].name;
	http_canonical_name(name);
	h->lines[h->n].value = (uint32_t)buf_len(&h->text);
	buf_add(&h->text, value, nvalue);
	buf_addc(&h->text, '\0');
	h->n++;
}

int http_head_line(struct http_head *h, const char *line, size_t len, struct err *e)
{
	bool fold = len > 0 && (line[0] == ' ' || line[0] == '\t');

	if (h->complete)
		return 0;
	h->bytes += len;
	if (h->bytes > HTTP_HEADER_BYTES_MAX || h->n >= HTTP_HEADERS_MAX) {
		err_set(e, ERR_INTERNAL, "net/http: server response headers exceeded %d bytes or %d lines; aborted",
			HTTP_HEADER_BYTES_MAX, HTTP_HEADERS_MAX);
		return err_code(e, "headers_too_large");
	}
	if (!h->started && len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		return take_status(h, line, len);
	trim(&line, &len);
	if (len == 0 && !fold) {
		h->started = false;
		/* Another head follows an interim one; 101 is final. */
		h->complete = h->status >= 200 || h->status == 101;
		return h->complete;
	}
	if (fold)
		take_fold(h, line, len);
	else
		take_field(h, line, len);
	return 0;
}

const char *http_head_get(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (strcmp(buf_data(&h->text) + h->lines[i].name, name) == 0)
			return buf_data(&h->text) + h->lines[i].value;
	}
	return NULL;
}

void http_head_drop(struct http_head *h, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (strcmp(buf_data(&h->text) + h->lines[i].name, name) != 0)
			h->lines[kept++] = h->lines[i];
	}
	h->n = kept;
}

const struct http_header *http_head_items(struct http_head *h, size_t *ret_n)
{
	char *text = (char *)buf_data(&h->text);

	free(h->items);
	h->items = h->n ? xcalloc(h->n, sizeof(*h->items)) : NULL;
	for (size_t i = 0; i < h->n; i++) {
		h->items[i].name = text + h->lines[i].name;
		h->items[i].value = text + h->lines[i].value;
	}
	*ret_n = h->n;
	return h->items;
}
