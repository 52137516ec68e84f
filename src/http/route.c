#include "http/route.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "http/route_private.h"

struct node {
	struct child {
		const char *text; /* the pattern's */
		size_t len;
		struct node *node;
	} * children;
	size_t nchildren;
	struct node *one;
	const struct route_pattern *rest; /* from here on, at least one segment */
	const struct route_pattern *here; /* the path ends here */
};

/* The routes of one host and method. */
struct set {
	const char *host;   /* NULL: any */
	const char *method; /* NULL: any */
	struct node root;
};

struct route_table {
	struct route_pattern **patterns;
	size_t npatterns;
	struct set **sets;
	size_t nsets;
	bool has_hosts;
	bool built;
};

/* -- making ------------------------------------------------------------------------------------------ */

struct route_table *route_table_new(void)
{
	return xcalloc(1, sizeof(struct route_table));
}

static void node_done(struct node *n)
{
	for (size_t i = 0; i < n->nchildren; i++) {
		node_done(n->children[i].node);
		free(n->children[i].node);
	}
	free(n->children);
	if (n->one)
		node_done(n->one);
	free(n->one);
}

void route_table_free(struct route_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nsets; i++) {
		node_done(&t->sets[i]->root);
		free(t->sets[i]);
	}
	for (size_t i = 0; i < t->npatterns; i++) {
		route_pattern_done(t->patterns[i]);
		free(t->patterns[i]);
	}
	free(t->sets);
	free(t->patterns);
	free(t);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_host(const char *a, const char *b)
{
	return a == b || (a && b && strcasecmp(a, b) == 0);
}

/* An automatic route that somebody provides already. */
static bool is_superfluous(const struct route_table *t, const struct route_pattern *p)
{
	for (size_t i = 0; i < t->npatterns; i++) {
		const struct route_pattern *q = t->patterns[i];

		if (q->automatic && same(p->method, q->method) && same_host(p->host, q->host) &&
			route_patterns_equivalent(p, q))
			return true;
	}
	return false;
}

int route_add(struct route_table *t, const struct route_spec *s, struct err *e)
{
	struct route_pattern *p = xcalloc(1, sizeof(*p));

	if (route_pattern_parse(p, s, e) < 0) {
		free(p);
		return -1;
	}
	if (p->automatic && is_superfluous(t, p)) {
		route_pattern_done(p);
		free(p);
		return 0;
	}
	t->patterns = xreallocarray(t->patterns, t->npatterns + 1, sizeof(struct route_pattern *));
	t->patterns[t->npatterns++] = p;
	return 0;
}

static void add_name(struct buf *b, const struct route_pattern *p)
{
	if (p->method)
		buf_addf(b, "%s ", p->method);
	if (p->host)
		buf_add_escaped(b, p->host, strlen(p->host), 200);
	buf_add_escaped(b, p->text, strlen(p->text), 200);
}

static int check_conflicts(const struct route_table *t, struct err *e)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < t->npatterns; i++)
		for (size_t k = i + 1; k < t->npatterns && buf_len(&b) < ERR_TEXT_MAX; k++) {
			const struct route_pattern *p = t->patterns[i], *q = t->patterns[k];

			if ((p->automatic && q->automatic) || !route_patterns_conflict(p, q))
				continue;
			buf_adds(&b, "\n  - ");
			add_name(&b, p);
			buf_adds(&b, " conflicts with ");
			add_name(&b, q);
		}
	if (buf_len(&b) == 0)
		return 0;
	/* A line each: err_set() would escape the line ends, as it does with whatever came from outside. The names are escaped already. */
	err_set(e, ERR_CONFLICT, "route pattern conflicts detected:");
	if (e)
		snprintf(e->text, sizeof(e->text), "route pattern conflicts detected:%s", buf_str(&b));
	buf_done(&b);
	return -1;
}

static struct node *find_child(const struct node *n, const char *text, size_t len)
{
	for (size_t i = 0; i < n->nchildren; i++)
		if (n->children[i].len == len && memcmp(n->children[i].text, text, len) == 0)
			return n->children[i].node;
	return NULL;
}

static struct node *get_child(struct node *n, const struct route_segment *seg)
{
	struct node *c;

	if (seg->kind == ROUTE_ONE) {
		if (!n->one)
			n->one = xcalloc(1, sizeof(*n->one));
		return n->one;
	}
	c = find_child(n, seg->text, seg->len);
	if (c)
		return c;
	c = xcalloc(1, sizeof(*c));
	n->children = xreallocarray(n->children, n->nchildren + 1, sizeof(*n->children));
	n->children[n->nchildren++] = (struct child){seg->text, seg->len, c};
	return c;
}

