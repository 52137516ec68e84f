#include "sql/database_state.h"

#include <stdlib.h>

#include "base/alloc.h"

struct sql_statement *sql_statement_new(struct database *db, const char *text, size_t len, struct sqlite3_stmt *stmt)
{
	struct sql_statement *st = xcalloc(1, sizeof(*st));

	refcount_init(&st->refs);
	st->db = database_memory_ref(db);
	st->text = xmemdupz(text, len);
	st->len = len;
	st->stmt = stmt;
	st->generation = db->generation;
	return st;
}

struct sql_statement *sql_statement_ref(struct sql_statement *st)
{
	if (st)
		refcount_inc(&st->refs);
	return st;
}

static void statement_free(struct sql_statement *st)
{
	free(st->text);
	free(st);
}

/* What it is compiled to belongs to the thread, which frees it. */
void sql_statement_unref(struct sql_statement *st)
{
	struct database *db;
	bool kept;

	if (!st || !refcount_dec(&st->refs))
		return;
	db = st->db;
	pthread_mutex_lock(&db->lock);
	kept = db->open;
	if (kept) {
		st->next = db->dead;
		db->dead = st;
		pthread_cond_signal(&db->changed);
	}
	pthread_mutex_unlock(&db->lock);
	if (!kept)
		statement_free(st);
	database_memory_unref(db);
}

void sql_statements_bury(struct database *db)
{
	struct sql_statement *st = db->dead, *next;

	db->dead = NULL;
	for (; st; st = next) {
		next = st->next;
		if (st->generation == db->generation)
			connection_finalize(st->stmt);
		statement_free(st);
	}
}
