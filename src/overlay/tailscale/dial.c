/*
 * dial.c - a dial through the tailnet: the SOCKS5 client towards the sidecar, its refusals put into words.
 *
 * The name travels to the sidecar as it is; the sidecar waits until the node runs, decides whether the target is on the tailnet before anything is sent or looked up, and dials.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "overlay/socks5/client.h"
#include "overlay/tailscale/tailscale.h"

struct tailscale_dial {
	struct dial base;
	struct socks5_client *client;
	char target[ENDPOINT_TEXT_MAX];
};

/* The codes of sidecar/socks.go. */
static const struct refusal {
	uint8_t reply;
	bool again;
	enum err_kind kind;
	const char *code;
	const char *text;
} refusals[] = {
	{0x04, true, ERR_UNAVAILABLE, "tailscale_unreachable", "the peer is not reachable"},
	{0x05, true, ERR_UNAVAILABLE, "tailscale_refused", "connection refused"},
	{0x06, true, ERR_TIMEOUT, "tailscale_timeout", "i/o timeout: the peer does not answer"},
	{0xe0, false, ERR_PERMISSION_DENIED, "tailscale_not_on_tailnet",
		"this is not on the tailnet, in none of its routes, and no exit node is in use (nothing was sent or "
		"looked up; `strict: false` dials it from this machine)"},
	{0xe1, false, ERR_UNAVAILABLE, "tailscale_no_such_host", "no such host on the tailnet"},
};

static int fail(struct err *e, enum err_kind kind, bool again, const char *code, const char *text)
{
	err_set(e, kind, "%s", text);
	if (again)
		err_retryable(e);
	return err_code(e, code);
}

static int fail_down(struct err *e, const struct overlay_status *status, const char *otherwise)
{
	err_set(e, ERR_UNAVAILABLE, "the node is down: %s", status->reason[0] ? status->reason : otherwise);
	err_retryable(e);
	return err_code(e, "tailscale_down");
}

/* What the client met, in terms of the tailnet: that there is a SOCKS5 server in between is of no use to people. */
static void translate(
	struct overlay *o, const struct socks5_client_result *result, const struct err *why, struct err *e)
{
	struct overlay_status status;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *r = &refusals[i];

		if (result->reply == r->reply) {
			fail(e, r->kind, r->again, r->code, r->text);
			return;
		}
	}
	overlay_get_status(o, &status);
	if (why->kind == ERR_TIMEOUT && (status.state == OVERLAY_READY || status.state == OVERLAY_DEGRADED)) {
		fail(e, ERR_TIMEOUT, true, "tailscale_timeout", "i/o timeout");
	} else if (why->kind == ERR_TIMEOUT) {
		err_set(e, ERR_TIMEOUT, "i/o timeout while the node was not running%s%s", status.reason[0] ? ": " : "",
			status.reason);
		err_retryable(e);
		err_code(e, "tailscale_timeout");
	} else if (result->reply == 0x01) {
		fail(e, ERR_UNAVAILABLE, true, "tailscale_failed", "the sidecar failed");
	} else if (result->reply == 0 || result->reply == 0xe2) {
		/* It went away in the middle, or says that the node does not run: the state tells why, perhaps a moment later. */
		if (status.state != OVERLAY_DOWN)
			status.reason[0] = '\0';
		fail_down(e, &status, result->reply == 0 ? "the sidecar ended" : "the sidecar does not say why");
	} else {
		err_set(e, ERR_UNAVAILABLE, "%s", result->why);
		err_code(e, "tailscale_failed");
	}
}

static void client_done(void *arg, const struct socks5_client_result *result, const struct err *why)
{
	struct tailscale_dial *d = arg;
	struct err e;

	d->client = NULL;
	d->base.trace.connected_ns = result->connected_ns;
	if (result->fd < 0) {
		translate(d->base.overlay, result, why, &e);
		err_prefix(&e, "tailscale connect tcp %s", d->target);
	}
	dial_report(&d->base, result->fd, &e);
	free(d);
}

static struct dial *fail_at_once(const struct dial_options *opt, const struct overlay_status *status)
{
	char target[ENDPOINT_TEXT_MAX];
	struct err e;

	fail_down(&e, status, "it is not started");
	err_prefix(&e, "tailscale connect tcp %s", endpoint_format(opt->host, opt->port, target));
	return dial_new_failed(opt, &e);
}

struct dial *tailscale_dial(struct overlay *o, const struct dial_options *opt)
{
	struct tailscale *t = container_of(o, struct tailscale, base);
	unsigned port = atomic_load_explicit(&t->socks_port, memory_order_acquire);
	struct overlay_status status;
	struct tailscale_dial *d;
	struct addr a;

	overlay_get_status(o, &status);
	if (port == 0 || status.state == OVERLAY_DOWN)
		return fail_at_once(opt, &status);
	d = xcalloc(1, sizeof(*d));
	endpoint_format(opt->host, opt->port, d->target);
	d->base.trace.resolver = addr_from_literal(opt->host, opt->port, &a) ? "none" : "tailnet";
	d->client = socks5_client_start(
		&(struct socks5_client_options){
			.loop = opt->loop,
			.proxy_host = "127.0.0.1",
			.proxy_port = (uint16_t)port,
			.host = opt->host,
			.port = opt->port,
			.username = secret_reveal(t->user),
			.password = secret_reveal(t->password),
			.deadline_ns = opt->deadline_ns,
		},
		client_done, d);
	return &d->base;
}

void tailscale_cancel(struct dial *base)
{
	struct tailscale_dial *d = container_of(base, struct tailscale_dial, base);

	socks5_client_cancel(d->client);
	free(d);
}
