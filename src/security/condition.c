#include "security/condition.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "value/json.h"
#include "value/regex.h"

enum operator_type { OP_EQ, OP_LT, OP_GT, OP_LTE, OP_GTE, OP_IN, OP_CONTAINS, OP_MATCHES, OP_EXISTS };

static const struct relation {
	const char *name;
	enum operator_type type;
	bool negated;
} operators[] = {
	{"contains", OP_CONTAINS, false},
	{"eq", OP_EQ, false},
	{"exists", OP_EXISTS, false},
	{"gt", OP_GT, false},
	{"gte", OP_GTE, false},
	{"in", OP_IN, false},
	{"lt", OP_LT, false},
	{"lte", OP_LTE, false},
	{"matches", OP_MATCHES, false},
	{"ncontains", OP_CONTAINS, true},
	{"ne", OP_EQ, true},
	{"nexists", OP_EXISTS, true},
	{"nin", OP_IN, true},
	{"nmatches", OP_MATCHES, true},
};

/* A value, or a text of the check that is no tree; neither: absent. */
struct operand {
	const struct value *value;
	const char *text;
	size_t len;
	enum { NUMBER_UNKNOWN, NUMBER_NO, NUMBER_YES } reads; /* as a number; of a literal it is known beforehand */
	double number;
};

/* Where a value comes from; the text is split once, when it is read. */
struct path {
	enum path_type {
		PATH_NONE,
		PATH_INVALID,
		PATH_ACTOR_ID,
		PATH_ACTOR_META,
		PATH_ACTION,
		PATH_RESOURCE,
		PATH_META,
	} type;
	char *text;
	char **steps; /* into actor.meta or meta */
	size_t nsteps;
};

struct condition {
	struct path field;
	const struct relation *op;
	struct value *value;    /* NULL: value_from */
	struct operand literal; /* of `value`, which it borrows */
	struct path value_from; /* PATH_NONE: value */
	struct regex *regex;    /* of matches and nmatches with a value */
};

/* -- paths ----------------------------------------------------------------------------------------------- */

static void add_step(struct path *p, const char *text, size_t len)
{
	p->steps = xreallocarray(p->steps, p->nsteps + 1, sizeof(*p->steps));
	p->steps[p->nsteps++] = xmemdupz(text, len);
}

static void add_steps(struct path *p, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ".");

		add_step(p, text, len);
		if (!text[len])
			return;
		text += len + 1;
	}
}

static struct path path_read(const char *text)
{
	struct path p = {.type = PATH_INVALID, .text = xstrdup(text)};

	if (strcmp(text, "actor.id") == 0) {
		p.type = PATH_ACTOR_ID;
	} else if (strcmp(text, "actor.meta") == 0) {
		p.type = PATH_ACTOR_META;
	} else if (strncmp(text, "actor.meta.", 11) == 0) {
		p.type = PATH_ACTOR_META;
		add_steps(&p, text + 11);
	} else if (strcmp(text, "actor") == 0 || strncmp(text, "actor.", 6) == 0 || strcmp(text, "meta") == 0) {
		/* Nothing that could be compared. */
	} else if (strcmp(text, "action") == 0) {
		p.type = PATH_ACTION;
	} else if (strcmp(text, "resource") == 0) {
		p.type = PATH_RESOURCE;
	} else if (strncmp(text, "meta.", 5) == 0) {
		p.type = PATH_META;
		add_steps(&p, text + 5);
	} else {
		p.type = PATH_META;
		add_step(&p, text, strlen(text));
	}
	return p;
}

static void path_done(struct path *p)
{
	for (size_t i = 0; i < p->nsteps; i++)
		free(p->steps[i]);
	free(p->steps);
	free(p->text);
}

/* -- operands -------------------------------------------------------------------------------------------- */

static struct operand operand_of(const struct value *v)
{
	struct operand o = {0};

	if (value_type(v) == VALUE_STRING)
		o.text = value_get_string(v, &o.len);
	else if (value_type(v) != VALUE_NIL)
		o.value = v;
	return o;
}

static bool is_absent(const struct operand *o)
{
	return !o->value && !o->text;
}

