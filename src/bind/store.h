/*
 * store.h - the type of key-value stores among the live objects.
 */
#ifndef BIND_STORE_H
#define BIND_STORE_H

#include "registry/instances.h"
#include "store/store.h"

/* instances_get(node->instances, id, &store_type, &e) is a struct store *. */
extern const struct instance_type store_type;

#endif
