/*
 * security_token.c - security.token_store(): tokens that stand for an actor and a scope.
 *
 * A handle holds the store it was opened with until it is closed or collected.
 */
#include "bind/security_token.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "bind/current.h"
#include "bind/identity.h"
#include "bind/token_store.h"
#include "engine/lua_api.h"

static const char store_type[] = "security.TokenStore";

/* -- one operation --------------------------------------------------------------------------------------------- */

enum operation { OP_CREATE, OP_VALIDATE, OP_REVOKE };

struct op {
	struct pending pending;
	enum operation type;
	struct token_wait *wait; /* NULL: over */
	struct token_answer answer;
};

static void op_free(struct op *op)
{
	if (op->wait)
		token_cancel(op->wait);
	token_answer_done(&op->answer);
	free(op);
}

static void on_cancel(struct pending *p)
{
	op_free(container_of(p, struct op, pending));
}

static void on_done(void *arg, struct token_answer *a)
{
	struct op *op = arg;

	op->wait = NULL;
	op->answer = *a; /* moved */
	*a = (struct token_answer){0};
	pending_ready(&op->pending);
}

static int push_failed(lua_State *L, enum operation type, const struct err *why)
{
	static const char *const words[] = {"create token", "validate token", "revoke token"};
	struct err e = *why;

	err_prefix(&e, "%s", words[type]);
	e.kind = ERR_INTERNAL;
	e.retry = ERR_RETRY_NO;
	if (type == OP_VALIDATE)
		lua_pushnil(L);
	return push_nil_and_err(L, &e) + (type == OP_VALIDATE);
}

static int on_finish(lua_State *L, struct pending *p)
{
	struct op *op = container_of(p, struct op, pending);
	int n;

	if (op->answer.rc < 0) {
		n = push_failed(L, op->type, &op->answer.err);
	} else if (op->type == OP_CREATE) {
		lua_pushlstring(L, op->answer.token, op->answer.token_len);
		n = 1;
	} else if (op->type == OP_VALIDATE) {
		actor_push(L, op->answer.actor);
		scope_push(L, op->answer.scope);
		n = 2;
	} else {
		lua_pushboolean(L, true);
		lua_pushnil(L);
		n = 2;
	}
	op_free(op);
	return n;
}

static struct op *op_new(enum operation type)
{
	struct op *op = xcalloc(1, sizeof(*op));

	op->type = type;
	op->pending.cancel = on_cancel;
	return op;
}

static int op_wait(lua_State *L, struct op *op)
{
	if (!op->wait)
		return on_finish(L, &op->pending);
	return wait_for(L, &op->pending, on_finish);
}

/* -- methods --------------------------------------------------------------------------------------------------- */

static struct token_store *check_store(lua_State *L)
{
	return *(struct token_store **)handle_check(L, 1, store_type);
}

static int fail(lua_State *L, enum operation type, enum err_kind kind, const char *words)
{
	struct err e;

	err_set(&e, kind, "%s", words);
	if (type == OP_VALIDATE)
		lua_pushnil(L);
	return push_nil_and_err(L, &e) + (type == OP_VALIDATE);
}

static int closed(lua_State *L, enum operation type)
{
	return fail(L, type, ERR_INTERNAL, "token store is closed");
}

/* A duration's text or a number of milliseconds at the top of the stack; false when it is neither. */
static bool read_expiration(lua_State *L, int64_t *ret_ns)
{
	const char *text;
	double ms;
	size_t len;

	switch (lua_type(L, -1)) {
	case LUA_TNIL:
		return true;
	case LUA_TNUMBER:
		ms = lua_tonumber(L, -1);
		if (!(ms >= 0 && ms < 9e12))
			return false;
		*ret_ns = (int64_t)(ms * 1e6);
		return true;
	case LUA_TSTRING:
		text = lua_tolstring(L, -1, &len);
		return duration_parse(text, len, ret_ns, NULL) == 0 && *ret_ns >= 0;
	default:
		return false;
	}
}

