/*
 * Type syntax. Types are blanked; those declared at the level of the chunk are also written down in their compact form
 * (type.h), an operand before its operator, as they are read.
 */
#include "engine/front_type.h"

#include "engine/front_note.h"

void type_emit(struct parser *p, const char *text)
{
	if (!p->type_quiet)
		buf_adds(&p->type_text, text);
}

void type_emit_count(struct parser *p, char op, uint32_t n)
{
	if (!p->type_quiet)
		buf_addf(&p->type_text, "%c%u;", op, n);
}

static void type_emit_text(struct parser *p, char op, const char *text, uint32_t len)
{
	if (p->type_quiet)
		return;
	buf_addf(&p->type_text, "%c%u:", op, len);
	buf_add(&p->type_text, text, len);
}

void type_emit_token(struct parser *p, char op, const struct token *t)
{
	type_emit_text(p, op, p->lx.src + t->off, t->end - t->off);
}

/* Blanks may stand behind the minus; the compact form has none. */
static void emit_number(struct parser *p, bool minus, const struct token *t)
{
	if (p->type_quiet)
		return;
	buf_addf(&p->type_text, "N%u:%s", t->end - t->off + minus, minus ? "-" : "");
	buf_add(&p->type_text, p->lx.src + t->off, t->end - t->off);
}

static void emit_string(struct parser *p, const struct token *t)
{
	struct buf value = BUF_INIT;

	if (p->type_quiet)
		return;
	lexer_string_value(&p->lx, t, &value);
	type_emit_text(p, 'Q', buf_data(&value), (uint32_t)buf_len(&value));
	buf_done(&value);
}

/* `>`; the second half of `>>` or `>=` stays for later. */
void parse_greater(struct parser *p, const char *what)
{
	if (p->tok.kind == TK_SHR || p->tok.kind == TK_GE) {
		p->tok.kind = p->tok.kind == TK_SHR ? '>' : '=';
		p->last_end = ++p->tok.off;
		return;
	}
	parser_expect(p, '>', what);
}

static bool at_field_name(struct parser *p)
{
	return p->tok.kind == TK_NAME || token_is_word(&p->tok);
}

/* A validator's argument that is a literal is written down; others are only parsed. */
static bool parse_validator_arg(struct parser *p)
{
	struct token t = p->tok;
	bool minus = t.kind == '-';
	const struct token *number = minus ? parser_peek(p, 1) : &p->tok;
	uint32_t next = parser_peek(p, minus ? 2 : 1)->kind;
	bool is_number = number->kind == TK_INT || number->kind == TK_FLOAT;

	if ((next != ',' && next != ')') || (!is_number && (minus || t.kind != TK_STRING))) {
		p->type_quiet++;
		parse_expr(p);
		p->type_quiet--;
		return false;
	}
	if (minus)
		parser_advance(p);
	if (is_number)
		emit_number(p, minus, &p->tok);
	else
		emit_string(p, &p->tok);
	parser_advance(p);
	return true;
}

/* At '@'. Those that take no single literal have no meaning at run time and are left out. */
static void parse_validator(struct parser *p)
{
	size_t mark = buf_len(&p->type_text);
	struct token name;
	bool known = false;
	uint32_t n = 0;

	parser_advance(p);
	parser_expect_field(p, "the name of a validator after '@'", &name);
	if (p->tok.kind == '(') {
		uint32_t line = p->tok.line;

		parser_advance(p);
		if (p->tok.kind != ')') {
			do {
				known = parse_validator_arg(p);
				n++;
			} while (parser_accept(p, ','));
		}
		parser_expect_close(p, ')', "',' or ')' behind the validator's argument", "'('", line);
	}
	if (p->type_quiet || p->failed)
		return;
	if (known && n == 1)
		type_emit_token(p, '@', &name);
	else
		buf_truncate(&p->type_text, mark);
}

enum paren { PAREN_FUNCTION, PAREN_GROUP, PAREN_LIST };

static enum paren parse_paren(struct parser *p, uint32_t *ret_n);
static void parse_type_behind_atom(struct parser *p);

