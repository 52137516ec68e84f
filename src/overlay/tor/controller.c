/*
 * controller.c - see controller.h
 */
#include "overlay/tor/controller.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/list.h"
#include "base/log.h"
#include "net/connect.h"
#include "net/socket.h"
#include "overlay/tor/auth.h"
#include "overlay/tor/cookie.h"

/* Tor is on this machine as a rule: asking it often costs nothing. */
static const struct backoff RETRY = {
	.initial_ns = UINT64_C(250000000),
	.max_ns = UINT64_C(10000000000),
	.factor = 2,
	.jitter = 0.2,
};

enum { READ_BYTES = 4096, READS_A_TURN = 64 };

/* A command that was sent, and is answered in its turn. */
struct call {
	struct list link;
	const char *phase;
	controller_reply_fn *fn;
	void *arg;
};

struct controller {
	struct controller_options opt;
	const struct controller_events *events;
	void *arg;

	struct net_connect *connect; /* while the port is being reached */
	int fd;                      /* from then on; else -1 */
	struct loop_poll *poll;
	struct auth auth; /* once there is a descriptor, until `authenticated` */
	bool authenticated;
	bool is_up;
	struct list calls; /* in flight, in their order */
	struct buf out;
	struct tor_health health;
	unsigned failures;       /* since it last stood */
	struct loop_timer timer; /* for the answer that is due, the next probe, or the next attempt */
	struct control_reader reader;
};

static void attempt(struct controller *s);

/* -- the end of a connection ------------------------------------------------------------------------ */

static void wipe_out(struct controller *s)
{
	/* Keys go this way. */
	if (s->out.mem)
		explicit_bzero(s->out.mem, s->out.cap);
	buf_done(&s->out);
}

static void drop_calls(struct controller *s)
{
	list_for_each_safe(link, tmp, &s->calls) {
		struct call *c = list_entry(link, struct call, link);

		list_remove(&c->link);
		c->fn(c->arg, NULL);
		free(c);
	}
}

static void hang_up(struct controller *s)
{
	net_connect_cancel(s->connect);
	s->connect = NULL;
	loop_timer_stop(&s->timer);
	loop_poll_free(s->poll);
	s->poll = NULL;
	if (s->fd >= 0) {
		close(s->fd);
		auth_done(&s->auth);
		control_done(&s->reader);
	}
	s->fd = -1;
	s->authenticated = s->is_up = false;
	wipe_out(s);
	drop_calls(s);
}

static void lose(struct controller *s, const struct err *why)
{
	bool was_up = s->is_up;
	struct err e = *why;

	hang_up(s);
	err_prefix(&e, "tor");
	log_debug("overlay", was_up ? "tor: the control connection was lost" : "tor: no control connection",
		LOG_STR("overlay", s->opt.overlay), LOG_STR("error", e.text));
	s->failures++;
	loop_timer_start_ns(&s->timer, backoff_delay(&RETRY, s->failures));
	s->events->down(s->arg, &e);
}

/* In the words of errors. */
static const char *phase(const struct controller *s)
{
	if (s->fd >= 0 && !s->authenticated)
		return auth_phase(&s->auth);
	if (!list_is_empty(&s->calls))
		return list_entry(s->calls.next, struct call, link)->phase;
	return "control connection";
}

static void lose_io(struct controller *s, int errnum)
{
	struct err e;

	if (errnum)
		err_set_errno(&e, ERR_UNAVAILABLE, errnum, "%s failed", phase(s));
	else
		err_set(&e, ERR_UNAVAILABLE, "%s failed: the connection was closed", phase(s));
	err_retryable(&e);
	err_code(&e, "tor_closed");
	lose(s, &e);
}

/* -- sending ---------------------------------------------------------------------------------------- */

