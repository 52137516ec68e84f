/*
 * registry.h - entries by id, applied through their kinds.
 *
 * Readers on any thread take an immutable snapshot; changes are made one at a time on the main thread and become visible whole or not at all.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "registry/entry.h"
#include "registry/kind.h"

struct registry;
struct snapshot;

struct registry *registry_new(const struct kind_list *kinds, struct runtime *rt);
/* Removes every entry through its kind, dependents first. NULL is fine. */
void registry_free(struct registry *r);

/* Apply the baseline: dependencies first, entries that fail with NOT_FOUND again after the rest, as long as one of them progresses.
 * All or nothing: on failure what was added is removed again. Errors name file, line, entry and cause:
 * "src/_index.yaml:12: entry app:x: no listener for kind 'foo.bar': did you mean 'foo.baz'?". Borrows `entries`. */
int registry_load(struct registry *r, struct entry *const *entries, size_t n, struct err *e);

/* A reference; NULL when absent. Any thread. */
struct entry *registry_get(struct registry *r, const char *id);

/* Any thread; never changes; sorted by id. */
struct snapshot *registry_snapshot(struct registry *r);
void snapshot_unref(struct snapshot *s);
size_t snapshot_count(const struct snapshot *s);
struct entry *snapshot_at(const struct snapshot *s, size_t i);        /* borrowed */
struct entry *snapshot_get(const struct snapshot *s, const char *id); /* borrowed, NULL if absent */
uint64_t snapshot_version(const struct snapshot *s);

#endif
