/*
 * template_term.c - the expressions of templates: operators, fields, calls, pipelines.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/template_parse.h"

static bool is_keyword(const struct token *t)
{
	static const char *const words[] = {"extends", "import", "include", "block", "yield", "return", "else", "end",
		"if", "range", "nil", "and", "or", "not", "content", "try", "catch", "true", "false"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (token_is(t, words[i]))
			return true;
	}
	return false;
}

int template_take_name(struct parser *p, char **ret_name)
{
	const struct token *t = current(p);

	if (t->type != TOKEN_NAME || is_keyword(t))
		return unexpected(p);
	*ret_name = xmemdupz(t->start, t->len);
	return next(p);
}

struct term *template_new_term(struct parser *p, enum term_type type)
{
	struct term *t = xcalloc(1, sizeof(*t));

	t->type = type;
	t->depth = 1;
	t->place.line = current(p)->line;
	t->place.column = current(p)->column;
	t->next = p->t->terms;
	p->t->terms = t;
	return t;
}

static void add_kid(struct term *t, struct term *kid)
{
	if ((t->nkids & (t->nkids - 1)) == 0)
		t->kids = xreallocarray(t->kids, t->nkids ? t->nkids * 2 : 1, sizeof(struct term *));
	t->kids[t->nkids++] = kid;
	if (kid && kid->depth >= t->depth)
		t->depth = kid->depth + 1;
}

static int check_depth(struct parser *p, const struct term *t)
{
	return t->depth > TEMPLATE_DEPTH_MAX ? fail(p, "the expression is too deep") : 0;
}

static int literal(struct parser *p, struct value *v, struct term **ret_term)
{
	*ret_term = template_new_term(p, TERM_LITERAL);
	(*ret_term)->literal = v;
	return next(p);
}

static int parse_arguments(struct parser *p, struct term *call, const char *close)
{
	struct term *argument;

	while (close ? !token_is(current(p), close) : !at_end(p) && !token_is(current(p), "|")) {
		if (template_parse_term(p, &argument) < 0)
			return -1;
		add_kid(call, argument);
		if (call->nkids > TEMPLATE_PARAMETERS_MAX)
			return fail(p, "too many arguments");
		if (!token_is(current(p), ","))
			break;
		if (next(p) < 0)
			return -1;
	}
	return check_depth(p, call) < 0 || (close && expect(p, close) < 0) ? -1 : 0;
}

static int parse_name(struct parser *p, struct term **ret_term)
{
	const struct token *t = current(p);

	if (token_is(t, "true") || token_is(t, "false"))
		return literal(p, value_bool(token_is(t, "true")), ret_term);
	if (token_is(t, "nil"))
		return literal(p, value_nil(), ret_term);
	if (is_keyword(t))
		return unexpected(p);
	*ret_term = template_new_term(p, TERM_NAME);
	(*ret_term)->literal = value_string(t->start, t->len);
	if (next(p) < 0)
		return -1;
	if (token_is(current(p), "(") && is_adjacent(p)) {
		(*ret_term)->type = TERM_CALL;
		return next(p) < 0 ? -1 : parse_arguments(p, *ret_term, ")");
	}
	return 0;
}

/* `.` alone, or `.name`: then the name follows as a field. */
static int parse_dot(struct parser *p, struct term **ret_term)
{
	struct term *name;

	*ret_term = template_new_term(p, TERM_DOT);
	if (next(p) < 0)
		return -1;
	if (current(p)->type == TOKEN_NAME && is_adjacent(p)) {
		struct term *index = template_new_term(p, TERM_INDEX);

		name = template_new_term(p, TERM_LITERAL);
		name->literal = value_string(current(p)->start, current(p)->len);
		add_kid(index, *ret_term);
		add_kid(index, name);
		*ret_term = index;
		return next(p);
	}
	return 0;
}

static int parse_brackets(struct parser *p, struct term **term)
{
	struct term *index = template_new_term(p, TERM_INDEX), *from = NULL, *to = NULL;

	if (next(p) < 0 || (!token_is(current(p), ":") && template_parse_term(p, &from) < 0))
		return -1;
	add_kid(index, *term);
	add_kid(index, from);
	if (token_is(current(p), ":")) {
		if (next(p) < 0 || (!token_is(current(p), "]") && template_parse_term(p, &to) < 0))
			return -1;
		index->type = TERM_SLICE;
		add_kid(index, to);
	}
	*term = index;
	return expect(p, "]");
}

static int parse_operand(struct parser *p, struct term **ret_term)
{
	const struct token *t = current(p);
	int rc;

	if (t->type == TOKEN_NUMBER || t->type == TOKEN_STRING)
		rc = literal(p, value_ref(t->literal), ret_term);
	else if (token_is(t, "("))
		rc = next(p) < 0 || template_parse_term(p, ret_term) < 0 || expect(p, ")") < 0 ? -1 : 0;
	else if (token_is(t, "."))
		rc = parse_dot(p, ret_term);
	else if (t->type == TOKEN_NAME)
		rc = parse_name(p, ret_term);
	else
		rc = unexpected(p);
	while (rc == 0 && is_adjacent(p) && (token_is(current(p), ".") || token_is(current(p), "["))) {
		if (token_is(current(p), "[")) {
			rc = parse_brackets(p, ret_term);
		} else {
			struct term *index = template_new_term(p, TERM_INDEX), *name;

			if (next(p) < 0)
				return -1;
			if (current(p)->type != TOKEN_NAME || !is_adjacent(p))
				return unexpected(p);
			name = template_new_term(p, TERM_LITERAL);
			name->literal = value_string(current(p)->start, current(p)->len);
			add_kid(index, *ret_term);
			add_kid(index, name);
			*ret_term = index;
			rc = next(p);
		}
		if (rc == 0)
			rc = check_depth(p, *ret_term);
	}
	return rc;
}