/* "(" ")" | "(" type "," type ... ")" | type */
void parse_results(struct parser *p)
{
	enum paren paren;
	uint32_t n;

	if (p->tok.kind != '(') {
		parse_type(p);
		return;
	}
	if (!parser_enter(p)) {
		parser_leave(p);
		return;
	}
	paren = parse_paren(p, &n);
	if (paren == PAREN_LIST)
		type_emit_count(p, ',', n);
	else
		parse_type_behind_atom(p);
	parser_leave(p);
}

/* At '('. A function type, or types in parentheses: one (left as it is) or a list of `*ret_n`. */
static enum paren parse_paren(struct parser *p, uint32_t *ret_n)
{
	uint32_t line = p->tok.line;
	bool only_params = false;
	uint32_t n = 0;

	parser_advance(p);
	while (p->tok.kind != ')' && p->tok.kind != TK_EOF) {
		if (parser_accept(p, TK_DOTS)) {
			only_params = true;
			parser_accept(p, ':');
			if (p->tok.kind == ')' || p->tok.kind == ',')
				type_emit(p, "a");
			else
				parse_type(p);
			type_emit(p, ".");
		} else {
			if (at_field_name(p) && parser_peek(p, 1)->kind == ':') {
				only_params = true;
				parser_advance(p);
				parser_advance(p);
			}
			parse_type(p);
		}
		n++;
		if (!parser_accept(p, ','))
			break;
	}
	parser_expect_close(p, ')', "',' or ')' behind the type", "'('", line);
	*ret_n = n;
	if (p->tok.kind == TK_ARROW) {
		parser_advance(p);
		parse_results(p);
		type_emit_count(p, '(', n);
		return PAREN_FUNCTION;
	}
	if (only_params)
		parser_fail_expected(p, "'->' and the results of the function type");
	return n == 1 ? PAREN_GROUP : PAREN_LIST;
}

/* fun(...) [: results] */
static void parse_fun_type(struct parser *p)
{
	uint32_t line = p->tok.line;
	uint32_t n = 0;

	parser_advance(p);
	parser_expect(p, '(', "'(' after 'fun'");
	while (p->tok.kind != ')' && p->tok.kind != TK_EOF) {
		bool variadic = parser_accept(p, TK_DOTS);

		if (!variadic && at_field_name(p) && parser_peek(p, 1)->kind == ':') {
			parser_advance(p);
			parser_advance(p);
		} else if (variadic) {
			parser_accept(p, ':');
		}
		if (variadic && (p->tok.kind == ')' || p->tok.kind == ','))
			type_emit(p, "a");
		else
			parse_type(p);
		if (variadic)
			type_emit(p, ".");
		n++;
		if (!parser_accept(p, ','))
			break;
	}
	parser_expect_close(p, ')', "',' or ')' behind the parameter's type", "'('", line);
	if (parser_accept(p, ':'))
		parse_results(p);
	else
		type_emit(p, "a");
	type_emit_count(p, '(', n);
}

bool type_at_field(struct parser *p)
{
	uint32_t next;

	if (!at_field_name(p))
		return false;
	next = parser_peek(p, 1)->kind;
	return next == ':' || (next == '?' && parser_peek(p, 2)->kind == ':');
}

/* field { "," field } [ "," ]; returns how many. */
static uint32_t parse_fields(struct parser *p)
{
	uint32_t n = 0;

	while (p->tok.kind != '}' && p->tok.kind != TK_EOF) {
		struct token name = p->tok;
		char op = 'k';

		if (!type_at_field(p)) {
			parser_fail_expected(p, "a field as in 'name: type'");
			break;
		}
		parser_advance(p);
		if (parser_accept(p, '?'))
			op = 'o';
		parser_advance(p);
		parse_type(p);
		while (p->tok.kind == '@')
			parse_validator(p);
		type_emit_token(p, op, &name);
		n++;
		if (!parser_accept(p, ',') && !parser_accept(p, ';'))
			break;
	}
	return n;
}

/* At '{'. */
static void parse_table_type(struct parser *p)
{
	uint32_t line = p->tok.line;

	parser_advance(p);
	if (p->tok.kind == '}') {
		type_emit_count(p, '{', 0);
	} else if (parser_accept(p, '[')) {
		parse_type(p);
		parser_expect(p, ']', "']' after the type of the keys");
		parser_expect(p, ':', "':' before the type of the values");
		parse_type(p);
		type_emit(p, "M");
	} else if (type_at_field(p)) {
		type_emit_count(p, '{', parse_fields(p));
	} else {
		parse_type(p);
		type_emit(p, "[");
	}
	parser_expect_close(p, '}', "',' or '}'", "'{'", line);
}

