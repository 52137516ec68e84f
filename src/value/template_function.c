/*
 * template_function.c - the functions of templates:
 *
 *   len upper lower hasPrefix hasSuffix repeat replace split trimSpace join   as in the expression language
 *   html url json                    escapes: for HTML, for a query (RFC 3986, blanks as +), JSON
 *   map("k", v, ...) slice(...) array(...) ints(from, below)
 *   isset(...) is in template_eval.c; raw unsafe safeHtml safeJs writeJson end a pipeline.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/html.h"
#include "value/template_node.h"

enum { INTS_MAX = 100000, NESTING_MAX = 200 };

struct call {
	struct render *r;
	const struct term *t;
	struct value **args;
	size_t nargs;
};

static int fail(struct call *c, const char *what)
{
	return render_fail(c->r, &c->t->place, "%s(): %s", value_get_string(c->t->literal, NULL), what);
}

/* A loop could put lists into lists without end; whatever walks them recurses. */
static int check_nesting(struct call *c, const struct value *v, unsigned depth)
{
	if (depth > NESTING_MAX)
		return fail(c, "the value is nested too deeply");
	if (expr_steps(&c->r->run, 1) < 0)
		return -1;
	for (size_t i = 0; i < value_count(v); i++) {
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, NULL, NULL);

		if (value_count(item) > 0 && check_nesting(c, item, depth + 1) < 0)
			return -1;
	}
	return 0;
}

static int check_arguments(struct call *c)
{
	for (size_t i = 0; i < c->nargs; i++) {
		if (check_nesting(c, c->args[i], 0) < 0)
			return -1;
	}
	return 0;
}

static int call_map(struct call *c, struct value **ret_value)
{
	struct value *map;

	if (check_arguments(c) < 0)
		return -1;
	if (c->nargs % 2 != 0)
		return fail(c, "keys and values must come in pairs");
	map = value_map();
	for (size_t i = 0; i < c->nargs; i += 2) {
		size_t len = 0;

		if (value_type(c->args[i]) != VALUE_STRING || strlen(value_get_string(c->args[i], &len)) != len ||
			expr_made(&c->r->run, len + EXPR_SCALAR_BYTES) < 0) {
			value_unref(map);
			return fail(c, "a key must be a string");
		}
		value_map_set(map, value_get_string(c->args[i], NULL), value_ref(c->args[i + 1]));
	}
	*ret_value = map;
	return 0;
}

static int call_slice(struct call *c, struct value **ret_value)
{
	struct value *list;

	if (check_arguments(c) < 0)
		return -1;
	list = value_list();
	for (size_t i = 0; i < c->nargs; i++) {
		if (expr_append(&c->r->run, list, c->args[i]) < 0) {
			value_unref(list);
			return -1;
		}
	}
	*ret_value = list;
	return 0;
}

static int call_ints(struct call *c, struct value **ret_value)
{
	struct value *list;
	int64_t from, below;

	if (c->nargs != 2 || value_type(c->args[0]) != VALUE_INT || value_type(c->args[1]) != VALUE_INT)
		return fail(c, "needs two integers");
	from = value_get_int(c->args[0]);
	below = value_get_int(c->args[1]);
	if (below <= from)
		return fail(c, "the upper limit must be greater than the lower");
	if ((uint64_t)below - (uint64_t)from > INTS_MAX)
		return fail(c, "too many numbers");
	if (expr_steps(&c->r->run, (size_t)(below - from)) < 0 ||
		expr_made(&c->r->run, (size_t)(below - from) * EXPR_SCALAR_BYTES) < 0)
		return -1;
	list = value_list();
	for (; from < below; from++)
		value_list_append(list, value_int(from));
	*ret_value = list;
	return 0;
}

static int give_text(struct call *c, struct buf *b, struct value **ret_value)
{
	int rc = expr_string(&c->r->run, buf_data(b), buf_len(b), ret_value);

	buf_done(b);
	return rc;
}

static int call_json(struct call *c, struct value **ret_value)
{
	struct buf out = BUF_INIT;

	if (c->nargs != 1)
		return fail(c, "needs one value");
	if (expr_json(&c->r->run, c->args[0], &out) < 0) {
		buf_done(&out);
		return -1;
	}
	return give_text(c, &out, ret_value);
}

/* The text of the one argument, appended. */
static int one_text(struct call *c, struct buf *out)
{
	return c->nargs == 1 ? expr_text(&c->r->run, c->args[0], out) : fail(c, "needs one value");
}

static int call_html(struct call *c, struct value **ret_value)
{
	struct buf text = BUF_INIT, out = BUF_INIT;
	const char *s, *entity;

	if (one_text(c, &text) < 0) {
		buf_done(&text);
		return -1;
	}
	s = buf_data(&text);
	for (size_t i = 0; i < buf_len(&text); i++) {
		entity = html_entity(s[i]);
		if (entity)
			buf_adds(&out, entity);
		else
			buf_addc(&out, s[i]);
	}
	buf_done(&text);
	return give_text(c, &out, ret_value);
}

static int call_url(struct call *c, struct value **ret_value)
{
	struct buf text = BUF_INIT, out = BUF_INIT;

	if (one_text(c, &text) < 0) {
		buf_done(&text);
		return -1;
	}
	for (size_t i = 0; i < buf_len(&text); i++) {
		char ch = buf_data(&text)[i];

		if ((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
			(ch && strchr("-_.~", ch)))
			buf_addc(&out, ch);
		else if (ch == ' ')
			buf_addc(&out, '+');
		else
			buf_addf(&out, "%%%02X", (unsigned char)ch);
	}
	buf_done(&text);
	return give_text(c, &out, ret_value);
}

static const struct {
	const char *name;
	int (*call)(struct call *c, struct value **ret_value);
} own[] = {
	{"array", call_slice},
	{"html", call_html},
	{"ints", call_ints},
	{"json", call_json},
	{"map", call_map},
	{"slice", call_slice},
	{"url", call_url},
};

/* Of the expression language; NULL: it has another name there or does not belong here. */
static const struct expr_function *borrowed(const char *name)
{
	static const char *const names[] = {
		"hasPrefix", "hasSuffix", "join", "len", "lower", "repeat", "replace", "split", "upper"};

	if (strcmp(name, "trimSpace") == 0)
		return expr_function_find("trim", 4);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0)
			return expr_function_find(name, strlen(name));
	}
	return NULL;
}

int template_call(struct render *r, const struct term *t, bool *ret_known, struct value **ret_value)
{
	struct value *args[64];
	struct call c = {.r = r, .t = t, .args = args};
	const char *name = value_get_string(t->literal, NULL);
	const struct expr_function *f = borrowed(name);
	size_t i = 0;
	int rc = -1;

	while (i < ARRAY_LEN(own) && strcmp(own[i].name, name) != 0)
		i++;
	*ret_known = f || i < ARRAY_LEN(own);
	if (!*ret_known)
		return -1;
	if (t->nkids > ARRAY_LEN(args))
		return fail(&c, "too many arguments");
	for (; c.nargs < t->nkids; c.nargs++) {
		if (term_eval(r, t->kids[c.nargs], &args[c.nargs]) < 0)
			goto out;
	}
	r->run.at = &t->place;
	if (f && (c.nargs < f->min || c.nargs > f->max))
		rc = fail(&c, "a wrong number of arguments");
	else
		rc = f ? f->call(&r->run, args, c.nargs, ret_value) : own[i].call(&c, ret_value);
out:
	for (size_t k = 0; k < c.nargs; k++)
		value_unref(args[k]);
	return rc;
}
