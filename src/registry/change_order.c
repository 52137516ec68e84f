/*
 * change_order.c - the order in which to apply changes.
 *
 * A graph over the operations, sorted by id so that what nothing decides comes out the same way each time, and a walk
 * through it depth first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "registry/env.h"
#include "registry/internal.h"
#include "registry/references.h"

struct node {
	struct change change;
	struct entry *live; /* what it replaces, as far as known */
	size_t seen;        /* its place in the list */
	unsigned rank;      /* among those of one id */
	size_t first;       /* of those of one id */
	bool recreated;     /* this id is created, too */
	size_t *deps;       /* what goes before, ascending */
	size_t ndeps;
	size_t next; /* the next of deps to look at */
	enum { NODE_NEW, NODE_OPEN, NODE_PLACED } state;
};

struct graph {
	struct node *nodes;
	size_t count;
	struct map *by_id;     /* id -> the first of its nodes */
	struct map *variables; /* public name of an env.variable -> the first of its nodes */
	size_t self;           /* whose references are collected */
	bool live;             /* of what it was, not of what it will be */
};

static void add_dependency(struct graph *g, size_t from, size_t to)
{
	struct node *n = &g->nodes[from];

	for (size_t i = 0; i < n->ndeps; i++) {
		if (n->deps[i] == to)
			return;
	}
	n->deps = xreallocarray(n->deps, n->ndeps + 1, sizeof(*n->deps));
	n->deps[n->ndeps++] = to;
}

/* The entry of node `self` refers to the id whose nodes begin at `first`. */
static void relate(struct graph *g, size_t first)
{
	const struct node *self = &g->nodes[g->self];

	if (first == self->first)
		return;
	for (size_t i = first; i < g->count && g->nodes[i].first == first; i++) {
		bool is_delete = g->nodes[i].change.type == CHANGE_DELETE;

		if (!g->live && !is_delete)
			add_dependency(g, g->self, i);
		/* An update may need the new one that takes the place of what is deleted. */
		if (g->live && is_delete && (self->change.type == CHANGE_DELETE || !g->nodes[i].recreated))
			add_dependency(g, i, g->self);
	}
}

static const struct entry *shown(const struct graph *g, const struct node *n)
{
	return g->live && n->live ? n->live : n->change.entry;
}

static void collect(void *arg, const char *text)
{
	struct graph *g = arg;
	struct node *hit;
	char *id;

	if (strncmp(text, "group:", 6) == 0 || strncmp(text, "ns:", 3) == 0) {
		for (size_t i = 0; i < g->count; i++) {
			const struct entry *e = shown(g, &g->nodes[i]);

			if (text[0] == 'g' ? entry_lists_group(e, text + 6) : strcmp(e->ns, text + 3) == 0)
				relate(g, g->nodes[i].first);
		}
		return;
	}
	id = entry_id_resolve(text, g->nodes[g->self].change.entry->ns);
	hit = map_get(g->by_id, id);
	free(id);
	if (!hit)
		hit = map_get(g->variables, text);
	if (hit) {
		relate(g, (size_t)(hit - g->nodes));
		return;
	}
	for (size_t i = 0; i < g->count && strchr(text, ':'); i++) {
		if (entry_lists_policy_group(shown(g, &g->nodes[i]), text, g->nodes[g->self].change.entry))
			relate(g, g->nodes[i].first);
	}
}

static void collect_from(struct graph *g, size_t self, const struct entry *e, bool live)
{
	g->self = self;
	g->live = live;
	entry_references(e, collect, g);
	env_references(e->data, collect, g);
}

static int by_id(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int c = strcmp(x->change.entry->ns, y->change.entry->ns);

	if (!c)
		c = strcmp(x->change.entry->name, y->change.entry->name);
	if (!c)
		c = (x->rank > y->rank) - (x->rank < y->rank);
	return c ? c : (x->seen > y->seen) - (x->seen < y->seen);
}

