/*
 * listen.c - the gate for listeners: what is refused for all drivers, and what a listener may still be told.
 *
 * A listener belongs to the control thread. The gate keeps the promises of overlay.h whatever a driver does: nothing is told inside overlay_listen(), nothing after
 * `failed` or overlay_unlisten(), and an overlay that stops takes its listeners along. A driver in turn never loses a listener inside one of its own calls to
 * listener_*(): a callback that unlistens has it done in a later turn.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "overlay/gate.h"

const struct backoff overlay_listen_retry = {
	.initial_ns = UINT64_C(250000000),
	.max_ns = UINT64_C(15000000000),
	.factor = 2,
	.jitter = 0.2,
};

/* -- telling -------------------------------------------------------------------------------------- */

static void check_thread(const struct listener *l)
{
	/* Without an overlay the driver's listen() has not returned yet. */
	assert(l->overlay && loop_is_mine(l->overlay->env->control));
	(void)l;
}

void listener_ready(struct listener *l, const char *address)
{
	check_thread(l);
	if (l->is_over)
		return;
	pthread_mutex_lock(&l->overlay->gate.status_lock);
	free(l->address);
	l->address = xstrdup(address);
	pthread_mutex_unlock(&l->overlay->gate.status_lock);
	l->telling++;
	l->cb.ready(l->arg, address);
	l->telling--;
}

void listener_accept(struct listener *l, int fd, const struct listen_peer *peer)
{
	check_thread(l);
	if (l->is_over) {
		close(fd);
		return;
	}
	l->telling++;
	l->cb.accept(l->arg, fd, peer);
	l->telling--;
}

/* Nobody reaches it any more. */
static void forget_address(struct listener *l)
{
	pthread_mutex_lock(&l->overlay->gate.status_lock);
	free(l->address);
	l->address = NULL;
	pthread_mutex_unlock(&l->overlay->gate.status_lock);
}

void listener_failed(struct listener *l, const struct err *e)
{
	check_thread(l);
	if (l->is_over)
		return;
	l->is_over = true;
	forget_address(l);
	log_debug("overlay", "listener failed", LOG_STR("overlay", overlay_id(l->overlay)), LOG_STR("name", l->name),
		LOG_STR("kind", err_kind_name(e->kind)), LOG_STR("error", e->text));
	l->telling++;
	l->cb.failed(l->arg, e);
	l->telling--;
}

/* -- a listener that has failed already ----------------------------------------------------------- */

struct failed_listener {
	struct listener base;
	struct loop_timer timer;
	struct err why;
};

static void failed_fire(struct loop_timer *t)
{
	struct failed_listener *f = container_of(t, struct failed_listener, timer);

	listener_failed(&f->base, &f->why);
}

static void failed_unlisten(struct listener *l)
{
	struct failed_listener *f = container_of(l, struct failed_listener, base);

	loop_timer_stop(&f->timer);
	free(f);
}

static const struct overlay_driver failed_driver = {.label = "failed", .unlisten = failed_unlisten};

struct listener *listener_new_failed(const struct listen_options *opt, const struct err *e)
{
	struct failed_listener *f = xcalloc(1, sizeof(*f));

	f->base.driver = &failed_driver;
	f->why = *e;
	loop_timer_init(&f->timer, opt->overlay->env->control, failed_fire);
	loop_timer_start_ns(&f->timer, 0);
	return &f->base;
}

/* -- the gate ------------------------------------------------------------------------------------- */

struct value *gate_describe_listeners(struct overlay *o)
{
	struct value *list = value_list();

	pthread_mutex_lock(&o->gate.status_lock);
	list_for_each(link, &o->gate.listeners) {
		const struct listener *l = list_entry(link, struct listener, link);
		struct value *v;

		if (!l->address)
			continue;
		v = value_map();
		value_map_set(v, "service", value_cstring(l->name));
		value_map_set(v, "address", value_cstring(l->address));
		value_list_append(list, v);
	}
	pthread_mutex_unlock(&o->gate.status_lock);
	return list;
}

