/*
 * crypto_cipher.c - crypto.encrypt and crypto.decrypt: AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439).
 *
 * What is written is nonce (12 bytes, random), ciphertext, tag (16 bytes).
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <limits.h>

#include "bind/crypto.h"
#include "bind/scratch.h"
#include "engine/lua_api.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16, DATA_BYTES_MAX = INT_MAX - NONCE_BYTES - TAG_BYTES };

struct sealed {
	const EVP_CIPHER *cipher;
	const unsigned char *data, *key, *aad;
	size_t len, aad_len;
};

/* The cipher for that length of key; NULL with the reason otherwise. */
typedef const EVP_CIPHER *choose_fn(size_t key_len, struct err *e);

static const EVP_CIPHER *choose_aes(size_t key_len, struct err *e)
{
	switch (key_len) {
	case 16:
		return EVP_aes_128_gcm();
	case 24:
		return EVP_aes_192_gcm();
	case 32:
		return EVP_aes_256_gcm();
	default:
		err_set(e, ERR_INVALID, "key must be 16, 24, or 32 bytes");
		return NULL;
	}
}

static const EVP_CIPHER *choose_chacha20(size_t key_len, struct err *e)
{
	if (key_len == 32)
		return EVP_chacha20_poly1305();
	err_set(e, ERR_INVALID, "key must be 32 bytes");
	return NULL;
}

/* data, key, aad?: raises on wrong types. */
static int check_arguments(lua_State *L, choose_fn *choose, struct sealed *s, struct err *e)
{
	size_t key_len;

	s->data = (const unsigned char *)luaL_checklstring(L, 1, &s->len);
	s->key = (const unsigned char *)luaL_checklstring(L, 2, &key_len);
	s->aad = (const unsigned char *)luaL_optlstring(L, 3, "", &s->aad_len);
	if (s->len > DATA_BYTES_MAX || s->aad_len > DATA_BYTES_MAX)
		return err_set(e, ERR_INVALID, "data is too long");
	s->cipher = choose(key_len, e);
	return s->cipher ? 0 : -1;
}

/* OpenSSL takes no null pointer for an empty text, and a length of 0 would be the end of it: such steps are skipped. */
static bool run(EVP_CIPHER_CTX *ctx, const struct sealed *s, const unsigned char *in, size_t len, unsigned char *out,
	bool encrypting)
{
	int n = 0;

	if (s->aad_len > 0 && EVP_CipherUpdate(ctx, NULL, &n, s->aad, (int)s->aad_len) != 1)
		return false;
	if (len > 0 && EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1)
		return false;
	if (encrypting)
		return EVP_CipherFinal_ex(ctx, out + len, &n) == 1;
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, (void *)(in + len)) == 1 &&
	       EVP_CipherFinal_ex(ctx, out + len, &n) == 1;
}

static int encrypt(lua_State *L, choose_fn *choose)
{
	unsigned char nonce[NONCE_BYTES];
	struct err e = {0};
	struct sealed s;
	EVP_CIPHER_CTX *ctx;
	unsigned char *out;
	struct buf *b;
	size_t total;
	bool ok;

	if (check_arguments(L, choose, &s, &e) < 0)
		return push_nil_and_err(L, &e);
	total = NONCE_BYTES + s.len + TAG_BYTES;
	b = scratch_buf(L);
	out = (unsigned char *)buf_reserve(b, total);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && RAND_bytes(nonce, sizeof(nonce)) == 1 &&
	     EVP_CipherInit_ex(ctx, s.cipher, NULL, s.key, nonce, 1) == 1;
	if (ok) {
		for (size_t i = 0; i < NONCE_BYTES; i++)
			out[i] = nonce[i];
		ok = run(ctx, &s, s.data, s.len, out + NONCE_BYTES, true) &&
		     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + NONCE_BYTES + s.len) == 1;
	}
	EVP_CIPHER_CTX_free(ctx); /* wipes the key schedule */
	if (!ok) {
		crypto_fail(&e, "encrypt");
		return push_nil_and_err(L, &e);
	}
	buf_commit(b, total);
	scratch_push(L, b);
	return 1;
}

static int decrypt(lua_State *L, choose_fn *choose)
{
	struct err e = {0};
	struct sealed s;
	EVP_CIPHER_CTX *ctx;
	struct buf *b;
	unsigned char *out;
	size_t len;
	bool ok;

	if (check_arguments(L, choose, &s, &e) < 0)
		return push_nil_and_err(L, &e);
	if (s.len < NONCE_BYTES + TAG_BYTES) {
		err_set(&e, ERR_INVALID, "encrypted data too short");
		return push_nil_and_err(L, &e);
	}
	len = s.len - NONCE_BYTES - TAG_BYTES;
	b = scratch_secret(L);
	out = (unsigned char *)buf_reserve(b, len + 1);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && EVP_CipherInit_ex(ctx, s.cipher, NULL, s.key, s.data, 0) == 1 &&
	     run(ctx, &s, s.data + NONCE_BYTES, len, out, false);
	EVP_CIPHER_CTX_free(ctx);
	if (!ok) {
		/* Wrong key, wrong additional data and changed bytes look the same, and must. Nothing of the text is
		 * let out. */
		crypto_fail(&e, "decrypt");
		err_set(&e, ERR_INTERNAL, "decrypt: message authentication failed");
		return push_nil_and_err(L, &e);
	}
	buf_commit(b, len);
	lua_pushlstring(L, buf_data(b), len);
	return 1;
}

static int l_encrypt_aes(lua_State *L)
{
	return encrypt(L, choose_aes);
}

static int l_encrypt_chacha20(lua_State *L)
{
	return encrypt(L, choose_chacha20);
}

static int l_decrypt_aes(lua_State *L)
{
	return decrypt(L, choose_aes);
}

static int l_decrypt_chacha20(lua_State *L)
{
	return decrypt(L, choose_chacha20);
}

void crypto_encrypt_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"aes", l_encrypt_aes}, {"chacha20", l_encrypt_chacha20}, {NULL, NULL}};

	luaL_newlib(L, functions);
}

void crypto_decrypt_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"aes", l_decrypt_aes}, {"chacha20", l_decrypt_chacha20}, {NULL, NULL}};

	luaL_newlib(L, functions);
}
