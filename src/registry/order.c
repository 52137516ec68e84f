#include "registry/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "registry/env.h"

/* Dotted paths; '*' as a segment stands for every key or item, as part of one for any text. */
static const char *const data_paths[] = {
	"config",
	"groups",
	"imports.*",
	"*.depends_on",
	"lifecycle.requires",
	"lifecycle.depends_on",
	"lifecycle.security.policies",
	"lifecycle.security.groups",
	"token_store",
	"security.policies",
	"security.groups",
	"security.token_store",
	"env",
	"*_env",
	"storage",
	"storages",
	"server",
	"middleware",
	"post_middleware",
	"network",
	"tls.*_env",
	"host",
	"process",
	"func",
	"contracts.*.contract",
	"contracts.*.methods.*",
	"fs",
	"queue",
	"driver",
	"dead_letter.queue",
	"set",
	"store",
	"bucket",
	"client",
};

static const char *const meta_paths[] = {
	"parent",
	"depends_on",
	"groups",
	"server",
	"router",
	"*_env",
	"options.network",
};

struct visit {
	void (*fn)(void *arg, const char *text);
	void *arg;
};

static void visit_leaf(const struct value *v, const struct visit *to)
{
	if (value_type(v) == VALUE_STRING) {
		to->fn(to->arg, value_get_string(v, NULL));
		return;
	}
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_type(v) == VALUE_LIST ? value_at(v, i) : value_pair(v, i, &key, NULL);

		if (value_type(item) == VALUE_STRING)
			to->fn(to->arg, value_get_string(item, NULL));
	}
}

static bool segment_matches(const char *pattern, size_t len, const char *key)
{
	const char *star = memchr(pattern, '*', len);
	size_t before, after, klen = strlen(key);

	if (!star)
		return klen == len && memcmp(pattern, key, len) == 0;
	before = (size_t)(star - pattern);
	after = len - before - 1;
	return klen >= before + after && memcmp(pattern, key, before) == 0 &&
	       memcmp(star + 1, key + klen - after, after) == 0;
}

static void visit_path(const struct value *v, const char *path, const struct visit *to)
{
	const char *dot = strchr(path, '.');
	size_t len = dot ? (size_t)(dot - path) : strlen(path);

	if (value_type(v) == VALUE_LIST && len == 1 && path[0] == '*') {
		for (size_t i = 0; i < value_count(v); i++) {
			if (dot)
				visit_path(value_at(v, i), dot + 1, to);
			else
				visit_leaf(value_at(v, i), to);
		}
		return;
	}
	if (value_type(v) != VALUE_MAP)
		return;
	for (size_t i = 0; i < value_count(v); i++) {
		const char *key;
		const struct value *item = value_pair(v, i, &key, NULL);

		if (!segment_matches(path, len, key))
			continue;
		if (dot)
			visit_path(item, dot + 1, to);
		else
			visit_leaf(item, to);
	}
}

void entry_references(const struct entry *e, void (*fn)(void *arg, const char *text), void *arg)
{
	struct visit to = {fn, arg};

	for (size_t i = 0; i < ARRAY_LEN(data_paths); i++)
		visit_path(e->data, data_paths[i], &to);
	for (size_t i = 0; i < ARRAY_LEN(meta_paths); i++)
		visit_path(e->meta, meta_paths[i], &to);
}

/* One entry on the way through the depth-first walk. */
struct node {
	struct entry *entry;
	size_t *deps; /* indexes of what it refers to, ascending */
	size_t ndeps;
	size_t next; /* the next of deps to look at */
	enum { NODE_NEW, NODE_OPEN, NODE_PLACED } state;
};

struct collect {
	struct node *nodes;
	size_t count;
	size_t self;
	const struct map *index;     /* id -> node */
	const struct map *variables; /* public name of an env.variable -> node */
};

static void add_dependency(struct collect *c, size_t to)
{
	struct node *n = &c->nodes[c->self];

	if (to == c->self)
		return;
	for (size_t i = 0; i < n->ndeps; i++) {
		if (n->deps[i] == to)
			return;
	}
	n->deps = xreallocarray(n->deps, n->ndeps + 1, sizeof(*n->deps));
	n->deps[n->ndeps++] = to;
}

bool entry_lists_group(const struct entry *e, const char *group)
{
	const struct value *groups = value_get(e->meta, "groups");

	for (size_t i = 0; i < value_count(groups); i++) {
		const struct value *g = value_at(groups, i);

		if (value_type(g) == VALUE_STRING && strcmp(value_get_string(g, NULL), group) == 0)
			return true;
	}
	return false;
}

