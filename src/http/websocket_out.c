/*
 * websocket_out.c - what leaves a WebSocket: frames into a buffer, the buffer into the transport, and who waits for that.
 */
#include "http/websocket_private.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

ssize_t ws_put_bytes(const uint8_t *data, size_t len, int flags, void *arg)
{
	struct websocket *ws = arg;

	(void)flags;
	buf_add(&ws->out, data, len);
	return (ssize_t)len;
}

int ws_make_mask(uint8_t *into, size_t len, void *arg)
{
	(void)arg;
	return RAND_bytes(into, (int)len) == 1 ? 0 : -1;
}

void ws_put_frame(struct websocket *ws, uint8_t opcode, uint8_t rsv, const void *data, size_t len)
{
	size_t before = buf_len(&ws->out);
	struct wslay_frame_iocb frame = {
		.fin = 1,
		.rsv = rsv,
		.opcode = opcode,
		.payload_length = len,
		.mask = ws->is_client,
		.data = data,
		.data_length = len,
	};

	/* Growing step by step would copy a large message many times. */
	buf_reserve(&ws->out, len + 14);
	/* Everything is taken at once, so the sender's state is that of a new frame again. */
	if (wslay_frame_send(ws->frames, &frame) != (ssize_t)len) {
		struct err e;

		buf_truncate(&ws->out, before);
		err_set(&e, ERR_INTERNAL, "no random numbers for the mask of a frame");
		ws_lose(ws, &e);
		return;
	}
	ws->queued += buf_len(&ws->out) - before;
	if (buf_len(&ws->out) > WEBSOCKET_PENDING_LOW)
		ws->was_high = true;
	ws_kick(ws);
}

void ws_put_close(struct websocket *ws, unsigned code, const char *reason)
{
	unsigned char body[CONTROL_MAX];
	size_t n = 0;

	if (code != CODE_NONE) {
		size_t len = strlen(reason);

		if (len > WEBSOCKET_REASON_MAX) {
			len = WEBSOCKET_REASON_MAX;
			/* Not within a character. */
			while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
				len--;
		}
		body[0] = (unsigned char)(code >> 8);
		body[1] = (unsigned char)code;
		memcpy(body + 2, reason, len);
		n = len + 2;
	}
	ws_put_frame(ws, WSLAY_CONNECTION_CLOSE, 0, body, n);
	loop_timer_start_ms(&ws->close_timer, WEBSOCKET_CLOSE_WAIT_MS);
}

/* A peer that pings and does not read gets no queue of pongs: only the last one waits (RFC 6455 section 5.5.3). */
void ws_put_pong(struct websocket *ws, const void *data, size_t len)
{
	ws->has_pong = buf_len(&ws->out) > WEBSOCKET_PENDING_LOW;
	if (!ws->has_pong) {
		ws_put_frame(ws, WSLAY_PONG, 0, data, len);
		return;
	}
	memcpy(ws->pong, data, len);
	ws->npong = len;
}

static void arm_write_timer(struct websocket *ws)
{
	if (ws->marks && ws->marks->due_ns)
		loop_timer_start_at(&ws->write_timer, ws->marks->due_ns);
	else
		loop_timer_stop(&ws->write_timer);
}

static void tell_sent(struct websocket *ws)
{
	bool any = false;

	while (ws->marks && ws->marks->end <= ws->written) {
		struct mark *m = ws->marks;

		any = true;
		ws->marks = m->next;
		if (!ws->marks)
			ws->marks_end = &ws->marks;
		if (m->sent)
			m->sent(m->arg, 0);
		free(m);
		if (ws->freed)
			return;
	}
	if (any && ws->state != STATE_OVER)
		arm_write_timer(ws);
}

/* As much as goes without a word to the user. */
void ws_write_now(struct websocket *ws)
{
	ssize_t n;

	if (ws->state == STATE_OVER || ws->write_blocked || buf_len(&ws->out) == 0 || buf_len(&ws->out) > WRITE_PIECE)
		return;
	n = transport_write(ws->transport, buf_data(&ws->out), buf_len(&ws->out));
	if (n > 0) {
		buf_consume(&ws->out, (size_t)n);
		ws->written += (uint64_t)n;
	}
}

/* The peer has both close frames or is about to have them. */
static bool is_farewell_said(const struct websocket *ws)
{
	return ws->state == STATE_ANSWERED && buf_len(&ws->out) == 0;
}

void ws_flush(struct websocket *ws)
{
	uint64_t before = ws->written;

	ws->write_blocked = false;
	for (unsigned i = 0; buf_len(&ws->out) > 0; i++) {
		size_t len = buf_len(&ws->out);
		ssize_t n;

		if (i == WRITES_PER_TURN) {
			ws_kick(ws);
			break;
		}
		n = transport_write(ws->transport, buf_data(&ws->out), len < WRITE_PIECE ? len : WRITE_PIECE);
		if (n == TRANSPORT_AGAIN) {
			ws->write_blocked = true;
			break;
		}
		if (n < 0) {
			ws_lose(ws, transport_error(ws->transport));
			return;
		}
		buf_consume(&ws->out, (size_t)n);
		ws->written += (uint64_t)n;
	}
	if (buf_len(&ws->out) == 0 && ws->out.mem) {
		/* Thousands of quiet connections hold no buffers. */
		buf_done(&ws->out);
		if (loop_timer_is_armed(&ws->close_timer))
			loop_timer_start_ms(&ws->close_timer, WEBSOCKET_CLOSE_WAIT_MS);
	}
	/* A client that was told to go waits for that. */
	if (ws->state == STATE_BREACHED && buf_len(&ws->out) == 0 && !ws->shut) {
		ws->shut = true;
		transport_shutdown(ws->transport);
	}
	if (ws->has_pong && buf_len(&ws->out) <= WEBSOCKET_PENDING_LOW && ws->state == STATE_OPEN) {
		ws->has_pong = false;
		ws_put_frame(ws, WSLAY_PONG, 0, ws->pong, ws->npong);
	}
	if (is_farewell_said(ws)) {
		tell_sent(ws);
		ws_finish(ws);
		return;
	}
	tell_sent(ws);
	if (ws->written == before)
		return;
	if (ws->was_high && buf_len(&ws->out) <= WEBSOCKET_PENDING_LOW && !ws->freed) {
		ws->was_high = false;
		if (ws->cb.drained && ws->state == STATE_OPEN)
			ws->cb.drained(ws->arg);
	}
}

void ws_add_mark(struct websocket *ws, void (*sent)(void *, int), void *arg)
{
	struct mark *m;

	if (!sent && !ws->write_timeout_ns)
		return;
	m = xcalloc(1, sizeof(*m));
	m->end = ws->queued;
	m->due_ns = ws->write_timeout_ns ? loop_clock_ns() + ws->write_timeout_ns : 0;
	m->sent = sent;
	m->arg = arg;
	*ws->marks_end = m;
	ws->marks_end = &m->next;
	if (ws->marks == m)
		arm_write_timer(ws);
}