/* A failure shows in the next turn, as an event of the descriptor. */
static bool flush(struct controller *s)
{
	int errnum = socket_send(s->fd, s->authenticated ? &s->out : &s->auth.out);

	if (errnum == 0 || errnum == EAGAIN)
		loop_poll_set(s->poll, errnum ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	return errnum == 0 || errnum == EAGAIN;
}

/* For the answer that is due, or the next probe. */
static void watch_clock(struct controller *s)
{
	loop_timer_start_ms(&s->timer, s->opt.reply_timeout_ms);
}

static void call(struct controller *s, const char *command, const char *what, controller_reply_fn *fn, void *arg)
{
	struct call *c = xcalloc(1, sizeof(*c));
	size_t len = strlen(command);
	bool was_idle = list_is_empty(&s->calls);

	assert(s->authenticated && !strpbrk(command, "\r\n"));
	c->phase = what;
	c->fn = fn;
	c->arg = arg;
	list_push_back(&s->calls, &c->link);
	if (s->out.cap - s->out.end < len + 2) {
		/* Growing by hand: what is left behind must not be a key. */
		struct buf larger = BUF_INIT;

		buf_reserve(&larger, buf_len(&s->out) + len + 2 + READ_BYTES);
		buf_add(&larger, buf_data(&s->out), buf_len(&s->out));
		wipe_out(s);
		s->out = larger;
	}
	buf_add(&s->out, command, len);
	buf_adds(&s->out, "\r\n");
	flush(s);
	if (was_idle)
		watch_clock(s);
}

void controller_call(struct controller *s, const char *command, const char *what, controller_reply_fn *fn, void *arg)
{
	assert(s->is_up);
	call(s, command, what, fn, arg);
}

/* -- what Tor says about itself --------------------------------------------------------------------- */

static void stand(struct controller *s)
{
	s->is_up = true;
	s->failures = 0;
	log_debug("overlay", "tor: the control connection stands", LOG_STR("overlay", s->opt.overlay),
		LOG_STR("version", s->health.version), LOG_INT("progress", s->health.progress));
	s->events->up(s->arg);
}

static void on_probed(void *arg, const struct control_reader *r)
{
	struct controller *s = arg;
	const char *text;
	struct err e;

	if (!r)
		return;
	if (!control_is_ok(r)) {
		control_refusal("GETINFO", r, &e);
		lose(s, &e);
		return;
	}
	text = control_find(r, "status/bootstrap-phase=");
	if (!text || !tor_health_take_bootstrap(&s->health, text)) {
		err_set(&e, ERR_UNAVAILABLE, "GETINFO's answer does not tell how far the bootstrap is");
		err_retryable(&e);
		err_code(&e, "tor_bad_reply");
		lose(s, &e);
		return;
	}
	if (s->is_up)
		s->events->health(s->arg);
	else
		stand(s);
}

static void on_subscribed(void *arg, const struct control_reader *r)
{
	struct controller *s = arg;
	struct err e;

	if (r && !control_is_ok(r)) {
		control_refusal("SETEVENTS", r, &e);
		lose(s, &e);
	}
}

static void probe(struct controller *s)
{
	call(s, "GETINFO status/bootstrap-phase", "GETINFO", on_probed, s);
}

static void on_event(struct controller *s, const char *text)
{
	if (!s->is_up)
		return; /* GETINFO is still to tell */
	if (!tor_health_is_event(text))
		s->events->event(s->arg, text);
	else if (tor_health_take_event(&s->health, text))
		s->events->health(s->arg);
}

/* -- receiving -------------------------------------------------------------------------------------- */

static void on_auth_reply(struct controller *s)
{
	switch (auth_reply(&s->auth, &s->reader)) {
	case AUTH_STEP_FAILED:
		lose(s, &s->auth.err);
		return;
	case AUTH_STEP_NEED_REPLY:
		flush(s);
		break;
	case AUTH_STEP_DONE:
		s->authenticated = true;
		s->health = (struct tor_health){0};
		snprintf(s->health.version, sizeof(s->health.version), "%s", s->auth.version);
		call(s, "SETEVENTS STATUS_CLIENT HS_DESC NETWORK_LIVENESS", "SETEVENTS", on_subscribed, s);
		probe(s);
		break;
	}
	watch_clock(s);
}

static void on_reply(struct controller *s)
{
	struct call *c;
	struct err e;

	if (control_is_event(&s->reader)) {
		on_event(s, s->reader.lines[0].text);
		return;
	}
	if (!s->authenticated) {
		on_auth_reply(s);
		return;
	}
	if (list_is_empty(&s->calls)) {
		err_set(&e, ERR_UNAVAILABLE, "Tor's control port answers what was not asked");
		err_retryable(&e);
		err_code(&e, "tor_bad_reply");
		lose(s, &e);
		return;
	}
	c = list_entry(list_pop_front(&s->calls), struct call, link);
	watch_clock(s);
	c->fn(c->arg, &s->reader);
	free(c);
}

/* False: the connection is over. */
static bool take(struct controller *s, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t taken = control_feed(&s->reader, bytes, len);

		if (s->reader.is_failed) {
			lose(s, &s->reader.err);
			return false;
		}
		bytes += taken;
		len -= taken;
		if (s->reader.is_ready) {
			on_reply(s);
			if (s->fd < 0)
				return false;
			control_next(&s->reader);
		}
	}
	return true;
}

