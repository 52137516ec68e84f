/*
 * crypto.c - the `crypto` module: randomness, HMAC, comparison; ciphers, key derivation and tokens are in files of
 * their own.
 */
#include "bind/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <limits.h>
#include <string.h>

#include "bind/modules.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

enum { RANDOM_BYTES_MAX = 1048576 };

int crypto_fail(struct err *e, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "%s: %s", what, reason ? reason : "the cryptographic library failed");
}

int crypto_hmac(const EVP_MD *md, const void *key, size_t key_len, const void *data, size_t len, unsigned char *out,
	size_t *ret_len, struct err *e)
{
	unsigned char short_key[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool ok = true;

	/* HMAC() counts the key in an int. What is longer than a block is hashed first anyway (RFC 2104 section 2). */
	if (key_len > INT_MAX) {
		ok = EVP_Digest(key, key_len, short_key, &n, md, NULL) == 1;
		key = short_key;
		key_len = n;
	}
	ok = ok && HMAC(md, key, (int)key_len, data, len, out, &n);
	OPENSSL_cleanse(short_key, sizeof(short_key));
	if (!ok)
		return crypto_fail(e, "hmac");
	*ret_len = n;
	return 0;
}

void push_hex(lua_State *L, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * EVP_MAX_MD_SIZE];

	for (size_t i = 0; i < len && i < EVP_MAX_MD_SIZE; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	lua_pushlstring(L, text, 2 * len);
}

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return push_nil_and_err(L, &e);
}

/* -- randomness --------------------------------------------------------------------------------------- */

/* The length in argument 1; 0 with nil and the error pushed when it is out of range. */
static size_t check_length(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);

	if (n > 0 && n <= RANDOM_BYTES_MAX)
		return (size_t)n;
	invalid(L, n > 0 ? "length exceeds maximum allowed size (1MB)" : "length must be a positive integer");
	return 0;
}

static int no_randomness(lua_State *L)
{
	struct err e = {0};

	crypto_fail(&e, "random");
	return push_nil_and_err(L, &e);
}

static int l_random_bytes(lua_State *L)
{
	size_t n = check_length(L);
	struct buf *out;

	if (n == 0)
		return 2;
	out = scratch_secret(L);
	if (RAND_bytes((unsigned char *)buf_reserve(out, n), (int)n) != 1)
		return no_randomness(L);
	buf_commit(out, n);
	lua_pushlstring(L, buf_data(out), n);
	return 1;
}

/* Bytes that would make some characters likelier than others are thrown away. */
static int l_random_string(lua_State *L)
{
	static const char alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[256];
	size_t n, charset_len;
	const char *charset;
	unsigned limit;
	struct buf *out;

	charset = luaL_optlstring(L, 2, alphanumeric, &charset_len);
	n = check_length(L);
	if (n == 0)
		return 2;
	if (charset_len == 0)
		return invalid(L, "charset cannot be empty");
	/* One byte chooses: characters beyond the 256th are never taken. */
	if (charset_len > 256)
		charset_len = 256;
	limit = 256 - 256 % (unsigned)charset_len;
	out = scratch_secret(L);
	buf_reserve(out, n);
	while (buf_len(out) < n) {
		if (RAND_bytes(bytes, sizeof(bytes)) != 1)
			return no_randomness(L);
		for (size_t i = 0; i < sizeof(bytes) && buf_len(out) < n; i++) {
			if (bytes[i] < limit)
				buf_addc(out, charset[bytes[i] % charset_len]);
		}
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	lua_pushlstring(L, buf_data(out), n);
	return 1;
}

/* -- HMAC and comparison ------------------------------------------------------------------------------ */

static int hmac(lua_State *L, const EVP_MD *md)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	size_t key_len, len, n;
	const char *key = luaL_checklstring(L, 1, &key_len);
	const char *data = luaL_checklstring(L, 2, &len);
	struct err e = {0};

	if (key_len == 0)
		return invalid(L, "key cannot be empty");
	if (crypto_hmac(md, key, key_len, data, len, out, &n, &e) < 0)
		return push_nil_and_err(L, &e);
	push_hex(L, out, n);
	return 1;
}

static int l_hmac_sha256(lua_State *L)
{
	return hmac(L, EVP_sha256());
}

static int l_hmac_sha512(lua_State *L)
{
	return hmac(L, EVP_sha512());
}

static int l_constant_time_compare(lua_State *L)
{
	size_t a_len, b_len;
	const char *a = luaL_checklstring(L, 1, &a_len);
	const char *b = luaL_checklstring(L, 2, &b_len);

	lua_pushboolean(L, a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0);
	return 1;
}

int bind_crypto_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"pbkdf2", crypto_pbkdf2}, {"constant_time_compare", l_constant_time_compare}, {NULL, NULL}};
	static const luaL_Reg random[] = {
		{"bytes", l_random_bytes}, {"string", l_random_string}, {"uuid", bind_uuid_v4}, {NULL, NULL}};
	static const luaL_Reg hmacs[] = {{"sha256", l_hmac_sha256}, {"sha512", l_hmac_sha512}, {NULL, NULL}};

	luaL_newlib(L, functions);
	luaL_newlib(L, random);
	lua_setfield(L, -2, "random");
	luaL_newlib(L, hmacs);
	lua_setfield(L, -2, "hmac");
	crypto_encrypt_open(L);
	lua_setfield(L, -2, "encrypt");
	crypto_decrypt_open(L);
	lua_setfield(L, -2, "decrypt");
	crypto_jwt_open(L);
	lua_setfield(L, -2, "jwt");
	return 1;
}
