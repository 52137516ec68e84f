#include "registry/instances.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"

struct slot {
	const struct instance_type *type;
	void *object;
};

struct instances {
	pthread_mutex_t lock;
	struct map *by_id; /* struct slot * */
};

struct instances *instances_new(void)
{
	struct instances *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->by_id = map_new();
	return t;
}

static void slot_free(void *arg)
{
	struct slot *s = arg;

	if (!s)
		return;
	s->type->unref(s->object);
	free(s);
}

void instances_free(struct instances *t)
{
	if (!t)
		return;
	map_free(t->by_id, slot_free);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void instances_put(struct instances *t, const char *id, const struct instance_type *type, void *object)
{
	struct slot *s = xcalloc(1, sizeof(*s));
	struct slot *old;

	s->type = type;
	s->object = object;
	pthread_mutex_lock(&t->lock);
	old = map_set(t->by_id, id, s);
	pthread_mutex_unlock(&t->lock);
	/* Outside the lock: the last reference may have much to close. */
	slot_free(old);
}

void instances_remove(struct instances *t, const char *id)
{
	struct slot *old;

	pthread_mutex_lock(&t->lock);
	old = map_remove(t->by_id, id);
	pthread_mutex_unlock(&t->lock);
	slot_free(old);
}

void *instances_get(struct instances *t, const char *id, const struct instance_type *type, struct err *e)
{
	const struct slot *s;
	bool present;
	void *object = NULL;

	pthread_mutex_lock(&t->lock);
	s = map_get(t->by_id, id);
	present = s != NULL;
	if (s && s->type == type)
		object = type->ref(s->object);
	pthread_mutex_unlock(&t->lock);
	if (object)
		return object;
	if (!present)
		err_set(e, ERR_NOT_FOUND, "resource not found: %.256s", id);
	else
		err_set(e, ERR_INVALID, "resource is not a %s: %.256s", type->name, id);
	return NULL;
}
