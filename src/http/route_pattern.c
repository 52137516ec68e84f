/*
 * route_pattern.c - patterns: read them, and tell how two of them relate.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "http/route_private.h"

bool route_decode(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int byte = s[i] == '%' && i + 2 < len ? hex_byte(s + i + 1) : -1;

		if (byte < 0) {
			buf_addc(out, s[i]);
			continue;
		}
		if (byte == 0)
			return false;
		buf_addc(out, (char)byte);
		i += 2;
	}
	return true;
}

/* -- reading ----------------------------------------------------------------------------------------- */

static bool is_name(const char *s, size_t len)
{
	if (len == 0 || !(isalpha((unsigned char)s[0]) || s[0] == '_'))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

static int refuse(const struct route_spec *s, const char *why, struct err *e)
{
	return err_set(
		e, ERR_INVALID, "bad route pattern '%.200s%.200s': %s", s->prefix ? s->prefix : "", s->path, why);
}

static struct route_segment *add_segment(struct route_pattern *p)
{
	p->segments = xreallocarray(p->segments, p->nsegments + 1, sizeof(*p->segments));
	p->segments[p->nsegments] = (struct route_segment){0};
	return &p->segments[p->nsegments++];
}

static void add_text(struct route_pattern *p, const char *s, size_t len)
{
	struct route_segment *seg = add_segment(p);
	struct buf b = BUF_INIT;

	route_decode(&b, s, len);
	seg->kind = ROUTE_TEXT;
	seg->text = buf_detach(&b, &seg->len);
}

static bool has_name(const struct route_pattern *p, const char *s, size_t len)
{
	for (size_t i = 0; i < p->nsegments; i++) {
		const struct route_segment *seg = &p->segments[i];

		if (seg->kind != ROUTE_TEXT && seg->text && seg->len == len && memcmp(seg->text, s, len) == 0)
			return true;
	}
	return false;
}

/* "{name}", "{name...}" or "{$}". */
static int add_braces(struct route_pattern *p, const struct route_spec *s, const char *t, size_t len, bool last,
	bool captured, struct err *e)
{
	struct route_segment *seg;
	bool rest = false;

	if (t[len - 1] != '}' || memchr(t + 1, '{', len - 1) || memchr(t, '}', len - 1))
		return refuse(s, "a parameter must be a whole segment, like /{id}/", e);
	t++, len -= 2;
	if (len == 1 && *t == '$') {
		if (!last)
			return refuse(s, "{$} must be the last segment", e);
		seg = add_segment(p);
		seg->kind = ROUTE_TEXT;
		seg->text = xstrdup("");
		seg->is_end = true;
		return 0;
	}
	if (len > 3 && memcmp(t + len - 3, "...", 3) == 0) {
		if (!last)
			return refuse(s, "{name...} must be the last segment", e);
		rest = true;
		len -= 3;
	}
	if (!is_name(t, len))
		return refuse(s, "a parameter needs a name of letters, digits and _", e);
	if (has_name(p, t, len))
		return refuse(s, "two parameters have the same name", e);
	seg = add_segment(p);
	seg->kind = rest ? ROUTE_REST : ROUTE_ONE;
	seg->text = xmemdupz(t, len);
	seg->len = len;
	seg->captured = captured && !rest;
	return 0;
}

/* `path` begins with / or is empty. `ends`: the pattern ends with it. */
static int add_path(struct route_pattern *p, const struct route_spec *s, const char *path, bool ends, bool colons,
	bool captured, struct err *e)
{
	while (*path == '/') {
		const char *t = path + 1;
		size_t len = strcspn(t, "/");
		bool last = ends && t[len] == '\0';

		if (p->nsegments >= ROUTE_SEGMENTS_MAX)
			return refuse(s, "too many segments", e);
		if (len == 0 && last) {
			add_segment(p)->kind = ROUTE_REST;
			return 0;
		}
		if (len == 0 || (len == 1 && t[0] == '.') || (len == 2 && t[0] == '.' && t[1] == '.'))
			return refuse(s, "the path has an empty, . or .. segment", e);
		if (colons && t[0] == ':') {
			struct route_segment *seg;

			if (!is_name(t + 1, len - 1))
				return refuse(s, "a parameter needs a name of letters, digits and _", e);
			if (has_name(p, t + 1, len - 1))
				return refuse(s, "two parameters have the same name", e);
			seg = add_segment(p);
			seg->kind = ROUTE_ONE;
			seg->text = xmemdupz(t + 1, len - 1);
			seg->len = len - 1;
			seg->captured = captured;
		} else if (t[0] == '{') {
			if (add_braces(p, s, t, len, last, captured, e) < 0)
				return -1;
		} else if (memchr(t, '{', len) || memchr(t, '}', len)) {
			return refuse(s, "a parameter must be a whole segment, like /{id}/", e);
		} else {
			add_text(p, t, len);
		}
		path = t + len;
	}
	return 0;
}

static bool count_captured(const struct route_pattern *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nsegments; i++)
		n += p->segments[i].captured;
	return n <= ROUTE_PARAMS_MAX;
}

