/*
 * fuzz_websocket.c - bytes of a peer, at once and in pieces: both give the same messages and the same end, and no message is longer than allowed.
 *
 * The first byte chooses the side under test and whether messages are compressed, the second the size of the pieces.
 */
#include <assert.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 4096 };

struct run {
	struct loop *loop;
	struct loop_timer feed;
	int fd;
	const uint8_t *data;
	size_t size;
	size_t step;
	struct buf log;
	struct websocket *ws;
};

static void on_message(void *arg, bool is_binary, const void *data, size_t len)
{
	struct run *r = arg;

	assert(len <= MESSAGE_MAX);
	buf_addf(&r->log, "%d:%zu:", is_binary, len);
	buf_add(&r->log, data, len);
	/* What is sent back is of no interest, but sending must not break anything. */
	websocket_send(r->ws, is_binary, data, len, NULL, NULL);
}

static void on_pong(void *arg, const void *data, size_t len)
{
	struct run *r = arg;

	buf_addf(&r->log, "pong:%zu:", len);
	buf_add(&r->log, data, len);
}

static void on_closed(void *arg, unsigned code, const char *reason, const struct err *e)
{
	struct run *r = arg;

	(void)e;
	buf_addf(&r->log, "closed:%u:%s", code, reason);
	loop_stop(r->loop);
}

static void on_feed(struct loop_timer *t)
{
	struct run *r = container_of(t, struct run, feed);
	size_t n = r->size < r->step ? r->size : r->step;
	char away[65536];

	while (recv(r->fd, away, sizeof(away), MSG_DONTWAIT) > 0)
		;
	if (n == 0) {
		shutdown(r->fd, SHUT_WR);
		return;
	}
	if (send(r->fd, r->data, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n) {
		r->data += n;
		r->size -= n;
	}
	loop_timer_start_ns(t, 0);
}

static void run(struct run *r, uint8_t how)
{
	static const struct websocket_callbacks cb = {.message = on_message, .pong = on_pong, .closed = on_closed};
	struct websocket_config cfg = {.loop = r->loop, .is_client = how & 1, .message_max = MESSAGE_MAX};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	cfg.transport = transport_plain(fds[0]);
	cfg.deflate = (struct websocket_deflate){
		.on = how & 2, .client_no_context_takeover = how & 4, .server_no_context_takeover = how & 4};
	r->fd = fds[1];
	r->ws = websocket_new(&cfg, &cb, r);
	loop_timer_init(&r->feed, r->loop, on_feed);
	loop_timer_start_ns(&r->feed, 0);
	loop_run(r->loop);
	loop_timer_stop(&r->feed);
	websocket_free(r->ws);
	close(r->fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	struct run whole = {.step = SIZE_MAX}, pieces = {0};

	if (size < 2 || size > 65536)
		return 0;
	if (!loop) {
		signal(SIGPIPE, SIG_IGN);
		loop = loop_new();
	}
	whole.loop = pieces.loop = loop;
	whole.data = pieces.data = data + 2;
	whole.size = pieces.size = size - 2;
	pieces.step = 1 + data[1] % 64;
	run(&whole, data[0]);
	run(&pieces, data[0]);
	if (buf_len(&whole.log) != buf_len(&pieces.log) ||
		memcmp(buf_data(&whole.log), buf_data(&pieces.log), buf_len(&whole.log)) != 0)
		abort();
	buf_done(&whole.log);
	buf_done(&pieces.log);
	return 0;
}
