/*
 * crypto_jwt.c - crypto.jwt: tokens from and to Lua. What needs an RSA key runs on the thread pool.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "bind/crypto.h"
#include "bind/jwt.h"
#include "bind/pool_job.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

struct token_job {
	struct pool_job job;
	const struct jwt_alg *alg;
	char *key;
	size_t key_len;
	struct buf token; /* what is signed, or checked */
	bool require_exp;
	struct value *claims;
	int rc;
	struct err err;
};

static void token_job_free(struct pool_job *j)
{
	struct token_job *t = container_of(j, struct token_job, job);

	OPENSSL_cleanse(t->key, t->key_len);
	free(t->key);
	buf_done(&t->token);
	value_unref(t->claims);
	free(t);
}

static struct token_job *token_job_new(const struct jwt_alg *alg, const char *key, size_t key_len)
{
	struct token_job *t = xcalloc(1, sizeof(*t));

	t->job.free = token_job_free;
	t->alg = alg;
	t->key = xmemdupz(key, key_len);
	t->key_len = key_len;
	return t;
}

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return push_nil_and_err(L, &e);
}

/* -- encode ------------------------------------------------------------------------------------------- */

static void sign_work(struct pool_job *j)
{
	struct token_job *t = container_of(j, struct token_job, job);

	t->rc = jwt_sign(t->alg, t->key, t->key_len, &t->token, &t->err);
}

static int sign_finish(lua_State *L, struct pool_job *j)
{
	struct token_job *t = container_of(j, struct token_job, job);

	if (t->rc < 0)
		return push_nil_and_err(L, &t->err);
	lua_pushlstring(L, buf_data(&t->token), buf_len(&t->token));
	return 1;
}

/* A tree that is empty looks like a list; where a map is meant it is an empty one. */
static bool is_map(const struct value *v)
{
	return value_type(v) == VALUE_MAP || (value_type(v) == VALUE_LIST && value_count(v) == 0);
}

/* What the header says: the algorithm we sign with, the type, and what the program adds. The algorithm is not the
 * program's to change. */
static struct value *make_header(const struct jwt_alg *alg, const struct value *more)
{
	struct value *header = value_map();

	value_map_set(header, "alg", value_cstring(jwt_alg_name(alg)));
	value_map_set(header, "typ", value_cstring("JWT"));
	for (size_t i = 0; value_type(more) == VALUE_MAP && i < value_count(more); i++) {
		const char *key;
		const struct value *item = value_pair(more, i, &key, NULL);

		if (strcmp(key, "alg") != 0)
			value_map_set(header, key, value_ref((struct value *)item));
	}
	return header;
}

/* The claims without `_header`, as a map of our own. */
static struct value *make_claims(const struct value *from)
{
	struct value *claims = value_map();

	for (size_t i = 0; value_type(from) == VALUE_MAP && i < value_count(from); i++) {
		const char *key;
		const struct value *item = value_pair(from, i, &key, NULL);

		if (strcmp(key, "_header") != 0 || !is_map(item))
			value_map_set(claims, key, value_ref((struct value *)item));
	}
	return claims;
}

static void write_input(const struct jwt_alg *alg, const struct value *from, struct buf *out)
{
	struct value *header = make_header(alg, value_get(from, "_header")), *claims = make_claims(from);

	jwt_write_input(header, claims, out);
	value_unref(header);
	value_unref(claims);
}

