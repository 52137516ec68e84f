#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/backend.h"

/* -- data ------------------------------------------------------------------------------------------------ */

struct json_data {
	struct store_data data;
	size_t len;
	char text[];
};

static int json_write_text(const struct store_data *d, struct buf *out, struct err *e)
{
	const struct json_data *j = container_of(d, struct json_data, data);

	(void)e;
	buf_add(out, j->text, j->len);
	return 0;
}

static void json_free(struct store_data *d)
{
	free(container_of(d, struct json_data, data));
}

static const struct store_data_type json_type = {"json", json_write_text, json_free};

struct store_data *store_data_json(const char *text, size_t len)
{
	struct json_data *j = xmalloc(sizeof(*j) + len + 1);

	refcount_init(&j->data.refs);
	j->data.type = &json_type;
	j->len = len;
	memcpy(j->text, text, len);
	j->text[len] = '\0';
	return &j->data;
}

const char *store_data_json_text(const struct store_data *d, size_t *ret_len)
{
	const struct json_data *j;

	if (d->type != &json_type)
		return NULL;
	j = container_of(d, struct json_data, data);
	*ret_len = j->len;
	return j->text;
}

struct store_data *store_data_ref(struct store_data *d)
{
	if (d)
		refcount_inc(&d->refs);
	return d;
}

void store_data_unref(struct store_data *d)
{
	if (d && refcount_dec(&d->refs))
		d->type->free(d);
}

/* -- answers --------------------------------------------------------------------------------------------- */

void store_answer_done(struct store_answer *a)
{
	for (size_t i = 0; i < a->count; i++) {
		free(a->entries[i].key);
		store_data_unref(a->entries[i].data);
	}
	free(a->entries);
	a->entries = NULL;
	a->count = 0;
}

void store_answer_add(
	struct store_answer *a, const char *key, size_t key_len, struct store_data *data, uint64_t version)
{
	struct store_entry *en;

	/* Room in powers of two. */
	if ((a->count & (a->count - 1)) == 0)
		a->entries = xreallocarray(a->entries, a->count ? a->count * 2 : 1, sizeof(*a->entries));
	en = &a->entries[a->count++];
	en->key = xmemdupz(key, key_len);
	en->key_len = key_len;
	en->data = data;
	en->version = version;
}

/* -- a store --------------------------------------------------------------------------------------------- */

struct store *store_ref(struct store *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void store_unref(struct store *s)
{
	if (s && refcount_dec(&s->refs))
		s->backend->free(s);
}

const struct store_info *store_info(const struct store *s)
{
	return &s->backend->info;
}

void store_set_open(struct store *s, bool open)
{
	atomic_store(&s->open, open);
}

struct store_wait *store_clean(struct store *s, struct loop *loop, store_done_fn *done, void *arg)
{
	return atomic_load(&s->open) ? s->backend->clean(s, loop, done, arg) : NULL;
}

void store_init(struct store *s, const struct store_backend *backend)
{
	refcount_init(&s->refs);
	s->backend = backend;
	atomic_init(&s->open, false);
}

/* The stored form of the key. */
static int take_key(const struct store_request *r, struct buf *key, struct err *e)
{
	if (r->op == STORE_LIST)
		return 0;
	if (r->key_len == 0)
		return err_set(e, ERR_INVALID, "key is required");
	if (r->key_len > STORE_KEY_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the key is longer than %d bytes", STORE_KEY_BYTES_MAX);
	if (memchr(r->key, '\0', r->key_len))
		return err_set(e, ERR_INVALID, "the key contains a NUL byte");
	if (!memchr(r->key, ':', r->key_len))
		buf_addc(key, ':');
	buf_add(key, r->key, r->key_len);
	return 0;
}

static int check(const struct store *s, const struct store_request *r, struct err *e)
{
	bool conditions = r->op == STORE_PUT && (r->only_if_absent || r->if_version);

	if (conditions && r->only_if_absent && r->if_version)
		return err_set(e, ERR_INVALID, "only_if_absent and if_version are mutually exclusive");
	if (conditions && !s->backend->info.conditional_put)
		return err_set(e, ERR_INVALID, "operation not supported by this store");
	if (!atomic_load(&s->open)) {
		err_set(e, ERR_UNAVAILABLE, "store is closed");
		return err_retryable(e);
	}
	return 0;
}

struct store_wait *store_begin(struct store *s, const struct store_request *r, struct store_answer *ret_a,
	struct loop *loop, store_done_fn *done, void *arg)
{
	struct store_request q = *r;
	struct buf key = BUF_INIT;
	struct store_wait *w = NULL;

	*ret_a = (struct store_answer){0};
	if (q.prefix_len == 0)
		q.prefix = "";
	if (q.after_len == 0)
		q.after = "";
	if (q.op == STORE_LIST && q.limit == 0)
		q.limit = STORE_LIST_DEFAULT;
	if (q.limit > STORE_LIST_MAX)
		q.limit = STORE_LIST_MAX;
	if (take_key(r, &key, &ret_a->err) < 0 || check(s, r, &ret_a->err) < 0) {
		ret_a->rc = -1;
	} else {
		q.key = buf_data(&key);
		q.key_len = buf_len(&key);
		w = s->backend->begin(s, &q, ret_a, loop, done, arg);
	}
	buf_done(&key);
	return w;
}

void store_cancel(struct store_wait *w)
{
	w->cancel(w);
}
