/*
 * Expressions. Casts and `!` are blanked; where one stands behind a call or `...`, parentheses keep it a single value.
 *
 * `..` puts floats and error objects into the engine's Lua in ways the dialect does not, so each operand that might be
 * one is handed to FRONT_TEXT first. What __concat returns inside a chain is not looked at again.
 */
#include "engine/front_parse.h"

#include <string.h>

#include "base/number.h"
#include "engine/front_note.h"

enum {
	PRIORITY_UNARY = 12,
	PRIORITY_COMPARE = 3,
	PRIORITY_CONCAT = 9,
	/* The engine's parser descends once per operand of `..` and keeps all in registers, so a longer chain
	 * is cut into groups of groups of this many (which matters only to a __concat that is not associative). */
	CONCAT_GROUP = 16,
	CONCAT_PLAIN_MAX = 32,
};

struct priority {
	unsigned char left;
	unsigned char right;
};

static struct priority priority_of(uint32_t kind)
{
	switch (kind) {
	case TK_OR:
		return (struct priority){1, 1};
	case TK_AND:
		return (struct priority){2, 2};
	case '<':
	case '>':
	case TK_LE:
	case TK_GE:
	case TK_EQ:
	case TK_NE:
		return (struct priority){PRIORITY_COMPARE, PRIORITY_COMPARE};
	case '|':
		return (struct priority){4, 4};
	case '~':
		return (struct priority){5, 5};
	case '&':
		return (struct priority){6, 6};
	case TK_SHL:
	case TK_SHR:
		return (struct priority){7, 7};
	case TK_CONCAT:
		return (struct priority){PRIORITY_CONCAT, PRIORITY_CONCAT};
	case '+':
	case '-':
		return (struct priority){10, 10};
	case '*':
	case '/':
	case TK_IDIV:
	case '%':
		return (struct priority){11, 11};
	case '^':
		return (struct priority){14, 13};
	default:
		return (struct priority){0, 0};
	}
}

static enum expr_kind parse_subexpr(struct parser *p, unsigned limit);

void note_name(struct parser *p, const struct token *t)
{
	if (t->sym != SYM_ENV)
		return;
	if (scope_is_local(p, SYM_ENV))
		edits_replace(&p->edits, t->off, t->end, FRONT_LOCAL_ENV, strlen(FRONT_LOCAL_ENV));
	else
		edits_insert(&p->edits, EDIT_PREFIX, t->off, "_ENV.");
}

void note_declared_name(struct parser *p, const struct token *t)
{
	if (t->sym == SYM_ENV)
		edits_replace(&p->edits, t->off, t->end, FRONT_LOCAL_ENV, strlen(FRONT_LOCAL_ENV));
}

/* Is the current token the literal that follows `require`, in parentheses or not? */
static bool at_required_name(struct parser *p)
{
	const struct token *t = &p->tok;

	if (t->kind == '(' && parser_peek(p, 1)->kind == TK_STRING && parser_peek(p, 2)->kind == ')')
		t = parser_peek(p, 1);
	return t->kind == TK_STRING && !memchr(p->lx.src + t->off, '\\', t->end - t->off);
}

/* The name of a global, behind which the current token is. */
static void note_global(struct parser *p, uint32_t sym)
{
	static const char require[] = "require";
	struct symbol *s = &p->lx.syms[sym];

	s->global |= p->tok.kind == '.' ? GLOBAL_FIELD : GLOBAL_VALUE;
	if (s->len == sizeof(require) - 1 && memcmp(s->name, require, s->len) == 0 && !at_required_name(p))
		p->opens_globals = true;
}

void note_assignment(struct parser *p, const struct token *t)
{
	if (t->kind == TK_NAME && !scope_is_local(p, t->sym))
		p->lx.syms[t->sym].global |= p->nsuffixes == 0 ? GLOBAL_ASSIGN : GLOBAL_VALUE | GLOBAL_INDEX;
}

/* The expression parsed last is used so. */
static void note_use(struct parser *p, enum global_use use)
{
	if (p->bare)
		p->lx.syms[p->bare].global |= use;
	p->bare = 0;
}

/* The current token begins a suffix of it. */
static void note_suffix(struct parser *p)
{
	switch (p->tok.kind) {
	case '.':
	case '[':
	case ':':
		note_use(p, GLOBAL_INDEX);
		break;
	case '(':
	case '{':
	case TK_STRING:
		note_use(p, GLOBAL_CALL);
		break;
	default:
		break;
	}
}

