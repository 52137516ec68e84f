#include "sql/builder.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

struct sql_part {
	unsigned refs;
	char *text;
	size_t len;
	struct sql_params *params;
	const char *bad; /* why it cannot be rendered */
};

struct parts {
	struct sql_part **items;
	size_t count;
};

struct sql_builder {
	enum sql_builder_type type;
	enum sql_format format;
	bool distinct;
	size_t count; /* of all parts */
	struct parts places[SQL_PLACES];
};

/* -- parts ----------------------------------------------------------------------------------------------- */

struct sql_part *sql_part_new(const char *text, size_t len, struct sql_params *params)
{
	struct sql_part *p = xcalloc(1, sizeof(*p));

	p->refs = 1;
	p->text = xmemdupz(text, len);
	p->len = len;
	p->params = params;
	return p;
}

struct sql_part *sql_part_bad(const char *static_text)
{
	struct sql_part *p = sql_part_new("", 0, NULL);

	p->bad = static_text;
	return p;
}

struct sql_part *sql_part_ref(struct sql_part *p)
{
	p->refs++;
	return p;
}

void sql_part_unref(struct sql_part *p)
{
	if (!p || --p->refs > 0)
		return;
	sql_params_free(p->params);
	free(p->text);
	free(p);
}

static bool sql_part_is_empty(const struct sql_part *p)
{
	return p->len == 0 && !p->bad;
}

int sql_part_render(const struct sql_part *p, struct buf *out, struct sql_params *params, struct err *e)
{
	if (p->bad)
		return err_set(e, ERR_INVALID, "%s", p->bad);
	if (p->len > SQL_TEXT_BYTES_MAX || buf_len(out) > SQL_TEXT_BYTES_MAX - p->len)
		return err_set(e, ERR_INVALID, "the SQL text is longer than %d bytes", SQL_TEXT_BYTES_MAX);
	buf_add(out, p->text, p->len);
	for (size_t i = 0; i < sql_params_count(p->params); i++) {
		struct sql_value v = sql_params_at(p->params, i);

		if (sql_params_add(params, &v, e) < 0)
			return -1;
	}
	return 0;
}

static const char *reason(const struct err *e)
{
	/* Only these can come up where parts are put together. */
	return strstr(e->text, "parameters") ? "too many or too large parameters" : "the SQL text is too long";
}

struct sql_part *sql_part_join(struct sql_part *const *parts, size_t n, const char *word, const char *none)
{
	struct sql_params *params = sql_params_new();
	struct buf text = BUF_INIT;
	struct sql_part *joined;
	const char *bad = NULL;
	struct err e;

	for (size_t i = 0; !bad && i < n; i++) {
		if (sql_part_is_empty(parts[i]))
			continue;
		if (parts[i]->bad) {
			bad = parts[i]->bad;
			break;
		}
		buf_adds(&text, buf_len(&text) > 0 ? word : "(");
		if (sql_part_render(parts[i], &text, params, &e) < 0)
			bad = reason(&e);
	}
	if (bad) {
		sql_params_free(params);
		joined = sql_part_bad(bad);
	} else {
		buf_adds(&text, buf_len(&text) > 0 ? ")" : none);
		joined = sql_part_new(buf_data(&text), buf_len(&text), params);
	}
	buf_done(&text);
	return joined;
}

/* -- placeholders ---------------------------------------------------------------------------------------- */

void sql_placeholders(enum sql_format format, const char *text, size_t len, struct buf *out)
{
	static const char *const before[] = {[SQL_DOLLAR] = "$", [SQL_AT] = "@p", [SQL_COLON] = ":"};
	unsigned n = 0;

	if (format == SQL_QUESTION) {
		buf_add(out, text, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '?') {
			buf_addc(out, text[i]);
		} else if (i + 1 < len && text[i + 1] == '?') {
			buf_addc(out, '?');
			i++;
		} else {
			buf_addf(out, "%s%u", before[format], ++n);
		}
	}
}

/* -- builders -------------------------------------------------------------------------------------------- */

struct sql_builder *sql_builder_new(enum sql_builder_type type)
{
	struct sql_builder *b = xcalloc(1, sizeof(*b));

