/*
 * template_parse.c - from text to actions. Words inside of {{ }} are those of expr_lex.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/expr_lex.h"
#include "value/template_node.h"

enum { PARAMETERS_MAX = 64, IMPORTS_MAX = 64, ERROR_BYTES_MAX = 400 };

struct parser {
	struct template *t;
	const char *at, *end; /* behind the current action, or in text */
	uint32_t line;
	struct expr_lexer lexer; /* of the current action */
	const char *previous_end;
	bool trim; /* blanks before the next text go */
	unsigned depth;
	struct err *e;
};

/* What ends a list of actions. */
enum closer { CLOSE_EOF, CLOSE_END, CLOSE_ELSE, CLOSE_CONTENT, CLOSE_CATCH };

static int parse_list(struct parser *p, struct action **ret_list, enum closer *ret_closer);
static int parse_term(struct parser *p, struct term **ret_term);

static int fail(struct parser *p, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s", what);
}

static const struct token *current(const struct parser *p)
{
	return &p->lexer.token;
}

static int next(struct parser *p)
{
	if (p->lexer.token.start)
		p->previous_end = p->lexer.token.start + p->lexer.token.len;
	return expr_lexer_next(&p->lexer);
}

static int unexpected(struct parser *p)
{
	return current(p)->type == TOKEN_END ? fail(p, "unexpected end of an action")
					     : expr_lexer_refuse(&p->lexer, "unexpected");
}

static int expect(struct parser *p, const char *text)
{
	return token_is(current(p), text) ? next(p) : unexpected(p);
}

static bool at_end(const struct parser *p)
{
	return current(p)->type == TOKEN_END;
}

static int expect_end(struct parser *p)
{
	return at_end(p) ? 0 : unexpected(p);
}

/* Written right behind what came before, as .field, [index] and calls must be. */
static bool is_adjacent(const struct parser *p)
{
	return current(p)->start == p->previous_end;
}

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

static int take_name(struct parser *p, char **ret_name)
{
	const struct token *t = current(p);

	if (t->type != TOKEN_NAME || is_keyword(t))
		return unexpected(p);
	*ret_name = xmemdupz(t->start, t->len);
	return next(p);
}

/* -- terms -------------------------------------------------------------------------------------------- */

static struct term *new_term(struct parser *p, enum term_type type)
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
	*ret_term = new_term(p, TERM_LITERAL);
	(*ret_term)->literal = v;
	return next(p);
}

