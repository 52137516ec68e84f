/*
 * template_eval.c - expressions of templates, and writing what they give.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/html.h"
#include "value/template_node.h"

bool term_is_true(const struct value *v)
{
	size_t len;

	switch (value_type(v)) {
	case VALUE_BOOL:
		return value_get_bool(v);
	case VALUE_INT:
		return value_get_int(v) != 0;
	case VALUE_FLOAT:
		return value_get_float(v) != 0;
	case VALUE_STRING:
		value_get_string(v, &len);
		return len > 0;
	case VALUE_LIST:
	case VALUE_MAP:
		return value_count(v) > 0;
	case VALUE_NIL:
		break;
	}
	return false;
}

struct variable *render_variable(struct render *r, const char *name)
{
	for (struct scope *s = r->scope; s; s = s->outer) {
		for (struct variable *v = s->variables; v; v = v->next) {
			if (strcmp(v->name, name) == 0)
				return v;
		}
	}
	return NULL;
}

static int eval_name(struct render *r, const struct term *t, struct value **ret_value)
{
	const char *name = value_get_string(t->literal, NULL);
	struct variable *v = render_variable(r, name);
	const struct value *field = v ? v->value : value_get(r->data, name);

	if (!field)
		return render_fail(r, &t->place, "'%.100s' is not known here", name);
	*ret_value = expr_keep(field);
	return 0;
}

static int eval_slice(struct render *r, const struct term *t, const struct value *of, struct value **ret_value)
{
	struct value *from = NULL, *to = NULL;
	int rc = -1;

	if ((!t->kids[1] || term_eval(r, t->kids[1], &from) == 0) &&
		(!t->kids[2] || term_eval(r, t->kids[2], &to) == 0)) {
		r->run.at = &t->place;
		rc = expr_slice(&r->run, of, from, to, ret_value);
	}
	value_unref(from);
	value_unref(to);
	return rc;
}

static int eval_part(struct render *r, const struct term *t, struct value **ret_value)
{
	struct value *of = NULL, *which = NULL;
	int rc;

	if (term_eval(r, t->kids[0], &of) < 0)
		return -1;
	if (t->type == TERM_SLICE) {
		rc = eval_slice(r, t, of, ret_value);
	} else {
		rc = term_eval(r, t->kids[1], &which);
		r->run.at = &t->place;
		if (rc == 0)
			rc = expr_fetch(&r->run, of, which, ret_value);
	}
	value_unref(of);
	value_unref(which);
	return rc;
}

static int compare(struct render *r, const struct term *t, const struct value *a, const struct value *b, bool *ret_yes)
{
	static const char *const signs[] = {"<", "<=", ">", ">="};
	int order;

	if (t->operation == OP_EQUAL || t->operation == OP_UNEQUAL) {
		if (expr_equal(&r->run, a, b, ret_yes) < 0)
			return -1;
		*ret_yes = *ret_yes == (t->operation == OP_EQUAL);
		return 0;
	}
	if (expr_compare(&r->run, signs[t->operation - OP_LESS], a, b, &order) < 0)
		return -1;
	/* 2: not a number, which is in no order. */
	*ret_yes = order != 2 && (t->operation == OP_LESS                ? order < 0
					 : t->operation == OP_LESS_EQUAL ? order <= 0
					 : t->operation == OP_GREATER    ? order > 0
									 : order >= 0);
	return 0;
}

/* A string and something else: + joins their texts. */
static int join(struct render *r, const struct value *a, const struct value *b, struct value **ret_value)
{
	struct buf out = BUF_INIT;
	int rc = expr_text(&r->run, a, &out) < 0 || expr_text(&r->run, b, &out) < 0
			 ? -1
			 : expr_string(&r->run, buf_data(&out), buf_len(&out), ret_value);

	buf_done(&out);
	return rc;
}

/* Whole numbers divide to whole numbers, as in Go. */
static int divide(struct render *r, const struct value *a, const struct value *b, struct value **ret_value)
{
	if (value_get_int(b) == 0)
		return expr_fail(&r->run, "integer divide by zero");
	*ret_value = value_int(value_get_int(b) == -1 ? (int64_t)(0 - (uint64_t)value_get_int(a))
						      : value_get_int(a) / value_get_int(b));
	return 0;
}

