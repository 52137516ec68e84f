/*
 * Names the source uses: paths such as `json.encode`, and what is assigned to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/front_note.h"

int32_t lint_innermost(const struct lint *l, uint32_t sym)
{
	return sym < l->innermost.n ? l->innermost.v[sym] : -1;
}

static bool span_is(const struct parser *p, struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.end - s.off == len && memcmp(p->lx.src + s.off, text, len) == 0;
}

static bool symbol_is(const struct parser *p, uint32_t sym, const char *text)
{
	const struct symbol *s = &p->lx.syms[sym];

	return s->len == strlen(text) && memcmp(s->name, text, s->len) == 0;
}

static bool is_primitive(uint32_t sym)
{
	return sym >= SYM_BOOLEAN && sym <= SYM_NEVER;
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

uint32_t lint_skip_blanks_back(const struct parser *p, uint32_t off)
{
	while (off > 0 && strchr(" \t\r\n", p->lx.src[off - 1]) && p->lx.src[off - 1])
		off--;
	return off;
}

static bool word_ends_at(const struct parser *p, uint32_t end, const char *word)
{
	size_t len = strlen(word);

	return end >= len && memcmp(p->lx.src + end - len, word, len) == 0 &&
	       (end == len || !is_word_byte(p->lx.src[end - len - 1]));
}

/* Does the source ask whether the expression from `off` to the last token is there: `if x then`, `x or y`, `x == nil`, `type(x)`? */
static bool is_tested(struct parser *p, uint32_t off)
{
	uint32_t before = lint_skip_blanks_back(p, off);

	switch (p->tok.kind) {
	case TK_AND:
	case TK_OR:
		return true;
	case TK_EQ:
	case TK_NE:
		return parser_peek(p, 1)->kind == TK_NIL;
	case ')':
		if (before > 0 && p->lx.src[before - 1] == '(' &&
			word_ends_at(p, lint_skip_blanks_back(p, before - 1), "type"))
			return true;
		break;
	case TK_THEN:
		if (word_ends_at(p, before, "if") || word_ends_at(p, before, "elseif") ||
			word_ends_at(p, before, "and") || word_ends_at(p, before, "or"))
			return true;
		break;
	default:
		break;
	}
	return word_ends_at(p, before, "not");
}

/* -- paths --------------------------------------------------------------------------------------------- */

/* The path of a chain from its field `first` on, behind `base`; malloc'd. */
static char *chain_path(
	const struct parser *p, const struct chain *c, const char *base, size_t base_len, uint32_t first)
{
	struct buf out = BUF_INIT;

	buf_add(&out, base, base_len);
	for (uint32_t i = first; i < c->nfields; i++) {
		if (buf_len(&out))
			buf_addc(&out, '.');
		buf_add(&out, p->lx.src + c->fields[i].off, c->fields[i].end - c->fields[i].off);
	}
	return buf_detach(&out, NULL);
}

/* NULL when the chain stands for nothing that is known by name. */
static char *path_of(const struct parser *p, const struct chain *c)
{
	const struct symbol *s;

	if (c->local >= 0) {
		const char *base = p->lint->locals.v[c->local].path;

		return base ? chain_path(p, c, base, strlen(base), 0) : NULL;
	}
	s = &p->lx.syms[c->sym];
	if (symbol_is(p, c->sym, "_G"))
		return c->nfields ? chain_path(p, c, "", 0, 0) : NULL;
	return chain_path(p, c, s->name, s->len, 0);
}

static int32_t add_use(struct lint *l, enum lint_access access, uint32_t off, uint32_t end, char *path)
{
	struct raw_use u = {
		.use = {.access = access, .is_global = true, .place = {.off = off, .len = end - off}, .path = path},
		.local = -1,
	};

	VEC_ADD(&l->uses, u);
	return (int32_t)l->uses.n - 1;
}