static int parse_arguments(struct parser *p, struct term *call, const char *close)
{
	struct term *argument;

	while (close ? !token_is(current(p), close) : !at_end(p) && !token_is(current(p), "|")) {
		if (parse_term(p, &argument) < 0)
			return -1;
		add_kid(call, argument);
		if (call->nkids > PARAMETERS_MAX)
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
	*ret_term = new_term(p, TERM_NAME);
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

	*ret_term = new_term(p, TERM_DOT);
	if (next(p) < 0)
		return -1;
	if (current(p)->type == TOKEN_NAME && is_adjacent(p)) {
		struct term *index = new_term(p, TERM_INDEX);

		name = new_term(p, TERM_LITERAL);
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
	struct term *index = new_term(p, TERM_INDEX), *from = NULL, *to = NULL;

	if (next(p) < 0 || (!token_is(current(p), ":") && parse_term(p, &from) < 0))
		return -1;
	add_kid(index, *term);
	add_kid(index, from);
	if (token_is(current(p), ":")) {
		if (next(p) < 0 || (!token_is(current(p), "]") && parse_term(p, &to) < 0))
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
		rc = next(p) < 0 || parse_term(p, ret_term) < 0 || expect(p, ")") < 0 ? -1 : 0;
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
			struct term *index = new_term(p, TERM_INDEX), *name;

			if (next(p) < 0)
				return -1;
			if (current(p)->type != TOKEN_NAME || !is_adjacent(p))
				return unexpected(p);
			name = new_term(p, TERM_LITERAL);
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
	*ret_term = new_term(p, negated ? TERM_NOT : TERM_MINUS);
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
		t = new_term(p, binaries[i].type);
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

static int parse_term(struct parser *p, struct term **ret_term)
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
	t = new_term(p, TERM_TERNARY);
	rc = next(p) < 0 || parse_term(p, &yes) < 0 || expect(p, ":") < 0 || parse_term(p, &no) < 0 ? -1 : 0;
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
	if (parse_term(p, ret_term) < 0)
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
static int parse_pipeline(struct parser *p, struct term **ret_term)
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
		with = new_term(p, TERM_CALL);
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

/* -- actions ------------------------------------------------------------------------------------------ */

static struct action *new_action(struct parser *p, enum action_type type)
{
	struct action *a = xcalloc(1, sizeof(*a));

	a->type = type;
	a->place.line = current(p)->line;
	a->place.column = current(p)->column;
	a->all = p->t->actions;
	p->t->actions = a;
	return a;
}

/* A pipeline, `x := pipeline` or `x = pipeline`. */
static int parse_set_or_write(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_WRITE);
	struct term *t;

	*ret_action = a;
	if (parse_pipeline(p, &t) < 0)
		return -1;
	a->term = t;
	if (!token_is(current(p), ":=") && !token_is(current(p), "="))
		return 0;
	if (t->type != TERM_NAME)
		return fail(p, "only a variable can be set");
	a->type = token_is(current(p), ":=") ? ACTION_LET : ACTION_ASSIGN;
	a->name = xstrdup(value_get_string(t->literal, NULL));
	return next(p) < 0 ? -1 : parse_pipeline(p, &a->term);
}

static int parse_if(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_IF), *first;
	enum closer closer;

	*ret_action = a;
	if (next(p) < 0 || parse_set_or_write(p, &first) < 0)
		return -1;
	if (token_is(current(p), ";")) {
		a->before = first;
		if (next(p) < 0 || parse_pipeline(p, &a->term) < 0)
			return -1;
	} else if (first->type == ACTION_WRITE) {
		a->term = first->term;
	} else {
		a->before = first;
		a->term = new_term(p, TERM_NAME);
		a->term->literal = value_cstring(first->name);
	}
	if (expect_end(p) < 0 || parse_list(p, &a->body, &closer) < 0)
		return -1;
	if (closer == CLOSE_ELSE) {
		if (token_is(current(p), "if")) {
			int rc;

			if (p->depth == TEMPLATE_NESTING_MAX)
				return fail(p, "nested too deeply");
			p->depth++;
			rc = parse_if(p, &a->otherwise); /* its end is ours */
			p->depth--;
			return rc;
		}
		if (expect_end(p) < 0 || parse_list(p, &a->otherwise, &closer) < 0)
			return -1;
	}
	return closer == CLOSE_END ? 0 : fail(p, "{{ if }} without {{ end }}");
}

static int parse_range(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_RANGE);
	enum closer closer;
	struct term *t;

	*ret_action = a;
	if (next(p) < 0 || parse_pipeline(p, &t) < 0)
		return -1;
	if (token_is(current(p), ",") || token_is(current(p), ":=") || token_is(current(p), "=")) {
		if (t->type != TERM_NAME)
			return fail(p, "range sets variables only");
		a->name = xstrdup(value_get_string(t->literal, NULL));
		if (token_is(current(p), ",") && (next(p) < 0 || take_name(p, &a->value_name) < 0))
			return -1;
		if (!token_is(current(p), ":=") && !token_is(current(p), "="))
			return unexpected(p);
		if (next(p) < 0 || parse_pipeline(p, &t) < 0)
			return -1;
	}
	a->term = t;
	if (expect_end(p) < 0 || parse_list(p, &a->body, &closer) < 0)
		return -1;
	if (closer == CLOSE_ELSE && (expect_end(p) < 0 || parse_list(p, &a->otherwise, &closer) < 0))
		return -1;
	return closer == CLOSE_END ? 0 : fail(p, "{{ range }} without {{ end }}");
}

/* (a, b="x"): names when declared; when yielded also bare terms. */
static int parse_parameters(struct parser *p, bool declared, struct parameter **ret_list)
{
	struct parameter **tail = ret_list;
	unsigned n = 0;

	if (expect(p, "(") < 0)
		return -1;
	while (!token_is(current(p), ")")) {
		struct parameter *one = xcalloc(1, sizeof(*one));
		struct term *t;

		*tail = one;
		tail = &one->next;
		if (++n > PARAMETERS_MAX)
			return fail(p, "too many parameters");
		if (declared) {
			if (take_name(p, &one->name) < 0)
				return -1;
			if (token_is(current(p), "=") && (next(p) < 0 || parse_term(p, &one->term) < 0))
				return -1;
		} else {
			if (parse_term(p, &t) < 0)
				return -1;
			if (token_is(current(p), "=")) {
				if (t->type != TERM_NAME)
					return unexpected(p);
				one->name = xstrdup(value_get_string(t->literal, NULL));
				if (next(p) < 0 || parse_term(p, &t) < 0)
					return -1;
			}
			one->term = t;
		}
		if (!token_is(current(p), ","))
			break;
		if (next(p) < 0)
			return -1;
	}
	return expect(p, ")");
}

static int parse_block(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_BLOCK);
	enum closer closer;

	*ret_action = a;
	if (next(p) < 0 || take_name(p, &a->name) < 0 || parse_parameters(p, true, &a->parameters) < 0)
		return -1;
	if (!at_end(p) && parse_term(p, &a->term) < 0)
		return -1;
	if (expect_end(p) < 0 || parse_list(p, &a->body, &closer) < 0)
		return -1;
	if (closer == CLOSE_CONTENT) {
		a->has_content = true;
		if (expect_end(p) < 0 || parse_list(p, &a->otherwise, &closer) < 0)
			return -1;
	}
	map_set(p->t->blocks, a->name, a);
	return closer == CLOSE_END ? 0 : fail(p, "{{ block }} without {{ end }}");
}

