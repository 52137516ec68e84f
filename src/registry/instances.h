/*
 * instances.h - live objects by entry id: databases, stores, file systems, executors, token stores.
 *
 * A kind's handler puts the object its entry stands for; a Lua module asks for it by id and checks its type. Putting
 * under an id that is taken replaces: who holds the old object keeps it until the last reference is gone. Any thread; a
 * lock is held for a look-up in memory only.
 *
 *     static const struct instance_type database_type = {"database", database_ref, database_unref};
 *
 *     instances_put(rt->node.instances, e->id, &database_type, db);              // takes the reference
 *     db = instances_get(node->instances, id, &database_type, &err);           // a reference
 */
#ifndef REGISTRY_INSTANCES_H
#define REGISTRY_INSTANCES_H

#include "base/err.h"

struct instances;

/* One static object a type; its address is its identity. */
struct instance_type {
	const char *name; /* for people: "database" */
	void *(*ref)(void *object);
	void (*unref)(void *object); /* any thread */
};

struct instances *instances_new(void);
void instances_free(struct instances *t); /* NULL is fine */

/* Takes a reference of `object`. */
void instances_put(struct instances *t, const char *id, const struct instance_type *type, void *object);
/* Absent is fine. */
void instances_remove(struct instances *t, const char *id);
/* A reference, or NULL: NOT_FOUND "resource not found: <id>"; INVALID "resource is not a <type>: <id>". */
void *instances_get(struct instances *t, const char *id, const struct instance_type *type, struct err *e);

#endif
