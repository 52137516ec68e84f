/*
 * contract_instance.c - an opened binding: its methods are calls of the bound functions.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "bind/contract.h"
#include "bind/denial.h"
#include "bind/funcs.h"
#include "bind/process.h"

static const char async_suffix[] = "_async";

struct instance_handle {
	struct entry *binding;
	struct contract_call call;
};

void contract_call_copy(struct contract_call *to, const struct contract_call *from)
{
	to->values = value_ref(from->values);
	to->options = value_ref(from->options);
	to->actor = identity_ref(from->actor);
	to->scope = scope_ref(from->scope);
}

void contract_call_done(struct contract_call *c)
{
	value_unref(c->values);
	value_unref(c->options);
	identity_unref(c->actor);
	scope_unref(c->scope);
	*c = (struct contract_call){0};
}

static struct instance_handle *check(lua_State *L)
{
	return handle_check(L, 1, CONTRACT_INSTANCE_TYPE);
}

/* -- finding a method -------------------------------------------------------------------------------- */

/* What the binding says about the first of its contracts that declares the method, or that it binds a function to; NULL: none does. */
static const struct value *contract_with(lua_State *L, const struct entry *binding, const char *method, size_t len)
{
	const struct value *list = value_get(binding->data, "contracts");

	for (size_t i = 0; i < value_count(list); i++) {
		const struct value *c = value_at(list, i);
		char *id = entry_id_resolve(value_get_string(value_get(c, "contract"), NULL), binding->ns);
		struct entry *contract = contract_find(L, id, NULL);
		bool has = contract && contract_method(contract, method, len);

		entry_unref(contract);
		free(id);
		if (has)
			return c;
	}
	return NULL;
}

/* -- calling ----------------------------------------------------------------------------------------- */

static bool has_key(const struct value *map, const char *key)
{
	return map && value_get(map, key);
}

/* INVALID "missing required context keys: [a, b]". */
static int check_context(lua_State *L, const struct value *required, const struct value *values, struct err *e)
{
	const struct value *inherited = current_frame(L)->values;
	struct buf missing = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < value_count(required); i++) {
		const char *key = value_get_string(value_at(required, i), NULL);

		if (has_key(values, key) || has_key(inherited, key))
			continue;
		buf_addf(&missing, "%s%s", buf_len(&missing) ? ", " : "", key);
	}
	if (buf_len(&missing) > 0)
		rc = err_set(e, ERR_INVALID, "missing required context keys: [%s]", buf_str(&missing));
	buf_done(&missing);
	return rc;
}

static int call_method(lua_State *L, bool async)
{
	const struct instance_handle *h = check(L);
	struct call_extras x = {
		.edge =
			{
				.call_network = options_network(h->call.options),
				.actor = h->call.actor,
				.scope = h->call.scope,
				.values = h->call.values,
			},
		.options = h->call.options,
		.permitted = true,
	};
	const char *method, *function;
	const struct value *c, *bound;
	char *target;
	size_t len;
	struct err e;

	method = lua_tolstring(L, lua_upvalueindex(1), &len);
	if (action_allowed(L, "contract.call", method, "not allowed to call method: ", &e) < 0)
		return push_nil_and_denial(L, &e, "contract.call", method);
	c = contract_with(L, h->binding, method, len);
	bound = value_get(value_get(c, "methods"), method);
	if (value_type(bound) != VALUE_STRING) {
		err_set(&e, ERR_NOT_FOUND, "method '%.256s' not bound", method);
		return push_nil_and_err(L, &e);
	}
	if (check_context(L, value_get(c, "context_required"), h->call.values, &e) < 0)
		return push_nil_and_err(L, &e);
	/* As a Lua value, since what follows may raise. */
	target = entry_id_resolve(value_get_string(bound, NULL), h->binding->ns);
	lua_pushstring(L, target);
	free(target);
	lua_replace(L, lua_upvalueindex(2));
	function = lua_tostring(L, lua_upvalueindex(2));
	return async ? funcs_async(L, function, 2, &x) : funcs_call(L, function, 2, &x);
}

static int l_call(lua_State *L)
{
	return call_method(L, false);
}

static int l_call_async(lua_State *L)
{
	return call_method(L, true);
}

/* instance.name: a function for a declared method, the same with _async; nil for anything else. */
static int l_index(lua_State *L)
{
	const struct instance_handle *h = check(L);
	size_t len, suffix = sizeof(async_suffix) - 1;
	lua_CFunction fn = l_call;
	const char *name;

	if (lua_type(L, 2) != LUA_TSTRING) {
		lua_pushnil(L);
		return 1;
	}
	name = lua_tolstring(L, 2, &len);
	if (!contract_with(L, h->binding, name, len)) {
		if (len <= suffix || strcmp(name + len - suffix, async_suffix) != 0 ||
			!contract_with(L, h->binding, name, len - suffix)) {
			lua_pushnil(L);
			return 1;
		}
		len -= suffix;
		fn = l_call_async;
	}
	lua_pushlstring(L, name, len);
	lua_pushnil(L); /* room for the function's id while it is called */
	lua_pushcclosure(L, fn, 2);
	return 1;
}

/* -- the handle -------------------------------------------------------------------------------------- */

static int instance_gc(lua_State *L)
{
	struct instance_handle *h = lua_touserdata(L, 1);

	entry_unref(h->binding);
	h->binding = NULL;
	contract_call_done(&h->call);
	return 0;
}

void instance_push(lua_State *L, struct entry *binding, const struct contract_call *call)
{
	struct instance_handle *h = handle_new(L, CONTRACT_INSTANCE_TYPE, sizeof(*h));

	h->binding = entry_ref(binding);
	contract_call_copy(&h->call, call);
}

bool instance_implements(lua_State *L, int idx, const char *contract_id)
{
	const struct instance_handle *h = luaL_testudata(L, idx, CONTRACT_INSTANCE_TYPE);

	return h && h->binding && binding_of_contract(h->binding, contract_id);
}

void contract_instance_register(lua_State *L)
{
	static const luaL_Reg methods[] = {{NULL, NULL}};

	handle_register(L, CONTRACT_INSTANCE_TYPE, methods, instance_gc);
	luaL_getmetatable(L, CONTRACT_INSTANCE_TYPE);
	lua_pushcfunction(L, l_index);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}
