/*
 * backend.h - what a store is made of; inside of the room.
 *
 * A backend embeds a struct store. It gets requests that are checked: the key in its stored form, a limit between 1 and
 * STORE_LIST_MAX, conditions only where it knows them.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <stdatomic.h>

#include "store/store.h"

struct store_backend {
	struct store_info info;
	/* As store_begin(); *ret_a is zeroed. */
	struct store_wait *(*begin)(struct store *s, const struct store_request *r, struct store_answer *ret_a,
		struct loop *loop, store_done_fn *done, void *arg);
	struct store_wait *(*clean)(struct store *s, struct loop *loop, store_done_fn *done, void *arg);
	void (*free)(struct store *s);
};

struct store {
	struct refcount refs;
	const struct store_backend *backend;
	atomic_bool open;
};

struct store_wait {
	void (*cancel)(struct store_wait *w);
};

void store_init(struct store *s, const struct store_backend *backend);
/* Append an entry; takes `data`. */
void store_answer_add(
	struct store_answer *a, const char *key, size_t key_len, struct store_data *data, uint64_t version);

#endif