static struct operand follow(const struct path *p, const struct value *from)
{
	for (size_t i = 0; from && i < p->nsteps; i++)
		from = value_get(from, p->steps[i]);
	return operand_of(from);
}

/* -1: there is no such thing to ask for. */
static int resolve(const struct path *p, const struct check *c, struct operand *ret)
{
	const char *id = c->who ? identity_id(c->who) : "";
	const struct value *actor_meta = c->who ? identity_meta(c->who) : NULL;

	switch (p->type) {
	case PATH_ACTOR_ID:
	case PATH_ACTOR_META:
		if (!*id && value_count(actor_meta) == 0)
			return -1;
		*ret = p->type == PATH_ACTOR_ID ? (struct operand){.text = id, .len = strlen(id)}
						: follow(p, actor_meta);
		return 0;
	case PATH_ACTION:
		*ret = (struct operand){.text = c->action, .len = c->action_len};
		return 0;
	case PATH_RESOURCE:
		*ret = (struct operand){.text = c->resource, .len = c->resource_len};
		return 0;
	case PATH_META:
		*ret = follow(p, c->meta);
		return 0;
	case PATH_NONE:
	case PATH_INVALID:
		break;
	}
	return -1;
}

/* Numbers, and texts that read as one. */
static bool to_number(const struct operand *o, double *ret)
{
	char *end;
	double d;

	if (o->reads != NUMBER_UNKNOWN) {
		*ret = o->number;
		return o->reads == NUMBER_YES;
	}
	if (o->value) {
		if (value_type(o->value) != VALUE_INT && value_type(o->value) != VALUE_FLOAT)
			return false;
		*ret = value_get_float(o->value);
		return true;
	}
	/* Also the beginnings of inf and nan; blanks do not begin a number here. */
	if (o->len == 0 || !strchr("0123456789+-.iInN", o->text[0]))
		return false;
	d = strtod(o->text, &end);
	if (end != o->text + o->len)
		return false;
	*ret = d;
	return true;
}

/* Scalars only. `number` holds the text of a number. */
static bool to_text(const struct operand *o, char number[static NUMBER_TEXT_MAX], const char **ret, size_t *ret_len)
{
	if (o->text) {
		*ret = o->text;
		*ret_len = o->len;
		return true;
	}
	switch (value_type(o->value)) {
	case VALUE_BOOL:
		*ret = value_get_bool(o->value) ? "true" : "false";
		*ret_len = strlen(*ret);
		return true;
	case VALUE_INT:
		*ret_len = number_format_int(value_get_int(o->value), number);
		*ret = number;
		return true;
	case VALUE_FLOAT:
		*ret_len = number_format_float(value_get_float(o->value), number);
		*ret = number;
		return true;
	default:
		return false;
	}
}

/* -- operators: 1 true, 0 false, -1 cannot be told --------------------------------------------------------- */

