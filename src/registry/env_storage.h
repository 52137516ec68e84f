/*
 * env_storage.h - one storage of values; inside the environment's files only.
 *
 * A storage is shared by reference: a look-up that has begun goes on with the object it found, also when the entry
 * is replaced meanwhile. Operations may be called from any thread, several at once.
 */
#ifndef REGISTRY_ENV_STORAGE_H
#define REGISTRY_ENV_STORAGE_H

#include "base/refcount.h"
#include "registry/env.h"

struct env_storage;

typedef void env_pair_fn(void *arg, const char *key, const char *text);

struct env_storage_ops {
	/* *ret becomes the text (malloc'd) or NULL when the key is not there. `depth`: routers passed on the way. */
	int (*get)(struct env_storage *s, const char *key, unsigned depth, char **ret, struct err *e);
	/* NULL: read-only. */
	int (*set)(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e);
	/* Each pair, keys once; NULL: no pairs of its own. */
	int (*each)(struct env_storage *s, env_pair_fn *fn, void *arg, struct err *e);
	/* Would get() or set() of that key read a file? NULL: never. */
	bool (*waits)(struct env_storage *s, const char *key, unsigned depth);
	void (*free)(struct env_storage *s);
};

/* Embedded first in each type's own struct. */
struct env_storage {
	const struct env_storage_ops *ops;
	struct refcount refs;
	enum env_storage_type type;
};

struct env_storage *env_storage_ref(struct env_storage *s);
void env_storage_unref(struct env_storage *s);
int env_storage_set(struct env_storage *s, const char *key, const char *text, unsigned depth, struct err *e);
bool env_storage_waits(struct env_storage *s, const char *key, unsigned depth);

/* A reference to the storage of that id, NULL when there is none. */
struct env_storage *env_storage_find(struct env *env, const char *id);

/* Both parts of a full id are there. */
bool env_storage_id_is_full(const char *id);

/* A string field whose value never gets into an error. Absent leaves *ret as it is. */
int env_read_text(const struct value *data, const char *key, const char **ret, struct err *e);

struct env_storage *env_os_new(void);
struct env_storage *env_memory_new(void);
int env_static_new(const struct value *data, struct env_storage **ret, struct err *e);
int env_file_new(const struct value *data, struct env_storage **ret, struct err *e);
int env_router_new(struct env *env, const struct value *data, struct env_storage **ret, struct err *e);

#endif
