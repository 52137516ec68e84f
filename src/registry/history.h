/*
 * history.h - the versions of the registry: each is one change to another one, so they form a tree whose root, version
 * 0, is what the files say.
 *
 * Ids grow: a version's parent has a smaller one. All versions are in memory; a store keeps them beyond the life of the
 * program. Only the main thread adds versions and moves the head; any thread may look.
 */
#ifndef REGISTRY_HISTORY_H
#define REGISTRY_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/change.h"

struct history;

/* Called for each version in the order of their ids; `text` is what append() got. */
typedef int history_each_fn(void *arg, uint64_t id, uint64_t parent, const char *text, size_t len, struct err *e);

/* Where versions are kept. Everything runs on the main thread and may block. */
struct history_store {
	/* Once, first. *ret_head is 0 for a new store. */
	int (*load)(void *self, history_each_fn *each, void *arg, uint64_t *ret_head, struct err *e);
	/* In one step: keep the version and make it the head. */
	int (*append)(void *self, uint64_t id, uint64_t parent, const char *text, size_t len, struct err *e);
	int (*set_head)(void *self, uint64_t id, struct err *e);
	void (*close)(void *self);
};

/* `store` NULL: in memory only. Takes `self` when it succeeds. */
int history_open(const struct history_store *store, void *self, struct history **ret, struct err *e);
void history_free(struct history *h); /* NULL is fine */

/* Of the version that boots. */
uint64_t history_head(struct history *h);
/* The highest id there is. */
uint64_t history_last(struct history *h);
/* The ids in ascending order, 0 first; free() them. */
uint64_t *history_ids(struct history *h, size_t *ret_n);
/* NOT_FOUND "version not found". 0 has no parent: *ret_parent is 0. */
int history_parent(struct history *h, uint64_t id, uint64_t *ret_parent, struct err *e);
/* The newest version made on top of `id`; 0 when there is none. */
uint64_t history_child(struct history *h, uint64_t id);

/* What leads from one version to another, one operation an id, not sorted. NOT_FOUND "version not found: 9". */
int history_path(struct history *h, uint64_t from, uint64_t to, struct changes *ret, struct err *e);

/* Keep an applied change as version `id` on top of `parent`; it is the new head. */
int history_append(struct history *h, uint64_t id, uint64_t parent, const struct changes *c, struct err *e);
int history_set_head(struct history *h, uint64_t id, struct err *e);

/* Changes as text, for stores: JSON. */
void changes_write(const struct changes *c, struct buf *out);
int changes_read(const char *text, size_t len, struct changes *ret, struct err *e);

#endif
