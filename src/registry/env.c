/*
 * env.c - the storages and variables there are, and which variable a name means.
 */
#include "registry/env.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "registry/env_storage.h"
#include "registry/secret.h"

/* Immutable, but for `seen`. */
struct env_variable {
	struct refcount refs;
	char *id;
	char *name;     /* public name; "" when it has none */
	char *storage;  /* id */
	char *fallback; /* `default`; "" when it has none */
	bool readonly;
	bool secret;         /* `secret`; without that field: its name says so */
	struct secret *seen; /* what it gave last, to be kept out of logs; guarded by the environment's lock */
};

struct env {
	pthread_mutex_t lock; /* guards the maps; held for look-ups in them only */
	struct map *storages; /* id -> struct env_storage, a reference each */
	struct map *by_id;    /* id -> struct env_variable, a reference each */
	struct map *by_name;  /* public name -> the same object, no reference */
};

void env_text_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void unref_storage(void *s)
{
	env_storage_unref(s);
}

static void unref_variable(void *v)
{
	env_variable_unref(v);
}

struct env *env_new(void)
{
	struct env *env = xcalloc(1, sizeof(*env));
	int rc = pthread_mutex_init(&env->lock, NULL);

	assert(rc == 0);
	(void)rc;
	env->storages = map_new();
	env->by_id = map_new();
	env->by_name = map_new();
	return env;
}

void env_free(struct env *env)
{
	if (!env)
		return;
	map_free(env->by_name, NULL);
	map_free(env->by_id, unref_variable);
	map_free(env->storages, unref_storage);
	pthread_mutex_destroy(&env->lock);
	free(env);
}

/* -- reading entries ------------------------------------------------------------------------------------- */

int env_read_text(const struct value *data, const char *key, const char **ret, struct err *e)
{
	const struct value *v = value_get(data, key);
	const char *text;
	size_t len;

	if (value_type(v) == VALUE_NIL)
		return 0;
	if (value_type(v) != VALUE_STRING)
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field '%s': expected string, got %s; put it in quotes",
			value_line(v), key, value_type_name(v));
	text = value_get_string(v, &len);
	if (strlen(text) != len)
		return err_set(e, ERR_INVALID, "invalid configuration: line %u: field '%s' contains a NUL byte",
			value_line(v), key);
	*ret = text;
	return 0;
}

bool env_storage_id_is_full(const char *id)
{
	const char *colon = strchr(id, ':');

	return colon && colon > id && colon[1];
}

static int check_name(const char *name, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	if (name[strspn(name, allowed)])
		return err_set(e, ERR_INVALID,
			"invalid configuration: field 'variable': invalid environment variable name: must only contain "
			"alphanumeric "
			"characters and underscores");
	return 0;
}

static void variable_free(struct env_variable *v)
{
	free(v->id);
	free(v->name);
	free(v->storage);
	env_text_free(v->fallback);
	secret_free(v->seen);
	free(v);
}

