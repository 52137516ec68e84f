/*
 * A database: its queue, who owns the connection, cancelling, what a failure says.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "sql/database.h"
#include "scratch.h"

enum { NTHREADS = 4, NJOBS = 60 };

static struct loop *loop;
static struct database *db;

static struct database *open_file(const char *file)
{
	struct database_config cfg = {.name = "test", .file = file};
	struct database *d;
	struct err e;

	if (database_open(&cfg, &d, &e) < 0)
		fail_msg("%s", e.text);
	return d;
}

static int setup(void **state)
{
	scratch_setup(state);
	loop = loop_new();
	db = open_file(scratch_path("test.db"));
	return database_exec(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)", NULL);
}

static int teardown(void **state)
{
	database_close(db);
	database_unref(db);
	/* What was answered before somebody gave up. */
	loop_stop(loop);
	loop_run(loop);
	loop_free(loop);
	return scratch_teardown(state);
}

/* -- asking and waiting ---------------------------------------------------------------------------------- */

struct ask {
	struct sql_job *job;
	struct sql_answer answer;
	int order;
	bool done;
};

static int answered;

static void on_done(void *arg, struct sql_answer *a)
{
	struct ask *k = arg;

	k->answer = *a;
	a->result = NULL;
	a->statement = NULL;
	k->job = NULL;
	k->done = true;
	k->order = ++answered;
}

static void ask_with(struct ask *k, enum sql_op op, const char *text, struct sql_session *s)
{
	struct sql_request q = {.op = op,
		.text = text,
		.len = text ? strlen(text) : 0,
		.session = s,
		.loop = loop,
		.done = on_done,
		.arg = k};

	*k = (struct ask){0};
	k->job = database_submit(db, &q);
}

static void on_late(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static void turn(unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, loop, on_late);
	loop_timer_start_ms(&t, ms);
	loop_run(loop);
	loop_timer_stop(&t);
}

static void wait_done(struct ask *k)
{
	for (unsigned i = 0; i < 2000 && !k->done; i++)
		turn(5);
	assert_true(k->done);
}

static int64_t count_rows(void)
{
	struct sql_request q = {.op = SQL_QUERY, .text = "SELECT count(*) FROM t", .len = 22};
	struct sql_answer a;
	int64_t n;

	assert_int_equal(database_call(db, &q, &a), 0);
	n = sql_result_at(a.result, 0, 0).i;
	sql_answer_done(&a);
	return n;
}

static void fail_with(const char *text, enum err_kind kind, const char *want)
{
	struct err e;

	assert_int_equal(database_exec(db, text, &e), -1);
	assert_string_equal(e.text, want);
	assert_int_equal(e.kind, kind);
}

/* -- statements ------------------------------------------------------------------------------------------ */

static void test_values(void **state)
{
	static const char text[] = "SELECT ?, ?, ?, ?, ?, ?, typeof(?)";
	struct sql_request q = {.op = SQL_QUERY, .text = text, .len = sizeof(text) - 1, .params = sql_params_new()};
	struct sql_value given[] = {{.type = SQL_NULL}, {.type = SQL_BOOL, .i = 1}, {.type = SQL_INT, .i = INT64_MIN},
		{.type = SQL_FLOAT, .f = 1.0}, {.type = SQL_TEXT, .text = "a\0b", .len = 3},
		{.type = SQL_BLOB, .text = "", .len = 0}, {.type = SQL_BLOB, .text = "x", .len = 1}};
	struct sql_answer a;
	struct sql_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		assert_int_equal(sql_params_add(q.params, &given[i], NULL), 0);
	assert_int_equal(database_call(db, &q, &a), 0);
	assert_int_equal(sql_result_nrows(a.result), 1);
	assert_int_equal(sql_result_ncolumns(a.result), 7);
	assert_int_equal(sql_result_at(a.result, 0, 0).type, SQL_NULL);
	assert_int_equal(sql_result_at(a.result, 0, 1).i, 1);
	assert_true(sql_result_at(a.result, 0, 2).i == INT64_MIN);
	assert_int_equal(sql_result_at(a.result, 0, 3).type, SQL_FLOAT);
	v = sql_result_at(a.result, 0, 4);
	assert_int_equal(v.len, 3);
	assert_memory_equal(v.text, "a\0b", 3);
	assert_int_equal(sql_result_at(a.result, 0, 5).type, SQL_BLOB);
	v = sql_result_at(a.result, 0, 6);
	assert_memory_equal(v.text, "blob", 4);
	sql_answer_done(&a);
}

