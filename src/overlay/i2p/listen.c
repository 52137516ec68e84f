/*
 * listen.c - being reached over I2P: a session with a destination that peers know, and accepts that wait for them.
 *
 * A listener's first attempt decides: when it fails, the listener fails, and whoever wanted it tries again. One that was up is
 * mended by itself for as long as it takes; the overlay's state tells. Its private key, and with it its address, outlives
 * sessions, and, kept in the state directory, the program. Control thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "overlay/destination.h"
#include "overlay/i2p/client.h"
#include "overlay/i2p/keyfile.h"
#include "overlay/i2p/session.h"

enum { ACCEPTS_MAX = 3 };

struct accepting {
	struct i2p_listener *owner;
	struct sam_client *client; /* NULL: not under way */
};

struct i2p_listener {
	struct listener base;
	struct i2p *owner;
	struct list link; /* in owner->listeners */
	struct session *session;
	char *dir; /* where the key is kept; NULL: it is not */
	bool key_is_kept;
	bool was_ready;
	char *destination; /* ours, base64; NULL = unknown */
	char *address;     /* the same for people */
	char *told;        /* the address that was told last */
	unsigned naccepts; /* how many are to wait at a time */
	unsigned failures; /* of accepts, since one succeeded */
	struct loop_timer retry;
	struct accepting accepting[ACCEPTS_MAX];
};

static struct i2p_listener *listener_of(struct listener *base)
{
	return container_of(base, struct i2p_listener, base);
}

static void stop_accepting(struct i2p_listener *l)
{
	loop_timer_stop(&l->retry);
	for (size_t i = 0; i < ACCEPTS_MAX; i++) {
		sam_client_cancel(l->accepting[i].client);
		l->accepting[i].client = NULL;
	}
}

/* Close everything; the session must not be in its `up`. */
static void shut(struct i2p_listener *l)
{
	stop_accepting(l);
	session_free(l->session);
	l->session = NULL;
}

/* -- accepting -------------------------------------------------------------------------------------- */

static struct value *identity_of(const struct sam *m, const char *address)
{
	struct value *v = value_map();

	value_map_set(v, "network", value_cstring("i2p"));
	value_map_set(v, "destination", value_cstring(m->peer));
	value_map_set(v, "address", value_cstring(address));
	if (m->from_port)
		value_map_set(v, "from_port", value_int(m->from_port));
	if (m->to_port)
		value_map_set(v, "to_port", value_int(m->to_port));
	return v;
}

static void start_accepting(struct i2p_listener *l);

static void accept_later(struct i2p_listener *l)
{
	l->failures++;
	if (!loop_timer_is_armed(&l->retry))
		loop_timer_start_ns(&l->retry, backoff_delay(&overlay_listen_retry, l->failures));
}

static void take_stream(struct i2p_listener *l, int fd, const struct sam *m)
{
	char address[B32_NAME_MAX];
	struct listen_peer peer = {.address = address};
	struct value *identity;

	/* The bridge's own word is all we have; what has no short name goes by the beginning of its long one. */
	if (!destination_b32(m->peer, address))
		snprintf(address, sizeof(address), "%.*s", B32_NAME_MAX - 1, m->peer);
	l->failures = 0;
	identity = identity_of(m, address);
	peer.identity = identity;
	/* The next peer may be waiting already. */
	start_accepting(l);
	listener_accept(&l->base, fd, &peer);
	value_unref(identity);
}

static bool has_code(const struct err *e, const char *code)
{
	return e->code && strcmp(e->code, code) == 0;
}

static bool any_accepts(const struct i2p_listener *l)
{
	for (size_t i = 0; i < ACCEPTS_MAX; i++) {
		if (l->accepting[i].client)
			return true;
	}
	return false;
}

static void accept_over(void *arg, int fd, uint64_t connected_ns, struct sam *m, const struct err *e)
{
	struct accepting *a = arg;
	struct i2p_listener *l = a->owner;

	(void)connected_ns;
	a->client = NULL;
	if (fd >= 0) {
		take_stream(l, fd, m);
		return;
	}
	log_debug("overlay", "i2p: an accept failed", LOG_STR("overlay", overlay_id(&l->owner->base)),
		LOG_STR("error", e->text));
	if (has_code(e, "i2p_already_accepting") && any_accepts(l)) {
		l->naccepts = 1; /* a bridge that takes no more */
		return;
	}
	if (has_code(e, "i2p_invalid_id")) {
		session_lost(l->session, session_id(l->session), e);
		return;
	}
	if (!l->was_ready && !has_code(e, "i2p_already_accepting")) {
		struct err why = *e;

		shut(l);
		listener_failed(&l->base, &why);
		return;
	}
	accept_later(l);
}

