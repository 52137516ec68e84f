/*
 * sql.c - the `sql` module: databases by id.
 *
 * Every statement waits for the database's own thread; nothing here touches SQLite.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/sql.h"
#include "engine/lua_api.h"

static const char db_type[] = "sql.DB";

struct db_handle {
	struct resource resource;
	struct database *db; /* NULL: released */
};

static void *type_ref(void *object)
{
	return database_ref(object);
}

static void type_unref(void *object)
{
	database_unref(object);
}

const struct instance_type database_type = {"database", type_ref, type_unref};

static void handle_release(struct db_handle *h)
{
	if (!h->db)
		return;
	resource_drop(&h->resource);
	database_release(h->db);
	database_unref(h->db);
	h->db = NULL;
}

static void on_owner_end(struct resource *r)
{
	handle_release(container_of(r, struct db_handle, resource));
}

static int db_gc(lua_State *L)
{
	handle_release(lua_touserdata(L, 1));
	return 0;
}

/* -- the DB object --------------------------------------------------------------------------------------- */

static int fail_released(lua_State *L)
{
	struct err e;

	err_set(&e, ERR_INVALID, "database is released");
	return push_nil_and_err(L, &e);
}

static struct database *check_db(lua_State *L)
{
	return ((struct db_handle *)handle_check(L, 1, db_type))->db;
}

static int l_type(lua_State *L)
{
	handle_check(L, 1, db_type);
	lua_pushliteral(L, "sqlite");
	lua_pushnil(L);
	return 2;
}

static int l_query(lua_State *L)
{
	struct database *db = check_db(L);

	luaL_checktype(L, 2, LUA_TSTRING);
	return db ? sql_run_text(L, db, NULL, SQL_QUERY) : fail_released(L);
}

static int l_execute(lua_State *L)
{
	struct database *db = check_db(L);

	luaL_checktype(L, 2, LUA_TSTRING);
	return db ? sql_run_text(L, db, NULL, SQL_EXECUTE) : fail_released(L);
}

static int l_prepare(lua_State *L)
{
	struct database *db = check_db(L);

	luaL_checktype(L, 2, LUA_TSTRING);
	return db ? sql_prepare(L, db, NULL) : fail_released(L);
}

static int l_begin(lua_State *L)
{
	struct database *db = check_db(L);

	return db ? sql_tx_begin(L, db) : fail_released(L);
}

static void set_count(lua_State *L, const char *name, uint64_t n)
{
	lua_pushinteger(L, (lua_Integer)n);
	lua_setfield(L, -2, name);
}

static int l_stats(lua_State *L)
{
	struct database *db = check_db(L);
	char duration[DURATION_TEXT_MAX];
	struct database_stats st;

	if (!db)
		return fail_released(L);
	database_stats(db, &st);
	lua_createtable(L, 0, 9);
	set_count(L, "max_open_connections", st.max_open_connections);
	set_count(L, "open_connections", st.open_connections);
	set_count(L, "in_use", st.in_use);
	set_count(L, "idle", st.idle);
	set_count(L, "wait_count", st.wait_count);
	lua_pushstring(L, duration_format((int64_t)st.wait_duration_ns, duration));
	lua_setfield(L, -2, "wait_duration");
	set_count(L, "max_idle_closed", 0);
	set_count(L, "max_idle_time_closed", 0);
	set_count(L, "max_lifetime_closed", st.max_lifetime_closed);
	lua_pushnil(L);
	return 2;
}

static int l_release(lua_State *L)
{
	handle_release(handle_check(L, 1, db_type));
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

bool sql_target(lua_State *L, int idx, struct database **ret_db, struct sql_tx **ret_tx, struct err *e)
{
	const struct db_handle *h = luaL_testudata(L, idx, db_type);
	struct sql_tx *tx = sql_tx_at(L, idx);

	*ret_db = NULL;
	*ret_tx = NULL;
	if (!h && !tx)
		return false;
	if (h && !h->db) {
		err_set(e, ERR_INVALID, "database is released");
	} else if (tx && !tx->active) {
		err_set(e, ERR_INVALID, "transaction is not active");
	} else {
		*ret_db = h ? h->db : tx->db;
		*ret_tx = tx;
	}
	return true;
}

/* -- the module ------------------------------------------------------------------------------------------ */

static int find(lua_State *L, const char *id, size_t len, struct database **ret_db, struct err *e)
{
	struct database *db;

	if (len == 0)
		return err_set(e, ERR_INVALID, "resource id is required");
	if (strlen(id) != len)
		return err_set(e, ERR_INVALID, "the resource id contains a NUL byte");
	if (!current_allows(L, "db.get", id))
		return err_set(e, ERR_PERMISSION_DENIED, "not allowed to access database: %.256s", id);
	if (!current_process(L))
		return err_set(
			e, ERR_INVALID, "a database cannot be used while a chunk is loaded: call this from a function");
	db = instances_get(current_node(L)->instances, id, &database_type, e);
	if (!db)
		return -1;
	if (database_acquire(db, e) < 0) {
		database_unref(db);
		return -1;
	}
	*ret_db = db;
	return 0;
}

static int l_get(lua_State *L)
{
	struct db_handle *h;
	const char *id;
	struct err e;
	size_t len;

	luaL_checktype(L, 1, LUA_TSTRING);
	id = lua_tolstring(L, 1, &len);
	/* Before anything is held: this may raise. */
	h = handle_new(L, db_type, sizeof(*h));
	if (find(L, id, len, &h->db, &e) < 0)
		return push_nil_and_err(L, &e);
	resource_own(&current_process(L)->resources, &h->resource, on_owner_end);
	lua_pushnil(L);
	return 2;
}

struct constant {
	const char *name;
	const char *text;
};

static void set_constants(lua_State *L, const char *field, const struct constant *list, size_t n)
{
	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, list[i].text);
		lua_setfield(L, -2, list[i].name);
	}
	lua_setfield(L, -2, field);
}

int bind_sql_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"get", l_get}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"begin", l_begin},
		{"execute", l_execute},
		{"prepare", l_prepare},
		{"query", l_query},
		{"release", l_release},
		{"stats", l_stats},
		{"type", l_type},
		{NULL, NULL},
	};
	static const struct constant types[] = {
		{"POSTGRES", "postgres"},
		{"MYSQL", "mysql"},
		{"SQLITE", "sqlite"},
		{"UNKNOWN", "unknown"},
	};
	static const struct constant isolation[] = {
		{"DEFAULT", "default"},
		{"READ_UNCOMMITTED", "read_uncommitted"},
		{"READ_COMMITTED", "read_committed"},
		{"WRITE_COMMITTED", "write_committed"},
		{"REPEATABLE_READ", "repeatable_read"},
		{"SERIALIZABLE", "serializable"},
	};

	handle_register(L, db_type, methods, db_gc);
	sql_tx_open(L);
	luaL_newlib(L, functions);
	set_constants(L, "type", types, ARRAY_LEN(types));
	set_constants(L, "isolation", isolation, ARRAY_LEN(isolation));
	sql_value_open(L);
	sql_builder_open(L);
	lua_setfield(L, -2, "builder");
	return 1;
}
