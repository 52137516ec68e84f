/*
 * schedule_dials.h - the side of a random schedule that dials: on the control thread's loop, or as a worker on one of its own. Each stream that comes of a dial tells its
 * target a number that only it has.
 */
#ifndef SCHEDULE_DIALS_H
#define SCHEDULE_DIALS_H

#include "schedule_world.h"

enum { ATTEMPTS = 10, DIAL_SLACK_MS = 25, BULK_BYTES = 30000 };

struct dialler;

/* One dial, and the stream that came of it. */
struct attempt {
	struct dialler *dialler;
	struct dial *dial; /* NULL: none, or over */
	bool inside, is_probe;
	uint64_t deadline_ns, generation;
	char host[HOST_TEXT_MAX + 1];
	unsigned number;
	/* The stream; fd -1: none. */
	int fd;
	struct loop_poll *poll;
	struct loop_timer timer;
	struct buf want; /* what is still to come */
	bool told;       /* the number was said */
};

struct dialler {
	struct world *world;
	struct loop *loop;
	struct chance chance;
	struct loop_timer stepper;
	struct attempt attempts[ATTEMPTS];
	unsigned dials, connected, failed, canceled, streams;
	atomic_bool heals;           /* only probes from now on */
	atomic_bool ends;            /* no more dials; what is under way ends by itself */
	atomic_uint_fast64_t proved; /* generation of the instance through which a probe came and went; 0: none yet */
	atomic_uint open;            /* dials */
};

/* -- the stream --------------------------------------------------------------------------------------- */

static void stream_close(struct attempt *a)
{
	if (a->fd < 0)
		return;
	loop_poll_free(a->poll);
	a->poll = NULL;
	loop_timer_stop(&a->timer);
	close(a->fd);
	a->fd = -1;
	buf_done(&a->want);
}

static void stream_on_timer(struct loop_timer *t)
{
	stream_close(container_of(t, struct attempt, timer));
}

static void stream_say(struct attempt *a, const char *text, size_t len)
{
	/* A stream that was cut is noticed when it is read; what does not fit at once is not what this is about. */
	ssize_t n = send(a->fd, text, len, MSG_NOSIGNAL);

	if (n > 0 && (size_t)n < len)
		stream_close(a);
}

/* All that was wanted has come. */
static void stream_goes_on(struct attempt *a)
{
	struct dialler *d = a->dialler;
	char text[64], *bulk;

	if (!a->told) {
		snprintf(text, sizeof(text), "NUMBER %u\n", a->number);
		a->told = true;
		buf_addf(&a->want, "ECHO %u\n", a->number);
		stream_say(a, text, strlen(text));
		return;
	}
	d->streams++;
	if (a->is_probe) {
		atomic_store(&d->proved, a->generation);
		stream_close(a);
		return;
	}
	switch (below(&d->chance, 3)) {
	case 0:
		stream_close(a);
		break;
	case 1: /* idle, for a while */
		break;
	case 2:
		bulk = xcalloc(1, BULK_BYTES);
		memset(bulk, 'a' + (int)below(&d->chance, 26), BULK_BYTES);
		buf_add(&a->want, bulk, BULK_BYTES);
		stream_say(a, bulk, BULK_BYTES);
		free(bulk);
		break;
	}
}

static void stream_on_readable(void *arg, int events)
{
	struct attempt *a = arg;
	char bytes[4096];
	ssize_t n = recv(a->fd, bytes, sizeof(bytes), 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		stream_close(a);
		return;
	}
	CHECK((size_t)n <= buf_len(&a->want) && memcmp(bytes, buf_data(&a->want), (size_t)n) == 0,
		"the stream to '%s' has bytes that its target did not send: '%.*s' in place of '%.*s'", a->host, (int)n,
		bytes, (int)buf_len(&a->want), buf_data(&a->want));
	buf_consume(&a->want, (size_t)n);
	if (buf_len(&a->want) == 0)
		stream_goes_on(a);
}

static void stream_open(struct attempt *a, int fd)
{
	a->fd = fd;
	a->told = false;
	buf_addf(&a->want, "HELLO %s\n", a->host);
	loop_timer_start_ms(&a->timer, a->is_probe ? 5000 : 1 + some_ms(&a->dialler->chance, 60000));
	a->poll = loop_poll_new(a->dialler->loop, fd, LOOP_READ, stream_on_readable, a);
}

/* -- dials -------------------------------------------------------------------------------------------- */

static void attempt_done(void *arg, int fd, const struct dial_trace *trace, const struct err *e)
{
	struct attempt *a = arg;
	struct dialler *d = a->dialler;
	uint64_t now = loop_clock_ns();

	CHECK(a->dial, "a dial reports that was over or called off");
	CHECK(!a->inside, "a dial reports inside of overlay_dial()");
	CHECK(loop_is_mine(d->loop), "a dial reports on another thread");
	CHECK((fd >= 0) == (e == NULL), "a dial has both a descriptor and an error, or neither");
	CHECK(now <= a->deadline_ns + DIAL_SLACK_MS * UINT64_C(1000000), "a dial ended %llu ms after its deadline",
		(unsigned long long)(now - a->deadline_ns) / 1000000);
	CHECK(trace->begun_ns > 0 && trace->begun_ns <= now, "a dial's begin is not known");
	CHECK(trace->resolver && strcmp(trace->resolver, "system") != 0, "the system resolved a name");
	a->dial = NULL;
	atomic_fetch_sub(&d->open, 1);
	if (fd < 0) {
		d->failed++;
		check_sentence("a dial's error", e->text);
		CHECK(e->code && e->code[0], "a dial's error has no code: %s", e->text);
		return;
	}
	d->connected++;
	CHECK(trace->ready_ns >= trace->connected_ns && trace->connected_ns >= trace->begun_ns, "times out of order");
	stream_open(a, fd);
}

