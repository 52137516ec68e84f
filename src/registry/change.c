#include "registry/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "registry/internal.h"

const char *change_type_name(enum change_type t)
{
	static const char *const names[] = {
		[CHANGE_CREATE] = "entry.create", [CHANGE_UPDATE] = "entry.update", [CHANGE_DELETE] = "entry.delete"};

	return names[t];
}

void changes_add(struct changes *c, enum change_type type, struct entry *entry, struct entry *previous)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 8;
		c->items = xreallocarray(c->items, c->cap, sizeof(*c->items));
	}
	c->items[c->count++] = (struct change){type, entry_ref(entry), entry_ref(previous)};
}

void changes_add_all(struct changes *c, const struct changes *more)
{
	for (size_t i = 0; i < more->count; i++)
		changes_add(c, more->items[i].type, more->items[i].entry, more->items[i].previous);
}

void changes_done(struct changes *c)
{
	for (size_t i = 0; i < c->count; i++) {
		entry_unref(c->items[i].entry);
		entry_unref(c->items[i].previous);
	}
	free(c->items);
	*c = (struct changes){0};
}

void changes_invert(struct changes *c)
{
	struct changes back = {0};

	for (size_t i = c->count; i-- > 0;) {
		const struct change *x = &c->items[i];

		if (x->type == CHANGE_CREATE)
			changes_add(&back, CHANGE_DELETE, x->entry, x->entry);
		else if (x->type == CHANGE_UPDATE)
			changes_add(&back, CHANGE_UPDATE, x->previous, x->entry);
		else
			changes_add(&back, CHANGE_CREATE, x->previous, NULL);
	}
	changes_done(c);
	*c = back;
}

/* -- combining and comparing ---------------------------------------------------------------------- */

/* What an id was before and what it is afterwards; NULL: not there. Borrowed. */
struct passage {
	struct entry *before;
	struct entry *after;
};

static void add_passage(struct changes *c, const struct passage *p)
{
	if (!p->before && p->after) {
		changes_add(c, CHANGE_CREATE, p->after, NULL);
	} else if (p->before && !p->after) {
		changes_add(c, CHANGE_DELETE, p->before, p->before);
	} else if (p->before && strcmp(p->before->kind, p->after->kind) != 0) {
		changes_add(c, CHANGE_DELETE, p->before, p->before);
		changes_add(c, CHANGE_CREATE, p->after, NULL);
	} else if (p->before) {
		changes_add(c, CHANGE_UPDATE, p->after, p->before);
	}
}

void changes_combine(struct changes *c)
{
	struct passage *passages = xcalloc(c->count + 1, sizeof(*passages));
	struct map *by_id = map_new();
	struct changes net = {0};
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct change *x = &c->items[i];
		struct passage *p = map_get(by_id, x->entry->id);

		if (!p) {
			p = &passages[n++];
			p->before = x->type == CHANGE_CREATE ? NULL : x->previous;
			map_set(by_id, x->entry->id, p);
		}
		p->after = x->type == CHANGE_DELETE ? NULL : x->entry;
	}
	for (size_t i = 0; i < n; i++)
		add_passage(&net, &passages[i]);
	map_free(by_id, NULL);
	free(passages);
	changes_done(c);
	*c = net;
}

static struct map *entries_by_id(struct entry *const *entries, size_t n)
{
	struct map *m = map_new();

	for (size_t i = 0; i < n; i++)
		map_set(m, entries[i]->id, entries[i]);
	return m;
}

void registry_diff(struct entry *const *from, size_t nfrom, struct entry *const *to, size_t nto, struct changes *ret)
{
	struct map *before = entries_by_id(from, nfrom), *after = entries_by_id(to, nto);
	struct snapshot *state = snapshot_new(from, nfrom, 0);
	struct changes c = {0};
	const char *id;
	void *v;

	for (size_t i = 0; map_next(before, &i, &id, &v);) {
		struct passage p = {v, map_get(after, id)};

		if (!p.after || !entry_equal(p.before, p.after))
			add_passage(&c, &p);
	}
	for (size_t i = 0; map_next(after, &i, &id, &v);) {
		struct passage p = {map_get(before, id), v};

		if (!p.before)
			add_passage(&c, &p);
	}
	changes_sort(&c, state);
	snapshot_unref(state);
	map_free(before, NULL);
	map_free(after, NULL);
	*ret = c;
}
