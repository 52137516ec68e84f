/*
 * listen.c - listeners on the tailnet: asked of the sidecar by number, again after each of its starts.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "overlay/tailscale/tailscale.h"

struct tailscale_listener {
	struct listener base;
	struct list link;
	uint64_t id;
	uint16_t port;
	bool tls;
};

static void ask(struct tailscale *t, const struct tailscale_listener *l)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "{\"op\":\"listen\",\"id\":%llu,\"port\":%u,\"tls\":%s}", (unsigned long long)l->id, l->port,
		l->tls ? "true" : "false");
	sidecar_send(t->sidecar, buf_str(&line));
	buf_done(&line);
}

static struct tailscale_listener *find(struct tailscale *t, uint64_t id)
{
	list_for_each(i, &t->listeners) {
		struct tailscale_listener *l = list_entry(i, struct tailscale_listener, link);

		if (l->id == id)
			return l;
	}
	return NULL;
}

struct listener *tailscale_listen(struct overlay *o, const struct listen_options *opt)
{
	struct tailscale *t = container_of(o, struct tailscale, base);
	struct tailscale_listener *l;
	struct err e;

	list_for_each(i, &t->listeners) {
		if (opt->port != 0 && list_entry(i, struct tailscale_listener, link)->port == opt->port) {
			err_set(&e, ERR_INTERNAL,
				"tailscale: listener already open for port %u of this node: choose another port",
				opt->port);
			return listener_new_failed(opt, &e);
		}
	}
	l = xcalloc(1, sizeof(*l));
	l->id = ++t->last_id;
	l->port = opt->port;
	l->tls = opt->tls;
	list_push_back(&t->listeners, &l->link);
	if (t->sidecar)
		ask(t, l);
	return &l->base;
}

void tailscale_unlisten(struct listener *base)
{
	struct tailscale_listener *l = container_of(base, struct tailscale_listener, base);
	struct tailscale *t = container_of(base->overlay, struct tailscale, base);

	if (t->sidecar) {
		struct buf line = BUF_INIT;

		buf_addf(&line, "{\"op\":\"unlisten\",\"id\":%llu}", (unsigned long long)l->id);
		sidecar_send(t->sidecar, buf_str(&line));
		buf_done(&line);
	}
	list_remove(&l->link);
	free(l);
}

void tailscale_listen_again(struct tailscale *t)
{
	list_for_each(i, &t->listeners)
		ask(t, list_entry(i, struct tailscale_listener, link));
}

void tailscale_listen_event(struct tailscale *t, const struct sidecar_event *ev)
{
	struct tailscale_listener *l = find(t, ev->id);
	struct err e;

	if (!l)
		return; /* closed meanwhile */
	if (ev->type == SIDECAR_LISTENING) {
		listener_ready(&l->base, ev->address);
		return;
	}
	err_set(&e, ev->again ? ERR_UNAVAILABLE : ERR_INTERNAL, "tailscale: %s", ev->text);
	if (ev->again)
		err_retryable(&e);
	listener_failed(&l->base, &e);
}

void tailscale_accepted(struct tailscale *t, int fd, const struct sidecar_notice *notice)
{
	struct tailscale_listener *l = find(t, notice->id);

	if (!l) {
		close(fd);
		return;
	}
	listener_accept(&l->base, fd,
		&(struct listen_peer){.address = notice->peer, .identity = notice->identity, .is_tls = notice->is_tls});
}