static int variable_read(const struct entry *entry, struct env_variable **ret, struct err *e)
{
	const char *name = "", *storage = "", *fallback = "";
	struct env_variable *v;
	const struct value *mark = value_get(entry->data, "secret");
	bool readonly = false;

	if (env_read_text(entry->data, "variable", &name, e) < 0 ||
		env_read_text(entry->data, "storage", &storage, e) < 0 ||
		env_read_text(entry->data, "default", &fallback, e) < 0)
		return -1;
	if (value_type(mark) != VALUE_NIL && value_type(mark) != VALUE_BOOL)
		/* Somebody may have put it there itself. */
		return err_set(e, ERR_INVALID,
			"failed to unmarshal config: line %u: field 'secret': expected boolean, got %s",
			value_line(mark), value_type_name(mark));
	if (value_read_bool(entry->data, "readonly", &readonly, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (check_name(name, e) < 0)
		return -1;
	if (!env_storage_id_is_full(storage))
		return err_set(e, ERR_INVALID,
			"invalid configuration: field 'storage': invalid storage ID format, must have both namespace "
			"and name");
	v = xcalloc(1, sizeof(*v));
	refcount_init(&v->refs);
	v->id = xstrdup(entry->id);
	v->name = xstrdup(name);
	v->storage = xstrdup(storage);
	v->fallback = xstrdup(fallback);
	v->readonly = readonly;
	v->secret = value_type(mark) == VALUE_BOOL ? value_get_bool(mark) : secret_field(name[0] ? name : entry->name);
	*ret = v;
	return 0;
}

/* -- entries come and go --------------------------------------------------------------------------------- */

static int storage_make(
	struct env *env, enum env_storage_type type, const struct value *data, struct env_storage **ret, struct err *e)
{
	switch (type) {
	case ENV_STORAGE_OS:
		*ret = env_os_new();
		return 0;
	case ENV_STORAGE_MEMORY:
		*ret = env_memory_new();
		return 0;
	case ENV_STORAGE_STATIC:
		return env_static_new(data, ret, e);
	case ENV_STORAGE_FILE:
		return env_file_new(data, ret, e);
	case ENV_STORAGE_ROUTER:
		return env_router_new(env, data, ret, e);
	}
	return err_set(e, ERR_INTERNAL, "unknown type of environment storage");
}

int env_storage_put(struct env *env, enum env_storage_type type, const struct entry *entry, struct err *e)
{
	struct env_storage *fresh, *old = env_storage_find(env, entry->id);
	bool kept = old && old->type == type && type == ENV_STORAGE_MEMORY;

	env_storage_unref(old); /* only this thread removes storages */
	if (kept)
		return 0;
	if (storage_make(env, type, entry->data, &fresh, e) < 0)
		return -1;
	fresh->type = type;
	pthread_mutex_lock(&env->lock);
	old = map_set(env->storages, entry->id, fresh);
	pthread_mutex_unlock(&env->lock);
	env_storage_unref(old);
	return 0;
}

void env_storage_remove(struct env *env, const char *id)
{
	struct env_storage *old;

	pthread_mutex_lock(&env->lock);
	old = map_remove(env->storages, id);
	pthread_mutex_unlock(&env->lock);
	env_storage_unref(old);
}

int env_variable_put(struct env *env, const struct entry *entry, struct err *e)
{
	struct env_variable *v = NULL, *old, *holder = NULL;
	bool storage_known;

	if (variable_read(entry, &v, e) < 0)
		return -1;
	pthread_mutex_lock(&env->lock);
	storage_known = map_has(env->storages, v->storage);
	if (v->name[0])
		holder = map_get(env->by_name, v->name);
	if (!storage_known || (holder && strcmp(holder->id, v->id) != 0)) {
		pthread_mutex_unlock(&env->lock);
		if (storage_known)
			err_set(e, ERR_ALREADY_EXISTS, "field 'variable': variable name already exists: %.256s",
				v->name);
		else
			err_set(e, ERR_NOT_FOUND, "field 'storage': referenced storage not found: %.256s", v->storage);
		env_variable_unref(v);
		return -1;
	}
	old = map_set(env->by_id, v->id, v);
	if (old && old->name[0])
		map_remove(env->by_name, old->name);
	if (v->name[0])
		map_set(env->by_name, v->name, v);
	pthread_mutex_unlock(&env->lock);
	env_variable_unref(old);
	return 0;
}

void env_variable_remove(struct env *env, const char *id)
{
	struct env_variable *old;

	pthread_mutex_lock(&env->lock);
	old = map_remove(env->by_id, id);
	if (old && old->name[0])
		map_remove(env->by_name, old->name);
	pthread_mutex_unlock(&env->lock);
	env_variable_unref(old);
}

/* -- look-ups -------------------------------------------------------------------------------------------- */

struct env_storage *env_storage_find(struct env *env, const char *id)
{
	struct env_storage *s;

	/* The reference is taken under the lock: afterwards the entry could already have been removed. */
	pthread_mutex_lock(&env->lock);
	s = env_storage_ref(map_get(env->storages, id));
	pthread_mutex_unlock(&env->lock);
	return s;
}

int env_variable_find(struct env *env, const char *ns, const char *name, struct env_variable **ret, struct err *e)
{
	char *id = strchr(name, ':') ? NULL : entry_id_resolve(name, ns);
	struct env_variable *v;

	pthread_mutex_lock(&env->lock);
	v = map_get(env->by_name, name);
	if (!v)
		v = map_get(env->by_id, id ? id : name);
	if (v)
		refcount_inc(&v->refs);
	pthread_mutex_unlock(&env->lock);
	free(id);
	if (!v)
		return err_set(e, ERR_NOT_FOUND, "environment variable not found");
	*ret = v;
	return 0;
}

void env_variable_unref(struct env_variable *v)
{
	if (v && refcount_dec(&v->refs))
		variable_free(v);
}

static const char *key_of(const struct env_variable *v)
{
	return v->name[0] ? v->name : v->id;
}

bool env_variable_waits(struct env *env, const struct env_variable *v)
{
	struct env_storage *s = env_storage_find(env, v->storage);
	bool waits = s && env_storage_waits(s, key_of(v), 0);

	env_storage_unref(s);
	return waits;
}

/* `*ret` becomes NULL when the storage has nothing, or an empty text, which counts as unset. */
static int read_stored(struct env *env, const struct env_variable *v, char **ret, struct err *e)
{
	struct env_storage *s = env_storage_find(env, v->storage);
	char *text = NULL;
	int rc;

	if (!s)
		return err_set(e, ERR_NOT_FOUND, "environment storage backend not found");
	rc = s->ops->get(s, key_of(v), 0, &text, e);
	env_storage_unref(s);
	if (rc < 0)
		return -1;
	if (text && !text[0]) {
		free(text);
		text = NULL;
	}
	*ret = text;
	return 0;
}

/* From now on no log record shows it. */
static void remember(struct env *env, const struct env_variable *v, const char *text)
{
	struct env_variable *own = (struct env_variable *)(uintptr_t)v;
	struct secret *fresh, *old;

	if (!v->secret || !text)
		return;
	fresh = secret_new(text, strlen(text));
	pthread_mutex_lock(&env->lock);
	old = own->seen;
	own->seen = fresh;
	pthread_mutex_unlock(&env->lock);
	secret_free(old);
}

int env_variable_get_stored(struct env *env, const struct env_variable *v, char **ret, struct err *e)
{
	char *text;

	if (read_stored(env, v, &text, e) < 0)
		return -1;
	if (!text)
		return err_set(e, ERR_NOT_FOUND, "environment variable not found");
	remember(env, v, text);
	*ret = text;
	return 0;
}

int env_variable_get(struct env *env, const struct env_variable *v, char **ret, struct err *e)
{
	char *text;

	if (read_stored(env, v, &text, e) < 0)
		return -1;
	if (!text && !v->fallback[0])
		return err_set(e, ERR_NOT_FOUND, "environment variable not found");
	*ret = text ? text : xstrdup(v->fallback);
	remember(env, v, *ret);
	return 0;
}

int env_variable_set(struct env *env, const struct env_variable *v, const char *text, struct err *e)
{
	struct env_storage *s;
	int rc;

	if (v->readonly)
		return err_set(e, ERR_PERMISSION_DENIED, "environment variable is read-only");
	if (strlen(text) > ENV_VALUE_BYTES_MAX)
		return err_set(e, ERR_INVALID, "the value is longer than %d bytes", ENV_VALUE_BYTES_MAX);
	s = env_storage_find(env, v->storage);
	if (!s)
		return err_set(e, ERR_NOT_FOUND, "environment storage backend not found");
	remember(env, v, text);
	rc = env_storage_set(s, key_of(v), text, 0, e);
	env_storage_unref(s);
	return rc;
}

int env_lookup(struct env *env, const char *ns, const char *name, char **ret, struct err *e)
{
	struct env_variable *v;
	int rc;

	if (env_variable_find(env, ns, name, &v, e) < 0)
		return -1;
	rc = env_variable_get(env, v, ret, e);
	env_variable_unref(v);
	return rc;
}

/* -- everything ------------------------------------------------------------------------------------------ */

/* References to all storages, in the order in which they came. */
static struct env_storage **all_storages(struct env *env, size_t *ret_n)
{
	struct env_storage **all;
	size_t n = 0, pos = 0;
	const char *id;
	void *s;

	pthread_mutex_lock(&env->lock);
	all = xcalloc(map_count(env->storages) + 1, sizeof(struct env_storage *));
	while (map_next(env->storages, &pos, &id, &s))
		all[n++] = env_storage_ref(s);
	pthread_mutex_unlock(&env->lock);
	*ret_n = n;
	return all;
}

static void add_pair(void *arg, const char *key, const char *text)
{
	struct map *list = arg;

	if (!map_has(list, key))
		map_set(list, key, xstrdup(text));
}

struct map *env_list(struct env *env)
{
	struct map *list = map_new();
	struct env_storage **all;
	size_t n;

	all = all_storages(env, &n);
	for (size_t i = 0; i < n; i++) {
		struct err ignored;

		if (all[i]->ops->each)
			all[i]->ops->each(all[i], add_pair, list, &ignored);
		env_storage_unref(all[i]);
	}
	free(all);
	return list;
}

static void free_text(void *text)
{
	env_text_free(text);
}

void env_list_free(struct map *list)
{
	map_free(list, free_text);
}

bool env_list_waits(struct env *env)
{
	bool waits = false;
	struct env_storage **all;
	size_t n;

	all = all_storages(env, &n);
	for (size_t i = 0; i < n; i++) {
		waits = waits || all[i]->type == ENV_STORAGE_FILE;
		env_storage_unref(all[i]);
	}
	free(all);
	return waits;
}
