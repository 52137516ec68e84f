#include "actor/atom.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *atoms; /* text -> its one copy; never freed */

const char *atom(const char *s)
{
	char *copy;

	pthread_mutex_lock(&lock);
	if (!atoms)
		atoms = map_new();
	copy = map_get(atoms, s);
	if (!copy) {
		copy = xstrdup(s);
		map_set(atoms, s, copy);
	}
	pthread_mutex_unlock(&lock);
	return copy;
}

/* A thread meets the same few names again and again: they are found without the lock. */
enum { RECENT = 4 };
static _Thread_local const char *recent[RECENT];
static _Thread_local unsigned next_recent;

const char *atom_find(const char *s, size_t len)
{
	const char *found = NULL;
	char *key;

	for (unsigned i = 0; i < RECENT; i++)
		if (recent[i] && strncmp(recent[i], s, len) == 0 && recent[i][len] == '\0')
			return recent[i];
	if (memchr(s, '\0', len))
		return NULL;
	key = xmemdupz(s, len);
	pthread_mutex_lock(&lock);
	if (atoms)
		found = map_get(atoms, key);
	pthread_mutex_unlock(&lock);
	free(key);
	if (found)
		recent[next_recent++ % RECENT] = found;
	return found;
}