static int eval_binary(struct render *r, const struct term *t, struct value **ret_value)
{
	bool text, ints, yes;
	struct value *a = NULL, *b = NULL;
	int rc;

	if (term_eval(r, t->kids[0], &a) < 0)
		return -1;
	if (term_eval(r, t->kids[1], &b) < 0) {
		value_unref(a);
		return -1;
	}
	r->run.at = &t->place;
	text = value_type(a) == VALUE_STRING || value_type(b) == VALUE_STRING;
	ints = value_type(a) == VALUE_INT && value_type(b) == VALUE_INT;
	if (t->operation == OP_ADD && text) {
		rc = join(r, a, b, ret_value);
	} else if (t->operation == OP_DIVIDE && ints) {
		rc = divide(r, a, b, ret_value);
	} else if (t->operation >= OP_ADD) {
		rc = expr_arithmetic(&r->run, t->operation, a, b, ret_value);
	} else {
		rc = compare(r, t, a, b, &yes);
		if (rc == 0)
			*ret_value = value_bool(yes);
	}
	value_unref(a);
	value_unref(b);
	return rc;
}

static int eval_truth(struct render *r, const struct term *t, bool *ret_yes)
{
	struct value *v = NULL;

	if (term_eval(r, t, &v) < 0)
		return -1;
	*ret_yes = term_is_true(v);
	value_unref(v);
	return 0;
}

static int eval_minus(struct render *r, const struct term *t, struct value **ret_value)
{
	struct value *zero, *v = NULL;
	int rc;

	if (term_eval(r, t->kids[0], &v) < 0)
		return -1;
	zero = value_int(0);
	r->run.at = &t->place;
	rc = expr_arithmetic(&r->run, OP_SUBTRACT, zero, v, ret_value);
	value_unref(zero);
	value_unref(v);
	return rc;
}

/* Is everything that is named there, and not nil? Nothing is an error here. */
static void eval_isset(struct render *r, const struct term *t, struct value **ret_value)
{
	struct err ignored = {0}, *e = r->run.e;
	bool all = t->nkids > 0;

	r->run.e = &ignored;
	for (size_t i = 0; i < t->nkids && all; i++) {
		struct value *v = NULL;

		if (term_eval(r, t->kids[i], &v) < 0) {
			all = false;
		} else {
			all = value_type(v) != VALUE_NIL;
			value_unref(v);
		}
	}
	r->run.e = e;
	*ret_value = value_bool(all);
}

static int eval_call(struct render *r, const struct term *t, struct value **ret_value)
{
	const char *name = value_get_string(t->literal, NULL);
	bool known = true;
	int rc;

	if (strcmp(name, "isset") == 0) {
		eval_isset(r, t, ret_value);
		return 0;
	}
	rc = template_call(r, t, &known, ret_value);
	return known ? rc : render_fail(r, &t->place, "there is no function '%.100s'", name);
}

int term_eval(struct render *r, const struct term *t, struct value **ret_value)
{
	bool yes;

	r->run.at = &t->place;
	if (expr_steps(&r->run, 1) < 0)
		return -1;
	switch (t->type) {
	case TERM_LITERAL:
		*ret_value = value_ref(t->literal);
		return 0;
	case TERM_NAME:
		return eval_name(r, t, ret_value);
	case TERM_DOT:
		*ret_value = expr_keep(r->dot);
		return 0;
	case TERM_INDEX:
	case TERM_SLICE:
		return eval_part(r, t, ret_value);
	case TERM_NOT:
		if (eval_truth(r, t->kids[0], &yes) < 0)
			return -1;
		*ret_value = value_bool(!yes);
		return 0;
	case TERM_MINUS:
		return eval_minus(r, t, ret_value);
	case TERM_AND:
	case TERM_OR:
		if (eval_truth(r, t->kids[0], &yes) < 0 ||
			(yes == (t->type == TERM_AND) && eval_truth(r, t->kids[1], &yes) < 0))
			return -1;
		*ret_value = value_bool(yes);
		return 0;
	case TERM_BINARY:
		return eval_binary(r, t, ret_value);
	case TERM_TERNARY:
		if (eval_truth(r, t->kids[0], &yes) < 0)
			return -1;
		return term_eval(r, t->kids[yes ? 1 : 2], ret_value);
	case TERM_CALL:
		return eval_call(r, t, ret_value);
	}
	return render_fail(r, &t->place, "an unknown expression");
}

