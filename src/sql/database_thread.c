/*
 * database_thread.c - the thread of a database: which job is next, who owns the connection, running it.
 */
#include "sql/database_state.h"

#include <string.h>

#include "base/log.h"

/* Of a statement made on a connection that is gone. */
static int refresh(struct database *db, struct sql_statement *st, struct err *e)
{
	if (st->generation == db->generation)
		return 0;
	if (connection_prepare(db->conn, st->text, st->len, &st->stmt, e) < 0)
		return -1;
	st->generation = db->generation;
	return 0;
}

static int run_prepare(struct database *db, struct sql_job *j)
{
	struct sqlite3_stmt *stmt;

	if (connection_prepare(db->conn, j->text, j->len, &stmt, &j->answer.err) < 0)
		return -1;
	j->answer.statement = sql_statement_new(db, j->text, j->len, stmt);
	return 0;
}

static int run_text_or_statement(struct database *db, struct sql_job *j)
{
	struct sql_answer *a = &j->answer;

	if (!j->statement)
		return connection_run(db->conn, j->op, j->text, j->len, j->params, a);
	if (refresh(db, j->statement, &a->err) < 0)
		return -1;
	return connection_run_prepared(db->conn, j->op, j->statement->stmt, j->params, a);
}

/* A program's own BEGIN may not outlive its text: what everybody else writes from then on would hang on that
 * program's COMMIT. */
static int end_stray_transaction(struct database *db, struct sql_answer *a, int rc)
{
	if (!connection_in_transaction(db->conn))
		return rc;
	connection_rollback(db->conn, NULL);
	if (rc < 0)
		return rc;
	return err_set(&a->err, ERR_INVALID,
		"the SQL text began a transaction and did not end it, so it was rolled back: use db:begin()");
}

/* Without the lock. */
static int run_job(struct database *db, struct sql_job *j)
{
	struct sql_answer *a = &j->answer;

	/* An error may have rolled it back behind the program's back, or its own COMMIT ended it: what follows must
	 * not run outside of it. */
	if (j->session && j->op != SQL_BEGIN && j->op != SQL_ROLLBACK && !connection_in_transaction(db->conn))
		return err_set(&a->err, ERR_INVALID,
			"this transaction has ended, after an error or by a COMMIT or ROLLBACK in its SQL: call "
			"tx:rollback() and begin another");
	switch (j->op) {
	case SQL_BEGIN:
		return connection_begin(db->conn, &a->err);
	case SQL_COMMIT:
		return connection_commit(db->conn, &a->err);
	case SQL_ROLLBACK:
		return connection_rollback(db->conn, &a->err);
	case SQL_PREPARE:
		return run_prepare(db, j);
	case SQL_QUERY:
	case SQL_EXECUTE:
		break;
	}
	if (j->session)
		return run_text_or_statement(db, j);
	return end_stray_transaction(db, a, run_text_or_statement(db, j));
}

void database_end_session(struct database *db)
{
	struct sql_session *s = db->owner;
	struct list *l;

	db->owner = NULL;
	s->state = SESSION_OVER;
	while ((l = list_pop_front(&db->owned))) {
		struct sql_job *j = list_entry(l, struct sql_job, link);

		j->answer.rc = err_set(&j->answer.err, ERR_INVALID, "transaction is not active");
		sql_job_answer(j);
	}
}

/* With the lock held: what a finished job means for who owns the connection. */
static void settle_owner(struct database *db, struct sql_job *j)
{
	if (j->op == SQL_BEGIN && j->answer.rc == 0) {
		db->owner = sql_session_ref(j->session);
		db->owner->state = SESSION_OWNER;
	} else if (j->op == SQL_BEGIN) {
		j->session->state = SESSION_OVER;
	} else if (j->op == SQL_COMMIT || j->op == SQL_ROLLBACK) {
		struct sql_session *s = db->owner;

		database_end_session(db);
		sql_session_unref(s); /* the job has one, too */
	}
}

/* With the lock held, which is given up meanwhile. */
static void run_next(struct database *db, struct sql_job *j)
{
	struct sql_job *unwanted;

	list_remove(&j->link);
	if (j->since_ns)
		db->wait_duration_ns += loop_clock_ns() - j->since_ns;
	j->state = JOB_RUNNING;
	db->running = j;
	atomic_store(&db->stop, false);
	pthread_mutex_unlock(&db->lock);
	j->answer.rc = run_job(db, j);
	if (j->answer.rc < 0) /* half a result is none */
		sql_answer_done(&j->answer);
	pthread_mutex_lock(&db->lock);
	db->running = NULL;
	settle_owner(db, j);
	if (j->answer.rc < 0 && j->answer.err.kind == ERR_CANCELED && db->quit)
		sql_job_fail_closed(j);
	unwanted = sql_job_answer(j);
	if (!unwanted)
		return;
	pthread_mutex_unlock(&db->lock);
	sql_job_free(unwanted);
	pthread_mutex_lock(&db->lock);
}

/* The owner's process is gone. With the lock held, which is given up meanwhile. */
static void roll_back_orphan(struct database *db)
{
	struct sql_session *s = db->owner;

	pthread_mutex_unlock(&db->lock);
	connection_rollback(db->conn, NULL);
	pthread_mutex_lock(&db->lock);
	database_end_session(db);
	pthread_mutex_unlock(&db->lock);
	sql_session_unref(s);
	pthread_mutex_lock(&db->lock);
}

static bool is_in_memory(const struct database *db)
{
	return strcmp(db->file, ":memory:") == 0;
}

/* With the lock held, which is given up meanwhile. Nobody owns the connection. */
static void renew_if_old(struct database *db)
{
	uint64_t max_ns = db->max_lifetime_ms * 1000000, now = loop_clock_ns();
	struct connection *fresh;
	struct err e;

	if (max_ns == 0 || now - db->opened_ns < max_ns || is_in_memory(db) || connection_in_transaction(db->conn))
		return;
	db->opened_ns = now;
	sql_statements_bury(db);
	pthread_mutex_unlock(&db->lock);
	if (connection_open(db->file, &db->stop, &fresh, &e) < 0) {
		log_warn("sql", "connection not replaced, the old one stays", LOG_STR("database", db->name),
			LOG_STR("error", e.text));
		pthread_mutex_lock(&db->lock);
		return;
	}
	connection_close(db->conn);
	db->conn = fresh;
	db->generation++;
	pthread_mutex_lock(&db->lock);
	db->lifetime_closed++;
}

void *database_main(void *arg)
{
	struct database *db = arg;

	pthread_mutex_lock(&db->lock);
	while (!db->quit) {
		struct list *from = db->owner ? &db->owned : &db->queue;

		sql_statements_bury(db);
		if (db->owner && db->owner->orphan) {
			roll_back_orphan(db);
		} else if (list_is_empty(from)) {
			pthread_cond_wait(&db->changed, &db->lock);
		} else {
			if (!db->owner)
				renew_if_old(db);
			/* Meanwhile it may have been cancelled, or the end may have come. */
			if (!db->quit && !list_is_empty(from))
				run_next(db, list_entry(from->next, struct sql_job, link));
		}
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}
