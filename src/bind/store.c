/*
 * store.c - the `store` module: key-value stores by id.
 *
 * A store in memory answers at once and keeps a program's data as it is packed for any other journey between processes; one in a database is given
 * JSON, and the caller waits.
 */
#include "bind/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/current.h"
#include "bind/lua_data.h"
#include "bind/modules.h"
#include "engine/lua_api.h"
#include "value/json.h"

static const char handle_type[] = "store.Store";
static const char guard_type[] = "bind.store_call";

static void *type_ref(void *object)
{
	return store_ref(object);
}

static void type_unref(void *object)
{
	store_unref(object);
}

const struct instance_type store_type = {"store", type_ref, type_unref};

/* -- data ------------------------------------------------------------------------------------------------ */

struct packed_data {
	struct store_data data;
	struct packed *packed;
};

static int packed_write_json(const struct store_data *d, struct buf *out, struct err *e)
{
	struct value *v = packed_to_value(container_of(d, struct packed_data, data)->packed, 0);

	if (!v)
		return err_set(e, ERR_INVALID, "the value is cyclic or nested too deeply for JSON");
	json_write(v, out);
	value_unref(v);
	return 0;
}

static void packed_data_free(struct store_data *d)
{
	struct packed_data *p = container_of(d, struct packed_data, data);

	packed_unref(p->packed);
	free(p);
}

static const struct store_data_type packed_type = {"packed", packed_write_json, packed_data_free};

static int too_large(struct err *e)
{
	return err_set(e, ERR_INVALID, "the value is larger than %d MiB", STORE_VALUE_BYTES_MAX >> 20);
}

static int packed_data_new(lua_State *L, int idx, struct store_data **ret, struct err *e)
{
	struct packed_data *d;
	struct packed *p;

	if (packed_from_lua(L, idx, 1, &p, e) < 0)
		return -1;
	if (packed_bytes(p) > STORE_VALUE_BYTES_MAX) {
		packed_unref(p);
		return too_large(e);
	}
	d = xcalloc(1, sizeof(*d));
	refcount_init(&d->data.refs);
	d->data.type = &packed_type;
	d->packed = p;
	*ret = &d->data;
	return 0;
}

static int json_data_new(lua_State *L, int idx, struct store_data **ret, struct err *e)
{
	const char *text;
	size_t len;
	int rc = 0;

	if (json_push_encoded(L, idx, e) < 0)
		return -1;
	text = lua_tolstring(L, -1, &len);
	if (len > STORE_VALUE_BYTES_MAX)
		rc = too_large(e);
	else
		*ret = store_data_json(text, len);
	lua_pop(L, 1);
	return rc;
}

/* The value at idx, in the form the store wants. */
static int data_from_lua(lua_State *L, int idx, const struct store *s, struct store_data **ret, struct err *e)
{
	int type = lua_type(L, idx);

	if (type == LUA_TFUNCTION || type == LUA_TTHREAD || (type == LUA_TUSERDATA && !failure_at(L, idx)))
		return err_set(e, ERR_INVALID, "a %s cannot be stored", luaL_typename(L, idx));
	return store_info(s)->durable ? json_data_new(L, idx, ret, e) : packed_data_new(L, idx, ret, e);
}

/* Pushes one value, or nothing and returns -1. */
static int push_data(lua_State *L, const struct store_data *d, struct err *e)
{
	struct buf text = BUF_INIT;
	const char *json;
	size_t len;
	int rc;

	if (d->type == &packed_type) {
		packed_push_at(L, container_of(d, struct packed_data, data)->packed, 0);
		return 0;
	}
	json = store_data_json_text(d, &len);
	if (json)
		return json_push_decoded(L, json, len, e);
	rc = d->type->write_json(d, &text, e);
	if (rc == 0) { /* a copy that Lua owns while decoding may raise */
		lua_pushlstring(L, buf_data(&text), buf_len(&text));
		buf_done(&text);
		json = lua_tolstring(L, -1, &len);
		rc = json_push_decoded(L, json, len, e);
		lua_remove(L, rc == 0 ? -2 : -1);
	}
	buf_done(&text);
	return rc;
}

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

/* -- calls ----------------------------------------------------------------------------------------------- */

struct call;

typedef int call_finish_fn(lua_State *L, struct call *c, struct err *e);

/* One operation. Lives apart from the object, which may be released meanwhile. */
struct call {
	struct pending pending;
	struct store_wait *wait; /* NULL: answered */
	struct store_answer answer;
	const char *name;    /* "get", for errors */
	bool false_on_error; /* instead of nil */
	/* Push the results; -1 with `e`. */
	call_finish_fn *finish;
};

static void call_free(struct call *c)
{
	store_answer_done(&c->answer);
	free(c);
}

static void on_answer(void *arg, struct store_answer *a)
{
	struct call *c = arg;

	c->wait = NULL;
	c->answer = *a;
	a->entries = NULL;
	a->count = 0;
	pending_ready(&c->pending);
}

static void call_cancel(struct pending *p)
{
	struct call *c = container_of(p, struct call, pending);

	if (c->wait)
		store_cancel(c->wait);
	call_free(c);
}

static int guard_gc(lua_State *L)
{
	struct call **guard = lua_touserdata(L, 1);

	if (*guard)
		call_free(*guard);
	*guard = NULL;
	return 0;
}

