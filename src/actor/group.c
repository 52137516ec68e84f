#include "actor/group.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/number_map.h"
#include "actor/process.h"
#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/refcount.h"

struct group {
	struct pid *members; /* in the order of joining, each as often as it joined */
	size_t count;
	size_t cap;
	bool leaving; /* within group_leave_all() */
	char name[];
};

/* The groups of one process, each as often as it joined. */
struct joined {
	struct pid pid;
	struct group **items;
	size_t count;
	size_t cap;
};

struct monitor {
	struct list link;
	uint64_t number;
	struct pid pid;
	char *name; /* NULL: all groups */
};

struct group_scope {
	struct refcount refs;
	struct scheduler *sched;
	struct group_limits limits;
	pthread_mutex_t lock; /* of all below */
	bool runs;
	struct map *groups;          /* name -> struct group */
	struct number_map processes; /* pid.number -> struct joined */
	struct list monitors;
};

struct groups {
	pthread_mutex_t lock;
	struct map *scopes;
};

/* -- scopes ------------------------------------------------------------------------------------------ */

struct groups *groups_new(void)
{
	struct groups *g = xcalloc(1, sizeof(*g));

	pthread_mutex_init(&g->lock, NULL);
	g->scopes = map_new();
	return g;
}

static void unref_scope(void *s)
{
	group_scope_unref(s);
}

void groups_free(struct groups *g)
{
	if (!g)
		return;
	map_free(g->scopes, unref_scope);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void groups_put(struct groups *g, const char *id, struct group_scope *s)
{
	struct group_scope *old;

	pthread_mutex_lock(&g->lock);
	old = map_set(g->scopes, id, s);
	pthread_mutex_unlock(&g->lock);
	group_scope_unref(old);
}

void groups_remove(struct groups *g, const char *id)
{
	struct group_scope *old;

	pthread_mutex_lock(&g->lock);
	old = map_remove(g->scopes, id);
	pthread_mutex_unlock(&g->lock);
	group_scope_unref(old);
}

struct group_scope *groups_get(struct groups *g, const char *id)
{
	struct group_scope *s;
	bool runs;

	pthread_mutex_lock(&g->lock);
	s = map_get(g->scopes, id);
	if (s)
		refcount_inc(&s->refs);
	pthread_mutex_unlock(&g->lock);
	if (!s)
		return NULL;
	pthread_mutex_lock(&s->lock);
	runs = s->runs;
	pthread_mutex_unlock(&s->lock);
	if (runs)
		return s;
	group_scope_unref(s);
	return NULL;
}

struct group_scope *group_scope_new(struct scheduler *sched, const struct group_limits *limits)
{
	struct group_scope *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refs);
	s->sched = sched;
	s->limits = *limits;
	pthread_mutex_init(&s->lock, NULL);
	s->groups = map_new();
	list_init(&s->monitors);
	return s;
}

struct group_scope *group_scope_ref(struct group_scope *s)
{
	refcount_inc(&s->refs);
	return s;
}

static void group_free(void *v)
{
	struct group *g = v;

	free(g->members);
	free(g);
}

static void monitor_free(struct monitor *m)
{
	list_remove(&m->link);
	free(m->name);
	free(m);
}

