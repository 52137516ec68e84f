/*
 * request.c - the head of a request: taken over from libmicrohttpd, and refused where that is too lenient (RFC 9112 sections 3, 5 and 6).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/server_private.h"

enum { FIELDS_MAX = 1000 };

static bool is_token_char(unsigned char c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(const char *s, size_t len)
{
	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_token_char((unsigned char)s[i]))
			return false;
	return true;
}

struct gather {
	struct exchange_field *fields;
	size_t n, cap;
	size_t bytes;
	bool too_many;
};

static enum MHD_Result gather_one(
	void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value, size_t value_len)
{
	struct gather *g = arg;

	(void)kind;
	if (g->n == FIELDS_MAX) {
		g->too_many = true;
		return MHD_NO;
	}
	if (g->n == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 16;
		g->fields = xreallocarray(g->fields, g->cap, sizeof(*g->fields));
	}
	if (!value) {
		value = "";
		value_len = 0;
	}
	g->fields[g->n++] = (struct exchange_field){name, value, name_len, value_len};
	g->bytes += name_len + value_len + 2;
	return MHD_YES;
}

static char *put(char **at, const char *s, size_t len)
{
	char *p = *at;

	memcpy(p, s, len);
	p[len] = '\0';
	*at += len + 1;
	return p;
}

/* The texts must outlive libmicrohttpd's memory: a handler may still run when the client has gone. */
static void copy_all(struct exchange *x, struct gather *g, const char *method)
{
	size_t mlen = strlen(method);
	char *at;

	at = x->text = xmalloc(mlen + 1 + g->bytes + 1);
	x->method = put(&at, method, mlen);
	for (size_t i = 0; i < g->n; i++) {
		struct exchange_field *f = &g->fields[i];

		while (f->value_len > 0 && (f->value[0] == ' ' || f->value[0] == '\t'))
			f->value++, f->value_len--;
		while (f->value_len > 0 && (f->value[f->value_len - 1] == ' ' || f->value[f->value_len - 1] == '\t'))
			f->value_len--;
		f->name = put(&at, f->name, f->name_len);
		f->value = put(&at, f->value, f->value_len);
	}
	x->fields = g->fields;
	x->nfields = g->n;
}

/* libmicrohttpd cuts a line at its first NUL and says nothing: what lies behind shows in the memory it has parsed, where the fields follow each other with nothing but a
 * line's end between them. A folded line (RFC 9112 section 5.2 lets us refuse it) lies elsewhere. */
static bool hides_something(const struct gather *g, struct MHD_Connection *c, const char *begin)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *after = begin + (info ? info->header_size : 0);

	for (size_t i = 0; i < g->n; i++) {
		const char *end = g->fields[i].value + g->fields[i].value_len;

		if (g->fields[i].value_len == 0)
			continue;
		/* After the last one comes the empty line. A line with an empty name ends the head for libmicrohttpd too, and the rest would be the next request. */
		if (i + 1 == g->n ? after < end + 2 || after > end + 4 || end[1] != '\0'
				  : g->fields[i + 1].name != end + 1 && g->fields[i + 1].name != end + 2)
			return true;
	}
	return false;
}

static const char *check_fields(struct exchange *x)
{
	unsigned hosts = 0, lengths = 0, codings = 0;

	for (size_t i = 0; i < x->nfields; i++) {
		const struct exchange_field *f = &x->fields[i];

		if (!is_token(f->name, f->name_len))
			return "malformed field name";
		for (size_t k = 0; k < f->value_len; k++) {
			unsigned char c = (unsigned char)f->value[k];

			if ((c < 0x20 && c != '\t') || c == 0x7f)
				return "control character in a field";
		}
		if (strcasecmp(f->name, "Host") == 0) {
			hosts++;
			x->host = f->value;
		} else if (strcasecmp(f->name, "Content-Length") == 0) {
			lengths++;
			if (f->value_len == 0 || f->value_len > 18 || strspn(f->value, "0123456789") != f->value_len)
				return "malformed Content-Length";
			x->length = (int64_t)strtoull(f->value, NULL, 10);
		} else if (strcasecmp(f->name, "Transfer-Encoding") == 0) {
			codings++;
			if (strcasecmp(f->value, "chunked") != 0)
				return "unsupported Transfer-Encoding";
			x->length = -1;
		} else if (strcasecmp(f->name, "Expect") == 0) {
			x->expects_continue = strcasecmp(f->value, "100-continue") == 0 && !x->is_1_0;
		}
	}
	if (hosts > 1)
		return "more than one Host field";
	if (hosts == 0 && !x->is_1_0)
		return "missing required Host header";
	if (lengths > 1 || codings > 1 || (lengths && codings))
		return "ambiguous length of the body";
	return codings && x->is_1_0 ? "Transfer-Encoding in HTTP/1.0" : NULL;
}

static const char *check_target(struct exchange *x)
{
	struct buf path = BUF_INIT;
	const char *p = x->target, *q;
	bool ok;

	for (q = p; *q; q++)
		if ((unsigned char)*q <= 0x20 || *q == 0x7f)
			return "malformed request target";
	if (strncasecmp(p, "http://", 7) == 0 || strncasecmp(p, "https://", 8) == 0) {
		p = strchr(p + 7 + (p[4] == 's' || p[4] == 'S'), '/');
		if (!p)
			p = "/";
	}
	if (*p != '/')
		return "malformed request target";
	q = strpbrk(p, "?#");
	x->raw_path = xmemdupz(p, q ? (size_t)(q - p) : strlen(p));
	x->query = q && *q == '?' ? q + 1 : "";
	ok = route_decode(&path, x->raw_path, strlen(x->raw_path));
	x->path = buf_detach(&path, NULL);
	return ok ? NULL : "NUL in the request target";
}

const char *request_read(
	struct exchange *x, struct MHD_Connection *c, const char *method, const char *url, const char *version)
{
	struct gather g = {0};
	const char *why;
	bool hidden;

	MHD_get_connection_values_n(c, MHD_HEADER_KIND, gather_one, &g);
	hidden = hides_something(&g, c, method);
	copy_all(x, &g, method);
	x->is_1_0 = strcmp(version, "HTTP/1.0") == 0;
	x->is_head = strcmp(method, "HEAD") == 0;
	x->host = "";
	if (g.too_many)
		return "too many fields";
	/* One blank between target and version; more in between was behind a NUL. */
	if (version != url + strlen(x->target) + 1)
		return "malformed request line";
	if (hidden)
		return "NUL in a field, or a folded one";
	if (!x->is_1_0 && strcmp(version, "HTTP/1.1") != 0)
		return "unsupported protocol version";
	if (!is_token(method, strlen(method)))
		return "malformed method";
	why = check_fields(x);
	return why ? why : check_target(x);
}
