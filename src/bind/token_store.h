/*
 * token_store.h - live token stores: minting, checking and revoking access tokens kept in a key-value store.
 *
 * For the `security` module and for whatever takes tokens from requests. An operation waits for the backing store,
 * which is looked up anew each time; it runs and ends on the caller's loop.
 *
 *     struct token_answer a = {0};
 *     struct token_wait *w = token_validate(ts, node, loop, text, len, &a, on_done, arg);
 *
 *     if (!w)
 *             use(&a), token_answer_done(&a);
 *     // else on_done(arg, &answer) later; or token_cancel(w), and it never runs
 */
#ifndef BIND_TOKEN_STORE_H
#define BIND_TOKEN_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bind/node.h"
#include "loop/loop.h"
#include "registry/entry.h"
#include "registry/instances.h"
#include "security/identity.h"
#include "security/scope.h"

struct token_store;
struct token_wait;

extern const struct instance_type token_store_type;

/* Read an entry of kind security.token_store. INVALID "failed to decode token store config: invalid configuration:
 * ...". */
int token_store_new(struct env *env, const struct entry *e, struct token_store **ret, struct err *err);
void token_store_unref(struct token_store *ts); /* NULL is fine; any thread */
const char *token_store_id(const struct token_store *ts);

struct token_answer {
	int rc; /* -1: `err` says why: INVALID "invalid token format", NOT_FOUND "token not found", or what the backing store says */
	struct err err;
	char *token; /* token_create() */
	size_t token_len;
	struct identity *actor; /* token_validate() */
	struct scope *scope;
};

void token_answer_done(struct token_answer *a);

typedef void token_done_fn(void *arg, struct token_answer *a); /* `a` is freed after it */

/* Each returns NULL when *ret is the answer already. Everything is borrowed for the call. `expires_ns` 0: the
 * store's default. `meta` may be NULL. */
struct token_wait *token_create(struct token_store *ts, struct node *n, struct loop *loop, struct identity *actor,
	struct scope *scope, int64_t expires_ns, const struct value *meta, struct token_answer *ret,
	token_done_fn *done, void *arg);
struct token_wait *token_validate(struct token_store *ts, struct node *n, struct loop *loop, const char *token,
	size_t len, struct token_answer *ret, token_done_fn *done, void *arg);
struct token_wait *token_revoke(struct token_store *ts, struct node *n, struct loop *loop, const char *token,
	size_t len, struct token_answer *ret, token_done_fn *done, void *arg);
/* On the thread that began. */
void token_cancel(struct token_wait *w);

#endif
