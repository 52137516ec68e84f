/*
 * Open WebSockets: two of ours over a socket pair, and one against a scripted peer where the other side must misbehave.
 */
#include "websocket_peer.h"

/* -- two of ours --------------------------------------------------------------------------------------- */

struct end {
	struct pair *pair;
	struct websocket *ws;
	struct buf log;
	size_t messages, bytes;
	unsigned sent_ok, sent_failed, drained;
	unsigned code;
	char reason[128];
	enum err_kind kind;
	bool closed;
	size_t pause_at; /* pause at that many messages; 0: never */
	size_t stop_at;  /* stop the loop at that many */
	bool echo;
	bool free_in_message;
	bool free_in_sent;
	bool free_in_closed;
	bool free_in_drained;
};

struct pair {
	struct loop *loop;
	struct end client, server;
	struct loop_timer timer;
	struct loop_timer watchdog;
};

static void drop(struct end *e)
{
	websocket_free(e->ws);
	e->ws = NULL;
	loop_stop(e->pair->loop);
}

static void on_message(void *arg, bool is_binary, const void *data, size_t len)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->messages++;
	e->bytes += len;
	buf_addf(&e->log, "%s%zu:", is_binary ? "b" : "t", len);
	buf_add(&e->log, data, len < 32 ? len : 32);
	if (e->echo)
		websocket_send(e->ws, is_binary, data, len, NULL, NULL);
	if (e->messages == e->pause_at)
		websocket_pause(e->ws);
	if (e->messages == e->stop_at)
		loop_stop(e->pair->loop);
	if (e->free_in_message)
		drop(e);
}

static void on_pong(void *arg, const void *data, size_t len)
{
	struct end *e = arg;

	buf_adds(&e->log, "pong:");
	buf_add(&e->log, data, len);
	loop_stop(e->pair->loop);
}

static void on_sent(void *arg, int rc)
{
	struct end *e = arg;

	if (rc == 0)
		e->sent_ok++;
	else
		e->sent_failed++;
	if (e->free_in_sent)
		drop(e);
}

static void on_drained(void *arg)
{
	struct end *e = arg;

	e->drained++;
	if (e->free_in_drained)
		drop(e);
}

static void on_closed(void *arg, unsigned code, const char *reason, const struct err *err)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->closed = true;
	e->code = code;
	snprintf(e->reason, sizeof(e->reason), "%s", reason);
	e->kind = err ? err->kind : ERR_UNKNOWN;
	if (e->free_in_closed)
		drop(e);
	if (e->pair->client.closed && e->pair->server.closed)
		loop_stop(e->pair->loop);
}

static const struct websocket_callbacks callbacks = {
	.message = on_message, .pong = on_pong, .drained = on_drained, .closed = on_closed};

static void on_stop_timer(struct loop_timer *t)
{
	loop_stop(container_of(t, struct pair, timer)->loop);
}

static void pair_begin(struct pair *p, const struct websocket_config *base)
{
	struct websocket_config cfg = base ? *base : (struct websocket_config){0};
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	p->loop = cfg.loop = loop_new();
	if (!cfg.message_max)
		cfg.message_max = 64 << 20;
	p->client.pair = p->server.pair = p;
	cfg.is_client = true;
	cfg.transport = transport_plain(fds[0]);
	p->client.ws = websocket_new(&cfg, &callbacks, &p->client);
	cfg.is_client = false;
	cfg.transport = transport_plain(fds[1]);
	cfg.read_timeout_ns = cfg.write_timeout_ns = 0;
	p->server.ws = websocket_new(&cfg, &callbacks, &p->server);
	loop_timer_init(&p->timer, p->loop, on_stop_timer);
	loop_timer_init(&p->watchdog, p->loop, peer_on_watchdog);
	loop_timer_start_ms(&p->watchdog, 20000);
}

/* Let things happen for a while. */
static void pair_run_ms(struct pair *p, unsigned ms)
{
	loop_timer_start_ms(&p->timer, ms);
	loop_run(p->loop);
	loop_timer_stop(&p->timer);
}

static void pair_end(struct pair *p)
{
	websocket_free(p->client.ws);
	websocket_free(p->server.ws);
	loop_timer_stop(&p->timer);
	loop_timer_stop(&p->watchdog);
	loop_free(p->loop);
	buf_done(&p->client.log);
	buf_done(&p->server.log);
}

