/*
 * i2p.c - the driver of `network.i2p`: an I2P router's SAM v3 bridge.
 *
 * A dial first gets a session (pool.h): a destination of ours with its tunnels. All dials of an instance share one, so peers
 * can see that it is the same one who comes; `isolate_streams` and `isolation` give sessions of their own. Then the dial opens
 * a connection of its own to the bridge, which becomes the stream. Names of whatever kind are looked up by the bridge.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "overlay/destination.h"
#include "overlay/i2p/client.h"
#include "overlay/i2p/pool.h"
#include "overlay/i2p/ticket.h"

static const int64_t IDLE_MIN_NS = INT64_C(1000000000), IDLE_DEFAULT_NS = INT64_C(600000000000),
		     IDLE_MAX_NS = INT64_C(86400000000000);

struct i2p_dial {
	struct dial base;
	struct i2p *owner;
	struct loop *loop;
	struct ticket *ticket;
	struct sam_client *client; /* from when there is a session */
	char *host;
	char *key; /* NULL: a session of its own */
	uint16_t port;
	uint64_t deadline_ns;
	bool retried;
};

/* -- the entry ------------------------------------------------------------------------------------ */

/* It becomes a word of a command. */
static int read_session_name(const struct value *data, char out[static SESSION_NAME_MAX + 1], struct err *e)
{
	const char *name = "";

	if (value_read_string(data, "session_name", &name, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (name[0] == '\0')
		name = "wippy";
	if (strlen(name) > SESSION_NAME_MAX)
		return overlay_bad_field(data, "session_name", e, "it has more than 64 bytes");
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(name))
		return overlay_bad_field(data, "session_name", e, "use letters, digits, '.', '_' and '-'");
	memcpy(out, name, strlen(name) + 1);
	return 0;
}

/* How many routers a tunnel passes, and how many tunnels there are. What is not given is the bridge's to choose. */
static const struct {
	const char *key, *option;
	int64_t min, max;
	const char *reason;
} tunnel_fields[] = {
	{"inbound_length", "inbound.length", 0, 7, "use 0-7"},
	{"outbound_length", "outbound.length", 0, 7, "use 0-7"},
	{"inbound_quantity", "inbound.quantity", 1, 16, "use 1-16"},
	{"outbound_quantity", "outbound.quantity", 1, 16, "use 1-16"},
};

static int read_tunnels(const struct value *data, char out[static SAM_OPTIONS_MAX + 1], struct err *e)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(tunnel_fields); i++) {
		int64_t n = -1;

		if (value_type(value_get(data, tunnel_fields[i].key)) == VALUE_NIL)
			continue;
		if (value_read_int(data, tunnel_fields[i].key, &n, e) < 0)
			return err_prefix(e, "failed to unmarshal config");
		if (n < tunnel_fields[i].min || n > tunnel_fields[i].max)
			return overlay_bad_field(data, tunnel_fields[i].key, e, tunnel_fields[i].reason);
		len += (size_t)snprintf(
			out + len, SAM_OPTIONS_MAX + 1 - len, " %s=%" PRId64, tunnel_fields[i].option, n);
		assert(len <= SAM_OPTIONS_MAX);
	}
	return 0;
}

