/*
 * registry.h - what the files of the `registry` module share.
 *
 *   registry.c         the functions of the module
 *   registry_entry.c   entries as tables
 *   registry_state.c   snapshots, versions, the history
 *   registry_change.c  changes: collecting them, having them applied
 */
#ifndef BIND_REGISTRY_H
#define BIND_REGISTRY_H

#include "bind/current.h"
#include "engine/lua_api.h"
#include "registry/history.h"
#include "registry/registry.h"

enum {
	REGISTRY_ID_BYTES_MAX = 1024,
	REGISTRY_KIND_BYTES_MAX = 256,
	REGISTRY_DEPTH_MAX = 100, /* of meta and data: what is kept as JSON is read back */
};

/* -- registry_entry.c -- */

/* Push {id, kind, meta, data}. */
void registry_push_entry(lua_State *L, const struct entry *e);
/* The table at idx. INVALID "entry must have valid id field", "entry must have kind field". */
int registry_entry_at(lua_State *L, int idx, struct entry **ret, struct err *e);
/* "ns:name" or {ns=, name=}: the id, pushed as "ns:name". INVALID "invalid ID format". */
const char *registry_push_id(lua_State *L, int idx, struct err *e);
/* Tables cannot tell an empty map from an empty list: what `was` had as a map stays one. Returns a new reference,
 * `e` is borrowed. */
struct entry *registry_entry_like(struct entry *e, const struct entry *was);

/* Push those that may be seen as an array: all, those of namespace `ns`, or those that match the filter (a table at
 * idx, 0: none). */
void registry_push_entries(lua_State *L, const struct snapshot *s, const char *ns, int filter_idx);
/* Push the entry and nil, or nil and why not: it may not be seen, or is not there. */
int registry_push_one(lua_State *L, const struct snapshot *s, const char *id);

/* -- registry_state.c -- */

void registry_state_register(lua_State *L);
/* Push one that is to be filled in with a reference. */
struct snapshot **registry_push_snapshot(lua_State *L);
void registry_push_version(lua_State *L, uint64_t id);
void registry_push_history(lua_State *L);
/* Push the array of versions and nil. */
int registry_push_versions(lua_State *L);
/* snapshot_at(n): a snapshot and nil. */
int registry_push_snapshot_at(lua_State *L, uint64_t version);
/* The number of the version at idx; -1 INVALID "expected version object". */
int registry_version_at(lua_State *L, int idx, uint64_t *ret, struct err *e);

/* -- registry_change.c -- */

void registry_change_register(lua_State *L);
void registry_push_changes(lua_State *L);
/* Push the list of {kind, entry}. */
void registry_push_operations(lua_State *L, const struct changes *c);
/* Go to that version and wait: use as `return`. Permission is checked. */
int registry_go_to(lua_State *L, uint64_t version);

#endif
