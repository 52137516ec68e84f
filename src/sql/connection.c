#include "sql/connection.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sql/timestamp.h"

enum {
	PROGRESS_STEPS = 1000, /* of SQLite's machine between two looks at `stop` */
	COLUMNS_MAX = 2000,    /* SQLite's own limit */
};

struct connection {
	sqlite3 *db;
	char *file;
	atomic_bool *stop;
	uint64_t busy_since_ns;
};

/* What the declared type of a column makes of its values. */
enum column_rule { COLUMN_PLAIN, COLUMN_BOOL, COLUMN_TIME };

/* -- errors ---------------------------------------------------------------------------------------------- */

/* Why the file cannot be opened: the engine remembers only its last attempt, which is to open it for reading. */
static int open_errno(const struct connection *c)
{
	const char *slash = strrchr(c->file, '/');
	char *folder = slash ? xmemdupz(c->file, slash == c->file ? 1 : (size_t)(slash - c->file)) : xstrdup(".");
	int errnum = 0;

	if (access(c->file, F_OK) == 0 ? access(c->file, R_OK | W_OK) < 0 : access(folder, W_OK | X_OK) < 0)
		errnum = errno;
	free(folder);
	return errnum ? errnum : sqlite3_system_errno(c->db);
}

/* The file and what to do, behind the engine's words. */
static int fail_file(
	struct connection *c, struct err *e, enum err_kind kind, int errnum, const char *said, const char *advice)
{

	if (errnum != 0)
		return err_set(e, kind, "%s (%.512s, %s): %s", said, c->file, strerror(errnum), advice);
	return err_set(e, kind, "%s (%.512s): %s", said, c->file, advice);
}

static int fail_constraint(struct err *e, int extended, const char *said)
{
	bool unique = extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
		      extended == SQLITE_CONSTRAINT_ROWID;

	err_set(e, ERR_UNKNOWN, "%s", said);
	if (e)
		e->retry = ERR_RETRY_UNKNOWN;
	return err_code(e, unique ? "unique" : "constraint");
}

static int fail(struct connection *c, struct err *e)
{
	const char *said = sqlite3_errmsg(c->db);
	int extended = sqlite3_extended_errcode(c->db), errnum = sqlite3_system_errno(c->db);

	switch (extended & 0xff) {
	case SQLITE_CONSTRAINT:
		return fail_constraint(e, extended, said);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err_set(e, ERR_UNAVAILABLE, "%s", said);
		return err_retryable(e);
	case SQLITE_FULL:
		fail_file(c, e, ERR_UNAVAILABLE, errnum, said, "free some space and try again");
		return err_retryable(e);
	case SQLITE_READONLY:
		return fail_file(c, e, ERR_UNAVAILABLE, errnum, said, "make the file and its directory writable");
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return fail_file(c, e, ERR_UNAVAILABLE, open_errno(c), said,
			"its directory must exist, and both must be accessible");
	case SQLITE_IOERR:
		return fail_file(c, e, ERR_UNAVAILABLE, errnum, said, "check the disk");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail_file(
			c, e, ERR_INTERNAL, errnum, said, "the file is damaged or no SQLite database; restore it");
	case SQLITE_INTERRUPT:
		return err_set(e, ERR_CANCELED, "%s", said);
	case SQLITE_ERROR:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
	case SQLITE_AUTH:
		return err_set(e, ERR_INVALID, "%s", said);
	default:
		return err_set(e, ERR_INTERNAL, "%s", said);
	}
}

/* -- opening --------------------------------------------------------------------------------------------- */

static int on_progress(void *arg)
{
	struct connection *c = arg;

	return atomic_load_explicit(c->stop, memory_order_relaxed) ? 1 : 0;
}

