/*
 * sql_tx.c - transactions and prepared statements of the `sql` module.
 *
 * Both end with the process or call that made them: a transaction is rolled back, a statement closed.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/sql.h"
#include "engine/lua_api.h"

static const char tx_type[] = "sql.Transaction";
static const char statement_type[] = "sql.Statement";

enum { SAVEPOINT_NAME_MAX = 256 };

struct tx_handle {
	struct sql_tx *tx;
};

struct statement_handle {
	struct resource resource;
	struct sql_statement *statement; /* NULL: closed */
	struct database *db;
	struct sql_tx *tx; /* a reference; NULL = outside */
};

static int fail_invalid(lua_State *L, const char *text)
{
	struct err e;

	err_set(&e, ERR_INVALID, "%s", text);
	return push_nil_and_err(L, &e);
}

static int finish_true(lua_State *L, struct sql_call *c)
{
	(void)c;
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

/* -- running text ---------------------------------------------------------------------------------------- */

int sql_run(lua_State *L, struct database *db, struct sql_tx *tx, enum sql_op op, const char *text, size_t len,
	struct sql_params *params)
{
	struct sql_request q = {.op = op, .text = text, .len = len, .params = params};

	return sql_call_run(L, db, tx, &q, false, op == SQL_QUERY ? sql_finish_query : sql_finish_execute);
}

int sql_run_text(lua_State *L, struct database *db, struct sql_tx *tx, enum sql_op op)
{
	struct sql_params *params;
	const char *text;
	struct err e;
	size_t len;

	luaL_checktype(L, 2, LUA_TSTRING);
	text = lua_tolstring(L, 2, &len);
	if (sql_params_from_lua(L, 3, &params, &e) < 0)
		return push_nil_and_err(L, &e);
	return sql_run(L, db, tx, op, text, len, params);
}

/* -- statements ------------------------------------------------------------------------------------------ */

static void statement_close(struct statement_handle *h)
{
	if (!h->statement)
		return;
	resource_drop(&h->resource);
	sql_statement_unref(h->statement);
	sql_tx_unref(h->tx);
	database_unref(h->db);
	h->statement = NULL;
	h->tx = NULL;
	h->db = NULL;
}

static void statement_release(struct resource *r)
{
	statement_close(container_of(r, struct statement_handle, resource));
}

static int statement_gc(lua_State *L)
{
	statement_close(lua_touserdata(L, 1));
	return 0;
}

static int finish_prepare(lua_State *L, struct sql_call *c)
{
	struct statement_handle *h = handle_new(L, statement_type, sizeof(*h));

	h->statement = c->answer.statement;
	c->answer.statement = NULL;
	h->db = database_ref(c->db);
	h->tx = c->tx;
	if (h->tx)
		h->tx->refs++;
	resource_own(&current_process(L)->resources, &h->resource, statement_release);
	lua_pushnil(L);
	return 2;
}

int sql_prepare(lua_State *L, struct database *db, struct sql_tx *tx)
{
	struct sql_request q = {.op = SQL_PREPARE};

	luaL_checktype(L, 2, LUA_TSTRING);
	q.text = lua_tolstring(L, 2, &q.len);
	return sql_call_run(L, db, tx, &q, false, finish_prepare);
}

static int statement_run(lua_State *L, enum sql_op op)
{
	struct statement_handle *h = handle_check(L, 1, statement_type);
	struct sql_request q = {.op = op};
	struct err e;

	if (!h->statement || (h->tx && !h->tx->active))
		return fail_invalid(L, "statement is closed");
	if (sql_params_from_lua(L, 2, &q.params, &e) < 0)
		return push_nil_and_err(L, &e);
	q.statement = h->statement;
	return sql_call_run(L, h->db, h->tx, &q, false, op == SQL_QUERY ? sql_finish_query : sql_finish_execute);
}

static int l_statement_query(lua_State *L)
{
	return statement_run(L, SQL_QUERY);
}

static int l_statement_execute(lua_State *L)
{
	return statement_run(L, SQL_EXECUTE);
}

static int l_statement_close(lua_State *L)
{
	struct statement_handle *h = handle_check(L, 1, statement_type);

	if (!h->statement)
		return fail_invalid(L, "statement is already closed");
	statement_close(h);
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

/* -- transactions ---------------------------------------------------------------------------------------- */

/* The process ends or nobody can reach it any more: rolled back if it is active. */
static void tx_let_go(struct sql_tx *tx)
{
	tx->active = false;
	resource_drop(&tx->resource);
	sql_session_free(tx->session);
	tx->session = NULL;
}

void sql_tx_unref(struct sql_tx *tx)
{
	if (!tx || --tx->refs > 0)
		return;
	tx_let_go(tx);
	database_unref(tx->db);
	free(tx);
}

static void tx_release(struct resource *r)
{
	tx_let_go(container_of(r, struct sql_tx, resource));
}

/* A statement of it may live on, or a call that is under way: then it goes on until those are gone. */
static int tx_gc(lua_State *L)
{
	struct tx_handle *h = lua_touserdata(L, 1);

	sql_tx_unref(h->tx);
	h->tx = NULL;
	return 0;
}

struct sql_tx *sql_tx_at(lua_State *L, int idx)
{
	struct tx_handle *h = luaL_testudata(L, idx, tx_type);

	return h ? h->tx : NULL;
}

static struct sql_tx *check_tx(lua_State *L)
{
	return ((struct tx_handle *)handle_check(L, 1, tx_type))->tx;
}

static int fail_inactive(lua_State *L)
{
	return fail_invalid(L, "transaction is not active");
}

static int finish_begin(lua_State *L, struct sql_call *c)
{
	struct tx_handle *h = handle_new(L, tx_type, sizeof(*h));
	struct sql_tx *tx = xcalloc(1, sizeof(*tx));

	tx->refs = 1;
	tx->active = true;
	tx->db = database_ref(c->db);
	tx->session = c->session;
	c->session = NULL;
	h->tx = tx;
	resource_own(&current_process(L)->resources, &tx->resource, tx_release);
	lua_pushnil(L);
	return 2;
}

static bool is_isolation(const char *text, size_t len)
{
	static const char *const levels[] = {
		"default", "read_uncommitted", "read_committed", "write_committed", "repeatable_read", "serializable"};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strlen(levels[i]) == len && memcmp(levels[i], text, len) == 0)
			return true;
	return false;
}

int sql_tx_begin(lua_State *L, struct database *db)
{
	struct sql_request q = {.op = SQL_BEGIN};
	const char *isolation;
	struct err e;
	size_t len;

	if (lua_istable(L, 2) && field_string(L, 2, "isolation", &isolation, &len) && !is_isolation(isolation, len)) {
		err_set(&e, ERR_INVALID, "invalid isolation level: %.100s", isolation);
		return push_nil_and_err(L, &e);
	}
	q.session = sql_session_new(db);
	return sql_call_run(L, db, NULL, &q, false, finish_begin);
}

static int l_tx_type(lua_State *L)
{
	if (!check_tx(L)->active)
		return fail_inactive(L);
	lua_pushliteral(L, "sqlite");
	lua_pushnil(L);
	return 2;
}

static int tx_run(lua_State *L, enum sql_op op)
{
	struct sql_tx *tx = check_tx(L);

	return tx->active ? sql_run_text(L, tx->db, tx, op) : fail_inactive(L);
}

static int l_tx_query(lua_State *L)
{
	return tx_run(L, SQL_QUERY);
}

static int l_tx_execute(lua_State *L)
{
	return tx_run(L, SQL_EXECUTE);
}

static int l_tx_prepare(lua_State *L)
{
	struct sql_tx *tx = check_tx(L);

	return tx->active ? sql_prepare(L, tx->db, tx) : fail_inactive(L);
}

static int tx_end(lua_State *L, enum sql_op op)
{
	struct sql_request q = {.op = op};
	struct sql_tx *tx = check_tx(L);

	return tx->active ? sql_call_run(L, tx->db, tx, &q, true, finish_true) : fail_inactive(L);
}

static int l_tx_commit(lua_State *L)
{
	return tx_end(L, SQL_COMMIT);
}

static int l_tx_rollback(lua_State *L)
{
	return tx_end(L, SQL_ROLLBACK);
}

/* `words`, then the name at argument 2. */
static int tx_savepoint(lua_State *L, const char *words)
{
	struct sql_tx *tx = check_tx(L);
	struct sql_request q = {.op = SQL_EXECUTE};
	char text[SAVEPOINT_NAME_MAX + 64];
	const char *name;
	size_t len;

	luaL_checktype(L, 2, LUA_TSTRING);
	name = lua_tolstring(L, 2, &len);
	if (!tx->active)
		return fail_inactive(L);
	if (len == 0)
		return fail_invalid(L, "savepoint name is required");
	if (len > SAVEPOINT_NAME_MAX)
		return fail_invalid(L, "savepoint name is longer than 256 bytes");
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return fail_invalid(
				L, "savepoint name can only contain alphanumeric characters and underscores");
	/* Quoted: a name may begin with a digit or be a word of SQL. */
	q.len = (size_t)snprintf(text, sizeof(text), "%s \"%s\"", words, name);
	q.text = text;
	return sql_call_run(L, tx->db, tx, &q, false, finish_true);
}

static int l_tx_savepoint(lua_State *L)
{
	return tx_savepoint(L, "SAVEPOINT");
}

static int l_tx_rollback_to(lua_State *L)
{
	return tx_savepoint(L, "ROLLBACK TO SAVEPOINT");
}

static int l_tx_release(lua_State *L)
{
	return tx_savepoint(L, "RELEASE SAVEPOINT");
}

void sql_tx_open(lua_State *L)
{
	static const luaL_Reg tx_methods[] = {
		{"commit", l_tx_commit},
		{"db_type", l_tx_type},
		{"execute", l_tx_execute},
		{"prepare", l_tx_prepare},
		{"query", l_tx_query},
		{"release", l_tx_release},
		{"rollback", l_tx_rollback},
		{"rollback_to", l_tx_rollback_to},
		{"savepoint", l_tx_savepoint},
		{NULL, NULL},
	};
	static const luaL_Reg statement_methods[] = {
		{"close", l_statement_close},
		{"execute", l_statement_execute},
		{"query", l_statement_query},
		{NULL, NULL},
	};

	handle_register(L, tx_type, tx_methods, tx_gc);
	handle_register(L, statement_type, statement_methods, statement_gc);
}