static struct set *get_set(struct route_table *t, const struct route_pattern *p)
{
	struct set *s;

	for (size_t i = 0; i < t->nsets; i++)
		if (same(t->sets[i]->method, p->method) && same_host(t->sets[i]->host, p->host))
			return t->sets[i];
	s = xcalloc(1, sizeof(*s));
	s->host = p->host;
	s->method = p->method;
	t->has_hosts |= p->host != NULL;
	t->sets = xreallocarray(t->sets, t->nsets + 1, sizeof(struct set *));
	t->sets[t->nsets++] = s;
	return s;
}

static void insert(struct route_table *t, const struct route_pattern *p)
{
	struct node *n = &get_set(t, p)->root;

	for (size_t i = 0; i < p->nsegments; i++) {
		if (p->segments[i].kind == ROUTE_REST) {
			if (!n->rest)
				n->rest = p;
			return;
		}
		n = get_child(n, &p->segments[i]);
	}
	if (!n->here)
		n->here = p;
}

static int by_method(const void *a, const void *b)
{
	const struct set *x = *(struct set *const *)a, *y = *(struct set *const *)b;

	return strcmp(x->method ? x->method : "", y->method ? y->method : "");
}

int route_table_build(struct route_table *t, struct err *e)
{
	if (check_conflicts(t, e) < 0)
		return -1;
	for (size_t i = 0; i < t->npatterns; i++)
		insert(t, t->patterns[i]);
	if (t->nsets > 0)
		qsort(t->sets, t->nsets, sizeof(struct set *), by_method);
	t->built = true;
	return 0;
}

/* -- matching ---------------------------------------------------------------------------------------- */

struct piece {
	const char *text;
	size_t len;
	bool is_plain; /* nothing to decode */
};

struct path {
	struct piece pieces[ROUTE_SEGMENTS_MAX + 1];
	size_t n; /* beyond the array: there are more, which only a rest can match */
};

static void path_split(struct path *p, const char *s)
{
	p->n = 0;
	while (*s == '/' && p->n <= ROUTE_SEGMENTS_MAX) {
		size_t len = strcspn(++s, "/");

		p->pieces[p->n++] = (struct piece){s, len, !memchr(s, '%', len)};
		s += len;
	}
}

static bool piece_is(const struct piece *p, const char *text, size_t len)
{
	size_t k = 0;

	if (p->is_plain)
		return p->len == len && memcmp(p->text, text, len) == 0;
	for (size_t i = 0; i < p->len; i++, k++) {
		char c = p->text[i];
		int byte = c == '%' && i + 2 < p->len ? hex_byte(p->text + i + 1) : -1;

		if (byte >= 0) {
			c = (char)byte;
			i += 2;
		}
		if (k >= len || text[k] != c)
			return false;
	}
	return k == len;
}

static const struct route_pattern *node_match(const struct node *n, const struct path *p, size_t i)
{
	const struct route_pattern *found;

	if (i == p->n)
		return n->here;
	if (i >= ROUTE_SEGMENTS_MAX)
		return n->rest;
	for (size_t k = 0; k < n->nchildren; k++)
		if (piece_is(&p->pieces[i], n->children[k].text, n->children[k].len)) {
			found = node_match(n->children[k].node, p, i + 1);
			if (found)
				return found;
			break;
		}
	if (n->one && p->pieces[i].len > 0) {
		found = node_match(n->one, p, i + 1);
		if (found)
			return found;
	}
	return n->rest;
}

static bool host_is(const char *pattern, const char *host)
{
	const char *colon = strrchr(host, ':');
	size_t len = colon && !strchr(colon, ']') ? (size_t)(colon - host) : strlen(host);

	return strlen(pattern) == len && strncasecmp(pattern, host, len) == 0;
}

static const struct route_pattern *match_method(
	const struct route_table *t, const char *method, const char *host, const struct path *p)
{
	const struct route_pattern *found = NULL;

	/* Those that name a host first. */
	for (int named = t->has_hosts; named >= 0 && !found; named--)
		for (size_t i = 0; i < t->nsets && !found; i++) {
			const struct set *s = t->sets[i];

			if ((s->host != NULL) == (named != 0) && same(s->method, method) &&
				(!s->host || host_is(s->host, host)))
				found = node_match(&s->root, p, 0);
		}
	return found;
}