static int read_idle(const struct value *data, uint64_t *ret_ns, struct err *e)
{
	int64_t ns = IDLE_DEFAULT_NS;

	if (value_read_duration(data, "session_idle_timeout", &ns, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (ns < IDLE_MIN_NS || ns > IDLE_MAX_NS)
		return overlay_bad_field(data, "session_idle_timeout", e, "use 1s to 24h");
	*ret_ns = (uint64_t)ns;
	return 0;
}

static void i2p_close(struct overlay *base)
{
	struct i2p *o = i2p_of(base);

	assert(!o->pool);
	free(o);
}

static int i2p_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct i2p *o = xcalloc(1, sizeof(*o));

	o->persistent = true;
	list_init(&o->listeners);
	if (overlay_read_endpoint(data, o->host, &o->port, e) < 0 || overlay_read_isolation(data, &o->base, e) < 0 ||
		read_session_name(data, o->session_name, e) < 0 || read_tunnels(data, o->options, e) < 0 ||
		read_idle(data, &o->idle_ns, e) < 0)
		goto fail;
	if (value_read_bool(data, "persistent", &o->persistent, e) < 0) {
		err_prefix(e, "failed to unmarshal config");
		goto fail;
	}
	*ret_overlay = &o->base;
	return 0;
fail:
	free(o);
	return -1;
}

/* -- standing ------------------------------------------------------------------------------------- */

static int i2p_start(struct overlay *base, struct err *e)
{
	struct i2p *o = i2p_of(base);

	(void)e;
	o->pool = pool_new(o);
	return 0;
}

static void i2p_stop(struct overlay *base)
{
	struct i2p *o = i2p_of(base);

	i2p_stop_listeners(o);
	pool_free(o->pool);
	o->pool = NULL;
}

void i2p_report(struct i2p *o, const struct err *why)
{
	if (why)
		snprintf(o->trouble, sizeof(o->trouble), "%.*s", OVERLAY_REASON_MAX - 1, why->text);
	if (why || o->nup > 0)
		o->tried = true;

	if (o->nup > 0 && o->nbroken == 0)
		overlay_set_state(&o->base, OVERLAY_READY, NULL);
	else if (o->nup > 0)
		overlay_set_state(&o->base, OVERLAY_DEGRADED, "%s", o->trouble);
	else if (o->nbroken > 0 || why)
		overlay_set_state(&o->base, OVERLAY_DOWN, "%s", o->trouble);
	else if (!o->tried)
		overlay_set_state(&o->base, OVERLAY_STARTING, "the first session is being made: tens of seconds");
	/* Else nothing stands because nothing has to: what was said last holds. */
}

/* -- dialling ------------------------------------------------------------------------------------- */

static void on_session(void *arg, const struct err *e);

static void dial_free(struct i2p_dial *d)
{
	free(d->host);
	free(d->key);
	free(d);
}

static void ask(struct i2p_dial *d)
{
	d->ticket = ticket_ask(d->owner, d->loop, d->key, d->deadline_ns, on_session, d);
}

static void finish(struct i2p_dial *d, int fd, const struct err *e)
{
	dial_report(&d->base, fd, e);
	dial_free(d);
}

static void on_stream(void *arg, int fd, uint64_t connected_ns, struct sam *m, const struct err *e)
{
	struct i2p_dial *d = arg;
	struct ticket *t = d->ticket;

	(void)m;
	d->client = NULL;
	d->ticket = NULL;
	d->base.trace.connected_ns = connected_ns;
	if (fd >= 0) {
		ticket_keep(t, fd);
	} else if (e->code && strcmp(e->code, "i2p_invalid_id") == 0) {
		/* The bridge lost the session before it told anybody of this dial: once more, with a new one. */
		ticket_unknown(t, e);
		if (!d->retried) {
			d->retried = true;
			ask(d);
			return;
		}
	} else {
		ticket_drop(t);
	}
	finish(d, fd, e);
}

static const struct sam_client_events stream_events = {.done = on_stream};

static void on_session(void *arg, const struct err *e)
{
	struct i2p_dial *d = arg;
	struct ticket *t = d->ticket;
	struct err why;

	if (e) {
		why = *e; /* the ticket's */
		d->ticket = NULL;
		ticket_drop(t);
		finish(d, -1, &why);
		return;
	}
	struct sam_client_options how = {
		.loop = d->loop,
		.host = d->owner->host,
		.port = d->owner->port,
		.request = {.part = SAM_CONNECT, .id = ticket_session(t), .host = d->host, .port = d->port},
		.deadline_ns = d->deadline_ns,
	};
	d->client = sam_client_start(&how, &stream_events, d);
}

/* A destination that lost a few characters on its way here: nobody should wait for tunnels to hear that from the bridge. */
static int check_destination(const char *host, struct err *e)
{
	char b32[B32_NAME_MAX];

	if (strlen(host) <= HOST_TEXT_MAX || destination_b32(host, b32))
		return 0;
	err_set(e, ERR_INVALID,
		"i2p: %zu characters are no destination in base64: copy it whole, or use its .b32.i2p name",
		strlen(host));
	return err_code(e, "i2p_invalid_key");
}

static struct dial *i2p_dial(struct overlay *base, const struct dial_options *opt)
{
	const char *key = overlay_session_key(base, opt->isolation_key);
	struct i2p_dial *d;
	struct err e;

	if (check_destination(opt->host, &e) < 0)
		return dial_new_failed(opt, &e);
	d = xcalloc(1, sizeof(*d));
	d->owner = i2p_of(base);
	d->loop = opt->loop;
	d->host = xstrdup(opt->host);
	d->key = xstrdup(key);
	d->port = opt->port;
	d->deadline_ns = opt->deadline_ns;
	d->base.trace.resolver = "bridge";
	ask(d);
	return &d->base;
}

static void i2p_cancel(struct dial *base)
{
	struct i2p_dial *d = container_of(base, struct i2p_dial, base);

	sam_client_cancel(d->client);
	ticket_drop(d->ticket);
	dial_free(d);
}

static const char *const fields[] = {"host", "port", "session_name", "session_idle_timeout", "persistent",
	"inbound_length", "outbound_length", "inbound_quantity", "outbound_quantity", "isolate_streams", "isolation",
	NULL};

const struct overlay_driver i2p_driver = {
	.kind = "network.i2p",
	.fields = fields,
	.label = "i2p",
	.resolver = "bridge",
	.host_max = TARGET_TEXT_MAX,
	.is_lazy = true,
	.open = i2p_open,
	.dial = i2p_dial,
	.cancel = i2p_cancel,
	.close = i2p_close,
	.start = i2p_start,
	.stop = i2p_stop,
	.probe = i2p_probe,
	.cancel_probe = i2p_cancel_probe,
	.listen = i2p_listen,
	.unlisten = i2p_unlisten,
};
