/*
 * database_state.h - inside of the room: what a database is made of, for the files that make it up.
 *
 * The lock guards everything but the connection itself, which only the thread touches (and database_open() before there
 * is one). It is never held while SQLite works. An answer is posted with the lock held: once a canceller has it, either
 * the answer is on its way and the job waits for it, or none will ever come.
 */
#ifndef SQL_DATABASE_STATE_H
#define SQL_DATABASE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/refcount.h"
#include "sql/connection.h"
#include "sql/database.h"

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_ANSWERED };

struct sql_job {
	struct list link; /* while queued */
	struct loop_post post;
	struct database *db; /* a reference */
	enum job_state state;
	bool canceled;
	enum sql_op op;
	char *text;
	size_t len;
	struct sql_statement *statement; /* references */
	struct sql_session *session;
	struct sql_params *params;
	struct loop *loop; /* NULL: somebody waits on `answered` */
	sql_done_fn *done;
	void *arg;
	uint64_t since_ns; /* queued, when the connection was taken; else 0 */
	struct sql_answer answer;
};

enum session_state { SESSION_NEW, SESSION_OWNER, SESSION_OVER };

struct sql_session {
	struct refcount refs; /* the asker's, its jobs', the owner's place */
	struct database *db;
	enum session_state state;
	bool orphan; /* let go by its asker */
};

struct sql_statement {
	struct refcount refs;
	struct sql_statement *next; /* in database.dead */
	struct database *db;
	char *text;
	size_t len;
	struct sqlite3_stmt *stmt; /* the thread's */
	uint64_t generation;       /* of the connection that `stmt` belongs to */
};

struct database {
	struct refcount users; /* the last one closes */
	struct refcount
		refs; /* theirs together, and one of each job, session and statement: these keep the memory only */
	char *name;
	char *file;

	pthread_mutex_t lock;
	pthread_cond_t changed;  /* for the thread: work, an orphan, the end */
	pthread_cond_t answered; /* for database_call() */
	pthread_t thread;
	bool open;
	bool quit;
	bool draining;
	unsigned handles;
	uint64_t max_lifetime_ms;
	struct list queue;          /* outside of any transaction, and those that begin one */
	struct list owned;          /* of the owner */
	struct sql_statement *dead; /* statements nobody uses any more */
	struct sql_session *owner;
	struct sql_job *running;
	uint64_t wait_count;
	uint64_t wait_duration_ns;
	uint64_t lifetime_closed;

	atomic_bool stop; /* the running statement is to end */

	/* The thread's. */
	struct connection *conn;
	uint64_t generation;
	uint64_t opened_ns;
};

/* -- database.c -- */
struct database *database_memory_ref(struct database *db);
void database_memory_unref(struct database *db);

/* -- job.c -- */
/* With the lock held. Returns the job when nobody wants the answer: free it without the lock. */
struct sql_job *sql_job_answer(struct sql_job *j);
/* Its answer becomes "connection pool is closed". */
void sql_job_fail_closed(struct sql_job *j);
void sql_job_free(struct sql_job *j);

/* -- session.c -- */
struct sql_session *sql_session_ref(struct sql_session *s);
void sql_session_unref(struct sql_session *s);

/* -- statement.c -- */
struct sql_statement *sql_statement_new(struct database *db, const char *text, size_t len, struct sqlite3_stmt *stmt);
/* Free those nobody uses any more. With the lock held, on the thread. */
void sql_statements_bury(struct database *db);

/* -- database_thread.c -- */
void *database_main(void *db);
/* Nobody owns the connection any more; late jobs of the session are told. With the lock held. The owner's reference
 * becomes the caller's. */
void database_end_session(struct database *db);

#endif
