/*
 * websocket.c - see websocket.h
 *
 * Here: the life of a connection and its place in the loop. Bytes in are websocket_in.c's, bytes out websocket_out.c's.
 */
#include "http/websocket_private.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

static void destroy(struct websocket *ws)
{
	wslay_frame_context_free(ws->frames);
	websocket_coders_free(ws->coders);
	buf_done(&ws->held);
	buf_done(&ws->message);
	free(ws->err);
	free(ws);
}

static void enter(struct websocket *ws)
{
	ws->depth++;
}

static void leave(struct websocket *ws)
{
	if (--ws->depth == 0 && ws->freed)
		destroy(ws);
}

void ws_kick(struct websocket *ws)
{
	if (!loop_timer_is_armed(&ws->kick))
		loop_timer_start_ns(&ws->kick, 0);
}

/* -- the end ------------------------------------------------------------------------------------------ */

/* Let go of the connection; what is to be said is said by report(). */
static void drop(struct websocket *ws)
{
	loop_poll_free(ws->poll);
	ws->poll = NULL;
	loop_timer_stop(&ws->close_timer);
	loop_timer_stop(&ws->read_timer);
	loop_timer_stop(&ws->write_timer);
	if (ws->transport) {
		transport_shutdown(ws->transport);
		transport_close(ws->transport);
		ws->transport = NULL;
	}
	buf_done(&ws->out);
	buf_done(&ws->held);
	ws->state = STATE_OVER;
}

void ws_finish(struct websocket *ws)
{
	if (ws->state == STATE_OVER)
		return;
	drop(ws);
	ws_kick(ws);
}

void ws_fail(struct websocket *ws, unsigned code, const struct err *e)
{
	/* The first reason counts, and the peer's own word for it most. */
	if (ws->state == STATE_OVER || ws->state == STATE_ANSWERED || ws->err)
		return;
	ws->code = code;
	ws->err = xmalloc(sizeof(*e));
	*ws->err = *e;
}

void ws_lose(struct websocket *ws, const struct err *e)
{
	ws_fail(ws, 1006, e);
	ws_finish(ws);
}

/* Runs the callbacks that an end leaves: first the messages that never left, then `closed`. */
static void report(struct websocket *ws)
{
	void (*closed)(void *, unsigned, const char *, const struct err *) = ws->cb.closed;

	while (ws->marks && !ws->freed) {
		struct mark *m = ws->marks;

		ws->marks = m->next;
		if (m->sent)
			m->sent(m->arg, -1);
		free(m);
	}
	ws->cb.closed = NULL;
	if (closed && !ws->freed)
		closed(ws->arg, ws->code, ws->reason, ws->err);
}

/* -- the loop ----------------------------------------------------------------------------------------- */

/* After anything that may have changed what is waited for. */
static void settle(struct websocket *ws)
{
	int events = 0;

	if (ws->freed)
		return;
	if (ws->state == STATE_OVER) {
		loop_timer_stop(&ws->kick);
		report(ws);
		return;
	}
	if (ws_wants_bytes(ws))
		events |= transport_read_events(ws->transport);
	if (ws->write_blocked && buf_len(&ws->out) > 0)
		events |= transport_write_events(ws->transport);
	loop_poll_set(ws->poll, events);
}

static void on_ready(void *arg, int events)
{
	struct websocket *ws = arg;

	(void)events;
	enter(ws);
	/* First what the peer said: it may be why writing fails. */
	ws_read_some(ws);
	if (!ws->freed && ws->state != STATE_OVER)
		ws_flush(ws);
	settle(ws);
	leave(ws);
}

static void on_kick(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, kick);

	enter(ws);
	if (ws_wants_frames(ws))
		ws_take_held(ws);
	if (ws->input_full && ws_wants_bytes(ws))
		ws_read_some(ws);
	if (!ws->freed && ws->state != STATE_OVER)
		ws_flush(ws);
	settle(ws);
	leave(ws);
}

static void on_close_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, close_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "the peer did not answer the closing handshake in time");
	ws_lose(ws, &e);
	settle(ws);
	leave(ws);
}

static void on_read_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, read_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "read timed out: no message came in time");
	ws_fail(ws, 1008, &e);
	ws_put_close(ws, 1008, "read timed out");
	/* Said, but not waited for: it is silent. */
	ws_write_now(ws);
	ws_finish(ws);
	settle(ws);
	leave(ws);
}

static void on_write_late(struct loop_timer *t)
{
	struct websocket *ws = container_of(t, struct websocket, write_timer);
	struct err e;

	enter(ws);
	err_set(&e, ERR_TIMEOUT, "write timed out: the peer did not take a message in time");
	ws_lose(ws, &e);
	settle(ws);
	leave(ws);
}

/* -- for the user ------------------------------------------------------------------------------------- */

