/*
 * driver.c - the driver of `network.tor`: a Tor client's SOCKS port for dials, its control port for listeners and for knowing how it is.
 *
 * Dials go through the SOCKS port with credentials of their own, as those of `network.socks5` do. The control port is optional: without it the state tells what dials
 * meet, and nothing can listen.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "overlay/tor/auth.h"
#include "overlay/tor/tor.h"

enum { UNIX_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

/* -- the entry ------------------------------------------------------------------------------------ */

/* An absolute path; "" as if it were not there. */
static int read_path(const struct value *data, const char *key, size_t max, char **ret, struct err *e)
{
	const struct value *v = value_get(data, key);
	const char *path = "";
	size_t len = 0;

	if (value_read_string(data, key, &path, e) < 0)
		return err_prefix(e, "failed to unmarshal config");
	if (path[0] == '\0')
		return 0;
	(void)value_get_string(v, &len);
	if (path[0] != '/' || len > max || strlen(path) != len)
		return overlay_bad_field(data, key, e, "give an absolute path that is not too long");
	*ret = xstrdup(path);
	return 0;
}

static int read_socks(const struct value *data, struct tor *o, struct err *e)
{
	if (read_path(data, "socks_socket", UNIX_PATH_MAX, &o->proxy.socket_path, e) < 0)
		return -1;
	if (o->proxy.socket_path && (value_get(data, "host") || value_get(data, "port")))
		return overlay_bad_field(data, "socks_socket", e, "give either it or host and port");
	return socks5_proxy_read(&o->proxy, data, &o->base, e);
}

/* overlay_read_endpoint() for fields of another name: its words are about `host` and `port`. */
static int read_control_endpoint(const struct value *data, struct tor *o, struct err *e)
{
	const struct value *host = value_get(data, "control_host"), *port = value_get(data, "control_port");
	struct value *renamed;
	int rc;

	if (!host && !port)
		return 0;
	if (o->control_socket)
		return overlay_bad_field(data, "control_socket", e, "give either it or control_host and control_port");
	if (!port)
		return err_set(
			e, ERR_INVALID, "invalid configuration: network: control_port is required with control_host");
	renamed = value_map();
	/* Tor's two ports are on one machine as a rule. */
	value_map_set(renamed, "host",
		host ? value_ref((struct value *)host)
		     : value_cstring(o->proxy.socket_path ? "127.0.0.1" : o->proxy.host));
	value_map_set(renamed, "port", value_ref((struct value *)port));
	rc = overlay_read_endpoint(renamed, o->control_host, &o->control_port, e);
	value_unref(renamed);
	if (rc < 0)
		return err_prefix(e, "control_host and control_port");
	o->has_control = true;
	return 0;
}

static int read_control(const struct value *data, struct tor *o, struct err *e)
{
	if (read_path(data, "control_socket", UNIX_PATH_MAX, &o->control_socket, e) < 0 ||
		read_path(data, "cookie_file", COOKIE_PATH_MAX, &o->cookie_file, e) < 0 ||
		overlay_read_secret(data, "control_password", &o->control_password, e) < 0 ||
		read_control_endpoint(data, o, e) < 0)
		return -1;
	if (o->control_socket)
		o->has_control = true;
	if (secret_len(o->control_password) > CONTROL_PASSWORD_MAX)
		return overlay_bad_field(data, "control_password", e, "it has more than 1024 bytes");
	if (o->control_password && o->cookie_file)
		return overlay_bad_field(data, "cookie_file", e, "give either it or control_password");
	if (!o->has_control && (o->control_password || o->cookie_file))
		return overlay_bad_field(data, o->control_password ? "control_password" : "cookie_file", e,
			"it is for the control port: set control_port or control_socket, too");
	return 0;
}

static void tor_close(struct overlay *base)
{
	struct tor *o = tor_of(base);

	assert(!o->controller && list_is_empty(&o->listeners));
	socks5_proxy_done(&o->proxy);
	secret_free(o->control_password);
	free(o->control_socket);
	free(o->cookie_file);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static int tor_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct tor *o = xcalloc(1, sizeof(*o));

	list_init(&o->listeners);
	pthread_mutex_init(&o->lock, NULL);
	if (read_socks(data, o, e) < 0 || read_control(data, o, e) < 0)
		goto fail;
	o->base.is_quiet = !o->has_control;
	*ret_overlay = &o->base;
	return 0;
fail:
	tor_close(&o->base);
	return -1;
}

/* -- the state ------------------------------------------------------------------------------------ */

/* Under the lock, which comes before the gate's. */
static void report_standing(struct tor *o)
{
	const struct tor_health *h = &o->view.health;

	if (h->progress < 100)
		overlay_set_state(&o->base, o->view.was_ready ? OVERLAY_DEGRADED : OVERLAY_STARTING,
			"Tor is bootstrapping%s: %u%%%s%s", o->view.was_ready ? " again" : "", h->progress,
			h->summary[0] ? ": " : "", h->summary);
	else if (o->view.socks != OVERLAY_STARTING && o->view.socks != OVERLAY_READY)
		overlay_set_state(&o->base, OVERLAY_DEGRADED, "%s", o->view.socks_trouble);
	else if (h->network_is_down)
		overlay_set_state(&o->base, OVERLAY_DEGRADED, "Tor says that the network is down");
	else if (o->view.listener_trouble[0])
		overlay_set_state(&o->base, OVERLAY_DEGRADED, "%s", o->view.listener_trouble);
	else
		overlay_set_state(&o->base, OVERLAY_READY, NULL);
	if (h->progress == 100)
		o->view.was_ready = true;
}

