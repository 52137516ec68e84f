/*
 * dial.c - the gate: every connection the program opens begins here.
 *
 * It checks the target once for all drivers, keeps names that belong to an overlay away from the system's resolver, and
 * hands the dial either to the overlay's driver or, when no overlay was chosen, to net/connect.h. There is no third
 * way: a failure is reported and that is the end of the dial.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "net/connect.h"
#include "overlay/destination.h"
#include "overlay/driver.h"
#include "overlay/gate.h"

/* -- reporting ------------------------------------------------------------------------------------ */

static void log_failure(const struct dial *d, const struct err *e)
{
	log_debug("overlay", "dial failed", LOG_STR("overlay", d->overlay ? overlay_id(d->overlay) : "direct"),
		LOG_STR("kind", err_kind_name(e->kind)), LOG_STR("code", e->code ? e->code : ""),
		LOG_STR("error", e->text), LOG_INT("elapsed_ms", (loop_clock_ns() - d->trace.begun_ns) / 1000000));
}

void dial_report(struct dial *d, int fd, const struct err *e)
{
	struct overlay *o = d->overlay;

	assert(loop_is_mine(d->loop));
	if (o)
		gate_dial_over(o, fd >= 0 ? DIAL_CONNECTED : DIAL_FAILED);
	if (fd >= 0) {
		d->trace.ready_ns = loop_clock_ns();
		if (!d->overlay)
			d->trace.ready_ns = d->trace.connected_ns;
	} else {
		log_failure(d, e);
	}
	d->done(d->arg, fd, &d->trace, fd >= 0 ? NULL : e);
	d->overlay = NULL;
	overlay_unref(o);
}

/* -- a dial that has failed already --------------------------------------------------------------- */

struct failed_dial {
	struct dial base;
	struct loop_timer timer;
	struct err why;
};

static void failed_fire(struct loop_timer *t)
{
	struct failed_dial *f = container_of(t, struct failed_dial, timer);

	dial_report(&f->base, -1, &f->why);
	free(f);
}

static void failed_cancel(struct dial *d)
{
	struct failed_dial *f = container_of(d, struct failed_dial, base);

	loop_timer_stop(&f->timer);
	free(f);
}

static const struct overlay_driver failed_driver = {.label = "failed", .cancel = failed_cancel};

struct dial *dial_new_failed(const struct dial_options *opt, const struct err *e)
{
	struct failed_dial *f = xcalloc(1, sizeof(*f));

	f->base.driver = &failed_driver;
	f->why = *e;
	loop_timer_init(&f->timer, opt->loop, failed_fire);
	loop_timer_start_ns(&f->timer, 0);
	return &f->base;
}

/* -- the clear network ---------------------------------------------------------------------------- */

struct clear_dial {
	struct dial base;
	struct net_connect *connect;
};

static void clear_connected(void *arg, int fd, const struct addr *peer, const struct err *e)
{
	struct clear_dial *c = arg;

	(void)peer;
	if (fd >= 0)
		c->base.trace.connected_ns = loop_clock_ns();
	dial_report(&c->base, fd, e);
	free(c);
}

static struct dial *clear_dial(const struct dial_options *opt)
{
	struct net_connect_options how = {
		.host = opt->host,
		.port = opt->port,
		.deadline_ns = opt->deadline_ns,
		.judge = opt->judge,
		.judge_arg = opt->judge_arg,
	};
	char b32[B32_NAME_MAX];
	bool is_destination = destination_b32(opt->host, b32);
	struct clear_dial *c;
	struct addr a;
	struct err e;

	if (is_destination || host_is_overlay_only(opt->host)) {
		err_set(&e, ERR_INVALID,
			"'%s' cannot be reached over the clear network: choose an overlay for it "
			"(nothing was looked up)",
			is_destination ? b32 : opt->host);
		err_code(&e, "overlay_only_host");
		return dial_new_failed(opt, &e);
	}
	c = xcalloc(1, sizeof(*c));
	c->base.trace.resolver = addr_from_literal(opt->host, opt->port, &a) ? "none" : "system";
	c->connect = net_connect_start(opt->loop, &how, clear_connected, c);
	return &c->base;
}

static void clear_cancel(struct dial *d)
{
	struct clear_dial *c = container_of(d, struct clear_dial, base);

	net_connect_cancel(c->connect);
	free(c);
}

