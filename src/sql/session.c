#include "sql/database_state.h"

#include <stdlib.h>

#include "base/alloc.h"

struct sql_session *sql_session_new(struct database *db)
{
	struct sql_session *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->db = database_memory_ref(db);
	return s;
}

void sql_session_unref(struct sql_session *s)
{
	if (!s || !refcount_dec(&s->refs))
		return;
	database_memory_unref(s->db);
	free(s);
}

struct sql_session *sql_session_ref(struct sql_session *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void sql_session_free(struct sql_session *s)
{
	struct database *db;

	if (!s)
		return;
	db = s->db;
	pthread_mutex_lock(&db->lock);
	s->orphan = true;
	if (db->owner == s) {
		if (db->running && db->running->session == s)
			atomic_store(&db->stop, true);
		pthread_cond_signal(&db->changed);
	}
	pthread_mutex_unlock(&db->lock);
	sql_session_unref(s);
}