static char *some_text(size_t len)
{
	char *s = xmalloc(len + 1);
	unsigned x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		s[i] = (char)('a' + (x >> 16) % 26);
	}
	s[len] = '\0';
	return s;
}

static void echo_with(const struct websocket_deflate *d)
{
	static const size_t sizes[] = {0, 1, 125, 126, 127, 4096, 65535, 65536, 1000000, 5, 5, 5};
	struct websocket_config cfg = {.deflate = *d};
	struct pair p = {.server.echo = true, .client.stop_at = ARRAY_LEN(sizes)};
	struct buf want = BUF_INIT;

	pair_begin(&p, &cfg);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *s = some_text(sizes[i]);

		assert_true(websocket_send(p.client.ws, i % 2, s, sizes[i], on_sent, &p.client));
		buf_addf(&want, "%s%zu:", i % 2 ? "b" : "t", sizes[i]);
		buf_add(&want, s, sizes[i] < 32 ? sizes[i] : 32);
		free(s);
	}
	assert_int_equal(p.client.sent_ok, 0); /* always later */
	loop_run(p.loop);
	assert_string_equal(buf_str(&p.client.log), buf_str(&want));
	assert_string_equal(buf_str(&p.server.log), buf_str(&want));
	assert_int_equal(p.client.sent_ok, ARRAY_LEN(sizes));
	buf_done(&want);
	pair_end(&p);
}

static void echo(void **state)
{
	(void)state;
	echo_with(&(struct websocket_deflate){0});
}

static void echo_compressed(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		for (int bits = 0; bits <= 15; bits += bits ? 1 : 8) {
			echo_with(&(struct websocket_deflate){.on = true,
				.client_no_context_takeover = how & 1,
				.server_no_context_takeover = how & 2,
				.client_max_window_bits = bits,
				.server_max_window_bits = bits});
		}
	}
}

static void short_messages_are_not_compressed(void **state)
{
	struct peer p = {.keeps_open = true};
	struct buf sent = BUF_INIT;
	char *s = some_text(4);

	(void)state;
	put_frame(&p.input, true, 0x88, "\x03\xe8", 2);
	peer_begin(&p, (struct websocket_config){.deflate = {.on = true, .threshold = 5}}, NULL);
	websocket_send(p.ws, false, s, 4, NULL, NULL);
	websocket_send(p.ws, false, "aaaaa", 5, NULL, NULL);
	loop_run(p.loop);
	peer_on_ready(&p, LOOP_READ);
	/* RSV1 on the second only: 61 is opcode 1 with FIN, c1 the same with RSV1. */
	assert_int_equal((unsigned char)buf_data(&p.got)[0], 0x81);
	assert_int_equal((unsigned char)buf_data(&p.got)[6], 0xc1);
	free(s);
	buf_done(&sent);
	peer_end(&p);
}

static void a_pause_holds_everything_back(void **state)
{
	enum { COUNT = 3000 };
	struct pair p = {.server = {.pause_at = 3, .stop_at = COUNT}};
	char *s = some_text(1000);

	(void)state;
	pair_begin(&p, NULL);
	for (int i = 0; i < COUNT; i++)
		websocket_send(p.client.ws, true, s, 1000, on_sent, &p.client);
	pair_run_ms(&p, 50);
	assert_int_equal(p.server.messages, 3);
	/* The sender is pushed back: the socket took what it takes, the rest waits. */
	assert_true(websocket_pending(p.client.ws) > 1000000);
	assert_true(p.client.sent_ok < COUNT);
	assert_int_equal(p.client.drained, 0);
	websocket_resume(p.server.ws);
	assert_int_equal(p.server.messages, 3); /* never inside the call */
	loop_run(p.loop);
	pair_run_ms(&p, 20);
	assert_int_equal(p.server.messages, COUNT);
	assert_int_equal(p.server.bytes, COUNT * 1000);
	assert_int_equal(p.client.sent_ok, COUNT);
	assert_int_equal(p.client.drained, 1);
	assert_int_equal(websocket_pending(p.client.ws), 0);
	free(s);
	pair_end(&p);
}

