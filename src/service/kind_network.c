/*
 * kind_network.c - the kinds `network.*`: an entry becomes the live overlay of its id.
 *
 * The replacement of a changed entry is built first; when it cannot be built the old overlay stays live, and so it does until the change it is part of is
 * taken over as a whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "overlay/driver.h"
#include "registry/fields.h"
#include "registry/secret_read.h"
#include "service/kinds.h"
#include "service/network_status.h"
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

/* "unsupported network kind: network.sock5; there are network.i2p, network.socks5, ..." */
static int refuse_kind(const struct runtime *rt, const struct entry *e, struct err *err)
{
	struct buf known = BUF_INIT;

	for (size_t i = 0; i < rt->config.ndrivers; i++)
		buf_addf(&known, "%s%s", i ? ", " : "", rt->config.drivers[i]->kind);
	err_set(err, ERR_INVALID, "field 'kind': unsupported network kind: %.100s; there are %s", e->kind,
		buf_str(&known));
	buf_done(&known);
	return -1;
}

/* A variable that is not there, or not yet: "failed to resolve auth key env var NAME". The kind stays: it has the entry tried again after the others. */
static int no_variable(const struct value *data, const char *field, struct err *err)
{
	char *env_key = xasprintf("%s_env", field), *words = xstrdup(field);

	for (char *c = words; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	err_set(err, ERR_NOT_FOUND,
		"field '%s': failed to resolve %s env var %.256s: no entry env.variable gives it a value", env_key,
		words, value_get_string(value_get(data, env_key), NULL));
	free(words);
	free(env_key);
	return -1;
}

/* Fill in the secrets one after the other; how many are in, those are to be wiped. The others may still be the entry's own texts. */
static int fill_secrets(struct runtime *rt, const struct overlay_driver *drv, const struct entry *e,
	struct value **data, size_t *ret_filled, struct err *err)
{
	size_t n = 0;

	*ret_filled = 0;
	for (; drv->secret_fields && drv->secret_fields[n]; n++) {
		if (secret_fill(rt->node.env, e, data, drv->secret_fields[n], err) < 0) {
			if (err->kind == ERR_NOT_FOUND)
				return no_variable(*data, drv->secret_fields[n], err);
			return err->kind == ERR_INVALID ? err_prefix(err, "%s: failed to decode config", drv->label)
							: -1;
		}
		*ret_filled = n + 1;
	}
	return 0;
}

static void drop_data(const struct overlay_driver *drv, struct value *data, size_t filled)
{
	for (size_t i = 0; i < filled; i++)
		secret_unfill(value_ref(data), drv->secret_fields[i]);
	value_unref(data);
}

static int network_open(struct runtime *rt, const struct entry *e, struct overlay **ret, struct err *err)
{
	const struct overlay_driver *drv = find_driver(rt, e->kind);
	struct value *data;
	size_t filled;
	int rc;

	if (!drv)
		return refuse_kind(rt, e, err);
	data = value_ref(e->data);
	rc = fill_secrets(rt, drv, e, &data, &filled, err);
	if (rc == 0)
		rc = overlay_open(drv, &rt->overlay_env, e->id, data, ret, err);
	if (rc == 0)
		entry_warn_unknown_fields(e, drv->fields, drv->secret_fields, rt->config.warn);
	drop_data(drv, data, filled);
	return rc;
}

/* What cannot even start is rejected with its entry. */
static int network_bring_up(struct runtime *rt, const struct entry *e, struct overlay **ret, struct err *err)
{
	struct overlay *o = NULL;

	if (network_open(rt, e, &o, err) < 0)
		return -1;
	if (overlay_start(o, err) < 0) {
		overlay_unref(o);
		return -1;
	}
	*ret = o;
	return 0;
}

static void network_tear_down(void *o)
{
	if (o)
		overlay_stop(o);
	overlay_unref(o);
}

static int network_add(struct runtime *rt, struct entry *e, struct err *err)
{
	struct overlay *o;

	if (network_bring_up(rt, e, &o, err) < 0)
		return -1;
	overlay_set_put(rt->node.overlays, o);
	overlay_tell(o);
	return 0;
}

/* The old one serves until the whole change is agreed on. */
static int network_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	struct overlay *o;

	(void)old;
	if (network_bring_up(rt, e, &o, err) < 0)
		return -1;
	network_tear_down(map_set(rt->staged_networks, e->id, o));
	return 0;
}

static void network_remove(struct runtime *rt, struct entry *e)
{
	struct overlay *old = overlay_set_get(rt->node.overlays, e->id);

	network_tear_down(map_remove(rt->staged_networks, e->id));
	overlay_set_remove(rt->node.overlays, e->id);
	if (!old)
		return;
	network_removed(rt, old);
	network_retire(rt, old);
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
			network_retire(rt, old);
		overlay_tell(o);
	}
	map_free(staged, NULL);
}

static void network_discard(struct runtime *rt)
{
	map_free(rt->staged_networks, network_tear_down);
	rt->staged_networks = map_new();
}

/* A driver is found by the name of its kind; for the rest all kinds are the same. */
#define NETWORK_KIND(text, about)                                                                 \
	{                                                                                         \
		.name = (text), .summary = (about), .add = network_add, .update = network_update, \
		.remove = network_remove, .commit = network_commit, .discard = network_discard,   \
	}

static int base_add(struct runtime *rt, struct entry *e, struct err *err)
{
	return refuse_kind(rt, e, err);
}

/* Nothing of the old one is touched. */
static int base_update(struct runtime *rt, struct entry *old, struct entry *e, struct err *err)
{
	(void)old;
	return refuse_kind(rt, e, err);
}

const struct kind network_kind = {
	.name = "network",
	.summary = "the family of the following; no kind of its own",
	.is_family = true,
	.add = base_add,
	.update = base_update,
};
const struct kind network_i2p_kind = NETWORK_KIND("network.i2p", "an overlay network: I2P");
const struct kind network_socks5_kind = NETWORK_KIND("network.socks5", "an overlay network: a SOCKS5 proxy");
const struct kind network_tailscale_kind = NETWORK_KIND("network.tailscale", "an overlay network: a node of a tailnet");
const struct kind network_tor_kind = NETWORK_KIND("network.tor", "an overlay network: Tor");