struct websocket *websocket_new(const struct websocket_config *cfg, const struct websocket_callbacks *cb, void *arg)
{
	static const struct wslay_frame_callbacks io = {
		.send_callback = ws_put_bytes,
		.recv_callback = ws_get_bytes,
		.genmask_callback = ws_make_mask,
	};
	struct websocket *ws = xcalloc(1, sizeof(*ws));

	ws->loop = cfg->loop;
	ws->transport = cfg->transport;
	ws->cb = *cb;
	ws->arg = arg;
	ws->is_client = cfg->is_client;
	ws->message_max = cfg->message_max;
	ws->read_timeout_ns = cfg->read_timeout_ns;
	ws->write_timeout_ns = cfg->write_timeout_ns;
	ws->threshold = cfg->deflate.threshold;
	ws->marks_end = &ws->marks;
	if (cfg->deflate.on)
		ws->coders = websocket_coders_new(&cfg->deflate, cfg->is_client);
	if (wslay_frame_context_init(&ws->frames, &io, ws) != 0)
		abort(); /* out of memory, as xcalloc() has it */
	buf_add(&ws->held, cfg->early, cfg->nearly);
	loop_timer_init(&ws->kick, ws->loop, on_kick);
	loop_timer_init(&ws->close_timer, ws->loop, on_close_late);
	loop_timer_init(&ws->read_timer, ws->loop, on_read_late);
	loop_timer_init(&ws->write_timer, ws->loop, on_write_late);
	ws->poll = loop_poll_new(ws->loop, transport_fd(ws->transport), 0, on_ready, ws);
	/* TLS may have decrypted more than the handshake took. */
	ws->input_full = true;
	ws_arm_read_timer(ws);
	ws_kick(ws);
	return ws;
}

void websocket_free(struct websocket *ws)
{
	if (!ws || ws->freed)
		return;
	drop(ws);
	loop_timer_stop(&ws->kick);
	while (ws->marks) {
		struct mark *m = ws->marks;

		ws->marks = m->next;
		free(m);
	}
	ws->freed = true;
	if (ws->depth == 0)
		destroy(ws);
}
bool websocket_send(struct websocket *ws, bool is_binary, const void *data, size_t len, void (*sent)(void *arg, int rc),
	void *sent_arg)
{
	uint8_t opcode = is_binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME;
	struct buf small = BUF_INIT;

	if (ws->state != STATE_OPEN)
		return false;
	if (ws->coders && len >= ws->threshold && websocket_deflate_message(ws->coders, data, len, &small))
		ws_put_frame(ws, opcode, RSV_DEFLATE, buf_data(&small), buf_len(&small));
	else
		ws_put_frame(ws, opcode, 0, data, len);
	buf_done(&small);
	ws_add_mark(ws, sent, sent_arg);
	return true;
}

bool websocket_ping(struct websocket *ws, const void *data, size_t len)
{
	if (ws->state != STATE_OPEN || len > CONTROL_MAX)
		return false;
	ws_put_frame(ws, WSLAY_PING, 0, data, len);
	return true;
}

bool websocket_flush(struct websocket *ws, void (*sent)(void *arg, int rc), void *sent_arg)
{
	if (ws->state != STATE_OPEN)
		return false;
	ws_add_mark(ws, sent, sent_arg);
	ws_kick(ws);
	return true;
}

size_t websocket_pending(const struct websocket *ws)
{
	return buf_len(&ws->out);
}

void websocket_close(struct websocket *ws, unsigned code, const char *reason)
{
	if (ws->state != STATE_OPEN)
		return;
	if (code == 1005 || code == 1006 || code == 1015 || code > UINT16_MAX) {
		struct err e;

		err_set(&e, ERR_CANCELED, "the connection was dropped without a closing handshake");
		ws_lose(ws, &e);
		return;
	}
	ws_put_close(ws, code, reason ? reason : "");
	if (ws->state == STATE_OPEN)
		ws->state = STATE_CLOSING;
	ws_arm_read_timer(ws);
	/* At once, if it can be: the loop may not come round again. What fails here fails later once more. */
	ws_write_now(ws);
}

void websocket_pause(struct websocket *ws)
{
	ws->paused = true;
	ws_arm_read_timer(ws);
}

void websocket_resume(struct websocket *ws)
{
	if (!ws->paused)
		return;
	ws->paused = false;
	ws_arm_read_timer(ws);
	ws_kick(ws);
}

void websocket_accept_key(const char *key, char out[static WEBSOCKET_ACCEPT_SIZE])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf text = BUF_INIT;

	buf_adds(&text, key);
	buf_adds(&text, guid);
	SHA1((const unsigned char *)buf_data(&text), buf_len(&text), digest);
	buf_clear(&text);
	base64_encode(&text, digest, sizeof(digest));
	assert(buf_len(&text) == WEBSOCKET_ACCEPT_SIZE - 1);
	memcpy(out, buf_str(&text), WEBSOCKET_ACCEPT_SIZE);
	buf_done(&text);
}