static int l_create(lua_State *L)
{
	struct token_store *ts = check_store(L);
	struct identity *actor;
	struct value *meta = NULL;
	struct scope *scope;
	int64_t expires_ns = 0;
	struct op *op;
	struct err e;

	handle_check(L, 2, BIND_ACTOR_TYPE);
	handle_check(L, 3, BIND_SCOPE_TYPE);
	actor = actor_at(L, 2);
	scope = scope_at(L, 3);
	lua_settop(L, 4);
	if (!lua_isnil(L, 4))
		luaL_checktype(L, 4, LUA_TTABLE);
	if (!ts)
		return closed(L, OP_CREATE);
	if (!current_allows_with(L, "security.token.create", token_store_id(ts), "actor", identity_id(actor)))
		return fail(L, OP_CREATE, ERR_INVALID, "not allowed to create token");
	if (!wait_is_possible(L))
		return raise_text(L, "TokenStore:create: cannot wait here");
	if (!lua_isnil(L, 4)) {
		lua_getfield(L, 4, "expiration");
		if (!read_expiration(L, &expires_ns))
			return fail(L, OP_CREATE, ERR_INVALID, "invalid expiration format");
		lua_getfield(L, 4, "meta");
		if (lua_istable(L, -1) && value_from_lua(L, -1, &meta, &e) < 0)
			return push_failed(L, OP_CREATE, &e);
	}
	op = op_new(OP_CREATE);
	op->wait = token_create(ts, current_node(L), current_loop(L), actor, scope, expires_ns,
		value_type(meta) == VALUE_MAP ? meta : NULL, &op->answer, on_done, op);
	value_unref(meta);
	return op_wait(L, op);
}

static int l_validate(lua_State *L)
{
	struct token_store *ts = check_store(L);
	const char *token;
	struct op *op;
	size_t len;

	token = luaL_checklstring(L, 2, &len);
	if (!ts)
		return closed(L, OP_VALIDATE);
	if (!current_allows_with(L, "security.token.validate", token_store_id(ts), "token", token))
		return fail(L, OP_VALIDATE, ERR_INVALID, "not allowed to validate token");
	if (!wait_is_possible(L))
		return raise_text(L, "TokenStore:validate: cannot wait here");
	op = op_new(OP_VALIDATE);
	op->wait = token_validate(ts, current_node(L), current_loop(L), token, len, &op->answer, on_done, op);
	return op_wait(L, op);
}

static int l_revoke(lua_State *L)
{
	struct token_store *ts = check_store(L);
	const char *token;
	struct op *op;
	size_t len;

	token = luaL_checklstring(L, 2, &len);
	if (!ts)
		return closed(L, OP_REVOKE);
	if (!current_allows_with(L, "security.token.revoke", token_store_id(ts), "token", token))
		return fail(L, OP_REVOKE, ERR_INVALID, "not allowed to revoke token");
	if (!wait_is_possible(L))
		return raise_text(L, "TokenStore:revoke: cannot wait here");
	op = op_new(OP_REVOKE);
	op->wait = token_revoke(ts, current_node(L), current_loop(L), token, len, &op->answer, on_done, op);
	return op_wait(L, op);
}

static int l_close(lua_State *L)
{
	struct token_store **p = handle_check(L, 1, store_type);

	token_store_unref(*p);
	*p = NULL;
	lua_pushboolean(L, true);
	return 1;
}

static int store_gc(lua_State *L)
{
	struct token_store **p = lua_touserdata(L, 1);

	token_store_unref(*p);
	*p = NULL;
	return 0;
}

int l_security_token_store(lua_State *L)
{
	size_t len;
	const char *id = luaL_checklstring(L, 1, &len);
	struct token_store **p, *ts;
	struct err e;

	if (memchr(id, '\0', len))
		return raise_argument(L, 1, "the text holds a NUL byte");
	if (len == 0) {
		err_set(&e, ERR_INVALID, "token store id is required");
		return push_nil_and_err(L, &e);
	}
	if (!current_allows(L, "security.token_store.get", id))
		return raise_text(L, "not allowed to access token store: %s", id);
	p = handle_new(L, store_type, sizeof(struct token_store *));
	ts = instances_get(current_node(L)->instances, id, &token_store_type, &e);
	if (!ts) {
		if (e.kind == ERR_INVALID)
			err_set(&e, ERR_INTERNAL, "resource is not a token store");
		else
			err_prefix(&e, "acquire token store");
		e.kind = ERR_INTERNAL;
		e.retry = ERR_RETRY_NO;
		return push_nil_and_err(L, &e);
	}
	*p = ts;
	return 1;
}

void security_token_register(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"close", l_close},
		{"create", l_create},
		{"revoke", l_revoke},
		{"validate", l_validate},
		{NULL, NULL},
	};

	handle_register(L, store_type, methods, store_gc);
}
