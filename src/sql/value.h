/*
 * value.h - what goes into a statement and what comes out of it: parameters and results.
 *
 * Both are built by one thread and then handed over whole: never shared while they change. Their size is bounded, since
 * programs choose it; what is too much is an error of the statement, not of the caller's memory.
 */
#ifndef SQL_VALUE_H
#define SQL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
	SQL_TEXT_BYTES_MAX = 1000000,             /* of SQL in one call */
	SQL_VALUE_BYTES_MAX = 64 * 1024 * 1024,   /* of one row, also while it is stored */
	SQL_PARAMS_MAX = 32766,                   /* values of one call */
	SQL_PARAMS_BYTES_MAX = 64 * 1024 * 1024,  /* of all values of one call */
	SQL_ROWS_MAX = 1000000,                   /* of one result */
	SQL_RESULT_BYTES_MAX = 128 * 1024 * 1024, /* of one result */
};

enum sql_type { SQL_NULL, SQL_BOOL, SQL_INT, SQL_FLOAT, SQL_TEXT, SQL_BLOB };

/* `text` is borrowed from whatever the value was asked of. */
struct sql_value {
	enum sql_type type;
	union {
		int64_t i; /* SQL_INT; SQL_BOOL: 0 or 1 */
		double f;
		struct {
			const char *text; /* SQL_TEXT, SQL_BLOB; never NULL */
			size_t len;
		};
	};
};

/* -- parameters ---------------------------------------------------------------------------------------- */

struct sql_params;

struct sql_params *sql_params_new(void);
void sql_params_free(struct sql_params *p); /* NULL is fine */
/* Append; INVALID when there are too many or they are too large (the value is left out). Bytes are copied. */
int sql_params_add(struct sql_params *p, const struct sql_value *v, struct err *e);
int sql_params_add_int(struct sql_params *p, int64_t i, struct err *e);
int sql_params_add_text(struct sql_params *p, const char *text, size_t len, struct err *e);
int sql_params_add_null(struct sql_params *p, struct err *e);
size_t sql_params_count(const struct sql_params *p); /* NULL: 0 */
/* Valid until the next change. */
struct sql_value sql_params_at(const struct sql_params *p, size_t i);

/* -- results -------------------------------------------------------------------------------------------- */

struct sql_result;

struct sql_result *sql_result_new(void);
void sql_result_free(struct sql_result *r); /* NULL is fine */
/* While building: the columns first, then value by value, row after row. INVALID when it grows too large. */
void sql_result_add_column(struct sql_result *r, const char *name);
int sql_result_add(struct sql_result *r, const struct sql_value *v, struct err *e);

size_t sql_result_ncolumns(const struct sql_result *r);
size_t sql_result_nrows(const struct sql_result *r);
const char *sql_result_column(const struct sql_result *r, size_t column);
struct sql_value sql_result_at(const struct sql_result *r, size_t row, size_t column);

#endif
