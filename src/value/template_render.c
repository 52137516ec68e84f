/*
 * template_render.c - walking the actions of a template.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/template_node.h"

enum { CHAIN_MAX = 16, ERROR_BYTES_MAX = 600 };

/* -- errors and finding ------------------------------------------------------------------------------- */

int render_fail(struct render *r, const struct node *place, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	err_set(r->run.e, ERR_INTERNAL, "%.*s (%u:%u)", ERROR_BYTES_MAX, buf_str(&text), place ? place->line : 0,
		place ? place->column : 0);
	buf_done(&text);
	return -1;
}

/* Borrowed until the rendering ends; NULL with NOT_FOUND. */
static struct template *render_find(struct render *r, const char *name)
{
	struct template *t = template_set_get(r->set, name);

	if (!t)
		return NULL;
	for (unsigned i = 0; i < r->nheld; i++) {
		if (r->held[i] == t) {
			template_unref(t); /* held already */
			return t;
		}
	}
	if (r->nheld == ARRAY_LEN(r->held)) {
		template_unref(t);
		render_fail(r, r->run.at, "more than %zu templates in one rendering", ARRAY_LEN(r->held));
		return NULL;
	}
	r->held[r->nheld++] = t;
	return t;
}

static struct template *need_template(struct render *r, const struct node *place, const char *name)
{
	struct template *t;

	r->run.at = place;
	r->run.e->text[0] = '\0';
	t = render_find(r, name);
	if (!t && r->run.e->text[0] == '\0')
		render_fail(r, place, "template not found: %.200s", name);
	return t;
}

/* Blocks of what it extends and imports, then its own, which win. */
static int collect_blocks(struct render *r, struct template *t, struct map *blocks, unsigned depth)
{
	static const struct node nowhere = {.line = 1, .column = 1};
	struct template *other;
	const char *name;
	void *block;

	if (depth == CHAIN_MAX)
		return render_fail(r, &nowhere, "templates extend or import each other too deeply");
	if (expr_steps(&r->run, 10) < 0)
		return -1;
	for (size_t i = 0; i <= t->nimports; i++) {
		const char *from = i == 0 ? t->extends : t->imports[i - 1];

		if (!from)
			continue;
		other = need_template(r, &nowhere, from);
		if (!other || collect_blocks(r, other, blocks, depth + 1) < 0)
			return -1;
	}
	for (size_t i = 0; map_next(t->blocks, &i, &name, &block);)
		map_set(blocks, name, block);
	return 0;
}

/* -- variables ---------------------------------------------------------------------------------------- */

static void enter(struct render *r, struct scope *s)
{
	*s = (struct scope){.outer = r->scope};
	r->scope = s;
}

static void leave(struct render *r)
{
	struct variable *v, *following;

	for (v = r->scope->variables; v; v = following) {
		following = v->next;
		value_unref(v->value);
		free(v);
	}
	r->scope = r->scope->outer;
}

/* Takes `value`; `name` lives as long as the template. */
static void declare(struct scope *s, const char *name, struct value *value)
{
	struct variable *v;

	for (v = s->variables; v; v = v->next) {
		if (strcmp(v->name, name) == 0) {
			value_unref(v->value);
			v->value = value;
			return;
		}
	}
	v = xmalloc(sizeof(*v));
	*v = (struct variable){.name = name, .value = value, .next = s->variables};
	s->variables = v;
}

static int set_variable(struct render *r, const struct action *a)
{
	struct variable *v;
	struct value *value;

	if (term_eval(r, a->term, &value) < 0)
		return -1;
	if (strcmp(a->name, "_") == 0) {
		value_unref(value);
		return 0;
	}
	if (a->type == ACTION_LET) {
		declare(r->scope, a->name, value);
		return 0;
	}
	v = render_variable(r, a->name);
	if (!v) {
		value_unref(value);
		return render_fail(r, &a->place, "'%.100s' is not a variable yet: use :=", a->name);
	}
	value_unref(v->value);
	v->value = value;
	return 0;
}

/* -- actions ------------------------------------------------------------------------------------------ */

static int run_list(struct render *r, const struct action *list);

static int run_scoped(struct render *r, const struct action *list)
{
	struct scope s;
	int rc;

	enter(r, &s);
	rc = run_list(r, list);
	leave(r);
	return rc;
}

static int run_if(struct render *r, const struct action *a)
{
	struct scope s;
	struct value *v;
	int rc = -1;

	enter(r, &s);
	if ((!a->before || set_variable(r, a->before) == 0) && term_eval(r, a->term, &v) == 0) {
		rc = run_scoped(r, term_is_true(v) ? a->body : a->otherwise);
		value_unref(v);
	}
	leave(r);
	return rc;
}

