#include "sql/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* A value as it is kept: its bytes lie in the owner's buffer, which may move. */
struct cell {
	enum sql_type type;
	size_t len;
	union {
		int64_t i;
		double f;
		size_t at;
	};
};

struct cells {
	struct cell *items;
	size_t count;
	size_t cap;
	struct buf bytes;
};

static void cells_add(struct cells *c, const struct sql_value *v)
{
	struct cell *cell;

	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 16;
		c->items = xreallocarray(c->items, c->cap, sizeof(*c->items));
	}
	cell = &c->items[c->count++];
	*cell = (struct cell){.type = v->type};
	switch (v->type) {
	case SQL_NULL:
		break;
	case SQL_BOOL:
	case SQL_INT:
		cell->i = v->i;
		break;
	case SQL_FLOAT:
		cell->f = v->f;
		break;
	case SQL_TEXT:
	case SQL_BLOB:
		cell->at = buf_len(&c->bytes);
		cell->len = v->len;
		buf_add(&c->bytes, v->text, v->len);
		break;
	}
}

static struct sql_value cells_at(const struct cells *c, size_t i)
{
	const struct cell *cell = &c->items[i];
	struct sql_value v = {.type = cell->type};

	switch (cell->type) {
	case SQL_NULL:
		break;
	case SQL_BOOL:
	case SQL_INT:
		v.i = cell->i;
		break;
	case SQL_FLOAT:
		v.f = cell->f;
		break;
	case SQL_TEXT:
	case SQL_BLOB:
		v.text = buf_data(&c->bytes) + cell->at;
		v.len = cell->len;
		break;
	}
	return v;
}

static size_t value_bytes(const struct sql_value *v)
{
	return v->type == SQL_TEXT || v->type == SQL_BLOB ? v->len : 0;
}

static size_t cells_bytes(const struct cells *c)
{
	return buf_len(&c->bytes) + c->count * sizeof(struct cell);
}

static void cells_done(struct cells *c)
{
	free(c->items);
	buf_done(&c->bytes);
}

/* -- parameters ---------------------------------------------------------------------------------------- */

struct sql_params {
	struct cells cells;
};

struct sql_params *sql_params_new(void)
{
	return xcalloc(1, sizeof(struct sql_params));
}

void sql_params_free(struct sql_params *p)
{
	if (!p)
		return;
	cells_done(&p->cells);
	free(p);
}

int sql_params_add(struct sql_params *p, const struct sql_value *v, struct err *e)
{
	if (p->cells.count >= SQL_PARAMS_MAX)
		return err_set(e, ERR_INVALID, "too many parameters: at most %d are allowed", SQL_PARAMS_MAX);
	if (value_bytes(v) > SQL_PARAMS_BYTES_MAX - buf_len(&p->cells.bytes))
		return err_set(e, ERR_INVALID, "the parameters are too large: at most %d MiB are allowed in one call",
			SQL_PARAMS_BYTES_MAX >> 20);
	cells_add(&p->cells, v);
	return 0;
}

int sql_params_add_int(struct sql_params *p, int64_t i, struct err *e)
{
	return sql_params_add(p, &(struct sql_value){.type = SQL_INT, .i = i}, e);
}

int sql_params_add_text(struct sql_params *p, const char *text, size_t len, struct err *e)
{
	return sql_params_add(p, &(struct sql_value){.type = SQL_TEXT, .text = text, .len = len}, e);
}

int sql_params_add_null(struct sql_params *p, struct err *e)
{
	return sql_params_add(p, &(struct sql_value){.type = SQL_NULL}, e);
}

size_t sql_params_count(const struct sql_params *p)
{
	return p ? p->cells.count : 0;
}

struct sql_value sql_params_at(const struct sql_params *p, size_t i)
{
	return cells_at(&p->cells, i);
}

/* -- results -------------------------------------------------------------------------------------------- */

struct sql_result {
	struct cells cells;
	char **columns;
	size_t ncolumns;
};

struct sql_result *sql_result_new(void)
{
	return xcalloc(1, sizeof(struct sql_result));
}

void sql_result_free(struct sql_result *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->ncolumns; i++)
		free(r->columns[i]);
	free(r->columns);
	cells_done(&r->cells);
	free(r);
}

void sql_result_add_column(struct sql_result *r, const char *name)
{
	r->columns = xreallocarray(r->columns, r->ncolumns + 1, sizeof(*r->columns));
	r->columns[r->ncolumns++] = xstrdup(name);
}

int sql_result_add(struct sql_result *r, const struct sql_value *v, struct err *e)
{
	if (r->cells.count >= SQL_ROWS_MAX * r->ncolumns)
		return err_set(
			e, ERR_INVALID, "the result has more than %d rows: ask for fewer with LIMIT", SQL_ROWS_MAX);
	if (cells_bytes(&r->cells) + value_bytes(v) > SQL_RESULT_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the result is larger than %d MiB: ask for fewer rows with LIMIT",
			SQL_RESULT_BYTES_MAX >> 20);
	cells_add(&r->cells, v);
	return 0;
}

size_t sql_result_ncolumns(const struct sql_result *r)
{
	return r->ncolumns;
}

size_t sql_result_nrows(const struct sql_result *r)
{
	return r->ncolumns > 0 ? r->cells.count / r->ncolumns : 0;
}

const char *sql_result_column(const struct sql_result *r, size_t column)
{
	return r->columns[column];
}

struct sql_value sql_result_at(const struct sql_result *r, size_t row, size_t column)
{
	return cells_at(&r->cells, row * r->ncolumns + column);
}