bool overlay_can_listen_tls(const struct overlay *o)
{
	return o->driver->listen && o->driver->issues_tls;
}

static int check_options(const struct listen_options *opt, struct err *e)
{
	const struct overlay_driver *drv = opt->overlay->driver;

	/* The driver's TLS first: asked of one that cannot listen at all, this is what is wrong with the configuration. */
	if (opt->tls && !overlay_can_listen_tls(opt->overlay)) {
		err_set(e, ERR_INVALID, "network driver does not support auto TLS: %s", opt->overlay->id);
		return err_code(e, "no_auto_tls");
	}
	if (!drv->listen)
		return err_set(e, ERR_INVALID,
			"%s: operation not supported (%s): network: operation not supported by this provider",
			drv->label, drv->no_listen ? drv->no_listen : "inbound listeners are not offered");
	if (atomic_load(&opt->overlay->gate.stopped)) {
		err_set(e, ERR_UNAVAILABLE, "%s: the overlay was stopped", drv->label);
		return err_retryable(e);
	}
	return 0;
}

/* In a later turn: the overlay has gone from under it, or a callback of its own wanted it closed. */
static void on_later(struct loop_timer *t)
{
	struct listener *l = container_of(t, struct listener, later);
	struct err e;

	if (l->is_closing) {
		l->is_closing = false;
		overlay_unlisten(l);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE, "%s: the overlay was stopped", l->overlay->driver->label);
	err_retryable(&e);
	err_code(&e, "overlay_stopped");
	listener_failed(l, &e);
}

struct listener *overlay_listen(const struct listen_options *opt, const struct listen_callbacks *cb, void *arg)
{
	struct overlay *o = opt->overlay;
	struct listener *l;
	struct err e;

	assert(o && opt->name && cb->ready && cb->accept && cb->failed);
	assert(loop_is_mine(o->env->control));
	if (check_options(opt, &e) < 0)
		l = listener_new_failed(opt, &e);
	else
		l = o->driver->listen(o, opt);
	if (!l->driver) /* else it has failed already */
		l->driver = o->driver;
	l->overlay = overlay_ref(o);
	l->name = xstrdup(opt->name);
	l->cb = *cb;
	l->arg = arg;
	loop_timer_init(&l->later, o->env->control, on_later);
	pthread_mutex_lock(&o->gate.status_lock);
	list_push_back(&o->gate.listeners, &l->link);
	pthread_mutex_unlock(&o->gate.status_lock);
	atomic_fetch_add_explicit(&o->gate.nlisteners, 1, memory_order_relaxed);
	return l;
}

static void close_listener(struct listener *l)
{
	struct overlay *o = l->overlay;
	char *name = l->name;

	loop_timer_stop(&l->later);
	pthread_mutex_lock(&o->gate.status_lock);
	list_remove(&l->link);
	pthread_mutex_unlock(&o->gate.status_lock);
	atomic_fetch_sub_explicit(&o->gate.nlisteners, 1, memory_order_relaxed);
	l->driver->unlisten(l);
	free(name);
	overlay_unref(o);
}

void overlay_unlisten(struct listener *l)
{
	if (!l)
		return;
	check_thread(l);
	assert(!l->is_closing);
	l->is_over = true;
	forget_address(l);
	if (l->telling == 0) {
		close_listener(l);
		return;
	}
	l->is_closing = true;
	loop_timer_start_ns(&l->later, 0);
}

void gate_fail_listeners(struct overlay *o)
{
	/* The last listener may hold the last reference. */
	overlay_ref(o);
	list_for_each_safe(link, tmp, &o->gate.listeners) {
		struct listener *l = list_entry(link, struct listener, link);

		if (l->is_closing)
			close_listener(l);
		else if (!l->is_over)
			loop_timer_start_ns(&l->later, 0);
	}
	overlay_unref(o);
}
