/*
 * http_batch.c - several requests side by side, one wait for all.
 */
#include "bind/http_batch.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "bind/http_call.h"
#include "bind/http_files.h"
#include "bind/http_request.h"
#include "engine/lua_api.h"

enum { BATCH_MAX = 10000 };

struct batch {
	struct pending pending;
	struct http_exchange **exchanges;
	size_t count;
	size_t open; /* not yet over */
};

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		http_exchange_free(b->exchanges[i]);
	free(b->exchanges);
	free(b);
}

static void batch_cancel(struct pending *p)
{
	batch_free(container_of(p, struct batch, pending));
}

static int batch_finish(lua_State *L, struct pending *p)
{
	struct batch *b = container_of(p, struct batch, pending);
	bool any_failed = false;

	lua_createtable(L, (int)b->count, 0);
	lua_newtable(L);
	for (size_t i = 0; i < b->count; i++) {
		if (b->exchanges[i]->failed) {
			push_failure(L, b->exchanges[i]->failure);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
			any_failed = true;
		} else {
			http_exchange_push(L, b->exchanges[i]);
			lua_rawseti(L, -3, (lua_Integer)i + 1);
		}
	}
	if (!any_failed) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	batch_free(b);
	return 2;
}

static void batch_one_done(struct http_exchange *x, void *arg)
{
	struct batch *b = arg;

	(void)x;
	if (--b->open == 0)
		pending_ready(&b->pending);
}

/* Read element i (on top of the stack) into a build pushed over it; the method string stays on the stack too. */
static struct http_build *read_element(lua_State *L, struct err *e)
{
	int item = lua_gettop(L), options = 0;
	struct http_build *b;
	const char *url, *method;
	size_t len;

	if (!lua_istable(L, item)) {
		err_set(e, ERR_INVALID, "each request must be a table");
		return NULL;
	}
	lua_rawgeti(L, item, 1);
	lua_rawgeti(L, item, 2);
	lua_rawgeti(L, item, 3);
	if (lua_type(L, item + 1) != LUA_TSTRING) {
		err_set(e, ERR_INVALID, "method must be a string");
		return NULL;
	}
	if (lua_type(L, item + 2) != LUA_TSTRING) {
		err_set(e, ERR_INVALID, "URL must be a string");
		return NULL;
	}
	if (lua_istable(L, item + 3))
		options = item + 3;
	url = lua_tostring(L, item + 2);
	method = lua_tolstring(L, item + 1, &len);
	method = http_push_method(L, method, len);
	b = http_build_push(L);
	http_build_read(L, b, method, url, options);
	if (b->req.stream) {
		err_set(e, ERR_INVALID, "streaming not supported in batch requests");
		return NULL;
	}
	return b;
}

/* -- files that come from streams -- */

/* Stack of a batch until it starts: these, and nothing else. The index is of the element being looked at. */
enum { AT_REQUESTS = 1, AT_INDEX = 2, AT_FILE = 3 };

static int start_batch(lua_State *L);

/* Push the options table of element i; false, and nothing is pushed, when it has none. */
static bool push_options(lua_State *L, lua_Integer i)
{
	if (lua_rawgeti(L, AT_REQUESTS, i) == LUA_TTABLE && lua_rawgeti(L, -1, 3) == LUA_TTABLE) {
		lua_remove(L, -2);
		return true;
	}
	lua_settop(L, AT_INDEX);
	return false;
}

/* Put copies in the place of the elements whose files are read into them. */
static void copy_elements(lua_State *L, lua_Integer n)
{
	bool is_copy = false;

	for (lua_Integer i = 1; i <= n; i++) {
		if (!push_options(L, i))
			continue;
		if (http_files_push_unread(L, AT_INDEX + 1)) {
			if (!is_copy) {
				http_files_push_shallow(L, AT_REQUESTS);
				lua_replace(L, AT_REQUESTS);
				is_copy = true;
			}
			lua_rawgeti(L, AT_REQUESTS, i);
			http_files_push_shallow(L, -1);
			http_files_push_copy(L, AT_INDEX + 1);
			lua_rawseti(L, -2, 3);
			lua_rawseti(L, AT_REQUESTS, i);
		}
		lua_settop(L, AT_INDEX);
	}
}