static int order_of_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int run_item(struct render *r, const struct action *a, struct value *key, const struct value *item)
{
	const struct value *dot = r->dot;
	struct scope s;
	int rc;

	enter(r, &s);
	if (a->name && strcmp(a->name, "_") != 0)
		declare(&s, a->name, key);
	else
		value_unref(key);
	if (!a->value_name)
		r->dot = item;
	else if (strcmp(a->value_name, "_") != 0)
		declare(&s, a->value_name, expr_keep(item));
	rc = run_list(r, a->body);
	r->dot = dot;
	leave(r);
	return rc;
}

/* By key, so that the output is the same each time. */
static int run_map(struct render *r, const struct action *a, const struct value *map)
{
	size_t n = value_count(map);
	const char **keys;
	int rc = 0;

	if (expr_steps(&r->run, n) < 0)
		return -1;
	keys = xcalloc(n, sizeof(*keys));
	for (size_t i = 0; i < n; i++)
		value_pair(map, i, &keys[i], NULL);
	qsort(keys, n, sizeof(*keys), order_of_keys);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = run_item(r, a, value_cstring(keys[i]), value_get(map, keys[i]));
	free(keys);
	return rc;
}

static int run_range(struct render *r, const struct action *a)
{
	struct value *v;
	int rc = 0;

	if (term_eval(r, a->term, &v) < 0)
		return -1;
	r->run.at = &a->place;
	if (value_type(v) != VALUE_LIST && value_type(v) != VALUE_MAP && value_type(v) != VALUE_NIL)
		rc = render_fail(r, &a->place, "cannot range over a value of type %s", expr_type_name(v));
	else if (value_count(v) == 0)
		rc = run_scoped(r, a->otherwise);
	else if (value_type(v) == VALUE_MAP)
		rc = run_map(r, a, v);
	else
		for (size_t i = 0; i < value_count(v) && rc == 0; i++)
			rc = run_item(r, a, value_int((int64_t)i), value_at(v, i));
	value_unref(v);
	return rc;
}

/* What the caller passes, then the defaults; both are computed where the caller stands. */
static int bind_parameters(struct render *r, const struct action *block, const struct action *yield, struct scope *into)
{
	const struct parameter *given = yield ? yield->parameters : NULL, *one;
	struct value *v;
	unsigned place = 0, i;

	for (const struct parameter *p = block->parameters; p; p = p->next, place++) {
		const struct term *term = p->term;

		for (one = given, i = 0; one; one = one->next, i++) {
			if (one->name ? strcmp(one->name, p->name) == 0 : i == place)
				term = one->term;
		}
		if (!term && yield)
			return render_fail(r, &yield->place, "block '%.100s' needs '%.100s'", block->name, p->name);
		if (!term)
			v = value_nil();
		else if (term_eval(r, term, &v) < 0)
			return -1;
		declare(into, p->name, v);
	}
	return 0;
}

/* `yield` is NULL where the block is defined: there it runs at once. */
static int run_block(struct render *r, const struct action *block, const struct action *yield)
{
	const struct value *dot = r->dot;
	const struct content *outer = r->content;
	const struct term *context = yield ? yield->term : block->term;
	struct content content = {.body = yield ? yield->body : block->otherwise,
		.scope = r->scope,
		.dot = r->dot,
		.template = r->template,
		.blocks = r->blocks,
		.outer = outer};
	struct scope inner = {.outer = r->scope};
	struct value *held = NULL;
	int rc = bind_parameters(r, block, yield, &inner);

	if (rc == 0 && context)
		rc = term_eval(r, context, &held);
	r->scope = &inner;
	if (rc == 0) {
		if (held)
			content.dot = r->dot = held;
		r->content = (yield ? yield->has_content : block->has_content) ? &content : NULL;
		rc = run_list(r, block->body);
	}
	r->content = outer;
	r->dot = dot;
	leave(r);
	value_unref(held);
	return rc;
}

static int run_named(struct render *r, const struct action *a)
{
	const struct action *block = map_get(r->blocks, a->name);

	if (a->type == ACTION_BLOCK)
		return run_block(r, block ? block : a, NULL);
	if (!block)
		return render_fail(r, &a->place, "there is no block '%.100s'", a->name);
	return run_block(r, block, a);
}

/* Where it was written, with the variables of there. */
static int run_content(struct render *r, const struct action *a)
{
	const struct content *c = r->content;
	struct render before = *r;
	struct value *held = NULL;
	int rc;

	if (!c)
		return 0;
	if (a->term && term_eval(r, a->term, &held) < 0)
		return -1;
	r->scope = c->scope;
	r->dot = held ? held : c->dot;
	r->template = c->template;
	r->blocks = c->blocks;
	r->content = c->outer;
	rc = run_scoped(r, c->body);
	r->scope = before.scope;
	r->dot = before.dot;
	r->template = before.template;
	r->blocks = before.blocks;
	r->content = c;
	value_unref(held);
	return rc;
}

