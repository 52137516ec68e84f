/*
 * listen.c - being reached as an onion service: a port of ours that only Tor may come to (port.h), added at Tor over the control connection, and told once its descriptor is
 * uploaded.
 *
 * A listener's first attempt decides: when it fails, the listener fails, and whoever wanted it tries again. One that was up is mended by itself: Tor forgets services with
 * their control connection, so each new one adds them anew, under the same key. Control thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "overlay/key_file.h"
#include "overlay/tor/onion.h"
#include "overlay/tor/port.h"
#include "overlay/tor/tor.h"

enum {
	FIRST_ATTEMPTS = 6,           /* of adding a service that Tor still has from somebody else */
	PUBLISH_PATIENCE_MS = 120000, /* then people are told that it takes long */
};

/* A command under way for a listener that may be gone when the answer comes. */
struct asking {
	struct tor *tor;
	struct tor_listener *owner; /* NULL: gone */
};

struct tor_listener {
	struct listener base;
	struct tor *owner;
	struct list link; /* in owner->listeners */
	struct onion_options options;
	char *key_path;     /* NULL: the key is not kept */
	struct secret *key; /* NULL: Tor makes one */
	bool is_shut;

	struct tor_port port;  /* ours, to which Tor brings who comes */
	struct asking *asking; /* the service is being added */
	bool added, published;
	bool was_ready;
	char id[ONION_ID_LEN + 1]; /* "" = unknown */
	char trouble[OVERLAY_REASON_MAX];
	unsigned failures;       /* of adding, since it last succeeded */
	struct loop_timer timer; /* to add again, or, once added, of the patience */
};

static struct tor_listener *listener_of(struct listener *base)
{
	return container_of(base, struct tor_listener, base);
}

/* -- what people should know ------------------------------------------------------------------------ */

static void set_trouble(struct tor_listener *l, const char *text)
{
	const char *first = "";

	snprintf(l->trouble, sizeof(l->trouble), "%.*s", OVERLAY_REASON_MAX - 1, text);
	list_for_each(link, &l->owner->listeners) {
		const struct tor_listener *other = list_entry(link, struct tor_listener, link);

		if (!first[0])
			first = other->trouble;
	}
	tor_listener_trouble(l->owner, first);
}

/* -- the end ---------------------------------------------------------------------------------------- */

static void ignore_reply(void *arg, const struct control_reader *r)
{
	(void)arg;
	(void)r;
}

static void remove_service(struct tor *o, const char *id)
{
	char command[sizeof("DEL_ONION ") + ONION_ID_LEN];

	snprintf(command, sizeof(command), "DEL_ONION %.*s", ONION_ID_LEN, id);
	controller_call(o->controller, command, "DEL_ONION", ignore_reply, NULL);
}

static bool can_ask(const struct tor *o)
{
	return o->controller && controller_is_up(o->controller);
}

/* Close everything, at Tor, too. */
static void shut(struct tor_listener *l)
{
	l->is_shut = true;
	loop_timer_stop(&l->timer);
	tor_port_close(&l->port);
	if (l->asking)
		l->asking->owner = NULL;
	l->asking = NULL;
	if (l->added && can_ask(l->owner))
		remove_service(l->owner, l->id);
	l->added = l->published = false;
	set_trouble(l, "");
}

static void give_up(struct tor_listener *l, const struct err *why)
{
	struct err e = *why;

	shut(l);
	err_prefix(&e, "tor");
	listener_failed(&l->base, &e);
}

/* -- our port --------------------------------------------------------------------------------------- */

static void on_port_accept(void *arg, int fd)
{
	static const struct listen_peer anybody = {.address = "onion"};
	struct tor_listener *l = arg;

	listener_accept(&l->base, fd, &anybody);
}

static void on_port_trouble(void *arg, const char *text)
{
	set_trouble(arg, text);
}

static const struct tor_port_events port_events = {.accept = on_port_accept, .trouble = on_port_trouble};

/* -- adding the service ----------------------------------------------------------------------------- */

static void ask(struct tor_listener *l, const char *command, const char *phase, controller_reply_fn *fn)
{
	struct asking *a = xcalloc(1, sizeof(*a));

	a->tor = l->owner;
	a->owner = l;
	l->asking = a;
	controller_call(l->owner->controller, command, phase, fn, a);
}

/* The listener that asked, or NULL. */
static struct tor_listener *end_asking(struct asking *a)
{
	struct tor_listener *l = a->owner;

	if (l)
		l->asking = NULL;
	free(a);
	return l;
}

/* At first only what passes by itself is tried again. */
static void add_failed(struct tor_listener *l, const struct err *e)
{
	bool may_pass = e->code && strcmp(e->code, "tor_unspecified_error") == 0;

	l->failures++;
	if (!l->was_ready && (!may_pass || l->failures >= FIRST_ATTEMPTS)) {
		give_up(l, e);
		return;
	}
	set_trouble(l, e->text);
	loop_timer_start_ns(&l->timer, backoff_delay(&overlay_listen_retry, l->failures));
}

