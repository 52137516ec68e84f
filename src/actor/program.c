#include "actor/program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "actor/atom.h"
#include "actor/call.h"
#include "base/alloc.h"
#include "base/map.h"

struct program *program_new(struct scheduler *s, const struct program_spec *spec)
{
	struct program *p = xcalloc(1, sizeof(*p));
	const struct value *network;

	refcount_init(&p->refs);
	atomic_init(&p->cost, COST_UNKNOWN);
	p->type = spec->type;
	p->id = atom(spec->id);
	p->code = spec->code ? code_ref(spec->code) : NULL;
	p->options = value_ref((struct value *)(uintptr_t)spec->options);
	/* A network of another type than text counts as absent. */
	network = value_get(p->options, "network");
	if (value_type(network) == VALUE_STRING)
		p->network = value_get_string(network, NULL);
	if (spec->default_host)
		p->default_host = xstrdup(spec->default_host);
	if (spec->type == PROGRAM_FUNCTION)
		p->pool = call_pool_new(s, spec->calls_max);
	if (p->pool && spec->calls_keep)
		call_pool_keep(p->pool);
	return p;
}

struct program *program_ref(struct program *p)
{
	if (p)
		refcount_inc(&p->refs);
	return p;
}

void program_unref(struct program *p)
{
	if (!p || !refcount_dec(&p->refs))
		return;
	call_pool_free(p->pool);
	code_unref(p->code);
	value_unref(p->options);
	free(p->default_host);
	free(p);
}

struct programs {
	pthread_rwlock_t lock;
	struct map *by_id;
	atomic_ulong version;
};

struct programs *programs_new(void)
{
	struct programs *t = xcalloc(1, sizeof(*t));

	pthread_rwlock_init(&t->lock, NULL);
	t->by_id = map_new();
	atomic_init(&t->version, 1);
	return t;
}

static void unref_program(void *p)
{
	program_unref(p);
}

void programs_free(struct programs *t)
{
	if (!t)
		return;
	map_free(t->by_id, unref_program);
	pthread_rwlock_destroy(&t->lock);
	free(t);
}

struct program *programs_put(struct programs *t, struct program *p)
{
	struct program *old;

	pthread_rwlock_wrlock(&t->lock);
	old = map_set(t->by_id, p->id, p);
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	pthread_rwlock_unlock(&t->lock);
	return old;
}

struct program *programs_remove(struct programs *t, const char *id)
{
	struct program *old;

	pthread_rwlock_wrlock(&t->lock);
	old = map_remove(t->by_id, id);
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	pthread_rwlock_unlock(&t->lock);
	return old;
}

struct program *programs_get(struct programs *t, const char *id)
{
	struct program *p;

	pthread_rwlock_rdlock(&t->lock);
	p = program_ref(map_get(t->by_id, id));
	pthread_rwlock_unlock(&t->lock);
	return p;
}

unsigned long programs_version(const struct programs *t)
{
	return atomic_load_explicit(&t->version, memory_order_acquire);
}
