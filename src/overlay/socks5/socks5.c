/*
 * socks5.c - the driver of `network.socks5`: a generic SOCKS5 proxy, Tor's SocksPort above all.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "overlay/socks5/proxy.h"

struct socks5 {
	struct overlay base;
	struct socks5_proxy proxy;
};

static void socks5_close(struct overlay *o)
{
	struct socks5 *s = container_of(o, struct socks5, base);

	socks5_proxy_done(&s->proxy);
	free(s);
}

static int socks5_open(const struct value *data, struct overlay **ret_overlay, struct err *e)
{
	struct socks5 *s = xcalloc(1, sizeof(*s));

	if (socks5_proxy_read(&s->proxy, data, &s->base, e) < 0 ||
		overlay_read_secret(data, "username", &s->proxy.username, e) < 0 ||
		overlay_read_secret(data, "password", &s->proxy.password, e) < 0) {
		socks5_close(&s->base);
		return -1;
	}
	*ret_overlay = &s->base;
	return 0;
}

/* There is no session to watch: what dials meet is all that is known about the proxy. */
static void socks5_met(struct overlay *o, enum overlay_state state, bool serves, const char *reason)
{
	(void)serves;
	overlay_set_state(o, state, "%s", reason);
}

static struct dial *socks5_dial(struct overlay *o, const struct dial_options *opt)
{
	struct socks5 *s = container_of(o, struct socks5, base);

	return socks5_proxy_dial(&s->proxy, o, opt, socks5_met);
}

static struct probe *socks5_probe(struct overlay *o, const struct probe_options *opt)
{
	struct socks5 *s = container_of(o, struct socks5, base);

	return socks5_proxy_probe(&s->proxy, o, opt, socks5_met);
}

static const char *const fields[] = {"host", "port", "username", "isolate_streams", "isolation", NULL};
static const char *const secret_fields[] = {"password", NULL};

const struct overlay_driver socks5_driver = {
	.kind = "network.socks5",
	.label = "socks5",
	.resolver = "proxy",
	.host_max = TARGET_TEXT_MAX, /* and refuses what a SOCKS5 request cannot carry */
	.fields = fields,
	.secret_fields = secret_fields,
	.open = socks5_open,
	.dial = socks5_dial,
	.cancel = socks5_proxy_cancel,
	.close = socks5_close,
	.probe = socks5_probe,
	.cancel_probe = socks5_proxy_cancel_probe,
	.no_listen = "inbound listeners are not exposed over SOCKS5",
};
