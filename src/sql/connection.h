/*
 * connection.h - one connection to SQLite: opening, running, reading. Inside of the room; one thread at a time.
 */
#ifndef SQL_CONNECTION_H
#define SQL_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sql/database.h"

struct connection;
struct sqlite3_stmt;

/* `stop` becomes true when the running statement is to end; it outlives the connection. */
int connection_open(const char *file, atomic_bool *stop, struct connection **ret_conn, struct err *e);
/* With every statement that is still prepared on it. NULL is fine. */
void connection_close(struct connection *c);

/* Every statement in the text, in order; each takes as many of the values as it has placeholders. */
int connection_run(struct connection *c, enum sql_op op, const char *text, size_t len, const struct sql_params *params,
	struct sql_answer *a);
/* Exactly one statement. */
int connection_prepare(struct connection *c, const char *text, size_t len, struct sqlite3_stmt **ret, struct err *e);
int connection_run_prepared(struct connection *c, enum sql_op op, struct sqlite3_stmt *stmt,
	const struct sql_params *params, struct sql_answer *a);
void connection_finalize(struct sqlite3_stmt *stmt);

bool connection_in_transaction(struct connection *c);
int connection_begin(struct connection *c, struct err *e);
/* What cannot be committed is rolled back: afterwards there is no transaction, whatever is returned. */
int connection_commit(struct connection *c, struct err *e);
int connection_rollback(struct connection *c, struct err *e);

#endif
