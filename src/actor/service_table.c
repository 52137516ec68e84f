#include "actor/service_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

struct service_table {
	pthread_mutex_t lock; /* held to copy */
	struct map *services; /* id -> struct service_status, owned */
};

static struct service_status copy(const struct service_status *s)
{
	struct service_status c = *s;

	c.id = xstrdup(s->id);
	c.details = s->details ? xstrdup(s->details) : NULL;
	return c;
}

void service_status_done(struct service_status *s)
{
	free(s->id);
	free(s->details);
	*s = (struct service_status){0};
}

static void status_free(void *v)
{
	if (!v)
		return;
	service_status_done(v);
	free(v);
}

struct service_table *service_table_new(void)
{
	struct service_table *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->services = map_new();
	return t;
}

void service_table_free(struct service_table *t)
{
	if (!t)
		return;
	map_free(t->services, status_free);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void service_table_put(struct service_table *t, const struct service_status *s)
{
	struct service_status *c = xcalloc(1, sizeof(*c));
	void *old;

	*c = copy(s);
	pthread_mutex_lock(&t->lock);
	old = map_set(t->services, c->id, c);
	pthread_mutex_unlock(&t->lock);
	status_free(old);
}

void service_table_remove(struct service_table *t, const char *id)
{
	void *old;

	pthread_mutex_lock(&t->lock);
	old = map_remove(t->services, id);
	pthread_mutex_unlock(&t->lock);
	status_free(old);
}

bool service_table_get(struct service_table *t, const char *id, struct service_status *ret)
{
	const struct service_status *s;

	pthread_mutex_lock(&t->lock);
	s = map_get(t->services, id);
	if (s)
		*ret = copy(s);
	pthread_mutex_unlock(&t->lock);
	return s != NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct service_status *x = a, *y = b;

	return strcmp(x->id, y->id);
}

size_t service_table_list(struct service_table *t, struct service_status **ret_list)
{
	struct service_status *list;
	size_t n = 0;
	void *v;

	pthread_mutex_lock(&t->lock);
	list = xcalloc(map_count(t->services) + 1, sizeof(*list));
	for (size_t i = 0; map_next(t->services, &i, NULL, &v);)
		list[n++] = copy(v);
	pthread_mutex_unlock(&t->lock);
	qsort(list, n, sizeof(*list), by_id);
	*ret_list = list;
	return n;
}

void service_statuses_free(struct service_status *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		service_status_done(&list[i]);
	free(list);
}