/* The path is complete. */
static void record(struct parser *p, struct chain *c)
{
	struct lint *l = p->lint;
	bool is_env = c->local < 0 && symbol_is(p, c->sym, "_G");
	char *path;

	if (c->is_recorded || !c->is_name)
		return;
	c->is_recorded = true;
	if (is_env && c->nfields == 0)
		l->report->opens_globals = true;
	path = path_of(p, c);
	if (!path)
		return;
	c->use = add_use(l, LINT_READ, c->off, c->end, path);
	l->uses.v[c->use].local = c->local;
	l->uses.v[c->use].use.is_global = c->local < 0;
	/* Who writes `_G.x` knows that it may not be there. */
	l->uses.v[c->use].use.is_tested = is_env;
}

void lint_begin_chain(struct parser *p, struct chain *c, const struct token *name)
{
	*c = (struct chain){.local = -1, .use = -1};
	if (!name)
		return;
	c->is_name = true;
	c->off = name->off;
	c->end = name->end;
	c->sym = name->sym;
	c->local = lint_innermost(p->lint, name->sym);
	if (c->local >= 0) {
		p->lint->locals.v[c->local].reads++;
		p->lint->locals.v[c->local].bare++;
	}
}

/* A step beyond the plain name: the value itself is not handed on. */
static void not_bare(struct lint *l, const struct chain *c)
{
	if (c->is_name && c->nfields == 0 && !c->is_closed && c->local >= 0)
		l->locals.v[c->local].bare--;
}

static void add_step(struct parser *p, struct chain *c, uint32_t off, uint32_t end)
{
	if (c->is_closed || !c->is_name)
		return;
	not_bare(p->lint, c);
	if (c->nfields == CHAIN_FIELDS_MAX) {
		record(p, c);
		c->is_closed = true;
		return;
	}
	c->fields[c->nfields++] = (struct span){off, end};
	c->end = end;
}

void lint_add_field(struct parser *p, struct chain *c, const struct token *field)
{
	add_step(p, c, field->off, field->end);
}

void lint_add_method(struct parser *p, struct chain *c, const struct token *name)
{
	add_step(p, c, name->off, name->end);
	c->is_method = !c->is_closed;
}

bool lint_is_name(const struct parser *p, const struct token *t)
{
	if (t->kind != TK_STRING || p->lx.src[t->off] == '[' || t->end - t->off < 3)
		return false;
	for (uint32_t i = t->off + 1; i + 1 < t->end; i++) {
		if (!is_word_byte(p->lx.src[i]))
			return false;
	}
	return true;
}

void lint_add_index(struct parser *p, struct chain *c)
{
	if (lint_is_name(p, &p->tok) && parser_peek(p, 1)->kind == ']') {
		add_step(p, c, p->tok.off + 1, p->tok.end - 1);
		return;
	}
	if (c->is_closed || !c->is_name)
		return;
	not_bare(p->lint, c);
	record(p, c);
	c->is_indexed = c->nfields == 0;
	c->is_closed = true;
}

static void begin_require(struct parser *p, struct chain *c)
{
	struct token t = p->tok;
	struct buf text = BUF_INIT;

	if (t.kind == '(' && parser_peek(p, 1)->kind == TK_STRING && parser_peek(p, 2)->kind == ')')
		t = *parser_peek(p, 1);
	if (t.kind != TK_STRING) {
		p->lint->report->requires_any = true;
		return;
	}
	lexer_string_value(&p->lx, &t, &text);
	c->use = add_use(p->lint, LINT_REQUIRE, c->off, t.end, xmemdupz(buf_data(&text), buf_len(&text)));
	c->is_require = true;
	buf_done(&text);
}

void lint_begin_call(struct parser *p, struct chain *c)
{
	if (c->is_closed || !c->is_name)
		return;
	not_bare(p->lint, c);
	/* A type's name is no variable here. */
	if (c->local < 0 && is_primitive(c->sym) &&
		(c->nfields == 0 || (c->nfields == 1 && span_is(p, c->fields[0], "is"))))
		c->is_recorded = true;
	record(p, c);
	if (c->local < 0 && c->nfields == 0 && symbol_is(p, c->sym, "require"))
		begin_require(p, c);
	/* A method may add fields to its object. */
	if (c->local >= 0 && c->is_method)
		p->lint->locals.v[c->local].is_open = true;
	c->is_closed = true;
}

