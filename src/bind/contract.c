/*
 * contract.c - the `contract` module: opening bindings, looking at contracts.
 *
 *     local contract = require("contract")
 *
 *     local greeter, err = contract.open("app:polite?language=de", {name = "Eva"})
 *     local text, err = greeter:greet("morning")
 *
 * Context values of the calls: the query, laid over by with_context(), laid over by the table given when opening. Who acts, the network and what else is not given is the
 * caller's at the time of each call.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/contract.h"
#include "bind/denial.h"
#include "bind/future.h"
#include "bind/identity.h"
#include "bind/modules.h"
#include "bind/process.h"

static const char contract_type[] = "contract.Contract";

struct contract_handle {
	struct entry *contract;
	struct contract_call call;
};

static const struct contract_handle *check(lua_State *L)
{
	return handle_check(L, 1, contract_type);
}

static int refuse(lua_State *L, const char *action, const char *resource, const char *words)
{
	struct err e;

	err_set(&e, ERR_PERMISSION_DENIED, "%s", words);
	return push_nil_and_denial(L, &e, action, resource);
}

/* -- opening ----------------------------------------------------------------------------------------- */

static void lay_over(struct value *map, const struct value *more)
{
	for (size_t i = 0; i < value_count(more); i++) {
		const char *key;
		const struct value *v = value_pair(more, i, &key, NULL);

		value_map_set(map, key, value_ref((struct value *)(uintptr_t)v));
	}
}

/* Values of an instance: query < with_context < the table at `scope_idx` (0 or nil: none). */
static int merge_values(
	lua_State *L, const char *query, const struct value *given, int scope_idx, struct value **ret, struct err *e)
{
	struct value *base = value_map();
	int rc = 0;

	query_values(query, base);
	lay_over(base, given);
	if (scope_idx == 0 || lua_isnoneornil(L, scope_idx)) {
		*ret = base;
		return 0;
	}
	rc = context_from_lua(L, scope_idx, base, ret, e);
	value_unref(base);
	return rc;
}

/* Options at `idx`, or a reference of `given`. */
static int read_options(
	lua_State *L, int idx, struct value *given, struct value **ret, const char **ret_network, struct err *e)
{
	*ret_network = NULL;
	if (idx == 0 || lua_isnoneornil(L, idx)) {
		*ret = value_ref(given);
		return 0;
	}
	if (options_from_lua(L, idx, ret, e) < 0)
		return -1;
	*ret_network = options_network(*ret);
	if (!*ret_network || network_select_allowed(L, *ret_network, e) == 0)
		return 0;
	return -1; /* *ret stays set: the network's name is in it */
}

/* Open `binding` (taken), whose id as written had that query. Pushes the Instance, or nil and the error. */
static int open_binding(lua_State *L, struct entry *binding, const char *query, const struct contract_call *given,
	int scope_idx, int options_idx)
{
	struct contract_call call = {0};
	const char *network = NULL;
	struct err e;
	int n = 1;

	if (action_allowed(L, "contract.open", binding->id, "not allowed to open binding: ", &e) < 0) {
		n = push_nil_and_denial(L, &e, "contract.open", binding->id);
		goto out;
	}
	contract_call_copy(&call, given);
	value_unref(call.values);
	call.values = NULL;
	value_unref(call.options);
	call.options = NULL;
	if (merge_values(L, query, given->values, scope_idx, &call.values, &e) < 0) {
		n = push_nil_and_err(L, &e);
		goto out;
	}
	if (read_options(L, options_idx, given->options, &call.options, &network, &e) < 0) {
		n = network ? push_nil_and_denial(L, &e, "network.select", network) : push_nil_and_err(L, &e);
		goto out;
	}
	instance_push(L, binding, &call);
out:
	contract_call_done(&call);
	entry_unref(binding);
	return n;
}

static void check_table_or_nil(lua_State *L, int idx)
{
	if (!lua_isnoneornil(L, idx))
		luaL_checktype(L, idx, LUA_TTABLE);
}

/* The binding whose id, perhaps with a query, is `text`. */
static struct entry *find_written(lua_State *L, const char *text, const char **ret_query, struct err *e)
{
	char *id = binding_id_split(text, ret_query);
	struct entry *binding = NULL;