/* An address that would be lost with the program must not be given to anybody. */
static int keep_key(struct tor_listener *l, const char *text, struct err *e)
{
	if (!text || !onion_is_key(text)) {
		err_set(e, ERR_UNAVAILABLE, "ADD_ONION's answer has no ED25519-V3 key");
		err_retryable(e);
		return err_code(e, "tor_bad_reply");
	}
	l->key = secret_new(text, strlen(text));
	if (l->key_path && key_file_write(l->key_path, l->key, e) < 0) {
		secret_free(l->key);
		l->key = NULL;
		return err_prefix(e, "the onion service's key cannot be kept");
	}
	return 0;
}

static int take_service(struct tor_listener *l, const struct control_reader *r, struct err *e)
{
	const char *id;

	if (!control_is_ok(r))
		return control_refusal("ADD_ONION", r, e);
	id = control_find(r, "ServiceID=");
	if (!id || !onion_is_id(id)) {
		err_set(e, ERR_UNAVAILABLE, "ADD_ONION's answer has no ServiceID");
		err_retryable(e);
		return err_code(e, "tor_bad_reply");
	}
	memcpy(l->id, id, sizeof(l->id));
	l->added = true;
	return l->key ? 0 : keep_key(l, control_find(r, "PrivateKey="), e);
}

static void on_added(void *arg, const struct control_reader *r)
{
	struct tor *o = ((struct asking *)arg)->tor;
	struct tor_listener *l = end_asking(arg);
	const char *id;
	struct err e;

	if (!r)
		return; /* tor_listeners_down() follows */
	if (!l) {
		id = control_is_ok(r) ? control_find(r, "ServiceID=") : NULL;
		if (id && onion_is_id(id) && can_ask(o))
			remove_service(o, id);
		return;
	}
	if (take_service(l, r, &e) < 0) {
		if (l->added)
			give_up(l, &e);
		else
			add_failed(l, &e);
		return;
	}
	l->failures = 0;
	log_debug("overlay", "tor: the onion service is being published", LOG_STR("overlay", overlay_id(&o->base)),
		LOG_STR("name", l->base.name), LOG_STR("service", l->id));
	set_trouble(l, l->was_ready ? "the onion service is being published again" : "");
	loop_timer_start_ms(&l->timer, PUBLISH_PATIENCE_MS);
}

static void add_service(struct tor_listener *l)
{
	char target[ADDR_TEXT_MAX];
	struct buf command = BUF_INIT;

	buf_reserve(&command, 512 + (l->options.clients ? strlen(l->options.clients) : 0));
	onion_add_command(&l->options, l->key, addr_format(&l->port.bound, target), &command);
	ask(l, buf_str(&command), "ADD_ONION", on_added);
	explicit_bzero(command.mem, command.cap);
	buf_done(&command);
}

static void on_user(void *arg, const struct control_reader *r)
{
	struct tor_listener *l = end_asking(arg);
	const char *text;
	struct err e;
	char *end;
	long user;

	if (!r || !l)
		return;
	text = control_is_ok(r) ? control_find(r, "process/uid=") : NULL;
	/* No number must not read as 0, which is root. */
	user = text && text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : -1;
	if (user < 0 || user >= UINT32_MAX || *end) {
		err_set(&e, ERR_UNAVAILABLE,
			"Tor does not tell which user it runs as: nobody else may reach its onion services' port");
		err_retryable(&e);
		err_code(&e, "tor_unknown_user");
		add_failed(l, &e);
		return;
	}
	l->port.user = (uid_t)user;
	add_service(l);
}

/* The control connection stands. */
static void begin(struct tor_listener *l)
{
	struct addr local, peer;
	struct err e;

	if (!controller_ends(l->owner->controller, &local, &peer)) {
		addr_from_literal("127.0.0.1", 0, &local);
		peer = local;
	}
	if (tor_port_open(&l->port, &local, &peer, &e) < 0)
		add_failed(l, &e);
	else if (l->port.by_user)
		ask(l, "GETINFO process/uid", "GETINFO", on_user);
	else
		add_service(l);
}

static void on_timer(struct loop_timer *t)
{
	struct tor_listener *l = container_of(t, struct tor_listener, timer);

	if (l->added)
		set_trouble(l, "the onion service was added two minutes ago, but its descriptor is not uploaded yet");
	else if (can_ask(l->owner) && !l->asking)
		begin(l);
}

/* -- what the controller tells ---------------------------------------------------------------------- */

void tor_listeners_up(struct tor *o)
{
	list_for_each_safe(link, tmp, &o->listeners) {
		struct tor_listener *l = list_entry(link, struct tor_listener, link);

		loop_timer_stop(&l->timer);
		if (!l->is_shut)
			begin(l);
	}
}

