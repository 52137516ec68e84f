/*
 * env_storage.c - what storages have in common, and those that need no file: the operating system's environment,
 * memory, fixed values.
 */
#include "registry/env_storage.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

struct env_storage *env_storage_ref(struct env_storage *s)
{
	if (s)
		refcount_inc(&s->refs);
	return s;
}

void env_storage_unref(struct env_storage *s)
{
	if (s && refcount_dec(&s->refs))
		s->ops->free(s);
}

int env_storage_set(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e)
{
	if (!s->ops->set)
		return err_set(e, ERR_PERMISSION_DENIED, "storage is read-only");
	return s->ops->set(s, key, text, depth, e);
}

bool env_storage_waits(struct env_storage *s, const char *key, unsigned depth)
{
	return s->ops->waits && s->ops->waits(s, key, depth);
}

/* -- the operating system's ------------------------------------------------------------------------------ */

/* getenv() is safe here: no code of this program changes its own environment once threads run. */
static int os_get(struct env_storage *s, const char *key, unsigned depth, char **ret, struct err *e)
{
	(void)s;
	(void)depth;
	(void)e;
	*ret = xstrdup(getenv(key));
	return 0;
}

static int os_each(struct env_storage *s, env_pair_fn *fn, void *arg, struct err *e)
{
	(void)s;
	(void)e;
	for (char **p = environ; p && *p; p++) {
		const char *eq = strchr(*p, '=');
		char *key;

		if (!eq || eq == *p)
			continue;
		key = xmemdupz(*p, (size_t)(eq - *p));
		fn(arg, key, eq + 1);
		free(key);
	}
	return 0;
}

static void os_free(struct env_storage *s)
{
	free(s);
}

struct env_storage *env_os_new(void)
{
	static const struct env_storage_ops ops = {.get = os_get, .each = os_each, .free = os_free};
	struct env_storage *s = xcalloc(1, sizeof(*s));

	s->ops = &ops;
	refcount_init(&s->refs);
	return s;
}

/* -- memory and fixed values ----------------------------------------------------------------------------- */

struct table {
	struct env_storage base;
	pthread_mutex_t lock; /* guards `texts`; fixed values never change, yet one way to read is enough */
	struct map *texts;    /* key -> malloc'd text */
};

static int table_get(struct env_storage *s, const char *key, unsigned depth, char **ret, struct err *e)
{
	struct table *t = container_of(s, struct table, base);

	(void)depth;
	(void)e;
	pthread_mutex_lock(&t->lock);
	*ret = xstrdup(map_get(t->texts, key));
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static int table_set(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e)
{
	struct table *t = container_of(s, struct table, base);
	char *fresh = xstrdup(text), *old;

	(void)depth;
	(void)e;
	pthread_mutex_lock(&t->lock);
	old = map_set(t->texts, key, fresh);
	pthread_mutex_unlock(&t->lock);
	env_text_free(old);
	return 0;
}

static int table_each(struct env_storage *s, env_pair_fn *fn, void *arg, struct err *e)
{
	struct table *t = container_of(s, struct table, base);
	const char *key;
	size_t pos = 0;
	void *text;

	(void)e;
	pthread_mutex_lock(&t->lock);
	while (map_next(t->texts, &pos, &key, &text))
		fn(arg, key, text);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static void table_free(struct env_storage *s)
{
	struct table *t = container_of(s, struct table, base);

	env_list_free(t->texts);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct table *table_new(const struct env_storage_ops *ops)
{
	struct table *t = xcalloc(1, sizeof(*t));
	int rc = pthread_mutex_init(&t->lock, NULL);

	assert(rc == 0);
	(void)rc;
	t->base.ops = ops;
	refcount_init(&t->base.refs);
	t->texts = map_new();
	return t;
}

struct env_storage *env_memory_new(void)
{
	static const struct env_storage_ops ops = {
		.get = table_get, .set = table_set, .each = table_each, .free = table_free};

	return &table_new(&ops)->base;
}

int env_static_new(const struct value *data, struct env_storage **ret, struct err *e)
{
	static const struct env_storage_ops ops = {.get = table_get, .each = table_each, .free = table_free};
	const struct value *values = value_get(data, "values");
	struct table *t;

	if (value_type(values) != VALUE_MAP && value_type(values) != VALUE_NIL)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field 'values': expected map, got %s", value_line(values),
			value_type_name(values));
	t = table_new(&ops);
	for (size_t i = 0; i < value_count(values); i++) {
		const char *key, *text = "";

		value_pair(values, i, &key, NULL);
		if (env_read_text(values, key, &text, e) < 0) {
			table_free(&t->base);
			return -1;
		}
		map_set(t->texts, key, xstrdup(text));
	}
	*ret = &t->base;
	return 0;
}
