/*
 * Local variables as the linter sees them, and the rules that need nothing but the text around.
 */
#include <string.h>

#include "base/alloc.h"
#include "engine/front_note.h"

static bool is_private(const struct parser *p, uint32_t sym)
{
	const struct symbol *s = &p->lx.syms[sym];

	return sym == SYM_SELF || (s->len && s->name[0] == '_');
}

static const char *kind_name(enum local_kind kind)
{
	switch (kind) {
	case LOCAL_PARAM:
		return "parameter";
	case LOCAL_FUNCTION:
		return "local function";
	case LOCAL_LOOP:
	case LOCAL_COUNTER:
		return "loop variable";
	default:
		return "local variable";
	}
}

static void check_shadowing(struct parser *p, const struct local *v)
{
	struct lint *l = p->lint;
	const struct symbol *s = &p->lx.syms[v->sym];
	const struct local *outer;

	if (v->outer < 0 || is_private(p, v->sym))
		return;
	outer = &l->locals.v[v->outer];
	/* A second `local ok, err = ...` of one block is a new start on purpose. */
	if (outer->place >= p->fn->block->first_local)
		return;
	lint_add_problem(l, LINT_SHADOWING, v->off, v->off + s->len,
		xasprintf("%s '%.*s' shadows the %s declared on line", kind_name(v->kind), (int)s->len, s->name,
			kind_name(outer->kind)),
		outer->off + 1);
}

void lint_declare(struct parser *p, uint32_t sym, uint32_t off, enum local_kind kind, bool first)
{
	struct lint *l = p->lint;
	struct local v = {.sym = sym, .off = off, .kind = kind, .place = l->scope.n, .outer = lint_innermost(l, sym)};

	while (l->innermost.n < p->lx.nsyms)
		VEC_ADD(&l->innermost, -1);
	/* An annotation between two parameters may hold a function with variables of its own. */
	v.group = first || v.place == 0 ? ++l->group : l->locals.v[l->scope.v[v.place - 1]].group;
	v.is_function = kind == LOCAL_FUNCTION;
	check_shadowing(p, &v);
	l->innermost.v[sym] = (int32_t)l->locals.n;
	VEC_ADD(&l->scope, (int32_t)l->locals.n);
	VEC_ADD(&l->locals, v);
}

static void set_value(struct parser *p, struct local *v, const struct item *it)
{
	struct lint *l = p->lint;
	const struct symbol *s;
	const char *base;
	struct buf path = BUF_INIT;

	switch (it->kind) {
	case ITEM_REQUIRE:
		v->is_import = true;
		v->path = xstrdup(l->uses.v[it->use].use.path);
		break;
	case ITEM_FUNCTION:
		v->is_function = true;
		break;
	case ITEM_TABLE:
		v->is_table = true;
		v->is_open = it->is_open;
		for (uint32_t i = 0; i < it->nkeys; i++)
			VEC_ADD(&v->keys, l->keys.v[it->first_key + i]);
		break;
	case ITEM_CHAIN:
		s = &p->lx.syms[it->chain.sym];
		base = it->chain.local >= 0 ? l->locals.v[it->chain.local].path : NULL;
		if (it->chain.local >= 0 && !base)
			break;
		if (base)
			buf_adds(&path, base);
		else
			buf_add(&path, s->name, s->len);
		for (uint32_t i = 0; i < it->chain.nfields; i++) {
			buf_addc(&path, '.');
			buf_add(&path, p->lx.src + it->chain.fields[i].off,
				it->chain.fields[i].end - it->chain.fields[i].off);
		}
		/* A program may lengthen a path step by step without end; nothing is known that deep. */
		if (buf_len(&path) <= PATH_BYTES_MAX)
			v->path = buf_detach(&path, NULL);
		buf_done(&path);
		break;
	default:
		break;
	}
}

void lint_local_values(struct parser *p, uint32_t nnames, uint32_t nvalues, enum expr_kind last)
{
	struct lint *l = p->lint;
	bool has_results = nvalues && nvalues <= nnames && (last == EXPR_CALL || last == EXPR_VARARG);

	if (p->failed || nnames > l->scope.n || nvalues > l->items.n)
		return;
	for (uint32_t i = 0; i < nnames; i++) {
		struct local *v = &l->locals.v[l->scope.v[l->scope.n - nnames + i]];

		v->is_tied = has_results && i + 1 >= nvalues;
		if (i < nvalues)
			set_value(p, v, &l->items.v[l->items.n - nvalues + i]);
	}
	lint_drop_items(l, nvalues);
}

