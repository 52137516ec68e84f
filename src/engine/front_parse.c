/*
 * Blocks, statements and functions.
 */
#include "engine/front_note.h"

static void parse_statement(struct parser *p);

static bool at_block_end(const struct parser *p)
{
	switch (p->tok.kind) {
	case TK_ELSE:
	case TK_ELSEIF:
	case TK_END:
	case TK_UNTIL:
	case TK_EOF:
		return true;
	default:
		return false;
	}
}

static void parse_return(struct parser *p)
{
	struct span at = {p->tok.off, p->tok.end};
	enum expr_kind last;
	uint32_t n = 0;

	parser_advance(p);
	if (!at_block_end(p) && p->tok.kind != ';')
		n = parse_expr_list(p, &last);
	if (p->lint)
		lint_return(p, at, n);
	parser_accept(p, ';');
	if (!at_block_end(p))
		parser_fail_expected(p, "the end of the block ('return' is its last statement)");
}

static void parse_break(struct parser *p)
{
	if (!scope_in_loop(p))
		parser_fail_at(p, &p->tok, "'break' outside a loop");
	parser_advance(p);
	while (parser_accept(p, ';'))
		;
	if (!at_block_end(p))
		parser_fail_expected(p, "the end of the block ('break' is its last statement; write 'do break end')");
}

static void parse_statements(struct parser *p)
{
	while (!at_block_end(p)) {
		if (p->tok.kind == TK_RETURN) {
			if (parser_enter(p))
				parse_return(p);
			parser_leave(p);
			return;
		}
		parse_statement(p);
	}
}

/* At its first token. */
static void note_empty(struct parser *p)
{
	if (p->lint && at_block_end(p))
		lint_empty_block(p);
}

static void parse_block(struct parser *p, bool is_loop)
{
	struct block b;

	scope_enter_block(p, &b, is_loop);
	note_empty(p);
	parse_statements(p);
	scope_leave_block(p);
}

static void parse_do(struct parser *p)
{
	uint32_t line = p->tok.line;

	parser_advance(p);
	parse_block(p, false);
	parser_expect_close(p, TK_END, "'end'", "'do'", line);
}

static void parse_while(struct parser *p)
{
	uint32_t line = p->tok.line;

	parser_advance(p);
	parse_expr(p);
	parser_expect(p, TK_DO, "'do' after the condition");
	parse_block(p, true);
	parser_expect_close(p, TK_END, "'end'", "'while'", line);
}

static void parse_repeat(struct parser *p)
{
	uint32_t line = p->tok.line;
	struct block loop;
	struct block body;

	parser_advance(p);
	scope_enter_block(p, &loop, true);
	scope_enter_block(p, &body, false);
	note_empty(p);
	parse_statements(p);
	if (parser_expect_close(p, TK_UNTIL, "'until'", "'repeat'", line))
		parse_expr(p); /* sees the body's locals */
	scope_leave_block(p);
	scope_leave_block(p);
}

static void parse_if(struct parser *p)
{
	uint32_t line = p->tok.line;

	do {
		parser_advance(p);
		parse_expr(p);
		parser_expect(p, TK_THEN, "'then' after the condition");
		parse_block(p, false);
	} while (p->tok.kind == TK_ELSEIF);
	if (parser_accept(p, TK_ELSE))
		parse_block(p, false);
	parser_expect_close(p, TK_END, "'end'", "'if'", line);
}

static void parse_numeric_for(struct parser *p)
{
	parser_advance(p);
	parse_expr(p);
	parser_expect(p, ',', "',' after the loop's first value");
	parse_expr(p);
	if (parser_accept(p, ','))
		parse_expr(p);
}

/* At what may turn out as `pairs(x)` or `ipairs(x)` of the library. */
static bool at_plain_iteration(struct parser *p)
{
	return p->tok.kind == TK_NAME && (p->tok.sym == SYM_PAIRS || p->tok.sym == SYM_IPAIRS) &&
	       !scope_is_local(p, p->tok.sym) && parser_peek(p, 1)->kind == '(';
}

/* The engine's Lua takes a fourth value of the list for one to be closed after the loop, the dialect drops it. So a
 * list that may have a fourth goes through a function that passes on three. `pairs` and `ipairs` give three at most,
 * and a loop over them is too frequent to pay for a call. */
static void parse_generic_for(struct parser *p)
{
	uint32_t start;
	enum expr_kind last;
	bool plain;
	uint32_t n;

	parser_expect(p, TK_IN, "'in' after the loop's variables");
	start = p->tok.off;
	plain = at_plain_iteration(p);
	p->depth++; /* the arguments of that function */
	n = parse_expr_list(p, &last);
	p->depth--;
	if (p->lint)
		lint_drop_items(p->lint, n);
	if (n <= 3 && last != EXPR_CALL && last != EXPR_VARARG)
		return;
	if (n == 1 && plain && p->nsuffixes == 1)
		return;
	p->needs_for = true;
	edits_insert(&p->edits, EDIT_OPEN, start, " " FRONT_FOR "(");
	edits_insert(&p->edits, EDIT_CLOSE, p->last_end, ")");
}

