/*
 * schedule_listen.h - the side of a random schedule that is reached: services with their listeners, and the visitors that the peers send. Control thread.
 */
#ifndef SCHEDULE_LISTEN_H
#define SCHEDULE_LISTEN_H

#include "schedule_world.h"

enum { SERVICES = 2, VISITS_MAX = 1024, GUEST_MS = 5000 };

struct service {
	struct world *world;
	const char *name;
	uint16_t port;
	struct listener *listener; /* NULL: none */
	uint64_t generation;       /* of the instance on which it listens */
	bool inside, is_over, proved;
	char address[OVERLAY_REASON_MAX]; /* "" = not ready */
	unsigned readies, failures, visits;
};

/* A connection that came to a service. */
struct guest {
	struct list link;
	struct service *service;
	int fd;
	struct loop_poll *poll;
	struct loop_timer timer;
	struct buf in;
};

struct visitors {
	struct service services[SERVICES];
	struct list guests;
	/* Who was sent to whom, and whether they came. */
	const struct service *to[VISITS_MAX];
	bool came[VISITS_MAX];
	unsigned nvisits;
};

static struct visitors visitors;

/* -- guests ------------------------------------------------------------------------------------------- */

static void guest_end(struct guest *g)
{
	list_remove(&g->link);
	loop_poll_free(g->poll);
	loop_timer_stop(&g->timer);
	close(g->fd);
	buf_done(&g->in);
	free(g);
}

static void guest_on_timer(struct loop_timer *t)
{
	guest_end(container_of(t, struct guest, timer));
}

static void guest_on_readable(void *arg, int events)
{
	struct guest *g = arg;
	struct service *s = g->service;
	unsigned number;
	char bytes[256];
	ssize_t n = recv(g->fd, bytes, sizeof(bytes), 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		buf_add(&g->in, bytes, (size_t)n);
	if (n > 0 && !memchr(buf_data(&g->in), '\n', buf_len(&g->in))) {
		CHECK(strncmp(buf_str(&g->in), "VISIT ", buf_len(&g->in) < 6 ? buf_len(&g->in) : 6) == 0,
			"a stream to '%s' begins with '%s'", s->name, buf_str(&g->in));
		return;
	}
	if (n > 0) {
		CHECK(sscanf(buf_str(&g->in), "VISIT %u", &number) == 1 && number < visitors.nvisits,
			"a stream to '%s' begins with '%s'", s->name, buf_str(&g->in));
		CHECK(visitors.to[number] == s, "a visitor of '%s' came to '%s'", visitors.to[number]->name, s->name);
		CHECK(!visitors.came[number], "a visitor came twice");
		visitors.came[number] = true;
		s->visits++;
		s->proved = true;
		(void)!send(g->fd, "SEEN\n", 5, MSG_NOSIGNAL);
	}
	guest_end(g);
}

/* -- what listeners tell ------------------------------------------------------------------------------ */

static void check_callback(const struct service *s)
{
	CHECK(s->listener, "a listener of '%s' tells something after it was closed", s->name);
	CHECK(!s->inside, "a listener of '%s' tells something inside of a call", s->name);
	CHECK(!s->is_over, "a listener of '%s' tells something after it failed", s->name);
	CHECK(loop_is_mine(s->world->loop), "a listener of '%s' tells something on another thread", s->name);
}

static void service_unlisten(struct service *s)
{
	struct listener *l = s->listener;

	s->listener = NULL;
	s->address[0] = '\0';
	overlay_unlisten(l);
}

static void service_ready(void *arg, const char *address)
{
	struct service *s = arg;

	check_callback(s);
	check_sentence("a listener's address", address);
	snprintf(s->address, sizeof(s->address), "%s", address);
	s->readies++;
	if (below(&s->world->chance, 12) == 0)
		service_unlisten(s);
}

static void service_accept(void *arg, int fd, const struct listen_peer *peer)
{
	struct service *s = arg;
	struct guest *g = xcalloc(1, sizeof(*g));

	check_callback(s);
	CHECK(fd >= 0, "a visitor without a connection");
	check_sentence("a visitor's address", peer->address);
	g->service = s;
	g->fd = fd;
	g->poll = loop_poll_new(s->world->loop, fd, LOOP_READ, guest_on_readable, g);
	loop_timer_init(&g->timer, s->world->loop, guest_on_timer);
	loop_timer_start_ms(&g->timer, GUEST_MS);
	list_push_back(&visitors.guests, &g->link);
	if (below(&s->world->chance, 20) == 0)
		service_unlisten(s);
}

static void service_failed(void *arg, const struct err *e)
{
	struct service *s = arg;

	check_callback(s);
	check_sentence("a listener's error", e->text);
	s->is_over = true;
	s->failures++;
	if (below(&s->world->chance, 2))
		service_unlisten(s);
}

/* -- steps -------------------------------------------------------------------------------------------- */

static void service_listen(struct service *s)
{
	static const struct listen_callbacks cb = {service_ready, service_accept, service_failed};
	struct overlay *o = overlay_set_get(s->world->set, "app:net");
	struct listen_options opt = {.overlay = o, .name = s->name, .port = s->port};

	if (!o)
		return;
	s->is_over = s->proved = false;
	s->generation = overlay_generation(o);
	s->inside = true;
	s->listener = overlay_listen(&opt, &cb, s);
	s->inside = false;
	overlay_unref(o);
}

static bool service_visit(struct service *s)
{
	struct world *w = s->world;
	unsigned peer = PEERS, number = visitors.nvisits;
	char text[32];
	bool sent;

	for (unsigned i = 0; i < w->ninstances; i++) {
		if (w->instances[i].generation == s->generation)
			peer = w->instances[i].peer;
	}
	if (!s->address[0] || peer == PEERS || number == VISITS_MAX)
		return false;
	visitors.to[number] = s;
	visitors.came[number] = false;
	visitors.nvisits++;
	snprintf(text, sizeof(text), "VISIT %u\n", number);
	is_peer = true;
	sent = w->protocol->visit(&w->peers[peer], s->name, s->address, text);
	is_peer = false;
	return sent;
}

static void services_init(struct world *w)
{
	static const char *const names[SERVICES] = {"app:web", "app:api"};

	visitors.nvisits = 0;
	list_init(&visitors.guests);
	for (unsigned i = 0; i < SERVICES; i++)
		visitors.services[i] = (struct service){.world = w, .name = names[i], .port = (uint16_t)(8080 + i)};
}

static void services_step(struct world *w)
{
	struct service *s = &visitors.services[below(&w->chance, SERVICES)];

	if (!s->listener)
		service_listen(s);
	else if (below(&w->chance, 3) == 0)
		service_unlisten(s);
	else
		service_visit(s);
}

static void services_end_guests(void)
{
	while (!list_is_empty(&visitors.guests))
		guest_end(list_entry(visitors.guests.next, struct guest, link));
}

#endif
