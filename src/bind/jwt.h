/*
 * jwt.h - JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515): reading, checking the claims, keys. Knows
 * no Lua.
 *
 * Algorithms: HS256, HS384, HS512, RS256 (RFC 7518 section 3). "none" does not exist here. Any thread.
 */
#ifndef BIND_JWT_H
#define BIND_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "value/value.h"

enum {
	JWT_TOKEN_BYTES_MAX = 1048576,
	JWT_KEY_BYTES_MAX = 1048576,
};

struct jwt_alg;

/* NULL when there is none of that name. */
const struct jwt_alg *jwt_alg_find(const char *name);
const char *jwt_alg_name(const struct jwt_alg *a);
/* Does it take a key pair? Those need long enough that a worker should not do it. */
bool jwt_alg_is_rsa(const struct jwt_alg *a);

/* Append the signing input: header and claims, both maps, encoded and joined. */
void jwt_write_input(const struct value *header, const struct value *claims, struct buf *out);
/* Append "." and the signature over what is in `out`. INVALID "invalid RSA private key: ..." for a key that is no RSA
 * key in PEM (PKCS#1 or PKCS#8, not encrypted); INTERNAL "sign token: ...". */
int jwt_sign(const struct jwt_alg *a, const void *key, size_t key_len, struct buf *out, struct err *e);

/* Check a token for exactly that algorithm and give its claims. `now` is in seconds since 1970. Everything that is
 * wrong is INTERNAL: "token is malformed: ...", "signing method ... is invalid", "signature is invalid", "token is
 * expired", "token is not valid yet", "exp claim is required". A public key is a PEM certificate or public key. The
 * signature is checked before anything in the claims is believed. */
int jwt_verify(const struct jwt_alg *a, const void *key, size_t key_len, const char *token, size_t len,
	bool require_exp, double now, struct value **ret_claims, struct err *e);

#endif
