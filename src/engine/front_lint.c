#include "engine/front_lint.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/front_note.h"

void lint_add_problem(struct lint *l, enum lint_rule rule, uint32_t off, uint32_t end, char *text, uint32_t other_off)
{
	VEC_ADD(&l->problems, (struct lint_problem){
				      .rule = rule,
				      .place = {.off = off, .len = end > off ? end - off : 1},
				      .other_line = other_off, /* an offset until all is parsed */
				      .text = text,
			      });
}

void lint_note_error(struct parser *p, const struct token *t, const char *text)
{
	struct lint *l = p->lint;
	uint32_t off = t->off;

	/* An error at the end is shown behind the last thing there is, not on an empty line. */
	while (t->kind == TK_EOF && off > 0 && strchr(" \t\r\n", p->lx.src[off - 1]))
		off--;
	l->error_off = off;
	free(l->error);
	l->error = xstrdup(text);
	l->report->has_syntax_error = true;
}

/* -- positions ----------------------------------------------------------------------------------------- */

struct lines {
	uint32_t *starts;
	uint32_t n;
};

static void lines_init(struct lines *ls, const char *src, uint32_t len)
{
	uint32_t cap = len / 24 + 16;

	ls->starts = xreallocarray(NULL, cap, sizeof(*ls->starts));
	ls->starts[0] = 0;
	ls->n = 1;
	for (uint32_t i = 0; i < len; i++) {
		char c = src[i];

		if (c != '\n' && c != '\r')
			continue;
		/* The lexer's rule: two different ones are one line end. */
		if ((src[i + 1] == '\n' || src[i + 1] == '\r') && src[i + 1] != c)
			i++;
		if (ls->n == cap) {
			cap *= 2;
			ls->starts = xreallocarray(ls->starts, cap, sizeof(*ls->starts));
		}
		ls->starts[ls->n++] = i + 1;
	}
}

static uint32_t line_of(const struct lines *ls, uint32_t off)
{
	uint32_t low = 0, high = ls->n;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (ls->starts[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low + 1;
}

static void set_place(const struct lines *ls, struct lint_place *p)
{
	p->line = line_of(ls, p->off);
	p->column = p->off - ls->starts[p->line - 1] + 1;
	if (p->len == 0)
		p->len = 1;
}

static int by_place(const void *a, const void *b)
{
	const struct lint_problem *x = a, *y = b;

	if (x->place.off != y->place.off)
		return x->place.off < y->place.off ? -1 : 1;
	return (int)x->rule - (int)y->rule;
}

static void drop_problems(struct lint *l)
{
	for (uint32_t i = 0; i < l->problems.n; i++)
		free(l->problems.v[i].text);
	l->problems.n = 0;
}

static void set_places(struct lint *l, const char *src, uint32_t len)
{
	struct lint_report *r = l->report;
	struct lines ls;

	lines_init(&ls, src, len);
	for (uint32_t i = 0; i < l->problems.n; i++) {
		struct lint_problem *pr = &l->problems.v[i];

		set_place(&ls, &pr->place);
		if (pr->other_line)
			pr->other_line = line_of(&ls, pr->other_line - 1);
	}
	for (size_t i = 0; i < r->nuses; i++)
		set_place(&ls, &r->uses[i].place);
	set_place(&ls, &r->export_place);
	free(ls.starts);
}

/* -- life ---------------------------------------------------------------------------------------------- */

static void lint_done(struct lint *l)
{
	for (uint32_t i = 0; i < l->locals.n; i++) {
		free(l->locals.v[i].path);
		free(l->locals.v[i].keys.v);
	}
	for (uint32_t i = 0; i < l->uses.n; i++)
		free(l->uses.v[i].use.path);
	free(l->locals.v);
	free(l->scope.v);
	free(l->innermost.v);
	free(l->uses.v);
	free(l->items.v);
	free(l->keys.v);
	free(l->assigned.v);
	free(l->returns.v);
	free(l->error);
}

struct lint_report *front_lint(const char *source, size_t len)
{
	struct lint_report *r = xcalloc(1, sizeof(*r));
	struct lint l = {.report = r, .require_use = -1};
	struct parser p = {.id = "", .err = &(struct err){0}, .lint = &l};
	struct buf copy = BUF_INIT;

	if (len > FRONT_SOURCE_MAX) {
		r->has_syntax_error = true;
		l.error = xasprintf("source too long, expected at most %d bytes", FRONT_SOURCE_MAX);
		source = "";
		len = 0;
	}
	/* The lexer relies on a NUL behind the last byte. */
	buf_add(&copy, source, len);
	front_parser_init(&p, buf_str(&copy), len);
	if (!r->has_syntax_error)
		parse_chunk(&p);
	if (r->has_syntax_error) {
		drop_problems(&l);
		lint_add_problem(&l, LINT_SYNTAX, l.error_off, l.error_off + 1, l.error, 0);
		l.error = NULL;
	} else {
		lint_finish_export(&p);
		lint_finish_names(&p);
	}
	set_places(&l, p.lx.src, p.lx.len);
	if (l.problems.n > 1)
		qsort(l.problems.v, l.problems.n, sizeof(*l.problems.v), by_place);
	r->problems = l.problems.v;
	r->nproblems = l.problems.n;
	lint_done(&l);
	front_parser_done(&p);
	buf_done(&copy);
	return r;
}

void lint_report_free(struct lint_report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->nproblems; i++)
		free(r->problems[i].text);
	for (size_t i = 0; i < r->nuses; i++)
		free(r->uses[i].path);
	for (size_t i = 0; i < r->nfields; i++)
		free(r->fields[i]);
	free(r->problems);
	free(r->uses);
	free(r->fields);
	free(r);
}
