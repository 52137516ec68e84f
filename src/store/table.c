/*
 * table.c - a store in a table of a database.
 *
 * Each operation is one job of the database, so nothing of this program comes between its statements. A key whose time
 * is over counts as absent; what is compared are texts of one form, see sql_timestamp_format().
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "sql/database.h"
#include "sql/timestamp.h"
#include "store/backend.h"

enum { NAME_MAX_BYTES = 64 };

struct table {
	struct store store;
	char *name;
	char *id;
	char *payload;
	char *expires;
	struct database *(*find)(void *arg, struct err *e);
	void *find_arg;
	void (*free_arg)(void *arg);
};

/* One operation under way; the asker's thread. */
struct table_wait {
	struct store_wait wait;
	struct table *table; /* a reference */
	struct database *db; /* a reference and a handle */
	struct sql_job *job;
	enum store_op op;
	size_t limit;
	char *key;
	size_t key_len;
	struct store_data *data;
	store_done_fn *done;
	void *arg;
};

bool store_sql_name_is_safe(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_BYTES || isdigit((unsigned char)*name))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return true;
}

static struct table *table_of(struct store *s)
{
	return container_of(s, struct table, store);
}

/* Names stand in brackets: in quotation marks SQLite takes one that does not exist for a text. */

/* -- statements ------------------------------------------------------------------------------------------ */

static int add_time(struct sql_params *p, int64_t ttl_ns, struct err *e)
{
	char text[SQL_TIMESTAMP_MAX];
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	ns = ttl_ns > INT64_MAX - ns ? INT64_MAX : ns + ttl_ns;
	return sql_params_add_text(p, text, sql_timestamp_format(ns, text), e);
}

static int add_expiry(struct sql_params *p, int64_t ttl_ns, struct err *e)
{
	return ttl_ns > 0 ? add_time(p, ttl_ns, e) : sql_params_add_null(p, e);
}

static int add_payload(struct sql_params *p, struct store_data *d, struct err *e)
{
	struct buf text = BUF_INIT;
	int rc = d->type->write_json(d, &text, e);

	if (rc == 0)
		rc = sql_params_add_text(p, buf_data(&text), buf_len(&text), e);
	buf_done(&text);
	return rc;
}

/* "<expires> IS NULL OR <expires> > ?" */
static void put_alive(const struct table *t, struct buf *sql)
{
	buf_addf(sql, "([%s] IS NULL OR [%s] > ?)", t->expires, t->expires);
}

static int make_get(
	const struct table *t, const struct store_request *r, struct buf *sql, struct sql_params *p, struct err *e)
{
	buf_addf(sql, "SELECT [%s] FROM [%s] WHERE [%s] COLLATE BINARY = ? AND ", t->payload, t->name, t->id);
	put_alive(t, sql);
	buf_adds(sql, " LIMIT 1");
	return sql_params_add_text(p, r->key, r->key_len, e) < 0 || add_time(p, 0, e) < 0 ? -1 : 0;
}

/* An expired row is deleted without counting as there. */
static int make_delete(
	const struct table *t, const struct store_request *r, struct buf *sql, struct sql_params *p, struct err *e)
{
	buf_addf(sql,
		"DELETE FROM [%s] WHERE [%s] COLLATE BINARY = ? AND [%s] <= ?; DELETE FROM [%s] WHERE [%s] COLLATE "
		"BINARY = ?",
		t->name, t->id, t->expires, t->name, t->id);
	if (sql_params_add_text(p, r->key, r->key_len, e) < 0 || add_time(p, 0, e) < 0)
		return -1;
	return sql_params_add_text(p, r->key, r->key_len, e);
}

/* The table need not say that keys are unique, so no upsert: change the row, add one if there was none. */
static int make_put(
	const struct table *t, const struct store_request *r, struct buf *sql, struct sql_params *p, struct err *e)
{
	buf_addf(sql, "UPDATE [%s] SET [%s] = ?, [%s] = ? WHERE [%s] COLLATE BINARY = ?; ", t->name, t->payload,
		t->expires, t->id);
	buf_addf(sql, "INSERT INTO [%s] ([%s], [%s], [%s]) SELECT ?, ?, ?", t->name, t->id, t->payload, t->expires);
	buf_addf(sql, " WHERE NOT EXISTS (SELECT 1 FROM [%s] WHERE [%s] COLLATE BINARY = ?)", t->name, t->id);
	if (add_payload(p, r->data, e) < 0 || add_expiry(p, r->ttl_ns, e) < 0 ||
		sql_params_add_text(p, r->key, r->key_len, e) < 0)
		return -1;
	if (sql_params_add_text(p, r->key, r->key_len, e) < 0 || add_payload(p, r->data, e) < 0 ||
		add_expiry(p, r->ttl_ns, e) < 0)
		return -1;
	return sql_params_add_text(p, r->key, r->key_len, e);
}