static int read_next_file(lua_State *L);

static int file_is_read(lua_State *L)
{
	http_files_store(L, AT_FILE);
	lua_settop(L, AT_INDEX);
	return read_next_file(L);
}

static int read_next_file(lua_State *L)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, AT_REQUESTS);

	for (lua_Integer i = lua_tointeger(L, AT_INDEX); i <= n; i++) {
		if (!push_options(L, i))
			continue;
		if (http_files_push_unread(L, AT_INDEX + 1)) {
			lua_replace(L, AT_FILE);
			lua_pushinteger(L, i);
			lua_replace(L, AT_INDEX);
			return http_files_read(L, file_is_read);
		}
		lua_settop(L, AT_INDEX);
	}
	lua_settop(L, AT_REQUESTS);
	return start_batch(L);
}

/* -- the start -- */

/* Read the elements into builds[], anchored in a table that is left on top of the stack. */
static int read_elements(lua_State *L, struct http_build **builds, size_t n, struct err *e)
{
	int anchors;

	/* Builds and upper-cased methods are anchored in a table: thousands would not fit on the stack. */
	lua_createtable(L, (int)n * 2, 0);
	anchors = lua_gettop(L);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, AT_REQUESTS, (lua_Integer)i + 1);
		builds[i] = read_element(L, e);
		if (!builds[i])
			return -1;
		lua_rawseti(L, anchors, (lua_Integer)(2 * i + 1));
		lua_rawseti(L, anchors, (lua_Integer)(2 * i + 2));
		lua_settop(L, anchors);
	}
	return 0;
}

static int start_batch(lua_State *L)
{
	size_t n = lua_rawlen(L, AT_REQUESTS);
	struct http_build **builds = lua_newuserdatauv(L, n * sizeof(struct http_build *), 0);
	struct batch *b;
	struct err e = {0};

	if (read_elements(L, builds, n, &e) < 0)
		return push_nil_and_err(L, &e);
	for (size_t i = 0; i < n; i++) {
		if (http_build_authorize_url(L, builds[i], &e) < 0)
			return push_nil_and_err(L, &e);
	}
	for (size_t i = 0; i < n; i++) {
		if (http_build_authorize(L, builds[i], &e) < 0)
			return http_build_push_refusal(L, builds[i], &e);
	}
	b = xcalloc(1, sizeof(*b));
	b->exchanges = xcalloc(n, sizeof(struct http_exchange *));
	b->pending.cancel = batch_cancel;
	b->count = n;
	for (size_t i = 0; i < n; i++) {
		if (http_build_choose_overlay(L, builds[i], &e) == 0)
			continue;
		if (e.kind == ERR_INVALID) {
			batch_free(b);
			return http_build_push_refusal(L, builds[i], &e);
		}
		/* As all that goes wrong on the way, this concerns the element alone. */
		b->exchanges[i] = http_exchange_failed(&e);
	}
	for (size_t i = 0; i < n; i++) {
		if (!b->exchanges[i]) {
			b->open++;
			b->exchanges[i] = http_exchange_start(L, builds[i], batch_one_done, b);
		}
		http_build_done(builds[i]);
	}
	return b->open > 0 ? wait_for(L, &b->pending, batch_finish) : batch_finish(L, &b->pending);
}

int http_request_batch(lua_State *L)
{
	size_t n = lua_istable(L, 1) ? lua_rawlen(L, 1) : 0;

	if (n == 0)
		return raise_argument(L, 1, "requests table cannot be empty");
	if (n > BATCH_MAX)
		return raise_argument(L, 1, "too many requests");
	if (!wait_is_possible(L))
		return http_raise_cannot_wait(L);
	luaL_checkstack(L, 20, "http_client");
	lua_settop(L, AT_REQUESTS);
	lua_pushinteger(L, 1);
	copy_elements(L, (lua_Integer)n);
	return read_next_file(L);
}