static int by_index(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void note_variable(struct graph *g, const struct entry *e, struct node *first)
{
	if (e && entry_variable_name(e)[0])
		map_set(g->variables, entry_variable_name(e), first);
}

/* Nodes in the order of ids, those of one id in the order they need. */
static void make_nodes(struct graph *g, const struct changes *c, const struct snapshot *state)
{
	struct map *created = map_new();

	for (size_t i = 0; i < c->count; i++) {
		if (c->items[i].type == CHANGE_CREATE)
			map_set(created, c->items[i].entry->id, c->items[i].entry);
	}
	for (size_t i = 0; i < c->count; i++) {
		struct node *n = &g->nodes[i];

		n->change = c->items[i];
		n->live = n->change.previous;
		if (!n->live && state && n->change.type != CHANGE_CREATE)
			n->live = snapshot_get(state, n->change.entry->id);
		n->seen = i;
		n->recreated = map_has(created, n->change.entry->id);
		/* An id that nobody creates is changed while it is still there. */
		n->rank = n->change.type == CHANGE_DELETE ? (n->recreated ? 0 : 3)
							  : 1 + (n->change.type == CHANGE_UPDATE);
	}
	map_free(created, NULL);
	qsort(g->nodes, g->count, sizeof(*g->nodes), by_id);
	for (size_t i = 0; i < g->count; i++) {
		struct node *n = &g->nodes[i];
		bool same = i > 0 && strcmp(n->change.entry->id, g->nodes[i - 1].change.entry->id) == 0;

		n->first = same ? g->nodes[i - 1].first : i;
		if (!same)
			map_set(g->by_id, n->change.entry->id, n);
		note_variable(g, n->change.type == CHANGE_DELETE ? NULL : n->change.entry, &g->nodes[n->first]);
		note_variable(g, n->live, &g->nodes[n->first]);
	}
}

static void connect_nodes(struct graph *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct node *n = &g->nodes[i];

		if (i > n->first)
			add_dependency(g, i, i - 1);
		if (n->change.type != CHANGE_DELETE)
			collect_from(g, i, n->change.entry, false);
		if (n->change.type != CHANGE_CREATE && n->live)
			collect_from(g, i, n->live, true);
	}
	for (size_t i = 0; i < g->count; i++) {
		if (g->nodes[i].ndeps > 1)
			qsort(g->nodes[i].deps, g->nodes[i].ndeps, sizeof(size_t), by_index);
	}
}

/* False when it meets a circle; then `out` holds nothing of use. A stack of its own: a long chain must not overflow
 * the C stack. */
static bool walk(struct graph *g, struct change *out)
{
	size_t *stack = xcalloc(g->count + 1, sizeof(*stack));
	bool circle = false;
	size_t placed = 0;

	for (size_t root = 0; root < g->count && !circle; root++) {
		size_t depth = 0;

		if (g->nodes[root].state != NODE_NEW)
			continue;
		g->nodes[root].state = NODE_OPEN;
		stack[depth++] = root;
		while (depth > 0 && !circle) {
			struct node *at = &g->nodes[stack[depth - 1]];

			if (at->next < at->ndeps) {
				struct node *dep = &g->nodes[at->deps[at->next++]];

				circle = dep->state == NODE_OPEN;
				if (dep->state != NODE_NEW)
					continue;
				dep->state = NODE_OPEN;
				stack[depth++] = (size_t)(dep - g->nodes);
				continue;
			}
			at->state = NODE_PLACED;
			out[placed++] = at->change;
			depth--;
		}
	}
	free(stack);
	return !circle;
}

/* Ascending, deletions last, but for those that make room for a creation. */
static void fall_back(const struct graph *g, struct change *out)
{
	size_t placed = 0;

	for (int last = 0; last < 2; last++) {
		for (size_t i = 0; i < g->count; i++) {
			const struct node *n = &g->nodes[i];

			if ((n->change.type == CHANGE_DELETE && !n->recreated) == (last == 1))
				out[placed++] = n->change;
		}
	}
}

bool changes_sort(struct changes *c, const struct snapshot *state)
{
	struct graph g = {.count = c->count};
	bool straight;

	if (c->count == 0)
		return true;
	g.nodes = xcalloc(c->count, sizeof(*g.nodes));
	g.by_id = map_new();
	g.variables = map_new();
	make_nodes(&g, c, state);
	connect_nodes(&g);
	straight = walk(&g, c->items);
	if (!straight)
		fall_back(&g, c->items);
	for (size_t i = 0; i < g.count; i++)
		free(g.nodes[i].deps);
	map_free(g.by_id, NULL);
	map_free(g.variables, NULL);
	free(g.nodes);
	return straight;
}