	if (*id)
		binding = binding_find(L, id, e);
	else
		err_set(e, ERR_INVALID, "binding ID required");
	free(id);
	return binding;
}

/* A denial comes before the question whether there is such a binding. */
static int denied_to_open(lua_State *L, const char *text, struct err *e)
{
	const char *query;
	char *id;
	int rc;

	if (frame_is_free(current_node(L), current_frame(L)))
		return 0;
	id = binding_id_split(text, &query);
	rc = action_allowed(L, "contract.open", id, "not allowed to open binding: ", e);
	free(id);
	return rc;
}

static int open_written(lua_State *L, int idx, const struct contract_call *given, int scope_idx, int options_idx,
	const char *contract_id)
{
	const char *text = luaL_checkstring(L, idx), *query;
	struct entry *binding;
	struct err e;

	if (denied_to_open(L, text, &e) < 0)
		return push_nil_and_denial(L, &e, "contract.open", text);
	binding = find_written(L, text, &query, &e);
	if (binding && contract_id && !binding_of_contract(binding, contract_id)) {
		err_set(&e, ERR_INVALID, "binding '%.256s' does not implement contract '%.256s'", binding->id,
			contract_id);
		entry_unref(binding);
		binding = NULL;
	}
	if (!binding)
		return push_nil_and_err(L, &e);
	return open_binding(L, binding, query, given, scope_idx, options_idx);
}

static int l_open(lua_State *L)
{
	static const struct contract_call nothing;

	luaL_checkstring(L, 1);
	check_table_or_nil(L, 2);
	check_table_or_nil(L, 3);
	return open_written(L, 1, &nothing, 2, 3, NULL);
}

/* -- looking ----------------------------------------------------------------------------------------- */

static struct contract_handle *push_contract(lua_State *L, struct entry *contract, const struct contract_call *call)
{
	struct contract_handle *h = handle_new(L, contract_type, sizeof(*h));

	h->contract = entry_ref(contract);
	if (call)
		contract_call_copy(&h->call, call);
	return h;
}

static int contract_gc(lua_State *L)
{
	struct contract_handle *h = lua_touserdata(L, 1);

	entry_unref(h->contract);
	h->contract = NULL;
	contract_call_done(&h->call);
	return 0;
}

static int l_get(lua_State *L)
{
	const char *id = luaL_checkstring(L, 1);
	struct entry *contract;
	struct err e;

	if (action_allowed(L, "contract.get", id, "not allowed to access contract: ", &e) < 0)
		return push_nil_and_denial(L, &e, "contract.get", id);
	contract = contract_find(L, id, &e);
	if (!contract)
		return push_nil_and_err(L, &e);
	push_contract(L, contract, NULL);
	entry_unref(contract);
	return 1;
}

static int implementations(lua_State *L, const char *id)
{
	struct entry *contract;
	struct err e;

	if (action_allowed(L, "contract.implementations", id, "not allowed to list implementations: ", &e) < 0)
		return push_nil_and_denial(L, &e, "contract.implementations", id);
	contract = contract_find(L, id, &e);
	if (!contract)
		return push_nil_and_err(L, &e);
	entry_unref(contract);
	push_implementations(L, id);
	return 1;
}

static int l_find_implementations(lua_State *L)
{
	return implementations(L, luaL_checkstring(L, 1));
}

static int l_is(lua_State *L)
{
	const char *id = luaL_checkstring(L, 2);

	lua_pushboolean(L, instance_implements(L, 1, id));
	return 1;
}

static int l_id(lua_State *L)
{
	lua_pushstring(L, check(L)->contract->id);
	return 1;
}

static void set_value(lua_State *L, const char *key, const struct value *v)
{
	if (!v || value_type(v) == VALUE_NIL)
		return;
	value_push(L, v);
	lua_setfield(L, -2, key);
}

static void push_method(lua_State *L, const struct value *m)
{
	const struct value *description = value_get(m, "description");

	lua_createtable(L, 0, 4);
	set_value(L, "name", value_get(m, "name"));
	lua_pushstring(L, value_text(description, ""));
	lua_setfield(L, -2, "description");
	set_value(L, "input_schemas", value_get(m, "input_schemas"));
	set_value(L, "output_schemas", value_get(m, "output_schemas"));
}

