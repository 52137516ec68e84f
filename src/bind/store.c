/*
 * store.c - the `store` module: key-value stores by id, their methods and who may use them.
 */
#include "bind/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/current.h"
#include "bind/modules.h"
#include "bind/store_call.h"
#include "bind/store_data.h"
#include "engine/lua_api.h"

static const char handle_type[] = "store.Store";

static void *type_ref(void *object)
{
	return store_ref(object);
}

static void type_unref(void *object)
{
	store_unref(object);
}

const struct instance_type store_type = {"store", type_ref, type_unref};

/* -- the object ------------------------------------------------------------------------------------------ */

struct handle {
	struct resource resource;
	struct store *store; /* NULL: released */
	char *id;
};

static void handle_release(struct handle *h)
{
	if (!h->store)
		return;
	resource_drop(&h->resource);
	store_unref(h->store);
	free(h->id);
	h->store = NULL;
	h->id = NULL;
}

static void on_owner_end(struct resource *r)
{
	handle_release(container_of(r, struct handle, resource));
}

static int handle_gc(lua_State *L)
{
	handle_release(lua_touserdata(L, 1));
	return 0;
}

/* -- methods --------------------------------------------------------------------------------------------- */

/* Who may do what, and how it is refused. */
struct operation {
	const char *name;
	const char *action;
	const char *refusal; /* "not allowed to read key" */
	bool raises;
	bool false_on_error;
};

static const struct operation op_get = {"get", "store.key.get", "not allowed to read key", true, false};
static const struct operation op_set = {"set", "store.key.set", "not allowed to write key", true, false};
static const struct operation op_has = {"has", "store.key.has", "not allowed to check key existence", true, true};
static const struct operation op_delete = {"delete", "store.key.delete", "not allowed to delete key", true, false};
static const struct operation op_entry = {"entry", "store.key.get", "not allowed to read key", false, false};
static const struct operation op_put = {"put", "store.key.set", "not allowed to write key", false, false};
static const struct operation op_list = {"list", "store.key.list", "not allowed to list keys", false, false};

static struct handle *check_handle(lua_State *L)
{
	return handle_check(L, 1, handle_type);
}

static int refuse(lua_State *L, const struct operation *op, struct err *e)
{
	if (!op->false_on_error)
		return push_nil_and_err(L, e);
	lua_pushboolean(L, false);
	push_err(L, e);
	return 2;
}

/* Is the object usable, and may the code do that to `text`, the attribute `attribute`? -1 with `e`, or it raises. */
static int check_access(lua_State *L, const struct operation *op, const struct handle *h, const char *attribute,
	const char *text, struct err *e)
{
	if (!h->store)
		return err_set(e, ERR_INVALID, "store is released");
	if (current_allows_with(L, op->action, h->id, attribute, text))
		return 0;
	if (op->raises)
		return raise_text(L, "%s: %s", op->refusal, text);
	return err_set(e, ERR_PERMISSION_DENIED, "%s: %.256s", op->refusal, text);
}

/* The key at 2. */
static int check_key(
	lua_State *L, const struct operation *op, const struct handle *h, struct store_request *r, struct err *e)
{
	luaL_checktype(L, 2, LUA_TSTRING);
	r->key = lua_tolstring(L, 2, &r->key_len);
	if (!h->store)
		return err_set(e, ERR_INVALID, "store is released");
	if (r->key_len == 0)
		return err_set(e, ERR_INVALID, "key is required");
	if (strlen(r->key) != r->key_len) /* it would hide its end from a policy */
		return err_set(e, ERR_INVALID, "the key contains a NUL byte");
	return check_access(L, op, h, "key", r->key, e);
}

static int simple(lua_State *L, const struct operation *op, enum store_op what, store_call_fn *finish)
{
	struct handle *h = check_handle(L);
	struct store_request r = {.op = what};
	struct err e;

	if (check_key(L, op, h, &r, &e) < 0)
		return refuse(L, op, &e);
	return store_call(L, h->store, &r, op->name, op->false_on_error, finish);
}

static int l_get(lua_State *L)
{
	return simple(L, &op_get, STORE_GET, store_call_value);
}

static int l_entry(lua_State *L)
{
	return simple(L, &op_entry, STORE_GET, store_call_entry);
}

static int l_has(lua_State *L)
{
	return simple(L, &op_has, STORE_HAS, store_call_found);
}

static int l_delete(lua_State *L)
{
	return simple(L, &op_delete, STORE_DELETE, store_call_found);
}

/* Seconds into nanoseconds; a time beyond what can be counted never comes. */
static int take_ttl(double seconds, int64_t *ret_ns, struct err *e)
{
	if (!(seconds >= 0))
		return err_set(e, ERR_INVALID, "ttl must be a non-negative number");
	*ret_ns = seconds * 1e9 >= 4e18 ? INT64_C(4000000000000000000) : (int64_t)(seconds * 1e9);
	if (seconds > 0 && *ret_ns == 0)
		*ret_ns = 1;
	return 0;
}

