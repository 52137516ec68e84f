/*
 * crypto.h - what the files of the `crypto` and `hash` modules share. Over OpenSSL, which these files alone see in
 * this room.
 *
 * Keys and what is derived from them are never part of an error. OpenSSL's own error queue is emptied after each
 * failure.
 */
#ifndef BIND_CRYPTO_H
#define BIND_CRYPTO_H

#include <openssl/evp.h>
#include <stddef.h>

#include "base/err.h"

struct lua_State;

/* INTERNAL "<what>: <OpenSSL's reason>"; empties the queue; returns -1. */
int crypto_fail(struct err *e, const char *what);
/* HMAC (RFC 2104) into `out`, EVP_MAX_MD_SIZE bytes. Any length of key and data. */
int crypto_hmac(const EVP_MD *md, const void *key, size_t key_len, const void *data, size_t len, unsigned char *out,
	size_t *ret_len, struct err *e);
/* Lower-case hexadecimal text, pushed. At most EVP_MAX_MD_SIZE bytes. */
void push_hex(struct lua_State *L, const unsigned char *bytes, size_t len);

/* Push the tables of functions that crypto.c puts under their names. */
void crypto_encrypt_open(struct lua_State *L);
void crypto_decrypt_open(struct lua_State *L);
void crypto_jwt_open(struct lua_State *L);
int crypto_pbkdf2(struct lua_State *L);

/* uuid.c: push a version 4 UUID. */
int bind_uuid_v4(struct lua_State *L);

#endif