void group_scope_unref(struct group_scope *s)
{
	void *v;

	if (!s || !refcount_dec(&s->refs))
		return;
	list_for_each_safe(l, tmp, &s->monitors)
		monitor_free(list_entry(l, struct monitor, link));
	for (size_t i = 0; number_map_next(&s->processes, &i, &v);) {
		free(((struct joined *)v)->items);
		free(v);
	}
	number_map_done(&s->processes);
	map_free(s->groups, group_free);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void group_scope_run(struct group_scope *s, bool runs)
{
	pthread_mutex_lock(&s->lock);
	s->runs = runs;
	pthread_mutex_unlock(&s->lock);
}

/* -- monitors: under the lock ------------------------------------------------------------------------ */

size_t group_topic(uint64_t number, char topic[static BUS_TOPIC_MAX])
{
	return (size_t)snprintf(topic, BUS_TOPIC_MAX, "@pg/%llu", (unsigned long long)number);
}

static void append_pid(struct value *list, struct pid pid)
{
	char text[PID_TEXT_MAX];

	pid_format(pid, text);
	value_list_append(list, value_string(text, strlen(text)));
}

static struct packed *pack_change(const char *kind, const char *name, struct pid pid, size_t times)
{
	struct value *data = value_map(), *pids = value_list();
	struct packed *p;

	for (size_t i = 0; i < times; i++)
		append_pid(pids, pid);
	value_map_set(data, "Group", value_string(name, strlen(name)));
	value_map_set(data, "PIDs", pids);
	p = bus_pack("pg", kind, name, data);
	value_unref(data);
	return p;
}

static void tell_monitors(struct group_scope *s, const char *kind, const char *name, struct pid pid, size_t times)
{
	struct packed *event = NULL;

	list_for_each(l, &s->monitors) {
		const struct monitor *mon = list_entry(l, struct monitor, link);
		char topic[BUS_TOPIC_MAX];
		struct message *m;

		if (mon->name && strcmp(mon->name, name) != 0)
			continue;
		if (!event)
			event = pack_change(kind, name, pid, times);
		m = message_new(topic, group_topic(mon->number, topic), pid_system, packed_ref(event));
		m->type = MESSAGE_BUS;
		process_send(s->sched, mon->pid, m, NULL);
	}
	packed_unref(event);
}

/* -- members: under the lock ------------------------------------------------------------------------- */

static void add_member(struct group_scope *s, const char *name, struct pid pid)
{
	struct group *g = map_get(s->groups, name);
	struct joined *j = number_map_get(&s->processes, pid.number);

	if (!g) {
		size_t size = strlen(name) + 1;

		g = xcalloc(1, sizeof(*g) + size);
		memcpy(g->name, name, size);
		map_set(s->groups, name, g);
	}
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 4;
		g->members = xreallocarray(g->members, g->cap, sizeof(*g->members));
	}
	g->members[g->count++] = pid;
	if (!j) {
		j = xcalloc(1, sizeof(*j));
		j->pid = pid;
		number_map_set(&s->processes, pid.number, j);
	}
	if (j->count == j->cap) {
		j->cap = j->cap ? j->cap * 2 : 4;
		j->items = xreallocarray(j->items, j->cap, sizeof(struct group *));
	}
	j->items[j->count++] = g;
	tell_monitors(s, "member.joined", name, pid, 1);
}

/* Take `pid` out of the group's list, once or everywhere; an empty group goes. Returns how often. */
static size_t remove_member(struct group_scope *s, struct group *g, struct pid pid, bool everywhere)
{
	size_t kept = 0, removed = 0;

	for (size_t i = 0; i < g->count; i++) {
		if (pid_equal(g->members[i], pid) && (everywhere || removed == 0))
			removed++;
		else
			g->members[kept++] = g->members[i];
	}
	g->count = kept;
	if (removed > 0)
		tell_monitors(s, "member.left", g->name, pid, removed);
	if (g->count == 0)
		group_free(map_remove(s->groups, g->name));
	return removed;
}

static bool forget_joined(struct group_scope *s, struct joined *j, const struct group *g)
{
	for (size_t i = 0; i < j->count; i++) {
		if (j->items[i] != g)
			continue;
		memmove(&j->items[i], &j->items[i + 1], (j->count - i - 1) * sizeof(*j->items));
		if (--j->count == 0) {
			number_map_remove(&s->processes, j->pid.number);
			free(j->items);
			free(j);
		}
		return true;
	}
	return false;
}

/* How often each name was seen before; a script's list may be long, so it is not searched. */
static size_t count_seen(struct map *seen, const char *name)
{
	size_t n = (size_t)(uintptr_t)map_get(seen, name);

	map_set(seen, name, (void *)(uintptr_t)(n + 1));
	return n;
}

static int check_limits(const struct group_scope *s, const char *const *names, size_t n, struct err *e)
{
	struct map *seen;
	size_t fresh = 0;
	int rc = 0;

	if (s->limits.members_max <= 0 && s->limits.groups_max <= 0)
		return 0;
	seen = map_new();
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct group *g = map_get(s->groups, names[i]);
		size_t earlier = count_seen(seen, names[i]);

		fresh += !g && earlier == 0;
		if (s->limits.members_max > 0 && (g ? g->count : 0) + earlier >= (size_t)s->limits.members_max)
			rc = err_set(e, ERR_UNAVAILABLE, "pg: group has max_members_per_group members: %s", names[i]);
	}
	if (rc == 0 && s->limits.groups_max > 0 && map_count(s->groups) + fresh > (size_t)s->limits.groups_max)
		rc = err_set(e, ERR_UNAVAILABLE, "pg: the scope has max_groups groups");
	map_free(seen, NULL);
	return rc;
}

