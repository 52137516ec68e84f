/*
 * set.c - entry id -> current instance.
 *
 * One mutex around one hash map: a look-up is a hash, a compare and an atomic increment, and nothing that could take
 * long (closing an instance, above all) happens while it is held.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "overlay/overlay.h"

struct overlay_set {
	pthread_mutex_t lock;
	struct map *by_id; /* id -> struct overlay, a reference each */
};

struct overlay_set *overlay_set_new(void)
{
	struct overlay_set *s = xcalloc(1, sizeof(*s));
	int rc = pthread_mutex_init(&s->lock, NULL);

	assert(rc == 0);
	(void)rc;
	s->by_id = map_new();
	return s;
}

static void unref_value(void *value)
{
	overlay_unref(value);
}

void overlay_set_free(struct overlay_set *s)
{
	if (!s)
		return;
	map_free(s->by_id, unref_value);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct overlay *overlay_set_get(struct overlay_set *s, const char *id)
{
	struct overlay *o;

	/* The reference is taken under the lock: afterwards a put() could already have dropped the last one. */
	pthread_mutex_lock(&s->lock);
	o = overlay_ref(map_get(s->by_id, id));
	pthread_mutex_unlock(&s->lock);
	return o;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(overlay_id(*(struct overlay *const *)a), overlay_id(*(struct overlay *const *)b));
}

struct overlay **overlay_set_list(struct overlay_set *s, size_t *ret_n)
{
	struct overlay **all;
	const char *id;
	void *o;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	all = xcalloc(map_count(s->by_id) + 1, sizeof(struct overlay *));
	for (size_t i = 0; map_next(s->by_id, &i, &id, &o);)
		all[n++] = overlay_ref(o);
	pthread_mutex_unlock(&s->lock);
	if (n > 1)
		qsort(all, n, sizeof(struct overlay *), compare_ids);
	*ret_n = n;
	return all;
}

struct value *overlay_set_describe(struct overlay_set *s)
{
	struct value *list = value_list();
	struct overlay **all;
	size_t n;

	all = overlay_set_list(s, &n);
	for (size_t i = 0; i < n; i++) {
		value_list_append(list, overlay_describe(all[i]));
		overlay_unref(all[i]);
	}
	free(all);
	return list;
}

void overlay_set_put(struct overlay_set *s, struct overlay *o)
{
	struct overlay *previous;

	pthread_mutex_lock(&s->lock);
	previous = map_set(s->by_id, overlay_id(o), o);
	pthread_mutex_unlock(&s->lock);
	overlay_unref(previous);
}

void overlay_set_remove(struct overlay_set *s, const char *id)
{
	struct overlay *previous;

	pthread_mutex_lock(&s->lock);
	previous = map_remove(s->by_id, id);
	pthread_mutex_unlock(&s->lock);
	overlay_unref(previous);
}
