/*
 * sql.h - what the files of the `sql` module share; and the type of databases among the live objects.
 *
 * Everything but `database_type` is for bind/sql*.c.
 */
#ifndef BIND_SQL_H
#define BIND_SQL_H

#include "actor/process.h"
#include "engine/wait.h"
#include "registry/instances.h"
#include "sql/database.h"

struct lua_State;

/* instances_get(node->instances, id, &database_type, &e) is a struct database *. */
extern const struct instance_type database_type;

/* -- values (sql_value.c) -------------------------------------------------------------------------------- */

/* Register the types and set NULL and `as` in the module's table on top of the stack. */
void sql_value_open(struct lua_State *L);
/* The value at idx as a parameter; what cannot be one is NULL. Its bytes are borrowed from the Lua value. */
struct sql_value sql_value_from_lua(struct lua_State *L, int idx);
/* Push a parameter as a program would give it. */
void sql_value_push_param(struct lua_State *L, const struct sql_value *v);
/* The list at idx; none and nil give NULL. INVALID "parameters must be a table, got <type>". */
int sql_params_from_lua(struct lua_State *L, int idx, struct sql_params **ret, struct err *e);
/* Push a result as a list of rows. */
void sql_result_push(struct lua_State *L, const struct sql_result *r);

/* -- calls (sql_call.c) ---------------------------------------------------------------------------------- */

struct sql_tx;
struct sql_call;

/* Pushes what the method returns; the answer succeeded. May raise. */
typedef int sql_call_finish_fn(struct lua_State *L, struct sql_call *c);

/* One statement under way, and the coroutine that waits for it. Lives apart from the objects it is for. */
struct sql_call {
	struct pending pending;
	struct sql_job *job; /* NULL: answered, or never begun */
	struct sql_answer answer;
	struct database *db;         /* a reference */
	struct sql_tx *tx;           /* a reference, NULL = outside */
	struct sql_session *session; /* SQL_BEGIN: of the transaction to be */
	bool closes_tx;
	sql_call_finish_fn *finish;
};

/* Submit `q` (its params are taken; loop, done and arg are set here) and wait: use as `return sql_call_run(...)`. */
int sql_call_run(struct lua_State *L, struct database *db, struct sql_tx *tx, struct sql_request *q, bool closes_tx,
	sql_call_finish_fn *finish);
/* Finishes of SQL_QUERY and SQL_EXECUTE. */
int sql_finish_query(struct lua_State *L, struct sql_call *c);
int sql_finish_execute(struct lua_State *L, struct sql_call *c);

/* -- transactions and statements (sql_tx.c) -------------------------------------------------------------- */

/* Shared by the object of the program and the calls under way; one worker's. */
struct sql_tx {
	struct resource resource;
	unsigned refs;
	bool active;
	struct database *db; /* a reference */
	struct sql_session *session;
};

void sql_tx_open(struct lua_State *L);
void sql_tx_unref(struct sql_tx *tx); /* NULL is fine */
/* db:begin() and db:prepare(); argument 2 on. */
int sql_tx_begin(struct lua_State *L, struct database *db);
int sql_prepare(struct lua_State *L, struct database *db, struct sql_tx *tx);
/* db:query(), tx:query() and so on: SQL text at 2, parameters at 3. */
int sql_run_text(struct lua_State *L, struct database *db, struct sql_tx *tx, enum sql_op op);
/* The same with text and parameters given; takes `params`. */
int sql_run(struct lua_State *L, struct database *db, struct sql_tx *tx, enum sql_op op, const char *text, size_t len,
	struct sql_params *params);
/* The database and transaction behind a DB or Transaction object at idx: false when it is neither. With `e` when it
 * can no longer be used (then *ret_db is NULL). */
bool sql_target(struct lua_State *L, int idx, struct database **ret_db, struct sql_tx **ret_tx, struct err *e);
/* The transaction object at idx; NULL when it is another thing. */
struct sql_tx *sql_tx_at(struct lua_State *L, int idx);

/* -- the query builder (sql_builder.c) ------------------------------------------------------------------- */

/* Push the table `sql.builder`. */
void sql_builder_open(struct lua_State *L);

#endif