int group_join(struct group_scope *s, const char *const *names, size_t n, struct pid pid, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = check_limits(s, names, n, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		add_member(s, names[i], pid);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int group_leave(struct group_scope *s, const char *const *names, size_t n, struct pid pid, struct err *e)
{
	size_t left = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n; i++) {
		struct joined *j = number_map_get(&s->processes, pid.number);
		struct group *g = map_get(s->groups, names[i]);

		if (!j || !g || !forget_joined(s, j, g))
			continue;
		remove_member(s, g, pid, false);
		left++;
	}
	pthread_mutex_unlock(&s->lock);
	return left > 0 ? 0 : err_set(e, ERR_NOT_FOUND, "pg: process not joined in group");
}

/* Each group once, in the order of joining: one that was joined again is listed again. All of them still exist. */
static size_t drop_repeats(struct joined *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->count; i++) {
		if (j->items[i]->leaving)
			continue;
		j->items[i]->leaving = true;
		j->items[kept++] = j->items[i];
	}
	return kept;
}

void group_leave_all(struct group_scope *s, struct pid pid)
{
	struct joined *j;
	size_t n;

	pthread_mutex_lock(&s->lock);
	j = number_map_remove(&s->processes, pid.number);
	n = j ? drop_repeats(j) : 0;
	for (size_t i = 0; i < n; i++) {
		j->items[i]->leaving = false;
		remove_member(s, j->items[i], pid, true);
	}
	pthread_mutex_unlock(&s->lock);
	if (j)
		free(j->items);
	free(j);
}

/* -- looking ----------------------------------------------------------------------------------------- */

struct pid *group_members(struct group_scope *s, const char *name, size_t *ret_n)
{
	const struct group *g;
	struct pid *copy = NULL;

	*ret_n = 0;
	pthread_mutex_lock(&s->lock);
	g = map_get(s->groups, name);
	if (g) {
		copy = xreallocarray(NULL, g->count, sizeof(*copy));
		memcpy(copy, g->members, g->count * sizeof(*copy));
		*ret_n = g->count;
	}
	pthread_mutex_unlock(&s->lock);
	return copy;
}

static struct value *texts_of(const struct group *g)
{
	struct value *list = value_list();

	for (size_t i = 0; g && i < g->count; i++)
		append_pid(list, g->members[i]);
	return list;
}

struct value *group_member_texts(struct group_scope *s, const char *name)
{
	struct value *list;

	pthread_mutex_lock(&s->lock);
	list = texts_of(map_get(s->groups, name));
	pthread_mutex_unlock(&s->lock);
	return list;
}

struct value *group_names(struct group_scope *s)
{
	struct value *list = value_list();
	const char *name;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; map_next(s->groups, &i, &name, NULL);)
		value_list_append(list, value_string(name, strlen(name)));
	pthread_mutex_unlock(&s->lock);
	return list;
}

uint64_t group_monitor(struct group_scope *s, struct pid pid, const char *name, struct value **ret_snapshot)
{
	static atomic_uint_fast64_t numbers;
	struct monitor *m = xcalloc(1, sizeof(*m));
	uint64_t number = atomic_fetch_add(&numbers, 1) + 1;
	struct value *snapshot;
	const char *each;
	void *g;

	m->number = number;
	m->pid = pid;
	m->name = name ? xstrdup(name) : NULL;
	pthread_mutex_lock(&s->lock);
	if (name) {
		snapshot = texts_of(map_get(s->groups, name));
	} else {
		snapshot = value_map();
		for (size_t i = 0; map_next(s->groups, &i, &each, &g);)
			value_map_set(snapshot, each, texts_of(g));
	}
	list_push_back(&s->monitors, &m->link);
	pthread_mutex_unlock(&s->lock);
	*ret_snapshot = snapshot;
	return number;
}

void group_unmonitor(struct group_scope *s, uint64_t number)
{
	pthread_mutex_lock(&s->lock);
	list_for_each_safe(l, tmp, &s->monitors) {
		struct monitor *m = list_entry(l, struct monitor, link);

		if (m->number == number)
			monitor_free(m);
	}
	pthread_mutex_unlock(&s->lock);
}