static int l_encode(lua_State *L)
{
	const struct jwt_alg *alg;
	struct value **from;
	struct token_job *t;
	struct err e = {0};
	const char *key;
	struct buf *out;
	size_t key_len;

	luaL_checktype(L, 1, LUA_TTABLE);
	key = luaL_checklstring(L, 2, &key_len);
	alg = jwt_alg_find(luaL_optstring(L, 3, "HS256"));
	if (!alg)
		alg = jwt_alg_find("HS256"); /* the manual's word; the header tells */
	if (key_len == 0)
		return invalid(L, "key cannot be empty");
	if (key_len > JWT_KEY_BYTES_MAX)
		return invalid(L, "key is too long");
	from = scratch_value(L);
	if (value_from_lua(L, 1, from, &e) < 0)
		return push_nil_and_err(L, &e);
	if (!is_map(*from))
		return invalid(L, "failed to convert payload to map");
	if (jwt_alg_is_rsa(alg)) {
		t = token_job_new(alg, key, key_len);
		t->job.work = sign_work;
		t->job.finish = sign_finish;
		write_input(alg, *from, &t->token);
		return pool_job_run(L, &t->job);
	}
	out = scratch_buf(L);
	write_input(alg, *from, out);
	if (jwt_sign(alg, key, key_len, out, &e) < 0)
		return push_nil_and_err(L, &e);
	scratch_push(L, out);
	return 1;
}

/* -- verify ------------------------------------------------------------------------------------------- */

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The tree as tables in which every number is a float. */
static void push_claims(lua_State *L, const struct value *v)
{
	size_t n = value_count(v);

	luaL_checkstack(L, 4, "the claims are nested too deeply");
	switch (value_type(v)) {
	case VALUE_INT:
		lua_pushnumber(L, value_get_float(v));
		break;
	case VALUE_LIST:
		lua_createtable(L, (int)n, 0);
		for (size_t i = 0; i < n; i++) {
			push_claims(L, value_at(v, i));
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		break;
	case VALUE_MAP:
		lua_createtable(L, 0, (int)n);
		for (size_t i = 0; i < n; i++) {
			const char *key;
			const struct value *item = value_pair(v, i, &key, NULL);

			lua_pushstring(L, key);
			push_claims(L, item);
			lua_rawset(L, -3);
		}
		break;
	default:
		value_push(L, v);
		break;
	}
}

static void verify_work(struct pool_job *j)
{
	struct token_job *t = container_of(j, struct token_job, job);

	t->rc = jwt_verify(t->alg, t->key, t->key_len, buf_data(&t->token), buf_len(&t->token), t->require_exp,
		now_seconds(), &t->claims, &t->err);
}

static int verify_finish(lua_State *L, struct pool_job *j)
{
	struct token_job *t = container_of(j, struct token_job, job);

	if (t->rc < 0)
		return push_nil_and_err(L, &t->err);
	push_claims(L, t->claims);
	return 1;
}

static int l_verify(lua_State *L)
{
	size_t token_len, key_len;
	const char *token = luaL_checklstring(L, 1, &token_len);
	const char *key = luaL_checklstring(L, 2, &key_len);
	const char *name = luaL_optstring(L, 3, "HS256");
	const struct jwt_alg *alg = jwt_alg_find(name);
	bool require_exp = lua_isnoneornil(L, 4) || lua_toboolean(L, 4);
	struct value **claims;
	struct token_job *t;
	struct err e = {0};

	if (!alg)
		err_set(&e, ERR_INTERNAL, "signing method %.64s is invalid", name);
	else if (key_len == 0 || key_len > JWT_KEY_BYTES_MAX)
		err_set(&e, ERR_INTERNAL, "%s", key_len == 0 ? "key cannot be empty" : "key is too long");
	else if (token_len > JWT_TOKEN_BYTES_MAX)
		err_set(&e, ERR_INTERNAL, "token is malformed: it is longer than %d bytes", JWT_TOKEN_BYTES_MAX);
	if (e.text[0])
		return push_nil_and_err(L, &e);
	if (jwt_alg_is_rsa(alg)) {
		t = token_job_new(alg, key, key_len);
		t->job.work = verify_work;
		t->job.finish = verify_finish;
		t->require_exp = require_exp;
		buf_add(&t->token, token, token_len);
		return pool_job_run(L, &t->job);
	}
	claims = scratch_value(L);
	if (jwt_verify(alg, key, key_len, token, token_len, require_exp, now_seconds(), claims, &e) < 0)
		return push_nil_and_err(L, &e);
	push_claims(L, *claims);
	return 1;
}

void crypto_jwt_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", l_encode}, {"verify", l_verify}, {NULL, NULL}};

	luaL_newlib(L, functions);
}
