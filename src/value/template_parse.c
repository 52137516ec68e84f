/*
 * template_parse.c - from text to actions.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "value/template_parse.h"

enum { IMPORTS_MAX = 64, ERROR_BYTES_MAX = 400 };

/* What ends a list of actions. */
enum closer { CLOSE_EOF, CLOSE_END, CLOSE_ELSE, CLOSE_CONTENT, CLOSE_CATCH };

static int parse_list(struct parser *p, struct action **ret_list, enum closer *ret_closer);

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
	if (template_parse_pipeline(p, &t) < 0)
		return -1;
	a->term = t;
	if (!token_is(current(p), ":=") && !token_is(current(p), "="))
		return 0;
	if (t->type != TERM_NAME)
		return fail(p, "only a variable can be set");
	a->type = token_is(current(p), ":=") ? ACTION_LET : ACTION_ASSIGN;
	a->name = xstrdup(value_get_string(t->literal, NULL));
	return next(p) < 0 ? -1 : template_parse_pipeline(p, &a->term);
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
		if (next(p) < 0 || template_parse_pipeline(p, &a->term) < 0)
			return -1;
	} else if (first->type == ACTION_WRITE) {
		a->term = first->term;
	} else {
		a->before = first;
		a->term = template_new_term(p, TERM_NAME);
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
	if (next(p) < 0 || template_parse_pipeline(p, &t) < 0)
		return -1;
	if (token_is(current(p), ",") || token_is(current(p), ":=") || token_is(current(p), "=")) {
		if (t->type != TERM_NAME)
			return fail(p, "range sets variables only");
		a->name = xstrdup(value_get_string(t->literal, NULL));
		if (token_is(current(p), ",") && (next(p) < 0 || template_take_name(p, &a->value_name) < 0))
			return -1;
		if (!token_is(current(p), ":=") && !token_is(current(p), "="))
			return unexpected(p);
		if (next(p) < 0 || template_parse_pipeline(p, &t) < 0)
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
		if (++n > TEMPLATE_PARAMETERS_MAX)
			return fail(p, "too many parameters");
		if (declared) {
			if (template_take_name(p, &one->name) < 0)
				return -1;
			if (token_is(current(p), "=") && (next(p) < 0 || template_parse_term(p, &one->term) < 0))
				return -1;
		} else {
			if (template_parse_term(p, &t) < 0)
				return -1;
			if (token_is(current(p), "=")) {
				if (t->type != TERM_NAME)
					return unexpected(p);
				one->name = xstrdup(value_get_string(t->literal, NULL));
				if (next(p) < 0 || template_parse_term(p, &t) < 0)
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
	if (next(p) < 0 || template_take_name(p, &a->name) < 0 || parse_parameters(p, true, &a->parameters) < 0)
		return -1;
	if (!at_end(p) && template_parse_term(p, &a->term) < 0)
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
		if (next(p) < 0 || (!at_end(p) && template_parse_term(p, &a->term) < 0))
			return -1;
		return expect_end(p);
	}
	if (template_take_name(p, &a->name) < 0 || parse_parameters(p, false, &a->parameters) < 0)
		return -1;
	if (!at_end(p) && !token_is(current(p), "content") && template_parse_term(p, &a->term) < 0)
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
	if (next(p) < 0 || template_parse_term(p, &a->term) < 0 ||
		(!at_end(p) && template_parse_term(p, &a->context) < 0))
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
		if (!at_end(p) && template_take_name(p, &a->name) < 0)
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

static int parse_list(struct parser *p, struct action **ret_list, enum closer *ret_closer)
{
	struct action **tail = ret_list, *a;
	int rc = 0;

	if (p->depth == TEMPLATE_NESTING_MAX)
		return fail(p, "nested too deeply");
	*ret_list = NULL;
	for (;;) {
		a = template_read_text(p);
		if (a) {
			*tail = a;
			tail = &a->next;
		}
		if (p->at == p->end) {
			*ret_closer = CLOSE_EOF;
			return 0;
		}
		if (p->at[1] == '*') {
			if (template_skip_comment(p) < 0)
				return -1;
			continue;
		}
		if (template_open_action(p) < 0)
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