static const struct route_pattern *match_path(
	const struct route_table *t, const char *method, const char *host, const struct path *p)
{
	const struct route_pattern *found = match_method(t, method, host, p);

	if (!found && strcmp(method, "HEAD") == 0)
		found = match_method(t, "GET", host, p);
	return found ? found : match_method(t, NULL, host, p);
}

static bool is_subtree(const struct route_pattern *p)
{
	return p->nsegments > 0 && p->segments[p->nsegments - 1].kind == ROUTE_REST;
}

/* Is it for this path itself, rather than for a subtree further up? */
static bool is_exact(const struct route_pattern *found, const char *path, const struct path *p)
{
	if (!found)
		return false;
	if (!is_subtree(found))
		return true;
	return path[strlen(path) - 1] == '/' && found->nsegments == p->n;
}

static bool is_unclean(const char *path)
{
	for (const char *s = path; *s == '/';) {
		size_t len = strcspn(++s, "/");

		if ((len == 0 && s[0] == '/') || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
			return true;
		s += len;
	}
	return false;
}

static void clean(struct buf *out, const char *path)
{
	size_t begin = buf_len(out);
	bool slash = false;

	for (const char *s = path; *s == '/';) {
		size_t len = strcspn(++s, "/");

		slash = true;
		if (len == 2 && s[0] == '.' && s[1] == '.') {
			while (buf_len(out) > begin && buf_data(out)[buf_len(out) - 1] != '/')
				buf_truncate(out, buf_len(out) - 1);
			if (buf_len(out) > begin)
				buf_truncate(out, buf_len(out) - 1);
		} else if (len > 0 && !(len == 1 && s[0] == '.')) {
			buf_addc(out, '/');
			buf_add(out, s, len);
			slash = false;
		}
		s += len;
	}
	/* Only a slash at the very end is kept; "/a/.." and "/a/." lose what they name. */
	if (buf_len(out) == begin || (slash && path[strlen(path) - 1] == '/'))
		buf_addc(out, '/');
}

static void capture(const struct route_pattern *found, const struct path *p, struct route_match *ret)
{
	ret->data = found->data;
	ret->pattern = found->text;
	ret->nparams = 0;
	for (size_t i = 0; i < found->nsegments; i++)
		if (found->segments[i].captured)
			ret->params[ret->nparams++] =
				(struct route_param){found->segments[i].text, p->pieces[i].text, p->pieces[i].len};
}

static void add_allowed(struct buf *out, const char *method)
{
	size_t len = strlen(method);
	const char *s = buf_str(out);

	/* No method's name is part of another's. */
	if (len == 0 || strstr(s, method))
		return;
	if (*s)
		buf_adds(out, ", ");
	buf_adds(out, method);
}

static bool list_allowed(const struct route_table *t, const char *host, const struct path *p, struct buf *out)
{
	for (size_t i = 0; i < t->nsets; i++) {
		const struct set *s = t->sets[i];

		if (!s->method || (s->host && !host_is(s->host, host)) || !node_match(&s->root, p, 0))
			continue;
		add_allowed(out, s->method);
		if (strcmp(s->method, "GET") == 0)
			add_allowed(out, "HEAD");
	}
	return buf_len(out) > 0;
}

enum route_result route_match(const struct route_table *t, const char *method, const char *host, const char *path,
	struct route_match *ret, struct buf *text)
{
	const struct route_pattern *found;
	struct path p;
	size_t len;

	if (path[0] != '/')
		return ROUTE_NOT_FOUND;
	if (is_unclean(path)) {
		clean(text, path);
		return ROUTE_REDIRECT;
	}
	path_split(&p, path);
	found = match_path(t, method, host, &p);
	len = strlen(path);
	if (!is_exact(found, path, &p) && path[len - 1] != '/' && p.n < ROUTE_SEGMENTS_MAX) {
		struct path longer = p;
		const struct route_pattern *root;

		longer.pieces[longer.n++] = (struct piece){path + len, 0, true};
		root = match_path(t, method, host, &longer);
		if (root && is_subtree(root) && root->nsegments == longer.n) {
			buf_add(text, path, len);
			buf_addc(text, '/');
			return ROUTE_REDIRECT;
		}
	}
	if (found) {
		capture(found, &p, ret);
		return ROUTE_FOUND;
	}
	return list_allowed(t, host, &p, text) ? ROUTE_NO_METHOD : ROUTE_NOT_FOUND;
}
