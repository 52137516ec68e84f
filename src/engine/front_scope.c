/*
 * Local variables, labels and gotos. A goto goes to the label of its name in the innermost enclosing block that has
 * one, before or behind it. The engine's Lua also refuses a label whose name is visible from an enclosing block; such
 * a label gets a new name, and so do the gotos that reach it.
 */
#include "engine/front_note.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* In scope, or waiting for their label, at a time. The engine's Lua ends at 32767 of each; looking up is linear here
 * as there. */
enum { LABELS_MAX = 4000, GOTOS_MAX = 30000 };

void scope_add_local(struct parser *p, uint32_t sym, uint32_t off, enum local_kind kind, bool first)
{
	if (p->lint)
		lint_declare(p, sym, off, kind, first);
	VEC_ADD(&p->locals, sym);
	p->lx.syms[sym].nlocals++;
}

bool scope_is_local(const struct parser *p, uint32_t sym)
{
	return p->lx.syms[sym].nlocals > 0;
}

static void open_block(struct parser *p, struct block *b, struct block *outer, bool is_loop)
{
	*b = (struct block){
		.outer = outer,
		.is_loop = is_loop,
		.first_local = p->locals.n,
		.first_label = p->labels.n,
		.first_goto = p->gotos.n,
	};
	p->fn->block = b;
}

void scope_enter_block(struct parser *p, struct block *b, bool is_loop)
{
	open_block(p, b, p->fn->block, is_loop);
}

void scope_enter_function(struct parser *p, struct function *fn, struct block *b)
{
	*fn = (struct function){.outer = p->fn, .first_label = p->labels.n, .first_goto = p->gotos.n};
	p->fn = fn;
	open_block(p, b, NULL, false);
}

static void rename_at(struct parser *p, uint32_t off, uint32_t end, uint32_t number)
{
	char name[32];
	int len = snprintf(name, sizeof(name), FRONT_LABEL "%u", number);

	edits_replace(&p->edits, off, end, name, (size_t)len);
}

static void resolve(struct parser *p, const struct pending_goto *g, const struct label *l)
{
	const struct symbol *s;

	if (g->nlocals < l->nlocals) {
		const struct symbol *local = &p->lx.syms[p->locals.v[g->nlocals]];

		s = &p->lx.syms[g->sym];
		parser_fail_at(p, &(struct token){.off = g->off, .line = g->line},
			"<goto %.*s> at line %u jumps into the scope of local '%.*s'", (int)s->len, s->name, g->line,
			(int)local->len, local->name);
	} else if (l->renamed) {
		rename_at(p, g->off, g->end, l->renamed);
	}
}

/* The label of that name from index `first` on, NULL if there is none. */
static const struct label *find_label(const struct parser *p, uint32_t sym, uint32_t first)
{
	for (uint32_t i = p->labels.n; i > first; i--) {
		if (p->labels.v[i - 1].sym == sym)
			return &p->labels.v[i - 1];
	}
	return NULL;
}

void scope_leave_block(struct parser *p)
{
	struct block *b = p->fn->block;
	uint32_t kept = b->first_goto;

	if (p->lint)
		lint_leave_block(p, b->first_local);
	while (p->locals.n > b->first_local)
		p->lx.syms[p->locals.v[--p->locals.n]].nlocals--;
	p->labels.n = b->first_label;
	/* What found no label here looks in the block around, as from its level. */
	for (uint32_t i = b->first_goto; i < p->gotos.n; i++) {
		struct pending_goto g = p->gotos.v[i];
		const struct label *l = b->outer ? find_label(p, g.sym, b->outer->first_label) : NULL;

		if (g.nlocals > b->first_local)
			g.nlocals = b->first_local;
		if (l)
			resolve(p, &g, l);
		else
			p->gotos.v[kept++] = g;
	}
	p->gotos.n = kept;
	p->fn->block = b->outer;
}

void scope_leave_function(struct parser *p)
{
	struct function *fn = p->fn;

	scope_leave_block(p);
	if (p->gotos.n > fn->first_goto) {
		const struct pending_goto *g = &p->gotos.v[fn->first_goto];
		const struct symbol *s = &p->lx.syms[g->sym];

		parser_fail_at(p, &(struct token){.off = g->off, .line = g->line},
			"no visible label '%.*s' for <goto> at line %u", (int)s->len, s->name, g->line);
		p->gotos.n = fn->first_goto;
	}
	p->fn = fn->outer;
}

void scope_check_label(struct parser *p, const struct token *name)
{
	const struct label *l = find_label(p, name->sym, p->fn->block->first_label);
	const struct symbol *s = &p->lx.syms[name->sym];

	if (l)
		parser_fail_at(p, name, "label '%.*s' already defined on line %u", (int)s->len, s->name, l->line);
}

/* A name that looks like one of ours has to make room. */
static bool is_reserved_label(const struct symbol *s)
{
	const uint32_t len = sizeof(FRONT_LABEL) - 1;

	return s->len > len && memcmp(s->name, FRONT_LABEL, len) == 0;
}

void scope_add_label(struct parser *p, const struct token *name, bool is_last)
{
	struct block *b = p->fn->block;
	struct label l = {.sym = name->sym, .line = name->line};
	uint32_t kept = b->first_goto;

	scope_check_label(p, name);
	if (p->failed)
		return;
	if (p->labels.n >= LABELS_MAX) {
		parser_fail_at(p, name, "too many labels in one function, expected at most %d", LABELS_MAX);
		return;
	}
	/* At the end of a block its locals count as gone already. */
	l.nlocals = is_last ? b->first_local : p->locals.n;
	if (find_label(p, name->sym, p->fn->first_label) || is_reserved_label(&p->lx.syms[name->sym])) {
		l.renamed = ++p->nrenamed;
		rename_at(p, name->off, name->end, l.renamed);
	}
	for (uint32_t i = b->first_goto; i < p->gotos.n; i++) {
		if (p->gotos.v[i].sym == name->sym)
			resolve(p, &p->gotos.v[i], &l);
		else
			p->gotos.v[kept++] = p->gotos.v[i];
	}
	p->gotos.n = kept;
	VEC_ADD(&p->labels, l);
}

void scope_add_goto(struct parser *p, const struct token *name, uint32_t line)
{
	struct pending_goto g = {
		.sym = name->sym, .line = line, .off = name->off, .end = name->end, .nlocals = p->locals.n};
	const struct label *l = find_label(p, name->sym, p->fn->block->first_label);

	if (l) {
		resolve(p, &g, l);
	} else if (p->gotos.n >= GOTOS_MAX) {
		parser_fail_at(p, name, "too many gotos in one function, expected at most %d", GOTOS_MAX);
	} else {
		VEC_ADD(&p->gotos, g);
	}
}

bool scope_in_loop(const struct parser *p)
{
	for (const struct block *b = p->fn->block; b; b = b->outer) {
		if (b->is_loop)
			return true;
	}
	return false;
}