/* The smallest text that is behind every text with this prefix; false when there is none. */
static bool prefix_end(const char *prefix, size_t len, struct buf *end)
{
	buf_add(end, prefix, len);
	while (buf_len(end) > 0) {
		unsigned char last = (unsigned char)buf_data(end)[buf_len(end) - 1];

		buf_truncate(end, buf_len(end) - 1);
		if (last == 0xff)
			continue;
		buf_addc(end, (char)(last + 1));
		return true;
	}
	return false;
}

/* One more than asked for tells whether there is another page. Texts compare byte by byte: COLLATE BINARY, whatever
 * the column says. */
static int make_list(
	const struct table *t, const struct store_request *r, struct buf *sql, struct sql_params *p, struct err *e)
{
	struct buf end = BUF_INIT;
	int rc = -1;

	buf_addf(sql, "SELECT [%s], [%s] FROM [%s] WHERE ", t->id, t->payload, t->name);
	put_alive(t, sql);
	if (add_time(p, 0, e) < 0)
		goto out;
	if (r->prefix_len > 0) {
		buf_addf(sql, " AND [%s] COLLATE BINARY >= ?", t->id);
		if (sql_params_add_text(p, r->prefix, r->prefix_len, e) < 0)
			goto out;
		if (prefix_end(r->prefix, r->prefix_len, &end)) {
			buf_addf(sql, " AND [%s] COLLATE BINARY < ?", t->id);
			if (sql_params_add_text(p, buf_data(&end), buf_len(&end), e) < 0)
				goto out;
		}
	}
	if (r->after_len > 0) {
		buf_addf(sql, " AND [%s] COLLATE BINARY > ?", t->id);
		if (sql_params_add_text(p, r->after, r->after_len, e) < 0)
			goto out;
	}
	buf_addf(sql, " ORDER BY [%s] COLLATE BINARY LIMIT %zu", t->id, r->limit + 1);
	rc = 0;
out:
	buf_done(&end);
	return rc;
}

static int make_clean(const struct table *t, struct buf *sql, struct sql_params *p, struct err *e)
{
	buf_addf(sql, "DELETE FROM [%s] WHERE [%s] <= ?", t->name, t->expires);
	return add_time(p, 0, e);
}

static int make(
	const struct table *t, const struct store_request *r, struct buf *sql, struct sql_params *p, struct err *e)
{
	switch (r->op) {
	case STORE_GET:
	case STORE_HAS:
		return make_get(t, r, sql, p, e);
	case STORE_PUT:
		return make_put(t, r, sql, p, e);
	case STORE_DELETE:
		return make_delete(t, r, sql, p, e);
	case STORE_LIST:
		return make_list(t, r, sql, p, e);
	}
	return -1;
}

/* -- answers --------------------------------------------------------------------------------------------- */

static void wait_free(struct table_wait *w)
{
	database_release(w->db);
	database_unref(w->db);
	store_unref(&w->table->store);
	store_data_unref(w->data);
	free(w->key);
	free(w);
}

/* A column that is no text: what somebody else has put there. */
static struct store_data *data_of(const struct sql_value *v)
{
	return v->type == SQL_TEXT || v->type == SQL_BLOB ? store_data_json(v->text, v->len)
							  : store_data_json("null", 4);
}

static void fill(struct table_wait *w, struct sql_answer *from, struct store_answer *a)
{
	size_t n = from->result ? sql_result_nrows(from->result) : 0;
	struct sql_value key, payload;

	switch (w->op) {
	case STORE_GET:
		if (n == 0) {
			a->rc = err_set(&a->err, ERR_NOT_FOUND, "key not found");
			break;
		}
		payload = sql_result_at(from->result, 0, 0);
		store_answer_add(a, w->key, w->key_len, data_of(&payload), 0);
		break;
	case STORE_HAS:
		a->found = n > 0;
		break;
	case STORE_DELETE:
		a->found = from->rows_affected > 0;
		break;
	case STORE_PUT:
		store_answer_add(a, w->key, w->key_len, store_data_ref(w->data), 0);
		break;
	case STORE_LIST:
		a->has_more = n > w->limit;
		for (size_t i = 0; i < n && i < w->limit; i++) {
			key = sql_result_at(from->result, i, 0);
			payload = sql_result_at(from->result, i, 1);
			if (key.type == SQL_TEXT || key.type == SQL_BLOB)
				store_answer_add(a, key.text, key.len, data_of(&payload), 0);
		}
		break;
	}
}