static int parse_yield(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_YIELD);
	enum closer closer;

	*ret_action = a;
	if (next(p) < 0)
		return -1;
	if (token_is(current(p), "content")) {
		a->type = ACTION_CONTENT;
		if (next(p) < 0 || (!at_end(p) && parse_term(p, &a->term) < 0))
			return -1;
		return expect_end(p);
	}
	if (take_name(p, &a->name) < 0 || parse_parameters(p, false, &a->parameters) < 0)
		return -1;
	if (!at_end(p) && !token_is(current(p), "content") && parse_term(p, &a->term) < 0)
		return -1;
	if (!token_is(current(p), "content"))
		return expect_end(p);
	a->has_content = true;
	if (next(p) < 0 || expect_end(p) < 0 || parse_list(p, &a->body, &closer) < 0)
		return -1;
	return closer == CLOSE_END ? 0 : fail(p, "{{ yield content }} without {{ end }}");
}

static int parse_include(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_INCLUDE);

	*ret_action = a;
	if (next(p) < 0 || parse_term(p, &a->term) < 0 || (!at_end(p) && parse_term(p, &a->context) < 0))
		return -1;
	return expect_end(p);
}

static int parse_try(struct parser *p, struct action **ret_action)
{
	struct action *a = new_action(p, ACTION_TRY);
	enum closer closer;

	*ret_action = a;
	if (next(p) < 0 || expect_end(p) < 0 || parse_list(p, &a->body, &closer) < 0)
		return -1;
	if (closer == CLOSE_CATCH) {
		if (!at_end(p) && take_name(p, &a->name) < 0)
			return -1;
		if (expect_end(p) < 0 || parse_list(p, &a->otherwise, &closer) < 0)
			return -1;
	}
	return closer == CLOSE_END ? 0 : fail(p, "{{ try }} without {{ end }}");
}