int route_pattern_parse(struct route_pattern *p, const struct route_spec *s, struct err *e)
{
	const char *prefix = s->prefix ? s->prefix : "";
	size_t plen = strlen(prefix);
	char *trimmed;
	int rc = -1;

	*p = (struct route_pattern){.automatic = s->automatic, .data = s->data};
	if (plen + strlen(s->path) > ROUTE_PATTERN_MAX)
		return refuse(s, "it is too long", e);
	if (plen > 0 && prefix[plen - 1] == '/')
		plen--;
	if (plen > 0 && prefix[0] != '/')
		return refuse(s, "a prefix must begin with /", e);
	if (s->path[0] != '/')
		return refuse(s, "a path must begin with /", e);
	trimmed = xmemdupz(prefix, plen);
	if (add_path(p, s, trimmed, false, false, false, e) < 0 ||
		add_path(p, s, s->path, true, s->colons, true, e) < 0)
		goto out;
	if (!count_captured(p)) {
		refuse(s, "too many parameters", e);
		goto out;
	}
	p->method = s->method ? xstrdup(s->method) : NULL;
	p->host = s->host ? xstrdup(s->host) : NULL;
	p->text = xmalloc(plen + strlen(s->path) + 1);
	memcpy(p->text, trimmed, plen);
	strcpy(p->text + plen, s->path); // NOLINT(clang-analyzer-security.insecureAPI.strcpy): sized above
	rc = 0;
out:
	free(trimmed);
	if (rc < 0)
		route_pattern_done(p);
	return rc;
}

void route_pattern_done(struct route_pattern *p)
{
	for (size_t i = 0; i < p->nsegments; i++)
		free(p->segments[i].text);
	free(p->segments);
	free(p->method);
	free(p->host);
	free(p->text);
	*p = (struct route_pattern){0};
}

/* -- relations --------------------------------------------------------------------------------------- */

enum relation { DISJOINT, EQUIVALENT, WIDER, NARROWER, OVERLAP };

static enum relation combine(enum relation a, enum relation b)
{
	if (a == DISJOINT || b == DISJOINT)
		return DISJOINT;
	if (a == b || b == EQUIVALENT)
		return a;
	if (a == EQUIVALENT)
		return b;
	return OVERLAP;
}

static enum relation relate_segments(const struct route_segment *a, const struct route_segment *b)
{
	if (a->kind == ROUTE_REST || b->kind == ROUTE_REST)
		return a->kind == b->kind ? EQUIVALENT : a->kind == ROUTE_REST ? WIDER : NARROWER;
	if (a->kind == ROUTE_ONE && b->kind == ROUTE_ONE)
		return EQUIVALENT;
	/* {name} never matches the empty segment after a trailing slash. */
	if (a->kind == ROUTE_ONE)
		return b->len == 0 ? DISJOINT : WIDER;
	if (b->kind == ROUTE_ONE)
		return a->len == 0 ? DISJOINT : NARROWER;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0 ? EQUIVALENT : DISJOINT;
}

static bool ends_in_rest(const struct route_pattern *p)
{
	return p->nsegments > 0 && p->segments[p->nsegments - 1].kind == ROUTE_REST;
}

static enum relation relate_paths(const struct route_pattern *a, const struct route_pattern *b)
{
	size_t n = a->nsegments < b->nsegments ? a->nsegments : b->nsegments;
	enum relation r = EQUIVALENT;

	for (size_t i = 0; i < n && r != DISJOINT; i++)
		r = combine(r, relate_segments(&a->segments[i], &b->segments[i]));
	if (r == DISJOINT || a->nsegments == b->nsegments)
		return r;
	if (a->nsegments < b->nsegments)
		return ends_in_rest(a) ? combine(r, WIDER) : DISJOINT;
	return ends_in_rest(b) ? combine(r, NARROWER) : DISJOINT;
}

static enum relation relate_methods(const char *a, const char *b)
{
	if (!a || !b)
		return a == b ? EQUIVALENT : a ? NARROWER : WIDER;
	if (strcmp(a, b) == 0)
		return EQUIVALENT;
	if (strcmp(a, "GET") == 0 && strcmp(b, "HEAD") == 0)
		return WIDER;
	return strcmp(a, "HEAD") == 0 && strcmp(b, "GET") == 0 ? NARROWER : DISJOINT;
}

bool route_patterns_equivalent(const struct route_pattern *a, const struct route_pattern *b)
{
	return relate_paths(a, b) == EQUIVALENT;
}

/* The trailing slash of a subtree does not tell patterns apart, and {$} counts as a segment: people would not see which of the two serves what. */
static bool look_alike(const struct route_pattern *a, const struct route_pattern *b)
{
	size_t na = a->nsegments, nb = b->nsegments;

	if (na > 0 && a->segments[na - 1].kind == ROUTE_REST && !a->segments[na - 1].text)
		na--;
	if (nb > 0 && b->segments[nb - 1].kind == ROUTE_REST && !b->segments[nb - 1].text)
		nb--;
	if (na != nb || na == 0)
		return false;
	for (size_t i = 0; i < na; i++) {
		const struct route_segment *x = &a->segments[i], *y = &b->segments[i];
		bool one = x->kind == ROUTE_ONE || x->is_end, other = y->kind == ROUTE_ONE || y->is_end;

		if (one && other)
			continue;
		if (one || other || x->kind != y->kind || x->len != y->len ||
			(x->len && memcmp(x->text, y->text, x->len) != 0))
			return false;
	}
	return true;
}

bool route_patterns_conflict(const struct route_pattern *a, const struct route_pattern *b)
{
	enum relation methods = relate_methods(a->method, b->method), r;

	if (methods == DISJOINT || (a->host == NULL) != (b->host == NULL) ||
		(a->host && strcasecmp(a->host, b->host) != 0))
		return false;
	r = combine(methods, relate_paths(a, b));
	if (r == EQUIVALENT || r == OVERLAP)
		return true;
	return methods == EQUIVALENT && a->method && look_alike(a, b);
}