static void on_answer(void *arg, struct sql_answer *from)
{
	struct table_wait *w = arg;
	struct store_answer a = {.rc = from->rc};

	w->job = NULL;
	if (from->rc < 0)
		a.err = from->err;
	else
		fill(w, from, &a);
	w->done(w->arg, &a);
	store_answer_done(&a);
	wait_free(w);
}

static void wait_cancel(struct store_wait *wait)
{
	struct table_wait *w = container_of(wait, struct table_wait, wait);

	sql_job_cancel(w->job);
	wait_free(w);
}

/* -- requests -------------------------------------------------------------------------------------------- */

static struct database *acquire(const struct table *t, struct err *e)
{
	struct database *db = t->find(t->find_arg, e);

	if (!db)
		return NULL;
	if (database_acquire(db, e) < 0) {
		database_unref(db);
		return NULL;
	}
	return db;
}

static struct table_wait *submit(struct table *t, enum sql_op op, const struct buf *sql, struct sql_params *params,
	struct loop *loop, struct err *e)
{
	struct sql_request q = {
		.op = op,
		.text = buf_data(sql),
		.len = buf_len(sql),
		.params = params,
		.loop = loop,
		.done = on_answer,
	};
	struct database *db = acquire(t, e);
	struct table_wait *w;

	if (!db) {
		sql_params_free(params);
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	w->wait.cancel = wait_cancel;
	w->table = table_of(store_ref(&t->store));
	w->db = db;
	q.arg = w;
	w->job = database_submit(db, &q);
	return w;
}

static struct store_wait *table_begin(struct store *s, const struct store_request *r, struct store_answer *ret_a,
	struct loop *loop, store_done_fn *done, void *arg)
{
	bool reads = r->op == STORE_GET || r->op == STORE_HAS || r->op == STORE_LIST;
	struct sql_params *params = sql_params_new();
	struct table *t = table_of(s);
	struct table_wait *w = NULL;
	struct buf sql = BUF_INIT;

	if (make(t, r, &sql, params, &ret_a->err) < 0)
		sql_params_free(params);
	else
		w = submit(t, reads ? SQL_QUERY : SQL_EXECUTE, &sql, params, loop, &ret_a->err);
	buf_done(&sql);
	if (!w) {
		ret_a->rc = -1;
		return NULL;
	}
	/* The answer comes in a later turn. */
	w->op = r->op;
	w->limit = r->limit;
	w->key = xmemdupz(r->key ? r->key : "", r->key_len);
	w->key_len = r->key_len;
	w->data = store_data_ref(r->data);
	w->done = done;
	w->arg = arg;
	return &w->wait;
}

static struct store_wait *table_clean(struct store *s, struct loop *loop, store_done_fn *done, void *arg)
{
	struct sql_params *params = sql_params_new();
	struct table *t = table_of(s);
	struct table_wait *w = NULL;
	struct buf sql = BUF_INIT;
	struct err e;

	if (make_clean(t, &sql, params, &e) < 0)
		sql_params_free(params);
	else
		w = submit(t, SQL_EXECUTE, &sql, params, loop, &e);
	buf_done(&sql);
	if (!w)
		return NULL;
	w->op = STORE_DELETE;
	w->done = done;
	w->arg = arg;
	return &w->wait;
}

static void table_free(struct store *s)
{
	struct table *t = table_of(s);

	if (t->free_arg)
		t->free_arg(t->find_arg);
	free(t->name);
	free(t->id);
	free(t->payload);
	free(t->expires);
	free(t);
}

static const struct store_backend backend = {
	.info =
		{
			.backend = "sql",
			.consistency = "local",
			.durable = true,
			.list = true,
			.versioned = false,
			.conditional_put = false,
			.ttl = true,
			.waits = true,
		},
	.begin = table_begin,
	.clean = table_clean,
	.free = table_free,
};

struct store *store_sql_new(const struct store_sql_config *cfg)
{
	struct table *t = xcalloc(1, sizeof(*t));

	store_init(&t->store, &backend);
	t->name = xstrdup(cfg->table);
	t->id = xstrdup(cfg->id_column);
	t->payload = xstrdup(cfg->payload_column);
	t->expires = xstrdup(cfg->expire_column);
	t->find = cfg->find;
	t->find_arg = cfg->find_arg;
	t->free_arg = cfg->free_arg;
	return &t->store;
}