/* {{ x := 1; y }} sets and writes. */
static int parse_statement(struct parser *p, struct action **ret_action)
{
	struct action *first;

	if (parse_set_or_write(p, ret_action) < 0)
		return -1;
	first = *ret_action;
	if (token_is(current(p), ";") && first->type != ACTION_WRITE) {
		if (next(p) < 0 || parse_set_or_write(p, &first->next) < 0)
			return -1;
	}
	return expect_end(p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Only blanks and others of the head came before. */
static bool may_be_head(const struct parser *p)
{
	if (p->depth > 0)
		return false;
	for (const struct action *a = p->t->body; a; a = a->next) {
		if (a->type != ACTION_TEXT)
			return false;
		for (size_t i = 0; i < a->len; i++) {
			if (!is_blank(a->text[i]))
				return false;
		}
	}
	return true;
}

static int parse_head(struct parser *p)
{
	bool extends = token_is(current(p), "extends");
	const struct token *t = current(p);
	char *name;

	if (next(p) < 0)
		return -1;
	if (t->type != TOKEN_STRING)
		return unexpected(p);
	if (extends && (p->t->extends || p->t->nimports > 0))
		return fail(p, "{{ extends }} must come once, before every {{ import }}");
	if (p->t->nimports == IMPORTS_MAX)
		return fail(p, "too many imports");
	name = xstrdup(value_get_string(t->literal, NULL));
	if (extends) {
		p->t->extends = name;
	} else {
		p->t->imports = xreallocarray(p->t->imports, p->t->nimports + 1, sizeof(char *));
		p->t->imports[p->t->nimports++] = name;
	}
	return next(p) < 0 ? -1 : expect_end(p);
}

/* One action; NULL for those of the head. *ret_closer is CLOSE_EOF if it closes nothing. */
static int parse_action(struct parser *p, struct action **ret_action, enum closer *ret_closer)
{
	static const struct {
		const char *word;
		enum closer closer;
	} closers[] = {{"end", CLOSE_END}, {"else", CLOSE_ELSE}, {"content", CLOSE_CONTENT}, {"catch", CLOSE_CATCH}};
	static const struct {
		const char *word;
		int (*parse)(struct parser *p, struct action **ret_action);
	} words[] = {{"if", parse_if}, {"range", parse_range}, {"block", parse_block}, {"yield", parse_yield},
		{"include", parse_include}, {"try", parse_try}};
	const struct token *t = current(p);

	*ret_action = NULL;
	*ret_closer = CLOSE_EOF;
	for (size_t i = 0; i < ARRAY_LEN(closers); i++) {
		if (token_is(t, closers[i].word)) {
			*ret_closer = closers[i].closer;
			return next(p) < 0                                                ? -1
			       : *ret_closer == CLOSE_END || *ret_closer == CLOSE_CONTENT ? expect_end(p)
											  : 0;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (token_is(t, words[i].word))
			return words[i].parse(p, ret_action);
	}
	if (token_is(t, "extends") || token_is(t, "import"))
		return may_be_head(p) ? parse_head(p) : fail(p, "{{ extends }} and {{ import }} come first");
	if (token_is(t, "return"))
		return fail(p, "{{ return }} is not supported");
	return parse_statement(p, ret_action);
}

/* -- text --------------------------------------------------------------------------------------------- */

static void count_lines(struct parser *p, const char *from, const char *to)
{
	for (; from < to; from++)
		p->line += *from == '\n';
}

/* Where the action that begins at `at` ends; NULL: nowhere. Strings may hold braces. */
static const char *find_action_end(const char *at, const char *end)
{
	for (; end - at >= 2; at++) {
		if (at[0] == '}' && at[1] == '}')
			return at;
		if (*at == '"' || *at == '\'' || *at == '`') {
			char quote = *at;

			for (at++; at < end && *at != quote && !(*at == '\n' && quote != '`'); at++)
				at += *at == '\\' && quote != '`' && end - at > 1;
		}
	}
	return NULL;
}

/* Up to the next {{ or {*; *ret_action NULL if there is no text. */
static struct action *read_text(struct parser *p)
{
	const char *from = p->at, *stop = p->at, *text_end;
	struct action *a;

	while (p->end - stop >= 2 && !(stop[0] == '{' && (stop[1] == '{' || stop[1] == '*')))
		stop++;
	if (p->end - stop < 2)
		stop = p->end;
	p->at = stop;
	text_end = stop;
	if (p->trim) {
		while (from < text_end && is_blank(*from))
			from++;
	}
	if (p->end - stop >= 4 && stop[1] == '{' && stop[2] == '-' && is_blank(stop[3])) {
		while (from < text_end && is_blank(text_end[-1]))
			text_end--;
	}
	if (stop < p->end && stop[1] == '{')
		p->trim = false;
	count_lines(p, stop - (stop - from), stop);
	if (from == text_end)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->type = ACTION_TEXT;
	a->place.line = p->line;
	a->text = xmemdupz(from, (size_t)(text_end - from));
	a->len = (size_t)(text_end - from);
	a->all = p->t->actions;
	p->t->actions = a;
	return a;
}

static int skip_comment(struct parser *p)
{
	const char *stop = memmem(p->at + 2, (size_t)(p->end - p->at - 2), "*}", 2);

	if (!stop)
		return fail(p, "unclosed comment");
	count_lines(p, p->at, stop);
	p->at = stop + 2;
	return 0;
}

/* The words of the action at the cursor, which moves behind it. */
static int open_action(struct parser *p)
{
	const char *from = p->at + 2, *stop = find_action_end(from, p->end), *last;

	if (!stop)
		return fail(p, "unclosed action");
	last = stop;
	if (stop - from >= 2 && from[0] == '-' && is_blank(from[1]))
		from++;
	if (last - from >= 2 && last[-1] == '-' && is_blank(last[-2])) {
		last--;
		p->trim = true;
	}
	expr_lexer_done(&p->lexer);
	expr_lexer_init(&p->lexer, from, (size_t)(last - from), p->e);
	p->lexer.line = p->line;
	while (p->lexer.line_start > p->t->source && p->lexer.line_start[-1] != '\n')
		p->lexer.line_start--;
	p->at = stop + 2;
	count_lines(p, from, stop);
	return next(p);
}

static int parse_list(struct parser *p, struct action **ret_list, enum closer *ret_closer)
{
	struct action **tail = ret_list, *a;
	int rc = 0;

	if (p->depth == TEMPLATE_NESTING_MAX)
		return fail(p, "nested too deeply");
	*ret_list = NULL;
	for (;;) {
		a = read_text(p);
		if (a) {
			*tail = a;
			tail = &a->next;
		}
		if (p->at == p->end) {
			*ret_closer = CLOSE_EOF;
			return 0;
		}
		if (p->at[1] == '*') {
			if (skip_comment(p) < 0)
				return -1;
			continue;
		}
		if (open_action(p) < 0)
			return -1;
		if (at_end(p)) /* {{ }} */
			continue;
		p->depth += ret_list != &p->t->body;
		rc = parse_action(p, &a, ret_closer);
		p->depth -= ret_list != &p->t->body;
		if (rc < 0 || *ret_closer != CLOSE_EOF)
			return rc;
		if (!a) {
			/* One of the head: the blanks before it go. */
			*ret_list = NULL;
			tail = ret_list;
		}
		for (; a; a = a->next) {
			*tail = a;
			tail = &a->next;
		}
	}
}

/* -- templates ---------------------------------------------------------------------------------------- */

int template_parse(const char *name, const char *source, size_t len, struct template **ret_template, struct err *e)
{
	struct template *t;
	struct parser p = {.line = 1};
	enum closer closer;
	struct err why = {0};
	int rc;

	if (len > TEMPLATE_SOURCE_BYTES_MAX)
		return err_set(e, ERR_INVALID, "template %s: the source is longer than %d bytes", name,
			TEMPLATE_SOURCE_BYTES_MAX);
	t = xcalloc(1, sizeof(*t));
	atomic_init(&t->refs, 1);
	t->name = xstrdup(name);
	t->source = xmemdupz(source, len);
	t->blocks = map_new();
	p.t = t;
	p.at = t->source;
	p.end = t->source + len;
	p.e = &why;
	rc = parse_list(&p, &t->body, &closer);
	if (rc == 0 && closer != CLOSE_EOF)
		rc = fail(&p, "an {{ end }}, {{ else }}, {{ content }} or {{ catch }} without what it belongs to");
	expr_lexer_done(&p.lexer);
	if (rc < 0) {
		template_unref(t);
		return err_set(e, ERR_INVALID, "template %s:%u: %.*s", name, p.line, ERROR_BYTES_MAX, why.text);
	}
	*ret_template = t;
	return 0;
}

struct template *template_ref(struct template *t)
{
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

static void action_free(struct action *a)
{
	struct parameter *one, *following;

	for (one = a->parameters; one; one = following) {
		following = one->next;
		free(one->name);
		free(one);
	}
	free(a->text);
	free(a->name);
	free(a->value_name);
	free(a);
}

void template_unref(struct template *t)
{
	struct action *a, *all;
	struct term *term, *next_term;

	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (a = t->actions; a; a = all) {
		all = a->all;
		action_free(a);
	}
	for (term = t->terms; term; term = next_term) {
		next_term = term->next;
		value_unref(term->literal);
		free(term->kids);
		free(term);
	}
	for (size_t i = 0; i < t->nimports; i++)
		free(t->imports[i]);
	free(t->imports);
	free(t->extends);
	map_free(t->blocks, NULL);
	free(t->name);
	free(t->source);
	free(t);
}
