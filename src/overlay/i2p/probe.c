/*
 * probe.c - is there a SAM bridge?
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "overlay/i2p/client.h"
#include "overlay/i2p/i2p.h"

struct i2p_probe {
	struct probe base;
	struct sam_client *client;
	uint64_t begun_ns;
};

static void on_done(void *arg, int fd, uint64_t connected_ns, struct sam *m, const struct err *e)
{
	struct i2p_probe *p = arg;
	struct probe_result r = {0};

	if (fd >= 0)
		close(fd);
	if (connected_ns)
		r.connect_ns = connected_ns - p->begun_ns;
	if (!e) {
		r.handshake_ns = loop_clock_ns() - connected_ns;
		snprintf(r.method, sizeof(r.method), "SAM %u.%u", m->version / 100, m->version % 100);
	}
	probe_report(&p->base, &r, e);
	free(p);
}

static const struct sam_client_events events = {.done = on_done};

struct probe *i2p_probe(struct overlay *base, const struct probe_options *opt)
{
	const struct i2p *o = i2p_of(base);
	struct i2p_probe *p = xcalloc(1, sizeof(*p));
	struct sam_client_options how = {
		.loop = opt->loop,
		.host = o->host,
		.port = o->port,
		.request = {.part = SAM_PROBE, .id = ""},
		.deadline_ns = opt->deadline_ns,
	};

	p->begun_ns = loop_clock_ns();
	p->client = sam_client_start(&how, &events, p);
	return &p->base;
}

void i2p_cancel_probe(struct probe *base)
{
	struct i2p_probe *p = container_of(base, struct i2p_probe, base);

	sam_client_cancel(p->client);
	free(p);
}
