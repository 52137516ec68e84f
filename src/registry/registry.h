/*
 * registry.h - entries by id, applied through their kinds.
 *
 * Readers on any thread take an immutable snapshot; changes are made one at a time on the main thread and become
 * visible whole or not at all.
 *
 * The state is the baseline, which is what the files say, with the changes of the versions up to the current one.
 * Version 0 is the baseline alone.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "registry/change.h"
#include "registry/entry.h"
#include "registry/kind.h"

struct env;
struct history;
struct registry;
struct snapshot;

struct registry *registry_new(const struct kind_list *kinds, struct runtime *rt);
/* Removes every entry through its kind, dependents first. NULL is fine. */
void registry_free(struct registry *r);

/* Where placeholders of entries take their values; borrowed, before registry_load(). Without it handlers get entries as
 * they are written. */
void registry_set_env(struct registry *r, struct env *env);
/* Takes `h`; without it versions are counted and not kept. Before registry_load(). */
void registry_set_history(struct registry *r, struct history *h);
/* Borrowed; NULL when none is kept. Any thread. */
struct history *registry_history(const struct registry *r);

/* -- watching ------------------------------------------------------------------------------------- */

enum registry_event {
	REGISTRY_BEGIN,
	REGISTRY_OPERATION, /* `c`: about to be handled; once more for each time it is tried again */
	REGISTRY_ACCEPT,    /* `c` */
	REGISTRY_REJECT,    /* `c`, `e`; it may be tried again */
	REGISTRY_COMMIT,    /* the new state is visible, what was removed is gone */
	REGISTRY_DISCARD,   /* `e`; everything is as it was */
};

struct registry_watcher {
	/* On the main thread, within the change: must not change the registry. `c` and `e` are borrowed, NULL where
	 * not named. */
	void (*event)(void *arg, enum registry_event ev, const struct change *c, const struct err *e);
};

/* One watcher; `w` is static. */
void registry_watch(struct registry *r, const struct registry_watcher *w, void *arg);

/* -- changing: main thread ------------------------------------------------------------------------ */

/* Apply the baseline, then what history has up to its head: dependencies first, entries that fail with NOT_FOUND
 * again after the rest, as long as one of them progresses. All or nothing: on failure what was added is removed
 * again. Errors name file, line, entry and cause: "src/_index.yaml:12: entry app:x: no listener for kind 'foo.bar':
 * did you mean 'foo.baz'?". Borrows `entries`. Once. */
int registry_load(struct registry *r, struct entry *const *entries, size_t n, struct err *e);

/* Apply changes to the current state as one: sorted, all or nothing, a new version. `c` is sorted and gets its
 * `previous`. Errors have the kind of their cause: "failed to apply changes: operation failed for entry app:x: ...";
 * CONFLICT "... entry already exists: {ns: app, name: x}"; NOT_FOUND "... unresolved dependencies after retry:
 * app:x,app:y: ..."; INVALID "... cannot change entry kind from a to b for {...}". */
int registry_apply(struct registry *r, struct changes *c, uint64_t *ret_version, struct err *e);

/* Go to the state of another version as one change. The present one: nothing happens. NOT_FOUND "version not found";
 * INTERNAL "failed to compute version path: ..."; INVALID "rollback not supported: no history is kept". */
int registry_apply_version(struct registry *r, uint64_t version, struct err *e);

/* The files have changed: put another baseline under the current version and apply the difference as one change,
 * without a new version. On failure the old baseline stays. *ret_changes is how many entries changed; may be NULL.
 * Borrows `entries`. */
int registry_rebase(struct registry *r, struct entry *const *entries, size_t n, size_t *ret_changes, struct err *e);

/* -- looking: any thread -------------------------------------------------------------------------- */

/* A reference; NULL when absent. */
struct entry *registry_get(struct registry *r, const char *id);
/* For the `prepare` hook of a kind: does the change under way delete that entry? Main thread. */
bool registry_is_leaving(const struct registry *r, const char *id);
uint64_t registry_version(struct registry *r);

/* The current state; sorted by id. */
struct snapshot *registry_snapshot(struct registry *r);
/* The state of any version. NOT_FOUND "version not found"; UNAVAILABLE "history not available". */
struct snapshot *registry_snapshot_at(struct registry *r, uint64_t version, struct err *e);

void snapshot_unref(struct snapshot *s);
size_t snapshot_count(const struct snapshot *s);
struct entry *snapshot_at(const struct snapshot *s, size_t i);        /* borrowed */
struct entry *snapshot_get(const struct snapshot *s, const char *id); /* borrowed, NULL if absent */
uint64_t snapshot_version(const struct snapshot *s);

#endif
