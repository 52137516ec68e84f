/*
 * number_map.h - hash map from non-zero 64-bit numbers to pointers.
 *
 * Open addressing, at most three quarters full. Zeroed storage is an empty map. One thread at a time.
 */
#ifndef ACTOR_NUMBER_MAP_H
#define ACTOR_NUMBER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct number_slot {
	uint64_t key; /* 0 = free */
	void *value;
};

struct number_map {
	struct number_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t count;
};

void number_map_done(struct number_map *m);
void *number_map_get(const struct number_map *m, uint64_t key); /* NULL when absent */
/* Replaces. `value` is not NULL. */
void number_map_set(struct number_map *m, uint64_t key, void *value);
/* What was removed, or NULL. */
void *number_map_remove(struct number_map *m, uint64_t key);
/* for (size_t i = 0; number_map_next(m, &i, &v);) ...; no changes meanwhile. */
bool number_map_next(const struct number_map *m, size_t *pos, void **ret_value);

#endif