/* Another program holds the lock: wait a little, then longer. */
static int on_busy(void *arg, int times)
{
	static const unsigned char delays_ms[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
	struct connection *c = arg;
	uint64_t now = loop_clock_ns();
	size_t i = (size_t)times < ARRAY_LEN(delays_ms) ? (size_t)times : ARRAY_LEN(delays_ms) - 1;
	struct timespec pause = {.tv_nsec = delays_ms[i] * 1000000L};

	if (times == 0)
		c->busy_since_ns = now;
	if (atomic_load(c->stop) || now - c->busy_since_ns >= SQL_BUSY_MS * UINT64_C(1000000))
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

static int enable_wal(struct connection *c, struct err *e)
{
	sqlite3_stmt *st = NULL;
	const char *mode;
	int rc = -1;

	if (sqlite3_prepare_v2(c->db, "PRAGMA journal_mode=WAL", -1, &st, NULL) != SQLITE_OK ||
		sqlite3_step(st) != SQLITE_ROW) {
		fail(c, e);
		goto out;
	}
	mode = (const char *)sqlite3_column_text(st, 0);
	if (!mode || (strcmp(mode, "wal") != 0 && strcmp(mode, "memory") != 0)) {
		err_set(e, ERR_INTERNAL, "the journal mode of %.512s stays '%.32s'", c->file, mode ? mode : "");
		goto out;
	}
	rc = 0;
out:
	sqlite3_finalize(st);
	return rc < 0 ? err_prefix(e, "failed to enable WAL mode") : 0;
}

int connection_open(const char *file, atomic_bool *stop, struct connection **ret_conn, struct err *e)
{
	struct connection *c = xcalloc(1, sizeof(*c));
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	c->file = xstrdup(file);
	c->stop = stop;
	if (sqlite3_open_v2(file, &c->db, flags, NULL) != SQLITE_OK) {
		if (c->db)
			fail(c, e);
		else
			err_set(e, ERR_INTERNAL, "out of memory");
		goto fail;
	}
	sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES_MAX);
	sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, SQL_TEXT_BYTES_MAX);
	sqlite3_limit(c->db, SQLITE_LIMIT_VARIABLE_NUMBER, SQL_PARAMS_MAX);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
	/* No statement can damage the file itself. */
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_handler(c->db, on_busy, c);
	sqlite3_progress_handler(c->db, PROGRESS_STEPS, on_progress, c);
	if (enable_wal(c, e) < 0)
		goto fail;
	if (sqlite3_exec(c->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) != SQLITE_OK) {
		fail(c, e);
		goto fail;
	}
	*ret_conn = c;
	return 0;
fail:
	connection_close(c);
	return -1;
}

void connection_close(struct connection *c)
{
	sqlite3_stmt *st;

	if (!c)
		return;
	while (c->db && (st = sqlite3_next_stmt(c->db, NULL)))
		sqlite3_finalize(st);
	sqlite3_close(c->db);
	free(c->file);
	free(c);
}

/* -- values ---------------------------------------------------------------------------------------------- */