void lint_end_call(struct parser *p, struct chain *c)
{
	struct lint *l = p->lint;

	if (!c->is_require)
		return;
	c->is_require = false;
	l->require = (struct span){c->off, p->last_end};
	l->require_use = c->use;
	l->uses.v[c->use].use.place.len = p->last_end - c->off;
}

void lint_end_chain(struct parser *p, struct chain *c)
{
	struct lint *l = p->lint;

	l->last = *c;
	if (c->is_closed || !c->is_name)
		return;
	if (c->local < 0 && c->nfields == 0) {
		if (symbol_is(p, c->sym, "require"))
			l->report->requires_any = true;
		/* An argument of a generic type. */
		if (is_primitive(c->sym) && (p->tok.kind == ',' || p->tok.kind == ')'))
			c->is_recorded = true;
	}
	record(p, c);
	if (c->use >= 0 && is_tested(p, c->off))
		l->uses.v[c->use].use.is_tested = true;
	l->last = *c;
}

/* -- assignments --------------------------------------------------------------------------------------- */

static void assign_global(struct parser *p, const struct chain *c, bool is_function)
{
	struct lint *l = p->lint;
	const struct symbol *s = &p->lx.syms[c->sym];

	if (c->use < 0)
		return;
	l->uses.v[c->use].use.access = LINT_WRITE;
	l->uses.v[c->use].use.is_tested = false;
	if (c->nfields || (s->len && s->name[0] == '_'))
		return;
	while (l->assigned.n <= c->sym)
		VEC_ADD(&l->assigned, false);
	if (l->assigned.v[c->sym])
		return;
	l->assigned.v[c->sym] = true;
	lint_add_problem(l, LINT_GLOBAL_ASSIGNMENT, c->off, c->end,
		xasprintf(is_function ? "function '%.*s' is global; make it local, or name it in the table that is "
					"returned"
				      : "'%.*s' is global; declare it with 'local'",
			(int)s->len, s->name),
		0);
}

void lint_assign(struct parser *p, bool is_function)
{
	const struct chain *c = &p->lint->last;
	struct local *v;

	if (!c->is_name)
		return;
	if (c->local < 0) {
		if (!c->is_closed)
			assign_global(p, c, is_function);
		return;
	}
	v = &p->lint->locals.v[c->local];
	if (c->is_indexed) {
		v->is_open = true;
	} else if (c->is_closed) {
		return;
	} else if (c->nfields == 0) {
		v->writes++;
		v->reads--;
		v->bare--;
	} else {
		if (c->nfields == 1)
			VEC_ADD(&v->keys, c->fields[0]);
		if (c->use >= 0)
			p->lint->uses.v[c->use].use.access = LINT_WRITE;
	}
}

/* -- types and the rest --------------------------------------------------------------------------------- */

void lint_mention(struct parser *p, const struct token *name)
{
	int32_t local = lint_innermost(p->lint, name->sym);

	if (local >= 0)
		p->lint->locals.v[local].reads++;
	else if (p->tok.kind == '.')
		add_use(p->lint, LINT_MENTION, name->off, name->end,
			xmemdupz(p->lx.src + name->off, name->end - name->off));
}

void lint_declare_type(struct parser *p, const struct token *name)
{
	add_use(p->lint, LINT_TYPE, name->off, name->end, xmemdupz(p->lx.src + name->off, name->end - name->off));
}

void lint_finish_names(struct parser *p)
{
	struct lint *l = p->lint;
	struct lint_report *r = l->report;

	r->uses = xcalloc(l->uses.n + 1, sizeof(*r->uses));
	for (uint32_t i = 0; i < l->uses.n; i++) {
		struct raw_use *u = &l->uses.v[i];

		if (u->local >= 0 && l->locals.v[u->local].writes)
			continue;
		r->uses[r->nuses++] = u->use;
		u->use.path = NULL; /* the report's now */
	}
}
