/*
 * i2p_bridge.h - a scripted SAM bridge in threads of its own, on loopback: does what a bridge does, but for what a test tells it
 * to do wrong.
 *
 * A test program includes cmocka.h, overlay_test.h and this.
 */
#ifndef I2P_BRIDGE_H
#define I2P_BRIDGE_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "overlay_test.h"

enum phase {
	PHASE_NONE,
	PHASE_HELLO,
	PHASE_GENERATE,
	PHASE_CREATE,
	PHASE_LOOKUP,
	PHASE_CONNECT,
	PHASE_ACCEPT,
	PHASE_PEER
};
enum wrong { DO_RIGHT, DO_CUT, DO_RESET, DO_STALL, DO_GARBAGE, DO_REFUSE, DO_ENDLESS };

enum { BRIDGE_CONNECTIONS_MAX = 4096, PRIV_LEN = 600, PUB_LEN = 516 };

struct bridge_connection {
	struct bridge *b;
	pthread_t thread;
	int fd;
	bool used;
	char id[128]; /* of the session it stands for; "" = none */
	char priv[PRIV_LEN + 1];
	bool accepts;
};

struct bridge {
	pthread_mutex_t lock;
	pthread_t thread;
	int listener;
	uint16_t port;
	/* What to do wrong: on `phase`, from connection number `from` on. */
	enum phase phase;
	enum wrong wrong;
	unsigned from;
	const char *refusal;
	const char *version;
	bool drips;
	bool one_accept; /* a bridge that takes no second accept for a session */
	unsigned forget; /* so many STREAM CONNECT are answered INVALID_ID, and the session is ended */
	/* What happened. */
	unsigned connections, creates, connects, accepts, generated;
	struct buf heard; /* every line */
	struct bridge_connection all[BRIDGE_CONNECTIONS_MAX];
};

static void bridge_say(struct bridge_connection *c, const char *text)
{
	size_t len = strlen(text), piece = c->b->drips ? 1 : len;

	for (size_t i = 0; i < len; i += piece) {
		if (send(c->fd, text + i, piece, MSG_NOSIGNAL) < 0)
			return;
		if (c->b->drips)
			usleep(200);
	}
}

static bool bridge_read_line(struct bridge_connection *c, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		ssize_t n = recv(c->fd, line + len, 1, 0);

		if (n <= 0)
			return false;
		if (line[len] == '\n') {
			line[len] = '\0';
			pthread_mutex_lock(&c->b->lock);
			buf_adds(&c->b->heard, line);
			buf_addc(&c->b->heard, '\n');
			pthread_mutex_unlock(&c->b->lock);
			return true;
		}
		len++;
	}
	return false;
}

static enum phase bridge_phase(const char *line)
{
	static const struct {
		const char *begins;
		enum phase phase;
	} phases[] = {
		{"HELLO ", PHASE_HELLO},
		{"DEST GENERATE", PHASE_GENERATE},
		{"SESSION CREATE ", PHASE_CREATE},
		{"NAMING LOOKUP ", PHASE_LOOKUP},
		{"STREAM CONNECT ", PHASE_CONNECT},
		{"STREAM ACCEPT ", PHASE_ACCEPT},
	};

	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		if (strncmp(line, phases[i].begins, strlen(phases[i].begins)) == 0)
			return phases[i].phase;
	}
	return PHASE_NONE;
}

static void bridge_word(const char *line, const char *key, char *out, size_t size)
{
	const char *p = strstr(line, key);
	size_t len = p ? strcspn(p + strlen(key), " ") : 0;

	snprintf(out, size, "%.*s", (int)len, p ? p + strlen(key) : "");
}

/* Nobody else says anything to the client until it goes away. */
static void bridge_wait_for_end(struct bridge_connection *c)
{
	char byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		;
}

