/*
 * uuid.c - the `uuid` module (RFC 9562).
 *
 * Versions 1 and 7 are ordered and never repeat within the program: their clocks only go forward, whatever the
 * system's does. Version 1 carries a random node made once a run (section 6.10), never a hardware address.
 */
#include "base/uuid.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "bind/crypto.h"
#include "bind/modules.h"
#include "engine/lua_api.h"

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return push_nil_and_err(L, &e);
}

static int push_uuid(lua_State *L, const struct uuid *u)
{
	char text[UUID_TEXT_MAX];

	lua_pushstring(L, uuid_format(u, text));
	return 1;
}

static int no_randomness(lua_State *L)
{
	struct err e = {0};

	crypto_fail(&e, "generate uuid");
	return push_nil_and_err(L, &e);
}

/* -- making ------------------------------------------------------------------------------------------- */

/* The next tick of a clock with that many ticks a second, later than any it gave before. */
static uint64_t next_tick(atomic_uint_fast64_t *last, uint64_t ticks_per_second)
{
	struct timespec now;
	uint_fast64_t before = atomic_load(last), tick;

	clock_gettime(CLOCK_REALTIME, &now);
	do {
		tick = (uint64_t)now.tv_sec * ticks_per_second +
		       (uint64_t)now.tv_nsec * (ticks_per_second / 1000) / 1000000;
		if (tick <= before)
			tick = before + 1;
	} while (!atomic_compare_exchange_weak(last, &before, tick));
	return tick;
}

static struct {
	pthread_once_t once;
	unsigned char node[6];
	unsigned char sequence[2];
	bool ok;
} v1_identity = {.once = PTHREAD_ONCE_INIT};

static void make_v1_identity(void)
{
	v1_identity.ok = RAND_bytes(v1_identity.node, sizeof(v1_identity.node)) == 1 &&
			 RAND_bytes(v1_identity.sequence, sizeof(v1_identity.sequence)) == 1;
	v1_identity.node[0] |= 1; /* multicast: no network card has it */
}

static int l_v1(lua_State *L)
{
	static atomic_uint_fast64_t last;
	struct uuid u;

	pthread_once(&v1_identity.once, make_v1_identity);
	if (!v1_identity.ok)
		return no_randomness(L);
	uuid_fill_v1(&u, next_tick(&last, 10000000), (uint16_t)(v1_identity.sequence[0] << 8 | v1_identity.sequence[1]),
		v1_identity.node);
	return push_uuid(L, &u);
}

int bind_uuid_v4(lua_State *L)
{
	struct uuid u;

	if (RAND_bytes(u.bytes, sizeof(u.bytes)) != 1)
		return no_randomness(L);
	uuid_stamp(&u, 4);
	return push_uuid(L, &u);
}

static int l_v7(lua_State *L)
{
	static atomic_uint_fast64_t last;
	struct uuid u;

	if (RAND_bytes(u.bytes, sizeof(u.bytes)) != 1)
		return no_randomness(L);
	uuid_fill_v7(&u, next_tick(&last, 4096000));
	return push_uuid(L, &u);
}

static int named(lua_State *L, const EVP_MD *md, unsigned version)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct err e = {0};
	const char *text, *name;
	EVP_MD_CTX *ctx;
	struct uuid u;
	size_t len, name_len;
	bool ok;

	if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, 2) != LUA_TSTRING)
		return invalid(L, "namespace and name must be strings");
	text = lua_tolstring(L, 1, &len);
	name = lua_tolstring(L, 2, &name_len);
	if (!uuid_parse(text, len, &u))
		return invalid(L, "invalid namespace UUID");
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, u.bytes, sizeof(u.bytes)) == 1 &&
	     EVP_DigestUpdate(ctx, name, name_len) == 1 && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok) {
		crypto_fail(&e, "generate uuid");
		return push_nil_and_err(L, &e);
	}
	memcpy(u.bytes, digest, sizeof(u.bytes));
	uuid_stamp(&u, version);
	return push_uuid(L, &u);
}

static int l_v3(lua_State *L)
{
	return named(L, EVP_md5(), 3);
}

static int l_v5(lua_State *L)
{
	return named(L, EVP_sha1(), 5);
}

/* -- reading ------------------------------------------------------------------------------------------ */

/* 0, or what is returned: nil and the error. */
static int read_argument(lua_State *L, struct uuid *ret_uuid)
{
	const char *text;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING)
		return invalid(L, "input must be a string");
	text = lua_tolstring(L, 1, &len);
	return uuid_parse(text, len, ret_uuid) ? 0 : invalid(L, "invalid UUID format");
}

static int l_validate(lua_State *L)
{
	const char *text;
	struct uuid u;
	size_t len;

	text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
	lua_pushboolean(L, text && uuid_parse(text, len, &u));
	return 1;
}

static int l_version(lua_State *L)
{
	struct uuid u;
	int failed = read_argument(L, &u);

	if (failed)
		return failed;
	lua_pushinteger(L, uuid_version(&u));
	return 1;
}

static int l_variant(lua_State *L)
{
	struct uuid u;
	int failed = read_argument(L, &u);

	if (failed)
		return failed;
	lua_pushstring(L, uuid_variant(&u));
	return 1;
}

static int l_parse(lua_State *L)
{
	struct uuid u;
	int failed = read_argument(L, &u);
	int64_t seconds;

	if (failed)
		return failed;
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, uuid_version(&u));
	lua_setfield(L, -2, "version");
	lua_pushstring(L, uuid_variant(&u));
	lua_setfield(L, -2, "variant");
	if (uuid_seconds(&u, &seconds)) {
		lua_pushinteger(L, seconds);
		lua_setfield(L, -2, "timestamp");
	}
	if (uuid_version(&u) == 1) {
		lua_pushlstring(L, (const char *)u.bytes + 10, 6);
		lua_setfield(L, -2, "node");
	}
	return 1;
}

static int l_format(lua_State *L)
{
	char text[UUID_TEXT_MAX];
	const char *format = "standard";
	struct uuid u;
	int failed = read_argument(L, &u);

	if (failed)
		return failed;
	if (!lua_isnoneornil(L, 2))
		format = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	uuid_format(&u, text);
	if (strcmp(format, "standard") == 0)
		lua_pushstring(L, text);
	else if (strcmp(format, "urn") == 0)
		lua_pushfstring(L, "urn:uuid:%s", text);
	else if (strcmp(format, "simple") == 0)
		push_hex(L, u.bytes, sizeof(u.bytes));
	else
		return invalid(L, "unsupported format");
	return 1;
}

int bind_uuid_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"v1", l_v1},
		{"v3", l_v3},
		{"v4", bind_uuid_v4},
		{"v5", l_v5},
		{"v7", l_v7},
		{"validate", l_validate},
		{"version", l_version},
		{"variant", l_variant},
		{"parse", l_parse},
		{"format", l_format},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