static void report(struct tor *o)
{
	switch (o->view.control) {
	case CONTROL_CONNECTING:
		if (o->view.socks == OVERLAY_STARTING)
			overlay_set_state(&o->base, OVERLAY_STARTING, "connecting to Tor's control port");
		break;
	case CONTROL_STANDING:
		report_standing(o);
		break;
	case CONTROL_LOST:
		if (o->view.socks_serves)
			overlay_set_state(&o->base, OVERLAY_DEGRADED, "%s", o->view.control_trouble);
		else
			overlay_set_state(&o->base, OVERLAY_DOWN, "%s", o->view.control_trouble);
		break;
	}
}

static void copy_text(char out[static OVERLAY_REASON_MAX], const char *text)
{
	snprintf(out, OVERLAY_REASON_MAX, "%.*s", OVERLAY_REASON_MAX - 1, text);
}

/* On a worker. */
static void tor_met(struct overlay *base, enum overlay_state state, bool serves, const char *reason)
{
	struct tor *o = tor_of(base);

	if (!o->has_control) {
		overlay_set_state(base, state, "%s", reason);
		return;
	}
	if (state == OVERLAY_READY && atomic_load(&o->socks_works))
		return;
	pthread_mutex_lock(&o->lock);
	o->view.socks = state;
	o->view.socks_serves = serves;
	copy_text(o->view.socks_trouble, reason);
	atomic_store(&o->socks_works, state == OVERLAY_READY);
	report(o);
	pthread_mutex_unlock(&o->lock);
}

void tor_listener_trouble(struct tor *o, const char *trouble)
{
	pthread_mutex_lock(&o->lock);
	if (strcmp(o->view.listener_trouble, trouble) != 0) {
		copy_text(o->view.listener_trouble, trouble);
		report(o);
	}
	pthread_mutex_unlock(&o->lock);
}

/* -- the controller ------------------------------------------------------------------------------- */

static void on_health(void *arg)
{
	struct tor *o = arg;

	pthread_mutex_lock(&o->lock);
	o->view.control = CONTROL_STANDING;
	o->view.health = *controller_health(o->controller);
	report(o);
	pthread_mutex_unlock(&o->lock);
}

static void on_up(void *arg)
{
	struct tor *o = arg;

	/* A SOCKS port that was gone with all of Tor is back as a rule. */
	pthread_mutex_lock(&o->lock);
	if (o->view.control == CONTROL_LOST && !o->view.socks_serves)
		o->view.socks = OVERLAY_STARTING;
	pthread_mutex_unlock(&o->lock);
	on_health(arg);
	tor_listeners_up(arg);
}

static void on_down(void *arg, const struct err *e)
{
	struct tor *o = arg;

	pthread_mutex_lock(&o->lock);
	/* Was it only the control port, or all of Tor? The next dial will tell. */
	if (o->view.control == CONTROL_STANDING) {
		o->view.socks = OVERLAY_STARTING;
		o->view.socks_serves = false;
		atomic_store(&o->socks_works, false);
	}
	o->view.control = CONTROL_LOST;
	copy_text(o->view.control_trouble, e->text);
	report(o);
	pthread_mutex_unlock(&o->lock);
	tor_listeners_down(o, e);
}

static void on_event(void *arg, const char *text)
{
	tor_listeners_event(arg, text);
}

static const struct controller_events controller_events = {
	.up = on_up, .down = on_down, .health = on_health, .event = on_event};

static int tor_start(struct overlay *base, struct err *e)
{
	struct tor *o = tor_of(base);
	struct controller_options opt = {
		.loop = base->env->control,
		.overlay = base->id,
		.host = o->control_host,
		.port = o->control_port,
		.socket_path = o->control_socket,
		.password = o->control_password,
		.cookie_file = o->cookie_file,
	};

	(void)e;
	if (!o->has_control)
		return 0;
	o->controller = controller_new(&opt, &controller_events, o);
	pthread_mutex_lock(&o->lock);
	report(o);
	pthread_mutex_unlock(&o->lock);
	return 0;
}

static void tor_stop(struct overlay *base)
{
	struct tor *o = tor_of(base);

	tor_stop_listeners(o);
	controller_free(o->controller);
	o->controller = NULL;
}

/* -- dialling ------------------------------------------------------------------------------------- */

static struct dial *tor_dial(struct overlay *base, const struct dial_options *opt)
{
	return socks5_proxy_dial(&tor_of(base)->proxy, base, opt, tor_met);
}

/* Of the SOCKS port; the control port's part is the state. */
static struct probe *tor_probe(struct overlay *base, const struct probe_options *opt)
{
	return socks5_proxy_probe(&tor_of(base)->proxy, base, opt, tor_met);
}

static const char *const fields[] = {"host", "port", "socks_socket", "control_host", "control_port", "control_socket",
	"cookie_file", "isolate_streams", "isolation", NULL};
static const char *const secret_fields[] = {"control_password", NULL};

const struct overlay_driver tor_driver = {
	.kind = "network.tor",
	.label = "tor",
	.resolver = "proxy",
	.host_max = TARGET_TEXT_MAX, /* and refuses what a SOCKS5 request cannot carry */
	.fields = fields,
	.secret_fields = secret_fields,
	.open = tor_open,
	.dial = tor_dial,
	.cancel = socks5_proxy_cancel,
	.close = tor_close,
	.start = tor_start,
	.stop = tor_stop,
	.probe = tor_probe,
	.cancel_probe = socks5_proxy_cancel_probe,
	.listen = tor_listen,
	.unlisten = tor_unlisten,
};
