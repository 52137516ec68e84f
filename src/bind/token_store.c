#include "bind/token_store.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/refcount.h"
#include "base/secret.h"
#include "bind/store.h"
#include "registry/secret_read.h"
#include "security/token.h"
#include "store/store.h"

static const int64_t default_expiration_ns = 24ll * 3600 * 1000 * 1000 * 1000;

struct token_store {
	struct refcount refs;
	char *id;
	char *store_id;
	size_t random_len;
	int64_t expiration_ns;
	struct secret *key; /* NULL: tokens are not signed */
	atomic_bool warned; /* about a store that keeps them so */
};

struct token_wait {
	struct token_store *ts;
	struct node *node;
	struct store *store;
	struct store_wait *wait;
	enum store_op op;
	char *token; /* STORE_PUT: what the caller gets */
	size_t token_len;
	token_done_fn *done;
	void *arg;
};

/* -- stores ---------------------------------------------------------------------------------------------------- */

static void *ref_store(void *object)
{
	struct token_store *ts = object;

	refcount_inc(&ts->refs);
	return ts;
}

void token_store_unref(struct token_store *ts)
{
	if (!ts || !refcount_dec(&ts->refs))
		return;
	secret_free(ts->key);
	free(ts->id);
	free(ts->store_id);
	free(ts);
}

static void unref_store(void *object)
{
	token_store_unref(object);
}

const struct instance_type token_store_type = {"token store", ref_store, unref_store};

static int read_config(struct token_store *ts, struct env *env, const struct entry *entry, struct err *e)
{
	const struct value *data = entry->data;
	int64_t length = TOKEN_RANDOM_BYTES_DEFAULT;
	const char *store = "";

	ts->expiration_ns = default_expiration_ns;
	if (value_read_string(data, "store", &store, e) < 0 || value_read_int(data, "token_length", &length, e) < 0 ||
		value_read_duration(data, "default_expiration", &ts->expiration_ns, e) < 0)
		return -1;
	if (!*store)
		return err_set(e, ERR_INVALID, "store ID is required");
	if (length <= 0 || length > TOKEN_RANDOM_BYTES_MAX)
		return err_set(e, ERR_INVALID, "token length must be between 1 and %d", TOKEN_RANDOM_BYTES_MAX);
	if (ts->expiration_ns <= 0)
		return err_set(e, ERR_INVALID, "default expiration must be greater than 0");
	ts->random_len = (size_t)length;
	ts->store_id = entry_id_resolve(store, entry->ns);
	return secret_read(env, entry, data, "token_key", ENV_FIELD_VARIABLE_WINS, &ts->key, e);
}

int token_store_new(struct env *env, const struct entry *entry, struct token_store **ret, struct err *e)
{
	struct token_store *ts = xcalloc(1, sizeof(*ts));

	refcount_init(&ts->refs);
	ts->id = xstrdup(entry->id);
	if (read_config(ts, env, entry, e) < 0) {
		token_store_unref(ts);
		return err_prefix(e, "failed to decode token store config: invalid configuration");
	}
	*ret = ts;
	return 0;
}

const char *token_store_id(const struct token_store *ts)
{
	return ts->id;
}

/* -- answers --------------------------------------------------------------------------------------------------- */

static void wipe_free(char *text, size_t len)
{
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
}

