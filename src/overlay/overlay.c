/*
 * overlay.c - live instances: made from an entry's data, counted, closed by whoever lets go last.
 */
#include "overlay/overlay.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "overlay/driver.h"
#include "overlay/gate.h"

/* The generation of the next instance. */
static atomic_uint_fast64_t next_generation = 1;

int overlay_open(const struct overlay_driver *drv, const struct overlay_env *env, const char *id,
	const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct err local;
	struct overlay *o = NULL;

	assert(id && id[0]);
	if (!e)
		e = &local;
	if (value_type(data) == VALUE_NIL) {
		err_set(e, ERR_INVALID, "configuration data is required");
		goto fail;
	}
	if (value_type(data) != VALUE_MAP) {
		err_set(e, ERR_INVALID, "failed to unmarshal config: expected a map, got %s", value_type_name(data));
		goto fail;
	}
	if (drv->open(data, &o, e) < 0)
		goto fail;

	o->driver = drv;
	o->env = env;
	o->id = xstrdup(id);
	o->generation = atomic_fetch_add_explicit(&next_generation, 1, memory_order_relaxed);
	refcount_init(&o->refs);
	gate_init(o);
	*ret_overlay = o;
	return 0;
fail:
	/* Other kinds (a key that is not found, say) name their own stage. */
	return e->kind == ERR_INVALID ? err_prefix(e, "%s: failed to decode config", drv->label) : -1;
}

struct overlay *overlay_ref(struct overlay *o)
{
	if (o)
		refcount_inc(&o->refs);
	return o;
}

void overlay_unref(struct overlay *o)
{
	if (!o || !refcount_dec(&o->refs))
		return;
	free(o->id);
	o->id = NULL;
	gate_done(o);
	o->driver->close(o);
}

const char *overlay_id(const struct overlay *o)
{
	return o->id;
}

const char *overlay_kind(const struct overlay *o)
{
	return o->driver->kind;
}

bool overlay_keeps_session(const struct overlay *o)
{
	return o->driver->start && !o->driver->is_lazy && !o->is_quiet;
}

bool overlay_is_exclusive(const struct overlay *o)
{
	return o->driver->exclusive;
}

uint64_t overlay_generation(const struct overlay *o)
{
	return o->generation;
}
