/*
 * websocket_peer.h - a peer of a WebSocket under test that knows frames only as bytes: what it says is put in at once or byte by byte, what happened is kept as text.
 */
#ifndef TEST_HTTP_WEBSOCKET_PEER_H
#define TEST_HTTP_WEBSOCKET_PEER_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/websocket.h"

struct peer {
	struct loop *loop;
	struct websocket *ws;
	bool is_client; /* the one under test */
	int fd;
	struct loop_poll *poll;
	struct loop_timer feed;
	struct buf input;
	size_t step; /* 0: all at once */
	bool keeps_open;
	bool reads;
	struct buf log; /* what the callbacks said */
	struct buf got; /* what came over the wire */
	bool got_end;
	bool closed;
	unsigned code;
	enum err_kind kind;
	struct loop_timer watchdog;
};

static inline void peer_message(void *arg, bool is_binary, const void *data, size_t len)
{
	struct peer *p = arg;

	buf_adds(&p->log, is_binary ? "binary:" : "text:");
	if (len > 64)
		buf_addf(&p->log, "%zu bytes", len);
	else
		buf_add(&p->log, data, len);
	buf_addc(&p->log, ';');
}

static inline void peer_pong(void *arg, const void *data, size_t len)
{
	struct peer *p = arg;

	buf_adds(&p->log, "pong:");
	buf_add(&p->log, data, len);
	buf_addc(&p->log, ';');
}

static inline void peer_closed(void *arg, unsigned code, const char *reason, const struct err *e)
{
	struct peer *p = arg;

	assert_false(p->closed);
	p->closed = true;
	p->code = code;
	p->kind = e ? e->kind : ERR_UNKNOWN;
	buf_addf(&p->log, "closed:%u:%s", code, reason);
	loop_stop(p->loop);
}

static inline void peer_on_ready(void *arg, int events)
{
	struct peer *p = arg;
	char piece[65536];
	ssize_t n;

	(void)events;
	n = recv(p->fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n > 0) {
		buf_add(&p->got, piece, (size_t)n);
		return;
	}
	p->got_end = true;
	loop_poll_set(p->poll, 0);
	shutdown(p->fd, SHUT_WR);
}

static inline void peer_on_feed(struct loop_timer *t)
{
	struct peer *p = container_of(t, struct peer, feed);
	size_t n = buf_len(&p->input);

	if (n > 0) {
		ssize_t put = send(
			p->fd, buf_data(&p->input), p->step && p->step < n ? p->step : n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put > 0)
			buf_consume(&p->input, (size_t)put);
		loop_timer_start_ns(t, put > 0 ? 0 : 1000000);
	} else if (!p->keeps_open) {
		shutdown(p->fd, SHUT_WR);
	}
}

static inline void peer_on_watchdog(struct loop_timer *t)
{
	(void)t;
	fail_msg("nothing happened for 20 seconds");
}

static inline void peer_begin(struct peer *p, struct websocket_config cfg, const struct websocket_callbacks *cb)
{
	static const struct websocket_callbacks usual = {
		.message = peer_message, .pong = peer_pong, .closed = peer_closed};
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	p->loop = loop_new();
	p->fd = fds[1];
	p->is_client = cfg.is_client;
	cfg.loop = p->loop;
	cfg.transport = transport_plain(fds[0]);
	if (!cfg.message_max)
		cfg.message_max = 1 << 20;
	p->ws = websocket_new(&cfg, cb ? cb : &usual, p);
	p->poll = loop_poll_new(p->loop, p->fd, LOOP_READ, peer_on_ready, p);
	loop_timer_init(&p->feed, p->loop, peer_on_feed);
	loop_timer_start_ns(&p->feed, 0);
	loop_timer_init(&p->watchdog, p->loop, peer_on_watchdog);
	loop_timer_start_ms(&p->watchdog, 20000);
}

static inline void peer_end(struct peer *p)
{
	websocket_free(p->ws);
	loop_poll_free(p->poll);
	loop_timer_stop(&p->feed);
	loop_timer_stop(&p->watchdog);
	close(p->fd);
	loop_free(p->loop);
	buf_done(&p->input);
	buf_done(&p->log);
	buf_done(&p->got);
}

/* Append a frame as the peer sends it: masked when the one under test is the server. `head` is FIN, RSV and opcode. */
static inline void put_frame(struct buf *out, bool masked, unsigned char head, const void *data, size_t len)
{
	static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
	const unsigned char *p = data;

	buf_addc(out, (char)head);
	if (len < 126) {
		buf_addc(out, (char)(len | (masked ? 0x80 : 0)));
	} else if (len < 65536) {
		buf_addc(out, (char)(126 | (masked ? 0x80 : 0)));
		buf_addc(out, (char)(len >> 8));
		buf_addc(out, (char)len);
	} else {
		buf_addc(out, (char)(127 | (masked ? 0x80 : 0)));
		for (int i = 7; i >= 0; i--)
			buf_addc(out, (char)((uint64_t)len >> (8 * i)));
	}
	if (!masked) {
		buf_add(out, data, len);
		return;
	}
	buf_add(out, mask, 4);
	for (size_t i = 0; i < len; i++)
		buf_addc(out, (char)(p[i] ^ mask[i % 4]));
}

/* The next frame of `in`, unmasked into `payload`; its first byte, or -1 when there is none. */
static inline int take_frame(struct buf *in, bool expect_mask, struct buf *payload)
{
	const unsigned char *p = (const unsigned char *)buf_data(in);
	size_t have = buf_len(in), head = 2, len;
	const unsigned char *mask = NULL;
	int first;

	buf_clear(payload);
	if (have < 2)
		return -1;
	first = p[0];
	assert_int_equal(p[1] >> 7, expect_mask);
	len = p[1] & 0x7f;
	if (len == 126) {
		assert_true(have >= 4);
		len = (size_t)p[2] << 8 | p[3];
		head = 4;
	} else if (len == 127) {
		assert_true(have >= 10);
		len = 0;
		for (int i = 2; i < 10; i++)
			len = len << 8 | p[i];
		head = 10;
	}
	if (expect_mask) {
		mask = p + head;
		head += 4;
	}
	if (have < head + len)
		return -1;
	for (size_t i = 0; i < len; i++)
		buf_addc(payload, (char)(p[head + i] ^ (mask ? mask[i % 4] : 0)));
	buf_consume(in, head + len);
	return first;
}

/* Frames as text: "81(hello) 88(1000:bye)". */
static inline void describe_frames(struct buf *in, bool expect_mask, struct buf *out)
{
	struct buf payload = BUF_INIT;
	int first;

	while ((first = take_frame(in, expect_mask, &payload)) >= 0) {
		if (buf_len(out))
			buf_addc(out, ' ');
		buf_addf(out, "%02x(", (unsigned)first);
		if (first == 0x88 && buf_len(&payload) >= 2) {
			const unsigned char *p = (const unsigned char *)buf_data(&payload);

			buf_addf(out, "%u", p[0] << 8 | p[1]);
		} else if (buf_len(&payload) > 64) {
			buf_addf(out, "%zu bytes", buf_len(&payload));
		} else {
			buf_add(out, buf_data(&payload), buf_len(&payload));
		}
		buf_addc(out, ')');
	}
	assert_int_equal(buf_len(in), 0);
	buf_done(&payload);
}

#endif
