/*
 * kind_network.c - the kinds `network.*`: an entry becomes the live overlay of its id.
 *
 * The replacement of a changed entry is built first; when it cannot be built the old overlay stays live.
 */
#include <string.h>

#include "overlay/driver.h"
#include "service/kinds.h"
#include "service/runtime.h"

static const struct overlay_driver *find_driver(const struct runtime *rt, const char *kind)
{
	for (size_t i = 0; i < rt->config.ndrivers; i++) {
		if (strcmp(rt->config.drivers[i]->kind, kind) == 0)
			return rt->config.drivers[i];
	}
	return NULL;
}

static int network_add(struct runtime *rt, struct entry *e, struct err *err)
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
	rc = overlay_open(drv, &rt->overlay_env, e->id, data, &o, err);
	value_unref(data);
	if (rc < 0)
		return -1;
	overlay_set_put(rt->node.overlays, o);
	return 0;
}

static int network_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return network_add(rt, e, err);
}

static void network_remove(struct runtime *rt, struct entry *e)
{
	overlay_set_remove(rt->node.overlays, e->id);
}

const struct kind network_socks5_kind = {
	.name = "network.socks5",
	.add = network_add,
	.update = network_update,
	.remove = network_remove,
};