static void pause_message_by_message(void **state)
{
	struct pair p = {0};

	(void)state;
	pair_begin(&p, NULL);
	for (int i = 0; i < 20; i++)
		websocket_send(p.client.ws, true, "x", 1, NULL, NULL);
	for (size_t i = 1; i <= 20; i++) {
		p.server.pause_at = i;
		websocket_resume(p.server.ws);
		pair_run_ms(&p, 2);
		assert_int_equal(p.server.messages, i);
	}
	pair_end(&p);
}

static void pings(void **state)
{
	struct pair p = {0};

	(void)state;
	pair_begin(&p, NULL);
	assert_true(websocket_ping(p.client.ws, "abc", 3));
	loop_run(p.loop);
	assert_string_equal(buf_str(&p.client.log), "pong:abc");
	assert_string_equal(buf_str(&p.server.log), "");
	assert_false(websocket_ping(p.client.ws, buf_data(&p.client.log), 126));
	pair_end(&p);
}

static void a_flush_ends_after_what_was_queued(void **state)
{
	struct pair p = {0};

	(void)state;
	pair_begin(&p, NULL);
	assert_true(websocket_flush(p.client.ws, on_sent, &p.client)); /* nothing is queued */
	assert_int_equal(p.client.sent_ok, 0);
	pair_run_ms(&p, 5);
	assert_int_equal(p.client.sent_ok, 1);
	websocket_close(p.client.ws, 1000, "");
	assert_false(websocket_flush(p.client.ws, on_sent, &p.client));
	pair_end(&p);
}

static void closing(void **state)
{
	struct pair p = {0};

	(void)state;
	pair_begin(&p, NULL);
	websocket_send(p.client.ws, false, "last", 4, on_sent, &p.client);
	websocket_close(p.client.ws, 4001, "why not");
	websocket_close(p.client.ws, 4002, "again"); /* does nothing */
	assert_false(websocket_send(p.client.ws, false, "more", 4, on_sent, &p.client));
	assert_false(websocket_ping(p.client.ws, "", 0));
	assert_false(p.client.closed);
	loop_run(p.loop);
	assert_string_equal(buf_str(&p.server.log), "t4:last");
	assert_int_equal(p.server.code, 4001);
	assert_string_equal(p.server.reason, "why not");
	assert_int_equal(p.client.code, 4001);
	assert_int_equal(p.client.sent_ok, 1);
	assert_int_equal(p.client.kind, ERR_UNKNOWN);
	pair_end(&p);
}

static void both_close_at_once(void **state)
{
	struct pair p = {0};

	(void)state;
	pair_begin(&p, NULL);
	websocket_close(p.client.ws, 1000, "");
	websocket_close(p.server.ws, 1001, "");
	loop_run(p.loop);
	assert_int_equal(p.client.code, 1001);
	assert_int_equal(p.server.code, 1000);
	pair_end(&p);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
	struct pair p = {0};
	char reason[200];

	(void)state;
	for (int i = 0; i < 66; i++)
		memcpy(reason + 3 * i, "\xe2\x82\xac", 4);
	pair_begin(&p, NULL);
	websocket_close(p.client.ws, 1000, reason);
	loop_run(p.loop);
	assert_int_equal(strlen(p.server.reason), 123);
	assert_memory_equal(p.server.reason, reason, 123);
	pair_end(&p);
}

static void codes_that_cannot_be_sent(void **state)
{
	static const unsigned codes[] = {1005, 1006, 1015, 70000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct pair p = {0};

		pair_begin(&p, NULL);
		websocket_close(p.client.ws, codes[i], "");
		assert_false(p.client.closed);
		loop_run(p.loop);
		assert_int_equal(p.client.code, 1006);
		assert_int_equal(p.client.kind, ERR_CANCELED);
		assert_int_equal(p.server.code, 1006);
		assert_int_equal(p.server.kind, ERR_UNAVAILABLE);
		pair_end(&p);
	}
}

