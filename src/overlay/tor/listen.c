/*
 * listen.c - being reached as an onion service: a port of ours that only Tor may come to, added at Tor over the control connection, and told once its descriptor is uploaded.
 *
 * Tor runs as another user as a rule and cannot reach a socket file in a directory of ours, so the port is TCP: on the address from which we reach the control port, for
 * connections of Tor's user (on this machine) or from Tor's address (elsewhere) only. Loopback is open to all users of a machine, and who comes past Tor would also come
 * past its client authorisation.
 *
 * A listener's first attempt decides: when it fails, the listener fails, and whoever wanted it tries again. One that was up is mended by itself: Tor forgets services with
 * their control connection, so each new one adds them anew, under the same key. Control thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "net/socket_owner.h"
#include "overlay/key_file.h"
#include "overlay/tor/onion.h"
#include "overlay/tor/tor.h"

enum {
	BACKLOG = 128,
	ACCEPTS_A_TURN = 32,
	ACCEPT_PAUSE_MS = 100,
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

	/* Our port; fd -1: none yet. Who may come: */
	int fd;
	struct loop_poll *poll;
	struct addr bound;
	bool by_user; /* Tor is on this machine: who runs as ... */
	uid_t user;
	struct addr source; /* else: who comes from this address */
	struct loop_timer accept_again;

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

	snprintf(l->trouble, sizeof(l->trouble), "%s", text);
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

static void close_port(struct tor_listener *l)
{
	loop_timer_stop(&l->accept_again);
	loop_poll_free(l->poll);
	l->poll = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
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
	close_port(l);
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

static bool may_come(struct tor_listener *l, int fd, const struct addr *peer)
{
	socklen_t len = sizeof(struct sockaddr_in6);
	char text[ADDR_TEXT_MAX];
	struct addr local;
	struct err e;
	uid_t user;

	if (!l->by_user) {
		if (addr_is_same_ip(peer, &l->source))
			return true;
		log_warn("overlay", "tor: somebody else than Tor came to the port of an onion service, and was refused",
			LOG_STR("overlay", overlay_id(&l->owner->base)), LOG_STR("peer", addr_format(peer, text)));
		return false;
	}
	if (getsockname(fd, &local.sa, &len) < 0)
		return false; /* it is gone */
	if (socket_owner(peer, &local, &user, &e) < 0) {
		if (e.kind != ERR_NOT_FOUND) {
			log_warn("overlay", "tor: a connection is refused: who made it is not known",
				LOG_STR("overlay", overlay_id(&l->owner->base)), LOG_STR("error", e.text));
			set_trouble(l, e.text);
		}
		return false;
	}
	if (user == l->user)
		return true;
	log_warn("overlay",
		"tor: a local user who does not run Tor came to the port of an onion service, and was refused",
		LOG_STR("overlay", overlay_id(&l->owner->base)), LOG_STR("name", l->base.name), LOG_INT("user", user));
	return false;
}

static void accept_again(struct loop_timer *t)
{
	struct tor_listener *l = container_of(t, struct tor_listener, accept_again);

	loop_poll_set(l->poll, LOOP_READ);
}

static void on_connection(void *arg, int events)
{
	static const struct listen_peer anybody = {.address = "onion"};
	struct tor_listener *l = arg;

	(void)events;
	/* A callback may end us: then there is no port any more. */
	for (unsigned i = 0; i < ACCEPTS_A_TURN && l->fd >= 0; i++) {
		struct addr peer;
		socklen_t len = sizeof(peer.in6);
		int fd = accept4(l->fd, &peer.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			loop_poll_set(l->poll, 0);
			loop_timer_start_ms(&l->accept_again, ACCEPT_PAUSE_MS);
			return;
		}
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd < 0)
			continue; /* that one was gone before it was taken */
		if (!may_come(l, fd, &peer)) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		listener_accept(&l->base, fd, &anybody);
	}
}

static int open_port(struct tor_listener *l, const struct addr *local, struct err *e)
{
	socklen_t len = sizeof(l->bound.in6);

	if (l->fd >= 0 && addr_is_same_ip(&l->bound, local))
		return 0;
	close_port(l);
	l->bound = *local;
	if (l->bound.sa.sa_family == AF_INET)
		l->bound.in4.sin_port = 0;
	else
		l->bound.in6.sin6_port = 0;
	l->fd = socket(l->bound.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || bind(l->fd, &l->bound.sa, addr_len(&l->bound)) < 0 || listen(l->fd, BACKLOG) < 0 ||
		getsockname(l->fd, &l->bound.sa, &len) < 0) {
		err_set_errno(e, ERR_UNAVAILABLE, errno, "no port for Tor to come to");
		close_port(l);
		return err_retryable(e);
	}
	l->poll = loop_poll_new(l->owner->base.env->control, l->fd, LOOP_READ, on_connection, l);
	return 0;
}

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
	onion_add_command(&l->options, l->key, addr_format(&l->bound, target), &command);
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
	l->user = (uid_t)user;
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
	l->by_user = addr_is_same_ip(&local, &peer);
	l->source = peer;
	if (open_port(l, &local, &e) < 0)
		add_failed(l, &e);
	else if (l->by_user)
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
	l->fd = -1;
	loop_timer_init(&l->timer, base->env->control, on_timer);
	loop_timer_init(&l->accept_again, base->env->control, accept_again);
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