static void parse_for(struct parser *p)
{
	uint32_t line = p->tok.line;
	uint32_t first = p->operands.n;
	enum local_kind kind = LOCAL_LOOP;
	struct block b;
	struct token name;

	parser_advance(p);
	/* The names wait on a stack that is not in use between expressions. */
	do {
		parser_expect_name(p, "the name of a loop variable", &name);
		note_declared_name(p, &name);
		VEC_ADD(&p->operands, (struct operand){.off = name.sym, .end = name.off});
		if (p->tok.kind == ':')
			parser_fail_at(p, &p->tok, "unexpected ':', loop variables take no type annotation");
	} while (parser_accept(p, ','));
	scope_enter_block(p, &b, true);
	if (p->tok.kind == '=' && p->operands.n == first + 1) {
		kind = LOCAL_COUNTER;
		parse_numeric_for(p);
	} else {
		parse_generic_for(p);
	}
	parser_expect(p, TK_DO, "'do' after the loop's values");
	for (uint32_t i = first; i < p->operands.n && !p->failed; i++)
		scope_add_local(p, p->operands.v[i].off, p->operands.v[i].end, kind, i == first);
	p->operands.n = first;
	note_empty(p);
	parse_statements(p);
	scope_leave_block(p);
	parser_expect_close(p, TK_END, "'end'", "'for'", line);
}

static void parse_params(struct parser *p)
{
	struct token name;
	bool first = true;

	if (p->tok.kind == ')')
		return;
	do {
		if (parser_accept(p, TK_DOTS)) {
			p->fn->is_vararg = true;
			parse_annotation(p);
			return;
		}
		if (!parser_expect_name(p, "the name of a parameter", &name))
			return;
		note_declared_name(p, &name);
		scope_add_local(p, name.sym, name.off, LOCAL_PARAM, first);
		first = false;
		if (p->tok.kind == '?')
			parser_fail_at(
				p, &p->tok, "unexpected '?', a parameter that may be nil is written 'name: type?'");
		parse_annotation(p);
	} while (parser_accept(p, ','));
}

void parse_function_body(struct parser *p, bool is_method, uint32_t line)
{
	struct function fn;
	struct block b;

	parse_type_params(p);
	scope_enter_function(p, &fn, &b);
	if (is_method)
		scope_add_local(p, SYM_SELF, p->tok.off, LOCAL_SELF, true);
	if (parser_expect(p, '(', "'(' before the parameters")) {
		uint32_t open = p->last_line;

		parse_params(p);
		parser_expect_close(p, ')', "',' or ')' behind the parameter", "'('", open);
	}
	parse_return_annotation(p);
	if (p->lint && at_block_end(p))
		lint_excuse_params(p);
	parse_statements(p);
	scope_leave_function(p);
	parser_expect_close(p, TK_END, "'end'", "'function'", line);
}

static void parse_function(struct parser *p)
{
	uint32_t line = p->tok.line;
	bool is_method = false;
	struct chain chain;
	struct token name, first;

	parser_advance(p);
	if (!parser_expect_name(p, "the name of the function", &name))
		return;
	first = name;
	note_name(p, &name);
	if (p->lint)
		lint_begin_chain(p, &chain, &name);
	p->nsuffixes = 0;
	while (!is_method && (p->tok.kind == '.' || p->tok.kind == ':')) {
		is_method = p->tok.kind == ':';
		p->nsuffixes++;
		parser_advance(p);
		parser_expect_field(p, is_method ? "a method's name after ':'" : "a field's name after '.'", &name);
		if (p->lint)
			lint_add_field(p, &chain, &name);
	}
	note_assignment(p, &first);
	if (p->lint) {
		lint_end_chain(p, &chain);
		lint_assign(p, true);
	}
	parse_function_body(p, is_method, line);
}

static void parse_local_function(struct parser *p, uint32_t line)
{
	struct token name;

	parser_advance(p);
	if (!parser_expect_name(p, "the name of the function", &name))
		return;
	note_declared_name(p, &name);
	scope_add_local(p, name.sym, name.off, LOCAL_FUNCTION, true);
	parse_function_body(p, false, line);
}

