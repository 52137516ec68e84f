/*
 * session.c - attempts, and the time between them.
 */
#include "overlay/i2p/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/log.h"
#include "overlay/i2p/client.h"

static const struct backoff RETRY = {
	.initial_ns = UINT64_C(1000000000),
	.max_ns = UINT64_C(60000000000),
	.factor = 2,
	.jitter = 0.2,
};
static const uint64_t ATTEMPT_GAP_NS = UINT64_C(1000000000);

struct session {
	struct i2p *owner;
	const struct session_events *events;
	void *arg;
	char *prefix;
	bool standing;
	bool keeps_key;
	struct secret *private_key;

	struct sam_client *client; /* of the attempt, or of the session that stands */
	bool up;
	bool broken;       /* counted in owner->nbroken */
	unsigned failures; /* since it last stood */
	uint64_t began_ns; /* the last attempt */
	char id[SAM_ID_MAX + 1];
	struct loop_timer retry;
};

/* Of the ids of this process; each prefix sees gaps, no id is used twice. The first is drawn by lot: another program with our
 * session_name may use the same bridge, and is counting, too. */
static atomic_uint next_number;
static pthread_once_t numbers_begun = PTHREAD_ONCE_INIT;

static void begin_numbers(void)
{
	unsigned lot = 0;

	/* Without luck the next attempt has another number. */
	if (getrandom(&lot, sizeof(lot), GRND_NONBLOCK) != (ssize_t)sizeof(lot))
		lot = 0;
	atomic_store(&next_number, lot % 1000000000 + 1);
}

static void set_up(struct session *s, bool up)
{
	if (s->up != up)
		s->owner->nup += up ? 1 : -1u;
	s->up = up;
}

static void set_broken(struct session *s, bool broken)
{
	if (s->broken != broken)
		s->owner->nbroken += broken ? 1 : -1u;
	s->broken = broken;
}

static void client_standing(void *arg, struct sam *m)
{
	struct session *s = arg;

	/* The next attempt is to have the same destination. */
	if (s->keeps_key && !s->private_key && m->private_key)
		s->private_key = secret_new(secret_reveal(m->private_key), secret_len(m->private_key));
	s->failures = 0;
	set_up(s, true);
	set_broken(s, false);
	log_debug("overlay", "i2p session is up", LOG_STR("overlay", overlay_id(&s->owner->base)),
		LOG_STR("session", s->id), LOG_INT("elapsed_ms", (loop_clock_ns() - s->began_ns) / 1000000));
	i2p_report(s->owner, NULL);
	s->events->up(s->arg, s, m);
}

static void has_failed(struct session *s, const struct err *e)
{
	log_debug("overlay", s->up ? "i2p session was lost" : "i2p session could not be made",
		LOG_STR("overlay", overlay_id(&s->owner->base)), LOG_STR("session", s->id), LOG_STR("error", e->text));
	set_up(s, false);
	/* One that nobody has to wait for is not missed: the next dial makes another. */
	set_broken(s, s->standing);
	s->failures++;
	if (s->standing)
		loop_timer_start_ns(&s->retry, backoff_delay(&RETRY, s->failures));
	i2p_report(s->owner, e);
	s->events->down(s->arg, s, e);
}

static void client_over(void *arg, int fd, uint64_t connected_ns, struct sam *m, const struct err *e)
{
	struct session *s = arg;

	(void)fd;
	(void)connected_ns;
	(void)m;
	s->client = NULL;
	has_failed(s, e);
}

static const struct sam_client_events client_events = {.standing = client_standing, .done = client_over};

static void attempt(struct session *s)
{
	struct sam_client_options how = {
		.loop = s->owner->base.env->control,
		.host = s->owner->host,
		.port = s->owner->port,
		.request = {.part = SAM_SESSION,
			.id = s->id,
			.keeps_key = s->keeps_key,
			.private_key = s->private_key,
			.options = s->owner->options},
	};

	loop_timer_stop(&s->retry);
	pthread_once(&numbers_begun, begin_numbers);
	snprintf(s->id, sizeof(s->id), "%s-%u", s->prefix, atomic_fetch_add(&next_number, 1));
	s->began_ns = loop_clock_ns();
	s->client = sam_client_start(&how, &client_events, s);
	i2p_report(s->owner, NULL);
}

static void on_retry(struct loop_timer *t)
{
	attempt(container_of(t, struct session, retry));
}

struct session *session_new(struct i2p *o, const char *prefix, bool standing, bool keeps_key,
	struct secret *private_key, const struct session_events *events, void *arg)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->owner = o;
	s->prefix = xstrdup(prefix);
	s->standing = standing;
	s->keeps_key = keeps_key || private_key;
	s->private_key = private_key;
	s->events = events;
	s->arg = arg;
	loop_timer_init(&s->retry, o->base.env->control, on_retry);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	loop_timer_stop(&s->retry);
	sam_client_cancel(s->client);
	set_up(s, false);
	set_broken(s, false);
	secret_free(s->private_key);
	free(s->prefix);
	free(s);
}

void session_want(struct session *s)
{
	uint64_t now = loop_clock_ns(), soon = s->began_ns + ATTEMPT_GAP_NS;

	if (s->client)
		return;
	if (s->began_ns == 0 || now >= soon)
		attempt(s);
	else if (!loop_timer_is_armed(&s->retry) || s->retry.due_ns > soon)
		loop_timer_start_at(&s->retry, soon);
}

bool session_is_up(const struct session *s)
{
	return s->up;
}

const char *session_id(const struct session *s)
{
	return s->id;
}

void session_lost(struct session *s, const char *id, const struct err *e)
{
	if (!s->up || strcmp(s->id, id) != 0)
		return;
	sam_client_cancel(s->client);
	s->client = NULL;
	has_failed(s, e);
}