static bool bridge_do_wrong(struct bridge_connection *c, enum wrong wrong)
{
	struct linger reset = {.l_onoff = 1};

	switch (wrong) {
	case DO_RIGHT:
		return false;
	case DO_CUT:
		break;
	case DO_RESET:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		break;
	case DO_STALL:
		bridge_wait_for_end(c);
		break;
	case DO_GARBAGE:
		bridge_say(c, "\x01\x02garbage\xff\n");
		bridge_wait_for_end(c);
		break;
	case DO_REFUSE:
		bridge_say(c, c->b->refusal);
		break;
	case DO_ENDLESS:
		for (unsigned i = 0; i < 4096; i++)
			bridge_say(c, "xxxxxxxxxxxxxxxx");
		bridge_wait_for_end(c);
		break;
	}
	return true;
}

/* A standing session with this id? Under the lock. */
static struct bridge_connection *bridge_session(struct bridge *b, const char *id)
{
	for (unsigned i = 0; i < b->connections; i++) {
		if (b->all[i].used && b->all[i].id[0] && strcmp(b->all[i].id, id) == 0)
			return &b->all[i];
	}
	return NULL;
}

/* The answer to `line`; "" for none, NULL to end. malloc'd. */
static char *bridge_answer(struct bridge_connection *c, enum phase phase, const char *line)
{
	struct bridge *b = c->b;
	struct bridge_connection *session;
	char id[128], *answer = NULL;

	pthread_mutex_lock(&b->lock);
	bridge_word(line, " ID=", id, sizeof(id));
	switch (phase) {
	case PHASE_HELLO:
		answer = xasprintf("HELLO REPLY RESULT=OK VERSION=%s\n", b->version ? b->version : "3.1");
		break;
	case PHASE_GENERATE:
		memset(c->priv, 'A', PRIV_LEN);
		id[0] = (char)('B' + b->generated++ % 20);
		c->priv[0] = id[0];
		answer = xasprintf("DEST REPLY PUB=%.*s PRIV=%s\n", PUB_LEN, c->priv, c->priv);
		break;
	case PHASE_CREATE:
		b->creates++;
		if (bridge_session(b, id)) {
			answer = xstrdup("SESSION STATUS RESULT=DUPLICATED_ID\n");
			break;
		}
		if (!strstr(line, "DESTINATION=TRANSIENT"))
			bridge_word(line, "DESTINATION=", c->priv, sizeof(c->priv));
		strcpy(c->id, id);
		answer = xasprintf("SESSION STATUS RESULT=OK DESTINATION=%s\n", c->priv[0] ? c->priv : "AAAA");
		break;
	case PHASE_LOOKUP:
		answer = xasprintf("NAMING REPLY RESULT=OK NAME=ME VALUE=%.*s\n", PUB_LEN, c->priv);
		break;
	case PHASE_CONNECT:
		b->connects++;
		session = bridge_session(b, id);
		if (session && b->forget > 0) {
			b->forget--;
			session->id[0] = '\0';
			session = NULL;
		}
		answer = xstrdup(session ? "STREAM STATUS RESULT=OK\nstream" : "STREAM STATUS RESULT=INVALID_ID\n");
		break;
	case PHASE_ACCEPT:
		b->accepts++;
		session = bridge_session(b, id);
		for (unsigned i = 0; i < b->connections && b->one_accept; i++) {
			if (b->all[i].accepts) {
				answer = xstrdup("STREAM STATUS RESULT=ALREADY_ACCEPTING\n");
				break;
			}
		}
		if (answer)
			break;
		c->accepts = session;
		answer = xstrdup(session ? "STREAM STATUS RESULT=OK\n" : "STREAM STATUS RESULT=INVALID_ID\n");
		break;
	default:
		break;
	}
	pthread_mutex_unlock(&b->lock);
	return answer;
}