static const struct {
	const char *text;
	int precedence;
	enum term_type type;
	enum operation operation;
} binaries[] = {
	{"||", 1, TERM_OR, OP_OR},
	{"or", 1, TERM_OR, OP_OR},
	{"&&", 2, TERM_AND, OP_AND},
	{"and", 2, TERM_AND, OP_AND},
	{"==", 3, TERM_BINARY, OP_EQUAL},
	{"!=", 3, TERM_BINARY, OP_UNEQUAL},
	{"<", 4, TERM_BINARY, OP_LESS},
	{"<=", 4, TERM_BINARY, OP_LESS_EQUAL},
	{">", 4, TERM_BINARY, OP_GREATER},
	{">=", 4, TERM_BINARY, OP_GREATER_EQUAL},
	{"+", 5, TERM_BINARY, OP_ADD},
	{"-", 5, TERM_BINARY, OP_SUBTRACT},
	{"*", 6, TERM_BINARY, OP_MULTIPLY},
	{"/", 6, TERM_BINARY, OP_DIVIDE},
	{"%", 6, TERM_BINARY, OP_MODULO},
};

enum { PRECEDENCE_NOT = 3, PRECEDENCE_SIGN = 7 };

static int parse_binary(struct parser *p, int precedence, struct term **ret_term);

static int parse_unary(struct parser *p, struct term **ret_term)
{
	bool negated = token_is(current(p), "!") || token_is(current(p), "not");
	struct term *kid;

	if (!negated && !token_is(current(p), "-"))
		return parse_operand(p, ret_term);
	*ret_term = template_new_term(p, negated ? TERM_NOT : TERM_MINUS);
	if (next(p) < 0 || parse_binary(p, negated ? PRECEDENCE_NOT : PRECEDENCE_SIGN, &kid) < 0)
		return -1;
	add_kid(*ret_term, kid);
	return check_depth(p, *ret_term);
}

static int parse_binary(struct parser *p, int precedence, struct term **ret_term)
{
	int rc;

	if (p->depth == TEMPLATE_NESTING_MAX)
		return fail(p, "nested too deeply");
	p->depth++;
	rc = parse_unary(p, ret_term);
	while (rc == 0) {
		struct term *t, *right;
		size_t i = 0;

		while (i < ARRAY_LEN(binaries) && !token_is(current(p), binaries[i].text))
			i++;
		if (i == ARRAY_LEN(binaries) || binaries[i].precedence < precedence)
			break;
		t = template_new_term(p, binaries[i].type);
		t->operation = binaries[i].operation;
		rc = next(p) < 0 || parse_binary(p, binaries[i].precedence + 1, &right) < 0 ? -1 : 0;
		if (rc < 0)
			break;
		add_kid(t, *ret_term);
		add_kid(t, right);
		*ret_term = t;
		rc = check_depth(p, t);
	}
	p->depth--;
	return rc;
}

int template_parse_term(struct parser *p, struct term **ret_term)
{
	struct term *t, *yes, *no;
	int rc;

	if (parse_binary(p, 1, ret_term) < 0)
		return -1;
	if (!token_is(current(p), "?"))
		return 0;
	if (p->depth == TEMPLATE_NESTING_MAX)
		return fail(p, "nested too deeply");
	p->depth++;
	t = template_new_term(p, TERM_TERNARY);
	rc = next(p) < 0 || template_parse_term(p, &yes) < 0 || expect(p, ":") < 0 || template_parse_term(p, &no) < 0
		     ? -1
		     : 0;
	p->depth--;
	if (rc < 0)
		return -1;
	add_kid(t, *ret_term);
	add_kid(t, yes);
	add_kid(t, no);
	*ret_term = t;
	return check_depth(p, t);
}

/* f: a, b is f(a, b) */
static int parse_command(struct parser *p, struct term **ret_term)
{
	if (template_parse_term(p, ret_term) < 0)
		return -1;
	if (!token_is(current(p), ":") || (*ret_term)->type != TERM_NAME)
		return 0;
	(*ret_term)->type = TERM_CALL;
	return next(p) < 0 ? -1 : parse_arguments(p, *ret_term, NULL);
}

static bool is_slot(const struct term *t)
{
	return t->type == TERM_NAME && strcmp(value_get_string(t->literal, NULL), "_") == 0;
}

/* a | f | g(b) | h(c, _): the value so far goes where _ stands, or in front. */
int template_parse_pipeline(struct parser *p, struct term **ret_term)
{
	if (parse_command(p, ret_term) < 0)
		return -1;
	while (token_is(current(p), "|")) {
		struct term *piped = *ret_term, *call, *with;
		bool placed = false;

		if (next(p) < 0 || parse_command(p, &call) < 0)
			return -1;
		if (call->type != TERM_NAME && call->type != TERM_CALL)
			return fail(p, "a pipeline goes on with a function only");
		with = template_new_term(p, TERM_CALL);
		with->place = call->place;
		with->literal = value_ref(call->literal);
		for (size_t i = 0; i < call->nkids; i++)
			placed |= is_slot(call->kids[i]);
		if (!placed)
			add_kid(with, piped);
		for (size_t i = 0; i < call->nkids; i++)
			add_kid(with, is_slot(call->kids[i]) ? piped : call->kids[i]);
		*ret_term = with;
		if (check_depth(p, with) < 0)
			return -1;
	}
	return 0;
}