/* Put the value at 3 as the request says. */
static int put(
	lua_State *L, const struct operation *op, struct handle *h, struct store_request *r, store_call_fn *finish)
{
	struct err e;

	if (lua_isnoneornil(L, 3)) {
		err_set(&e, ERR_INVALID, "value is required");
		return refuse(L, op, &e);
	}
	if (store_data_from_lua(L, 3, h->store, &r->data, &e) < 0) {
		err_prefix(&e, "store %s", op->name);
		return refuse(L, op, &e);
	}
	return store_call(L, h->store, r, op->name, false, finish);
}

static int l_set(lua_State *L)
{
	struct handle *h = check_handle(L);
	struct store_request r = {.op = STORE_PUT};
	double ttl;
	struct err e;

	luaL_checktype(L, 2, LUA_TSTRING);
	ttl = luaL_optnumber(L, 4, 0);
	if (check_key(L, &op_set, h, &r, &e) < 0 || take_ttl(ttl, &r.ttl_ns, &e) < 0)
		return refuse(L, &op_set, &e);
	return put(L, &op_set, h, &r, store_call_true);
}

/* A decimal text or a positive integer. */
static bool take_version(lua_State *L, int idx, uint64_t *ret)
{
	const char *text;
	size_t len;
	uint64_t v = 0;

	if (lua_type(L, idx) == LUA_TNUMBER) {
		int is_integer;
		lua_Integer i = lua_tointegerx(L, idx, &is_integer);

		*ret = (uint64_t)i;
		return is_integer && i > 0;
	}
	if (lua_type(L, idx) != LUA_TSTRING)
		return false;
	text = lua_tolstring(L, idx, &len);
	if (len == 0 || len > 19)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = v;
	return v > 0;
}

/* Options of put() at idx. */
static int take_put_options(lua_State *L, int idx, struct store_request *r, struct err *e)
{
	int rc = 0;

	if (lua_isnoneornil(L, idx))
		return 0;
	if (!lua_istable(L, idx))
		return err_set(e, ERR_INVALID, "options must be a table");
	lua_getfield(L, idx, "ttl");
	if (!lua_isnil(L, -1))
		rc = lua_type(L, -1) == LUA_TNUMBER ? take_ttl(lua_tonumber(L, -1), &r->ttl_ns, e)
						    : err_set(e, ERR_INVALID, "ttl must be a non-negative number");
	lua_getfield(L, idx, "only_if_absent");
	if (rc == 0 && !lua_isnil(L, -1) && !lua_isboolean(L, -1))
		rc = err_set(e, ERR_INVALID, "only_if_absent must be a boolean");
	r->only_if_absent = lua_toboolean(L, -1);
	lua_getfield(L, idx, "if_version");
	if (rc == 0 && !lua_isnil(L, -1) && !take_version(L, lua_gettop(L), &r->if_version))
		rc = err_set(e, ERR_INVALID, "if_version must be a positive version");
	lua_pop(L, 3);
	if (rc == 0 && r->only_if_absent && r->if_version)
		rc = err_set(e, ERR_INVALID, "only_if_absent and if_version are mutually exclusive");
	return rc;
}

static int l_put(lua_State *L)
{
	struct handle *h = check_handle(L);
	struct store_request r = {.op = STORE_PUT};
	struct err e;

	if (check_key(L, &op_put, h, &r, &e) < 0 || take_put_options(L, 4, &r, &e) < 0)
		return refuse(L, &op_put, &e);
	return put(L, &op_put, h, &r, store_call_entry);
}

/* A text option of the table at idx; it stays on the stack. */
static int take_text(lua_State *L, int idx, const char *name, const char **ret, size_t *ret_len, struct err *e)
{
	lua_getfield(L, idx, name);
	if (lua_isnil(L, -1))
		return 0;
	if (lua_type(L, -1) != LUA_TSTRING)
		return err_set(e, ERR_INVALID, "%s must be a string", name);
	*ret = lua_tolstring(L, -1, ret_len);
	if (strlen(*ret) != *ret_len)
		return err_set(e, ERR_INVALID, "%s contains a NUL byte", name);
	return 0;
}

static int take_list_options(lua_State *L, int idx, struct store_request *r, struct err *e)
{
	lua_Integer limit;
	int is_integer;

	r->prefix = r->after = "";
	if (lua_isnoneornil(L, idx))
		return 0;
	if (!lua_istable(L, idx))
		return err_set(e, ERR_INVALID, "options must be a table");
	if (take_text(L, idx, "prefix", &r->prefix, &r->prefix_len, e) < 0 ||
		take_text(L, idx, "after", &r->after, &r->after_len, e) < 0)
		return -1;
	lua_getfield(L, idx, "limit");
	if (lua_isnil(L, -1))
		return 0;
	limit = lua_tointegerx(L, -1, &is_integer);
	if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || limit < 0)
		return err_set(e, ERR_INVALID, "limit must be a non-negative integer");
	r->limit = limit > STORE_LIST_MAX ? STORE_LIST_MAX : (size_t)limit;
	return 0;
}

