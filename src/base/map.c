/*
 * map.c - see map.h
 *
 * Entries stand in an array in the order they came; an open-addressed table of numbers finds them by hash. A removed
 * entry leaves a hole, closed when the array is full and rebuilt. SipHash-1-3 (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012) under a secret seed keeps senders of keys from choosing collisions.
 */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

/* Slots hold 0 (free), SLOT_REMOVED, or an entry's number plus 1. */
enum { SLOTS_MIN = 8 };
#define SLOT_REMOVED UINT32_MAX

struct map_entry {
	char *key; /* NULL: a hole */
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *entries; /* room for three quarters of nslots */
	uint32_t *slots;
	size_t nslots; /* a power of two, or 0 before the first entry */
	size_t first;  /* no live entry is before it */
	size_t used;   /* entries taken, holes included */
	size_t count;
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	size_t got = 0;

	/* A guessable seed would be worse than no program: nothing works without the kernel's generator anyway. */
	while (got < sizeof(seed)) {
		ssize_t n = getrandom((char *)seed + got, sizeof(seed) - got, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0)
			got += (size_t)n;
	}
}

static uint64_t rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t hash_key(const char *key)
{
	size_t len = strlen(key);
	uint64_t v[4] = {
		seed[0] ^ UINT64_C(0x736f6d6570736575),
		seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261),
		seed[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word;
	size_t i;

	/* The byte order of a word does not matter here: hashes never leave the process. */
	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, key + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (size_t k = 0; i + k < len; k++)
		word |= (uint64_t)(unsigned char)key[i + k] << (8 * k);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int k = 0; k < 3; k++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t entries_max(size_t nslots)
{
	return nslots / 4 * 3;
}

struct map *map_new(void)
{
	pthread_once(&seed_once, make_seed);
	return xcalloc(1, sizeof(struct map));
}

void map_free(struct map *m, void (*free_value)(void *))
{
	if (!m)
		return;
	for (size_t i = m->first; i < m->used; i++) {
		if (!m->entries[i].key)
			continue;
		free(m->entries[i].key);
		if (free_value)
			free_value(m->entries[i].value);
	}
	free(m->entries);
	free(m->slots);
	free(m);
}

size_t map_count(const struct map *m)
{
	return m->count;
}

/* The slot that holds `key`, or NULL. Ends since a quarter of the slots is always free. */
static uint32_t *find_slot(const struct map *m, const char *key, uint64_t hash)
{
	if (m->count == 0)
		return NULL;
	for (size_t i = hash & (m->nslots - 1);; i = (i + 1) & (m->nslots - 1)) {
		uint32_t slot = m->slots[i];

		if (slot == 0)
			return NULL;
		if (slot != SLOT_REMOVED && m->entries[slot - 1].hash == hash &&
			strcmp(m->entries[slot - 1].key, key) == 0)
			return &m->slots[i];
	}
}

static void put_slot(struct map *m, uint64_t hash, size_t entry)
{
	size_t i = hash & (m->nslots - 1);

	while (m->slots[i] != 0)
		i = (i + 1) & (m->nslots - 1);
	m->slots[i] = (uint32_t)entry + 1;
}

/* Close the holes and leave room for at least as many entries again. */
static void rebuild(struct map *m)
{
	size_t nslots = SLOTS_MIN, live = 0;

	while (entries_max(nslots) / 2 < m->count)
		nslots *= 2;
	assert(nslots < UINT32_MAX);
	for (size_t i = m->first; i < m->used; i++) {
		if (m->entries[i].key)
			m->entries[live++] = m->entries[i];
	}
	assert(live == m->count);
	m->first = 0;
	m->used = live;
	m->entries = xreallocarray(m->entries, entries_max(nslots), sizeof(*m->entries));
	free(m->slots);
	m->slots = xcalloc(nslots, sizeof(*m->slots));
	m->nslots = nslots;
	for (size_t i = 0; i < live; i++)
		put_slot(m, m->entries[i].hash, i);
}

static struct map_entry *find(const struct map *m, const char *key)
{
	uint32_t *slot = find_slot(m, key, hash_key(key));

	return slot ? &m->entries[*slot - 1] : NULL;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *entry = find(m, key);

	return entry ? entry->value : NULL;
}

bool map_has(const struct map *m, const char *key)
{
	return find(m, key) != NULL;
}

void *map_set(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_key(key);
	uint32_t *slot = find_slot(m, key, hash);

	if (slot) {
		void *old = m->entries[*slot - 1].value;

		m->entries[*slot - 1].value = value;
		return old;
	}
	if (m->used == entries_max(m->nslots))
		rebuild(m);
	m->entries[m->used] = (struct map_entry){.key = xstrdup(key), .value = value, .hash = hash};
	put_slot(m, hash, m->used);
	m->used++;
	m->count++;
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	uint32_t *slot = find_slot(m, key, hash_key(key));
	struct map_entry *entry;
	void *value;

	if (!slot)
		return NULL;
	entry = &m->entries[*slot - 1];
	value = entry->value;
	free(entry->key);
	entry->key = NULL;
	*slot = SLOT_REMOVED;
	m->count--;
	/* A map used as a queue would otherwise walk the holes in front again and again. */
	while (m->first < m->used && !m->entries[m->first].key)
		m->first++;
	return value;
}

bool map_next(const struct map *m, size_t *pos, const char **ret_key, void **ret_value)
{
	size_t i = *pos < m->first ? m->first : *pos;

	while (i < m->used && !m->entries[i].key)
		i++;
	*pos = i;
	if (i == m->used)
		return false;
	if (ret_key)
		*ret_key = m->entries[i].key;
	if (ret_value)
		*ret_value = m->entries[i].value;
	*pos = i + 1;
	return true;
}