static void parse_local(struct parser *p)
{
	uint32_t line = p->tok.line;
	uint32_t first = p->operands.n;
	uint32_t nvalues = 0;
	struct token name;
	enum expr_kind last = EXPR_OTHER;

	parser_advance(p);
	if (p->tok.kind == TK_FUNCTION) {
		parse_local_function(p, line);
		return;
	}
	do {
		if (!parser_expect_name(p, "the name of a variable", &name))
			break;
		note_declared_name(p, &name);
		VEC_ADD(&p->operands, (struct operand){.off = name.sym, .end = name.off});
		parse_annotation(p);
		if (p->tok.kind == '<')
			parser_fail_at(p, &p->tok, "unexpected '<', local variables take no attributes");
	} while (parser_accept(p, ','));
	if (parser_accept(p, '='))
		nvalues = parse_expr_list(p, &last);
	for (uint32_t i = first; i < p->operands.n && !p->failed; i++)
		scope_add_local(p, p->operands.v[i].off, p->operands.v[i].end, LOCAL_VARIABLE, i == first);
	if (p->lint)
		lint_local_values(p, p->operands.n - first, nvalues, last);
	p->operands.n = first;
}

static void parse_label(struct parser *p)
{
	struct token name;

	parser_advance(p);
	if (!parser_expect_name(p, "the name of the label", &name))
		return;
	parser_expect(p, TK_COLONS, "'::' behind the label");
	scope_check_label(p, &name);
	while (p->tok.kind == ';' || p->tok.kind == TK_COLONS)
		parse_statement(p);
	/* A loop's condition still sees the body's locals, so `until` is no end here. */
	scope_add_label(p, &name, at_block_end(p) && p->tok.kind != TK_UNTIL);
}

static void parse_goto(struct parser *p)
{
	uint32_t line = p->tok.line;
	struct token name;

	parser_advance(p);
	if (parser_expect_name(p, "the name of a label", &name))
		scope_add_goto(p, &name, line);
}

static void parse_call_or_assignment(struct parser *p)
{
	struct token t = p->tok;
	uint32_t depth = p->depth;
	enum expr_kind kind = parse_suffixed_expr(p);

	if (p->tok.kind != '=' && p->tok.kind != ',') {
		if (kind == EXPR_VARIABLE)
			parser_fail_expected(p, "'=' or the arguments of a call");
		else if (kind != EXPR_CALL)
			parser_fail_at(p, &t, "unexpected expression, expected a statement");
		return;
	}
	for (;;) {
		note_assignment(p, &t);
		if (p->lint && kind == EXPR_VARIABLE)
			lint_assign(p, false);
		if (kind != EXPR_VARIABLE)
			parser_fail_at(p, &t, "cannot assign to this, expected a variable or a field");
		if (!parser_accept(p, ','))
			break;
		t = p->tok;
		if (!parser_enter(p))
			break;
		kind = parse_suffixed_expr(p);
	}
	if (parser_expect(p, '=', "'=' behind the variables")) {
		uint32_t n = parse_expr_list(p, &kind);

		if (p->lint)
			lint_drop_items(p->lint, n);
	}
	p->depth = depth;
}

static void parse_simple_statement(struct parser *p)
{
	switch (p->tok.kind) {
	case ';':
		parser_advance(p);
		break;
	case TK_IF:
		parse_if(p);
		break;
	case TK_WHILE:
		parse_while(p);
		break;
	case TK_DO:
		parse_do(p);
		break;
	case TK_FOR:
		parse_for(p);
		break;
	case TK_REPEAT:
		parse_repeat(p);
		break;
	case TK_FUNCTION:
		parse_function(p);
		break;
	case TK_LOCAL:
		parse_local(p);
		break;
	case TK_COLONS:
		parse_label(p);
		break;
	case TK_GOTO:
		parse_goto(p);
		break;
	case TK_BREAK:
		parse_break(p);
		break;
	case TK_INTERFACE:
		parse_interface_statement(p);
		break;
	case TK_NAME:
		if (p->tok.sym == SYM_TYPE && parser_peek(p, 1)->kind == TK_NAME)
			parse_type_statement(p);
		else
			parse_call_or_assignment(p);
		break;
	case '(':
		/* Where a cast was blanked, the line before may look like a function to call. */
		edits_insert(&p->edits, EDIT_SEPARATE, p->tok.off, ";");
		parse_call_or_assignment(p);
		break;
	default:
		parser_fail_expected(p, "a statement");
	}
}

static void parse_statement(struct parser *p)
{
	if (parser_enter(p))
		parse_simple_statement(p);
	parser_leave(p);
}

void parse_chunk(struct parser *p)
{
	struct function fn;
	struct block b;

	p->type_quiet = 1;
	parser_advance(p);
	scope_enter_function(p, &fn, &b);
	fn.is_vararg = true;
	parse_statements(p);
	if (p->tok.kind != TK_EOF)
		parser_fail_expected(p, "a statement or the end of the file (every block is closed already)");
	scope_leave_function(p);
}