static bool is_policy(const struct entry *e)
{
	return strncmp(e->kind, "security.policy", 15) == 0;
}

bool entry_lists_policy_group(const struct entry *e, const char *group, const struct entry *asking)
{
	const struct value *groups = value_get(e->data, "groups");
	bool found = false;

	if (!is_policy(e) || is_policy(asking))
		return false;
	for (size_t i = 0; i < value_count(groups) && !found; i++) {
		const struct value *g = value_at(groups, i);
		char *id;

		if (value_type(g) != VALUE_STRING)
			continue;
		id = entry_id_resolve(value_get_string(g, NULL), e->ns);
		found = strcmp(id, group) == 0;
		free(id);
	}
	return found;
}

static void collect_reference(void *arg, const char *text)
{
	struct collect *c = arg;
	struct node *hit;
	char *id;

	if (strncmp(text, "group:", 6) == 0 || strncmp(text, "ns:", 3) == 0) {
		for (size_t i = 0; i < c->count; i++) {
			const struct entry *e = c->nodes[i].entry;

			if (text[0] == 'g' ? entry_lists_group(e, text + 6) : strcmp(e->ns, text + 3) == 0)
				add_dependency(c, i);
		}
		return;
	}
	id = entry_id_resolve(text, c->nodes[c->self].entry->ns);
	hit = map_get(c->index, id);
	free(id);
	/* `auth_key_env: TS_AUTHKEY` and placeholders name a variable by what it is called in public. */
	if (!hit)
		hit = map_get(c->variables, text);
	if (hit) {
		add_dependency(c, (size_t)(hit - c->nodes));
		return;
	}
	/* A group of policies is what lists it: those come before who is given them. */
	for (size_t i = 0; i < c->count && strchr(text, ':'); i++) {
		if (entry_lists_policy_group(c->nodes[i].entry, text, c->nodes[c->self].entry))
			add_dependency(c, i);
	}
}

const char *entry_variable_name(const struct entry *e)
{
	const struct value *v = strcmp(e->kind, "env.variable") == 0 ? value_get(e->data, "variable") : NULL;

	return value_type(v) == VALUE_STRING ? value_get_string(v, NULL) : "";
}

static int by_id(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;
	int ns = strcmp((*x)->ns, (*y)->ns);

	return ns ? ns : strcmp((*x)->name, (*y)->name);
}

static int by_index(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

size_t entries_sort_dependencies(struct entry **entries, size_t n)
{
	struct node *nodes = xcalloc(n ? n : 1, sizeof(*nodes));
	size_t *stack = xcalloc(n ? n : 1, sizeof(*stack));
	struct map *index = map_new(), *variables = map_new();
	size_t placed = 0, cycles = 0;

	qsort(entries, n, sizeof(*entries), by_id);
	for (size_t i = 0; i < n; i++) {
		nodes[i].entry = entries[i];
		map_set(index, entries[i]->id, &nodes[i]);
		if (entry_variable_name(entries[i])[0])
			map_set(variables, entry_variable_name(entries[i]), &nodes[i]);
	}
	for (size_t i = 0; i < n; i++) {
		struct collect c = {nodes, n, i, index, variables};

		entry_references(nodes[i].entry, collect_reference, &c);
		env_references(nodes[i].entry->data, collect_reference, &c);
		if (nodes[i].ndeps > 1)
			qsort(nodes[i].deps, nodes[i].ndeps, sizeof(size_t), by_index);
	}
	/* Depth first with a stack of our own: a long chain of references must not overflow the C stack. */
	for (size_t root = 0; root < n; root++) {
		size_t depth = 0;

		if (nodes[root].state != NODE_NEW)
			continue;
		nodes[root].state = NODE_OPEN;
		stack[depth++] = root;
		while (depth > 0) {
			struct node *at = &nodes[stack[depth - 1]];

			if (at->next < at->ndeps) {
				struct node *dep = &nodes[at->deps[at->next++]];

				if (dep->state == NODE_OPEN)
					cycles++;
				if (dep->state != NODE_NEW)
					continue;
				dep->state = NODE_OPEN;
				stack[depth++] = (size_t)(dep - nodes);
				continue;
			}
			at->state = NODE_PLACED;
			entries[placed++] = at->entry;
			depth--;
		}
	}
	for (size_t i = 0; i < n; i++)
		free(nodes[i].deps);
	map_free(index, NULL);
	map_free(variables, NULL);
	free(stack);
	free(nodes);
	return cycles;
}
