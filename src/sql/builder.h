/*
 * builder.h - SQL statements put together from parts.
 *
 * A part is a piece of SQL with '?' where its values belong, and those values. A builder holds parts by place; it is
 * copied for every change (parts are shared), so a program may go on from any step. Text is put together in
 * sql_builder_render(). Nothing here knows an engine. One thread.
 */
#ifndef SQL_BUILDER_H
#define SQL_BUILDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/value.h"

enum { SQL_PARTS_MAX = 65536 /* of one builder */ };

/* -- parts ----------------------------------------------------------------------------------------------- */

struct sql_part;

/* Copies the text, takes the values (NULL: none). */
struct sql_part *sql_part_new(const char *text, size_t len, struct sql_params *params);
/* One that cannot be rendered: rendering fails with that text, INVALID. */
struct sql_part *sql_part_bad(const char *static_text);
struct sql_part *sql_part_ref(struct sql_part *p);
void sql_part_unref(struct sql_part *p); /* NULL is fine */
/* Append text and values; INVALID for a bad part and what is too large. */
int sql_part_render(const struct sql_part *p, struct buf *out, struct sql_params *params, struct err *e);
/* "(a AND b)" of borrowed parts; empty ones are left out, none at all is `none`. */
struct sql_part *sql_part_join(struct sql_part *const *parts, size_t n, const char *word, const char *none);

/* -- placeholders ---------------------------------------------------------------------------------------- */

enum sql_format { SQL_QUESTION, SQL_DOLLAR, SQL_AT, SQL_COLON };

/* `?`, `$1`, `@p1`, `:1`; in the numbered ones `??` is a literal question mark. */
void sql_placeholders(enum sql_format format, const char *text, size_t len, struct buf *out);

/* -- builders -------------------------------------------------------------------------------------------- */

enum sql_builder_type { SQL_BUILD_SELECT, SQL_BUILD_INSERT, SQL_BUILD_UPDATE, SQL_BUILD_DELETE };

enum sql_place {
	SQL_PLACE_PREFIX,
	SQL_PLACE_OPTION,
	SQL_PLACE_TABLE, /* of insert, update, delete */
	SQL_PLACE_COLUMN,
	SQL_PLACE_SET,
	SQL_PLACE_FROM,
	SQL_PLACE_JOIN,
	SQL_PLACE_VALUES, /* rows, "(?,?)" */
	SQL_PLACE_SELECT, /* instead of values */
	SQL_PLACE_WHERE,
	SQL_PLACE_GROUP,
	SQL_PLACE_HAVING,
	SQL_PLACE_ORDER,
	SQL_PLACE_LIMIT,
	SQL_PLACE_OFFSET,
	SQL_PLACE_SUFFIX,
	SQL_PLACES,
};

struct sql_builder;

struct sql_builder *sql_builder_new(enum sql_builder_type type);
struct sql_builder *sql_builder_copy(const struct sql_builder *b);
void sql_builder_free(struct sql_builder *b); /* NULL is fine */
enum sql_builder_type sql_builder_type(const struct sql_builder *b);

/* Append; takes the part, also on failure (INVALID, too many). */
int sql_builder_add(struct sql_builder *b, enum sql_place place, struct sql_part *p, struct err *e);
/* Drop what is there. */
void sql_builder_clear(struct sql_builder *b, enum sql_place place);
void sql_builder_set_distinct(struct sql_builder *b);
void sql_builder_set_format(struct sql_builder *b, enum sql_format format);
enum sql_format sql_builder_format(const struct sql_builder *b);

/* Append the statement with '?' for its values. INVALID when something is missing. */
int sql_builder_render(const struct sql_builder *b, struct buf *out, struct sql_params *params, struct err *e);

#endif