/* The outermost template of a chain of extends gives the text, all of them the blocks. */
static int run_template(struct render *r, struct template *t)
{
	const struct template *before = r->template;
	const struct content *content = r->content;
	struct map *blocks = r->blocks;
	static const struct node nowhere = {.line = 1, .column = 1};
	int rc;

	r->template = t;
	r->blocks = map_new();
	r->content = NULL;
	rc = collect_blocks(r, t, r->blocks, 0);
	while (rc == 0 && t->extends) {
		t = need_template(r, &nowhere, t->extends); /* found before, unless it has just gone */
		if (!t) {
			rc = -1;
			break;
		}
		r->template = t;
	}
	if (rc == 0)
		rc = run_scoped(r, t->body);
	map_free(r->blocks, NULL);
	r->blocks = blocks;
	r->content = content;
	if (rc == 0)
		r->template = before;
	return rc;
}

static int run_include(struct render *r, const struct action *a)
{
	const struct value *dot = r->dot;
	struct value *name, *held = NULL;
	struct template *t = NULL;
	int rc = -1;

	if (term_eval(r, a->term, &name) < 0)
		return -1;
	if (value_type(name) != VALUE_STRING)
		render_fail(r, &a->place, "include needs a name, got %s", expr_type_name(name));
	else
		t = need_template(r, &a->place, value_get_string(name, NULL));
	value_unref(name);
	if (!t || (a->context && term_eval(r, a->context, &held) < 0))
		return -1;
	if (held)
		r->dot = held;
	rc = run_template(r, t);
	r->dot = dot;
	value_unref(held);
	return rc;
}

/* What was written before it failed is taken back. */
static int run_try(struct render *r, const struct action *a)
{
	const struct template *template = r->template;
	size_t length = buf_len(r->out);
	struct err why = {0}, *e = r->run.e;
	struct scope s;
	int rc;

	r->run.e = &why;
	rc = run_scoped(r, a->body);
	r->run.e = e;
	if (rc == 0)
		return 0;
	r->template = template;
	buf_truncate(r->out, length);
	enter(r, &s);
	if (a->name)
		declare(&s, a->name, value_cstring(why.text));
	rc = run_list(r, a->otherwise);
	leave(r);
	return rc;
}

static int run_action(struct render *r, const struct action *a)
{
	switch (a->type) {
	case ACTION_TEXT:
		if (buf_len(r->out) + a->len > TEMPLATE_OUTPUT_BYTES_MAX)
			return render_fail(
				r, &a->place, "the output is longer than %d bytes", TEMPLATE_OUTPUT_BYTES_MAX);
		buf_add(r->out, a->text, a->len);
		return 0;
	case ACTION_WRITE:
		if (term_write(r, a->term) < 0)
			return -1;
		return buf_len(r->out) > TEMPLATE_OUTPUT_BYTES_MAX
			       ? render_fail(
					 r, &a->place, "the output is longer than %d bytes", TEMPLATE_OUTPUT_BYTES_MAX)
			       : 0;
	case ACTION_LET:
	case ACTION_ASSIGN:
		return set_variable(r, a);
	case ACTION_IF:
		return run_if(r, a);
	case ACTION_RANGE:
		return run_range(r, a);
	case ACTION_BLOCK:
	case ACTION_YIELD:
		return run_named(r, a);
	case ACTION_CONTENT:
		return run_content(r, a);
	case ACTION_INCLUDE:
		return run_include(r, a);
	case ACTION_TRY:
		return run_try(r, a);
	}
	return -1;
}

static int run_list(struct render *r, const struct action *list)
{
	int rc = 0;

	if (r->depth == TEMPLATE_DEPTH_MAX)
		return render_fail(r, list ? &list->place : NULL, "blocks or includes are nested too deeply");
	r->depth++;
	for (; list && rc == 0; list = list->next) {
		r->run.at = &list->place;
		rc = expr_steps(&r->run, 1);
		if (rc == 0)
			rc = run_action(r, list);
	}
	r->depth--;
	return rc;
}

int template_render(struct template_set *s, const char *name, const struct value *data, struct buf *out, struct err *e)
{
	struct err why = {0};
	struct render r = {.set = s, .out = out, .dot = data, .data = data, .run.e = &why};
	size_t length = buf_len(out);
	struct template *t = render_find(&r, name);
	int rc;

	if (!t)
		return err_set(e, ERR_NOT_FOUND, "template not found: %.200s", name);
	rc = run_template(&r, t);
	if (rc < 0) {
		buf_truncate(out, length);
		err_set(e, ERR_INTERNAL, "template %s: %s", r.template ? r.template->name : name, why.text);
	}
	for (unsigned i = 0; i < r.nheld; i++)
		template_unref(r.held[i]);
	return rc;
}
