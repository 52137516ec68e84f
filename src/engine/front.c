#include "engine/front.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/front_parse.h"

/* Now that all types are known: calls of their names mean them, whatever globals of these names hold. */
static void note_type_uses(struct parser *p)
{
	for (uint32_t i = 0; i < p->uses.n; i++) {
		const struct type_use *u = &p->uses.v[i];

		if (p->lx.syms[u->sym].type < 0 || u->sym == SYM_ENV)
			continue;
		edits_insert(&p->edits, EDIT_PREFIX, u->off, FRONT_TYPES ".");
		if (u->dot)
			edits_replace(&p->edits, u->dot, u->dot + 1, ":", 1);
	}
	for (uint32_t i = 0; i < p->type_args.n; i++) {
		const struct type_arg *a = &p->type_args.v[i];
		const struct type_use *u = &p->uses.v[a->use];
		int32_t type = p->lx.syms[u->sym].type;

		if (type >= 0 && p->types.v[type].is_generic && !u->dot && u->sym != SYM_ENV)
			edits_insert(&p->edits, EDIT_PREFIX, a->off, FRONT_TYPEOF ".");
	}
}

static void add_quoted(struct buf *out, const char *s, size_t len)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			buf_addf(out, "\\%03u", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

static void write_output(struct parser *p, struct buf *out)
{
	buf_reserve(out, p->lx.len + p->lx.len / 8 + 256);
	buf_adds(out, "local " FRONT_TEXT "," FRONT_TYPEOF "=... ");
	if (p->needs_for)
		buf_adds(out, "local function " FRONT_FOR "(f,s,c)return f,s,c end ");
	if (p->types.n) {
		buf_adds(out, "local " FRONT_TYPES "=" FRONT_TYPEOF);
		add_quoted(out, buf_data(&p->type_text), buf_len(&p->type_text));
		buf_addc(out, ' ');
	}
	buf_adds(out, "return function(_ENV,...) ");
	if (p->types.n)
		buf_adds(out, "local " FRONT_TYPES "=" FRONT_TYPES "(_ENV) ");
	edits_apply(&p->edits, p->lx.src, p->lx.len, out);
	/* The source may end in a comment without a line end. */
	buf_adds(out, "\nend\n");
}

static void list_globals(const struct parser *p, struct front_output *ret)
{
	ret->globals = xcalloc(p->lx.nsyms, sizeof(*ret->globals));
	for (uint32_t i = 0; i < p->lx.nsyms; i++) {
		const struct symbol *s = &p->lx.syms[i];
		unsigned use = s->global | (s->type >= 0 ? GLOBAL_ASSIGN : 0);

		if (!use || i == SYM_ENV)
			continue;
		ret->globals[ret->nglobals++] = (struct front_global){
			.name = xmemdupz(s->name, s->len),
			.is_assigned = use & GLOBAL_ASSIGN,
			.is_only_indexed = (use & (GLOBAL_FIELD | GLOBAL_VALUE | GLOBAL_ASSIGN)) == GLOBAL_FIELD,
			.is_indexed = use & GLOBAL_INDEX,
			.is_called = use & GLOBAL_CALL,
			.is_operand = use & GLOBAL_OPERAND,
		};
	}
	ret->opens_globals = p->opens_globals;
}

void front_parser_init(struct parser *p, const char *src, size_t len)
{
	lexer_init(&p->lx, src, len);
	edits_init(&p->edits);
	if (p->lx.pos) /* the byte order mark */
		edits_blank(&p->edits, 0, p->lx.pos);
}

void front_parser_done(struct parser *p)
{
	lexer_done(&p->lx);
	edits_done(&p->edits);
	buf_done(&p->type_text);
	free(p->locals.v);
	free(p->labels.v);
	free(p->gotos.v);
	free(p->uses.v);
	free(p->type_args.v);
	free(p->operands.v);
	free(p->types.v);
}

int front_translate(const char *id, const char *source, size_t len, struct front_output *ret, struct err *e)
{
	struct parser p = {.id = id, .err = e};
	struct buf out = BUF_INIT;
	struct buf copy = BUF_INIT;

	if (len > FRONT_SOURCE_MAX)
		return err_set(
			e, ERR_INVALID, "%s:1:1: source too long, expected at most %d bytes", id, FRONT_SOURCE_MAX);
	/* The lexer relies on a NUL behind the last byte, which a caller with a slice of a file does not have. */
	buf_add(&copy, source, len);
	front_parser_init(&p, buf_str(&copy), len);
	parse_chunk(&p);
	if (!p.failed) {
		note_type_uses(&p);
		write_output(&p, &out);
		ret->lua = buf_detach(&out, &ret->len);
		list_globals(&p, ret);
	}
	buf_done(&copy);
	front_parser_done(&p);
	return p.failed ? -1 : 0;
}

void front_output_done(struct front_output *o)
{
	for (size_t i = 0; i < o->nglobals; i++)
		free(o->globals[i].name);
	free(o->globals);
	free(o->lua);
	*o = (struct front_output){0};
}