static void on_ready(void *arg, int events)
{
	struct controller *s = arg;
	char bytes[READ_BYTES];

	(void)events; /* an error shows in send() or recv() */
	if (!flush(s)) {
		lose_io(s, errno);
		return;
	}
	for (unsigned i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);
		bool goes_on;

		if (n == 0) {
			lose_io(s, 0);
			return;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0 && errno != EINTR) {
			lose_io(s, errno);
			return;
		}
		goes_on = n < 0 || take(s, bytes, (size_t)n);
		explicit_bzero(bytes, n < 0 ? 0 : (size_t)n);
		if (!goes_on)
			return;
	}
}

/* -- attempts --------------------------------------------------------------------------------------- */

static void begin(struct controller *s, int fd)
{
	s->fd = fd;
	control_init(&s->reader);
	auth_init(&s->auth, s->opt.password, s->opt.cookie_file, cookie_read);
	s->poll = loop_poll_new(s->opt.loop, fd, LOOP_READ, on_ready, s);
	flush(s);
	watch_clock(s);
}

static void on_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct controller *s = arg;
	struct err why;

	(void)peer;
	s->connect = NULL;
	if (fd >= 0) {
		begin(s, fd);
		return;
	}
	why = *e;
	err_prefix(&why, "control port connect failed");
	lose(s, &why);
}

static void attempt(struct controller *s)
{
	struct net_connect_options how = {
		.host = s->opt.host,
		.port = s->opt.port,
		.unix_path = s->opt.socket_path,
		.deadline_ns = loop_clock_ns() + s->opt.reply_timeout_ms * UINT64_C(1000000),
	};

	s->connect = net_connect_start(s->opt.loop, &how, on_connected, s);
}

static void on_timer(struct loop_timer *t)
{
	struct controller *s = container_of(t, struct controller, timer);
	struct err e;

	if (s->fd < 0) {
		attempt(s);
	} else if (s->is_up && list_is_empty(&s->calls)) {
		probe(s);
	} else {
		err_set(&e, ERR_TIMEOUT, "%s failed: i/o timeout", phase(s));
		err_retryable(&e);
		err_code(&e, "tor_timeout");
		lose(s, &e);
	}
}

struct controller *controller_new(
	const struct controller_options *opt, const struct controller_events *events, void *arg)
{
	struct controller *s = xcalloc(1, sizeof(*s));

	s->opt = *opt;
	if (s->opt.reply_timeout_ms == 0)
		s->opt.reply_timeout_ms = CONTROLLER_TIMEOUT_MS;
	s->events = events;
	s->arg = arg;
	s->fd = -1;
	list_init(&s->calls);
	loop_timer_init(&s->timer, opt->loop, on_timer);
	/* Never inside this call. */
	loop_timer_start_ns(&s->timer, 0);
	return s;
}

void controller_free(struct controller *s)
{
	if (!s)
		return;
	hang_up(s);
	free(s);
}

bool controller_is_up(const struct controller *s)
{
	return s->is_up;
}

const struct tor_health *controller_health(const struct controller *s)
{
	assert(s->is_up);
	return &s->health;
}

bool controller_ends(const struct controller *s, struct addr *ret_local, struct addr *ret_peer)
{
	socklen_t local_len = sizeof(ret_local->in6), peer_len = sizeof(ret_peer->in6);

	assert(s->is_up);
	return !s->opt.socket_path && getsockname(s->fd, &ret_local->sa, &local_len) == 0 &&
	       getpeername(s->fd, &ret_peer->sa, &peer_len) == 0;
}
