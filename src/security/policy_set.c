#include "security/policy_set.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

struct group {
	struct map *members; /* policy id -> struct policy *, borrowed from the set */
	struct scope *scope; /* made when first asked for; NULL after a change */
};

struct policy_set {
	pthread_mutex_t lock; /* held for look-ups in memory, and to compile a group's scope once a change */
	struct map *policies; /* id -> struct policy * */
	struct map *groups;   /* id -> struct group * */
};

static void unref_policy(void *p)
{
	policy_unref(p);
}

static void free_group(void *v)
{
	struct group *g = v;

	if (!g)
		return;
	map_free(g->members, NULL);
	scope_unref(g->scope);
	free(g);
}

struct policy_set *policy_set_new(void)
{
	struct policy_set *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	s->policies = map_new();
	s->groups = map_new();
	return s;
}

void policy_set_free(struct policy_set *s)
{
	if (!s)
		return;
	map_free(s->groups, free_group);
	map_free(s->policies, unref_policy);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void forget_scope(struct group *g)
{
	scope_unref(g->scope);
	g->scope = NULL;
}

static void leave_groups(struct policy_set *s, const struct policy *p)
{
	for (size_t i = 0; i < policy_ngroups(p); i++) {
		struct group *g = map_get(s->groups, policy_group(p, i));

		if (!g)
			continue;
		map_remove(g->members, policy_id(p));
		forget_scope(g);
		if (map_count(g->members) == 0)
			free_group(map_remove(s->groups, policy_group(p, i)));
	}
}

static void join_groups(struct policy_set *s, struct policy *p)
{
	for (size_t i = 0; i < policy_ngroups(p); i++) {
		struct group *g = map_get(s->groups, policy_group(p, i));

		if (!g) {
			g = xcalloc(1, sizeof(*g));
			g->members = map_new();
			map_set(s->groups, policy_group(p, i), g);
		}
		map_set(g->members, policy_id(p), p);
		forget_scope(g);
	}
}

void policy_set_put(struct policy_set *s, struct policy *p)
{
	struct policy *old;

	pthread_mutex_lock(&s->lock);
	old = map_set(s->policies, policy_id(p), p);
	if (old)
		leave_groups(s, old);
	join_groups(s, p);
	pthread_mutex_unlock(&s->lock);
	policy_unref(old);
}

void policy_set_remove(struct policy_set *s, const char *id)
{
	struct policy *old;

	pthread_mutex_lock(&s->lock);
	old = map_remove(s->policies, id);
	if (old)
		leave_groups(s, old);
	pthread_mutex_unlock(&s->lock);
	policy_unref(old);
}

struct policy *policy_set_get(struct policy_set *s, const char *id)
{
	struct policy *p;

	pthread_mutex_lock(&s->lock);
	p = policy_ref(map_get(s->policies, id));
	pthread_mutex_unlock(&s->lock);
	return p;
}

static struct scope *compile(const struct group *g)
{
	struct policy **list = xcalloc(map_count(g->members), sizeof(struct policy *));
	struct scope *scope;
	size_t n = 0;
	void *p;

	for (size_t i = 0; map_next(g->members, &i, NULL, &p);)
		list[n++] = p;
	scope = scope_new_of(list, n);
	free(list);
	return scope;
}

struct scope *policy_set_group(struct policy_set *s, const char *id)
{
	struct scope *scope = NULL;
	struct group *g;

	pthread_mutex_lock(&s->lock);
	g = map_get(s->groups, id);
	if (g && !g->scope)
		g->scope = compile(g);
	if (g)
		scope = scope_ref(g->scope);
	pthread_mutex_unlock(&s->lock);
	return scope;
}

/* -- unions -------------------------------------------------------------------------------------------------- */

struct gather {
	struct policy **items; /* references */
	size_t count;
};

static void gather_add(struct gather *g, struct policy *taken)
{
	g->items = xreallocarray(g->items, g->count + 1, sizeof(struct policy *));
	g->items[g->count++] = taken;
}

static bool gather_group(struct gather *to, struct policy_set *s, const char *id)
{
	struct scope *scope = policy_set_group(s, id);

	for (size_t i = 0; scope && i < scope_count(scope); i++)
		gather_add(to, policy_ref(scope_policy(scope, i)));
	scope_unref(scope);
	return scope != NULL;
}

static bool gather_policy(struct gather *to, struct policy_set *s, const char *id)
{
	struct policy *p = policy_set_get(s, id);

	if (p)
		gather_add(to, p);
	return p != NULL;
}

struct scope *policy_set_union(struct policy_set *s, const struct value *groups, const struct value *policies,
	policy_missing_fn *missing, void *arg)
{
	const struct value *lists[] = {groups, policies};
	struct gather all = {0};
	struct scope *scope;

	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		for (size_t i = 0; i < value_count(lists[k]); i++) {
			const struct value *v = value_at(lists[k], i);
			const char *id = value_text(v, NULL);

			if (!id)
				continue;
			if (!(k == 0 ? gather_group : gather_policy)(&all, s, id) && missing)
				missing(arg, k == 0 ? "group" : "policy", id);
		}
	}
	scope = all.count > 0 ? scope_new_of(all.items, all.count) : NULL;
	for (size_t i = 0; i < all.count; i++)
		policy_unref(all.items[i]);
	free(all.items);
	return scope;
}
