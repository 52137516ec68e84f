/*
 * map.h - hash map from strings to pointers.
 *
 * Keys are copied; values belong to the caller. Keyed with a random seed made
 * once a process, since keys come from scripts and peers. Iteration follows
 * insertion order, so output made from a map is stable. One thread at a time.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(void);
/* Free the map; with free_value each value first. NULL is fine. */
void map_free(struct map *m, void (*free_value)(void *));

size_t map_count(const struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);
/* Returns the value replaced, NULL if the key is new. A replaced key keeps its place. */
void *map_set(struct map *m, const char *key, void *value);
/* Returns the value removed, NULL if absent. */
void *map_remove(struct map *m, const char *key);

/* for (size_t i = 0; map_next(m, &i, &key, &value);) ... ; do not change the map meanwhile. */
bool map_next(const struct map *m, size_t *pos, const char **ret_key, void **ret_value);

#endif