/* -- unused -------------------------------------------------------------------------------------------- */

static void report_unused(struct parser *p, const struct local *v)
{
	const struct symbol *s = &p->lx.syms[v->sym];
	enum lint_rule rule = LINT_UNUSED_LOCAL;
	char *text;

	if (v->kind == LOCAL_PARAM) {
		rule = LINT_UNUSED_PARAMETER;
		text = xasprintf("parameter '%.*s' is never used; begin its name with '_' if it has to be there",
			(int)s->len, s->name);
	} else if (v->is_import) {
		rule = LINT_UNUSED_IMPORT;
		text = xasprintf("'%.*s' is required but never used", (int)s->len, s->name);
	} else {
		text = xasprintf("%s '%.*s' is %s", kind_name(v->kind), (int)s->len, s->name,
			v->writes ? "set but never read" : "never used");
	}
	lint_add_problem(p->lint, rule, v->off, v->off + s->len, text, 0);
}

/* May it be unused, so that what is behind it gets its value? */
static bool keeps_place(const struct parser *p, const struct local *v, bool later_used)
{
	switch (v->kind) {
	case LOCAL_SELF:
	case LOCAL_COUNTER:
		return true;
	case LOCAL_PARAM:
		return later_used || p->fn->is_vararg;
	case LOCAL_LOOP:
		return later_used;
	default:
		return v->is_tied && later_used;
	}
}

void lint_leave_block(struct parser *p, uint32_t first_local)
{
	struct lint *l = p->lint;
	uint32_t group = 0;
	bool later_used = false;

	while (l->scope.n > first_local) {
		struct local *v = &l->locals.v[l->scope.v[--l->scope.n]];
		bool first = l->scope.n == first_local || l->locals.v[l->scope.v[l->scope.n - 1]].group != v->group;

		l->innermost.v[v->sym] = v->outer;
		if (v->group != group) {
			group = v->group;
			later_used = false;
		}
		/* The first variable of a loop is there in any case. */
		if (v->reads == 0 && !is_private(p, v->sym) && !keeps_place(p, v, later_used) &&
			!(v->kind == LOCAL_LOOP && first))
			report_unused(p, v);
		later_used |= v->reads > 0;
	}
}

void lint_excuse_params(struct parser *p)
{
	struct lint *l = p->lint;

	for (uint32_t i = p->fn->block->first_local; i < l->scope.n; i++)
		l->locals.v[l->scope.v[i]].reads++;
}

/* -- remarks ------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';';
}

/* A comment says that the block is empty on purpose. */
void lint_empty_block(struct parser *p)
{
	uint32_t start = p->last_end;

	if (p->failed)
		return;
	for (uint32_t i = p->last_end; i < p->tok.off; i++) {
		if (!is_blank(p->lx.src[i]))
			return;
	}
	while (start > 0 && p->lx.src[start - 1] >= 'a' && p->lx.src[start - 1] <= 'z')
		start--;
	lint_add_problem(p->lint, LINT_EMPTY_BLOCK, start, p->last_end,
		xasprintf("this block is empty; a comment in it says that it is meant to be"), 0);
}

/* Nothing in it gives another value the second time. */
static bool is_stable(const char *s, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		if (strchr("({\"'", s[i]) || (s[i] == '[' && i + 1 < len && (s[i + 1] == '[' || s[i + 1] == '=')))
			return false;
	}
	return true;
}

void lint_comparison(struct parser *p, uint32_t op, struct span left, uint32_t right)
{
	const char *src = p->lx.src;
	uint32_t len = left.end - left.off;

	/* `x ~= x` is how one asks for NaN. */
	if (p->failed || op == TK_NE || p->last_end - right != len || memcmp(src + left.off, src + right, len) != 0 ||
		!is_stable(src + left.off, len))
		return;
	lint_add_problem(p->lint, LINT_SELF_COMPARE, left.off, p->last_end,
		xasprintf("both sides of the comparison are the same%s",
			op == TK_EQ ? "; to ask for NaN write x ~= x" : ""),
		0);
}
