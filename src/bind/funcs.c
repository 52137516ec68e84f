/*
 * funcs.c - the `funcs` module: calling registered functions.
 *
 * A call waits in the calling coroutine and is tied to it: when the caller ends, so does the callee.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/denial.h"
#include "bind/funcs.h"
#include "bind/future.h"
#include "bind/identity.h"
#include "bind/invoke.h"
#include "bind/modules.h"
#include "bind/process.h"

static const char executor_type[] = "funcs.Executor";

/* -- one call ---------------------------------------------------------------------------------------- */

struct call_wait {
	struct pending pending;
	struct invocation under_way;
	struct packed *value;
	struct failure *failure;
};

static void call_wait_free(struct call_wait *w)
{
	packed_unref(w->value);
	failure_unref(w->failure);
	free(w);
}

static void on_done(void *arg, struct packed *value, struct failure *failure)
{
	struct call_wait *w = arg;

	w->under_way = (struct invocation){0};
	w->value = packed_ref(value);
	w->failure = failure_keep(failure);
	pending_ready(&w->pending);
}

static void on_cancel(struct pending *pending)
{
	struct call_wait *w = container_of(pending, struct call_wait, pending);

	invoke_cancel(&w->under_way);
	call_wait_free(w);
}

static int on_finish(lua_State *L, struct pending *pending)
{
	struct call_wait *w = container_of(pending, struct call_wait, pending);
	int n = 1;

	if (w->failure)
		n = push_nil_and_failure(L, w->failure);
	else
		packed_push_at(L, w->value, 0);
	call_wait_free(w);
	return n;
}

static int check_target(lua_State *L, const char *target, bool permitted, struct program **ret_program, struct err *e)
{
	const char *colon = strchr(target, ':');
	struct program *program;

	if (!*target)
		return err_set(e, ERR_INVALID, "function ID required");
	if (!colon || colon == target)
		return err_set(e, ERR_INVALID, "namespace required in function ID");
	if (!colon[1])
		return err_set(e, ERR_INVALID, "name required in function ID");
	if (!permitted && action_allowed(L, "funcs.call", target, "not allowed: ", e) < 0)
		return -1;
	program = worker_program(current_worker(L), target);
	if (!program || !program_is_callable(program))
		return err_set(e, ERR_NOT_FOUND, "no handler registered for target");
	*ret_program = program;
	return 0;
}

/* Owns frame and arguments. */
static void prepared_done(struct invoke_ask *ask)
{
	frame_unref(ask->frame);
	packed_unref(ask->args);
}

/* The entry's options hold unless the call names the same one. */
static const struct value *effective_retry(const struct program *p, const struct call_extras *x)
{
	const struct value *retry = x->options ? value_get(x->options, "retry") : NULL;

	if (!retry && p->options)
		retry = value_get(p->options, "retry");
	return retry;
}

/* The arguments begin at stack index `first`. */
static int prepare(
	lua_State *L, const char *target, int first, const struct call_extras *x, struct invoke_ask *ret, struct err *e)
{
	int n = lua_gettop(L) - first + 1;
	struct frame_edge full = x->edge;
	struct process *self = current_process(L);
	struct invoke_ask ask = {0};

	if (check_target(L, target, x->permitted, &ask.program, e) < 0)
		return -1;
	full.entry_network = ask.program->network;
	if (edge_frame(current_node(L), current_frame(L), &full, &ask.frame, e) < 0)
		return -1;
	if (n > 0 && packed_from_lua(L, first, n, &ask.args, e) < 0) {
		prepared_done(&ask);
		return -1;
	}
	ask.retry = effective_retry(ask.program, x);
	if (self) {
		ask.caller = process_pid(self);
		ask.caller_entry = self->program->id;
	}
	*ret = ask;
	return 0;
}

/* Nil and the error; one about a function that is not there says which in its details. */
static int push_refusal(lua_State *L, const struct err *e, const char *target)
{
	struct value *details;
	struct failure *f;
	int n;

	if (e->kind != ERR_NOT_FOUND)
		return push_nil_and_err(L, e);
	details = value_map();
	value_map_set(details, "target", value_cstring(target));
	f = failure_new(err_kind_name(e->kind), e->retry, e->text, strlen(e->text), details, NULL, NULL);
	n = push_nil_and_failure(L, f);
	failure_unref(f);
	return n;
}

int funcs_call(lua_State *L, const char *target, int first, const struct call_extras *x)
{
	struct invoke_ask ask;
	struct call_wait *w;
	struct err e;
	int rc;

	if (!wait_is_possible(L))
		return raise_text(L, "funcs.call: cannot wait here");
	if (prepare(L, target, first, x, &ask, &e) < 0)
		return push_refusal(L, &e, target);
	w = xcalloc(1, sizeof(*w));
	w->pending.cancel = on_cancel;
	rc = invoke_start(current_worker(L), &ask, on_done, w, &w->under_way, &e);
	prepared_done(&ask);
	if (rc < 0) {
		call_wait_free(w);
		return push_nil_and_err(L, &e);
	}
	return wait_for(L, &w->pending, on_finish);
}

