/*
 * database.h - one SQLite database: one connection, on a thread of its own.
 *
 * Statements are jobs. They run in the order they were submitted, one at a time, on the database's thread; the answer
 * comes back to the asker's loop. Nobody waits for SQLite on a worker. A caller that may block (the main thread while
 * it loads, a thread of one's own) uses database_call().
 *
 * A transaction is a session: from its BEGIN to its end it owns the connection. Jobs of others wait meanwhile, in their
 * order. A session that is let go while it is active is rolled back, and the next one in the queue goes on.
 *
 *     struct sql_request q = {.op = SQL_QUERY, .text = "SELECT 1", .len = 8, .loop = loop, .done = on_done, .arg = x};
 *
 *     x->job = database_submit(db, &q);                 // on_done(x, answer) later, on `loop`; never inside this call
 *     sql_job_cancel(x->job);                           // or: on_done never runs; a running statement is interrupted
 *
 * Journal mode WAL, synchronous FULL: what was answered is on the disk, also when the program is killed in the next
 * moment. A busy database (another program writes to the file) is waited for 5 s; foreign keys are off until a program
 * turns them on.
 */
#ifndef SQL_DATABASE_H
#define SQL_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "sql/value.h"

enum { SQL_BUSY_MS = 5000 };

struct database;
struct sql_job;
struct sql_session;
struct sql_statement;

struct database_config {
	const char *name; /* for the log: the entry's id */
	const char
		*file; /* relative to the working directory; ":memory:" is private and lives until database_close() */
	uint64_t max_lifetime_ms; /* an older connection is replaced when nobody uses it; 0 = never */
};

/* Open the file, made if it is not there, in WAL mode, and start the thread. Blocks. INTERNAL "failed to create
 * SQLite connection: ..." names the file and the cause. */
int database_open(const struct database_config *cfg, struct database **ret_db, struct err *e);
struct database *database_ref(struct database *db); /* NULL gives NULL */
/* The last reference closes what is open. NULL is fine. */
void database_unref(struct database *db);

/* End the running statement, answer what waits with UNAVAILABLE "connection pool is closed", roll back an open
 * transaction, close the connection. Waits for the thread; afterwards nothing is posted any more. Not on the
 * database's own callbacks; twice is fine. */
void database_close(struct database *db);
/* After database_close(): open again. Nothing when it is open. As database_open(). */
int database_reopen(struct database *db, struct err *e);
void database_set_max_lifetime(struct database *db, uint64_t max_lifetime_ms);

/* -- handles: who may still submit; any thread ----------------------------------------------------------- */

/* UNAVAILABLE "connection pool is closed" when it is closed or draining. */
int database_acquire(struct database *db, struct err *e);
void database_release(struct database *db);
/* No new handles from now on, or again. Those there are go on. */
void database_set_draining(struct database *db, bool draining);
unsigned database_handles(struct database *db);

struct database_stats {
	unsigned max_open_connections;
	unsigned open_connections;
	unsigned in_use;
	unsigned idle;
	uint64_t wait_count;       /* jobs that found the connection taken */
	uint64_t wait_duration_ns; /* of all of them together */
	uint64_t max_lifetime_closed;
};

void database_stats(struct database *db, struct database_stats *ret);

/* -- jobs ----------------------------------------------------------------------------------------------- */

enum sql_op {
	SQL_QUERY,    /* rows of the last statement in the text */
	SQL_EXECUTE,  /* its counts; rows are dropped */
	SQL_PREPARE,  /* one statement, compiled */
	SQL_BEGIN,    /* `session` becomes active */
	SQL_COMMIT,   /* and ends, successful or not: what could not be committed is rolled back */
	SQL_ROLLBACK, /* the same */
};

struct sql_answer {
	int rc;         /* -1: `err` says why */
	struct err err; /* the engine's own words come first; see below */
	/* Set to NULL what you take; the rest is freed after `done`. */
	struct sql_result *result;       /* SQL_QUERY; never NULL after success */
	struct sql_statement *statement; /* SQL_PREPARE */
	int64_t last_insert_id;          /* SQL_EXECUTE */
	int64_t rows_affected;
};

/*
 * Kinds of errors: INVALID for SQL that makes no sense (syntax, no such table, too few values), UNAVAILABLE and
 * retryable when the database is locked or the disk is full, UNAVAILABLE for a file that cannot be written, INTERNAL
 * for one that is damaged, UNKNOWN with unknown retry for a constraint that failed. `code` is "unique" for UNIQUE and
 * PRIMARY KEY, "constraint" for the others.
 */
typedef void sql_done_fn(void *arg, struct sql_answer *a);

struct sql_request {
	enum sql_op op;
	const char *text; /* of SQL_QUERY, SQL_EXECUTE, SQL_PREPARE; borrowed */
	size_t len;
	struct sql_statement
		*statement; /* instead of text: a prepared one; borrowed. It demands the exact number of values */
	struct sql_params *params;   /* taken; NULL = none */
	struct sql_session *session; /* NULL: outside any transaction */
	struct loop *loop;           /* where `done` runs; must be the caller's own */
	sql_done_fn *done;
	void *arg;
};

/* Never NULL. The job is freed after `done`, or by sql_job_cancel(). */
struct sql_job *database_submit(struct database *db, const struct sql_request *r);
/* On the thread that submitted, before `done` ran. */
void sql_job_cancel(struct sql_job *j);

/* Submit and wait on this thread (never a worker's): `loop`, `done` and `arg` are ignored. Returns a->rc; free `a`
 * with sql_answer_done(). */
int database_call(struct database *db, const struct sql_request *r, struct sql_answer *ret_a);
/* The same for a text without values whose rows do not matter ("CREATE TABLE ..."). */
int database_exec(struct database *db, const char *text, struct err *e);
void sql_answer_done(struct sql_answer *a);

/* -- sessions ------------------------------------------------------------------------------------------- */

/* Not active yet: submit SQL_BEGIN with it. */
struct sql_session *sql_session_new(struct database *db);
/* Let go, on any thread: rolled back when it is active or becomes so. Its jobs are cancelled, or over. NULL is fine. */
void sql_session_free(struct sql_session *s);

/* -- prepared statements ---------------------------------------------------------------------------------- */

/* Compiled again when the connection was replaced. */
struct sql_statement *sql_statement_ref(struct sql_statement *st);
void sql_statement_unref(struct sql_statement *st); /* any thread; NULL is fine */

#endif
