/*
 * kind_network.c - the kinds `network.*`: an entry becomes the live overlay of its id.
 *
 * The replacement of a changed entry is built first; when it cannot be built the old overlay stays live, and so it does until the change it is part of is
 * taken over as a whole.
 */
#include <string.h>

#include "overlay/driver.h"
#include "registry/secret_read.h"
#include "service/kinds.h"
#include "service/network_swap.h"
#include "service/runtime.h"

static const struct overlay_driver *find_driver(const struct runtime *rt, const char *kind)
{
	for (size_t i = 0; i < rt->config.ndrivers; i++) {
		if (strcmp(rt->config.drivers[i]->kind, kind) == 0)
			return rt->config.drivers[i];
	}
	return NULL;
}

static int network_open(struct runtime *rt, const struct entry *e, struct overlay **ret, struct err *err)
{
	const struct overlay_driver *drv = find_driver(rt, e->kind);
	struct value *data;
	struct overlay *o;
	int rc;

	if (!drv)
		return err_set(err, ERR_INVALID, "unsupported network kind: %s", e->kind);
	/* The overlay gets the values, the entry keeps its placeholders: what they stand for is secret. */
	if (env_expand(rt->node.env, e->ns, e->data, &data, err) < 0)
		return -1;
	if (secret_fill(rt->node.env, e, &data, "password", err) < 0) {
		value_unref(data);
		return err->kind == ERR_INVALID ? err_prefix(err, "%s: failed to decode config", drv->label) : -1;
	}
	rc = overlay_open(drv, &rt->overlay_env, e->id, data, &o, err);
	secret_unfill(data, "password");
	if (rc < 0)
		return -1;
	*ret = o;
	return 0;
}

static int network_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct overlay *o;

	if (network_open(rt, e, &o, err) < 0)
		return -1;
	overlay_set_put(rt->node.overlays, o);
	return 0;
}

/* The old one serves until the whole change is agreed on. */
static int network_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct overlay *o;

	(void)old;
	if (network_open(rt, e, &o, err) < 0)
		return -1;
	overlay_unref(map_set(rt->staged_networks, e->id, o));
	return 0;
}

static void network_remove(struct runtime *rt, struct entry *e)
{
	struct overlay *old = overlay_set_get(rt->node.overlays, e->id);

	overlay_unref(map_remove(rt->staged_networks, e->id));
	overlay_set_remove(rt->node.overlays, e->id);
	if (old)
		network_retire(rt, e->id, overlay_generation(old));
	overlay_unref(old);
}

static void network_commit(struct runtime *rt)
{
	struct map *staged = rt->staged_networks;
	const char *id;
	void *o;

	rt->staged_networks = map_new();
	for (size_t i = 0; map_next(staged, &i, &id, &o);) {
		struct overlay *old = overlay_set_get(rt->node.overlays, id);

		/* First the new one: what the workers then drop cannot come back. */
		overlay_set_put(rt->node.overlays, o);
		if (old)
			network_retire(rt, id, overlay_generation(old));
		overlay_unref(old);
	}
	map_free(staged, NULL);
}

static void unref_overlay(void *o)
{
	overlay_unref(o);
}

static void network_discard(struct runtime *rt)
{
	map_free(rt->staged_networks, unref_overlay);
	rt->staged_networks = map_new();
}

const struct kind network_socks5_kind = {
	.name = "network.socks5",
	.add = network_add,
	.update = network_update,
	.remove = network_remove,
	.commit = network_commit,
	.discard = network_discard,
};
