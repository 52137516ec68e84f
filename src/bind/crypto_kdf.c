/*
 * crypto_kdf.c - crypto.pbkdf2 (RFC 8018 section 5.2), on the thread pool: millions of iterations take seconds.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/crypto.h"
#include "bind/pool_job.h"
#include "engine/lua_api.h"

enum {
	ITERATIONS_MAX = 10000000,
	KEY_BYTES_MAX = 1048576,
	SECRET_BYTES_MAX = 1048576,
	/* Of the hash, over all blocks of the key: a pool thread is not held longer than the longest derivation of 64
	 * bytes takes. */
	ROUNDS_MAX = 4 * ITERATIONS_MAX,
};

struct derivation {
	struct pool_job job;
	const EVP_MD *md;
	int iterations;
	size_t password_len, salt_len, key_len;
	unsigned char *password, *salt, *key;
	struct err err;
	bool ok;
};

static void derivation_free(struct pool_job *j)
{
	struct derivation *d = container_of(j, struct derivation, job);

	OPENSSL_cleanse(d->password, d->password_len);
	OPENSSL_cleanse(d->key, d->key_len);
	free(d->password);
	free(d->salt);
	free(d->key);
	free(d);
}

static void derivation_work(struct pool_job *j)
{
	struct derivation *d = container_of(j, struct derivation, job);

	d->ok = PKCS5_PBKDF2_HMAC((const char *)d->password, (int)d->password_len, d->salt, (int)d->salt_len,
			d->iterations, d->md, (int)d->key_len, d->key) == 1;
	if (!d->ok)
		crypto_fail(&d->err, "pbkdf2"); /* OpenSSL's error queue is this thread's */
}

static int derivation_finish(lua_State *L, struct pool_job *j)
{
	struct derivation *d = container_of(j, struct derivation, job);

	if (!d->ok)
		return push_nil_and_err(L, &d->err);
	lua_pushlstring(L, (const char *)d->key, d->key_len);
	return 1;
}

static int invalid(lua_State *L, const char *what)
{
	struct err e = {0};

	err_set(&e, ERR_INVALID, "%s", what);
	return push_nil_and_err(L, &e);
}

int crypto_pbkdf2(lua_State *L)
{
	size_t password_len, salt_len;
	const char *password = luaL_checklstring(L, 1, &password_len);
	const char *salt = luaL_checklstring(L, 2, &salt_len);
	lua_Integer iterations = luaL_checkinteger(L, 3);
	lua_Integer key_len = luaL_checkinteger(L, 4);
	const char *hash = luaL_optstring(L, 5, "sha256");
	const EVP_MD *md = NULL;
	struct derivation *d;
	struct err e = {0};
	lua_Integer blocks;

	if (password_len == 0)
		return invalid(L, "password cannot be empty");
	if (salt_len == 0)
		return invalid(L, "salt cannot be empty");
	if (iterations <= 0)
		return invalid(L, "iterations must be positive");
	if (iterations > ITERATIONS_MAX)
		return invalid(L, "iterations exceeds maximum (10000000)");
	if (key_len <= 0)
		return invalid(L, "key length must be positive");
	if (strcmp(hash, "sha256") == 0)
		md = EVP_sha256();
	else if (strcmp(hash, "sha512") == 0)
		md = EVP_sha512();
	if (!md) {
		err_set(&e, ERR_INVALID, "unsupported hash function: %.64s", hash);
		return push_nil_and_err(L, &e);
	}
	if (password_len > SECRET_BYTES_MAX || salt_len > SECRET_BYTES_MAX)
		return invalid(L, "password and salt must not exceed 1 MB");
	blocks = (key_len - 1) / EVP_MD_get_size(md) + 1;
	if (key_len > KEY_BYTES_MAX || blocks * iterations > ROUNDS_MAX)
		return invalid(L, "key length exceeds what is derived with so many iterations: ask for a shorter key");
	d = xcalloc(1, sizeof(*d));
	d->job.work = derivation_work;
	d->job.finish = derivation_finish;
	d->job.free = derivation_free;
	d->md = md;
	d->iterations = (int)iterations;
	d->password = (unsigned char *)xmemdupz(password, password_len);
	d->password_len = password_len;
	d->salt = (unsigned char *)xmemdupz(salt, salt_len);
	d->salt_len = salt_len;
	d->key = xcalloc(1, (size_t)key_len);
	d->key_len = (size_t)key_len;
	return pool_job_run(L, &d->job);
}