static void test_several_statements(void **state)
{
	struct sql_request q = {.op = SQL_EXECUTE, .params = sql_params_new()};
	struct sql_answer a;

	(void)state;
	q.text = "INSERT INTO t VALUES (?, 'a'); INSERT INTO t VALUES (?, 'b'), (?, 'c'); -- over";
	q.len = strlen(q.text);
	for (int i = 1; i <= 4; i++)
		sql_params_add_int(q.params, i, NULL);
	assert_int_equal(database_call(db, &q, &a), 0);
	assert_int_equal(a.rows_affected, 2);
	assert_int_equal(a.last_insert_id, 3);
	sql_answer_done(&a);
	/* An error stops there; what came before stays. */
	fail_with("INSERT INTO t VALUES (4, 'd'); INSERT INTO t VALUES (4, 'e'); INSERT INTO t VALUES (5, 'f')",
		ERR_UNKNOWN, "UNIQUE constraint failed: t.id");
	assert_int_equal(count_rows(), 4);
	fail_with("SELECT ?, ?", ERR_INVALID, "not enough args to execute query: want 2 got 0");
	/* One that changes nothing does not repeat the count of the one before. */
	q = (struct sql_request){.op = SQL_EXECUTE, .text = "CREATE TABLE u (x)", .len = 18};
	assert_int_equal(database_call(db, &q, &a), 0);
	assert_int_equal(a.rows_affected, 0);
	sql_answer_done(&a);
}

static void test_errors(void **state)
{
	(void)state;
	fail_with("SELEC 1", ERR_INVALID, "near \"SELEC\": syntax error");
	fail_with("SELECT * FROM x", ERR_INVALID, "no such table: x");
	fail_with("PRAGMA writable_schema=ON; DELETE FROM sqlite_master", ERR_INVALID,
		"table sqlite_master may not be modified");
}

static void test_too_large(void **state)
{
	struct sql_request q = {.op = SQL_QUERY, .len = SQL_TEXT_BYTES_MAX + 10};
	char *text = xcalloc(1, q.len);
	struct sql_answer a;

	(void)state;
	memset(text, ' ', q.len);
	q.text = text;
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "the SQL text is longer than 1000000 bytes");
	free(text);
	q = (struct sql_request){.op = SQL_QUERY, .text = "SELECT 1\0; SELECT 2", .len = 19};
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "the SQL text contains a NUL byte");
	q = (struct sql_request){.op = SQL_QUERY, .text = "SELECT zeroblob(70000000)", .len = 25};
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "string or blob too big");
	q.text = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 1000001) SELECT n FROM c";
	q.len = strlen(q.text);
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "the result has more than 1000000 rows: ask for fewer with LIMIT");
	q.text = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 9) SELECT zeroblob(20000000) FROM "
		 "c";
	q.len = strlen(q.text);
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "the result is larger than 128 MiB: ask for fewer rows with LIMIT");
}