static int l_methods(lua_State *L)
{
	const struct value *methods = value_get(check(L)->contract->data, "methods");

	lua_newtable(L);
	for (size_t i = 0; i < value_count(methods); i++) {
		push_method(L, value_at(methods, i));
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int l_method(lua_State *L)
{
	const struct contract_handle *h = check(L);
	size_t len;
	const char *name = luaL_checklstring(L, 2, &len);
	const struct value *m = contract_method(h->contract, name, len);
	struct err e;

	if (!m) {
		err_set(&e, ERR_NOT_FOUND, "method '%.256s' not found in contract '%.256s'", name, h->contract->id);
		return push_nil_and_err(L, &e);
	}
	push_method(L, m);
	return 1;
}

static int l_implementations(lua_State *L)
{
	return implementations(L, check(L)->contract->id);
}

static int l_contract_open(lua_State *L)
{
	const struct contract_handle *h = check(L);
	struct entry *binding;
	struct err e;

	check_table_or_nil(L, 3);
	if (!lua_isnoneornil(L, 2))
		return open_written(L, 2, &h->call, 3, 0, h->contract->id);
	binding = default_binding(L, h->contract->id, &e);
	if (!binding)
		return push_nil_and_err(L, &e);
	return open_binding(L, binding, NULL, &h->call, 3, 0);
}

/* -- builders: each gives a new Contract -------------------------------------------------------------- */

static int l_with_context(lua_State *L)
{
	const struct contract_handle *from = check(L);
	struct contract_handle *h;
	struct value *merged;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (!current_allows(L, "contract.context", "context"))
		return refuse(L, "contract.context", "context", "not allowed to call contracts with custom context");
	if (context_from_lua(L, 2, from->call.values, &merged, &e) < 0)
		return push_nil_and_err(L, &e);
	h = push_contract(L, from->contract, &from->call);
	value_unref(h->call.values);
	h->call.values = merged;
	return 1;
}

static int l_with_options(lua_State *L)
{
	const struct contract_handle *from = check(L);
	struct value *options = NULL;
	struct contract_handle *h;
	const char *network;
	struct err e;
	int n;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (read_options(L, 2, NULL, &options, &network, &e) < 0) {
		n = network ? push_nil_and_denial(L, &e, "network.select", network) : push_nil_and_err(L, &e);
		value_unref(options);
		return n;
	}
	h = push_contract(L, from->contract, &from->call);
	value_unref(h->call.options);
	h->call.options = options;
	return 1;
}

static int refuse_security(lua_State *L)
{
	return refuse(L, "contract.security", "security", "not allowed to call contracts with custom security context");
}

static int l_with_actor(lua_State *L)
{
	const struct contract_handle *from = check(L);
	struct identity *actor = actor_at(L, 2);
	struct contract_handle *h;

	if (!actor)
		return raise_argument(L, 2, "actor expected");
	if (!current_allows(L, "contract.security", "security"))
		return refuse_security(L);
	h = push_contract(L, from->contract, &from->call);
	identity_unref(h->call.actor);
	h->call.actor = identity_ref(actor);
	return 1;
}

static int l_with_scope(lua_State *L)
{
	const struct contract_handle *from = check(L);
	struct scope *scope = scope_at(L, 2);
	struct contract_handle *h;

	if (!scope)
		return raise_argument(L, 2, "scope expected");
	if (!current_allows(L, "contract.security", "security"))
		return refuse_security(L);
	h = push_contract(L, from->contract, &from->call);
	scope_unref(h->call.scope);
	h->call.scope = scope_ref(scope);
	return 1;
}

int bind_contract_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"find_implementations", l_find_implementations},
		{"get", l_get},
		{"is", l_is},
		{"open", l_open},
		{NULL, NULL},
	};
	static const luaL_Reg methods[] = {
		{"id", l_id},
		{"implementations", l_implementations},
		{"method", l_method},
		{"methods", l_methods},
		{"open", l_contract_open},
		{"with_actor", l_with_actor},
		{"with_context", l_with_context},
		{"with_options", l_with_options},
		{"with_scope", l_with_scope},
		{NULL, NULL},
	};

	future_register(L);
	contract_instance_register(L);
	handle_register(L, contract_type, methods, contract_gc);
	luaL_newlib(L, functions);
	return 1;
}