int funcs_async(lua_State *L, const char *target, int first, const struct call_extras *x)
{
	struct invoke_ask ask;
	struct err e;
	int n;

	if (!current_process(L)) {
		err_set(&e, ERR_INTERNAL, "no process context");
		return push_nil_and_err(L, &e);
	}
	if (prepare(L, target, first, x, &ask, &e) < 0)
		return push_refusal(L, &e, target);
	n = future_start(L, &ask);
	prepared_done(&ask);
	return n;
}

static int l_call(lua_State *L)
{
	static const struct call_extras none;

	return funcs_call(L, luaL_checkstring(L, 1), 2, &none);
}

static int l_async(lua_State *L)
{
	static const struct call_extras none;

	return funcs_async(L, luaL_checkstring(L, 1), 2, &none);
}

/* -- executors --------------------------------------------------------------------------------------- */

struct executor {
	struct value *values;
	struct value *options;
	struct identity *actor;
	struct scope *scope;
};

static int executor_gc(lua_State *L)
{
	struct executor *x = lua_touserdata(L, 1);

	value_unref(x->values);
	value_unref(x->options);
	identity_unref(x->actor);
	scope_unref(x->scope);
	*x = (struct executor){0};
	return 0;
}

static struct executor *check(lua_State *L)
{
	return handle_check(L, 1, executor_type);
}

static struct executor *push_copy(lua_State *L, const struct executor *from)
{
	struct executor *x = handle_new(L, executor_type, sizeof(*x));

	x->values = value_ref(from->values);
	x->options = value_ref(from->options);
	x->actor = identity_ref(from->actor);
	x->scope = scope_ref(from->scope);
	return x;
}

static int refuse(lua_State *L, const char *words)
{
	struct err e;

	err_set(&e, ERR_PERMISSION_DENIED, "%s", words);
	return push_nil_and_err(L, &e);
}

static int l_new(lua_State *L)
{
	handle_new(L, executor_type, sizeof(struct executor));
	return 1;
}

static int l_with_context(lua_State *L)
{
	const struct executor *from = check(L);
	struct value *merged;
	struct executor *x;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (!current_allows(L, "funcs.context", "context"))
		return refuse(L, "not allowed to call functions with custom context");
	if (context_from_lua(L, 2, from->values, &merged, &e) < 0)
		return push_nil_and_err(L, &e);
	x = push_copy(L, from);
	value_unref(x->values);
	x->values = merged;
	return 1;
}

/* Replaces all options given before. */
static int l_with_options(lua_State *L)
{
	const struct executor *from = check(L);
	struct value *options;
	const char *network;
	struct executor *x;
	struct err e;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (options_from_lua(L, 2, &options, &e) < 0)
		return push_nil_and_err(L, &e);
	network = options_network(options);
	if (network && network_select_allowed(L, network, &e) < 0) {
		int n = push_nil_and_denial(L, &e, "network.select", network_selected(L, network));

		value_unref(options);
		return n;
	}
	x = push_copy(L, from);
	value_unref(x->options);
	x->options = options;
	return 1;
}

static int l_with_actor(lua_State *L)
{
	const struct executor *from = check(L);
	struct identity *actor = actor_at(L, 2);
	struct executor *x;

	if (!actor)
		return raise_argument(L, 2, "actor expected");
	if (!current_allows(L, "funcs.security", "security"))
		return refuse(L, "not allowed to call functions with custom security context");
	x = push_copy(L, from);
	identity_unref(x->actor);
	x->actor = identity_ref(actor);
	return 1;
}

static int l_with_scope(lua_State *L)
{
	const struct executor *from = check(L);
	struct scope *scope = scope_at(L, 2);
	struct executor *x;

	if (!scope)
		return raise_argument(L, 2, "scope expected");
	if (!current_allows(L, "funcs.security", "security"))
		return refuse(L, "not allowed to call functions with custom security context");
	x = push_copy(L, from);
	scope_unref(x->scope);
	x->scope = scope_ref(scope);
	return 1;
}

static struct call_extras extras_of(const struct executor *x)
{
	return (struct call_extras){
		.edge =
			{
				.call_network = options_network(x->options),
				.actor = x->actor,
				.scope = x->scope,
				.values = x->values,
			},
		.options = x->options,
	};
}

static int l_executor_call(lua_State *L)
{
	struct call_extras x = extras_of(check(L));

	return funcs_call(L, luaL_checkstring(L, 2), 3, &x);
}

static int l_executor_async(lua_State *L)
{
	struct call_extras x = extras_of(check(L));

	return funcs_async(L, luaL_checkstring(L, 2), 3, &x);
}

int bind_funcs_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"async", l_async}, {"call", l_call}, {"new", l_new}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"async", l_executor_async},
		{"call", l_executor_call},
		{"with_actor", l_with_actor},
		{"with_context", l_with_context},
		{"with_options", l_with_options},
		{"with_scope", l_with_scope},
		{NULL, NULL},
	};

	future_register(L);
	handle_register(L, executor_type, methods, executor_gc);
	luaL_newlib(L, functions);
	return 1;
}