static void parse_interface_type(struct parser *p)
{
	uint32_t line;

	parser_advance(p);
	line = p->tok.line;
	if (!parser_expect(p, '{', "'{' after 'interface' in a type"))
		return;
	type_emit_count(p, '{', parse_fields(p));
	parser_expect_close(p, '}', "',' or '}'", "'{'", line);
}

/* The letter of a type that every program knows, 0 if the name is none. */
static char primitive_letter(uint32_t sym)
{
	static const char letters[] = {
		[SYM_BOOLEAN - SYM_SELF] = 'b',
		[SYM_NUMBER - SYM_SELF] = 'd',
		[SYM_INTEGER - SYM_SELF] = 'i',
		[SYM_STRING - SYM_SELF] = 's',
		[SYM_ANY - SYM_SELF] = 'a',
		[SYM_UNKNOWN - SYM_SELF] = 'u',
		[SYM_NEVER - SYM_SELF] = 'v',
		[SYM_TABLE - SYM_SELF] = 't',
		[SYM_THREAD - SYM_SELF] = 'h',
		[SYM_USERDATA - SYM_SELF] = 'x',
		[SYM_ERROR - SYM_SELF] = 'e',
		[0] = 'S',
	};

	return sym >= SYM_SELF && sym <= SYM_ERROR ? letters[sym - SYM_SELF] : '\0';
}

/* At a name: a primitive, a reference, a reference with arguments. */
void parse_named_type(struct parser *p)
{
	struct token name = p->tok;
	char letter = primitive_letter(name.sym);
	uint32_t n = 0;
	size_t mark = buf_len(&p->type_text);

	parser_advance(p);
	if (p->lint)
		lint_mention(p, &name);
	if (letter && p->tok.kind != '.') {
		type_emit(p, (const char[]){letter, '\0'});
		return;
	}
	type_emit_token(p, 'R', &name);
	if (parser_accept(p, '.')) {
		struct token member;

		parser_expect_field(p, "a type's name after '.'", &member);
		if (!p->type_quiet && !p->failed) {
			struct buf path = BUF_INIT;

			buf_truncate(&p->type_text, mark);
			buf_addf(&path, "%.*s.%.*s", (int)(name.end - name.off), p->lx.src + name.off,
				(int)(member.end - member.off), p->lx.src + member.off);
			type_emit_text(p, 'R', buf_data(&path), (uint32_t)buf_len(&path));
			buf_done(&path);
		}
	}
	if (p->tok.kind != '<')
		return;
	parser_advance(p);
	do {
		parse_type(p);
		n++;
	} while (parser_accept(p, ','));
	parse_greater(p, "',' or '>' behind the type argument");
	type_emit_count(p, 'I', n);
}

/* At `asserts`. */
static void parse_asserts(struct parser *p)
{
	struct token name;

	parser_advance(p);
	parser_expect_name(p, "the name of a parameter after 'asserts'", &name);
	if (parser_accept(p, TK_IS)) {
		p->type_quiet++;
		parse_type(p);
		p->type_quiet--;
	}
	type_emit(p, "a");
}

/* At `typeof`: known to the checker only, so anything at run time. */
static void parse_typeof(struct parser *p)
{
	uint32_t line;

	parser_advance(p);
	line = p->tok.line;
	if (!parser_expect(p, '(', "'(' after 'typeof'"))
		return;
	p->type_quiet++;
	parse_expr(p);
	p->type_quiet--;
	parser_expect_close(p, ')', "')'", "'('", line);
	type_emit(p, "a");
}

static void parse_keyof(struct parser *p)
{
	uint32_t line;

	parser_advance(p);
	line = p->tok.line;
	if (!parser_expect(p, '(', "'(' after 'keyof'"))
		return;
	parse_type(p);
	parser_expect_close(p, ')', "')'", "'('", line);
	type_emit(p, "y");
}

static void emit_letter(struct parser *p, const char *letter)
{
	type_emit(p, letter);
	parser_advance(p);
}

static void parse_number_type(struct parser *p)
{
	bool minus = parser_accept(p, '-');

	if (minus && p->tok.kind != TK_INT && p->tok.kind != TK_FLOAT) {
		parser_fail_expected(p, "a number after '-'");
		return;
	}
	emit_number(p, minus, &p->tok);
	parser_advance(p);
}