/* The bridge listens for us: only now are we reachable. */
static void accept_standing(void *arg, struct sam *m)
{
	struct i2p_listener *l = ((struct accepting *)arg)->owner;

	(void)m;
	if (l->told && strcmp(l->told, l->address) == 0)
		return;
	free(l->told);
	l->told = xstrdup(l->address);
	l->was_ready = true;
	log_info("overlay", "i2p: reachable", LOG_STR("overlay", overlay_id(&l->owner->base)),
		LOG_STR("name", l->base.name), LOG_STR("address", l->address),
		LOG_STR("destination", l->destination ? l->destination : ""));
	overlay_set_address(&l->owner->base, l->address);
	listener_ready(&l->base, l->address);
}

static const struct sam_client_events accept_events = {.standing = accept_standing, .done = accept_over};

static void start_accepting(struct i2p_listener *l)
{
	struct sam_client_options how = {
		.loop = l->owner->base.env->control,
		.host = l->owner->host,
		.port = l->owner->port,
		.request = {.part = SAM_ACCEPT, .id = session_id(l->session)},
	};

	for (size_t i = 0; i < l->naccepts; i++) {
		struct accepting *a = &l->accepting[i];

		if (!a->client)
			a->client = sam_client_start(&how, &accept_events, a);
	}
}

static void on_retry(struct loop_timer *t)
{
	struct i2p_listener *l = container_of(t, struct i2p_listener, retry);

	if (session_is_up(l->session))
		start_accepting(l);
}

/* -- the session ------------------------------------------------------------------------------------ */

static void set_name(struct i2p_listener *l, struct session *s, const struct sam *m)
{
	char b32[B32_NAME_MAX];

	free(l->destination);
	free(l->address);
	l->destination = xstrdup(m->name);
	if (m->name && destination_b32(m->name, b32))
		l->address = xstrdup(b32);
	else
		l->address = xasprintf("i2p:%s", session_id(s));
}

static void session_up(void *arg, struct session *s, struct sam *m)
{
	struct i2p_listener *l = arg;
	struct err e;

	if (l->dir && !l->key_is_kept) {
		/* An address that would be lost with the program must not be given to anybody. */
		if (keyfile_write(l->dir, m->private_key, &e) < 0) {
			err_prefix(&e, "i2p: the listener's key cannot be kept");
			listener_failed(&l->base, &e);
			return;
		}
		l->key_is_kept = true;
	}
	set_name(l, s, m);
	l->failures = 0;
	l->naccepts = m->version >= SAM_VERSION_PORTS ? ACCEPTS_MAX : 1;
	start_accepting(l);
}

static void session_down(void *arg, struct session *s, const struct err *e)
{
	struct i2p_listener *l = arg;
	struct err why = *e;

	(void)s;
	stop_accepting(l);
	if (l->was_ready)
		return; /* mended by itself */
	shut(l);
	listener_failed(&l->base, &why);
}

static const struct session_events session_events = {.up = session_up, .down = session_down};

/* -- the driver's part ------------------------------------------------------------------------------ */

static int prepare(
	struct i2p *o, const struct listen_options *opt, char **ret_dir, struct secret **ret_key, struct err *e)
{
	bool persistent = o->persistent;

	if (opt->options && value_read_bool(opt->options, "persistent", &persistent, e) < 0)
		return err_prefix(e, "i2p: network_options");
	if (!persistent)
		return 0;
	if (overlay_state_path(o->base.env, "i2p", opt->name, ret_dir, e) < 0)
		return -1;
	return keyfile_read(*ret_dir, ret_key, e) < 0 ? err_prefix(e, "i2p: the listener's key") : 0;
}

struct listener *i2p_listen(struct overlay *base, const struct listen_options *opt)
{
	struct i2p *o = i2p_of(base);
	struct secret *key = NULL;
	struct i2p_listener *l;
	char *dir = NULL, *prefix;
	struct err e;

	if (prepare(o, opt, &dir, &key, &e) < 0) {
		free(dir);
		return listener_new_failed(opt, &e);
	}
	l = xcalloc(1, sizeof(*l));
	l->owner = o;
	l->dir = dir;
	l->key_is_kept = key;
	for (size_t i = 0; i < ACCEPTS_MAX; i++)
		l->accepting[i].owner = l;
	loop_timer_init(&l->retry, o->base.env->control, on_retry);
	list_push_back(&o->listeners, &l->link);
	prefix = xasprintf("%s-listen", o->session_name);
	l->session = session_new(o, prefix, true, true, key, &session_events, l);
	free(prefix);
	session_want(l->session);
	return &l->base;
}

void i2p_unlisten(struct listener *base)
{
	struct i2p_listener *l = listener_of(base);
	struct i2p *o = l->owner;

	list_remove(&l->link);
	shut(l);
	if (list_is_empty(&o->listeners))
		overlay_set_address(&o->base, NULL);
	i2p_report(o, NULL);
	free(l->dir);
	free(l->destination);
	free(l->address);
	free(l->told);
	free(l);
}

void i2p_stop_listeners(struct i2p *o)
{
	list_for_each(link, &o->listeners)
		shut(list_entry(link, struct i2p_listener, link));
}