	b->type = type;
	return b;
}

struct sql_builder *sql_builder_copy(const struct sql_builder *b)
{
	struct sql_builder *copy = xcalloc(1, sizeof(*copy));

	*copy = *b;
	for (unsigned i = 0; i < SQL_PLACES; i++) {
		const struct parts *from = &b->places[i];

		if (from->count == 0)
			continue;
		copy->places[i].items = xcalloc(from->count, sizeof(struct sql_part *));
		for (size_t k = 0; k < from->count; k++)
			copy->places[i].items[k] = sql_part_ref(from->items[k]);
	}
	return copy;
}

void sql_builder_clear(struct sql_builder *b, enum sql_place place)
{
	struct parts *p = &b->places[place];

	for (size_t i = 0; i < p->count; i++)
		sql_part_unref(p->items[i]);
	free(p->items);
	b->count -= p->count;
	*p = (struct parts){0};
}

void sql_builder_free(struct sql_builder *b)
{
	if (!b)
		return;
	for (int i = 0; i < SQL_PLACES; i++)
		sql_builder_clear(b, (enum sql_place)i);
	free(b);
}

enum sql_builder_type sql_builder_type(const struct sql_builder *b)
{
	return b->type;
}

int sql_builder_add(struct sql_builder *b, enum sql_place place, struct sql_part *p, struct err *e)
{
	struct parts *at = &b->places[place];

	if (b->count >= SQL_PARTS_MAX) {
		sql_part_unref(p);
		return err_set(e, ERR_INVALID, "a query is built of at most %d parts", SQL_PARTS_MAX);
	}
	at->items = xreallocarray(at->items, at->count + 1, sizeof(struct sql_part *));
	at->items[at->count++] = p;
	b->count++;
	return 0;
}

void sql_builder_set_distinct(struct sql_builder *b)
{
	b->distinct = true;
}

void sql_builder_set_format(struct sql_builder *b, enum sql_format format)
{
	b->format = format;
}

enum sql_format sql_builder_format(const struct sql_builder *b)
{
	return b->format;
}

/* -- rendering ------------------------------------------------------------------------------------------- */

struct rendering {
	const struct sql_builder *b;
	struct buf *out;
	struct sql_params *params;
	struct err *e;
};

/* All parts of a place: `before`, the parts with `between`; nothing when there are none. */
static int put(struct rendering *r, enum sql_place place, const char *before, const char *between)
{
	const struct parts *p = &r->b->places[place];
	bool first = true;

	for (size_t i = 0; i < p->count; i++) {
		if (sql_part_is_empty(p->items[i]))
			continue;
		buf_adds(r->out, first ? before : between);
		first = false;
		if (sql_part_render(p->items[i], r->out, r->params, r->e) < 0)
			return -1;
	}
	return 0;
}

/* Does the text hold the word OR outside of parentheses? Then it binds weaker than the AND around it. */
static bool has_bare_or(const struct sql_part *p)
{
	int depth = 0;

	for (size_t i = 0; i + 1 < p->len; i++) {
		const char *s = p->text + i;

		if (*s == '(')
			depth++;
		else if (*s == ')')
			depth--;
		else if (depth == 0 && strncasecmp(s, "or", 2) == 0 && i > 0 && strchr(" \t\r\n)", s[-1]) &&
			 (i + 2 == p->len || strchr(" \t\r\n(", s[2])))
			return true;
	}
	return false;
}

/* Conditions, all of which must hold. */
static int put_conditions(struct rendering *r, enum sql_place place, const char *before)
{
	const struct parts *p = &r->b->places[place];
	bool first = true;

	for (size_t i = 0; i < p->count; i++) {
		bool weak = p->count > 1 && has_bare_or(p->items[i]);

		if (sql_part_is_empty(p->items[i]))
			continue;
		buf_adds(r->out, first ? before : " AND ");
		first = false;
		buf_adds(r->out, weak ? "(" : "");
		if (sql_part_render(p->items[i], r->out, r->params, r->e) < 0)
			return -1;
		buf_adds(r->out, weak ? ")" : "");
	}
	return 0;
}