static void test_prepared(void **state)
{
	struct sql_request q = {.op = SQL_PREPARE, .text = "INSERT INTO t (v) VALUES (?)", .len = 28};
	struct sql_answer a;
	struct sql_statement *st;

	(void)state;
	assert_int_equal(database_call(db, &q, &a), 0);
	st = a.statement;
	for (int i = 0; i < 3; i++) {
		q = (struct sql_request){.op = SQL_EXECUTE, .statement = st, .params = sql_params_new()};
		sql_params_add_int(q.params, i, NULL);
		assert_int_equal(database_call(db, &q, &a), 0);
		assert_int_equal(a.last_insert_id, i + 1);
	}
	q = (struct sql_request){.op = SQL_EXECUTE, .statement = st};
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "expected 1 arguments, got 0");
	/* Over a new connection, too. */
	database_close(db);
	assert_int_equal(database_reopen(db, NULL), 0);
	q = (struct sql_request){.op = SQL_EXECUTE, .statement = st, .params = sql_params_new()};
	sql_params_add_text(q.params, "x", 1, NULL);
	assert_int_equal(database_call(db, &q, &a), 0);
	assert_int_equal(count_rows(), 4);
	sql_statement_unref(st);
	q = (struct sql_request){.op = SQL_PREPARE, .text = "SELECT 1; SELECT 2", .len = 18};
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "only one statement can be prepared at a time");
	q = (struct sql_request){.op = SQL_PREPARE, .text = " -- nothing", .len = 11};
	assert_int_equal(database_call(db, &q, &a), -1);
	assert_string_equal(a.err.text, "there is no statement to prepare");
}

/* -- the queue ------------------------------------------------------------------------------------------- */

static void test_owner_first(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask begin, outside, inside, commit, second;

	(void)state;
	answered = 0;
	ask_with(&begin, SQL_BEGIN, NULL, s);
	wait_done(&begin);
	assert_int_equal(begin.answer.rc, 0);
	ask_with(&outside, SQL_EXECUTE, "INSERT INTO t VALUES (1, 'outside')", NULL);
	ask_with(&second, SQL_EXECUTE, "INSERT INTO t VALUES (3, 'second')", NULL);
	turn(50);
	assert_false(outside.done);
	ask_with(&inside, SQL_EXECUTE, "INSERT INTO t VALUES (2, 'inside')", s);
	wait_done(&inside);
	assert_false(outside.done);
	ask_with(&commit, SQL_COMMIT, NULL, s);
	wait_done(&second);
	assert_int_equal(commit.answer.rc, 0);
	assert_true(commit.order < outside.order && outside.order < second.order);
	/* It is over: nothing of it runs outside. */
	ask_with(&inside, SQL_EXECUTE, "INSERT INTO t VALUES (9, 'late')", s);
	wait_done(&inside);
	assert_string_equal(inside.answer.err.text, "transaction is not active");
	sql_session_free(s);
	assert_int_equal(count_rows(), 3);
}

