/*
 * Where types stand: annotations, type parameters, and the statements that declare types. All are blanked; a
 * declaration at the level of the chunk leaves a call that defines its global.
 */
#include "engine/front_note.h"
#include "engine/front_type.h"

void parse_annotation(struct parser *p)
{
	uint32_t start = p->tok.off;

	if (!parser_accept(p, ':'))
		return;
	p->type_quiet++;
	parse_type(p);
	p->type_quiet--;
	edits_blank(&p->edits, start, p->last_end);
}

/* "(" ")" | "(" type "," type ... ")" | type { "," type }; a list becomes a tuple. */
static void parse_returns(struct parser *p)
{
	bool is_list = p->tok.kind == '(';
	uint32_t n = 1;

	parse_results(p);
	if (is_list && p->tok.kind != ',')
		return;
	while (parser_accept(p, ',')) {
		parse_type(p);
		n++;
	}
	if (n > 1)
		type_emit_count(p, ',', n);
}

void parse_return_annotation(struct parser *p)
{
	uint32_t start = p->tok.off;

	if (!parser_accept(p, ':'))
		return;
	p->type_quiet++;
	parse_returns(p);
	p->type_quiet--;
	edits_blank(&p->edits, start, p->last_end);
}

/* At '<'. */
static uint32_t parse_type_param_list(struct parser *p)
{
	uint32_t n = 0;

	parser_advance(p);
	do {
		struct token name;

		parser_expect_name(p, "the name of a type parameter", &name);
		if (parser_accept(p, ':')) {
			parse_type(p);
			type_emit_token(p, 'c', &name);
		} else {
			type_emit_token(p, 'p', &name);
		}
		n++;
	} while (parser_accept(p, ','));
	parse_greater(p, "',' or '>' behind the type parameter");
	return n;
}

void parse_type_params(struct parser *p)
{
	uint32_t start = p->tok.off;

	if (p->tok.kind != '<')
		return;
	p->type_quiet++;
	parse_type_param_list(p);
	p->type_quiet--;
	edits_blank(&p->edits, start, p->last_end);
}

/* Is the statement at the level of the chunk, and the first to declare the name? */
static bool begins_declaration(struct parser *p, const struct token *name)
{
	struct symbol *s = &p->lx.syms[name->sym];

	if (p->failed || p->fn->outer || p->fn->block->outer || s->type >= 0)
		return false;
	s->type = (int32_t)p->types.n;
	if (p->lint)
		lint_declare_type(p, name);
	VEC_ADD(&p->types, (struct declared_type){.sym = name->sym});
	return true;
}

static void end_declaration(struct parser *p, const struct token *name, uint32_t start)
{
	struct buf call = BUF_INIT;

	type_emit_token(p, 'D', name);
	buf_addf(&call, FRONT_TYPES "(_ENV,\"%.*s\")", (int)(name->end - name->off), p->lx.src + name->off);
	edits_insert(&p->edits, EDIT_SEPARATE, start, buf_str(&call));
	buf_done(&call);
}

void parse_type_statement(struct parser *p)
{
	uint32_t start = p->tok.off;
	uint32_t quiet = p->type_quiet;
	struct token name;
	bool declares;

	parser_advance(p);
	parser_expect_name(p, "the name of the type", &name);
	declares = begins_declaration(p, &name);
	p->type_quiet = declares ? 0 : 1;
	if (p->tok.kind == '<' && parse_type_param_list(p) && declares)
		p->types.v[p->types.n - 1].is_generic = true;
	parser_expect(p, '=', "'=' after the type's name");
	parse_type(p);
	if (declares)
		end_declaration(p, &name, start);
	p->type_quiet = quiet;
	edits_blank(&p->edits, start, p->last_end);
}

/* At `function` in an interface. */
static void parse_interface_method(struct parser *p)
{
	uint32_t line = p->tok.line;
	struct token method;
	uint32_t n = 0;

	parser_advance(p);
	parser_expect_field(p, "the name of a method", &method);
	parser_expect(p, '(', "'(' after the method's name");
	while (p->tok.kind != ')' && p->tok.kind != TK_EOF) {
		struct token name;
		bool variadic = parser_accept(p, TK_DOTS);

		if (!variadic && !parser_expect_name(p, "the name of a parameter", &name))
			break;
		if (parser_accept(p, ':'))
			parse_type(p);
		else
			type_emit(p, "a");
		if (variadic)
			type_emit(p, ".");
		n++;
		if (!parser_accept(p, ','))
			break;
	}
	parser_expect_close(p, ')', "',' or ')' behind the parameter", "'('", line);
	if (parser_accept(p, ':'))
		parse_returns(p);
	else
		type_emit(p, "a");
	type_emit_count(p, '(', n);
	type_emit_token(p, 'k', &method);
}

void parse_interface_statement(struct parser *p)
{
	uint32_t start = p->tok.off;
	uint32_t line = p->tok.line;
	uint32_t quiet = p->type_quiet;
	uint32_t nparents = 0;
	uint32_t n = 0;
	struct token name;
	bool declares;

	parser_advance(p);
	parser_expect_name(p, "the name of the interface", &name);
	declares = begins_declaration(p, &name);
	p->type_quiet = declares ? 0 : 1;
	if (p->tok.kind == '<' && parse_type_param_list(p) && declares)
		p->types.v[p->types.n - 1].is_generic = true;
	if (parser_accept(p, ':')) {
		do {
			if (p->tok.kind != TK_NAME) {
				parser_fail_expected(p, "the name of an interface after ':'");
				break;
			}
			parse_named_type(p);
			nparents++;
		} while (parser_accept(p, ','));
	}
	for (; p->tok.kind == TK_FUNCTION || type_at_field(p); n++) {
		if (p->tok.kind == TK_FUNCTION) {
			parse_interface_method(p);
			continue;
		}
		struct token field = p->tok;
		char op = parser_peek(p, 1)->kind == '?' ? 'o' : 'k';

		parser_advance(p);
		parser_accept(p, '?');
		parser_advance(p);
		parse_type(p);
		type_emit_token(p, op, &field);
		if (!parser_accept(p, ','))
			parser_accept(p, ';');
	}
	parser_expect_close(p, TK_END, "'function' or 'end'", "'interface'", line);
	type_emit_count(p, '{', n);
	if (nparents)
		type_emit_count(p, '&', nparents + 1);
	if (declares)
		end_declaration(p, &name, start);
	p->type_quiet = quiet;
	edits_blank(&p->edits, start, p->last_end);
}
