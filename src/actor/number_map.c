#include "actor/number_map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { CAP_MIN = 4 };

static size_t home(const struct number_map *m, uint64_t key)
{
	/* Fibonacci hashing: consecutive numbers spread over the table. */
	return (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (m->cap - 1);
}

void number_map_done(struct number_map *m)
{
	free(m->slots);
	*m = (struct number_map){0};
}

static struct number_slot *find(const struct number_map *m, uint64_t key)
{
	for (size_t i = home(m, key);; i = (i + 1) & (m->cap - 1)) {
		struct number_slot *s = &m->slots[i];

		if (s->key == key || s->key == 0)
			return s;
	}
}

void *number_map_get(const struct number_map *m, uint64_t key)
{
	struct number_slot *s;

	if (m->count == 0 || key == 0)
		return NULL;
	s = find(m, key);
	return s->key ? s->value : NULL;
}

static void grow(struct number_map *m)
{
	struct number_map bigger = {.cap = m->cap ? m->cap * 2 : CAP_MIN, .count = m->count};

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key)
			*find(&bigger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = bigger;
}

void number_map_set(struct number_map *m, uint64_t key, void *value)
{
	struct number_slot *s;

	assert(key != 0 && value);
	if ((m->count + 1) * 4 > m->cap * 3)
		grow(m);
	s = find(m, key);
	if (!s->key)
		m->count++;
	s->key = key;
	s->value = value;
}

void *number_map_remove(struct number_map *m, uint64_t key)
{
	size_t mask = m->cap - 1, hole;
	struct number_slot *s;
	void *value;

	if (m->count == 0 || key == 0)
		return NULL;
	s = find(m, key);
	if (!s->key)
		return NULL;
	value = s->value;
	hole = (size_t)(s - m->slots);
	/* Close the gap: move back what a search would otherwise no longer reach. */
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t h = home(m, m->slots[i].key);

		if (((i - h) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct number_slot){0};
	m->count--;
	return value;
}

bool number_map_next(const struct number_map *m, size_t *pos, void **ret_value)
{
	while (*pos < m->cap) {
		const struct number_slot *s = &m->slots[(*pos)++];

		if (s->key) {
			*ret_value = s->value;
			return true;
		}
	}
	return false;
}