/* The side that frees: nothing of it runs any more; the other side sees the end. */
static void freeing_inside_of_callbacks(void **state)
{
	(void)state;
	for (int which = 0; which < 4; which++) {
		struct pair p = {.client = {.free_in_sent = which == 0, .free_in_drained = which == 3},
			.server = {.free_in_message = which == 1, .free_in_closed = which == 2}};
		char *s = some_text(300000);

		pair_begin(&p, NULL);
		for (int i = 0; i < 3; i++)
			websocket_send(p.client.ws, true, s, 300000, on_sent, &p.client);
		if (which == 2)
			websocket_close(p.client.ws, 1000, "");
		loop_run(p.loop);
		switch (which) {
		case 0:
			assert_int_equal(p.client.sent_ok + p.client.sent_failed, 1);
			break;
		case 1:
			assert_int_equal(p.server.messages, 1);
			break;
		case 2:
			assert_true(p.server.closed);
			break;
		default:
			assert_int_equal(p.client.drained, 1);
			break;
		}
		free(s);
		pair_end(&p);
	}
}

static void a_lost_connection_fails_what_was_queued(void **state)
{
	struct pair p = {.server.pause_at = 1};
	char *s = some_text(3000000);

	(void)state;
	pair_begin(&p, NULL);
	websocket_send(p.client.ws, true, "x", 1, on_sent, &p.client);
	for (int i = 0; i < 2; i++)
		websocket_send(p.client.ws, true, s, 3000000, on_sent, &p.client);
	pair_run_ms(&p, 20);
	assert_int_equal(p.client.sent_ok, 1);
	websocket_free(p.server.ws);
	p.server.ws = NULL;
	pair_run_ms(&p, 20);
	assert_true(p.client.closed);
	assert_int_equal(p.client.sent_failed, 2);
	assert_int_equal(p.client.code, 1006);
	assert_int_equal(p.client.kind, ERR_UNAVAILABLE);
	free(s);
	pair_end(&p);
}

/* -- against a peer that misbehaves --------------------------------------------------------------------- */

static void a_peer_that_does_not_answer_the_close(void **state)
{
	struct peer p = {.keeps_open = true};
	uint64_t began = loop_clock_ns();

	(void)state;
	peer_begin(&p, (struct websocket_config){.is_client = true}, NULL);
	websocket_close(p.ws, 1000, "");
	loop_run(p.loop);
	assert_int_equal(p.code, 1006);
	assert_int_equal(p.kind, ERR_TIMEOUT);
	assert_in_range(
		(loop_clock_ns() - began) / 1000000, WEBSOCKET_CLOSE_WAIT_MS - 100, WEBSOCKET_CLOSE_WAIT_MS + 3000);
	peer_end(&p);
}

static void silence(void **state)
{
	struct peer p = {.keeps_open = true};
	struct buf sent = BUF_INIT;

	(void)state;
	put_frame(&p.input, false, 0x81, "a", 1);
	put_frame(&p.input, false, 0x89, "", 0); /* no message */
	peer_begin(&p, (struct websocket_config){.is_client = true, .read_timeout_ns = 50000000}, NULL);
	loop_run(p.loop);
	assert_string_equal(buf_str(&p.log), "text:a;closed:1008:");
	assert_int_equal(p.kind, ERR_TIMEOUT);
	peer_on_ready(&p, LOOP_READ);
	describe_frames(&p.got, true, &sent);
	assert_string_equal(buf_str(&sent), "8a() 88(1008)");
	buf_done(&sent);
	peer_end(&p);
}

static void silence_does_not_count_while_paused(void **state)
{
	struct peer p = {.keeps_open = true};
	struct pair stop = {0};

	(void)state;
	peer_begin(&p, (struct websocket_config){.is_client = true, .read_timeout_ns = 20000000}, NULL);
	websocket_pause(p.ws);
	stop.loop = p.loop;
	loop_timer_init(&stop.timer, p.loop, on_stop_timer);
	pair_run_ms(&stop, 80);
	assert_false(p.closed);
	websocket_resume(p.ws);
	loop_run(p.loop);
	assert_int_equal(p.code, 1008);
	peer_end(&p);
}

static void a_peer_that_does_not_read(void **state)
{
	struct pair p = {.server.pause_at = 1};
	struct websocket_config cfg = {.write_timeout_ns = 50000000};
	char *s = some_text(5000000);

	(void)state;
	pair_begin(&p, &cfg);
	websocket_send(p.client.ws, true, "x", 1, on_sent, &p.client);
	pair_run_ms(&p, 100); /* written in time, so no harm comes later */
	assert_false(p.client.closed);
	websocket_send(p.client.ws, true, s, 5000000, on_sent, &p.client);
	pair_run_ms(&p, 200);
	assert_true(p.client.closed);
	assert_int_equal(p.client.kind, ERR_TIMEOUT);
	assert_int_equal(p.client.code, 1006);
	assert_int_equal(p.client.sent_failed, 1);
	free(s);
	pair_end(&p);
}