static int bind_value(sqlite3_stmt *st, int i, const struct sql_value *v)
{
	switch (v->type) {
	case SQL_NULL:
		return sqlite3_bind_null(st, i);
	case SQL_BOOL:
	case SQL_INT:
		return sqlite3_bind_int64(st, i, v->i);
	case SQL_FLOAT:
		return sqlite3_bind_double(st, i, v->f);
	case SQL_TEXT:
		return sqlite3_bind_text64(st, i, v->text, v->len, SQLITE_STATIC, SQLITE_UTF8);
	case SQL_BLOB:
		return sqlite3_bind_blob64(st, i, v->text, v->len, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

/* The values from `first` on; they outlive the run. */
static int bind_all(
	struct connection *c, sqlite3_stmt *st, const struct sql_params *params, size_t first, struct err *e)
{
	int n = sqlite3_bind_parameter_count(st);

	for (int i = 0; i < n; i++) {
		struct sql_value v = sql_params_at(params, first + (size_t)i);

		if (bind_value(st, i + 1, &v) != SQLITE_OK)
			return fail(c, e);
	}
	return 0;
}

static enum column_rule column_rule(sqlite3_stmt *st, int i)
{
	const char *declared = sqlite3_column_decltype(st, i);

	if (!declared)
		return COLUMN_PLAIN;
	if (strcasecmp(declared, "boolean") == 0)
		return COLUMN_BOOL;
	if (strcasecmp(declared, "date") == 0 || strcasecmp(declared, "datetime") == 0 ||
		strcasecmp(declared, "timestamp") == 0)
		return COLUMN_TIME;
	return COLUMN_PLAIN;
}

/* `room` holds the text of a time. */
static struct sql_value read_value(sqlite3_stmt *st, int i, enum column_rule rule, char *room)
{
	struct sql_value v = {.type = SQL_NULL};

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		v.type = SQL_INT;
		v.i = sqlite3_column_int64(st, i);
		if (rule == COLUMN_BOOL) {
			v.type = SQL_BOOL;
			v.i = v.i > 0;
		} else if (rule == COLUMN_TIME) {
			v.type = SQL_TEXT;
			v.len = sql_timestamp_from_int(v.i, room);
			v.text = room;
		}
		break;
	case SQLITE_FLOAT:
		v.type = SQL_FLOAT;
		v.f = sqlite3_column_double(st, i);
		break;
	case SQLITE_TEXT:
		v.type = SQL_TEXT;
		v.text = (const char *)sqlite3_column_text(st, i);
		v.len = (size_t)sqlite3_column_bytes(st, i);
		if (rule == COLUMN_TIME && v.text) {
			v.len = sql_timestamp_from_text(v.text, v.len, room);
			v.text = room;
		}
		break;
	case SQLITE_BLOB:
		v.type = SQL_BLOB;
		v.text = sqlite3_column_blob(st, i);
		v.len = (size_t)sqlite3_column_bytes(st, i);
		break;
	default:
		break;
	}
	/* An empty blob has no address, and neither has what there was no memory for. */
	if ((v.type == SQL_TEXT || v.type == SQL_BLOB) && !v.text) {
		v.text = "";
		v.len = 0;
	}
	return v;
}

/* -- running --------------------------------------------------------------------------------------------- */

static int read_row(sqlite3_stmt *st, const unsigned char *rules, int ncolumns, struct sql_result *r, struct err *e)
{
	char room[SQL_TIMESTAMP_MAX];

	for (int i = 0; i < ncolumns; i++) {
		struct sql_value v = read_value(st, i, rules[i], room);

		if (sql_result_add(r, &v, e) < 0)
			return -1;
	}
	return 0;
}

/* Run a bound statement to its end; rows go to `r` (NULL: dropped). */
static int step_all(struct connection *c, sqlite3_stmt *st, struct sql_result *r, struct err *e)
{
	unsigned char rules[COLUMNS_MAX];
	int n = sqlite3_column_count(st), rc;

	if (n > COLUMNS_MAX)
		return err_set(e, ERR_INVALID, "more than %d columns", COLUMNS_MAX);
	for (int i = 0; r && i < n; i++) {
		const char *name = sqlite3_column_name(st, i);

		sql_result_add_column(r, name ? name : "");
		rules[i] = (unsigned char)column_rule(st, i);
	}
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (r && read_row(st, rules, n, r, e) < 0)
			return -1;
	}
	return rc == SQLITE_DONE ? 0 : fail(c, e);
}

/* Run a statement whose values begin at `first`. */
static int run_statement(struct connection *c, enum sql_op op, sqlite3_stmt *st, const struct sql_params *params,
	size_t first, struct sql_answer *a)
{
	sqlite3_int64 before = sqlite3_total_changes64(c->db);
	int rc;

	if (atomic_load(c->stop))
		return err_set(&a->err, ERR_CANCELED, "interrupted");
	sql_result_free(a->result);
	a->result = op == SQL_QUERY ? sql_result_new() : NULL;
	rc = bind_all(c, st, params, first, &a->err);
	if (rc == 0)
		rc = step_all(c, st, a->result, &a->err);
	/* What it returns is the failure of the step again. */
	(void)sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	if (rc < 0)
		return -1;
	a->last_insert_id = sqlite3_last_insert_rowid(c->db);
	/* A statement that changes no rows leaves the count of the one before it. */
	a->rows_affected = sqlite3_total_changes64(c->db) > before ? sqlite3_changes64(c->db) : 0;
	return 0;
}

static int check_text(const char *text, size_t len, struct err *e)
{
	if (len > SQL_TEXT_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the SQL text is longer than %d bytes", SQL_TEXT_BYTES_MAX);
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "the SQL text contains a NUL byte");
	return 0;
}

int connection_run(struct connection *c, enum sql_op op, const char *text, size_t len, const struct sql_params *params,
	struct sql_answer *a)
{
	const char *end = text + len;
	size_t used = 0, given = sql_params_count(params), want;
	int rc;

	if (check_text(text, len, &a->err) < 0)
		return -1;
	while (text < end) {
		sqlite3_stmt *st = NULL;

		if (sqlite3_prepare_v2(c->db, text, (int)(end - text), &st, &text) != SQLITE_OK)
			return fail(c, &a->err);
		if (!st) /* blanks, a comment */
			continue;
		want = (size_t)sqlite3_bind_parameter_count(st);
		if (given - used < want)
			rc = err_set(&a->err, ERR_INVALID, "not enough args to execute query: want %zu got %zu", want,
				given - used);
		else
			rc = run_statement(c, op, st, params, used, a);
		sqlite3_finalize(st);
		if (rc < 0)
			return -1;
		used += want;
	}
	if (op == SQL_QUERY && !a->result)
		a->result = sql_result_new();
	return 0;
}

int connection_prepare(struct connection *c, const char *text, size_t len, sqlite3_stmt **ret, struct err *e)
{
	const char *end = text + len, *tail = text;
	sqlite3_stmt *st = NULL, *more = NULL;

	if (check_text(text, len, e) < 0)
		return -1;
	while (!st && tail < end)
		if (sqlite3_prepare_v3(c->db, tail, (int)(end - tail), SQLITE_PREPARE_PERSISTENT, &st, &tail) !=
			SQLITE_OK)
			return fail(c, e);
	if (!st)
		return err_set(e, ERR_INVALID, "there is no statement to prepare");
	while (!more && tail < end) {
		if (sqlite3_prepare_v2(c->db, tail, (int)(end - tail), &more, &tail) != SQLITE_OK) {
			fail(c, e);
			sqlite3_finalize(st);
			return -1;
		}
	}
	if (more) {
		sqlite3_finalize(more);
		sqlite3_finalize(st);
		return err_set(e, ERR_INVALID, "only one statement can be prepared at a time");
	}
	*ret = st;
	return 0;
}

int connection_run_prepared(
	struct connection *c, enum sql_op op, sqlite3_stmt *st, const struct sql_params *params, struct sql_answer *a)
{
	size_t want = (size_t)sqlite3_bind_parameter_count(st), given = sql_params_count(params);

	if (want != given)
		return err_set(&a->err, ERR_INVALID, "expected %zu arguments, got %zu", want, given);
	return run_statement(c, op, st, params, 0, a);
}

void connection_finalize(sqlite3_stmt *st)
{
	sqlite3_finalize(st);
}

/* -- transactions ---------------------------------------------------------------------------------------- */

bool connection_in_transaction(struct connection *c)
{
	return !sqlite3_get_autocommit(c->db);
}

static int run_word(struct connection *c, const char *word, struct err *e)
{
	return sqlite3_exec(c->db, word, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(c, e);
}

int connection_begin(struct connection *c, struct err *e)
{
	return run_word(c, "BEGIN", e);
}

/* The progress handler may not stop this one. */
static int roll_back(struct connection *c, struct err *e)
{
	int rc = 0;

	sqlite3_progress_handler(c->db, 0, NULL, NULL);
	if (connection_in_transaction(c))
		rc = run_word(c, "ROLLBACK", e);
	sqlite3_progress_handler(c->db, PROGRESS_STEPS, on_progress, c);
	return rc;
}

int connection_commit(struct connection *c, struct err *e)
{
	int rc = run_word(c, "COMMIT", e);

	if (rc < 0)
		roll_back(c, NULL);
	return rc;
}

int connection_rollback(struct connection *c, struct err *e)
{
	return roll_back(c, e);
}
