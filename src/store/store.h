/*
 * store.h - key-value stores: text keys, any data, with a time to live.
 *
 *     struct store_answer a;
 *     struct store_wait *w = store_begin(store, &request, &a, loop, on_done, arg);
 *
 *     if (!w)
 *             use(&a);                   // answered at once: a store in memory never waits
 *     // else on_done(arg, answer) later, on `loop`; or store_cancel(w), and it never runs
 *     store_answer_done(&a);
 *
 * A key without ':' means ":key"; that is how it is stored and listed. What has expired is not there any more. Any
 * thread may use a store; a lock is held for work in memory only.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/refcount.h"
#include "loop/loop.h"

enum {
	STORE_KEY_BYTES_MAX = 4096,
	STORE_VALUE_BYTES_MAX = 16 * 1024 * 1024,
	STORE_LIST_DEFAULT = 100,
	STORE_LIST_MAX = 1000,
};

/* -- data ----------------------------------------------------------------------------------------------- */

/* What a key stands for: immutable, shared between threads. Whoever makes it embeds this and says how it is written
 * as JSON. */
struct store_data {
	struct refcount refs;
	const struct store_data_type *type;
};

struct store_data_type {
	const char *name;
	/* Append it as JSON text; any thread. INVALID when it cannot be written so. */
	int (*write_json)(const struct store_data *d, struct buf *out, struct err *e);
	void (*free)(struct store_data *d); /* any thread */
};

struct store_data *store_data_ref(struct store_data *d); /* NULL gives NULL */
void store_data_unref(struct store_data *d);
/* JSON text, copied: what a store in a database gives. */
struct store_data *store_data_json(const char *text, size_t len);
/* The text when it is of that type, else NULL. */
const char *store_data_json_text(const struct store_data *d, size_t *ret_len);

/* -- requests --------------------------------------------------------------------------------------------- */

enum store_op {
	STORE_GET,    /* one entry; NOT_FOUND "key not found" */
	STORE_HAS,    /* found */
	STORE_PUT,    /* one entry, as it is now */
	STORE_DELETE, /* found: it was there */
	STORE_LIST,   /* entries in ascending order of their keys */
};

/* Everything is borrowed for the call of store_begin(). */
struct store_request {
	enum store_op op;
	const char *key; /* INVALID "key is required" when empty, or when it holds a NUL */
	size_t key_len;

	/* STORE_PUT */
	struct store_data *data;
	int64_t ttl_ns;      /* 0: it does not expire */
	bool only_if_absent; /* ALREADY_EXISTS "key already exists" */
	uint64_t if_version; /* 0: any. NOT_FOUND "key not found", CONFLICT "version mismatch" (retryable) */

	/* STORE_LIST; compared with stored keys */
	const char *prefix;
	size_t prefix_len;
	const char *after; /* begin behind this one */
	size_t after_len;
	size_t limit; /* 0: STORE_LIST_DEFAULT; at most STORE_LIST_MAX */
};

struct store_entry {
	char *key; /* as stored, with a NUL behind it */
	size_t key_len;
	struct store_data *data;
	uint64_t version; /* 0: the store has none */
};

struct store_answer {
	int rc; /* -1: `err` says why */
	struct err
		err; /* INVALID "operation not supported by this store", UNAVAILABLE "store is closed", "store is full" (retryable) */
	bool found;
	struct store_entry *entries;
	size_t count;
	bool has_more;
};

void store_answer_done(struct store_answer *a);

/* -- a store ----------------------------------------------------------------------------------------------- */

struct store;
struct store_wait;

typedef void store_done_fn(void *arg, struct store_answer *a); /* `a` is freed after it */

struct store_info {
	const char *backend;     /* "memory", "sql" */
	const char *consistency; /* "local" */
	bool durable;
	bool list;
	bool versioned;
	bool conditional_put;
	bool ttl;
	bool waits; /* answers come later, never at once, except refusals */
};

struct store *store_ref(struct store *s); /* NULL gives NULL */
void store_unref(struct store *s);        /* any thread */
const struct store_info *store_info(const struct store *s);
/* A new store is closed; a closed one answers UNAVAILABLE, and keeps what it holds. */
void store_set_open(struct store *s, bool open);
/* Drop what has expired. NULL when that is done; else `done` runs later, as with store_begin(). */
struct store_wait *store_clean(struct store *s, struct loop *loop, store_done_fn *done, void *arg);

/* NULL when it was answered at once (then *ret_a is filled). */
struct store_wait *store_begin(struct store *s, const struct store_request *r, struct store_answer *ret_a,
	struct loop *loop, store_done_fn *done, void *arg);
/* On the thread that began. */
void store_cancel(struct store_wait *w);

/* -- in memory --------------------------------------------------------------------------------------------- */

/* Versions are one count for the whole store. */
struct store *store_memory_new(size_t max_size);
void store_memory_set_max_size(struct store *s, size_t max_size);

/* -- in a table of a database ------------------------------------------------------------------------------ */

struct database;

struct store_sql_config {
	/* The names go into SQL: only what store_sql_name_is_safe() says. Copied. */
	const char *table;
	const char *id_column;
	const char *payload_column;
	const char *expire_column;
	/* The database, asked for with each operation: a reference, or NULL with `e`. Any thread. */
	struct database *(*find)(void *arg, struct err *e);
	void *find_arg; /* freed with free_arg (may be NULL) */
	void (*free_arg)(void *arg);
};

/* A letter or '_', then letters, digits and '_'; at most 64 bytes. */
bool store_sql_name_is_safe(const char *name);
/* Data as JSON text, expiry as a UTC timestamp in text, NULL = none. The table must be there when it is used. No
 * versions, no conditions. */
struct store *store_sql_new(const struct store_sql_config *cfg);

#endif
