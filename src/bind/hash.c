/*
 * hash.c - the `hash` module: digests and HMACs over OpenSSL, and FNV-1 (draft-eastlake-fnv).
 *
 * MD5 and SHA-1 are here for old protocols and checksums, not for protection.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>

#include "bind/crypto.h"
#include "bind/modules.h"
#include "engine/lua_api.h"

/* Arguments of a wrong type are errors here, not raised. */
static int refuse(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s must be a string", what);
	return push_nil_and_err(L, &e);
}

static int push_digest(lua_State *L, const unsigned char *digest, size_t len, bool raw)
{
	if (raw)
		lua_pushlstring(L, (const char *)digest, len);
	else
		push_hex(L, digest, len);
	return 1;
}

static int digest(lua_State *L, const EVP_MD *md)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	struct err e = {0};
	const char *data;
	unsigned n = 0;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING)
		return refuse(L, "data");
	data = lua_tolstring(L, 1, &len);
	if (EVP_Digest(data, len, out, &n, md, NULL) != 1) {
		crypto_fail(&e, "hash");
		return push_nil_and_err(L, &e);
	}
	return push_digest(L, out, n, lua_toboolean(L, 2));
}

static int hmac(lua_State *L, const EVP_MD *md)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	struct err e = {0};
	const char *data, *secret;
	size_t len, secret_len, n;

	if (lua_type(L, 1) != LUA_TSTRING)
		return refuse(L, "data");
	if (lua_type(L, 2) != LUA_TSTRING)
		return refuse(L, "secret");
	data = lua_tolstring(L, 1, &len);
	secret = lua_tolstring(L, 2, &secret_len);
	if (crypto_hmac(md, secret, secret_len, data, len, out, &n, &e) < 0)
		return push_nil_and_err(L, &e);
	return push_digest(L, out, n, lua_toboolean(L, 3));
}

#define DIGEST(name)                            \
	static int l_##name(lua_State *L)       \
	{                                       \
		return digest(L, EVP_##name()); \
	}                                       \
	static int l_hmac_##name(lua_State *L)  \
	{                                       \
		return hmac(L, EVP_##name());   \
	}

DIGEST(md5)
DIGEST(sha1)
DIGEST(sha256)
DIGEST(sha512)

static int l_fnv32(lua_State *L)
{
	uint32_t h = 0x811c9dc5;
	const char *data;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING)
		return refuse(L, "data");
	data = lua_tolstring(L, 1, &len);
	for (size_t i = 0; i < len; i++)
		h = (h * 0x01000193) ^ (unsigned char)data[i];
	lua_pushinteger(L, h);
	return 1;
}

/* All 64 bits do not fit an integer that programs take for unsigned: the number is a float. */
static int l_fnv64(lua_State *L)
{
	uint64_t h = 0xcbf29ce484222325;
	const char *data;
	size_t len;

	if (lua_type(L, 1) != LUA_TSTRING)
		return refuse(L, "data");
	data = lua_tolstring(L, 1, &len);
	for (size_t i = 0; i < len; i++)
		h = (h * 0x00000100000001b3) ^ (unsigned char)data[i];
	lua_pushnumber(L, (lua_Number)h);
	return 1;
}

int bind_hash_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"md5", l_md5},
		{"sha1", l_sha1},
		{"sha256", l_sha256},
		{"sha512", l_sha512},
		{"hmac_md5", l_hmac_md5},
		{"hmac_sha1", l_hmac_sha1},
		{"hmac_sha256", l_hmac_sha256},
		{"hmac_sha512", l_hmac_sha512},
		{"fnv32", l_fnv32},
		{"fnv64", l_fnv64},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