static void parse_atom(struct parser *p)
{
	uint32_t n;

	switch (p->tok.kind) {
	case TK_NAME:
		parse_named_type(p);
		break;
	case TK_NIL:
		emit_letter(p, "n");
		break;
	case TK_TRUE:
		emit_letter(p, "1");
		break;
	case TK_FALSE:
		emit_letter(p, "0");
		break;
	case TK_FUNCTION:
		emit_letter(p, "f");
		break;
	case TK_STRING:
		emit_string(p, &p->tok);
		parser_advance(p);
		break;
	case TK_INT:
	case TK_FLOAT:
	case '-':
		parse_number_type(p);
		break;
	case '{':
		parse_table_type(p);
		break;
	case TK_READONLY:
		parser_advance(p);
		if (p->tok.kind != '{')
			parser_fail_expected(p, "'{' after 'readonly'");
		else
			parse_table_type(p);
		type_emit(p, "r");
		break;
	case TK_INTERFACE:
		parse_interface_type(p);
		break;
	case TK_FUN:
		parse_fun_type(p);
		break;
	case '(':
		if (parse_paren(p, &n) == PAREN_LIST)
			parser_fail_expected(p, "'->' and the results of the function type");
		break;
	case TK_ASSERTS:
		parse_asserts(p);
		break;
	case TK_TYPEOF:
		parse_typeof(p);
		break;
	case TK_KEYOF:
		parse_keyof(p);
		break;
	default:
		parser_fail_expected(p, "a type");
	}
}

/* What follows an atom: `[]`, `[K]`, validators, `?`. Each makes the type one level deeper. With `keep_last`, a last
 * `?` is left to the conditional type around. Returns the levels. */
static uint32_t parse_postfixes(struct parser *p, bool keep_last)
{
	uint32_t levels = 0;

	for (;; levels++) {
		if (p->depth + levels > FRONT_DEPTH_MAX) {
			parser_fail_at(
				p, &p->tok, "too deeply nested, expected at most %d levels of types", FRONT_DEPTH_MAX);
			return levels;
		}
		switch (p->tok.kind) {
		case '[':
			parser_advance(p);
			if (parser_accept(p, ']')) {
				type_emit(p, "[");
				break;
			}
			parse_type(p);
			parser_expect(p, ']', "']' after the type of the index");
			type_emit(p, "X");
			break;
		case '@':
			parse_validator(p);
			break;
		case '?':
			if (keep_last && parser_peek(p, 1)->kind != '?')
				return levels;
			parser_advance(p);
			type_emit(p, "?");
			break;
		default:
			return levels;
		}
	}
}

static void parse_simple(struct parser *p, bool keep_last)
{
	parse_atom(p);
	parse_postfixes(p, keep_last);
}

static void parse_conditional(struct parser *p)
{
	parser_advance(p);
	parse_simple(p, true);
	parser_expect(p, '?', "'?' in the conditional type");
	parse_type(p);
	parser_expect(p, ':', "':' in the conditional type");
	parse_type(p);
	type_emit(p, "C");
}

/* Everything of a type but its first atom. */
static void parse_type_behind_atom(struct parser *p)
{
	uint32_t op = 0;
	uint32_t n = 1;
	uint32_t levels = parse_postfixes(p, false);

	if (p->tok.kind == TK_EXTENDS) {
		parse_conditional(p);
		return;
	}
	while (p->tok.kind == '|' || p->tok.kind == '&') {
		if (op && p->tok.kind != op) {
			type_emit_count(p, (char)op, n);
			n = 1;
			levels++;
		}
		if (p->depth + levels > FRONT_DEPTH_MAX) {
			parser_fail_at(
				p, &p->tok, "too deeply nested, expected at most %d levels of types", FRONT_DEPTH_MAX);
			return;
		}
		op = p->tok.kind;
		parser_advance(p);
		parse_simple(p, false);
		n++;
	}
	if (op)
		type_emit_count(p, (char)op, n);
}

void parse_type(struct parser *p)
{
	if (parser_enter(p)) {
		if (p->tok.kind == '|' || p->tok.kind == '&')
			parser_advance(p);
		parse_atom(p);
		parse_type_behind_atom(p);
	}
	parser_leave(p);
}