static void nobody_reads(void *arg, int events)
{
	(void)arg;
	(void)events;
}

static void a_flood_of_pings_makes_no_queue(void **state)
{
	struct peer p = {.keeps_open = true};
	struct pair stop = {0};
	char data[125];

	(void)state;
	memset(data, 'p', sizeof(data));
	for (int i = 0; i < 50000; i++)
		put_frame(&p.input, true, 0x89, data, sizeof(data));
	peer_begin(&p, (struct websocket_config){0}, NULL);
	loop_poll_free(p.poll);
	p.poll = loop_poll_new(p.loop, p.fd, 0, nobody_reads, &p);
	stop.loop = p.loop;
	loop_timer_init(&stop.timer, p.loop, on_stop_timer);
	pair_run_ms(&stop, 500);
	assert_int_equal(buf_len(&p.input), 0); /* all were read */
	assert_true(websocket_pending(p.ws) > 0);
	assert_true(websocket_pending(p.ws) <= WEBSOCKET_PENDING_LOW + 2 * 127);
	peer_end(&p);
}

static void log_and_pause_once(void *arg, bool is_binary, const void *data, size_t len)
{
	struct peer *p = arg;

	if (buf_len(&p->log) == 0)
		websocket_pause(p->ws);
	peer_message(arg, is_binary, data, len);
}

/* A descriptor is told of before the turn that resuming asks for: what was held back is older all the same. */
static void what_was_held_comes_before_what_is_new(void **state)
{
	static const struct websocket_callbacks cb = {.message = log_and_pause_once, .closed = peer_closed};
	struct peer p = {.keeps_open = true};
	struct pair stop = {0};
	struct buf more = BUF_INIT;
	char *s = some_text(3000000), sink[65536];

	(void)state;
	put_frame(&p.input, true, 0x82, "1", 1);
	for (int i = 0; i < 2; i++)
		put_frame(&p.input, true, 0x82, s, 6000);
	put_frame(&more, true, 0x82, "2", 1);
	peer_begin(&p, (struct websocket_config){0}, &cb);
	loop_poll_free(p.poll);
	p.poll = loop_poll_new(p.loop, p.fd, 0, nobody_reads, &p);
	stop.loop = p.loop;
	loop_timer_init(&stop.timer, p.loop, on_stop_timer);
	websocket_send(p.ws, true, s, 3000000, NULL, NULL);
	pair_run_ms(&stop, 50);
	assert_string_equal(buf_str(&p.log), "binary:1;");
	assert_true(websocket_pending(p.ws) > 0);
	/* Now it can both read and write, and is told before it comes to the rest. */
	while (recv(p.fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(send(p.fd, buf_data(&more), buf_len(&more), 0), buf_len(&more));
	websocket_resume(p.ws);
	pair_run_ms(&stop, 50);
	assert_string_equal(buf_str(&p.log), "binary:1;binary:6000 bytes;binary:6000 bytes;binary:2;");
	buf_done(&more);
	free(s);
	peer_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(echo_compressed),
		cmocka_unit_test(short_messages_are_not_compressed),
		cmocka_unit_test(a_pause_holds_everything_back),
		cmocka_unit_test(pause_message_by_message),
		cmocka_unit_test(pings),
		cmocka_unit_test(a_flush_ends_after_what_was_queued),
		cmocka_unit_test(closing),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(a_long_reason_is_cut_between_characters),
		cmocka_unit_test(codes_that_cannot_be_sent),
		cmocka_unit_test(freeing_inside_of_callbacks),
		cmocka_unit_test(a_lost_connection_fails_what_was_queued),
		cmocka_unit_test(a_peer_that_does_not_answer_the_close),
		cmocka_unit_test(silence),
		cmocka_unit_test(silence_does_not_count_while_paused),
		cmocka_unit_test(a_peer_that_does_not_read),
		cmocka_unit_test(a_flood_of_pings_makes_no_queue),
		cmocka_unit_test(what_was_held_comes_before_what_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
