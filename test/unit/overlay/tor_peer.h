/*
 * tor_peer.h - a scripted Tor control port in a thread of its own, on loopback: does what Tor does, but for what a test tells it to do wrong.
 *
 * A test program includes cmocka.h, overlay_test.h and this.
 */
#ifndef TOR_PEER_H
#define TOR_PEER_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay_test.h"

enum wrong { DO_RIGHT, DO_CUT, DO_RESET, DO_STALL, DO_GARBAGE, DO_REFUSE, DO_ENDLESS };

#define PEER_ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PEER_KEY "ED25519-V3:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=="

enum { PEER_UID_EMPTY = -2 };

struct tor_peer {
	pthread_mutex_t lock;
	pthread_t thread;
	int listener; /* -1: nobody listens */
	uint16_t port;
	int fd; /* of the connection that is served; -1 */
	bool stop;
	/* What to do wrong, and on which command (its beginning). */
	const char *phase;
	enum wrong wrong;
	const char *refusal;
	const char *methods; /* NULL: "NULL" */
	unsigned progress;
	int uid;
	bool publishes;      /* says UPLOADED after each ADD_ONION */
	unsigned collisions; /* so many ADD_ONION are refused */
	/* What happened. */
	unsigned connections, adds, dels;
	struct buf heard; /* every line */
};

static void peer_say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void peer_wait_for_end(int fd)
{
	char bytes[512];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

/* False: the connection is over. */
static bool peer_do_wrong(struct tor_peer *p, int fd, enum wrong wrong)
{
	struct linger reset = {.l_onoff = 1};

	switch (wrong) {
	case DO_RIGHT:
		return true;
	case DO_CUT:
		/* What is not read yet would make it a reset. */
		shutdown(fd, SHUT_WR);
		peer_wait_for_end(fd);
		break;
	case DO_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		break;
	case DO_STALL:
		peer_wait_for_end(fd);
		break;
	case DO_GARBAGE:
		peer_say(fd, "\x01\x02garbage\xff\r\n");
		peer_wait_for_end(fd);
		break;
	case DO_REFUSE:
		peer_say(fd, p->refusal);
		return true;
	case DO_ENDLESS:
		for (unsigned i = 0; i < 8192; i++)
			peer_say(fd, "250-xxxxxxxxxxxx\r\n");
		peer_wait_for_end(fd);
		break;
	}
	return false;
}

static void peer_answer(struct tor_peer *p, int fd, const char *line)
{
	char answer[1024] = "250 OK\r\n";

	if (strncmp(line, "PROTOCOLINFO", 12) == 0) {
		snprintf(answer, sizeof(answer),
			"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=%s\r\n250-VERSION Tor=\"0.4.8.10\"\r\n250 OK\r\n",
			p->methods ? p->methods : "NULL");
	} else if (strncmp(line, "GETINFO status", 14) == 0) {
		snprintf(answer, sizeof(answer),
			"250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=%u TAG=x SUMMARY=\"Some summary\"\r\n250 "
			"OK\r\n",
			p->progress);
	} else if (strncmp(line, "GETINFO process/uid", 19) == 0 && p->uid == PEER_UID_EMPTY) {
		snprintf(answer, sizeof(answer), "250-process/uid=\r\n250 OK\r\n");
	} else if (strncmp(line, "GETINFO process/uid", 19) == 0) {
		snprintf(answer, sizeof(answer), "250-process/uid=%d\r\n250 OK\r\n", p->uid);
	} else if (strncmp(line, "ADD_ONION", 9) == 0 && p->collisions > 0) {
		p->collisions--;
		snprintf(answer, sizeof(answer), "550 Onion address collision\r\n");
	} else if (strncmp(line, "ADD_ONION", 9) == 0) {
		p->adds++;
		snprintf(answer, sizeof(answer), "250-ServiceID=" PEER_ID "\r\n%s250 OK\r\n%s",
			strstr(line, "NEW:") ? "250-PrivateKey=" PEER_KEY "\r\n" : "",
			p->publishes ? "650 HS_DESC UPLOADED " PEER_ID " UNKNOWN $00 x HSDIR_INDEX=00\r\n" : "");
	} else if (strncmp(line, "DEL_ONION", 9) == 0) {
		p->dels++;
	}
	peer_say(fd, answer);
}

static void peer_serve(struct tor_peer *p, int fd)
{
	char line[8192];
	size_t len = 0;

	while (len + 1 < sizeof(line) && recv(fd, line + len, 1, 0) == 1) {
		enum wrong wrong = DO_RIGHT;

		if (line[len++] != '\n')
			continue;
		line[len] = '\0';
		len = 0;
		pthread_mutex_lock(&p->lock);
		buf_adds(&p->heard, line);
		if (p->phase && strncmp(line, p->phase, strlen(p->phase)) == 0)
			wrong = p->wrong;
		if (wrong == DO_RIGHT)
			peer_answer(p, fd, line);
		pthread_mutex_unlock(&p->lock);
		if (!peer_do_wrong(p, fd, wrong))
			return;
	}
}

static void *peer_main(void *arg)
{
	struct tor_peer *p = arg;

	for (;;) {
		int fd = accept(p->listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&p->lock);
		p->fd = fd;
		p->connections++;
		if (p->stop)
			shutdown(fd, SHUT_RDWR);
		pthread_mutex_unlock(&p->lock);
		peer_serve(p, fd);
		pthread_mutex_lock(&p->lock);
		p->fd = -1;
		close(fd);
		pthread_mutex_unlock(&p->lock);
	}
}

static void peer_listen(struct tor_peer *p)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(p->port)};
	socklen_t len = sizeof(in);
	int on = 1;

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(p->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&in, &len), 0);
	p->port = ntohs(in.sin_port);
	p->stop = false;
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static struct tor_peer *peer_start(void)
{
	struct tor_peer *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	p->fd = -1;
	p->progress = 100;
	p->uid = (int)geteuid();
	p->publishes = true;
	p->refusal = "551 No\r\n";
	peer_listen(p);
	return p;
}

/* As if Tor were killed. */
static void peer_kill(struct tor_peer *p)
{
	if (p->listener < 0)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	if (p->fd >= 0)
		shutdown(p->fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
	p->listener = -1;
}

static void peer_free(struct tor_peer *p)
{
	peer_kill(p);
	pthread_mutex_destroy(&p->lock);
	buf_done(&p->heard);
	free(p);
}

static void peer_break(struct tor_peer *p, const char *phase, enum wrong wrong)
{
	pthread_mutex_lock(&p->lock);
	p->phase = phase;
	p->wrong = wrong;
	pthread_mutex_unlock(&p->lock);
}

static void __attribute__((unused)) peer_event(struct tor_peer *p, const char *text)
{
	pthread_mutex_lock(&p->lock);
	assert_true(p->fd >= 0);
	peer_say(p->fd, text);
	pthread_mutex_unlock(&p->lock);
}

static unsigned __attribute__((unused)) peer_count(struct tor_peer *p, const unsigned *counter)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = *counter;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static bool __attribute__((unused)) peer_heard(struct tor_peer *p, const char *text)
{
	bool yes;

	pthread_mutex_lock(&p->lock);
	yes = strstr(buf_str(&p->heard), text) != NULL;
	pthread_mutex_unlock(&p->lock);
	return yes;
}

#endif