/* Is the current token `::` one end of a label? */
static bool at_label(struct parser *p)
{
	const struct token *name;
	const struct token *close;

	if (p->tok.kind != TK_COLONS)
		return false;
	name = parser_peek(p, 1);
	if (name->kind != TK_NAME || name->line != p->tok.line)
		return false;
	close = parser_peek(p, 2);
	return close->kind == TK_COLONS && close->line == p->tok.line;
}

/* The engine's Lua would refuse `\q`, and give `\x41`, `\u{41}` and `\z` a meaning: only the character stays. */
static void drop_odd_escapes(struct parser *p, const struct token *t)
{
	const char *s = p->lx.src;

	if (!t->odd_escape)
		return;
	for (uint32_t i = t->off + 1; i + 1 < t->end; i++) {
		if (s[i] != '\\')
			continue;
		i++;
		if (s[i] == '\0' || !strchr("abfnrtv\\\"'0123456789\n\r", s[i]))
			edits_replace(&p->edits, i - 1, i, "", 0);
	}
}

static void parse_table(struct parser *p)
{
	uint32_t line = p->tok.line;
	uint32_t start = p->tok.off;
	bool noted = p->lint && lint_begin_table(p);

	parser_advance(p);
	while (p->tok.kind != '}' && p->tok.kind != TK_EOF) {
		if ((p->tok.kind == TK_NAME || token_is_word(&p->tok)) && parser_peek(p, 1)->kind == '=') {
			struct token key;

			parser_expect_field(p, "a field's name", &key);
			parser_advance(p);
			if (noted)
				lint_add_key(p->lint, key.off, key.end);
		} else if (p->tok.kind == '[') {
			parser_advance(p);
			if (noted)
				lint_add_computed_key(p);
			parse_expr(p);
			parser_expect(p, ']', "']' after the key");
			parser_expect(p, '=', "'=' after the key in brackets");
		}
		parse_expr(p);
		if (!parser_accept(p, ',') && !parser_accept(p, ';'))
			break;
	}
	parser_expect_close(p, '}', "',' or '}'", "'{'", line);
	if (noted)
		lint_end_table(p, start);
}

uint32_t parse_expr_list(struct parser *p, enum expr_kind *ret_last)
{
	uint32_t n = 0;

	do {
		uint32_t start = p->tok.off;

		*ret_last = parse_expr(p);
		if (p->lint)
			lint_add_item(p, start);
		n++;
	} while (parser_accept(p, ','));
	return n;
}

/* The name a call begins with, as long as it can still be a type's: `T(…)`, `T:is(…)`, `T.is(…)`. */
struct callee {
	bool is_global;
	uint32_t sym;
	uint32_t off;
	uint32_t dot;
};

static bool is_primitive(uint32_t sym)
{
	return sym >= SYM_BOOLEAN && sym <= SYM_NEVER;
}

static void note_call(struct parser *p, const struct callee *c)
{
	if (!is_primitive(c->sym)) {
		VEC_ADD(&p->uses, (struct type_use){.sym = c->sym, .off = c->off, .dot = c->dot});
		return;
	}
	edits_insert(&p->edits, EDIT_PREFIX, c->off, FRONT_TYPEOF ".");
	if (c->dot)
		edits_replace(&p->edits, c->dot, c->dot + 1, ":", 1);
}

static void parse_arg_list(struct parser *p, const struct callee *c)
{
	uint32_t line = p->tok.line;
	uint32_t use = p->uses.n;

	if (c->is_global)
		note_call(p, c);
	switch (p->tok.kind) {
	case TK_STRING:
		drop_odd_escapes(p, &p->tok);
		parser_advance(p);
		return;
	case '{':
		parse_table(p);
		return;
	case '(':
		break;
	default:
		parser_fail_expected(p, "arguments of the call");
		return;
	}
	if (line != p->last_line) {
		parser_fail_at(p, &p->tok, "ambiguous syntax (function call x new statement)");
		return;
	}
	parser_advance(p);
	if (parser_accept(p, ')'))
		return;
	do {
		if (p->uses.n > use && p->tok.kind == TK_NAME && is_primitive(p->tok.sym) &&
			!scope_is_local(p, p->tok.sym)) {
			uint32_t next = parser_peek(p, 1)->kind;

			if (next == ',' || next == ')')
				VEC_ADD(&p->type_args, (struct type_arg){.use = use, .off = p->tok.off});
		}
		parse_expr(p);
	} while (parser_accept(p, ','));
	parser_expect_close(p, ')', "',' or ')' behind the argument", "'('", line);
}

