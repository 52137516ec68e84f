/*
 * internal.h - what the files of the registry share; nobody else includes it.
 *
 *   change.c        lists of changes: turned round, combined, compared
 *   change_order.c  the order in which to apply them
 *   apply.c         one list through the kinds, all or nothing
 *   registry.c      the current state, the baseline, versions
 *   snapshot.c      immutable states
 */
#ifndef REGISTRY_INTERNAL_H
#define REGISTRY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "registry/change.h"
#include "registry/history.h"
#include "registry/registry.h"

struct map;

struct snapshot {
	struct refcount refs;
	uint64_t version;
	struct entry **items; /* sorted by id */
	size_t count;
};

/* -- snapshot.c -- */
/* Of two entries with one id the last counts. */
struct snapshot *snapshot_new(struct entry *const *entries, size_t n, uint64_t version);
struct snapshot *snapshot_ref(struct snapshot *s);
/* `base` with the changes made, whatever it holds: what is to be created replaces, what is to be deleted may be
 * gone. */
struct snapshot *snapshot_with(const struct snapshot *base, const struct changes *c, uint64_t version);

/* -- registry.c -- */
struct registry {
	const struct kind_list *kinds;
	struct runtime *rt;
	const struct registry_watcher *watcher;
	void *watcher_arg;
	struct history *history;   /* NULL: none is kept */
	struct env *env;           /* of placeholders; NULL: none are replaced */
	struct map *expanded;      /* id -> the entry its handler has, where that is another one; main thread's */
	bool applying;             /* main thread's */
	const struct map *leaving; /* ids that the change under way deletes, while its `prepare` hooks run */
	uint64_t last_version;     /* the highest ever given out; main thread's */
	pthread_mutex_t lock;      /* guards the two pointers: held for a copy, never across a handler */
	struct snapshot *current;
	struct snapshot *baseline;
};

/* -- apply.c -- */
/* Through its kind. */
void remove_entry(struct registry *r, struct entry *e);

struct apply_mode {
	bool loading; /* words of a start */
	/* What makes it last, once every handler has agreed; may be NULL. */
	int (*save)(struct registry *r, const struct changes *applied, uint64_t *ret_version, struct err *e);
	uint64_t version; /* of the new state, unless `save` says otherwise */
};

/* Apply `c` as it is ordered and publish the new state; fills in what each one replaced. Main thread. */
int apply_changes(struct registry *r, struct changes *c, const struct apply_mode *mode, struct err *e);

#endif