static int are_equal(const struct operand *a, const struct operand *b)
{
	char number_a[NUMBER_TEXT_MAX], number_b[NUMBER_TEXT_MAX];
	const char *text_a, *text_b;
	size_t len_a, len_b;
	double x, y;

	if (is_absent(a) || is_absent(b))
		return is_absent(a) && is_absent(b);
	/* Integers beyond 2^53 are compared here, before they become floats. */
	if (a->value && b->value && value_equal(a->value, b->value))
		return 1;
	if (a->text && b->text && a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return 1;
	if (a->value && b->value && value_type(a->value) == VALUE_INT && value_type(b->value) == VALUE_INT)
		return 0;
	/* The second is the literal more often than not: that it is no number is known without reading the first. */
	if (to_number(b, &y) && to_number(a, &x))
		return x == y;
	if (a->text && b->text)
		return 0;
	return to_text(a, number_a, &text_a, &len_a) && to_text(b, number_b, &text_b, &len_b) && len_a == len_b &&
	       memcmp(text_a, text_b, len_a) == 0;
}

static int compare(enum operator_type op, const struct operand *a, const struct operand *b)
{
	double x, y;

	if (a->value && b->value && value_type(a->value) == VALUE_INT && value_type(b->value) == VALUE_INT) {
		int64_t i = value_get_int(a->value), k = value_get_int(b->value);

		return op == OP_LT ? i < k : op == OP_GT ? i > k : op == OP_LTE ? i <= k : i >= k;
	}
	if (!to_number(a, &x) || !to_number(b, &y))
		return -1;
	return op == OP_LT ? x < y : op == OP_GT ? x > y : op == OP_LTE ? x <= y : x >= y;
}

static int is_element(const struct operand *item, const struct value *list)
{
	for (size_t i = 0; i < value_count(list); i++) {
		struct operand o = operand_of(value_at(list, i));

		if (are_equal(item, &o) > 0)
			return 1;
	}
	return 0;
}

static bool is_list(const struct operand *o)
{
	return o->value && value_type(o->value) == VALUE_LIST;
}

static int is_in(const struct operand *a, const struct operand *b)
{
	if (is_list(b))
		return is_element(a, b->value);
	return b->text ? are_equal(a, b) : -1;
}

static int contains(const struct operand *a, const struct operand *b)
{
	char number_a[NUMBER_TEXT_MAX], number_b[NUMBER_TEXT_MAX];
	const char *text_a, *text_b;
	size_t len_a, len_b;

	if (is_list(a))
		return is_element(b, a->value);
	if (!to_text(a, number_a, &text_a, &len_a) || !to_text(b, number_b, &text_b, &len_b))
		return -1;
	return memmem(text_a, len_a, text_b, len_b) != NULL;
}

static int matches(const struct condition *cond, const struct operand *a)
{
	char number[NUMBER_TEXT_MAX];
	const char *text;
	struct regex_span whole;
	struct err e;
	size_t len;

	if (!cond->regex || !to_text(a, number, &text, &len))
		return -1;
	/* Not regex_matches(): a search that gave up must not make nmatches true. */
	return regex_search(cond->regex, text, len, 0, &whole, 1, &e);
}

static int exists(const struct operand *a, const struct operand *wanted)
{
	if (!wanted->value || value_type(wanted->value) != VALUE_BOOL)
		return -1;
	return !is_absent(a) == value_get_bool(wanted->value);
}

enum outcome { HOLDS, FAILS, FIELD_ABSENT, FIELD_INVALID, VALUE_INVALID, NOT_COMPARABLE };

static enum outcome evaluate(const struct condition *cond, const struct check *c, struct operand *ret_field)
{
	struct operand a = {0}, b = {0};
	int rc = -1;

	if (resolve(&cond->field, c, &a) < 0)
		return FIELD_INVALID;
	*ret_field = a;
	if (cond->value)
		b = cond->literal;
	else if (resolve(&cond->value_from, c, &b) < 0 || is_absent(&b))
		return VALUE_INVALID;
	if (cond->op->type != OP_EXISTS && is_absent(&a))
		return FIELD_ABSENT;
	switch (cond->op->type) {
	case OP_EQ:
		rc = are_equal(&a, &b);
		break;
	case OP_LT:
	case OP_GT:
	case OP_LTE:
	case OP_GTE:
		rc = compare(cond->op->type, &a, &b);
		break;
	case OP_IN:
		rc = is_in(&a, &b);
		break;
	case OP_CONTAINS:
		rc = contains(&a, &b);
		break;
	case OP_MATCHES:
		rc = matches(cond, &a);
		break;
	case OP_EXISTS:
		rc = exists(&a, &b);
		break;
	}
	if (rc < 0)
		return NOT_COMPARABLE;
	return (rc != 0) != cond->op->negated ? HOLDS : FAILS;
}

bool condition_list_holds(const struct condition_list *l, const struct check *c)
{
	struct operand field;

	for (size_t i = 0; i < l->count; i++) {
		if (evaluate(&l->items[i], c, &field) != HOLDS)
			return false;
	}
	return true;
}

/* -- why not ----------------------------------------------------------------------------------------------- */

enum { SHOWN_BYTES_MAX = 80 };

static void add_operand(struct buf *out, const struct operand *o)
{
	struct buf text = BUF_INIT;

	if (o->text)
		json_write_string(o->text, o->len, &text);
	else
		json_write(o->value, &text);
	if (buf_len(&text) > SHOWN_BYTES_MAX) {
		buf_truncate(&text, SHOWN_BYTES_MAX);
		buf_adds(&text, "...");
	}
	buf_add(out, buf_data(&text), buf_len(&text));
	buf_done(&text);
}

int condition_list_explain(const struct condition_list *l, const struct check *c, struct buf *ret_why)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct condition *cond = &l->items[i];
		struct operand field = {0}, value = operand_of(cond->value);
		enum outcome o = evaluate(cond, c, &field);

		if (o == HOLDS)
			continue;
		buf_addf(ret_why, "condition %zu: %s %s ", i, cond->field.text, cond->op->name);
		if (cond->value)
			add_operand(ret_why, &value);
		else
			buf_adds(ret_why, cond->value_from.text);
		switch (o) {
		case FIELD_ABSENT:
			buf_addf(ret_why, ": there is no %s", cond->field.text);
			break;
		case FIELD_INVALID:
			buf_addf(ret_why, ": %s is nothing that can be asked for here", cond->field.text);
			break;
		case VALUE_INVALID:
			buf_addf(ret_why, ": there is no %s", cond->value_from.text);
			break;
		default:
			buf_addf(ret_why, ": %s is ", cond->field.text);
			if (is_absent(&field))
				buf_adds(ret_why, "absent");
			else
				add_operand(ret_why, &field);
			if (o == NOT_COMPARABLE)
				buf_addf(ret_why, ", which %s cannot be applied to", cond->op->name);
			break;
		}
		return (int)i;
	}
	return -1;
}