static void parse_args(struct parser *p, const struct callee *c, struct chain *chain)
{
	if (p->lint)
		lint_begin_call(p, chain);
	parse_arg_list(p, c);
	if (p->lint)
		lint_end_call(p, chain);
}

/* `x!` as a step to something of x; at the end of an operand it is left to the casts. */
static bool at_inner_nonnil(struct parser *p)
{
	const struct token *next = parser_peek(p, 1);

	return next->kind == '.' || next->kind == '[' || next->kind == ':' ||
	       (next->kind == '(' && next->line == p->tok.line);
}

static enum expr_kind parse_primary(struct parser *p, struct callee *ret_callee)
{
	struct token t = p->tok;
	enum expr_kind kind;

	switch (t.kind) {
	case TK_NAME:
		note_name(p, &t);
		*ret_callee = (struct callee){.is_global = !scope_is_local(p, t.sym), .sym = t.sym, .off = t.off};
		p->bare = ret_callee->is_global ? t.sym : 0;
		parser_advance(p);
		return EXPR_VARIABLE;
	case '(':
		parser_advance(p);
		kind = parse_expr(p);
		parser_expect_close(p, ')', "')'", "'('", t.line);
		return kind == EXPR_TEXT ? EXPR_TEXT : EXPR_OTHER;
	default:
		parser_fail_expected(p, "an expression");
		return EXPR_OTHER;
	}
}

/*
 * Lua before 5.4.7 generates wrong code for `t[a == b]` where t is an upvalue ("Wrong code generation for indices with comparisons",
 * https://www.lua.org/bugs.html): it lets a comparison wait, which other operators bring to an end.
 */
static void parse_index(struct parser *p)
{
	uint32_t start = p->tok.off;
	bool is_plain;

	parse_expr(p);
	if (p->comparison == COMPARISON_NONE)
		return;
	is_plain = p->comparison == COMPARISON_PLAIN;
	edits_insert(&p->edits, EDIT_OPEN, start, is_plain ? "(" : "({");
	edits_insert(&p->edits, EDIT_CLOSE, p->last_end, is_plain ? ")or false" : "})[1]");
	parser_deepen(p, is_plain ? 1 : 2);
}

enum expr_kind parse_suffixed_expr(struct parser *p)
{
	struct callee c = {0};
	struct chain chain;
	struct token field = p->tok;
	enum expr_kind kind = parse_primary(p, &c);
	uint32_t bare;

	if (c.is_global)
		note_global(p, c.sym);
	bare = p->bare;
	if (p->lint)
		lint_begin_chain(p, &chain, kind == EXPR_VARIABLE ? &field : NULL);
	for (uint32_t n = 0;; n++) {
		p->nsuffixes = n;
		p->bare = bare;
		note_suffix(p);
		bare = p->bare;
		switch (p->tok.kind) {
		case '.':
			field.off = p->tok.off;
			parser_advance(p);
			if (c.is_global && !c.dot && p->tok.kind == TK_IS)
				c.dot = field.off;
			else
				c.is_global = false;
			parser_expect_field(p, "a field's name after '.'", &field);
			if (p->lint)
				lint_add_field(p, &chain, &field);
			kind = EXPR_VARIABLE;
			break;
		case '[':
			parser_advance(p);
			if (p->lint)
				lint_add_index(p, &chain);
			parse_index(p);
			parser_expect(p, ']', "']' after the index");
			c.is_global = false;
			kind = EXPR_VARIABLE;
			break;
		case ':':
			parser_advance(p);
			if (c.dot || p->tok.kind != TK_IS)
				c.is_global = false;
			parser_expect_field(p, "a method's name after ':'", &field);
			if (p->lint)
				lint_add_method(p, &chain, &field);
			parse_args(p, &c, &chain);
			c.is_global = false;
			kind = EXPR_CALL;
			break;
		case '(':
		case '{':
		case TK_STRING:
			parse_args(p, &c, &chain);
			c.is_global = false;
			kind = EXPR_CALL;
			break;
		case '!':
			if (!at_inner_nonnil(p))
				goto out;
			edits_blank(&p->edits, p->tok.off, p->tok.end);
			parser_advance(p);
			c.is_global = false;
			break;
		default:
			goto out;
		}
	}
out:
	if (p->lint)
		lint_end_chain(p, &chain);
	return kind;
}