static int l_list(lua_State *L)
{
	struct handle *h = check_handle(L);
	struct store_request r = {.op = STORE_LIST};
	struct err e;

	if (!h->store)
		err_set(&e, ERR_INVALID, "store is released");
	if (!h->store || take_list_options(L, 2, &r, &e) < 0 ||
		check_access(L, &op_list, h, "prefix", r.prefix, &e) < 0)
		return push_nil_and_err(L, &e);
	return store_call(L, h->store, &r, op_list.name, false, store_call_list);
}

static void set_flag(lua_State *L, const char *name, bool b)
{
	lua_pushboolean(L, b);
	lua_setfield(L, -2, name);
}

static int l_info(lua_State *L)
{
	const struct handle *h = check_handle(L);
	const struct store_info *info;
	struct err e;

	if (!h->store) {
		err_set(&e, ERR_INVALID, "store is released");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "store.info", h->id)) {
		err_set(&e, ERR_PERMISSION_DENIED, "not allowed to read store info: %.256s", h->id);
		return push_nil_and_err(L, &e);
	}
	info = store_info(h->store);
	lua_createtable(L, 0, 8);
	lua_pushstring(L, h->id);
	lua_setfield(L, -2, "id");
	lua_pushstring(L, info->backend);
	lua_setfield(L, -2, "backend");
	lua_pushstring(L, info->consistency);
	lua_setfield(L, -2, "consistency");
	set_flag(L, "durable", info->durable);
	set_flag(L, "list", info->list);
	set_flag(L, "versioned", info->versioned);
	set_flag(L, "conditional_put", info->conditional_put);
	set_flag(L, "ttl", info->ttl);
	lua_pushnil(L);
	return 2;
}

static int l_release(lua_State *L)
{
	handle_release(check_handle(L));
	lua_pushboolean(L, true);
	return 1;
}

static int l_tostring(lua_State *L)
{
	lua_pushstring(L, check_handle(L)->store ? "store.Store{}" : "store.Store{released}");
	return 1;
}

/* -- the module ------------------------------------------------------------------------------------------ */

static int find(lua_State *L, const char *id, size_t len, struct store **ret, struct err *e)
{
	struct store *s;

	if (len == 0)
		return err_set(e, ERR_INVALID, "resource id is required");
	if (strlen(id) != len)
		return err_set(e, ERR_INVALID, "the resource id contains a NUL byte");
	if (!current_allows(L, "store.get", id))
		return raise_text(L, "not allowed to access store: %s", id);
	if (!current_process(L))
		return err_set(
			e, ERR_INVALID, "a store cannot be used while a chunk is loaded: call this from a function");
	s = instances_get(current_node(L)->instances, id, &store_type, e);
	if (!s && e->kind == ERR_NOT_FOUND) {
		e->kind = ERR_INTERNAL;
		return err_prefix(e, "failed to acquire resource");
	}
	*ret = s;
	return s ? 0 : -1;
}

static int l_open(lua_State *L)
{
	struct handle *h;
	const char *id;
	struct err e;
	size_t len;

	luaL_checktype(L, 1, LUA_TSTRING);
	id = lua_tolstring(L, 1, &len);
	/* Before anything is held: this may raise. */
	h = handle_new(L, handle_type, sizeof(*h));
	if (find(L, id, len, &h->store, &e) < 0)
		return push_nil_and_err(L, &e);
	h->id = xstrdup(id);
	resource_own(&current_process(L)->resources, &h->resource, on_owner_end);
	return 1;
}

static void set_constants(lua_State *L, const char *field, const char *const (*list)[2], size_t n)
{
	lua_createtable(L, 0, (int)n);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, list[i][1]);
		lua_setfield(L, -2, list[i][0]);
	}
	lua_setfield(L, -2, field);
}

int bind_store_open(struct lua_State *L)
{
	static const luaL_Reg functions[] = {{"get", l_open}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"delete", l_delete},
		{"entry", l_entry},
		{"get", l_get},
		{"has", l_has},
		{"info", l_info},
		{"list", l_list},
		{"put", l_put},
		{"release", l_release},
		{"set", l_set},
		{NULL, NULL},
	};
	static const char *const backends[][2] = {
		{"MEMORY", "memory"},
		{"SQL", "sql"},
		{"KV_RAFT", "kv.raft"},
		{"KV_CRDT", "kv.crdt"},
		{"UNKNOWN", "unknown"},
	};
	static const char *const consistency[][2] = {
		{"LINEARIZABLE", "linearizable"},
		{"EVENTUAL", "eventual"},
		{"LOCAL", "local"},
		{"UNKNOWN", "unknown"},
	};

	handle_register(L, handle_type, methods, handle_gc);
	store_call_register(L);
	luaL_getmetatable(L, handle_type);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	set_constants(L, "backend", backends, ARRAY_LEN(backends));
	set_constants(L, "consistency", consistency, ARRAY_LEN(consistency));
	return 1;
}