/* ORDER BY and what follows it. */
static int put_tail(struct rendering *r)
{
	if (put(r, SQL_PLACE_ORDER, " ORDER BY ", ", ") < 0 || put(r, SQL_PLACE_LIMIT, " LIMIT ", "") < 0 ||
		put(r, SQL_PLACE_OFFSET, " OFFSET ", "") < 0)
		return -1;
	return put(r, SQL_PLACE_SUFFIX, " ", " ");
}

static bool has(const struct rendering *r, enum sql_place place)
{
	return r->b->places[place].count > 0;
}

static int lacks(struct rendering *r, const char *what)
{
	return err_set(r->e, ERR_INVALID, "%s", what);
}

static int render_select(struct rendering *r)
{
	if (!has(r, SQL_PLACE_COLUMN))
		return lacks(r, "select statements must have at least one result column");
	buf_adds(r->out, r->b->distinct ? "SELECT DISTINCT " : "SELECT ");
	if (put(r, SQL_PLACE_COLUMN, "", ", ") < 0 || put(r, SQL_PLACE_FROM, " FROM ", "") < 0 ||
		put(r, SQL_PLACE_JOIN, " ", " ") < 0 || put_conditions(r, SQL_PLACE_WHERE, " WHERE ") < 0 ||
		put(r, SQL_PLACE_GROUP, " GROUP BY ", ", ") < 0 || put_conditions(r, SQL_PLACE_HAVING, " HAVING ") < 0)
		return -1;
	return put_tail(r);
}

static int render_insert(struct rendering *r)
{
	if (!has(r, SQL_PLACE_TABLE))
		return lacks(r, "insert statements must specify a table");
	if (!has(r, SQL_PLACE_VALUES) && !has(r, SQL_PLACE_SELECT))
		return lacks(r, "insert statements must have at least one set of values or select clause");
	if (put(r, SQL_PLACE_PREFIX, "", " ") < 0)
		return -1;
	buf_adds(r->out, has(r, SQL_PLACE_PREFIX) ? " INSERT" : "INSERT");
	if (put(r, SQL_PLACE_OPTION, " ", " ") < 0 || put(r, SQL_PLACE_TABLE, " INTO ", "") < 0 ||
		put(r, SQL_PLACE_COLUMN, " (", ",") < 0)
		return -1;
	buf_adds(r->out, has(r, SQL_PLACE_COLUMN) ? ") " : " ");
	if (has(r, SQL_PLACE_SELECT)) {
		if (put(r, SQL_PLACE_SELECT, "", "") < 0)
			return -1;
	} else if (put(r, SQL_PLACE_VALUES, "VALUES ", ",") < 0) {
		return -1;
	}
	return put(r, SQL_PLACE_SUFFIX, " ", " ");
}

static int render_update(struct rendering *r)
{
	if (!has(r, SQL_PLACE_TABLE))
		return lacks(r, "update statements must specify a table");
	if (!has(r, SQL_PLACE_SET))
		return lacks(r, "update statements must have at least one Set clause");
	if (put(r, SQL_PLACE_TABLE, "UPDATE ", "") < 0 || put(r, SQL_PLACE_SET, " SET ", ", ") < 0 ||
		put(r, SQL_PLACE_FROM, " FROM ", "") < 0 || put_conditions(r, SQL_PLACE_WHERE, " WHERE ") < 0)
		return -1;
	return put_tail(r);
}

static int render_delete(struct rendering *r)
{
	if (!has(r, SQL_PLACE_TABLE))
		return lacks(r, "delete statements must specify a From table");
	if (put(r, SQL_PLACE_TABLE, "DELETE FROM ", "") < 0 || put_conditions(r, SQL_PLACE_WHERE, " WHERE ") < 0)
		return -1;
	return put_tail(r);
}

int sql_builder_render(const struct sql_builder *b, struct buf *out, struct sql_params *params, struct err *e)
{
	struct rendering r = {b, out, params, e};

	switch (b->type) {
	case SQL_BUILD_SELECT:
		return render_select(&r);
	case SQL_BUILD_INSERT:
		return render_insert(&r);
	case SQL_BUILD_UPDATE:
		return render_update(&r);
	case SQL_BUILD_DELETE:
		return render_delete(&r);
	}
	return -1;
}