static int push_failed(lua_State *L, const struct call *c, struct err *e)
{
	err_prefix(e, "store %s", c->name);
	if (!c->false_on_error)
		return push_nil_and_err(L, e);
	lua_pushboolean(L, false);
	push_err(L, e);
	return 2;
}

/* Pushing results may raise: a userdata owns the call meanwhile. */
static int call_finish(lua_State *L, struct pending *p)
{
	struct call *c = container_of(p, struct call, pending);
	struct call **guard = handle_new(L, guard_type, sizeof(*guard));
	struct err e = c->answer.err;
	int n;

	*guard = c;
	n = c->answer.rc < 0 ? -1 : c->finish(L, c, &e);
	if (n < 0)
		n = push_failed(L, c, &e);
	*guard = NULL;
	call_free(c);
	return n;
}

/* Takes r->data. */
static int run(lua_State *L, struct store *s, const struct store_request *r, const char *name, bool false_on_error,
	call_finish_fn *finish)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->pending.cancel = call_cancel;
	c->name = name;
	c->false_on_error = false_on_error;
	c->finish = finish;
	if (store_info(s)->waits && !wait_is_possible(L)) { /* it raises: nothing may have begun */
		store_data_unref(r->data);
		return wait_for(L, &c->pending, call_finish);
	}
	c->wait = store_begin(s, r, &c->answer, current_loop(L), on_answer, c);
	store_data_unref(r->data);
	if (!c->wait)
		return call_finish(L, &c->pending);
	return wait_for(L, &c->pending, call_finish);
}

/* -- results --------------------------------------------------------------------------------------------- */

static int finish_value(lua_State *L, struct call *c, struct err *e)
{
	if (push_data(L, c->answer.entries[0].data, e) < 0)
		return -1;
	lua_pushnil(L);
	return 2;
}

static int finish_true(lua_State *L, struct call *c, struct err *e)
{
	(void)c;
	(void)e;
	lua_pushboolean(L, true);
	lua_pushnil(L);
	return 2;
}

static int finish_found(lua_State *L, struct call *c, struct err *e)
{
	(void)e;
	lua_pushboolean(L, c->answer.found);
	lua_pushnil(L);
	return 2;
}

static int push_entry(lua_State *L, const struct store_entry *en, struct err *e)
{
	lua_createtable(L, 0, 3);
	lua_pushlstring(L, en->key, en->key_len);
	lua_setfield(L, -2, "key");
	if (push_data(L, en->data, e) < 0) {
		lua_pop(L, 1);
		return -1;
	}
	lua_setfield(L, -2, "value");
	lua_pushfstring(L, "%I", (LUAI_UACINT)en->version);
	lua_setfield(L, -2, "version");
	return 0;
}

static int finish_entry(lua_State *L, struct call *c, struct err *e)
{
	if (push_entry(L, &c->answer.entries[0], e) < 0)
		return -1;
	lua_pushnil(L);
	return 2;
}

static int finish_list(lua_State *L, struct call *c, struct err *e)
{
	const struct store_answer *a = &c->answer;
	const struct store_entry *last = a->count > 0 ? &a->entries[a->count - 1] : NULL;

	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, 0, 3);
	lua_createtable(L, (int)a->count, 0);
	for (size_t i = 0; i < a->count; i++) {
		if (push_entry(L, &a->entries[i], e) < 0) {
			lua_pop(L, 2);
			return -1;
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "items");
	lua_pushlstring(L, last ? last->key : "", last ? last->key_len : 0);
	lua_setfield(L, -2, "cursor");
	lua_pushboolean(L, a->has_more);
	lua_setfield(L, -2, "has_more");
	lua_pushnil(L);
	return 2;
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

static int simple(lua_State *L, const struct operation *op, enum store_op what, call_finish_fn *finish)
{
	struct handle *h = check_handle(L);
	struct store_request r = {.op = what};
	struct err e;

	if (check_key(L, op, h, &r, &e) < 0)
		return refuse(L, op, &e);
	return run(L, h->store, &r, op->name, op->false_on_error, finish);
}

static int l_get(lua_State *L)
{
	return simple(L, &op_get, STORE_GET, finish_value);
}

static int l_entry(lua_State *L)
{
	return simple(L, &op_entry, STORE_GET, finish_entry);
}

static int l_has(lua_State *L)
{
	return simple(L, &op_has, STORE_HAS, finish_found);
}

static int l_delete(lua_State *L)
{
	return simple(L, &op_delete, STORE_DELETE, finish_found);
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
	lua_State *L, const struct operation *op, struct handle *h, struct store_request *r, call_finish_fn *finish)
{
	struct err e;

	if (lua_isnoneornil(L, 3)) {
		err_set(&e, ERR_INVALID, "value is required");
		return refuse(L, op, &e);
	}
	if (data_from_lua(L, 3, h->store, &r->data, &e) < 0) {
		err_prefix(&e, "store %s", op->name);
		return refuse(L, op, &e);
	}
	return run(L, h->store, r, op->name, false, finish);
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
	return put(L, &op_set, h, &r, finish_true);
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
	return put(L, &op_put, h, &r, finish_entry);
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
	return run(L, h->store, &r, op_list.name, false, finish_list);
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
	handle_register(L, guard_type, NULL, guard_gc);
	luaL_getmetatable(L, handle_type);
	lua_pushcfunction(L, l_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	set_constants(L, "backend", backends, ARRAY_LEN(backends));
	set_constants(L, "consistency", consistency, ARRAY_LEN(consistency));
	return 1;
}