/* -- reading ------------------------------------------------------------------------------------------------ */

static const struct relation *find_operator(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (strcmp(operators[i].name, name) == 0)
			return &operators[i];
	}
	return NULL;
}

static int read_one(struct condition *cond, const struct value *v, struct err *e)
{
	const char *field = value_text_at(v, "field"), *op = value_text_at(v, "operator"),
		   *from = value_text_at(v, "value_from");
	const struct value *value = value_get(v, "value");
	const char *pattern;
	size_t len;

	if (!*field)
		return err_set(e, ERR_INVALID, "field is required");
	if (!*op)
		return err_set(e, ERR_INVALID, "operator is required");
	if (value_type(value) == VALUE_NIL && !*from)
		return err_set(e, ERR_INVALID, "value or value_from is required");
	cond->op = find_operator(op);
	if (!cond->op)
		return err_set(e, ERR_INVALID, "invalid operator: %.100s", op);
	if (value_type(value) != VALUE_NIL && cond->op->type == OP_MATCHES) {
		if (value_type(value) != VALUE_STRING)
			return err_set(e, ERR_INVALID, "invalid regex pattern: it must be a string");
		pattern = value_get_string(value, &len);
		if (regex_compile(pattern, len, &cond->regex, e) < 0)
			return -1;
	}
	cond->field = path_read(field);
	if (value_type(value) != VALUE_NIL) {
		cond->value = value_ref((struct value *)(uintptr_t)value);
		cond->literal = operand_of(cond->value);
		cond->literal.reads = to_number(&cond->literal, &cond->literal.number) ? NUMBER_YES : NUMBER_NO;
	} else {
		cond->value_from = path_read(from);
	}
	return 0;
}

int condition_list_read(struct condition_list *ret, const struct value *list, struct err *e)
{
	struct condition_list l = {0};

	if (value_type(list) == VALUE_NIL) {
		*ret = l;
		return 0;
	}
	if (value_type(list) != VALUE_LIST)
		return err_set(e, ERR_INVALID, "conditions must be a list");
	l.items = xcalloc(value_count(list) + 1, sizeof(*l.items));
	for (size_t i = 0; i < value_count(list); i++) {
		l.count++; /* also what is half read is freed */
		if (read_one(&l.items[i], value_at(list, i), e) < 0) {
			condition_list_done(&l);
			return err_prefix(e, "condition %zu", i);
		}
	}
	*ret = l;
	return 0;
}

void condition_list_done(struct condition_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		path_done(&l->items[i].field);
		path_done(&l->items[i].value_from);
		value_unref(l->items[i].value);
		regex_unref(l->items[i].regex);
	}
	free(l->items);
	*l = (struct condition_list){0};
}
