#include "sql/database_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void sql_answer_done(struct sql_answer *a)
{
	sql_result_free(a->result);
	sql_statement_unref(a->statement);
	a->result = NULL;
	a->statement = NULL;
}

void sql_job_free(struct sql_job *j)
{
	struct database *db = j->db;

	sql_answer_done(&j->answer);
	sql_statement_unref(j->statement);
	sql_session_unref(j->session);
	sql_params_free(j->params);
	free(j->text);
	free(j);
	database_memory_unref(db);
}

static void on_answer(struct loop_post *post)
{
	struct sql_job *j = container_of(post, struct sql_job, post);

	if (!j->canceled)
		j->done(j->arg, &j->answer);
	sql_job_free(j);
}

struct sql_job *sql_job_answer(struct sql_job *j)
{
	if (j->canceled)
		return j;
	j->state = JOB_ANSWERED;
	if (j->loop) {
		j->post.run = on_answer;
		loop_post(j->loop, &j->post);
	} else {
		pthread_cond_broadcast(&j->db->answered);
	}
	return NULL;
}

void sql_job_fail_closed(struct sql_job *j)
{
	j->answer.rc = err_set(&j->answer.err, ERR_UNAVAILABLE, "connection pool is closed");
	err_retryable(&j->answer.err);
}

static struct sql_job *job_new(struct database *db, const struct sql_request *r)
{
	struct sql_job *j = xcalloc(1, sizeof(*j));

	list_init(&j->link);
	j->db = database_memory_ref(db);
	j->op = r->op;
	/* One byte too many is enough to say so. */
	j->len = r->len > SQL_TEXT_BYTES_MAX ? SQL_TEXT_BYTES_MAX + 1 : r->len;
	j->text = r->text ? xmemdupz(r->text, j->len) : NULL;
	j->statement = sql_statement_ref(r->statement);
	j->session = sql_session_ref(r->session);
	j->params = r->params;
	j->loop = r->loop;
	j->done = r->done;
	j->arg = r->arg;
	return j;
}

/* With the lock held. */
static void enqueue(struct database *db, struct sql_job *j)
{
	bool owned = j->session && j->op != SQL_BEGIN;

	if (!db->open || db->quit) {
		sql_job_fail_closed(j);
		sql_job_answer(j);
		return;
	}
	if (owned && db->owner != j->session) {
		j->answer.rc = err_set(&j->answer.err, ERR_INVALID, "transaction is not active");
		sql_job_answer(j);
		return;
	}
	if (db->running || !list_is_empty(&db->queue) || (db->owner && !owned)) {
		j->since_ns = loop_clock_ns();
		db->wait_count++;
	}
	list_push_back(owned ? &db->owned : &db->queue, &j->link);
	pthread_cond_signal(&db->changed);
}

struct sql_job *database_submit(struct database *db, const struct sql_request *r)
{
	struct sql_job *j = job_new(db, r);

	assert(j->loop && j->done);
	pthread_mutex_lock(&db->lock);
	enqueue(db, j);
	pthread_mutex_unlock(&db->lock);
	return j;
}

void sql_job_cancel(struct sql_job *j)
{
	struct database *db = j->db;
	bool mine;

	pthread_mutex_lock(&db->lock);
	mine = j->state == JOB_QUEUED;
	if (mine)
		list_remove(&j->link);
	j->canceled = true; /* running: the thread frees it; answered: the post that is on its way does */
	if (j->state == JOB_RUNNING)
		atomic_store(&db->stop, true);
	pthread_mutex_unlock(&db->lock);
	if (mine)
		sql_job_free(j);
}

int database_call(struct database *db, const struct sql_request *r, struct sql_answer *ret_a)
{
	struct sql_request q = *r;
	struct sql_job *j;

	q.loop = NULL;
	j = job_new(db, &q);
	pthread_mutex_lock(&db->lock);
	enqueue(db, j);
	while (j->state != JOB_ANSWERED)
		pthread_cond_wait(&db->answered, &db->lock);
	pthread_mutex_unlock(&db->lock);
	*ret_a = j->answer;
	j->answer.result = NULL;
	j->answer.statement = NULL;
	sql_job_free(j);
	return ret_a->rc;
}

int database_exec(struct database *db, const char *text, struct err *e)
{
	struct sql_request q = {.op = SQL_EXECUTE, .text = text, .len = strlen(text)};
	struct sql_answer a;

	if (database_call(db, &q, &a) < 0) {
		if (e)
			*e = a.err;
		return -1;
	}
	sql_answer_done(&a);
	return 0;
}
