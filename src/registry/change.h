/*
 * change.h - what is to become of entries: a list of creations, updates and deletions.
 *
 * A list may be made by any thread and belongs to whoever made it; entries in it are shared and immutable. `previous`
 * is what an update or a deletion replaces: registry_apply() fills it in, so a list that was applied can be turned
 * round. Everything here is pure.
 */
#ifndef REGISTRY_CHANGE_H
#define REGISTRY_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/entry.h"

struct snapshot;

enum change_type { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_DELETE };

struct change {
	enum change_type type;
	struct entry *entry;    /* what it will be; of a deletion only the id counts */
	struct entry *previous; /* what it was; NULL while not known */
};

struct changes {
	struct change *items;
	size_t count;
	size_t cap;
};

/* "entry.create", "entry.update", "entry.delete" */
const char *change_type_name(enum change_type t);

/* Both are borrowed; `previous` may be NULL. */
void changes_add(struct changes *c, enum change_type type, struct entry *entry, struct entry *previous);
void changes_add_all(struct changes *c, const struct changes *more);
void changes_done(struct changes *c);

/* The order in which to apply them, whatever the order they came in. Creations and updates: what an entry refers to
 * comes first. Deletions: who refers to the entry in `state` (may be NULL) and changes too comes first. Of one id: a
 * deletion before a creation, that before an update. Else ascending by namespace, name and operation. When entries
 * refer to each other in a circle, returns false: ascending order, deletions last. */
bool changes_sort(struct changes *c, const struct snapshot *state);

/* What leads back: the inverse of each, last one first. Each needs its `previous`. */
void changes_invert(struct changes *c);
/* One operation for each id that has the effect of all of them in their order: create + update = create, create +
 * delete = nothing, update + delete = delete, delete + create = update, or both where the kinds differ. Each needs
 * its `previous`. */
void changes_combine(struct changes *c);

/* What makes `to` out of `from`, sorted. Entries that are the same are left out: numbers compare by value, the order
 * of a map does not count. Of two entries with one id in a list the last counts. */
void registry_diff(struct entry *const *from, size_t nfrom, struct entry *const *to, size_t nto, struct changes *ret);

#endif