/* -- the gate ------------------------------------------------------------------------------------- */

/* Names go into the protocols of proxies and bridges as they are, so nothing that could end a line, a field or a host
 * part passes. International names come in their ASCII form. */
static int check_host(const char *host, size_t max, struct err *e)
{
	struct addr a;
	size_t len = strnlen(host, max + 1);

	if (len == 0)
		return err_set(e, ERR_INVALID, "cannot dial: the host is empty");
	if (len > max)
		return err_set(e, ERR_INVALID, "cannot dial '%.40s...': the host has more than %zu bytes", host, max);
	for (size_t i = 0; i < len; i++) {
		if (host[i] <= ' ' || host[i] >= 0x7f)
			return err_set(e, ERR_INVALID,
				"cannot dial '%.*s': only visible ASCII characters can be in a host name; "
				"write an international name in its xn-- form",
				HOST_TEXT_MAX, host);
	}
	if (strpbrk(host, ":/\\[]@?#%\"") && !addr_from_literal(host, 1, &a))
		return err_set(e, ERR_INVALID, "cannot dial '%.*s': this is neither a host name nor an IP address",
			HOST_TEXT_MAX, host);
	return 0;
}

static size_t host_max(const struct dial_options *opt)
{
	char b32[B32_NAME_MAX];

	if (opt->overlay)
		return opt->overlay->driver->host_max ? opt->overlay->driver->host_max : HOST_TEXT_MAX;
	/* One that belongs to I2P is refused as such. */
	return destination_b32(opt->host, b32) ? TARGET_TEXT_MAX : HOST_TEXT_MAX;
}

/* Whoever found an overlay just before it was replaced may come late. */
static int check_overlay(const struct overlay *o, struct err *e)
{
	if (!o || !atomic_load(&o->gate.stopped))
		return 0;
	err_set(e, ERR_UNAVAILABLE, "the overlay network '%.256s' was replaced or removed", o->id);
	err_retryable(e);
	return err_code(e, "overlay_replaced");
}

static int check_target(const struct dial_options *opt, struct err *e)
{
	char target[ENDPOINT_TEXT_MAX];

	if (check_host(opt->host, host_max(opt), e) < 0)
		return err_code(e, "bad_target");
	if (opt->port == 0) {
		err_set(e, ERR_INVALID, "cannot dial '%s': port number out of range 0", opt->host);
		return err_code(e, "bad_target");
	}
	if (loop_clock_ns() >= opt->deadline_ns) {
		err_set(e, ERR_TIMEOUT, "dial tcp %s: i/o timeout: the deadline had passed before the dial began",
			endpoint_format(opt->host, opt->port, target));
		err_retryable(e);
		return err_code(e, "connect_timeout");
	}
	return 0;
}

struct dial *overlay_dial(const struct dial_options *opt, dial_done_fn *done, void *arg)
{
	struct dial_options checked = *opt;
	uint64_t begun_ns = loop_clock_ns();
	struct overlay *o = opt->overlay;
	struct dial *d;
	struct err e;

	assert(opt->loop && opt->host && opt->deadline_ns > 0 && done);
	assert(loop_is_mine(opt->loop));
	if (!checked.isolation_key)
		checked.isolation_key = "";
	assert(strlen(checked.isolation_key) < ISOLATION_KEY_MAX);

	if (check_target(&checked, &e) < 0 || check_overlay(o, &e) < 0) {
		d = dial_new_failed(&checked, &e);
	} else if (!o) {
		d = clear_dial(&checked);
	} else {
		d = o->driver->dial(o, &checked);
		if (!d->driver) /* else it has failed already */
			d->driver = o->driver;
	}
	d->overlay = overlay_ref(o);
	if (o)
		gate_dial_begins(o);
	d->loop = opt->loop;
	d->done = done;
	d->arg = arg;
	d->trace.begun_ns = begun_ns;
	if (!d->trace.resolver)
		d->trace.resolver = "none";
	return d;
}

void dial_cancel(struct dial *d)
{
	struct overlay *o;

	if (!d)
		return;
	assert(loop_is_mine(d->loop));
	o = d->overlay;
	if (o)
		gate_dial_over(o, DIAL_CANCELED);
	if (d->driver)
		d->driver->cancel(d);
	else
		clear_cancel(d);
	overlay_unref(o);
}
