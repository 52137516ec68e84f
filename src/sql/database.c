/*
 * database.c - opening, closing, handles.
 */
#include "sql/database_state.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void database_memory_unref(struct database *db)
{
	if (!refcount_dec(&db->refs))
		return;
	pthread_cond_destroy(&db->answered);
	pthread_cond_destroy(&db->changed);
	pthread_mutex_destroy(&db->lock);
	free(db->file);
	free(db->name);
	free(db);
}

struct database *database_memory_ref(struct database *db)
{
	refcount_inc(&db->refs);
	return db;
}

/* -- open and close ---------------------------------------------------------------------------------------- */

static int start_thread(struct database *db, struct err *e)
{
	sigset_t all, before;
	int rc;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&db->thread, NULL, database_main, db);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : err_set_errno(e, ERR_INTERNAL, rc, "cannot start a thread");
}

int database_reopen(struct database *db, struct err *e)
{
	if (db->open)
		return 0;
	atomic_store(&db->stop, false);
	if (connection_open(db->file, &db->stop, &db->conn, e) < 0)
		goto fail;
	db->generation++;
	db->opened_ns = loop_clock_ns();
	pthread_mutex_lock(&db->lock);
	db->quit = false;
	db->open = true;
	pthread_mutex_unlock(&db->lock);
	if (start_thread(db, e) < 0) {
		pthread_mutex_lock(&db->lock);
		db->open = false;
		pthread_mutex_unlock(&db->lock);
		connection_close(db->conn);
		db->conn = NULL;
		goto fail;
	}
	return 0;
fail:
	if (e)
		e->kind = ERR_INTERNAL;
	return err_prefix(e, "failed to create SQLite connection");
}

int database_open(const struct database_config *cfg, struct database **ret_db, struct err *e)
{
	struct database *db = xcalloc(1, sizeof(*db));

	refcount_init(&db->users);
	refcount_init(&db->refs);
	db->name = xstrdup(cfg->name ? cfg->name : cfg->file);
	db->file = xstrdup(cfg->file);
	db->max_lifetime_ms = cfg->max_lifetime_ms;
	pthread_mutex_init(&db->lock, NULL);
	pthread_cond_init(&db->changed, NULL);
	pthread_cond_init(&db->answered, NULL);
	list_init(&db->queue);
	list_init(&db->owned);
	if (database_reopen(db, e) < 0) {
		database_unref(db);
		return -1;
	}
	*ret_db = db;
	return 0;
}

static void refuse_queue(struct list *queue)
{
	struct list *l;

	while ((l = list_pop_front(queue))) {
		struct sql_job *j = list_entry(l, struct sql_job, link);

		sql_job_fail_closed(j);
		sql_job_answer(j);
	}
}

void database_close(struct database *db)
{
	struct sql_session *owner;
	struct connection *conn;

	pthread_mutex_lock(&db->lock);
	if (!db->open) {
		pthread_mutex_unlock(&db->lock);
		return;
	}
	db->quit = true;
	atomic_store(&db->stop, true);
	pthread_cond_signal(&db->changed);
	pthread_mutex_unlock(&db->lock);
	pthread_join(db->thread, NULL);

	pthread_mutex_lock(&db->lock);
	owner = db->owner;
	if (owner)
		database_end_session(db);
	refuse_queue(&db->queue);
	sql_statements_bury(db);
	db->open = false;
	conn = db->conn;
	db->conn = NULL;
	pthread_mutex_unlock(&db->lock);
	/* Closing rolls back what is open. */
	connection_close(conn);
	sql_session_unref(owner);
}

struct database *database_ref(struct database *db)
{
	if (db)
		refcount_inc(&db->users);
	return db;
}

void database_unref(struct database *db)
{
	if (!db || !refcount_dec(&db->users))
		return;
	database_close(db);
	database_memory_unref(db);
}

void database_set_max_lifetime(struct database *db, uint64_t max_lifetime_ms)
{
	pthread_mutex_lock(&db->lock);
	db->max_lifetime_ms = max_lifetime_ms;
	pthread_mutex_unlock(&db->lock);
}

/* -- handles ----------------------------------------------------------------------------------------------- */

int database_acquire(struct database *db, struct err *e)
{
	bool ok;

	pthread_mutex_lock(&db->lock);
	ok = db->open && !db->quit && !db->draining;
	if (ok)
		db->handles++;
	pthread_mutex_unlock(&db->lock);
	if (ok)
		return 0;
	err_set(e, ERR_UNAVAILABLE, "connection pool is closed");
	return err_retryable(e);
}

void database_release(struct database *db)
{
	pthread_mutex_lock(&db->lock);
	assert(db->handles > 0);
	db->handles--;
	pthread_mutex_unlock(&db->lock);
}

void database_set_draining(struct database *db, bool draining)
{
	pthread_mutex_lock(&db->lock);
	db->draining = draining;
	pthread_mutex_unlock(&db->lock);
}

unsigned database_handles(struct database *db)
{
	unsigned n;

	pthread_mutex_lock(&db->lock);
	n = db->handles;
	pthread_mutex_unlock(&db->lock);
	return n;
}

void database_stats(struct database *db, struct database_stats *ret)
{
	pthread_mutex_lock(&db->lock);
	*ret = (struct database_stats){
		.max_open_connections = 1,
		.open_connections = db->open ? 1 : 0,
		.in_use = db->open && (db->running || db->owner) ? 1 : 0,
		.wait_count = db->wait_count,
		.wait_duration_ns = db->wait_duration_ns,
		.max_lifetime_closed = db->lifetime_closed,
	};
	ret->idle = ret->open_connections - ret->in_use;
	pthread_mutex_unlock(&db->lock);
}