static enum expr_kind parse_operand(struct parser *p)
{
	struct token t = p->tok;

	switch (t.kind) {
	case TK_INT:
	case TK_NIL:
	case TK_TRUE:
	case TK_FALSE:
		parser_advance(p);
		return EXPR_TEXT;
	case TK_FLOAT:
		parser_advance(p);
		if (!t.wide)
			return EXPR_FLOAT;
		/* An exponent makes a hexadecimal float of what would wrap around as an integer. */
		edits_insert(&p->edits, EDIT_CLOSE, t.end, "p0");
		return EXPR_OTHER;
	case TK_STRING:
		drop_odd_escapes(p, &t);
		parser_advance(p);
		return EXPR_TEXT;
	case TK_DOTS:
		if (!p->fn->is_vararg)
			parser_fail_at(p, &t, "cannot use '...' outside a vararg function");
		parser_advance(p);
		return EXPR_VARARG;
	case '{':
		parse_table(p);
		return EXPR_TEXT;
	case TK_FUNCTION:
		parser_advance(p);
		parse_function_body(p, false, t.line);
		if (p->lint)
			lint_end_function(p, t.off);
		return EXPR_TEXT;
	default:
		return parse_suffixed_expr(p);
	}
}

/* An operand with the casts behind it. */
static enum expr_kind parse_cast(struct parser *p)
{
	uint32_t start = p->tok.off;
	uint32_t first = p->tok.kind;
	enum expr_kind kind = parse_operand(p);

	if (first != TK_NAME && first != '(')
		p->bare = 0;
	if (first != '(' || p->nsuffixes > 0)
		p->comparison = COMPARISON_NONE;
	while (p->tok.kind == '!' || p->tok.kind == TK_AS || (p->tok.kind == TK_COLONS && !at_label(p))) {
		struct token t = p->tok;

		if (t.kind == '!' && p->lx.src[t.end] == '=') {
			parser_fail_at(p, &t, "unexpected '!=', expected '~=' for inequality");
			break;
		}
		if (kind == EXPR_CALL || kind == EXPR_VARARG) {
			edits_insert(&p->edits, EDIT_OPEN, start, "(");
			edits_insert(&p->edits, EDIT_CLOSE, p->last_end, ")");
			parser_deepen(p, 1);
		}
		if (kind != EXPR_TEXT)
			kind = EXPR_OTHER;
		parser_advance(p);
		if (t.kind != '!') {
			p->type_quiet++;
			parse_type(p);
			p->type_quiet--;
		}
		edits_blank(&p->edits, t.off, p->last_end);
	}
	return kind;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* See to it that the operand just parsed concatenates as the dialect says. */
static void give_text(struct parser *p, enum expr_kind kind, uint32_t start)
{
	char text[NUMBER_TEXT_MAX + 2];
	size_t len;

	VEC_ADD(&p->operands, (struct operand){.off = start, .end = p->last_end});
	switch (kind) {
	case EXPR_TEXT:
		return;
	case EXPR_FLOAT:
		text[0] = '"';
		len = number_format_float(
			lexer_number_value(&p->lx, &(struct token){.off = start, .end = p->last_end}), text + 1);
		text[len + 1] = '"';
		edits_replace(&p->edits, start, p->last_end, text, len + 2);
		return;
	default:
		/* The blank keeps it apart from a word in front, as in `and(x) ..`. */
		edits_insert(&p->edits, EDIT_OPEN, start,
			start > 0 && is_name_byte(p->lx.src[start - 1]) ? " " FRONT_TEXT "(" : FRONT_TEXT "(");
		edits_insert(&p->edits, EDIT_CLOSE, p->last_end, ")");
	}
}

/* Parentheses around each CONCAT_GROUP operands, around each CONCAT_GROUP of these, and so on; returns the levels. */
static uint32_t group_operands(struct parser *p, const struct operand *v, uint32_t n)
{
	uint32_t levels = 0;

	for (uint32_t size = CONCAT_GROUP; size < n; size *= CONCAT_GROUP, levels++) {
		for (uint32_t i = 0; i < n; i += size) {
			uint32_t last = i + size < n ? i + size - 1 : n - 1;

			edits_insert(&p->edits, EDIT_OPEN, v[i].off, "(");
			edits_insert(&p->edits, EDIT_CLOSE, v[last].end, ")");
		}
	}
	return levels;
}

/* How much deeper than the chain the engine's parser meets its i-th operand. */
static uint32_t operand_depth(uint32_t i)
{
	uint32_t depth = 0;

	if (i < CONCAT_PLAIN_MAX)
		return i;
	for (; i; i /= CONCAT_GROUP)
		depth += i % CONCAT_GROUP;
	return depth + 1;
}

/* At the first `..` behind an operand. */
static void parse_concat(struct parser *p, enum expr_kind kind, uint32_t start)
{
	uint32_t first = p->operands.n;
	uint32_t depth = p->depth;
	uint32_t levels = 1;
	uint32_t n;

	give_text(p, kind, start);
	while (p->tok.kind == TK_CONCAT) {
		parser_advance(p);
		p->depth = depth + operand_depth(p->operands.n - first);
		start = p->tok.off;
		kind = parse_subexpr(p, PRIORITY_CONCAT);
		give_text(p, kind, start);
	}
	p->depth = depth;
	n = p->operands.n - first;
	if (n > CONCAT_PLAIN_MAX)
		levels += group_operands(p, p->operands.v + first, n);
	p->operands.n = first;
	parser_deepen(p, levels);
}

static enum expr_kind kind_of_unary(uint32_t op)
{
	return op == TK_NOT || op == '~' ? EXPR_TEXT : EXPR_OTHER;
}

static enum expr_kind kind_of_binary(unsigned priority)
{
	/* Comparisons give booleans, bitwise operators integers. */
	return priority >= 3 && priority <= 7 ? EXPR_TEXT : EXPR_OTHER;
}

/* An operator of that priority was parsed with its operands. */
static void note_comparison(struct parser *p, unsigned priority)
{
	if (priority == PRIORITY_COMPARE)
		p->comparison = COMPARISON_PLAIN;
	else if (priority > PRIORITY_COMPARE)
		p->comparison = COMPARISON_NONE;
	else if (p->comparison != COMPARISON_NONE)
		p->comparison = COMPARISON_LAST;
}

static bool is_unary(uint32_t kind)
{
	return kind == TK_NOT || kind == '-' || kind == '#' || kind == '~';
}

/* Operators that bind tighter than `limit`. */
static enum expr_kind parse_subexpr(struct parser *p, unsigned limit)
{
	uint32_t peak = p->peak;
	uint32_t start = p->tok.off;
	enum expr_kind kind;