static void *bridge_serve(void *arg)
{
	struct bridge_connection *c = arg;
	struct bridge *b = c->b;
	char line[8192];

	while (bridge_read_line(c, line, sizeof(line))) {
		enum phase phase = bridge_phase(line);
		enum wrong wrong = DO_RIGHT;
		char *answer;

		pthread_mutex_lock(&b->lock);
		if (phase == b->phase && (unsigned)(c - b->all) >= b->from)
			wrong = b->wrong;
		pthread_mutex_unlock(&b->lock);
		if (bridge_do_wrong(c, wrong))
			break;
		answer = bridge_answer(c, phase, line);
		if (!answer)
			break;
		bridge_say(c, answer);
		free(answer);
		if (phase == PHASE_CONNECT || phase == PHASE_ACCEPT) {
			bridge_wait_for_end(c);
			break;
		}
	}
	pthread_mutex_lock(&b->lock);
	c->used = false;
	c->accepts = false;
	c->id[0] = '\0';
	close(c->fd);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void *bridge_accept(void *arg)
{
	struct bridge *b = arg;

	for (;;) {
		int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
		struct bridge_connection *c;

		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&b->lock);
		assert(b->connections < BRIDGE_CONNECTIONS_MAX);
		c = &b->all[b->connections++];
		*c = (struct bridge_connection){.b = b, .fd = fd, .used = true};
		pthread_create(&c->thread, NULL, bridge_serve, c);
		pthread_mutex_unlock(&b->lock);
	}
}

static void bridge_listen(struct bridge *b, uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	const int on = 1;

	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(b->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(b->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(b->listener, 128), 0);
	assert_int_equal(getsockname(b->listener, (struct sockaddr *)&in, &len), 0);
	b->port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&b->thread, NULL, bridge_accept, b), 0);
}

static struct bridge *bridge_start(void)
{
	struct bridge *b = xcalloc(1, sizeof(*b));

	pthread_mutex_init(&b->lock, NULL);
	bridge_listen(b, 0);
	return b;
}

/* End every connection, and listen no more: the bridge has died. */
static void bridge_kill(struct bridge *b)
{
	unsigned n;

	shutdown(b->listener, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(b->listener);
	pthread_mutex_lock(&b->lock);
	n = b->connections;
	for (unsigned i = 0; i < n; i++) {
		if (b->all[i].used)
			shutdown(b->all[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&b->lock);
	for (unsigned i = 0; i < n; i++)
		pthread_join(b->all[i].thread, NULL);
	b->connections = 0;
}

static void bridge_free(struct bridge *b)
{
	bridge_kill(b);
	buf_done(&b->heard);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static unsigned __attribute__((unused)) bridge_sessions(struct bridge *b)
{
	unsigned n = 0;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->connections; i++)
		n += b->all[i].used && b->all[i].id[0];
	pthread_mutex_unlock(&b->lock);
	return n;
}

static unsigned __attribute__((unused)) bridge_count(struct bridge *b, const unsigned *counter)
{
	unsigned n;

	pthread_mutex_lock(&b->lock);
	n = *counter;
	pthread_mutex_unlock(&b->lock);
	return n;
}

/* Do this wrong from now on, on connections from number `from` on. */
static void __attribute__((unused)) bridge_break(struct bridge *b, enum phase phase, enum wrong wrong, unsigned from)
{
	pthread_mutex_lock(&b->lock);
	b->phase = phase;
	b->wrong = wrong;
	b->from = from;
	pthread_mutex_unlock(&b->lock);
}

/* End the control connection of every session with `part` in its id, and the accepts. */
static void __attribute__((unused)) bridge_drop_sessions(struct bridge *b, const char *part)
{
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->connections; i++) {
		if (b->all[i].used && ((b->all[i].id[0] && strstr(b->all[i].id, part)) || b->all[i].accepts))
			shutdown(b->all[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&b->lock);
}

/* A peer comes: the oldest waiting accept gets `text`. False: nobody accepts. */
static bool __attribute__((unused)) bridge_visit(struct bridge *b, const char *text)
{
	struct bridge_connection *c = NULL;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < b->connections && !c; i++) {
		if (b->all[i].used && b->all[i].accepts)
			c = &b->all[i];
	}
	if (c) {
		c->accepts = false;
		bridge_say(c, text);
	}
	pthread_mutex_unlock(&b->lock);
	return c;
}

#endif
