/*
 * What expressions are as a whole, as far as it matters to those that get them; table constructors, and what the chunk returns.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/front_note.h"

/* -- lists and constructors ---------------------------------------------------------------------------- */

static bool is_whole(const struct parser *p, struct span s, uint32_t start)
{
	return s.off == start && s.end == p->last_end;
}

void lint_add_item(struct parser *p, uint32_t start)
{
	struct lint *l = p->lint;
	struct item it = {.kind = ITEM_OTHER};

	if (is_whole(p, l->table, start)) {
		it.kind = ITEM_TABLE;
		it.first_key = l->table_key;
		it.nkeys = l->keys.n - l->table_key;
		it.is_open = l->table_is_open;
	} else if (is_whole(p, l->function, start)) {
		it.kind = ITEM_FUNCTION;
	} else if (l->require_use >= 0 && is_whole(p, l->require, start)) {
		it.kind = ITEM_REQUIRE;
		it.use = l->require_use;
	} else if (l->last.is_name && !l->last.is_closed &&
		   is_whole(p, (struct span){l->last.off, l->last.end}, start)) {
		it.kind = ITEM_CHAIN;
		it.chain = l->last;
	}
	VEC_ADD(&l->items, it);
}

void lint_drop_items(struct lint *l, uint32_t n)
{
	l->items.n -= n < l->items.n ? n : l->items.n;
}

bool lint_begin_table(struct parser *p)
{
	struct lint *l = p->lint;

	if (p->fn->outer || l->in_table)
		return false;
	l->in_table = true;
	l->table_key = l->keys.n;
	l->table_is_open = false;
	return true;
}

void lint_add_key(struct lint *l, uint32_t off, uint32_t end)
{
	VEC_ADD(&l->keys, (struct span){off, end});
}

void lint_add_computed_key(struct parser *p)
{
	if (lint_is_name(p, &p->tok) && parser_peek(p, 1)->kind == ']')
		lint_add_key(p->lint, p->tok.off + 1, p->tok.end - 1);
	else
		p->lint->table_is_open = true;
}

void lint_end_table(struct parser *p, uint32_t off)
{
	p->lint->in_table = false;
	p->lint->table = (struct span){off, p->last_end};
}

void lint_end_function(struct parser *p, uint32_t off)
{
	p->lint->function = (struct span){off, p->last_end};
}

/* -- what the chunk returns ---------------------------------------------------------------------------- */

void lint_return(struct parser *p, struct span at, uint32_t n)
{
	struct lint *l = p->lint;

	/* A failed parse may have dropped some. */
	if (!p->fn->outer && n <= l->items.n) {
		if (n) {
			struct item *first = &l->items.v[l->items.n - n];

			if (first->kind == ITEM_CHAIN && first->chain.local >= 0 && first->chain.nfields == 0)
				l->locals.v[first->chain.local].bare--;
			VEC_ADD(&l->returns, *first);
		}
		if (!l->has_return)
			l->return_at = at;
		l->has_return = true;
	}
	lint_drop_items(l, n);
}

static void add_fields(struct parser *p, const struct span *v, uint32_t n)
{
	struct lint_report *r = p->lint->report;

	r->fields = xreallocarray(r->fields, r->nfields + n + 1, sizeof(*r->fields));
	for (uint32_t i = 0; i < n; i++)
		r->fields[r->nfields++] = xmemdupz(p->lx.src + v[i].off, v[i].end - v[i].off);
}

/* Of one `return`; its fields are added to the report's. */
static enum lint_export export_of(struct parser *p, const struct item *it)
{
	const struct lint *l = p->lint;
	const struct local *v;

	switch (it->kind) {
	case ITEM_TABLE:
		if (it->nkeys)
			add_fields(p, l->keys.v + it->first_key, it->nkeys);
		return it->is_open ? LINT_EXPORT_UNKNOWN : LINT_EXPORT_TABLE;
	case ITEM_FUNCTION:
		return LINT_EXPORT_FUNCTION;
	case ITEM_CHAIN:
		if (it->chain.local < 0 || it->chain.nfields)
			return LINT_EXPORT_UNKNOWN;
		v = &l->locals.v[it->chain.local];
		if (v->writes)
			return LINT_EXPORT_UNKNOWN;
		if (v->is_function)
			return LINT_EXPORT_FUNCTION;
		if (!v->is_table || v->is_open || v->bare)
			return LINT_EXPORT_UNKNOWN;
		add_fields(p, v->keys.v, v->keys.n);
		return LINT_EXPORT_TABLE;
	default:
		return LINT_EXPORT_UNKNOWN;
	}
}

void lint_finish_export(struct parser *p)
{
	struct lint *l = p->lint;
	enum lint_export all = LINT_EXPORT_NOTHING;

	for (uint32_t i = 0; i < l->returns.n; i++) {
		enum lint_export one = export_of(p, &l->returns.v[i]);

		if (i > 0 && one != all)
			one = LINT_EXPORT_UNKNOWN;
		all = one;
		if (all == LINT_EXPORT_UNKNOWN)
			break;
	}
	l->report->export = all;
	if (!l->has_return)
		l->return_at = (struct span){lint_skip_blanks_back(p, p->lx.len), 0};
	l->report->export_place.off = l->return_at.off;
	l->report->export_place.len = l->return_at.end > l->return_at.off ? l->return_at.end - l->return_at.off : 1;
}