void token_answer_done(struct token_answer *a)
{
	wipe_free(a->token, a->token_len);
	identity_unref(a->actor);
	scope_unref(a->scope);
	*a = (struct token_answer){0};
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_free(struct token_wait *w)
{
	store_unref(w->store);
	token_store_unref(w->ts);
	wipe_free(w->token, w->token_len);
	free(w);
}

static void not_found(struct token_answer *a)
{
	a->rc = err_set(&a->err, ERR_NOT_FOUND, "token not found");
}

static void read_record(struct node *n, const struct store_answer *from, struct token_answer *a)
{
	struct store_data *json;
	struct token_record r;
	const char *text;
	size_t len;

	if (from->count == 0) {
		not_found(a);
		return;
	}
	json = from->entries[0].data;
	text = store_data_json_text(json, &len);
	if (!text) {
		/* Something of the application's own under that key. */
		not_found(a);
		return;
	}
	a->rc = token_record_read(text, len, n->policies, &r, &a->err);
	if (a->rc < 0)
		return;
	if (r.expires_ms != 0 && r.expires_ms <= now_ms()) {
		token_record_done(&r);
		not_found(a);
		return;
	}
	a->actor = r.actor;
	a->scope = r.scope;
}

static void translate(struct token_wait *w, const struct store_answer *from, struct token_answer *a)
{
	*a = (struct token_answer){0};
	if (from->rc < 0 && from->err.kind == ERR_NOT_FOUND) {
		not_found(a);
	} else if (from->rc < 0) {
		a->rc = -1;
		a->err = from->err;
	} else if (w->op == STORE_GET) {
		read_record(w->node, from, a);
	} else if (w->op == STORE_DELETE && !from->found) {
		not_found(a);
	} else if (w->op == STORE_PUT) {
		a->token = w->token;
		a->token_len = w->token_len;
		w->token = NULL;
	}
}

static void on_stored(void *arg, struct store_answer *from)
{
	struct token_wait *w = arg;
	struct token_answer a;

	w->wait = NULL;
	translate(w, from, &a);
	w->done(w->arg, &a);
	token_answer_done(&a);
	wait_free(w);
}

/* -- operations ------------------------------------------------------------------------------------------------ */

static void sign(const struct token_store *ts, const char *text, size_t len, unsigned char mac[static TOKEN_MAC_BYTES])
{
	unsigned n = 0;

	if (!HMAC(EVP_sha256(), secret_reveal(ts->key), (int)secret_len(ts->key), (const unsigned char *)text, len, mac,
		    &n) ||
		n != TOKEN_MAC_BYTES)
		abort(); /* without memory, or without SHA-256: nothing that could be signed with */
}

/* Without a key a token is what its record is stored under: whoever reads the database can use it, and whoever
 * writes there can make one. */
static void warn_if_readable(struct token_store *ts, const struct store *s)
{
	if (ts->key || !store_info(s)->durable || atomic_exchange(&ts->warned, true))
		return;
	log_warn("security",
		"tokens are stored unsigned: whoever reads or writes the database can use or make them; set token_key",
		LOG_STR("token_store", ts->id), LOG_STR("store", ts->store_id));
}

/* Takes `w`. */
static struct token_wait *begin(
	struct token_wait *w, const struct store_request *r, struct loop *loop, struct token_answer *ret)
{
	struct store_answer from = {0};
	struct err e;

	w->op = r->op;
	w->store = instances_get(w->node->instances, w->ts->store_id, &store_type, &e);
	if (!w->store) {
		*ret = (struct token_answer){.rc = -1, .err = e};
		wait_free(w);
		return NULL;
	}
	warn_if_readable(w->ts, w->store);
	w->wait = store_begin(w->store, r, &from, loop, on_stored, w);
	if (w->wait)
		return w;
	translate(w, &from, ret);
	store_answer_done(&from);
	wait_free(w);
	return NULL;
}

static struct token_wait *wait_new(struct token_store *ts, struct node *n, token_done_fn *done, void *arg)
{
	struct token_wait *w = xcalloc(1, sizeof(*w));

	w->ts = ref_store(ts);
	w->node = n;
	w->done = done;
	w->arg = arg;
	return w;
}

struct token_wait *token_create(struct token_store *ts, struct node *n, struct loop *loop, struct identity *actor,
	struct scope *scope, int64_t expires_ns, const struct value *meta, struct token_answer *ret,
	token_done_fn *done, void *arg)
{
	struct token_wait *w = wait_new(ts, n, done, arg);
	unsigned char random[TOKEN_RANDOM_BYTES_MAX], mac[TOKEN_MAC_BYTES];
	struct buf text = BUF_INIT, record = BUF_INIT;
	int64_t ttl_ns = expires_ns > 0 ? expires_ns : ts->expiration_ns, now = now_ms();
	struct store_request r = {.op = STORE_PUT, .ttl_ns = ttl_ns};

	for (size_t have = 0; have < ts->random_len;) {
		ssize_t got = getrandom(random + have, ts->random_len - have, 0);

		if (got > 0)
			have += (size_t)got;
	}
	token_write(&text, random, ts->random_len);
	OPENSSL_cleanse(random, sizeof(random));
	r.key_len = buf_len(&text);
	if (ts->key) {
		sign(ts, buf_data(&text), r.key_len, mac);
		token_write_signature(&text, mac);
	}
	/* Rounded up: the record does not expire before the store's own clock says so. */
	token_record_write(&record, actor, scope, now, now + (ttl_ns + 999999) / 1000000, meta);
	r.data = store_data_json(buf_data(&record), buf_len(&record));
	w->token = buf_detach(&text, &w->token_len);
	r.key = w->token;
	w = begin(w, &r, loop, ret);
	store_data_unref(r.data);
	buf_done(&record);
	return w;
}

/* Look at the text, then ask the store. */
static struct token_wait *with_token(struct token_store *ts, struct node *n, enum store_op op, struct loop *loop,
	const char *token, size_t len, struct token_answer *ret, token_done_fn *done, void *arg)
{
	struct store_request r = {.op = op, .key = token};
	unsigned char mac[TOKEN_MAC_BYTES];
	struct err e;
	int rc;

	rc = token_split(token, len, ts->key != NULL, &r.key_len, &e);
	if (rc == 0 && ts->key) {
		sign(ts, token, r.key_len, mac);
		rc = token_check_signature(token, len, r.key_len, mac, &e);
	}
	if (rc < 0) {
		*ret = (struct token_answer){.rc = -1, .err = e};
		return NULL;
	}
	return begin(wait_new(ts, n, done, arg), &r, loop, ret);
}

struct token_wait *token_validate(struct token_store *ts, struct node *n, struct loop *loop, const char *token,
	size_t len, struct token_answer *ret, token_done_fn *done, void *arg)
{
	return with_token(ts, n, STORE_GET, loop, token, len, ret, done, arg);
}

struct token_wait *token_revoke(struct token_store *ts, struct node *n, struct loop *loop, const char *token,
	size_t len, struct token_answer *ret, token_done_fn *done, void *arg)
{
	return with_token(ts, n, STORE_DELETE, loop, token, len, ret, done, arg);
}

void token_cancel(struct token_wait *w)
{
	store_cancel(w->wait);
	wait_free(w);
}