static void test_orphan_is_rolled_back(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask begin, inside, outside;

	(void)state;
	ask_with(&begin, SQL_BEGIN, NULL, s);
	ask_with(&outside, SQL_EXECUTE, "INSERT INTO t VALUES (1, 'outside')", NULL);
	wait_done(&begin);
	ask_with(&inside, SQL_EXECUTE, "INSERT INTO t VALUES (2, 'inside')", s);
	wait_done(&inside);
	assert_int_equal(inside.answer.rc, 0);
	/* While a statement of it runs for ever. */
	ask_with(&inside, SQL_QUERY,
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT max(n) FROM c", s);
	turn(20);
	sql_job_cancel(inside.job);
	sql_session_free(s);
	wait_done(&outside);
	assert_int_equal(outside.answer.rc, 0);
	assert_int_equal(count_rows(), 1);
}

static void test_canceled_before_begin(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask begin;

	(void)state;
	/* Queued, running or answered: whatever it was, nobody owns the connection afterwards. */
	for (int i = 0; i < 50; i++) {
		ask_with(&begin, SQL_BEGIN, NULL, s);
		if (i % 3 == 0)
			turn(1);
		if (begin.job)
			sql_job_cancel(begin.job);
		sql_session_free(s);
		s = sql_session_new(db);
	}
	sql_session_free(s);
	assert_int_equal(database_exec(db, "BEGIN; COMMIT", NULL), 0);
}

static void test_cancel(void **state)
{
	struct ask running, queued, next;

	(void)state;
	ask_with(&running, SQL_QUERY,
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT max(n) FROM c", NULL);
	ask_with(&queued, SQL_EXECUTE, "INSERT INTO t VALUES (1, 'never')", NULL);
	ask_with(&next, SQL_EXECUTE, "INSERT INTO t VALUES (2, 'next')", NULL);
	turn(20);
	assert_false(next.done);
	sql_job_cancel(queued.job);
	sql_job_cancel(running.job);
	wait_done(&next);
	assert_int_equal(next.answer.rc, 0);
	assert_false(running.done || queued.done);
	assert_int_equal(count_rows(), 1);
	/* The answer is on its way already. */
	ask_with(&next, SQL_EXECUTE, "INSERT INTO t VALUES (3, 'three')", NULL);
	assert_int_equal(count_rows(), 2);
	sql_job_cancel(next.job);
	turn(20);
	assert_false(next.done);
}

static void test_failed_commit_ends(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask a;

	(void)state;
	assert_int_equal(database_exec(db,
				 "PRAGMA foreign_keys=ON; CREATE TABLE c (t REFERENCES t (id) DEFERRABLE "
				 "INITIALLY DEFERRED)",
				 NULL),
		0);
	ask_with(&a, SQL_BEGIN, NULL, s);
	wait_done(&a);
	ask_with(&a, SQL_EXECUTE, "INSERT INTO c VALUES (77)", s);
	wait_done(&a);
	ask_with(&a, SQL_COMMIT, NULL, s);
	wait_done(&a);
	assert_string_equal(a.answer.err.text, "FOREIGN KEY constraint failed");
	assert_string_equal(a.answer.err.code, "constraint");
	sql_session_free(s);
	/* The connection is free, and nothing is left. */
	assert_int_equal(database_exec(db, "INSERT INTO t VALUES (1, 'x')", NULL), 0);
	assert_int_equal(count_rows(), 1);
}

/* What follows must not run outside of the transaction it was meant for. */
static void test_database_ends_transaction(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask a;

	(void)state;
	assert_int_equal(database_exec(db, "INSERT INTO t VALUES (1, 'one')", NULL), 0);
	ask_with(&a, SQL_BEGIN, NULL, s);
	wait_done(&a);
	ask_with(&a, SQL_EXECUTE, "INSERT OR ROLLBACK INTO t VALUES (1, 'again')", s);
	wait_done(&a);
	assert_int_equal(a.answer.rc, -1);
	ask_with(&a, SQL_EXECUTE, "INSERT INTO t VALUES (2, 'two')", s);
	wait_done(&a);
	assert_string_equal(a.answer.err.text, "this transaction has ended, after an error or by a COMMIT or ROLLBACK "
					       "in its SQL: call tx:rollback() and "
					       "begin another");
	ask_with(&a, SQL_ROLLBACK, NULL, s);
	wait_done(&a);
	assert_int_equal(a.answer.rc, 0);
	sql_session_free(s);
	assert_int_equal(count_rows(), 1);
}

/* A BEGIN in a text ends with the text: nobody else's statements become part of it. */
static void test_stray_transaction(void **state)
{
	static const char said[] =
		"the SQL text began a transaction and did not end it, so it was rolled back: use db:begin()";
	struct ask a;

	(void)state;
	ask_with(&a, SQL_EXECUTE, "BEGIN; INSERT INTO t VALUES (1, 'one')", NULL);
	wait_done(&a);
	assert_int_equal(a.answer.rc, -1);
	assert_int_equal(a.answer.err.kind, ERR_INVALID);
	assert_string_equal(a.answer.err.text, said);
	ask_with(&a, SQL_QUERY, "SAVEPOINT x", NULL);
	wait_done(&a);
	assert_string_equal(a.answer.err.text, said);
	assert_null(a.answer.result);
	/* The failure of a statement in between is what is told. */
	ask_with(&a, SQL_EXECUTE, "BEGIN; INSERT INTO t VALUES (2, 'two'); INSERT INTO missing VALUES (1); COMMIT",
		NULL);
	wait_done(&a);
	assert_string_equal(a.answer.err.text, "no such table: missing");
	assert_int_equal(database_exec(db, "INSERT INTO t VALUES (3, 'three')", NULL), 0);
	assert_int_equal(database_exec(db, "BEGIN; INSERT INTO t VALUES (4, 'four'); COMMIT", NULL), 0);
	assert_int_equal(count_rows(), 2);
}

static void test_close(void **state)
{
	struct sql_session *s = sql_session_new(db);
	struct ask begin, running, waiting, late;
	struct err e;

	(void)state;
	assert_int_equal(database_acquire(db, &e), 0);
	ask_with(&begin, SQL_BEGIN, NULL, s);
	wait_done(&begin);
	ask_with(&running, SQL_QUERY,
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT max(n) FROM c", s);
	ask_with(&waiting, SQL_EXECUTE, "INSERT INTO t VALUES (1, 'x')", NULL);
	turn(20);
	database_close(db);
	wait_done(&running);
	wait_done(&waiting);
	assert_string_equal(running.answer.err.text, "connection pool is closed");
	assert_string_equal(waiting.answer.err.text, "connection pool is closed");
	assert_int_equal(waiting.answer.err.kind, ERR_UNAVAILABLE);
	ask_with(&late, SQL_EXECUTE, "SELECT 1", NULL);
	wait_done(&late);
	assert_string_equal(late.answer.err.text, "connection pool is closed");
	assert_int_equal(database_acquire(db, &e), -1);
	database_release(db);
	sql_session_free(s);
	assert_int_equal(database_reopen(db, &e), 0);
	assert_int_equal(count_rows(), 0);
}

static void test_draining(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(database_acquire(db, &e), 0);
	database_set_draining(db, true);
	assert_int_equal(database_acquire(db, &e), -1);
	assert_string_equal(e.text, "connection pool is closed");
	assert_int_equal(database_handles(db), 1);
	assert_int_equal(count_rows(), 0);
	database_release(db);
	assert_int_equal(database_handles(db), 0);
	database_set_draining(db, false);
	assert_int_equal(database_acquire(db, &e), 0);
	database_release(db);
}

static void test_lifetime(void **state)
{
	struct database_stats st;
	struct database *memory = open_file(":memory:");

	(void)state;
	database_set_max_lifetime(db, 1);
	database_set_max_lifetime(memory, 1);
	assert_int_equal(database_exec(db, "CREATE TEMP TABLE gone (x)", NULL), 0);
	assert_int_equal(database_exec(memory, "CREATE TABLE kept (x)", NULL), 0);
	turn(20);
	fail_with("SELECT * FROM gone", ERR_INVALID, "no such table: gone");
	assert_int_equal(database_exec(memory, "SELECT * FROM kept", NULL), 0);
	database_stats(db, &st);
	assert_true(st.max_lifetime_closed > 0);
	assert_int_equal(st.open_connections, 1);
	database_unref(memory);
}

/* -- many at once ---------------------------------------------------------------------------------------- */

struct worker {
	struct loop *loop;
	pthread_t thread;
	unsigned left;
	unsigned started;
	unsigned number;
	struct sql_session *session;
};

static void worker_next(struct worker *w);

static void on_worker_done(void *arg, struct sql_answer *a)
{
	struct worker *w = arg;

	assert_int_equal(a->rc, 0);
	if (--w->left == 0)
		loop_stop(w->loop);
	else
		worker_next(w);
}

/* Begin, insert, then commit, or let the session go. */
static void worker_next(struct worker *w)
{
	static const enum sql_op ops[] = {SQL_BEGIN, SQL_EXECUTE, SQL_COMMIT};
	unsigned step = w->started++ % 4;
	struct sql_request q = {
		.op = step < 3 ? ops[step] : SQL_EXECUTE, .loop = w->loop, .done = on_worker_done, .arg = w};
	char text[100];

	if (step == 0)
		w->session = sql_session_new(db);
	if (step == 2 && w->left % 3 == 0) {
		/* Its process died. */
		sql_session_free(w->session);
		w->session = NULL;
		q.op = SQL_EXECUTE;
	}
	if (step == 3) {
		sql_session_free(w->session);
		w->session = NULL;
	}
	q.session = step == 3 ? NULL : w->session;
	snprintf(text, sizeof(text), "INSERT INTO t (v) VALUES ('%u-%u')", w->number, w->started);
	q.text = text;
	q.len = strlen(text);
	database_submit(db, &q);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->left = NJOBS;
	worker_next(w);
	loop_run(w->loop);
	sql_session_free(w->session);
	return NULL;
}

static void test_threads(void **state)
{
	struct worker workers[NTHREADS];
	struct database_stats st;

	(void)state;
	for (unsigned i = 0; i < NTHREADS; i++) {
		workers[i] = (struct worker){.loop = loop_new(), .number = i};
		pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_true(count_rows() > 0);
	database_stats(db, &st);
	assert_true(st.wait_count > 0);
	database_close(db);
	for (unsigned i = 0; i < NTHREADS; i++)
		loop_free(workers[i].loop);
}

/* -- opening --------------------------------------------------------------------------------------------- */

static void check_open_fails(const char *file, const char *what)
{
	struct database_config cfg = {.name = "test", .file = file};
	struct database *d;
	struct err e;

	assert_int_equal(database_open(&cfg, &d, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_ptr_equal(strstr(e.text, "failed to create SQLite connection: "), e.text);
	if (!strstr(e.text, file) || !strstr(e.text, what))
		fail_msg("%s", e.text);
}

static void test_open_fails(void **state)
{
	(void)state;
	scratch_write("garbage.db", "this is no database, however much it may be a file of some length");
	check_open_fails(scratch_path("garbage.db"), "file is not a database");
	check_open_fails(scratch_path("missing/x.db"), "No such file or directory");
	check_open_fails(scratch_dir, "unable to open database file");
}

/* The middle of the file is overwritten while nobody has it open. */
static void test_damaged(void **state)
{
	struct err e;
	FILE *f;

	(void)state;
	assert_int_equal(database_exec(db,
				 "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c LIMIT 5000) "
				 "INSERT INTO t (v) SELECT 'value ' || n FROM c",
				 NULL),
		0);
	database_close(db);
	f = fopen(scratch_path("test.db"), "r+");
	assert_non_null(f);
	fseek(f, 4096, SEEK_SET);
	for (int i = 0; i < 40000; i++)
		fputc('#', f);
	fclose(f);
	assert_int_equal(database_reopen(db, NULL), 0);
	assert_int_equal(database_exec(db, "SELECT * FROM t ORDER BY v", &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	if (!strstr(e.text, "database disk image is malformed (") || !strstr(e.text, "test.db"))
		fail_msg("%s", e.text);
}

#define TEST_DB(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_DB(test_values),
		TEST_DB(test_several_statements),
		TEST_DB(test_errors),
		TEST_DB(test_too_large),
		TEST_DB(test_prepared),
		TEST_DB(test_owner_first),
		TEST_DB(test_orphan_is_rolled_back),
		TEST_DB(test_canceled_before_begin),
		TEST_DB(test_cancel),
		TEST_DB(test_failed_commit_ends),
		TEST_DB(test_database_ends_transaction),
		TEST_DB(test_stray_transaction),
		TEST_DB(test_close),
		TEST_DB(test_draining),
		TEST_DB(test_lifetime),
		TEST_DB(test_threads),
		TEST_DB(test_open_fails),
		TEST_DB(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
