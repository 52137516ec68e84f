/*
 * token.h - access tokens: their text, and what is stored under it. Pure: random bytes and signatures come from the
 * caller.
 *
 * A token is base64url (RFC 4648 section 5, with padding) of random bytes. With a key it is followed by a dot and the
 * base64url of HMAC-SHA256(key, text before the dot) (RFC 2104). The record is stored under the text before the dot and
 * names policies by id: what they say is looked up when the token is shown, so a changed policy holds for tokens there
 * are.
 */
#ifndef SECURITY_TOKEN_H
#define SECURITY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "security/identity.h"
#include "security/policy_set.h"
#include "security/scope.h"

enum {
	TOKEN_RANDOM_BYTES_DEFAULT = 32,
	TOKEN_RANDOM_BYTES_MAX = 1024,
	TOKEN_MAC_BYTES = 32,
	TOKEN_TEXT_BYTES_MAX = 4096, /* of what is shown as a token */
};

void token_write(struct buf *out, const unsigned char *random, size_t len);
/* ".<signature>" */
void token_write_signature(struct buf *out, const unsigned char mac[static TOKEN_MAC_BYTES]);

/* Where the text to look up ends. `is_signed`: two parts, neither empty. INVALID "invalid token format". */
int token_split(const char *text, size_t len, bool is_signed, size_t *ret_len, struct err *e);
/* Is what stands behind the dot at `at` the signature for that MAC? Takes as long for a wrong one as for the right
 * one. INVALID "invalid token format". */
int token_check_signature(
	const char *text, size_t len, size_t at, const unsigned char mac[static TOKEN_MAC_BYTES], struct err *e);

struct token_record {
	struct identity *actor;
	struct scope *scope;
	int64_t expires_ms; /* since 1970; 0: never */
};

/* JSON text. `meta` may be NULL. */
void token_record_write(struct buf *out, const struct identity *actor, const struct scope *scope, int64_t created_ms,
	int64_t expires_ms, const struct value *meta);
/* Policies that do not exist any more are left out of the scope, which may become empty. INTERNAL "malformed token
 * record". */
int token_record_read(
	const char *text, size_t len, struct policy_set *policies, struct token_record *ret, struct err *e);
void token_record_done(struct token_record *r);

#endif
