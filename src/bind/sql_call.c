/*
 * sql_call.c - waiting for the answer of a database.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/sql.h"
#include "engine/lua_api.h"

static const char guard_type[] = "bind.sql_call";

static void call_free(struct sql_call *c)
{
	sql_answer_done(&c->answer);
	sql_session_free(c->session);
	sql_tx_unref(c->tx);
	database_unref(c->db);
	free(c);
}

static void on_answer(void *arg, struct sql_answer *a)
{
	struct sql_call *c = arg;

	c->job = NULL;
	c->answer = *a;
	a->result = NULL;
	a->statement = NULL;
	pending_ready(&c->pending);
}

static void call_cancel(struct pending *p)
{
	struct sql_call *c = container_of(p, struct sql_call, pending);

	if (c->job)
		sql_job_cancel(c->job);
	call_free(c);
}

static int guard_gc(lua_State *L)
{
	struct sql_call **guard = lua_touserdata(L, 1);

	if (*guard)
		call_free(*guard);
	*guard = NULL;
	return 0;
}

/* Pushing results may raise: a userdata owns the call meanwhile. */
static int call_finish(lua_State *L, struct pending *p)
{
	struct sql_call *c = container_of(p, struct sql_call, pending);
	struct sql_call **guard;
	struct err e;
	int n;

	handle_register(L, guard_type, NULL, guard_gc);
	guard = handle_new(L, guard_type, sizeof(*guard));
	*guard = c;
	if (c->tx && c->closes_tx) {
		sql_session_free(c->tx->session);
		c->tx->session = NULL;
	}
	if (c->answer.rc < 0) {
		e = c->answer.err;
		*guard = NULL;
		call_free(c);
		return push_nil_and_err(L, &e);
	}
	n = c->finish(L, c);
	*guard = NULL;
	call_free(c);
	return n;
}

int sql_call_run(lua_State *L, struct database *db, struct sql_tx *tx, struct sql_request *q, bool closes_tx,
	sql_call_finish_fn *finish)
{
	struct sql_call *c = xcalloc(1, sizeof(*c));

	c->pending.cancel = call_cancel;
	c->db = database_ref(db);
	c->tx = tx;
	if (tx)
		tx->refs++;
	if (q->op == SQL_BEGIN)
		c->session = q->session;
	c->closes_tx = closes_tx;
	c->finish = finish;
	if (!wait_is_possible(L)) { /* wait_for() raises: then nothing may have begun */
		sql_params_free(q->params);
		return wait_for(L, &c->pending, call_finish);
	}
	q->loop = current_loop(L);
	q->done = on_answer;
	q->arg = c;
	if (tx)
		q->session = tx->session;
	if (tx && closes_tx)
		tx->active = false;
	c->job = database_submit(db, q);
	return wait_for(L, &c->pending, call_finish);
}

int sql_finish_query(lua_State *L, struct sql_call *c)
{
	sql_result_push(L, c->answer.result);
	lua_pushnil(L);
	return 2;
}

int sql_finish_execute(lua_State *L, struct sql_call *c)
{
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, c->answer.last_insert_id);
	lua_setfield(L, -2, "last_insert_id");
	lua_pushinteger(L, c->answer.rows_affected);
	lua_setfield(L, -2, "rows_affected");
	lua_pushnil(L);
	return 2;
}