void tor_listeners_down(struct tor *o, const struct err *e)
{
	list_for_each_safe(link, tmp, &o->listeners) {
		struct tor_listener *l = list_entry(link, struct tor_listener, link);

		if (l->is_shut)
			continue;
		loop_timer_stop(&l->timer);
		l->added = l->published = false;
		if (!l->was_ready) {
			shut(l);
			listener_failed(&l->base, e);
		}
	}
}

static void published(struct tor_listener *l)
{
	char address[ONION_ID_LEN + sizeof(".onion:65535")];
	bool again = l->was_ready;

	l->published = l->was_ready = true;
	loop_timer_stop(&l->timer);
	set_trouble(l, "");
	snprintf(address, sizeof(address), "%s.onion:%u", l->id, l->options.port);
	log_info("overlay", again ? "tor: onion service published again" : "tor: onion service published",
		LOG_STR("overlay", overlay_id(&l->owner->base)), LOG_STR("name", l->base.name),
		LOG_STR("address", address));
	if (again)
		return; /* under the same key: it has the same address */
	overlay_set_address(&l->owner->base, address);
	listener_ready(&l->base, address);
}

/* "HS_DESC UPLOADED <id> UNKNOWN $<directory> ...", "HS_DESC FAILED <id> NO_AUTH $<directory> ... REASON=UPLOAD_REJECTED" */
void tor_listeners_event(struct tor *o, const char *text)
{
	char action[16], id[ONION_ID_LEN + 2];

	if (sscanf(text, "HS_DESC %15s %57s", action, id) != 2)
		return;
	list_for_each_safe(link, tmp, &o->listeners) {
		struct tor_listener *l = list_entry(link, struct tor_listener, link);

		if (!l->added || l->published || strcmp(l->id, id) != 0)
			continue;
		if (strcmp(action, "UPLOADED") == 0)
			published(l);
		else if (strcmp(action, "FAILED") == 0) /* Tor goes on with the other directories, and tries again */
			log_debug("overlay", "tor: a directory did not take an onion service's descriptor",
				LOG_STR("overlay", overlay_id(&o->base)), LOG_STR("event", text));
	}
}

/* -- the driver's part ------------------------------------------------------------------------------ */

static int load_key(struct tor *o, const char *name, struct tor_listener *l, struct err *e)
{
	char *dir;
	int rc;

	if (overlay_state_path(o->base.env, "tor", name, &dir, e) < 0)
		return -1;
	l->key_path = xasprintf("%s/onion.key", dir);
	free(dir);
	rc = key_file_read(l->key_path, &l->key, e);
	if (rc == 0 && l->key && !onion_is_key(secret_reveal(l->key)))
		rc = err_set(e, ERR_INVALID,
			"'%s' holds no key of a version 3 onion service: put it back, or move it away and get a new "
			"address",
			l->key_path);
	return rc < 0 ? err_prefix(e, "tor: the onion service's key") : 0;
}

static void listener_free(struct tor_listener *l)
{
	secret_free(l->key);
	free(l->key_path);
	free(l->options.clients);
	free(l);
}

static int prepare(struct tor *o, const struct listen_options *opt, struct tor_listener *l, struct err *e)
{
	if (!o->has_control)
		return err_set(e, ERR_INVALID,
			"tor: operation not supported (onion services need Tor's control port: set control_port or "
			"control_socket): network: operation not supported by this provider");
	if (onion_options_read(opt->options, opt->port, &l->options, e) < 0)
		return err_prefix(e, "tor");
	return l->options.persistent ? load_key(o, opt->name, l, e) : 0;
}

struct listener *tor_listen(struct overlay *base, const struct listen_options *opt)
{
	struct tor *o = tor_of(base);
	struct tor_listener *l = xcalloc(1, sizeof(*l));
	struct err e;

	if (prepare(o, opt, l, &e) < 0) {
		listener_free(l);
		return listener_new_failed(opt, &e);
	}
	l->owner = o;
	loop_timer_init(&l->timer, base->env->control, on_timer);
	tor_port_init(&l->port, base->env->control, &l->base, &port_events, l);
	list_push_back(&o->listeners, &l->link);
	/* Nothing is told inside this call; without a connection the next attempt at one decides. */
	if (can_ask(o))
		loop_timer_start_ns(&l->timer, 0);
	return &l->base;
}

void tor_unlisten(struct listener *base)
{
	struct tor_listener *l = listener_of(base);
	struct tor *o = l->owner;

	shut(l);
	list_remove(&l->link);
	if (list_is_empty(&o->listeners))
		overlay_set_address(&o->base, NULL);
	listener_free(l);
}

void tor_stop_listeners(struct tor *o)
{
	list_for_each(link, &o->listeners)
		shut(list_entry(link, struct tor_listener, link));
}