	p->peak = 0;
	if (parser_enter(p)) {
		if (is_unary(p->tok.kind)) {
			uint32_t op = p->tok.kind;

			parser_advance(p);
			parse_subexpr(p, PRIORITY_UNARY);
			note_use(p, op == TK_NOT ? 0 : GLOBAL_OPERAND);
			if (op != TK_NOT)
				p->comparison = COMPARISON_NONE;
			else if (p->comparison != COMPARISON_NONE)
				p->comparison = COMPARISON_PLAIN;
			kind = kind_of_unary(op);
		} else {
			kind = parse_cast(p);
		}
		for (;;) {
			struct priority pr = priority_of(p->tok.kind);

			if (pr.left <= limit)
				break;
			if (p->tok.kind == TK_CONCAT) {
				parse_concat(p, kind, start);
				p->bare = 0;
				p->comparison = COMPARISON_NONE;
				kind = EXPR_TEXT;
			} else {
				uint32_t op = p->tok.kind;
				uint32_t end = p->last_end;
				enum global_use use = pr.left > PRIORITY_COMPARE ? GLOBAL_OPERAND : 0;
				uint32_t right;

				note_use(p, use);
				parser_advance(p);
				right = p->tok.off;
				parse_subexpr(p, pr.right);
				/* `and` and `or` of a literal are their last operand. */
				if (pr.left >= PRIORITY_COMPARE)
					note_use(p, use);
				note_comparison(p, pr.left);
				if (p->lint && pr.left == PRIORITY_COMPARE)
					lint_comparison(p, op, (struct span){start, end}, right);
				kind = kind_of_binary(pr.left);
			}
		}
	} else {
		kind = EXPR_OTHER;
	}
	parser_leave(p);
	if (peak > p->peak)
		p->peak = peak;
	return kind;
}

enum expr_kind parse_expr(struct parser *p)
{
	return parse_subexpr(p, 0);
}