static void attempt_cancel(struct attempt *a)
{
	if (!a || !a->dial)
		return;
	dial_cancel(a->dial);
	a->dial = NULL;
	a->dialler->canceled++;
	atomic_fetch_sub(&a->dialler->open, 1);
}

static void choose_target(struct dialler *d, struct attempt *a, uint16_t *port)
{
	const char *const *hosts = d->world->protocol->hosts;
	unsigned n = 0, which;

	while (hosts[n])
		n++;
	which = below(&d->chance, n + (d->world->protocol->dials_literals ? 2 : 0));
	*port = (uint16_t)(1 + below(&d->chance, 65535));
	if (which >= n)
		*port = d->world->trap_port;
	snprintf(a->host, sizeof(a->host), "%s", which < n ? hosts[which] : "127.0.0.1");
}

/* Registers the number with which the stream will come. */
static bool take_number(
	struct dialler *d, struct attempt *a, struct overlay *o, uint16_t port, const char *isolation_key)
{
	const char *key = overlay_session_key(o, isolation_key);
	struct world *w = d->world;
	struct nonce *n;
	unsigned peer = 0;

	pthread_mutex_lock(&w->lock);
	if (w->nnonces == NONCES_MAX) {
		pthread_mutex_unlock(&w->lock);
		return false;
	}
	for (unsigned i = 0; i < w->ninstances; i++) {
		if (w->instances[i].generation == overlay_generation(o))
			peer = w->instances[i].peer;
	}
	a->number = w->nnonces++;
	n = &w->nonces[a->number];
	*n = (struct nonce){.port = port, .peer = peer, .alone = !key, .generation = overlay_generation(o)};
	snprintf(n->host, sizeof(n->host), "%.127s", a->host);
	snprintf(n->key, sizeof(n->key), "%s", key ? key : "");
	pthread_mutex_unlock(&w->lock);
	return true;
}

static struct attempt *free_attempt(struct dialler *d)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (!d->attempts[i].dial && d->attempts[i].fd < 0)
			return &d->attempts[i];
	}
	return NULL;
}

/* One under way, of chance; NULL: none. */
static struct attempt *any_dial(struct dialler *d)
{
	unsigned first = below(&d->chance, ATTEMPTS);

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (d->attempts[(first + i) % ATTEMPTS].dial)
			return &d->attempts[(first + i) % ATTEMPTS];
	}
	return NULL;
}

static void dialler_dial(struct dialler *d, bool is_probe)
{
	struct attempt *a = free_attempt(d);
	struct overlay *o = overlay_set_get(d->world->set, "app:net");
	char key[ISOLATION_KEY_MAX];
	struct dial_options opt;
	uint16_t port;
	uint64_t ms = is_probe ? 20000 : 1 + some_ms(&d->chance, 60000);

	if (!a || !o)
		goto out;
	choose_target(d, a, &port);
	overlay_isolation_key(o, 1 + below(&d->chance, 3), a->host, key);
	if (!take_number(d, a, o, port, key))
		goto out;
	a->is_probe = is_probe;
	a->generation = overlay_generation(o);
	a->deadline_ns = loop_clock_ns() + ms * 1000000;
	opt = (struct dial_options){
		.loop = d->loop,
		.overlay = o,
		.host = a->host,
		.port = port,
		.deadline_ns = a->deadline_ns,
		.isolation_key = key,
	};
	d->dials++;
	atomic_fetch_add(&d->open, 1);
	a->inside = true;
	a->dial = overlay_dial(&opt, attempt_done, a);
	a->inside = false;
out:
	overlay_unref(o); /* the dial has its own */
}

/* -- steps -------------------------------------------------------------------------------------------- */

static void dialler_step(struct loop_timer *t)
{
	struct dialler *d = container_of(t, struct dialler, stepper);

	if (atomic_load(&d->ends))
		return;
	if (atomic_load(&d->heals)) {
		dialler_dial(d, true);
		loop_timer_start_ms(t, 1000);
		return;
	}
	if (below(&d->chance, 4))
		dialler_dial(d, false);
	else
		attempt_cancel(any_dial(d));
	/* Now and then at once: then the next step may call off what has just begun. */
	loop_timer_start_ms(t, below(&d->chance, 3) ? some_ms(&d->chance, 5000) : 0);
}

static void dialler_init(struct dialler *d, struct world *w, struct loop *loop)
{
	*d = (struct dialler){.world = w, .loop = loop, .chance = {.state = w->seed ^ UINT64_C(0xd1a1)}};
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		d->attempts[i] = (struct attempt){.dialler = d, .fd = -1};
		loop_timer_init(&d->attempts[i].timer, loop, stream_on_timer);
	}
	loop_timer_init(&d->stepper, loop, dialler_step);
	loop_timer_start_ms(&d->stepper, 0);
}

/* All of its own; every other dial that is still under way is called off, the others are waited for by whoever runs the loop. */
static void dialler_wind_down(struct dialler *d)
{
	atomic_store(&d->ends, true);
	loop_timer_stop(&d->stepper);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		stream_close(&d->attempts[i]);
		if (i % 2)
			attempt_cancel(&d->attempts[i]);
	}
}

static void dialler_done(struct dialler *d)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		CHECK(!d->attempts[i].dial, "a dial is left over");
		stream_close(&d->attempts[i]);
	}
}

#endif