/* -- writing ------------------------------------------------------------------------------------------ */

enum escape { ESCAPE_HTML, ESCAPE_JS, ESCAPE_JSON, ESCAPE_NONE };

static void write_html(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *by = s[i] ? html_entity(s[i]) : "\xef\xbf\xbd";

		if (by)
			buf_adds(out, by);
		else
			buf_addc(out, s[i]);
	}
}

/* For the inside of a string of JavaScript. */
static void write_js(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\\' || c == '\'' || c == '"')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == '=' || c == '`' || c == 0x7f)
			buf_addf(out, "\\u%04X", c);
		else if (c == 0xe2 && len - i >= 3 && s[i + 1] == '\x80' &&
			 (s[i + 2] == '\xa8' || s[i + 2] == '\xa9')) {
			/* U+2028 and U+2029 end lines there */
			buf_adds(out, s[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
			i += 2;
		} else {
			buf_addc(out, (char)c);
		}
	}
}

/* JSON that may stand inside of HTML. */
static void write_json(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '<' || s[i] == '>' || s[i] == '&')
			buf_addf(out, "\\u%04x", s[i]);
		else
			buf_addc(out, s[i]);
	}
}

static enum escape escape_of(const struct term *t, bool *ret_writer)
{
	static const struct {
		const char *name;
		enum escape escape;
	} writers[] = {{"raw", ESCAPE_NONE}, {"unsafe", ESCAPE_NONE}, {"safeHtml", ESCAPE_HTML}, {"safeJs", ESCAPE_JS},
		{"writeJson", ESCAPE_JSON}};

	*ret_writer = false;
	if (t->type != TERM_CALL)
		return ESCAPE_HTML;
	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		if (strcmp(value_get_string(t->literal, NULL), writers[i].name) == 0) {
			*ret_writer = true;
			return writers[i].escape;
		}
	}
	return ESCAPE_HTML;
}

/* nil is nothing. */
static int write_value(struct render *r, const struct value *v, enum escape escape)
{
	struct buf text = BUF_INIT;
	int rc = 0;

	if (escape == ESCAPE_JSON)
		rc = expr_json(&r->run, v, &text);
	else if (value_type(v) != VALUE_NIL)
		rc = expr_text(&r->run, v, &text);
	if (rc == 0) {
		const char *s = buf_data(&text);
		size_t len = buf_len(&text);

		/* Six bytes for one is the worst an escape does. */
		if (len > TEMPLATE_OUTPUT_BYTES_MAX ||
			buf_len(r->out) + len * 6 > 2 * (size_t)TEMPLATE_OUTPUT_BYTES_MAX)
			rc = render_fail(r, r->run.at, "the output is longer than %d bytes", TEMPLATE_OUTPUT_BYTES_MAX);
		else if (escape == ESCAPE_HTML)
			write_html(r->out, s, len);
		else if (escape == ESCAPE_JS)
			write_js(r->out, s, len);
		else if (escape == ESCAPE_JSON)
			write_json(r->out, s, len);
		else
			buf_add(r->out, s, len);
	}
	buf_done(&text);
	return rc;
}

int term_write(struct render *r, const struct term *t)
{
	bool writer;
	enum escape escape = escape_of(t, &writer);
	struct value *v = NULL;
	int rc = 0;

	if (!writer) {
		if (term_eval(r, t, &v) < 0)
			return -1;
		rc = write_value(r, v, escape);
		value_unref(v);
		return rc;
	}
	for (size_t i = 0; i < t->nkids && rc == 0; i++) {
		if (term_eval(r, t->kids[i], &v) < 0)
			return -1;
		rc = write_value(r, v, escape);
		value_unref(v);
	}
	return rc;
}
